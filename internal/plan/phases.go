package plan

import (
	"fmt"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

func (p *Plan) resolvePhases(object string, refs []v1alpha1.LocalReference, objects Objects) {
	for i, ref := range refs {
		source, ok := objects.Phases[ref.Name]
		if !ok {
			mistake := notFound(object, fmt.Sprintf("spec.phases[%d].name", i), "RolloutPhase", ref.Name)
			p.Mistakes = append(p.Mistakes, mistake)
			p.Phases = append(p.Phases, Phase{Name: ref.Name, Mistakes: []Mistake{mistake}})
			continue
		}
		p.Phases = append(p.Phases, ResolvePhase(source, objects))
	}
	p.bindBaselines()
	p.checkControls(object)
}

// ResolvePhase resolves a phase with its gates, their KPIs and every mistake in them.
func ResolvePhase(source *v1alpha1.RolloutPhase, objects Objects) Phase {
	phase := Phase{Name: source.Name}
	object := "RolloutPhase/" + source.Name
	soak, err := source.Spec.Soak.Parse()
	if err != nil {
		phase.Mistakes = append(phase.Mistakes, invalid(object, "spec.soak", err.Error(), remedyDuration))
	}
	phase.Soak = soak
	if phase.Expected, err = source.Spec.Expected.Parse(); err != nil {
		phase.Mistakes = append(phase.Mistakes, invalid(object, "spec.expected", err.Error(), remedyDuration))
	}
	phase.resolveFailure(object, source.Spec)
	phase.Entry, phase.EntryMistakes = resolveReference(object, "spec.entryGate.name", source.Spec.EntryGate, objects)
	if phase.Entry != nil && phase.Entry.Guarded() {
		phase.EntryMistakes = append(phase.EntryMistakes, invalid(object, "spec.entryGate.name",
			fmt.Sprintf("AcceptanceGate %q has guardrails, which are watched while a phase runs", phase.Entry.Name), "name a gate without guardrails, or make them criteria"))
	}
	exit, mistakes := resolveReference(object, "spec.exitGate.name", source.Spec.ExitGate, objects)
	phase.Exit, phase.Mistakes = exit, append(phase.Mistakes, mistakes...)
	phase.resolveBaselines(object, source, objects)
	return phase
}

func resolveReference(object, field string, ref *v1alpha1.LocalReference, objects Objects) (*gate.Gate, []Mistake) {
	if ref == nil {
		return nil, nil
	}
	source, ok := objects.Gates[ref.Name]
	if !ok {
		return nil, []Mistake{notFound(object, field, "AcceptanceGate", ref.Name)}
	}
	g, mistakes := ResolveGate(source, objects.KPIs)
	return &g, mistakes
}

// remedyDuration tells how a length of time is written.
const remedyDuration = "write it like 4w, 30d, 12h or 1h30m"

func (p *Plan) checkGoals(object string, rollout *v1alpha1.CRMRollout, objects Objects) {
	for _, goal := range rollout.Spec.Goals {
		for _, factor := range goal.SuccessFactors {
			for _, kpi := range factor.KPIs {
				if _, ok := objects.KPIs[kpi]; !ok {
					field := fmt.Sprintf("spec.goals[name=%s].successFactors[name=%s].kpis", goal.Name, factor.Name)
					p.Mistakes = append(p.Mistakes, notFound(object, field, "KPI", kpi))
				}
			}
		}
	}
}
