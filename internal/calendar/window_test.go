package calendar_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/calendar"
)

// written reads a window as "start/until", "start+duration" or "start+duration rule".
func written(t *testing.T, name, text string) v1alpha1.CalendarWindow {
	t.Helper()
	when, rule, _ := strings.Cut(text, " ")
	w := v1alpha1.CalendarWindow{Name: name, Recurrence: rule}
	if start, until, once := strings.Cut(when, "/"); once {
		w.Start, w.Until = v1alpha1.LocalTime(start), v1alpha1.LocalTime(until)
		return w
	}
	start, duration, found := strings.Cut(when, "+")
	if !found {
		t.Fatalf("%q says neither how long it lasts nor when it ends", text)
	}
	w.Start, w.Duration = v1alpha1.LocalTime(start), v1alpha1.Duration(duration)
	return w
}

func compiled(t *testing.T, allow, deny []string) *calendar.Calendar {
	t.Helper()
	var spec v1alpha1.RolloutCalendarSpec
	for i, text := range allow {
		spec.Allow = append(spec.Allow, written(t, fmt.Sprintf("allow-%d", i), text))
	}
	for i, text := range deny {
		spec.Deny = append(spec.Deny, written(t, fmt.Sprintf("deny-%d", i), text))
	}
	c, mistakes := calendar.Compile("tested", spec)
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	return c
}

func location(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := calendar.Zone(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// moment reads a time in UTC.
func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// openings walks from one change to the next, and returns the stretches in which a calendar is open, in UTC.
func openings(t *testing.T, c *calendar.Calendar, zone *time.Location, from, to string) []string {
	t.Helper()
	var all []string
	opened := ""
	at, end := moment(t, from), moment(t, to)
	for !at.IsZero() && at.Before(end) {
		state := c.At(at, zone)
		if state.Open {
			opened = at.Format(time.RFC3339)
			at = state.NextClosing
			continue
		}
		if opened != "" {
			all = append(all, opened+" "+at.Format(time.RFC3339))
		}
		opened, at = "", state.NextOpening
	}
	if opened != "" {
		all = append(all, opened+" on")
	}
	return all
}

func TestWindowsInTheZonesAndOnTheDaysThatAreSpecial(t *testing.T) {
	for name, tc := range map[string]struct {
		zone        string
		allow, deny []string
		from, to    string
		want        []string
	}{
		"office hours begin an hour earlier in UTC when summer comes": {"Europe/Berlin", []string{"2026-01-05T08:00+9h FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"}, nil, "2026-03-26T12:00:00Z", "2026-03-31T00:00:00Z",
			[]string{"2026-03-26T12:00:00Z 2026-03-26T16:00:00Z", "2026-03-27T07:00:00Z 2026-03-27T16:00:00Z", "2026-03-30T06:00:00Z 2026-03-30T15:00:00Z"}},
		"and later again when it goes": {"Europe/Berlin", []string{"2026-01-05T08:00+9h FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"}, nil, "2026-10-23T00:00:00Z", "2026-10-27T00:00:00Z",
			[]string{"2026-10-23T06:00:00Z 2026-10-23T15:00:00Z", "2026-10-26T07:00:00Z 2026-10-26T16:00:00Z"}},
		"a beginning that is jumped over is as long after the change as it would have been": {"Europe/Berlin", []string{"2026-03-28T02:30+1h FREQ=DAILY"}, nil, "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z",
			[]string{"2026-03-28T01:30:00Z 2026-03-28T02:30:00Z", "2026-03-29T01:30:00Z 2026-03-29T02:30:00Z", "2026-03-30T00:30:00Z 2026-03-30T01:30:00Z"}},
		"a beginning that comes twice is the first": {"Europe/Berlin", []string{"2026-10-24T02:30+1h FREQ=DAILY"}, nil, "2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z",
			[]string{"2026-10-24T00:30:00Z 2026-10-24T01:30:00Z", "2026-10-25T00:30:00Z 2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z 2026-10-26T02:30:00Z"}},
		"eight hours of a night are eight hours, also when the clock says seven": {"America/New_York", []string{"2026-03-07T22:00+8h"}, nil, "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z",
			[]string{"2026-03-08T03:00:00Z 2026-03-08T11:00:00Z"}}, // until 07:00 in New York
		"a day is as long as the wall clock says": {"America/New_York", []string{"2026-11-01+1d"}, nil, "2026-10-31T00:00:00Z", "2026-11-03T00:00:00Z",
			[]string{"2026-11-01T04:00:00Z 2026-11-02T05:00:00Z"}},
		"a day and some hours are first the day": {"America/New_York", []string{"2026-03-07T12:00+1d12h"}, nil, "2026-03-07T00:00:00Z", "2026-03-10T00:00:00Z",
			[]string{"2026-03-07T17:00:00Z 2026-03-09T04:00:00Z"}}, // 12:00 to 12:00, and 12 hours
		"a clock that moves by half an hour": {"Australia/Lord_Howe", []string{"2026-04-04T01:45+30m FREQ=DAILY"}, nil, "2026-04-03T00:00:00Z", "2026-04-06T00:00:00Z",
			[]string{"2026-04-03T14:45:00Z 2026-04-03T15:15:00Z", "2026-04-04T14:45:00Z 2026-04-04T15:15:00Z", "2026-04-05T15:15:00Z 2026-04-05T15:45:00Z"}},
		"half an hour that is jumped over": {"Australia/Lord_Howe", []string{"2026-10-03T02:15+30m FREQ=DAILY"}, nil, "2026-10-02T00:00:00Z", "2026-10-05T00:00:00Z",
			[]string{"2026-10-02T15:45:00Z 2026-10-02T16:15:00Z", "2026-10-03T15:45:00Z 2026-10-03T16:15:00Z", "2026-10-04T15:15:00Z 2026-10-04T15:45:00Z"}},
		"a zone without summer time": {"Asia/Kolkata", []string{"2026-03-28T09:00+1h FREQ=DAILY"}, nil, "2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z",
			[]string{"2026-03-28T03:30:00Z 2026-03-28T04:30:00Z", "2026-03-29T03:30:00Z 2026-03-29T04:30:00Z"}},
		"a day that a country left out": {"Pacific/Apia", []string{"2011-12-29T10:00+1h FREQ=DAILY"}, nil, "2011-12-29T00:00:00Z", "2012-01-01T00:00:00Z",
			[]string{"2011-12-29T20:00:00Z 2011-12-29T21:00:00Z", "2011-12-30T20:00:00Z 2011-12-30T21:00:00Z", "2011-12-31T20:00:00Z 2011-12-31T21:00:00Z"}},
		"29 February comes in leap years only": {"UTC", []string{"2024-02-29+1d FREQ=YEARLY"}, nil, "2025-01-01T00:00:00Z", "2034-01-01T00:00:00Z",
			[]string{"2028-02-29T00:00:00Z 2028-03-01T00:00:00Z", "2032-02-29T00:00:00Z 2032-03-01T00:00:00Z"}},
		"a freeze over New Year": {"Europe/Berlin", nil, []string{"2025-12-20+18d FREQ=YEARLY"}, "2025-12-31T00:00:00Z", "2027-06-01T00:00:00Z",
			[]string{"2026-01-06T23:00:00Z 2026-12-19T23:00:00Z", "2027-01-06T23:00:00Z on"}},
		"the last Friday of a month": {"UTC", []string{"2026-01-30T18:00+2h FREQ=MONTHLY;BYDAY=-1FR"}, nil, "2026-01-01T00:00:00Z", "2026-05-01T00:00:00Z",
			[]string{"2026-01-30T18:00:00Z 2026-01-30T20:00:00Z", "2026-02-27T18:00:00Z 2026-02-27T20:00:00Z", "2026-03-27T18:00:00Z 2026-03-27T20:00:00Z", "2026-04-24T18:00:00Z 2026-04-24T20:00:00Z"}},
		"the last days of a month, whichever they are": {"UTC", nil, []string{"2026-01-01+1d FREQ=MONTHLY;BYMONTHDAY=-1,-2"}, "2026-01-15T00:00:00Z", "2026-03-15T00:00:00Z",
			[]string{"2026-01-15T00:00:00Z 2026-01-30T00:00:00Z", "2026-02-01T00:00:00Z 2026-02-27T00:00:00Z", "2026-03-01T00:00:00Z on"}},
		"the last working day of a quarter": {"UTC", []string{"2026-01-01T06:00+12h FREQ=MONTHLY;BYMONTH=3,6,9,12;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"}, nil, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z",
			[]string{"2026-03-31T06:00:00Z 2026-03-31T18:00:00Z", "2026-06-30T06:00:00Z 2026-06-30T18:00:00Z", "2026-09-30T06:00:00Z 2026-09-30T18:00:00Z", "2026-12-31T06:00:00Z 2026-12-31T18:00:00Z"}},
		"three times and no more": {"UTC", []string{"2026-01-05T08:00+1h FREQ=DAILY;COUNT=3"}, nil, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z",
			[]string{"2026-01-05T08:00:00Z 2026-01-05T09:00:00Z", "2026-01-06T08:00:00Z 2026-01-06T09:00:00Z", "2026-01-07T08:00:00Z 2026-01-07T09:00:00Z"}},
		"until a day is until its end": {"UTC", []string{"2026-01-05T08:00+1h FREQ=DAILY;UNTIL=20260106"}, nil, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z",
			[]string{"2026-01-05T08:00:00Z 2026-01-05T09:00:00Z", "2026-01-06T08:00:00Z 2026-01-06T09:00:00Z"}},
		"until a moment includes it": {"Europe/Berlin", []string{"2026-01-05T08:00+1h FREQ=DAILY;UNTIL=20260106T080000"}, nil, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z",
			[]string{"2026-01-05T07:00:00Z 2026-01-05T08:00:00Z", "2026-01-06T07:00:00Z 2026-01-06T08:00:00Z"}},
		"every other week from the first one on, and not before the start": {"UTC", []string{"2026-01-07T08:00+1h FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE"}, nil, "2026-01-01T00:00:00Z", "2026-02-03T00:00:00Z",
			[]string{"2026-01-07T08:00:00Z 2026-01-07T09:00:00Z", "2026-01-19T08:00:00Z 2026-01-19T09:00:00Z", "2026-01-21T08:00:00Z 2026-01-21T09:00:00Z", "2026-02-02T08:00:00Z 2026-02-02T09:00:00Z"}},
		"a start that the rule does not name is no occurrence": {"UTC", []string{"2026-01-05T08:00+1h FREQ=WEEKLY;BYDAY=FR;COUNT=1"}, nil, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z",
			[]string{"2026-01-09T08:00:00Z 2026-01-09T09:00:00Z"}},
		"twice a day": {"UTC", []string{"2026-01-05T08:00+90m FREQ=DAILY;BYHOUR=8,14;BYMINUTE=30;COUNT=2"}, nil, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z",
			[]string{"2026-01-05T08:30:00Z 2026-01-05T10:00:00Z", "2026-01-05T14:30:00Z 2026-01-05T16:00:00Z"}},
		"the last day of a leap year that no table of zones has any more": {"Europe/London", []string{"2052-12-30T09:00+1h FREQ=DAILY;COUNT=4"}, nil, "2052-12-01T00:00:00Z", "2053-12-01T00:00:00Z",
			[]string{"2052-12-30T09:00:00Z 2052-12-30T10:00:00Z", "2052-12-31T09:00:00Z 2052-12-31T10:00:00Z", "2053-01-01T09:00:00Z 2053-01-01T10:00:00Z", "2053-01-02T09:00:00Z 2053-01-02T10:00:00Z"}},
		"seconds count": {"UTC", []string{"2026-01-05T08:00+1m30s"}, nil, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", []string{"2026-01-05T08:00:00Z 2026-01-05T08:01:30Z"}},
		"a lunch break in office hours": {"UTC", []string{"2026-01-05T08:00+9h FREQ=DAILY;COUNT=1"}, []string{"2026-01-05T12:00+1h FREQ=DAILY"}, "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z",
			[]string{"2026-01-05T08:00:00Z 2026-01-05T12:00:00Z", "2026-01-05T13:00:00Z 2026-01-05T17:00:00Z"}},
		"a freeze that begins and ends within a window, and one that covers it": {"UTC", []string{"2026-01-05T08:00+9h FREQ=DAILY;COUNT=3"}, []string{"2026-01-06/2026-01-06", "2026-01-07T00:00/2026-01-07T09:00"}, "2026-01-05T00:00:00Z", "2026-02-01T00:00:00Z",
			[]string{"2026-01-05T08:00:00Z 2026-01-05T17:00:00Z", "2026-01-07T09:00:00Z 2026-01-07T17:00:00Z"}},
		"windows that touch or overlap are one": {"UTC", []string{"2026-01-05T08:00+4h", "2026-01-05T12:00+4h", "2026-01-05T15:00+2h"}, nil, "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z",
			[]string{"2026-01-05T08:00:00Z 2026-01-05T17:00:00Z"}},
		"days that touch are one window":     {"Europe/Berlin", []string{"2026-03-27+1d FREQ=DAILY;COUNT=4"}, nil, "2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z", []string{"2026-03-26T23:00:00Z 2026-03-30T22:00:00Z"}},
		"single days, the last one included": {"Europe/Berlin", []string{"2026-03-27/2026-03-29"}, nil, "2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z", []string{"2026-03-26T23:00:00Z 2026-03-29T22:00:00Z"}},
		"a window that ends where the clock jumps": {"Europe/Berlin", []string{"2026-03-29T01:00/2026-03-29T02:30"}, nil, "2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z",
			[]string{"2026-03-29T00:00:00Z 2026-03-29T01:30:00Z"}},
		"a window that ends before it begins, because the clock jumps, is not there": {"Europe/Berlin", []string{"2026-03-29T02:30/2026-03-29T03:15"}, nil, "2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z", nil},
		"a week in a year by its number": {"UTC", nil, []string{"2026-01-05+1w FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO"}, "2026-12-01T00:00:00Z", "2028-02-01T00:00:00Z",
			[]string{"2026-12-01T00:00:00Z 2027-01-04T00:00:00Z", "2027-01-11T00:00:00Z 2028-01-03T00:00:00Z", "2028-01-10T00:00:00Z on"}},
		"what is more than five years away is not looked for": {"UTC", []string{"2040-01-01+1d"}, nil, "2026-01-01T00:00:00Z", "2039-01-01T00:00:00Z", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := openings(t, compiled(t, tc.allow, tc.deny), location(t, tc.zone), tc.from, tc.to)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("open (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAStateSaysWhichWindowDecides(t *testing.T) {
	c := compiled(t, []string{"2026-01-05T08:00+9h FREQ=DAILY", "2026-01-05T16:00+3h FREQ=DAILY"}, []string{"2026-01-05T12:00+1h FREQ=DAILY", "2026-01-05T11:30+1h FREQ=DAILY"})
	at := func(clock string) time.Time { return moment(t, "2026-02-01T"+clock+":00Z") }
	for clock, want := range map[string]calendar.State{
		"07:59": {NextOpening: at("08:00"), NextLook: at("08:00")},
		"08:00": {Open: true, Window: "allow-0", NextClosing: at("11:30"), NextLook: at("11:30")},
		"11:30": {Window: "deny-1", NextOpening: at("13:00"), NextLook: at("12:00")},
		"12:15": {Window: "deny-0", NextOpening: at("13:00"), NextLook: at("12:30")},
		"16:30": {Open: true, Window: "allow-0", NextClosing: at("19:00"), NextLook: at("17:00")},
		"17:00": {Open: true, Window: "allow-1", NextClosing: at("19:00"), NextLook: at("19:00")},
	} {
		if diff := cmp.Diff(want, c.At(at(clock), time.UTC)); diff != "" {
			t.Errorf("at %s (-want +got):\n%s", clock, diff)
		}
	}
}

func TestACalendarThatNeverChangesSaysSo(t *testing.T) {
	now := moment(t, "2026-02-01T00:00:00Z")
	for name, tc := range map[string]struct {
		calendar *calendar.Calendar
		want     calendar.State
	}{
		"always open":      {compiled(t, []string{"2026-01-01+1d FREQ=DAILY"}, nil), calendar.State{Open: true, Window: "allow-0", NextLook: moment(t, "2026-02-02T00:00:00Z")}},
		"closed for long":  {compiled(t, nil, []string{"2026-01-01+900w"}), calendar.State{Window: "deny-0"}},
		"no longer opens":  {compiled(t, []string{"2026-01-01+1d"}, nil), calendar.State{}},
		"no longer closes": {compiled(t, nil, []string{"2026-01-01+1d"}), calendar.State{Open: true}},
	} {
		if diff := cmp.Diff(tc.want, tc.calendar.At(now, time.UTC)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestCalendarsThatAreNeverOpenTogetherDoNotOpen(t *testing.T) {
	mornings, evenings := compiled(t, []string{"2026-01-01T06:00+6h FREQ=DAILY"}, nil), compiled(t, []string{"2026-01-01T18:00+6h FREQ=DAILY"}, nil)
	asked := []calendar.Asked{{Calendar: mornings, In: time.UTC}, {Calendar: evenings, In: time.UTC}}
	if opens := calendar.Opens(asked, moment(t, "2026-02-01T00:00:00Z")); !opens.IsZero() {
		t.Errorf("opens at %s", opens)
	}
	asked[1].In = location(t, "Asia/Tokyo") // 18:00 there is 09:00 in UTC
	if opens := calendar.Opens(asked, moment(t, "2026-02-01T00:00:00Z")); !opens.Equal(moment(t, "2026-02-01T09:00:00Z")) {
		t.Errorf("opens at %s", opens)
	}
}
