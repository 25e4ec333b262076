package admit_test

import (
	"fmt"
	"strings"
	"testing"

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
		name, after, _ := strings.Cut(w, ">")
		p.Waves = append(p.Waves, plan.Wave{Name: name, After: after, Selector: labels.Nothing()})
	}
	return p
}

func with(p plan.Plan, change func(*plan.Plan)) plan.Plan {
	change(&p)
	return p
}

func fresh(name, wave string) admit.Site { return admit.Site{Name: name, Wave: wave} }

// after is a site that has passed so many phases and is admitted to no other.
func after(name, wave string, passed int) admit.Site {
	return admit.Site{Name: name, Wave: wave, Next: passed, Begun: true}
}

// in is a site in a phase.
func in(name, wave string, phase int) admit.Site {
	return admit.Site{Name: name, Wave: wave, Next: phase, Admitted: true, Running: true, Begun: true}
}

func TestSlotsAreGivenInOrder(t *testing.T) {
	one := with(threePhases("pilot", "rest"), func(p *plan.Plan) { p.MaxConcurrent = 1 })
	two := with(threePhases("pilot", "rest"), func(p *plan.Plan) { p.MaxConcurrent = 2 })
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
		"nobody starts in a plan with mistakes":               {with(two, func(p *plan.Plan) { p.Mistakes = []plan.Mistake{{Problem: "wrong"}} }), []admit.Site{fresh("a", "pilot")}, nil, 0},
		"nobody starts while suspended":                       {with(two, func(p *plan.Plan) { p.Suspended = true }), []admit.Site{fresh("a", "pilot"), after("b", "pilot", 1)}, nil, 0},
		"a site that no wave selects any more does not start": {two, []admit.Site{after("b", "", 1)}, nil, 0},
		"a site of a wave that the plan does not have waits":  {two, []admit.Site{fresh("b", "gone")}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			decision := admit.Decide(tc.plan, tc.sites)
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
		"two waves may come after the same one": {threePhases("pilot", "north>pilot", "south>pilot"), []admit.Site{after("p", "pilot", 3), fresh("n", "north"), fresh("s", "south")}, []admit.Wave{
			{Name: "pilot", State: completed}, {Name: "north", State: open}, {Name: "south", State: open}}},
		"a wave may come after one that stands below it": {threePhases("a>b", "b"), []admit.Site{fresh("x", "a"), after("y", "b", 3)}, []admit.Wave{
			{Name: "a", State: open}, {Name: "b", State: completed}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, admit.Decide(tc.plan, tc.sites).Waves); diff != "" {
				t.Errorf("waves (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAWaitingSiteIsToldWhy(t *testing.T) {
	base := threePhases("pilot")
	full := with(base, func(p *plan.Plan) { p.MaxConcurrent = 2 })
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
		"an admitted site may start":    {full, admit.Site{Name: "a", Wave: "pilot", Admitted: true}, open, admit.Block{}},
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
	for i := range p.Waves {
		p.Waves[i].After = rapid.SampledFrom([]string{"", "w0", "w1", "w2"}).Draw(t, "after")
	}
	p.Through = rapid.IntRange(0, 2).Draw(t, "through")
	p.MaxConcurrent = rapid.IntRange(0, 4).Draw(t, "maxConcurrent")
	p.Suspended = rapid.IntRange(0, 9).Draw(t, "suspended") == 0
	if rapid.IntRange(0, 9).Draw(t, "mistaken") == 0 {
		p.Mistakes = []plan.Mistake{{Problem: "wrong"}}
	}
	return p
}

func drawSites(t *rapid.T) []admit.Site {
	var sites []admit.Site
	for i := range rapid.IntRange(0, 9).Draw(t, "sites") {
		s := admit.Site{Name: fmt.Sprintf("s%d", i), Wave: rapid.SampledFrom([]string{"w0", "w1", "w2", "w0", "w1", "w2", "", "gone"}).Draw(t, "wave")}
		s.Next = rapid.IntRange(0, 3).Draw(t, "next")
		s.Admitted = s.Next < 3 && rapid.Bool().Draw(t, "admitted")
		s.Running = s.Admitted && rapid.Bool().Draw(t, "running")
		s.Begun = s.Next > 0 || s.Running || rapid.Bool().Draw(t, "begun")
		sites = append(sites, s)
	}
	return sites
}

func TestNobodyIsAdmittedAgainstARule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, sites := drawPlan(t), drawSites(t)
		decision := admit.Decide(p, sites)
		byName, flying := map[string]admit.Site{}, 0
		done := map[string]bool{}
		for _, s := range sites {
			byName[s.Name] = s
			if s.Admitted {
				flying++
			}
			if previous, seen := done[s.Wave]; !seen || previous {
				done[s.Wave] = s.Next == 3
			}
		}
		if p.MaxConcurrent > 0 && len(decision.Admissions) > 0 && flying+len(decision.Admissions) > p.MaxConcurrent {
			t.Fatalf("%d in flight and %d admitted, at most %d", flying, len(decision.Admissions), p.MaxConcurrent)
		}
		barrier := map[string]string{}
		for _, w := range p.Waves {
			barrier[w.Name] = w.After
		}
		admitted := map[string]bool{}
		for i, a := range decision.Admissions {
			s := byName[a.Site]
			admitted[a.Site] = true
			after, known := barrier[s.Wave]
			switch {
			case a.Phase != p.Phases[s.Next].Name:
				t.Fatalf("%+v is admitted to %s", s, a.Phase)
			case p.Suspended, len(p.Mistakes) > 0, s.Next > p.Through, !known, s.Admitted:
				t.Fatalf("%+v is admitted", s)
			case !s.Begun && after != "" && !done[after]:
				t.Fatalf("%+v is admitted before wave %s", s, after)
			case i > 0 && byName[decision.Admissions[i-1].Site].Next < s.Next && byName[decision.Admissions[i-1].Site].Begun:
				t.Fatalf("%+v comes after a site that is less far", s)
			}
		}
		explainAgrees(t, p, sites, decision, admitted)
	})
}

// explainAgrees checks that a site is told why it waits exactly when it does, and that "no slot" is said only when there is none.
func explainAgrees(t *rapid.T, p plan.Plan, sites []admit.Site, decision admit.Decision, admitted map[string]bool) {
	waves := map[string]admit.Wave{}
	for _, w := range decision.Waves {
		waves[w.Name] = w
	}
	full := p.MaxConcurrent > 0 && decision.InFlight >= p.MaxConcurrent
	for _, s := range sites {
		block := admit.Explain(p, s, waves[s.Wave])
		if s.Admitted && !s.Running {
			if block.Reason == v1alpha1.ReasonWaitingForSlot {
				t.Fatalf("%+v has a place and waits for one", s)
			}
			continue // it may start, or what it was admitted by has changed
		}
		waits := s.Next < 3 && !s.Admitted
		if waits != (block.Reason != "") || waits != (block.Message != "") {
			t.Fatalf("%+v waits: %t, explained by %+v", s, waits, block)
		}
		switch noSlot := block.Reason == v1alpha1.ReasonWaitingForSlot; {
		case !waits:
		case admitted[s.Name] && !noSlot:
			t.Fatalf("%+v is admitted and yet blocked by %+v", s, block)
		case !admitted[s.Name] && noSlot && !full:
			t.Fatalf("%+v waits for a slot, but there are free ones", s)
		}
	}
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
		Move:  []admit.Member{{Site: "moves", Wave: "one"}, {Site: "unpickedBegun"}, {Site: "vanished"}},
		Leave: []string{"deleted", "unpicked"},
	}
	if diff := cmp.Diff(want, admit.Members(p, sites, existing)); diff != "" {
		t.Errorf("membership (-want +got):\n%s", diff)
	}
}

func TestWhatAdmissionKnowsOfASiteComesFromItsStory(t *testing.T) {
	p, passed := threePhases(), metav1.Now()
	sr := &v1alpha1.SiteRollout{Spec: v1alpha1.SiteRolloutSpec{Site: "a", Wave: "w", AdmittedThrough: "migrate"}}
	sr.Status.Phases = []v1alpha1.PhaseRecord{{Name: "assess", PassedAt: &passed}, {Name: "migrate"}}
	if diff := cmp.Diff(in("a", "w", 1), admit.SiteOf(p, sr)); diff != "" {
		t.Errorf("in a phase (-want +got):\n%s", diff)
	}
	p.Phases = append([]plan.Phase{{Name: "first"}}, p.Phases...)
	sr.Status.Phases = sr.Status.Phases[:1]
	if got := admit.SiteOf(p, sr); got.Admitted || got.Next != 0 {
		t.Errorf("a phase was put in front of the one that the site was admitted to, and it counts as admitted: %+v", got)
	}
	joined := &v1alpha1.SiteRollout{Spec: v1alpha1.SiteRolloutSpec{Site: "b", Wave: "w"}}
	if diff := cmp.Diff(fresh("b", "w"), admit.SiteOf(p, joined)); diff != "" {
		t.Errorf("just joined (-want +got):\n%s", diff)
	}
}
