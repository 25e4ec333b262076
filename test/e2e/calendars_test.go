package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
)

func calendarWith(name, rest string) string {
	return `{kind: RolloutCalendar, metadata: {name: ` + name + `}, spec: {` + rest + `}}`
}

// allowing is a calendar of one window.
func allowing(name, window string) string {
	return calendarWith(name, `allow: [{name: w, `+window+`}]`)
}

const (
	noLocal   = "must be a date such as 2026-12-24, or a date and a time such as 2026-12-24T08:00, without a zone"
	oneEnd    = "exactly one of until and duration must be set"
	noWindows = "a calendar without windows says nothing; add allow or deny"
)

// refusedCalendars make no sense on any clock.
var refusedCalendars = []refusal{
	{"a calendar without windows", calendarWith("refused", ``), []string{"spec: Invalid value", noWindows}},
	{"a calendar of a time zone alone", calendarWith("refused", `timeZone: UTC`), []string{"spec: Invalid value", noWindows}},
	{"a calendar that allows nothing", calendarWith("refused", `allow: []`), []string{"spec.allow", "at least 1 items"}},
	{"a window without an end", allowing("refused", `start: "2026-12-24"`), []string{"spec.allow[0]", oneEnd}},
	{"a window with two ends", allowing("refused", `start: "2026-12-24", until: "2026-12-26", duration: 2d`), []string{"spec.allow[0]", oneEnd}},
	{"a window that recurs until a moment", allowing("refused", `start: "2026-12-24", until: "2026-12-26", recurrence: FREQ=YEARLY`), []string{"spec.allow[0]", "a window that recurs needs duration: until is one moment"}},
	{"a window without a start", allowing("refused", `duration: 8h`), []string{"spec.allow[0].start", "Required value"}},
	{"a start in the 13th month", allowing("refused", `start: "2026-13-01", duration: 8h`), []string{"spec.allow[0].start", noLocal}},
	{"a start at 24 o'clock", allowing("refused", `start: "2026-12-24T24:00", duration: 8h`), []string{"spec.allow[0].start", noLocal}},
	{"a start with a space in it", allowing("refused", `start: "2026-12-24 08:00", duration: 8h`), []string{"spec.allow[0].start", noLocal}},
	{"a start with a zone", allowing("refused", `start: "2026-12-24T08:00:00Z", duration: 8h`), []string{"spec.allow[0].start", "may not be more than 16"}},
	{"a window of no length", allowing("refused", `start: "2026-12-24", duration: 0h`), []string{"spec.allow[0].duration", noTime}},
	{"a recurrence in a word", allowing("refused", `start: "2026-12-24", duration: 8h, recurrence: daily`), []string{"spec.allow[0].recurrence", "at least 6 chars"}},
	{"two windows of one name", calendarWith("refused", `deny: [{name: w, start: "2026-12-24", duration: 1d}, {name: w, start: "2026-12-31", duration: 1d}]`), []string{"spec.deny[1]", "Duplicate value", `"w"`}},
	{"a calendar whose name has 64 characters", calendarWith(strings.Repeat("c", 64), `deny: [{name: w, start: "2026-12-24", duration: 1d}]`), []string{atMost63}},
	{"a rollout that names a calendar twice", rolloutWith(`waves: [` + wave + `], calendars: [{name: hours}, {name: hours}]`), []string{"spec.calendars[1]", "Duplicate value", "hours"}},
}

// brokenCalendars are well-formed, and no clock ever shows what they say.
func brokenCalendars() []broken {
	wrong := toldStalled("RolloutCalendar", v1alpha1.ReasonInvalidSpec)
	plan := toldStalled("CRMRollout", v1alpha1.ReasonPlanInvalid)
	window := func(input, name, window, piece string) broken {
		return wrong(input, name, allowing(name, window), "RolloutCalendar/"+name+" spec.allow[name=w]"+piece)
	}
	rule := func(input, name, text, piece string) broken {
		return window(input, name, `start: "2026-01-05T08:00", duration: 1h, recurrence: "`+text+`"`, fmt.Sprintf(".recurrence: %q: %s", text, piece))
	}
	nobody := `waves: [{name: all, selector: {matchLabels: {in: nothing}}}]`
	rollout := func(name, rest string) string {
		return `{kind: CRMRollout, metadata: {name: ` + name + `}, spec: {phases: [{name: good}], ` + rest + `}}`
	}
	return []broken{
		wrong("a calendar on the clock of a place that does not exist", "berlyn", calendarWith("berlyn", `timeZone: Europe/Berlyn, deny: [{name: w, start: "2026-12-24", duration: 1d}]`),
			`spec.timeZone: "Europe/Berlyn" is not an IANA time zone; write it like Europe/Berlin`),
		wrong("a calendar for sites that cannot be selected", "selects", calendarWith("selects", `sites: {matchExpressions: [{key: in, operator: In}]}, deny: [{name: w, start: "2026-12-24", duration: 1d}]`), `correct the selector`),
		window("a window on 30 February", "february", `start: "2026-02-30", duration: 1d`, `.start: "2026-02-30" is no date of the calendar; write a date such as 2026-12-24`),
		window("a window that ends before it starts", "backwards", `start: "2026-12-24T08:00", until: "2026-12-23"`, `.until: 2026-12-23 is not after 2026-12-24T08:00, where the window starts; write a later time`),
		window("a window before there were time zones", "ancient", `start: "1066-10-14", duration: 1d`, `.start: 1066-10-14 is before the year 1900; write a later date`),
		window("a window of two years that comes every year", "overlong", `start: "2026-01-01", duration: 730d, recurrence: FREQ=YEARLY`, `.duration: 730d is more than 366 days, which is too long for a window that recurs; make it shorter`),
		rule("a recurrence in words", "in-words", "every Monday", `"EVERY MONDAY" is no part of a recurrence rule; write a recurrence rule of RFC 5545`),
		rule("a recurrence every hour", "hourly", "FREQ=HOURLY", `HOURLY is too often for a window; use DAILY, WEEKLY, MONTHLY or YEARLY`),
		rule("a recurrence nine times a day", "nine", "FREQ=DAILY;BYHOUR=8,9,10,11,12,13,14,15,16", `it begins 9 times a day, and 8 is the most; write fewer hours`),
		rule("a recurrence with its name in front", "named", "RRULE:FREQ=DAILY", `calendars do not know RRULE:FREQ; use FREQ, INTERVAL`),
		rule("a recurrence that ends twice", "ends-twice", "FREQ=DAILY;COUNT=5;UNTIL=20270101", `COUNT and UNTIL exclude each other; leave one of them out`),
		rule("a recurrence that ends in UTC", "in-utc", "FREQ=DAILY;UNTIL=20270101T000000Z", `UNTIL is in UTC, and windows are on the wall clock; leave out the Z`),
		rule("a recurrence on a day that never comes", "never", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", `from 2026-01-05T08:00 on it never comes; correct the rule, or start`),
		wrong("a calendar with two mistakes", "two", calendarWith("two", `timeZone: Mars/Olympus, deny: [{name: w, start: "2026-04-31", duration: 1d}]`), `. RolloutCalendar/two spec.deny[name=w].start: "2026-04-31" is no date`),
		waits(plan("a rollout with a calendar that does not exist", "no-calendar", rollout("no-calendar", `calendars: [{name: huors}], `+nobody), `spec.calendars[0].name: RolloutCalendar "huors" does not exist`), v1alpha1.ReasonPlanInvalid),
		waits(toldStalled("RolloutPhase", "")("a phase with a calendar that does not exist", "untimely", `{kind: RolloutPhase, metadata: {name: untimely}, spec: {calendars: [{name: huors}]}}`, `spec.calendars[0].name: RolloutCalendar "huors" does not exist`), v1alpha1.ReasonReferenceNotFound),
		plan("a wave with a calendar that is invalid", "mistimed", rollout("mistimed", `waves: [{name: all, selector: {matchLabels: {in: nothing}}, calendars: [{name: hourly}]}]`), `RolloutCalendar/hourly spec.allow[name=w].recurrence`),
	}
}

// A site waits while its calendar is closed, and starts by itself when that opens: nobody does anything at that moment.
func TestASiteWaitsForItsCalendar(t *testing.T) {
	t.Parallel()
	const namespace = "calendars"
	today := time.Now().UTC().Truncate(24 * time.Hour)
	day := func(after int) string { return today.AddDate(0, 0, after).Format("2006-01-02") }
	create(t, namespace, calendarWith("freeze", `timeZone: UTC, deny: [{name: holidays, start: "`+day(-1)+`", until: "`+day(6)+`"}]`)+`
---
{kind: RolloutPhase, metadata: {name: golive}, spec: {soak: 4w}}
---
{kind: RolloutSite, metadata: {name: lyon}, spec: {region: emea}}
---
{kind: CRMRollout, metadata: {name: crm}, spec: {phases: [{name: golive}], waves: [{name: all, selector: {}}], calendars: [{name: freeze}]}}
`)
	manager(t, cluster.ManagerOptions{Name: namespace}, namespace)
	opens := today.AddDate(0, 0, 7)
	isOpen := func(value metav1.ConditionStatus, message string) {
		t.Helper()
		await(t, namespace, "the calendar's Open is "+string(value)+": "+message, &v1alpha1.RolloutCalendarList{}, func(c *v1alpha1.RolloutCalendar) bool {
			found := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionOpen)
			return found != nil && found.Status == value && found.Message == message
		})
	}
	isOpen(metav1.ConditionFalse, "closed by window holidays; opens at "+opens.Format(time.RFC3339))
	waiting := await(t, namespace, "the site waits for its calendar", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		return sr.Status.Reason == v1alpha1.ReasonWaitingForCalendar
	})
	if next := waiting.Status.NextLook; next == nil || !next.Time.Equal(opens) || !strings.Contains(waiting.Status.Message, "freeze") || len(waiting.Status.Phases) > 0 {
		t.Errorf("it waits, but does not say for what until when (%s): %+v", opens, waiting.Status)
	}
	await(t, namespace, "the rollout says so", &v1alpha1.CRMRolloutList{}, func(r *v1alpha1.CRMRollout) bool {
		found := meta.FindStatusCondition(r.Status.Conditions, progressing)
		return found != nil && found.Reason == v1alpha1.ReasonWaitingForCalendar && found.Status == metav1.ConditionFalse
	})

	// A window starts at a whole minute, and lasts for whole seconds.
	now := time.Now().UTC()
	from := now.Truncate(time.Minute)
	short := now.Sub(from).Truncate(time.Second) + 5*time.Second
	closed := get(t, namespace, "freeze", &v1alpha1.RolloutCalendar{})
	edited := closed.DeepCopy()
	edited.Spec.Deny = []v1alpha1.CalendarWindow{{Name: "holidays", Start: v1alpha1.LocalTime(from.Format("2006-01-02T15:04")), Duration: v1alpha1.Duration(fmt.Sprintf("%ds", int(short.Seconds())))}}
	if err := api.Patch(t.Context(), edited, client.MergeFrom(closed)); err != nil {
		t.Fatal(err)
	}
	started := await(t, namespace, "the site starts its phase", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool { return len(sr.Status.Phases) == 1 })
	if at := started.Status.Phases[0].StartedAt; at.Time.Before(from.Add(short)) {
		t.Errorf("it started at %s, and the calendar opens at %s", at, from.Add(short))
	}
	isOpen(metav1.ConditionTrue, "open; that does not change within five years")
}
