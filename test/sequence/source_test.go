package sequence

import (
	"context"
	"math"
	"slices"
	"strings"
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
	// query is what was asked, with the window in it where the KPI has a place for it.
	query string
	// at is the end of the window.
	at     time.Time
	window time.Duration
	failed bool
	values map[string]float64
	// ids are the names by which the source was taken to know the sites: it knows them by their own. Nil for just these.
	ids map[string]string
	// samples behind the values.
	samples map[string]int64
	// captured is true when the answer was for baselines. It is no measurement of the KPI then.
	captured bool
	// again is true when a later moment had been measured before.
	again bool
}

// source is the world outside. Its numbers follow a script, by the end of the window that is asked for; a source that is down answers nothing.
type source struct {
	clock clock.PassiveClock
	sites func() []string
	// numbers by query and site; the site "" stands for the others. What is said of "cycle[30m]" counts before what is said of "cycle".
	numbers map[string]map[string][]point
	// samples behind the numbers, in the same way; none where nothing is said.
	samples map[string]map[string][]point
	down    []span
	// log is everything that the operator was told.
	log []reading
	// settled is how much of the log is known to be a measurement or not.
	settled int
}

// settle says what the latest answers were for.
func (s *source) settle(captured bool) {
	for ; s.settled < len(s.log); s.settled++ {
		s.log[s.settled].captured = captured
	}
}

// Measure answers from the script. The query is the name of a number, with or without a window in brackets.
func (s *source) Measure(ctx context.Context, q provider.Query, w provider.Window) (provider.Answer, error) {
	told := reading{kpi: q.Name, query: q.Expression, at: w.End, window: w.End.Sub(w.Start), values: map[string]float64{}, samples: map[string]int64{}}
	if t := turnOf(ctx); t != nil {
		told.ids = t.siteIDs()
	}
	since := s.clock.Now().Sub(began)
	if slices.ContainsFunc(s.down, func(d span) bool { return since >= d.from && since < d.until }) {
		told.failed = true
		s.log = append(s.log, told)
		return provider.Answer{}, &provider.Error{Reason: provider.Unreachable, Message: "the source cannot be reached"}
	}
	var answer provider.Answer
	for _, site := range s.sites() {
		value := valueOf(s.numbers, q.Expression, site, w.End)
		if math.IsInf(value, -1) {
			continue
		}
		told.values[site] = value
		if behind := valueOf(s.samples, q.Expression, site, w.End); !math.IsInf(behind, -1) {
			told.samples[site] = int64(behind)
		}
		answer.Samples = append(answer.Samples, provider.Sample{Site: site, Value: value, Time: w.End, Samples: told.samples[site]})
	}
	s.log = append(s.log, told)
	return answer, nil
}

// valueOf returns what a script says of a site at a time.
func valueOf(script map[string]map[string][]point, query, site string, at time.Time) float64 {
	known, ok := script[query]
	if !ok {
		name, _, _ := strings.Cut(query, "[")
		known = script[name]
	}
	story, ok := known[site]
	if !ok {
		story = known[""]
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
