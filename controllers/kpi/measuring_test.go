package kpi

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/provider"
)

func TestMeasurementsBeginOneIntervalAfterAnotherHoweverLongTheyTake(t *testing.T) {
	w := newWorld(t, number("adoption"))
	w.source.answer = func(ctx context.Context, q provider.Query, window provider.Window) (provider.Answer, error) {
		w.pass(20 * time.Second)
		return one(ctx, q, window)
	}
	for range 3 {
		w.mustRun(t, "adoption", 5*minute-20*time.Second)
		w.pass(5*minute - 20*time.Second)
	}
	want := []question{{end: began}, {end: began.Add(5 * minute)}, {end: began.Add(10 * minute)}}
	if diff := cmp.Diff(want, w.source.questions(), cmp.AllowUnexported(question{})); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
}

func TestAMeasurementThatTakesLongerThanTheIntervalIsFollowedAtOnce(t *testing.T) {
	w := newWorld(t, number("adoption"))
	w.source.answer = func(ctx context.Context, q provider.Query, window provider.Window) (provider.Answer, error) {
		w.pass(7 * minute)
		return one(ctx, q, window)
	}
	w.mustRun(t, "adoption", time.Millisecond)
	w.mustRun(t, "adoption", time.Millisecond)
	w.mustHaveAsked(t, 2)
}

func TestAClockThatIsSetBackStopsNoMeasurements(t *testing.T) {
	w := newWorld(t, number("adoption"))
	w.mustRun(t, "adoption", 5*minute)
	w.pass(-24 * time.Hour)
	w.mustRun(t, "adoption", 5*minute)
	w.mustHaveAsked(t, 2)
}

func TestAClockThatIsSetBackWhileMeasuringDelaysNoMeasurement(t *testing.T) {
	w := newWorld(t, number("adoption"))
	w.source.answer = func(ctx context.Context, q provider.Query, window provider.Window) (provider.Answer, error) {
		w.pass(-24 * time.Hour)
		return one(ctx, q, window)
	}
	w.mustRun(t, "adoption", 5*minute)
}

func TestAStatusThatWasNotWrittenIsWrittenLaterWithoutMeasuringAgain(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "kpis"}, "adoption", errors.New("it has changed"))
	for name, refusal := range map[string]error{"the API server fails": errRefused, "the object has changed": conflict} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, number("adoption"))
			w.refuse = refusal
			for range 3 {
				if next, err := w.run(t.Context(), "adoption"); err == nil && next > time.Second {
					t.Fatalf("the write is tried again after %s, want within a second", next)
				}
				w.pass(time.Second)
			}
			w.mustBe(t, "adoption", "")
			w.refuse = nil
			w.mustRun(t, "adoption", 5*minute-3*time.Second)
			w.mustBe(t, "adoption", v1alpha1.ReasonMeasured)
			w.mustHaveAsked(t, 1)
			if got := w.read(t, "adoption").Status; !got.LastMeasured.Time.Equal(began) || got.Summary.Sites != 2 {
				t.Errorf("the status tells of another measurement: %+v", got)
			}
			if diff := cmp.Diff([]string{v1alpha1.ReasonMeasured}, w.events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			w.refuse = errRefused // nothing is left to write
			w.mustRun(t, "adoption", 5*minute-3*time.Second)
		})
	}
}

func TestAChangeThatDoesNotMatterToTheNumbersIsObservedWithoutMeasuring(t *testing.T) {
	w := newWorld(t, number("adoption"))
	w.mustRun(t, "adoption", 5*minute)
	w.pass(minute)
	edited := w.read(t, "adoption")
	edited.Generation, edited.Spec.Description = 2, "share of users who logged in"
	if err := w.Client.Update(t.Context(), edited); err != nil {
		t.Fatal(err)
	}
	w.mustRun(t, "adoption", 4*minute)
	w.mustHaveAsked(t, 1)
	if got := w.read(t, "adoption").Status.ObservedGeneration; got != 2 {
		t.Errorf("generation %d is observed, want 2", got)
	}
}

func TestAnotherDefinitionKeepsNothingOfTheOldOneWhenItCannotBeMeasured(t *testing.T) {
	w := newWorld(t, number("adoption"))
	w.mustRun(t, "adoption", 5*minute)
	edited := w.read(t, "adoption")
	edited.Generation, edited.Spec.Query = 2, "another"
	if err := w.Client.Update(t.Context(), edited); err != nil {
		t.Fatal(err)
	}
	w.source.answer = silence
	w.mustRun(t, "adoption", 5*minute)
	w.mustBe(t, "adoption", string(provider.Timeout))
	if got := w.read(t, "adoption").Status; got.LastMeasured != nil || got.MeasuredSince != nil || got.Summary != nil {
		t.Errorf("the status still tells of the old definition: %+v", got)
	}
}

func TestAFailedMeasurementKeepsTheLastGoodOne(t *testing.T) {
	w := newWorld(t, number("adoption"))
	w.mustRun(t, "adoption", 5*minute)
	w.pass(5 * minute)
	w.source.answer = silence
	w.mustRun(t, "adoption", 5*minute)
	w.mustBe(t, "adoption", string(provider.Timeout))
	if got := w.read(t, "adoption").Status; !got.LastMeasured.Time.Equal(began) || !got.MeasuredSince.Time.Equal(began) || got.Summary.Sites != 2 {
		t.Errorf("the last good measurement is gone: %+v", got)
	}
	if got := w.evidence(t, "adoption", "rome"); got.Latest != gate.OutcomeFailed || got.Detail != "no complete answer in time" {
		t.Errorf("the evidence is %+v, want the failure", got)
	}
}

func TestAProviderThatIsNeverOpenedIsToldAfterAWhile(t *testing.T) {
	w := newWorld(t, number("adoption"))
	w.Providers.Delete(namespace + "/source")
	for range 49 {
		w.mustRun(t, "adoption", openingRetry)
		w.pass(openingRetry)
	}
	w.mustBe(t, "adoption", "")
	w.pass(openingRetry)
	w.mustRun(t, "adoption", 5*minute)
	w.mustBe(t, "adoption", v1alpha1.ReasonProviderNotReady)
	w.pass(minute)
	w.mustRun(t, "adoption", 4*minute)

	w.open(t, "source")
	w.mustRun(t, "adoption", 5*minute)
	w.mustBe(t, "adoption", v1alpha1.ReasonMeasured)

	w.Providers.Delete(namespace + "/source")
	w.pass(5 * minute)
	w.mustRun(t, "adoption", openingRetry)
	w.mustBe(t, "adoption", v1alpha1.ReasonMeasured)
}

func TestWhatIsWrongWithAnAnswerIsToldInWholeSentences(t *testing.T) {
	tests := map[string]struct {
		answer  provider.Answer
		reason  string
		message string
	}{
		"one value without the label": {provider.Answer{Unlabelled: 1}, v1alpha1.ReasonAmbiguousAnswer,
			`1 value carries no label "site" and belongs to no site; keep the label in the query, for example by aggregating with by (site), or set spec.siteLabel`},
		"several values without the label": {provider.Answer{Unlabelled: 2}, v1alpha1.ReasonAmbiguousAnswer,
			`2 values carry no label "site" and belong to no site; keep the label in the query, for example by aggregating with by (site), or set spec.siteLabel`},
		"one site with two values": {provider.Answer{Ambiguous: []string{"rome"}}, v1alpha1.ReasonAmbiguousAnswer,
			`the source gave more than one value for site "rome"; it has no value until the query gives one, for example by aggregating with by (site)`},
		"several sites with two values": {provider.Answer{Ambiguous: []string{"berlin", "rome"}}, v1alpha1.ReasonAmbiguousAnswer,
			`the source gave more than one value for 2 sites, "berlin" among them; these sites have no value until the query gives one each, for example by aggregating with by (site)`},
		"no value": {provider.Answer{}, v1alpha1.ReasonNoData,
			"the source answered, but with no value for any of the 2 sites (0 values name no site here); check the query and that its site label holds the sites' siteID"},
		"a value for another site": {provider.Answer{Samples: []provider.Sample{{Site: "oslo"}}}, v1alpha1.ReasonNoData,
			"the source answered, but with no value for any of the 2 sites (1 value names no site here); check the query and that its site label holds the sites' siteID"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, number("adoption"))
			w.source.answer = func(context.Context, provider.Query, provider.Window) (provider.Answer, error) {
				return test.answer, nil
			}
			w.mustRun(t, "adoption", 5*minute)
			reason, message := w.ready(t, "adoption")
			if diff := cmp.Diff([]string{test.reason, test.message}, []string{reason, message}); diff != "" {
				t.Errorf("Ready (-want +got):\n%s", diff)
			}
		})
	}
}
