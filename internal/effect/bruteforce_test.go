package effect_test

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/crmops/rollout-operator/internal/effect"
)

// digits is the precision, in bits, of the calculation that the package is compared with.
const digits = 400

func bigFloat(value float64) *big.Float { return new(big.Float).SetPrec(digits).SetFloat64(value) }

func zero() *big.Float { return new(big.Float).SetPrec(digits) }

// bigMoments are the mean of the changes and the variance of that mean, by the textbook and with 400 bits. For Ratios only the logarithm is
// that of float64.
func bigMoments(units []effect.Change, scale effect.Scale) (mean, variance *big.Float) {
	changes := make([]*big.Float, len(units))
	mean = zero()
	for index, unit := range units {
		changes[index] = zero().Sub(bigFloat(unit.After), bigFloat(unit.Before))
		if scale == effect.Ratios {
			changes[index] = bigFloat(math.Log(unit.After) - math.Log(unit.Before))
		}
		mean.Add(mean, changes[index])
	}
	mean.Quo(mean, bigFloat(float64(len(units))))
	variance = zero()
	for _, change := range changes {
		deviation := zero().Sub(change, mean)
		variance.Add(variance, deviation.Mul(deviation, deviation))
	}
	if len(units) > 1 {
		variance.Quo(variance, bigFloat(float64(len(units)-1)))
	}
	return mean, variance
}

// bruteForce calculates effect, standard error and degrees of freedom on the scale, without sharing a line with the package.
func bruteForce(asked question) (estimate, stdErr, degrees float64) {
	treatedMean, treatedVariance := bigMoments(asked.treated, asked.scale)
	controlMean, controlVariance := bigMoments(asked.controls, asked.scale)
	m, n := bigFloat(float64(len(asked.treated))), bigFloat(float64(len(asked.controls)))
	estimate, _ = zero().Sub(treatedMean, controlMean).Float64()
	ofTreated, ofControls := zero().Quo(treatedVariance, m), zero().Quo(controlVariance, n)
	degrees = float64(len(asked.controls) - 1)
	if len(asked.treated) == 1 {
		ofTreated = controlVariance
	}
	total := zero().Add(ofTreated, ofControls)
	if len(asked.treated) > 1 && total.Sign() > 0 {
		square := func(x *big.Float) *big.Float { return zero().Mul(x, x) }
		weight := zero().Add(
			zero().Quo(square(ofTreated), bigFloat(float64(len(asked.treated)-1))),
			zero().Quo(square(ofControls), bigFloat(float64(len(asked.controls)-1))))
		degrees, _ = zero().Quo(square(total), weight).Float64()
	}
	stdErr, _ = zero().Sqrt(total).Float64()
	return estimate, stdErr, degrees
}

// chance is the probability that |T| stays below t, by Simpson's rule. With t = √ν·tan θ the density is that of cos^(ν-1) θ.
func chance(t, degrees float64) float64 {
	logGamma := func(x float64) float64 { value, _ := math.Lgamma(x); return value }
	constant := math.Exp(logGamma((degrees+1)/2)-logGamma(degrees/2)) / math.Sqrt(math.Pi)
	end := math.Atan(t / math.Sqrt(degrees))
	const steps = 2000
	sum := 0.0
	for step := 0; step <= steps; step++ {
		weight := 2.0
		switch {
		case step == 0 || step == steps:
			weight = 1
		case step%2 == 1:
			weight = 4
		}
		sum += weight * math.Pow(math.Cos(end*float64(step)/steps), degrees-1)
	}
	return 2 * constant * sum * end / steps / 3
}

func TestAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asked := drawQuestion(t)
		got := asked.estimate(t)
		low, middle, high := got.Low, got.Effect, got.High
		if asked.scale == effect.Ratios {
			low, middle, high = math.Log1p(low), math.Log1p(middle), math.Log1p(high)
		}
		want, stdErr, degrees := bruteForce(asked)
		near := func(what string, got, want, tolerance float64) {
			t.Helper()
			if math.Abs(got-want) > tolerance {
				t.Fatalf("%s is %.17g, want %.17g", what, got, want)
			}
		}
		size := math.Abs(want) + stdErr
		near("the effect", middle, want, 1e-9*size+1e-9)
		near("the standard error", got.StdErr, stdErr, 1e-9*size+1e-12)
		if got.Flat {
			return
		}
		near("the degrees of freedom", got.DegreesOfFreedom, degrees, 1e-6*degrees)
		// Far out on Ratios an end is -100 %, and its distance from it has lost its digits: only ends that still tell are compared.
		if asked.scale == effect.Levels || (got.Low > -0.999999 && got.High < 1e6) {
			near("the chance of the interval", chance((high-low)/2/stdErr, degrees), asked.confidence, 1e-6)
			near("the middle of the interval", (high+low)/2, want, 1e-6*size+1e-9)
		}
	})
}

// The quantiles of the t distribution have closed forms for one and two degrees of freedom.
func TestQuantilesAgainstClosedForms(t *testing.T) {
	for _, confidence := range []float64{0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 0.9999, 0.9999999} {
		two := confidence * math.Sqrt(2/(1-confidence*confidence))
		for name, pair := range map[string]struct {
			controls []effect.Change
			want     float64
		}{
			"one":  {changes(1, 3), math.Tan(math.Pi * confidence / 2)},
			"two":  {changes(1, 2, 3), two},
			"many": {spread(0, 1, 60), 0},
		} {
			estimate, err := effect.DifferenceInDifferences(changes(0), pair.controls, effect.Levels, confidence)
			if err != nil {
				t.Fatal(err)
			}
			got := (estimate.High - estimate.Low) / 2 / estimate.StdErr
			if pair.want == 0 {
				if covered := chance(got, 59); math.Abs(covered-confidence) > 1e-9 {
					t.Errorf("59 degrees of freedom: %g standard errors cover %.12g, want %.12g", got, covered, confidence)
				}
			} else if math.Abs(got/pair.want-1) > 1e-8 {
				t.Errorf("%s degree of freedom, confidence %g: %.12g standard errors, want %.12g", name, confidence, got, pair.want)
			}
		}
	}
}
