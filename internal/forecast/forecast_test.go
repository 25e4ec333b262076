package forecast_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/forecast"
	"github.com/crmops/rollout-operator/internal/plan"
)

// Everything happens on days: day 0 is the first of March, and a date is written as the number of its day.
var day0 = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

const oneDay = 24 * time.Hour

func day(n float64) time.Time { return day0.Add(time.Duration(n * float64(oneDay))) }

func stamp(n float64) *metav1.Time { t := metav1.NewTime(day(n)); return &t }

// dates are written as: planned start to planned end; start to end; expected end, late.
func dates(d v1alpha1.Dates) string {
	text := func(t *metav1.Time) string {
		if t == nil {
			return "?"
		}
		return fmt.Sprintf("%g", float64(t.Sub(day0)/time.Hour)/24)
	}
	late := ""
	if d.Late {
		late = " late"
	}
	return fmt.Sprintf("planned %s-%s, was %s-%s, expected %s%s", text(d.PlannedStart), text(d.PlannedEnd), text(d.Start), text(d.End), text(d.ExpectedEnd), late)
}

// written is a forecast as it is compared: one line for the rollout, each wave and each phase.
func written(f *v1alpha1.Forecast) []string {
	if f == nil {
		return nil
	}
	whole := v1alpha1.Dates{PlannedEnd: f.PlannedCompletion, End: f.CompletedAt, ExpectedEnd: f.ExpectedCompletion}
	lines := []string{strings.TrimSpace("rollout: " + dates(whole) + " " + string(f.Late))}
	for _, w := range f.Waves {
		lines = append(lines, w.Name+": "+dates(w.Dates))
		for _, p := range w.Phases {
			lines = append(lines, "  "+p.Name+": "+dates(p.Dates))
		}
	}
	return lines
}

// ran is a phase that began on one day and was passed on another; never when that is 0.
func ran(phase string, from, to float64) v1alpha1.PhaseRecord {
	r := v1alpha1.PhaseRecord{Name: phase, Attempt: 1, StartedAt: *stamp(from)}
	if to != 0 {
		r.PassedAt = stamp(to)
	}
	return r
}

func site(name, wave string, records ...v1alpha1.PhaseRecord) forecast.Site {
	return forecast.Site{Name: name, Wave: wave, Records: records}
}

func limit(n int) *plan.Limit { return &plan.Limit{Number: n} }

// one is a rollout with one wave and two phases: prepare takes 10 days, live 20; the wave begins on day 2.
func one(sites ...forecast.Site) forecast.Facts {
	return forecast.Facts{
		Plan: plan.Plan{
			Phases: []plan.Phase{{Name: "prepare", Expected: 10 * oneDay}, {Name: "live", Expected: 20 * oneDay}},
			Waves:  []plan.Wave{{Name: "pilot", PlannedStart: day(2)}},
		},
		Waves: []admit.Wave{{Name: "pilot", State: v1alpha1.WaveOpen}},
		Sites: sites,
	}
}

// two has another wave behind it, which comes after the first and begins on day 40.
func two(sites ...forecast.Site) forecast.Facts {
	f := one(sites...)
	f.Plan.Waves = append(f.Plan.Waves, plan.Wave{Name: "rest", PlannedStart: day(40), After: &plan.Barrier{Wave: "pilot", Phase: 1}})
	f.Waves = append(f.Waves, admit.Wave{Name: "rest", State: v1alpha1.WaveClosed})
	return f
}

func TestPlannedAndActualDates(t *testing.T) {
	for name, tc := range map[string]struct {
		facts forecast.Facts
		now   float64
		want  []string
		wake  float64
	}{
		"nothing has begun, and it is too soon": {one(site("a", "pilot")), 1, []string{
			"rollout: planned ?-32, was ?-?, expected 32",
			"pilot: planned 2-32, was ?-?, expected 32",
			"  prepare: planned 2-12, was ?-?, expected 12",
			"  live: planned 12-32, was ?-?, expected 32"}, 2},
		"nothing has begun, and it was to": {one(site("a", "pilot")), 3, []string{
			"rollout: planned ?-32, was ?-?, expected 33 1d",
			"pilot: planned 2-32, was ?-?, expected 33 late",
			"  prepare: planned 2-12, was ?-?, expected 13 late",
			"  live: planned 12-32, was ?-?, expected 33 late"}, 0},
		"a wave without sites": {one(), 3, []string{
			"rollout: planned ?-32, was ?-?, expected ?",
			"pilot: planned 2-32, was ?-?, expected ? late",
			"  prepare: planned 2-12, was ?-?, expected ? late",
			"  live: planned 12-32, was ?-?, expected ?"}, 12},
		"the first start and the last pass count": {one(site("a", "pilot", ran("prepare", 3, 11), ran("live", 14, 29)), site("b", "pilot", ran("prepare", 2, 9), ran("live", 9, 25))), 30, []string{
			"rollout: planned ?-32, was ?-29, expected ?",
			"pilot: planned 2-32, was 2-29, expected ?",
			"  prepare: planned 2-12, was 2-11, expected ?",
			"  live: planned 12-32, was 9-29, expected ?"}, 0},
		"a phase has ended only when every site has passed it": {one(site("a", "pilot", ran("prepare", 2, 12), ran("live", 12, 32)), site("b", "pilot", ran("prepare", 2, 12), ran("live", 12, 0))), 32, []string{
			"rollout: planned ?-32, was ?-?, expected 32",
			"pilot: planned 2-32, was 2-?, expected 32",
			"  prepare: planned 2-12, was 2-12, expected ?",
			"  live: planned 12-32, was 12-?, expected 32"}, 32},
		"completed late": {one(site("a", "pilot", ran("prepare", 2, 20), ran("live", 20, 40))), 50, []string{
			"rollout: planned ?-32, was ?-40, expected ? 8d",
			"pilot: planned 2-32, was 2-40, expected ? late",
			"  prepare: planned 2-12, was 2-20, expected ? late",
			"  live: planned 12-32, was 20-40, expected ? late"}, 0},
		"a late phase, and the wave catches up": {one(site("a", "pilot", ran("prepare", 2, 20), ran("live", 20, 30))), 50, []string{
			"rollout: planned ?-32, was ?-30, expected ?",
			"pilot: planned 2-32, was 2-30, expected ?",
			"  prepare: planned 2-12, was 2-20, expected ? late",
			"  live: planned 12-32, was 20-30, expected ?"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tc.facts.Now = day(tc.now)
			got, wake := forecast.Of(tc.facts)
			if diff := cmp.Diff(tc.want, written(got)); diff != "" {
				t.Errorf("forecast (-want +got):\n%s", diff)
			}
			var want time.Time
			if tc.wake != 0 {
				want = day(tc.wake).Add(forecast.Grace)
			}
			if !wake.Equal(want) {
				t.Errorf("looks again at %s, want %s", wake, want)
			}
		})
	}
}

func TestTheRolloutIsAsFarAsEachOfItsWaves(t *testing.T) {
	over := site("a", "pilot", ran("prepare", 2, 12), ran("live", 12, 32))
	for name, tc := range map[string]struct {
		facts  forecast.Facts
		change func(*forecast.Facts)
		want   string
	}{
		"both are expected":                  {two(site("a", "pilot", ran("prepare", 2, 0)), site("b", "rest")), nil, "rollout: planned ?-70, was ?-?, expected 83 13d"},
		"the first has ended":                {two(over, site("b", "rest")), nil, "rollout: planned ?-70, was ?-?, expected 70"},
		"the second has ended, and late":     {two(over, site("b", "rest", ran("prepare", 50, 60), ran("live", 60, 80))), nil, "rollout: planned ?-70, was ?-80, expected ? 10d"},
		"the first is planned to end last":   {two(over, site("b", "rest")), func(f *forecast.Facts) { f.Plan.Waves[0].PlannedEnd = day(90) }, "rollout: planned ?-90, was ?-?, expected 70"},
		"the second is not planned":          {two(over, site("b", "rest")), func(f *forecast.Facts) { f.Plan.Waves[1].PlannedStart = time.Time{} }, "rollout: planned ?-?, was ?-?, expected 63"},
		"nobody knows the end of the second": {two(over), nil, "rollout: planned ?-70, was ?-?, expected ?"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.facts.Now, tc.facts.Waves[1].State = day(33), v1alpha1.WaveOpen
			if len(tc.facts.Sites[0].Records) == 1 {
				tc.facts.Waves[1].State = v1alpha1.WaveClosed
			}
			if tc.change != nil {
				tc.change(&tc.facts)
			}
			got, _ := forecast.Of(tc.facts)
			if diff := cmp.Diff(tc.want, written(got)[0]); diff != "" {
				t.Errorf("rollout (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAStartIsLateFromAnHourOn(t *testing.T) {
	for late, want := range map[time.Duration]bool{0: false, time.Hour - time.Second: false, time.Hour: true} {
		f := one(site("a", "pilot"))
		f.Plan.Phases[1].Expected, f.Plan.Waves[0].PlannedEnd, f.Now = time.Hour, day(90), day(2).Add(late)
		got, wake := forecast.Of(f)
		if first := got.Waves[0].Phases[0]; first.Late != want || got.Waves[0].Late != want || got.Waves[0].Phases[1].Late {
			t.Errorf("%s after the planned start: %s", late, strings.Join(written(got), "\n"))
		}
		if again := day(2).Add(time.Hour); wake.Equal(again) == want {
			t.Errorf("%s after the planned start, it looks again at %s", late, wake)
		}
	}
}

func TestWhatIsNotPlannedStaysUnset(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*forecast.Facts)
		want   []string
	}{
		"nothing is planned": {func(f *forecast.Facts) {
			f.Plan.Waves[0].PlannedStart, f.Plan.Phases[0].Expected, f.Plan.Phases[1].Expected = time.Time{}, 0, 0
		}, nil},
		"only a start": {func(f *forecast.Facts) { f.Plan.Phases[0].Expected, f.Plan.Phases[1].Expected = 0, 0 }, []string{
			"rollout: planned ?-?, was ?-?, expected ?",
			"pilot: planned 2-?, was ?-?, expected ?",
			"  prepare: planned 2-?, was ?-?, expected ?",
			"  live: planned ?-?, was ?-?, expected ?"}},
		"the end of a wave whose sites take turns": {func(f *forecast.Facts) { f.Plan.Waves[0].PlannedEnd, f.Plan.MaxConcurrent = day(62), limit(1) }, []string{
			"rollout: planned ?-62, was ?-?, expected 32",
			"pilot: planned 2-62, was ?-?, expected 32",
			"  prepare: planned 2-42, was ?-?, expected 12",
			"  live: planned 12-62, was ?-?, expected 32"}},
		"only the end of a wave": {func(f *forecast.Facts) {
			f.Plan.Waves[0].PlannedStart, f.Plan.Waves[0].PlannedEnd, f.Plan.Phases[0].Expected, f.Plan.Phases[1].Expected = time.Time{}, day(62), 0, 0
		}, []string{
			"rollout: planned ?-62, was ?-?, expected ?",
			"pilot: planned ?-62, was ?-?, expected ?",
			"  prepare: planned ?-?, was ?-?, expected ?",
			"  live: planned ?-62, was ?-?, expected ?"}},
		"only lengths": {func(f *forecast.Facts) { f.Plan.Waves[0].PlannedStart = time.Time{} }, []string{
			"rollout: planned ?-?, was ?-?, expected 30",
			"pilot: planned ?-?, was ?-?, expected 30",
			"  prepare: planned ?-?, was ?-?, expected 10",
			"  live: planned ?-?, was ?-?, expected 30"}},
		"the first phase has no length": {func(f *forecast.Facts) { f.Plan.Phases[0].Expected = 0 }, []string{
			"rollout: planned ?-?, was ?-?, expected ?",
			"pilot: planned 2-?, was ?-?, expected ?",
			"  prepare: planned 2-?, was ?-?, expected ?",
			"  live: planned ?-?, was ?-?, expected ?"}},
		"the last phase has no length": {func(f *forecast.Facts) { f.Plan.Phases[1].Expected = 0 }, []string{
			"rollout: planned ?-?, was ?-?, expected ?",
			"pilot: planned 2-?, was ?-?, expected ?",
			"  prepare: planned 2-12, was ?-?, expected 12",
			"  live: planned 12-?, was ?-?, expected ?"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := one(site("a", "pilot"))
			f.Now = day0
			tc.change(&f)
			got, _ := forecast.Of(f)
			if diff := cmp.Diff(tc.want, written(got)); diff != "" {
				t.Errorf("forecast (-want +got):\n%s", diff)
			}
		})
	}
}

// The API server refuses a date behind the year 9999, and with it the whole status.
func TestNoDateLiesBehindTheLastOne(t *testing.T) {
	f := one(site("a", "pilot"))
	f.Plan.Waves[0].PlannedStart = time.Date(9999, 12, 31, 12, 0, 0, 0, time.UTC)
	f.Now = day0
	got, _ := forecast.Of(f)
	f.Plan.Waves[0] = plan.Wave{Name: "pilot", PlannedEnd: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)}
	early, _ := forecast.Of(f)
	if early.Waves[0].PlannedEnd == nil || early.Waves[0].Phases[0].PlannedEnd != nil {
		t.Errorf("forecast: %s", strings.Join(written(early), "\n"))
	}
	if got.Waves[0].PlannedStart == nil || got.Waves[0].PlannedEnd != nil || got.Waves[0].Phases[0].PlannedEnd != nil || got.Waves[0].Phases[1].PlannedStart != nil {
		t.Errorf("forecast: %s", strings.Join(written(got), "\n"))
	}
}

func TestADelayOfLessThanAnHourIsNone(t *testing.T) {
	for name, tc := range map[string]struct {
		late time.Duration
		want v1alpha1.Duration
	}{
		"a gate that takes a while":        {59*time.Minute + 59*time.Second, ""},
		"an hour":                          {time.Hour, "1h"},
		"less than another hour":           {2*time.Hour - time.Second, "1h"},
		"days and hours":                   {49 * time.Hour, "2d1h"},
		"more days than a Duration can be": {290 * 365 * oneDay, "99999d"},
	} {
		t.Run(name, func(t *testing.T) {
			end := metav1.NewTime(day(32).Add(tc.late))
			f := one(site("a", "pilot", ran("prepare", 2, 12), ran("live", 12, 32)))
			f.Sites[0].Records[1].PassedAt, f.Now = &end, end.Time
			got, _ := forecast.Of(f)
			if got.Late != tc.want || got.Waves[0].Late != (tc.want != "") || got.Waves[0].Phases[1].Late != (tc.want != "") {
				t.Errorf("late by %q, want %q: %s", got.Late, tc.want, strings.Join(written(got), "\n"))
			}
			if _, err := got.Late.Parse(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestADelayIsExplained(t *testing.T) {
	for want, d := range map[string]v1alpha1.Dates{
		"it was planned to begin at 2026-03-03T09:00:00Z and has not":                           {PlannedStart: stamp(2)},
		"it was planned to begin at 2026-03-04T09:00:00Z and has not":                           {PlannedStart: stamp(3), PlannedEnd: stamp(9), ExpectedEnd: stamp(9)},
		"it was planned to end at 2026-03-03T09:00:00Z, and nobody knows when it will":          {PlannedStart: stamp(1), PlannedEnd: stamp(2), Start: stamp(1)},
		"it is planned to end at 2026-03-03T09:00:00Z, and expected to at 2026-03-04T09:00:00Z": {PlannedStart: stamp(1), PlannedEnd: stamp(2), ExpectedEnd: stamp(3)},
		"it was planned to end at 2026-03-03T09:00:00Z, and did at 2026-03-04T09:00:00Z":        {PlannedEnd: stamp(2), Start: stamp(1), End: stamp(3)},
	} {
		if got := forecast.Delay(d); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}
