package advance

import (
	"fmt"
	"slices"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// judgedBy returns the phase of an attempt as it was frozen when the attempt began. When nobody has that plan any more, the phase cannot be judged.
func (in Input) judgedBy(record v1alpha1.PhaseRecord) plan.Phase {
	by := in.Plan
	if in.Attempt != nil {
		by = *in.Attempt
	}
	if by.Has(record.Name) {
		return by.Phases[by.IndexOf(record.Name)]
	}
	return plan.Phase{Name: record.Name, OnFailure: v1alpha1.FailureHold, Mistakes: []plan.Mistake{plan.Lost(record)}}
}

// prove lets a phase run: soak, then pass, hold or wait as the exit gate says. A guardrail that is broken fails the attempt at once.
func (in Input) prove(phase plan.Phase, record v1alpha1.PhaseRecord) Step {
	step := Step{State: in.Status.State, Phase: phase.Name}
	switch {
	case len(phase.Mistakes) > 0:
		return in.mistaken(step, phase, record)
	case record.FailedAt != nil:
		return in.failed(phase, record)
	}
	judged := opinion{Judgement: gate.Judgement{Verdict: v1alpha1.VerdictPass}}
	if phase.Exit != nil {
		at := Stand{Phase: phase.Name, Role: v1alpha1.GateRoleExit, Attempt: record.Attempt}
		judged = in.judge(&step, *phase.Exit, at, record.StartedAt.Time)
	}
	if d := in.people(phase.Name, step.Gate).First(in.Decisions, v1alpha1.DecisionReject, v1alpha1.DecisionRollBack, v1alpha1.DecisionSkip); d != nil {
		return in.follow(phase, &record, d)
	}
	due := overdue(phase, record)
	switch broken := judged.Broken(); {
	case len(broken) > 0:
		step.NextLook = nextSample(judged)
		return step.fail(record, v1alpha1.ReasonGuardrailBroken, joined(broken))
	case in.missed(due, judged):
		return step.fail(record, v1alpha1.ReasonDeadlineExceeded, lacked(phase, due, judged))
	}
	if soakEnd := record.StartedAt.Add(phase.Soak); in.Now.Before(soakEnd) {
		step = step.soak(phase, judged, soakEnd)
		step.Change = in.turn(step)
		return step
	}
	if judged.Verdict == v1alpha1.VerdictPass {
		return in.pass(phase, judged)
	}
	return in.undecided(step, phase, judged, due)
}

// undecided keeps a site whose soak is over in its phase, because the exit gate has not passed.
func (in Input) undecided(step Step, phase plan.Phase, judged opinion, due time.Time) Step {
	step.NextLook, step.WakeAt = earlier(nextSample(judged), due), earlier(step.WakeAt, due)
	switch {
	case judged.unsigned:
		step.State, step.Reason = v1alpha1.SiteProving, v1alpha1.ReasonWaitingForApproval
	case judged.Verdict == v1alpha1.VerdictFail:
		step.State, step.Reason = v1alpha1.SiteHeld, v1alpha1.ReasonExitGateFailed
	case in.Status.State == v1alpha1.SiteHeld && !judged.Recovering():
		// A source that falls silent is no recovery: the last thing that was known is that the gate failed.
		step.Reason = v1alpha1.ReasonExitGateFailed
	default:
		step.State, step.Reason = v1alpha1.SiteProving, v1alpha1.ReasonExitGateWaiting
	}
	step.Message = fmt.Sprintf("exit gate %s: %s", phase.Exit.Name, describe(judged))
	if !due.IsZero() {
		step.Message += "; the attempt fails if it has not passed by " + clock(due)
	}
	step.Change = in.turn(step)
	return step
}

// mistaken keeps a site in a phase that cannot be judged, unless a person decides that it leaves.
func (in Input) mistaken(step Step, phase plan.Phase, record v1alpha1.PhaseRecord) Step {
	if d := in.people(phase.Name, nil).First(in.Decisions, v1alpha1.DecisionRollBack, v1alpha1.DecisionSkip); d != nil {
		return in.follow(phase, &record, d)
	}
	step.Gate = in.unjudged(phase.Exit, phase.Name, v1alpha1.GateRoleExit)
	return in.stalled(step, phase)
}

// turn records that a running phase became held or recovered.
func (in Input) turn(step Step) *Change {
	switch step.State {
	case in.Status.State:
		return nil
	case v1alpha1.SiteHeld:
		return &Change{Reason: v1alpha1.ReasonExitGateFailed, Message: step.Message, Phase: step.Phase}
	}
	if in.Status.State != v1alpha1.SiteHeld {
		return &Change{Reason: v1alpha1.ReasonPhaseResumed, Message: fmt.Sprintf("phase %s goes on", step.Phase), Phase: step.Phase}
	}
	return &Change{Reason: v1alpha1.ReasonRecovered, Message: step.Message, Phase: step.Phase}
}

func (s Step) soak(phase plan.Phase, judged opinion, end time.Time) Step {
	s.State, s.Reason, s.NextLook, s.WakeAt = v1alpha1.SiteProving, v1alpha1.ReasonSoaking, end, earlier(s.WakeAt, end)
	s.Message = fmt.Sprintf("phase %s soaks until %s", phase.Name, end.UTC().Format(time.RFC3339))
	if phase.Exit != nil && judged.Verdict != v1alpha1.VerdictPass {
		s.Message += fmt.Sprintf("; exit gate %s so far: %s", phase.Exit.Name, describe(judged))
	}
	return s
}

// pass lets a site leave a phase whose exit gate has passed, or was waived.
func (in Input) pass(phase plan.Phase, judged opinion) Step {
	change := Change{Reason: v1alpha1.ReasonPhasePassed, Message: fmt.Sprintf("phase %s passed", phase.Name), Evidence: judged.Evidence(), Deciders: judged.deciders()}
	switch {
	case judged.waiver != nil:
		change.Reason, change.Outcome = v1alpha1.ReasonPhaseWaived, v1alpha1.PhaseWaived
		change.Message += fmt.Sprintf(": exit gate %s was waived: %s", phase.Exit.Name, because(judged.waiver))
	case phase.Exit != nil:
		change.Message += " exit gate " + phase.Exit.Name + approvedBy(judged.approvals.Deciders)
	}
	return in.leave(phase, change)
}

// leave takes a site out of a phase, and in front of the next one or behind the last.
func (in Input) leave(phase plan.Phase, change Change) Step {
	records := slices.Clone(in.Status.Phases)
	if known := unpassed(records, phase.Name); known != nil {
		known.PassedAt = stamp(in.Now)
	} else {
		records = append(records, v1alpha1.PhaseRecord{Name: phase.Name, PassedAt: stamp(in.Now)})
	}
	next := in.Plan.Next(records)
	step := in.wait(next, change.Reason, change.Message)
	if next == len(in.Plan.Phases) {
		step.State, step.Reason, step.Message = v1alpha1.SiteCompleted, v1alpha1.ReasonAllPhasesPassed, completedMessage
	}
	change.Phase, change.Passes = phase.Name, true
	step.Change = &change
	return step
}
