package sequence

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	rollouts     = flag.Int("rollouts", 300, "random rollouts to play; 10000 for the proof")
	rolloutsSeed = flag.Uint64("rollouts-seed", 1, "the seed from which random rollouts are drawn")
)

// TestRandomRollouts draws rollouts of up to 50 sites with random plans, numbers, edits and orders of events, and plays them with stale caches, lost answers, crashes, restarts and
// clocks that differ. Nothing happens that must not. What they came to is counted, so that the draws cannot become harmless without anybody noticing.
func TestRandomRollouts(t *testing.T) {
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa(*rollouts), "rapid.seed": strconv.FormatUint(*rolloutsSeed, 10)} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	seen := newCoverage()
	rapid.Check(t, func(t *rapid.T) {
		d := &draws{t: t}
		s := d.sim(d.rollout())
		s.watch = seen.change
		s.run()
		if len(s.judge.broken) > 0 {
			t.Fatalf("this must never happen:\n%s\n%s\n%s", strings.Join(s.judge.broken, "\n"), describe(s.scenario), s.story.String())
		}
		seen.end(s)
	})
	t.Log("\n" + seen.String())
	for _, missing := range seen.missing() {
		t.Errorf("no random rollout came to this: %s", missing)
	}
}

// sim draws in which order things happen, and what goes wrong.
func (d *draws) sim(s scenario) *sim {
	if !d.often(95, "random order") {
		return newSim(s, newQuickAPI(), nil)
	}
	sim := newSim(s, newQuickAPI(), rand.New(rand.NewPCG(rapid.Uint64().Draw(d.t, "order"), 1)))
	sim.chaos.calm = !d.often(90, "things go wrong")
	sim.chaos.longest = one(d, "a cache is stuck at most", 3*time.Second, time.Minute, 15*minute)
	sim.chaos.drift = one(d, "clocks differ at most", 0, 2*time.Second, 20*time.Second)
	return sim
}

// describe tells what was declared, for whoever has to find out why something happened.
func describe(s scenario) string {
	var text strings.Builder
	for _, o := range s.objects {
		fmt.Fprintf(&text, "%s %s %v: %s\n", kindOf(o), o.GetName(), o.GetLabels(), compact(specOf(o)))
	}
	fmt.Fprintf(&text, "numbers: %v\ndown: %v\n", s.numbers, s.down)
	return text.String()
}
