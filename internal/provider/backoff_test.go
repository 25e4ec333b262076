package provider

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// byHand is a clock that a test moves.
type byHand struct {
	mu     sync.Mutex
	now    time.Time
	timers map[chan time.Time]time.Time
	set    chan time.Duration
}

func newByHand() *byHand {
	return &byHand{now: instant, timers: map[chan time.Time]time.Time{}, set: make(chan time.Duration, 100)}
}

func (b *byHand) timing() timing {
	return timing{now: b.read, timer: b.timer, chance: func() float64 { return 0 }}
}

func (b *byHand) read() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *byHand) timer(d time.Duration) (<-chan time.Time, func() bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	due := make(chan time.Time, 1)
	b.timers[due] = b.now.Add(d)
	b.set <- d
	return due, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.timers, due)
		return true
	}
}

func (b *byHand) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
	for due, at := range b.timers {
		if !at.After(b.now) {
			due <- b.now
			delete(b.timers, due)
		}
	}
}

// moody is a source that answers as its mood says, and counts.
type moody struct {
	mu    sync.Mutex
	mood  error
	asked int
}

func (m *moody) Measure(context.Context, Query, Window) (Answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	return Answer{}, m.mood
}

func (m *moody) Close() {}

func (m *moody) is(err error) { m.mu.Lock(); m.mood = err; m.mu.Unlock() }

func (m *moody) questions() int { m.mu.Lock(); defer m.mu.Unlock(); return m.asked }

var (
	down    = newError(Unreachable, nil, "moody:1 refused the connection")
	slow    = newError(Timeout, nil, "moody:1 gave no complete answer in time")
	broken  = newError(SourceError, nil, "moody:1 failed")
	wrong   = newError(QueryRejected, nil, "the query was rejected")
	limited = newError(RateLimited, nil, "moody:1 asks for fewer requests")
)

// resting is a moody source behind limits, with a clock by hand.
type resting struct {
	*moody
	*byHand
	limited Provider
}

func newResting(t *testing.T) resting {
	r := resting{&moody{}, newByHand(), nil}
	r.limited = limitBy(r.moody, "moody:1", Limits{}, r.timing())
	t.Cleanup(r.limited.Close)
	return r
}

// reason asks with one of several queries and returns the reason of the failure.
func (r resting) reason(t *testing.T, query int) Reason {
	t.Helper()
	_, err := r.limited.Measure(t.Context(), Query{Expression: fmt.Sprint("q", query), SiteLabel: "site"}, at)
	return ReasonOf(err)
}

func TestAFailingSourceIsLeftAlone(t *testing.T) {
	tests := []struct {
		name  string
		mood  error
		query func(i int) int
		// asked is how many of 20 questions at one moment reach the source.
		asked int
	}{
		{"unreachable", down, func(int) int { return 0 }, 3},
		{"asks for fewer queries", limited, func(int) int { return 0 }, 3},
		{"too slow for several queries", slow, func(i int) int { return i % 2 }, 3},
		{"an error for several queries", broken, func(i int) int { return i % 2 }, 3},
		{"unreachable with several queries", down, func(i int) int { return i }, 3},
		{"too slow for queries that it was not asked before", slow, func(i int) int { return i }, 20},
		{"too slow for one query", slow, func(int) int { return 0 }, 20},
		{"an error for one query", broken, func(int) int { return 0 }, 20},
		{"rejects queries", wrong, func(i int) int { return i }, 20},
		{"the caller gives up", newError(Canceled, nil, "canceled"), func(i int) int { return i }, 20},
		{"well", nil, func(i int) int { return i }, 20},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newResting(t)
			r.is(test.mood)
			for i := range 20 {
				want := ReasonOf(test.mood)
				if i >= test.asked {
					want = BackingOff
				}
				if got := r.reason(t, test.query(i)); got != want {
					t.Errorf("question %d failed with %q, want %q", i+1, got, want)
				}
			}
			if got := r.questions(); got != test.asked {
				t.Errorf("the source was asked %d times, want %d", got, test.asked)
			}
		})
	}
}

// The rests double up to five minutes. After each the source is asked once, and the first answer ends it all.
func TestRestsGrowAndEndWithTheFirstAnswer(t *testing.T) {
	r := newResting(t)
	r.is(down)
	for range 3 {
		r.reason(t, 0)
	}
	var rests []time.Duration
	for range 11 {
		rest := time.Duration(0)
		for asked := r.questions(); r.questions() == asked; rest += time.Second {
			r.advance(time.Second)
			r.reason(t, 0)
		}
		rests = append(rests, rest)
	}
	s := time.Second
	if diff := cmp.Diff([]time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 64 * s, 128 * s, 256 * s, 300 * s, 300 * s}, rests); diff != "" {
		t.Errorf("rests (-want +got):\n%s", diff)
	}
	r.is(nil)
	if got := r.reason(t, 0); got != BackingOff {
		t.Errorf("in the middle of a rest a query failed with %q", got)
	}
	r.advance(5 * time.Minute)
	for range 3 {
		if got := r.reason(t, 0); got != "" {
			t.Errorf("after the source recovered a query failed with %q", got)
		}
	}
	r.is(down)
	for range 3 {
		if got := r.reason(t, 0); got != Unreachable {
			t.Errorf("a failure after the recovery is told as %q: the old ones still count", got)
		}
	}
}

func TestTheMessageNamesTheLastFailureAndTheTime(t *testing.T) {
	r := newResting(t)
	r.is(down)
	for range 3 {
		r.reason(t, 0)
	}
	_, err := r.limited.Measure(t.Context(), allSites, at)
	wantError(t, err, BackingOff, "moody:1 is left alone after 3 failures in a row and asked again at 2026-03-04T05:06:08Z; the last failure: moody:1 refused the connection")
}

func TestASourceMayAskToBeLeftAlone(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{time.Minute: time.Minute, time.Hour: 10 * time.Minute} {
		r := newResting(t)
		r.is(&Error{Reason: RateLimited, Message: "moody:1 asks for fewer requests (429)", RetryAfter: asked})
		r.reason(t, 0)
		r.is(nil)
		r.advance(want - time.Second)
		if got := r.reason(t, 1); got != BackingOff || r.questions() != 1 {
			t.Errorf("%s: a second early the query fails with %q, and the source was asked %d times", asked, got, r.questions())
		}
		r.advance(time.Second)
		if got := r.reason(t, 1); got != "" {
			t.Errorf("%s: after the time the query fails with %q", asked, got)
		}
	}
}

// Of many that wait for the end of a rest one goes first; a query from before the rest neither ends nor extends it.
func TestOneQueryTriesTheSource(t *testing.T) {
	source, clock := newScripted("probe"), newByHand()
	limited := limitBy(source, "probe:1", Limits{}, clock.timing())
	old := make(chan error, 1)
	go func() {
		_, err := limited.Measure(context.Background(), allSites, at)
		old <- err
	}()
	await(t, "the old query to begin", source.begun)
	for range 3 {
		turn, err := limited.rest.begin(allSites)
		if err != nil {
			t.Fatal(err)
		}
		turn.end(down)
	}
	clock.advance(time.Second)
	probe := make(chan error, 1)
	go func() {
		_, err := limited.Measure(context.Background(), allSites, at)
		probe <- err
	}()
	await(t, "the probe to begin", source.begun)
	for range 5 {
		_, err := limited.Measure(t.Context(), allSites, at)
		wantError(t, err, BackingOff, "asked again as soon as the query that tries it now has an answer")
	}
	source.proceed <- struct{}{}
	source.proceed <- struct{}{}
	for _, done := range []<-chan error{old, probe} {
		if err := await(t, "the query", done); err != nil {
			t.Error(err)
		}
	}
	if err := limited.rest.refusal(allSites); err != nil {
		t.Errorf("after the probe's answer: %v", err)
	}
	limited.Close()
}

func TestAQueryFromBeforeARestSaysNothingAboutIt(t *testing.T) {
	for name, result := range map[string]error{"it answers": nil, "it fails": down} {
		clock := newByHand()
		r := &rest{timing: clock.timing(), name: "old:1"}
		begin := func() turn {
			turn, err := r.begin(allSites)
			if err != nil {
				t.Fatal(err)
			}
			return turn
		}
		old := begin()
		for range 3 {
			begin().end(down)
		}
		until := r.whole.until
		old.end(result)
		if err := r.refusal(allSites); err == nil || r.whole.until != until || r.failures != 3 {
			t.Errorf("%s: the rest lasts until %s after %d failures, want %s after 3", name, r.whole.until, r.failures, until)
		}
		clock.advance(time.Second)
		// A probe that was never sent leaves its place to another one.
		begin().notAsked()
		begin().end(nil)
		if err := r.refusal(allSites); err != nil {
			t.Errorf("%s: after an answer: %v", name, err)
		}
	}
}

func TestChanceShortensRestsByUpToAHalf(t *testing.T) {
	for chance, want := range map[float64]time.Duration{0: 300 * time.Second, 0.5: 225 * time.Second, 0.999999: 150 * time.Second} {
		r := rest{timing: timing{chance: func() float64 { return chance }}}
		if got := r.pause(100).Round(time.Second); got != want {
			t.Errorf("chance %v: rest of %s, want %s", chance, got, want)
		}
	}
}
