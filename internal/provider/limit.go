package provider

import (
	"context"
	"errors"
	"sync"
	"time"
)

// defaultConcurrent is how many measurements may run at once against one source that sets no limit. KPIs are measured on intervals of minutes:
// a queue costs nothing, a burst of heavy queries may cost the source its life.
const defaultConcurrent = 4

// Limits bound how much is asked of a source.
type Limits struct {
	// Concurrent is how many measurements may run at once; the others wait. 0 means 4.
	Concurrent int
	// PerMinute is how many queries may be sent in a minute; the others wait. 0 means that there is no such limit.
	PerMinute int
}

func (l Limits) validate() error {
	if l.Concurrent < 0 || l.PerMinute < 0 {
		return invalid("a limit is negative: leave it out for the default")
	}
	return nil
}

// occupancy counts who is inside something that may be released only when it is both closed and empty.
type occupancy struct {
	mu      sync.Mutex
	inside  int
	closed  bool
	release func()
}

// enter reports whether the caller may go in; then it must leave.
func (o *occupancy) enter() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	o.inside++
	return true
}

// leave releases what the caller was the last one to use.
func (o *occupancy) leave() {
	o.mu.Lock()
	o.inside--
	last := o.closed && o.inside == 0
	o.mu.Unlock()
	if last {
		o.release()
	}
}

// close lets nobody in any more. It reports whether this was the first call.
func (o *occupancy) close() bool {
	o.mu.Lock()
	first := !o.closed
	o.closed = true
	empty := first && o.inside == 0
	o.mu.Unlock()
	if empty {
		o.release()
	}
	return first
}

// limitedSource gives any source the promises of Provider that have nothing to do with its protocol: a bounded number of
// running measurements and of queries in a minute, rest for a source that is down, and a Close that disturbs no measurement.
type limitedSource struct {
	source  Provider
	name    string
	slots   chan struct{}
	closing chan struct{}
	users   occupancy
	pace    pace
	rest    rest
}

// limit makes a source keep its limits. name is the source as messages call it.
func limit(source Provider, name string, limits Limits) Provider {
	return limitBy(source, name, limits, wallTime)
}

func limitBy(source Provider, name string, limits Limits, t timing) *limitedSource {
	running := limits.Concurrent
	if running == 0 {
		running = defaultConcurrent
	}
	return &limitedSource{
		source:  source,
		name:    name,
		slots:   make(chan struct{}, running),
		closing: make(chan struct{}),
		users:   occupancy{release: source.Close},
		pace:    newPace(limits.PerMinute, t),
		rest:    rest{timing: t, name: name},
	}
}

// Measure waits for a free slot and for the source's turn in this minute, as long as ctx allows, then asks. A source that is
// left alone is not waited for.
func (l *limitedSource) Measure(ctx context.Context, q Query, w Window) (answer Answer, err error) {
	err = l.inTurn(ctx, q, func() error {
		answer, err = l.source.Measure(ctx, q, w)
		return err
	})
	return answer, err
}

// inTurn runs ask, which sends one query, when it may be sent.
func (l *limitedSource) inTurn(ctx context.Context, q Query, ask func() error) error {
	if !l.users.enter() {
		return l.closedError()
	}
	defer l.users.leave()
	if err := l.rest.refusal(q); err != nil {
		return err
	}
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-l.closing:
		return l.closedError()
	case <-ctx.Done():
		return l.waitedError(ctx.Err())
	}
	turn, err := l.rest.begin(q)
	if err != nil {
		return err
	}
	if err = l.await(ctx); err != nil {
		turn.notAsked()
		return err
	}
	return turn.take(ask)
}

// await waits until the pace allows one more query.
func (l *limitedSource) await(ctx context.Context) error {
	delay, allowed := l.pace.reserve(ctx)
	if !allowed {
		return newError(RateLimited, nil, "%s gets at most %d queries in a minute, and the next one is free in %s, which is too late for this measurement: raise limits.perMinute or measure less often",
			l.name, l.pace.perMinute, delay.Round(time.Second))
	}
	if delay <= 0 {
		return nil
	}
	due, stop := l.pace.timing.timer(delay)
	defer stop()
	select {
	case <-due:
		return nil
	case <-l.closing:
		return l.closedError()
	case <-ctx.Done():
		return newError(Canceled, ctx.Err(), "the measurement was canceled while it waited for %s", l.name)
	}
}

// Close refuses further measurements, also those that still wait for a slot.
func (l *limitedSource) Close() {
	if l.users.close() {
		close(l.closing)
	}
}

func (l *limitedSource) closedError() error {
	return newError(Closed, nil, "the provider for %s is closed", l.name)
}

func (l *limitedSource) waitedError(cause error) error {
	if errors.Is(cause, context.DeadlineExceeded) {
		return newError(Timeout, cause,
			"%d measurements are already running against %s and none of them ended in time: the source is slow, or too many KPIs are due at once",
			cap(l.slots), l.name)
	}
	return newError(Canceled, cause, "the measurement was canceled while it waited for %s", l.name)
}
