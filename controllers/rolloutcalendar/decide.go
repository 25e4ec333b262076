package rolloutcalendar

import (
	"time"

	"github.com/crmops/rollout-operator/internal/calendar"
)

// standing is where a calendar stands in one time zone.
type standing struct {
	zone *time.Location
	calendar.State
}

// decision is where a calendar stands in all of its time zones.
type decision struct {
	all []standing
	// open counts those in which it is open.
	open int
	// next is the one that opens or closes first; nil when none does within five years.
	next *standing
	// nextLook is when something can change.
	nextLook time.Time
}

// decide asks the rules.
func decide(s snapshot) decision {
	d := decision{nextLook: s.now.Add(lookAtLeast)}
	for _, zone := range s.zones {
		at := standing{zone, s.calendar.At(s.now, zone)}
		d.all = append(d.all, at)
		if at.Open {
			d.open++
		}
		if !at.NextLook.IsZero() && at.NextLook.Before(d.nextLook) {
			d.nextLook = at.NextLook
		}
	}
	for i := range d.all {
		if at := &d.all[i]; !at.changes().IsZero() && (d.next == nil || at.changes().Before(d.next.changes())) {
			d.next = at
		}
	}
	return d
}

// changes returns when the calendar opens or closes next; zero for not within five years.
func (s standing) changes() time.Time {
	if s.Open {
		return s.NextClosing
	}
	return s.NextOpening
}
