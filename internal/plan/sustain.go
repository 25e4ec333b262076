package plan

import (
	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

// Sustain is what sites must keep up after they have passed every phase.
type Sustain struct {
	// Gate that a site must keep meeting.
	Gate gate.Gate
	// Reopens is the name of the phase that a regressed site begins anew; empty when a regression is only reported.
	Reopens string
	// Mistakes in the gate and its KPIs. While there are any, completed sites are not judged.
	Mistakes []Mistake
}

func (p *Plan) resolveSustain(object string, rollout *v1alpha1.CRMRollout, objects Objects) {
	source := rollout.Spec.Sustain
	if source == nil || len(p.Phases) == 0 {
		return
	}
	sustain := Sustain{}
	resolved, mistakes := resolveReference(object, "spec.sustain.gate.name", &source.Gate, objects)
	if resolved != nil {
		sustain.Gate, mistakes = *resolved, append(mistakes, bind(resolved, p.Phases)...)
	}
	sustain.Mistakes = mistakes
	if source.OnRegression == v1alpha1.RegressionReopen {
		reopened := len(p.Phases) - 1
		if source.Reopens != "" {
			reopened = p.resolvePhaseName(object, "spec.sustain.reopens", source.Reopens)
		}
		sustain.Reopens = p.Phases[reopened].Name
	}
	p.Sustain = &sustain
}
