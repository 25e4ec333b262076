package advance

import (
	"fmt"
	"slices"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// enter brings a site into its next phase, or says why it has to wait in front of it.
func (in Input) enter(next int) Step {
	phase := in.Plan.Phases[next]
	step := Step{State: v1alpha1.SiteWaiting, Phase: phase.Name}
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
		if block.Reason == v1alpha1.ReasonPlanInvalid {
			step.Mistakes = append(slices.Clone(in.Plan.Mistakes), in.Plan.StartMistakes(next)...)
		}
		return step
	}
	// The gate is judged also while a calendar is closed: otherwise no hold would last longer than the calendar is open.
	if phase.Entry != nil && !in.mayEnter(&step, phase) {
		return step
	}
	if closed {
		step.Reason, step.Message, step.NextLook, step.WakeAt = block.Reason, block.Message, block.Until, block.Until
		return step
	}
	return in.begin(step, phase)
}

// begin starts an attempt: the first one with the baselines of the phase. A site that was rolled back, or whose phase a regression reopened, has them from before its first attempt.
func (in Input) begin(step Step, phase plan.Phase) Step {
	if known := unpassed(in.Status.Phases, phase.Name); known != nil {
		return another(*known, fmt.Sprintf("attempt %d at phase %s started", known.Attempt+1, known.Name))
	}
	taken := in.baselines(&step, phase)
	if step.Reason != "" {
		return step
	}
	return in.start(step, phase, taken)
}

// mayEnter judges the entry gate. When it has not passed, the step says so.
func (in Input) mayEnter(step *Step, phase plan.Phase) bool {
	judged := in.judge(step, *phase.Entry, Stand{Phase: phase.Name, Role: v1alpha1.GateRoleEntry}, time.Time{})
	switch judged.Verdict {
	case v1alpha1.VerdictPass:
		return true
	case v1alpha1.VerdictFail:
		step.Reason = v1alpha1.ReasonEntryGateFailed
	default:
		step.Reason = v1alpha1.ReasonEntryGateWaiting
	}
	step.Message = fmt.Sprintf("entry gate %s: %s", phase.Entry.Name, describe(judged))
	step.NextLook = nextSample(judged)
	return false
}

func (in Input) start(step Step, phase plan.Phase, taken []v1alpha1.Baseline) Step {
	step.State, step.Reason = v1alpha1.SiteProving, v1alpha1.ReasonPhaseStarted
	step.Message = fmt.Sprintf("phase %s started", phase.Name)
	step.Gate, step.Holds = nil, Holds{}
	step.Change = &Change{Reason: step.Reason, Message: step.Message + told(taken), Phase: phase.Name, Starts: true, Baselines: taken}
	return step
}

// stalled keeps a site where it is, because its phase cannot be judged before a person mends an object. Its holds are kept: if that is soon enough, they go on.
func (in Input) stalled(s Step, phase plan.Phase) Step {
	s.Reason, s.Mistakes, s.Holds = v1alpha1.ReasonPlanInvalid, phase.Mistakes, in.Holds
	s.Message = fmt.Sprintf("phase %s cannot be judged: %s", phase.Name, plan.Sentences(phase.Mistakes))
	return s
}

// judge asks the gate package and notes the answer in the step.
func (in Input) judge(step *Step, g gate.Gate, at Stand, notBefore time.Time) gate.Judgement {
	at.Gate, at.SiteID = g.Name, in.SiteID
	facts := gate.Facts{Evidence: in.Evidence, Baseline: in.baseline, Peer: in.Peer, SiteID: in.SiteID, NotBefore: notBefore, Now: in.Now}
	question := gate.Question{Gate: g, Facts: facts}
	if in.Holds.At == at {
		question.Holds = in.Holds.Criteria
	}
	judged := gate.Judge(question)
	step.Gate = judged.Report(g, at.Role)
	step.Gate.SiteID = in.SiteID
	step.Holds = Holds{At: at, Criteria: judged.Holds()}
	step.Awaits = g.KPIs()
	return judged
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
