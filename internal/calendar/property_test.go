package calendar_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/calendar"
)

// around are days in zones, most of them days on which the clocks change or the calendar is special.
var around = []struct{ zone, day string }{
	{"Europe/Berlin", "2026-03-29"}, {"Europe/Berlin", "2026-10-25"}, {"America/New_York", "2026-03-08"}, {"America/New_York", "2027-11-07"},
	{"Australia/Lord_Howe", "2026-04-05"}, {"Australia/Lord_Howe", "2026-10-04"}, {"Pacific/Apia", "2011-12-30"}, {"Asia/Kolkata", "2028-02-29"},
	{"UTC", "2027-01-01"}, {"Africa/Casablanca", "2026-02-15"}, {"America/Sao_Paulo", "2018-11-04"}, {"Asia/Tokyo", "2026-12-31"}, {"Europe/London", "2050-03-27"},
}

const (
	painted = 40 * 24 * time.Hour
	watched = 12 * time.Hour
)

// scene is a drawn calendar around a moment, with the minutes in which it is open painted on a canvas.
type scene struct {
	calendar *calendar.Calendar
	zone     *time.Location
	from     time.Time
	open     []bool
	spec     v1alpha1.RolloutCalendarSpec
}

// drawUsable draws until a calendar can be used, or three cannot: more than half of those that are drawn have a window that never comes.
func drawUsable(t *rapid.T) (s scene, ok bool) {
	for tries := 0; tries < 3 && !ok; tries++ {
		s, ok = drawScene(t)
	}
	return s, ok
}

// drawScene draws a calendar. It reports false when that has a window that never comes, which is refused.
func drawScene(t *rapid.T) (scene, bool) {
	place := rapid.SampledFrom(around).Draw(t, "place")
	day, err := time.Parse("2006-01-02", place.day)
	if err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation(place.zone)
	if err != nil {
		t.Fatal(err)
	}
	s := scene{zone: zone, from: day.AddDate(0, 0, -2)}
	var windows [2][]drawn
	for list, most := range []int{3, 3} {
		for i := range rapid.IntRange(list^1, most).Draw(t, "windows") {
			windows[list] = append(windows[list], drawWindow(t, fmt.Sprintf("w%d-%d", list, i), day))
		}
	}
	for _, w := range windows[0] {
		s.spec.Allow = append(s.spec.Allow, w.window)
	}
	for _, w := range windows[1] {
		s.spec.Deny = append(s.spec.Deny, w.window)
	}
	var mistakes []calendar.Mistake
	if s.calendar, mistakes = calendar.Compile("drawn", s.spec); len(mistakes) > 0 {
		for _, m := range mistakes {
			if !strings.Contains(m.Problem, "never comes") {
				t.Fatalf("%+v: %v", s.spec, m)
			}
		}
		return s, false
	}
	allowed, denied := s.paint(windows[0]), s.paint(windows[1])
	for i := range allowed {
		s.open = append(s.open, (allowed[i] || len(windows[0]) == 0) && !denied[i])
	}
	return s, true
}

// paint returns the minutes that one of several windows is in.
func (s scene) paint(windows []drawn) []bool {
	canvas := make([]bool, painted/time.Minute)
	for _, w := range windows {
		for _, o := range w.occurrences(s.from.Add(painted+48*time.Hour), s.zone) {
			for at := max(o[0].Sub(s.from)/time.Minute, 0); at < o[1].Sub(s.from)/time.Minute && int(at) < len(canvas); at++ {
				canvas[at] = true
			}
		}
	}
	return canvas
}

// next returns the first minute behind one in which the canvas differs from it; zero when there is none.
func (s scene) next(minute int) time.Time {
	for i := minute; i < len(s.open); i++ {
		if s.open[i] != s.open[minute] {
			return s.from.Add(time.Duration(i) * time.Minute)
		}
	}
	return time.Time{}
}

func TestACalendarIsOpenInTheMinutesInWhichASlowExpansionIs(t *testing.T) {
	drawnAtAll, used := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		drawnAtAll++
		s, ok := drawUsable(t)
		if !ok {
			return
		}
		used++
		// Between two minutes in which the canvas changes, nothing can: those are looked at closely.
		for minute := 1; minute < 5*24*60; minute++ {
			if minute%397 == 0 {
				s.changes(t, minute)
			}
			edge := s.open[minute] != s.open[minute-1] || s.open[minute] != s.open[minute+1]
			if !edge && minute%13 != 0 {
				continue
			}
			now := s.from.Add(time.Duration(minute) * time.Minute)
			if open, by := s.calendar.Decides(now, s.zone); open != s.open[minute] {
				t.Fatalf("%s in %s: open %t by %q, want %t\n%+v", now.Format(time.RFC3339), s.zone, open, by, s.open[minute], s.spec)
			}
		}
	})
	if used < drawnAtAll/2 {
		t.Errorf("only %d of %d drawn calendars could be used", used, drawnAtAll)
	}
}

// changes checks that the next opening is the first open minute, and the next closing the first that is not.
func (s scene) changes(t *rapid.T, minute int) {
	now := s.from.Add(time.Duration(minute) * time.Minute)
	state, want := s.calendar.At(now, s.zone), s.next(minute)
	got, other := state.NextClosing, state.NextOpening
	if !state.Open {
		got, other = other, got
	}
	if state.Open != s.open[minute] || !other.IsZero() {
		t.Fatalf("%s in %s: %+v, want open %t\n%+v", now.Format(time.RFC3339), s.zone, state, s.open[minute], s.spec)
	}
	if late := want.IsZero() && (got.IsZero() || !got.Before(s.from.Add(painted))); !late && !got.Equal(want) {
		t.Fatalf("%s in %s, open %t: the next change is at %s, want %s\n%+v", now.Format(time.RFC3339), s.zone, state.Open, got.Format(time.RFC3339), want.Format(time.RFC3339), s.spec)
	}
	if !state.NextLook.IsZero() && (!state.NextLook.After(now) || (!got.IsZero() && state.NextLook.After(got))) || (state.NextLook.IsZero() && !got.IsZero()) {
		t.Fatalf("%s in %s: the next look is at %s, the next change at %s\n%+v", now.Format(time.RFC3339), s.zone, state.NextLook.Format(time.RFC3339), got.Format(time.RFC3339), s.spec)
	}
}

func TestSeveralCalendarsAreOpenTogetherInTheMinutesInWhichAllAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		place := rapid.SampledFrom(around).Draw(t, "place")
		zone, _ := time.LoadLocation(place.zone)
		now, _ := time.Parse("2006-01-02", place.day)
		now = now.Add(time.Duration(rapid.IntRange(0, 24*60).Draw(t, "minute")) * time.Minute)
		var asked []calendar.Asked
		for range rapid.IntRange(1, 3).Draw(t, "calendars") {
			w := drawWindow(t, "w", now)
			spec := v1alpha1.RolloutCalendarSpec{Allow: []v1alpha1.CalendarWindow{w.window}}
			if rapid.Bool().Draw(t, "deny") {
				spec = v1alpha1.RolloutCalendarSpec{Deny: spec.Allow}
			}
			c, mistakes := calendar.Compile("c", spec)
			if len(mistakes) > 0 {
				return
			}
			asked = append(asked, calendar.Asked{Calendar: c, In: zone})
		}
		var want time.Time
		for at := now; at.Before(now.Add(watched)); at = at.Add(time.Minute) {
			all := true
			for _, c := range asked {
				open, _ := c.Decides(at, zone)
				all = all && open
			}
			if all {
				want = at
				break
			}
		}
		got := calendar.Opens(asked, now)
		if late := want.IsZero() && (got.IsZero() || !got.Before(now.Add(watched))); !late && !got.Equal(want) {
			t.Fatalf("%s in %s: all open at %s, want %s", now.Format(time.RFC3339), zone, got.Format(time.RFC3339), want.Format(time.RFC3339))
		}
	})
}
