package effect_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/crmops/rollout-operator/internal/effect"
)

func pair(before, after float64) effect.Change { return effect.Change{Before: before, After: after} }

func TestWhatCannotBeSaidIsAnErrorWithItsReason(t *testing.T) {
	one, two := []effect.Change{pair(10, 12)}, []effect.Change{pair(10, 11), pair(10, 12)}
	for name, asked := range map[string]struct {
		treated, controls []effect.Change
		scale             effect.Scale
		confidence        float64
		want              error
		says              string
	}{
		"nobody treated":                 {nil, two, effect.Levels, 0.95, effect.ErrNoTreated, "no treated unit"},
		"no controls":                    {one, nil, effect.Levels, 0.95, effect.ErrTooFewControls, "0 of at least 2"},
		"one control":                    {one, one, effect.Levels, 0.95, effect.ErrTooFewControls, "1 of at least 2"},
		"zero before, as a ratio":        {one, []effect.Change{pair(10, 11), pair(0, 1)}, effect.Ratios, 0.95, effect.ErrNotPositive, "control 1 (before 0, after 1)"},
		"negative after, as a ratio":     {[]effect.Change{pair(1, -1)}, two, effect.Ratios, 0.95, effect.ErrNotPositive, "treated unit 0 (before 1, after -1)"},
		"NaN":                            {one, []effect.Change{pair(10, math.NaN()), pair(1, 1)}, effect.Levels, 0.95, effect.ErrNotFinite, "control 0"},
		"infinite":                       {[]effect.Change{pair(math.Inf(-1), 1)}, two, effect.Ratios, 0.95, effect.ErrNotFinite, "treated unit 0"},
		"NaN behind a negative value":    {one, []effect.Change{pair(-1, 1), pair(1, math.NaN())}, effect.Ratios, 0.95, effect.ErrNotFinite, "control 1"},
		"confidence 0":                   {one, two, effect.Levels, 0, effect.ErrConfidence, "confidence 0"},
		"confidence 1":                   {one, two, effect.Levels, 1, effect.ErrConfidence, "confidence 1"},
		"confidence in percent":          {one, two, effect.Levels, 95, effect.ErrConfidence, "confidence 95"},
		"confidence NaN":                 {one, two, effect.Levels, math.NaN(), effect.ErrConfidence, "confidence NaN"},
		"another scale":                  {one, two, effect.Scale(7), 0.95, effect.ErrScale, "scale 7"},
		"a change too large":             {[]effect.Change{pair(-math.MaxFloat64, math.MaxFloat64)}, two, effect.Levels, 0.95, effect.ErrOverflow, "too large"},
		"an interval too large":          {one, []effect.Change{pair(0, math.MaxFloat64), pair(0, -math.MaxFloat64)}, effect.Levels, 0.95, effect.ErrOverflow, "too large"},
		"a ratio's interval too large":   {one, []effect.Change{pair(1e-300, 1e300), pair(1e300, 1e-300)}, effect.Ratios, 0.95, effect.ErrOverflow, "too large"},
		"a ratio too large for a number": {[]effect.Change{pair(1e-300, 1e300)}, two, effect.Ratios, 0.95, effect.ErrOverflow, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			estimate, err := effect.DifferenceInDifferences(asked.treated, asked.controls, asked.scale, asked.confidence)
			if !errors.Is(err, asked.want) || !strings.Contains(err.Error(), asked.says) {
				t.Fatalf("error %v, want %q with %q", err, asked.want, asked.says)
			}
			if estimate != (effect.Estimate{}) {
				t.Errorf("there is an estimate beside the error: %+v", estimate)
			}
			if _, parallel, again := effect.ParallelBefore(asked.treated, asked.controls, asked.scale, asked.confidence); parallel || !errors.Is(again, asked.want) {
				t.Errorf("the check of the trend before says %t, %v", parallel, again)
			}
		})
	}
}

func TestAUnitErrorNamesTheUnit(t *testing.T) {
	_, err := effect.DifferenceInDifferences([]effect.Change{pair(1, 2)}, []effect.Change{pair(1, 2), pair(3, 0)}, effect.Ratios, 0.95)
	var problem *effect.UnitError
	if !errors.As(err, &problem) {
		t.Fatalf("error %v, want a UnitError", err)
	}
	if problem.Group != effect.ControlUnits || problem.Index != 1 || problem.Change != pair(3, 0) {
		t.Errorf("unit %+v", problem)
	}
}

func TestSummariesThatCannotBe(t *testing.T) {
	sound := effect.Summary{Change: 1, StdErr: 1, DegreesOfFreedom: 9}
	for name, broken := range map[string]effect.Summary{
		"change NaN":                     {Change: math.NaN(), StdErr: 1},
		"negative standard error":        {Change: 1, StdErr: -1},
		"infinite standard error":        {Change: 1, StdErr: math.Inf(1)},
		"negative degrees of freedom":    {Change: 1, StdErr: 1, DegreesOfFreedom: -1},
		"less than 1 degree of freedom":  {Change: 1, StdErr: 1, DegreesOfFreedom: 0.5},
		"degrees of freedom not numbers": {Change: 1, StdErr: 1, DegreesOfFreedom: math.NaN()},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := effect.FromSummaries(broken, sound, effect.Levels, 0.95); !errors.Is(err, effect.ErrSummary) {
				t.Errorf("as treated: %v", err)
			}
			if _, err := effect.FromSummaries(sound, broken, effect.Levels, 0.95); !errors.Is(err, effect.ErrSummary) {
				t.Errorf("as controls: %v", err)
			}
		})
	}
	if _, err := effect.FromSummaries(sound, sound, effect.Levels, 2); !errors.Is(err, effect.ErrConfidence) {
		t.Errorf("confidence 2: %v", err)
	}
	huge := effect.Summary{Change: math.MaxFloat64, StdErr: math.MaxFloat64}
	if _, err := effect.FromSummaries(huge, huge, effect.Levels, 0.95); !errors.Is(err, effect.ErrOverflow) {
		t.Errorf("numbers that do not fit: %v", err)
	}
}

// Student's sleep data once more, from the means and standard errors of the groups.
func TestSummariesWithDegreesOfFreedomGiveTheIntervalOfTheUnits(t *testing.T) {
	treated := changes(0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
	controls := changes(1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
	for _, scale := range []effect.Scale{effect.Levels, effect.Ratios} {
		summary := func(units []effect.Change) effect.Summary {
			mean, squares := 0.0, 0.0
			for _, unit := range units {
				mean += unit.After / 10
			}
			for _, unit := range units {
				squares += (unit.After - mean) * (unit.After - mean)
			}
			return effect.Summary{Change: mean, StdErr: math.Sqrt(squares / 9 / 10), DegreesOfFreedom: 9, Units: 10}
		}
		got, err := effect.FromSummaries(summary(treated), summary(controls), scale, 0.95)
		if err != nil {
			t.Fatal(err)
		}
		low, high := got.Low, got.High
		if scale == effect.Ratios {
			low, high = math.Log1p(low), math.Log1p(high)
		}
		same(t, "the low end", low, -3.3654832, 7)
		same(t, "the high end", high, 0.2054832, 7)
		if got.Treated != 10 || got.Controls != 10 || got.Scale != scale {
			t.Errorf("%+v", got)
		}
	}
}

// The comparison that is worth a signature: a boom is no effect, and an effect in a fall is one.
func TestTheMarketIsNotTheEffect(t *testing.T) {
	// Eleven sites that scatter around the market by -2.5 % to +2.5 %.
	market := func(factor float64) []effect.Change {
		var sites []effect.Change
		for site := range 11 {
			before := 800 + 50*float64(site)
			sites = append(sites, pair(before, before*factor*(0.975+0.005*float64(site))))
		}
		return sites
	}
	for name, world := range map[string]struct {
		market, own  float64
		above, below bool
	}{
		"a boom of 15 % that lifts all sites":      {1.15, 1, false, false},
		"an effect of 8 % in a fall of 10 %":       {0.90, 1.08, true, false},
		"a loss of 8 % that a boom of 15 % covers": {1.15, 0.92, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			estimate, err := effect.DifferenceInDifferences([]effect.Change{pair(1000, 1000*world.market*world.own)}, market(world.market), effect.Ratios, 0.95)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(estimate.Effect-(world.own-1)) > 0.001 {
				t.Errorf("the effect is %.4f, want %.4f", estimate.Effect, world.own-1)
			}
			if estimate.Above(0) != world.above || estimate.Below(0) != world.below || estimate.Covers(0) == (world.above || world.below) {
				t.Errorf("above zero %t, below %t, covers %t: %+v", estimate.Above(0), estimate.Below(0), estimate.Covers(0), estimate)
			}
		})
	}
}

func TestTheTrendBefore(t *testing.T) {
	controls := []effect.Change{pair(10, 11), pair(20, 21.5), pair(30, 30.5), pair(40, 41.25), pair(50, 50.75)}
	for name, before := range map[string]struct {
		treated  effect.Change
		parallel bool
	}{
		"moved as the controls did": {pair(15, 16), true},
		"already ran ahead":         {pair(15, 18), false},
		"already fell behind":       {pair(15, 14), false},
	} {
		t.Run(name, func(t *testing.T) {
			placebo, parallel, err := effect.ParallelBefore([]effect.Change{before.treated}, controls, effect.Levels, 0.95)
			if err != nil {
				t.Fatal(err)
			}
			if parallel != before.parallel {
				t.Errorf("parallel is %t: %+v", parallel, placebo)
			}
			if want := before.treated.After - before.treated.Before - 1; math.Abs(placebo.Effect-want) > 1e-12 {
				t.Errorf("the drift is %g, want %g", placebo.Effect, want)
			}
		})
	}
}

// 0.3-0.2, 0.4-0.3 and 1.1-1.0 differ in their last bits. Nobody varies, and the interval must not exclude zero over rounding.
func TestControlsThatDoNotVary(t *testing.T) {
	for name, world := range map[string]struct {
		treated, controls []effect.Change
		scale             effect.Scale
	}{
		"levels":            {[]effect.Change{pair(0.1, 0.2)}, []effect.Change{pair(0.2, 0.3), pair(0.3, 0.4), pair(1, 1.1)}, effect.Levels},
		"ratios":            {[]effect.Change{pair(0.1, 0.3)}, []effect.Change{pair(0.2, 0.6), pair(0.3, 0.9), pair(1.1, 3.3)}, effect.Ratios},
		"two treated sites": {[]effect.Change{pair(0.1, 0.2), pair(0.7, 0.8)}, []effect.Change{pair(0.2, 0.3), pair(5, 5.1)}, effect.Levels},
		"nothing happens":   {[]effect.Change{pair(0, 0)}, []effect.Change{pair(0, 0), pair(7, 7)}, effect.Levels},
	} {
		t.Run(name, func(t *testing.T) {
			placebo, parallel, err := effect.ParallelBefore(world.treated, world.controls, world.scale, 0.95)
			if err != nil {
				t.Fatal(err)
			}
			if !parallel || !placebo.Flat {
				t.Errorf("parallel %t, flat %t: %+v", parallel, placebo.Flat, placebo)
			}
			expectSense(t, placebo)
			// A real difference, however small, is seen.
			world.treated[0].After += 1e-9
			if moved, parallel, _ := effect.ParallelBefore(world.treated[:1], world.controls, world.scale, 0.95); parallel {
				t.Errorf("a difference of 1e-9 is not seen: %+v", moved)
			}
		})
	}
}

func TestAnEstimateOfAGroupThatVariesIsNotFlat(t *testing.T) {
	estimate, err := effect.DifferenceInDifferences([]effect.Change{pair(1, 2)}, []effect.Change{pair(1, 2), pair(1, 2.0001)}, effect.Levels, 0.95)
	if err != nil || estimate.Flat {
		t.Errorf("%+v, %v", estimate, err)
	}
	if estimate.Covers(math.NaN()) {
		t.Error("the interval covers NaN")
	}
}

// Two numbers that differ by rounding are the same number, above, below and within.
func TestRoundingDecidesNothing(t *testing.T) {
	levels := effect.Estimate{Scale: effect.Levels, Low: 1, High: 3, Noise: 0.125}
	ratios := effect.Estimate{Scale: effect.Ratios, Low: 1, High: 3, Noise: 0.125}
	for name, asked := range map[string]struct {
		estimate             effect.Estimate
		value                float64
		above, covers, below bool
	}{
		"levels, far below":                {levels, 0.8, true, false, false},
		"levels, below by less than noise": {levels, 0.9, false, true, false},
		"levels, at the low end":           {levels, 1, false, true, false},
		"levels, above by less than noise": {levels, 3.1, false, true, false},
		"levels, far above":                {levels, 3.2, false, false, true},
		"ratios, far below":                {ratios, 0.7, true, false, false},
		"ratios, below by less than noise": {ratios, 0.8, false, true, false},
		"ratios, above by less than noise": {ratios, 3.4, false, true, false},
		"ratios, far above":                {ratios, 3.6, false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			above, covers, below := asked.estimate.Above(asked.value), asked.estimate.Covers(asked.value), asked.estimate.Below(asked.value)
			if above != asked.above || covers != asked.covers || below != asked.below {
				t.Errorf("above %t, covers %t, below %t", above, covers, below)
			}
		})
	}
}

func TestRatiosThatNoNumberHolds(t *testing.T) {
	for name, size := range map[string]float64{"too large": 1e200, "too small": 1e-200} {
		t.Run(name, func(t *testing.T) {
			unit := func(factor float64) effect.Change { return pair(1/size, factor*size) }
			estimate, err := effect.DifferenceInDifferences([]effect.Change{unit(2)}, []effect.Change{unit(0.5), unit(2)}, effect.Ratios, 0.5)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(estimate.Effect-1) > 1e-9 {
				t.Errorf("the effect is %g, want 1", estimate.Effect)
			}
		})
	}
}

func TestScalesHaveNames(t *testing.T) {
	for scale, want := range map[effect.Scale]string{effect.Levels: "levels", effect.Ratios: "ratios", 7: "scale 7"} {
		if got := scale.String(); got != want {
			t.Errorf("%d is %q, want %q", int(scale), got, want)
		}
	}
}
