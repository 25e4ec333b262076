package plan

import "slices"

// On returns the plan with other phases: those that were frozen for some of its sites. Waves, limits, calendars and what is sustained stay as they are. Through, of the plan and of
// its waves, is a phase of the plan as it is now; on the other phases it is the last one that does not come after that.
func (p Plan) On(phases []Phase) Plan {
	own := p
	own.Phases = phases
	own.Through, own.ThroughPhase = p.throughOn(phases, p.Through), p.LastPhase()
	own.Waves = slices.Clone(p.Waves)
	for i := range own.Waves {
		own.Waves[i].Through, own.Waves[i].ThroughPhase = p.throughOn(phases, p.Waves[i].Through), p.LastPhaseOf(p.Waves[i])
	}
	return own
}

// LastPhase returns the name of the phase that the rollout goes through.
func (p Plan) LastPhase() string { return p.nameOf(p.Through, p.ThroughPhase) }

// LastPhaseOf returns the name of the phase that a wave of the plan goes through.
func (p Plan) LastPhaseOf(w Wave) string { return p.nameOf(w.Through, w.ThroughPhase) }

func (p Plan) nameOf(phase int, known string) string {
	if known == "" && phase >= 0 && phase < len(p.Phases) {
		return p.Phases[phase].Name
	}
	return known
}

// throughOn returns the index of the last of other phases that sites may start when the plan goes through one of its own; -1 when there is none. A phase that the plan does not have any
// more stands in front of the one that comes after it: nobody has let sites go past what stands behind it.
func (p Plan) throughOn(phases []Phase, through int) int {
	position := len(p.Phases) - 1
	last := len(phases) - 1
	for i := len(phases) - 1; i >= 0; i-- {
		if index := p.IndexOf(phases[i].Name); index >= 0 {
			position = index
		}
		if position > through {
			last = i - 1
		}
	}
	return last
}

// Has reports whether the plan has a phase.
func (p Plan) Has(phase string) bool { return p.IndexOf(phase) >= 0 }
