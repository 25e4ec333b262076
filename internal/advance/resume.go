package advance

import (
	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// Standing returns the gate that a site stands at, as its status remembers it, and where that is. The gate is nil when the site stands at none that its plans still have: the one by which it
// goes on, and the one by which the attempt that runs is judged, nil for none.
func Standing(p plan.Plan, attempt *plan.Plan, status v1alpha1.SiteRolloutStatus) (*gate.Gate, Stand) {
	switch {
	case status.Gate == nil:
		return nil, Stand{}
	case status.Gate.Role == v1alpha1.GateRoleSustain:
		return sustained(p, status)
	case attempt != nil:
		p = *attempt
	}
	index := p.IndexOf(status.CurrentPhase)
	if index < 0 {
		return nil, Stand{}
	}
	phase := p.Phases[index]
	at := Stand{Phase: phase.Name, Role: status.Gate.Role, Gate: status.Gate.Name, SiteID: status.Gate.SiteID}
	g, mistakes := phase.Entry, phase.StartMistakes()
	if record := unpassed(status.Phases, phase.Name); record != nil && record.Runs() {
		g, mistakes, at.Attempt, at.Failed = phase.Exit, phase.Mistakes, record.Attempt, record.FailedAt != nil
	}
	if g == nil || g.Name != status.Gate.Name || len(mistakes) > 0 {
		return nil, Stand{}
	}
	return g, at
}

// sustained returns the gate that a site stands at behind its last phase.
func sustained(p plan.Plan, status v1alpha1.SiteRolloutStatus) (*gate.Gate, Stand) {
	last := p.LastPassed(status.Phases)
	if p.Sustain == nil || last == nil || p.Sustain.Gate.Name != status.Gate.Name || len(p.Sustain.Mistakes) > 0 || p.Next(status.Phases) < len(p.Phases) {
		return nil, Stand{}
	}
	at := sustaining(*last)
	at.Gate, at.SiteID = status.Gate.Name, status.Gate.SiteID
	return &p.Sustain.Gate, at
}

// Resume rebuilds the holds of a site for an operator that has just started.
func Resume(p plan.Plan, attempt *plan.Plan, status v1alpha1.SiteRolloutStatus, measured func(kpi gate.KPI) gate.Measured) Holds {
	g, at := Standing(p, attempt, status)
	if g == nil {
		return Holds{}
	}
	return Holds{At: at, Criteria: gate.Resume(status.Gate, *g, measured)}
}
