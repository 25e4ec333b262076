package admit

import (
	"cmp"
	"slices"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// pick seats the best of the selected sites, as many as the wave picks, and returns those that are left to later waves. Until the picking is done, a site that could be picked
// is left to nobody. A site that began elsewhere is not picked any more.
func (h *hall) pick(w plan.Wave, selected []*v1alpha1.RolloutSite) (left []*v1alpha1.RolloutSite) {
	var members, candidates []*v1alpha1.RolloutSite
	fixed := 0
	for _, site := range selected {
		sr := h.Existing[site.Name]
		mine := sr != nil && sr.Spec.Wave == w.Name
		switch {
		case mine && begun(sr):
			h.seats[site.Name] = seat{wave: w.Name, rank: rankOf(sr)}
			fixed++
		case begun(sr):
			left = append(left, site)
		case mine && sr.Spec.Rank != nil:
			members = append(members, site)
		default:
			candidates = append(candidates, site)
		}
	}
	free := max(0, w.Pick-fixed)
	switch {
	case !h.made(w):
		return append(left, h.pickFirst(w, members, candidates, free)...)
	case h.placed(w, begun): // as long as one that has begun is in the wave, places stay as they are
		for _, site := range members {
			h.seats[site.Name] = seat{wave: w.Name, rank: rankOf(h.Existing[site.Name])}
		}
		return append(left, candidates...)
	}
	return append(left, h.pickAgain(w, members, candidates, free)...)
}

// leaving counts the sites that are in a wave and give their seats up: one that is not selected any more, or not among those who stay. Until that is written, and it may be refused
// because a site begins at this very moment, nobody gets these seats.
func (h *hall) leaving(w plan.Wave, stay map[string]bool) int {
	count := 0
	for name, sr := range h.Existing {
		if sr.Spec.Wave == w.Name && !stay[name] && h.seats[name].wave != w.Name {
			count++
		}
	}
	return count
}

// pickFirst ranks the sites that can be picked, and seats the best.
func (h *hall) pickFirst(w plan.Wave, members, candidates []*v1alpha1.RolloutSite, free int) (left []*v1alpha1.RolloutSite) {
	places := h.rankNow(w, slices.Concat(members, candidates))
	if len(places) == 0 { // whoever was seated by a ranking that could not be finished keeps the seat until there is another
		for _, site := range members {
			h.seats[site.Name] = seat{wave: w.Name, rank: rankOf(h.Existing[site.Name])}
		}
		h.answer.Unpicked += len(candidates)
		return nil
	}
	left, seated := h.sit(w, places, slices.Concat(members, candidates), free)
	if !seated { // another ranking gave seats away that are still to be given up
		h.answer.Unranked[w.Name] = "its sites are about to be ranked"
		delete(h.answer.Rankings, w.Name)
		h.answer.Unpicked += len(left)
		return nil
	}
	return left
}

// sit seats the first of a ranking, and returns the others. It reports false when somebody has to wait for a seat that is still to be given up.
func (h *hall) sit(w plan.Wave, places []Place, sites []*v1alpha1.RolloutSite, free int) (left []*v1alpha1.RolloutSite, seated bool) {
	best := places[:min(free, len(places))]
	stay, mine := make(map[string]bool, len(best)), func(site string) bool { return h.Existing[site] != nil && h.Existing[site].Spec.Wave == w.Name }
	for _, place := range best {
		if stay[place.Site] = true; mine(place.Site) {
			free--
		}
	}
	free -= h.leaving(w, stay)
	seated = true
	for _, place := range best {
		switch {
		case mine(place.Site):
		case free > 0:
			free--
		default:
			seated = false
			continue
		}
		h.seats[place.Site] = seat{wave: w.Name, rank: place.Place}
	}
	return slices.DeleteFunc(sites, func(site *v1alpha1.RolloutSite) bool { return h.seats[site.Name].wave == w.Name }), seated
}

// pickAgain fills the places of sites that left before anybody has begun with the next best, and gives up the worst when fewer are to be picked now. The order stays that of the ranking;
// who was not in it comes after those who were, by the numbers of now. A site that is about to begin in another wave is left there.
func (h *hall) pickAgain(w plan.Wave, members, candidates []*v1alpha1.RolloutSite, free int) (left []*v1alpha1.RolloutSite) {
	ranking := h.answer.Rankings[w.Name]
	known, last := map[string]int32{}, int32(0)
	for _, place := range ranking.Places {
		known[place.Site], last = place.Place, max(last, place.Place)
	}
	order := make([]Place, 0, len(members)+len(candidates))
	for _, site := range members {
		place := rankOf(h.Existing[site.Name])
		order, last = append(order, Place{Site: site.Name, Place: place}), max(last, place)
	}
	var strangers, kept []*v1alpha1.RolloutSite
	sites := members
	for _, site := range candidates {
		sr := h.Existing[site.Name]
		switch place, ranked := known[site.Name]; {
		case sr != nil && sr.Spec.AdmittedThrough != "":
			kept = append(kept, site)
			continue
		case ranked:
			order = append(order, Place{Site: site.Name, Place: place})
		default:
			strangers = append(strangers, site)
		}
		sites = append(sites, site)
	}
	slices.SortFunc(order, func(a, b Place) int { return cmp.Or(cmp.Compare(a.Place, b.Place), cmp.Compare(a.Site, b.Site)) })
	if len(order) < free && h.open[w.Name] && len(w.Mistakes) == 0 {
		places, _ := rank(w, strangers, h.Measured, h.Now)
		for _, place := range places[:min(len(places), free-len(order))] {
			place.Place += last
			order = append(order, place)
			ranking.Places = append(slices.Clip(ranking.Places), place)
		}
		h.answer.Rankings[w.Name] = ranking
	}
	left, _ = h.sit(w, order, sites, free)
	return append(kept, left...)
}
