package admit

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/crmops/rollout-operator/internal/plan"
)

// tally counts the sites of a wave, or of all waves.
type tally struct {
	total, left, failed, inFlight int
}

// counts are the tallies of a rollout.
type counts struct {
	// index of each wave in the plan and in waves.
	index map[string]int
	waves []tally
	// members are the positions of each wave's sites.
	members [][]int
	// all counts the sites of all waves. Those in flight are counted also when no wave selects them any more, because they take up slots of the rollout.
	all tally
}

func count(p plan.Plan, sites []Site) counts {
	c := counts{index: make(map[string]int, len(p.Waves)), waves: make([]tally, len(p.Waves)), members: make([][]int, len(p.Waves))}
	for i, w := range p.Waves {
		c.index[w.Name] = i
	}
	for i := range sites {
		s := &sites[i]
		if s.InFlight() {
			c.fly(s.Wave)
		}
		if s.Vacates != "" {
			c.fly(s.Vacates)
		}
		if index, known := c.index[s.Wave]; known {
			c.members[index] = append(c.members[index], i)
			c.waves[index].add(p, s)
			c.all.add(p, s)
		}
	}
	return c
}

func (t *tally) add(p plan.Plan, s *Site) {
	t.total++
	if len(s.Passed) < len(p.Phases) { // a site in a phase that a regression reopened has passed every phase
		t.left++
	}
	if s.Failed {
		t.failed++
	}
}

// fly counts a site that takes up a slot.
func (c *counts) fly(wave string) {
	c.all.inFlight++
	if index, known := c.index[wave]; known {
		c.waves[index].inFlight++
	}
}

// free reports whether a site of a wave can get a slot, of the rollout and of the wave.
func (c *counts) free(p plan.Plan, wave string) bool {
	index, known := c.index[wave]
	return known && c.all.below(p.MaxConcurrent) && c.waves[index].below(p.Waves[index].MaxConcurrent)
}

// below reports whether another site can take up a slot: a percentage of a few sites is rounded down, but one can always be in flight.
func (t tally) below(limit *plan.Limit) bool {
	return limit == nil || t.inFlight < max(1, limit.Down(t.total))
}

// beyond reports whether more sites are failed than a limit allows.
func (t tally) beyond(limit *plan.Limit) bool {
	return limit != nil && t.failed > limit.Down(t.total)
}

// slotMessage does not say which of two limits is reached: that changes from one moment to the next, and each change would be written to every waiting site.
func slotMessage(p plan.Plan, wave plan.Wave) string {
	const turn = "; this one gets a place when it is its turn"
	switch ours, its := p.MaxConcurrent, wave.MaxConcurrent; {
	case ours == nil && its == nil:
		return "the site is about to be admitted"
	case ours == nil:
		return fmt.Sprintf("wave %s lets %s%s", wave.Name, atATime(*its), turn)
	case its != nil:
		return fmt.Sprintf("the rollout lets %s, and wave %s lets %s%s", atATime(*ours), wave.Name, atATime(*its), turn)
	case *ours == plan.Limit{Number: 1}:
		return "the rollout lets one site be in a phase at a time; this one gets the place when it is its turn"
	default:
		return fmt.Sprintf("the rollout lets %s%s", atATime(*ours), turn)
	}
}

func atATime(limit plan.Limit) string {
	switch {
	case limit.Percent:
		return fmt.Sprintf("%s of its sites be in a phase at a time", limit)
	case limit.Number == 1:
		return "one site be in a phase at a time"
	}
	return fmt.Sprintf("%s sites be in a phase at a time", limit)
}

// candidates returns the sites that have a phase to start and are not admitted to it, in the order in which they get slots.
func candidates(p plan.Plan, all []Site) []*Site {
	order := make(map[string]int, len(p.Waves))
	for i, w := range p.Waves {
		order[w.Name] = i
	}
	var waiting []*Site
	for i := range all {
		if s := &all[i]; s.Coming(p) != "" && !s.InFlight() && !s.RolledBack {
			waiting = append(waiting, s)
		}
	}
	slices.SortFunc(waiting, func(a, b *Site) int {
		return cmp.Or(
			-cmp.Compare(truth(a.Begun), truth(b.Begun)),
			-cmp.Compare(a.Next, b.Next),
			cmp.Compare(order[a.Wave], order[b.Wave]),
			cmp.Compare(a.turn(), b.turn()),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return waiting
}

// turn is the place of a site among those of its wave; who has none comes after those who have one.
func (s *Site) turn() int32 {
	if s.Rank == 0 {
		return math.MaxInt32
	}
	return s.Rank
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
