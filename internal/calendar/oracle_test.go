package calendar_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// A slow answer to the question when a window is, made from what RFC 5545 says and from nothing of the package: each day is looked at, and each minute.

// recurrence is a rule of RFC 5545 in its parts.
type recurrence struct {
	freq                                    string
	interval, count                         int
	until                                   time.Time
	untilIsDate                             bool
	monday                                  int // the first day of the week, counted from Monday
	months, monthDays, yearDays, weeks, pos []int
	days                                    []int // of the week, from Monday
	nth                                     []int // beside days: which of the period; 0 for all
	hours, minutes                          []int
}

var dayNames = []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}

// String writes the rule as people do.
func (r recurrence) String() string {
	parts := []string{"FREQ=" + r.freq}
	list := func(name string, numbers []int) {
		if len(numbers) > 0 {
			parts = append(parts, name+"="+strings.Trim(strings.ReplaceAll(fmt.Sprint(numbers), " ", ","), "[]"))
		}
	}
	if r.interval > 1 {
		parts = append(parts, fmt.Sprintf("INTERVAL=%d", r.interval))
	}
	if r.count > 0 {
		parts = append(parts, fmt.Sprintf("COUNT=%d", r.count))
	}
	switch {
	case r.untilIsDate:
		parts = append(parts, "UNTIL="+r.until.Format("20060102"))
	case !r.until.IsZero():
		parts = append(parts, "UNTIL="+r.until.Format("20060102T150405"))
	}
	if r.monday > 0 {
		parts = append(parts, "WKST="+dayNames[r.monday])
	}
	list("BYMONTH", r.months)
	list("BYMONTHDAY", r.monthDays)
	list("BYYEARDAY", r.yearDays)
	list("BYWEEKNO", r.weeks)
	if len(r.days) > 0 {
		var days []string
		for i, day := range r.days {
			text := dayNames[day]
			if r.nth[i] != 0 {
				text = fmt.Sprintf("%d%s", r.nth[i], text)
			}
			days = append(days, text)
		}
		parts = append(parts, "BYDAY="+strings.Join(days, ","))
	}
	list("BYSETPOS", r.pos)
	list("BYHOUR", r.hours)
	list("BYMINUTE", r.minutes)
	return strings.Join(parts, ";")
}

func weekday(t time.Time) int { return (int(t.Weekday()) + 6) % 7 }

func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

// periodOf returns the first day of the period of the rule that a day is in, and the number of that period.
func (r recurrence) periodOf(day time.Time) (first time.Time, number int) {
	switch r.freq {
	case "YEARLY":
		return time.Date(day.Year(), 1, 1, 0, 0, 0, 0, time.UTC), day.Year()
	case "MONTHLY":
		return time.Date(day.Year(), day.Month(), 1, 0, 0, 0, 0, time.UTC), day.Year()*12 + int(day.Month())
	case "WEEKLY":
		first = midnight(day)
		for weekday(first) != r.monday {
			first = first.AddDate(0, 0, -1)
		}
		return first, int(first.Unix() / 86400 / 7)
	}
	return midnight(day), int(midnight(day).Unix() / 86400)
}

// has reports whether a number is in a list that counts from both ends of a stretch of so many.
func has(list []int, number, of int) bool {
	return slices.Contains(list, number) || slices.Contains(list, number-of-1)
}

// weekOf returns the number of the week of a year that a day is in, and how many that year has: week 1 is the first with at least four days in the year.
func (r recurrence) weekOf(day time.Time) (number, of int) {
	firstWeek := func(year int) time.Time {
		d := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC)
		for weekday(d) != r.monday {
			d = d.AddDate(0, 0, -1)
		}
		return d
	}
	year := day.Year() + 1
	for midnight(day).Before(firstWeek(year)) {
		year--
	}
	since := func(d time.Time) int { return int(d.Sub(firstWeek(year)).Hours() / 24 / 7) }
	return since(midnight(day)) + 1, since(firstWeek(year + 1))
}

// on reports whether the rule, positions apart, is for a day, when it starts at a time.
func (r recurrence) on(day, start time.Time) bool {
	if len(r.months) > 0 && !slices.Contains(r.months, int(day.Month())) {
		return false
	}
	inMonth := time.Date(day.Year(), day.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
	inYear := time.Date(day.Year(), 12, 31, 0, 0, 0, 0, time.UTC).YearDay()
	if len(r.monthDays) > 0 && !has(r.monthDays, day.Day(), inMonth) || len(r.yearDays) > 0 && !has(r.yearDays, day.YearDay(), inYear) {
		return false
	}
	if number, of := r.weekOf(day); len(r.weeks) > 0 && !has(r.weeks, number, of) {
		return false
	}
	if len(r.days) > 0 {
		return r.onWeekday(day, inMonth, inYear)
	}
	if len(r.monthDays)+len(r.yearDays) > 0 || r.freq == "DAILY" {
		return true
	}
	switch {
	case r.freq == "WEEKLY" || len(r.weeks) > 0:
		return weekday(day) == weekday(start)
	case r.freq == "YEARLY" && len(r.months) == 0 && day.Month() != start.Month():
		return false
	}
	return day.Day() == start.Day()
}

func (r recurrence) onWeekday(day time.Time, inMonth, inYear int) bool {
	number, of := day.Day(), inMonth
	if r.freq == "YEARLY" && len(r.months) == 0 {
		number, of = day.YearDay(), inYear
	}
	for i, wanted := range r.days {
		if weekday(day) != wanted {
			continue
		}
		if n := r.nth[i]; n == 0 || n == (number-1)/7+1 || n == -((of-number)/7+1) {
			return true
		}
	}
	return false
}

// starts returns the times on the wall clock at which a window begins, up to a moment.
func (r recurrence) starts(start, end time.Time) []time.Time {
	hours, minutes := r.hours, r.minutes
	if len(hours) == 0 {
		hours = []int{start.Hour()}
	}
	if len(minutes) == 0 {
		minutes = []int{start.Minute()}
	}
	first, origin := r.periodOf(start)
	var all, period []time.Time
	flush := func() {
		for i, at := range period {
			if (len(r.pos) == 0 || has(r.pos, i+1, len(period))) && !at.Before(start) {
				all = append(all, at)
			}
		}
		period = nil
	}
	current := origin
	for day := first; day.Before(end.AddDate(1, 0, 0)); day = day.AddDate(0, 0, 1) {
		_, number := r.periodOf(day)
		if number != current {
			flush()
			current = number
		}
		if (number-origin)%max(r.interval, 1) != 0 || !r.on(day, start) {
			continue
		}
		for _, h := range slices.Sorted(slices.Values(hours)) {
			for _, m := range slices.Sorted(slices.Values(minutes)) {
				period = append(period, day.Add(time.Duration(h)*time.Hour+time.Duration(m)*time.Minute))
			}
		}
	}
	flush()
	last := r.until
	if r.untilIsDate {
		last = last.AddDate(0, 0, 1).Add(-time.Minute)
	}
	all = slices.DeleteFunc(all, func(at time.Time) bool { return !last.IsZero() && at.After(last) })
	if r.count > 0 && len(all) > r.count {
		all = all[:r.count]
	}
	return slices.DeleteFunc(all, func(at time.Time) bool { return at.After(end) })
}

// read looks at every minute in which the wall clock of a zone could show a time, and returns the first that does. When there is none, it is as long after the last minute that
// shows an earlier time as the wall clock says.
func read(wall time.Time, zone *time.Location) time.Time {
	var before time.Time
	for at := wall.Add(-16 * time.Hour); at.Before(wall.Add(16 * time.Hour)); at = at.Add(time.Minute) {
		local := at.In(zone)
		shown := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), 0, 0, time.UTC)
		if shown.Equal(wall) {
			return at
		}
		if shown.After(wall) && !before.IsZero() {
			local := before.In(zone)
			return before.Add(wall.Sub(time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), 0, 0, time.UTC)))
		}
		before = at
	}
	panic("no time")
}

// drawn is a window with its parts.
type drawn struct {
	window     v1alpha1.CalendarWindow
	start      time.Time
	until      time.Time
	days       int
	exact      time.Duration
	recurrence *recurrence
}

// occurrences returns when the window is, up to a moment of the wall clock.
func (d drawn) occurrences(end time.Time, zone *time.Location) [][2]time.Time {
	starts := []time.Time{d.start}
	if d.recurrence != nil {
		starts = d.recurrence.starts(d.start, end)
	}
	var all [][2]time.Time
	for _, start := range starts {
		to := read(start, zone).Add(d.exact)
		if d.days > 0 {
			to = read(start.AddDate(0, 0, d.days), zone).Add(d.exact)
		}
		if !d.until.IsZero() {
			to = read(d.until, zone)
		}
		all = append(all, [2]time.Time{read(start, zone), to})
	}
	return all
}

func drawRecurrence(t *rapid.T, start time.Time) *recurrence {
	some := func(name string, most int, from, to int) []int {
		return rapid.SliceOfNDistinct(rapid.IntRange(from, to).Filter(func(n int) bool { return n != 0 || name == "hours" || name == "minutes" }), 1, most, rapid.ID[int]).Draw(t, name)
	}
	maybe := func(name string, one int) bool { return rapid.IntRange(1, one).Draw(t, "with "+name) == 1 }
	r := &recurrence{freq: rapid.SampledFrom([]string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}).Draw(t, "freq"), interval: 1}
	if maybe("interval", 3) {
		r.interval = rapid.IntRange(1, 5).Draw(t, "interval")
	}
	if maybe("month", 4) {
		r.months = some("months", 4, 1, 12)
	}
	if r.freq != "WEEKLY" && maybe("monthDays", 3) {
		r.monthDays = some("monthDays", 4, -31, 31)
	}
	if r.freq == "YEARLY" && maybe("yearDays", 4) {
		r.yearDays = some("yearDays", 6, -366, 366)
	}
	if r.freq == "YEARLY" && r.interval == 1 && maybe("weeks", 3) {
		r.weeks = some("weeks", 4, -53, 53)
	}
	if maybe("days", 2) {
		r.days = some("days", 4, 1, 7)
		for i := range r.days {
			r.days[i]--
		}
		r.nth = make([]int, len(r.days))
		if (r.freq == "MONTHLY" || r.freq == "YEARLY") && len(r.weeks) == 0 && maybe("nth", 2) {
			for i := range r.nth {
				r.nth[i] = rapid.SampledFrom([]int{1, 2, 3, 4, 5, -1, -2, -5}).Draw(t, "nth")
			}
		}
	}
	if maybe("weekStart", 3) {
		r.monday = rapid.IntRange(0, 6).Draw(t, "weekStart")
	}
	if maybe("hours", 3) {
		r.hours = some("hours", 3, 0, 23)
	}
	if maybe("minutes", 5) {
		r.minutes = some("minutes", 2, 0, 59)
	}
	if len(r.days)+len(r.months)+len(r.monthDays)+len(r.yearDays)+len(r.weeks) > 0 && maybe("pos", 4) {
		r.pos = some("pos", 2, -6, 6)
	}
	switch rapid.IntRange(0, 5).Draw(t, "ends") {
	case 0:
		r.count = rapid.IntRange(1, 40).Draw(t, "count")
	case 1:
		r.until, r.untilIsDate = midnight(start).AddDate(0, 0, rapid.IntRange(0, 900).Draw(t, "until")), true
	case 2:
		r.until = start.Add(time.Duration(rapid.IntRange(0, 900*24*60).Draw(t, "until")) * time.Minute)
	}
	return r
}

// drawWindow draws a window that may begin some time before a moment of the wall clock, and that lasts for some hours or days.
func drawWindow(t *rapid.T, name string, around time.Time) drawn {
	d := drawn{window: v1alpha1.CalendarWindow{Name: name}}
	d.start = around.Add(-time.Duration(rapid.IntRange(-3*24*60, 700*24*60).Draw(t, "before")) * time.Minute).Truncate(time.Minute)
	if rapid.Bool().Draw(t, "recently") {
		d.start = around.Add(-time.Duration(rapid.IntRange(0, 9*24*4).Draw(t, "quarters")) * 15 * time.Minute).Truncate(15 * time.Minute)
	}
	d.window.Start = v1alpha1.LocalTime(d.start.Format("2006-01-02T15:04"))
	if d.start.Equal(midnight(d.start)) {
		d.window.Start = v1alpha1.LocalTime(d.start.Format("2006-01-02"))
	}
	if rapid.IntRange(0, 5).Draw(t, "once") == 0 {
		d.until = d.start.Add(time.Duration(rapid.IntRange(1, 9*24*60).Draw(t, "until")) * time.Minute)
		d.window.Until = v1alpha1.LocalTime(d.until.Format("2006-01-02T15:04"))
		return d
	}
	d.days = rapid.SampledFrom([]int{0, 0, 1, 2, 9}).Draw(t, "days")
	d.exact = time.Duration(rapid.IntRange(0, 50*60).Draw(t, "exact")) * time.Minute
	if d.days == 0 && d.exact == 0 {
		d.exact = time.Hour
	}
	d.window.Duration = lasting(d.days, d.exact)
	d.recurrence = drawRecurrence(t, d.start)
	d.window.Recurrence = d.recurrence.String()
	return d
}

func lasting(days int, exact time.Duration) v1alpha1.Duration {
	text := ""
	for _, part := range []struct {
		n    int
		unit string
	}{{days / 7, "w"}, {days % 7, "d"}, {int(exact.Hours()), "h"}, {int(exact.Minutes()) % 60, "m"}} {
		if part.n > 0 {
			text += fmt.Sprintf("%d%s", part.n, part.unit)
		}
	}
	return v1alpha1.Duration(text)
}
