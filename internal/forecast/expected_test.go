package forecast_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/forecast"
	"github.com/crmops/rollout-operator/internal/plan"
)

// ends are the expected ends of the phases of each wave, on one line: wave prepare live.
func ends(f *v1alpha1.Forecast) string {
	var lines []string
	for _, w := range f.Waves {
		line := w.Name
		for _, p := range w.Phases {
			text := "?"
			if p.ExpectedEnd != nil {
				text = fmt.Sprintf("%g", float64(p.ExpectedEnd.Sub(day0)/time.Hour)/24)
			}
			if p.End != nil {
				text = "over"
			}
			line += " " + text
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, ", ")
}

func TestNothingIsExpectedOfAPhaseThatASiteWillNeverDo(t *testing.T) {
	keeps := func(s forecast.Site, phases ...string) forecast.Site {
		s.Own = &plan.Plan{}
		for _, name := range phases {
			s.Own.Phases = append(s.Own.Phases, plan.Phase{Name: name})
		}
		return s
	}
	for name, tc := range map[string]struct {
		facts forecast.Facts
		want  string
	}{
		"it has completed by a plan without the last phase":    {one(keeps(site("a", "pilot", ran("prepare", 2, 8)), "prepare")), "pilot over over"},
		"while it is in the phase before, that is not counted": {one(keeps(site("a", "pilot", ran("prepare", 2, 0)), "prepare")), "pilot 12 32"},
		"it has not begun, and takes the plan of now":          {one(keeps(site("a", "pilot"), "prepare")), "pilot 15 35"},
		"its plan has them all":                                {one(keeps(site("a", "pilot", ran("prepare", 2, 8)), "prepare", "live")), "pilot over 25"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.facts.Now = day0.Add(time.Duration(5 * 24 * float64(time.Hour)))
			f, _ := forecast.Of(tc.facts)
			if diff := cmp.Diff(tc.want, ends(f)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestThePaceSoFar(t *testing.T) {
	skipped := v1alpha1.PhaseRecord{Name: "prepare", StartedAt: *stamp(5), PassedAt: stamp(5), Outcome: v1alpha1.PhaseSkipped}
	retried := ran("prepare", 20, 30)
	retried.Attempt, retried.FirstStartedAt = 2, stamp(2)
	reopened := ran("prepare", 40, 0)
	reopened.Attempt, reopened.FirstStartedAt, reopened.FirstPassedAt = 2, stamp(2), stamp(16)
	for name, tc := range map[string]struct {
		facts forecast.Facts
		now   float64
		want  string
	}{
		"what the plan expects, while no site has passed the phase": {one(site("a", "pilot", ran("prepare", 2, 0))), 5, "pilot 12 32"},
		"the site that has passed it":                               {one(site("a", "pilot", ran("prepare", 2, 8)), site("b", "pilot")), 10, "pilot 16 36"},
		"the one in the middle of three": {one(site("a", "pilot", ran("prepare", 2, 4)), site("b", "pilot", ran("prepare", 2, 8)), site("c", "pilot", ran("prepare", 2, 30)), site("d", "pilot")), 30,
			"pilot 36 56"},
		"half-way between two":                             {one(site("a", "pilot", ran("prepare", 2, 4)), site("b", "pilot", ran("prepare", 2, 8)), site("d", "pilot")), 10, "pilot 14 34"},
		"of another wave, where none of the wave has yet":  {two(site("a", "pilot", ran("prepare", 2, 6), ran("live", 6, 7)), site("b", "rest")), 50, "pilot over over, rest 54 55"},
		"of the wave, where another has another":           {two(site("a", "pilot", ran("prepare", 2, 6), ran("live", 6, 7)), site("b", "rest", ran("prepare", 20, 28)), site("c", "rest")), 50, "pilot over over, rest 58 59"},
		"of a site that has left all waves":                {one(site("a", "", ran("prepare", 2, 6)), site("b", "pilot")), 10, "pilot 14 34"},
		"a skipped phase says nothing":                     {one(site("a", "pilot", skipped), site("b", "pilot")), 10, "pilot 20 40"},
		"all attempts count":                               {one(site("a", "pilot", retried), site("b", "pilot")), 30, "pilot 58 78"},
		"a reopened phase was passed":                      {one(site("a", "pilot", reopened), site("b", "pilot")), 50, "pilot 64 84"},
		"what has taken too long ends now at the earliest": {one(site("a", "pilot", ran("prepare", 2, 0))), 25, "pilot 25 45"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.facts.Now = day(tc.now)
			if tc.now == 50 && len(tc.facts.Waves) == 2 {
				tc.facts.Waves[1].State = v1alpha1.WaveOpen
			}
			got, _ := forecast.Of(tc.facts)
			if diff := cmp.Diff(tc.want, ends(got)); diff != "" {
				t.Errorf("expected ends (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSlotsAndBarriersTakeTime(t *testing.T) {
	failed := ran("prepare", 1, 0)
	failed.FailedAt, failed.RolledBackAt = stamp(3), stamp(3)
	four := []forecast.Site{site("a", "pilot"), site("b", "pilot"), site("c", "pilot"), site("d", "pilot")}
	for name, tc := range map[string]struct {
		facts  forecast.Facts
		change func(*forecast.Facts)
		now    float64
		want   string
	}{
		"all at once":                               {one(four...), nil, 10, "pilot 20 40"},
		"one at a time: each goes to its end":       {one(four...), func(f *forecast.Facts) { f.Plan.MaxConcurrent = limit(1) }, 10, "pilot 110 130"},
		"two at a time":                             {one(four...), func(f *forecast.Facts) { f.Plan.MaxConcurrent = limit(2) }, 10, "pilot 50 70"},
		"three at a time, and one alone":            {one(four...), func(f *forecast.Facts) { f.Plan.MaxConcurrent = limit(3) }, 10, "pilot 50 70"},
		"a limit of the wave":                       {one(four...), func(f *forecast.Facts) { f.Plan.Waves[0].MaxConcurrent = limit(2) }, 10, "pilot 50 70"},
		"half of the sites":                         {one(four...), func(f *forecast.Facts) { f.Plan.MaxConcurrent = &plan.Limit{Number: 50, Percent: true} }, 10, "pilot 50 70"},
		"a percentage of less than one site is one": {one(four...), func(f *forecast.Facts) { f.Plan.MaxConcurrent = &plan.Limit{Number: 1, Percent: true} }, 10, "pilot 110 130"},
		"sites in a phase keep their slots":         {one(site("a", "pilot"), site("b", "pilot", ran("prepare", 5, 0))), func(f *forecast.Facts) { f.Plan.MaxConcurrent = limit(1) }, 10, "pilot 45 65"},
		"more sites in a phase than there are slots now": {one(site("a", "pilot", ran("prepare", 5, 0)), site("b", "pilot", ran("prepare", 5, 0)), site("c", "pilot")),
			func(f *forecast.Facts) { f.Plan.MaxConcurrent = limit(1) }, 10, "pilot 45 65"},
		"a site that has begun goes first": {two(site("a", "pilot"), site("b", "rest", failed)),
			func(f *forecast.Facts) { f.Plan.MaxConcurrent = limit(1) }, 10, "pilot 50 70, rest 20 40"},
		"the site that is furthest goes first": {one(site("a", "pilot", failed), site("z", "pilot", ran("prepare", 0, 10), v1alpha1.PhaseRecord{Name: "live", Attempt: 1, StartedAt: *stamp(10), RolledBackAt: stamp(10)})),
			func(f *forecast.Facts) { f.Plan.MaxConcurrent = limit(1) }, 10, "pilot 40 60"},
		"when one of several sites has come far enough": {two(append([]forecast.Site{site("e", "rest")}, four...)...), func(f *forecast.Facts) {
			f.Plan.Waves[1].PlannedStart, f.Plan.Waves[0].MaxConcurrent, f.Plan.Waves[1].After.AtLeast = time.Time{}, limit(1), limit(1)
		}, 10, "pilot 110 130, rest 50 70"},
		"a site of no wave keeps its slot until its phase is over": {one(site("a", "pilot"), site("b", "", ran("prepare", 5, 0))),
			func(f *forecast.Facts) { f.Plan.MaxConcurrent = limit(1) }, 10, "pilot 25 45"},
		"a wave after another":   {two(site("a", "pilot"), site("b", "rest")), func(f *forecast.Facts) { f.Plan.Waves[1].PlannedStart = time.Time{} }, 10, "pilot 20 40, rest 50 70"},
		"no sooner than planned": {two(site("a", "pilot"), site("b", "rest")), nil, 1, "pilot 12 32, rest 50 70"},
		"later than planned":     {two(site("a", "pilot"), site("b", "rest")), nil, 15, "pilot 25 45, rest 55 75"},
		"after a phase of another, and a soak": {two(site("a", "pilot"), site("b", "rest")), func(f *forecast.Facts) {
			f.Plan.Waves[1].PlannedStart, f.Plan.Waves[1].After.Phase, f.Plan.Waves[1].After.Soak = time.Time{}, 0, 5*oneDay
		}, 10, "pilot 20 40, rest 35 55"},
		"when enough sites have come far enough": {two(append([]forecast.Site{site("e", "rest")}, four...)...), func(f *forecast.Facts) {
			f.Plan.Waves[1].PlannedStart, f.Plan.MaxConcurrent, f.Plan.Waves[1].After.AtLeast = time.Time{}, limit(1), limit(1)
		}, 10, "pilot 110 130, rest 140 160"}, // it is open from day 40 on; the slot goes in the order of waves
		"sites that have come far enough already count": {two(site("a", "pilot", ran("prepare", 2, 12), ran("live", 12, 32)), site("b", "pilot", ran("prepare", 22, 0)), site("c", "rest")), func(f *forecast.Facts) {
			f.Plan.Waves[1].PlannedStart = time.Time{}
		}, 33, "pilot 33 53, rest 63 83"},
		"in its soak": {two(site("a", "pilot", ran("prepare", 2, 12), ran("live", 12, 32)), site("b", "rest")), func(f *forecast.Facts) {
			f.Waves[1].OpensAt = day(45)
		}, 33, "pilot over over, rest 55 75"},
		"a wave that waits for one without sites": {two(site("b", "rest")), nil, 10, "pilot ? ?, rest ? ?"},
		"a barrier that names no wave":            {two(site("a", "pilot"), site("b", "rest")), func(f *forecast.Facts) { f.Plan.Waves[1].After.Wave = "none" }, 10, "pilot 20 40, rest ? ?"},
		"waves that wait for each other": {two(site("a", "pilot"), site("b", "rest")), func(f *forecast.Facts) {
			f.Plan.Waves[0].After, f.Waves[0].State = &plan.Barrier{Wave: "rest", Phase: 1}, v1alpha1.WaveClosed
		}, 10, "pilot ? ?, rest ? ?"},
		"who waits for a slot that is never free": {one(four...), func(f *forecast.Facts) { f.Plan.MaxConcurrent, f.Plan.Phases[1].Expected = limit(1), 0 }, 10, "pilot ? ?"},
		"lengths longer than time":                {one(four...), func(f *forecast.Facts) { f.Plan.MaxConcurrent, f.Plan.Phases[1].Expected = limit(1), 1<<63-2 }, 10, "pilot ? ?"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.facts.Now = day(tc.now)
			if tc.change != nil {
				tc.change(&tc.facts)
			}
			got, _ := forecast.Of(tc.facts)
			if diff := cmp.Diff(tc.want, ends(got)); diff != "" {
				t.Errorf("expected ends (-want +got):\n%s", diff)
			}
		})
	}
}
