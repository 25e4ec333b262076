package sequence

import (
	"context"
	"math"
	"slices"
	"time"

	"k8s.io/utils/clock"

	"github.com/crmops/rollout-operator/internal/provider"
)

// point is a value that a number has from a moment of the simulation on.
type point struct {
	from  time.Duration
	value float64
}

// Values that are no numbers to compare.
var (
	notANumber = math.NaN()
	// missing is what a source says about a site that it does not know: nothing.
	missing = math.Inf(-1)
)

// span is a stretch of the simulation.
type span struct{ from, until time.Duration }

// reading is one answer that the operator got, or did not get, from the source.
type reading struct {
	kpi string
	// at is the end of the window.
	at     time.Time
	failed bool
	values map[string]float64
}

// source is the world outside. Its numbers follow a script, by the end of the window that is asked for; a source that is down answers nothing.
type source struct {
	clock clock.PassiveClock
	sites func() []string
	// numbers by KPI and site; the site "" stands for the others.
	numbers map[string]map[string][]point
	down    []span
	// log is everything that the operator was told.
	log []reading
}

// Measure answers from the script. The query is the name of the KPI.
func (s *source) Measure(_ context.Context, q provider.Query, w provider.Window) (provider.Answer, error) {
	told := reading{kpi: q.Expression, at: w.End, values: map[string]float64{}}
	since := s.clock.Now().Sub(began)
	if slices.ContainsFunc(s.down, func(d span) bool { return since >= d.from && since < d.until }) {
		told.failed = true
		s.log = append(s.log, told)
		return provider.Answer{}, &provider.Error{Reason: provider.Unreachable, Message: "the source cannot be reached"}
	}
	var answer provider.Answer
	for _, site := range s.sites() {
		value := s.value(q.Expression, site, w.End)
		if math.IsInf(value, -1) {
			continue
		}
		told.values[site] = value
		answer.Samples = append(answer.Samples, provider.Sample{Site: site, Value: value, Time: w.End})
	}
	s.log = append(s.log, told)
	return answer, nil
}

func (s *source) value(kpi, site string, at time.Time) float64 {
	story, ok := s.numbers[kpi][site]
	if !ok {
		story = s.numbers[kpi][""]
	}
	value := missing
	for _, p := range story {
		if at.Sub(began) >= p.from {
			value = p.value
		}
	}
	return value
}

// Close does nothing.
func (s *source) Close() {}
