package effect

import (
	"fmt"
	"math"
)

// Summary is what a publication, or a source that aggregates, says about a group.
type Summary struct {
	// Change is the mean change of the group: for Levels After - Before, for Ratios ln(After / Before).
	Change float64
	// StdErr is the standard error of that mean, on the same scale; zero or more.
	StdErr float64
	// DegreesOfFreedom belong to StdErr: the number of units minus one, or another number of at least 1. Zero
	// means that they are unknown.
	DegreesOfFreedom float64
	// Units is the number of units, for the record; it is not used in the calculation.
	Units int
}

// FromSummaries estimates the effect from the mean changes of two groups and their standard errors: √(se²+se²), with Welch's degrees of
// freedom, or with the normal distribution when those of a group are unknown. Errors: ErrConfidence, ErrScale, ErrSummary, ErrOverflow.
func FromSummaries(treated, controls Summary, scale Scale, confidence float64) (Estimate, error) {
	if err := checkQuestion(scale, confidence); err != nil {
		return Estimate{}, err
	}
	if err := treated.check(TreatedUnits); err != nil {
		return Estimate{}, err
	}
	if err := controls.check(ControlUnits); err != nil {
		return Estimate{}, err
	}
	result := comparison{
		effect:  treated.Change - controls.Change,
		noise:   rounding*math.Abs(treated.Change) + rounding*math.Abs(controls.Change),
		treated: treated.Units, controls: controls.Units,
	}
	result.stdErr, result.degrees = welch(
		standardError{treated.StdErr, treated.DegreesOfFreedom},
		standardError{controls.StdErr, controls.DegreesOfFreedom})
	if treated.DegreesOfFreedom == 0 || controls.DegreesOfFreedom == 0 {
		result.degrees = math.Inf(1)
	}
	return result.estimate(scale, confidence)
}

func (summary Summary) check(group Group) error {
	known := summary.DegreesOfFreedom >= 1 || summary.DegreesOfFreedom == 0
	if finite(summary.Change) && finite(summary.StdErr) && summary.StdErr >= 0 && known {
		return nil
	}
	return fmt.Errorf("summary of the %ss: change %g, standard error %g, degrees of freedom %g: %w",
		group, summary.Change, summary.StdErr, summary.DegreesOfFreedom, ErrSummary)
}
