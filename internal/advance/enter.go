package advance

import (
	"fmt"
	"slices"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/plan"
)

// enter brings a site into its next phase, or says why it has to wait in front of it.
func (in Input) enter(next int) Step {
	phase := in.Plan.Phases[next]
	known := unpassed(in.Status.Phases, phase.Name)
	step := Step{State: v1alpha1.SiteWaiting, Phase: phase.Name}
	if d := in.people(phase.Name, nil).First(in.Decisions, v1alpha1.DecisionSkip); d != nil {
		return in.follow(phase, known, d)
	}
	block := in.Block
	if block.Reason == "" {
		block = admit.MayStart(in.Plan, next)
	}
	if block.Reason == "" && !in.Admitted {
		block = admit.Block{Reason: v1alpha1.ReasonWaitingForSlot, Message: "the site has not been admitted yet"}
	}
	closed := in.Admitted && block.Reason == v1alpha1.ReasonWaitingForCalendar
	if block.Reason != "" && !closed {
		step.Reason, step.Message = block.Reason, block.Message
		step.NextLook, step.WakeAt = block.Until, block.Until
		step.Gate = in.unjudged(phase.Entry, phase.Name, v1alpha1.GateRoleEntry)
		if block.Reason == v1alpha1.ReasonPlanInvalid {
			step.Mistakes = append(slices.Clone(in.Plan.Mistakes), in.Plan.StartMistakes(next)...)
		}
		return step
	}
	judged := opinion{}
	if phase.Entry != nil { // also while a calendar is closed: otherwise no hold would last longer than the calendar is open
		if judged = in.mayEnter(&step, phase); judged.Verdict != v1alpha1.VerdictPass {
			return step
		}
	}
	if closed {
		step.Reason, step.Message, step.NextLook, step.WakeAt = block.Reason, block.Message, block.Until, earlier(step.WakeAt, block.Until)
		return step
	}
	return in.start(step, phase, judged)
}

// start begins an attempt: the first one with the baselines of the phase. A site that was rolled back, or whose phase a regression reopened, has them from before its first attempt.
func (in Input) start(step Step, phase plan.Phase, judged opinion) Step {
	known := unpassed(in.Status.Phases, phase.Name)
	message := fmt.Sprintf("phase %s started", phase.Name)
	if known != nil {
		message = fmt.Sprintf("attempt %d at phase %s started", known.Attempt+1, phase.Name)
	}
	switch {
	case judged.waiver != nil:
		message += fmt.Sprintf(": entry gate %s was waived: %s", phase.Entry.Name, because(judged.waiver))
	case len(judged.approvals.Deciders) > 0:
		message += fmt.Sprintf(", entry gate %s%s", phase.Entry.Name, approvedBy(judged.approvals.Deciders))
	}
	if known != nil {
		return in.begin(step, phase, *known, message, judged.deciders()...)
	}
	taken, missing := in.baselines(&step, phase.Name, phase.Baselines)
	if missing {
		return step
	}
	return Step{State: v1alpha1.SiteProving, Phase: phase.Name, Reason: v1alpha1.ReasonPhaseStarted, Message: message, Awaits: step.Awaits,
		Change: &Change{Reason: v1alpha1.ReasonPhaseStarted, Message: message + told(taken), Phase: phase.Name, Starts: true, Revision: in.Revision, Baselines: taken, Deciders: judged.deciders()}}
}

// mayEnter judges the entry gate. When it has not passed, the step says so.
func (in Input) mayEnter(step *Step, phase plan.Phase) opinion {
	judged := in.judge(step, *phase.Entry, Stand{Phase: phase.Name, Role: v1alpha1.GateRoleEntry}, time.Time{})
	switch {
	case judged.Verdict == v1alpha1.VerdictPass:
		return judged
	case judged.Verdict == v1alpha1.VerdictFail:
		step.Reason = v1alpha1.ReasonEntryGateFailed
	case judged.unsigned:
		step.Reason = v1alpha1.ReasonWaitingForApproval
	default:
		step.Reason = v1alpha1.ReasonEntryGateWaiting
	}
	step.Message = fmt.Sprintf("entry gate %s: %s", phase.Entry.Name, describe(judged))
	step.NextLook = nextSample(judged)
	return judged
}

// stalled keeps a site where it is, because its phase cannot be judged before a person mends an object. Its holds are kept: if that is soon enough, they go on.
func (in Input) stalled(s Step, phase plan.Phase) Step {
	s.Reason, s.Mistakes, s.Holds = v1alpha1.ReasonPlanInvalid, phase.Mistakes, in.Holds
	s.Message = fmt.Sprintf("phase %s cannot be judged: %s", phase.Name, plan.Sentences(phase.Mistakes))
	return s
}

// baseline returns what was frozen when the site first began a phase.
func (in Input) baseline(phase, kpi string) *v1alpha1.Baseline {
	for i := range in.Status.Phases {
		record := &in.Status.Phases[i]
		for j := range record.Baselines {
			if record.Name == phase && record.Baselines[j].KPI == kpi {
				return &record.Baselines[j]
			}
		}
	}
	return nil
}
