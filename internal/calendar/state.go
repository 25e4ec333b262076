package calendar

import (
	"slices"
	"time"
)

// State is where a calendar stands at a moment.
type State struct {
	// Open is true when sites may start a phase.
	Open bool
	// Window is the name of the window that decides: the first one of deny that closes the calendar, or else the first one of allow that opens it. Empty when none does.
	Window string
	// NextOpening is when it opens next; zero when it is open, or does not open within the horizon.
	NextOpening time.Time
	// NextClosing is when it closes next; zero when it is closed, or does not close within the horizon.
	NextClosing time.Time
	// NextLook is when an occurrence of a window begins or ends next; zero for not within the horizon. Nothing changes before.
	NextLook time.Time
}

// horizonYears is how far ahead openings and closings are looked for.
const horizonYears = 5

func horizon(now time.Time) time.Time { return now.AddDate(horizonYears, 0, 0) }

// At returns where the calendar stands in a time zone, and when that changes next.
func (c *Calendar) At(now time.Time, zone *time.Location) State {
	end := horizon(now)
	s := State{NextLook: end}
	s.Open, s.Window = c.Decides(now, zone)
	for _, w := range slices.Concat(c.allow, c.deny) {
		next, found := w.between(now, end, zone)()
		look := next.from
		if found && next.contains(now) {
			look = next.to
		}
		if found && look.Before(s.NextLook) {
			s.NextLook = look
		}
	}
	if s.NextLook.Equal(end) {
		s.NextLook = time.Time{}
	}
	next, found := c.openings(now, end, zone)()
	switch {
	case !found:
	case !s.Open:
		s.NextOpening = next.from
	case next.to.Before(end):
		s.NextClosing = next.to
	}
	return s
}

// Decides returns whether the calendar is open at a moment, and the name of the window that decides; empty when none does.
func (c *Calendar) Decides(now time.Time, zone *time.Location) (open bool, by string) {
	first := func(windows []window) string {
		for _, w := range windows {
			if s, found := w.between(now, now.Add(time.Second), zone)(); found && s.contains(now) {
				return w.name
			}
		}
		return ""
	}
	if closing := first(c.deny); closing != "" {
		return false, closing
	}
	opening := first(c.allow)
	return len(c.allow) == 0 || opening != "", opening
}

// openings returns the stretches in which the calendar is open, from one moment on, that begin before another.
func (c *Calendar) openings(from, to time.Time, zone *time.Location) spans {
	open := once(span{from, to})
	if len(c.allow) > 0 {
		open = all(c.allow, from, to, zone)
	}
	return without(open, all(c.deny, from, to, zone))
}

// all returns the stretches in which at least one of several windows is.
func all(windows []window, from, to time.Time, zone *time.Location) spans {
	each := make([]spans, 0, len(windows))
	for _, w := range windows {
		each = append(each, w.between(from, to, zone))
	}
	return union(each)
}

// Asked is a calendar and the time zone in which it is asked.
type Asked struct {
	*Calendar
	// In is the time zone whose wall clock counts.
	In *time.Location
}

// Opens returns when all of several calendars, not all of them open now, are open next; zero for not within the horizon.
func Opens(calendars []Asked, now time.Time) time.Time {
	end := horizon(now)
	each := make([]spans, 0, len(calendars))
	for _, c := range calendars {
		each = append(each, c.openings(now, end, c.In))
	}
	next, found := intersection(each)()
	if !found {
		return time.Time{}
	}
	return next.from
}
