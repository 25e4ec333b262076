package admit

import (
	"fmt"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// waves tells the state of each wave. A wave without sites has not completed: its sites may be on their way, or its selector may be wrong, and in both cases
// it would be an error to begin with the sites that were meant to come after them.
func waves(p plan.Plan, sites []Site) []Wave {
	total, left := map[string]int{}, map[string]int{}
	for _, s := range sites {
		total[s.Wave]++
		if s.Next < len(p.Phases) {
			left[s.Wave]++
		}
	}
	finished := func(wave string) bool { return total[wave] > 0 && left[wave] == 0 }
	states := make([]Wave, 0, len(p.Waves))
	for _, w := range p.Waves {
		state := Wave{Name: w.Name, State: v1alpha1.WaveOpen}
		switch {
		case w.After != "" && !finished(w.After):
			state.State, state.Message = v1alpha1.WaveClosed, closedMessage(w.After, total[w.After])
		case finished(w.Name):
			state.State = v1alpha1.WaveCompleted
		}
		states = append(states, state)
	}
	return states
}

// closedMessage does not count the sites that are left: the number changes with every site that completes, and each change would be written to every waiting site.
func closedMessage(after string, total int) string {
	if total == 0 {
		return fmt.Sprintf("it comes after wave %s, which selects no site", after)
	}
	return fmt.Sprintf("it comes after wave %s, which has not completed", after)
}
