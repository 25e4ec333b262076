package kpi

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/provider"
)

// freeze freezes a plan of one phase, whose gate asks for the KPI as it is now over windows.
func (w *world) freeze(t *testing.T, name string, windows ...v1alpha1.Duration) {
	t.Helper()
	rollout := &v1alpha1.CRMRollout{ObjectMeta: named("crm"), Spec: v1alpha1.CRMRolloutSpec{Phases: []v1alpha1.LocalReference{{Name: "migrate"}}}}
	yes := true
	frozen := &appsv1.ControllerRevision{ObjectMeta: named(name)}
	frozen.Labels = map[string]string{v1alpha1.LabelRollout: "crm"}
	frozen.OwnerReferences = []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "CRMRollout", Name: "crm", UID: rollout.UID, Controller: &yes}}
	frozen.Data = runtime.RawExtension{Raw: plan.Freeze(rollout, plan.Objects{
		Phases: map[string]*v1alpha1.RolloutPhase{"migrate": {ObjectMeta: named("migrate"), Spec: v1alpha1.RolloutPhaseSpec{ExitGate: &v1alpha1.LocalReference{Name: "accepted"}}}},
		Gates:  map[string]*v1alpha1.AcceptanceGate{"accepted": judges("accepted", "adoption", append([]v1alpha1.Duration{""}, windows...)...)},
		KPIs:   map[string]*v1alpha1.KPI{"adoption": w.read(t, "adoption")},
	}).Encode()}
	if err := w.Client.Create(t.Context(), frozen); err != nil {
		t.Fatal(err)
	}
}

// prune deletes a frozen plan.
func (w *world) prune(t *testing.T, name string) {
	t.Helper()
	if err := w.Client.Delete(t.Context(), &appsv1.ControllerRevision{ObjectMeta: named(name)}); err != nil {
		t.Fatal(err)
	}
}

// ear hears what sources are asked.
type ear struct {
	mu  sync.Mutex
	all []string
}

// on lets a source be heard, whose values are all the same.
func (e *ear) on(name string, value float64) func(context.Context, provider.Query, provider.Window) (provider.Answer, error) {
	return func(ctx context.Context, q provider.Query, window provider.Window) (provider.Answer, error) {
		e.mu.Lock()
		e.all = append(e.all, name+": "+q.Expression)
		e.mu.Unlock()
		answer, err := one(ctx, q, window)
		for i := range answer.Samples {
			answer.Samples[i].Value = value
		}
		return answer, err
	}
}

// heard returns what was asked since the last call, in the order of the alphabet.
func (e *ear) heard() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.all
	e.all = nil
	slices.Sort(all)
	return all
}

// edited is a world in which a KPI was edited after a plan was frozen. It has a second source, whose values are 2.
func edited(t *testing.T, kpi *v1alpha1.KPI, windows []v1alpha1.Duration, edit func(*v1alpha1.KPI)) (*world, *ear) {
	t.Helper()
	w, e := newWorld(t, kpi, &v1alpha1.MetricProvider{ObjectMeta: named("other"), Spec: v1alpha1.MetricProviderSpec{Prometheus: &v1alpha1.PrometheusProvider{Address: "http://other.example"}}}), &ear{}
	w.source.answer = e.on("source", 1)
	other := &scripted{answer: e.on("other", 2)}
	if err := w.Providers.Set(namespace+"/other", "1", func() (provider.Provider, error) { return other, nil }); err != nil {
		t.Fatal(err)
	}
	w.freeze(t, "frozen", windows...)
	w.edit(t, edit)
	return w, e
}

func TestAKPIIsMeasuredOnAsItWasWhileAFrozenPlanHasIt(t *testing.T) {
	for name, tc := range map[string]struct {
		kpi     func(*v1alpha1.KPI)
		windows []v1alpha1.Duration
		edit    func(*v1alpha1.KPI)
		with    []string
		without []string
	}{
		"nothing that is measured changed": {overTenMinutes, nil, func(k *v1alpha1.KPI) { k.Spec.Description = "better words" },
			[]string{"source: crm[10m]"}, []string{"source: crm[10m]"}},
		"another query": {overTenMinutes, nil, func(k *v1alpha1.KPI) { k.Spec.Query = "better[{{window}}]" },
			[]string{"source: better[10m]", "source: crm[10m]"}, []string{"source: better[10m]"}},
		"another window": {overTenMinutes, nil, func(k *v1alpha1.KPI) { k.Spec.Window = "1h" },
			[]string{"source: crm[10m]", "source: crm[1h]"}, []string{"source: crm[1h]"}},
		"a window of a frozen gate": {overTenMinutes, []v1alpha1.Duration{"30m"}, func(k *v1alpha1.KPI) { k.Spec.Query = "better[{{window}}]" },
			[]string{"source: better[10m]", "source: crm[10m]", "source: crm[30m]"}, []string{"source: better[10m]"}},
		"a window that only a frozen gate asks for": {overTenMinutes, []v1alpha1.Duration{"30m"}, func(*v1alpha1.KPI) {},
			[]string{"source: crm[10m]", "source: crm[30m]"}, []string{"source: crm[10m]"}},
		"another object": {overTenMinutes, nil, func(k *v1alpha1.KPI) { k.UID = "another" },
			[]string{"source: crm[10m]", "source: crm[10m]"}, []string{"source: crm[10m]"}},
		"another source: each is asked its own": {overTenMinutes, nil, func(k *v1alpha1.KPI) { k.Spec.Provider.Name = "other" },
			[]string{"other: crm[10m]", "source: crm[10m]"}, []string{"other: crm[10m]"}},
		"all sites at once instead of each": {perSite, nil, func(k *v1alpha1.KPI) { k.Spec.Scope, k.Spec.Query = v1alpha1.QueryScopeAllSites, "crm" },
			[]string{"source: crm", `source: crm{site="berlin"}`, `source: crm{site="rome"}`}, []string{"source: crm"}},
		"it cannot be measured any more": {overTenMinutes, nil, func(k *v1alpha1.KPI) { k.Spec.Query = "crm[{{nothing}}]" },
			[]string{"source: crm[10m]"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w, asked := edited(t, number("adoption", tc.kpi), tc.windows, tc.edit)
			for range 2 {
				w.mustRun(t, "adoption", 5*minute)
				if diff := cmp.Diff(tc.with, asked.heard()); diff != "" {
					t.Errorf("asked while the plan is there (-want +got):\n%s", diff)
				}
				w.pass(5 * minute)
			}
			w.prune(t, "frozen")
			if _, err := w.run(t.Context(), "adoption"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.without, asked.heard()); diff != "" {
				t.Errorf("asked afterwards (-want +got):\n%s", diff)
			}
		})
	}
}

// former returns the revision of the KPI adoption as a world had it before an edit.
func former(kpi *v1alpha1.KPI) string {
	resolved, _ := plan.ResolveKPI(kpi)
	return resolved.Revision
}

func TestWhatWasAndWhatIsAreNeverMixed(t *testing.T) {
	before := number("adoption", overTenMinutes)
	w, _ := edited(t, before.DeepCopy(), nil, func(k *v1alpha1.KPI) { k.Spec.Provider.Name = "other" })
	value := func(revision string) float64 {
		t.Helper()
		known := w.Store.Evidence(key("adoption"), revision, "rome", "rome")
		if len(known.Samples) != 1 {
			t.Fatalf("known: %+v", known)
		}
		return known.Samples[0].Value
	}
	w.mustRun(t, "adoption", 5*minute)
	if was, is := value(former(before)), value(w.revision(t, "adoption", "")); was != 1 || is != 2 {
		t.Errorf("as it was it is %v, and as it is %v; want 1 and 2", was, is)
	}
	w.prune(t, "frozen")
	w.pass(5 * minute)
	w.mustRun(t, "adoption", 5*minute)
	if left := w.Store.Evidence(key("adoption"), former(before), "rome", "rome"); len(left.Samples) > 0 {
		t.Errorf("nobody needs it, and it is still known: %+v", left)
	}
}

func TestAKPIIsMeasuredAsOftenAsAnybodyNeedsIt(t *testing.T) {
	every := func(interval v1alpha1.Duration) func(*v1alpha1.KPI) {
		return func(k *v1alpha1.KPI) { k.Spec.Interval = interval }
	}
	for name, tc := range map[string]struct {
		was, is       v1alpha1.Duration
		with, without time.Duration
	}{
		"it was measured more often":     {"5m", "1h", 5 * minute, 55 * minute},
		"it is measured more often":      {"1h", "5m", 5 * minute, 5 * minute},
		"it cannot be measured any more": {"1h", "never", time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := edited(t, number("adoption", every(tc.was)), nil, every(tc.is))
			w.mustRun(t, "adoption", tc.with)
			w.pass(tc.with)
			w.prune(t, "frozen")
			w.mustRun(t, "adoption", tc.without)
		})
	}
}

func TestAKPIThatIsBrokenByAnEditIsToldSoAndMeasuredOn(t *testing.T) {
	before := number("adoption", overTenMinutes)
	w, asked := edited(t, before.DeepCopy(), nil, func(k *v1alpha1.KPI) { k.Spec.Query = "crm[{{nothing}}]" })
	w.mustRun(t, "adoption", 5*minute)
	w.mustBe(t, "adoption", v1alpha1.ReasonInvalidSpec)
	if got := w.Store.Evidence(key("adoption"), former(before), "rome", "rome"); got.Latest != gate.OutcomeValue {
		t.Errorf("those who are judged by it know %+v", got)
	}
	if got := w.read(t, "adoption").Status; got.LastMeasured != nil || got.Summary != nil {
		t.Errorf("the status tells of measurements of what it was: %+v", got)
	}
	w.pass(minute)
	w.mustRun(t, "adoption", 4*minute) // it is not due
	w.edit(t, func(k *v1alpha1.KPI) { k.Spec.Query = "crm[{{window}}]" })
	asked.heard()
	w.mustRun(t, "adoption", 5*minute)
	w.mustBe(t, "adoption", v1alpha1.ReasonMeasured)
	if diff := cmp.Diff([]string{"source: crm[10m]"}, asked.heard()); diff != "" {
		t.Errorf("asked when it is mended (-want +got):\n%s", diff)
	}
	if got := w.read(t, "adoption").Status; !got.LastMeasured.Time.Equal(began.Add(minute)) {
		t.Errorf("it was last measured at %s", got.LastMeasured)
	}
}

func TestASourceThatOnlyAFrozenPlanAsksIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil   func(*testing.T, *world)
		reason  string
		message string
	}{
		"it is gone": {func(t *testing.T, w *world) {
			if err := w.Client.Delete(t.Context(), &v1alpha1.MetricProvider{ObjectMeta: named("source")}); err != nil {
				t.Fatal(err)
			}
		}, v1alpha1.ReasonReferenceNotFound, `as it was in a plan that sites are judged by: MetricProvider "source" does not exist any more`},
		"it is not open": {func(_ *testing.T, w *world) { w.Providers.Delete(namespace + "/source") }, v1alpha1.ReasonProviderNotReady,
			`as it was in a plan that sites are judged by: MetricProvider "source" cannot be used; look at its conditions`},
		"it is silent": {func(_ *testing.T, w *world) { w.source.answer = silence }, string(provider.Timeout),
			"as it was in a plan that sites are judged by: no complete answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			before := number("adoption", overTenMinutes)
			w, _ := edited(t, before.DeepCopy(), nil, func(k *v1alpha1.KPI) { k.Spec.Provider.Name = "other" })
			tc.spoil(t, w)
			w.mustRun(t, "adoption", 5*minute)
			reason, message := w.ready(t, "adoption")
			if diff := cmp.Diff([]string{tc.reason, tc.message}, []string{reason, message}); diff != "" {
				t.Errorf("Ready (-want +got):\n%s", diff)
			}
			if got := w.Store.Evidence(key("adoption"), former(before), "rome", "rome"); got.Latest != gate.OutcomeFailed {
				t.Errorf("as it was: %+v, want a failure", got)
			}
			if got := w.evidence(t, "adoption", "rome"); got.Latest != gate.OutcomeValue {
				t.Errorf("as it is: %+v, want a value", got)
			}
		})
	}
}

func TestABaselineIsTakenOfWhatTheKPIWas(t *testing.T) {
	for name, tc := range map[string]struct {
		edit   func(*v1alpha1.KPI)
		prune  bool
		want   []string
		failed bool
	}{
		"the query was edited":           {func(k *v1alpha1.KPI) { k.Spec.Query = "better[{{window}}]" }, false, []string{"source: crm[30m]", "source: crm[30m]"}, false},
		"the source was edited":          {func(k *v1alpha1.KPI) { k.Spec.Provider.Name = "other" }, false, []string{"source: crm[30m]", "source: crm[30m]"}, false},
		"there is no source any more":    {func(k *v1alpha1.KPI) { k.Spec.Provider.Name = "missing" }, false, []string{"source: crm[30m]", "source: crm[30m]"}, false},
		"it was broken":                  {func(k *v1alpha1.KPI) { k.Spec.Window = "never" }, false, []string{"source: crm[30m]", "source: crm[30m]"}, false},
		"no frozen plan has it so":       {func(k *v1alpha1.KPI) { k.Spec.Query = "better[{{window}}]" }, true, nil, true},
		"it was broken, and none has it": {func(k *v1alpha1.KPI) { k.Spec.Window = "never" }, true, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			before := number("adoption", overTenMinutes)
			w, asked := edited(t, before.DeepCopy(), nil, tc.edit)
			if _, err := w.run(t.Context(), "adoption"); err != nil {
				t.Fatal(err)
			}
			if tc.prune {
				w.prune(t, "frozen")
			}
			asked.heard()
			w.pass(minute)
			wanted := measure.Ask{Revision: former(plan.Over(before, "30m")), Window: 30 * minute, PreTrend: time.Hour}
			w.Captures.Ask(key("adoption"), wanted)
			if _, err := w.run(t.Context(), "adoption"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, asked.heard()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			w.mustHave(t, wanted, minute, tc.failed)
		})
	}
}
