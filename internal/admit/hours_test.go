package admit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/plan"
)

// timed is a plan of one wave and one phase with these calendars.
func timed(t testing.TB, calendars ...v1alpha1.RolloutCalendar) plan.Plan {
	t.Helper()
	objects := plan.Objects{Calendars: map[string]*v1alpha1.RolloutCalendar{}, Phases: map[string]*v1alpha1.RolloutPhase{"golive": {ObjectMeta: metav1.ObjectMeta{Name: "golive"}}}}
	rollout := &v1alpha1.CRMRollout{Spec: v1alpha1.CRMRolloutSpec{
		Phases: []v1alpha1.LocalReference{{Name: "golive"}},
		Waves:  []v1alpha1.Wave{{Name: "pilot", Selector: &metav1.LabelSelector{}}},
	}}
	for i := range calendars {
		objects.Calendars[calendars[i].Name] = &calendars[i]
		rollout.Spec.Calendars = append(rollout.Spec.Calendars, v1alpha1.LocalReference{Name: calendars[i].Name})
	}
	p := plan.Resolve(rollout, objects)
	if len(p.AllMistakes()) > 0 {
		t.Fatal(p.AllMistakes())
	}
	return p
}

func allowing(name, zone, start string, duration v1alpha1.Duration, rule string) v1alpha1.RolloutCalendar {
	return v1alpha1.RolloutCalendar{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RolloutCalendarSpec{TimeZone: zone,
		Allow: []v1alpha1.CalendarWindow{{Name: "window-of-" + name, Start: v1alpha1.LocalTime(start), Duration: duration, Recurrence: rule}}}}
}

func denying(name, zone, start string, duration v1alpha1.Duration, rule string) v1alpha1.RolloutCalendar {
	c := allowing(name, zone, start, duration, rule)
	c.Spec.Allow, c.Spec.Deny = nil, c.Spec.Allow
	return c
}

func situated(zone, region string) *v1alpha1.RolloutSite {
	return &v1alpha1.RolloutSite{Spec: v1alpha1.RolloutSiteSpec{TimeZone: zone, Region: v1alpha1.SelectableText(region)}}
}

func utc(text string) time.Time {
	at, err := time.Parse("2006-01-02T15:04", text)
	if err != nil {
		panic(err)
	}
	return at
}

func TestASiteIsToldWhichCalendarIsClosedAndWhenItOpens(t *testing.T) {
	office := allowing("office", "", "2026-01-01T08:00", "9h", "FREQ=DAILY")
	berlin := allowing("berlin", "Europe/Berlin", "2026-01-01T08:00", "9h", "FREQ=DAILY")
	freeze := denying("freeze", "UTC", "2026-03-02", "2d", "")
	north := denying("north", "UTC", "2026-03-02", "7d", "")
	north.Spec.Sites = &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelRegion: "north"}}
	mornings := allowing("mornings", "UTC", "2026-01-01T06:00", "6h", "FREQ=DAILY")
	evenings := allowing("evenings", "UTC", "2026-01-01T18:00", "6h", "FREQ=DAILY")
	closed := func(message, until string) admit.Block {
		block := admit.Block{Reason: v1alpha1.ReasonWaitingForCalendar, Message: message}
		if until != "" {
			block.Until = utc(until)
		}
		return block
	}
	for name, tc := range map[string]struct {
		calendars []v1alpha1.RolloutCalendar
		site      *v1alpha1.RolloutSite
		now       string
		want      admit.Block
	}{
		"without calendars":   {nil, situated("UTC", ""), "2026-03-02T03:00", admit.Block{}},
		"open":                {[]v1alpha1.RolloutCalendar{office}, situated("", ""), "2026-03-02T08:00", admit.Block{}},
		"closed":              {[]v1alpha1.RolloutCalendar{office}, situated("", ""), "2026-03-02T07:59", closed("calendar office is closed: none of its windows is open; the phase may start at 2026-03-02T08:00:00Z", "2026-03-02T08:00")},
		"on the site's clock": {[]v1alpha1.RolloutCalendar{office}, situated("Asia/Tokyo", ""), "2026-03-02T10:00", closed("calendar office is closed: none of its windows is open; the phase may start at 2026-03-02T23:00:00Z, which is 2026-03-03T08:00:00+09:00 in Asia/Tokyo", "2026-03-02T23:00")},
		"on its own clock, told on the site's": {[]v1alpha1.RolloutCalendar{berlin}, situated("Asia/Tokyo", ""), "2026-03-02T03:00",
			closed("calendar berlin is closed: none of its windows is open; the phase may start at 2026-03-02T07:00:00Z, which is 2026-03-02T16:00:00+09:00 in Asia/Tokyo", "2026-03-02T07:00")},
		"a freeze":                 {[]v1alpha1.RolloutCalendar{freeze}, situated("UTC", ""), "2026-03-02T12:00", closed("calendar freeze is closed by its window window-of-freeze; the phase may start at 2026-03-04T00:00:00Z", "2026-03-04T00:00")},
		"a freeze in office hours": {[]v1alpha1.RolloutCalendar{office, freeze}, situated("UTC", ""), "2026-03-02T12:00", closed("calendar freeze is closed by its window window-of-freeze; the phase may start at 2026-03-04T08:00:00Z", "2026-03-04T08:00")},
		"outside of both":          {[]v1alpha1.RolloutCalendar{office, freeze}, situated("UTC", ""), "2026-03-02T20:00", closed("calendar office is closed: none of its windows is open; the phase may start at 2026-03-04T08:00:00Z", "2026-03-04T08:00")},
		"not for this site":        {[]v1alpha1.RolloutCalendar{north}, situated("UTC", "south"), "2026-03-02T12:00", admit.Block{}},
		"for this site":            {[]v1alpha1.RolloutCalendar{north}, situated("UTC", "north"), "2026-03-02T12:00", closed("calendar north is closed by its window window-of-north; the phase may start at 2026-03-09T00:00:00Z", "2026-03-09T00:00")},
		"never open together":      {[]v1alpha1.RolloutCalendar{mornings, evenings}, situated("UTC", ""), "2026-03-02T12:00", closed("calendar mornings is closed: none of its windows is open; the phase may not start within five years", "")},
		"a zone that does not exist": {[]v1alpha1.RolloutCalendar{office}, situated("Europe/Berlyn", ""), "2026-03-02T12:00",
			closed(`calendar office is on the wall clock of the site, and spec.timeZone of the RolloutSite is wrong: "Europe/Berlyn" is not an IANA time zone; write it like Europe/Berlin, or leave it out for UTC`, "")},
		"a zone that does not matter": {[]v1alpha1.RolloutCalendar{berlin}, situated("Europe/Berlyn", ""), "2026-03-02T12:00", admit.Block{}},
		"a zone that does not matter is not told": {[]v1alpha1.RolloutCalendar{berlin}, situated("Europe/Berlyn", ""), "2026-03-02T03:00",
			closed("calendar berlin is closed: none of its windows is open; the phase may start at 2026-03-02T07:00:00Z", "2026-03-02T07:00")},
		"a site that is gone": {[]v1alpha1.RolloutCalendar{freeze}, nil, "2026-03-02T12:00", admit.Block{}},
	} {
		t.Run(name, func(t *testing.T) {
			hours := admit.HoursAt(timed(t, tc.calendars...), utc(tc.now))
			for range 2 { // the second answer is remembered
				if diff := cmp.Diff(tc.want, hours.Closed(tc.site, "pilot", "golive")); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestACalendarIsAskedBeforeASlotIsGiven(t *testing.T) {
	p := with(threePhases("pilot"), func(p *plan.Plan) { p.MaxConcurrent = &plan.Limit{Number: 1} })
	shut := admit.Block{Reason: v1alpha1.ReasonWaitingForCalendar, Message: "shut", Until: utc("2026-03-02T08:00")}
	later := admit.Block{Reason: v1alpha1.ReasonWaitingForCalendar, Message: "shut for longer", Until: utc("2026-03-02T09:00")}
	asleep := func(name string, why admit.Block) admit.Site {
		return admit.Site{Name: name, Wave: "pilot", Closed: why}
	}
	decision := admit.Decide(p, []admit.Site{asleep("a", later), asleep("b", shut), fresh("c", "pilot"), fresh("d", "pilot")}, nil, utc("2026-03-02T03:00"))
	if diff := cmp.Diff([]admit.Admission{{Site: "c", Phase: "assess"}}, decision.Admissions); diff != "" {
		t.Errorf("admitted (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(later, decision.Blocked[v1alpha1.ReasonWaitingForCalendar]); diff != "" {
		t.Errorf("the first one that waits for a calendar (-want +got):\n%s", diff)
	}
	if !decision.WakeAt.Equal(shut.Until) {
		t.Errorf("looks again at %s, want %s, when the first of the calendars opens", decision.WakeAt, shut.Until)
	}
	open := admit.Wave{Name: "pilot", State: v1alpha1.WaveOpen}
	for what, site := range map[string]admit.Site{"not admitted": asleep("a", shut), "admitted": {Name: "a", Wave: "pilot", Admitted: true, Closed: shut}} {
		if diff := cmp.Diff(shut, admit.Explain(p, site, open)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	if block := admit.Explain(p, admit.Site{Name: "a", Wave: "pilot", Running: true, Admitted: true, Begun: true, Closed: shut}, open); block.Reason != "" {
		t.Errorf("a site in a phase waits for %+v", block)
	}
	closedWave := admit.Wave{Name: "pilot", State: v1alpha1.WaveClosed, Message: "not yet"}
	if block := admit.Explain(p, asleep("a", shut), closedWave); block.Reason != v1alpha1.ReasonWaitingForWave {
		t.Errorf("what lasts longer is told first, not %+v", block)
	}
}

// BenchmarkClosed asks for ten thousand sites in forty time zones at once.
func BenchmarkClosed(b *testing.B) {
	p := timed(b, allowing("office", "", "2026-01-01T08:00", "9h", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"), denying("month-end", "", "2026-01-01", "1d", "FREQ=MONTHLY;BYMONTHDAY=-1"))
	zones := []string{"Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Sydney", "UTC"}
	for i := range 35 {
		zones = append(zones, fmt.Sprintf("Etc/GMT%+d", i%13))
	}
	sites := make([]*v1alpha1.RolloutSite, 10000)
	for i := range sites {
		sites[i] = situated(zones[i%len(zones)], "north")
	}
	for b.Loop() {
		hours := admit.HoursAt(p, utc("2026-03-02T03:00"))
		for _, site := range sites {
			hours.Closed(site, "pilot", "golive")
		}
	}
}
