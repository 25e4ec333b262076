package sequence

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// provedGates looks at what the operator was told by the source, and finds out on its own, slowly, whether a gate could pass. Whoever waives one needs no proof.
func provedGates(s step) string {
	if record := s.passed(); record != nil && record.Outcome == "" {
		s = s.by(record.Revision)
		if phase := s.phase(record.Name); phase.Spec.ExitGate != nil {
			return s.proved(phase.Spec.ExitGate.Name, record.StartedAt.Time)
		}
	}
	if name := s.began(); name != "" && !decides(s.begunBy(name), v1alpha1.DecisionWaive) {
		s = s.by(recordOf(s.after, name).Revision)
		if phase := s.phase(name); phase.Spec.EntryGate != nil {
			return s.proved(phase.Spec.EntryGate.Name, time.Time{})
		}
	}
	return ""
}

// gate returns a gate as it was frozen in the plan that is looked at, or as the reconcile has read it.
func (s step) gate(name string) *v1alpha1.AcceptanceGate {
	if s.pinned != nil {
		return &v1alpha1.AcceptanceGate{ObjectMeta: named(name), Spec: s.pinned.AcceptanceGates[name].Spec}
	}
	for i := range s.turn.gates {
		if s.turn.gates[i].Name == name {
			return &s.turn.gates[i]
		}
	}
	return s.newest("AcceptanceGate", name).(*v1alpha1.AcceptanceGate)
}

// proved returns what keeps a gate from passing: a criterion that has to pass by itself, a group of which none passes, or the score.
func (s step) proved(gate string, notBefore time.Time) string {
	spec := s.gate(gate).Spec
	needed := map[string]string{}
	scored, total := int64(0), int64(0)
	for _, c := range spec.Criteria {
		problem := s.asks(c, notBefore).proved()
		switch c.Importance {
		case v1alpha1.ImportanceAdvisory:
		case v1alpha1.ImportanceWeighted:
			total += weight(c)
			if problem == "" {
				scored += weight(c)
			}
		default:
			one := "group " + c.AnyOf
			if c.AnyOf == "" {
				one = "criterion " + c.Name
			}
			if known, seen := needed[one]; !seen || known != "" {
				needed[one] = problem
			}
		}
	}
	for one, problem := range needed {
		if problem != "" {
			return fmt.Sprintf("gate %s, %s: %s", gate, one, problem)
		}
	}
	if spec.Score != nil && 100*scored < int64(spec.Score.Pass)*total {
		return fmt.Sprintf("gate %s: only %d of %d points are proved", gate, scored, total)
	}
	return ""
}

func weight(c v1alpha1.Criterion) int64 {
	if c.Weight == nil {
		return 1
	}
	return int64(*c.Weight)
}

// question is whether one criterion had passed.
type question struct {
	step
	criterion v1alpha1.Criterion
	kpi       *v1alpha1.KPI
	// reference is the KPI that it is compared with; nil for none.
	reference *v1alpha1.KPI
	// baseline is the frozen one that it is compared with; nil for none.
	baseline  *v1alpha1.Baseline
	notBefore time.Time
	// wanted is the finding that makes a run.
	wanted finding
}

// asks puts the question of a criterion for the site of the step.
func (s step) asks(c v1alpha1.Criterion, notBefore time.Time) question {
	q := question{step: s, criterion: c, kpi: s.kpi(c.KPI), notBefore: notBefore, wanted: met}
	if c.Against == nil {
		return q
	}
	if c.Against.Reference != nil {
		q.reference = s.kpi(c.Against.Reference.KPI)
	}
	for _, r := range records(s.after) {
		for i, b := range r.Baselines {
			if b.KPI == c.KPI && (c.Against.Control == nil || b.PreTrend != "") {
				q.baseline = &r.Baselines[i]
			}
		}
	}
	return q
}

// kpi returns a KPI as it was frozen in the plan that is looked at, or as the reconcile has read it.
func (s step) kpi(name string) *v1alpha1.KPI {
	if s.pinned != nil {
		return &v1alpha1.KPI{ObjectMeta: named(name), Spec: s.pinned.KPIs[name].Spec}
	}
	for i := range s.turn.kpis {
		if s.turn.kpis[i].Name == name {
			return &s.turn.kpis[i]
		}
	}
	return s.newest("KPI", name).(*v1alpha1.KPI)
}

// length of something; the scenarios write them without mistakes.
func length(d v1alpha1.Duration) time.Duration {
	parsed, err := d.Parse()
	if err != nil {
		panic(err)
	}
	return parsed
}

// window is the stretch of time that a value of a KPI speaks about for the criterion.
func (q question) window(kpi *v1alpha1.KPI) time.Duration {
	if q.criterion.Window != "" {
		return length(q.criterion.Window)
	}
	return length(kpi.Spec.Window)
}

// proved returns what the log does not prove: the last answer must be good and fresh, and the run of good values that ends with it long enough, without a
// longer gap than the KPI allows, and all of it after the attempt began.
func (q question) proved() string {
	samples, problem := q.known(q.kpi)
	if problem != "" {
		return problem
	}
	if q.reference != nil {
		if _, problem := q.known(q.reference); problem != "" {
			return "the reference: " + problem
		}
	}
	if samples = slices.DeleteFunc(samples, q.unusable); len(samples) == 0 {
		return "there is no value that can be compared"
	}
	newest := samples[len(samples)-1]
	if problem := q.fresh(newest); problem != "" {
		return problem
	}
	since := q.runSince(samples)
	if since.IsZero() {
		return fmt.Sprintf("the last value is %v", newest.values[q.after.Spec.Site])
	}
	if held := newest.at.Sub(since); held < length(q.criterion.For) {
		return fmt.Sprintf("it lasted for %s only", held)
	}
	return ""
}

// runSince follows the run that ends with the newest value back to its first good value. It is zero when the newest one is not of the run.
func (q question) runSince(samples []reading) (since time.Time) {
	exceptions, exception := 0, time.Time{}
	previous := samples[len(samples)-1].at
	for i, r := range slices.Backward(samples) {
		if previous.Sub(r.at) > length(q.kpi.Spec.StaleAfter) {
			break
		}
		newest := i == len(samples)-1
		found := q.find(r, newest)
		switch {
		case found == q.wanted:
			since = r.at
		case newest:
			return since
		case r.again && q.reference != nil: // measured again after a restart, it may not have been looked at
		case found == missed && exception.Sub(r.at) > 0 && exception.Sub(r.at) < length(q.kpi.Spec.Interval)/2: // only a restart measures so soon, and it may have lost the other
		case found == missed && exceptions < q.allowed():
			exceptions++
			exception = r.at
		default:
			return since
		}
		previous = r.at
	}
	return since
}

// allowed is the number of exceptions that a run survives.
func (q question) allowed() int {
	if q.reference == nil || q.criterion.Against.Reference.MaxExceptions == nil {
		return 0
	}
	return int(*q.criterion.Against.Reference.MaxExceptions)
}

func (q question) fresh(r reading) string {
	if q.now.Sub(r.at) > length(q.kpi.Spec.StaleAfter) {
		return "the last value is stale"
	}
	return ""
}

// known returns the numbers of the site within the attempt, oldest first, and why the last measurement says nothing.
func (q question) known(kpi *v1alpha1.KPI) (samples []reading, problem string) {
	var last *reading
	for i, r := range q.log {
		if r.captured || r.kpi != kpi.Name || r.window != q.window(kpi) || name(r.query) != name(kpi.Spec.Query) {
			continue
		}
		last = &q.log[i]
		inside := q.notBefore.IsZero() || r.at.Add(-r.window).After(q.notBefore)
		if _, ok := r.number(q.after.Spec.Site); ok && inside {
			r.again = slices.ContainsFunc(samples, func(earlier reading) bool { return !earlier.at.Before(r.at) })
			samples = append(samples, r)
		}
	}
	slices.SortStableFunc(samples, func(a, b reading) int { return a.at.Compare(b.at) })
	samples = slices.CompactFunc(samples, func(a, b reading) bool { return a.at.Equal(b.at) })
	if last == nil || last.failed {
		return nil, "the last measurement failed"
	}
	if _, ok := last.number(q.after.Spec.Site); !ok {
		return nil, "the last measurement has no number for the site"
	}
	if len(samples) == 0 {
		return nil, "there is no value from within the attempt"
	}
	return samples, ""
}

// name of the number that a query asks for.
func name(query string) string {
	before, _, _ := strings.Cut(query, "[")
	return before
}

// number returns the finite value of a site.
func (r reading) number(site string) (float64, bool) {
	value, ok := r.values[site]
	if r.ids != nil && r.ids[site] != site { // the operator did not know the site then, or took the source to know it by another name
		return 0, false
	}
	return value, ok && !math.IsNaN(value)
}
