package plan

import (
	"cmp"
	"slices"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Candidates returns the sites that can be in the control group of a site, in the order in which they are taken: those that stay unchanged for the longest come first,
// that is sites in no wave of the plan, then those of the last wave, and so on; of one wave those that come last by name, which is the order in which slots are given.
// Wave returns the name of the wave that a site is in. Begun reports whether a site has begun the phase that declares the baseline, or is about to.
func (p Plan) Candidates(c Controls, site *v1alpha1.RolloutSite, sites []*v1alpha1.RolloutSite, wave func(*v1alpha1.RolloutSite) string, begun func(site string) bool) []*v1alpha1.RolloutSite {
	own := SiteLabels(site)
	var candidates []*v1alpha1.RolloutSite
	for _, other := range sites {
		if other.Name == site.Name || begun(other.Name) {
			continue
		}
		labels := SiteLabels(other)
		if !slices.ContainsFunc(c.SameLabels, func(label string) bool { return labels[label] != own[label] }) {
			candidates = append(candidates, other)
		}
	}
	order := map[string]int{}
	for i, w := range p.Waves {
		order[w.Name] = i + 1
	}
	turn := make(map[string]int, len(candidates))
	for _, other := range candidates {
		if turn[other.Name] = order[wave(other)]; turn[other.Name] == 0 {
			turn[other.Name] = len(p.Waves) + 1
		}
	}
	slices.SortFunc(candidates, func(a, b *v1alpha1.RolloutSite) int {
		return cmp.Or(cmp.Compare(turn[b.Name], turn[a.Name]), cmp.Compare(b.Name, a.Name))
	})
	return candidates
}
