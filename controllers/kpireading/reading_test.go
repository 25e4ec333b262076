package kpireading

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/workqueue"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
)

const namespace = "north"

// noon is when the readings of the tests are created.
var noon = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// world is an API server with objects in it, and the controller that judges readings.
type world struct {
	client client.Client
	judge  *Reconciler
	writes int
}

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	w := &world{}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.KPIReading{}).WithObjects(objects...).
		WithInterceptorFuncs(interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			w.writes++
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		}})
	for _, index := range catalogue.Indexes() {
		builder = builder.WithIndex(index.Object, index.Field, index.Extract)
	}
	w.client = builder.Build()
	w.judge = &Reconciler{Client: w.client, Clock: clocktesting.NewFakePassiveClock(noon)}
	return w
}

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1, CreationTimestamp: metav1.NewTime(noon)}
}

// survey, satisfaction and lyon are what a reading refers to when nothing is wrong.
func survey() *v1alpha1.MetricProvider {
	return &v1alpha1.MetricProvider{ObjectMeta: named("surveys"), Spec: v1alpha1.MetricProviderSpec{Readings: &v1alpha1.ReadingsProvider{AcceptWithin: "7d"}}}
}

func satisfaction() *v1alpha1.KPI {
	return &v1alpha1.KPI{ObjectMeta: named("satisfaction"), Spec: v1alpha1.KPISpec{Query: "latest", Provider: v1alpha1.LocalReference{Name: "surveys"}}}
}

func lyon() *v1alpha1.RolloutSite { return &v1alpha1.RolloutSite{ObjectMeta: named("lyon")} }

// reading was observed some time before it was created, at noon.
func reading(name string, value v1alpha1.Decimal, before time.Duration) *v1alpha1.KPIReading {
	return &v1alpha1.KPIReading{ObjectMeta: named(name), Spec: v1alpha1.KPIReadingSpec{
		KPI: "satisfaction", Site: "lyon", Value: value, ObservedAt: metav1.NewTime(noon.Add(-before)),
	}}
}

// judged judges a reading and returns what its status says.
func (w *world) judged(t *testing.T, name string) *v1alpha1.KPIReading {
	t.Helper()
	key := client.ObjectKey{Namespace: namespace, Name: name}
	if _, err := w.judge.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
		t.Fatal(err)
	}
	found := &v1alpha1.KPIReading{}
	if err := w.client.Get(t.Context(), key, found); err != nil {
		t.Fatal(err)
	}
	return found
}

// reason returns that of Ready, with what the condition says in brief.
func reason(t *testing.T, r *v1alpha1.KPIReading) string {
	t.Helper()
	ready := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.ObservedGeneration != r.Generation || r.Status.ObservedGeneration != r.Generation {
		t.Fatalf("%s has no current Ready condition: %+v", r.Name, r.Status)
	}
	text := string(ready.Status) + " " + ready.Reason
	if meta.IsStatusConditionTrue(r.Status.Conditions, v1alpha1.ConditionStalled) {
		text += " for good"
	}
	return text
}

func TestJudgement(t *testing.T) {
	prometheus, unsaid, unreadable, averaged := survey(), survey(), survey(), satisfaction()
	prometheus.Spec = v1alpha1.MetricProviderSpec{Prometheus: &v1alpha1.PrometheusProvider{Address: "https://prometheus.example"}}
	unsaid.Spec.Readings.AcceptWithin = ""
	unreadable.Spec.Readings.AcceptWithin = "soon"
	averaged.Spec.Query = "mean"
	const day = 24 * time.Hour
	one := reading("one", "4.5", time.Hour)
	for _, c := range []struct {
		name    string
		objects []client.Object
		want    string
		says    []string
	}{
		{"everything is there", []client.Object{survey(), satisfaction(), lyon(), one}, "True Valid", []string{`KPI "satisfaction"`, `site "lyon"`}},
		{"the KPI is not there", []client.Object{survey(), lyon(), one}, "False ReferenceNotFound", []string{"spec.kpi", `KPI "satisfaction" does not exist`}},
		{"the site is not there", []client.Object{survey(), satisfaction(), one}, "False ReferenceNotFound", []string{"spec.site", `RolloutSite "lyon" does not exist`}},
		{"the provider is not there", []client.Object{satisfaction(), lyon(), one}, "False ReferenceNotFound", []string{`MetricProvider "surveys" does not exist`}},
		{"the provider takes no readings", []client.Object{prometheus, satisfaction(), lyon(), one}, "False InvalidSpec for good", []string{`MetricProvider "surveys"`, "spec.readings"}},
		{"the provider cannot be understood", []client.Object{unreadable, satisfaction(), lyon(), one}, "False ProviderNotReady", []string{"acceptWithin", `"soon"`}},
		{"observed a minute after it was created", []client.Object{survey(), satisfaction(), lyon(), reading("one", "4.5", -time.Minute)}, "True Valid", nil},
		{"observed long after it was created", []client.Object{survey(), satisfaction(), lyon(), reading("one", "4.5", -2*day)}, "False ReadingFuture for good", []string{"2027-03-03T12:00:00Z had not come", "created at 2027-03-01T12:00:00Z"}},
		{"observed after it was created, and nothing else is there", []client.Object{reading("one", "4.5", -2*day)}, "False ReadingFuture for good", nil},
		{"created at the last moment", []client.Object{survey(), satisfaction(), lyon(), reading("one", "4.5", 7*day)}, "True Valid", nil},
		{"created too late", []client.Object{survey(), satisfaction(), lyon(), reading("one", "4.5", 8*day)}, "False ReadingLate for good", []string{"of 2027-02-21T12:00:00Z was entered at 2027-03-01T12:00:00Z", `"surveys"`, "within 1w", "acceptWithin"}},
		{"created late for a provider that does not say", []client.Object{unsaid, satisfaction(), lyon(), reading("one", "4.5", 31*day)}, "False ReadingLate for good", []string{"within 30d"}},
		{"created a month after for a provider that does not say", []client.Object{unsaid, satisfaction(), lyon(), reading("one", "4.5", 30*day)}, "True Valid", nil},
		{"another reading says something else", []client.Object{survey(), satisfaction(), lyon(), one, reading("two", "4", time.Hour)}, "False ReadingContradicted for good", []string{`KPIReading "two" has another value`}},
		{"two others say something else", []client.Object{survey(), satisfaction(), lyon(), one, reading("two", "4", time.Hour), reading("three", "3", time.Hour)}, "False ReadingContradicted for good", []string{`2 KPIReadings, "three" among them`}},
		{"another reading says the same in other digits", []client.Object{survey(), satisfaction(), lyon(), one, reading("two", "4.50", time.Hour)}, "True Valid", nil},
		{"another reading is of another moment", []client.Object{survey(), satisfaction(), lyon(), one, reading("two", "4", time.Hour+time.Second)}, "True Valid", nil},
		{"in a mean several values have their place", []client.Object{survey(), averaged, lyon(), one, reading("two", "4", time.Hour)}, "True Valid", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := newWorld(t, c.objects...).judged(t, "one")
			if got := reason(t, found); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			message := meta.FindStatusCondition(found.Status.Conditions, v1alpha1.ConditionReady).Message
			for _, piece := range c.says {
				if !strings.Contains(message, piece) {
					t.Errorf("the message does not say %q: %s", piece, message)
				}
			}
		})
	}
}

// A reading that never counts cannot make another one doubtful.
func TestARefusedReadingContradictsNobody(t *testing.T) {
	late := reading("two", "4", time.Hour)
	late.CreationTimestamp = metav1.NewTime(noon.Add(8 * 24 * time.Hour))
	w := newWorld(t, survey(), satisfaction(), lyon(), reading("one", "4.5", time.Hour), late)
	if got := reason(t, w.judged(t, "one")); got != "True Valid" {
		t.Errorf("the reading in time: %s", got)
	}
	if got := reason(t, w.judged(t, "two")); got != "False ReadingLate for good" {
		t.Errorf("the late one: %s", got)
	}
}

func TestADuplicateSaysWhichReadingToDelete(t *testing.T) {
	w := newWorld(t, survey(), satisfaction(), lyon(), reading("one", "4.5", time.Hour), reading("two", "4", time.Hour))
	if got := reason(t, w.judged(t, "one")); got != "False ReadingContradicted for good" {
		t.Fatalf("with two values: %s", got)
	}
	if err := w.client.Delete(t.Context(), reading("two", "4", time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := reason(t, w.judged(t, "one")); got != "True Valid" {
		t.Errorf("after the other one is deleted: %s", got)
	}
}

func TestAReadingIsWrittenOnlyWhenItsJudgementChanges(t *testing.T) {
	w := newWorld(t, survey(), satisfaction(), reading("one", "4.5", time.Hour))
	for range 3 {
		w.judged(t, "one")
	}
	if w.writes != 1 {
		t.Errorf("%d writes while the site is missing, want 1", w.writes)
	}
	if err := w.client.Create(t.Context(), &v1alpha1.RolloutSite{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "lyon"}}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.judged(t, "one")
	}
	if w.writes != 2 {
		t.Errorf("%d writes after the site came, want 2", w.writes)
	}
}

func TestAReadingThatIsGoneNeedsNothing(t *testing.T) {
	w := newWorld(t)
	if _, err := w.judge.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: "one"}}); err != nil {
		t.Error(err)
	}
}

func TestWhatChangesAsksForTheReadingsThatItConcerns(t *testing.T) {
	training, elsewhere, other := satisfaction(), reading("elsewhere", "4", time.Hour), reading("training", "1", time.Hour)
	training.Name, training.Spec.Provider.Name, other.Spec.KPI = "training", "registrations", "training"
	elsewhere.Namespace = "south"
	osaka := reading("osaka", "4", time.Hour)
	osaka.Spec.Site = "osaka"
	w := newWorld(t, survey(), satisfaction(), training, lyon(), elsewhere, other, osaka,
		reading("one", "4.5", time.Hour), reading("two", "4", time.Hour), reading("before", "4", 2*time.Hour))
	for _, c := range []struct {
		name    string
		changed client.Object
		by      handler.MapFunc
		want    []string
	}{
		{"its KPI", satisfaction(), w.judge.ofKPI, []string{"before", "one", "osaka", "two"}},
		{"its site", lyon(), w.judge.ofSite, []string{"before", "one", "training", "two"}},
		{"its provider", survey(), w.judge.ofProvider, []string{"before", "one", "osaka", "two"}},
		{"a reading of the same moment", reading("one", "4.5", time.Hour), w.judge.beside, []string{"one", "two"}},
		{"a reading of another moment", reading("new", "4.5", time.Minute), w.judge.beside, nil},
	} {
		if diff := cmp.Diff(c.want, requested(t, c.by, c.changed)); diff != "" {
			t.Errorf("%s changed; judged (-want +got):\n%s", c.name, diff)
		}
	}
}

// requested returns what a change puts into the queue, in order of names.
func requested(t *testing.T, by handler.MapFunc, changed client.Object) []string {
	t.Helper()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer queue.ShutDown()
	handler.EnqueueRequestsFromMapFunc(by).Create(t.Context(), event.CreateEvent{Object: changed}, queue)
	names := map[string]bool{}
	for queue.Len() > 0 {
		request, _ := queue.Get()
		queue.Done(request)
		if request.Namespace != namespace {
			t.Errorf("%s is in another namespace", request)
		}
		names[request.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// A cache has no order, and a message that names another reading each time would be written each time.
func TestTheOrderOfReadingsDoesNotChangeTheMessage(t *testing.T) {
	one, two, three := reading("one", "4.5", time.Hour), reading("two", "4", time.Hour), reading("three", "3", time.Hour)
	s := snapshot{object: one, kpi: satisfaction(), site: lyon(), provider: survey(), beside: []*v1alpha1.KPIReading{one, two, three}}
	first := s.judge()
	slices.Reverse(s.beside)
	if second := s.judge(); first != second {
		t.Errorf("%+v, in another order %+v", first, second)
	}
}
