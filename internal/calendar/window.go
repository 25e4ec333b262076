package calendar

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// window is a stretch of time on the wall clock, once or again and again.
type window struct {
	name string
	// start of the only occurrence, or the first moment at which there can be one.
	start time.Time
	// until is when the only occurrence ends; zero when length says so.
	until time.Time
	// length of each occurrence.
	length length
	// rule by which the window recurs; nil when it is there once.
	rule *rule
}

// length is how long a window lasts: some days on the wall clock, and then some time as it passes.
type length struct {
	days  int
	exact time.Duration
}

// longestAgain is how long a window that recurs may be at most, in days.
const longestAgain = 366

// atMost is the longest that the length can be in time that passes.
func (l length) atMost() time.Duration {
	return time.Duration(l.days)*24*time.Hour + l.exact + slack
}

// parseWindow resolves a window. The field of a mistake is the part of its path behind the window.
func parseWindow(source v1alpha1.CalendarWindow) (window, *Mistake) {
	w := window{name: source.Name}
	var mistake *Mistake
	if w.start, mistake = parseLocal(".start", source.Start, false); mistake != nil {
		return w, mistake
	}
	switch {
	case (source.Until == "") == (source.Duration == ""):
		return w, &Mistake{"", "exactly one of until and duration must be set", "say either when it ends or how long it lasts"}
	case source.Until != "" && source.Recurrence != "":
		return w, &Mistake{".until", "a window that recurs has many ends, and until is one moment", "say with duration how long it lasts"}
	case source.Until != "":
		if w.until, mistake = parseLocal(".until", source.Until, true); mistake == nil && !w.until.After(w.start) {
			mistake = &Mistake{".until", fmt.Sprintf("%s is not after %s, where the window starts", source.Until, source.Start), "write a later time"}
		}
		return w, mistake
	}
	var ok bool
	if w.length, ok = parseLength(source.Duration); !ok {
		return w, &Mistake{".duration", fmt.Sprintf("%q is not a duration longer than zero", source.Duration), "write it like 4w, 30d, 12h or 1h30m"}
	}
	if source.Recurrence == "" {
		return w, nil
	}
	if w.length.atMost() > longestAgain*24*time.Hour+slack {
		return w, &Mistake{".duration", fmt.Sprintf("%s is more than %d days, which is too long for a window that recurs", source.Duration, longestAgain), "make it shorter, or write windows without recurrence"}
	}
	w.rule, mistake = parseRule(".recurrence", source.Recurrence, w.start)
	return w, mistake
}

// earliestYear is the first year that windows can be in: before it clocks showed the local time of each town.
const earliestYear = 1900

const (
	dateForm   = "2006-01-02"
	minuteForm = "2006-01-02T15:04"
)

// parseLocal reads a date, or a date and a time. A date alone is the beginning of the day, or its end.
func parseLocal(field string, text v1alpha1.LocalTime, end bool) (time.Time, *Mistake) {
	form := minuteForm
	if len(text) == len(dateForm) {
		form = dateForm
	}
	at, err := time.Parse(form, string(text))
	if end && form == dateForm {
		at = at.AddDate(0, 0, 1)
	}
	switch {
	case err != nil:
		return at, &Mistake{field, fmt.Sprintf("%q is no date of the calendar", text), "write a date such as 2026-12-24, or a date and a time such as 2026-12-24T08:00, without a zone"}
	case at.Year() < earliestYear:
		return at, &Mistake{field, fmt.Sprintf("%s is before the year %d", text, earliestYear), "write a later date"}
	}
	return at, nil
}

var durationParts = regexp.MustCompile(`^(?:(\d{1,4})w)?(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,9})s)?$`)

// parseLength reads a duration. It reports false when the text is none, or one of no length.
func parseLength(text v1alpha1.Duration) (length, bool) {
	parts := durationParts.FindStringSubmatch(string(text))
	if parts == nil {
		return length{}, false
	}
	number := func(i int) int {
		n, _ := strconv.Atoi(parts[i]) // digits, few enough; none are zero
		return n
	}
	l := length{days: 7*number(1) + number(2)}
	l.exact = time.Duration(number(3))*time.Hour + time.Duration(number(4))*time.Minute + time.Duration(number(5))*time.Second
	return l, l.days > 0 || l.exact > 0
}

// at returns the occurrence that starts at a time on a wall clock.
func (w window) at(start time.Time, on *clock) span {
	s := span{from: on.instant(start)}
	switch {
	case !w.until.IsZero():
		s.to = on.instant(w.until)
	case w.length.days == 0:
		s.to = s.from.Add(w.length.exact)
	default:
		s.to = on.instant(start.AddDate(0, 0, w.length.days)).Add(w.length.exact)
	}
	return s
}
