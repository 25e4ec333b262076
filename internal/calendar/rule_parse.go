package calendar

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// Bounds that keep the work small that a rule makes.
const (
	mostTimesADay = 8
	mostCount     = 1000
	mostInterval  = 1000
)

// fault is what is wrong with a rule.
type fault struct{ problem, remedy string }

// in returns the mistake that the fault makes in a field.
func (f fault) in(field, text string) *Mistake {
	return &Mistake{Field: field, Problem: fmt.Sprintf("%q: %s", text, f.problem), Remedy: f.remedy}
}

// checks look at one side of a rule each: its parts as they are written, and as the library reads them.
var checks = []func(parts map[string]string, option rrule.ROption) *fault{checkFrequency, checkEnd, checkPeriods, checkDays, checkTimes}

// parseRule reads a recurrence rule. The same one is read for every site and after every measurement, so it is remembered.
func parseRule(field, text string, start time.Time) (*rule, *Mistake) {
	read := parsed.of(written{text, start})
	if read.fault != nil {
		return nil, read.fault.in(field, text)
	}
	return read.rule, nil
}

// readRule checks a rule and makes it ready. The library takes more than RFC 5545 allows and does not survive all of it, so everything is checked before it computes.
func readRule(text string, start time.Time) (*rule, *fault) {
	text = strings.ToUpper(text)
	parts, bad := splitRule(text)
	if bad != nil {
		return nil, bad
	}
	option, err := rrule.StrToROption(text)
	if err != nil {
		return nil, &fault{err.Error(), "write a recurrence rule of RFC 5545 such as FREQ=WEEKLY;BYDAY=MO,TU"}
	}
	for _, check := range checks {
		if bad := check(parts, *option); bad != nil {
			return nil, bad
		}
	}
	r := &rule{option: complete(*option, start), start: start, last: option.Until}
	if len(parts["UNTIL"]) == len(rrule.DateFormat) {
		r.last = r.last.AddDate(0, 0, 1).Add(-time.Second)
	}
	if _, err := rrule.NewRRule(r.option); err != nil {
		return nil, &fault{err.Error(), "correct the number"}
	}
	next := r.between(start, start.AddDate(cycle, 0, 0))
	last, ever := next()
	if !ever {
		return nil, &fault{fmt.Sprintf("from %s on it never comes", start.Format(minuteForm)), "correct the rule, or start"}
	}
	for n := 1; n < option.Count; n++ {
		if at, more := next(); more {
			last = at
		}
	}
	if option.Count > 0 {
		r.last = last
	}
	return r, nil
}

// known are the parts of a rule that calendars know.
var known = []string{"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS", "BYHOUR", "BYMINUTE"}

// splitRule takes a rule apart.
func splitRule(text string) (map[string]string, *fault) {
	parts := map[string]string{}
	for _, part := range strings.Split(text, ";") {
		name, value, found := strings.Cut(part, "=")
		_, twice := parts[name]
		switch {
		case !found || value == "" || strings.ContainsFunc(part, func(c rune) bool { return c <= ' ' || c > '~' }):
			return nil, &fault{fmt.Sprintf("%q is no part of a recurrence rule", part), "write a recurrence rule of RFC 5545, without its name and without spaces, such as FREQ=WEEKLY;BYDAY=MO,TU"}
		case !slices.Contains(known, name):
			return nil, &fault{fmt.Sprintf("calendars do not know %s", name), "use " + strings.Join(known, ", ")}
		case twice:
			return nil, &fault{fmt.Sprintf("%s stands twice", name), "leave one of them out"}
		}
		parts[name] = value
	}
	return parts, nil
}

func checkFrequency(_ map[string]string, option rrule.ROption) *fault {
	if option.Freq > rrule.DAILY {
		return &fault{fmt.Sprintf("%s is too often for a window", option.Freq), "use DAILY, WEEKLY, MONTHLY or YEARLY, with BYHOUR for several times a day"}
	}
	return nil
}

func checkEnd(parts map[string]string, option rrule.ROption) *fault {
	_, interval := parts["INTERVAL"]
	_, count := parts["COUNT"]
	_, until := parts["UNTIL"]
	switch {
	case interval && (option.Interval < 1 || option.Interval > mostInterval):
		return &fault{fmt.Sprintf("INTERVAL must be from 1 to %d", mostInterval), "correct the number"}
	case count && until:
		return &fault{"COUNT and UNTIL exclude each other", "leave one of them out"}
	case count && (option.Count < 1 || option.Count > mostCount):
		return &fault{fmt.Sprintf("COUNT must be from 1 to %d", mostCount), "correct the number, or use UNTIL"}
	case until && strings.HasSuffix(parts["UNTIL"], "Z"):
		return &fault{"UNTIL is in UTC, and windows are on the wall clock", "leave out the Z, and write the time of the time zone"}
	}
	return nil
}

// checkPeriods keeps to the table of RFC 5545 that says which parts go with which frequency.
func checkPeriods(parts map[string]string, option rrule.ROption) *fault {
	for _, only := range []struct {
		part  string
		needs bool
		with  string
	}{
		{"BYYEARDAY", option.Freq == rrule.YEARLY, "FREQ=YEARLY"},
		{"BYWEEKNO", option.Freq == rrule.YEARLY && option.Interval < 2, "FREQ=YEARLY and without INTERVAL"},
		{"BYMONTHDAY", option.Freq != rrule.WEEKLY, "FREQ=DAILY, MONTHLY or YEARLY"},
		{"BYSETPOS", len(parts["BYDAY"]+parts["BYMONTHDAY"]+parts["BYYEARDAY"]+parts["BYWEEKNO"]+parts["BYMONTH"]) > 0, "BYDAY or another part that makes several days"},
	} {
		if parts[only.part] != "" && !only.needs {
			return &fault{fmt.Sprintf("%s goes only with %s", only.part, only.with), "leave it out, or change FREQ"}
		}
	}
	return nil
}

// mostOfADay returns how often the same day of the week can be in the period of a rule; 0 where days have no numbers.
func mostOfADay(parts map[string]string, option rrule.ROption) int {
	switch {
	case parts["BYWEEKNO"] != "":
		return 0
	case option.Freq == rrule.MONTHLY || (option.Freq == rrule.YEARLY && parts["BYMONTH"] != ""):
		return 5
	case option.Freq == rrule.YEARLY:
		return 53
	}
	return 0
}

// checkDays looks at numbered days of the week. The library reads beyond its tables for a number that a month, or a year, cannot have.
func checkDays(parts map[string]string, option rrule.ROption) *fault {
	most := mostOfADay(parts, option)
	if option.Wkst.N() != 0 {
		return &fault{"WKST is a day of the week without a number", "write it like WKST=MO"}
	}
	numbered := 0
	for i, text := range strings.Split(parts["BYDAY"], ",") {
		if len(text) <= len("MO") {
			continue
		}
		numbered++
		if n := option.Byweekday[i].N(); n == 0 || n > most || n < -most {
			return &fault{fmt.Sprintf("%s is a day that the period of the rule never has", text), "number days from 1 to 5 in a month and from 1 to 53 in a year, from its end with a minus, and not at all otherwise"}
		}
	}
	if numbered > 0 && numbered < len(option.Byweekday) {
		return &fault{"BYDAY has days with a number and days without", "write two windows"}
	}
	return nil
}

func checkTimes(_ map[string]string, option rrule.ROption) *fault {
	if times := max(1, len(compact(option.Byhour))) * max(1, len(compact(option.Byminute))); times > mostTimesADay {
		return &fault{fmt.Sprintf("it begins %d times a day, and %d is the most", times, mostTimesADay), "write fewer hours and minutes, or make the window longer"}
	}
	return nil
}

// complete fills in what RFC 5545 takes from the start, so that the rule can be computed from any of its periods on.
func complete(option rrule.ROption, start time.Time) rrule.ROption {
	option.Count, option.Until = 0, time.Time{}
	option.Interval = max(option.Interval, 1)
	for _, numbers := range []*[]int{&option.Bymonth, &option.Bymonthday, &option.Byyearday, &option.Byweekno, &option.Bysetpos, &option.Byhour, &option.Byminute} {
		*numbers = compact(*numbers)
	}
	if len(option.Byhour) == 0 {
		option.Byhour = []int{start.Hour()}
	}
	if len(option.Byminute) == 0 {
		option.Byminute = []int{start.Minute()}
	}
	option.Bysecond = []int{0}
	weekday := []rrule.Weekday{rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA, rrule.SU}[mondayFirst(start.Weekday())]
	switch days := len(option.Bymonthday) + len(option.Byweekday) + len(option.Byyearday); {
	case days > 0 || option.Freq == rrule.DAILY:
	case option.Freq == rrule.WEEKLY || len(option.Byweekno) > 0:
		option.Byweekday = []rrule.Weekday{weekday}
	default:
		option.Bymonthday = []int{start.Day()}
		if option.Freq == rrule.YEARLY && len(option.Bymonth) == 0 {
			option.Bymonth = []int{int(start.Month())}
		}
	}
	return option
}

// compact returns different numbers in order.
func compact(numbers []int) []int {
	return slices.Compact(slices.Sorted(slices.Values(numbers)))
}
