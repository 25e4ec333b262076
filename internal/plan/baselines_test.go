package plan_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// compared is a rollout of three phases, of which each has an exit gate that asks for 5 % more usage than something, and prepare declares a baseline with controls.
func compared(against *v1alpha1.Against) (*v1alpha1.CRMRollout, plan.Objects) {
	threshold := v1alpha1.Threshold("5%")
	rollout, objects := everything()
	rollout.Spec.Phases = []v1alpha1.LocalReference{{Name: "assess"}, {Name: "prepare"}, {Name: "golive"}}
	objects.KPIs["usage"].Spec.Query, objects.KPIs["usage"].Spec.Window = "avg_over_time(usage[{{window}}])", "1d"
	objects.Phases = map[string]*v1alpha1.RolloutPhase{}
	for _, name := range []string{"assess", "prepare", "golive"} {
		objects.Phases[name] = &v1alpha1.RolloutPhase{ObjectMeta: named(name)}
	}
	objects.Phases["prepare"].Spec = v1alpha1.RolloutPhaseSpec{ExitGate: &v1alpha1.LocalReference{Name: "more"},
		Baselines: []v1alpha1.BaselineSpec{{KPI: "usage", Window: "1w", Controls: &v1alpha1.ControlGroup{SameLabels: []string{"tier"}}}}}
	objects.Gates["more"] = &v1alpha1.AcceptanceGate{ObjectMeta: named("more"), Spec: v1alpha1.AcceptanceGateSpec{
		Criteria: []v1alpha1.Criterion{{Name: "grown", KPI: "usage", Against: against, AtLeast: &threshold}}}}
	return rollout, objects
}

func byBaseline(phase string) *v1alpha1.Against {
	return &v1alpha1.Against{Baseline: &v1alpha1.BaselineComparison{Phase: phase}}
}

func byControl(phase string) *v1alpha1.Against {
	return &v1alpha1.Against{Control: &v1alpha1.ControlComparison{Phase: phase}}
}

func TestABaselineIsResolvedOverItsOwnWindow(t *testing.T) {
	rollout, objects := compared(byBaseline(""))
	p := plan.Resolve(rollout, objects)
	if mistakes := p.AllMistakes(); len(mistakes) > 0 {
		t.Fatalf("mistakes: %v", mistakes)
	}
	week := plan.Over(objects.KPIs["usage"], "1w")
	want := []plan.Baseline{{Source: "", KPI: gate.KPI{Name: "usage", Revision: plan.Revision(week), Unit: "ratio", Interval: 5 * time.Minute, Window: 7 * 24 * time.Hour, StaleAfter: 15 * time.Minute},
		Controls: &plan.Controls{SameLabels: []string{"tier"}, PreTrend: 7 * 24 * time.Hour, MaxSites: 30}}}
	if diff := cmp.Diff(want, p.Phases[1].Baselines); diff != "" {
		t.Errorf("baselines (-want +got):\n%s", diff)
	}
	if got := p.Phases[1].Exit.Criteria[0].Comparison; got != (gate.AgainstBaseline{Phase: "prepare", Revision: plan.Revision(week)}) {
		t.Errorf("the criterion is bound to %+v", got)
	}
	if p.Phases[1].Exit.Criteria[0].KPI.Window != 24*time.Hour {
		t.Error("the window of the baseline has become that of the criterion")
	}
}

func TestACriterionIsBoundToThePhaseThatDeclaresItsBaseline(t *testing.T) {
	exit := func(phase string) func(plan.Objects) {
		return func(o plan.Objects) { o.Phases[phase].Spec.ExitGate = &v1alpha1.LocalReference{Name: "more"} }
	}
	entry := func(phase string) func(plan.Objects) {
		return func(o plan.Objects) { o.Phases[phase].Spec.EntryGate = &v1alpha1.LocalReference{Name: "more"} }
	}
	also := func(phase string, b v1alpha1.BaselineSpec) func(plan.Objects) {
		return func(o plan.Objects) { o.Phases[phase].Spec.Baselines = []v1alpha1.BaselineSpec{b} }
	}
	plain := v1alpha1.BaselineSpec{KPI: "usage"}
	mistake := func(field, problem string) string {
		return "AcceptanceGate/more spec.criteria[name=grown].against." + field + ": " + problem + "; declare it in spec.baselines of a RolloutPhase up to this gate, or name the phase that does"
	}
	for name, tc := range map[string]struct {
		against *v1alpha1.Against
		change  func(plan.Objects)
		want    string
	}{
		"its own phase":                        {byBaseline(""), exit("prepare"), ""},
		"an earlier phase":                     {byBaseline(""), exit("golive"), ""},
		"an earlier phase, by name":            {byBaseline("prepare"), exit("golive"), ""},
		"an earlier phase, from an entry gate": {byBaseline(""), entry("golive"), ""},
		"with a control group":                 {byControl(""), exit("golive"), ""},
		"a later phase": {byBaseline(""), exit("assess"), mistake("baseline",
			`no phase up to this gate declares a baseline of KPI "usage"`)},
		"a later phase, by name": {byBaseline("prepare"), exit("assess"), mistake("baseline",
			`no phase "prepare" up to this gate declares a baseline of KPI "usage"`)},
		"the phase of its entry gate has not taken it yet": {byBaseline(""), entry("prepare"), mistake("baseline",
			`no phase up to this gate declares a baseline of KPI "usage"`)},
		"a phase that does not exist": {byBaseline("other"), exit("golive"), mistake("baseline",
			`no phase "other" up to this gate declares a baseline of KPI "usage"`)},
		"two phases declare it": {byBaseline(""), also("assess", plain), mistake("baseline",
			`phases assess and prepare both declare a baseline of KPI "usage", and the criterion does not name one of them`)},
		"two phases declare it, and one is named":  {byBaseline("assess"), also("assess", plain), ""},
		"two phases declare it, one with controls": {byControl(""), also("assess", plain), ""},
		"none with controls": {byControl(""), also("prepare", plain), mistake("control",
			`no phase up to this gate declares a baseline with controls of KPI "usage"`)},
		"the one that is named has no controls": {byControl("prepare"), also("prepare", plain), mistake("control",
			`no phase "prepare" up to this gate declares a baseline with controls of KPI "usage"`)},
		"more control sites than are remembered": {byControl(""), func(o plan.Objects) {
			exit("golive")(o)
			three := int32(3)
			o.Phases["prepare"].Spec.Baselines[0].Controls.MaxSites = &three
		}, "AcceptanceGate/more spec.criteria[name=grown].against.control.minSites: it needs 5 control sites, and phase prepare remembers 3 at most, so this would wait for ever; " +
			"ask for fewer, or raise spec.baselines.controls.maxSites of the phase"},
		"a baseline of another KPI": {byBaseline(""), func(o plan.Objects) {
			o.KPIs["other"] = &v1alpha1.KPI{ObjectMeta: named("other"), Spec: v1alpha1.KPISpec{Query: "other"}}
			o.Phases["prepare"].Spec.Baselines = []v1alpha1.BaselineSpec{{KPI: "other"}}
		}, mistake("baseline", `no phase up to this gate declares a baseline of KPI "usage"`)},
	} {
		t.Run(name, func(t *testing.T) {
			rollout, objects := compared(tc.against)
			tc.change(objects)
			if got := plan.Sentences(plan.Resolve(rollout, objects).AllMistakes()); got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

func TestMistakesOfComparisonsAndBaselinesAreTold(t *testing.T) {
	criterion := func(change func(*v1alpha1.Criterion)) func(plan.Objects) {
		return func(o plan.Objects) { change(&o.Gates["more"].Spec.Criteria[0]) }
	}
	baseline := func(change func(*v1alpha1.BaselineSpec)) func(plan.Objects) {
		return func(o plan.Objects) { change(&o.Phases["prepare"].Spec.Baselines[0]) }
	}
	const at = "AcceptanceGate/more spec.criteria[name=grown]"
	few, other := v1alpha1.Decimal("0.5"), &v1alpha1.KPI{ObjectMeta: named("other"), Spec: v1alpha1.KPISpec{Query: "x[{{window}}]", Window: "2d"}}
	for name, tc := range map[string]struct {
		change func(plan.Objects)
		want   string
	}{
		"a percentage of nothing": {criterion(func(c *v1alpha1.Criterion) { c.Against = nil }), at + ": at least 5% is a change in percent, but against does not say what from; correct the threshold"},
		"against what":            {criterion(func(c *v1alpha1.Criterion) { c.Against = &v1alpha1.Against{} }), at + ".against: exactly one of baseline, control and reference must be set; set one of them, or leave against out"},
		"a confidence that is none": {criterion(func(c *v1alpha1.Criterion) {
			c.Against = &v1alpha1.Against{Control: &v1alpha1.ControlComparison{Confidence: few}}
		}),
			at + `.against.control.confidence: "0.5" is not more than 0.5 and less than 1; write it like 0.95, or leave it out for that`},
		"a reference that does not exist": {criterion(func(c *v1alpha1.Criterion) {
			c.Against = &v1alpha1.Against{Reference: &v1alpha1.ReferenceComparison{KPI: "none"}}
		}),
			at + `.against.reference.kpi: KPI "none" does not exist in this namespace; create it or correct the name`},
		"a reference over another window": {func(o plan.Objects) {
			o.KPIs["other"] = other
			o.Gates["more"].Spec.Criteria[0].Against = &v1alpha1.Against{Reference: &v1alpha1.ReferenceComparison{KPI: "other"}}
		}, at + `.against.reference.kpi: KPI "other" has another interval or window than KPI "usage", so their values are not of the same time; give both the same interval and window`},
		"a window that changes nothing": {func(o plan.Objects) {
			o.KPIs["usage"].Spec.Query = "usage"
			o.Gates["more"].Spec.Criteria[0].Window, o.Phases["prepare"].Spec.Baselines[0].Window = "2d", ""
		},
			at + `.window: the query of KPI "usage" does not use its window, so another one would change nothing; use {{window}} or :start in the query, or leave the window out`},
		"a window that is none": {criterion(func(c *v1alpha1.Criterion) { c.Window = "soon" }), at + `.window: "soon" is not a duration: not a valid duration string: "soon"; write it like 4w, 30d, 12h or 1h30m`},
		"a baseline of no KPI": {baseline(func(b *v1alpha1.BaselineSpec) { b.KPI = "none" }),
			`RolloutPhase/prepare spec.baselines[kpi=none].kpi: KPI "none" does not exist in this namespace; create it or correct the name. ` +
				`AcceptanceGate/more spec.criteria[name=grown].against.baseline: no phase up to this gate declares a baseline of KPI "usage"; ` +
				`declare it in spec.baselines of a RolloutPhase up to this gate, or name the phase that does`},
		"a pre-trend that is none": {baseline(func(b *v1alpha1.BaselineSpec) { b.Controls.PreTrend = "0d" }),
			`RolloutPhase/prepare spec.baselines[kpi=usage].controls.preTrend: "0d" is not longer than zero; write it like 4w, 30d, 12h or 1h30m`},
		"no pre-trend and no window": {func(o plan.Objects) {
			o.KPIs["usage"].Spec.Query, o.KPIs["usage"].Spec.Window, o.Phases["prepare"].Spec.Baselines[0].Window = "usage", "", ""
		},
			"RolloutPhase/prepare spec.baselines[kpi=usage].controls.preTrend: it is not set, and the KPI has no window to stand for it; say how long before the baseline the earlier value is to be taken"},
		"guardrails before the phase runs": {func(o plan.Objects) {
			threshold := v1alpha1.Threshold("5")
			o.Gates["calm"] = &v1alpha1.AcceptanceGate{ObjectMeta: named("calm"), Spec: v1alpha1.AcceptanceGateSpec{Guardrails: []v1alpha1.Criterion{{Name: "calm", KPI: "usage", AtMost: &threshold}}}}
			o.Phases["golive"].Spec.EntryGate = &v1alpha1.LocalReference{Name: "calm"}
		}, `RolloutPhase/golive spec.entryGate.name: AcceptanceGate "calm" has guardrails, which are watched while a phase runs; name a gate without guardrails, or make them criteria`},
		"advice alone": {criterion(func(c *v1alpha1.Criterion) { c.Importance = v1alpha1.ImportanceAdvisory }),
			"AcceptanceGate/more spec.criteria: a gate whose criteria are all Advisory would pass everything; make one of them Required or Weighted"},
		"weights without a score": {criterion(func(c *v1alpha1.Criterion) { c.Importance = v1alpha1.ImportanceWeighted }),
			"AcceptanceGate/more spec.score: score and criteria with importance Weighted need each other; set both or neither"},
		"a score without weights": {func(o plan.Objects) { o.Gates["more"].Spec.Score = &v1alpha1.Score{Pass: 50} },
			"AcceptanceGate/more spec.score: score and criteria with importance Weighted need each other; set both or neither"},
	} {
		t.Run(name, func(t *testing.T) {
			rollout, objects := compared(byBaseline(""))
			tc.change(objects)
			if got := plan.Sentences(plan.Resolve(rollout, objects).AllMistakes()); got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

func TestAGateIsResolvedWithWhatStandsForUnsetFields(t *testing.T) {
	rollout, objects := compared(byControl(""))
	more, weight, samples, sites := &objects.Gates["more"].Spec, int32(3), int64(40), int32(4)
	asked := more.Criteria[0]
	second := asked
	second.Name, second.Importance, second.Weight, second.MinSamples, second.Window = "second", v1alpha1.ImportanceWeighted, &weight, &samples, "2d"
	second.Against = &v1alpha1.Against{Control: &v1alpha1.ControlComparison{MinSites: &sites, Confidence: "0.9"}}
	guard := asked
	guard.Name, guard.For = "guard", "1h"
	more.Criteria, more.Guardrails, more.Score = []v1alpha1.Criterion{asked, second}, []v1alpha1.Criterion{guard}, &v1alpha1.Score{Pass: 70}
	p := plan.Resolve(rollout, objects)
	if mistakes := p.AllMistakes(); len(mistakes) > 0 {
		t.Fatalf("mistakes: %v", mistakes)
	}
	g := p.Phases[1].Exit
	bound := gate.AgainstBaseline{Phase: "prepare", Revision: plan.Revision(plan.Over(objects.KPIs["usage"], "1w"))}
	for i, want := range []gate.AgainstControl{{AgainstBaseline: bound, MinSites: 5, Confidence: 0.95}, {AgainstBaseline: bound, MinSites: 4, Confidence: 0.9}, {AgainstBaseline: bound, MinSites: 5, Confidence: 0.95}} {
		if got := g.Criteria[i].Comparison; got != want {
			t.Errorf("criterion %d compares with %+v, want %+v", i, got, want)
		}
	}
	if a := g.Criteria[0]; a.Importance != v1alpha1.ImportanceRequired || a.Weight != 1 || a.MinSamples != 0 || a.KPI.Window != 24*time.Hour {
		t.Errorf("with unset fields %+v", a)
	}
	if b := g.Criteria[1]; b.Weight != 3 || b.MinSamples != 40 || b.KPI.Window != 48*time.Hour || b.KPI.Revision == g.Criteria[0].KPI.Revision {
		t.Errorf("with all fields %+v", b)
	}
	if c := g.Criteria[2]; c.Importance != v1alpha1.ImportanceGuardrail || c.For != time.Hour || !g.Guarded() {
		t.Errorf("guardrail %+v", c)
	}
	if *g.Score != (gate.Score{Pass: 70, Warn: 70}) {
		t.Errorf("score %+v", *g.Score)
	}
}

func TestAKPIIsMeasuredOverEveryWindowThatAGateAsksFor(t *testing.T) {
	source := &v1alpha1.KPI{ObjectMeta: named("usage"), Spec: v1alpha1.KPISpec{Query: "x[{{window}}]", Window: "1d"}}
	asking := func(kpi, reference string, window v1alpha1.Duration) *v1alpha1.AcceptanceGate {
		c := v1alpha1.Criterion{Name: "c", KPI: kpi, Window: window}
		if reference != "" {
			c.Against = &v1alpha1.Against{Reference: &v1alpha1.ReferenceComparison{KPI: reference}}
		}
		return &v1alpha1.AcceptanceGate{ObjectMeta: metav1.ObjectMeta{}, Spec: v1alpha1.AcceptanceGateSpec{Guardrails: []v1alpha1.Criterion{c}}}
	}
	for name, tc := range map[string]struct {
		query string
		gates []*v1alpha1.AcceptanceGate
		want  []v1alpha1.Duration
	}{
		"no gate":                                  {want: []v1alpha1.Duration{"1d"}},
		"a gate without a window":                  {gates: []*v1alpha1.AcceptanceGate{asking("usage", "", "")}, want: []v1alpha1.Duration{"1d"}},
		"its own window in other words":            {gates: []*v1alpha1.AcceptanceGate{asking("usage", "", "24h")}, want: []v1alpha1.Duration{"1d"}},
		"another window":                           {gates: []*v1alpha1.AcceptanceGate{asking("usage", "", "7d")}, want: []v1alpha1.Duration{"1d", "1w"}},
		"one window in two words is measured once": {gates: []*v1alpha1.AcceptanceGate{asking("usage", "", "7d"), asking("usage", "", "1w")}, want: []v1alpha1.Duration{"1d", "1w"}},
		"several windows, in one order":            {gates: []*v1alpha1.AcceptanceGate{asking("usage", "", "3h"), asking("usage", "", "2d")}, want: []v1alpha1.Duration{"1d", "2d", "3h"}},
		"as a reference":                           {gates: []*v1alpha1.AcceptanceGate{asking("other", "usage", "2d")}, want: []v1alpha1.Duration{"1d", "2d"}},
		"another KPI's window is none of its own":  {gates: []*v1alpha1.AcceptanceGate{asking("other", "", "2d")}, want: []v1alpha1.Duration{"1d"}},
		"a query without a window":                 {query: "x", gates: []*v1alpha1.AcceptanceGate{asking("usage", "", "2d")}, want: []v1alpha1.Duration{"1d"}},
		"a query with bound times":                 {query: "select :start", gates: []*v1alpha1.AcceptanceGate{asking("usage", "", "2d")}, want: []v1alpha1.Duration{"1d", "2d"}},
		"a query with bound times in capitals":     {query: "SELECT :START", gates: []*v1alpha1.AcceptanceGate{asking("usage", "", "2d")}, want: []v1alpha1.Duration{"1d", "2d"}},
		"readings":                                 {query: "mean", gates: []*v1alpha1.AcceptanceGate{asking("usage", "", "2d")}, want: []v1alpha1.Duration{"1d", "2d"}},
		"a window that cannot be read":             {gates: []*v1alpha1.AcceptanceGate{asking("usage", "", "soon")}, want: []v1alpha1.Duration{"1d"}},
	} {
		t.Run(name, func(t *testing.T) {
			kpi := source.DeepCopy()
			if tc.query != "" {
				kpi.Spec.Query = tc.query
			}
			gates := map[string]*v1alpha1.AcceptanceGate{}
			for i, g := range tc.gates {
				gates[string(rune('a'+i))] = g
			}
			var got []v1alpha1.Duration
			revisions := map[string]bool{}
			for _, over := range plan.Windows(kpi, gates) {
				got = append(got, over.Spec.Window)
				revisions[plan.Revision(over)] = true
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || len(revisions) != len(tc.want) {
				t.Errorf("%d revisions, windows (-want +got):\n%s", len(revisions), diff)
			}
			if kpi.Spec.Window != "1d" {
				t.Error("the KPI itself was changed")
			}
		})
	}
}

func TestControlSitesThatStayUnchangedForLongestComeFirst(t *testing.T) {
	site := func(name, wave, tier string, region string) *v1alpha1.RolloutSite {
		s := &v1alpha1.RolloutSite{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"wave": wave, "tier": tier}}}
		s.Spec.Region = v1alpha1.SelectableText(region)
		return s
	}
	rollout, objects := everything()
	rollout.Spec.Waves = nil
	for _, wave := range []string{"first", "second", "third"} {
		rollout.Spec.Waves = append(rollout.Spec.Waves, v1alpha1.Wave{Name: wave, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"wave": wave}}})
	}
	p := plan.Resolve(rollout, objects)
	own := site("berlin", "first", "a", "north")
	sites := []*v1alpha1.RolloutSite{own, site("b-first", "first", "a", "north"), site("a-third", "third", "a", "south"), site("c-second", "second", "b", "north"), site("d-none", "", "a", "north"),
		site("b-third", "third", "a", "north"), site("begun", "", "a", "north"), site("a-none", "", "b", "")}
	for name, tc := range map[string]struct {
		same []string
		want []string
	}{
		"all":                   {nil, []string{"d-none", "a-none", "b-third", "a-third", "c-second", "b-first"}},
		"of the same tier":      {[]string{"tier"}, []string{"d-none", "b-third", "a-third", "b-first"}},
		"of the same region":    {[]string{v1alpha1.LabelRegion}, []string{"d-none", "b-third", "c-second", "b-first"}},
		"of both":               {[]string{"tier", v1alpha1.LabelRegion}, []string{"d-none", "b-third", "b-first"}},
		"of a label nobody has": {[]string{"other"}, []string{"d-none", "a-none", "b-third", "a-third", "c-second", "b-first"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, candidate := range p.Candidates(plan.Controls{SameLabels: tc.same}, own, sites, p.WaveOf, func(site string) bool { return site == "begun" }) {
				got = append(got, candidate.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("candidates (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPlanThatRemembersMoreThanFitsIntoAStatusIsAMistake(t *testing.T) {
	rollout, objects := compared(byControl(""))
	for i := range 8 {
		name := fmt.Sprintf("step-%d", i)
		objects.Phases[name] = &v1alpha1.RolloutPhase{ObjectMeta: named(name), Spec: v1alpha1.RolloutPhaseSpec{Baselines: []v1alpha1.BaselineSpec{
			{KPI: "usage", Controls: &v1alpha1.ControlGroup{PreTrend: "4w"}}}}}
		rollout.Spec.Phases = append(rollout.Spec.Phases, v1alpha1.LocalReference{Name: name})
	}
	const want = "CRMRollout/crm spec.phases: the baselines of its phases remember up to 270 values of control sites for each site, more than the 240 that fit into a status; " +
		"set controls.maxSites of the baselines lower, or declare controls for fewer of them"
	if got := plan.Sentences(plan.Resolve(rollout, objects).AllMistakes()); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
