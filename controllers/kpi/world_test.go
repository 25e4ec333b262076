package kpi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/provider"
)

const (
	namespace = "crm"
	minute    = time.Minute
)

// began is when the tests begin.
var began = time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)

// scripted is a server that answers from a script.
type scripted struct {
	mu     sync.Mutex
	asked  []question
	answer func(ctx context.Context, q provider.Query, w provider.Window) (provider.Answer, error)
}

type question struct {
	site string
	end  time.Time
}

func (s *scripted) Measure(ctx context.Context, q provider.Query, w provider.Window) (provider.Answer, error) {
	s.mu.Lock()
	s.asked = append(s.asked, question{q.Site, w.End})
	s.mu.Unlock()
	return s.answer(ctx, q, w)
}

func (s *scripted) Close() {}

func (s *scripted) questions() []question {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]question(nil), s.asked...)
}

// one gives every site the value 1; it is the answer to both kinds of queries.
func one(_ context.Context, q provider.Query, w provider.Window) (provider.Answer, error) {
	if q.Site != "" {
		return provider.Answer{Samples: []provider.Sample{{Site: q.Site, Value: 1, Time: w.End}}}, nil
	}
	return provider.Answer{Samples: []provider.Sample{{Site: "berlin", Value: 1, Time: w.End}, {Site: "rome", Value: 1, Time: w.End}}}, nil
}

func silence(context.Context, provider.Query, provider.Window) (provider.Answer, error) {
	return provider.Answer{}, &provider.Error{Reason: provider.Timeout, Message: "no complete answer in time"}
}

// world is a Reconciler with everything around it.
type world struct {
	*Reconciler
	clock  *clocktesting.FakePassiveClock
	source *scripted
	// refuse is the answer to writes of status; nil carries them out.
	refuse error

	mu     sync.Mutex
	events []string
}

// Eventf notes an event.
func (w *world) Eventf(_, _ runtime.Object, _, reason, _, _ string, _ ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, reason)
}

// newWorld has a provider called source, which is open, the sites berlin and rome, and the objects given.
func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, appsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{clock: clocktesting.NewFakePassiveClock(began), source: &scripted{answer: one}}
	objects = append(objects, &v1alpha1.MetricProvider{ObjectMeta: named("source"), Spec: v1alpha1.MetricProviderSpec{
		Prometheus: &v1alpha1.PrometheusProvider{Address: "http://prometheus.example"}}}, site("berlin"), site("rome"))
	built := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&v1alpha1.KPI{}).
		WithInterceptorFuncs(interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			if w.refuse != nil {
				return w.refuse
			}
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		}}).Build()
	registry := provider.NewRegistry()
	t.Cleanup(registry.Close)
	w.Reconciler = &Reconciler{Client: built, Revisions: &catalogue.Revisions{Client: built, Live: built}, Providers: registry, Store: measure.NewStore(), Captures: measure.NewCaptures(), Budget: measure.NewRefreshBudget(), Events: w, Clock: w.clock}
	w.open(t, "source")
	return w
}

func (w *world) open(t *testing.T, name string) {
	t.Helper()
	if err := w.Providers.Set(namespace+"/"+name, "1", func() (provider.Provider, error) { return w.source, nil }); err != nil {
		t.Fatal(err)
	}
}

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1, UID: types.UID("uid-" + name)}
}

func site(name string) *v1alpha1.RolloutSite { return &v1alpha1.RolloutSite{ObjectMeta: named(name)} }

// number is a KPI that is measured every five minutes.
func number(name string, change ...func(*v1alpha1.KPI)) *v1alpha1.KPI {
	k := &v1alpha1.KPI{ObjectMeta: named(name), Spec: v1alpha1.KPISpec{
		Direction: v1alpha1.DirectionHigherIsBetter, Provider: v1alpha1.LocalReference{Name: "source"}, Query: "crm", Interval: "5m"}}
	for _, c := range change {
		c(k)
	}
	return k
}

func perSite(k *v1alpha1.KPI) {
	k.Spec.Scope, k.Spec.Query = v1alpha1.QueryScopePerSite, `crm{site="{{site}}"}`
}

// run reconciles a KPI once.
func (w *world) run(ctx context.Context, name string) (time.Duration, error) {
	result, err := w.Reconcile(ctx, ctrl.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}})
	return result.RequeueAfter, err
}

// mustRun reconciles a KPI once and checks when it wants to be looked at next.
func (w *world) mustRun(t *testing.T, name string, next time.Duration) {
	t.Helper()
	got, err := w.run(t.Context(), name)
	if err != nil {
		t.Fatalf("at %s: %v", w.clock.Now().Sub(began), err)
	}
	if got != next {
		t.Errorf("at %s: next look after %s, want %s", w.clock.Now().Sub(began), got, next)
	}
}

func (w *world) pass(d time.Duration) { w.clock.SetTime(w.clock.Now().Add(d)) }

func (w *world) read(t *testing.T, name string) *v1alpha1.KPI {
	t.Helper()
	var k v1alpha1.KPI
	if err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &k); err != nil {
		t.Fatal(err)
	}
	return &k
}

// ready returns reason and message of the Ready condition.
func (w *world) ready(t *testing.T, name string) (reason, message string) {
	t.Helper()
	if c := meta.FindStatusCondition(w.read(t, name).Status.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Reason, c.Message
	}
	return "", ""
}

// mustBe checks the reason of the Ready condition.
func (w *world) mustBe(t *testing.T, name, reason string) {
	t.Helper()
	if got, message := w.ready(t, name); got != reason {
		t.Errorf("at %s: Ready has reason %q (%s), want %q", w.clock.Now().Sub(began), got, message, reason)
	}
}

// mustHaveAsked checks how many questions the source got so far.
func (w *world) mustHaveAsked(t *testing.T, want int) {
	t.Helper()
	if got := w.source.questions(); len(got) != want {
		t.Errorf("at %s: the source was asked %d times, want %d: %v", w.clock.Now().Sub(began), len(got), want, got)
	}
}

// evidence returns what is known about a site.
func (w *world) evidence(t *testing.T, name, site string) gate.Evidence {
	t.Helper()
	resolved, mistakes := plan.ResolveKPI(w.read(t, name))
	if len(mistakes) > 0 {
		t.Fatal(plan.Sentences(mistakes))
	}
	return w.Store.Evidence(types.NamespacedName{Namespace: namespace, Name: name}, resolved.Revision, site, site)
}

var errRefused = errors.New("the API server does not answer")

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("site-%02d", i)
	}
	return all
}
