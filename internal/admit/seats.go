package admit

import (
	"cmp"
	"slices"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// Facts are what decides which wave each site belongs to, and its place there.
type Facts struct {
	// Plans of the rollout and of its sites.
	Plans *Plans
	// Sites of the namespace, in the order of their names.
	Sites []*v1alpha1.RolloutSite
	// Existing SiteRollouts of the rollout by the name of their site.
	Existing map[string]*v1alpha1.SiteRollout
	// Rankings that have been made and written down, by wave.
	Rankings map[string]Ranking
	// Measured is what is known of the sites.
	Measured Measured
	// Now is the time of the question.
	Now time.Time
}

// Ranking is the ranking of a wave's sites, which is made once.
type Ranking struct {
	// At is when it was made.
	At time.Time
	// Places that are told; each site's own place stands in its SiteRollout as well.
	Places []Place
}

// Seating is the answer: who belongs where, and what the waves' rankings are.
type Seating struct {
	// Members are the changes that make it true.
	Members Membership
	// Rankings by wave, with those that are made now. These count once they are written down, after the members were.
	Rankings map[string]Ranking
	// Unranked are the waves whose sites do not begin before they are ranked, with what their ranking waits for; nothing when it has just been made.
	Unranked map[string]string
	// Unpicked is the number of sites that are in no wave because a wave that could pick them has not.
	Unpicked int
}

// Seat decides which wave each site belongs to. A wave that is open ranks its sites as soon as their numbers are there, and picks the best if it picks. While the plan has mistakes, nobody
// moves: a wrong selector must not throw sites out.
func Seat(f Facts) Seating {
	if len(f.Plans.Live.Mistakes) > 0 {
		return Seating{Rankings: f.Rankings}
	}
	s := f.seat(nil)
	picks := slices.ContainsFunc(f.Plans.Live.Waves, func(w plan.Wave) bool { return w.Pick > 0 })
	if f.Plans.Live.Suspended || (len(s.Unranked) == 0 && !picks) {
		return s
	}
	open, sites := map[string]bool{}, s.Members.Sites(f.Plans, "", f.Existing)
	for _, w := range waves(f.Plans.Live, sites, count(f.Plans.Live, sites), s.Unranked, f.Now) {
		open[w.Name] = w.State != v1alpha1.WaveClosed
	}
	return f.seat(open)
}

// hall is a seating while it is made.
type hall struct {
	Facts
	seats map[string]seat
	// left are the sites that no wave has taken so far, in the order of their names.
	left []*v1alpha1.RolloutSite
	// open are the waves that may rank now.
	open   map[string]bool
	answer Seating
}

// seat lets one wave after the other take its sites.
func (f Facts) seat(open map[string]bool) Seating {
	h := hall{Facts: f, open: open, seats: make(map[string]seat, len(f.Sites)), answer: Seating{Rankings: map[string]Ranking{}, Unranked: map[string]string{}}}
	for _, site := range f.Sites {
		if site.DeletionTimestamp == nil {
			h.left = append(h.left, site)
		}
	}
	for i := range f.Plans.Live.Waves {
		h.take(f.Plans.Live.Waves[i])
	}
	h.answer.Members = changes(h.seats, f.Existing)
	return h.answer
}

// take gives a wave the sites that it selects, out of those that are left.
func (h *hall) take(w plan.Wave) {
	var selected, others []*v1alpha1.RolloutSite
	for _, site := range h.left {
		if w.Selects(site) {
			selected = append(selected, site)
		} else {
			others = append(others, site)
		}
	}
	switch {
	case len(w.RankBy) == 0:
		for _, site := range selected {
			h.seats[site.Name] = seat{wave: w.Name}
		}
	case w.Pick == 0:
		h.rankAll(w, selected)
	default:
		others = append(others, h.pick(w, selected)...)
		slices.SortFunc(others, func(a, b *v1alpha1.RolloutSite) int { return cmp.Compare(a.Name, b.Name) })
	}
	h.left = others
}

// made reports whether the sites of a wave have been ranked: it was written down, or can be seen from a site that has been admitted since, or has begun. What is only seen counts for those
// who have not begun once it is written down, as if it had just been made.
func (h *hall) made(w plan.Wave) bool {
	ranking, made := h.Rankings[w.Name]
	if !made && h.placed(w, func(sr *v1alpha1.SiteRollout) bool { return sr.Spec.AdmittedThrough != "" || begun(sr) }) {
		made, ranking = true, Ranking{At: h.Now}
		h.answer.Unranked[w.Name] = ""
	}
	if made {
		h.answer.Rankings[w.Name] = ranking
	}
	return made
}

// placed reports whether a wave has a site with a place in its ranking of which something is true. One that leaves the wave counts until that is written: what rests on its leaving comes
// after it.
func (h *hall) placed(w plan.Wave, is func(*v1alpha1.SiteRollout) bool) bool {
	for _, sr := range h.Existing {
		if sr.Spec.Wave == w.Name && sr.Spec.Rank != nil && is(sr) {
			return true
		}
	}
	return false
}

// rankAll seats every selected site, in the order of the ranking where it has been made. Sites that have begun, or that join later, have no place.
func (h *hall) rankAll(w plan.Wave, selected []*v1alpha1.RolloutSite) {
	for _, site := range selected {
		at := seat{wave: w.Name}
		if sr := h.Existing[site.Name]; sr != nil && sr.Spec.Wave == w.Name {
			at.rank = rankOf(sr)
		}
		h.seats[site.Name] = at
	}
	if h.made(w) {
		return
	}
	fresh := slices.DeleteFunc(slices.Clone(selected), func(site *v1alpha1.RolloutSite) bool { return begun(h.Existing[site.Name]) })
	for _, place := range h.rankNow(w, fresh) {
		h.seats[place.Site] = seat{wave: w.Name, rank: place.Place}
	}
}

// rankNow ranks sites if that is possible now, and notes the ranking, or what it waits for.
func (h *hall) rankNow(w plan.Wave, sites []*v1alpha1.RolloutSite) []Place {
	var places []Place
	pending := ""
	switch {
	case h.Plans.Live.Suspended:
		pending = "its sites are ranked when the rollout goes on"
	case !h.open[w.Name]:
		pending = "its sites are ranked when it opens"
	case len(w.Mistakes) > 0:
		pending = "its sites cannot be ranked: " + plan.Sentences(w.Mistakes)
	case len(sites) == 0:
		pending = "its sites are ranked as soon as there are some"
	default:
		places, pending = rank(w, sites, h.Measured, h.Now)
	}
	if h.answer.Unranked[w.Name] = pending; pending == "" {
		h.answer.Rankings[w.Name] = Ranking{At: h.Now, Places: places}
	}
	return places
}
