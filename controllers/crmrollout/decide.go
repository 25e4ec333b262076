package crmrollout

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
)

// decision is what happens to a rollout now.
type decision struct {
	members admit.Membership
	// adopt are sites whose SiteRollout has no owner.
	adopt []string
	admit.Decision
	// sites after the members have moved.
	sites []admit.Site
}

// decide asks the rules. While the plan has mistakes, nobody joins, moves, leaves or is admitted: a wrong selector must not throw sites out.
func decide(s snapshot) decision {
	var d decision
	if len(s.plan.Mistakes) == 0 {
		d.members = admit.Members(s.plan, s.sites, s.existing)
	}
	for name, sr := range s.existing {
		if _, leaves := slices.BinarySearch(d.members.Leave, name); !leaves && metav1.GetControllerOf(sr) == nil {
			d.adopt = append(d.adopt, name)
		}
	}
	slices.Sort(d.adopt)
	d.sites = d.members.Sites(s.plan, s.existing)
	askCalendars(s, d.sites)
	d.Decision = admit.Decide(s.plan, d.sites, s.now)
	return d
}

// askCalendars finds out which sites calendars keep from starting their next phase now.
func askCalendars(s snapshot, sites []admit.Site) {
	objects := make(map[string]*v1alpha1.RolloutSite, len(s.sites))
	for _, object := range s.sites {
		objects[object.Name] = object
	}
	hours := admit.HoursAt(s.plan, s.now)
	for i := range sites {
		if site := &sites[i]; site.Next < len(s.plan.Phases) && !site.Running {
			site.Closed = hours.Closed(objects[site.Name], site.Wave, s.plan.Phases[site.Next].Name)
		}
	}
}

// name returns the name of the SiteRollout of a site. Neither part contains a dot, so no two pairs share a name.
func name(rollout *v1alpha1.CRMRollout, site string) string { return rollout.Name + "." + site }
