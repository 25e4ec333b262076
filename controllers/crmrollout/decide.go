package crmrollout

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
)

// decision is what happens to a rollout now.
type decision struct {
	admit.Seating
	// adopt are sites whose SiteRollout has no owner.
	adopt []string
	// repins are the sites that are to go on by another frozen plan than they were told, by name.
	repins map[string]admit.Site
	admit.Decision
	// sites after the members have moved.
	sites []admit.Site
	// outlook for the sites as they are before the decision is carried out.
	outlook outlook
}

// decide asks the rules.
func decide(s snapshot) decision {
	d := decision{Seating: admit.Seat(admit.Facts{
		Plans: s.plans, Sites: s.sites, Existing: s.existing, Rankings: s.rankings, Measured: s.measured, Now: s.now,
	})}
	for name, sr := range s.existing {
		if _, leaves := slices.BinarySearch(d.Members.Leave, name); !leaves && metav1.GetControllerOf(sr) == nil {
			d.adopt = append(d.adopt, name)
		}
	}
	slices.Sort(d.adopt)
	d.sites = d.Members.Sites(s.plans, s.revisions.current, s.existing)
	d.repins = map[string]admit.Site{}
	for _, site := range d.sites {
		if site.Repins {
			d.repins[site.Name] = site
		}
	}
	askCalendars(s, d.sites)
	d.Decision = admit.Decide(s.plan, d.sites, d.Unranked, s.now)
	d.outlook = foresee(s, d)
	return d
}

// ranks reports whether the sites of a wave are ranked now. They are admitted when that has been written down.
func (d decision) ranks() bool {
	return slices.Contains(slices.Collect(maps.Values(d.Unranked)), "")
}

// askCalendars finds out which sites calendars keep from starting their next phase now.
func askCalendars(s snapshot, sites []admit.Site) {
	objects := make(map[string]*v1alpha1.RolloutSite, len(s.sites))
	for _, object := range s.sites {
		objects[object.Name] = object
	}
	hours := admit.HoursAt(s.plan, s.now)
	for i := range sites {
		site := &sites[i]
		if coming := site.Coming(s.plan); coming != "" {
			site.Closed = hours.Closed(objects[site.Name], site.Wave, coming)
		}
	}
}

// name returns the name of the SiteRollout of a site. Neither part contains a dot, so no two pairs share a name.
func name(rollout *v1alpha1.CRMRollout, site string) string { return rollout.Name + "." + site }
