package sequence

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// ofDates are about planned dates: prepare is expected to take 30m, migrate 1h and golive 3h, which is much longer than it takes; the pilot is planned for 8 o'clock, and region for the moment when the pilot
// is to be over.
func ofDates() []scenario {
	expected := func(name string, length v1alpha1.Duration) func(*scenario) {
		return with(name, func(p *v1alpha1.RolloutPhase) { p.Spec.Expected = length })
	}
	planned := plan(func(p *v1alpha1.CRMRolloutSpec) {
		starts := []metav1.Time{metav1.NewTime(began), metav1.NewTime(began.Add(4*hour + 30*minute))}
		p.Waves[0].PlannedStart, p.Waves[1].PlannedStart = &starts[0], &starts[1]
	})
	return []scenario{
		programme("late-and-catches-up", expected("prepare", "30m"), expected("migrate", "1h"), expected("golive", "3h"), planned,
			declared(site("kiel", "pilot")), bad("hq", 20*minute, 340*minute), lasting(8*hour)),
	}
}

// delays are the waves, and the phases of them, that rollouts mark as late.
func delays(a *api) []string {
	var lines []string
	for _, r := range all[*v1alpha1.CRMRollout](a) {
		if r.Status.Forecast == nil {
			continue
		}
		var late []string
		for _, w := range r.Status.Forecast.Waves {
			if w.Late {
				late = append(late, w.Name)
			}
			for _, p := range w.Phases {
				if p.Late {
					late = append(late, w.Name+"/"+p.Name)
				}
			}
		}
		if len(late) > 0 {
			lines = append(lines, r.Name+": late: "+strings.Join(late, ", "))
		}
	}
	return lines
}
