package gate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

// stateOf gives a criterion of its own KPI one of four states: good, bad, silent, or good but not yet for its time.
func stateOf(t testing.TB, w world, name, state string) gate.Criterion {
	t.Helper()
	c := required(name, adoption, atLeast(t, "80"), 0)
	c.KPI.Name = "kpi-" + name
	switch state {
	case "good":
		w.evidence[c.KPI.Name] = measured(90)
	case "bad":
		w.evidence[c.KPI.Name] = measured(70)
	case "holding":
		w.evidence[c.KPI.Name] = measured(90)
		c.For = time.Hour
	}
	return c
}

func TestOneOfAGroupHasToPass(t *testing.T) {
	for name, tc := range map[string]struct {
		states     []string
		want       v1alpha1.Verdict
		recovering bool
	}{
		"one good one is enough":             {[]string{"bad", "good", "silent"}, pass, true},
		"all bad fail":                       {[]string{"bad", "bad"}, fail, false},
		"bad and silent wait":                {[]string{"bad", "silent"}, wait, false},
		"bad and holding wait, and recover":  {[]string{"bad", "holding"}, wait, true},
		"silent and holding wait":            {[]string{"silent", "holding"}, wait, true},
		"all silent wait":                    {[]string{"silent", "silent"}, wait, false},
		"a group of one is that one":         {[]string{"bad"}, fail, false},
		"all good pass":                      {[]string{"good", "good"}, pass, true},
		"good before bad is good after bad":  {[]string{"good", "bad"}, pass, true},
		"holding is no pass however it ends": {[]string{"holding"}, wait, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{evidence: map[string]gate.Evidence{}, now: at(1)}
			var criteria []gate.Criterion
			for i, state := range tc.states {
				c := stateOf(t, w, fmt.Sprint(i), state)
				c.AnyOf = "one"
				criteria = append(criteria, c)
			}
			got := w.judge(criteria...)
			if got.Verdict != tc.want || got.Recovering() != tc.recovering || len(got.Parts) != 1 {
				t.Errorf("%s, recovering %t, %d parts; want %s, %t, 1 part: %v", got.Verdict, got.Recovering(), len(got.Parts), tc.want, tc.recovering, got.Because())
			}
		})
	}
}

func TestGroupsStandSideBySideWithWhatIsRequired(t *testing.T) {
	for name, tc := range map[string]struct {
		alone, first, second string
		want                 v1alpha1.Verdict
	}{
		"all good":                {"good", "good", "good", pass},
		"one group bad":           {"good", "good", "bad", fail},
		"the one alone bad":       {"bad", "good", "good", fail},
		"one group silent":        {"good", "silent", "good", wait},
		"bad before silent":       {"silent", "bad", "good", fail},
		"the one alone is silent": {"silent", "good", "good", wait},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{evidence: map[string]gate.Evidence{}, now: at(1)}
			first, second := stateOf(t, w, "first", tc.first), stateOf(t, w, "second", tc.second)
			first.AnyOf, second.AnyOf = "a", "b"
			got := w.judge(first, stateOf(t, w, "alone", tc.alone), second)
			if got.Verdict != tc.want || len(got.Parts) != 3 {
				t.Errorf("%s with %d parts, want %s: %v", got.Verdict, len(got.Parts), tc.want, got.Because())
			}
		})
	}
}

func TestAGroupSaysWhatOfItIsMissing(t *testing.T) {
	w := world{evidence: map[string]gate.Evidence{}, now: at(1)}
	a, b := stateOf(t, w, "a", "bad"), stateOf(t, w, "b", "silent")
	a.AnyOf, b.AnyOf = "money", "money"
	want := []string{"one of money is needed: kpi-a is 70 %, must be at least 80 (measured 2026-03-02T08:00:00Z), or kpi-b has not been measured yet"}
	if diff := cmp.Diff(want, w.judge(a, b).Because()); diff != "" {
		t.Errorf("because (-want +got):\n%s", diff)
	}
}

func TestOnlyWhatWaitingCriteriaCannotChangeIsDecidedByAScore(t *testing.T) {
	type weighted struct {
		state  string
		weight int32
	}
	for name, tc := range map[string]struct {
		pass, warn int32
		criteria   []weighted
		score      int32
		want       v1alpha1.Verdict
		recovering bool
	}{
		"all good":                                    {80, 60, []weighted{{"good", 1}, {"good", 1}}, 100, pass, true},
		"the mark itself is enough":                   {75, 60, []weighted{{"good", 3}, {"bad", 1}}, 75, pass, true},
		"below the mark by less than a percent":       {67, 60, []weighted{{"good", 2}, {"bad", 1}}, 66, wait, false},
		"between the marks it waits":                  {80, 60, []weighted{{"good", 3}, {"bad", 2}}, 60, wait, false},
		"below the lower mark it fails":               {80, 61, []weighted{{"good", 3}, {"bad", 2}}, 60, fail, false},
		"one mark only":                               {80, 80, []weighted{{"good", 3}, {"bad", 2}}, 60, fail, false},
		"enough has passed, whatever the rest does":   {60, 40, []weighted{{"good", 3}, {"silent", 2}}, 60, pass, true},
		"what waits may still pass it":                {80, 60, []weighted{{"good", 3}, {"silent", 2}}, 60, wait, false},
		"what waits can only lift it between":         {80, 60, []weighted{{"good", 2}, {"silent", 1}, {"bad", 2}}, 40, wait, false},
		"what waits cannot lift it to the lower mark": {80, 61, []weighted{{"good", 2}, {"silent", 1}, {"bad", 2}}, 40, fail, false},
		"all wait": {80, 60, []weighted{{"silent", 1}, {"silent", 9}}, 0, wait, false},
		"what only has to hold counts for recovery":    {80, 60, []weighted{{"good", 3}, {"holding", 2}}, 60, wait, true},
		"it does not count as passed":                  {60, 60, []weighted{{"good", 1}, {"holding", 1}}, 50, wait, true},
		"a heavy bad one weighs what it weighs":        {50, 50, []weighted{{"good", 1}, {"good", 1}, {"bad", 1000}}, 0, fail, false},
		"a lower mark of zero never fails":             {80, 0, []weighted{{"bad", 1}}, 0, wait, false},
		"all bad":                                      {80, 1, []weighted{{"bad", 1}, {"bad", 1}}, 0, fail, false},
		"what holds may reach the lower mark in time":  {90, 50, []weighted{{"holding", 1}, {"bad", 1}}, 0, wait, false},
		"a third of a percent does not round a pass":   {34, 34, []weighted{{"good", 1}, {"bad", 2}}, 33, fail, false},
		"and a full percent below is enough for one":   {33, 33, []weighted{{"good", 1}, {"bad", 2}}, 33, pass, true},
		"with the greatest weights nothing overflows ": {100, 100, []weighted{{"good", 1000}, {"good", 1000}, {"good", 1000}}, 100, pass, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{evidence: map[string]gate.Evidence{}, now: at(1)}
			g := gate.Gate{Score: &gate.Score{Pass: tc.pass, Warn: tc.warn}}
			for i, part := range tc.criteria {
				c := stateOf(t, w, fmt.Sprint(i), part.state)
				c.Importance, c.Weight = v1alpha1.ImportanceWeighted, part.weight
				g.Criteria = append(g.Criteria, c)
			}
			got := gate.Judge(gate.Question{Gate: g, Facts: w.facts()})
			if got.Verdict != tc.want || *got.Score != tc.score || got.Recovering() != tc.recovering {
				t.Errorf("%s with %d, recovering %t; want %s with %d, %t: %v", got.Verdict, *got.Score, got.Recovering(), tc.want, tc.score, tc.recovering, got.Because())
			}
			if reported := got.Report(g, v1alpha1.GateRoleExit); *reported.Score != tc.score {
				t.Errorf("reported as %d", *reported.Score)
			}
		})
	}
}

func TestAScoreStandsBesideWhatIsRequired(t *testing.T) {
	for name, tc := range map[string]struct {
		alone, weighted string
		want            v1alpha1.Verdict
	}{
		"both good":                {"good", "good", pass},
		"the required one is bad":  {"bad", "good", fail},
		"the score is bad":         {"good", "bad", fail},
		"the required one waits":   {"silent", "good", wait},
		"the score waits":          {"good", "silent", wait},
		"a bad score before a gap": {"silent", "bad", fail},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{evidence: map[string]gate.Evidence{}, now: at(1)}
			c := stateOf(t, w, "w", tc.weighted)
			c.Importance, c.Weight = v1alpha1.ImportanceWeighted, 1
			g := gate.Gate{Score: &gate.Score{Pass: 50, Warn: 50}, Criteria: []gate.Criterion{stateOf(t, w, "alone", tc.alone), c}}
			if got := gate.Judge(gate.Question{Gate: g, Facts: w.facts()}); got.Verdict != tc.want {
				t.Errorf("%s, want %s: %v", got.Verdict, tc.want, got.Because())
			}
		})
	}
}

func TestAScoreSaysHowFarItIs(t *testing.T) {
	for name, tc := range map[string]struct {
		states []string
		warn   int32
		want   string
	}{
		"close": {[]string{"good", "bad"}, 40,
			"the score is 50, must be at least 80 (it is close: it fails below 40): kpi-1 is 70 %, must be at least 80 (measured 2026-03-02T08:00:00Z)"},
		"open":   {[]string{"good", "silent"}, 40, "the score is 50, must be at least 80: kpi-1 has not been measured yet"},
		"failed": {[]string{"good", "bad"}, 60, "the score is 50, must be at least 80: kpi-1 is 70 %, must be at least 80 (measured 2026-03-02T08:00:00Z)"},
		"passed": {[]string{"good", "good"}, 60, "the score is 100, must be at least 80"},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{evidence: map[string]gate.Evidence{}, now: at(1)}
			g := gate.Gate{Score: &gate.Score{Pass: 80, Warn: tc.warn}}
			for i, state := range tc.states {
				c := stateOf(t, w, fmt.Sprint(i), state)
				c.Importance, c.Weight = v1alpha1.ImportanceWeighted, 1
				g.Criteria = append(g.Criteria, c)
			}
			if diff := cmp.Diff([]string{tc.want}, gate.Judge(gate.Question{Gate: g, Facts: w.facts()}).Because()); diff != "" {
				t.Errorf("because (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsAdvisoryIsShownAndDecidesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		decides, advises string
		want             v1alpha1.Verdict
	}{
		"bad advice does not fail":        {"good", "bad", pass},
		"silent advice does not wait":     {"good", "silent", pass},
		"good advice does not help":       {"bad", "good", fail},
		"good advice alone decides none":  {"", "good", wait},
		"bad advice alone decides none":   {"", "bad", wait},
		"advice that holds does not wait": {"good", "holding", pass},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{evidence: map[string]gate.Evidence{}, now: at(1)}
			advice := stateOf(t, w, "advice", tc.advises)
			advice.Importance = v1alpha1.ImportanceAdvisory
			criteria := []gate.Criterion{advice}
			if tc.decides != "" {
				criteria = append(criteria, stateOf(t, w, "decides", tc.decides))
			}
			got := w.judge(criteria...)
			if got.Verdict != tc.want {
				t.Errorf("%s, want %s: %v", got.Verdict, tc.want, got.Because())
			}
			report := got.Report(gate.Gate{}, v1alpha1.GateRoleExit).Criteria
			if len(report) != len(criteria) || report[0].Importance != v1alpha1.ImportanceAdvisory {
				t.Errorf("report %+v", report)
			}
			for _, e := range got.Evidence() {
				if e.Criterion == "advice" {
					t.Error("advice is kept as evidence")
				}
			}
		})
	}
}

func TestAGateThatNothingDecidesDoesNotPass(t *testing.T) {
	if got := (world{}).judge(); got.Verdict != wait {
		t.Errorf("an empty gate: %s", got.Verdict)
	}
	w := world{evidence: map[string]gate.Evidence{}, now: at(1)}
	g := gate.Gate{Score: &gate.Score{Pass: 1, Warn: 0}, Criteria: []gate.Criterion{}}
	if got := gate.Judge(gate.Question{Gate: g, Facts: w.facts()}); got.Verdict == pass {
		t.Errorf("a score of nothing: %s", got.Verdict)
	}
}

func TestAGateAwaitsItsKPIsAndTheirReferences(t *testing.T) {
	g := gate.Gate{Criteria: []gate.Criterion{equal(t, 0), calm(t, 0), required("used", adoption, atLeast(t, "80"), 0)}}
	want := map[string]bool{"new-orders": true, "old-orders": true, "complaints": true, "adoption": true}
	if diff := cmp.Diff(want, g.KPIs()); diff != "" || !g.Guarded() {
		t.Errorf("guarded %t, KPIs (-want +got):\n%s", g.Guarded(), diff)
	}
}
