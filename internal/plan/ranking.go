package plan

import (
	"fmt"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

// RankKey is one number by which the sites of a wave are ranked.
type RankKey struct {
	// By says where the number comes from.
	By v1alpha1.RankSource
	// Name of the KPI, the attribute or the gate.
	Name string
	// LowestFirst is true when the smallest number comes first.
	LowestFirst bool
	// KPI that is asked, where the number is one.
	KPI gate.KPI
	// Gate that is judged, where the number is its readiness; nil otherwise.
	Gate *gate.Gate
}

// Sources returns the KPIs that the number depends on.
func (k RankKey) Sources() []gate.KPI {
	switch {
	case k.By == v1alpha1.RankByKPI:
		return []gate.KPI{k.KPI}
	case k.Gate != nil:
		return k.Gate.Sources()
	}
	return nil
}

// resolveRanking resolves how the sites of a wave are ranked. Its mistakes stop that wave only: what it names may be on its way.
func (w *Wave) resolveRanking(object, field string, source v1alpha1.Wave, objects Objects) {
	for i, key := range source.RankBy {
		w.RankBy = append(w.RankBy, w.resolveKey(object, fmt.Sprintf("%s.rankBy[%d].name", field, i), key, objects))
	}
	if source.Pick != nil {
		w.Pick = int(*source.Pick)
	}
	if w.Pick > 0 && len(w.RankBy) == 0 {
		w.Mistakes = append(w.Mistakes, invalid(object, field+".pick", "it takes the best sites, and rankBy does not say which are better", "set rankBy, or leave pick out"))
	}
}

func (w *Wave) resolveKey(object, field string, source v1alpha1.RankKey, objects Objects) RankKey {
	key := RankKey{By: source.By, Name: source.Name, LowestFirst: source.Order == v1alpha1.RankLowestFirst}
	var mistakes []Mistake
	switch source.By {
	case v1alpha1.RankByKPI:
		kpi := objects.KPIs[source.Name]
		if kpi == nil {
			w.Mistakes = append(w.Mistakes, notFound(object, field, "KPI", source.Name))
			break
		}
		if source.Order == "" {
			key.LowestFirst = kpi.Spec.Direction == v1alpha1.DirectionLowerIsBetter
		}
		key.KPI, mistakes = ResolveKPI(kpi)
	case v1alpha1.RankByGate:
		key.Gate, mistakes = resolveReference(object, field, &v1alpha1.LocalReference{Name: source.Name}, objects)
		if key.Gate != nil && key.Gate.Guarded() {
			mistakes = append(mistakes, invalid(object, field, fmt.Sprintf("AcceptanceGate %q has guardrails, which are watched while a phase runs", source.Name),
				"name a gate without guardrails, or make them criteria"))
		}
		if key.Gate != nil && key.Gate.RemembersChanges() {
			mistakes = append(mistakes, invalid(object, field, fmt.Sprintf("AcceptanceGate %q compares with baselines, which no site has before it begins", source.Name),
				"name a gate that compares with none"))
		}
	}
	w.Mistakes = append(w.Mistakes, mistakes...)
	return key
}
