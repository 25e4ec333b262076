package gate

import (
	"fmt"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// between is met by both ends of a range and everything in it.
type between struct{ min, max threshold }

func parseBetween(c v1alpha1.Criterion) (Comparison, error) {
	if c.Between == nil {
		return nil, nil
	}
	min, err := parseThreshold("between.min", c.Between.Min)
	if err != nil {
		return nil, err
	}
	max, err := parseThreshold("between.max", c.Between.Max)
	if err != nil {
		return nil, err
	}
	if min.value > max.value {
		return nil, fmt.Errorf("between: min %s is greater than max %s", min.text, max.text)
	}
	return between{min: min, max: max}, nil
}

func (b between) Met(value float64) bool { return value >= b.min.value && value <= b.max.value }

func (b between) String() string {
	return fmt.Sprintf("between %s and %s", b.min.text, b.max.text)
}
