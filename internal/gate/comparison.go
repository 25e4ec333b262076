package gate

import (
	"errors"
	"fmt"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Comparison says whether a value is good.
type Comparison interface {
	// Met reports whether a finite value is good.
	Met(value float64) bool
	// String puts the threshold in words: "at least 0.95".
	String() string
}

// comparisons lists every comparison, in the order in which a criterion is searched for it. Each returns nil when the criterion does not use it.
var comparisons = []func(v1alpha1.Criterion) (Comparison, error){
	parseAtLeast,
	parseAtMost,
	parseBetween,
}

// ParseComparison returns the comparison that a criterion declares. The error names the field and what is wrong with it.
func ParseComparison(c v1alpha1.Criterion) (Comparison, error) {
	var found []Comparison
	for _, parse := range comparisons {
		comparison, err := parse(c)
		if err != nil {
			return nil, err
		}
		if comparison != nil {
			found = append(found, comparison)
		}
	}
	if len(found) != 1 {
		return nil, errors.New("exactly one of atLeast, atMost and between must be set")
	}
	return found[0], nil
}

// threshold is a number together with the text that people wrote.
type threshold struct {
	value float64
	text  v1alpha1.Decimal
}

func parseThreshold(field string, text v1alpha1.Decimal) (threshold, error) {
	value, err := text.Float()
	if err != nil {
		return threshold{}, fmt.Errorf("%s: %w", field, err)
	}
	return threshold{value: value, text: text}, nil
}
