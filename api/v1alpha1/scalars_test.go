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

func TestADurationIsReadAsPeopleWriteIt(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[v1alpha1.Duration]time.Duration{
		"": 0, "30d": 30 * day, "4w": 28 * day, "12h": 12 * time.Hour, "1h30m": 90 * time.Minute, "1w2d3h4m5s": 9*day + 3*time.Hour + 4*time.Minute + 5*time.Second,
	} {
		if got, err := text.Parse(); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []v1alpha1.Duration{"0s", "0", "soon", "-1h", "1.5h", "5", "1m1h", "999999999w"} {
		got, err := text.Parse()
		if err == nil || !strings.HasPrefix(err.Error(), `"`+string(text)+`" is not`) {
			t.Errorf("%q is read as %v, error %v", text, got, err)
		}
	}
}

func TestADecimalIsAFiniteNumber(t *testing.T) {
	for text, want := range map[v1alpha1.Decimal]float64{"0.95": 0.95, "-12": -12, "48.50": 48.5, "0": 0} {
		if got, err := text.Float(); err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []v1alpha1.Decimal{"", "NaN", "Inf", "-inf", "ten", "1,5", v1alpha1.Decimal("1" + strings.Repeat("0", 400))} {
		if got, err := text.Float(); err == nil || !strings.HasSuffix(err.Error(), "is not a decimal number") {
			t.Errorf("%q is read as %v, error %v", text, got, err)
		}
	}
}

func TestAMeasuredNumberIsWrittenAsADecimal(t *testing.T) {
	for _, tc := range []struct {
		value float64
		want  v1alpha1.Decimal
	}{
		{0.95, "0.95"}, {1.0 / 3, "0.333333"}, {2.0 / 3, "0.666667"}, {-12, "-12"}, {1e6, "1000000"}, {0.1 + 0.2, "0.3"}, {0, "0"}, {0.0000001, "0.0000001"},
		{1e-300, "0.000000"}, {math.MaxFloat64, ""}, {math.NaN(), ""}, {math.Inf(1), ""}, {math.Inf(-1), ""},
	} {
		got := v1alpha1.FormatDecimal(tc.value)
		if got != tc.want || len(got) > 32 {
			t.Errorf("%v is written %q, want %q", tc.value, got, tc.want)
		}
	}
}

func TestALongTextIsClippedAtACharacter(t *testing.T) {
	for name, tc := range map[string]struct {
		text  string
		limit int
		want  string
	}{
		"short":                {"abc", 3, "abc"},
		"long":                 {"abcdefgh", 6, "abc..."},
		"in a character":       {"aäöü", 6, "aä..."},
		"before the character": {"äöüß", 6, "ä..."},
		"empty":                {"", 6, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := v1alpha1.Clip(tc.text, tc.limit)
			if got != tc.want || len(got) > tc.limit || !utf8.ValidString(got) {
				t.Errorf("clipped to %q, want %q", got, tc.want)
			}
		})
	}
}

func TestALengthOfTimeIsWrittenAsADurationCanBeRead(t *testing.T) {
	const day = 24 * time.Hour
	for length, want := range map[time.Duration]v1alpha1.Duration{
		0: "", 28 * day: "4w", 30 * day: "30d", 90 * time.Minute: "1h30m", 365 * day: "365d", 730 * day: "730d", 366 * day: "366d", 364 * day: "52w", time.Second: "1s",
	} {
		got := v1alpha1.FormatDuration(length)
		if got != want {
			t.Errorf("%v is written %q, want %q", length, got, want)
		}
		if back, err := got.Parse(); err != nil || back != length {
			t.Errorf("%q is read back as %v, error %v", got, back, err)
		}
		if length != 0 && !duration.MatchString(string(got)) {
			t.Errorf("%q is refused by the API server", got)
		}
	}
}

// duration repeats the rule of the type Duration.
var duration = regexp.MustCompile(`^([1-9][0-9]{0,3}w)?([1-9][0-9]{0,4}d)?([1-9][0-9]{0,5}h)?([1-9][0-9]{0,6}m)?([1-9][0-9]{0,8}s)?$`)
