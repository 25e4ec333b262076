package gate

import (
	"slices"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// extend follows a run of good values, or of bad ones for a guardrail, through the values that have not been looked at yet. The run ends at a value of another kind,
// at a gap longer than the KPI's staleAfter, at values that were dropped before anybody looked at them, and when the value that was looked at last is taken back.
//
// The time up to which a run has been looked at can lie in the future when another machine's clock was ahead: then it is looked at again from now on, and not
// believed at all when the difference is larger than a gap would be.
func (c Criterion) extend(hold Hold, samples []Sample, dropped, now time.Time, find func(Sample) Finding) Hold {
	hold = c.review(c.trust(hold, samples, dropped, now), samples, find)
	for _, s := range samples {
		if !s.Time.After(hold.SeenThrough) {
			continue
		}
		if s.Time.Sub(hold.SeenThrough) > c.KPI.StaleAfter {
			hold = hold.ended()
		}
		hold = c.runWith(find(s), s.Time, hold)
		hold.SeenThrough = s.Time
	}
	if latest := last(samples); latest != nil {
		// The latest value is what is compared, so the run must agree with it, also when a clock that was ahead counted its time as seen already.
		hold = c.runWith(find(*latest), latest.Time, hold)
	}
	silence := resumeMargin * c.KPI.StaleAfter
	if reference := c.Reference(); reference != nil {
		silence += 2 * reference.StaleAfter // a value is only looked at when the reference has a newer one, which can take that long, and a restart as long again
	}
	if now.Sub(hold.SeenThrough) > silence+time.Second {
		hold = hold.ended()
	}
	return hold
}

// trust returns as much of a hold as the values that are there now leave of it.
func (c Criterion) trust(hold Hold, samples []Sample, dropped, now time.Time) Hold {
	if ahead := hold.SeenThrough.Sub(now); ahead > c.KPI.StaleAfter {
		hold = Hold{Of: hold.Of}
	} else if ahead > 0 {
		hold.SeenThrough = now
	}
	if !dropped.IsZero() && dropped.After(hold.SeenThrough) {
		hold = hold.ended()
	}
	if latest := last(samples); !dropped.IsZero() && !dropped.Before(hold.SeenThrough) && latest != nil && latest.Time.Before(hold.SeenThrough) {
		hold = Hold{Of: hold.Of, SeenThrough: latest.Time} // what was looked at last has been taken back
	}
	return hold
}

// review looks at the values of a run that a status told of, as far as they have been measured again. What the status says is true of the values that were known then. Of a moment
// at which the source failed, or was asked for another ID of the site, it may tell a bad value now: the run ends there, and what follows is looked at as if nobody had done so.
// The time up to which a run is trusted need not be that of a value. A gap begins at the last value before it, so that is what the run has been looked at up to when it is known.
func (c Criterion) review(hold Hold, samples []Sample, find func(Sample) Finding) Hold {
	if !hold.Recorded || len(samples) == 0 {
		return hold
	}
	hold.Recorded = false
	again := Hold{Of: hold.Of, Since: hold.Since, Exceptions: hold.Exceptions, Excepted: hold.Excepted}
	for _, s := range samples {
		if s.Time.Before(hold.Since) || s.Time.After(hold.SeenThrough) {
			continue
		}
		if !again.SeenThrough.IsZero() && s.Time.Sub(again.SeenThrough) > c.KPI.StaleAfter {
			return again.ended()
		}
		again.SeenThrough = s.Time
		found := find(s)
		if c.outlived(s, found) {
			continue
		}
		if s.Time.Equal(hold.Since) {
			again.Since = time.Time{} // the first value of a run is no exception of it
		}
		if again = c.runWith(found, s.Time, again); again.Since.IsZero() {
			return again
		}
	}
	if !again.SeenThrough.IsZero() {
		hold.SeenThrough = again.SeenThrough
	}
	hold.Exceptions, hold.Excepted = again.Exceptions, again.Excepted
	return hold
}

// outlived reports whether a value cannot be compared any more that could be when it was new, which says nothing against it: a site that has begun the phase since is in no
// control group now, and the value of one that had none at that very moment may be from before the moments that are measured again.
func (c Criterion) outlived(s Sample, found Finding) bool {
	_, beside := c.Comparison.(AgainstControl)
	return beside && found == Unclear && s.Samples >= c.MinSamples
}

// ended returns the hold without its run.
func (h Hold) ended() Hold {
	return Hold{Of: h.Of, SeenThrough: h.SeenThrough}
}

// runWith returns the hold once a value is known: the run goes on or begins with one of its kind, and ends with another, unless that is an exception that is allowed.
func (c Criterion) runWith(found Finding, at time.Time, hold Hold) Hold {
	kind := Met
	if c.guards() {
		kind = Missed
	}
	switch {
	case found == kind && hold.Since.IsZero():
		hold.Since = at
	case found == kind:
	case found == Missed && !hold.Since.IsZero() && hold.excepts(at):
	case found == Missed && !hold.Since.IsZero() && hold.Exceptions < c.allowedExceptions():
		hold = hold.withException(at)
	default:
		return hold.ended()
	}
	return hold
}

// listedExceptions is how many exceptions of a run are known by their times: more than the moments that are measured again after a start, so that none of those is counted twice.
// It repeats the MaxItems marker of a report's exceptionTimes.
const listedExceptions = 16

// excepts reports whether the value of a time has been counted as an exception of the run.
func (h Hold) excepts(at time.Time) bool {
	return slices.ContainsFunc(h.Excepted, at.Equal)
}

// withException returns the hold with one exception more. Holds are copied, so the list is too.
func (h Hold) withException(at time.Time) Hold {
	h.Exceptions++
	h.Excepted = append(slices.Clone(h.Excepted), at)
	slices.SortFunc(h.Excepted, time.Time.Compare)
	h.Excepted = h.Excepted[max(0, len(h.Excepted)-listedExceptions):]
	return h
}

func (c Criterion) allowedExceptions() int32 {
	if reference, ok := c.Comparison.(AgainstReference); ok {
		return reference.MaxExceptions
	}
	return 0
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
// measures those moments again. What is measured again of the time before it is looked at too, because not all of it may have been known then. Nothing is resumed when what the
// criterion measures or compares with was changed since.
func Resume(report *v1alpha1.GateReport, g Gate, measured func(kpi KPI) Measured) map[string]Hold {
	if report == nil || report.Name != g.Name {
		return nil
	}
	recorded := make(map[string]v1alpha1.CriterionReport, len(report.Criteria))
	for _, r := range report.Criteria {
		recorded[r.Name] = r
	}
	holds := make(map[string]Hold, len(g.Criteria))
	for _, c := range g.Criteria {
		if hold, ok := c.resume(recorded[c.Name], measured(c.KPI)); ok {
			holds[c.Name] = hold
		}
	}
	return holds
}

// runs reports whether a criterion with this reason was in a run with its latest value.
func runs(reason string) bool {
	switch reason {
	case v1alpha1.ReasonMet, v1alpha1.ReasonHolding, v1alpha1.ReasonException, v1alpha1.ReasonBreaking, v1alpha1.ReasonBroken:
		return true
	}
	return false
}

func (c Criterion) resume(r v1alpha1.CriterionReport, measured Measured) (Hold, bool) {
	proved := Proof{Revision: r.KPIRevision, Threshold: r.Threshold, Guardrail: r.Importance == v1alpha1.ImportanceGuardrail}
	since := r.MetSince
	if c.guards() {
		since = r.BrokenSince
	}
	if r.Name != c.Name || r.KPI != c.KPI.Name || proved != c.proof() || r.SampleTime == nil {
		return Hold{}, false
	}
	if since == nil { // what was looked at without a run must not begin one when it is measured again
		return Hold{Of: proved, SeenThrough: r.SampleTime.Time}, true
	}
	hold := Hold{Of: proved, Since: since.Time, SeenThrough: r.SampleTime.Time, Exceptions: r.Exceptions, Recorded: true}
	for _, at := range r.ExceptionTimes {
		hold.Excepted = append(hold.Excepted, at.Time)
	}
	if trusted := measured.Last.Add(-c.KPI.StaleAfter - time.Second); runs(r.Reason) && !measured.Since.After(r.SampleTime.Time) && trusted.After(hold.SeenThrough) {
		hold.SeenThrough = trusted
	}
	return hold, true
}
