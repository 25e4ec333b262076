package advance

import (
	"fmt"
	"strings"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/decide"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// follow lets a decision have its effect on a site that is in a phase, or in front of it. The record is nil in front of the first attempt.
func (in Input) follow(phase plan.Phase, record *v1alpha1.PhaseRecord, d *v1alpha1.RolloutDecision) Step {
	step := Step{}
	switch d.Spec.Action {
	case v1alpha1.DecisionReject:
		step = Step{Phase: phase.Name}.fail(*record, v1alpha1.ReasonRejected, "it was rejected: "+because(d))
	case v1alpha1.DecisionRollBack:
		step = rollBack(*record, fmt.Sprintf("the site was rolled back out of phase %s: %s", phase.Name, because(d)))
	case v1alpha1.DecisionRetry:
		step = retry(*record, fmt.Sprintf("the site may begin phase %s again: %s", phase.Name, because(d)))
	default:
		step = in.leave(phase, Change{Reason: v1alpha1.ReasonPhaseSkipped, Outcome: v1alpha1.PhaseSkipped, Message: fmt.Sprintf("phase %s was skipped: %s", phase.Name, because(d))})
	}
	step.Change.Deciders = []v1alpha1.Decider{decide.Decider(d)}
	return step
}

// answers are the actions that can answer a failed attempt. Its gate can be waived when it has soaked for as long as it must.
func answers(soaks bool) []v1alpha1.DecisionAction {
	actions := []v1alpha1.DecisionAction{v1alpha1.DecisionRetry, v1alpha1.DecisionRollBack, v1alpha1.DecisionSkip}
	if !soaks {
		actions = append(actions, v1alpha1.DecisionWaive)
	}
	return actions
}

// answer lets a decision about a failed attempt have its effect.
func (in Input) answer(step Step, phase plan.Phase, record v1alpha1.PhaseRecord, judged opinion, d *v1alpha1.RolloutDecision) Step {
	switch d.Spec.Action {
	case v1alpha1.DecisionWaive:
		if phase.Exit != nil { // a failed attempt is watched by values of any time; evidence of its own are only those from within it
			judged.Judgement = gate.Judge(gate.Question{Gate: *phase.Exit, Facts: in.facts(record.StartedAt.Time)})
		}
		judged.waiver = d
		return in.pass(phase, judged)
	case v1alpha1.DecisionRetry:
		return in.begin(step, phase, record, fmt.Sprintf("attempt %d at phase %s started: %s", record.Attempt+1, phase.Name, because(d)), decide.Decider(d))
	}
	return in.follow(phase, &record, d)
}

// begin begins another attempt at a phase, by the plan by which the site goes on, once the baselines are there that decisions have recaptured. Until then the site stays where it is.
func (in Input) begin(step Step, phase plan.Phase, record v1alpha1.PhaseRecord, message string, deciders ...v1alpha1.Decider) Step {
	revision := record.Revision
	if in.Plan.Has(phase.Name) { // else the plan has lost the phase, which is ended by the plan that it began with
		phase, revision = in.Plan.Phases[in.Plan.IndexOf(phase.Name)], in.Revision
	}
	if len(phase.Mistakes) > 0 {
		return in.stalled(step, phase)
	}
	recaptured := in.people(phase.Name, nil).Recaptured(in.Decisions)
	var wanted []plan.Baseline
	for _, b := range phase.Baselines {
		if d := recaptured[b.KPI.Name]; d != nil {
			wanted, deciders = append(wanted, b), append(deciders, decide.Decider(d))
		}
	}
	taken, missing := in.baselines(&step, phase.Name, wanted)
	if missing {
		return step
	}
	begun := another(record, revision, message)
	begun.Change.Message += told(taken)
	begun.Change.Baselines, begun.Change.Deciders = taken, deciders
	return begun
}

// retry lets a site that was rolled back wait to begin the phase again. It needs an admission for that.
func retry(record v1alpha1.PhaseRecord, message string) Step {
	return Step{State: v1alpha1.SiteWaiting, Phase: record.Name, Reason: v1alpha1.ReasonRetried, Message: message,
		Change: &Change{Reason: v1alpha1.ReasonRetried, Message: message, Phase: record.Name}}
}

// because says who has decided, and why.
func because(d *v1alpha1.RolloutDecision) string {
	role := ""
	if d.Spec.Role != "" {
		role = " in role " + d.Spec.Role
	}
	return fmt.Sprintf("decided by %s%s: %s", d.Spec.DecidedBy, role, d.Spec.Reason)
}

// approvedBy names the people who have approved, for the record; empty when nobody had to.
func approvedBy(deciders []v1alpha1.Decider) string {
	var people []string
	for _, d := range deciders {
		people = append(people, fmt.Sprintf("%s (%s)", d.By, d.Role))
	}
	if len(people) == 0 {
		return ""
	}
	return ", approved by " + strings.Join(people, ", ")
}
