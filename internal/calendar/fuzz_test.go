package calendar_test

import (
	"testing"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/calendar"
)

// FuzzRecurrence hands arbitrary rules over. One that the checks accept is computed without a panic, and what comes out fits together.
func FuzzRecurrence(f *testing.F) {
	for _, rule := range []string{
		"FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=8,14", "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=MONTHLY;BYMONTHDAY=-1,1;INTERVAL=3", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
		"FREQ=YEARLY;BYWEEKNO=1,53,-1;BYDAY=SU;WKST=SU", "FREQ=YEARLY;BYYEARDAY=366,-366", "FREQ=YEARLY;BYDAY=53MO,-53TU", "FREQ=YEARLY;BYMONTH=1;BYDAY=-5SU", "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1",
		"FREQ=DAILY;COUNT=1000", "FREQ=DAILY;UNTIL=20261231", "FREQ=DAILY;UNTIL=20261231T235959", "FREQ=WEEKLY;INTERVAL=1000;WKST=SA", "FREQ=YEARLY;INTERVAL=400;BYMONTH=2;BYMONTHDAY=29",
		"FREQ=MONTHLY;BYDAY=-20MO", "FREQ=YEARLY;BYMONTH=12;BYDAY=53MO", "FREQ=HOURLY;INTERVAL=24;BYHOUR=5", "FREQ=DAILY;BYEASTER=300", "RRULE:FREQ=DAILY", "FREQ=DAILY;BYDAY=-0MO", "FREQ=DAILY;;", "=",
	} {
		f.Add(rule, uint16(0), uint8(9))
	}
	f.Add("FREQ=YEARLY;BYWEEKNO=53", uint16(36524), uint8(255))
	f.Fuzz(func(t *testing.T, rule string, day uint16, hours uint8) {
		start := time.Date(1970, 1, 1, int(hours)%24, 30, 0, 0, time.UTC).AddDate(0, 0, int(day))
		spec := v1alpha1.RolloutCalendarSpec{Allow: []v1alpha1.CalendarWindow{{Name: "w", Start: v1alpha1.LocalTime(start.Format("2006-01-02T15:04")),
			Duration: v1alpha1.FormatDuration(time.Duration(hours)*time.Hour + time.Minute), Recurrence: rule}}}
		c, mistakes := calendar.Compile("fuzzed", spec)
		if (c == nil) != (len(mistakes) > 0) {
			t.Fatalf("%q: %v, %v", rule, c, mistakes)
		}
		if c == nil {
			return
		}
		zone, err := calendar.Zone("Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		for _, now := range []time.Time{start, start.AddDate(1, 1, 1), start.AddDate(30, 0, -1)} {
			state := c.At(now, zone)
			switch {
			case state.Open && (!state.NextOpening.IsZero() || (!state.NextClosing.IsZero() && !state.NextClosing.After(now))):
				t.Fatalf("%q at %s: %+v", rule, now, state)
			case !state.Open && (!state.NextClosing.IsZero() || (!state.NextOpening.IsZero() && !state.NextOpening.After(now))):
				t.Fatalf("%q at %s: %+v", rule, now, state)
			}
			if next := state.NextOpening; !next.IsZero() {
				before, _ := c.Decides(next.Add(-time.Second), zone)
				if after, _ := c.Decides(next, zone); before || !after {
					t.Fatalf("%q at %s says it opens at %s: open %t before, and %t then", rule, now, next, before, after)
				}
			}
		}
	})
}
