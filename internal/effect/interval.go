package effect

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// practicallyNormal are the degrees of freedom from which on the t distribution is taken as normal: their quantiles agree to eight digits.
const practicallyNormal = 1e8

// comparison is an effect on the scale that it is calculated on.
type comparison struct {
	effect, stdErr, degrees, noise float64
	treated, controls              int
}

// estimate puts an interval around the effect and reports it the way people read it.
func (result comparison) estimate(scale Scale, confidence float64) (Estimate, error) {
	if !finite(result.effect) || !finite(result.stdErr) {
		return Estimate{}, fmt.Errorf("effect %g, standard error %g: %w", result.effect, result.stdErr, ErrOverflow)
	}
	half := 0.0
	if result.stdErr > 0 {
		half = quantile(result.degrees, confidence) * result.stdErr
	}
	estimate := Estimate{
		Scale: scale, Effect: result.effect, Low: result.effect - half, High: result.effect + half,
		StdErr: result.stdErr, DegreesOfFreedom: result.degrees,
		Noise: result.noise, Flat: result.stdErr <= result.noise,
		Treated: result.treated, Controls: result.controls,
	}
	if scale == Ratios {
		estimate.Effect, estimate.Low, estimate.High = math.Expm1(estimate.Effect), math.Expm1(estimate.Low), math.Expm1(estimate.High)
	}
	for _, value := range []float64{estimate.Effect, estimate.Low, estimate.High, estimate.Noise} {
		if !finite(value) {
			return Estimate{}, fmt.Errorf("effect %g, interval from %g to %g: %w", estimate.Effect, estimate.Low, estimate.High, ErrOverflow)
		}
	}
	return estimate, nil
}

// quantile is how many standard errors an interval reaches to each side.
func quantile(degrees, confidence float64) float64 {
	// The lower tail is the one that keeps its digits.
	tail := (1 - confidence) / 2
	if degrees > practicallyNormal {
		return -distuv.UnitNormal.Quantile(tail)
	}
	return -distuv.StudentsT{Mu: 0, Sigma: 1, Nu: degrees}.Quantile(tail)
}
