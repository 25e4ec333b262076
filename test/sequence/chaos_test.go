package sequence

import (
	"context"
	"errors"
	"time"
)

// errInjected is the API server's failure that a simulation makes up.
var errInjected = errors.New("the API server did not answer")

// crash ends a process in the middle of a reconcile.
type crash struct{}

// chaos is what goes wrong in a simulation of random order.
type chaos struct {
	// failBefore and failAfter make the next write fail before it is carried out, or lose its answer.
	failBefore, failAfter bool
	// crashBefore and crashAfter end the process at the next write.
	crashBefore, crashAfter bool
	// stuck is the kind whose changes do not reach the cache until a moment, longest is for how long at most; zero for a few seconds.
	stuck   string
	until   time.Time
	longest time.Duration
	// drift is how far the clock of a process may be from the right time; zero for not at all.
	drift time.Duration
	// calm lets only the order be random.
	calm bool
	// happened counts what went wrong.
	happened map[string]int
}

// What can go wrong.
const (
	crashedBefore   = "crashes before a write"
	crashedAfter    = "crashes after a write"
	restartedAtOnce = "restarts between two reconciles"
	refusedWrite    = "failed writes"
	lostAnswer      = "writes whose answer was lost"
	stuckCache      = "stretches of time in which a cache did not learn of changes"
	conflicting     = "writes that came too late"
	otherClock      = "processes with another clock"
)

func (c *chaos) happens(what string) {
	if c.happened == nil {
		c.happened = map[string]int{}
	}
	c.happened[what]++
}

func (c *chaos) disarm() {
	c.failBefore, c.failAfter, c.crashBefore, c.crashAfter = false, false, false, false
}

func (c *chaos) frozen(kind string, now time.Time) bool {
	return c.stuck == kind && now.Before(c.until)
}

// thaw returns when changes reach the cache again, at the latest the given moment.
func (c *chaos) thaw(now, latest time.Time) time.Time {
	if c.stuck != "" && now.Before(c.until) {
		return c.until
	}
	return latest
}

// oneIn is true once in n times, never in the fixed order.
func (s *sim) oneIn(n int) bool { return s.chance != nil && s.chance.IntN(n) == 0 }

// disturb lets something go wrong now and then.
func (s *sim) disturb() {
	if s.chance == nil || s.chaos.calm {
		return
	}
	kind := kindOf(kinds[s.chance.IntN(len(kinds))])
	switch {
	case s.oneIn(100):
		if keys := sorted(s.op.cache.objects[kind]); len(keys) > 0 {
			c := change{now: s.op.cache.objects[kind][keys[s.chance.IntN(len(keys))]]}
			s.enqueue(s.op.asked(c)...)
		}
	case s.oneIn(50):
		s.moveClock(s.clock.Now().Add(time.Duration(s.chance.IntN(1500)) * time.Millisecond))
	case s.oneIn(100):
		s.chaos.happens(stuckCache)
		longest := int(max(s.chaos.longest, 3*time.Second) / time.Millisecond)
		s.chaos.stuck, s.chaos.until = kind, s.clock.Now().Add(time.Duration(s.chance.IntN(longest))*time.Millisecond)
	case s.oneIn(200):
		s.chaos.failBefore = true
	case s.oneIn(200):
		s.chaos.failAfter = true
	case s.oneIn(400):
		s.chaos.crashBefore = true
	case s.oneIn(400):
		s.chaos.crashAfter = true
	case s.oneIn(400):
		s.chaos.happens(restartedAtOnce)
		s.restart("restarted")
	}
}

// fault fails a write of the operator as chaos wants it.
func (s *sim) fault(ctx context.Context, before bool) error {
	if turnOf(ctx) == nil {
		return nil // people have no bad luck
	}
	if err := s.mortality.fault(before); err != nil {
		return err
	}
	c := &s.chaos
	switch {
	case before && c.crashBefore:
		c.happens(crashedBefore)
		panic(crash{})
	case !before && c.crashAfter:
		c.happens(crashedAfter)
		panic(crash{})
	case before && c.failBefore:
		c.failBefore = false
		c.happens(refusedWrite)
		return errInjected
	case !before && c.failAfter:
		c.failAfter = false
		c.happens(lostAnswer)
		return errInjected
	}
	return nil
}

// guarded does something, and starts another process when this one crashes meanwhile.
func (s *sim) guarded(action func()) {
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case crash:
			s.restart("crashed")
		default:
			panic(cause)
		}
	}()
	action()
}

// restart begins with another process. In random orders its cache may be filled from a server that lags behind.
func (s *sim) restart(how string) {
	s.story.people(s.clock.Now(), "the operator "+how)
	if s.chance != nil && s.chaos.drift > 0 {
		s.chaos.happens(otherClock)
		s.drift = time.Duration(s.chance.Int64N(2*int64(s.chaos.drift)+1)) - s.chaos.drift
	}
	s.boot(func(string) int {
		if s.oneIn(3) && !s.chaos.calm {
			return s.chance.IntN(3)
		}
		return 0
	})
}

// interleave lets something else happen while a reconcile runs: other workers, and changes that reach the cache.
func (s *sim) interleave(context.Context) {
	const deepest = 2
	if len(s.running) >= deepest || !s.oneIn(30) {
		return
	}
	if actions := s.actions(); len(actions) > 0 {
		actions[s.chance.IntN(len(actions))]()
	}
}
