package gate

import "github.com/crmops/rollout-operator/api/v1alpha1"

// atMost is met by the threshold and everything below it.
type atMost struct{ bound }

func parseAtMost(c v1alpha1.Criterion) (Threshold, error) {
	if c.AtMost == nil {
		return nil, nil
	}
	most, err := parseBound("atMost", *c.AtMost)
	if err != nil {
		return nil, err
	}
	return atMost{most}, nil
}

func (a atMost) Met(number float64) bool { return number <= a.value }

func (a atMost) Overlaps(low, _ float64) bool { return low <= a.value }

func (a atMost) Margin(number float64) float64 { return difference(a.value, number) }

func (a atMost) String() string { return "at most " + string(a.text) }
