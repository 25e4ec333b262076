package effect_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crmops/rollout-operator/internal/effect"
)

// question is one call of DifferenceInDifferences with values that business figures have, in cents: up to 10,000, on Ratios from 50 to 200, so
// that the widest interval of two controls still ends below the largest float64.
type question struct {
	treated, controls []effect.Change
	scale             effect.Scale
	confidence        float64
}

func (asked question) estimate(t *rapid.T) effect.Estimate {
	t.Helper()
	estimate, err := effect.DifferenceInDifferences(asked.treated, asked.controls, asked.scale, asked.confidence)
	if err != nil {
		t.Fatal(err)
	}
	return estimate
}

func drawQuestion(t *rapid.T) question {
	scale := rapid.SampledFrom([]effect.Scale{effect.Levels, effect.Ratios}).Draw(t, "scale")
	cents := rapid.IntRange(-1_000_000, 1_000_000)
	if scale == effect.Ratios {
		cents = rapid.IntRange(5_000, 20_000)
	}
	value := rapid.Map(cents, func(cents int) float64 { return float64(cents) / 100 })
	unit := rapid.Custom(func(t *rapid.T) effect.Change {
		return effect.Change{Before: value.Draw(t, "before"), After: value.Draw(t, "after")}
	})
	return question{
		treated:    rapid.SliceOfN(unit, 1, 6).Draw(t, "treated"),
		controls:   rapid.SliceOfN(unit, 2, 12).Draw(t, "controls"),
		scale:      scale,
		confidence: rapid.SampledFrom([]float64{0.5, 0.8, 0.9, 0.95, 0.99}).Draw(t, "confidence"),
	}
}

// mapped is the question with every unit changed.
func (asked question) mapped(change func(effect.Change) effect.Change) question {
	each := func(units []effect.Change) []effect.Change {
		result := make([]effect.Change, len(units))
		for index, unit := range units {
			result[index] = change(unit)
		}
		return result
	}
	asked.treated, asked.controls = each(asked.treated), each(asked.controls)
	return asked
}

func TestTheOrderOfUnitsDoesNotMatterToTheLastBit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asked := drawQuestion(t)
		want := asked.estimate(t)
		asked.treated = rapid.Permutation(asked.treated).Draw(t, "treated in another order")
		asked.controls = rapid.Permutation(asked.controls).Draw(t, "controls in another order")
		if difference := cmp.Diff(want, asked.estimate(t)); difference != "" {
			t.Fatalf("the estimate depends on the order of the units (-want +got):\n%s", difference)
		}
	})
}

// A boom or a fall of the market moves all units alike: by a constant on Levels, by a factor on Ratios.
func TestWhatMovesAllUnitsAlikeLeavesTheEffectAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asked := drawQuestion(t)
		want := asked.estimate(t)
		trend := rapid.Float64Range(-1000, 1000).Draw(t, "trend")
		factor := rapid.Float64Range(0.01, 100).Draw(t, "factor")
		moved := asked.mapped(func(unit effect.Change) effect.Change {
			if asked.scale == effect.Ratios {
				return effect.Change{Before: unit.Before, After: unit.After * factor}
			}
			return effect.Change{Before: unit.Before, After: unit.After + trend}
		})
		expectClose(t, moved.estimate(t), want, 1e-9)
	})
}

func TestTheUnitOfMeasureScalesLevelsAndLeavesRatiosAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asked := drawQuestion(t)
		want := asked.estimate(t)
		// Powers of two scale exactly, up to sizes whose squares no float64 can hold.
		factor := math.Ldexp(1, rapid.IntRange(-900, 900).Draw(t, "power of two"))
		got := asked.mapped(func(unit effect.Change) effect.Change {
			return effect.Change{Before: unit.Before * factor, After: unit.After * factor}
		}).estimate(t)
		if asked.scale == effect.Levels {
			want.Effect, want.Low, want.High = want.Effect*factor, want.Low*factor, want.High*factor
			want.StdErr, want.Noise = want.StdErr*factor, want.Noise*factor
		}
		if difference := cmp.Diff(want, got); difference != "" {
			t.Fatalf("the estimate depends on the unit of measure (-want +got):\n%s", difference)
		}
	})
}

// A unit enters with both of its values or not at all. One that leaves takes its own contribution with it, and nothing else.
func TestAControlThatLeavesTakesOnlyItsOwnContribution(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asked := drawQuestion(t)
		asked.scale = effect.Levels
		leaver := rapid.IntRange(0, len(asked.controls)-1).Draw(t, "leaver")
		if len(asked.controls) <= effect.MinimumControls {
			asked.controls = append(asked.controls, effect.Change{Before: 1, After: 2})
		}
		want := asked.estimate(t).Effect
		mean := 0.0
		for _, unit := range asked.controls {
			mean += (unit.After - unit.Before) / float64(len(asked.controls))
		}
		gone := asked.controls[leaver]
		asked.controls = append(append([]effect.Change{}, asked.controls[:leaver]...), asked.controls[leaver+1:]...)
		want += (gone.After - gone.Before - mean) / float64(len(asked.controls))
		if got := asked.estimate(t).Effect; math.Abs(got-want) > 1e-8 {
			t.Fatalf("without control %d the effect is %g, want %g", leaver, got, want)
		}
	})
}

func TestTheIntervalContainsTheEffectAndGrowsWithTheConfidence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asked := drawQuestion(t)
		asked.confidence = rapid.Float64Range(0.01, 0.98).Draw(t, "confidence")
		narrow := asked.estimate(t)
		asked.confidence += 0.01
		wide := asked.estimate(t)
		if narrow.Low > narrow.Effect || narrow.Effect > narrow.High || wide.Low > narrow.Low || wide.High < narrow.High {
			t.Fatalf("narrow %+v, wide %+v", narrow, wide)
		}
		if !narrow.Flat && wide.High == narrow.High {
			t.Fatalf("more confidence does not widen %+v", narrow)
		}
	})
}

func TestExchangingTheGroupsTurnsTheSign(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asked := drawQuestion(t)
		asked.scale = effect.Levels
		if len(asked.treated) < effect.MinimumControls {
			asked.treated = append(asked.treated, effect.Change{Before: 3, After: 5})
		}
		want := asked.estimate(t)
		asked.treated, asked.controls = asked.controls, asked.treated
		got := asked.estimate(t)
		got.Effect, got.Low, got.High, got.Treated, got.Controls = -got.Effect, -got.High, -got.Low, got.Controls, got.Treated
		expectClose(t, got, want, 1e-12)
	})
}

// Whatever the bits are: an estimate that makes sense, or one of the declared errors.
func TestNoInputGivesNonsense(t *testing.T) {
	declared := []error{effect.ErrConfidence, effect.ErrScale, effect.ErrNoTreated, effect.ErrTooFewControls, effect.ErrNotFinite,
		effect.ErrNotPositive, effect.ErrOverflow}
	value := rapid.OneOf(
		rapid.Map(rapid.Uint64(), math.Float64frombits),
		rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, -1, 0.1, math.SmallestNonzeroFloat64, 0x1p-1022, math.MaxFloat64,
			-math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN()}),
		rapid.Float64())
	units := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) effect.Change {
		return effect.Change{Before: value.Draw(t, "before"), After: value.Draw(t, "after")}
	}), 0, 6)
	rapid.Check(t, func(t *rapid.T) {
		estimate, err := effect.DifferenceInDifferences(units.Draw(t, "treated"), units.Draw(t, "controls"),
			effect.Scale(rapid.IntRange(-1, 2).Draw(t, "scale")), rapid.OneOf(rapid.Float64Range(0, 1), value).Draw(t, "confidence"))
		if err == nil {
			expectSense(t, estimate)
			return
		}
		for _, reason := range declared {
			if errors.Is(err, reason) {
				return
			}
		}
		t.Fatalf("undeclared error: %v", err)
	})
}

func expectSense(t interface {
	Helper()
	Fatalf(string, ...any)
}, estimate effect.Estimate) {
	t.Helper()
	for _, number := range []float64{estimate.Effect, estimate.Low, estimate.High, estimate.StdErr, estimate.Noise} {
		if math.IsNaN(number) || math.IsInf(number, 0) {
			t.Fatalf("%+v is no estimate", estimate)
		}
	}
	if estimate.Low > estimate.Effect || estimate.High < estimate.Effect || estimate.StdErr < 0 || estimate.Noise < 0 ||
		!(estimate.DegreesOfFreedom >= 1) || !estimate.Covers(estimate.Effect) {
		t.Fatalf("%+v is no estimate", estimate)
	}
}

func expectClose(t *rapid.T, got, want effect.Estimate, relative float64) {
	t.Helper()
	near := func(a, b float64) bool {
		size := max(math.Abs(want.Low), math.Abs(want.High), want.StdErr, 1)
		return math.Abs(a-b) <= (relative+16*(want.Noise+got.Noise))*size
	}
	degrees := want.Flat || got.Flat || math.Abs(got.DegreesOfFreedom-want.DegreesOfFreedom) <= 1e-4*want.DegreesOfFreedom
	if !near(got.Effect, want.Effect) || !near(got.Low, want.Low) || !near(got.High, want.High) || !near(got.StdErr, want.StdErr) || !degrees ||
		got.Treated != want.Treated || got.Controls != want.Controls {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

// draws of one simulated experiment; the seed is fixed, so the test gives the same figures on every machine and day.
const experiments = 20_000

// Of 20,000 experiments with a known effect the interval must cover it in 95 % of them, within a percent.
func TestTheIntervalCoversTheTruthAsOftenAsItPromises(t *testing.T) {
	for name, world := range map[string]struct {
		treated, controls  int
		treatedDeviation   float64
		scale              effect.Scale
		truth, trend, base float64
	}{
		"one treated site, 3 controls":            {1, 3, 1, effect.Levels, 2, -5, 100},
		"one treated site, 8 controls, ratios":    {1, 8, 1, effect.Ratios, 0.08, -0.1, 100},
		"6 treated sites that scatter three-fold": {6, 15, 3, effect.Levels, 2, -5, 100},
		"10 and 20 sites, ratios":                 {10, 20, 1, effect.Ratios, 0.08, 0.15, 100},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1994, 84))
			draw := func(units int, effectOfCause, deviation float64) []effect.Change {
				changes := make([]effect.Change, units)
				for index := range changes {
					before := world.base * (1 + random.Float64())
					if world.scale == effect.Ratios {
						noise := math.Exp(0.05 * deviation * random.NormFloat64())
						changes[index] = effect.Change{Before: before, After: before * (1 + world.trend) * (1 + effectOfCause) * noise}
					} else {
						changes[index] = effect.Change{Before: before, After: before + world.trend + effectOfCause + deviation*random.NormFloat64()}
					}
				}
				return changes
			}
			covered := 0
			for range experiments {
				estimate, err := effect.DifferenceInDifferences(draw(world.treated, world.truth, world.treatedDeviation),
					draw(world.controls, 0, 1), world.scale, 0.95)
				if err != nil {
					t.Fatal(err)
				}
				if estimate.Covers(world.truth) {
					covered++
				}
			}
			share := float64(covered) / experiments
			t.Logf("covers the truth in %.2f %% of %d experiments", 100*share, experiments)
			if math.Abs(share-0.95) > 0.01 {
				t.Errorf("covers the truth in %.2f %%, want 95 %% within 1 %%", 100*share)
			}
		})
	}
}
