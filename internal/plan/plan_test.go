package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

func named(n string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: n, Generation: 2} }

// everything is a rollout without mistakes: two phases, the first with both gates, on one KPI.
func everything() (*v1alpha1.CRMRollout, plan.Objects) {
	threshold := v1alpha1.Threshold("0.9")
	rollout := &v1alpha1.CRMRollout{ObjectMeta: named("crm"), Spec: v1alpha1.CRMRolloutSpec{
		Goals:  []v1alpha1.Goal{{Name: "loyal", SuccessFactors: []v1alpha1.SuccessFactor{{Name: "used", KPIs: []string{"usage"}}}}},
		Phases: []v1alpha1.LocalReference{{Name: "migrate"}, {Name: "golive"}},
		Waves:  []v1alpha1.Wave{{Name: "pilot", Selector: &metav1.LabelSelector{}}},
	}}
	ref := &v1alpha1.LocalReference{Name: "ready"}
	return rollout, plan.Objects{
		Phases: map[string]*v1alpha1.RolloutPhase{
			"migrate": {ObjectMeta: named("migrate"), Spec: v1alpha1.RolloutPhaseSpec{Soak: "4w", EntryGate: ref, ExitGate: ref}},
			"golive":  {ObjectMeta: named("golive")},
		},
		Gates: map[string]*v1alpha1.AcceptanceGate{"ready": {ObjectMeta: named("ready"), Spec: v1alpha1.AcceptanceGateSpec{
			Criteria: []v1alpha1.Criterion{{Name: "used", KPI: "usage", AtLeast: &threshold, For: "3d"}}}}},
		KPIs: map[string]*v1alpha1.KPI{"usage": {ObjectMeta: named("usage"), Spec: v1alpha1.KPISpec{Query: "avg by (site) (usage)", Unit: "ratio"}}},
	}
}

func TestARolloutIsResolvedIntoAPlan(t *testing.T) {
	rollout, objects := everything()
	limit := intstr.FromInt(3)
	rollout.Spec.MaxConcurrent, rollout.Spec.Suspend, rollout.Spec.Through = &limit, true, "migrate"
	p := plan.Resolve(rollout, objects)
	if mistakes := p.AllMistakes(); len(mistakes) > 0 {
		t.Fatalf("mistakes: %v", mistakes)
	}
	if p.Through != 0 || *p.MaxConcurrent != (plan.Limit{Number: 3}) || !p.Suspended || len(p.Phases) != 2 || p.IndexOf("golive") != 1 || p.IndexOf("other") != -1 {
		t.Errorf("plan %+v", p)
	}
	migrate := p.Phases[0]
	want := gate.KPI{Name: "usage", Revision: plan.Revision(objects.KPIs["usage"]), Unit: "ratio", Interval: 5 * time.Minute, StaleAfter: 15 * time.Minute}
	if diff := cmp.Diff(want, migrate.Exit.Criteria[0].KPI); diff != "" {
		t.Errorf("KPI (-want +got):\n%s", diff)
	}
	if migrate.Soak != 28*24*time.Hour || migrate.Exit.Criteria[0].For != 72*time.Hour || migrate.Exit.Generation != 2 || migrate.Entry == nil {
		t.Errorf("phase %+v", migrate)
	}
	if golive := p.Phases[1]; golive.Entry != nil || golive.Exit != nil || golive.Soak != 0 {
		t.Errorf("a phase with nothing is resolved into %+v", golive)
	}
}

func TestEveryMistakeIsToldWithItsPlaceAndItsRemedy(t *testing.T) {
	waves := func(waves ...v1alpha1.Wave) func(*v1alpha1.CRMRollout, plan.Objects) {
		for i := range waves {
			if waves[i].Selector == nil {
				waves[i].Selector = &metav1.LabelSelector{}
			}
		}
		return func(r *v1alpha1.CRMRollout, _ plan.Objects) { r.Spec.Waves = waves }
	}
	after := func(wave string) *v1alpha1.WaveBarrier { return &v1alpha1.WaveBarrier{Wave: wave} }
	kpi := func(change func(*v1alpha1.KPISpec)) func(*v1alpha1.CRMRollout, plan.Objects) {
		return func(_ *v1alpha1.CRMRollout, o plan.Objects) { change(&o.KPIs["usage"].Spec) }
	}
	criterion := func(change func(*v1alpha1.Criterion)) func(*v1alpha1.CRMRollout, plan.Objects) {
		return func(_ *v1alpha1.CRMRollout, o plan.Objects) { change(&o.Gates["ready"].Spec.Criteria[0]) }
	}
	for name, tc := range map[string]struct {
		change func(*v1alpha1.CRMRollout, plan.Objects)
		want   []string
	}{
		"unknown phase": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { delete(o.Phases, "golive") },
			[]string{`CRMRollout/crm spec.phases[1].name: RolloutPhase "golive" does not exist in this namespace; create it or correct the name`}},
		"unknown entry and exit gate": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { delete(o.Gates, "ready") }, []string{
			`RolloutPhase/migrate spec.entryGate.name: AcceptanceGate "ready" does not exist in this namespace; create it or correct the name`,
			`RolloutPhase/migrate spec.exitGate.name: AcceptanceGate "ready" does not exist in this namespace; create it or correct the name`}},
		"unknown KPI, of a criterion and of a goal": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { delete(o.KPIs, "usage") }, []string{
			`CRMRollout/crm spec.goals[name=loyal].successFactors[name=used].kpis: KPI "usage" does not exist in this namespace; create it or correct the name`,
			`AcceptanceGate/ready spec.criteria[name=used].kpi: KPI "usage" does not exist in this namespace; create it or correct the name`}},
		"unknown through": {func(r *v1alpha1.CRMRollout, _ plan.Objects) { r.Spec.Through = "later" },
			[]string{`CRMRollout/crm spec.through: "later" is not one of spec.phases; name one of them or leave the field out`}},
		"soak that is no duration": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Phases["golive"].Spec.Soak = "0s" },
			[]string{`RolloutPhase/golive spec.soak: "0s" is not longer than zero; write it like 4w, 30d, 12h or 1h30m`}},
		"expected length that is no duration": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Phases["golive"].Spec.Expected = "soon" },
			[]string{`RolloutPhase/golive spec.expected: "soon" is not a duration: not a valid duration string: "soon"; write it like 4w, 30d, 12h or 1h30m`}},
		"gate without criteria": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Gates["ready"].Spec.Criteria = nil },
			[]string{"AcceptanceGate/ready spec.criteria: a gate without criteria would pass everything; add a criterion or an approval, or remove the gate from the phase"}},
		"gate that asks for nobody": {func(_ *v1alpha1.CRMRollout, o plan.Objects) {
			none := int32(0)
			o.Gates["ready"].Spec.Approvals = []v1alpha1.Approval{{Role: "sponsor", Count: &none}}
		}, []string{"AcceptanceGate/ready spec.approvals[role=sponsor].count: it asks for nobody; make it at least 1, or leave the role out"}},
		"gate that asks for too many people": {func(_ *v1alpha1.CRMRollout, o plan.Objects) {
			eight := int32(8)
			o.Gates["ready"].Spec.Approvals = []v1alpha1.Approval{{Role: "sponsor", Count: &eight}, {Role: "owner", Count: &eight}, {Role: "lead"}}
		}, []string{"AcceptanceGate/ready spec.approvals: it asks for 17 approvals in all, and 16 are possible; lower the counts or leave roles out"}},
		"gate of approvals only": {func(_ *v1alpha1.CRMRollout, o plan.Objects) {
			o.Gates["ready"].Spec.Criteria, o.Gates["ready"].Spec.Approvals = nil, []v1alpha1.Approval{{Role: "sponsor"}}
		}, nil},
		"criterion without a comparison": {criterion(func(c *v1alpha1.Criterion) { c.AtLeast = nil }),
			[]string{"AcceptanceGate/ready spec.criteria[name=used]: exactly one of atLeast, atMost and between must be set; correct the threshold"}},
		"hold that is no duration": {criterion(func(c *v1alpha1.Criterion) { c.For = "0d" }),
			[]string{`AcceptanceGate/ready spec.criteria[name=used].for: "0d" is not longer than zero; write it like 4w, 30d, 12h or 1h30m`}},
		"staleAfter shorter than the interval": {kpi(func(k *v1alpha1.KPISpec) { k.Interval, k.StaleAfter = "1h", "59m" }),
			[]string{"KPI/usage spec.staleAfter: it is shorter than spec.interval, so every value would be stale before the next one; make it at least as long, or leave it out for three intervals"}},
		"window slot without a window": {kpi(func(k *v1alpha1.KPISpec) { k.Query = "rate(x[{{ window }}])" }),
			[]string{"KPI/usage spec.query: it contains {{window}} but spec.window is not set; set spec.window"}},
		"slot that means nothing": {kpi(func(k *v1alpha1.KPISpec) { k.Query, k.Scope = "{{}} {{country}}", v1alpha1.QueryScopePerSite }), []string{
			"KPI/usage spec.query: it contains {{}}, which means nothing; use {{window}}, {{site}}, {{region}}, {{subsidiary}}, {{businessMode}} or {{attributes.NAME}}",
			"KPI/usage spec.query: it contains {{country}}, which means nothing; use {{window}}, {{site}}, {{region}}, {{subsidiary}}, {{businessMode}} or {{attributes.NAME}}"}},
		"site slot in a query for all sites": {kpi(func(k *v1alpha1.KPISpec) { k.Query = "{{attributes.tenant}}" }),
			[]string{"KPI/usage spec.query: it contains {{attributes.tenant}} but asks for all sites at once; group the query by the site label, or set spec.scope to PerSite"}},
		"wave whose name stands twice": {waves(v1alpha1.Wave{Name: "a"}, v1alpha1.Wave{Name: "b"}, v1alpha1.Wave{Name: "a", After: after("b")}), []string{
			"CRMRollout/crm spec.waves[name=a]: the name stands twice; give each wave a name of its own",
			"CRMRollout/crm spec.waves: these waves wait for each other: a after b after a; remove one of their barriers"}},
		"bad selector": {waves(v1alpha1.Wave{Name: "a", Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "k", Operator: "Near"}}}}),
			[]string{`CRMRollout/crm spec.waves[name=a].selector: "Near" is not a valid label selector operator; correct the selector`}},
		"barrier that names no wave": {waves(v1alpha1.Wave{Name: "a", After: after("x")}),
			[]string{`CRMRollout/crm spec.waves[name=a].after.wave: "x" is not one of spec.waves; name one of them`}},
		"wave after itself": {waves(v1alpha1.Wave{Name: "a", After: after("a")}),
			[]string{"CRMRollout/crm spec.waves: these waves wait for each other: a after a; remove one of their barriers"}},
		"two waves after each other": {waves(v1alpha1.Wave{Name: "a", After: after("b")}, v1alpha1.Wave{Name: "b"}, v1alpha1.Wave{Name: "c"}),
			[]string{"CRMRollout/crm spec.waves: these waves wait for each other: a after b after a; remove one of their barriers"}},
		"three waves in a ring, and one behind it": {waves(v1alpha1.Wave{Name: "z", After: after("a")}, v1alpha1.Wave{Name: "a", After: after("c")}, v1alpha1.Wave{Name: "b"}, v1alpha1.Wave{Name: "c"}),
			[]string{"CRMRollout/crm spec.waves: these waves wait for each other: a after c after b after a; remove one of their barriers"}},
	} {
		t.Run(name, func(t *testing.T) {
			rollout, objects := everything()
			tc.change(rollout, objects)
			var got []string
			for _, m := range plan.Resolve(rollout, objects).AllMistakes() {
				got = append(got, m.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAMistakeStandsWhereItStopsSites(t *testing.T) {
	rollout, objects := everything()
	delete(objects.Gates, "ready")
	p := plan.Resolve(rollout, objects)
	if len(p.Mistakes) != 0 || len(p.Phases[0].EntryMistakes) != 1 || len(p.Phases[0].Mistakes) != 1 || len(p.Phases[1].StartMistakes()) != 0 {
		t.Errorf("a phase's mistakes stop that phase only, and those of its entry gate only the start: %+v", p)
	}
	rollout.Spec.Phases = append(rollout.Spec.Phases, v1alpha1.LocalReference{Name: "unknown"})
	if p = plan.Resolve(rollout, objects); len(p.Mistakes) != 1 || p.Mistakes[0].Reason != v1alpha1.ReasonReferenceNotFound {
		t.Errorf("an unknown phase stops the rollout: %+v", p.Mistakes)
	}
	if _, mistakes := plan.ResolveKPI(&v1alpha1.KPI{Spec: v1alpha1.KPISpec{Window: "soon"}}); len(mistakes) != 1 || mistakes[0].Reason != v1alpha1.ReasonInvalidSpec {
		t.Errorf("a bad window: %+v", mistakes)
	}
}

func TestMoreThanThreeMistakesAreCounted(t *testing.T) {
	m := plan.Mistake{Object: "KPI/a", Field: "spec.b", Problem: "wrong", Remedy: "mend it"}
	const one = "KPI/a spec.b: wrong; mend it"
	for count, want := range map[int]string{0: "", 1: one, 3: strings.Join([]string{one, one, one}, ". "), 5: strings.Join([]string{one, one, one}, ". ") + " (and 2 more)"} {
		var mistakes []plan.Mistake
		for range count {
			mistakes = append(mistakes, m)
		}
		if got := plan.Sentences(mistakes); got != want {
			t.Errorf("%d mistakes: %q, want %q", count, got, want)
		}
	}
}

func TestTheNextPhaseIsTheFirstThatWasNotPassed(t *testing.T) {
	p := plan.Plan{Phases: []plan.Phase{{Name: "a"}, {Name: "b"}, {Name: "c"}}}
	now := metav1.Now()
	done := func(n string) v1alpha1.PhaseRecord { return v1alpha1.PhaseRecord{Name: n, PassedAt: &now} }
	for name, tc := range map[string]struct {
		records []v1alpha1.PhaseRecord
		want    int
	}{
		"nothing passed":                    {nil, 0},
		"one runs":                          {[]v1alpha1.PhaseRecord{done("a"), {Name: "b"}}, 1},
		"all passed":                        {[]v1alpha1.PhaseRecord{done("a"), done("b"), done("c")}, 3},
		"a phase was put before the others": {[]v1alpha1.PhaseRecord{done("b"), done("c")}, 0},
		"a phase that is no longer there":   {[]v1alpha1.PhaseRecord{done("x")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := p.Next(tc.records); got != tc.want {
				t.Errorf("next is %d, want %d", got, tc.want)
			}
		})
	}
}

func TestARevisionChangesWithWhatIsMeasuredAndWithNothingElse(t *testing.T) {
	base := func() *v1alpha1.KPI {
		return &v1alpha1.KPI{ObjectMeta: metav1.ObjectMeta{Name: "usage", UID: "1", Generation: 1}, Spec: v1alpha1.KPISpec{
			Query: "usage", Provider: v1alpha1.LocalReference{Name: "prom"}, Window: "1d"}}
	}
	for name, tc := range map[string]struct {
		edit  func(*v1alpha1.KPI)
		other bool
	}{
		"the query":                {func(k *v1alpha1.KPI) { k.Spec.Query = "usage * 2" }, true},
		"the provider":             {func(k *v1alpha1.KPI) { k.Spec.Provider.Name = "other" }, true},
		"the window":               {func(k *v1alpha1.KPI) { k.Spec.Window = "2d" }, true},
		"the site label":           {func(k *v1alpha1.KPI) { k.Spec.SiteLabel = "branch" }, true},
		"the scope":                {func(k *v1alpha1.KPI) { k.Spec.Scope = v1alpha1.QueryScopePerSite }, true},
		"an object created anew":   {func(k *v1alpha1.KPI) { k.UID = "2" }, true},
		"the description":          {func(k *v1alpha1.KPI) { k.Spec.Description, k.Generation = "better words", 2 }, false},
		"the interval and the age": {func(k *v1alpha1.KPI) { k.Spec.Interval, k.Spec.StaleAfter, k.Generation = "1h", "5h", 2 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			edited := base()
			tc.edit(edited)
			if changed := plan.Revision(edited) != plan.Revision(base()); changed != tc.other {
				t.Errorf("changes the revision: %t, want %t", changed, tc.other)
			}
		})
	}
}

func TestAThresholdOnTheWrongSideIsAMistake(t *testing.T) {
	number := v1alpha1.Threshold("0.9")
	both := &v1alpha1.Range{Min: "0.5", Max: "0.9"}
	for name, tc := range map[string]struct {
		direction v1alpha1.Direction
		criterion v1alpha1.Criterion
		want      string
	}{
		"at least, higher is better": {v1alpha1.DirectionHigherIsBetter, v1alpha1.Criterion{AtLeast: &number}, ""},
		"at most, lower is better":   {v1alpha1.DirectionLowerIsBetter, v1alpha1.Criterion{AtMost: &number}, ""},
		"a range, higher is better":  {v1alpha1.DirectionHigherIsBetter, v1alpha1.Criterion{Between: both}, ""},
		"a range, lower is better":   {v1alpha1.DirectionLowerIsBetter, v1alpha1.Criterion{Between: both}, ""},
		"at most, higher is better": {v1alpha1.DirectionHigherIsBetter, v1alpha1.Criterion{AtMost: &number},
			`AcceptanceGate/ready spec.criteria[name=used].atMost: KPI "usage" is better when higher, so this accepts sites for being bad; use atLeast, or between for a range`},
		"at least, lower is better": {v1alpha1.DirectionLowerIsBetter, v1alpha1.Criterion{AtLeast: &number},
			`AcceptanceGate/ready spec.criteria[name=used].atLeast: KPI "usage" is better when lower, so this accepts sites for being bad; use atMost, or between for a range`},
	} {
		t.Run(name, func(t *testing.T) {
			tc.criterion.Name, tc.criterion.KPI = "used", "usage"
			kpi := &v1alpha1.KPI{ObjectMeta: named("usage"), Spec: v1alpha1.KPISpec{Query: "usage", Direction: tc.direction}}
			source := &v1alpha1.AcceptanceGate{ObjectMeta: named("ready"), Spec: v1alpha1.AcceptanceGateSpec{Criteria: []v1alpha1.Criterion{tc.criterion}}}
			_, mistakes := plan.ResolveGate(source, map[string]*v1alpha1.KPI{"usage": kpi})
			if got := plan.Sentences(mistakes); got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}
