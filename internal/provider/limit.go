package provider

import (
	"context"
	"errors"
	"sync"
)

// maxRunning is how many measurements may run at once against one source. KPIs are measured on intervals of minutes:
// a queue costs nothing, a burst of heavy queries may cost the source its life.
const maxRunning = 4

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

// limitedSource gives any source the two promises of Provider that have nothing to do with its protocol: a bounded number of
// running measurements, and a Close that disturbs none of them.
type limitedSource struct {
	source  Provider
	name    string
	slots   chan struct{}
	closing chan struct{}
	users   occupancy
}

// limit lets at most running measurements run at once; the others wait. name is the source as messages call it.
func limit(source Provider, name string, running int) Provider {
	return &limitedSource{
		source:  source,
		name:    name,
		slots:   make(chan struct{}, running),
		closing: make(chan struct{}),
		users:   occupancy{release: source.Close},
	}
}

// Measure waits for a free slot, as long as ctx allows, then asks.
func (l *limitedSource) Measure(ctx context.Context, q Query, w Window) (Answer, error) {
	if !l.users.enter() {
		return Answer{}, l.closedError()
	}
	defer l.users.leave()
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
		return l.source.Measure(ctx, q, w)
	case <-l.closing:
		return Answer{}, l.closedError()
	case <-ctx.Done():
		return Answer{}, l.waitedError(ctx.Err())
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
