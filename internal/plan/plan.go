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
	// Through is the index of the last phase that sites may start; -1 for none.
	Through int
	// ThroughPhase is the name of the phase that the rollout goes through, where that need not be one of the phases of the plan; empty otherwise.
	ThroughPhase string
	// MaxConcurrent is the greatest number of sites in flight; nil for no limit.
	MaxConcurrent *Limit
	// MaxFailures is how many sites may be failed before no other site begins; nil for no limit.
	MaxFailures *Limit
	// Suspended keeps sites from starting a phase.
	Suspended bool
	// SuspendReason says why, for people.
	SuspendReason string
	// Sustain is what sites must keep up behind the last phase; nil for nothing.
	Sustain *Sustain
	// Calendars say when sites may start a phase.
	Calendars Calendars
	// Mistakes in the rollout itself, also in its calendars and those of its waves. While there are any, no site starts a phase.
	Mistakes []Mistake
}

// Phase is one step with its gates.
type Phase struct {
	// Name of the RolloutPhase object.
	Name string
	// Soak is how long the phase runs at least.
	Soak time.Duration
	// Expected is how long the phase is planned to take at a site; zero for not planned.
	Expected time.Duration
	// Deadline is how long an attempt may take; zero for as long as it takes.
	Deadline time.Duration
	// MaxAttempts is how many attempts begin by themselves, the first included; zero for no limit.
	MaxAttempts int32
	// OnFailure says what follows when no other attempt begins by itself. It is never empty.
	OnFailure v1alpha1.FailurePolicy
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
	// After is the barrier that opens the wave; nil for a wave that is open at once.
	After *Barrier
	// Through is the index of the last phase that its sites may start, where the plan's Through does not come first; -1 for none.
	Through int
	// ThroughPhase is the name of the phase that the wave goes through, where that need not be one of the phases of the plan; empty otherwise.
	ThroughPhase string
	// MaxConcurrent is the greatest number of its sites in flight; nil for no limit of its own.
	MaxConcurrent *Limit
	// MaxFailures is how many of its sites may be failed before no other one begins; nil for no limit of its own.
	MaxFailures *Limit
	// RankBy says by which numbers its sites are ranked; empty for names.
	RankBy []RankKey
	// Pick is how many of the best sites belong to the wave; 0 for all.
	Pick int
	// PlannedStart is when its first site is planned to begin; zero for not planned.
	PlannedStart time.Time
	// PlannedEnd is when its last site is planned to have passed every phase; zero for as long after PlannedStart as the phases are expected to take.
	PlannedEnd time.Time
	// Mistakes in what its sites are ranked by. While there are any, no site of the wave begins.
	Mistakes []Mistake
}

// Barrier is what must have happened before a wave opens.
type Barrier struct {
	// Wave whose sites must have come far enough.
	Wave string
	// Phase is the index of the phase that they must have passed, with every one before it.
	Phase int
	// AtLeast is how many of them must have; nil for all.
	AtLeast *Limit
	// Soak is how long the wave stays closed after that.
	Soak time.Duration
}

// Objects are what a rollout can refer to: the objects of its namespace, by name.
type Objects struct {
	// Phases by name.
	Phases map[string]*v1alpha1.RolloutPhase
	// Gates by name.
	Gates map[string]*v1alpha1.AcceptanceGate
	// KPIs by name.
	KPIs map[string]*v1alpha1.KPI
	// Calendars by name.
	Calendars map[string]*v1alpha1.RolloutCalendar
}

// Resolve turns a rollout into a plan. It always returns one: what could not be resolved carries its mistakes.
func Resolve(rollout *v1alpha1.CRMRollout, objects Objects) Plan {
	p := Plan{Suspended: rollout.Spec.Suspend, SuspendReason: rollout.Spec.SuspendReason, Through: len(rollout.Spec.Phases) - 1}
	object := "CRMRollout/" + rollout.Name
	p.MaxConcurrent = p.resolveLimit(object, "spec.maxConcurrent", rollout.Spec.MaxConcurrent, 1)
	p.MaxFailures = p.resolveLimit(object, "spec.maxFailures", rollout.Spec.MaxFailures, 0)
	p.resolvePhases(object, rollout.Spec.Phases, objects)
	if rollout.Spec.Through != "" {
		p.Through = p.resolvePhaseName(object, "spec.through", rollout.Spec.Through)
	}
	p.resolveSustain(object, rollout, objects)
	p.resolveWaves(object, rollout, objects)
	p.resolveCalendars(object, rollout, objects)
	p.checkGoals(object, rollout, objects)
	return p
}

// AllMistakes returns the mistakes of the rollout, of its waves and of its phases, in the order of the plan, each one once.
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
	for _, wave := range p.Waves {
		add(wave.Mistakes)
	}
	for _, phase := range p.Phases {
		add(phase.EntryMistakes)
		add(p.Calendars.mistakes[phase.Name])
		add(phase.Mistakes)
	}
	if p.Sustain != nil {
		add(p.Sustain.Mistakes)
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
