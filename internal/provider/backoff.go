package provider

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// patience is how many failures in a row pass for bad luck.
	patience = 3
	// firstRest and longestRest bound how long a failing source is left alone; each further failure doubles the time. The longest
	// is about an interval of a KPI, so that a source that is back is noticed.
	firstRest, longestRest = time.Second, 5 * time.Minute
	// longestRequestedRest bounds how long a source may ask to be left alone.
	longestRequestedRest = 10 * time.Minute
)

// rest leaves a source alone that fails again and again: its next queries fail at once, which costs the source nothing and
// keeps no measurement of another one waiting. When the time is over one query goes through as a probe. It never
// makes up an answer: who is refused gets an error, and without a number there is no verdict.
//
// What the source is left alone with depends on what the failures say. One that cannot be reached, or asks for peace, is left alone with everything. One
// that is too slow for some queries, or fails at them, is left alone with those, each for a time of its own: a probe that is one of them would fail
// over and over, and keep from the other KPIs of the source what it would have answered.
type rest struct {
	timing timing
	name   string

	mu sync.Mutex
	// failures are those in a row.
	failures int
	// query is the one that failed first in the row; several is true once another one failed too.
	query   string
	several bool
	// whole is the pause of the source as a whole.
	whole spell
	// queries are the pauses of those that the source failed at: in this row, or when they were last tried.
	queries map[string]*spell
	// row counts the rests of the whole, so that a query that began before one neither ends nor extends it.
	row int
}

// spell is the time during which something is not asked.
type spell struct {
	last *Error
	// failures are those that led here, and rests is how many times it was left alone since its last answer.
	failures, rests int
	// until is when it is asked again; zero while it is asked as ever.
	until time.Time
	// probing is true while the one query runs that may end it.
	probing bool
}

func (s *spell) resting() bool { return s != nil && !s.until.IsZero() }

// refuses reports whether nothing is to be asked now.
func (s *spell) refuses(now time.Time) bool { return s.resting() && (s.probing || now.Before(s.until)) }

// again says when it is asked again.
func (s *spell) again() string {
	if s.probing {
		return "as soon as the query that tries it now has an answer"
	}
	return "at " + s.until.UTC().Format(time.RFC3339)
}

// maxRestingQueries bounds what is remembered; a query beyond it is asked as ever.
const maxRestingQueries = 10_000

// turn is one query that is being asked.
type turn struct {
	rest  *rest
	query string
	row   int
	// tries are the pauses that the answer may end.
	tries []*spell
}

// refusal returns an error with reason BackingOff while the source is left alone, as a whole or with this query.
func (r *rest) refusal(q Query) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refuse(q)
}

func (r *rest) refuse(q Query) error {
	now := r.timing.now()
	if r.whole.refuses(now) {
		return newError(BackingOff, r.whole.last, "%s is left alone after %d %s and asked again %s; the last failure: %s",
			r.name, r.whole.failures, plural(r.whole.failures, "failure", "failures in a row"), r.whole.again(), r.whole.last.Message)
	}
	if s := r.queries[q.Expression]; s.refuses(now) {
		return newError(BackingOff, s.last, "%s is left alone with this query after %d %s and asked again %s; the last failure: %s",
			r.name, s.failures, plural(s.failures, "failure", "failures"), s.again(), s.last.Message)
	}
	return nil
}

// begin lets a query through, or refuses it. Who is let through must end its turn.
func (r *rest) begin(q Query) (turn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.refuse(q); err != nil {
		return turn{}, err
	}
	t := turn{rest: r, query: q.Expression, row: r.row}
	for _, s := range []*spell{&r.whole, r.queries[q.Expression]} {
		if s.resting() {
			s.probing = true
			t.tries = append(t.tries, s)
		}
	}
	return t, nil
}

// notAsked ends a turn of which nothing is known: nothing was sent, or nobody saw what came of it.
func (t turn) notAsked() {
	t.rest.mu.Lock()
	defer t.rest.mu.Unlock()
	t.leave()
}

func (t turn) leave() {
	for _, s := range t.tries {
		s.probing = false
	}
}

// take asks, and ends the turn. When ask panics somebody further up may go on, so the turn ends then too: else nobody could probe the source ever again.
func (t turn) take(ask func() error) error {
	returned := false
	defer func() {
		if !returned {
			t.notAsked()
		}
	}()
	err := ask()
	returned = true
	t.end(err)
	return err
}

// end notes what came of a query.
func (t turn) end(err error) {
	r := t.rest
	r.mu.Lock()
	defer r.mu.Unlock()
	t.leave()
	if t.row != r.row {
		return
	}
	var failure *Error
	switch {
	case err == nil:
		r.answered(t)
	case !errors.As(err, &failure) || failure.Reason == Canceled || failure.Reason == Closed:
		// That the caller gave up says nothing about the source.
	case !strains(failure.Reason):
		r.answered(t) // if only to refuse
	default:
		r.fail(failure, t)
	}
}

// answered ends the row, the pause of the whole, and that of the query which was answered. The others that rest were failed at whatever else was answered.
func (r *rest) answered(t turn) {
	r.failures, r.query, r.several, r.whole = 0, "", false, spell{}
	for query, s := range r.queries {
		if !s.resting() || slices.Contains(t.tries, s) {
			delete(r.queries, query)
		}
	}
}

// fail counts a failure, and begins or extends a rest when they are too many.
func (r *rest) fail(failure *Error, t turn) {
	if r.failures == 0 {
		r.query = t.query
	}
	r.failures++
	r.several = r.several || t.query != r.query
	if aboutTheQuery(failure) {
		r.failQuery(failure, t)
		return
	}
	r.whole.last, r.whole.failures = failure, r.failures
	pause := min(failure.RetryAfter, longestRequestedRest)
	if pause <= 0 && r.failures < patience {
		return
	}
	if pause <= 0 {
		pause = r.pause(r.failures - patience)
	}
	r.whole.until = r.timing.now().Add(pause)
	r.row++
}

// failQuery counts a failure that may be the query's own. Those of a single query, which harms nobody but its own KPI, are borne; when several fail, each
// of them is left alone. A query that was tried after its rest and failed again goes back to it.
func (r *rest) failQuery(failure *Error, t turn) {
	r.whole.until = time.Time{} // it can be reached
	s := r.note(t.query)
	tried := slices.Contains(t.tries, s)
	if s == nil || s.resting() && !tried {
		return // it began before the query was left alone
	}
	s.last, s.failures = failure, s.failures+1
	if tried {
		r.leaveAlone(s)
	}
	if r.failures < patience || !r.several {
		return
	}
	for _, failed := range r.queries {
		if !failed.resting() {
			r.leaveAlone(failed)
		}
	}
}

// note returns what is remembered of a query. It forgets those whose time is over when there are too many, and returns nil when there still are.
func (r *rest) note(query string) *spell {
	if s := r.queries[query]; s != nil {
		return s
	}
	if len(r.queries) >= maxRestingQueries {
		now := r.timing.now()
		maps.DeleteFunc(r.queries, func(_ string, s *spell) bool { return !s.refuses(now) })
	}
	if len(r.queries) >= maxRestingQueries {
		return nil
	}
	if r.queries == nil {
		r.queries = map[string]*spell{}
	}
	s := &spell{}
	r.queries[query] = s
	return s
}

func (r *rest) leaveAlone(s *spell) {
	s.until = r.timing.now().Add(r.pause(s.rests))
	s.rests++
}

// pause returns how long something is left alone that was so many times before: twice as long as the last time, less up to a half by chance, so
// that what failed together does not come back together.
func (r *rest) pause(before int) time.Duration {
	pause := firstRest
	for i := 0; i < before && pause < longestRest; i++ {
		pause *= 2
	}
	pause = min(pause, longestRest)
	return pause - time.Duration(r.timing.chance()*float64(pause)/2)
}

// aboutTheQuery reports whether a failure may be that of one query, and says nothing about the others of its source.
func aboutTheQuery(failure *Error) bool {
	return (failure.Reason == Timeout || failure.Reason == SourceError) && failure.RetryAfter <= 0
}

// strains reports whether a failure is one that asking again soon makes worse, or that asking again soon cannot mend.
func strains(reason Reason) bool {
	switch reason {
	case Unreachable, Timeout, RateLimited, SourceError:
		return true
	}
	return false
}

func plural(n int, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}
