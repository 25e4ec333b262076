package definition

import (
	"maps"
	"slices"
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
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
)

const namespace = "north"

// sites is an API server with sites in it, and the controller that checks them.
type sites struct {
	client  client.Client
	checker *Reconciler
	watch   handler.EventHandler
}

func newSites(t *testing.T, there map[string]string) *sites {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.RolloutSite{})
	for _, index := range catalogue.Indexes() {
		builder = builder.WithIndex(index.Object, index.Field, index.Extract)
	}
	for name, siteID := range there {
		builder = builder.WithObjects(site(name, siteID))
	}
	s := &sites{client: builder.Build()}
	s.checker = &Reconciler{Client: s.client, Clock: clocktesting.NewFakePassiveClock(time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)), Kind: Sites}
	s.watch = handler.EnqueueRequestsFromMapFunc(s.checker.affected)
	return s
}

func site(name, siteID string) *v1alpha1.RolloutSite {
	return &v1alpha1.RolloutSite{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: v1alpha1.RolloutSiteSpec{SiteID: siteID}}
}

// call gives a site another siteID and returns the sites that are checked again because of it, by name.
func (s *sites) call(t *testing.T, name, siteID string) []string {
	t.Helper()
	before := s.get(t, name)
	after := before.DeepCopy()
	after.Spec.SiteID = siteID
	if err := s.client.Update(t.Context(), after); err != nil {
		t.Fatal(err)
	}
	return s.asked(func(q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		s.watch.Update(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: after}, q)
	})
}

func (s *sites) get(t *testing.T, name string) *v1alpha1.RolloutSite {
	t.Helper()
	found := &v1alpha1.RolloutSite{}
	if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, found); err != nil {
		t.Fatal(err)
	}
	return found
}

// asked returns what an event puts into the queue, in order of names.
func (s *sites) asked(of func(workqueue.TypedRateLimitingInterface[reconcile.Request])) []string {
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer queue.ShutDown()
	of(queue)
	names := map[string]bool{}
	for queue.Len() > 0 {
		request, _ := queue.Get()
		queue.Done(request)
		names[request.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// check checks sites and returns which of them are stalled afterwards, of all.
func (s *sites) check(t *testing.T, names ...string) []string {
	t.Helper()
	for _, name := range names {
		if _, err := s.checker.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	var list v1alpha1.RolloutSiteList
	if err := s.client.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	var stalled []string
	for _, site := range list.Items {
		if meta.IsStatusConditionTrue(site.Status.Conditions, v1alpha1.ConditionStalled) {
			stalled = append(stalled, site.Name)
		}
	}
	return stalled
}

func TestASiteThatComesIsCheckedWithThoseCalledTheSame(t *testing.T) {
	s := newSites(t, map[string]string{"lyon": "FR-01", "paris": "FR-01", "osaka": ""})
	for name, want := range map[string][]string{"lyon": {"lyon", "paris"}, "osaka": {"osaka"}} {
		asked := s.asked(func(q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			s.watch.Create(t.Context(), event.CreateEvent{Object: s.get(t, name)}, q)
		})
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("%s came; checked (-want +got):\n%s", name, diff)
		}
	}
}

// A site without a siteID is called by its name, and that can be another one's siteID.
func TestASiteThatGoesIsMissedByThoseCalledTheSame(t *testing.T) {
	s := newSites(t, map[string]string{"lyon": "", "paris": "lyon", "osaka": ""})
	gone := s.get(t, "lyon")
	if err := s.client.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	asked := s.asked(func(q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		s.watch.Delete(t.Context(), event.DeleteEvent{Object: gone}, q)
	})
	if diff := cmp.Diff([]string{"paris"}, asked); diff != "" {
		t.Errorf("checked (-want +got):\n%s", diff)
	}
}

func TestASiteThatIsCalledAnotherConcernsBothSides(t *testing.T) {
	s := newSites(t, map[string]string{"lyon": "FR-01", "paris": "FR-01", "nice": "FR-02", "osaka": ""})
	if diff := cmp.Diff([]string{"lyon", "nice", "paris"}, s.call(t, "lyon", "FR-02")); diff != "" {
		t.Errorf("checked (-want +got):\n%s", diff)
	}
}

func TestADuplicateSiteIDIsToldToBothAndTakenBackFromBoth(t *testing.T) {
	s := newSites(t, map[string]string{"lyon": "FR-01", "paris": "FR-02"})
	if stalled := s.check(t, "lyon", "paris"); stalled != nil {
		t.Fatalf("stalled at first: %q", stalled)
	}
	begun := s.call(t, "paris", "FR-01")
	if diff := cmp.Diff([]string{"lyon", "paris"}, s.check(t, begun...)); diff != "" {
		t.Errorf("stalled while both are called the same (-want +got):\n%s", diff)
	}
	ended := s.call(t, "paris", "FR-02")
	if stalled := s.check(t, ended...); stalled != nil {
		t.Errorf("stalled although each has a siteID of its own: %q", stalled)
	}
}

// The other site is found by its siteID and not by its condition, which a cache may show too late.
func TestAQuarrelEndsForASiteWhoseConditionIsNotSeenYet(t *testing.T) {
	s := newSites(t, map[string]string{"lyon": "FR-01", "paris": "FR-01"})
	if diff := cmp.Diff([]string{"lyon", "paris"}, s.call(t, "paris", "FR-02")); diff != "" {
		t.Errorf("checked (-want +got):\n%s", diff)
	}
}

// A mistake in another namespace is none here.
func TestSitesOfOtherNamespacesAreNotConcerned(t *testing.T) {
	s := newSites(t, map[string]string{"lyon": "FR-01"})
	elsewhere := site("paris", "FR-01")
	elsewhere.Namespace = "south"
	if err := s.client.Create(t.Context(), elsewhere); err != nil {
		t.Fatal(err)
	}
	asked := s.asked(func(q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		s.watch.Create(t.Context(), event.CreateEvent{Object: s.get(t, "lyon")}, q)
	})
	if diff := cmp.Diff([]string{"lyon"}, asked); diff != "" {
		t.Errorf("checked (-want +got):\n%s", diff)
	}
	if stalled := s.check(t, "lyon"); stalled != nil {
		t.Errorf("stalled: %q", stalled)
	}
}
