package admit

import (
	"cmp"
	"slices"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Member is a site in a wave.
type Member struct {
	// Site is the name of the site.
	Site string
	// Wave that the site is in; empty when no wave selects it any more.
	Wave string
	// Rank is its place in the ranking of the wave, from 1; 0 for none.
	Rank int32
	// LosesAdmission is true when the site was admitted as one of another wave and has not begun: this one has its own barrier.
	LosesAdmission bool
}

// Membership is how the SiteRollouts of a rollout have to change so that they match its sites.
type Membership struct {
	// Join are sites without a SiteRollout.
	Join []Member
	// Move are sites whose wave or place has changed. A site that has begun and that no wave selects any more keeps its story and gets no wave.
	Move []Member
	// Leave are sites that have not begun and that no wave selects any more, by name.
	Leave []string
}

// Sites returns what admission needs to know of every site that is in the rollout once a membership is made true, and of those that give up a slot for that.
// Current is the revision of the live plan.
func (m Membership) Sites(plans *Plans, current string, existing map[string]*v1alpha1.SiteRollout) []Site {
	moved, left := make(map[string]Member, len(m.Move)), make(map[string]bool, len(m.Leave))
	for _, member := range m.Move {
		moved[member.Site] = member
	}
	for _, site := range m.Leave {
		left[site] = true
	}
	sites := make([]Site, 0, len(existing)+len(m.Join))
	for name, sr := range existing {
		site := plans.Site(sr, current)
		member, moves := moved[name]
		if site.Admitted && (left[name] || member.LosesAdmission) {
			site.Admitted, site.Vacates = false, site.Wave
		}
		if moves {
			site.Wave, site.Rank = member.Wave, member.Rank
		}
		switch {
		case !left[name]:
			sites = append(sites, site)
		case site.Vacates != "":
			sites = append(sites, Site{Name: name, Next: len(plans.Live.Phases), Vacates: site.Vacates})
		}
	}
	for _, member := range m.Join {
		sites = append(sites, Site{Name: member.Site, Wave: member.Wave, Rank: member.Rank, Attempt: 1, Revision: current})
	}
	return sites
}

// seat is where a site belongs.
type seat struct {
	wave string
	rank int32
}

// changes compares where sites belong with the SiteRollouts that exist, by name of the site.
func changes(seats map[string]seat, existing map[string]*v1alpha1.SiteRollout) Membership {
	var m Membership
	for site, at := range seats {
		if at.wave != "" && existing[site] == nil {
			m.Join = append(m.Join, Member{Site: site, Wave: at.wave, Rank: at.rank})
		}
	}
	for site, sr := range existing {
		at, begun := seats[site], begun(sr)
		switch moves := at.wave != sr.Spec.Wave; {
		case at.wave == "" && !begun:
			m.Leave = append(m.Leave, site)
		case moves || at.rank != rankOf(sr):
			m.Move = append(m.Move, Member{Site: site, Wave: at.wave, Rank: at.rank, LosesAdmission: moves && !begun})
		}
	}
	bySite := func(a, b Member) int { return cmp.Compare(a.Site, b.Site) }
	slices.SortFunc(m.Join, bySite)
	slices.SortFunc(m.Move, bySite)
	slices.Sort(m.Leave)
	return m
}

// begun reports whether a site has begun a phase, ever.
func begun(sr *v1alpha1.SiteRollout) bool { return sr != nil && len(sr.Status.Phases) > 0 }

func rankOf(sr *v1alpha1.SiteRollout) int32 {
	if sr == nil || sr.Spec.Rank == nil {
		return 0
	}
	return *sr.Spec.Rank
}
