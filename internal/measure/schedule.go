package measure

import "time"

// maxAgain bounds how many past moments are measured again after a start.
const maxAgain = 10

// Again returns the moments, oldest first, that an operator measures again when it starts, given the last moment that was measured before it stopped.
// They cover the time for which verdicts may not have been reached before the stop (see gate.Resume), and so keep holds alive that only the restart would break. They reach
// back by another staleAfter, because a value of that time may be compared with an older one of a control site or of a reference, and by a third one, because a value
// waits until the reference has a newer one, and may be as old as a gap that a hold survives when that comes.
// There are none when that moment is older than staleAfter, because then every hold is lost anyway. A stop in the very second of the last measurement is
// no exception: what was measured then may not have been judged either.
func Again(last time.Time, interval, staleAfter time.Duration, now time.Time) []time.Time {
	if last.IsZero() || interval <= 0 || now.Sub(last) > staleAfter {
		return nil
	}
	if last.After(now) {
		last = now // another machine's clock was ahead
	}
	count := min(int(3*staleAfter/interval), maxAgain)
	moments := make([]time.Time, 0, count+1)
	for i := count; i >= 0; i-- {
		moments = append(moments, last.Add(-time.Duration(i)*interval))
	}
	return moments
}
