package forecast

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// forever is how far away something is that nobody knows. No length of time is longer.
const forever = time.Duration(math.MaxInt64)

// after adds two lengths of time that are not negative; forever is never left.
func after(a, b time.Duration) time.Duration {
	if a > forever-b {
		return forever
	}
	return a + b
}

// play is the rest of a rollout, played to its end as if nothing but slots and barriers kept sites: each phase takes what it took so far. A site keeps its slot from phase to phase, as
// those get slots first that have begun.
type play struct {
	*look
	now    time.Duration
	agenda agenda
	// queues of the sites of each wave that wait for a slot, in the order in which they get one.
	queues [][]int
	// opens is when each wave opens; forever while that is not known.
	opens []time.Duration
	// far counts the sites that have come far enough for the barrier in front of each wave.
	far []int
	// busy slots of each wave, and of the rollout.
	busy []int
	all  int
	// total number of sites in waves.
	total int
	// left counts the sites of each wave, for each phase, that have not begun what ends it.
	left [][]int
	ends [][]time.Duration
}

// playOut returns for each phase of each wave when the last of its sites passes it; forever when nobody knows.
func playOut(l *look) [][]time.Duration {
	waves := len(l.Plan.Waves)
	p := &play{look: l, queues: make([][]int, waves), opens: make([]time.Duration, waves), far: make([]int, waves), busy: make([]int, waves)}
	for range l.Plan.Waves {
		p.left, p.ends = append(p.left, make([]int, len(l.Plan.Phases))), append(p.ends, make([]time.Duration, len(l.Plan.Phases)))
	}
	for w := range l.Plan.Waves {
		p.total += len(l.members[w])
		p.queue(w)
	}
	p.stray()
	for w := range l.Plan.Waves {
		p.close(w)
	}
	for p.fill(); len(p.agenda) > 0; p.fill() {
		p.happen(heap.Pop(&p.agenda).(event))
	}
	for w := range p.ends {
		for i := range p.ends[w] {
			if p.left[w][i] > 0 || len(l.members[w]) == 0 {
				p.ends[w][i] = forever
			}
		}
	}
	return p.ends
}

// queue puts the sites of a wave in line. Those in which a phase runs have their slots. Of those that have not begun, one takes as long as another.
func (p *play) queue(wave int) {
	for _, site := range p.members[wave] {
		running, waits := false, false
		for i, s := range p.stretches[site] {
			if !s.passed {
				p.left[wave][i]++
				waits, running = true, running || s.runs
			}
		}
		switch {
		case running:
			p.start(site, wave)
		case waits:
			p.queues[wave] = append(p.queues[wave], site)
		}
	}
	slices.SortFunc(p.queues[wave], func(a, b int) int {
		return cmp.Or(p.urgency(a).compare(p.urgency(b)), cmp.Compare(p.Sites[a].Name, p.Sites[b].Name))
	})
}

// stray lets sites that belong to no wave any more finish the phase that they are in: until then they take up slots of the rollout.
func (p *play) stray() {
	for site := range p.Sites {
		if _, in := p.index[p.Sites[site].Wave]; in {
			continue
		}
		for i, s := range p.stretches[site] {
			if s.runs {
				p.all++
				p.note(event{at: p.remaining(everywhere, i, s), kind: slotFree, wave: everywhere})
			}
		}
	}
}

// close says when a wave opens. A wave that has not begun is expected to begin no sooner than planned: people are booked for that day.
func (p *play) close(wave int) {
	known, opens := p.Waves[wave], time.Duration(0)
	switch {
	case known.State != v1alpha1.WaveClosed:
	case !known.OpensAt.IsZero():
		opens = max(0, known.OpensAt.Sub(p.Now))
	default:
		opens = forever
	}
	p.open(wave, opens)
	if opens < forever {
		return
	}
	// Those who will come far enough have been noted when they started; these have already.
	barrier := p.Plan.Waves[wave].After
	for _, site := range p.awaited(wave) {
		if p.hasPassed(site, barrier.Phase) {
			p.far[wave]++
		}
	}
	p.reach(wave)
}

func (p *play) open(wave int, at time.Duration) {
	begun := slices.ContainsFunc(p.members[wave], func(site int) bool { return len(p.Sites[site].Records) > 0 })
	if start := p.Plan.Waves[wave].PlannedStart; !begun && !start.IsZero() {
		at = max(at, start.Sub(p.Now))
	}
	p.opens[wave] = at
	p.note(event{at: at, kind: waveOpens, wave: wave})
}

// awaited returns the sites that the barrier in front of a wave looks at.
func (p *play) awaited(wave int) []int {
	barrier := p.Plan.Waves[wave].After
	if barrier == nil {
		return nil
	}
	if before, known := p.index[barrier.Wave]; known {
		return p.members[before]
	}
	return nil
}

// reach opens a wave when enough sites have come far enough.
func (p *play) reach(wave int) {
	barrier := p.Plan.Waves[wave].After
	total := len(p.awaited(wave))
	if barrier == nil || total == 0 || p.opens[wave] != forever {
		return
	}
	needed := total
	if barrier.AtLeast != nil {
		needed = barrier.AtLeast.Up(total)
	}
	if p.far[wave] >= needed {
		p.open(wave, after(p.now, barrier.Soak))
	}
}

func (p *play) hasPassed(site, phase int) bool {
	return !slices.ContainsFunc(p.stretches[site][:phase+1], func(s stretch) bool { return !s.passed })
}

// happen does what stands in the agenda next.
func (p *play) happen(e event) {
	p.now = e.at
	switch e.kind {
	case slotFree:
		p.all--
		if e.wave != everywhere {
			p.busy[e.wave]--
		}
	case farEnough:
		p.far[e.wave]++
		p.reach(e.wave)
	}
}

// fill gives free slots to sites, in the order in which admission does: to those that have begun first, the furthest first, then by waves.
func (p *play) fill() {
	for {
		best := -1
		for w := range p.queues {
			if p.mayStart(w) && (best < 0 || p.urgency(p.queues[w][0]).compare(p.urgency(p.queues[best][0])) < 0) {
				best = w
			}
		}
		if best < 0 {
			return
		}
		site := p.queues[best][0]
		p.queues[best] = p.queues[best][1:]
		p.start(site, best)
	}
}

// mayStart reports whether the first site in a wave's line can start.
func (p *play) mayStart(wave int) bool {
	if len(p.queues[wave]) == 0 {
		return false
	}
	begun := len(p.Sites[p.queues[wave][0]].Records) > 0
	return (begun || p.opens[wave] <= p.now) && below(p.all, p.total, p.Plan.MaxConcurrent) && below(p.busy[wave], len(p.members[wave]), p.Plan.Waves[wave].MaxConcurrent)
}

func below(busy, total int, limit *plan.Limit) bool {
	return limit == nil || busy < max(1, limit.Down(total))
}

// start lets a site go through the phases that it has not passed, the one that runs first.
func (p *play) start(site, wave int) {
	p.all++
	p.busy[wave]++
	passes := make([]time.Duration, len(p.stretches[site]))
	at := p.now
	for i, s := range p.stretches[site] {
		if s.runs {
			at = p.remaining(wave, i, s)
			passes[i] = at
		}
	}
	for i, s := range p.stretches[site] {
		if !s.passed && !s.runs {
			at = after(at, p.pace(wave, i))
			passes[i] = at
		}
	}
	for i, s := range p.stretches[site] {
		if !s.passed {
			p.left[wave][i]--
			p.ends[wave][i] = max(p.ends[wave][i], passes[i])
		}
	}
	p.note(event{at: at, kind: slotFree, wave: wave})
	for w := range p.Plan.Waves {
		if barrier := p.Plan.Waves[w].After; barrier != nil && barrier.Wave == p.Plan.Waves[wave].Name && !p.hasPassed(site, barrier.Phase) {
			p.note(event{at: slices.Max(passes[:barrier.Phase+1]), kind: farEnough, wave: w})
		}
	}
}

// remaining returns how long a phase still takes that runs: nothing when it has taken longer than the others already, as it may end now.
func (p *play) remaining(wave, phase int, s stretch) time.Duration {
	pace := p.pace(wave, phase)
	if pace == forever {
		return forever
	}
	return max(0, s.start+pace)
}

// urgency is what decides before everything else who gets a slot: whether a site has begun, and how many phases it has passed without a gap.
type urgency struct{ begun, far int }

func (u urgency) compare(v urgency) int {
	return cmp.Or(-cmp.Compare(u.begun, v.begun), -cmp.Compare(u.far, v.far))
}

func (p *play) urgency(site int) urgency {
	u := urgency{begun: min(1, len(p.Sites[site].Records))}
	for _, s := range p.stretches[site] {
		if !s.passed {
			break
		}
		u.far++
	}
	return u
}
