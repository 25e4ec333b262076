package calendar

import (
	"slices"
	"time"
)

// span is a stretch of time: from is in it, to is not.
type span struct{ from, to time.Time }

func (s span) contains(at time.Time) bool { return !at.Before(s.from) && at.Before(s.to) }

// spans returns stretches of time one after the other, in the order of their beginnings, and false at the end.
type spans func() (span, bool)

func none() (span, bool) { return span{}, false }

// once returns a single stretch.
func once(s span) spans {
	return func() (span, bool) {
		next := s
		s = span{}
		return next, next.from.Before(next.to)
	}
}

// slack is more than a wall clock was ever moved, with some time to spare.
const slack = 48 * time.Hour

// since returns the rest of a stretch from a moment on.
func (s span) since(moment time.Time) span {
	if s.from.Before(moment) {
		s.from = moment
	}
	return s
}

// between returns the occurrences of a window from one moment on that begin before another.
func (w window) between(from, to time.Time, zone *time.Location) spans {
	on := &clock{zone: zone}
	if w.rule == nil {
		if only := w.at(w.start, on).since(from); only.from.Before(to) {
			return once(only)
		}
		return none
	}
	starts := w.rule.between(wallAt(from, zone).Add(-w.length.atMost()), wallAt(to, zone).Add(slack))
	var waiting []span // in the order of their beginnings
	ended := false
	return func() (span, bool) {
		// A clock that is set forward reads times that it jumps over later than some that follow: nothing is sure before the wall is well past them.
		for sure := false; !ended && !sure; {
			start, ok := starts()
			if ended = !ok; ended {
				break
			}
			next := w.at(start, on)
			sure = len(waiting) > 0 && next.from.Sub(waiting[0].from) > slack
			if next = next.since(from); next.from.Before(next.to) && next.from.Before(to) {
				at, _ := slices.BinarySearchFunc(waiting, next, func(a, b span) int { return a.from.Compare(b.from) })
				waiting = slices.Insert(waiting, at, next)
			}
		}
		if len(waiting) == 0 {
			return span{}, false
		}
		next := waiting[0]
		waiting = waiting[1:]
		return next, true
	}
}

// union returns the stretches in which at least one of several is. Those that overlap or touch are one.
func union(all []spans) spans {
	var heads []span
	var rest []spans
	for _, s := range all {
		if head, ok := s(); ok {
			heads, rest = append(heads, head), append(rest, s)
		}
	}
	// take returns the first head that begins no later than a moment, and has the next one take its place.
	take := func(i int) span {
		taken, ok := heads[i], false
		if heads[i], ok = rest[i](); !ok {
			heads, rest = slices.Delete(heads, i, i+1), slices.Delete(rest, i, i+1)
		}
		return taken
	}
	return func() (span, bool) {
		if len(heads) == 0 {
			return span{}, false
		}
		joined := take(earliest(heads))
		for len(heads) > 0 {
			i := earliest(heads)
			if heads[i].from.After(joined.to) {
				break
			}
			if next := take(i); next.to.After(joined.to) {
				joined.to = next.to
			}
		}
		return joined, true
	}
}

func earliest(heads []span) int {
	first := 0
	for i := range heads {
		if heads[i].from.Before(heads[first].from) {
			first = i
		}
	}
	return first
}

// without returns what is left of stretches when others are taken out of them. Neither has stretches that overlap or touch.
func without(open, closed spans) spans {
	current, more := open()
	cut, cuts := closed()
	return func() (span, bool) {
		for more {
			for cuts && !cut.to.After(current.from) {
				cut, cuts = closed()
			}
			if !cuts || !cut.from.Before(current.to) {
				left := current
				current, more = open()
				return left, true
			}
			left := span{current.from, cut.from}
			if current.from = cut.to; !current.from.Before(current.to) {
				current, more = open()
			}
			if left.from.Before(left.to) {
				return left, true
			}
		}
		return span{}, false
	}
}

// intersection returns the stretches that are in all of several, of which none has stretches that overlap or touch.
func intersection(all []spans) spans {
	heads, more := make([]span, len(all)), len(all) > 0
	advance := func(i int) {
		var ok bool
		heads[i], ok = all[i]()
		more = more && ok
	}
	for i := range all {
		advance(i)
	}
	return func() (span, bool) {
		for more {
			common, ends := heads[0], 0
			for i, head := range heads {
				if head.from.After(common.from) {
					common.from = head.from
				}
				if head.to.Before(common.to) {
					common.to, ends = head.to, i
				}
			}
			advance(ends)
			if common.from.Before(common.to) {
				return common, true
			}
		}
		return span{}, false
	}
}
