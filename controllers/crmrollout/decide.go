package crmrollout

import (
	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
)

// decision is what happens to a rollout now.
type decision struct {
	members admit.Membership
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
	for name, wave := range d.wave {
		site := admit.SiteOf(s.plan, s.existing[name])
		site.Wave = wave
		sites = append(sites, site)
	}
	for _, m := range d.members.Join {
		d.wave[m.Site] = m.Wave
		sites = append(sites, admit.Site{Name: m.Site, Wave: m.Wave, Admitted: -1})
	}
	d.Decision = admit.Decide(s.plan, sites)
	return d
}

// name returns the name of the SiteRollout of a site. Neither part contains a dot, so no two pairs share a name.
func name(rollout *v1alpha1.CRMRollout, site string) string { return rollout.Name + "." + site }
