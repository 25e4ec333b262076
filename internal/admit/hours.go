package admit

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/calendar"
	"github.com/crmops/rollout-operator/internal/plan"
)

// Hours answers for the calendars of a plan at one moment. What it has found out for one site it knows for the others of the same time zone.
type Hours struct {
	calendars plan.Calendars
	now       time.Time
	// named are the calendars by wave and phase.
	named map[place][]*calendar.Calendar
	known map[question]Block
}

// place is where a site stands.
type place struct{ wave, phase string }

// question is what an answer depends on.
type question struct {
	place
	zone string
	// concerned has a bit for each calendar of the place that is for the site.
	concerned uint64
}

// HoursAt returns what answers for the calendars of a plan at a moment.
func HoursAt(p plan.Plan, now time.Time) *Hours {
	return &Hours{calendars: p.Calendars, now: now, named: map[place][]*calendar.Calendar{}, known: map[question]Block{}}
}

// Closed returns why a site of a wave may not start a phase now, as far as calendars are concerned; zero when it may. The site is nil when it does not exist any more.
func (h *Hours) Closed(site *v1alpha1.RolloutSite, wave, phase string) Block {
	asked := question{place: place{wave, phase}}
	calendars, seen := h.named[asked.place]
	if !seen {
		calendars = h.calendars.Of(wave, phase)
		h.named[asked.place] = calendars
	}
	if site == nil || len(calendars) == 0 {
		return Block{}
	}
	set := func() labels.Set { return plan.SiteLabels(site) }
	for i, c := range calendars {
		if c.Concerns(set) {
			asked.concerned |= 1 << i
		}
	}
	asked.zone = site.Spec.TimeZone
	block, seen := h.known[asked]
	if !seen {
		block = h.ask(calendars, asked)
		h.known[asked] = block
	}
	return block
}

// ask asks the calendars that are for a site.
func (h *Hours) ask(calendars []*calendar.Calendar, asked question) Block {
	zone, unknown := calendar.Zone(asked.zone)
	var all []calendar.Asked
	var closed *calendar.Calendar
	by := ""
	for i, c := range calendars {
		if asked.concerned&(1<<i) == 0 {
			continue
		}
		if unknown != nil && c.OnSitesZones() {
			return Block{Reason: v1alpha1.ReasonWaitingForCalendar, Message: fmt.Sprintf(
				"calendar %s is on the wall clock of the site, and spec.timeZone of the RolloutSite is wrong: %v; write it like Europe/Berlin, or leave it out for UTC", c.Name, unknown)}
		}
		one := calendar.Asked{Calendar: c, In: c.ZoneOf(zone)}
		all = append(all, one)
		if open, window := c.Decides(h.now, one.In); !open && closed == nil {
			closed, by = c, window
		}
	}
	if closed == nil {
		return Block{}
	}
	opens := calendar.Opens(all, h.now)
	return Block{Reason: v1alpha1.ReasonWaitingForCalendar, Message: hoursMessage(closed.Name, by, opens, zone), Until: opens}
}

func hoursMessage(calendar, window string, opens time.Time, zone *time.Location) string {
	message := fmt.Sprintf("calendar %s is closed by its window %s", calendar, window)
	if window == "" {
		message = fmt.Sprintf("calendar %s is closed: none of its windows is open", calendar)
	}
	if opens.IsZero() {
		return message + "; the phase may not start within five years"
	}
	message += "; the phase may start at " + opens.UTC().Format(time.RFC3339)
	if zone == nil {
		return message
	}
	if _, offset := opens.In(zone).Zone(); offset != 0 {
		message += fmt.Sprintf(", which is %s in %s", opens.In(zone).Format(time.RFC3339), zone)
	}
	return message
}
