package main

import (
	"time"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

// Plan is what people wrote: the objects of the programme, by name.
type Plan struct {
	Rollout crmv1.CRMRollout
	Sites   map[string]crmv1.RolloutSite
	Phases  map[string]crmv1.RolloutPhase
	Gates   map[string]crmv1.AcceptanceGate
	KPIs    map[string]crmv1.KPI
}

// Observed is what can only be seen while it happens, because the objects do not keep it.
type Observed struct {
	// FirstAdmitted is the earliest admission seen of each site.
	FirstAdmitted map[string]time.Time
	// MostInFlight is the greatest number of sites that were admitted to a phase and had not passed it, seen at a time.
	MostInFlight int
	// Held is the story of the troubled site as it was when it was first seen held. Nil: it was never seen held.
	Held *crmv1.SiteRollout
	// Cleaned is when the cause of the hold was removed. Zero: it was not.
	Cleaned time.Time
}

// Record is everything by which the demonstration is judged: what the API server says in the end, and what was observed.
type Record struct {
	Plan Plan
	// Troubled is the site that the scenario holds.
	Troubled string
	// Stories are the SiteRollouts in the end.
	Stories  []crmv1.SiteRollout
	Observed Observed
}

// story returns the story of a site, or nil.
func (r Record) story(site string) *crmv1.SiteRollout {
	for i := range r.Stories {
		if r.Stories[i].Spec.Site == site {
			return &r.Stories[i]
		}
	}
	return nil
}

// phaseOf returns the record of one phase in a site's story, or nil.
func phaseOf(story *crmv1.SiteRollout, phase string) *crmv1.PhaseRecord {
	for i := range story.Status.Phases {
		if story.Status.Phases[i].Name == phase {
			return &story.Status.Phases[i]
		}
	}
	return nil
}

// exitGate returns the gate at the end of a phase, or nil when it has none.
func (p Plan) exitGate(phase string) *crmv1.AcceptanceGate {
	described, known := p.Phases[phase]
	if !known || described.Spec.ExitGate == nil {
		return nil
	}
	gate, known := p.Gates[described.Spec.ExitGate.Name]
	if !known {
		return nil
	}
	return &gate
}
