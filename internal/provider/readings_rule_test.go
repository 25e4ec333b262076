package provider

import (
	"testing"
	"time"
)

// noon is a moment in whole seconds, as readings and windows have them.
var noon = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

func TestAReadingCountsByItsOwnTwoTimes(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name         string
		observed     time.Duration // before it was entered
		acceptWithin time.Duration
		want         Standing
	}{
		{"entered at once", 0, day, StandingCounts},
		{"entered by a clock that is a minute behind", -time.Minute, day, StandingCounts},
		{"entered before it was observed", -time.Minute - time.Second, day, StandingFuture},
		{"a forecast for next year", -365 * day, day, StandingFuture},
		{"entered at the last moment", day, day, StandingCounts},
		{"entered a second too late", day + time.Second, day, StandingLate},
		{"entered within a month, the provider does not say", 30 * day, 0, StandingCounts},
		{"entered after a month, the provider does not say", 30*day + time.Second, 0, StandingLate},
		{"observed in the year 1", time.Duration(1<<63 - 1), day, StandingLate},
	} {
		reading := Reading{ObservedAt: noon.Add(-c.observed), EnteredAt: noon}
		if got := reading.Standing(c.acceptWithin); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestAReadingBelongsToAWindow(t *testing.T) {
	window := Window{Start: noon.Add(-time.Hour), End: noon}
	instant := Window{Start: noon, End: noon}
	at := func(before time.Duration) time.Time { return noon.Add(-before) }
	for _, c := range []struct {
		name              string
		observed, entered time.Time
		window            Window
		want              bool
	}{
		{"observed and entered in it", at(30 * time.Minute), at(20 * time.Minute), window, true},
		{"observed when it began", at(time.Hour), at(20 * time.Minute), window, false},
		{"observed a second after it began", at(time.Hour - time.Second), at(20 * time.Minute), window, true},
		{"observed when it ended", at(0), at(time.Second), window, true},
		{"observed after it ended", at(-time.Second), at(time.Second), window, false},
		{"entered in the second before it ended", at(time.Minute), at(time.Second), window, true},
		{"entered in the second in which it ended", at(time.Minute), at(0), window, false},
		{"entered after it ended", at(time.Minute), at(-time.Hour), window, false},
		{"late", at(30 * time.Minute), at(-48 * time.Hour), Window{Start: at(time.Hour), End: at(-72 * time.Hour)}, false},
		{"long before an instant", at(1000 * time.Hour), at(999 * time.Hour), instant, true},
		{"observed at an instant", at(0), at(time.Second), instant, true},
		{"observed after an instant", at(-time.Second), at(time.Second), instant, false},
		{"entered after an instant", at(time.Hour), at(-time.Second), instant, false},
	} {
		reading := Reading{ObservedAt: c.observed, EnteredAt: c.entered}
		if got := reading.CountsIn(c.window, 24*time.Hour); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}

// A window's end can lie within a second; whether a reading of that second was there before is not known.
func TestAReadingOfTheSecondInWhichAWindowEndsIsNotBelieved(t *testing.T) {
	end := noon.Add(500 * time.Millisecond)
	reading := Reading{ObservedAt: noon.Add(-time.Minute), EnteredAt: noon}
	if reading.CountsIn(Window{Start: end, End: end}, time.Hour) {
		t.Error("it counts although it may have been entered after the window ended")
	}
}

func TestReadingsContradictEachOther(t *testing.T) {
	one := Reading{KPI: "satisfaction", Site: "lyon", Value: 4.5, ObservedAt: noon, EnteredAt: noon, Samples: 40}
	for name, c := range map[string]struct {
		change func(*Reading)
		want   bool
	}{
		"itself":                             {func(*Reading) {}, false},
		"the same value entered later":       {func(r *Reading) { r.EnteredAt = noon.Add(time.Hour) }, false},
		"the same value of fewer answers":    {func(r *Reading) { r.Samples = 3 }, false},
		"the same moment in another zone":    {func(r *Reading) { r.Value, r.ObservedAt = 4, noon.In(time.FixedZone("CET", 3600)) }, true},
		"another value":                      {func(r *Reading) { r.Value = 4 }, true},
		"another value a second later":       {func(r *Reading) { r.Value, r.ObservedAt = 4, noon.Add(time.Second) }, false},
		"another value at another site":      {func(r *Reading) { r.Value, r.Site = 4, "osaka" }, false},
		"another value of another KPI":       {func(r *Reading) { r.Value, r.KPI = 4, "training" }, false},
		"another value entered another time": {func(r *Reading) { r.Value, r.EnteredAt = 4, noon.Add(time.Hour) }, true},
	} {
		other := one
		c.change(&other)
		if one.Contradicts(other) != c.want || other.Contradicts(one) != c.want {
			t.Errorf("%s: %t and %t, want %t", name, one.Contradicts(other), other.Contradicts(one), c.want)
		}
	}
}
