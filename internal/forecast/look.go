package forecast

import (
	"slices"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// stretch is what is known of a site in a phase. Times are distances from now: what is past is negative.
type stretch struct {
	start, end             time.Duration
	began, passed, skipped bool
	// runs is true while an attempt at the phase has begun and is not over, and the phase was never passed.
	runs bool
}

// look is what there is to see of a rollout.
type look struct {
	Facts
	// stretches of each site, in the order of the phases.
	stretches [][]stretch
	// index of each wave, and the sites of each wave.
	index   map[string]int
	members [][]int
	// begun is true when a site has begun a phase.
	begun bool
	// known are the paces that were looked up.
	known map[[2]int]time.Duration
}

func see(f Facts) *look {
	l := &look{Facts: f, index: make(map[string]int, len(f.Plan.Waves)), members: make([][]int, len(f.Plan.Waves)), known: map[[2]int]time.Duration{}}
	for i, w := range f.Plan.Waves {
		l.index[w.Name] = i
	}
	phases := make(map[string]int, len(f.Plan.Phases))
	for i := range f.Plan.Phases {
		phases[f.Plan.Phases[i].Name] = i
	}
	all := make([]stretch, len(f.Sites)*len(phases))
	for i := range f.Sites {
		mine := all[i*len(phases) : (i+1)*len(phases)]
		l.stretches = append(l.stretches, mine)
		l.seeRecords(i, phases)
		l.passOver(i)
		if w, in := l.index[f.Sites[i].Wave]; in {
			l.members[w] = append(l.members[w], i)
		}
	}
	return l
}

// seeRecords fills in the stretches of a site. A phase that a regression reopened was passed when it was passed for the first time: what is planned does not count it twice.
func (l *look) seeRecords(site int, phases map[string]int) {
	for i := range l.Sites[site].Records {
		record := &l.Sites[site].Records[i]
		l.begun = true
		phase, planned := phases[record.Name]
		if !planned {
			continue
		}
		s := &l.stretches[site][phase]
		s.began, s.start = true, plan.FirstStartedAt(*record).Sub(l.Now)
		if at := plan.FirstPassedAt(*record); !at.IsZero() {
			s.passed, s.end = true, at.Sub(l.Now)
		}
		s.skipped = record.Outcome == v1alpha1.PhaseSkipped || record.Attempt == 0
		s.runs = !s.passed && record.Runs()
	}
}

// passOver takes the phases that a site will never do, because it keeps a plan without them, as passed together with what comes before them, once that is passed.
func (l *look) passOver(site int) {
	own := l.Sites[site].Own
	if own == nil || len(l.Sites[site].Records) == 0 {
		return
	}
	before := stretch{passed: true, end: plan.FirstStartedAt(l.Sites[site].Records[0]).Sub(l.Now)}
	for i := range l.Plan.Phases {
		s := &l.stretches[site][i]
		if !s.began && before.passed && !own.Has(l.Plan.Phases[i].Name) {
			*s = stretch{began: true, passed: true, skipped: true, start: before.end, end: before.end}
		}
		before = *s
	}
}

// pace returns how long a phase takes at a site: the median of what it took the sites of the wave that have passed it, else of all sites, else what the plan expects;
// forever when none of that is known.
func (l *look) pace(wave, phase int) time.Duration {
	key := [2]int{wave, phase}
	if _, looked := l.known[key]; !looked {
		l.known[key] = l.measure(wave, phase)
	}
	return l.known[key]
}

func (l *look) measure(wave, phase int) time.Duration {
	if wave >= 0 {
		if lengths := l.lengths(l.members[wave], phase); len(lengths) > 0 {
			return median(lengths)
		}
		return l.pace(everywhere, phase)
	}
	all := make([]int, len(l.Sites))
	for i := range all {
		all[i] = i
	}
	if lengths := l.lengths(all, phase); len(lengths) > 0 {
		return median(lengths)
	}
	if expected := l.Plan.Phases[phase].Expected; expected > 0 {
		return expected
	}
	return forever
}

// everywhere stands for a wave where all sites are meant.
const everywhere = -1

// lengths returns how long sites took for a phase, from the start of the first attempt to the first pass. A phase that was skipped says nothing about its length.
func (l *look) lengths(sites []int, phase int) []time.Duration {
	var lengths []time.Duration
	for _, site := range sites {
		if s := l.stretches[site][phase]; s.passed && !s.skipped && s.end >= s.start {
			lengths = append(lengths, s.end-s.start)
		}
	}
	return lengths
}

func median(lengths []time.Duration) time.Duration {
	slices.Sort(lengths)
	half := len(lengths) / 2
	if len(lengths)%2 == 1 {
		return lengths[half]
	}
	return lengths[half-1] + (lengths[half]-lengths[half-1])/2
}
