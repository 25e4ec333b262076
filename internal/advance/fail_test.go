package advance_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/advance"
	"github.com/crmops/rollout-operator/internal/decide"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// due is guarded with a deadline of an hour.
func due(t testing.TB, policy v1alpha1.FailurePolicy, maximum int32) plan.Plan {
	t.Helper()
	p := guarded(t, 0)
	p.Phases[0].Soak, p.Phases[0].Deadline, p.Phases[0].OnFailure, p.Phases[0].MaxAttempts = 10*time.Minute, time.Hour, policy, maximum
	return p
}

// measuring answers for every KPI.
func measuring(e gate.Evidence) func(gate.KPI) gate.Evidence {
	return func(gate.KPI) gate.Evidence { return e }
}

func TestAnAttemptFailsAtItsDeadline(t *testing.T) {
	const failed = "attempt 1 at phase migrate failed: it had not passed by its deadline, 2026-03-02T09:00:00Z"
	holding := "; exit gate accepted: usage is 90, at least 80 since 2026-03-02T%s; passes when that has held for 10m, not before 2026-03-02T%s"
	silence := "; exit gate accepted: usage had no value for this site at 2026-03-02T09:00:00Z; complaints had no value for this site at 2026-03-02T09:00:00Z"
	for name, tc := range map[string]struct {
		state    v1alpha1.SiteState
		change   func(*plan.Phase)
		evidence gate.Evidence
		now      time.Time
		reason   string
		message  string
	}{
		"a moment before, it waits": {evidence: values(59, 90), now: at(60).Add(-time.Second), reason: v1alpha1.ReasonExitGateWaiting,
			message: "exit gate accepted: usage is 90, at least 80 since 2026-03-02T08:59:00Z; passes when that has held for 10m, not before 2026-03-02T09:09:00Z; " +
				"the attempt fails if it has not passed by 2026-03-02T09:00:00Z"},
		"at the very moment": {evidence: values(60, 90), now: at(60), reason: v1alpha1.ReasonDeadlineExceeded, message: failed + fmt.Sprintf(holding, "09:00:00Z", "09:10:00Z")},
		"at the very moment its gate passes": {evidence: values(60, 90, 90, 90), now: at(60), reason: v1alpha1.ReasonPhasePassed,
			message: "phase migrate passed exit gate accepted"},
		"a second later it is too late for that":       {evidence: values(60, 90, 90, 90), now: at(60).Add(time.Second), reason: v1alpha1.ReasonDeadlineExceeded, message: failed},
		"its source is silent: that stops no deadline": {evidence: silent(60, values(55, 90)), now: at(60), reason: v1alpha1.ReasonDeadlineExceeded, message: failed + silence},
		"it is held at its gate": {state: stateHeld, evidence: values(60, 70), now: at(60), change: func(p *plan.Phase) { p.Exit = testExit(p) }, reason: v1alpha1.ReasonDeadlineExceeded,
			message: failed + "; exit gate accepted: usage is 70, must be at least 80 (measured 2026-03-02T09:00:00Z)"},
		"a broken guardrail comes first": {evidence: values(60, 70), now: at(60), reason: v1alpha1.ReasonGuardrailBroken,
			message: "attempt 1 at phase migrate failed: guardrail calm: complaints is 70, must be at least 80; broken since 2026-03-02T09:00:00Z"},
		"without an exit gate it misses nothing, however late somebody looks": {change: func(p *plan.Phase) { p.Exit = nil }, now: at(120), reason: v1alpha1.ReasonPhasePassed,
			message: "phase migrate passed"},
	} {
		t.Run(name, func(t *testing.T) {
			p, status := due(t, v1alpha1.FailureHold, 0), running(stateProving)
			if tc.state != "" {
				status.State = tc.state
			}
			if tc.change != nil {
				tc.change(&p.Phases[0])
			}
			step := advance.Next(advance.Input{Plan: p, Status: status, Now: tc.now, Evidence: measuring(tc.evidence)})
			if diff := cmp.Diff([]string{tc.reason, tc.message}, []string{reasonOf(step), messageOf(step)}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if tc.reason == v1alpha1.ReasonExitGateWaiting && (!step.WakeAt.Equal(at(60)) || !step.NextLook.Equal(at(60))) {
				t.Errorf("it is looked at again at %s, and says %s", step.WakeAt, step.NextLook)
			}
		})
	}
}

// testExit is the exit gate of a phase without its guardrails.
func testExit(p *plan.Phase) *gate.Gate {
	g := *p.Exit
	g.Criteria = g.Criteria[:1]
	return &g
}

func reasonOf(s advance.Step) string {
	if s.Change != nil {
		return s.Change.Reason
	}
	return s.Reason
}

func messageOf(s advance.Step) string {
	if s.Change != nil {
		return s.Change.Message
	}
	return s.Message
}

// retried lets ada decide in a minute that the site begins another attempt after the first.
func retried(in *advance.Input, minute int) {
	in.Rollout, in.Site, in.Policy = "crm", "lyon", decide.Policy{Since: at(-600)}
	in.Decisions = all(decided(retry, 1, minute))
}

// live plays steps at one moment until the site stays where it is, and tells each change.
func live(in advance.Input, status *v1alpha1.SiteRolloutStatus) (story []string, last advance.Step) {
	for range 5 {
		in.Status = *status
		last = advance.Next(in)
		*status = advance.Record(*status, last, in.Now)
		in.Holds = last.Holds
		if last.Change == nil {
			return story, last
		}
		story = append(story, fmt.Sprintf("%s %s", last.State, last.Change.Reason))
	}
	return append(story, "and so on"), last
}

func TestWhatFollowsAFailedAttempt(t *testing.T) {
	hold, back, abort := v1alpha1.FailureHold, v1alpha1.FailureRollBack, v1alpha1.FailureAbort
	const decide = "; decide about attempt %d: Retry, Waive, Skip or RollBack"
	for name, tc := range map[string]struct {
		policy  v1alpha1.FailurePolicy
		maximum int32
		attempt int32
		failure string
		usage   float64
		story   []string
		message string
	}{
		"after a guardrail another begins when it is kept": {hold, 0, 3, v1alpha1.ReasonGuardrailBroken, 90, []string{"Proving AttemptStarted"}, "phase migrate soaks until 2026-03-02T09:20:00Z"},
		"not while it is broken": {hold, 0, 3, v1alpha1.ReasonGuardrailBroken, 70, nil,
			"attempt 3 at phase migrate failed at 2026-03-02T08:20:00Z; the next one starts when its guardrails are kept: guardrail calm: complaints is 70, must be at least 80; broken since 2026-03-02T09:10:00Z"},
		"not more than maxAttempts": {hold, 3, 3, v1alpha1.ReasonGuardrailBroken, 90, nil,
			"attempt 3 at phase migrate failed at 2026-03-02T08:20:00Z; maxAttempts of the phase is 3" + fmt.Sprintf(decide, 3)},
		"one of several": {back, 2, 1, v1alpha1.ReasonGuardrailBroken, 90, []string{"Proving AttemptStarted"}, "phase migrate soaks until 2026-03-02T09:20:00Z"},
		"not after a missed deadline": {hold, 0, 1, v1alpha1.ReasonDeadlineExceeded, 90, nil,
			"attempt 1 at phase migrate failed at 2026-03-02T08:20:00Z" + fmt.Sprintf(decide, 1)},
		"nor after a rejection": {hold, 5, 1, v1alpha1.ReasonRejected, 90, nil,
			"attempt 1 at phase migrate failed at 2026-03-02T08:20:00Z" + fmt.Sprintf(decide, 1)},
		"the site is rolled back": {back, 1, 1, v1alpha1.ReasonGuardrailBroken, 90, []string{"RolledBack RolledBack"},
			"attempt 1 at phase migrate was rolled back at 2026-03-02T09:10:00Z; the next one needs a decision: Retry"},
		"after a missed deadline too": {back, 9, 2, v1alpha1.ReasonDeadlineExceeded, 70, []string{"RolledBack RolledBack"},
			"attempt 2 at phase migrate was rolled back at 2026-03-02T09:10:00Z; the next one needs a decision: Retry"},
		"the rollout is aborted": {abort, 1, 1, v1alpha1.ReasonDeadlineExceeded, 90, nil,
			"attempt 1 at phase migrate failed at 2026-03-02T08:20:00Z; onFailure of the phase is Abort, so no site of the rollout starts a phase" + fmt.Sprintf(decide, 1)},
		"after its attempts are used up": {abort, 2, 2, v1alpha1.ReasonGuardrailBroken, 90, nil,
			"attempt 2 at phase migrate failed at 2026-03-02T08:20:00Z; maxAttempts of the phase is 2; onFailure of the phase is Abort, so no site of the rollout starts a phase" + fmt.Sprintf(decide, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			status := running(stateHeld)
			status.Phases[0].Attempt, status.Phases[0].FailedAt, status.Phases[0].Failure = tc.attempt, stamp(20), tc.failure
			in := advance.Input{Plan: due(t, tc.policy, tc.maximum), Now: at(70), Evidence: measuring(values(70, tc.usage))}
			story, last := live(in, &status)
			if diff := cmp.Diff(tc.story, story); diff != "" {
				t.Errorf("story (-want +got):\n%s", diff)
			}
			if !strings.HasPrefix(last.Message, tc.message) {
				t.Errorf("message %q, want %q", last.Message, tc.message)
			}
			if tc.story == nil && (last.State != stateHeld || last.Reason != tc.failure || last.Gate == nil) {
				t.Errorf("%s %s with gate %v: it must stay held for why it failed, and show its gate", last.State, last.Reason, last.Gate)
			}
		})
	}
}

func TestASiteThatWasRolledBackBeginsAgainOnlyByADecisionAndAnAdmission(t *testing.T) {
	p := due(t, v1alpha1.FailureRollBack, 1)
	status := running(stateProving)
	status.Phases[0].Baselines = []v1alpha1.Baseline{{KPI: "sales", Value: "48"}}
	in := advance.Input{Plan: p, Admitted: true, Evidence: measuring(values(60, 70))}
	told := []string{}
	tell := func(minute int, change func(*advance.Input)) advance.Step {
		at := in
		at.Now = monday.Add(time.Duration(minute) * time.Minute)
		change(&at)
		story, last := live(at, &status)
		told = append(told, fmt.Sprintf("%d: %s: %s", minute, strings.Join(story, ", "), last.Reason))
		return last
	}
	tell(60, func(*advance.Input) {})
	if r := status.Phases[0]; r.Failure != v1alpha1.ReasonGuardrailBroken || !r.FailedAt.Equal(stamp(60)) || !r.RolledBackAt.Equal(stamp(60)) || r.Runs() {
		t.Errorf("record %+v", r)
	}
	tell(70, func(in *advance.Input) { in.Evidence = measuring(values(70, 90)) }) // good numbers are no decision, and neither is the admission that it had
	blocked := tell(80, func(in *advance.Input) {
		retried(in, 80)
		in.Admitted, in.Block = false, admit.Block{Reason: v1alpha1.ReasonWaitingForSlot, Message: "all places are taken"}
	})
	if blocked.State != stateWaiting || blocked.Message != "all places are taken" {
		t.Errorf("%s: %s", blocked.State, blocked.Message)
	}
	tell(90, func(in *advance.Input) { in.Evidence = measuring(values(90, 90)) })
	want := []string{"60: Held GuardrailBroken, RolledBack RolledBack: RolledBack", "70: : RolledBack", "80: Waiting Retried: WaitingForSlot", "90: Proving AttemptStarted: Soaking"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("story (-want +got):\n%s", diff)
	}
	want2 := v1alpha1.PhaseRecord{Name: "migrate", Attempt: 2, StartedAt: *stamp(90), FirstStartedAt: stamp(0), Baselines: status.Phases[0].Baselines}
	if diff := cmp.Diff(want2, status.Phases[0]); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func TestADecisionBeginsAnotherAttemptAtOnceWhereTheSiteIsHeld(t *testing.T) {
	status := running(stateHeld)
	status.Phases[0].FailedAt, status.Phases[0].Failure = stamp(20), v1alpha1.ReasonDeadlineExceeded
	in := advance.Input{Plan: due(t, v1alpha1.FailureHold, 1), Now: at(30), Evidence: measuring(values(30, 70))}
	retried(&in, 30)
	story, _ := live(in, &status)
	if diff := cmp.Diff([]string{"Proving AttemptStarted"}, story[:1]); diff != "" {
		t.Errorf("story (-want +got):\n%s", diff)
	}
}

func TestASiteComesBackToAPhaseThatItWasRolledBackFromAndStaysOut(t *testing.T) {
	status := running(stateWaiting)
	status.Phases[0].RolledBackAt, status.CurrentPhase = stamp(20), "optimise" // migrate was out of the plan for a while
	story, last := live(advance.Input{Plan: due(t, v1alpha1.FailureRollBack, 1), Admitted: true, Now: at(30), Evidence: measuring(values(30, 90))}, &status)
	if diff := cmp.Diff([]string{"RolledBack RolledBack"}, story); diff != "" || last.State != v1alpha1.SiteRolledBack {
		t.Errorf("%s (-want +got):\n%s", last.State, diff)
	}
}

func TestANewAttemptNeverCountsWhatWasMeasuredBefore(t *testing.T) {
	p := due(t, v1alpha1.FailureHold, 0)
	p.Phases[0].Soak = 0
	status := running(stateHeld)
	status.Phases[0].FailedAt, status.Phases[0].Failure = stamp(20), v1alpha1.ReasonDeadlineExceeded
	in := advance.Input{Plan: p, Now: at(30), Evidence: measuring(values(30, 90, 90, 90, 90, 90))}
	retried(&in, 30)
	if story, last := live(in, &status); len(story) != 1 || last.Reason != v1alpha1.ReasonExitGateWaiting {
		t.Errorf("an hour of good values before the attempt: %q, then %s: %s", story, last.Reason, last.Message)
	}
	in.Now, in.Evidence = at(40), measuring(values(40, 90, 90, 90, 90, 90))
	if story, last := live(in, &status); len(story) != 0 || last.Reason != v1alpha1.ReasonExitGateWaiting {
		t.Errorf("a hold of ten minutes needs values from 35 on, and five minutes were enough: %q, then %s: %s", story, last.Reason, last.Message)
	}
	in.Now, in.Evidence = at(45), measuring(values(45, 90, 90, 90, 90, 90))
	if story, _ := live(in, &status); len(story) != 1 || status.Phases[0].PassedAt == nil {
		t.Errorf("ten minutes of good values: %q, record %+v", story, status.Phases[0])
	}
}

// A failed attempt whose phase was taken out of the plan is told of again when the phase is back: no site changes its state without a step in its record.
func TestAPhaseWithAFailedAttemptComesBack(t *testing.T) {
	p, status := due(t, v1alpha1.FailureHold, 0), running(stateWaiting)
	failedAt := metav1.NewTime(at(20))
	status.Phases[0].FailedAt, status.Phases[0].Failure = &failedAt, v1alpha1.ReasonGuardrailBroken
	story, last := live(advance.Input{Plan: p, Now: at(30), Evidence: measuring(values(30, 70))}, &status)
	if diff := cmp.Diff([]string{"Held PhaseResumed"}, story); diff != "" {
		t.Errorf("story (-want +got):\n%s", diff)
	}
	if last.State != v1alpha1.SiteHeld || last.Reason != v1alpha1.ReasonGuardrailBroken {
		t.Errorf("it is %s (%s)", last.State, last.Reason)
	}
}
