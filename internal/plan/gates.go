package plan

import (
	"fmt"
	"slices"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

// ResolveGate resolves a gate with its KPIs. A criterion with a mistake is left out of the gate, so a gate with mistakes must not be judged.
// Which phase declares the baseline of a criterion depends on the plan and is not resolved here.
func ResolveGate(source *v1alpha1.AcceptanceGate, kpis map[string]*v1alpha1.KPI) (gate.Gate, []Mistake) {
	r := gateResolver{object: "AcceptanceGate/" + source.Name, kpis: kpis}
	g := gate.Gate{Name: source.Name, Generation: source.Generation}
	if score := source.Spec.Score; score != nil {
		g.Score = &gate.Score{Pass: score.Pass, Warn: score.Pass}
		if score.Warn != nil {
			g.Score.Warn = *score.Warn
		}
	}
	for _, c := range source.Spec.Criteria {
		if criterion, ok := r.criterion("spec.criteria[name="+c.Name+"]", c); ok {
			g.Criteria = append(g.Criteria, criterion)
		}
	}
	for _, c := range source.Spec.Guardrails {
		if criterion, ok := r.criterion("spec.guardrails[name="+c.Name+"]", c); ok {
			criterion.Importance = v1alpha1.ImportanceGuardrail
			g.Criteria = append(g.Criteria, criterion)
		}
	}
	g.FourEyes = source.Spec.FourEyes
	for _, a := range source.Spec.Approvals {
		approval := gate.Approval{Role: a.Role, Count: 1}
		if a.Count != nil {
			approval.Count = *a.Count
		}
		g.Approvals = append(g.Approvals, approval)
	}
	return g, slices.Concat(r.undecided(source), r.approvals(g), r.mistakes)
}

// maxApprovals is how many people a gate can ask for in all: each of them stands in the transition that rests on them.
const maxApprovals = 16

// approvals finds gates that ask for more people than a site can remember, or for none. The API server finds them too.
func (r *gateResolver) approvals(g gate.Gate) []Mistake {
	sum := int32(0)
	for _, a := range g.Approvals {
		if a.Count < 1 {
			return []Mistake{invalid(r.object, "spec.approvals[role="+a.Role+"].count", "it asks for nobody", "make it at least 1, or leave the role out")}
		}
		sum += a.Count
	}
	if sum > maxApprovals {
		return []Mistake{invalid(r.object, "spec.approvals", fmt.Sprintf("it asks for %d approvals in all, and %d are possible", sum, maxApprovals), "lower the counts or leave roles out")}
	}
	return nil
}

// gateResolver gathers the mistakes of one gate.
type gateResolver struct {
	object   string
	kpis     map[string]*v1alpha1.KPI
	mistakes []Mistake
}

// undecided finds gates that would pass everything, or could pass nothing. The API server finds them too; a rule that guards money stands twice.
func (r *gateResolver) undecided(source *v1alpha1.AcceptanceGate) []Mistake {
	decides, weighted := len(source.Spec.Guardrails) > 0 || len(source.Spec.Approvals) > 0, false
	for _, c := range source.Spec.Criteria {
		decides = decides || c.Importance != v1alpha1.ImportanceAdvisory
		weighted = weighted || c.Importance == v1alpha1.ImportanceWeighted
	}
	switch {
	case !decides && len(source.Spec.Criteria) == 0:
		return []Mistake{invalid(r.object, "spec.criteria", "a gate without criteria would pass everything", "add a criterion or an approval, or remove the gate from the phase")}
	case !decides:
		return []Mistake{invalid(r.object, "spec.criteria", "a gate whose criteria are all Advisory would pass everything", "make one of them Required or Weighted")}
	case weighted != (source.Spec.Score != nil):
		return []Mistake{invalid(r.object, "spec.score", "score and criteria with importance Weighted need each other", "set both or neither")}
	}
	return nil
}

// criterion resolves one criterion. It reports false when there is a mistake in it.
func (r *gateResolver) criterion(field string, c v1alpha1.Criterion) (gate.Criterion, bool) {
	count := len(r.mistakes)
	criterion := gate.Criterion{Name: c.Name, Importance: c.Importance, AnyOf: c.AnyOf, Weight: 1, Comparison: gate.AgainstNothing{}}
	if criterion.Importance == "" {
		criterion.Importance = v1alpha1.ImportanceRequired
	}
	if c.Weight != nil {
		criterion.Weight = *c.Weight
	}
	if c.MinSamples != nil {
		criterion.MinSamples = *c.MinSamples
	}
	criterion.KPI = r.kpi(field+".kpi", field, c.KPI, c.Window)
	if kpi := r.kpis[c.KPI]; kpi != nil {
		r.mistakes = append(r.mistakes, checkDirection(r.object, field, c, kpi.Spec.Direction)...)
	}
	var err error
	if criterion.Threshold, err = gate.ParseThreshold(c); err != nil {
		r.add(field, err.Error(), "correct the threshold")
	}
	if criterion.For, err = c.For.Parse(); err != nil {
		r.add(field+".for", err.Error(), remedyDuration)
	}
	if c.Against != nil {
		criterion.Comparison = r.comparison(field+".against", c, criterion.KPI)
	}
	return criterion, len(r.mistakes) == count
}

func (r *gateResolver) add(field, problem, remedy string) {
	r.mistakes = append(r.mistakes, invalid(r.object, field, problem, remedy))
}

// kpi resolves a KPI over the window that a criterion asks for.
func (r *gateResolver) kpi(field, criterion, name string, window v1alpha1.Duration) gate.KPI {
	source, ok := r.kpis[name]
	if !ok {
		r.mistakes = append(r.mistakes, notFound(r.object, field, "KPI", name))
		return gate.KPI{}
	}
	resolved, mistakes := resolveOver(r.object, criterion+".window", source, window)
	r.mistakes = append(r.mistakes, mistakes...)
	return resolved
}

func (r *gateResolver) comparison(field string, c v1alpha1.Criterion, kpi gate.KPI) gate.Comparison {
	switch against := c.Against; {
	case against.Baseline != nil:
		return gate.AgainstBaseline{Phase: against.Baseline.Phase}
	case against.Control != nil:
		return r.control(field+".control", *against.Control)
	case against.Reference != nil:
		return r.reference(field+".reference", c, *against.Reference, kpi)
	}
	r.add(field, "exactly one of baseline, control and reference must be set", "set one of them, or leave against out")
	return nil
}

// What stands for unset fields of a comparison with a control group.
const (
	defaultMinSites   = 5
	defaultConfidence = 0.95
)

func (r *gateResolver) control(field string, c v1alpha1.ControlComparison) gate.Comparison {
	comparison := gate.AgainstControl{AgainstBaseline: gate.AgainstBaseline{Phase: c.Phase}, MinSites: defaultMinSites, Confidence: defaultConfidence}
	if c.MinSites != nil {
		comparison.MinSites = int(*c.MinSites)
	}
	if c.Confidence != "" {
		confidence, err := c.Confidence.Float()
		if err != nil || confidence <= 0.5 || confidence >= 1 {
			r.add(field+".confidence", fmt.Sprintf("%q is not more than 0.5 and less than 1", c.Confidence), "write it like 0.95, or leave it out for that")
		}
		comparison.Confidence = confidence
	}
	return comparison
}

func (r *gateResolver) reference(field string, c v1alpha1.Criterion, ref v1alpha1.ReferenceComparison, kpi gate.KPI) gate.Comparison {
	comparison := gate.AgainstReference{KPI: r.kpi(field+".kpi", field, ref.KPI, c.Window)}
	if ref.MaxExceptions != nil {
		comparison.MaxExceptions = *ref.MaxExceptions
	}
	other := comparison.KPI
	switch {
	case other.Name == "" || kpi.Name == "": // that is a mistake already
	case other.Interval != kpi.Interval || other.Window != kpi.Window:
		r.add(field+".kpi", fmt.Sprintf("KPI %q has another interval or window than KPI %q, so their values are not of the same time", other.Name, kpi.Name), "give both the same interval and window")
	case min(kpi.StaleAfter, other.StaleAfter) < 2*kpi.Interval:
		r.add(field+".kpi", "a value is compared once the reference has been measured after it, up to an interval later, and would be stale then", "make staleAfter of both KPIs at least two intervals")
	}
	return comparison
}

// checkDirection finds a threshold on the wrong side, which would accept a site for being bad, or for getting worse. A range has both sides and is always right,
// and so is the comparison with a reference, where either side may be too much.
func checkDirection(object, field string, c v1alpha1.Criterion, direction v1alpha1.Direction) []Mistake {
	switch {
	case c.Against != nil && c.Against.Reference != nil:
	case direction == v1alpha1.DirectionHigherIsBetter && c.AtMost != nil:
		return []Mistake{invalid(object, field+".atMost", fmt.Sprintf("KPI %q is better when higher, so this accepts sites for being bad", c.KPI), "use atLeast, or between for a range")}
	case direction == v1alpha1.DirectionLowerIsBetter && c.AtLeast != nil:
		return []Mistake{invalid(object, field+".atLeast", fmt.Sprintf("KPI %q is better when lower, so this accepts sites for being bad", c.KPI), "use atMost, or between for a range")}
	}
	return nil
}
