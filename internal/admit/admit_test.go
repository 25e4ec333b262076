package admit_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/plan"
)

// threePhases is a plan of assess, migrate and golive, with waves given as "name" or "name>after".
func threePhases(waves ...string) plan.Plan {
	p := plan.Plan{Phases: []plan.Phase{{Name: "assess"}, {Name: "migrate"}, {Name: "golive"}}, Through: 2}
	for _, w := range waves {
		name, after, waits := strings.Cut(w, ">")
		wave := plan.Wave{Name: name, Through: 2, Selector: labels.Nothing()}
		if waits {
			wave.After = &plan.Barrier{Wave: after, Phase: 2}
		}
		p.Waves = append(p.Waves, wave)
	}
	return p
}

func with(p plan.Plan, change func(*plan.Plan)) plan.Plan {
	p.Waves = slices.Clone(p.Waves)
	change(&p)
	return p
}

func fresh(name, wave string) admit.Site { return admit.Site{Name: name, Wave: wave} }

var monday = time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)

// passing returns that each of so many phases was passed on another day, the first on monday.
func passing(phases int) []time.Time {
	passed := make([]time.Time, 0, phases)
	for i := range phases {
		passed = append(passed, monday.AddDate(0, 0, i))
	}
	return passed
}

// now is after everything that the tests tell of.
var now = monday.AddDate(1, 0, 0)

// after is a site that has passed so many phases and is admitted to no other.
func after(name, wave string, passed int) admit.Site {
	return admit.Site{Name: name, Wave: wave, Next: passed, Begun: true, Passed: passing(passed)}
}

// in is a site in a phase.
func in(name, wave string, phase int) admit.Site {
	return admit.Site{Name: name, Wave: wave, Next: phase, Admitted: true, Running: true, Begun: true, Passed: passing(phase)}
}

// broken is a site whose first attempt has failed.
func broken(name, wave string) admit.Site {
	s := in(name, wave, 0)
	s.Failed = true
	return s
}

func TestSlotsAreGivenInOrder(t *testing.T) {
	one := with(threePhases("pilot", "rest"), func(p *plan.Plan) { p.MaxConcurrent = &plan.Limit{Number: 1} })
	two := with(threePhases("pilot", "rest"), func(p *plan.Plan) { p.MaxConcurrent = &plan.Limit{Number: 2} })
	for name, tc := range map[string]struct {
		plan     plan.Plan
		sites    []admit.Site
		admitted []string
		inFlight int
	}{
		"without a limit everybody starts, in the order of waves and names": {threePhases("pilot", "rest"),
			[]admit.Site{fresh("a", "rest"), fresh("c", "pilot"), fresh("b", "pilot")}, []string{"b assess", "c assess", "a assess"}, 3},
		"with a limit the first ones start":               {two, []admit.Site{fresh("c", "pilot"), fresh("a", "rest"), fresh("b", "pilot")}, []string{"b assess", "c assess"}, 2},
		"a site in a phase takes up a slot":               {one, []admit.Site{in("z", "rest", 0), fresh("a", "pilot")}, nil, 1},
		"a site admitted to a phase takes up a slot":      {one, []admit.Site{{Name: "z", Wave: "rest", Admitted: true}, fresh("a", "pilot")}, nil, 1},
		"a completed site takes up none":                  {one, []admit.Site{after("z", "rest", 3), fresh("a", "pilot")}, []string{"a assess"}, 1},
		"a begun site comes before one that has not":      {one, []admit.Site{fresh("a", "pilot"), after("z", "rest", 1)}, []string{"z migrate"}, 1},
		"the furthest of the begun ones comes first":      {one, []admit.Site{after("a", "pilot", 1), after("z", "rest", 2)}, []string{"z golive"}, 1},
		"a begun site comes first even at the first step": {one, []admit.Site{fresh("a", "pilot"), {Name: "z", Wave: "rest", Begun: true}}, []string{"z assess"}, 1},
		"beyond the limit nobody starts":                  {one, []admit.Site{in("x", "pilot", 0), in("y", "pilot", 1), fresh("a", "pilot")}, nil, 2},
		"a site past through leaves its slot to another": {with(one, func(p *plan.Plan) { p.Through = 0 }),
			[]admit.Site{after("z", "rest", 1), fresh("a", "pilot")}, []string{"a assess"}, 1},
		"nobody starts in a plan with mistakes": {with(two, func(p *plan.Plan) { p.Mistakes = []plan.Mistake{{Problem: "wrong"}} }), []admit.Site{fresh("a", "pilot")}, nil, 0},
		"a wave has slots of its own": {with(threePhases("pilot", "rest"), func(p *plan.Plan) { p.Waves[0].MaxConcurrent = &plan.Limit{Number: 1} }),
			[]admit.Site{fresh("a", "pilot"), fresh("b", "pilot"), fresh("c", "rest"), fresh("d", "rest")}, []string{"a assess", "c assess", "d assess"}, 3},
		"the rollout's slots hold for all waves together": {with(two, func(p *plan.Plan) { p.Waves[0].MaxConcurrent = &plan.Limit{Number: 2} }),
			[]admit.Site{fresh("a", "pilot"), in("b", "rest", 0), fresh("c", "pilot")}, []string{"a assess"}, 2},
		"a percentage of the rollout's sites is rounded down": {with(two, func(p *plan.Plan) { p.MaxConcurrent = &plan.Limit{Number: 50, Percent: true} }),
			[]admit.Site{fresh("a", "pilot"), fresh("b", "pilot"), fresh("c", "rest")}, []string{"a assess"}, 1},
		"but never to less than one": {with(two, func(p *plan.Plan) { p.MaxConcurrent = &plan.Limit{Number: 1, Percent: true} }),
			[]admit.Site{fresh("a", "pilot"), fresh("b", "pilot")}, []string{"a assess"}, 1},
		"a percentage of a wave is one of its own sites": {with(threePhases("pilot", "rest"), func(p *plan.Plan) { p.Waves[1].MaxConcurrent = &plan.Limit{Number: 50, Percent: true} }),
			[]admit.Site{fresh("a", "pilot"), fresh("b", "rest"), fresh("c", "rest"), fresh("d", "rest"), fresh("e", "rest")}, []string{"a assess", "b assess", "c assess"}, 3},
		"a site in no wave takes up a slot of the rollout, and is not one of its sites": {with(two, func(p *plan.Plan) { p.MaxConcurrent = &plan.Limit{Number: 50, Percent: true} }),
			[]admit.Site{in("x", "", 1), fresh("a", "pilot"), fresh("b", "pilot"), fresh("c", "pilot"), fresh("d", "pilot")}, []string{"a assess"}, 2},
		"a wave's through holds its sites and no others": {with(threePhases("pilot", "rest"), func(p *plan.Plan) { p.Waves[0].Through = 0 }),
			[]admit.Site{after("a", "pilot", 1), after("b", "rest", 1)}, []string{"b migrate"}, 1},
		"beyond maxFailures nobody begins, and who has begun goes on": {with(threePhases("pilot", "rest"), func(p *plan.Plan) { p.MaxFailures = &plan.Limit{} }),
			[]admit.Site{broken("x", "pilot"), fresh("a", "pilot"), fresh("b", "rest"), after("c", "rest", 1)}, []string{"c migrate"}, 2},
		"at maxFailures they still do": {with(threePhases("pilot", "rest"), func(p *plan.Plan) { p.MaxFailures = &plan.Limit{Number: 1} }),
			[]admit.Site{broken("x", "pilot"), fresh("a", "pilot")}, []string{"a assess"}, 2},
		"beyond a wave's maxFailures its sites do not begin": {with(threePhases("pilot", "rest"), func(p *plan.Plan) { p.Waves[0].MaxFailures = &plan.Limit{} }),
			[]admit.Site{broken("x", "pilot"), fresh("a", "pilot"), fresh("b", "rest")}, []string{"b assess"}, 2},
		"a percentage of failures is rounded down": {with(threePhases("pilot"), func(p *plan.Plan) { p.MaxFailures = &plan.Limit{Number: 34, Percent: true} }),
			[]admit.Site{broken("x", "pilot"), fresh("a", "pilot")}, nil, 1},
		"nobody starts while suspended":                       {with(two, func(p *plan.Plan) { p.Suspended = true }), []admit.Site{fresh("a", "pilot"), after("b", "pilot", 1)}, nil, 0},
		"a site that no wave selects any more does not start": {two, []admit.Site{after("b", "", 1)}, nil, 0},
		"a site of a wave that the plan does not have waits":  {two, []admit.Site{fresh("b", "gone")}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			decision := admit.Decide(tc.plan, tc.sites, nil, now)
			var admitted []string
			for _, a := range decision.Admissions {
				admitted = append(admitted, a.Site+" "+a.Phase)
			}
			if diff := cmp.Diff(tc.admitted, admitted); diff != "" {
				t.Errorf("admitted (-want +got):\n%s", diff)
			}
			if decision.InFlight != tc.inFlight {
				t.Errorf("%d in flight, want %d", decision.InFlight, tc.inFlight)
			}
		})
	}
}

// barrier is a plan of two waves with a barrier between them.
func barrier(b plan.Barrier) plan.Plan {
	p := threePhases("pilot", "north")
	b.Wave = "pilot"
	p.Waves[1].After = &b
	return p
}

// passedOn is a site of the pilot that passed migrate so many days after monday.
func passedOn(name string, days int) admit.Site {
	s := in(name, "pilot", 2)
	s.Passed[1] = monday.AddDate(0, 0, days)
	return s
}

func TestAWaveOpensWhenTheOneBeforeItHasCompleted(t *testing.T) {
	chain := threePhases("pilot", "north>pilot", "south>north")
	const open, closed, completed = v1alpha1.WaveOpen, v1alpha1.WaveClosed, v1alpha1.WaveCompleted
	for name, tc := range map[string]struct {
		plan  plan.Plan
		sites []admit.Site
		want  []admit.Wave
	}{
		"an empty wave never completes": {chain, []admit.Site{fresh("n", "north")}, []admit.Wave{
			{Name: "pilot", State: open},
			{Name: "north", State: closed, Message: "it comes after wave pilot, which selects no site"},
			{Name: "south", State: closed, Message: "it comes after wave north, which has not completed"}}},
		"one site that is left keeps the next wave closed": {chain, []admit.Site{after("p", "pilot", 3), in("q", "pilot", 2), fresh("n", "north")}, []admit.Wave{
			{Name: "pilot", State: open},
			{Name: "north", State: closed, Message: "it comes after wave pilot, which has not completed"},
			{Name: "south", State: closed, Message: "it comes after wave north, which has not completed"}}},
		"a completed wave opens the next and no more": {chain, []admit.Site{after("p", "pilot", 3), fresh("n", "north"), fresh("s", "south")}, []admit.Wave{
			{Name: "pilot", State: completed}, {Name: "north", State: open},
			{Name: "south", State: closed, Message: "it comes after wave north, which has not completed"}}},
		"a chain completes to its end": {chain, []admit.Site{after("p", "pilot", 3), after("n", "north", 3), after("s", "south", 3)}, []admit.Wave{
			{Name: "pilot", State: completed}, {Name: "north", State: completed}, {Name: "south", State: completed}}},
		"a new site closes what had opened": {chain, []admit.Site{after("p", "pilot", 3), fresh("q", "pilot"), after("n", "north", 1)}, []admit.Wave{
			{Name: "pilot", State: open},
			{Name: "north", State: closed, Message: "it comes after wave pilot, which has not completed"},
			{Name: "south", State: closed, Message: "it comes after wave north, which has not completed"}}},
		"a barrier of a phase": {barrier(plan.Barrier{Phase: 0}), []admit.Site{after("p", "pilot", 1), fresh("q", "pilot")}, []admit.Wave{
			{Name: "pilot", State: open}, {Name: "north", State: closed, Message: "it comes after wave pilot, of which all sites must have passed phase assess"}}},
		"that phase is passed": {barrier(plan.Barrier{Phase: 0}), []admit.Site{after("p", "pilot", 1), in("q", "pilot", 2)}, []admit.Wave{
			{Name: "pilot", State: open}, {Name: "north", State: open}}},
		"a barrier of a number": {barrier(plan.Barrier{Phase: 2, AtLeast: &plan.Limit{Number: 2}}), []admit.Site{after("p", "pilot", 3), fresh("q", "pilot"), fresh("r", "pilot")}, []admit.Wave{
			{Name: "pilot", State: open}, {Name: "north", State: closed, Message: "it comes after wave pilot, of which at least 2 sites must have passed every phase"}}},
		"that number has passed": {barrier(plan.Barrier{Phase: 2, AtLeast: &plan.Limit{Number: 2}}), []admit.Site{after("p", "pilot", 3), after("q", "pilot", 3), fresh("r", "pilot")}, []admit.Wave{
			{Name: "pilot", State: open}, {Name: "north", State: open}}},
		"a number that the wave does not have": {barrier(plan.Barrier{Phase: 2, AtLeast: &plan.Limit{Number: 2}}), []admit.Site{after("p", "pilot", 3)}, []admit.Wave{
			{Name: "pilot", State: completed}, {Name: "north", State: closed, Message: "it comes after wave pilot, of which at least 2 sites must have passed every phase; the wave has only 1"}}},
		"a percentage is rounded up": {barrier(plan.Barrier{Phase: 1, AtLeast: &plan.Limit{Number: 34, Percent: true}}), []admit.Site{after("p", "pilot", 2), fresh("q", "pilot"), fresh("r", "pilot")}, []admit.Wave{
			{Name: "pilot", State: open}, {Name: "north", State: closed, Message: "it comes after wave pilot, of which at least 34% of the sites must have passed phase migrate"}}},
		"a third of three is one": {barrier(plan.Barrier{Phase: 1, AtLeast: &plan.Limit{Number: 33, Percent: true}}), []admit.Site{after("p", "pilot", 2), fresh("q", "pilot"), fresh("r", "pilot")}, []admit.Wave{
			{Name: "pilot", State: open}, {Name: "north", State: open}}},
		"a percentage of no site": {barrier(plan.Barrier{Phase: 1, AtLeast: &plan.Limit{Number: 1, Percent: true}}), nil, []admit.Wave{
			{Name: "pilot", State: open}, {Name: "north", State: closed, Message: "it comes after wave pilot, which selects no site"}}},
		"a soak counts from the last site that was needed": {barrier(plan.Barrier{Phase: 1, AtLeast: &plan.Limit{Number: 2}, Soak: 500 * day}), []admit.Site{passedOn("p", 9), passedOn("q", 2), passedOn("r", 4)}, []admit.Wave{
			{Name: "pilot", State: open}, {Name: "north", State: closed, OpensAt: monday.AddDate(0, 0, 504), Message: "it opens at 2027-07-19T08:00:00Z, 500d after wave pilot came far enough"}}},
		"a soak that is over": {barrier(plan.Barrier{Phase: 1, Soak: 356 * day}), []admit.Site{passedOn("p", 9)}, []admit.Wave{
			{Name: "pilot", State: open}, {Name: "north", State: open}}},
		"more failures than the rollout allows": {with(threePhases("pilot", "north>pilot"), func(p *plan.Plan) { p.MaxFailures = &plan.Limit{} }), []admit.Site{broken("p", "pilot"), fresh("n", "north")}, []admit.Wave{
			{Name: "pilot", State: open, TooManyFailures: true, Message: "no further site begins while more sites are failed than maxFailures of the rollout allows, which is 0"},
			{Name: "north", State: closed, Message: "it comes after wave pilot, which has not completed"}}},
		"more failures than the wave allows": {with(threePhases("pilot", "north"), func(p *plan.Plan) { p.Waves[0].MaxFailures = &plan.Limit{Number: 10, Percent: true} }), []admit.Site{broken("p", "pilot"), fresh("n", "north")}, []admit.Wave{
			{Name: "pilot", State: open, TooManyFailures: true, Message: "no further site begins while more sites of wave pilot are failed than its maxFailures allows, which is 10% of its sites"},
			{Name: "north", State: open}}},
		"two waves may come after the same one": {threePhases("pilot", "north>pilot", "south>pilot"), []admit.Site{after("p", "pilot", 3), fresh("n", "north"), fresh("s", "south")}, []admit.Wave{
			{Name: "pilot", State: completed}, {Name: "north", State: open}, {Name: "south", State: open}}},
		"a wave may come after one that stands below it": {threePhases("a>b", "b"), []admit.Site{fresh("x", "a"), after("y", "b", 3)}, []admit.Wave{
			{Name: "a", State: open}, {Name: "b", State: completed}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, admit.Decide(tc.plan, tc.sites, nil, now).Waves); diff != "" {
				t.Errorf("waves (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAWaitingSiteIsToldWhy(t *testing.T) {
	base := threePhases("pilot")
	full := with(base, func(p *plan.Plan) { p.MaxConcurrent = &plan.Limit{Number: 2} })
	closed := admit.Wave{Name: "pilot", State: v1alpha1.WaveClosed, Message: "it comes after wave x, which has not completed"}
	open := admit.Wave{Name: "pilot", State: v1alpha1.WaveOpen}
	for name, tc := range map[string]struct {
		plan plan.Plan
		site admit.Site
		wave admit.Wave
		want admit.Block
	}{
		"no wave": {base, after("a", "", 1), open, admit.Block{Reason: v1alpha1.ReasonNotInWave, Message: "no wave of the rollout selects this site any more"}},
		"mistakes": {with(base, func(p *plan.Plan) {
			p.Mistakes = []plan.Mistake{{Object: "CRMRollout/r", Field: "spec.through", Problem: "wrong", Remedy: "mend it"}}
			p.Suspended = true
		}), fresh("a", "pilot"), open, admit.Block{Reason: v1alpha1.ReasonPlanInvalid, Message: "the rollout's plan is invalid: CRMRollout/r spec.through: wrong; mend it"}},
		"suspended": {with(base, func(p *plan.Plan) { p.Suspended, p.Through = true, 0 }), after("a", "pilot", 1), open,
			admit.Block{Reason: v1alpha1.ReasonSuspended, Message: "the rollout is suspended"}},
		"past through": {with(base, func(p *plan.Plan) { p.Through = 0 }), after("a", "pilot", 1), open,
			admit.Block{Reason: v1alpha1.ReasonThroughReached, Message: "the rollout goes through phase assess for now"}},
		"wave closed": {full, fresh("a", "pilot"), closed, admit.Block{Reason: v1alpha1.ReasonWaitingForWave, Message: closed.Message}},
		"a begun site is not kept by its wave": {full, after("a", "pilot", 1), closed,
			admit.Block{Reason: v1alpha1.ReasonWaitingForSlot, Message: "the rollout lets 2 sites be in a phase at a time; this one gets a place when it is its turn"}},
		"no slot": {full, fresh("a", "pilot"), open,
			admit.Block{Reason: v1alpha1.ReasonWaitingForSlot, Message: "the rollout lets 2 sites be in a phase at a time; this one gets a place when it is its turn"}},
		"nothing but the next decision": {base, fresh("a", "pilot"), open, admit.Block{Reason: v1alpha1.ReasonWaitingForSlot, Message: "the site is about to be admitted"}},
		"too many failures": {with(full, func(p *plan.Plan) { p.MaxFailures = &plan.Limit{} }), fresh("a", "pilot"), admit.Wave{Name: "pilot", State: v1alpha1.WaveOpen, TooManyFailures: true, Message: "too many"},
			admit.Block{Reason: v1alpha1.ReasonTooManyFailures, Message: "too many"}},
		"too many failures, and the site has begun": {base, after("a", "pilot", 1), admit.Wave{Name: "pilot", State: v1alpha1.WaveOpen, TooManyFailures: true, Message: "too many"},
			admit.Block{Reason: v1alpha1.ReasonWaitingForSlot, Message: "the site is about to be admitted"}},
		"past the wave's through": {with(base, func(p *plan.Plan) { p.Waves[0].Through = 1 }), after("a", "pilot", 2), open,
			admit.Block{Reason: v1alpha1.ReasonThroughReached, Message: "wave pilot goes through phase migrate for now"}},
		"suspended with a reason": {with(base, func(p *plan.Plan) { p.Suspended, p.SuspendReason = true, "audit" }), fresh("a", "pilot"), open,
			admit.Block{Reason: v1alpha1.ReasonSuspended, Message: "the rollout is suspended: audit"}},
		"no slot of the wave": {with(base, func(p *plan.Plan) { p.Waves[0].MaxConcurrent = &plan.Limit{Number: 10, Percent: true} }), fresh("a", "pilot"), open,
			admit.Block{Reason: v1alpha1.ReasonWaitingForSlot, Message: "wave pilot lets 10% of its sites be in a phase at a time; this one gets a place when it is its turn"}},
		"no slot of the rollout or of the wave": {with(full, func(p *plan.Plan) { p.Waves[0].MaxConcurrent = &plan.Limit{Number: 1} }), fresh("a", "pilot"), open,
			admit.Block{Reason: v1alpha1.ReasonWaitingForSlot, Message: "the rollout lets 2 sites be in a phase at a time, and wave pilot lets one site be in a phase at a time; this one gets a place when it is its turn"}},
		"an admitted site may start": {full, admit.Site{Name: "a", Wave: "pilot", Admitted: true}, open, admit.Block{}},
		"an admitted site whose wave closed before it began": {full, admit.Site{Name: "a", Wave: "pilot", Admitted: true}, closed,
			admit.Block{Reason: v1alpha1.ReasonWaitingForWave, Message: closed.Message}},
		"an admitted site of a rollout that was suspended": {with(base, func(p *plan.Plan) { p.Suspended = true }), admit.Site{Name: "a", Wave: "pilot", Admitted: true}, open,
			admit.Block{Reason: v1alpha1.ReasonSuspended, Message: "the rollout is suspended"}},
		"a site in a phase waits for nothing": {base, in("a", "pilot", 1), open, admit.Block{}},
		"a completed site waits for nothing":  {base, after("a", "pilot", 3), open, admit.Block{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, admit.Explain(tc.plan, tc.site, tc.wave)); diff != "" {
				t.Errorf("block (-want +got):\n%s", diff)
			}
		})
	}
}

func drawPlan(t *rapid.T) plan.Plan {
	p := threePhases("w0", "w1", "w2")
	limit := func(least int, name string) *plan.Limit {
		return rapid.SampledFrom([]*plan.Limit{nil, nil, {Number: least}, {Number: 2}, {Number: 4}, {Number: max(least, 10*least), Percent: true}, {Number: 50, Percent: true}}).Draw(t, name)
	}
	for i := range p.Waves {
		w := &p.Waves[i]
		if after := rapid.SampledFrom([]string{"", "w0", "w1", "w2"}).Draw(t, "after"); after != "" {
			w.After = &plan.Barrier{Wave: after, Phase: rapid.IntRange(0, 2).Draw(t, "phase"), AtLeast: limit(1, "atLeast"), Soak: time.Duration(rapid.IntRange(0, 3).Draw(t, "soak")) * day}
		}
		w.Through = rapid.IntRange(1, 2).Draw(t, "waveThrough")
		w.MaxConcurrent, w.MaxFailures = limit(1, "waveConcurrent"), limit(0, "waveFailures")
	}
	p.Through = rapid.IntRange(0, 2).Draw(t, "through")
	p.MaxConcurrent, p.MaxFailures = limit(1, "maxConcurrent"), limit(0, "maxFailures")
	p.Suspended = rapid.IntRange(0, 9).Draw(t, "suspended") == 0
	if rapid.IntRange(0, 9).Draw(t, "mistaken") == 0 {
		p.Mistakes = []plan.Mistake{{Problem: "wrong"}}
	}
	return p
}

func drawSites(t *rapid.T) []admit.Site {
	var sites []admit.Site
	for i := range rapid.IntRange(0, 9).Draw(t, "sites") {
		s := admit.Site{Name: fmt.Sprintf("s%d", i), Rank: int32(rapid.IntRange(0, 3).Draw(t, "rank")), Wave: rapid.SampledFrom([]string{"w0", "w1", "w2", "w0", "w1", "w2", "", "gone"}).Draw(t, "wave")}
		s.Next = rapid.IntRange(0, 3).Draw(t, "next")
		s.Admitted = s.Next < 3 && rapid.Bool().Draw(t, "admitted")
		s.Running = s.Admitted && rapid.Bool().Draw(t, "running")
		s.Begun = s.Next > 0 || s.Running || rapid.Bool().Draw(t, "begun")
		s.Passed = passing(s.Next)
		s.Failed = s.Running && rapid.Bool().Draw(t, "failed")
		sites = append(sites, s)
	}
	return sites
}

func TestSitesJoinMoveAndLeaveWithTheirWaves(t *testing.T) {
	selector, err := metav1.LabelSelectorAsSelector(&metav1.LabelSelector{MatchLabels: map[string]string{"wave": "one"}})
	if err != nil {
		t.Fatal(err)
	}
	p := plan.Plan{Waves: []plan.Wave{{Name: "one", Selector: selector}}}
	gone := metav1.Now()
	site := func(name, wave string) *v1alpha1.RolloutSite {
		return &v1alpha1.RolloutSite{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"wave": wave}}}
	}
	deleted := site("deleted", "one")
	deleted.DeletionTimestamp = &gone
	member := func(wave string, begun bool) *v1alpha1.SiteRollout {
		sr := &v1alpha1.SiteRollout{Spec: v1alpha1.SiteRolloutSpec{Wave: wave}}
		if begun {
			sr.Status.Phases = []v1alpha1.PhaseRecord{{Name: "assess"}}
		}
		return sr
	}
	sites := []*v1alpha1.RolloutSite{site("new2", "one"), site("new1", "one"), site("stranger", "x"), site("stays", "one"), site("moves", "one"),
		site("unpicked", "x"), site("unpickedBegun", "x"), deleted}
	existing := map[string]*v1alpha1.SiteRollout{
		"stays": member("one", true), "moves": member("old", false), "unpicked": member("one", false), "unpickedBegun": member("one", true),
		"deleted": member("one", false), "vanished": member("one", true), "orphan": member("", true),
	}
	want := admit.Membership{
		Join:  []admit.Member{{Site: "new1", Wave: "one"}, {Site: "new2", Wave: "one"}},
		Move:  []admit.Member{{Site: "moves", Wave: "one", LosesAdmission: true}, {Site: "unpickedBegun"}, {Site: "vanished"}},
		Leave: []string{"deleted", "unpicked"},
	}
	if diff := cmp.Diff(want, admit.Seat(admit.Facts{Plans: admit.NewPlans(p), Sites: sites, Existing: existing}).Members); diff != "" {
		t.Errorf("membership (-want +got):\n%s", diff)
	}
}

func TestWhatAdmissionKnowsOfASiteComesFromItsStory(t *testing.T) {
	p, passed := threePhases(), metav1.NewTime(monday)
	sr := &v1alpha1.SiteRollout{Spec: v1alpha1.SiteRolloutSpec{Site: "a", Wave: "w", AdmittedThrough: "migrate"}}
	sr.Status.Phases = []v1alpha1.PhaseRecord{{Name: "assess", Attempt: 1, PassedAt: &passed}, {Name: "migrate", Attempt: 1}}
	if diff := cmp.Diff(at(1, in("a", "w", 1)), admit.SiteOf(p, nil, nil, sr)); diff != "" {
		t.Errorf("in a phase (-want +got):\n%s", diff)
	}
	sr.Status.Phases[1].FailedAt = &passed
	if got := admit.SiteOf(p, nil, nil, sr); !got.Failed || !got.Running {
		t.Errorf("its attempt has failed, and it counts as %+v", got)
	}
	p.Phases = append([]plan.Phase{{Name: "first"}}, p.Phases...)
	sr.Status.Phases = sr.Status.Phases[:1]
	if got := admit.SiteOf(p, nil, nil, sr); got.Admitted || got.Next != 0 || got.Passed != nil {
		t.Errorf("a phase was put in front of the one that the site was admitted to, and it counts as admitted: %+v", got)
	}
	joined := &v1alpha1.SiteRollout{Spec: v1alpha1.SiteRolloutSpec{Site: "b", Wave: "w"}}
	if diff := cmp.Diff(at(1, fresh("b", "w")), admit.SiteOf(p, nil, nil, joined)); diff != "" {
		t.Errorf("just joined (-want +got):\n%s", diff)
	}
}
