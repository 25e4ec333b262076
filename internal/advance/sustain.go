package advance

import (
	"fmt"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

const completedMessage = "the site has passed every phase"

// complete keeps a site completed, also one whose last open phase was taken out of the plan, for as long as it keeps up what the rollout asks for behind the last phase.
func (in Input) complete() Step {
	step := Step{State: v1alpha1.SiteCompleted, Reason: v1alpha1.ReasonAllPhasesPassed, Message: completedMessage}
	behind := in.Status.State == v1alpha1.SiteCompleted || in.Status.State == v1alpha1.SiteRegressed
	if sustain, last := in.Plan.Sustain, in.Plan.LastPassed(in.Status.Phases); behind && sustain != nil && last != nil {
		return in.sustain(step, *sustain, *last)
	}
	if in.Status.State != v1alpha1.SiteCompleted {
		step.Change = &Change{Reason: step.Reason, Message: step.Message}
	}
	return step
}

// sustain judges a site that has passed every phase, by values from after the last of them. It regresses when the gate fails, and recovers when the gate passes: a gate that
// is only about to pass, or a source that fell silent, is no recovery.
func (in Input) sustain(step Step, sustain plan.Sustain, last v1alpha1.PhaseRecord) Step {
	if len(sustain.Mistakes) > 0 {
		step.State, step.Reason, step.Mistakes, step.Holds = in.Status.State, v1alpha1.ReasonPlanInvalid, sustain.Mistakes, in.Holds
		step.Message = "what the rollout sustains cannot be judged: " + plan.Sentences(sustain.Mistakes)
		return step
	}
	judged := in.judge(&step, sustain.Gate, sustaining(last), last.PassedAt.Time)
	step.NextLook = nextSample(judged)
	regressed := in.Status.State == v1alpha1.SiteRegressed
	switch fails := judged.Verdict == v1alpha1.VerdictFail; {
	case fails && regressed && plan.RecordOf(in.Status.Phases, sustain.Reopens) != nil:
		return in.reopen(sustain, judged)
	case fails, regressed && judged.Verdict != v1alpha1.VerdictPass:
		step.State, step.Reason = v1alpha1.SiteRegressed, v1alpha1.ReasonRegressed
		step.Message = fmt.Sprintf("gate %s, which is to be sustained: %s", sustain.Gate.Name, describe(judged))
	}
	switch {
	case step.State == in.Status.State:
	case regressed:
		step.Change = &Change{Reason: v1alpha1.ReasonRecovered, Message: fmt.Sprintf("the site meets gate %s again", sustain.Gate.Name)}
	default:
		step.Change = &Change{Reason: v1alpha1.ReasonRegressed, Message: step.Message}
	}
	return step
}

// sustaining is where a site stands behind its last phase.
func sustaining(last v1alpha1.PhaseRecord) Stand {
	return Stand{Phase: last.Name, Role: v1alpha1.GateRoleSustain, Attempt: last.Attempt}
}

// reopen lets a regressed site begin a phase anew. It needs an admission for that.
func (in Input) reopen(sustain plan.Sustain, judged opinion) Step {
	message := fmt.Sprintf("phase %s is to be passed again, because the site regressed: gate %s: %s", sustain.Reopens, sustain.Gate.Name, describe(judged))
	return Step{State: v1alpha1.SiteWaiting, Phase: sustain.Reopens, Reason: v1alpha1.ReasonPhaseReopened, Message: message,
		Change: &Change{Reason: v1alpha1.ReasonPhaseReopened, Message: message, Phase: sustain.Reopens, Reopens: true}}
}
