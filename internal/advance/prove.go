package advance

import (
	"fmt"
	"slices"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// prove lets a phase run: soak, then pass, hold or wait as the exit gate says. A guardrail that is broken fails the attempt at once.
func (in Input) prove(phase plan.Phase, record v1alpha1.PhaseRecord) Step {
	step := Step{State: in.Status.State, Phase: phase.Name}
	switch {
	case len(phase.Mistakes) > 0:
		return in.stalled(step, phase)
	case record.FailedAt != nil:
		return in.failed(phase, record)
	}
	judged := gate.Judgement{Verdict: v1alpha1.VerdictPass}
	if phase.Exit != nil {
		at := Stand{Phase: phase.Name, Role: v1alpha1.GateRoleExit, Attempt: record.Attempt}
		judged = in.judge(&step, *phase.Exit, at, record.StartedAt.Time)
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
	step.NextLook, step.WakeAt = earlier(nextSample(judged), due), due
	switch {
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

func (s Step) soak(phase plan.Phase, judged gate.Judgement, end time.Time) Step {
	s.State, s.Reason, s.NextLook, s.WakeAt = v1alpha1.SiteProving, v1alpha1.ReasonSoaking, end, end
	s.Message = fmt.Sprintf("phase %s soaks until %s", phase.Name, end.UTC().Format(time.RFC3339))
	if phase.Exit != nil && judged.Verdict != v1alpha1.VerdictPass {
		s.Message += fmt.Sprintf("; exit gate %s so far: %s", phase.Exit.Name, describe(judged))
	}
	return s
}

func (in Input) pass(phase plan.Phase, judged gate.Judgement) Step {
	message := fmt.Sprintf("phase %s passed", phase.Name)
	if phase.Exit != nil {
		message = fmt.Sprintf("phase %s passed exit gate %s", phase.Name, phase.Exit.Name)
	}
	records := slices.Clone(in.Status.Phases)
	unpassed(records, phase.Name).PassedAt = stamp(in.Now)
	next := in.Plan.Next(records)
	step := in.wait(next, v1alpha1.ReasonPhasePassed, message)
	if next == len(in.Plan.Phases) {
		step.State, step.Reason, step.Message = v1alpha1.SiteCompleted, v1alpha1.ReasonAllPhasesPassed, completedMessage
	}
	step.Change.Phase, step.Change.Passes, step.Change.Evidence = phase.Name, true, judged.Evidence()
	return step
}
