package kpi

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/provider"
)

// heard is what the source was asked: the query, and the window in minutes from the beginning.
type heard struct {
	Query      string
	Start, End time.Duration
}

// hear notes what the source is asked from now on.
func (w *world) hear() (all func() []heard) {
	var mu sync.Mutex
	var noted []heard
	answer := w.source.answer
	w.source.answer = func(ctx context.Context, q provider.Query, window provider.Window) (provider.Answer, error) {
		mu.Lock()
		noted = append(noted, heard{q.Expression, window.Start.Sub(began) / minute, window.End.Sub(began) / minute})
		mu.Unlock()
		return answer(ctx, q, window)
	}
	return func() []heard {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(noted)
	}
}

// overTenMinutes gives a KPI a window that its query uses.
func overTenMinutes(k *v1alpha1.KPI) { k.Spec.Query, k.Spec.Window = "crm[{{window}}]", "10m" }

// judges is a gate that asks for a KPI over windows.
func judges(name, kpi string, windows ...v1alpha1.Duration) *v1alpha1.AcceptanceGate {
	g := &v1alpha1.AcceptanceGate{ObjectMeta: named(name)}
	for _, window := range windows {
		g.Spec.Criteria = append(g.Spec.Criteria, v1alpha1.Criterion{Name: "over-" + string(window), KPI: kpi, Window: window})
	}
	return g
}

// revision returns that of a KPI over a window.
func (w *world) revision(t *testing.T, name string, window v1alpha1.Duration) string {
	t.Helper()
	resolved, mistakes := plan.ResolveKPI(plan.Over(w.read(t, name), window))
	if len(mistakes) > 0 {
		t.Fatal(plan.Sentences(mistakes))
	}
	return resolved.Revision
}

func key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

func TestEachWindowThatGatesAskForCostsOneQueryAnInterval(t *testing.T) {
	guarded := judges("guarded", "adoption")
	guarded.Spec.Guardrails = judges("", "adoption", "30m").Spec.Criteria
	compared := judges("compared", "another", "1h")
	compared.Spec.Criteria[0].Against = &v1alpha1.Against{Reference: &v1alpha1.ReferenceComparison{KPI: "adoption"}}
	elsewhere := judges("elsewhere", "adoption", "30m")
	elsewhere.Namespace = "other"
	tests := map[string]struct {
		gates  []client.Object
		change func(*v1alpha1.KPI)
		want   []string
	}{
		"no gate":                         {nil, overTenMinutes, []string{"crm[10m]"}},
		"a gate without a window":         {[]client.Object{judges("one", "adoption", "")}, overTenMinutes, []string{"crm[10m]"}},
		"a gate with the KPI's window":    {[]client.Object{judges("one", "adoption", "600s")}, overTenMinutes, []string{"crm[10m]"}},
		"two gates with one other window": {[]client.Object{judges("one", "adoption", "30m", "1800s"), guarded}, overTenMinutes, []string{"crm[10m]", "crm[30m]"}},
		"a window of a reference":         {[]client.Object{compared}, overTenMinutes, []string{"crm[10m]", "crm[1h]"}},
		"two other windows":               {[]client.Object{judges("one", "adoption", "1h"), guarded}, overTenMinutes, []string{"crm[10m]", "crm[1h]", "crm[30m]"}},
		"a window of another KPI":         {[]client.Object{judges("one", "another", "30m")}, overTenMinutes, []string{"crm[10m]"}},
		"a gate of another namespace":     {[]client.Object{elsewhere}, overTenMinutes, []string{"crm[10m]"}},
		"a query that uses no window":     {[]client.Object{guarded}, func(*v1alpha1.KPI) {}, []string{"crm"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, append(test.gates, number("adoption", test.change))...)
			for range 2 {
				asked := w.hear()
				w.mustRun(t, "adoption", 5*minute)
				var got []string
				for _, h := range asked() {
					got = append(got, h.Query)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("queries (-want +got):\n%s", diff)
				}
				w.pass(5 * minute)
			}
		})
	}
}

func TestAWindowIsAskedForAsLongAsItIs(t *testing.T) {
	w := newWorld(t, number("adoption", overTenMinutes), judges("one", "adoption", "30m"))
	asked := w.hear()
	w.mustRun(t, "adoption", 5*minute)
	if diff := cmp.Diff([]heard{{"crm[10m]", -10, 0}, {"crm[30m]", -30, 0}}, asked()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	for _, window := range []v1alpha1.Duration{"10m", "30m"} {
		if got := w.Store.Evidence(key("adoption"), w.revision(t, "adoption", window), "rome", "rome"); got.Latest != gate.OutcomeValue {
			t.Errorf("over %s: %+v, want a value", window, got)
		}
	}
}

func TestAWindowThatCannotBeMeasuredIsToldAndTheOthersKeepTheirValues(t *testing.T) {
	w := newWorld(t, number("adoption", overTenMinutes), judges("one", "adoption", "30m"))
	w.source.answer = func(ctx context.Context, q provider.Query, window provider.Window) (provider.Answer, error) {
		if q.Expression == "crm[30m]" {
			return provider.Answer{}, &provider.Error{Reason: provider.QueryRejected, Message: "the query was rejected: too long"}
		}
		return one(ctx, q, window)
	}
	w.mustRun(t, "adoption", 5*minute)
	reason, message := w.ready(t, "adoption")
	if want := "over the window 30m that a gate asks for: the query was rejected: too long"; reason != string(provider.QueryRejected) || message != want {
		t.Errorf("Ready is %s: %s, want %s: %s", reason, message, provider.QueryRejected, want)
	}
	if got := w.evidence(t, "adoption", "rome"); got.Latest != gate.OutcomeValue {
		t.Errorf("over its own window: %+v, want a value", got)
	}
	if got := w.Store.Evidence(key("adoption"), w.revision(t, "adoption", "30m"), "rome", "rome"); got.Latest != gate.OutcomeFailed {
		t.Errorf("over the other window: %+v, want the failure", got)
	}
	if got := w.read(t, "adoption").Status; !got.LastMeasured.Time.Equal(began) || got.Summary.Sites != 2 {
		t.Errorf("the status does not tell of the KPI's own window: %+v", got)
	}
}

// replaying is a source that answers for several moments at once.
type replaying struct {
	*scripted
	replays [][]time.Duration
}

// Replay answers as Measure does.
func (r *replaying) Replay(ctx context.Context, q provider.Query, windows []provider.Window) ([]provider.Answer, error) {
	var ends []time.Duration
	var answers []provider.Answer
	for _, window := range windows {
		ends = append(ends, window.End.Sub(began)/minute)
		answer, err := r.answer(ctx, q, window)
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
	r.replays = append(r.replays, ends)
	return answers, nil
}

func TestAfterARestartASourceThatCanAnswersForThePastAtOnce(t *testing.T) {
	object := number("adoption", overTenMinutes)
	resolved, _ := plan.ResolveKPI(object)
	last, since := metav1.NewTime(began.Add(-2*minute)), metav1.NewTime(began.Add(-time.Hour))
	object.Status = v1alpha1.KPIStatus{ObservedGeneration: 1, Revision: resolved.Revision, LastMeasured: &last, MeasuredSince: &since}
	w := newWorld(t, object, judges("one", "adoption", "30m"))
	r := &replaying{scripted: w.source}
	if err := w.Providers.Set(namespace+"/source", "2", func() (provider.Provider, error) { return r, nil }); err != nil {
		t.Fatal(err)
	}
	w.mustRun(t, "adoption", 5*minute)
	past := []time.Duration{-47, -42, -37, -32, -27, -22, -17, -12, -7, -2}
	if diff := cmp.Diff([][]time.Duration{past, past}, r.replays); diff != "" {
		t.Errorf("moments that are measured again, for each window (-want +got):\n%s", diff)
	}
	w.mustHaveAsked(t, 2) // the present, over each window
	for _, window := range []v1alpha1.Duration{"10m", "30m"} {
		revision := w.revision(t, "adoption", window)
		if got := w.Store.Evidence(key("adoption"), revision, "rome", "rome"); len(got.Samples) != len(past)+1 {
			t.Errorf("over %s: %d values are known, want those of %d past moments and the present one", window, len(got.Samples), len(past))
		}
		if got := w.Store.Inherited(key("adoption"), revision); !got.Last.Equal(last.Time) || !got.Since.Equal(since.Time) {
			t.Errorf("over %s: the former process measured %+v", window, got)
		}
	}
	w.pass(5 * minute)
	w.mustRun(t, "adoption", 5*minute)
	if len(r.replays) != 2 {
		t.Errorf("the past is measured again and again: %v", r.replays)
	}
}

// asked is what a site asks for to take its baseline from.
func (w *world) asked(t *testing.T, name string, window v1alpha1.Duration, preTrend time.Duration) measure.Ask {
	t.Helper()
	long, err := window.Parse()
	if err != nil {
		t.Fatal(err)
	}
	return measure.Ask{Revision: w.revision(t, name, window), Window: long, PreTrend: preTrend}
}
