package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

func number(n int) *intstr.IntOrString {
	v := intstr.FromInt(n)
	return &v
}

func text(s string) *intstr.IntOrString {
	v := intstr.FromString(s)
	return &v
}

func TestAWaveComesAfterTheOneBeforeItUnlessItSaysOtherwise(t *testing.T) {
	rollout, objects := everything()
	rollout.Spec.Waves = []v1alpha1.Wave{
		{Name: "a", MaxConcurrent: text("25%"), MaxFailures: number(0), Through: "migrate"},
		{Name: "b"},
		{Name: "c", After: &v1alpha1.WaveBarrier{Wave: "a", Phase: "migrate", AtLeast: text("60%"), Soak: "1w"}},
	}
	want := []plan.Wave{
		{Name: "a", MaxConcurrent: &plan.Limit{Number: 25, Percent: true}, MaxFailures: &plan.Limit{}},
		{Name: "b", Through: 1, After: &plan.Barrier{Wave: "a", Phase: 1}},
		{Name: "c", Through: 1, After: &plan.Barrier{Wave: "a", AtLeast: &plan.Limit{Number: 60, Percent: true}, Soak: 7 * 24 * time.Hour}},
	}
	if diff := cmp.Diff(want, plan.Resolve(rollout, objects).Waves, cmpopts.IgnoreFields(plan.Wave{}, "Selector")); diff != "" {
		t.Errorf("waves (-want +got):\n%s", diff)
	}
}

func TestMistakesInWavesAndLimitsAreNamed(t *testing.T) {
	const remedy, remedyFailures = `; write a number of sites from 1 to 10000, or a percentage from "1%" to "100%"`, `; write a number of sites from 0 to 10000, or a percentage from "0%" to "100%"`
	second := func(change func(*v1alpha1.Wave)) func(*v1alpha1.CRMRollout) {
		return func(r *v1alpha1.CRMRollout) {
			r.Spec.Waves = []v1alpha1.Wave{{Name: "pilot", Selector: &metav1.LabelSelector{}}, {Name: "rest", Selector: &metav1.LabelSelector{}}}
			change(&r.Spec.Waves[1])
		}
	}
	barrier := func(change func(*v1alpha1.WaveBarrier)) func(*v1alpha1.CRMRollout) {
		return second(func(w *v1alpha1.Wave) {
			w.After = &v1alpha1.WaveBarrier{Wave: "pilot"}
			change(w.After)
		})
	}
	for name, tc := range map[string]struct {
		change func(*v1alpha1.CRMRollout)
		want   []string
	}{
		"the least":                      {func(r *v1alpha1.CRMRollout) { r.Spec.MaxConcurrent, r.Spec.MaxFailures = number(1), number(0) }, nil},
		"the most":                       {func(r *v1alpha1.CRMRollout) { r.Spec.MaxConcurrent, r.Spec.MaxFailures = number(10000), text("100%") }, nil},
		"nobody at a time":               {func(r *v1alpha1.CRMRollout) { r.Spec.MaxConcurrent = number(0) }, []string{"CRMRollout/crm spec.maxConcurrent: 0 is not from 1 to 10000" + remedy}},
		"more sites than there can be":   {func(r *v1alpha1.CRMRollout) { r.Spec.MaxConcurrent = number(10001) }, []string{"CRMRollout/crm spec.maxConcurrent: 10001 is not from 1 to 10000" + remedy}},
		"fewer failures than none":       {func(r *v1alpha1.CRMRollout) { r.Spec.MaxFailures = number(-1) }, []string{"CRMRollout/crm spec.maxFailures: -1 is not from 0 to 10000" + remedyFailures}},
		"no percent":                     {func(r *v1alpha1.CRMRollout) { r.Spec.MaxConcurrent = text("0%") }, []string{`CRMRollout/crm spec.maxConcurrent: "0%" is not from 1% to 100%` + remedy}},
		"more than all":                  {func(r *v1alpha1.CRMRollout) { r.Spec.MaxFailures = text("101%") }, []string{`CRMRollout/crm spec.maxFailures: "101%" is not from 0% to 100%` + remedyFailures}},
		"a number as a text":             {func(r *v1alpha1.CRMRollout) { r.Spec.MaxFailures = text("3") }, []string{`CRMRollout/crm spec.maxFailures: "3" is not from 0% to 100%` + remedyFailures}},
		"a text":                         {second(func(w *v1alpha1.Wave) { w.MaxConcurrent = text("some%") }), []string{`CRMRollout/crm spec.waves[name=rest].maxConcurrent: "some%" is not from 1% to 100%` + remedy}},
		"a wave's failures":              {second(func(w *v1alpha1.Wave) { w.MaxFailures = number(-2) }), []string{"CRMRollout/crm spec.waves[name=rest].maxFailures: -2 is not from 0 to 10000" + remedyFailures}},
		"a barrier of no site":           {barrier(func(b *v1alpha1.WaveBarrier) { b.AtLeast = number(0) }), []string{"CRMRollout/crm spec.waves[name=rest].after.atLeast: 0 is not from 1 to 10000" + remedy}},
		"a barrier of an unknown phase":  {barrier(func(b *v1alpha1.WaveBarrier) { b.Phase = "later" }), []string{`CRMRollout/crm spec.waves[name=rest].after.phase: "later" is not one of spec.phases; name one of them or leave the field out`}},
		"a soak that is no duration":     {barrier(func(b *v1alpha1.WaveBarrier) { b.Soak = "soon" }), []string{`CRMRollout/crm spec.waves[name=rest].after.soak: "soon" is not a duration: not a valid duration string: "soon"; write it like 4w, 30d, 12h or 1h30m`}},
		"a wave through no phase at all": {second(func(w *v1alpha1.Wave) { w.Through = "later" }), []string{`CRMRollout/crm spec.waves[name=rest].through: "later" is not one of spec.phases; name one of them or leave the field out`}},
	} {
		t.Run(name, func(t *testing.T) {
			rollout, objects := everything()
			tc.change(rollout)
			var got []string
			for _, m := range plan.Resolve(rollout, objects).Mistakes {
				got = append(got, m.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPercentagesAreRounded(t *testing.T) {
	for _, tc := range []struct {
		limit           plan.Limit
		sites, down, up int
	}{
		{plan.Limit{Number: 3}, 2, 3, 3},
		{plan.Limit{Number: 50, Percent: true}, 0, 0, 0},
		{plan.Limit{Number: 50, Percent: true}, 3, 1, 2},
		{plan.Limit{Number: 33, Percent: true}, 100, 33, 33},
		{plan.Limit{Number: 1, Percent: true}, 10000, 100, 100},
		{plan.Limit{Number: 1, Percent: true}, 101, 1, 2},
		{plan.Limit{Number: 100, Percent: true}, 7, 7, 7},
	} {
		if down, up := tc.limit.Down(tc.sites), tc.limit.Up(tc.sites); down != tc.down || up != tc.up {
			t.Errorf("%s of %d sites: %d and %d, want %d and %d", tc.limit, tc.sites, down, up, tc.down, tc.up)
		}
	}
}

func TestWhatASiteHasPassedIsCountedFromTheFirstPhase(t *testing.T) {
	p := plan.Plan{Phases: []plan.Phase{{Name: "assess"}, {Name: "migrate"}, {Name: "golive"}}}
	monday := time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)
	record := func(phase string, days int) v1alpha1.PhaseRecord {
		passed := metav1.NewTime(monday.AddDate(0, 0, days))
		return v1alpha1.PhaseRecord{Name: phase, PassedAt: &passed}
	}
	for name, tc := range map[string]struct {
		records []v1alpha1.PhaseRecord
		days    []int
	}{
		"nothing":                                         {nil, nil},
		"a phase that runs does not count":                {[]v1alpha1.PhaseRecord{record("assess", 1), {Name: "migrate"}}, []int{1}},
		"all of them":                                     {[]v1alpha1.PhaseRecord{record("assess", 1), record("migrate", 2), record("golive", 3)}, []int{1, 2, 3}},
		"a phase that came to stand in front":             {[]v1alpha1.PhaseRecord{record("migrate", 2), record("golive", 3)}, nil},
		"one that was passed after those behind it":       {[]v1alpha1.PhaseRecord{record("migrate", 2), record("golive", 3), record("assess", 9)}, []int{9, 9, 9}},
		"a phase that is no longer in the plan is no gap": {[]v1alpha1.PhaseRecord{record("gone", 5), record("assess", 6)}, []int{6}},
	} {
		t.Run(name, func(t *testing.T) {
			var want []time.Time
			for _, days := range tc.days {
				want = append(want, monday.AddDate(0, 0, days))
			}
			if diff := cmp.Diff(want, p.Passed(tc.records, p)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatSitesAreRankedByIsResolved(t *testing.T) {
	pick := int32(3)
	ready := gate.KPI{Name: "usage", Interval: 5 * time.Minute, StaleAfter: 15 * time.Minute, Unit: "ratio"}
	for name, tc := range map[string]struct {
		wave     v1alpha1.Wave
		change   func(plan.Objects)
		want     []plan.RankKey
		mistakes []string
	}{
		"a KPI that is better when higher": {v1alpha1.Wave{RankBy: []v1alpha1.RankKey{{By: v1alpha1.RankByKPI, Name: "usage"}}, Pick: &pick}, nil, []plan.RankKey{{By: v1alpha1.RankByKPI, Name: "usage", KPI: ready}}, nil},
		"one that is better when lower": {v1alpha1.Wave{RankBy: []v1alpha1.RankKey{{By: v1alpha1.RankByKPI, Name: "usage"}}}, func(o plan.Objects) { o.KPIs["usage"].Spec.Direction = v1alpha1.DirectionLowerIsBetter },
			[]plan.RankKey{{By: v1alpha1.RankByKPI, Name: "usage", KPI: ready, LowestFirst: true}}, nil},
		"the order says otherwise": {v1alpha1.Wave{RankBy: []v1alpha1.RankKey{{By: v1alpha1.RankByKPI, Name: "usage", Order: v1alpha1.RankHighestFirst}, {By: v1alpha1.RankByUsers, Order: v1alpha1.RankLowestFirst}}},
			func(o plan.Objects) { o.KPIs["usage"].Spec.Direction = v1alpha1.DirectionLowerIsBetter },
			[]plan.RankKey{{By: v1alpha1.RankByKPI, Name: "usage", KPI: ready}, {By: v1alpha1.RankByUsers, LowestFirst: true}}, nil},
		"an attribute": {v1alpha1.Wave{RankBy: []v1alpha1.RankKey{{By: v1alpha1.RankByAttribute, Name: "maturity"}}}, nil, []plan.RankKey{{By: v1alpha1.RankByAttribute, Name: "maturity"}}, nil},
		"an unknown KPI": {v1alpha1.Wave{RankBy: []v1alpha1.RankKey{{By: v1alpha1.RankByUsers}, {By: v1alpha1.RankByKPI, Name: "loyalty"}}}, nil,
			[]plan.RankKey{{By: v1alpha1.RankByUsers}, {By: v1alpha1.RankByKPI, Name: "loyalty"}},
			[]string{`CRMRollout/crm spec.waves[name=pilot].rankBy[1].name: KPI "loyalty" does not exist in this namespace; create it or correct the name`}},
		"an unknown gate": {v1alpha1.Wave{RankBy: []v1alpha1.RankKey{{By: v1alpha1.RankByGate, Name: "ripe"}}}, nil, []plan.RankKey{{By: v1alpha1.RankByGate, Name: "ripe"}},
			[]string{`CRMRollout/crm spec.waves[name=pilot].rankBy[0].name: AcceptanceGate "ripe" does not exist in this namespace; create it or correct the name`}},
		"picking without a ranking": {v1alpha1.Wave{Pick: &pick}, nil, nil,
			[]string{"CRMRollout/crm spec.waves[name=pilot].pick: it takes the best sites, and rankBy does not say which are better; set rankBy, or leave pick out"}},
	} {
		t.Run(name, func(t *testing.T) {
			rollout, objects := everything()
			tc.wave.Name, tc.wave.Selector = "pilot", &metav1.LabelSelector{}
			rollout.Spec.Waves = []v1alpha1.Wave{tc.wave}
			if tc.change != nil {
				tc.change(objects)
				delete(objects.Gates, "ready") // its threshold would be on the wrong side now
			}
			p := plan.Resolve(rollout, objects)
			if diff := cmp.Diff(tc.want, p.Waves[0].RankBy, cmpopts.IgnoreFields(gate.KPI{}, "Revision")); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			var mistakes []string
			for _, m := range p.Waves[0].Mistakes {
				mistakes = append(mistakes, m.String())
			}
			if diff := cmp.Diff(tc.mistakes, mistakes); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
			if len(p.Mistakes) > 0 {
				t.Errorf("what one wave is ranked by stops all of them: %v", p.Mistakes)
			}
			if told := p.AllMistakes(); len(mistakes) > 0 && (len(told) == 0 || told[0].String() != mistakes[0]) {
				t.Errorf("nobody is told: %v", told)
			}
		})
	}
}

func TestAGateRanksSitesThatHaveNotBegun(t *testing.T) {
	threshold := v1alpha1.Threshold("5%")
	against := map[string]v1alpha1.Against{
		`AcceptanceGate "ready" compares with baselines, which no site has before it begins; name a gate that compares with none`:                     {Baseline: &v1alpha1.BaselineComparison{}},
		`AcceptanceGate "ready" compares with baselines, which no site has before it begins; name a gate that compares with none` + " (the controls)": {Control: &v1alpha1.ControlComparison{}},
	}
	for want, a := range against {
		rollout, objects := everything()
		rollout.Spec.Waves[0].RankBy = []v1alpha1.RankKey{{By: v1alpha1.RankByGate, Name: "ready"}}
		objects.Gates["ready"].Spec.Criteria = []v1alpha1.Criterion{{Name: "grown", KPI: "usage", AtLeast: &threshold, Against: &a}}
		mistakes := plan.Resolve(rollout, objects).Waves[0].Mistakes
		want = "CRMRollout/crm spec.waves[name=pilot].rankBy[0].name: " + strings.TrimSuffix(want, " (the controls)")
		if len(mistakes) != 1 || mistakes[0].String() != want {
			t.Errorf("mistakes %v, want %s", mistakes, want)
		}
	}
	rollout, objects := everything()
	rollout.Spec.Waves[0].RankBy = []v1alpha1.RankKey{{By: v1alpha1.RankByGate, Name: "ready"}}
	objects.Gates["ready"].Spec.Guardrails = objects.Gates["ready"].Spec.Criteria
	mistakes := plan.Resolve(rollout, objects).Waves[0].Mistakes
	const want = `CRMRollout/crm spec.waves[name=pilot].rankBy[0].name: AcceptanceGate "ready" has guardrails, which are watched while a phase runs; name a gate without guardrails, or make them criteria`
	if len(mistakes) != 1 || mistakes[0].String() != want {
		t.Errorf("mistakes %v, want %s", mistakes, want)
	}
}
