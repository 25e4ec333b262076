package provider

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// picky is a source that fails at some queries and answers the others.
type picky struct {
	moody
	fails map[string]error
}

func (p *picky) Measure(ctx context.Context, q Query, w Window) (Answer, error) {
	if _, err := p.moody.Measure(ctx, q, w); err != nil {
		return Answer{}, err
	}
	return Answer{}, p.fails[q.Expression]
}

// newPicky returns a source that is too slow for q0, q1 and q2.
func newPicky(t *testing.T) (resting, *picky) {
	source := &picky{fails: map[string]error{}}
	for i := range 3 {
		source.fails[fmt.Sprint("q", i)] = slow
	}
	r := resting{&source.moody, newByHand(), nil}
	r.limited = limitBy(source, "moody:1", Limits{}, r.timing())
	t.Cleanup(r.limited.Close)
	return r, source
}

func TestSlowQueriesTakeNothingFromTheOthersOfTheirSource(t *testing.T) {
	r, _ := newPicky(t)
	for i := range 3 {
		r.reason(t, i)
	}
	for interval := range 20 {
		for i := range 3 {
			if got := r.reason(t, i); got != BackingOff && got != Timeout {
				t.Errorf("interval %d: the slow query %d failed with %q", interval, i, got)
			}
		}
		if got := r.reason(t, 9); got != "" {
			t.Errorf("interval %d: the query that is answered well failed with %q", interval, got)
		}
		r.advance(time.Minute)
	}
}

// Answers to other queries do not end the rest of the slow ones, which grows for each of them by its own failures.
func TestEachSlowQueryRestsForItself(t *testing.T) {
	r, source := newPicky(t)
	for i := range 3 {
		r.reason(t, i)
	}
	delete(source.fails, "q1")
	for _, step := range []struct {
		pass   time.Duration
		query  int
		reason Reason
	}{
		{0, 0, BackingOff}, {0, 9, ""}, {0, 0, BackingOff}, {0, 1, BackingOff},
		{time.Second, 0, Timeout}, {0, 0, BackingOff}, // back to its rest at once, for two seconds
		{0, 1, ""}, {0, 1, ""}, // it was tried, and is asked as ever
		{time.Second, 0, BackingOff}, {0, 2, Timeout},
		{time.Second, 0, Timeout}, {3 * time.Second, 0, BackingOff}, {time.Second, 0, Timeout},
	} {
		r.advance(step.pass)
		if got := r.reason(t, step.query); got != step.reason {
			t.Errorf("after %s query %d failed with %q, want %q", step.pass, step.query, got, step.reason)
		}
	}
	_, err := r.limited.Measure(t.Context(), Query{Expression: "q0", SiteLabel: "site"}, at)
	wantError(t, err, BackingOff, "moody:1 is left alone with this query after 4 failures and asked again at 2026-03-04T05:06:")
}

// A source that is back, but too slow for the query that tried it, is asked the others again.
func TestASlowProbeDoesNotKeepTheSourceFromTheOthers(t *testing.T) {
	r, source := newPicky(t)
	r.is(down)
	for range 3 {
		r.reason(t, 0)
	}
	r.is(nil)
	source.fails["q0"] = slow
	r.advance(time.Second)
	for i, step := range []struct {
		query int
		want  Reason
	}{{0, Timeout}, {9, ""}} {
		if got := r.reason(t, step.query); got != step.want {
			t.Errorf("step %d: query %d failed with %q, want %q", i, step.query, got, step.want)
		}
	}
}

// A 503 that says when to come back speaks for the source, whatever it was asked.
func TestASourceThatNamesATimeRestsAsAWhole(t *testing.T) {
	r := newResting(t)
	r.is(&Error{Reason: SourceError, Message: "moody:1 failed", RetryAfter: time.Minute})
	r.reason(t, 0)
	r.is(nil)
	if got := r.reason(t, 9); got != BackingOff {
		t.Errorf("another query failed with %q, want %s", got, BackingOff)
	}
}

func TestOnlySoManyQueriesAreRemembered(t *testing.T) {
	clock := newByHand()
	r := &rest{timing: clock.timing(), name: "many:1"}
	fail := func(i int) {
		turn, err := r.begin(Query{Expression: fmt.Sprint("q", i)})
		if err != nil {
			t.Fatal(err)
		}
		turn.end(slow)
	}
	for i := range maxRestingQueries + 10 {
		fail(i)
	}
	if got := len(r.queries); got != maxRestingQueries {
		t.Errorf("%d queries are remembered, want %d", got, maxRestingQueries)
	}
	clock.advance(time.Second)
	fail(maxRestingQueries + 10)
	if got := len(r.queries); got != 1 {
		t.Errorf("after their time %d queries are remembered, want the last one alone", got)
	}
}

// panicking is a source with a bug.
type panicking struct{ moody }

var errBug = errors.New("a bug")

func (p *panicking) Measure(context.Context, Query, Window) (Answer, error) { panic(errBug) }

// Controllers recover: a bug in one measurement must not leave the source to rest for ever.
func TestAPanicEndsItsTurn(t *testing.T) {
	source, clock := &panicking{}, newByHand()
	limited := limitBy(source, "bug:1", Limits{Concurrent: 1}, clock.timing())
	for range 3 {
		turn, err := limited.rest.begin(allSites)
		if err != nil {
			t.Fatal(err)
		}
		turn.end(down)
	}
	clock.advance(time.Second)
	for i := range 2 {
		func() {
			defer func() {
				if got, _ := recover().(error); !errors.Is(got, errBug) {
					t.Errorf("probe %d: recovered %v, want the source's panic", i+1, got)
				}
			}()
			_, err := limited.Measure(t.Context(), allSites, at)
			t.Errorf("probe %d: got error %v, want the source's panic", i+1, err)
		}()
	}
	limited.Close()
}
