package gate_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

func TestReadinessIsTheWeightOfWhatIsMetNow(t *testing.T) {
	for name, tc := range map[string]struct {
		states  []string
		weights []int32
		want    int32
	}{
		"all are met":                         {[]string{"good", "good"}, []int32{1, 1}, 100},
		"none is":                             {[]string{"bad", "silent"}, []int32{1, 1}, 0},
		"by weight":                           {[]string{"good", "bad"}, []int32{3, 1}, 75},
		"rounded down":                        {[]string{"good", "bad", "silent"}, []int32{1, 1, 1}, 33},
		"how long it has been met":            {[]string{"holding", "bad"}, []int32{1, 1}, 50},
		"what decides nothing counts nothing": {[]string{"good", "bad", "advisory"}, []int32{1, 1, 98}, 50},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{evidence: map[string]gate.Evidence{}, now: at(1)}
			g := gate.Gate{Name: "ready"}
			for i, state := range tc.states {
				advisory := state == "advisory"
				if advisory {
					state = "good"
				}
				c := stateOf(t, w, fmt.Sprint(i), state)
				c.Weight = tc.weights[i]
				if advisory {
					c.Importance = v1alpha1.ImportanceAdvisory
				}
				g.Criteria = append(g.Criteria, c)
			}
			before := fmt.Sprintf("%+v", g)
			if got := gate.Readiness(g, w.facts()); got != tc.want {
				t.Errorf("%d%%, want %d%%", got, tc.want)
			}
			if diff := cmp.Diff(before, fmt.Sprintf("%+v", g)); diff != "" {
				t.Errorf("asking changes the gate (-before +after):\n%s", diff)
			}
		})
	}
}
