package sequence

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// provedGates looks at what the operator was told by the source, and finds out on its own whether a gate could pass.
func provedGates(s step) string {
	if record := s.passed(); record != nil {
		if phase := s.phase(record.Name); phase.Spec.ExitGate != nil {
			return s.proved(phase.Spec.ExitGate.Name, record.StartedAt.Time)
		}
	}
	if name := s.started(); name != "" {
		if phase := s.phase(name); phase.Spec.EntryGate != nil {
			return s.proved(phase.Spec.EntryGate.Name, time.Time{})
		}
	}
	return ""
}

func (s step) proved(gate string, notBefore time.Time) string {
	found := s.newest("AcceptanceGate", gate).(*v1alpha1.AcceptanceGate)
	for _, c := range found.Spec.Criteria {
		kpi := s.newest("KPI", c.KPI).(*v1alpha1.KPI)
		if problem := provedBy(s.log, question{c, kpi.Spec, s.after.Spec.Site, notBefore, s.now}); problem != "" {
			return fmt.Sprintf("gate %s, criterion %s: %s", gate, c.Name, problem)
		}
	}
	return ""
}

// question is whether one criterion had passed.
type question struct {
	criterion v1alpha1.Criterion
	kpi       v1alpha1.KPISpec
	site      string
	notBefore time.Time
	now       time.Time
}

// lengths of a KPI and a criterion; the scenarios write them without mistakes.
func length(d v1alpha1.Duration) time.Duration {
	parsed, err := d.Parse()
	if err != nil {
		panic(err)
	}
	return parsed
}

// provedBy returns what the log does not prove: the last answer must be good and fresh, and the run of good values that ends with it long enough, without a
// longer gap than the KPI allows, and all of it after the attempt began.
func provedBy(log []reading, q question) string {
	samples, last := q.samples(log)
	switch {
	case last == nil || last.failed:
		return "the last measurement failed"
	case len(samples) == 0:
		return "there is no value from within the attempt"
	}
	if v, ok := last.values[q.site]; !ok || math.IsNaN(v) {
		return "the last measurement has no number for the site"
	}
	newest := samples[len(samples)-1]
	if q.now.Sub(newest.at) > length(q.kpi.StaleAfter) {
		return "the last value is stale"
	}
	since := time.Time{}
	for _, r := range slices.Backward(samples) {
		if !q.met(r.values[q.site]) || (!since.IsZero() && since.Sub(r.at) > length(q.kpi.StaleAfter)) {
			break
		}
		since = r.at
	}
	if since.IsZero() {
		return fmt.Sprintf("the last value is %v", newest.values[q.site])
	}
	if held := newest.at.Sub(since); held < length(q.criterion.For) {
		return fmt.Sprintf("it was met for %s only", held)
	}
	return ""
}

// samples returns the numbers of the site within the attempt, oldest first, and the last measurement.
func (q question) samples(log []reading) (samples []reading, last *reading) {
	for i, r := range log {
		if r.kpi != q.criterion.KPI {
			continue
		}
		last = &log[i]
		value, ok := r.values[q.site]
		inside := q.notBefore.IsZero() || r.at.Add(-length(q.kpi.Window)).After(q.notBefore)
		if ok && !math.IsNaN(value) && inside {
			samples = append(samples, r)
		}
	}
	slices.SortStableFunc(samples, func(a, b reading) int { return a.at.Compare(b.at) })
	return samples, last
}

func (q question) met(value float64) bool {
	if q.criterion.AtLeast != nil {
		limit, err := q.criterion.AtLeast.Float()
		return err == nil && value >= limit
	}
	limit, err := q.criterion.AtMost.Float()
	return err == nil && value <= limit
}
