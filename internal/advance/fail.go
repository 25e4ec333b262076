package advance

import (
	"fmt"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// fail ends an attempt. What follows is the business of the next step.
func (s Step) fail(record v1alpha1.PhaseRecord, reason, because string) Step {
	s.State, s.Reason = v1alpha1.SiteHeld, reason
	s.Message = fmt.Sprintf("attempt %d at phase %s failed: %s", record.Attempt, record.Name, because)
	s.Change = &Change{Reason: s.Reason, Message: s.Message, Phase: record.Name, Fails: reason}
	return s
}

// overdue returns when an attempt fails if it has not passed by then; zero for never. A phase without an exit gate is passed when its soak is over, and misses nothing.
func overdue(phase plan.Phase, record v1alpha1.PhaseRecord) time.Time {
	if phase.Deadline == 0 || phase.Exit == nil {
		return time.Time{}
	}
	return record.StartedAt.Add(phase.Deadline)
}

// missed reports whether the deadline of an attempt is past. What would pass at the very moment is in time; what would pass later is not, also when nobody looked in between.
func (in Input) missed(due time.Time, judged opinion) bool {
	return !due.IsZero() && (in.Now.After(due) || (in.Now.Equal(due) && judged.Verdict != v1alpha1.VerdictPass))
}

// lacked says what an attempt lacked at its deadline.
func lacked(phase plan.Phase, due time.Time, judged opinion) string {
	message := fmt.Sprintf("it had not passed by its deadline, %s", clock(due))
	if judged.Verdict == v1alpha1.VerdictPass {
		return message
	}
	return message + fmt.Sprintf("; exit gate %s: %s", phase.Exit.Name, describe(judged))
}

// failed decides what follows a failed attempt: another one as soon as the guardrails are kept, or what the phase says.
func (in Input) failed(phase plan.Phase, record v1alpha1.PhaseRecord) Step {
	reason := record.Failure
	if reason == "" {
		reason = v1alpha1.ReasonGuardrailBroken
	}
	if phase.Final(record) && phase.OnFailure == v1alpha1.FailureRollBack {
		return rollBack(record, fmt.Sprintf("the site was rolled back out of phase %s: its attempt %d failed at %s (%s)", phase.Name, record.Attempt, clock(record.FailedAt.Time), reason))
	}
	step := Step{State: v1alpha1.SiteHeld, Phase: phase.Name, Reason: reason}
	var judged opinion
	if phase.Exit != nil {
		at := Stand{Phase: phase.Name, Role: v1alpha1.GateRoleExit, Attempt: record.Attempt, Failed: true}
		judged = in.judge(&step, *phase.Exit, at, time.Time{})
	}
	soaked := record.StartedAt.Add(phase.Soak)
	if d := in.people(phase.Name, step.Gate).First(in.Decisions, answers(in.Now.Before(soaked))...); d != nil {
		return in.answer(step, phase, record, judged, d)
	}
	if judged.waiver != nil {
		step.WakeAt = soaked
	}
	step.NextLook = nextSample(judged)
	step.Message = fmt.Sprintf("attempt %d at phase %s failed at %s", record.Attempt, phase.Name, clock(record.FailedAt.Time))
	unkept := judged.Unkept()
	switch {
	case phase.Final(record):
		step.NextLook = time.Time{} // numbers are shown, and change nothing
		step.Message += finally(phase, record)
	case len(unkept) == 0:
		return in.begin(step, phase, record, fmt.Sprintf("attempt %d at phase %s started: its guardrails are kept again", record.Attempt+1, phase.Name))
	default:
		step.Message += "; the next one starts when its guardrails are kept: " + joined(unkept)
	}
	if in.Status.State != v1alpha1.SiteHeld { // the plan brings the site back here from elsewhere
		step.Change = &Change{Reason: v1alpha1.ReasonPhaseResumed, Message: step.Message, Phase: phase.Name}
	}
	return step
}

// finally says why no other attempt begins by itself, and what does.
func finally(phase plan.Phase, record v1alpha1.PhaseRecord) string {
	because := ""
	if record.Failure == v1alpha1.ReasonGuardrailBroken || record.Failure == "" {
		because = fmt.Sprintf("; maxAttempts of the phase is %d", phase.MaxAttempts)
	}
	if phase.OnFailure == v1alpha1.FailureAbort {
		because += "; onFailure of the phase is Abort, so no site of the rollout starts a phase"
	}
	return because + fmt.Sprintf("; decide about attempt %d: Retry, Waive, Skip or RollBack", record.Attempt)
}

// another begins the next attempt at a phase that the site is in: with a soak of its own, and without the evidence of the one before.
func another(record v1alpha1.PhaseRecord, revision, message string) Step {
	return Step{State: v1alpha1.SiteProving, Phase: record.Name, Reason: v1alpha1.ReasonAttemptStarted, Message: message,
		Change: &Change{Reason: v1alpha1.ReasonAttemptStarted, Message: message, Phase: record.Name, Starts: true, Revision: revision}}
}

// rollBack takes a site out of a phase.
func rollBack(record v1alpha1.PhaseRecord, message string) Step {
	return Step{State: v1alpha1.SiteRolledBack, Phase: record.Name, Reason: v1alpha1.ReasonRolledBack, Message: message,
		Change: &Change{Reason: v1alpha1.ReasonRolledBack, Message: message, Phase: record.Name, RollsBack: true}}
}

// stayOut keeps a site out of a phase that it was rolled back from, also when the plan brings it back there from elsewhere. When somebody decides that it may begin the
// phase again, it waits for an admission.
func (in Input) stayOut(phase plan.Phase, record v1alpha1.PhaseRecord) Step {
	if d := in.people(phase.Name, nil).First(in.Decisions, v1alpha1.DecisionRetry, v1alpha1.DecisionSkip); d != nil {
		return in.follow(phase, &record, d)
	}
	message := fmt.Sprintf("attempt %d at phase %s was rolled back at %s; the next one needs a decision: Retry", record.Attempt, phase.Name, clock(record.RolledBackAt.Time))
	step := Step{State: v1alpha1.SiteRolledBack, Phase: phase.Name, Reason: v1alpha1.ReasonRolledBack, Message: message}
	if in.Status.State != v1alpha1.SiteRolledBack {
		step.Change = &Change{Reason: step.Reason, Message: message, Phase: phase.Name}
	}
	return step
}

// begins reports whether the site waits to begin a phase: after it was rolled back, a decision lets it do so.
func (in Input) begins(phase string) bool {
	return in.Status.State == v1alpha1.SiteWaiting && in.Status.CurrentPhase == phase
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
