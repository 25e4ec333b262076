// Package plan resolves the objects that people write into a plan that can be followed, and names every mistake on the way.
//
// The package cannot do I/O and has no clock.
package plan

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

// Plan is a rollout with everything that it refers to.
type Plan struct {
	// Phases in the order in which every site goes through them.
	Phases []Phase
	// Waves in the order of the rollout.
	Waves []Wave
	// Through is the index of the last phase that sites may start.
	Through int
	// MaxConcurrent is the greatest number of sites in flight; 0 for no limit.
	MaxConcurrent int
	// Suspended keeps sites from starting a phase.
	Suspended bool
	// Mistakes in the rollout itself. While there are any, no site starts a phase.
	Mistakes []Mistake
}

// Phase is one step with its gates.
type Phase struct {
	// Name of the RolloutPhase object.
	Name string
	// Soak is how long the phase runs at least.
	Soak time.Duration
	// Entry gate; nil for none.
	Entry *gate.Gate
	// Exit gate; nil for none.
	Exit *gate.Gate
	// Baselines to take when a site starts the phase for the first time.
	Baselines []Baseline
	// Mistakes in the phase, its exit gate and that gate's KPIs. While there are any, the phase is neither started nor passed.
	Mistakes []Mistake
	// EntryMistakes are those in the entry gate and its KPIs. While there are any, the phase is not started.
	EntryMistakes []Mistake
}

// Wave is a group of sites.
type Wave struct {
	// Name of the wave.
	Name string
	// Selector of its sites, to be applied to SiteLabels.
	Selector labels.Selector
	// After is the name of the wave that must have completed; empty for none.
	After string
}

// Objects are what a rollout can refer to: the objects of its namespace, by name.
type Objects struct {
	// Phases by name.
	Phases map[string]*v1alpha1.RolloutPhase
	// Gates by name.
	Gates map[string]*v1alpha1.AcceptanceGate
	// KPIs by name.
	KPIs map[string]*v1alpha1.KPI
}

// Resolve turns a rollout into a plan. It always returns one: what could not be resolved carries its mistakes.
func Resolve(rollout *v1alpha1.CRMRollout, objects Objects) Plan {
	p := Plan{Suspended: rollout.Spec.Suspend, Through: len(rollout.Spec.Phases) - 1}
	if rollout.Spec.MaxConcurrent != nil {
		p.MaxConcurrent = rollout.Spec.MaxConcurrent.IntValue()
	}
	object := "CRMRollout/" + rollout.Name
	p.resolvePhases(object, rollout, objects)
	p.resolveWaves(object, rollout)
	p.checkGoals(object, rollout, objects)
	return p
}

// AllMistakes returns the mistakes of the rollout and of its phases, in the order of the plan, each one once.
func (p Plan) AllMistakes() []Mistake {
	seen := map[Mistake]bool{}
	var all []Mistake
	add := func(mistakes []Mistake) {
		for _, m := range mistakes {
			if !seen[m] {
				seen[m] = true
				all = append(all, m)
			}
		}
	}
	add(p.Mistakes)
	for _, phase := range p.Phases {
		add(phase.EntryMistakes)
		add(phase.Mistakes)
	}
	return all
}

// IndexOf returns the position of a phase in the plan, or -1 when the plan has no such phase.
func (p Plan) IndexOf(phase string) int {
	for i := range p.Phases {
		if p.Phases[i].Name == phase {
			return i
		}
	}
	return -1
}

// StartMistakes returns what keeps a phase from being started.
func (p Phase) StartMistakes() []Mistake {
	return append(slices.Clone(p.EntryMistakes), p.Mistakes...)
}

// Next returns the position of the phase that a site is in or comes to: the one that runs, wherever the plan has put it meanwhile, else the first that it has not passed,
// len(p.Phases) when it has passed them all.
func (p Plan) Next(records []v1alpha1.PhaseRecord) int {
	passed := make(map[string]bool, len(records))
	for _, r := range records {
		passed[r.Name] = r.PassedAt != nil
		if running := p.IndexOf(r.Name); r.PassedAt == nil && running >= 0 {
			return running
		}
	}
	for i, phase := range p.Phases {
		if !passed[phase.Name] {
			return i
		}
	}
	return len(p.Phases)
}
