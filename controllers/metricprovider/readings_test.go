package metricprovider_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/controllers/metricprovider"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/provider"
)

// midday is when the surveys of the tests are measured.
var midday = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

func survey(namespace, name, kpi, site string, value v1alpha1.Decimal, observed time.Time) *v1alpha1.KPIReading {
	samples := int64(25)
	return &v1alpha1.KPIReading{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.NewTime(observed.Add(time.Hour))},
		Spec:       v1alpha1.KPIReadingSpec{KPI: kpi, Site: site, Value: value, ObservedAt: metav1.NewTime(observed), Samples: &samples},
	}
}

// surveyed is an API server with sites and readings in it, and a provider of readings that is open.
func surveyed(t *testing.T, declared *v1alpha1.MetricProvider, objects ...client.Object) (client.Client, *metricprovider.Reconciler) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(declared).WithObjects(declared).WithObjects(objects...)
	for _, index := range catalogue.Indexes() {
		builder = builder.WithIndex(index.Object, index.Field, index.Extract)
	}
	c := builder.Build()
	r := &metricprovider.Reconciler{Client: c, Secrets: c, Providers: provider.NewRegistry(), Clock: clocktesting.NewFakePassiveClock(midday)}
	t.Cleanup(r.Providers.Close)
	reconciled(t, r, declared)
	return c, r
}

func reconciled(t *testing.T, r *metricprovider.Reconciler, declared *v1alpha1.MetricProvider) {
	t.Helper()
	result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(declared)})
	if err != nil || result.RequeueAfter != 0 {
		t.Fatalf("%+v, %v; want no error, and nothing to read again", result, err)
	}
}

// latest asks for the latest readings of a KPI.
func latest(t *testing.T, r *metricprovider.Reconciler, declared *v1alpha1.MetricProvider, kpi string) provider.Answer {
	t.Helper()
	source, open := r.Providers.Get(client.ObjectKeyFromObject(declared).String())
	if !open {
		t.Fatal("the source is not open")
	}
	answer, err := source.Measure(t.Context(), provider.Query{Expression: "latest", SiteLabel: "site", Name: kpi}, provider.Window{Start: midday, End: midday})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func declaredSurveys(acceptWithin v1alpha1.Duration) *v1alpha1.MetricProvider {
	return &v1alpha1.MetricProvider{
		ObjectMeta: metav1.ObjectMeta{Namespace: "north", Name: "surveys", Generation: 1},
		Spec:       v1alpha1.MetricProviderSpec{Readings: &v1alpha1.ReadingsProvider{AcceptWithin: acceptWithin}},
	}
}

func TestReadingsAnswerUnderTheSiteIDsOfTheirNamespace(t *testing.T) {
	site := func(namespace, name, siteID string) *v1alpha1.RolloutSite {
		return &v1alpha1.RolloutSite{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: v1alpha1.RolloutSiteSpec{SiteID: siteID}}
	}
	yesterday := midday.Add(-24 * time.Hour)
	declared := declaredSurveys("7d")
	c, r := surveyed(t, declared,
		site("north", "lyon", "FR-01"), site("north", "osaka", ""), site("south", "munich", ""),
		survey("north", "a", "satisfaction", "lyon", "4.25", yesterday),
		survey("north", "b", "satisfaction", "osaka", "3", yesterday),
		survey("north", "c", "satisfaction", "closed", "1", yesterday),
		survey("north", "d", "training", "lyon", "0.5", yesterday),
		survey("south", "e", "satisfaction", "munich", "5", yesterday))
	want := provider.Answer{Samples: []provider.Sample{
		{Site: "FR-01", Value: 4.25, Time: yesterday, Samples: 25},
		{Site: "osaka", Value: 3, Time: yesterday, Samples: 25},
	}}
	if diff := cmp.Diff(want, latest(t, r, declared, "satisfaction")); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}

	today := midday.Add(-2 * time.Hour)
	if err := c.Create(t.Context(), survey("north", "f", "satisfaction", "lyon", "4.75", today)); err != nil {
		t.Fatal(err)
	}
	want.Samples[0].Value, want.Samples[0].Time = 4.75, today
	if diff := cmp.Diff(want, latest(t, r, declared, "satisfaction")); diff != "" {
		t.Errorf("a reading that came after the source was opened (-want +got):\n%s", diff)
	}
	if got := latest(t, r, declared, "nothing"); len(got.Samples) > 0 {
		t.Errorf("a KPI without readings got %+v", got)
	}
}

func TestAcceptWithinIsTheProvidersOwnAndFollowsItsSpec(t *testing.T) {
	declared := declaredSurveys("30m")
	yesterday := midday.Add(-24 * time.Hour)
	c, r := surveyed(t, declared, &v1alpha1.RolloutSite{ObjectMeta: metav1.ObjectMeta{Namespace: "north", Name: "lyon"}},
		survey("north", "entered-after-an-hour", "satisfaction", "lyon", "4", yesterday))
	if got := latest(t, r, declared, "satisfaction"); len(got.Samples) > 0 {
		t.Errorf("a late reading counts: %+v", got)
	}
	var current v1alpha1.MetricProvider
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(declared), &current); err != nil {
		t.Fatal(err)
	}
	current.Spec.Readings.AcceptWithin = ""
	if err := c.Update(t.Context(), &current); err != nil {
		t.Fatal(err)
	}
	reconciled(t, r, declared)
	if got := latest(t, r, declared, "satisfaction"); len(got.Samples) != 1 {
		t.Errorf("the default of 30d does not count it: %+v", got)
	}
}

// A value that slipped past the API server must not vanish as if nobody had entered it.
func TestAReadingThatIsNoNumberIsNoNumber(t *testing.T) {
	got := catalogue.Reading(survey("north", "a", "satisfaction", "lyon", "good", midday), "lyon")
	if got.Value == got.Value {
		t.Errorf("the value is %v, want NaN", got.Value)
	}
}
