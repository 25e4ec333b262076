package advance_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/advance"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

var sales = gate.KPI{Name: "sales", Revision: "s1", Interval: 5 * time.Minute, Window: time.Hour, StaleAfter: 15 * time.Minute}

// baselined is a plan of one phase that takes a baseline of sales, with or without a control group.
func baselined(controls *plan.Controls) plan.Plan {
	return plan.Plan{Phases: []plan.Phase{{Name: "migrate", Soak: 30 * time.Minute, Baselines: []plan.Baseline{{KPI: sales, Source: "warehouse", Controls: controls}}}}}
}

// captured is what was measured at a minute: berlin 48, and two control sites of which one had no value earlier.
func captured(minute int) gate.Capture {
	ids := map[string]string{"berlin": "DE-1", "rome": "rome", "oslo": "NO-1", "paris": "paris"}
	now, then := at(minute), at(minute).Add(-time.Hour)
	return gate.Capture{At: now, TakenAt: now,
		Current: gate.CrossSection{IDs: ids, Values: map[string]gate.Sample{"berlin": {Value: 48, Samples: 120, Time: now}, "rome": {Value: 10.1, Time: now}, "oslo": {Value: 20, Time: now}}},
		Earlier: gate.CrossSection{IDs: ids, Values: map[string]gate.Sample{"berlin": {Value: 47, Time: then}, "oslo": {Value: 19, Time: then}}}}
}

// starting is a site that may start its first phase at minute 10.
func starting(p plan.Plan, capture *gate.Capture) advance.Input {
	return advance.Input{Plan: p, Status: waiting(), Admitted: true, Site: "berlin", SiteID: "DE-1", Now: at(10),
		Evidence: func(gate.KPI) gate.Evidence { return gate.Evidence{} },
		Capture: func(plan.Baseline) (gate.Capture, bool) {
			if capture == nil {
				return gate.Capture{}, false
			}
			return *capture, true
		},
		Candidates: func(string, plan.Controls) []string { return []string{"rome", "oslo", "paris", "madrid"} },
		Peer:       func(string, string, string, gate.KPI) ([]gate.Sample, bool) { return nil, false }}
}

func TestAPhaseStartsOnlyWithItsBaselines(t *testing.T) {
	const waits = "phase migrate starts when its baselines are taken: "
	const failed = "sales could not be measured; the KPI's Ready condition says why"
	const none = "sales has no fresh value for this site, or more than one"
	aged := func(age time.Duration) func(*gate.Capture) {
		return func(c *gate.Capture) { c.Current.Values["berlin"] = gate.Sample{Value: 48, Time: c.At.Add(-age)} }
	}
	for name, tc := range map[string]struct {
		capture *gate.Capture
		change  func(*gate.Capture)
		want    string
		asks    bool
	}{
		"nothing measured yet":                         {nil, nil, waits + "sales is being measured", true},
		"measured now":                                 {ptr(captured(10)), nil, "", false},
		"measured five minutes ago":                    {ptr(captured(5)), nil, "", false},
		"measured before that":                         {ptr(captured(4)), nil, waits + "sales is being measured", true},
		"measured by a clock that was ahead":           {ptr(captured(11)), nil, waits + "sales is being measured", true},
		"a source that failed":                         {ptr(captured(8)), func(c *gate.Capture) { c.Failed = true }, waits + failed, false},
		"a source that failed long ago is asked again": {ptr(captured(1)), func(c *gate.Capture) { c.Failed = true }, waits + failed, true},
		"a KPI that was deleted":                       {&gate.Capture{Gone: true}, nil, waits + "KPI sales does not exist any more; create it again, or decide Skip", false},
		"no value for the site":                        {ptr(captured(8)), func(c *gate.Capture) { delete(c.Current.Values, "berlin") }, waits + none, false},
		"a value under another ID":                     {ptr(captured(8)), func(c *gate.Capture) { c.Current.IDs["berlin"] = "DE-9" }, waits + none, false},
		"a value that is not older than staleAfter":    {ptr(captured(8)), aged(15 * time.Minute), "", false},
		"a value that was stale when it was measured":  {ptr(captured(8)), aged(15*time.Minute + time.Second), waits + none, false},
		"an answer that took long":                     {ptr(captured(8)), func(c *gate.Capture) { c.At = c.At.Add(-10 * time.Minute) }, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.change != nil {
				tc.change(tc.capture)
			}
			step := advance.Next(starting(baselined(nil), tc.capture))
			if starts := step.Change != nil; starts != (tc.want == "") {
				t.Fatalf("starts %t: %s", starts, step.Message)
			}
			if tc.want == "" {
				return
			}
			if step.State != stateWaiting || step.Reason != v1alpha1.ReasonBaselineMissing || step.Message != tc.want || !step.Awaits["sales"] {
				t.Errorf("%s %s, awaits %v: %s", step.State, step.Reason, step.Awaits, step.Message)
			}
			if asks := len(step.Asks) == 1; asks != tc.asks {
				t.Errorf("asks %v", step.Asks)
			}
			if again := tc.capture != nil && !tc.asks && !tc.capture.Gone; again && !step.WakeAt.Equal(tc.capture.TakenAt.Add(5*time.Minute+time.Second)) {
				t.Errorf("looks again at %v", step.WakeAt)
			}
		})
	}
}

func ptr(c gate.Capture) *gate.Capture { return &c }

func TestWhatIsFrozenIsWhatWasMeasured(t *testing.T) {
	capture := captured(9)
	step := advance.Next(starting(baselined(&plan.Controls{PreTrend: time.Hour, MaxSites: 30}), &capture))
	if step.Change == nil {
		t.Fatalf("it does not start: %s", step.Message)
	}
	got := step.Change.Baselines
	for i := range got {
		for j := range got[i].Controls {
			got[i].Controls[j].Samples = 0 // of sites whose source does not tell
		}
	}
	want := []v1alpha1.Baseline{{KPI: "sales", KPIRevision: "s1", Source: "warehouse", SiteID: "DE-1", WindowEnd: *stamp(9), Window: "1h", Value: "48", Samples: 120, PreTrend: "1h", Earlier: "47",
		Controls: []v1alpha1.ControlValue{{Site: "oslo", SiteID: "NO-1", Value: "20", Earlier: "19"}, {Site: "rome", Value: "10.1"}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("baselines (-want +got):\n%s", diff)
	}
	status := advance.Record(waiting(), step, at(10))
	if diff := cmp.Diff(want, status.Phases[0].Baselines); diff != "" || status.Phases[0].Attempt != 1 {
		t.Errorf("attempt %d, recorded (-want +got):\n%s", status.Phases[0].Attempt, diff)
	}
	if message := step.Change.Message; message != "phase migrate started; baselines: sales 48 with 2 control sites" {
		t.Errorf("message %q", message)
	}
}

func TestNoMoreControlSitesAreFrozenThanWereAskedForAndTheBestFirst(t *testing.T) {
	capture := captured(9)
	capture.Current.Values["madrid"], capture.Earlier.Values["madrid"], capture.Current.IDs["madrid"] = gate.Sample{Value: 5, Time: at(9)}, gate.Sample{Value: 4, Time: at(-51)}, "madrid"
	step := advance.Next(starting(baselined(&plan.Controls{PreTrend: time.Hour, MaxSites: 2}), &capture))
	var got []string
	for _, c := range step.Change.Baselines[0].Controls {
		got = append(got, c.Site)
	}
	if diff := cmp.Diff([]string{"oslo", "madrid"}, got); diff != "" {
		t.Errorf("sites with an earlier value come first (-want +got):\n%s", diff)
	}
}

// guarded is baselined with a guardrail on usage, which must be at least 80, and a criterion.
func guarded(t testing.TB, lasts time.Duration) plan.Plan {
	p := baselined(nil)
	g := testGate(t, "accepted")
	guard := g.Criteria[0]
	guard.Name, guard.Importance, guard.For = "calm", v1alpha1.ImportanceGuardrail, lasts
	guard.KPI.Name = "complaints"
	g.Criteria = append(g.Criteria, guard)
	p.Phases[0].Exit = g
	return p
}

func TestABrokenGuardrailFailsTheAttemptAndTheNextOneBeginsWhenItIsKept(t *testing.T) {
	p := guarded(t, 5*time.Minute)
	frozen := []v1alpha1.Baseline{{KPI: "sales", KPIRevision: "s1", Source: "warehouse", SiteID: "DE-1", WindowEnd: *stamp(0), Value: "48"}}
	status := running(stateProving)
	status.Phases[0].Baselines = frozen
	var holds advance.Holds
	var story []string
	calm := map[int]float64{5: 90, 10: 70, 15: 70, 20: 70, 25: 90, 30: 90, 35: 90, 40: 90, 45: 90, 50: 90, 55: 90, 60: 90}
	for minute := 5; minute <= 60; minute += 5 {
		if minute == 20 {
			holds = advance.Resume(p, nil, status, func(gate.KPI) gate.Measured { return gate.Measured{Since: at(0), Last: at(15)} }) // a restart in between changes nothing
		}
		for range 3 {
			step := advance.Next(advance.Input{Plan: p, Status: status, Holds: holds, Now: at(minute), SiteID: "DE-1",
				Capture: func(plan.Baseline) (gate.Capture, bool) { return captured(minute), true },
				Evidence: func(kpi gate.KPI) gate.Evidence {
					value := 90.0
					if kpi.Name == "complaints" {
						value = calm[minute]
					}
					return values(minute, value)
				}})
			status, holds = advance.Record(status, step, at(minute)), step.Holds
			if step.Change == nil {
				break
			}
			story = append(story, fmt.Sprintf("%02d %s %s attempt %d", minute, step.State, step.Change.Reason, status.Phases[0].Attempt))
		}
		if diff := cmp.Diff(frozen, status.Phases[0].Baselines); diff != "" {
			t.Fatalf("minute %d: the baselines have changed:\n%s", minute, diff)
		}
	}
	want := []string{"15 Held GuardrailBroken attempt 1", "25 Proving AttemptStarted attempt 2", "55 Completed PhasePassed attempt 2"}
	if diff := cmp.Diff(want, story); diff != "" {
		t.Errorf("story (-want +got):\n%s", diff)
	}
	record := status.Phases[0]
	if record.FailedAt != nil || !record.StartedAt.Time.Equal(at(25)) || len(record.Evidence) != 2 {
		t.Errorf("record %+v", record)
	}
	for _, e := range record.Evidence {
		if !e.SampleTime.After(at(25)) || (e.MetSince != nil && !e.MetSince.After(at(25))) {
			t.Errorf("evidence of the failed attempt passed the next one: %+v", e)
		}
	}
}

func TestAFailedAttemptStaysFailedUntilItsGuardrailsAreKnownToBeKept(t *testing.T) {
	failed := running(stateHeld)
	failed.Phases[0].FailedAt = stamp(15)
	const until = "attempt 1 at phase migrate failed at 2026-03-02T08:15:00Z; the next one starts when its guardrails are kept: "
	for name, tc := range map[string]struct {
		evidence gate.Evidence
		want     string
	}{
		"kept":         {values(20, 90), ""},
		"still broken": {values(20, 70), until + "guardrail calm: complaints is 70, must be at least 80; broken since 2026-03-02T08:20:00Z"},
		"silent":       {silent(20, values(15, 90)), until + "complaints had no value for this site at 2026-03-02T08:20:00Z"},
		"stale":        {values(1, 90), until + "the latest value of complaints is from 2026-03-02T08:01:00Z, older than 15m"},
		"not measured": {gate.Evidence{}, until + "complaints has not been measured yet"},
	} {
		t.Run(name, func(t *testing.T) {
			step := advance.Next(advance.Input{Plan: guarded(t, 0), Status: failed, Now: at(20), Evidence: func(gate.KPI) gate.Evidence { return tc.evidence }})
			if tc.want == "" {
				if step.State != stateProving || step.Change == nil || !step.Change.Starts {
					t.Errorf("%s: %s", step.State, step.Message)
				}
				return
			}
			if step.State != stateHeld || step.Change != nil || step.Message != tc.want || step.Reason != v1alpha1.ReasonGuardrailBroken {
				t.Errorf("%s %s: %s", step.State, step.Reason, step.Message)
			}
		})
	}
}

func TestAGuardrailIsWatchedWhileThePhaseSoaks(t *testing.T) {
	step := advance.Next(advance.Input{Plan: guarded(t, 0), Status: running(stateProving), Now: at(10), Evidence: func(gate.KPI) gate.Evidence { return values(10, 70) }})
	if step.State != stateHeld || step.Change == nil || step.Change.Fails != v1alpha1.ReasonGuardrailBroken || !strings.HasPrefix(step.Message, "attempt 1 at phase migrate failed: guardrail calm: complaints is 70") {
		t.Errorf("%s: %s", step.State, step.Message)
	}
	status := advance.Record(running(stateProving), step, at(10))
	if status.Phases[0].FailedAt == nil || !status.Phases[0].FailedAt.Time.Equal(at(10)) || status.Phases[0].Failure != v1alpha1.ReasonGuardrailBroken {
		t.Errorf("record %+v", status.Phases[0])
	}
}
