// Package calendar says when a RolloutCalendar is open: at a moment, and when that changes next.
//
// Windows are on a wall clock. Recurrence rules are computed on that clock, and each beginning and end is then read in a time zone, so that the days on which the
// clocks change come out right. The package cannot do I/O and has no clock.
package calendar

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Calendar is a RolloutCalendar that can be asked.
type Calendar struct {
	// Name of the RolloutCalendar.
	Name string
	// zone whose wall clock counts; nil for each site's own.
	zone *time.Location
	// sites that the calendar is for; nil for all.
	sites       labels.Selector
	allow, deny []window
}

// Mistake is something in the spec of a calendar that cannot work.
type Mistake struct {
	// Field as a path.
	Field string
	// Problem says what is wrong.
	Problem string
	// Remedy says what to do.
	Remedy string
}

// Error puts the mistake into one sentence.
func (m Mistake) Error() string { return fmt.Sprintf("%s: %s; %s", m.Field, m.Problem, m.Remedy) }

// Compile returns a calendar that can be asked, or every mistake in its spec.
func Compile(name string, spec v1alpha1.RolloutCalendarSpec) (*Calendar, []Mistake) {
	c := &Calendar{Name: name}
	var mistakes []Mistake
	if len(spec.Allow) == 0 && len(spec.Deny) == 0 {
		mistakes = append(mistakes, Mistake{"spec", "a calendar without windows says nothing", "add allow or deny"})
	}
	if spec.TimeZone != "" {
		var err error
		if c.zone, err = Zone(spec.TimeZone); err != nil {
			mistakes = append(mistakes, Mistake{"spec.timeZone", err.Error(), "write it like Europe/Berlin, or leave it out for the sites' own"})
		}
	}
	if spec.Sites != nil {
		var err error
		if c.sites, err = metav1.LabelSelectorAsSelector(spec.Sites); err != nil {
			mistakes = append(mistakes, Mistake{"spec.sites", err.Error(), "correct the selector"})
		}
	}
	for _, list := range []struct {
		field string
		from  []v1alpha1.CalendarWindow
		to    *[]window
	}{{"spec.allow", spec.Allow, &c.allow}, {"spec.deny", spec.Deny, &c.deny}} {
		for _, source := range list.from {
			w, mistake := parseWindow(source)
			if mistake != nil {
				mistake.Field = fmt.Sprintf("%s[name=%s]%s", list.field, source.Name, mistake.Field)
				mistakes = append(mistakes, *mistake)
			}
			*list.to = append(*list.to, w)
		}
	}
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	return c, nil
}

// Concerns reports whether the calendar is for a site. The labels of the site are asked for only when it depends on them.
func (c *Calendar) Concerns(site func() labels.Set) bool {
	return c.sites == nil || c.sites.Matches(site())
}

// ZoneOf returns the time zone whose wall clock counts for a site that is in another one.
func (c *Calendar) ZoneOf(site *time.Location) *time.Location {
	if c.zone != nil {
		return c.zone
	}
	return site
}

// OnSitesZones reports whether each site's own time zone counts.
func (c *Calendar) OnSitesZones() bool { return c.zone == nil }
