package advance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/advance"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// asking makes the exit gate of migrate ask for another usage.
func asking(t *testing.T, usage string) func(*plan.Plan) {
	t.Helper()
	text := v1alpha1.Threshold(usage)
	threshold, err := gate.ParseThreshold(v1alpha1.Criterion{AtLeast: &text})
	if err != nil {
		t.Fatal(err)
	}
	return func(p *plan.Plan) { p.Phases[0].Exit.Criteria[0].Threshold = threshold }
}

// migrate changes the phase that the site is in.
func migrate(change func(*plan.Phase)) func(*plan.Plan) {
	return func(p *plan.Plan) { change(&p.Phases[0]) }
}

func unchanged(*plan.Plan) {}

// judging is lyon in its first attempt at migrate, which began by a plan that was frozen as old, while the plan as it is now, which is new, may be another one.
func judging(t *testing.T, status v1alpha1.SiteRolloutStatus, frozen, edit func(*plan.Plan), minute int, evidence gate.Evidence, decisions ...*v1alpha1.RolloutDecision) advance.Input {
	t.Helper()
	attempt := twoPhases(t)
	frozen(&attempt)
	in := about{change: edit, status: status, minute: minute, evidence: evidence, decisions: decisions}.input(t)
	in.Status.Phases[0].Revision, in.Revision, in.Attempt = "old", "new", &attempt
	return in
}

// outcome is what a step makes of the site, in one line, and why.
func outcome(step advance.Step) []string {
	words := []string{string(step.State), step.Phase, step.Reason}
	if step.Change != nil {
		words = append(words, "records", step.Change.Reason)
		if step.Change.Starts {
			words = append(words, "by", step.Change.Revision)
		}
	}
	return []string{strings.Join(words, " "), messageOf(step)}
}

func TestAnAttemptIsJudgedByThePlanThatItBeganWith(t *testing.T) {
	const (
		passes  = "phase migrate passed exit gate accepted"
		failed1 = "attempt 1 at phase migrate failed at 2026-03-02T08:20:00Z"
		decide  = "; decide about attempt 1: Retry, Waive, Skip or RollBack"
	)
	rolled := migrate(func(p *plan.Phase) { p.OnFailure = v1alpha1.FailureRollBack })
	mistaken := migrate(func(p *plan.Phase) {
		p.Mistakes = []plan.Mistake{{Object: "KPI/usage", Field: "spec.window", Problem: "wrong", Remedy: "mend it"}}
	})
	for name, tc := range map[string]struct {
		frozen, edit func(*plan.Plan)
		status       v1alpha1.SiteRolloutStatus
		minute       int
		evidence     gate.Evidence
		want         []string
	}{
		"the threshold was raised: it passes": {unchanged, asking(t, "95"), running(stateProving), 30, values(30, 90, 90, 90),
			[]string{"Waiting golive PhasePassed records PhasePassed", passes}},
		"the threshold was lowered: it is held": {asking(t, "95"), unchanged, running(stateProving), 30, values(30, 90, 90, 90),
			[]string{"Held migrate ExitGateFailed records ExitGateFailed", "exit gate accepted: usage is 90, must be at least 95 (measured 2026-03-02T08:30:00Z)"}},
		"the gate was taken out: it is still asked": {unchanged, migrate(func(p *plan.Phase) { p.Exit = nil }), running(stateProving), 30, values(30, 70),
			[]string{"Held migrate ExitGateFailed records ExitGateFailed", "exit gate accepted: usage is 70, must be at least 80 (measured 2026-03-02T08:30:00Z)"}},
		"a gate was put in: it is not asked": {migrate(func(p *plan.Phase) { p.Exit = nil }), unchanged, running(stateProving), 30, values(30, 70),
			[]string{"Waiting golive PhasePassed records PhasePassed", "phase migrate passed"}},
		"the soak was made longer: it is over": {unchanged, migrate(func(p *plan.Phase) { p.Soak = 2 * time.Hour }), running(stateProving), 30, values(30, 90, 90, 90),
			[]string{"Waiting golive PhasePassed records PhasePassed", passes}},
		"the soak was made shorter: it goes on": {unchanged, migrate(func(p *plan.Phase) { p.Soak = 0 }), running(stateProving), 29, values(25, 90, 90, 90),
			[]string{"Proving migrate Soaking", "phase migrate soaks until 2026-03-02T08:30:00Z"}},
		"the deadline was taken away: it ends": {migrate(func(p *plan.Phase) { p.Deadline = time.Hour }), unchanged, running(stateProving), 60, values(60, 70),
			[]string{"Held migrate DeadlineExceeded records DeadlineExceeded", "attempt 1 at phase migrate failed: it had not passed by its deadline, 2026-03-02T09:00:00Z; " +
				"exit gate accepted: usage is 70, must be at least 80 (measured 2026-03-02T09:00:00Z)"}},
		"a deadline was set: there is none": {unchanged, migrate(func(p *plan.Phase) { p.Deadline = time.Hour }), running(stateHeld), 61, values(60, 70),
			[]string{"Held migrate ExitGateFailed", "exit gate accepted: usage is 70, must be at least 80 (measured 2026-03-02T09:00:00Z)"}},
		"it was to be rolled back: it is": {rolled, unchanged, failed(v1alpha1.ReasonDeadlineExceeded), 30, values(30, 70),
			[]string{"RolledBack migrate RolledBack records RolledBack", "the site was rolled back out of phase migrate: its attempt 1 failed at 2026-03-02T08:20:00Z (DeadlineExceeded)"}},
		"it was not to be rolled back: it is not": {unchanged, rolled, failed(v1alpha1.ReasonDeadlineExceeded), 30, values(30, 70), []string{"Held migrate DeadlineExceeded", failed1 + decide}},
		"it had one attempt: more would be new":   {migrate(func(p *plan.Phase) { p.MaxAttempts = 1 }), unchanged, failed(v1alpha1.ReasonGuardrailBroken), 30, values(30, 90), []string{"Held migrate GuardrailBroken", failed1 + "; maxAttempts of the phase is 1" + decide}},
		"it had more attempts: the next one begins": {unchanged, migrate(func(p *plan.Phase) { p.MaxAttempts = 1 }), failed(v1alpha1.ReasonGuardrailBroken), 30, values(30, 90),
			[]string{"Proving migrate AttemptStarted records AttemptStarted by new", "attempt 2 at phase migrate started: its guardrails are kept again"}},
		"the phase has a mistake now: it has none": {unchanged, mistaken, running(stateProving), 30, values(30, 90, 90, 90),
			[]string{"Waiting golive PhasePassed records PhasePassed", passes}},
		"it had a mistake: that is not mended by the edit": {mistaken, unchanged, running(stateProving), 30, values(30, 90, 90, 90),
			[]string{"Proving migrate PlanInvalid", "phase migrate cannot be judged: KPI/usage spec.window: wrong; mend it"}},
		"the phase is gone: it passes, and goes on to what is left": {unchanged, func(p *plan.Plan) { p.Phases, p.Through = p.Phases[1:], 0 }, running(stateProving), 30, values(30, 90, 90, 90),
			[]string{"Waiting golive PhasePassed records PhasePassed", passes}},
		"the phase is gone, and with it the last one": {unchanged, func(p *plan.Plan) { p.Phases, p.Through = nil, -1 }, running(stateProving), 30, values(30, 90, 90, 90),
			[]string{"Completed  AllPhasesPassed records PhasePassed", passes}},
		"a phase was put behind it: that comes next": {unchanged, func(p *plan.Plan) { p.Phases[1].Name = "train" }, running(stateProving), 30, values(30, 90, 90, 90),
			[]string{"Waiting train PhasePassed records PhasePassed", passes}},
		"a phase was put in front of it: that comes next": {unchanged, func(p *plan.Plan) { p.Phases = append([]plan.Phase{{Name: "train"}}, p.Phases...) }, running(stateProving), 30, values(30, 90, 90, 90),
			[]string{"Waiting train PhasePassed records PhasePassed", passes}},
	} {
		t.Run(name, func(t *testing.T) {
			step := advance.Next(judging(t, tc.status, tc.frozen, tc.edit, tc.minute, tc.evidence))
			if diff := cmp.Diff(tc.want, outcome(step)); diff != "" {
				t.Errorf("step (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheNextAttemptIsJudgedByThePlanAsItIsThen(t *testing.T) {
	const begins = "attempt 2 at phase migrate started: decided by ada: so be it"
	rejected := failed(v1alpha1.ReasonRejected)
	mistake := plan.Mistake{Object: "KPI/usage", Field: "spec.window", Problem: "wrong", Remedy: "mend it"}
	for name, tc := range map[string]struct {
		edit func(*plan.Plan)
		want []string
	}{
		"it begins by the edited plan": {asking(t, "95"), []string{"Proving migrate AttemptStarted records AttemptStarted by new", begins}},
		"the edited plan has a mistake in the phase: it does not begin, and is told why": {migrate(func(p *plan.Phase) { p.Mistakes = []plan.Mistake{mistake} }),
			[]string{"Held migrate PlanInvalid", "phase migrate cannot be judged: KPI/usage spec.window: wrong; mend it"}},
		"a mistake in its entry gate is no matter: that is behind it": {migrate(func(p *plan.Phase) { p.EntryMistakes = []plan.Mistake{mistake} }),
			[]string{"Proving migrate AttemptStarted records AttemptStarted by new", begins}},
		"the edited plan has lost the phase: it is ended by the plan that it began with": {func(p *plan.Plan) { p.Phases, p.Through = p.Phases[1:], 0 },
			[]string{"Proving migrate AttemptStarted records AttemptStarted by old", begins}},
	} {
		t.Run(name, func(t *testing.T) {
			in := judging(t, rejected, unchanged, tc.edit, 30, values(30, 70), decided(retry, 1, 25))
			if diff := cmp.Diff(tc.want, outcome(advance.Next(in))); diff != "" {
				t.Errorf("step (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnAttemptIsRecordedWithItsPlan(t *testing.T) {
	in := judging(t, failed(v1alpha1.ReasonRejected), unchanged, asking(t, "95"), 30, values(30, 90), decided(retry, 1, 25))
	status := advance.Record(in.Status, advance.Next(in), in.Now)
	last := status.Transitions[len(status.Transitions)-1]
	if diff := cmp.Diff([]string{"new", "new"}, []string{status.Phases[0].Revision, last.Revision}); diff != "" {
		t.Errorf("the record and the transition of the second attempt (-want +got):\n%s", diff)
	}
	in.Status, in.Attempt, in.Now, in.Evidence = status, &in.Plan, at(60), measuring(values(60, 90, 90, 90))
	if diff := cmp.Diff("Held migrate ExitGateFailed records ExitGateFailed", outcome(advance.Next(in))[0]); diff != "" {
		t.Errorf("the second attempt (-want +got):\n%s", diff)
	}
	status = advance.Record(in.Status, advance.Next(in), in.Now)
	if last := status.Transitions[len(status.Transitions)-1]; last.Revision != "new" {
		t.Errorf("what happens in the second attempt is recorded with plan %q", last.Revision)
	}
}

func TestASiteWhoseFrozenPlanIsLostWaitsForADecision(t *testing.T) {
	const (
		lost = "phase migrate cannot be judged: ControllerRevision/old metadata.name: it does not exist any more, and the attempt at phase migrate is judged by it; " +
			"restore it from a backup, or decide about the attempt: Skip or RollBack"
		skipped = "phase migrate was skipped: decided by ada: so be it"
		rolled  = "the site was rolled back out of phase migrate: decided by ada: so be it"
	)
	for name, tc := range map[string]struct {
		status    v1alpha1.SiteRolloutStatus
		decisions []*v1alpha1.RolloutDecision
		want      []string
	}{
		"while it is in the phase":         {running(stateProving), nil, []string{"Proving migrate PlanInvalid", lost}},
		"while it is held":                 {running(stateHeld), nil, []string{"Held migrate PlanInvalid", lost}},
		"when its attempt has failed":      {failed(v1alpha1.ReasonRejected), nil, []string{"Held migrate PlanInvalid", lost}},
		"a retry would need the plan":      {failed(v1alpha1.ReasonRejected), all(decided(retry, 1, 25)), []string{"Held migrate PlanInvalid", lost}},
		"nobody can waive what is unknown": {running(stateHeld), all(decided(waive, 1, 25)), []string{"Held migrate PlanInvalid", lost}},
		"it is skipped":                    {running(stateHeld), all(decided(skip, 1, 25)), []string{"Waiting golive PhaseSkipped records PhaseSkipped", skipped}},
		"it is rolled back":                {running(stateHeld), all(decided(rollBack, 1, 25)), []string{"RolledBack migrate RolledBack records RolledBack", rolled}},
	} {
		t.Run(name, func(t *testing.T) {
			in := judging(t, tc.status, unchanged, unchanged, 30, values(30, 90, 90, 90), tc.decisions...)
			in.Attempt = &plan.Plan{}
			step := advance.Next(in)
			if diff := cmp.Diff(tc.want, outcome(step)); diff != "" {
				t.Errorf("step (-want +got):\n%s", diff)
			}
			if len(tc.decisions) == 0 && len(step.Mistakes) != 1 {
				t.Errorf("mistakes %v, want the lost plan", step.Mistakes)
			}
		})
	}
}

// digestOf shows an approver a gate that needs one, by a plan.
func digestOf(t *testing.T, in advance.Input) string {
	t.Helper()
	step := advance.Next(in)
	if step.Gate == nil || step.Gate.Digest == "" {
		t.Fatalf("nothing to approve: %s: %s", step.Reason, step.Message)
	}
	return step.Gate.Digest
}

func TestAnApprovalIsOfTheAttemptsPlan(t *testing.T) {
	sponsor := []gate.Approval{{Role: "sponsor", Count: 1}}
	entry := migrate(func(p *plan.Phase) { p.Entry.Approvals = sponsor })
	exit := migrate(func(p *plan.Phase) { p.Exit.Approvals = sponsor })
	inFront := func(change func(*plan.Plan), revision string) string {
		in := about{change: change, status: waiting(), evidence: values(30, 90, 90, 90), minute: 30}.input(t)
		in.Revision = revision
		return digestOf(t, in)
	}
	within := func(began, ahead string) string {
		in := judging(t, running(stateProving), exit, unchanged, 30, values(30, 90, 90, 90))
		in.Status.Phases[0].Revision, in.Revision = began, ahead
		return digestOf(t, in)
	}
	again := func(began string) string { // in front of another attempt, after a rollback
		in := about{change: entry, status: rolledBack(), evidence: values(30, 90, 90, 90), minute: 30}.input(t)
		in.Status.State, in.Status.CurrentPhase, in.Status.Phases[0].Revision, in.Revision = stateWaiting, "migrate", began, "new"
		return digestOf(t, in)
	}
	for name, tc := range map[string]struct {
		one, other string
		same       bool
	}{
		"in front of a phase, an edit that leaves the gate as it is makes no approval void":           {inFront(entry, "old"), inFront(entry, "new"), true},
		"in front of a phase, an edit of the gate does":                                               {inFront(entry, "old"), inFront(func(p *plan.Plan) { entry(p); p.Phases[0].Entry.Criteria[0].Name = "other" }, "old"), false},
		"in front of another attempt, the plan of the one before is no matter":                        {again("old"), again("new"), true},
		"in a phase, who goes on by an edited plan is still judged by its own, and what was approved": {within("old", "old"), within("old", "new"), true},
		"in a phase, an attempt by another plan needs approvals of its own":                           {within("old", "new"), within("new", "new"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if same := tc.one == tc.other; same != tc.same {
				t.Errorf("the same: %t, want %t (%s, %s)", same, tc.same, tc.one, tc.other)
			}
		})
	}
}

func TestASiteResumesAtTheGateOfItsAttempt(t *testing.T) {
	frozen, edited := twoPhases(t), twoPhases(t)
	edited.Phases[0].Exit.Name = "strict"
	status := running(stateProving)
	status.Gate = &v1alpha1.GateReport{Name: "accepted", Role: v1alpha1.GateRoleExit, SiteID: "lyon"}
	for name, tc := range map[string]struct {
		attempt *plan.Plan
		want    string
	}{
		"of the frozen plan":            {&frozen, "accepted"},
		"of none when the plan is lost": {&plan.Plan{}, ""},
		"of none that it is not at":     {&edited, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if standing, at := advance.Standing(edited, tc.attempt, status); standing != nil {
				got = at.Gate
			}
			if got != tc.want {
				t.Errorf("it stands at gate %q, want %q", got, tc.want)
			}
		})
	}
}
