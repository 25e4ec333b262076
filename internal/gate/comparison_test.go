package gate_test

import (
	"math"
	"testing"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

func TestAThresholdIsMetByItselfAndOnOneSideOfIt(t *testing.T) {
	for name, tc := range map[string]struct {
		criterion v1alpha1.Criterion
		words     string
		met       []float64
		missed    []float64
	}{
		"at least": {v1alpha1.Criterion{AtLeast: number("0.95")}, "at least 0.95", []float64{0.95, 0.951, 7, math.MaxFloat64}, []float64{0.9499999999999999, 0, -1}},
		"at most":  {v1alpha1.Criterion{AtMost: number("-2")}, "at most -2", []float64{-2, -2.5, -math.MaxFloat64}, []float64{-1.9999999999999998, 0, 3}},
		"between": {v1alpha1.Criterion{Between: &v1alpha1.Range{Min: "1", Max: "2.5"}}, "between 1 and 2.5",
			[]float64{1, 1.5, 2.5}, []float64{0.9999999999999999, 2.5000000000000004, -1.5}},
		"between equal ends": {v1alpha1.Criterion{Between: &v1alpha1.Range{Min: "3", Max: "3.0"}}, "between 3 and 3.0", []float64{3}, []float64{2, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			c := threshold(t, tc.criterion)
			if c.String() != tc.words {
				t.Errorf("it is called %q, want %q", c, tc.words)
			}
			for _, v := range tc.met {
				if !c.Met(v) {
					t.Errorf("%v does not meet %q", v, c)
				}
			}
			for _, v := range append(tc.missed, math.NaN()) {
				if c.Met(v) {
					t.Errorf("%v meets %q", v, c)
				}
			}
		})
	}
}

func TestAThresholdThatCannotBeReadNamesItsFieldAndItsText(t *testing.T) {
	for name, tc := range map[string]struct {
		criterion v1alpha1.Criterion
		message   string
	}{
		"none":                {v1alpha1.Criterion{}, "exactly one of atLeast, atMost and between must be set"},
		"two":                 {v1alpha1.Criterion{AtLeast: number("1"), AtMost: number("2")}, "exactly one of atLeast, atMost and between must be set"},
		"no number":           {v1alpha1.Criterion{AtLeast: number("many")}, `atLeast: "many" is neither a decimal number nor a percentage`},
		"NaN":                 {v1alpha1.Criterion{AtMost: number("NaN")}, `atMost: "NaN" is neither a decimal number nor a percentage`},
		"infinite":            {v1alpha1.Criterion{AtMost: number("Inf")}, `atMost: "Inf" is neither a decimal number nor a percentage`},
		"no minimum":          {v1alpha1.Criterion{Between: &v1alpha1.Range{Max: "1"}}, `between.min: "" is neither a decimal number nor a percentage`},
		"no maximum":          {v1alpha1.Criterion{Between: &v1alpha1.Range{Min: "1", Max: "x"}}, `between.max: "x" is neither a decimal number nor a percentage`},
		"ends in wrong order": {v1alpha1.Criterion{Between: &v1alpha1.Range{Min: "2", Max: "1"}}, "between: min 2 is greater than max 1"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := gate.ParseThreshold(tc.criterion)
			if err == nil {
				t.Fatalf("read as %q", got)
			}
			if err.Error() != tc.message {
				t.Errorf("error %q, want %q", err, tc.message)
			}
		})
	}
}

func TestOnlyANumberThatCanBeWrittenDownIsAValue(t *testing.T) {
	for value, want := range map[float64]gate.Outcome{
		0: gate.OutcomeValue, -1.5: gate.OutcomeValue, math.SmallestNonzeroFloat64: gate.OutcomeValue,
		9.999999999999999e30: gate.OutcomeValue, -9.999999999999999e30: gate.OutcomeValue,
		1e31: gate.OutcomeNotANumber, -1e31: gate.OutcomeNotANumber, math.MaxFloat64: gate.OutcomeNotANumber,
		math.Inf(1): gate.OutcomeNotANumber, math.Inf(-1): gate.OutcomeNotANumber,
	} {
		if got := gate.OutcomeOf(value); got != want {
			t.Errorf("outcome of %v is %q, want %q", value, got, want)
		}
		if written := v1alpha1.FormatDecimal(value); want == gate.OutcomeValue && written == "" {
			t.Errorf("%v is a value and cannot be written down", value)
		}
	}
	if got := gate.OutcomeOf(math.NaN()); got != gate.OutcomeNotANumber {
		t.Errorf("outcome of NaN is %q", got)
	}
}
