package kpi

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/provider"
)

// valued returns the sites with a value.
func valued(c gate.CrossSection) map[string]float64 {
	all := map[string]float64{}
	for site, sample := range c.Values {
		all[site] = sample.Value
	}
	return all
}

// mustHave returns what was captured of the KPI adoption, and checks when, and whether it failed.
func (w *world) mustHave(t *testing.T, wanted measure.Ask, at time.Duration, failed bool) gate.Capture {
	t.Helper()
	got, found := w.Captures.Latest(key("adoption"), wanted)
	if !found || !got.At.Equal(began.Add(at)) || got.Failed != failed {
		t.Fatalf("captured %t at %s, failed %t; want it at %s, failed %t", found, got.At.Sub(began), got.Failed, at, failed)
	}
	return got
}

func TestOneMeasurementServesAllSitesThatTakeABaseline(t *testing.T) {
	both := map[string]float64{"berlin": 1, "rome": 1}
	for name, test := range map[string]struct {
		window   v1alpha1.Duration
		preTrend time.Duration
		want     []heard
		earlier  map[string]float64
	}{
		"over the KPI's window": {"10m", 0, []heard{{"crm[10m]", -8, 2}}, map[string]float64{}},
		"over another window":   {"4h", 0, []heard{{"crm[4h]", -238, 2}}, map[string]float64{}},
		"with an earlier value": {"30m", time.Hour, []heard{{"crm[30m]", -28, 2}, {"crm[30m]", -88, -58}}, both},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, number("adoption", overTenMinutes))
			w.mustRun(t, "adoption", 5*minute)
			w.pass(2 * minute)
			told := 0
			w.Captures.OnAsk(func(types.NamespacedName) { told++ })
			wanted := w.asked(t, "adoption", test.window, test.preTrend)
			for range 3 {
				w.Captures.Ask(key("adoption"), wanted)
			}
			asked := w.hear()
			w.mustRun(t, "adoption", 3*minute)
			w.mustRun(t, "adoption", 3*minute)
			if diff := cmp.Diff(test.want, asked()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			got := w.mustHave(t, wanted, 2*minute, false)
			if diff := cmp.Diff([]map[string]float64{both, test.earlier}, []map[string]float64{valued(got.Current), valued(got.Earlier)}); diff != "" {
				t.Errorf("values now and earlier (-want +got):\n%s", diff)
			}
			if told != 1 {
				t.Errorf("the controller was told %d times, want once", told)
			}
		})
	}
}

func TestACaptureDoesNotDisturbTheMeasurements(t *testing.T) {
	w := newWorld(t, number("adoption", overTenMinutes))
	w.mustRun(t, "adoption", 5*minute)
	w.pass(4 * minute)
	wanted := w.asked(t, "adoption", "30m", 0)
	w.Captures.Ask(key("adoption"), wanted)
	w.mustRun(t, "adoption", minute)
	if got := w.read(t, "adoption").Status; !got.LastMeasured.Time.Equal(began) {
		t.Errorf("the status tells of a measurement at %s", got.LastMeasured)
	}
	if got := w.evidence(t, "adoption", "rome"); !got.LatestAt.Equal(began) || len(got.Samples) != 1 {
		t.Errorf("what was captured counts as evidence: %+v", got)
	}
	w.pass(minute)
	w.Captures.Ask(key("adoption"), w.asked(t, "adoption", "10m", 0)) // as it is due
	asked := w.hear()
	w.mustRun(t, "adoption", 5*minute)
	if diff := cmp.Diff([]heard{{"crm[10m]", -5, 5}, {"crm[10m]", -5, 5}}, asked()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	w.mustHave(t, wanted, 4*minute, false)
	w.mustHave(t, w.asked(t, "adoption", "10m", 0), 5*minute, false)
	if left := w.Captures.Asked(key("adoption")); len(left) > 0 {
		t.Errorf("still asked for: %v", left)
	}
}

func TestACaptureFails(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, *world){
		"the source is silent": func(_ *testing.T, w *world) { w.source.answer = silence },
		"the source does not know the past": func(_ *testing.T, w *world) {
			w.source.answer = func(ctx context.Context, q provider.Query, window provider.Window) (provider.Answer, error) {
				if window.End.Before(began) {
					return silence(ctx, q, window)
				}
				return one(ctx, q, window)
			}
		},
		"there is no source": func(t *testing.T, w *world) {
			if err := w.Client.Delete(t.Context(), &v1alpha1.MetricProvider{ObjectMeta: named("source")}); err != nil {
				t.Fatal(err)
			}
		},
		"the KPI measures something else now": func(t *testing.T, w *world) {
			w.edit(t, func(k *v1alpha1.KPI) { k.Spec.Query = "another[{{window}}]" })
		},
		"the KPI cannot be measured any more": func(t *testing.T, w *world) {
			w.edit(t, func(k *v1alpha1.KPI) { k.Spec.Interval = "never" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, number("adoption", overTenMinutes))
			w.mustRun(t, "adoption", 5*minute)
			w.pass(minute)
			wanted := w.asked(t, "adoption", "30m", time.Hour)
			w.Captures.Ask(key("adoption"), wanted)
			spoil(t, w)
			if _, err := w.run(t.Context(), "adoption"); err != nil {
				t.Fatal(err)
			}
			w.mustHave(t, wanted, minute, true)
			if left := w.Captures.Asked(key("adoption")); len(left) > 0 {
				t.Errorf("still asked for: %v", left)
			}
		})
	}
}

// edit changes the KPI adoption.
func (w *world) edit(t *testing.T, change func(*v1alpha1.KPI)) {
	t.Helper()
	edited := w.read(t, "adoption")
	edited.Generation++
	change(edited)
	if err := w.Client.Update(t.Context(), edited); err != nil {
		t.Fatal(err)
	}
}

func TestASourceThatIsDownLeavesTheLastEvidenceAlone(t *testing.T) {
	w := newWorld(t, number("adoption", overTenMinutes))
	w.mustRun(t, "adoption", 5*minute)
	w.pass(minute)
	w.source.answer = silence
	w.Captures.Ask(key("adoption"), w.asked(t, "adoption", "30m", 0))
	w.mustRun(t, "adoption", 4*minute)
	w.mustBe(t, "adoption", v1alpha1.ReasonMeasured)
	if got := w.evidence(t, "adoption", "rome"); got.Latest != gate.OutcomeValue {
		t.Errorf("a capture that failed counts as a failed measurement: %+v", got)
	}
}

func TestACaptureAsksForEachSiteWhenTheKPIDoes(t *testing.T) {
	w := newWorld(t, number("adoption", perSite, func(k *v1alpha1.KPI) { k.Spec.Query, k.Spec.Window = `crm{site="{{site}}"}[{{window}}]`, "10m" }))
	w.mustRun(t, "adoption", 5*minute)
	w.source.answer = func(ctx context.Context, q provider.Query, window provider.Window) (provider.Answer, error) {
		if q.Site == "berlin" {
			return silence(ctx, q, window)
		}
		return one(ctx, q, window)
	}
	wanted := w.asked(t, "adoption", "30m", time.Hour)
	w.Captures.Ask(key("adoption"), wanted)
	w.mustRun(t, "adoption", 5*minute)
	w.mustHave(t, wanted, 0, true) // what is frozen without berlin would be without it for ever

	w.source.answer = one
	before := len(w.source.questions())
	w.Captures.Ask(key("adoption"), wanted)
	w.mustRun(t, "adoption", 5*minute)
	w.mustHaveAsked(t, before+4)
	got := w.mustHave(t, wanted, 0, false)
	both := map[string]float64{"berlin": 1, "rome": 1}
	if diff := cmp.Diff([]map[string]float64{both, both}, []map[string]float64{valued(got.Current), valued(got.Earlier)}); diff != "" {
		t.Errorf("values now and earlier (-want +got):\n%s", diff)
	}
}

func TestValuesThatAreNoNumbersAreNotCaptured(t *testing.T) {
	w := newWorld(t, number("adoption", overTenMinutes))
	w.source.answer = func(_ context.Context, _ provider.Query, window provider.Window) (provider.Answer, error) {
		return provider.Answer{Samples: []provider.Sample{{Site: "berlin", Value: math.NaN(), Time: window.End}}, Ambiguous: []string{"rome"}}, nil
	}
	wanted := w.asked(t, "adoption", "10m", 0)
	w.Captures.Ask(key("adoption"), wanted)
	w.mustRun(t, "adoption", 5*minute)
	if got := w.mustHave(t, wanted, 0, false); len(got.Current.Values) > 0 {
		t.Errorf("captured %v", got.Current.Values)
	}
}

func TestAStoppingOperatorCapturesNothing(t *testing.T) {
	w := newWorld(t, number("adoption", overTenMinutes))
	w.mustRun(t, "adoption", 5*minute)
	ctx, cancel := context.WithCancel(t.Context())
	w.source.answer = func(context.Context, provider.Query, provider.Window) (provider.Answer, error) {
		cancel()
		return provider.Answer{}, &provider.Error{Reason: provider.Canceled, Message: "canceled"}
	}
	wanted := w.asked(t, "adoption", "10m", 0)
	w.Captures.Ask(key("adoption"), wanted)
	if _, err := w.run(ctx, "adoption"); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want that of the stop", err)
	}
	if got, found := w.Captures.Latest(key("adoption"), wanted); found {
		t.Errorf("captured %+v", got)
	}
}

func TestAKPIThatIsDeletedIsNotAskedForAnyMore(t *testing.T) {
	w := newWorld(t, number("adoption", overTenMinutes))
	w.Captures.Ask(key("adoption"), w.asked(t, "adoption", "10m", 0))
	if err := w.Client.Delete(t.Context(), w.read(t, "adoption")); err != nil {
		t.Fatal(err)
	}
	w.mustRun(t, "adoption", 0)
	if left := w.Captures.Asked(key("adoption")); len(left) > 0 {
		t.Errorf("still asked for: %v", left)
	}
	w.mustHaveAsked(t, 0)
}

func TestAWaitForAPlaceEndsWhenSomethingIsCaptured(t *testing.T) {
	w := newWorld(t, number("adoption", overTenMinutes))
	w.mustRun(t, "adoption", 5*minute)
	fill, clear := w.turns.take, w.turns.give
	busy := func(now bool) {
		for range turnsOfProvider {
			if now {
				fill(key("source"), turnsOfProvider)
			} else {
				clear(key("source"))
			}
		}
	}
	busy(true)
	w.Captures.Ask(key("adoption"), w.asked(t, "adoption", "10m", 0))
	w.mustRun(t, "adoption", busyRetry)
	busy(false)
	w.mustRun(t, "adoption", 5*minute)
	busy(true)
	w.pass(5 * minute)
	w.mustRun(t, "adoption", busyRetry) // it has waited since now, and not since it waited to capture
	w.mustBe(t, "adoption", v1alpha1.ReasonMeasured)
}
