package effect_test

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/crmops/rollout-operator/internal/effect"
)

// cardKrueger reads the survey of Card and Krueger (1994): full-time equivalent employment of each restaurant in the two waves. A restaurant
// without a number in one of the waves is left out. With closedAreZero those that were closed for a time (status 2, 4 and 5) count with zero.
func cardKrueger(t *testing.T, closedAreZero bool) (newJersey, pennsylvania []effect.Change) {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", "card-krueger.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		state, status, before, after := row[1], row[2], row[3], row[4]
		if closedAreZero && (status == "2" || status == "4" || status == "5") {
			after = "0"
		}
		if before == "" || after == "" {
			continue
		}
		unit := effect.Change{Before: number(t, before), After: number(t, after)}
		if state == "NJ" {
			newJersey = append(newJersey, unit)
		} else {
			pennsylvania = append(pennsylvania, unit)
		}
	}
	return newJersey, pennsylvania
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// same fails unless got, rounded to the digits of the publication, is what the publication prints.
func same(t *testing.T, what string, got, printed float64, digits int) {
	t.Helper()
	power := math.Pow(10, float64(digits))
	if math.Abs(math.Round(got*power)-printed*power) > 1e-6 {
		t.Errorf("%s is %.*f, want %.*f", what, digits+2, got, digits, printed)
	}
}

// Card and Krueger (1994), "Minimum Wages and Employment: A Case Study of the Fast-Food Industry in New Jersey and Pennsylvania", American
// Economic Review 84(4), 772-793, table 3, rows 1 to 3.
func TestCardKruegerFromThePrintedMeans(t *testing.T) {
	estimate, err := effect.FromSummaries(
		effect.Summary{Change: 21.03 - 20.44, StdErr: 0.54},
		effect.Summary{Change: 21.17 - 23.33, StdErr: 1.25},
		effect.Levels, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the effect", estimate.Effect, 2.75, 2) // The paper prints 2.76, from means that were not rounded.
	same(t, "the standard error", estimate.StdErr, 1.36, 2)
	// Without degrees of freedom the interval is the normal one: 2.75 -+ 1.959964 * 1.361653.
	same(t, "the low end", estimate.Low, 0.0812, 4)
	same(t, "the high end", estimate.High, 5.4188, 4)
	if !math.IsInf(estimate.DegreesOfFreedom, 1) {
		t.Errorf("degrees of freedom %g, want those of the normal distribution", estimate.DegreesOfFreedom)
	}
}

// The same table, rows 4 and 5, from the restaurants themselves: every printed mean and standard error.
func TestCardKruegerFromTheRestaurants(t *testing.T) {
	for name, row := range map[string]struct {
		closedAreZero                                          bool
		newJersey, pennsylvania                                int
		changeNJ, stdErrNJ, changePA, stdErrPA, effect, stdErr float64
	}{
		"row 4, the balanced sample": {false, 309, 75, 0.47, 0.48, -2.28, 1.25, 2.75, 1.34},
		"row 5, closed for a time":   {true, 313, 75, 0.23, 0.49, -2.28, 1.25, 2.51, 1.35},
	} {
		t.Run(name, func(t *testing.T) {
			newJersey, pennsylvania := cardKrueger(t, row.closedAreZero)
			estimate, err := effect.DifferenceInDifferences(newJersey, pennsylvania, effect.Levels, 0.95)
			if err != nil {
				t.Fatal(err)
			}
			if estimate.Treated != row.newJersey || estimate.Controls != row.pennsylvania {
				t.Errorf("%d and %d restaurants, want %d and %d", estimate.Treated, estimate.Controls, row.newJersey, row.pennsylvania)
			}
			same(t, "the effect", estimate.Effect, row.effect, 2)
			same(t, "the standard error", estimate.StdErr, row.stdErr, 2)
			// A group against two units that do not change shows the group's own mean and standard error.
			still := []effect.Change{{Before: 1, After: 1}, {Before: 2, After: 2}}
			for _, group := range []struct {
				units          []effect.Change
				change, stdErr float64
			}{{newJersey, row.changeNJ, row.stdErrNJ}, {pennsylvania, row.changePA, row.stdErrPA}} {
				own, err := effect.DifferenceInDifferences(group.units, still, effect.Levels, 0.95)
				if err != nil {
					t.Fatal(err)
				}
				same(t, "the group's change", own.Effect, group.change, 2)
				same(t, "the group's standard error", own.StdErr, group.stdErr, 2)
			}
		})
	}
}

// Student (1908), "The probable error of a mean", Biometrika 6(1), 1-25: hours of sleep gained with two drugs, the data set "sleep" of R.
// R prints for t.test(extra ~ group, data = sleep): t = -1.8608, df = 17.776, 95 percent confidence interval -3.3654832 0.2054832,
// means 0.75 and 2.33.
func TestStudentsSleepAsWelchTestOfR(t *testing.T) {
	treated := changes(0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
	controls := changes(1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
	estimate, err := effect.DifferenceInDifferences(treated, controls, effect.Levels, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the effect", estimate.Effect, 0.75-2.33, 7)
	same(t, "the low end", estimate.Low, -3.3654832, 7)
	same(t, "the high end", estimate.High, 0.2054832, 7)
	same(t, "the degrees of freedom", estimate.DegreesOfFreedom, 17.776, 3)
	same(t, "t", estimate.Effect/estimate.StdErr, -1.8608, 4)
}

// The test of Crawford and Howell (1998) as the R package singcar 0.1.5 prints it in its README for the size-weight illusion of patient DF
// and 28 controls (Hassan, Sedda, Buckingham and McIntosh 2020, Neurocase, doi:10.1080/13554794.2020.1800748): t = -1.7243, df = 27, one-sided p = 0.04804.
func TestOneTreatedUnitAsCrawfordAndHowell(t *testing.T) {
	patient := changes(0.028149213)
	controls := changes(0.216926341, 0.172232265, 0.071380492, 0.101864526, 0.159114395, 0.268098996, 0.196956871, 0.107363516,
		0.189501693, 0.071115443, 0.087373607, 0.063444347, 0.283469193, 0.160558856, 0.146608828, 0.267570999, 0.175396452, 0.072310995,
		0.130916113, 0.061982167, 0.119679948, 0.357596856, 0.193059449, 0.129308068, 0.302409279, 0.185339006, 0.135731726, 0.182150464)
	const p = 0.04804
	estimate, err := effect.DifferenceInDifferences(patient, controls, effect.Levels, 1-2*p)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "t", estimate.Effect/estimate.StdErr, -1.7243, 4)
	same(t, "the degrees of freedom", estimate.DegreesOfFreedom, 27, 0)
	// At this confidence the interval just touches zero. The last digit of p is worth 0.0001 standard errors.
	if math.Abs(estimate.High) > 1e-4*estimate.StdErr {
		t.Errorf("the interval ends at %g, want 0", estimate.High)
	}
}

// With one treated unit the interval is the prediction interval for one more control, put around the difference.
func TestOneTreatedUnitAsPredictionInterval(t *testing.T) {
	for name, published := range map[string]struct {
		controls  []effect.Change
		low, high float64
		degrees   float64
		digits    int
	}{
		// Bonett, R package statpsych, pi.score(alpha = .05, m = 24.5, sd = 3.65, n = 40): df 39, LL 17.02546, UL 31.97454.
		"R package statpsych": {spread(24.5, 3.65, 40), 17.02546, 31.97454, 39, 5},
		// Montgomery and Runger, "Applied Statistics and Probability for Engineers", 3rd edition, Wiley 2003, examples 8-4 and 8-8: load at
		// failure of 22 specimens, mean 13.71, s 3.55, prediction interval 6.16 to 21.26 with the rounded mean, s and t.
		"Montgomery and Runger, from the printed mean and deviation": {spread(13.71, 3.55, 22), 6.16, 21.26, 21, 2},
	} {
		t.Run(name, func(t *testing.T) {
			mean := 0.0
			for _, unit := range published.controls {
				mean += unit.After / float64(len(published.controls))
			}
			estimate, err := effect.DifferenceInDifferences(changes(mean), published.controls, effect.Levels, 0.95)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "the low end", mean+estimate.Low, published.low, published.digits)
			same(t, "the high end", mean+estimate.High, published.high, published.digits)
			same(t, "the degrees of freedom", estimate.DegreesOfFreedom, published.degrees, 0)
		})
	}
}

// changes are units that begin at zero.
func changes(afters ...float64) []effect.Change {
	units := make([]effect.Change, len(afters))
	for index, after := range afters {
		units[index] = effect.Change{After: after}
	}
	return units
}

// spread is a group with exactly this mean and sample deviation: half the units on each side.
func spread(mean, deviation float64, units int) []effect.Change {
	step := deviation * math.Sqrt(float64(units-1)/float64(units))
	values := make([]float64, units)
	for index := range values {
		values[index] = mean + step
		if index%2 == 1 {
			values[index] = mean - step
		}
	}
	return changes(values...)
}
