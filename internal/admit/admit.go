// Package admit says which sites may start which phase now, and why the others may not.
//
// The package cannot do I/O and has no clock. Decide, which admits, and Explain, which tells a site why it waits, ask the same function, so
// that an explanation cannot disagree with what happens.
package admit

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// Site is what admission needs to know of a site.
type Site struct {
	// Name of the RolloutSite.
	Name string
	// Wave that the site is in; empty when no wave selects it any more.
	Wave string
	// Next is the position of the first phase that the site has not passed; the number of phases when it has passed them all.
	Next int
	// Admitted is true when the site may start its next phase.
	Admitted bool
	// Running is true when the site has started that phase.
	Running bool
	// Begun is true when the site has started a phase, ever.
	Begun bool
}

// SiteOf returns what admission needs to know of a site.
func SiteOf(p plan.Plan, sr *v1alpha1.SiteRollout) Site {
	return Site{
		Name:     sr.Spec.Site,
		Wave:     sr.Spec.Wave,
		Next:     p.Next(sr.Status.Phases),
		Admitted: admitted(p, sr),
		Running:  slices.ContainsFunc(sr.Status.Phases, func(r v1alpha1.PhaseRecord) bool { return r.PassedAt == nil && p.IndexOf(r.Name) >= 0 }),
		Begun:    len(sr.Status.Phases) > 0,
	}
}

// admitted reports whether a site may start its next phase. Only an admission to that very phase counts: the plan may have gained a phase in front of the one that
// the site was admitted to, and nobody has given it a place for that.
func admitted(p plan.Plan, sr *v1alpha1.SiteRollout) bool {
	next := p.Next(sr.Status.Phases)
	return next < len(p.Phases) && p.Phases[next].Name == sr.Spec.AdmittedThrough
}

// inFlight reports whether the site takes up a slot: it may start a phase, or is in one.
func (s Site) inFlight() bool { return s.Admitted || s.Running }

// Admission lets a site start a phase.
type Admission struct {
	// Site is the name of the site.
	Site string
	// Phase is the name of the phase.
	Phase string
}

// Wave tells whether a wave's sites may start.
type Wave struct {
	// Name of the wave.
	Name string
	// State of the wave.
	State v1alpha1.WaveState
	// Message says what a closed wave waits for.
	Message string
}

// Decision is what may happen now.
type Decision struct {
	// Admissions in the order in which slots were given.
	Admissions []Admission
	// Waves in the order of the plan.
	Waves []Wave
	// InFlight is the number of sites that take up a slot once the admissions are made.
	InFlight int
}

// Block is why a site may not start its next phase. The zero Block is none.
type Block struct {
	// Reason is one of the site reasons of the API; empty when the site may start.
	Reason string
	// Message says the same for people.
	Message string
}

// Decide gives free slots to sites: first to those that have begun, the furthest first, so that a site that was begun gets finished; then in the order of
// waves, then of names.
func Decide(p plan.Plan, sites []Site) Decision {
	decision := Decision{Waves: waves(p, sites)}
	for _, s := range sites {
		if s.inFlight() {
			decision.InFlight++
		}
	}
	states := make(map[string]Wave, len(decision.Waves))
	for _, w := range decision.Waves {
		states[w.Name] = w
	}
	for _, s := range candidates(p, sites) {
		free := p.MaxConcurrent == 0 || decision.InFlight < p.MaxConcurrent
		if block := blocked(p, s, states[s.Wave], free); block.Reason != "" {
			continue
		}
		decision.Admissions = append(decision.Admissions, Admission{Site: s.Name, Phase: p.Phases[s.Next].Name})
		decision.InFlight++
	}
	return decision
}

// Explain returns why a site may not start its next phase, also when it was admitted to it: what admission depends on may have changed since. The wave is as the
// last Decision left it.
func Explain(p plan.Plan, s Site, wave Wave) Block {
	if s.Next >= len(p.Phases) || s.Running {
		return Block{}
	}
	return blocked(p, s, wave, s.Admitted)
}

// MayStart returns why nobody may start a phase now, whoever was admitted to it.
func MayStart(p plan.Plan, phase int) Block {
	switch {
	case len(p.Mistakes) > 0:
		return Block{v1alpha1.ReasonPlanInvalid, "the rollout's plan is invalid: " + plan.Sentences(p.Mistakes)}
	case p.Suspended:
		return Block{v1alpha1.ReasonSuspended, "the rollout is suspended"}
	case phase > p.Through:
		return Block{v1alpha1.ReasonThroughReached, fmt.Sprintf("the rollout goes through phase %s for now", p.Phases[p.Through].Name)}
	case len(p.Phases[phase].StartMistakes()) > 0:
		return Block{v1alpha1.ReasonPlanInvalid, fmt.Sprintf("phase %s cannot be judged: %s", p.Phases[phase].Name, plan.Sentences(p.Phases[phase].StartMistakes()))}
	}
	return Block{}
}

// blocked asks every question that admission depends on, the more lasting ones first.
func blocked(p plan.Plan, s Site, wave Wave, free bool) Block {
	if s.Wave == "" || wave.Name == "" {
		return Block{v1alpha1.ReasonNotInWave, "no wave of the rollout selects this site any more"}
	}
	if block := MayStart(p, s.Next); block.Reason != "" {
		return block
	}
	if !s.Begun && wave.State == v1alpha1.WaveClosed {
		return Block{v1alpha1.ReasonWaitingForWave, wave.Message}
	}
	if !free {
		return Block{v1alpha1.ReasonWaitingForSlot, slotMessage(p)}
	}
	return Block{}
}

func slotMessage(p plan.Plan) string {
	if p.MaxConcurrent == 0 {
		return "the site is about to be admitted"
	}
	if p.MaxConcurrent == 1 {
		return "the rollout lets one site be in a phase at a time; this one gets the place when it is its turn"
	}
	return fmt.Sprintf("the rollout lets %d sites be in a phase at a time; this one gets a place when it is its turn", p.MaxConcurrent)
}

// candidates returns the sites that have a phase to start and are not admitted to it, in the order in which they get slots.
func candidates(p plan.Plan, sites []Site) []Site {
	order := make(map[string]int, len(p.Waves))
	for i, w := range p.Waves {
		order[w.Name] = i
	}
	var waiting []Site
	for _, s := range sites {
		if s.Next < len(p.Phases) && !s.inFlight() {
			waiting = append(waiting, s)
		}
	}
	slices.SortFunc(waiting, func(a, b Site) int {
		return cmp.Or(
			-cmp.Compare(rank(a.Begun), rank(b.Begun)),
			-cmp.Compare(a.Next, b.Next),
			cmp.Compare(order[a.Wave], order[b.Wave]),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return waiting
}

func rank(begun bool) int {
	if begun {
		return 1
	}
	return 0
}
