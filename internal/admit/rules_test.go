package admit_test

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/plan"
)

const day = 24 * time.Hour

// census counts sites slowly, one question at a time.
type census []admit.Site

func (c census) of(wave string) census {
	return slices.DeleteFunc(slices.Clone(c), func(s admit.Site) bool { return s.Wave != wave })
}

func (c census) known(p plan.Plan) census {
	return slices.DeleteFunc(slices.Clone(c), func(s admit.Site) bool { return p.Wave(s.Wave) == nil })
}

func (c census) number(which func(admit.Site) bool) int {
	n := 0
	for _, s := range c {
		if which(s) {
			n++
		}
	}
	return n
}

func flies(s admit.Site) bool  { return s.Admitted || s.Running }
func failed(s admit.Site) bool { return s.Failed }

// full reports whether no other site may fly.
func (c census) full(limit *plan.Limit, flying int) bool {
	if limit == nil {
		return false
	}
	most := limit.Number
	if limit.Percent {
		most = max(1, len(c)*limit.Number/100)
	}
	return flying >= most
}

func (c census) tooManyFailed(limit *plan.Limit) bool {
	if limit == nil {
		return false
	}
	if limit.Percent {
		return 100*c.number(failed) > limit.Number*len(c)
	}
	return c.number(failed) > limit.Number
}

// reached reports whether a barrier is open: whether there was a moment, a soak ago or earlier, by which enough sites had passed.
func (c census) reached(b *plan.Barrier, at time.Time) bool {
	if b == nil {
		return true
	}
	sites := c.of(b.Wave)
	early := sites.number(func(s admit.Site) bool { return len(s.Passed) > b.Phase && !s.Passed[b.Phase].After(at.Add(-b.Soak)) })
	switch {
	case len(sites) == 0:
		return false
	case b.AtLeast == nil:
		return early == len(sites)
	case b.AtLeast.Percent:
		return 100*early >= b.AtLeast.Number*len(sites)
	}
	return early >= b.AtLeast.Number
}

// admissible returns why a site may not be admitted, by questions of its own.
func admissible(p plan.Plan, before census, unranked map[string]string, s admit.Site, at time.Time) string {
	wave := p.Wave(s.Wave)
	_, waits := unranked[s.Wave]
	switch {
	case s.Admitted || s.Running || s.Next >= len(p.Phases):
		return "it has nothing to be admitted to"
	case p.Suspended || len(p.Mistakes) > 0:
		return "nobody may start"
	case wave == nil:
		return "it is in no wave"
	case s.Next > p.Through || s.Next > wave.Through:
		return "it is past through"
	case !s.Begun && !before.reached(wave.After, at):
		return "its wave is closed"
	case !s.Begun && waits:
		return "its wave is not ranked"
	case !s.Begun && (before.known(p).tooManyFailed(p.MaxFailures) || before.of(s.Wave).tooManyFailed(wave.MaxFailures)):
		return "too many sites are failed"
	}
	return ""
}

// overtaken reports whether a site comes after one of its wave that is as far and has a worse place.
func overtaken(earlier, later admit.Site) bool {
	return earlier.Wave == later.Wave && earlier.Begun == later.Begun && earlier.Next == later.Next && later.Rank > 0 && (earlier.Rank == 0 || earlier.Rank > later.Rank)
}

// drawUnranked draws the waves that are still to be ranked.
func drawUnranked(t *rapid.T, p *plan.Plan) map[string]string {
	unranked := map[string]string{}
	for i := range p.Waves {
		if p.Waves[i].RankBy = nil; rapid.IntRange(0, 3).Draw(t, "ranked") == 0 {
			p.Waves[i].RankBy = []plan.RankKey{{By: v1alpha1.RankByUsers}}
			if rapid.Bool().Draw(t, "waits") {
				unranked[p.Waves[i].Name] = rapid.SampledFrom([]string{"", "its sites are ranked soon"}).Draw(t, "pending")
			}
		}
	}
	return unranked
}

func TestNobodyIsAdmittedAgainstARule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, all := drawPlan(t), census(drawSites(t))
		at := monday.Add(time.Duration(rapid.IntRange(0, 6).Draw(t, "now")) * day)
		unranked := drawUnranked(t, &p)
		decision := admit.Decide(p, all, unranked, at)
		flying := map[string]int{}
		for _, w := range p.Waves {
			flying[w.Name] = all.of(w.Name).number(flies)
		}
		sum := all.number(flies)
		admitted := map[string]bool{}
		var previous admit.Site
		for i, a := range decision.Admissions {
			s := all[slices.IndexFunc(all, func(s admit.Site) bool { return s.Name == a.Site })]
			if problem := admissible(p, all, unranked, s, at); problem != "" {
				t.Fatalf("%+v is admitted: %s", s, problem)
			}
			if a.Phase != p.Phases[s.Next].Name {
				t.Fatalf("%+v is admitted to %s", s, a.Phase)
			}
			if all.known(p).full(p.MaxConcurrent, sum) || all.of(s.Wave).full(p.Wave(s.Wave).MaxConcurrent, flying[s.Wave]) {
				t.Fatalf("%+v is admitted beyond a limit", s)
			}
			if i > 0 && (s.Begun && (!previous.Begun || previous.Next < s.Next) || overtaken(previous, s)) {
				t.Fatalf("%+v comes after %+v", s, previous)
			}
			previous = s
			admitted[s.Name] = true
			sum++
			flying[s.Wave]++
		}
		if decision.InFlight != sum {
			t.Fatalf("%d are in flight, it says %d", sum, decision.InFlight)
		}
		for _, s := range all {
			idle := admissible(p, all, unranked, s, at) == "" && !admitted[s.Name]
			if idle && !all.known(p).full(p.MaxConcurrent, sum) && !all.of(s.Wave).full(p.Wave(s.Wave).MaxConcurrent, flying[s.Wave]) {
				t.Fatalf("%+v is not admitted although nothing keeps it", s)
			}
		}
		explainAgrees(t, p, all, decision, admitted)
		wakesInTime(t, p, all, decision, at)
	})
}

// explainAgrees checks that a site is told why it waits exactly when it does, and that "no slot" is said to nobody else.
func explainAgrees(t *rapid.T, p plan.Plan, sites []admit.Site, decision admit.Decision, admitted map[string]bool) {
	waves := map[string]admit.Wave{}
	for _, w := range decision.Waves {
		waves[w.Name] = w
	}
	for _, s := range sites {
		block := admit.Explain(p, s, waves[s.Wave])
		if s.Admitted && !s.Running {
			if block.Reason == v1alpha1.ReasonWaitingForSlot {
				t.Fatalf("%+v has a place and waits for one", s)
			}
			continue // it may start, or what it was admitted by has changed
		}
		waits := s.Next < 3 && !s.Running
		if waits != (block.Reason != "") || waits != (block.Message != "") {
			t.Fatalf("%+v waits: %t, explained by %+v", s, waits, block)
		}
		if waits && admitted[s.Name] && block.Reason != v1alpha1.ReasonWaitingForSlot {
			t.Fatalf("%+v is admitted and yet blocked by %+v", s, block)
		}
		if told := decision.Blocked[block.Reason]; waits && !admitted[s.Name] && p.Wave(s.Wave) != nil && told.Reason != block.Reason {
			t.Fatalf("%+v is blocked by %+v, and the rollout is not told", s, block)
		}
	}
}

// wakesInTime checks that the decision names the moment at which a wave opens by itself, and no other.
func wakesInTime(t *rapid.T, p plan.Plan, sites census, decision admit.Decision, at time.Time) {
	for _, w := range p.Waves {
		if w.After == nil || sites.reached(w.After, at) {
			continue
		}
		opens := time.Time{}
		for later := at; later.Before(at.AddDate(0, 0, 12)); later = later.Add(day) {
			if sites.reached(w.After, later) {
				opens = later
				break
			}
		}
		if !opens.IsZero() && (decision.WakeAt.IsZero() || decision.WakeAt.After(opens)) {
			t.Fatalf("wave %s opens at %s, nobody looks before %s", w.Name, opens, decision.WakeAt)
		}
	}
	if decision.WakeAt.IsZero() {
		return
	}
	if !decision.WakeAt.After(at) || !slices.ContainsFunc(decision.Waves, func(w admit.Wave) bool { return w.OpensAt.Equal(decision.WakeAt) }) {
		t.Fatalf("it looks again at %s, when nothing opens", decision.WakeAt)
	}
}

// TestTheStatusTellsASiteWhatTheDecisionSaid writes a decision down the way a rollout's status does, and asks what a site is told of its wave.
func TestTheStatusTellsASiteWhatTheDecisionSaid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, all := drawPlan(t), census(drawSites(t))
		unranked := drawUnranked(t, &p)
		decision := admit.Decide(p, all, unranked, monday.Add(time.Duration(rapid.IntRange(0, 6).Draw(t, "now"))*day))
		counts := func(c census) v1alpha1.SiteCounts {
			return v1alpha1.SiteCounts{Total: int32(len(c)), Failed: int32(c.number(failed))}
		}
		st := v1alpha1.CRMRolloutStatus{Sites: counts(all.known(p))}
		for _, w := range decision.Waves {
			told := v1alpha1.WaveStatus{Name: w.Name, State: w.State, Message: w.Message, Sites: counts(all.of(w.Name))}
			if _, waits := unranked[w.Name]; !waits {
				told.RankedAt = &metav1.Time{Time: monday}
			}
			st.Waves = append(st.Waves, told)
		}
		for _, s := range all {
			var wave admit.Wave
			for _, w := range decision.Waves {
				if w.Name == s.Wave {
					wave = w
				}
			}
			if said, told := admit.Explain(p, s, wave), admit.Explain(p, s, admit.WaveFrom(p, st, s.Wave)); said != told {
				t.Fatalf("%+v is told %+v, it was said %+v", s, told, said)
			}
		}
	})
}
