package admit

import (
	"fmt"
	"slices"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// Wave tells whether a wave's sites may start.
type Wave struct {
	// Name of the wave.
	Name string
	// State of the wave.
	State v1alpha1.WaveState
	// OpensAt is when the soak before the wave ends; zero when it has ended, or has not begun.
	OpensAt time.Time
	// Unranked is true while the sites of the wave are still to be ranked, which keeps those that have not begun from beginning.
	Unranked bool
	// TooManyFailures keeps sites of an open wave that have not begun from beginning.
	TooManyFailures bool
	// AbortedBy is the site whose failure keeps every site of the rollout from starting a phase; empty when none does.
	AbortedBy string
	// Message says what a closed wave waits for, or why no further site of an open one begins.
	Message string
}

// waves tells the state of each wave. A wave without sites has not completed: its sites may be on their way, or its selector may be wrong, and in both cases
// it would be an error to begin with the sites that were meant to come after them.
func waves(p plan.Plan, sites []Site, counted counts, unranked map[string]string, now time.Time) []Wave {
	states := make([]Wave, 0, len(p.Waves))
	for i, w := range p.Waves {
		state := Wave{Name: w.Name, State: v1alpha1.WaveOpen}
		if w.After != nil {
			state.await(p, *w.After, sites, counted, unranked, now)
		}
		if mine := counted.waves[i]; state.State == v1alpha1.WaveOpen && mine.total > 0 && mine.left == 0 {
			state.State = v1alpha1.WaveCompleted
		}
		if pending, waits := unranked[w.Name]; waits && state.State == v1alpha1.WaveOpen {
			state.Unranked, state.Message = true, pending
		}
		state.limitFailures(p, w, counted.waves[i], counted.all)
		states = append(states, state)
	}
	return states
}

// await closes a wave until enough sites of another one have come far enough, and for the soak after that. The moment at which enough had is that of the last needed site,
// as the sites' records tell it: whoever looks, and when, it is the same.
func (w *Wave) await(p plan.Plan, barrier plan.Barrier, sites []Site, counted counts, unranked map[string]string, now time.Time) {
	total, needed := 0, 0
	var passed []time.Time
	if index, known := counted.index[barrier.Wave]; known {
		total = counted.waves[index].total
		for _, member := range counted.members[index] {
			if s := &sites[member]; len(s.Passed) > barrier.Phase {
				passed = append(passed, s.Passed[barrier.Phase])
			}
		}
	}
	if needed = total; barrier.AtLeast != nil {
		needed = barrier.AtLeast.Up(total)
	}
	if total == 0 || len(passed) < needed {
		w.State, w.Message = v1alpha1.WaveClosed, closedMessage(p, barrier, total)
		if _, waits := unranked[barrier.Wave]; waits && total == 0 && p.Wave(barrier.Wave).Pick > 0 {
			w.Message = fmt.Sprintf("it comes after wave %s, whose sites have not been picked", barrier.Wave)
		}
		return
	}
	slices.SortFunc(passed, time.Time.Compare)
	reached := passed[needed-1]
	if opens := reached.Add(barrier.Soak); now.Before(opens) {
		w.State, w.OpensAt = v1alpha1.WaveClosed, opens
		w.Message = fmt.Sprintf("it opens at %s, %s after wave %s came far enough", opens.UTC().Format(time.RFC3339), v1alpha1.FormatDuration(barrier.Soak), barrier.Wave)
	}
}

// closedMessage does not count the sites that are left: the number changes with every site that completes, and each change would be written to every waiting site.
func closedMessage(p plan.Plan, barrier plan.Barrier, total int) string {
	everyPhase := barrier.Phase == len(p.Phases)-1
	switch {
	case total == 0:
		return fmt.Sprintf("it comes after wave %s, which selects no site", barrier.Wave)
	case barrier.AtLeast == nil && everyPhase:
		return fmt.Sprintf("it comes after wave %s, which has not completed", barrier.Wave)
	}
	phase := "every phase"
	if !everyPhase {
		phase = "phase " + p.Phases[barrier.Phase].Name
	}
	who := "all sites"
	switch least := barrier.AtLeast; {
	case least == nil:
	case *least == plan.Limit{Number: 1}:
		who = "at least one site"
	case least.Percent:
		who = fmt.Sprintf("at least %s of the sites", least)
	default:
		who = fmt.Sprintf("at least %s sites", least)
	}
	message := fmt.Sprintf("it comes after wave %s, of which %s must have passed %s", barrier.Wave, who, phase)
	if barrier.AtLeast != nil && barrier.AtLeast.Up(total) > total {
		message += fmt.Sprintf("; the wave has only %d", total)
	}
	return message
}

// limitFailures stops the sites of an open wave that have not begun while more sites are failed than is allowed. The message does not count them: it is written to every waiting site.
func (w *Wave) limitFailures(p plan.Plan, planned plan.Wave, mine, all tally) {
	if w.State != v1alpha1.WaveOpen {
		return
	}
	message := ""
	switch {
	case all.beyond(p.MaxFailures):
		message = fmt.Sprintf("no further site begins while more sites are failed than maxFailures of the rollout allows, which is %s", ofItsSites(*p.MaxFailures))
	case mine.beyond(planned.MaxFailures):
		message = fmt.Sprintf("no further site begins while more sites of wave %s are failed than its maxFailures allows, which is %s", w.Name, ofItsSites(*planned.MaxFailures))
	default:
		return
	}
	w.TooManyFailures = true
	if !w.Unranked {
		w.Message = message
	}
}

func ofItsSites(limit plan.Limit) string {
	if limit.Percent {
		return limit.String() + " of its sites"
	}
	return limit.String()
}

// WaveFrom returns what the status of a rollout tells of one of its waves, as the last Decision left it; the zero Wave when the plan or the status has none of that name.
func WaveFrom(p plan.Plan, status v1alpha1.CRMRolloutStatus, name string) Wave {
	planned := p.Wave(name)
	if planned == nil {
		return Wave{}
	}
	for _, known := range status.Waves {
		if known.Name != name {
			continue
		}
		wave := Wave{Name: name, State: known.State, Message: known.Message, AbortedBy: status.AbortedBy}
		if known.OpensAt != nil {
			wave.OpensAt = known.OpensAt.Time
		}
		wave.Unranked = wave.State == v1alpha1.WaveOpen && len(planned.RankBy) > 0 && known.RankedAt == nil
		wave.limitFailures(p, *planned, tallied(known.Sites), tallied(status.Sites))
		return wave
	}
	return Wave{}
}

func tallied(c v1alpha1.SiteCounts) tally {
	return tally{total: int(c.Total), failed: int(c.Failed)}
}
