package calendar_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/calendar"
)

func TestMistakesNameTheFieldAndTheRemedy(t *testing.T) {
	window := func(change func(*v1alpha1.CalendarWindow)) v1alpha1.RolloutCalendarSpec {
		w := v1alpha1.CalendarWindow{Name: "w", Start: "2026-01-05T08:00", Duration: "1h"}
		change(&w)
		return v1alpha1.RolloutCalendarSpec{Allow: []v1alpha1.CalendarWindow{w}}
	}
	rule := func(text string) v1alpha1.RolloutCalendarSpec {
		return window(func(w *v1alpha1.CalendarWindow) { w.Recurrence = text })
	}
	const at = "spec.allow[name=w]"
	const seldom = "use DAILY, WEEKLY, MONTHLY or YEARLY, with BYHOUR for several times a day"
	const local = "write a date such as 2026-12-24, or a date and a time such as 2026-12-24T08:00, without a zone"
	const numbers = "number days from 1 to 5 in a month and from 1 to 53 in a year, from its end with a minus, and not at all otherwise"
	for name, tc := range map[string]struct {
		spec v1alpha1.RolloutCalendarSpec
		want string
	}{
		"no windows":     {v1alpha1.RolloutCalendarSpec{}, "spec: a calendar without windows says nothing; add allow or deny"},
		"no such zone":   {with(rule("FREQ=DAILY"), func(s *v1alpha1.RolloutCalendarSpec) { s.TimeZone = "Europe/Berlyn" }), `spec.timeZone: "Europe/Berlyn" is not an IANA time zone; write it like Europe/Berlin, or leave it out for the sites' own`},
		"the local zone": {with(rule("FREQ=DAILY"), func(s *v1alpha1.RolloutCalendarSpec) { s.TimeZone = "Local" }), `spec.timeZone: "Local" is not an IANA time zone; write it like Europe/Berlin, or leave it out for the sites' own`},
		"a selector that selects nothing": {with(rule("FREQ=DAILY"), func(s *v1alpha1.RolloutCalendarSpec) {
			s.Sites = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "x", Operator: "Like"}}}
		}), `spec.sites: "Like" is not a valid label selector operator; correct the selector`},
		"a day that does not exist":      {window(func(w *v1alpha1.CalendarWindow) { w.Start = "2026-02-30" }), at + `.start: "2026-02-30" is no date of the calendar; ` + local},
		"29 February in a common year":   {window(func(w *v1alpha1.CalendarWindow) { w.Start = "2026-02-29T08:00" }), at + `.start: "2026-02-29T08:00" is no date of the calendar; ` + local},
		"an end that does not exist":     {window(func(w *v1alpha1.CalendarWindow) { w.Duration, w.Until = "", "2026-04-31" }), at + `.until: "2026-04-31" is no date of the calendar; ` + local},
		"before there were zones":        {window(func(w *v1alpha1.CalendarWindow) { w.Start = "1899-12-31" }), at + ".start: 1899-12-31 is before the year 1900; write a later date"},
		"neither end nor length":         {window(func(w *v1alpha1.CalendarWindow) { w.Duration = "" }), at + ": exactly one of until and duration must be set; say either when it ends or how long it lasts"},
		"both":                           {window(func(w *v1alpha1.CalendarWindow) { w.Until = "2026-01-06" }), at + ": exactly one of until and duration must be set; say either when it ends or how long it lasts"},
		"an end before the start":        {window(func(w *v1alpha1.CalendarWindow) { w.Duration, w.Until = "", "2026-01-05T08:00" }), at + ".until: 2026-01-05T08:00 is not after 2026-01-05T08:00, where the window starts; write a later time"},
		"an end of a window that recurs": {window(func(w *v1alpha1.CalendarWindow) { w.Duration, w.Until, w.Recurrence = "", "2026-01-06", "FREQ=DAILY" }), at + ".until: a window that recurs has many ends, and until is one moment; say with duration how long it lasts"},
		"no duration":                    {window(func(w *v1alpha1.CalendarWindow) { w.Duration = "1 hour" }), at + `.duration: "1 hour" is not a duration longer than zero; write it like 4w, 30d, 12h or 1h30m`},
		"a duration of no length":        {window(func(w *v1alpha1.CalendarWindow) { w.Duration = "0s" }), at + `.duration: "0s" is not a duration longer than zero; write it like 4w, 30d, 12h or 1h30m`},
		"too long to recur":              {window(func(w *v1alpha1.CalendarWindow) { w.Duration, w.Recurrence = "366d1s", "FREQ=DAILY" }), at + ".duration: 366d1s is more than 366 days, which is too long for a window that recurs; make it shorter, or write windows without recurrence"},

		"no rule":                        {rule("every day"), at + `.recurrence: "every day": "EVERY DAY" is no part of a recurrence rule; write a recurrence rule of RFC 5545, without its name and without spaces, such as FREQ=WEEKLY;BYDAY=MO,TU`},
		"a rule with its name":           {rule("RRULE:FREQ=DAILY"), at + `.recurrence: "RRULE:FREQ=DAILY": calendars do not know RRULE:FREQ; use FREQ, INTERVAL, COUNT, UNTIL, WKST, BYMONTH, BYMONTHDAY, BYDAY, BYYEARDAY, BYWEEKNO, BYSETPOS, BYHOUR, BYMINUTE`},
		"a rule with its start":          {rule("FREQ=DAILY;DTSTART=20260101T000000"), at + `.recurrence: "FREQ=DAILY;DTSTART=20260101T000000": calendars do not know DTSTART; use FREQ, INTERVAL, COUNT, UNTIL, WKST, BYMONTH, BYMONTHDAY, BYDAY, BYYEARDAY, BYWEEKNO, BYSETPOS, BYHOUR, BYMINUTE`},
		"a part that is no part of RFC":  {rule("FREQ=YEARLY;BYEASTER=0"), at + `.recurrence: "FREQ=YEARLY;BYEASTER=0": calendars do not know BYEASTER; use FREQ, INTERVAL, COUNT, UNTIL, WKST, BYMONTH, BYMONTHDAY, BYDAY, BYYEARDAY, BYWEEKNO, BYSETPOS, BYHOUR, BYMINUTE`},
		"a part twice":                   {rule("FREQ=DAILY;FREQ=DAILY"), at + `.recurrence: "FREQ=DAILY;FREQ=DAILY": FREQ stands twice; leave one of them out`},
		"two lines":                      {rule("FREQ=DAILY\nFREQ=DAILY"), at + `.recurrence: "FREQ=DAILY\nFREQ=DAILY": "FREQ=DAILY\nFREQ=DAILY" is no part of a recurrence rule; write a recurrence rule of RFC 5545, without its name and without spaces, such as FREQ=WEEKLY;BYDAY=MO,TU`},
		"no frequency":                   {rule("BYDAY=MO"), at + `.recurrence: "BYDAY=MO": RRULE property FREQ is required; write a recurrence rule of RFC 5545 such as FREQ=WEEKLY;BYDAY=MO,TU`},
		"no day":                         {rule("FREQ=WEEKLY;BYDAY=MON"), at + `.recurrence: "FREQ=WEEKLY;BYDAY=MON": undefined weekday: MON; write a recurrence rule of RFC 5545 such as FREQ=WEEKLY;BYDAY=MO,TU`},
		"every hour":                     {rule("FREQ=HOURLY"), at + `.recurrence: "FREQ=HOURLY": HOURLY is too often for a window; ` + seldom},
		"every second":                   {rule("FREQ=SECONDLY"), at + `.recurrence: "FREQ=SECONDLY": SECONDLY is too often for a window; ` + seldom},
		"every hour of the day":          {rule("FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8"), at + `.recurrence: "FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8": it begins 9 times a day, and 8 is the most; write fewer hours and minutes, or make the window longer`},
		"an hour that does not exist":    {rule("FREQ=DAILY;BYHOUR=24"), at + `.recurrence: "FREQ=DAILY;BYHOUR=24": byhour must be between 0 and 23; correct the number`},
		"a month that does not exist":    {rule("FREQ=DAILY;BYMONTH=13"), at + `.recurrence: "FREQ=DAILY;BYMONTH=13": bymonth must be between 1 and 12; correct the number`},
		"no interval":                    {rule("FREQ=DAILY;INTERVAL=0"), at + `.recurrence: "FREQ=DAILY;INTERVAL=0": INTERVAL must be from 1 to 1000; correct the number`},
		"no count":                       {rule("FREQ=DAILY;COUNT=0"), at + `.recurrence: "FREQ=DAILY;COUNT=0": COUNT must be from 1 to 1000; correct the number, or use UNTIL`},
		"a count and an end":             {rule("FREQ=DAILY;COUNT=2;UNTIL=20270101"), at + `.recurrence: "FREQ=DAILY;COUNT=2;UNTIL=20270101": COUNT and UNTIL exclude each other; leave one of them out`},
		"an end in UTC":                  {rule("FREQ=DAILY;UNTIL=20270101T000000Z"), at + `.recurrence: "FREQ=DAILY;UNTIL=20270101T000000Z": UNTIL is in UTC, and windows are on the wall clock; leave out the Z, and write the time of the time zone`},
		"an end before the start of all": {rule("FREQ=DAILY;UNTIL=20260104"), at + `.recurrence: "FREQ=DAILY;UNTIL=20260104": from 2026-01-05T08:00 on it never comes; correct the rule, or start`},
		"a day that never comes":         {rule("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), at + `.recurrence: "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30": from 2026-01-05T08:00 on it never comes; correct the rule, or start`},
		"a weekday that is never met":    {rule("FREQ=DAILY;INTERVAL=7;BYDAY=TU"), at + `.recurrence: "FREQ=DAILY;INTERVAL=7;BYDAY=TU": from 2026-01-05T08:00 on it never comes; correct the rule, or start`},
		"a first Friday on the 13th":     {rule("FREQ=MONTHLY;BYDAY=1FR;BYMONTHDAY=13"), at + `.recurrence: "FREQ=MONTHLY;BYDAY=1FR;BYMONTHDAY=13": from 2026-01-05T08:00 on it never comes; correct the rule, or start`},
		"a month's twentieth Monday":     {rule("FREQ=MONTHLY;BYDAY=-20MO"), at + `.recurrence: "FREQ=MONTHLY;BYDAY=-20MO": -20MO is a day that the period of the rule never has; ` + numbers},
		"December's 53rd Monday":         {rule("FREQ=YEARLY;BYMONTH=12;BYDAY=53MO"), at + `.recurrence: "FREQ=YEARLY;BYMONTH=12;BYDAY=53MO": 53MO is a day that the period of the rule never has; ` + numbers},
		"a week's second Monday":         {rule("FREQ=WEEKLY;BYDAY=2MO"), at + `.recurrence: "FREQ=WEEKLY;BYDAY=2MO": 2MO is a day that the period of the rule never has; ` + numbers},
		"numbered days and others":       {rule("FREQ=MONTHLY;BYDAY=MO,1TU"), at + `.recurrence: "FREQ=MONTHLY;BYDAY=MO,1TU": BYDAY has days with a number and days without; write two windows`},
		"a week that starts with 2MO":    {rule("FREQ=WEEKLY;WKST=2MO"), at + `.recurrence: "FREQ=WEEKLY;WKST=2MO": WKST is a day of the week without a number; write it like WKST=MO`},
		"days of a month in weeks":       {rule("FREQ=WEEKLY;BYMONTHDAY=1"), at + `.recurrence: "FREQ=WEEKLY;BYMONTHDAY=1": BYMONTHDAY goes only with FREQ=DAILY, MONTHLY or YEARLY; leave it out, or change FREQ`},
		"positions of a single day":      {rule("FREQ=DAILY;BYSETPOS=1"), at + `.recurrence: "FREQ=DAILY;BYSETPOS=1": BYSETPOS goes only with BYDAY or another part that makes several days; leave it out, or change FREQ`},
		"numbers of weeks in months":     {rule("FREQ=MONTHLY;BYWEEKNO=1"), at + `.recurrence: "FREQ=MONTHLY;BYWEEKNO=1": BYWEEKNO goes only with FREQ=YEARLY and without INTERVAL; leave it out, or change FREQ`},
	} {
		t.Run(name, func(t *testing.T) {
			c, mistakes := calendar.Compile("c", tc.spec)
			var got []string
			for _, m := range mistakes {
				got = append(got, m.Error())
			}
			if diff := cmp.Diff([]string{tc.want}, got); diff != "" || c != nil {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
		})
	}
}

func with(spec v1alpha1.RolloutCalendarSpec, change func(*v1alpha1.RolloutCalendarSpec)) v1alpha1.RolloutCalendarSpec {
	change(&spec)
	return spec
}

func TestEveryMistakeIsTold(t *testing.T) {
	_, mistakes := calendar.Compile("c", v1alpha1.RolloutCalendarSpec{
		TimeZone: "Mars/Olympus",
		Allow:    []v1alpha1.CalendarWindow{{Name: "a", Start: "2026-13-01", Duration: "1h"}, {Name: "fine", Start: "2026-01-01", Duration: "1h"}},
		Deny:     []v1alpha1.CalendarWindow{{Name: "d", Start: "2026-01-01", Duration: "1h", Recurrence: "FREQ=NEVER"}},
	})
	var fields []string
	for _, m := range mistakes {
		fields = append(fields, m.Field)
	}
	if diff := cmp.Diff([]string{"spec.timeZone", "spec.allow[name=a].start", "spec.deny[name=d].recurrence"}, fields); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSitesAndZonesOfACalendar(t *testing.T) {
	window := []v1alpha1.CalendarWindow{{Name: "w", Start: "2026-01-05T08:00", Duration: "1h"}}
	north, _ := calendar.Compile("north", v1alpha1.RolloutCalendarSpec{Allow: window, TimeZone: "Europe/Oslo", Sites: &metav1.LabelSelector{MatchLabels: map[string]string{"region": "north"}}})
	all, _ := calendar.Compile("all", v1alpha1.RolloutCalendarSpec{Allow: window})
	is := func(region string) func() labels.Set {
		return func() labels.Set { return labels.Set{"region": region} }
	}
	if !north.Concerns(is("north")) || north.Concerns(is("south")) || !all.Concerns(is("south")) {
		t.Error("the selector does not say for which sites the calendar is")
	}
	if north.OnSitesZones() || north.ZoneOf(time.UTC).String() != "Europe/Oslo" || !all.OnSitesZones() || all.ZoneOf(time.UTC) != time.UTC {
		t.Error("the wrong wall clock counts")
	}
}
