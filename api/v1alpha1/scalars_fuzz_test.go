package v1alpha1_test

import (
	"math"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// What the API server lets through, see the markers of the types.
var (
	admittedThreshold = regexp.MustCompile(`^-?[0-9]+([.][0-9]+)?%?$`)
	admittedDuration  = regexp.MustCompile(`^([1-9][0-9]{0,3}w)?([1-9][0-9]{0,4}d)?([1-9][0-9]{0,5}h)?([1-9][0-9]{0,6}m)?([1-9][0-9]{0,8}s)?$`)
)

// FuzzThreshold reads arbitrary texts: what the API server lets through is read, and what is read is a finite number that is written and read again as the same.
func FuzzThreshold(f *testing.F) {
	for _, text := range []string{"0.95", "-10%", "0%", "-0", "100%", "1e3", "0x10", "1_000", "Inf%", "NaN", "%", "%%", "", "-", "--1", "+5", ".5", "5.", "٣", "99999999999999999999999999999999%", "1\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value, percent, err := v1alpha1.Threshold(text).Float()
		admitted := len(text) <= 33 && admittedThreshold.MatchString(text)
		if err != nil {
			if admitted || value != 0 || !utf8.ValidString(err.Error()) {
				t.Fatalf("%q: admitted %t, value %v, error %q", text, admitted, value, err)
			}
			return
		}
		if math.IsNaN(value) || math.IsInf(value, 0) || percent != (text[len(text)-1] == '%') {
			t.Fatalf("%q is read as %v, percent %t", text, value, percent)
		}
		written := v1alpha1.FormatChange(value, percent)
		if written == "" {
			return // too large to be written
		}
		again, sign, err := written.Float()
		near := math.Abs(again-value) <= 1e-6+1e-9*math.Abs(value)
		if err != nil || sign != percent || !near || !admittedThreshold.MatchString(string(written)) || len(written) > 33 {
			t.Fatalf("%q is %v, written %q, which is read as %v, %v", text, value, written, again, err)
		}
		if exact, err := v1alpha1.ExactDecimal(value).Float(); err != nil && math.Abs(value) < 1e31 || err == nil && math.Abs(exact-value) > 1e-6 {
			t.Fatalf("%v is frozen as %q, which is %v, %v", value, v1alpha1.ExactDecimal(value), exact, err)
		}
	})
}

// FuzzDuration reads arbitrary texts: what the API server lets through is longer than zero, or too long for the machine, and nothing is read as less.
func FuzzDuration(f *testing.F) {
	for _, text := range []string{"", "30d", "4w", "1h30m", "1w2d3h4m5s", "0s", "1y", "1ms", "-1h", "1.5h", "5", "1m1h", "9999w99999d", "999999999w", "1h ", "1H", "１h", "00001s", "1w1w"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		length, err := v1alpha1.Duration(text).Parse()
		switch {
		case err != nil && length != 0:
			t.Fatalf("%q is %v with the error %v", text, length, err)
		case err == nil && text != "" && length <= 0:
			t.Fatalf("%q is read as %v", text, length)
		case err != nil && len(text) <= 32 && text != "" && admittedDuration.MatchString(text) && !strings.HasSuffix(err.Error(), "out of range"):
			t.Fatalf("%q is let through and then not read: %v", text, err)
		case length%time.Millisecond != 0:
			t.Fatalf("%q is read as %v", text, length)
		}
	})
}
