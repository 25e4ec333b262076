package gate

import "github.com/crmops/rollout-operator/api/v1alpha1"

// atLeast is met by the threshold and everything above it.
type atLeast struct{ bound }

func parseAtLeast(c v1alpha1.Criterion) (Threshold, error) {
	if c.AtLeast == nil {
		return nil, nil
	}
	least, err := parseBound("atLeast", *c.AtLeast)
	if err != nil {
		return nil, err
	}
	return atLeast{least}, nil
}

func (a atLeast) Met(number float64) bool { return number >= a.value }

func (a atLeast) Overlaps(_, high float64) bool { return high >= a.value }

func (a atLeast) Margin(number float64) float64 { return difference(number, a.value) }

func (a atLeast) String() string { return "at least " + string(a.text) }
