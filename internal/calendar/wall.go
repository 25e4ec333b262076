package calendar

import (
	"fmt"
	"sync"
	"time"
)

// A time on a wall clock is a time.Time in UTC that has the same date and the same time of the day, wherever the wall is.

// zones are the time zones that were loaded. They never change while the process runs, and reading one takes longer than all that is done with it.
var zones sync.Map

// Zone returns a time zone by its IANA name. The empty name is UTC.
func Zone(name string) (*time.Location, error) {
	if known, ok := zones.Load(name); ok {
		return known.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" { // "Local" would be the zone of the machine that the operator happens to run on
		return nil, fmt.Errorf("%q is not an IANA time zone", name)
	}
	zones.Store(name, zone)
	return zone, nil
}

// wallAt returns what the wall clock of a zone shows at a moment.
func wallAt(at time.Time, zone *time.Location) time.Time {
	local := at.In(zone)
	_, offset := local.Zone()
	return local.UTC().Add(time.Duration(offset) * time.Second)
}

// farthest is more than any wall clock is, or ever was, before or behind UTC.
const farthest = 16 * time.Hour

// instant returns when the wall clock of a zone shows a time, as RFC 5545 reads it. A time that comes twice, because the clock was set back, is the first of the two.
// One that never comes, because the clock was set forward over it, is read with the offset before that: it is as long after the change as it would have been.
func instant(wall time.Time, zone *time.Location) time.Time {
	before, after := offset(wall.Add(-farthest).In(zone)), offset(wall.Add(farthest).In(zone))
	first := wall.Add(-before)
	if before == after || offset(first.In(zone)) == before {
		return first
	}
	if second := wall.Add(-after); offset(second.In(zone)) == after {
		return second
	}
	return first
}

func offset(local time.Time) time.Duration {
	_, seconds := local.Zone()
	return time.Duration(seconds) * time.Second
}

// clock reads one wall clock again and again, and remembers the offset while it stays the same.
type clock struct {
	zone *time.Location
	// from and to bound the moments at which the offset is known, and at which no time comes twice.
	from, to time.Time
	offset   time.Duration
}

// instant returns when the clock shows a time.
func (c *clock) instant(wall time.Time) time.Time {
	if at := wall.Add(-c.offset); at.After(c.from) && at.Before(c.to) {
		return at
	}
	at := instant(wall, c.zone)
	local := at.In(c.zone)
	// From the year 2038 on the end may be too early, and even before the moment itself. Then nothing is remembered.
	c.from, c.to = local.ZoneBounds()
	if c.offset = offset(local); c.to.IsZero() {
		c.to = at.AddDate(cycle, 0, 0)
	}
	c.from = c.from.Add(slack)
	return at
}
