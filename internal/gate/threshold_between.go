package gate

import (
	"fmt"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// between is met by both ends of a range and everything in it.
type between struct{ min, max bound }

func parseBetween(c v1alpha1.Criterion) (Threshold, error) {
	if c.Between == nil {
		return nil, nil
	}
	least, err := parseBound("between.min", c.Between.Min)
	if err != nil {
		return nil, err
	}
	most, err := parseBound("between.max", c.Between.Max)
	if err != nil {
		return nil, err
	}
	if least.percent != most.percent {
		return nil, fmt.Errorf("between: min %s and max %s must both be percentages or both be numbers", least.text, most.text)
	}
	if least.value > most.value {
		return nil, fmt.Errorf("between: min %s is greater than max %s", least.text, most.text)
	}
	return between{min: least, max: most}, nil
}

func (b between) Met(number float64) bool { return number >= b.min.value && number <= b.max.value }

func (b between) Overlaps(low, high float64) bool { return high >= b.min.value && low <= b.max.value }

func (b between) Margin(number float64) float64 {
	return min(difference(number, b.min.value), difference(b.max.value, number))
}

func (b between) Percent() bool { return b.min.percent }

func (b between) String() string {
	return fmt.Sprintf("between %s and %s", b.min.text, b.max.text)
}
