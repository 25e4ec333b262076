package gate

import (
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// extend follows a run of good values through the samples that have not been looked at yet. The run ends at a bad value, at a gap longer
// than the KPI's staleAfter, and at samples that were dropped before anybody looked at them.
//
// The time up to which a run has been looked at can lie in the future when another machine's clock was ahead: then it is looked at again from now on, and not
// believed at all when the difference is larger than a gap would be.
func (c Criterion) extend(hold Hold, samples []Sample, dropped, now time.Time) Hold {
	if ahead := hold.SeenThrough.Sub(now); ahead > c.KPI.StaleAfter {
		hold = Hold{Of: hold.Of}
	} else if ahead > 0 {
		hold.SeenThrough = now
	}
	if !dropped.IsZero() && dropped.After(hold.SeenThrough) {
		hold.MetSince = time.Time{}
	}
	for _, s := range samples {
		if !s.Time.After(hold.SeenThrough) {
			continue
		}
		if s.Time.Sub(hold.SeenThrough) > c.KPI.StaleAfter {
			hold.MetSince = time.Time{}
		}
		hold.MetSince = c.runWith(s, hold.MetSince)
		hold.SeenThrough = s.Time
	}
	if len(samples) > 0 {
		// The latest value is what is compared, so the run must agree with it, also when a clock that was ahead counted its time as seen already.
		hold.MetSince = c.runWith(samples[len(samples)-1], hold.MetSince)
	}
	if now.Sub(hold.SeenThrough) > resumeMargin*c.KPI.StaleAfter+time.Second {
		hold.MetSince = time.Time{}
	}
	return hold
}

// runWith returns since when the criterion is met once a value is known: the run goes on or begins with a good one and ends with a bad one.
func (c Criterion) runWith(s Sample, since time.Time) time.Time {
	switch {
	case !c.Comparison.Met(s.Value):
		return time.Time{}
	case since.IsZero():
		return s.Time
	}
	return since
}

// resumeMargin is how many staleAfter of silence show that a run is lost even before the next value does: one, and one more because Resume trusts a run
// only up to one staleAfter before the KPI's last measurement.
const resumeMargin = 2

// Measured is when a KPI was measured before the operator was started.
type Measured struct {
	// Since is the first of the measurements that followed each other without a gap longer than staleAfter. A run that is older was broken by that gap,
	// even if no process lived long enough to write that down.
	Since time.Time
	// Last is the last of them; zero when the KPI was not measured.
	Last time.Time
}

// Resume rebuilds the holds that a status recorded, for an operator that has just started and has seen no sample itself.
//
// A status is not written at every measurement, so its sampleTime may be old. While a status says that a criterion is met, every measurement since was
// good, or the status would have been changed: the run then reaches to the KPI's last measurement. Because the last few measurements
// may not have been judged before the operator stopped, the run is trusted only up to the second before staleAfter before that, and whoever calls
// measures those moments again. Nothing is resumed when what the criterion measures or compares with was changed since.
func Resume(report *v1alpha1.GateReport, g Gate, measured func(kpi string) Measured) map[string]Hold {
	if report == nil || report.Name != g.Name {
		return nil
	}
	recorded := make(map[string]v1alpha1.CriterionReport, len(report.Criteria))
	for _, r := range report.Criteria {
		recorded[r.Name] = r
	}
	holds := make(map[string]Hold, len(g.Criteria))
	for _, c := range g.Criteria {
		if hold, ok := c.resume(recorded[c.Name], measured(c.KPI.Name)); ok {
			holds[c.Name] = hold
		}
	}
	return holds
}

func (c Criterion) resume(r v1alpha1.CriterionReport, measured Measured) (Hold, bool) {
	proved := Proof{Revision: r.KPIRevision, Threshold: r.Threshold}
	if r.Name != c.Name || r.KPI != c.KPI.Name || proved != c.proof() || r.MetSince == nil || r.SampleTime == nil {
		return Hold{}, false
	}
	hold := Hold{Of: proved, MetSince: r.MetSince.Time, SeenThrough: r.SampleTime.Time}
	met := r.Reason == v1alpha1.ReasonMet || r.Reason == v1alpha1.ReasonHolding
	if trusted := measured.Last.Add(-c.KPI.StaleAfter - time.Second); met && !measured.Since.After(r.SampleTime.Time) && trusted.After(hold.SeenThrough) {
		hold.SeenThrough = trusted
	}
	return hold, true
}
