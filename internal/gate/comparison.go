package gate

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Comparison says what of a value the threshold speaks about: the value itself, or a change against something else.
type Comparison interface {
	// missing returns why no value can be compared, however good it is, or an empty reason.
	missing(c Criterion, f Facts) (reason, message string)
	// usable returns the values that can be compared now, of values in the order of their times.
	usable(c Criterion, samples []Sample, f Facts) []Sample
	// compare compares one of those values.
	compare(c Criterion, s Sample, f Facts) Compared
	// words completes the words of a threshold: "at most -10%" with what the change is from.
	words(threshold string) string
}

// Finding is what comparing one value brought.
type Finding int

// The findings.
const (
	// Unclear: the numbers do not tell.
	Unclear Finding = iota
	// Met: the value is good.
	Met
	// Missed: the value is not good.
	Missed
)

// Compared is one value after it was compared.
type Compared struct {
	// Finding that came out.
	Finding Finding
	// Reason and Message say why a Finding is Unclear; empty otherwise.
	Reason, Message string
	// Number is what the threshold speaks about: the value, or its change.
	Number float64
	// With is the baseline, the baseline moved as the control group moved, or the reference value; nil when the value itself is compared.
	With *float64
	// Interval of the change; nil when it has none.
	Interval *Interval
	// Controls is the number of control sites.
	Controls int
	// Subject says what was compared, for people: "lead-time is 43 hours, -10.4% from its baseline of 48 hours".
	Subject string
}

// Interval is a confidence interval.
type Interval struct {
	// Low and High are its ends.
	Low, High float64
}

// unclear returns a finding of nothing.
func unclear(reason, format string, args ...any) Compared {
	return Compared{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// against finishes the comparison of a value with a number.
func (c Criterion) against(s Sample, with float64) Compared {
	compared := Compared{Number: difference(s.Value, with), With: &with}
	if c.Threshold.Percent() {
		if with == 0 {
			return unclear(v1alpha1.ReasonIncomparable, "%s cannot be compared in percent with zero; use a threshold without a percent sign", c.KPI.Name)
		}
		compared.Number = difference(compared.Number/abs(with), 0)
	}
	compared.Finding = c.find(compared.Number)
	return compared
}

func (c Criterion) find(number float64) Finding {
	if c.Threshold.Met(number) {
		return Met
	}
	return Missed
}

func abs(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}

// change writes a change for a sentence, with its sign. Rounding must not move it across the threshold.
func (c Criterion) change(change float64) string {
	text := string(v1alpha1.FormatChange(change, c.Threshold.Percent()))
	if rounded, _, err := v1alpha1.Threshold(text).Float(); err != nil || c.Threshold.Met(rounded) != c.Threshold.Met(change) {
		text = fmt.Sprint(change)
		if c.Threshold.Percent() {
			text = strconv.FormatFloat(change*100, 'g', 15, 64) + "%" // the last two digits are the noise of the multiplication
		}
	}
	if !c.Threshold.Percent() {
		text = strings.TrimSpace(text + " " + c.KPI.Unit)
	}
	if change > 0 {
		return "+" + text
	}
	return text
}
