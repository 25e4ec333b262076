package admit

import (
	"cmp"
	"slices"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// Member is a site in a wave.
type Member struct {
	// Site is the name of the site.
	Site string
	// Wave that the site is in; empty when no wave selects it any more.
	Wave string
	// LosesAdmission is true when the site was admitted as one of another wave and has not begun: this one has its own barrier.
	LosesAdmission bool
}

// Membership is how the SiteRollouts of a rollout have to change so that they match its sites.
type Membership struct {
	// Join are sites without a SiteRollout.
	Join []Member
	// Move are sites whose wave has changed. A site that has begun and that no wave selects any more keeps its story and gets no wave.
	Move []Member
	// Leave are sites that have not begun and that no wave selects any more, by name.
	Leave []string
}

// Sites returns what admission needs to know of every site that is in the rollout once a membership is made true.
func (m Membership) Sites(p plan.Plan, existing map[string]*v1alpha1.SiteRollout) []Site {
	moved, left := make(map[string]Member, len(m.Move)), make(map[string]bool, len(m.Leave))
	for _, member := range m.Move {
		moved[member.Site] = member
	}
	for _, site := range m.Leave {
		left[site] = true
	}
	sites := make([]Site, 0, len(existing)+len(m.Join))
	for name, sr := range existing {
		if left[name] {
			continue
		}
		site := SiteOf(p, sr)
		if member, moves := moved[name]; moves {
			site.Wave, site.Admitted = member.Wave, site.Admitted && !member.LosesAdmission
		}
		sites = append(sites, site)
	}
	for _, member := range m.Join {
		sites = append(sites, Site{Name: member.Site, Wave: member.Wave, Attempt: 1})
	}
	return sites
}

// Members compares the sites that the waves select with the SiteRollouts that exist, by name of the site.
func Members(p plan.Plan, sites []*v1alpha1.RolloutSite, existing map[string]*v1alpha1.SiteRollout) Membership {
	waveOf := make(map[string]string, len(sites))
	for _, site := range sites {
		if site.DeletionTimestamp == nil {
			waveOf[site.Name] = p.WaveOf(site)
		}
	}
	var m Membership
	for site, wave := range waveOf {
		if wave != "" && existing[site] == nil {
			m.Join = append(m.Join, Member{Site: site, Wave: wave})
		}
	}
	for site, sr := range existing {
		switch wave := waveOf[site]; {
		case wave == "" && len(sr.Status.Phases) == 0:
			m.Leave = append(m.Leave, site)
		case wave != sr.Spec.Wave:
			m.Move = append(m.Move, Member{Site: site, Wave: wave, LosesAdmission: len(sr.Status.Phases) == 0})
		}
	}
	bySite := func(a, b Member) int { return cmp.Compare(a.Site, b.Site) }
	slices.SortFunc(m.Join, bySite)
	slices.SortFunc(m.Move, bySite)
	slices.Sort(m.Leave)
	return m
}
