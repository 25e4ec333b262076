// Package effect estimates what a change did to the units that got it, with the effect of other causes removed by units that did not get it:
// the difference in differences, with a confidence interval. It is pure arithmetic on numbers that somebody else measured.
//
// The effect is the treated units' mean change minus the controls' mean change (Card and Krueger 1994, American Economic Review 84(4),
// 772-793, table 3). Whatever moves all units alike cancels. Every unit enters with its own value before and its own value after, so a unit
// that is in one and not in the other cannot bend the result: it is not a unit.
//
// The page docs/statistics.md has the formulas, the sources, and what an interval does not say.
package effect

import (
	"fmt"
	"math"
)

// MinimumControls is the smallest control group that says anything: one control has no spread.
const MinimumControls = 2

// Change is one unit's value before and after, in the unit of measure of the KPI.
type Change struct{ Before, After float64 }

// Scale says how the change of a unit is measured.
type Scale int

const (
	// Levels measures a change as After - Before: an effect of 2 is two units of measure more than without the cause.
	Levels Scale = iota
	// Ratios measures a change as ln(After / Before): an effect of 0.08 is 8 % more than without the cause. Values must be above zero.
	Ratios
)

// String names the scale.
func (scale Scale) String() string {
	switch scale {
	case Levels:
		return "levels"
	case Ratios:
		return "ratios"
	default:
		return fmt.Sprintf("scale %d", int(scale))
	}
}

// Estimate is an effect with its confidence interval.
type Estimate struct {
	// Scale is the one that the changes were measured on.
	Scale Scale
	// Effect is the treated units' change beyond that of the controls, Low and High the ends of its confidence interval: for Levels in the
	// unit of measure of the values, for Ratios relative (0.08 is +8 %, -0.5 is half).
	Effect, Low, High float64
	// StdErr is the standard error that the interval is made of; for Ratios that of the logarithm. With one treated unit it contains the
	// scatter of single units, because that one is taken to scatter as the controls do.
	StdErr float64
	// DegreesOfFreedom is that of the t distribution of the interval; +Inf stands for the normal distribution.
	DegreesOfFreedom float64
	// Noise is how far Effect, Low and High may be off by the rounding of floating-point numbers; for Ratios their logarithms.
	// Differences smaller than it mean nothing, and Covers, Above and Below ignore them.
	Noise float64
	// Flat is true when nobody's change differs from his group's by more than rounding. The interval then has (nearly) no width. That is
	// legitimate arithmetic, and it is no knowledge about chance: values that cannot vary, like a counter at zero, look the same.
	Flat bool
	// Treated and Controls are the numbers of units.
	Treated, Controls int
}

// Covers tells whether the interval contains a value (for Ratios a relative one), within the rounding of floating-point numbers.
func (estimate Estimate) Covers(value float64) bool {
	return !math.IsNaN(value) && !estimate.Above(value) && !estimate.Below(value)
}

// Above tells whether the whole interval lies above a value (for Ratios a relative one), by more than the rounding of floating-point numbers.
func (estimate Estimate) Above(value float64) bool {
	return estimate.Low-estimate.noiseAt(estimate.Low) > value
}

// Below tells whether the whole interval lies below a value (for Ratios a relative one), by more than the rounding of floating-point numbers.
func (estimate Estimate) Below(value float64) bool {
	return estimate.High+estimate.noiseAt(estimate.High) < value
}

// noiseAt is the noise of one of the values that are reported.
func (estimate Estimate) noiseAt(value float64) float64 {
	if estimate.Scale == Ratios {
		return estimate.Noise * (1 + value)
	}
	return estimate.Noise
}

// DifferenceInDifferences estimates the effect on treated units from their changes and those of controls. Confidence is the chance that the
// interval covers the true effect, like 0.95.
//
// With one treated unit the interval is a prediction interval: its change is compared with what one more control would have done, s·√(1+1/n)
// with n-1 degrees of freedom (Crawford and Howell 1998, The Clinical Neuropsychologist 12(4), 482-486). With several it is Welch's, for
// groups of unequal variance (Welch 1947, Biometrika 34(1/2), 28-35).
//
// The order of the units does not matter, to the last bit. Errors: ErrConfidence, ErrScale, ErrNoTreated, ErrTooFewControls, ErrOverflow, and
// UnitError around ErrNotFinite or ErrNotPositive. An error is "cannot say", never "no effect".
func DifferenceInDifferences(treated, controls []Change, scale Scale, confidence float64) (Estimate, error) {
	if err := checkQuestion(scale, confidence); err != nil {
		return Estimate{}, err
	}
	if err := checkUnits(treated, controls, scale); err != nil {
		return Estimate{}, err
	}
	change, control := summarise(treated, scale), summarise(controls, scale)
	result := comparison{
		effect:  change.mean - control.mean,
		noise:   change.noise + control.noise,
		treated: len(treated), controls: len(controls),
	}
	if len(treated) == 1 {
		result.stdErr = control.deviation * math.Sqrt(1+1/float64(len(controls)))
		result.degrees = float64(len(controls) - 1)
	} else {
		result.stdErr, result.degrees = welch(change.standardError(), control.standardError())
	}
	return result.estimate(scale, confidence)
}

// ParallelBefore looks for an effect where there cannot be one: between an earlier time and the time just before the treated units changed.
// Before is a unit's value at the earlier time, After its value just before. It answers the estimate (a placebo) and whether zero lies in its
// interval. When it does not, the groups already moved apart, and the effect that is estimated afterwards has another cause or one more.
// That zero lies in it is no proof: few controls with much scatter let almost everything pass (Roth 2022, American Economic Review: Insights
// 4(3), 305-322). Low and High say how large a drift is still possible. The errors are those of DifferenceInDifferences.
func ParallelBefore(treated, controls []Change, scale Scale, confidence float64) (Estimate, bool, error) {
	placebo, err := DifferenceInDifferences(treated, controls, scale, confidence)
	if err != nil {
		return Estimate{}, false, err
	}
	return placebo, placebo.Covers(0), nil
}
