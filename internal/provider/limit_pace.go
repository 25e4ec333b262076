package provider

import (
	"context"
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"
)

// timing is where a source takes the time from, and the chance that keeps several sources apart.
type timing struct {
	now func() time.Time
	// timer delivers once after a duration, unless it is stopped.
	timer func(time.Duration) (due <-chan time.Time, stop func() bool)
	// chance returns a number in [0, 1).
	chance func() float64
}

// wallTime is the real time.
var wallTime = timing{
	now: time.Now,
	timer: func(d time.Duration) (<-chan time.Time, func() bool) {
		timer := time.NewTimer(d)
		return timer.C, timer.Stop
	},
	chance: rand.Float64,
}

// pace spreads queries over time.
type pace struct {
	perMinute int
	limiter   *rate.Limiter
	timing    timing
}

// newPace allows perMinute queries within any minute, 0 any number. A sixth of them may be sent at once, because KPIs are
// due together and are measured again together after a restart; the others follow evenly.
func newPace(perMinute int, t timing) pace {
	if perMinute == 0 {
		return pace{timing: t}
	}
	burst := max(1, perMinute/6)
	// A full bucket and what flows into it within a minute, of which the last drop falls into the next one.
	flow := time.Duration(perMinute - burst + 1)
	each := (time.Minute + flow - 1) / flow
	return pace{perMinute: perMinute, limiter: rate.NewLimiter(rate.Every(each), burst), timing: t}
}

// reserve takes the next free place and returns how long it is until then. It takes none when that is later than ctx ends.
func (p pace) reserve(ctx context.Context) (delay time.Duration, allowed bool) {
	if p.limiter == nil {
		return 0, true
	}
	now := p.timing.now()
	place := p.limiter.ReserveN(now, 1)
	delay = place.DelayFrom(now)
	if deadline, bounded := ctx.Deadline(); bounded && delay > time.Until(deadline) {
		place.CancelAt(now)
		return delay, false
	}
	return delay, true
}
