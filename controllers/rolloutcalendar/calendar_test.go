package rolloutcalendar

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
)

// world is an API server with a calendar in it, and the controller that looks at it.
type world struct {
	client     client.Client
	clock      *clocktesting.FakePassiveClock
	reconciler *Reconciler
	writes     int
}

func newWorld(t *testing.T, spec v1alpha1.RolloutCalendarSpec, sites ...*v1alpha1.RolloutSite) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	w := &world{clock: clocktesting.NewFakePassiveClock(time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC))}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.RolloutCalendar{}).
		WithObjects(&v1alpha1.RolloutCalendar{ObjectMeta: metav1.ObjectMeta{Namespace: "crm", Name: "office"}, Spec: spec}).
		WithInterceptorFuncs(interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, options ...client.SubResourcePatchOption) error {
			w.writes++
			return c.SubResource(sub).Patch(ctx, o, p, options...)
		}})
	for _, site := range sites {
		builder = builder.WithObjects(site)
	}
	w.client = builder.Build()
	w.reconciler = &Reconciler{Client: w.client, Clock: w.clock}
	return w
}

var office = types.NamespacedName{Namespace: "crm", Name: "office"}

// look has the controller look, and returns what the calendar says and when it is looked at again.
func (w *world) look(t *testing.T) (v1alpha1.RolloutCalendarStatus, time.Duration) {
	t.Helper()
	result, err := w.reconciler.Reconcile(t.Context(), ctrl.Request{NamespacedName: office})
	if err != nil {
		t.Fatal(err)
	}
	var c v1alpha1.RolloutCalendar
	if err := w.client.Get(t.Context(), office, &c); err != nil {
		t.Fatal(err)
	}
	return c.Status, result.RequeueAfter
}

func site(name, zone, region string) *v1alpha1.RolloutSite {
	return &v1alpha1.RolloutSite{ObjectMeta: metav1.ObjectMeta{Namespace: "crm", Name: name}, Spec: v1alpha1.RolloutSiteSpec{TimeZone: zone, Region: v1alpha1.SelectableText(region)}}
}

func officeHours() v1alpha1.RolloutCalendarSpec {
	return v1alpha1.RolloutCalendarSpec{Allow: []v1alpha1.CalendarWindow{{Name: "hours", Start: "2026-01-05T08:00", Duration: "9h", Recurrence: "FREQ=DAILY"}}}
}

func inZone(spec v1alpha1.RolloutCalendarSpec, zone string) v1alpha1.RolloutCalendarSpec {
	spec.TimeZone = zone
	return spec
}

// said is the Open condition in one line.
func said(s v1alpha1.RolloutCalendarStatus) string {
	c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionOpen)
	if c == nil {
		return "nothing"
	}
	return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
}

func TestACalendarSaysWhereItStandsAndIsQuietInBetween(t *testing.T) {
	w := newWorld(t, inZone(officeHours(), "Europe/Berlin"))
	for _, tc := range []struct {
		clock  string
		writes int
		want   string
		again  time.Duration
	}{
		{"2026-03-02T06:00:00.5Z", 1, "False Closed: closed, because no window is open; opens at 2026-03-02T07:00:00Z", time.Hour - 500*time.Millisecond},
		{"2026-03-02T06:30:00Z", 1, "False Closed: closed, because no window is open; opens at 2026-03-02T07:00:00Z", 30 * time.Minute},
		{"2026-03-02T07:00:00Z", 2, "True Open: open in window hours; closes at 2026-03-02T16:00:00Z", 9 * time.Hour},
		{"2026-03-02T15:59:59.9Z", 2, "True Open: open in window hours; closes at 2026-03-02T16:00:00Z", 100 * time.Millisecond},
		{"2026-03-02T16:00:00Z", 3, "False Closed: closed, because no window is open; opens at 2026-03-03T07:00:00Z", 15 * time.Hour},
	} {
		at, err := time.Parse(time.RFC3339Nano, tc.clock)
		if err != nil {
			t.Fatal(err)
		}
		w.clock.SetTime(at)
		status, again := w.look(t)
		if got := said(status); got != tc.want || again != tc.again || w.writes != tc.writes {
			t.Errorf("%s: %s, looks again after %s, %d writes; want %s, %s, %d", tc.clock, got, again, w.writes, tc.want, tc.again, tc.writes)
		}
	}
	status, _ := w.look(t)
	opens := metav1.NewTime(time.Date(2026, 3, 3, 7, 0, 0, 0, time.UTC))
	if diff := cmp.Diff([]v1alpha1.CalendarState{{TimeZone: "Europe/Berlin", NextOpening: &opens}}, status.Zones, cmp.Comparer(func(a, b metav1.Time) bool { return a.Equal(&b) })); diff != "" {
		t.Errorf("zones (-want +got):\n%s", diff)
	}
	if !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) || meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionStalled) != nil {
		t.Errorf("conditions %+v", status.Conditions)
	}
}

func TestACalendarOnTheClocksOfItsSites(t *testing.T) {
	north := officeHours()
	north.Sites = &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelRegion: "north"}}
	all := []*v1alpha1.RolloutSite{site("oslo", "Europe/Oslo", "north"), site("bergen", "Europe/Oslo", "north"), site("tokyo", "Asia/Tokyo", "east"), site("nowhere", "Mars/Olympus", "north"), site("unset", "", "west")}
	for name, tc := range map[string]struct {
		spec  v1alpha1.RolloutCalendarSpec
		sites []*v1alpha1.RolloutSite
		hour  int
		zones string
		want  string
	}{
		"each zone once, by name": {officeHours(), all, 7, "Asia/Tokyo Europe/Oslo UTC", "Unknown OpenSomewhere: open in 2 of 3 time zones; the next change is at 2026-03-02T08:00:00Z, in Asia/Tokyo"},
		"open in all of them":     {officeHours(), all[1:3], 7, "Asia/Tokyo Europe/Oslo", "True Open: open in 2 of 2 time zones; the next change is at 2026-03-02T08:00:00Z, in Asia/Tokyo"},
		"closed in all of them":   {officeHours(), all[1:3], 18, "Asia/Tokyo Europe/Oslo", "False Closed: open in 0 of 2 time zones; the next change is at 2026-03-02T23:00:00Z, in Asia/Tokyo"},
		"of some sites":           {north, all, 7, "Europe/Oslo", "True Open: open in window hours; closes at 2026-03-02T16:00:00Z"},
		"of no site":              {north, all[2:3], 7, "", "Unknown NoSites: it is on the wall clocks of the sites, and there is no site that it is for"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.spec, tc.sites...)
			w.clock.SetTime(time.Date(2026, 3, 2, tc.hour, 0, 0, 0, time.UTC))
			status, _ := w.look(t)
			var zones []string
			for _, z := range status.Zones {
				zones = append(zones, z.TimeZone)
			}
			if got := strings.Join(zones, " "); got != tc.zones || said(status) != tc.want {
				t.Errorf("%s in %q, want %s in %q", said(status), got, tc.want, tc.zones)
			}
		})
	}
}

func TestACalendarWithAMistakeIsStalled(t *testing.T) {
	w := newWorld(t, inZone(officeHours(), "Europe/Berlin"))
	w.look(t)
	var c v1alpha1.RolloutCalendar
	if err := w.client.Get(t.Context(), office, &c); err != nil {
		t.Fatal(err)
	}
	c.Spec.Allow[0].Recurrence = "FREQ=HOURLY"
	if err := w.client.Update(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	status, again := w.look(t)
	stalled := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionStalled)
	if stalled == nil || stalled.Reason != v1alpha1.ReasonInvalidSpec || !strings.HasPrefix(stalled.Message, "RolloutCalendar/office spec.allow[name=hours].recurrence: ") {
		t.Errorf("stalled %+v", stalled)
	}
	if said(status) != "nothing" || len(status.Zones) > 0 || again != 0 {
		t.Errorf("it still says %s in %v, and is looked at again after %s", said(status), status.Zones, again)
	}
}

func TestACalendarIsLookedAtEveryDayAtLeast(t *testing.T) {
	spec := v1alpha1.RolloutCalendarSpec{TimeZone: "UTC", Deny: []v1alpha1.CalendarWindow{{Name: "far", Start: "2026-06-01", Duration: "1d"}, {Name: "farther", Start: "2040-06-01", Duration: "1d"}}}
	w := newWorld(t, spec)
	status, again := w.look(t)
	if again != 24*time.Hour || said(status) != "True Open: open; closes at 2026-06-01T00:00:00Z" {
		t.Errorf("%s, looks again after %s", said(status), again)
	}
	w.clock.SetTime(time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC))
	if status, _ := w.look(t); said(status) != "True Open: open; that does not change within five years" {
		t.Error(said(status))
	}
}

func TestSitesConcernTheCalendarsThatAreOnTheirClocks(t *testing.T) {
	for zone, want := range map[string]int{"": 1, "UTC": 0} {
		w := newWorld(t, inZone(officeHours(), zone))
		if got := w.reconciler.onSitesZones(t.Context(), site("oslo", "Europe/Oslo", "north")); len(got) != want {
			t.Errorf("zone %q: %v", zone, got)
		}
	}
}

func TestMoreZonesThanAreShownStillCount(t *testing.T) {
	var sites []*v1alpha1.RolloutSite
	for i := range 27 {
		sites = append(sites, site(fmt.Sprintf("a%d", i), fmt.Sprintf("Etc/GMT%+d", i-14), ""))
	}
	for i, city := range []string{"Berlin", "Oslo", "Paris", "Rome", "Madrid", "Vienna", "Prague", "Warsaw", "Budapest", "Zurich", "Brussels", "Amsterdam", "Stockholm", "Copenhagen", "Helsinki", "Athens", "Sofia", "Bucharest",
		"Lisbon", "Dublin", "London", "Kiev", "Riga", "Vilnius", "Tallinn", "Malta"} {
		sites = append(sites, site(fmt.Sprintf("b%d", i), "Europe/"+city, ""))
	}
	w := newWorld(t, officeHours(), sites...)
	w.clock.SetTime(time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC))
	status, _ := w.look(t)
	if len(status.Zones) != 50 || !strings.Contains(said(status), " of 53 time zones") {
		t.Errorf("%d zones are shown, %s", len(status.Zones), said(status))
	}
}
