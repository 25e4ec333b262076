package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

func TestWritesAreSharedAmongSites(t *testing.T) {
	for name, test := range map[string]struct {
		count float64
		want  []int
	}{
		"evenly":              {6, []int{2, 2, 2}},
		"the rest goes on":    {7, []int{3, 2, 2}},
		"fewer than sites":    {2, []int{1, 1, 0}},
		"nothing was written": {0, []int{0, 0, 0}},
	} {
		if diff := cmp.Diff(test.want, share(test.count, 3)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestSeriesOfWritesAreMixedAndKeepTheirOrder(t *testing.T) {
	var told []string
	series := func(name string, count int) script {
		var all script
		for i := range count {
			all = append(all, func(context.Context) error {
				told = append(told, name+string(rune('1'+i)))
				return nil
			})
		}
		return all
	}
	for _, write := range interleave(series("a", 2), series("b", 4), series("c", 0), series("d", 1)) {
		if err := write(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := strings.Join(told, " "), "a1 b1 d1 b2 a2 b3 b4"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPatchesOfTheFloorHaveTheStepsOfTheCourse(t *testing.T) {
	for name, test := range map[string]struct {
		patches, steps int
		want           []int
	}{
		"one for each step after joining":        {6, 7, []int{2, 3, 4, 5, 6, 7}},
		"refused ones are made again":            {9, 7, []int{2, 3, 3, 4, 5, 5, 6, 7, 7}},
		"fewer, when two steps went into one":    {3, 7, []int{3, 5, 7}},
		"a story in which nothing happens after": {2, 1, []int{1, 1}},
	} {
		var got []int
		for i := range test.patches {
			got = append(got, stepsBy(i, test.patches, test.steps))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAStatusUpToAStepHasWhatWasThereThen(t *testing.T) {
	status := crmv1.SiteRolloutStatus{
		Transitions: []crmv1.Transition{{Sequence: 1}, {Sequence: 2, Phase: "a", Attempt: 1}, {Sequence: 3, Phase: "a", Attempt: 1}, {Sequence: 4, Phase: "b", Attempt: 1}, {Sequence: 5, Phase: "b", Attempt: 1}},
		Phases:      []crmv1.PhaseRecord{{Name: "a"}, {Name: "b"}},
	}
	var got []int
	for steps := range len(status.Transitions) + 1 {
		part := upTo(status, steps)
		if len(part.Transitions) != steps {
			t.Errorf("after step %d there are %d steps", steps, len(part.Transitions))
		}
		got = append(got, len(part.Phases))
	}
	if diff := cmp.Diff([]int{0, 0, 1, 1, 2, 2}, got); diff != "" {
		t.Errorf("phases after each step (-want +got):\n%s", diff)
	}
	if len(status.Transitions) != 5 || len(status.Phases) != 2 {
		t.Error("the story itself was cut")
	}
}

func TestMovesClaims(t *testing.T) {
	admission := request{"PATCH", crmv1.GroupVersion.Group, "siterollouts", ""}
	good := func() moves {
		writes := map[request]float64{admission: 22, {"POST", "events.k8s.io", "events", ""}: 40}
		size := map[request]bodies{sitePatches: {10, 20000}}
		return moves{sites: 10, phases: 2, cost: cost{writes: writes, refused: map[request]float64{admission: 2}, length: 19 * time.Second, bodies: size},
			floor: floor{writers: 4, took: 10 * time.Second, writes: writes, bodies: size, model: size}}
	}
	for name, test := range map[string]struct {
		change func(*moves)
		broken string
	}{
		"as promised":                    {func(*moves) {}, ""},
		"an admission is missing":        {func(m *moves) { m.cost.refused = map[request]float64{admission: 3} }, "every site went"},
		"an admission too much":          {func(m *moves) { m.cost.refused = nil }, "every site went"},
		"a reconcile failed":             {func(m *moves) { m.cost.failures = 1 }, "every site went"},
		"nothing happened":               {func(m *moves) { m.sites = 0 }, "every site went"},
		"the floor has other writes":     {func(m *moves) { m.floor.writes = map[request]float64{admission: 62} }, "the floor"},
		"the floor has shorter writes":   {func(m *moves) { m.floor.bodies = map[request]bodies{sitePatches: {10, 9000}} }, "the floor"},
		"it takes twice as long exactly": {func(m *moves) { m.cost.length = 20 * time.Second }, ""},
		"it takes longer":                {func(m *moves) { m.cost.length = 21 * time.Second }, "10 sites through"},
		"the floor took no time":         {func(m *moves) { m.floor.took = 0 }, "10 sites through"},
	} {
		t.Run(name, func(t *testing.T) {
			m := good()
			test.change(&m)
			for _, claim := range m.claims() {
				if wrong := test.broken != "" && strings.HasPrefix(claim.what, test.broken); claim.holds == wrong {
					t.Errorf("holds: %t: %s", claim.holds, claim)
				}
			}
		})
	}
}

func TestCompletedClaims(t *testing.T) {
	good := cost{sites: 100, length: 5 * time.Minute, cpu: 2 * time.Second}
	for name, test := range map[string]struct {
		change func(*cost)
		broken string
	}{
		"as promised":        {func(*cost) {}, ""},
		"a write":            {func(c *cost) { c.writes = map[request]float64{{verb: "PATCH", resource: "kpis"}: 1} }, "100 completed sites for"},
		"a site moved":       {func(c *cost) { c.moved = 1 }, "100 completed sites for"},
		"a reconcile failed": {func(c *cost) { c.failures = 1 }, "100 completed sites for"},
		"busy":               {func(c *cost) { c.cpu = 3 * time.Second }, "100 completed sites: "},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			test.change(&c)
			for _, claim := range completedClaims(c) {
				if wrong := test.broken != "" && strings.HasPrefix(claim.what, test.broken); claim.holds == wrong {
					t.Errorf("holds: %t: %s", claim.holds, claim)
				}
			}
		})
	}
}
