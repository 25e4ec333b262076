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
	// wave of each site after the members have moved.
	wave map[string]string
}

// decide asks the rules. While the plan has mistakes, nobody joins, moves, leaves or is admitted: a wrong selector must not throw sites out.
func decide(s snapshot) decision {
	d := decision{wave: map[string]string{}}
	if len(s.plan.Mistakes) == 0 {
		d.members = admit.Members(s.plan, s.sites, s.existing)
	}
	for name, sr := range s.existing {
		if metav1.GetControllerOf(sr) == nil {
			d.adopt = append(d.adopt, name)
		}
	}
	slices.Sort(d.adopt)
	sites := make([]admit.Site, 0, len(s.existing)+len(d.members.Join))
	for name, sr := range s.existing {
		d.wave[name] = sr.Spec.Wave
	}
	for _, m := range d.members.Move {
		d.wave[m.Site] = m.Wave
	}
	for _, site := range d.members.Leave {
		delete(d.wave, site)
	}
	moved := map[string]bool{}
	for _, m := range d.members.Move {
		moved[m.Site] = true
	}
	for name, wave := range d.wave {
		site := admit.SiteOf(s.plan, s.existing[name])
		site.Wave = wave
		if moved[name] && !site.Begun {
			site.Admitted = false // it was admitted as a site of another wave; this one has its own barrier
		}
		sites = append(sites, site)
	}
	for _, m := range d.members.Join {
		d.wave[m.Site] = m.Wave
		sites = append(sites, admit.Site{Name: m.Site, Wave: m.Wave})
	}
	d.Decision = admit.Decide(s.plan, sites)
	return d
}

// name returns the name of the SiteRollout of a site. Neither part contains a dot, so no two pairs share a name.
func name(rollout *v1alpha1.CRMRollout, site string) string { return rollout.Name + "." + site }
