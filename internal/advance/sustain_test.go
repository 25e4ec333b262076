package advance_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/advance"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

const stateRegressed = v1alpha1.SiteRegressed

// kept is a plan of migrate and golive, behind which a usage of at least 80 is to be sustained, held for 10 minutes.
func kept(t testing.TB, reopens string) plan.Plan {
	t.Helper()
	p := twoPhases(t)
	p.Phases[0].Entry, p.Phases[0].Soak = nil, 0
	p.Sustain = &plan.Sustain{Gate: *testGate(t, "kept"), Reopens: reopens}
	return p
}

// completed is a site that has passed both phases, golive at the given minute.
func completed(state v1alpha1.SiteState, minute int) v1alpha1.SiteRolloutStatus {
	s := passed(state, "migrate", "golive")
	s.Phases[0].Evidence = []v1alpha1.Evidence{{Criterion: "used"}}
	s.Phases[1].PassedAt = stamp(minute)
	return s
}

func TestACompletedSiteIsJudgedForEver(t *testing.T) {
	const gone = "gate kept, which is to be sustained: "
	for name, tc := range map[string]struct {
		state    v1alpha1.SiteState
		change   func(*plan.Plan)
		evidence gate.Evidence
		want     told
	}{
		"its gate passes":     {stateCompleted, nil, values(30, 90, 90, 90), told{State: stateCompleted, Reason: v1alpha1.ReasonAllPhasesPassed, Message: "the site has passed every phase", Verdict: pass}},
		"its gate waits":      {stateCompleted, nil, values(30, 90), told{State: stateCompleted, Reason: v1alpha1.ReasonAllPhasesPassed, Message: "the site has passed every phase", Verdict: wait, NextLook: at(35)}},
		"nothing is measured": {stateCompleted, nil, gate.Evidence{}, told{State: stateCompleted, Reason: v1alpha1.ReasonAllPhasesPassed, Message: "the site has passed every phase", Verdict: wait}},
		"what was measured before the last phase was passed is no regression": {stateCompleted, nil, values(10, 70), told{State: stateCompleted, Reason: v1alpha1.ReasonAllPhasesPassed, Message: "the site has passed every phase",
			Verdict: wait, NextLook: at(15)}},
		"its gate fails": {stateCompleted, nil, values(30, 90, 90, 70), told{State: stateRegressed, Reason: v1alpha1.ReasonRegressed, Verdict: fail, NextLook: at(35),
			Message: gone + "usage is 70, must be at least 80 (measured 2026-03-02T08:30:00Z)",
			Change:  &advance.Change{Reason: v1alpha1.ReasonRegressed, Message: gone + "usage is 70, must be at least 80 (measured 2026-03-02T08:30:00Z)"}}},
		"its gate goes on failing": {stateRegressed, nil, values(30, 70), told{State: stateRegressed, Reason: v1alpha1.ReasonRegressed, Verdict: fail, NextLook: at(35),
			Message: gone + "usage is 70, must be at least 80 (measured 2026-03-02T08:30:00Z)"}},
		"a good value is no recovery yet": {stateRegressed, nil, values(30, 90), told{State: stateRegressed, Reason: v1alpha1.ReasonRegressed, Verdict: wait, NextLook: at(35),
			Message: gone + "usage is 90, at least 80 since 2026-03-02T08:30:00Z; passes when that has held for 10m, not before 2026-03-02T08:40:00Z"}},
		"nor is silence": {stateRegressed, nil, silent(30, values(25, 70)), told{State: stateRegressed, Reason: v1alpha1.ReasonRegressed, Verdict: wait, NextLook: at(35),
			Message: gone + "usage had no value for this site at 2026-03-02T08:30:00Z"}},
		"it recovers": {stateRegressed, nil, values(30, 90, 90, 90), told{State: stateCompleted, Reason: v1alpha1.ReasonAllPhasesPassed, Message: "the site has passed every phase", Verdict: pass,
			Change: &advance.Change{Reason: v1alpha1.ReasonRecovered, Message: "the site meets gate kept again"}}},
		"nothing is to be sustained": {stateCompleted, func(p *plan.Plan) { p.Sustain = nil }, values(30, 70), told{State: stateCompleted, Reason: v1alpha1.ReasonAllPhasesPassed, Message: "the site has passed every phase"}},
		"nothing is to be sustained any more": {stateRegressed, func(p *plan.Plan) { p.Sustain = nil }, values(30, 70), told{State: stateCompleted, Reason: v1alpha1.ReasonAllPhasesPassed, Message: "the site has passed every phase",
			Change: &advance.Change{Reason: v1alpha1.ReasonAllPhasesPassed, Message: "the site has passed every phase"}}},
		"a mistake leaves it where it is": {stateRegressed, func(p *plan.Plan) {
			p.Sustain.Mistakes = []plan.Mistake{{Object: "KPI/usage", Field: "spec.x", Problem: "wrong", Remedy: "mend it"}}
		}, values(30, 90, 90, 90),
			told{State: stateRegressed, Reason: v1alpha1.ReasonPlanInvalid, Message: "what the rollout sustains cannot be judged: KPI/usage spec.x: wrong; mend it"}},
		"a phase that is added comes next": {stateRegressed, func(p *plan.Plan) { p.Phases = append(p.Phases, plan.Phase{Name: "optimise"}) }, values(30, 70),
			told{State: stateWaiting, Phase: "optimise", Reason: v1alpha1.ReasonPhaseAdded, Message: "the rollout gained phase optimise",
				Change: &advance.Change{Reason: v1alpha1.ReasonPhaseAdded, Message: "the rollout gained phase optimise", Phase: "optimise"}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := kept(t, "")
			if tc.change != nil {
				tc.change(&p)
			}
			step := advance.Next(advance.Input{Plan: p, Status: completed(tc.state, 15), Now: at(30), Evidence: measuring(tc.evidence)})
			if diff := cmp.Diff(tc.want, tell(step)); diff != "" {
				t.Errorf("step (-want +got):\n%s", diff)
			}
			if sustains := p.Sustain != nil && len(p.Sustain.Mistakes) == 0 && len(p.Phases) == 2; step.Awaits["usage"] != sustains || (step.Gate != nil) != sustains {
				t.Errorf("it awaits %v, and stands at gate %v", step.Awaits, step.Gate)
			}
		})
	}
}

func TestARegressionReopensAPhase(t *testing.T) {
	p := kept(t, "migrate")
	status := completed(stateCompleted, 15)
	baselines := []v1alpha1.Baseline{{KPI: "sales", Value: "48"}}
	status.Phases[0].Baselines, status.Phases[0].Outcome = baselines, v1alpha1.PhaseWaived
	status.Phases[0].FailedAt, status.Phases[0].Failure = stamp(1), v1alpha1.ReasonRejected // that was waived
	story, last := live(advance.Input{Plan: p, Now: at(30), Evidence: measuring(values(30, 70))}, &status)
	if diff := cmp.Diff([]string{"Regressed Regressed", "Waiting PhaseReopened"}, story); diff != "" {
		t.Errorf("story (-want +got):\n%s", diff)
	}
	if last.Reason != v1alpha1.ReasonWaitingForSlot || last.Phase != "migrate" {
		t.Errorf("it waits for %s in front of %s", last.Reason, last.Phase)
	}
	const because = "phase migrate is to be passed again, because the site regressed: gate kept: usage is 70, must be at least 80 (measured 2026-03-02T08:30:00Z)"
	if tr := status.Transitions[1]; tr.Message != because || tr.Phase != "migrate" || tr.Attempt != 1 {
		t.Errorf("transition %+v", tr)
	}
	want := []v1alpha1.PhaseRecord{{Name: "migrate", Attempt: 1, StartedAt: *stamp(0), Baselines: baselines, ReopenedAt: stamp(30), FirstPassedAt: stamp(1)},
		{Name: "golive", Attempt: 1, StartedAt: *stamp(0), PassedAt: stamp(15)}}
	if diff := cmp.Diff(want, status.Phases); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}

	story, _ = live(advance.Input{Plan: p, Admitted: true, Now: at(40), Evidence: measuring(values(40, 90, 90, 90, 90, 90))}, &status)
	if diff := cmp.Diff([]string{"Proving AttemptStarted"}, story); diff != "" {
		t.Errorf("story (-want +got):\n%s", diff)
	}
	want[0].Attempt, want[0].StartedAt, want[0].FirstStartedAt, want[0].ReopenedAt = 2, *stamp(40), stamp(0), nil
	if diff := cmp.Diff(want, status.Phases); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}

	story, last = live(advance.Input{Plan: p, Now: at(55), Evidence: measuring(values(55, 90, 90, 90))}, &status)
	if diff := cmp.Diff([]string{"Completed PhasePassed"}, story); diff != "" || last.Gate == nil || last.Gate.Verdict != wait {
		t.Errorf("what was measured before the second pass counts for nothing behind it: %+v (-want +got):\n%s", last.Gate, diff)
	}
	if r := status.Phases[0]; !r.PassedAt.Equal(stamp(55)) || !r.FirstPassedAt.Equal(stamp(1)) || len(r.Evidence) != 1 {
		t.Errorf("record %+v", r)
	}

	story, _ = live(advance.Input{Plan: p, Now: at(70), Evidence: measuring(values(70, 70))}, &status)
	if diff := cmp.Diff([]string{"Regressed Regressed", "Waiting PhaseReopened"}, story); diff != "" || !status.Phases[0].FirstPassedAt.Equal(stamp(1)) {
		t.Errorf("another regression: record %+v (-want +got):\n%s", status.Phases[0], diff)
	}
}

func TestAPhaseThatTheSiteNeverBeganIsNotReopened(t *testing.T) {
	p := kept(t, "migrate")
	status := completed(stateCompleted, 15)
	p.Phases, p.Through, status.Phases = p.Phases[1:], 0, status.Phases[1:] // as the plan of a site may be that is older than the edit
	story, last := live(advance.Input{Plan: p, Now: at(30), Evidence: measuring(values(30, 70))}, &status)
	if diff := cmp.Diff([]string{"Regressed Regressed"}, story); diff != "" || last.State != stateRegressed {
		t.Errorf("%s (-want +got):\n%s", last.State, diff)
	}
}

func TestTheHoldsOfSustainAreResumed(t *testing.T) {
	report := func(name string, role v1alpha1.GateRole) *v1alpha1.GateReport {
		return &v1alpha1.GateReport{Name: name, Role: role, SiteID: "DE-1"}
	}
	with := func(change func(*plan.Plan)) plan.Plan { p := kept(t, ""); change(&p); return p }
	for name, tc := range map[string]struct {
		plan plan.Plan
		gate *v1alpha1.GateReport
		want *advance.Stand
	}{
		"behind the last phase": {kept(t, ""), report("kept", v1alpha1.GateRoleSustain), &advance.Stand{Phase: "golive", Role: v1alpha1.GateRoleSustain, Attempt: 1, Gate: "kept", SiteID: "DE-1"}},
		"another gate":          {kept(t, ""), report("other", v1alpha1.GateRoleSustain), nil},
		"nothing any more":      {with(func(p *plan.Plan) { p.Sustain = nil }), report("kept", v1alpha1.GateRoleSustain), nil},
		"a mistake":             {with(func(p *plan.Plan) { p.Sustain.Mistakes = []plan.Mistake{{}} }), report("kept", v1alpha1.GateRoleSustain), nil},
		"a phase was added":     {with(func(p *plan.Plan) { p.Phases = append(p.Phases, plan.Phase{Name: "optimise"}) }), report("kept", v1alpha1.GateRoleSustain), nil},
	} {
		t.Run(name, func(t *testing.T) {
			status := completed(stateCompleted, 15)
			status.Gate = tc.gate
			g, at := advance.Standing(tc.plan, nil, status)
			if (g == nil) != (tc.want == nil) || (tc.want != nil && at != *tc.want) {
				t.Errorf("gate %v at %+v, want %+v", g, at, tc.want)
			}
		})
	}
	reopened := completed(stateWaiting, 15)
	reopened.Phases[0].PassedAt, reopened.Phases[0].ReopenedAt, reopened.CurrentPhase, reopened.Gate = nil, stamp(20), "migrate", report("ready", v1alpha1.GateRoleEntry)
	if g, at := advance.Standing(twoPhases(t), nil, reopened); g == nil || at.Role != v1alpha1.GateRoleEntry || at.Attempt != 0 {
		t.Errorf("in front of a reopened phase it stands at %v, %+v", g, at)
	}
	status := completed(stateRegressed, 15)
	step := advance.Next(advance.Input{Plan: kept(t, ""), Status: status, SiteID: "DE-1", Now: at(30), Evidence: measuring(values(30, 90))})
	status = advance.Record(status, step, at(30))
	resumed := advance.Resume(kept(t, ""), nil, status, func(gate.KPI) gate.Measured { return gate.Measured{Since: at(0), Last: at(30)} })
	if resumed.At != step.Holds.At || !resumed.Criteria["used"].Since.Equal(step.Holds.Criteria["used"].Since) {
		t.Errorf("resumed %v, was %v", resumed, step.Holds)
	}
}
