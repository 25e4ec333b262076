package gate

import "github.com/crmops/rollout-operator/api/v1alpha1"

// atMost is met by the threshold and everything below it.
type atMost struct{ max threshold }

func parseAtMost(c v1alpha1.Criterion) (Comparison, error) {
	if c.AtMost == nil {
		return nil, nil
	}
	max, err := parseThreshold("atMost", *c.AtMost)
	if err != nil {
		return nil, err
	}
	return atMost{max: max}, nil
}

func (a atMost) Met(value float64) bool { return value <= a.max.value }

func (a atMost) String() string { return "at most " + string(a.max.text) }
