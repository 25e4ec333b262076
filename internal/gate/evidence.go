package gate

import (
	"math"
	"time"
)

// Sample is one measured, finite value of one site.
type Sample struct {
	// Value in the KPI's unit.
	Value float64
	// Time is the end of the window that the value speaks about.
	Time time.Time
	// Samples is the number of observations behind the value; 0 when the source does not tell.
	Samples int64
}

// Outcome is what the latest measurement said about one site.
type Outcome string

// The outcomes of a measurement for one site.
const (
	// OutcomeNone: the KPI has not been measured.
	OutcomeNone Outcome = ""
	// OutcomeValue: it gave a finite value.
	OutcomeValue Outcome = "Value"
	// OutcomeMissing: it gave no value for the site.
	OutcomeMissing Outcome = "Missing"
	// OutcomeNotANumber: it gave NaN, an infinity, or a number of more than 31 digits.
	OutcomeNotANumber Outcome = "NotANumber"
	// OutcomeAmbiguous: it gave more than one value.
	OutcomeAmbiguous Outcome = "Ambiguous"
	// OutcomeFailed: it failed as a whole.
	OutcomeFailed Outcome = "Failed"
)

// tooLarge is the smallest number that v1alpha1.FormatDecimal cannot write. Evidence that cannot be written down must not pass a gate.
const tooLarge = 1e31

// OutcomeOf tells whether a measured value can be compared at all.
func OutcomeOf(value float64) Outcome {
	// math.Abs(NaN) < x is false.
	if !(math.Abs(value) < tooLarge) {
		return OutcomeNotANumber
	}
	return OutcomeValue
}

// Evidence is what is known about one site's value of one KPI.
type Evidence struct {
	// Samples that are kept, oldest first.
	Samples []Sample
	// DroppedThrough is the time of the latest sample that is no longer kept; zero when all are.
	DroppedThrough time.Time
	// Latest is what the latest measurement said.
	Latest Outcome
	// LatestAt is the time of the latest measurement; zero when there was none.
	LatestAt time.Time
	// Detail is the source's error, for people, when the latest measurement failed.
	Detail string
}

// within returns the samples whose whole window lies after notBefore. The start is excluded, because times are recorded in whole seconds:
// a window that begins in the second of the start may have begun before it.
func (e Evidence) within(notBefore time.Time, window time.Duration) []Sample {
	if notBefore.IsZero() {
		return e.Samples
	}
	for i, s := range e.Samples {
		if s.Time.Add(-window).After(notBefore) {
			return e.Samples[i:]
		}
	}
	return nil
}
