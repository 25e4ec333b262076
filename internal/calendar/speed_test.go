package calendar_test

import (
	"testing"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/calendar"
)

// programme is a calendar as a group would have it: office hours, a month-end freeze, a Christmas freeze and twenty holidays.
func programme() v1alpha1.RolloutCalendarSpec {
	spec := v1alpha1.RolloutCalendarSpec{
		Allow: []v1alpha1.CalendarWindow{{Name: "office-hours", Start: "2020-01-06T08:00", Duration: "9h", Recurrence: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH"}},
		Deny: []v1alpha1.CalendarWindow{
			{Name: "month-end", Start: "2020-01-01", Duration: "1d", Recurrence: "FREQ=MONTHLY;BYMONTHDAY=-3,-2,-1,1"},
			{Name: "christmas", Start: "2020-12-18", Duration: "21d", Recurrence: "FREQ=YEARLY"},
		},
	}
	for day := range 20 {
		spec.Deny = append(spec.Deny, v1alpha1.CalendarWindow{Name: string(rune('a' + day)), Start: v1alpha1.LocalTime("2026-05-" + string(rune('0'+day/10)) + string(rune('1'+day%9))), Duration: "1d"})
	}
	return spec
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		calendar.Compile("c", programme())
	}
}

func BenchmarkCompileWhatNeverComes(b *testing.B) {
	spec := v1alpha1.RolloutCalendarSpec{Deny: []v1alpha1.CalendarWindow{{Name: "never", Start: "2026-01-01", Duration: "1d", Recurrence: "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}}}
	for b.Loop() {
		calendar.Compile("c", spec)
	}
}

func BenchmarkDecides(b *testing.B) { benchmark(b, programme(), false) }

func BenchmarkAt(b *testing.B) { benchmark(b, programme(), true) }

// BenchmarkAtWithoutAChange has to look at five years of a window that comes eight times a day, and lasts until it comes again.
func BenchmarkAtWithoutAChange(b *testing.B) {
	benchmark(b, v1alpha1.RolloutCalendarSpec{Allow: []v1alpha1.CalendarWindow{{Name: "always", Start: "2020-01-01", Duration: "3h", Recurrence: "FREQ=DAILY;BYHOUR=0,3,6,9,12,15,18,21"}}}, true)
}

func benchmark(b *testing.B, spec v1alpha1.RolloutCalendarSpec, all bool) {
	c, mistakes := calendar.Compile("c", spec)
	if len(mistakes) > 0 {
		b.Fatal(mistakes)
	}
	zone, err := calendar.Zone("Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	now := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	for b.Loop() {
		if c.Decides(now, zone); all {
			c.At(now, zone)
		}
	}
}
