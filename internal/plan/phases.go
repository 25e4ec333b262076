package plan

import (
	"fmt"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

func (p *Plan) resolvePhases(object string, rollout *v1alpha1.CRMRollout, objects Objects) {
	for i, ref := range rollout.Spec.Phases {
		source, ok := objects.Phases[ref.Name]
		if !ok {
			mistake := notFound(object, fmt.Sprintf("spec.phases[%d].name", i), "RolloutPhase", ref.Name)
			p.Mistakes = append(p.Mistakes, mistake)
			p.Phases = append(p.Phases, Phase{Name: ref.Name, Mistakes: []Mistake{mistake}})
			continue
		}
		p.Phases = append(p.Phases, ResolvePhase(source, objects))
	}
	if rollout.Spec.Through == "" {
		return
	}
	if through := p.IndexOf(rollout.Spec.Through); through >= 0 {
		p.Through = through
	} else {
		p.Mistakes = append(p.Mistakes, invalid(object, "spec.through",
			fmt.Sprintf("%q is not one of spec.phases", rollout.Spec.Through), "name one of them or leave the field out"))
	}
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
	phase.Entry, phase.EntryMistakes = resolveReference(object, "spec.entryGate.name", source.Spec.EntryGate, objects)
	exit, mistakes := resolveReference(object, "spec.exitGate.name", source.Spec.ExitGate, objects)
	phase.Exit, phase.Mistakes = exit, append(phase.Mistakes, mistakes...)
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

// ResolveGate resolves a gate with its KPIs. A criterion with a mistake is left out of the gate, so a gate with mistakes must not be judged.
func ResolveGate(source *v1alpha1.AcceptanceGate, kpis map[string]*v1alpha1.KPI) (gate.Gate, []Mistake) {
	g := gate.Gate{Name: source.Name, Generation: source.Generation}
	object := "AcceptanceGate/" + source.Name
	var mistakes []Mistake
	if len(source.Spec.Criteria) == 0 {
		mistakes = append(mistakes, invalid(object, "spec.criteria", "a gate without criteria would pass everything", "add a criterion or remove the gate from the phase"))
	}
	for _, c := range source.Spec.Criteria {
		field := "spec.criteria[name=" + c.Name + "]"
		criterion := gate.Criterion{Name: c.Name}
		count := len(mistakes)
		if kpi, ok := kpis[c.KPI]; !ok {
			mistakes = append(mistakes, notFound(object, field+".kpi", "KPI", c.KPI))
		} else {
			resolved, inKPI := ResolveKPI(kpi)
			criterion.KPI, mistakes = resolved, append(mistakes, inKPI...)
			mistakes = append(mistakes, checkDirection(object, field, c, kpi.Spec.Direction)...)
		}
		var err error
		if criterion.Comparison, err = gate.ParseComparison(c); err != nil {
			mistakes = append(mistakes, invalid(object, field, err.Error(), "correct the threshold"))
		}
		if criterion.For, err = c.For.Parse(); err != nil {
			mistakes = append(mistakes, invalid(object, field+".for", err.Error(), remedyDuration))
		}
		if len(mistakes) == count {
			g.Criteria = append(g.Criteria, criterion)
		}
	}
	return g, mistakes
}

// checkDirection finds a threshold on the wrong side, which would accept a site for being bad. A range has both sides and is always right.
func checkDirection(object, field string, c v1alpha1.Criterion, direction v1alpha1.Direction) []Mistake {
	switch {
	case direction == v1alpha1.DirectionHigherIsBetter && c.AtMost != nil:
		return []Mistake{invalid(object, field+".atMost", fmt.Sprintf("KPI %q is better when higher, so this accepts sites for being bad", c.KPI), "use atLeast, or between for a range")}
	case direction == v1alpha1.DirectionLowerIsBetter && c.AtLeast != nil:
		return []Mistake{invalid(object, field+".atLeast", fmt.Sprintf("KPI %q is better when lower, so this accepts sites for being bad", c.KPI), "use atMost, or between for a range")}
	}
	return nil
}

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
