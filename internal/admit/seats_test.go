package admit_test

import (
	"fmt"
	"maps"
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
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// market is a rollout in memory whose membership is made true step by step.
type market struct {
	plan     plan.Plan
	sites    map[string]*v1alpha1.RolloutSite
	existing map[string]*v1alpha1.SiteRollout
	rankings map[string]admit.Ranking
	// values of the KPI completeness, as they are measured; a site that is not in known was not asked for.
	values map[string]float64
	known  map[string]bool
	down   bool
	// failing is a site that its source does not answer for.
	failing string
	now     time.Time
	last    admit.Seating
}

var completeness = gate.KPI{Name: "completeness", Revision: "r1", Interval: time.Hour, StaleAfter: 3 * time.Hour}

// newMarket has the waves pilot, which picks two of all sites, and rest, which comes after it.
func newMarket(keys ...plan.RankKey) *market {
	p := threePhases("pilot", "rest>pilot")
	for i := range p.Waves {
		p.Waves[i].Selector = labels.Everything()
	}
	p.Waves[0].RankBy, p.Waves[0].Pick = keys, 2
	return &market{plan: p, sites: map[string]*v1alpha1.RolloutSite{}, existing: map[string]*v1alpha1.SiteRollout{}, rankings: map[string]admit.Ranking{},
		values: map[string]float64{}, known: map[string]bool{}, now: monday}
}

var (
	byUsers        = plan.RankKey{By: v1alpha1.RankByUsers}
	byCompleteness = plan.RankKey{By: v1alpha1.RankByKPI, Name: "completeness", KPI: completeness}
)

// declare adds a site with so many users.
func (m *market) declare(name string, users int32) {
	m.sites[name] = &v1alpha1.RolloutSite{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RolloutSiteSpec{Users: &users}}
}

func (m *market) facts() admit.Facts {
	f := admit.Facts{Plans: admit.NewPlans(m.plan), Existing: m.existing, Rankings: m.rankings, Now: m.now}
	for _, name := range slices.Sorted(maps.Keys(m.sites)) {
		f.Sites = append(f.Sites, m.sites[name])
	}
	f.Measured.Knew = func(_ gate.KPI, site, _ string) bool { return m.known[site] && !m.down }
	f.Measured.Evidence = func(_ gate.KPI, site, _ string) gate.Evidence {
		value, ok := m.values[site]
		switch {
		case m.down, site == m.failing:
			return gate.Evidence{Latest: gate.OutcomeFailed, LatestAt: m.now}
		case !m.known[site], !ok: // the measurement itself does not tell which of the two it is
			return gate.Evidence{Latest: gate.OutcomeMissing, LatestAt: m.now}
		}
		return gate.Evidence{Latest: gate.OutcomeValue, LatestAt: m.now, Samples: []gate.Sample{{Value: value, Time: m.now}}}
	}
	return f
}

// look seats the sites, makes that true, and writes the rankings down.
func (m *market) look() admit.Seating {
	m.last = admit.Seat(m.facts())
	m.apply(m.last.Members)
	m.rankings = m.last.Rankings
	return m.last
}

func (m *market) apply(members admit.Membership) {
	for _, site := range members.Leave {
		delete(m.existing, site)
	}
	for _, member := range slices.Concat(members.Move, members.Join) {
		sr := m.existing[member.Site]
		if sr == nil {
			sr = &v1alpha1.SiteRollout{Spec: v1alpha1.SiteRolloutSpec{Site: member.Site}}
			m.existing[member.Site] = sr
		}
		if sr.Spec.Wave, sr.Spec.Rank = member.Wave, nil; member.Rank > 0 {
			sr.Spec.Rank = &member.Rank
		}
		if member.LosesAdmission {
			sr.Spec.AdmittedThrough = ""
		}
	}
}

// begin lets a site start its first phase.
func (m *market) begin(site string) {
	m.existing[site].Spec.AdmittedThrough = "assess"
	m.existing[site].Status.Phases = []v1alpha1.PhaseRecord{{Name: "assess", StartedAt: metav1.NewTime(m.now)}}
}

// seats tells who is where: "kiel pilot 1".
func (m *market) seats() []string {
	var all []string
	for _, site := range slices.Sorted(maps.Keys(m.existing)) {
		sr := m.existing[site]
		text := site + " " + sr.Spec.Wave
		if sr.Spec.Rank != nil {
			text += fmt.Sprintf(" %d", *sr.Spec.Rank)
		}
		all = append(all, text)
	}
	return all
}

func (m *market) expect(t *testing.T, when string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, m.seats()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

func TestAWavePicksTheBestAndLeavesTheOthersToTheNext(t *testing.T) {
	m := newMarket(byUsers)
	for i, site := range []string{"a", "b", "c", "d"} {
		m.declare(site, int32(10*i))
	}
	m.sites["e"] = &v1alpha1.RolloutSite{ObjectMeta: metav1.ObjectMeta{Name: "e"}}
	first := m.look()
	m.expect(t, "ranked", "a rest", "b rest", "c pilot 2", "d pilot 1", "e rest")
	want := []admit.Place{{"d", 1, "users 30"}, {"c", 2, "users 20"}, {"b", 3, "users 10"}, {"a", 4, "users 0"}, {"e", 5, "users unknown"}}
	if diff := cmp.Diff(want, first.Rankings["pilot"].Places); diff != "" {
		t.Errorf("ranking (-want +got):\n%s", diff)
	}
	if pending, waits := first.Unranked["pilot"]; !waits || pending != "" {
		t.Errorf("a ranking that is not written down yet lets nobody begin: %q, %t", pending, waits)
	}
	m.declare("b", 99)
	m.declare("f", 98)
	second := m.look()
	m.expect(t, "numbers that change later change nothing", "a rest", "b rest", "c pilot 2", "d pilot 1", "e rest", "f rest")
	if diff := cmp.Diff(first.Rankings, second.Rankings); diff != "" || len(second.Unranked) > 0 {
		t.Errorf("it is ranked once: %v\n%s", second.Unranked, diff)
	}
	delete(m.sites, "d")
	m.look()
	m.expect(t, "the seat is given up first, which may be refused", "a rest", "b rest", "c pilot 2", "e rest", "f rest")
	m.look()
	m.expect(t, "nobody has begun, so the next best takes the place", "a rest", "b pilot 3", "c pilot 2", "e rest", "f rest")
	m.begin("c")
	delete(m.sites, "b")
	m.look()
	m.expect(t, "one has begun, so the place stays free", "a rest", "c pilot 2", "e rest", "f rest")
	delete(m.sites, "c")
	m.look()
	m.expect(t, "it counts until it is out of the wave, which may be refused", "a rest", "c ", "e rest", "f rest")
	m.look()
	m.expect(t, "nobody in the wave has begun any more, so the next best take the places", "a pilot 4", "c ", "e pilot 5", "f rest")
}

func TestNobodyIsInAWaveBeforeThePicking(t *testing.T) {
	m := newMarket(byCompleteness)
	m.plan.Waves = append([]plan.Wave{{Name: "before", Through: 2, Selector: labels.Set{"kind": "first"}.AsSelector()}}, m.plan.Waves...)
	m.plan.Waves[1].After = &plan.Barrier{Wave: "before", Phase: 2}
	for _, site := range []string{"a", "b", "c"} {
		m.declare(site, 0)
	}
	m.declare("first", 0)
	m.sites["first"].Labels = map[string]string{"kind": "first"}
	unpicked := func(when, pending string) {
		t.Helper()
		if got := m.look(); got.Unpicked != 3 || got.Unranked["pilot"] != pending {
			t.Errorf("%s: %d sites wait, because %q", when, got.Unpicked, got.Unranked["pilot"])
		}
		m.expect(t, when, "first before")
	}
	const measured = "its sites are ranked as soon as KPI completeness has been measured for each of them"
	unpicked("closed", "its sites are ranked when it opens")
	m.existing["first"].Status.Phases = []v1alpha1.PhaseRecord{{Name: "assess", PassedAt: &metav1.Time{Time: monday}}, {Name: "migrate", PassedAt: &metav1.Time{Time: monday}}, {Name: "golive", PassedAt: &metav1.Time{Time: monday}}}
	unpicked("open", measured)
	m.known["a"], m.known["b"] = true, true
	m.values["a"], m.values["b"] = 0.5, 0.7
	unpicked("one site was not asked for", measured)
	m.known["c"], m.down = true, true
	unpicked("the source is down", measured)
	m.down, m.failing = false, "c"
	unpicked("the source does not answer for one site", measured)
	m.failing, m.plan.Suspended = "", true
	unpicked("suspended", "its sites are ranked when the rollout goes on")
	m.plan.Suspended = false
	m.plan.Waves[1].Mistakes = []plan.Mistake{{Object: "KPI/x", Field: "spec.y", Problem: "wrong", Remedy: "mend it"}}
	unpicked("mistaken", "its sites cannot be ranked: KPI/x spec.y: wrong; mend it")
	m.plan.Waves[1].Mistakes = nil
	m.look()
	m.expect(t, "ranked", "a pilot 2", "b pilot 1", "c rest", "first before")
	if because := m.rankings["pilot"].Places[2].Because; because != "no value of completeness" {
		t.Errorf("the last place is explained by %q", because)
	}
}

func TestARankingThatWasNotWrittenDownIsMadeAnew(t *testing.T) {
	m := newMarket(byUsers)
	for i, site := range []string{"a", "b", "c"} {
		m.declare(site, int32(10*i))
	}
	m.apply(admit.Seat(m.facts()).Members) // and the process ends before the status is written
	m.expect(t, "ranked", "a rest", "b pilot 2", "c pilot 1")
	m.declare("a", 99)
	if got := m.look(); got.Unranked["pilot"] != "its sites are about to be ranked" || got.Unpicked == 0 {
		t.Errorf("a seat was given away that is still to be given up: %+v", got)
	}
	m.expect(t, "the seat is given up first", "c pilot 2")
	m.look()
	m.expect(t, "made anew", "a pilot 1", "b rest", "c pilot 2")
	m.rankings = nil // a status that was lost
	m.existing["a"].Spec.AdmittedThrough = "assess"
	m.declare("b", 100)
	if got := m.look(); !noted(got) {
		t.Errorf("a site has been admitted by the ranking, so it was made: %+v", got)
	}
	if got := m.look(); len(got.Unranked) > 0 {
		t.Errorf("it has been written down, and yet sites wait for it: %+v", got)
	}
	m.expect(t, "it stays", "a pilot 1", "b rest", "c pilot 2")
}

// noted reports whether the ranking of the pilot is to be written down, and keeps sites from beginning until it is.
func noted(got admit.Seating) bool {
	pending, waits := got.Unranked["pilot"]
	return waits && pending == "" && !got.Rankings["pilot"].At.IsZero()
}

func TestASiteThatBeganAndLeavesShowsThatItsWaveWasRanked(t *testing.T) {
	m := newMarket(byUsers)
	for i, site := range []string{"a", "b", "c"} {
		m.declare(site, int32(10*i))
	}
	m.look()
	m.expect(t, "ranked", "a rest", "b pilot 2", "c pilot 1")
	m.begin("c")
	m.rankings = nil // a status that was lost
	delete(m.sites, "c")
	m.declare("a", 99)
	if got := m.look(); !noted(got) {
		t.Errorf("a site that leaves has begun by the ranking, so it was made: %+v", got)
	}
	m.expect(t, "places stay, while the one that leaves goes out of the wave", "a rest", "b pilot 2", "c ")
}

func TestPickCanBeChangedUntilSomebodyBegins(t *testing.T) {
	m := newMarket(byUsers)
	for i := range 25 {
		m.declare(fmt.Sprintf("s%02d", i), int32(100-i))
	}
	m.look()
	shown := m.rankings["pilot"]
	shown.Places = shown.Places[:20] // as many as the status shows
	m.rankings["pilot"] = shown
	picked := func() (names []string) {
		m.look()
		for _, seat := range m.seats() {
			if site, _, found := strings.Cut(seat, " pilot "); found {
				names = append(names, site)
			}
		}
		return names
	}
	m.plan.Waves[0].Pick = 3
	if diff := cmp.Diff([]string{"s00", "s01", "s02"}, picked()); diff != "" {
		t.Errorf("raised (-want +got):\n%s", diff)
	}
	m.plan.Waves[0].Pick = 1
	if diff := cmp.Diff([]string{"s00"}, picked()); diff != "" {
		t.Errorf("lowered (-want +got):\n%s", diff)
	}
	m.declare("s24", 1000) // it is not among the first 20, so its place is not known: it comes after them, by its number of now
	m.existing["s03"].Spec.AdmittedThrough = "assess"
	m.plan.Waves[0].Pick = 20
	if names := picked(); len(names) != 20 || !slices.Contains(names, "s24") || slices.Contains(names, "s03") || slices.Contains(names, "s20") {
		t.Errorf("raised beyond what is shown, it picks %v; s03 is about to begin in the next wave", names)
	}
	if got := *m.existing["s24"].Spec.Rank; got != 21 {
		t.Errorf("the place of s24 is %d", got)
	}
	m.begin("s05")
	m.plan.Waves[0].Pick = 2
	if names := picked(); len(names) != 20 {
		t.Errorf("one has begun, and now it picks %v", names)
	}
}

func TestSitesThatHaveBegunAreNotPickedAnyMore(t *testing.T) {
	m := newMarket(byUsers)
	for i, site := range []string{"a", "b", "c", "d"} {
		m.declare(site, int32(10*i))
	}
	m.plan.Waves[0].Pick, m.plan.Waves[0].RankBy = 0, nil
	m.plan.Waves[0].Selector = labels.Set{"kind": "first"}.AsSelector()
	m.sites["a"].Labels = map[string]string{"kind": "first"}
	m.look()
	m.begin("a")
	m.begin("d")
	m.plan.Waves[0].Selector = labels.Everything()
	m.plan.Waves[0].Pick, m.plan.Waves[0].RankBy = 2, []plan.RankKey{byUsers}
	m.look()
	m.expect(t, "a had begun in the wave that comes to pick, d in another one", "a pilot", "b rest", "c pilot 1", "d rest")
}

func TestAWaveThatTakesAllItsSitesRanksThem(t *testing.T) {
	m := newMarket(byUsers)
	m.plan.Waves = m.plan.Waves[:1]
	m.plan.Waves[0].Pick = 0
	m.plan.Suspended = true
	for i, site := range []string{"a", "b", "c"} {
		m.declare(site, int32(10*i))
	}
	m.look()
	m.expect(t, "not ranked", "a pilot", "b pilot", "c pilot")
	m.begin("c")
	m.plan.Suspended = false
	m.look()
	m.expect(t, "ranked, but for the one that has begun", "a pilot 2", "b pilot 1", "c pilot")
	m.declare("z", 99)
	m.look()
	m.expect(t, "one that joins later has no place", "a pilot 2", "b pilot 1", "c pilot", "z pilot")
	m.plan.Waves[0].RankBy = nil
	m.look()
	m.expect(t, "by name", "a pilot", "b pilot", "c pilot", "z pilot")
}

func TestSitesAreRankedByEachKindOfNumber(t *testing.T) {
	good, bad := int32(80), int32(20)
	site := func(name string, spec v1alpha1.RolloutSiteSpec) *v1alpha1.RolloutSite {
		return &v1alpha1.RolloutSite{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
	}
	sites := []*v1alpha1.RolloutSite{
		site("a", v1alpha1.RolloutSiteSpec{Users: &good, Attributes: map[string]v1alpha1.AttributeValue{"maturity": "2.5"}}),
		site("b", v1alpha1.RolloutSiteSpec{Users: &bad, Attributes: map[string]v1alpha1.AttributeValue{"maturity": "10"}}),
		site("c", v1alpha1.RolloutSiteSpec{Users: &good, Attributes: map[string]v1alpha1.AttributeValue{"maturity": "high"}}),
	}
	least := func(bound v1alpha1.Threshold) gate.Threshold {
		threshold, err := gate.ParseThreshold(v1alpha1.Criterion{AtLeast: &bound})
		if err != nil {
			t.Fatal(err)
		}
		return threshold
	}
	ready := gate.Gate{Name: "ready", Criteria: []gate.Criterion{
		{Name: "complete", KPI: completeness, Comparison: gate.AgainstNothing{}, Threshold: least("0.6"), For: 240 * time.Hour, Weight: 3},
		{Name: "advice", KPI: completeness, Comparison: gate.AgainstNothing{}, Threshold: least("0.6"), Weight: 9, Importance: v1alpha1.ImportanceAdvisory},
		{Name: "better", KPI: completeness, Comparison: gate.AgainstNothing{}, Threshold: least("0.95"), Weight: 1},
	}}
	smallest := plan.RankKey{By: v1alpha1.RankByKPI, Name: "completeness", KPI: completeness, LowestFirst: true}
	for name, tc := range map[string]struct {
		keys []plan.RankKey
		want []string
	}{
		"users, then names":              {[]plan.RankKey{byUsers}, []string{"a: users 80", "c: users 80", "b: users 20"}},
		"fewest users":                   {[]plan.RankKey{{By: v1alpha1.RankByUsers, LowestFirst: true}}, []string{"b: users 20", "a: users 80", "c: users 80"}},
		"an attribute":                   {[]plan.RankKey{{By: v1alpha1.RankByAttribute, Name: "maturity"}}, []string{"b: maturity 10", "a: maturity 2.5", "c: no number in attribute maturity"}},
		"a KPI, the greatest first":      {[]plan.RankKey{byCompleteness}, []string{"b: completeness 0.9", "a: completeness 0.5", "c: no value of completeness"}},
		"a KPI, the smallest first":      {[]plan.RankKey{smallest}, []string{"a: completeness 0.5", "b: completeness 0.9", "c: no value of completeness"}},
		"a gate":                         {[]plan.RankKey{{By: v1alpha1.RankByGate, Name: "ready", Gate: &ready}}, []string{"b: ready 75%", "a: ready 0%", "c: ready 0%"}},
		"a second number where equal":    {[]plan.RankKey{byUsers, byCompleteness}, []string{"a: users 80, completeness 0.5", "c: users 80, no value of completeness", "b: users 20, completeness 0.9"}},
		"a second number, the other way": {[]plan.RankKey{byUsers, {By: v1alpha1.RankByAttribute, Name: "maturity", LowestFirst: true}}, []string{"a: users 80, maturity 2.5", "c: users 80, no number in attribute maturity", "b: users 20, maturity 10"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMarket(tc.keys...)
			for _, s := range sites {
				m.sites[s.Name], m.known[s.Name] = s, true
			}
			m.values = map[string]float64{"a": 0.5, "b": 0.9}
			var got []string
			for _, place := range m.look().Rankings["pilot"].Places {
				got = append(got, place.Site+": "+place.Because)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("ranking (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNobodyIsPickedAgainstARule lets sites come, go and begin in any order, and loses what was written now and then.
func TestNobodyIsPickedAgainstARule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMarket(byCompleteness)
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			site := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "site")
			sr := m.existing[site]
			switch rapid.SampledFrom([]string{"come", "come", "go", "measure", "measure", "begin", "half", "down"}).Draw(t, "what") {
			case "come":
				m.declare(site, 0)
			case "go":
				delete(m.sites, site)
			case "measure":
				for name := range m.sites {
					m.known[name], m.values[name] = true, float64(rapid.IntRange(0, 3).Draw(t, "value"))
				}
			case "begin":
				if _, waits := m.last.Unranked["pilot"]; sr != nil && sr.Spec.Wave == "pilot" && !waits {
					m.begin(site)
				}
			case "half": // only some of the writes are carried out
				half := admit.Seat(m.facts()).Members
				half.Join = half.Join[:len(half.Join)/2]
				half.Move = half.Move[:len(half.Move)/2]
				m.apply(half)
				continue
			case "down":
				m.down = !m.down
			}
			before := map[string]string{}
			started := false
			for name, sr := range m.existing {
				before[name] = fmt.Sprintf("%s %v", sr.Spec.Wave, rankOf(sr))
				started = started || sr.Spec.Wave == "pilot" && sr.Spec.Rank != nil && len(sr.Status.Phases) > 0 && m.sites[name] != nil
			}
			m.look()
			m.check(t, before, started)
			m.look() // a seat that was given up can be taken now
			m.filled(t, started)
		}
	})
}

func rankOf(sr *v1alpha1.SiteRollout) int32 {
	if sr.Spec.Rank == nil {
		return 0
	}
	return *sr.Spec.Rank
}

func (m *market) check(t *rapid.T, before map[string]string, started bool) {
	picked, ranks := 0, map[int32]string{}
	for name, sr := range m.existing {
		if sr.Spec.Wave != "pilot" {
			continue
		}
		picked++
		if other := ranks[rankOf(sr)]; other != "" {
			t.Fatalf("%s and %s share place %d", name, other, rankOf(sr))
		}
		ranks[rankOf(sr)] = name
		if now := fmt.Sprintf("%s %v", sr.Spec.Wave, rankOf(sr)); started && before[name] != now {
			t.Fatalf("a site has begun, and %s comes from %q to %q", name, before[name], now)
		}
	}
	if picked > 2 {
		t.Fatalf("%d sites are picked", picked)
	}
	if _, ranked := m.rankings["pilot"]; !ranked {
		for name, sr := range m.existing {
			if sr.Spec.Wave == "rest" && len(sr.Status.Phases) == 0 {
				t.Fatalf("%s is in the next wave before the picking is done", name)
			}
		}
	}
}

// filled checks that no seat stays free that somebody could take.
func (m *market) filled(t *rapid.T, started bool) {
	picked := 0
	for _, sr := range m.existing {
		if sr.Spec.Wave == "pilot" {
			picked++
		}
	}
	if _, ranked := m.rankings["pilot"]; ranked && !started && picked < min(2, len(m.sites)) && !m.down {
		for name := range m.sites {
			if sr := m.existing[name]; !m.known[name] || sr != nil && len(sr.Status.Phases) > 0 {
				return // its number is not known, or it cannot be picked any more
			}
		}
		t.Fatalf("only %d of %d sites are picked, and nobody has begun", picked, len(m.sites))
	}
}
