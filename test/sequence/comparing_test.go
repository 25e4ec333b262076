package sequence

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// finding is what comparing a value brings.
type finding int

const (
	unclear finding = iota
	met
	missed
)

// unusable reports whether a value cannot be compared however good it is: its window must not reach back into that of the baseline, and its reference must be complete.
func (q question) unusable(r reading) bool {
	against := q.criterion.Against
	switch {
	case against == nil:
		return false
	case against.Reference != nil:
		_, found := q.partner(r)
		return !found
	}
	return q.baseline == nil || r.at.Add(-r.window).Before(q.baseline.WindowEnd.Time)
}

// find compares one value.
func (q question) find(r reading, newest bool) finding {
	site := q.after.Spec.Site
	value, ok := r.number(site)
	if !ok || q.tooFew(r, site) {
		return unclear
	}
	against := q.criterion.Against
	switch {
	case against == nil:
		return q.meets(value, value)
	case against.Control != nil:
		return q.findEffect(r, value, newest)
	case against.Reference != nil:
		other, found := q.partner(r)
		with, ok := other.number(site)
		if !found || !ok || q.tooFew(other, site) {
			return unclear
		}
		return q.meetsChange(value, with)
	}
	if !q.measuresTheSame() {
		return unclear
	}
	return q.meetsChange(value, float(q.baseline.Value))
}

func (q question) tooFew(r reading, site string) bool {
	return q.criterion.MinSamples != nil && r.samples[site] < *q.criterion.MinSamples
}

// measuresTheSame reports whether the baseline was an answer to what the KPI asks now, of enough samples. Without a baseline nothing comes as far as that.
func (q question) measuresTheSame() bool {
	if least := q.criterion.MinSamples; least != nil && q.baseline.Samples < *least {
		return false
	}
	return slices.ContainsFunc(q.log, func(r reading) bool {
		return r.captured && r.kpi == q.kpi.Name && r.at.Equal(q.baseline.WindowEnd.Time) && name(r.query) == name(q.kpi.Spec.Query)
	})
}

func (q question) meetsChange(value, with float64) finding {
	change := value - with
	if q.percent() {
		if with == 0 {
			return unclear
		}
		change /= math.Abs(with)
	}
	return q.meets(change, change)
}

// partner is the value of the reference: the latest one that is not newer, once there is one that is not older.
func (q question) partner(r reading) (partner reading, found bool) {
	others, _ := q.known(q.reference)
	complete := false
	for _, other := range others {
		complete = complete || !other.at.Before(r.at)
		if !other.at.After(r.at) && r.at.Sub(other.at) <= length(q.reference.Spec.StaleAfter) {
			partner, found = other, true
		}
	}
	return partner, found && complete
}

// findEffect compares the change of the site since its baseline with those of the control group, by arithmetic of its own.
func (q question) findEffect(r reading, value float64, newest bool) finding {
	if !q.measuresTheSame() || q.baseline.Earlier == "" {
		return unclear
	}
	var since, before []float64
	for _, control := range q.baseline.Controls {
		now, ok := r.number(control.Site)
		if !ok || q.tooFew(r, control.Site) || q.begun(control.Site, r, newest) {
			continue
		}
		since = append(since, q.moved(float(control.Value), now))
		if control.Earlier != "" {
			before = append(before, q.moved(float(control.Earlier), float(control.Value)))
		}
	}
	least := 5
	if asked := q.criterion.Against.Control.MinSites; asked != nil {
		least = int(*asked)
	}
	if len(since) < least || len(before) < least {
		return unclear
	}
	then := float(q.baseline.Value)
	if low, high := q.interval(q.moved(float(q.baseline.Earlier), then), before); low > 1e-9 || high < -1e-9 {
		return unclear
	}
	low, high := q.interval(q.moved(then, value), since)
	if high-low < 1e-9 {
		return unclear
	}
	if q.percent() {
		low, high = math.Expm1(low), math.Expm1(high)
	}
	return q.meets(low, high)
}

// moved is a change: a difference, or the logarithm of a ratio.
func (q question) moved(from, to float64) float64 {
	if q.percent() {
		return math.Log(to / from)
	}
	return to - from
}

// interval is the one of the difference between a change and those of controls: as far to each side as one more control would stray.
func (q question) interval(change float64, controls []float64) (low, high float64) {
	n := float64(len(controls))
	mean, squares := 0.0, 0.0
	for _, c := range controls {
		mean += c / n
	}
	for _, c := range controls {
		squares += (c - mean) * (c - mean)
	}
	confidence := 0.95
	if asked := q.criterion.Against.Control.Confidence; asked != "" {
		confidence = float(asked)
	}
	half := distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile((1+confidence)/2) * math.Sqrt(squares/(n-1)) * math.Sqrt(1+1/n)
	return change - mean - half, change - mean + half
}

// begun reports whether a control site had begun the phase that declares the baseline: for the newest value by what the reconcile has read, for others by the truth.
func (q question) begun(site string, r reading, newest bool) bool {
	declaring := ""
	for _, record := range records(q.after) {
		if slices.ContainsFunc(record.Baselines, func(b v1alpha1.Baseline) bool { return b.KPI == q.baseline.KPI }) {
			declaring = record.Name
		}
	}
	story := q.turn.siteRollouts[site]
	if !newest || story == nil {
		found := slices.IndexFunc(q.siteRollouts, func(sr *v1alpha1.SiteRollout) bool { return sr.Spec.Site == site })
		if found < 0 {
			return false
		}
		story = q.siteRollouts[found]
	}
	return slices.ContainsFunc(story.Status.Phases, func(record v1alpha1.PhaseRecord) bool {
		return record.Name == declaring && (newest || !record.StartedAt.After(r.at))
	})
}

// meets compares an interval, or a number that is both ends of it, with the threshold. The last digits of binary fractions do not count.
func (q question) meets(low, high float64) finding {
	least, most := math.Inf(-1), math.Inf(1)
	switch c := q.criterion; {
	case c.AtLeast != nil:
		least = limit(*c.AtLeast)
	case c.AtMost != nil:
		most = limit(*c.AtMost)
	default:
		least, most = limit(c.Between.Min), limit(c.Between.Max)
	}
	const digits = 1e-9
	switch {
	case low >= least-digits && high <= most+digits:
		return met
	case high < least+digits || low > most-digits:
		return missed
	}
	return unclear
}

func (q question) percent() bool {
	c := q.criterion
	for _, t := range []*v1alpha1.Threshold{c.AtLeast, c.AtMost} {
		if t != nil {
			return strings.HasSuffix(string(*t), "%")
		}
	}
	return strings.HasSuffix(string(c.Between.Min), "%")
}

func limit(t v1alpha1.Threshold) float64 {
	text, percent := strings.CutSuffix(string(t), "%")
	if percent {
		return float(v1alpha1.Decimal(text)) / 100
	}
	return float(v1alpha1.Decimal(text))
}

func float(d v1alpha1.Decimal) float64 {
	value, err := strconv.ParseFloat(string(d), 64)
	if err != nil {
		panic(err)
	}
	return value
}
