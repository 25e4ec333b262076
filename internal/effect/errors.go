package effect

import (
	"errors"
	"fmt"
	"math"
)

// Why there is no estimate. Each is an outcome to report ("cannot say, because"), and none is a sign of no effect.
var (
	// ErrConfidence: the confidence is not between 0 and 1, both excluded.
	ErrConfidence = errors.New("the confidence must lie between 0 and 1")
	// ErrScale: the scale is none of Levels and Ratios.
	ErrScale = errors.New("the scale is unknown")
	// ErrNoTreated: there is no treated unit.
	ErrNoTreated = errors.New("there is no treated unit")
	// ErrTooFewControls: there are fewer controls than MinimumControls, so that their spread is unknown.
	ErrTooFewControls = errors.New("there are too few controls")
	// ErrNotFinite: a value is NaN or infinite. It comes in a UnitError.
	ErrNotFinite = errors.New("a value is not a finite number")
	// ErrNotPositive: a value is zero or less, of which there is no ratio. It comes in a UnitError.
	ErrNotPositive = errors.New("a ratio needs values above zero")
	// ErrSummary: the change or the standard error of a Summary is not finite, the latter is negative, or its degrees of freedom are neither
	// zero nor at least 1.
	ErrSummary = errors.New("a summary needs a finite change, a standard error of zero or more, and degrees of freedom of at least 1, or 0 for unknown")
	// ErrOverflow: the effect or an end of its interval is too large for a floating-point number.
	ErrOverflow = errors.New("the result is too large for a floating-point number")
)

// Group says which units are meant.
type Group string

const (
	// TreatedUnits are those that got the change.
	TreatedUnits Group = "treated unit"
	// ControlUnits are those that did not.
	ControlUnits Group = "control"
)

// UnitError is a unit whose values cannot be used.
type UnitError struct {
	// Group and Index tell which: the place, from 0, in the slice that was given.
	Group Group
	Index int
	// Change is what it says.
	Change Change
	// Err is ErrNotFinite or ErrNotPositive.
	Err error
}

// Error names the unit, its values and the reason.
func (problem *UnitError) Error() string {
	return fmt.Sprintf("%s %d (before %g, after %g): %v", problem.Group, problem.Index, problem.Change.Before, problem.Change.After, problem.Err)
}

// Unwrap is the reason.
func (problem *UnitError) Unwrap() error { return problem.Err }

func checkQuestion(scale Scale, confidence float64) error {
	if !(confidence > 0 && confidence < 1) {
		return fmt.Errorf("confidence %g: %w", confidence, ErrConfidence)
	}
	if scale != Levels && scale != Ratios {
		return fmt.Errorf("%v: %w", scale, ErrScale)
	}
	return nil
}

// checkUnits reports numbers of units first, then values that are no numbers, then those that a ratio cannot have, so that the kind of the
// error does not depend on the order of the units either.
func checkUnits(treated, controls []Change, scale Scale) error {
	if len(treated) == 0 {
		return ErrNoTreated
	}
	if len(controls) < MinimumControls {
		return fmt.Errorf("%d of at least %d: %w", len(controls), MinimumControls, ErrTooFewControls)
	}
	if err := checkAll(treated, controls, finite, ErrNotFinite); err != nil || scale != Ratios {
		return err
	}
	return checkAll(treated, controls, positive, ErrNotPositive)
}

func checkAll(treated, controls []Change, sound func(float64) bool, reason error) error {
	for _, group := range []struct {
		name  Group
		units []Change
	}{{TreatedUnits, treated}, {ControlUnits, controls}} {
		for index, unit := range group.units {
			if !sound(unit.Before) || !sound(unit.After) {
				return &UnitError{Group: group.name, Index: index, Change: unit, Err: reason}
			}
		}
	}
	return nil
}

func finite(value float64) bool { return !math.IsNaN(value) && !math.IsInf(value, 0) }

func positive(value float64) bool { return value > 0 }
