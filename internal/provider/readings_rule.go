package provider

import "time"

// DefaultAcceptWithin is the longest time from an observation to its reading when the provider does not say: a survey of a month ends before the next one begins.
const DefaultAcceptWithin = 30 * 24 * time.Hour

// ReadingTolerance is how long before its observation a reading may be entered. Two clocks are compared, and a job that enters what it has just observed must not
// fail because its clock is ahead of the API server's.
const ReadingTolerance = time.Minute

// Reading is one value that a person or a job entered. Its times have whole seconds.
type Reading struct {
	// KPI that the value is for.
	KPI string
	// Site that the value is for, as queries and answers name it.
	Site string
	// Value in the KPI's unit.
	Value float64
	// ObservedAt is when the value was true, as whoever entered it says.
	ObservedAt time.Time
	// EnteredAt is when the value was entered, as whoever keeps it knows.
	EnteredAt time.Time
	// Samples is the number of observations behind the value; 0 when that was not told.
	Samples int64
}

// Standing says whether a reading counts at all.
type Standing string

// The standings of a reading.
const (
	// StandingCounts: the reading counts.
	StandingCounts Standing = "Counts"
	// StandingFuture: the value was entered before it was observed, so it is a forecast or a slip of the pen. Time does not heal that.
	StandingFuture Standing = "Future"
	// StandingLate: the value was entered so long after it was observed that whoever entered it knew what was needed.
	StandingLate Standing = "Late"
)

// Standing judges the reading by its own two times, so the answer never changes. acceptWithin is the longest time from the observation to the entry; 0 means
// DefaultAcceptWithin.
func (r Reading) Standing(acceptWithin time.Duration) Standing {
	if acceptWithin == 0 {
		acceptWithin = DefaultAcceptWithin
	}
	switch delay := r.EnteredAt.Sub(r.ObservedAt); {
	case delay < -ReadingTolerance:
		return StandingFuture
	case delay > acceptWithin:
		return StandingLate
	}
	return StandingCounts
}

// CountsIn reports whether the reading belongs to a measurement of the window: it counts at all, it was observed in the window, and it was already there when
// the window ended. Without the last one, what a window said would change when it is measured again, and with it what was decided by it. For an instant, the
// window reaches back without end.
func (r Reading) CountsIn(w Window, acceptWithin time.Duration) bool {
	// A time in whole seconds stands for the second that begins with it.
	entered := r.EnteredAt.Add(time.Second)
	if entered.After(w.End) || r.ObservedAt.After(w.End) || r.Standing(acceptWithin) != StandingCounts {
		return false
	}
	return w.Start.Equal(w.End) || r.ObservedAt.After(w.Start)
}

// Contradicts reports whether two readings give the same site another value of the same KPI at the same moment. Then nobody can say which is the latest. The same
// value entered twice is no contradiction.
func (r Reading) Contradicts(other Reading) bool {
	return r.KPI == other.KPI && r.Site == other.Site && r.ObservedAt.Equal(other.ObservedAt) && r.Value != other.Value
}
