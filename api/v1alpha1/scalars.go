package v1alpha1

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
)

// Duration is a length of time longer than zero, written with whole numbers and the units w (7 days), d (24 hours), h, m and s,
// largest first: "4w", "30d", "12h", "1h30m".
//
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:XValidation:rule="self.matches('^([1-9][0-9]{0,3}w)?([1-9][0-9]{0,4}d)?([1-9][0-9]{0,5}h)?([1-9][0-9]{0,6}m)?([1-9][0-9]{0,8}s)?$')",message="must be a duration longer than zero such as 4w, 30d, 12h or 1h30m (units w, d, h, m, s, largest first); leave the field out for none"
type Duration string

// Parse returns the length of time. The empty Duration, which stands for a field that was left out, is zero.
// The error names the text that is no duration.
func (d Duration) Parse() (time.Duration, error) {
	if d == "" {
		return 0, nil
	}
	parsed, err := model.ParseDuration(string(d))
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: %w", string(d), err)
	}
	if parsed <= 0 {
		return 0, fmt.Errorf("%q is not longer than zero", string(d))
	}
	return time.Duration(parsed), nil
}

// FormatDuration writes a length of time of whole seconds the way a Duration is written, in the largest units that fit; zero is the empty Duration.
func FormatDuration(d time.Duration) Duration {
	const year = 365 * 24 * time.Hour
	switch {
	case d == 0:
		return ""
	case d%year == 0: // the library would write 1y, which is no unit of a Duration
		return Duration(fmt.Sprintf("%dd", d/(24*time.Hour)))
	}
	return Duration(model.Duration(d).String())
}

// Decimal is a number in decimal notation, without exponent, kept as text: "0.95", "-12", "48.5".
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:XValidation:rule="self.matches('^-?[0-9]+([.][0-9]+)?$')",message="must be a decimal number in quotes such as \"0.95\" or \"-12\""
type Decimal string

// Float returns the nearest binary floating point number, the form in which metric sources answer.
func (d Decimal) Float() (float64, error) {
	f, err := strconv.ParseFloat(string(d), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("%q is not a decimal number", string(d))
	}
	return f, nil
}

// Threshold is a Decimal, or a Decimal with a percent sign where a change is meant: "0.95", "-2", "-10%".
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=33
// +kubebuilder:validation:XValidation:rule="self.matches('^-?[0-9]+([.][0-9]+)?%?$')",message="must be a decimal number in quotes such as \"0.95\" or, for a change in percent, \"-10%\""
type Threshold string

// Float returns the number. A percentage is returned as the fraction that it stands for, with percent true: -10% is -0.1.
func (t Threshold) Float() (value float64, percent bool, err error) {
	text, percent := strings.CutSuffix(string(t), "%")
	value, err = Decimal(text).Float()
	if err != nil {
		return 0, percent, fmt.Errorf("%q is neither a decimal number nor a percentage", string(t))
	}
	if percent {
		value /= 100
	}
	return value, percent, nil
}

// FormatChange writes a change as a Threshold would be written: in percent, or as a Decimal. It is empty where FormatDecimal is.
func FormatChange(change float64, percent bool) Threshold {
	if !percent {
		return Threshold(FormatDecimal(change))
	}
	text := FormatDecimal(math.Round(change*1e6) / 1e4)
	if text == "" {
		return ""
	}
	return Threshold(text + "%")
}

// ExactDecimal writes a number so that Float returns that very number, which what is frozen and compared later needs. A number that has no such form in 32 characters
// is written as FormatDecimal does.
func ExactDecimal(f float64) Decimal {
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if len(text) > maxDecimalLength || math.IsNaN(f) || math.IsInf(f, 0) {
		return FormatDecimal(f)
	}
	return Decimal(text)
}

// FormatDecimal writes a measured number as a Decimal with at most six digits after the point, which is finer than any business metric.
// NaN and infinities have no decimal form: the result is empty.
func FormatDecimal(f float64) Decimal {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return ""
	}
	rounded := math.Round(f*1e6) / 1e6
	if math.IsInf(rounded, 0) || rounded == 0 {
		rounded = f
	}
	text := strconv.FormatFloat(rounded, 'f', -1, 64)
	if len(text) > maxDecimalLength {
		text = strconv.FormatFloat(f, 'f', 6, 64)
	}
	if len(text) > maxDecimalLength {
		return ""
	}
	return Decimal(text)
}

// maxDecimalLength repeats the MaxLength marker of Decimal.
const maxDecimalLength = 32

// Lengths of messages in status, in bytes. They repeat MaxLength markers.
const (
	// MaxMessage bounds the messages of criteria, transitions and waves.
	MaxMessage = 512
	// MaxSiteMessage bounds the message of a site.
	MaxSiteMessage = 1024
	// MaxMistake bounds one entry of a rollout's mistakes.
	MaxMistake = 1024
	// MaxBecause bounds what puts a site in its place of a ranking.
	MaxBecause = 256
	// MaxRequest bounds what is repeated of the annotation that asks for a look now.
	MaxRequest = 128
)

// Clip shortens a text to at most limit bytes, at the border of a character, and marks the cut. A message that is too long would otherwise
// be refused by the API server, and with it everything else that the status has to say.
func Clip(text string, limit int) string {
	const mark = "..."
	if len(text) <= limit {
		return text
	}
	cut := limit - len(mark)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + mark
}
