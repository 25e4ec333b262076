package sequence

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	seeds = flag.Uint64("seeds", 3, "random orders of each scenario; 3 make more than 100 in all, take more for a longer search")
	seed  = flag.Uint64("seed", 0, "the first random order, to play one again that failed, with -seeds=1")
)

// TestRandomOrders plays every scenario in many orders, with caches that lag behind, lost answers, spurious reconciles, crashes and restarts. Whatever happens,
// nothing happens that must not, and everything ends as in the fixed order.
func TestRandomOrders(t *testing.T) {
	for _, scenario := range scenarios() {
		t.Run(scenario.name, func(t *testing.T) {
			t.Parallel()
			fixed := newSim(scenario, newQuickAPI(), nil)
			fixed.run()
			for n := *seed; n < *seed+*seeds; n++ {
				s := newSim(scenario, newQuickAPI(), rand.New(rand.NewPCG(n, 1)))
				s.run()
				problems := strings.Join(s.judge.broken, "\n")
				if diff := cmp.Diff(fixed.ending(), s.ending()); diff != "" && problems == "" {
					problems = fmt.Sprintf("it does not end as in the fixed order (-fixed +now):\n%s", diff)
				}
				if problems != "" {
					t.Fatalf("seed %d: %s\nplay it again with -run '%s$' -seed=%d -seeds=1\n%s", n, problems, t.Name(), n, s.story.String())
				}
			}
		})
	}
}
