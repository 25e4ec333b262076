// Package admit says which sites may start which phase now, and why the others may not.
//
// The package cannot do I/O and has no clock. Decide, which admits, and Explain, which tells a site why it waits, ask the same function, so
// that an explanation cannot disagree with what happens.
package admit

import (
	"cmp"
	"fmt"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// Site is what admission needs to know of a site.
type Site struct {
	// Name of the RolloutSite.
	Name string
	// Wave that the site is in; empty when no wave selects it any more.
	Wave string
	// Rank is its place in the ranking of the wave, from 1; 0 for none.
	Rank int32
	// Next is the position of the first phase that the site has not passed; the number of phases when it has passed them all.
	Next int
	// Attempt at that phase that the site would start, or is in.
	Attempt int32
	// Admitted is true when the site may start that attempt.
	Admitted bool
	// Running is true when the site has started that phase.
	Running bool
	// RolledBack is true when the site was rolled back out of that phase, and nobody has let it begin again.
	RolledBack bool
	// Aborts is true when its attempt failed in a phase whose onFailure is Abort, and no other begins by itself.
	Aborts bool
	// Begun is true when the site has started a phase, ever.
	Begun bool
	// Failed is true when its attempt has failed and no other has begun, or when it is rolled back.
	Failed bool
	// Vacates is the wave in which it holds a slot until a write has taken that away; empty when it holds none. The write may be refused, because the site begins at this very moment.
	Vacates string
	// Passed is, for each phase from the first up to the one that it has not passed, when it had passed that phase and every one before it.
	Passed []time.Time
	// Closed is why calendars keep the site from starting its next phase now; zero when none does.
	Closed Block
	// Plan by which the site goes on, to which Next belongs; nil for the plan of the question.
	Plan *plan.Plan
	// Revision of that plan, which goes with an admission; empty when plans are not frozen.
	Revision string
	// Repins is true when the site was admitted by another revision, or is in a phase, and is to have this one from now on.
	Repins bool
}

// SiteOf returns what admission needs to know of a site that goes on by a plan of its own, and is in a phase of a plan that it began that with. The plan ahead is nil for the live one, and that
// of the attempt when there is none.
func SiteOf(live plan.Plan, ahead, attempt *plan.Plan, sr *v1alpha1.SiteRollout) Site {
	own := live
	if ahead != nil {
		own = *ahead
	}
	site := Site{
		Name:    sr.Spec.Site,
		Wave:    sr.Spec.Wave,
		Rank:    rankOf(sr),
		Next:    own.Next(sr.Status.Phases),
		Begun:   len(sr.Status.Phases) > 0,
		Passed:  live.Passed(sr.Status.Phases, own),
		Attempt: 1,
		Plan:    ahead,
	}
	if r := plan.Running(sr.Status.Phases); r != nil {
		site.Running, site.Attempt, site.Failed = true, r.Attempt, r.FailedAt != nil
		site.Admitted = site.admitted(r.Name, sr.Spec, nil)
		by := live // also of an attempt whose plan nobody has any more: that must not let the others start
		if attempt != nil && attempt.Has(r.Name) {
			by = *attempt
		}
		site.Aborts = by.Has(r.Name) && by.Phases[by.IndexOf(r.Name)].Aborts(*r)
		return site
	}
	if site.Next == len(own.Phases) {
		return site
	}
	phase := own.Phases[site.Next]
	r := plan.RecordOf(sr.Status.Phases, phase.Name)
	if r != nil {
		site.Failed = r.FailedAt != nil || r.RolledBackAt != nil
		let := sr.Status.State == v1alpha1.SiteWaiting && sr.Status.CurrentPhase == phase.Name
		site.RolledBack, site.Attempt = r.RolledBackAt != nil && !let, r.Attempt+1
	}
	site.Admitted = site.admitted(phase.Name, sr.Spec, r)
	return site
}

// admitted reports whether a site has an admission to a phase. Only one to that very phase and attempt counts: the plan may have gained a phase in front of the one that the site was admitted
// to, and nobody has given it a place for that. What a regression has reopened needs an admission from after that: a skipped phase may have one that was never used.
func (s Site) admitted(phase string, spec v1alpha1.SiteRolloutSpec, r *v1alpha1.PhaseRecord) bool {
	if r != nil && r.ReopenedAt != nil && (spec.AdmittedAt == nil || spec.AdmittedAt.Before(r.ReopenedAt)) {
		return false
	}
	return phase == spec.AdmittedThrough && s.Attempt == max(1, spec.AdmittedAttempt)
}

// InFlight reports whether the site takes up a slot: it may start a phase, or is in one.
func (s Site) InFlight() bool { return s.Admitted || s.Running }

// own returns the plan by which the site goes on.
func (s Site) own(p plan.Plan) plan.Plan {
	if s.Plan != nil {
		return *s.Plan
	}
	return p
}

// Coming returns the name of the phase that the site starts next; empty when it has passed them all, or is in one.
func (s Site) Coming(p plan.Plan) string {
	if phases := s.own(p).Phases; !s.Running && s.Next < len(phases) {
		return phases[s.Next].Name
	}
	return ""
}

// Admission lets a site start a phase.
type Admission struct {
	// Site is the name of the site.
	Site string
	// Phase is the name of the phase.
	Phase string
	// Attempt at the phase.
	Attempt int32
	// Revision of the plan by which it starts.
	Revision string
}

// Decision is what may happen now.
type Decision struct {
	// Admissions in the order in which slots were given.
	Admissions []Admission
	// Waves in the order of the plan.
	Waves []Wave
	// InFlight is the number of sites that take up a slot once the admissions are made.
	InFlight int
	// Blocked is, for each reason why sites of a wave wait, what the first of them is told.
	Blocked map[string]Block
	// AbortedBy is the site whose failure keeps every site from starting a phase; empty when none does.
	AbortedBy string
	// WakeAt is when a wave, or the calendars of a site that waits for nothing else, open by themselves; zero when none do.
	WakeAt time.Time
}

// Block is why a site may not start its next phase. The zero Block is none.
type Block struct {
	// Reason is one of the site reasons of the API; empty when the site may start.
	Reason string
	// Message says the same for people.
	Message string
	// Until is when the block ends by itself; zero when only a change of an object can end it.
	Until time.Time
}

// Decide gives free slots to sites: first to those that have begun, the furthest first, so that a site that was begun gets finished; then in the order of
// waves, of places in the ranking of a wave, and of names. The waves that are not ranked come with what their ranking waits for.
func Decide(p plan.Plan, sites []Site, unranked map[string]string, now time.Time) Decision {
	counted := count(p, sites)
	decision := Decision{Waves: waves(p, sites, counted, unranked, now), AbortedBy: abortedBy(sites), InFlight: counted.all.inFlight, Blocked: map[string]Block{}}
	for _, w := range decision.Waves {
		decision.WakeAt = earlier(decision.WakeAt, w.OpensAt)
	}
	for _, s := range candidates(p, sites) {
		var wave Wave
		if index, known := counted.index[s.Wave]; known {
			wave = decision.Waves[index]
		}
		wave.AbortedBy = decision.AbortedBy
		block := blocked(p, *s, wave, counted.free(p, s.Wave))
		if block.Reason == "" {
			decision.Admissions = append(decision.Admissions, Admission{Site: s.Name, Phase: s.Coming(p), Attempt: s.Attempt, Revision: s.Revision})
			counted.fly(s.Wave)
			continue
		}
		decision.WakeAt = earlier(decision.WakeAt, block.Until)
		if _, told := decision.Blocked[block.Reason]; !told && wave.Name != "" {
			decision.Blocked[block.Reason] = block
		}
	}
	decision.InFlight = counted.all.inFlight
	return decision
}

// earlier returns the earlier of two times, of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// abortedBy returns the first site, by name, whose failure aborts the rollout; also one that no wave selects any more.
func abortedBy(sites []Site) string {
	by := ""
	for i := range sites {
		if sites[i].Aborts && (by == "" || sites[i].Name < by) {
			by = sites[i].Name
		}
	}
	return by
}

// Explain returns why a site may not start its next phase, also when it was admitted to it: what admission depends on may have changed since. The wave is as the
// last Decision left it.
func Explain(p plan.Plan, s Site, wave Wave) Block {
	if s.Coming(p) == "" {
		return Block{}
	}
	return blocked(p, s, wave, s.Admitted)
}

// MayStart returns why nobody may start a phase now, whoever was admitted to it.
func MayStart(p plan.Plan, phase int) Block {
	switch {
	case len(p.Mistakes) > 0:
		return Block{Reason: v1alpha1.ReasonPlanInvalid, Message: "the rollout's plan is invalid: " + plan.Sentences(p.Mistakes)}
	case p.Suspended:
		return Block{Reason: v1alpha1.ReasonSuspended, Message: suspendedMessage(p)}
	case phase > p.Through:
		return Block{Reason: v1alpha1.ReasonThroughReached, Message: fmt.Sprintf("the rollout goes through phase %s for now", p.LastPhase())}
	}
	if mistakes := p.StartMistakes(phase); len(mistakes) > 0 {
		return Block{Reason: v1alpha1.ReasonPlanInvalid, Message: fmt.Sprintf("phase %s cannot be judged: %s", p.Phases[phase].Name, plan.Sentences(mistakes))}
	}
	return Block{}
}

func suspendedMessage(p plan.Plan) string {
	if p.SuspendReason == "" {
		return "the rollout is suspended"
	}
	return "the rollout is suspended: " + p.SuspendReason
}

// Aborted says that a site keeps all from starting a phase.
func Aborted(by string) Block {
	return Block{Reason: v1alpha1.ReasonAborted, Message: fmt.Sprintf("no site starts a phase: site %s failed in a phase whose onFailure is Abort; decide about its attempt: Retry, Waive, Skip or RollBack", by)}
}

// mayGoOn returns why a wave is not promoted to the next phase of a site.
func mayGoOn(p plan.Plan, s Site, wave plan.Wave) Block {
	if s.Next <= wave.Through {
		return Block{}
	}
	return Block{Reason: v1alpha1.ReasonThroughReached, Message: fmt.Sprintf("wave %s goes through phase %s for now", wave.Name, p.LastPhaseOf(wave))}
}

// mayBegin returns what a wave has against a site that has not begun.
func mayBegin(s Site, wave Wave) Block {
	switch {
	case wave.State == v1alpha1.WaveClosed:
		return Block{Reason: v1alpha1.ReasonWaitingForWave, Message: wave.Message}
	case !s.Admitted && wave.Unranked:
		return Block{Reason: v1alpha1.ReasonWaitingForRanking, Message: cmp.Or(wave.Message, fmt.Sprintf("the sites of wave %s are about to be ranked", wave.Name))}
	case wave.TooManyFailures:
		return Block{Reason: v1alpha1.ReasonTooManyFailures, Message: wave.Message}
	}
	return Block{}
}

// blocked asks every question that admission depends on, the more lasting ones first.
func blocked(p plan.Plan, s Site, wave Wave, free bool) Block {
	p = s.own(p)
	planned := p.Wave(s.Wave)
	if planned == nil || wave.Name == "" {
		return Block{Reason: v1alpha1.ReasonNotInWave, Message: "no wave of the rollout selects this site any more"}
	}
	block := MayStart(p, s.Next)
	if wave.AbortedBy != "" && len(p.Mistakes) == 0 && !p.Suspended {
		block = Aborted(wave.AbortedBy)
	}
	if block.Reason == "" {
		block = mayGoOn(p, s, *planned)
	}
	if block.Reason == "" && !s.Begun {
		block = mayBegin(s, wave)
	}
	switch {
	case block.Reason != "":
		return block
	case s.Closed.Reason != "":
		return s.Closed
	case !free:
		return Block{Reason: v1alpha1.ReasonWaitingForSlot, Message: slotMessage(p, *planned)}
	}
	return Block{}
}
