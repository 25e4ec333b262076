package admit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// Measured is what is known of the sites' values of KPIs.
type Measured struct {
	// Evidence returns what is known about a site's value of a KPI.
	Evidence func(kpi gate.KPI, site, siteID string) gate.Evidence
	// Knew reports whether the source's latest answer for a KPI was asked for when a site was known under its ID.
	Knew func(kpi gate.KPI, site, siteID string) bool
}

// Place is the place of a site in the ranking of its wave.
type Place struct {
	// Site is the name of the site.
	Site string
	// Place counts from 1.
	Place int32
	// Because tells the numbers that put it there.
	Because string
}

// number is a site's value of one rank key.
type number struct {
	known bool
	value float64
	words string
}

// rank puts sites in the order of their wave's ranking, the first at place 1. While a KPI has not been measured for one of them it makes none, and says what for: what
// a site's number would have been is not known, and the ranking is made once.
func rank(w plan.Wave, sites []*v1alpha1.RolloutSite, m Measured, now time.Time) (places []Place, pending string) {
	for _, key := range w.RankBy {
		for _, kpi := range key.Sources() {
			for _, site := range sites {
				if !m.answered(kpi, site, now) {
					return nil, fmt.Sprintf("its sites are ranked as soon as KPI %s has been measured for each of them", kpi.Name)
				}
			}
		}
	}
	numbers := make(map[string][]number, len(sites))
	for _, site := range sites {
		for _, key := range w.RankBy {
			numbers[site.Name] = append(numbers[site.Name], m.number(key, site, now))
		}
	}
	ordered := slices.Clone(sites)
	slices.SortFunc(ordered, func(a, b *v1alpha1.RolloutSite) int {
		for i, key := range w.RankBy {
			if order := better(key, numbers[a.Name][i], numbers[b.Name][i]); order != 0 {
				return order
			}
		}
		return cmp.Compare(a.Name, b.Name)
	})
	for i, site := range ordered {
		places = append(places, Place{Site: site.Name, Place: int32(i + 1), Because: because(numbers[site.Name])})
	}
	return places, ""
}

// better puts a site with a number before one without, and the better number first.
func better(key plan.RankKey, a, b number) int {
	switch {
	case a.known != b.known:
		return -cmp.Compare(truth(a.known), truth(b.known))
	case !a.known:
		return 0
	case key.LowestFirst:
		return cmp.Compare(a.value, b.value)
	}
	return -cmp.Compare(a.value, b.value)
}

func because(numbers []number) string {
	words := make([]string, 0, len(numbers))
	for _, n := range numbers {
		words = append(words, n.words)
	}
	return v1alpha1.Clip(strings.Join(words, ", "), v1alpha1.MaxBecause)
}

// answered reports whether the source was asked for a site's value, answered, and not too long ago.
func (m Measured) answered(kpi gate.KPI, site *v1alpha1.RolloutSite, now time.Time) bool {
	id := plan.SiteID(site)
	if !m.Knew(kpi, site.Name, id) {
		return false
	}
	e := m.Evidence(kpi, site.Name, id)
	return e.Latest != gate.OutcomeNone && e.Latest != gate.OutcomeFailed && now.Sub(e.LatestAt) <= kpi.StaleAfter
}

func (m Measured) number(key plan.RankKey, site *v1alpha1.RolloutSite, now time.Time) number {
	switch key.By {
	case v1alpha1.RankByUsers:
		if site.Spec.Users == nil {
			return number{words: "users unknown"}
		}
		return number{known: true, value: float64(*site.Spec.Users), words: fmt.Sprintf("users %d", *site.Spec.Users)}
	case v1alpha1.RankByAttribute:
		value, err := v1alpha1.Decimal(site.Spec.Attributes[key.Name]).Float()
		if err != nil {
			return number{words: "no number in attribute " + key.Name}
		}
		return number{known: true, value: value, words: key.Name + " " + string(v1alpha1.FormatDecimal(value))}
	case v1alpha1.RankByGate:
		id := plan.SiteID(site)
		facts := gate.Facts{SiteID: id, Now: now, Evidence: func(kpi gate.KPI) gate.Evidence { return m.Evidence(kpi, site.Name, id) }}
		ready := gate.Readiness(*key.Gate, facts)
		return number{known: true, value: float64(ready), words: fmt.Sprintf("%s %d%%", key.Name, ready)}
	}
	e := m.Evidence(key.KPI, site.Name, plan.SiteID(site))
	if len(e.Samples) == 0 || e.Latest != gate.OutcomeValue || now.Sub(e.Samples[len(e.Samples)-1].Time) > key.KPI.StaleAfter {
		return number{words: "no value of " + key.Name}
	}
	value := e.Samples[len(e.Samples)-1].Value
	return number{known: true, value: value, words: strings.TrimSpace(fmt.Sprintf("%s %s %s", key.Name, v1alpha1.FormatDecimal(value), key.KPI.Unit))}
}
