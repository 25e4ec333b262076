package measure_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
)

var (
	monday = time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)
	usage  = types.NamespacedName{Namespace: "crm", Name: "usage"}
)

// taken is a measurement of one revision.
func taken(revision string, m measure.Measurement) measure.Taken {
	return measure.Taken{Revision: revision, Measurement: m}
}

func at(minutes int) time.Time { return monday.Add(time.Duration(minutes) * time.Minute) }

// value is a measurement of one site.
func value(minutes int, v float64) measure.Measurement {
	return measure.Measurement{Time: at(minutes), Values: map[string]gate.Sample{"berlin": {Value: v, Time: at(minutes)}}}
}

func TestALatestMeasurementSaysOneThingAboutASite(t *testing.T) {
	for name, tc := range map[string]struct {
		measurement measure.Measurement
		want        gate.Outcome
	}{
		"a value":                            {value(1, 5), gate.OutcomeValue},
		"NaN":                                {value(1, math.NaN()), gate.OutcomeNotANumber},
		"an infinity":                        {value(1, math.Inf(-1)), gate.OutcomeNotANumber},
		"nothing":                            {measure.Measurement{Time: at(1)}, gate.OutcomeMissing},
		"several values":                     {measure.Measurement{Time: at(1), Ambiguous: map[string]bool{"berlin": true}}, gate.OutcomeAmbiguous},
		"a failure":                          {measure.Measurement{Time: at(1), Failure: "down"}, gate.OutcomeFailed},
		"a failure comes before all else":    {measure.Measurement{Time: at(1), Failure: "down", Ambiguous: map[string]bool{"berlin": true}}, gate.OutcomeFailed},
		"several values come before a value": {measure.Measurement{Time: at(1), Values: value(1, 5).Values, Ambiguous: map[string]bool{"berlin": true}}, gate.OutcomeAmbiguous},
	} {
		t.Run(name, func(t *testing.T) {
			store := measure.NewStore()
			store.Record(usage, taken("r1", value(0, 90)))
			store.Record(usage, taken("r1", tc.measurement))
			e := store.Evidence(usage, "r1", "berlin", "")
			if e.Latest != tc.want || !e.LatestAt.Equal(at(1)) || e.Detail != tc.measurement.Failure {
				t.Errorf("outcome %q at %v, detail %q; want %q", e.Latest, e.LatestAt, e.Detail, tc.want)
			}
			if len(e.Samples) == 0 || e.Samples[0].Value != 90 {
				t.Errorf("the value before is lost: %+v", e.Samples)
			}
			for _, s := range e.Samples {
				if gate.OutcomeOf(s.Value) != gate.OutcomeValue {
					t.Errorf("%v is kept as a value", s.Value)
				}
			}
		})
	}
}

func TestOnlyTheLatestValuesAreKeptAndWhatWasDroppedIsKnown(t *testing.T) {
	store := measure.NewStore()
	for minute := range 32 {
		store.Record(usage, taken("r1", value(minute, float64(minute))))
	}
	if e := store.Evidence(usage, "r1", "berlin", ""); len(e.Samples) != 32 || !e.DroppedThrough.IsZero() {
		t.Fatalf("%d values, dropped through %v", len(e.Samples), e.DroppedThrough)
	}
	store.Record(usage, taken("r1", value(32, 32)))
	store.Record(usage, taken("r1", value(33, 33)))
	e := store.Evidence(usage, "r1", "berlin", "")
	if len(e.Samples) != 32 || e.Samples[0].Value != 2 || e.Samples[31].Value != 33 || !e.DroppedThrough.Equal(at(1)) {
		t.Errorf("%d values from %v to %v, dropped through %v", len(e.Samples), e.Samples[0], e.Samples[len(e.Samples)-1], e.DroppedThrough)
	}
}

func TestTheSourcesLatestWordCounts(t *testing.T) {
	said := func(minute, of int, number float64) measure.Measurement {
		m := value(minute, 0)
		m.Values["berlin"] = gate.Sample{Value: number, Time: at(of)}
		return m
	}
	for name, tc := range map[string]struct {
		then    measure.Measurement
		samples []gate.Sample
		dropped time.Time
	}{
		"the same again from a cache":        {said(10, 5, 50), []gate.Sample{{Value: 40, Time: at(0)}, {Value: 50, Time: at(5)}}, time.Time{}},
		"another value for the same moment":  {said(10, 5, 51), []gate.Sample{{Value: 40, Time: at(0)}, {Value: 51, Time: at(5)}}, time.Time{}},
		"the latest moment was taken back":   {said(10, 0, 40), []gate.Sample{{Value: 40, Time: at(0)}}, at(5)},
		"an earlier moment than all of them": {said(10, -5, 30), []gate.Sample{{Value: 30, Time: at(-5)}}, at(5)},
	} {
		t.Run(name, func(t *testing.T) {
			store := measure.NewStore()
			store.Record(usage, taken("r1", value(0, 40)))
			store.Record(usage, taken("r1", value(5, 50)))
			before := store.Samples(usage, "r1", "berlin", "")
			store.Record(usage, taken("r1", tc.then))
			want := gate.Evidence{Samples: tc.samples, DroppedThrough: tc.dropped, Latest: gate.OutcomeValue, LatestAt: at(10)}
			if diff := cmp.Diff(want, store.Evidence(usage, "r1", "berlin", "")); diff != "" {
				t.Errorf("evidence (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]gate.Sample{{Value: 40, Time: at(0)}, {Value: 50, Time: at(5)}}, before); diff != "" {
				t.Errorf("what somebody was reading changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestThePastDoesNotChangeWhatIsKnown(t *testing.T) {
	store := measure.NewStore()
	store.Record(usage, taken("r1", value(5, 50)))
	store.Recall(usage, "r1", []measure.Measurement{value(0, 40), value(5, 51)})
	want := gate.Evidence{Samples: []gate.Sample{{Value: 50, Time: at(5)}}, Latest: gate.OutcomeValue, LatestAt: at(5)}
	if diff := cmp.Diff(want, store.Evidence(usage, "r1", "berlin", "")); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
}

func TestWhatIsRecalledIsKeptInOrderAndIsNotTheLatestMeasurement(t *testing.T) {
	store := measure.NewStore()
	store.Recall(usage, "r1", []measure.Measurement{value(0, 40), value(5, 50)})
	want := gate.Evidence{Samples: []gate.Sample{{Value: 40, Time: at(0)}, {Value: 50, Time: at(5)}}}
	if diff := cmp.Diff(want, store.Evidence(usage, "r1", "berlin", "")); diff != "" {
		t.Errorf("recalled (-want +got):\n%s", diff)
	}
	if store.Answered(usage, "r1") || !store.LastTried(usage, "r1").IsZero() {
		t.Error("what was recalled counts as measured")
	}
	store.Record(usage, taken("r1", value(10, 60)))
	if e := store.Evidence(usage, "r1", "berlin", ""); len(e.Samples) != 3 || e.Latest != gate.OutcomeValue {
		t.Errorf("evidence %+v", e)
	}
}

func TestValuesOfAnotherRevisionAreForgotten(t *testing.T) {
	store := measure.NewStore()
	store.Inherit(usage, "r1", gate.Measured{Last: at(-5)})
	store.Record(usage, taken("r1", value(0, 40)))
	if got := store.Evidence(usage, "r2", "berlin", ""); !cmp.Equal(got, gate.Evidence{}) {
		t.Errorf("the next revision starts with %+v", got)
	}
	if !store.LastTried(usage, "r2").IsZero() || store.Answered(usage, "r2") || store.Inherited(usage, "r2") != (gate.Measured{}) {
		t.Error("the next revision counts as measured")
	}
	store.Record(usage, taken("r2", value(5, 50)))
	if got := store.Evidence(usage, "r1", "berlin", ""); !cmp.Equal(got, gate.Evidence{}) {
		t.Errorf("the revision before is still there: %+v", got)
	}
	if got := store.Evidence(usage, "r2", "berlin", ""); len(got.Samples) != 1 {
		t.Errorf("evidence %+v", got)
	}
}

func TestAnswersAndTriesAreTold(t *testing.T) {
	store := measure.NewStore()
	store.Record(usage, taken("r1", measure.Measurement{Time: at(0), Failure: "down"}))
	if store.Answered(usage, "r1") || !store.LastTried(usage, "r1").Equal(at(0)) {
		t.Error("a failure is a try and no answer")
	}
	store.Record(usage, taken("r1", measure.Measurement{Time: at(5)}))
	store.Record(usage, taken("r1", measure.Measurement{Time: at(10), Failure: "down"}))
	if !store.Answered(usage, "r1") || !store.LastTried(usage, "r1").Equal(at(10)) {
		t.Error("a source that has answered stays one that has answered")
	}
}

func TestWhatAFormerProcessMeasuredLastIsNotedOnlyBeforeTheFirstMeasurement(t *testing.T) {
	store := measure.NewStore()
	if got := store.Inherited(usage, "r1"); got != (gate.Measured{}) {
		t.Errorf("an empty store inherits %v", got)
	}
	store.Inherit(usage, "r1", gate.Measured{Last: at(-5)})
	store.Record(usage, taken("r1", measure.Measurement{Time: at(0), Failure: "down"}))
	store.Inherit(usage, "r1", gate.Measured{Last: at(0)})
	if got := store.Inherited(usage, "r1"); !got.Last.Equal(at(-5)) {
		t.Errorf("inherited %v, want %v: this process's own measurement would hide how long nobody measured", got, at(-5))
	}
}

func TestListenersHearOfRecordsAndOfDeletionsButNotOfThePast(t *testing.T) {
	store := measure.NewStore()
	heard := 0
	store.Listen(func(kpi types.NamespacedName) {
		heard++
		if kpi != usage {
			t.Errorf("heard of %v", kpi)
		}
		store.Evidence(kpi, "r1", "berlin", "") // a listener may ask
	})
	store.Recall(usage, "r1", []measure.Measurement{value(0, 1)})
	store.Record(usage, taken("r1", value(1, 1)))
	store.Forget(usage)
	store.Forget(usage) // of which nobody knows anything now
	if heard != 2 {
		t.Errorf("heard %d times, want 2", heard)
	}
	if got := store.Evidence(usage, "r1", "berlin", ""); !cmp.Equal(got, gate.Evidence{}) {
		t.Errorf("a deleted KPI still has %+v", got)
	}
}

func TestWhoeverAskedForEvidenceMayKeepIt(t *testing.T) {
	store := measure.NewStore()
	store.Record(usage, taken("r1", value(0, 40)))
	e := store.Evidence(usage, "r1", "berlin", "")
	e.Samples[0].Value = 7
	if got := store.Evidence(usage, "r1", "berlin", "").Samples[0].Value; got != 40 {
		t.Errorf("the stored value became %v", got)
	}
}

func TestTheBudgetPaysOneWriteAMeasurementAndSavesAFew(t *testing.T) {
	budget := measure.NewRefreshBudget()
	spend := func(namespace string) (writes int) {
		for _, purpose := range []measure.Purpose{measure.ForSites, measure.ForRollouts} {
			for budget.Spend(namespace, purpose) {
				writes++
			}
		}
		return writes
	}
	if got := spend("crm"); got != 0 {
		t.Errorf("an empty budget pays %d writes", got)
	}
	budget.Pay(usage)
	if other, own, again := spend("other"), spend("crm"), spend("crm"); other != 0 || own != 1 || again != 0 {
		t.Errorf("one measurement pays %d writes elsewhere, %d here, then %d", other, own, again)
	}
	for range 100 {
		budget.Pay(usage)
	}
	if got := spend("crm"); got != 10 {
		t.Errorf("what was saved pays %d writes, want 5 for each purpose", got)
	}
}

func TestOnePaymentInTenIsForRollouts(t *testing.T) {
	budget := measure.NewRefreshBudget()
	sites, rollouts := 0, 0
	for range 100 {
		budget.Pay(usage)
		if budget.Spend(usage.Namespace, measure.ForSites) {
			sites++
		}
		if budget.Spend(usage.Namespace, measure.ForRollouts) {
			rollouts++
		}
	}
	if sites != 90 || rollouts != 10 {
		t.Errorf("100 measurements paid %d refreshes of sites and %d of rollouts, want 90 and 10", sites, rollouts)
	}
}

func TestTheMomentsBeforeAStopAreMeasuredAgain(t *testing.T) {
	const five, fifteen = 5 * time.Minute, 15 * time.Minute
	for name, tc := range map[string]struct {
		last                 time.Time
		interval, staleAfter time.Duration
		now                  time.Time
		want                 []time.Time
	}{
		"back to three times staleAfter before the last one": {at(0), five, fifteen, at(7), []time.Time{at(-45), at(-40), at(-35), at(-30), at(-25), at(-20), at(-15), at(-10), at(-5), at(0)}},
		"a stop of exactly staleAfter":                       {at(0), five, 5 * time.Minute, at(5), []time.Time{at(-15), at(-10), at(-5), at(0)}},
		"a longer stop loses every hold anyway":              {at(0), five, fifteen, at(16), nil},
		"nothing was measured":                               {time.Time{}, five, fifteen, at(1), nil},
		"the last moment is now":                             {at(0), five, fifteen, at(0), []time.Time{at(-45), at(-40), at(-35), at(-30), at(-25), at(-20), at(-15), at(-10), at(-5), at(0)}},
		"the last moment is to come":                         {at(1), five, fifteen, at(0), []time.Time{at(-45), at(-40), at(-35), at(-30), at(-25), at(-20), at(-15), at(-10), at(-5), at(0)}},
		"no interval":                                        {at(0), 0, fifteen, at(1), nil},
		"never more than a few":                              {at(0), time.Minute, time.Hour, at(1), []time.Time{at(-10), at(-9), at(-8), at(-7), at(-6), at(-5), at(-4), at(-3), at(-2), at(-1), at(0)}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, measure.Again(tc.last, tc.interval, tc.staleAfter, tc.now), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("moments (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValuesUnderAnotherIDAreAnotherSites(t *testing.T) {
	store := measure.NewStore()
	named := func(minutes int, id string) measure.Measurement {
		m := value(minutes, 90)
		m.IDs = map[string]string{"berlin": id}
		return m
	}
	store.Record(usage, taken("r1", named(0, "DE-1")))
	store.Record(usage, taken("r1", named(5, "DE-1")))
	if got := store.Evidence(usage, "r1", "berlin", "DE-2").Samples; len(got) != 0 {
		t.Errorf("before it was measured under its new ID the site has %v", got)
	}
	store.Record(usage, taken("r1", named(10, "DE-2")))
	if got := store.Evidence(usage, "r1", "berlin", "DE-2").Samples; len(got) != 1 || !got[0].Time.Equal(at(10)) {
		t.Errorf("after it was measured under its new ID the site has %v", got)
	}
}

func TestAClockThatWasSetBackBeginsAnew(t *testing.T) {
	store := measure.NewStore()
	store.Record(usage, taken("r1", value(60, 90)))
	store.Record(usage, taken("r1", value(0, 40)))
	if got := store.Evidence(usage, "r1", "berlin", "").Samples; len(got) != 1 || got[0].Value != 40 {
		t.Errorf("values %v, want only the new one", got)
	}
}

func TestAFailureForOneSiteIsThatSitesAlone(t *testing.T) {
	store := measure.NewStore()
	m := value(0, 90)
	m.Failures = map[string]string{"rome": "timed out"}
	store.Record(usage, taken("r1", m))
	if e := store.Evidence(usage, "r1", "rome", ""); e.Latest != gate.OutcomeFailed || e.Detail != "timed out" {
		t.Errorf("rome: %q, %q", e.Latest, e.Detail)
	}
	if e := store.Evidence(usage, "r1", "berlin", ""); e.Latest != gate.OutcomeValue || e.Detail != "" {
		t.Errorf("berlin: %q, %q", e.Latest, e.Detail)
	}
}
