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
	// stuck is the kind whose changes do not reach the cache until a moment.
	stuck string
	until time.Time
}

func (c *chaos) disarm() { *c = chaos{stuck: c.stuck, until: c.until} }

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
	if s.chance == nil {
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
		s.chaos.stuck, s.chaos.until = kind, s.clock.Now().Add(time.Duration(s.chance.IntN(3000))*time.Millisecond)
	case s.oneIn(200):
		s.chaos.failBefore = true
	case s.oneIn(200):
		s.chaos.failAfter = true
	case s.oneIn(400):
		s.chaos.crashBefore = true
	case s.oneIn(400):
		s.chaos.crashAfter = true
	case s.oneIn(400):
		s.restart("restarted")
	}
}

// fault fails a write of the operator as chaos wants it.
func (s *sim) fault(ctx context.Context, before bool) error {
	if turnOf(ctx) == nil {
		return nil // people have no bad luck
	}
	c := &s.chaos
	switch {
	case before && c.crashBefore, !before && c.crashAfter:
		panic(crash{})
	case before && c.failBefore:
		c.failBefore = false
		return errInjected
	case !before && c.failAfter:
		c.failAfter = false
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
	s.boot(func(string) int {
		if s.oneIn(3) {
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
