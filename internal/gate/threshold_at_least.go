package gate

import "github.com/crmops/rollout-operator/api/v1alpha1"

// atLeast is met by the threshold and everything above it.
type atLeast struct{ min threshold }

func parseAtLeast(c v1alpha1.Criterion) (Comparison, error) {
	if c.AtLeast == nil {
		return nil, nil
	}
	min, err := parseThreshold("atLeast", *c.AtLeast)
	if err != nil {
		return nil, err
	}
	return atLeast{min: min}, nil
}

func (a atLeast) Met(value float64) bool { return value >= a.min.value }

func (a atLeast) String() string { return "at least " + string(a.min.text) }
