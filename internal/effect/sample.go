package effect

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// rounding is how far a number may be off, relative to its size: 16 units in the last place. The numbers that come here are sums and averages
// of others, and have been rounded more than once.
const rounding = 0x1p-48

// sample is the mean change of a group and the scatter of its units around it.
type sample struct {
	mean, deviation float64
	units           int
	// noise is how far mean may be off by rounding.
	noise float64
}

func summarise(units []Change, scale Scale) sample {
	changes := make([]float64, len(units))
	noise := 0.0
	for index, unit := range units {
		var unsure float64
		changes[index], unsure = scale.change(unit)
		noise = max(noise, unsure)
	}
	// Sums of floating-point numbers depend on their order; sorted, equal samples have equal sums.
	slices.Sort(changes)
	mean, deviation := moments(changes)
	return sample{mean: mean, deviation: deviation, units: len(units), noise: noise}
}

// change is a unit's change on the scale, and how far it may be off by rounding. It is infinite when it does not fit into a float64.
func (scale Scale) change(unit Change) (change, noise float64) {
	if scale == Levels {
		return unit.After - unit.Before, rounding*math.Abs(unit.Before) + rounding*math.Abs(unit.After)
	}
	change = math.Log(unit.After / unit.Before)
	if ratio := unit.After / unit.Before; ratio < 0x1p-1000 || ratio > 0x1p1000 {
		// The quotient is out of range, or has lost digits; the logarithms have not.
		change = math.Log(unit.After) - math.Log(unit.Before)
	}
	return change, rounding * (1 + math.Abs(change))
}

// moments are the mean and the sample standard deviation (n-1) of sorted values; the deviation of a single value is zero.
func moments(sorted []float64) (mean, deviation float64) {
	first, last := sorted[0], sorted[len(sorted)-1]
	if first == last {
		// Rounding would invent a scatter where there is none.
		return first, 0
	}
	// Scaled by a power of two, which is exact, to [-1, 1]: squares neither overflow nor vanish.
	_, exponent := math.Frexp(max(math.Abs(first), math.Abs(last)))
	scaled := make([]float64, len(sorted))
	for index, value := range sorted {
		scaled[index] = math.Ldexp(value, -exponent)
	}
	mean, variance := stat.MeanVariance(scaled, nil)
	return math.Ldexp(mean, exponent), math.Ldexp(math.Sqrt(variance), exponent)
}

// standardError is how far a mean may be off by chance, and how well that is known.
type standardError struct{ size, degrees float64 }

func (group sample) standardError() standardError {
	return standardError{group.deviation / math.Sqrt(float64(group.units)), float64(group.units - 1)}
}

// welch joins the standard errors of two means to that of their difference, with the Welch-Satterthwaite degrees of freedom:
// (a²+b²)² / (a⁴/m + b⁴/n). Without any scatter there is nothing to weigh the groups by, and they are those of both together.
func welch(a, b standardError) (stdErr, degrees float64) {
	stdErr = math.Hypot(a.size, b.size)
	if stdErr == 0 {
		return 0, a.degrees + b.degrees
	}
	// Shares of the variance, which sum to 1, keep fourth powers in range.
	ofA, ofB := a.size/stdErr, b.size/stdErr
	ofA, ofB = ofA*ofA, ofB*ofB
	unsure := 0.0
	if ofA > 0 {
		unsure += ofA * ofA / a.degrees
	}
	if ofB > 0 {
		unsure += ofB * ofB / b.degrees
	}
	return stdErr, 1 / unsure
}
