package calendar

import (
	"time"

	"github.com/teambition/rrule-go"
)

// rule is a recurrence rule of RFC 5545 that was checked, on the wall clock.
type rule struct {
	// option has every part of the rule but DTSTART, COUNT and UNTIL, also those that RFC 5545 takes from DTSTART.
	option rrule.ROption
	// start is the first moment at which there can be an occurrence.
	start time.Time
	// last is the last moment at which there can be one; zero for none.
	last time.Time
}

// The Gregorian calendar repeats after cycle years, the days of the week included. The library goes on looking for the next occurrence up to the year 9999, so a rule that has
// none keeps it busy for as long as that is away. Rules are therefore computed so many cycles later that the years from latestYear on are not far from there.
const (
	cycle      = 400
	latestYear = 9599
)

// between returns the occurrences from one time to another, one after the other.
func (r rule) between(from, to time.Time) func() (time.Time, bool) {
	if from.Before(r.start) {
		from = r.start
	}
	if !r.last.IsZero() && r.last.Before(to) {
		to = r.last
	}
	option := r.option
	option.Dtstart = r.period(from)
	later := (latestYear - option.Dtstart.Year()) / cycle * cycle
	option.Dtstart, option.Until = option.Dtstart.AddDate(later, 0, 0), to.AddDate(later, 0, 0)
	compiled, err := rrule.NewRRule(option)
	if err != nil || to.Before(from) {
		return func() (time.Time, bool) { return time.Time{}, false } // parseRule has seen it compile
	}
	next := compiled.Iterator()
	return func() (time.Time, bool) {
		for {
			at, ok := next()
			if at = at.AddDate(-later, 0, 0); !ok || !at.Before(from) {
				return at, ok
			}
		}
	}
}

// period returns the beginning of the last period of the rule, a day, week, month or year of it, that begins at a time or before it. What comes then does not depend on how many there were before.
func (r rule) period(at time.Time) time.Time {
	start, n := r.start, r.option.Interval
	day := time.Date(start.Year(), start.Month(), start.Day(), 0, 0, 0, 0, time.UTC)
	days := int((at.Unix() - day.Unix()) / (24 * 60 * 60))
	switch r.option.Freq {
	case rrule.YEARLY:
		return time.Date(start.Year()+(at.Year()-start.Year())/n*n, time.January, 1, 0, 0, 0, 0, time.UTC)
	case rrule.MONTHLY:
		months := 12*(at.Year()-start.Year()) + int(at.Month()) - int(start.Month())
		return time.Date(start.Year(), start.Month()+time.Month(months/n*n), 1, 0, 0, 0, 0, time.UTC)
	case rrule.WEEKLY:
		into := (7 + mondayFirst(start.Weekday()) - r.option.Wkst.Day()) % 7
		return day.AddDate(0, 0, (days+into)/(7*n)*(7*n)-into)
	}
	return day.AddDate(0, 0, days/n*n)
}

// mondayFirst numbers the days of the week as the library does.
func mondayFirst(day time.Weekday) int { return (int(day) + 6) % 7 }
