package gate

import (
	"errors"
	"fmt"
	"math"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Threshold says which numbers are good. The numbers are values of a KPI, or changes of it; a change in percent is a fraction: -10 % is -0.1.
type Threshold interface {
	// Met reports whether a finite number is good.
	Met(number float64) bool
	// Overlaps reports whether a closed interval contains a good number.
	Overlaps(low, high float64) bool
	// Margin is the distance of a number from the nearest end of the good ones, negative when it is not good.
	Margin(number float64) float64
	// Percent reports whether the numbers are changes in percent.
	Percent() bool
	// String puts the threshold in words: "at least 0.95".
	String() string
}

// thresholds lists every threshold, in the order in which a criterion is searched for it. Each returns nil when the criterion does not use it.
var thresholds = []func(v1alpha1.Criterion) (Threshold, error){
	parseAtLeast,
	parseAtMost,
	parseBetween,
}

// ParseThreshold returns the threshold that a criterion declares. The error names the field and what is wrong with it.
func ParseThreshold(c v1alpha1.Criterion) (Threshold, error) {
	var found []Threshold
	for _, parse := range thresholds {
		threshold, err := parse(c)
		if err != nil {
			return nil, err
		}
		if threshold != nil {
			found = append(found, threshold)
		}
	}
	if len(found) != 1 {
		return nil, errors.New("exactly one of atLeast, atMost and between must be set")
	}
	if found[0].Percent() && c.Against == nil {
		return nil, fmt.Errorf("%s is a change in percent, but against does not say what from", found[0])
	}
	return found[0], nil
}

// bound is one end of the good numbers, together with the text that people wrote.
type bound struct {
	value   float64
	percent bool
	text    v1alpha1.Threshold
}

// Percent implements Threshold.
func (b bound) Percent() bool { return b.percent }

func parseBound(field string, text v1alpha1.Threshold) (bound, error) {
	value, percent, err := text.Float()
	if err != nil {
		return bound{}, fmt.Errorf("%s: %w", field, err)
	}
	return bound{value: value, percent: percent, text: text}, nil
}

// difference is a-b without the noise that binary fractions leave behind: 0.95-0.9 is 0.05, and a fall from 48 to 43.2 is exactly -10 %.
// It keeps twelve digits of the larger of the two, which is more than any source has.
func difference(a, b float64) float64 {
	const digits = 12
	size := max(math.Abs(a), math.Abs(b))
	if size == 0 || math.IsInf(size, 0) || math.IsNaN(size) {
		return a - b
	}
	unit := math.Pow(10, digits-math.Ceil(math.Log10(size)))
	if rounded := math.Round((a-b)*unit) / unit; unit > 0 && !math.IsInf(unit, 0) && !math.IsInf(rounded, 0) && !math.IsNaN(rounded) {
		return rounded
	}
	return a - b
}
