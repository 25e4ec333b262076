package measure

import (
	"slices"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/provider"
)

// Collect turns the answer of a source, which speaks of site IDs, into a measurement that speaks of sites. A site ID that several
// sites claim gives none of them a value. It also counts the values that name no site.
func Collect(answer provider.Answer, sites []*v1alpha1.RolloutSite, at time.Time) (m Measurement, unknown int) {
	m = Measurement{Time: at, Values: map[string]gate.Sample{}, Ambiguous: map[string]bool{}, IDs: make(map[string]string, len(sites))}
	byID := make(map[string][]string, len(sites))
	for _, site := range sites {
		id := plan.SiteID(site)
		byID[id] = append(byID[id], site.Name)
		m.IDs[site.Name] = id
	}
	for _, sample := range answer.Samples {
		names := byID[sample.Site]
		switch len(names) {
		case 0:
			unknown++
		case 1:
			m.Values[names[0]] = gate.Sample{Value: sample.Value, Time: sample.Time.Truncate(time.Second), Samples: sample.Samples}
		default:
			for _, name := range names {
				m.Ambiguous[name] = true
			}
		}
	}
	for _, id := range answer.Ambiguous {
		for _, name := range byID[id] {
			m.Ambiguous[name] = true
		}
	}
	return m, unknown
}

// maxNamedSites bounds the sites that a status names.
const maxNamedSites = 10

// Summarise describes a measurement over all sites.
func Summarise(m Measurement, sites []*v1alpha1.RolloutSite, unknown int) *v1alpha1.KPISummary {
	summary := &v1alpha1.KPISummary{Unknown: int32(min(unknown, maxCount))}
	var values []float64
	var missing []string
	for _, site := range sites {
		if m.outcome(site.Name) == gate.OutcomeValue {
			values = append(values, m.Values[site.Name].Value)
		} else {
			missing = append(missing, site.Name)
		}
	}
	slices.Sort(missing)
	summary.Sites, summary.Missing = int32(len(values)), int32(len(missing))
	summary.MissingSites = missing[:min(len(missing), maxNamedSites)]
	if len(values) > 0 {
		slices.Sort(values)
		summary.Min = v1alpha1.FormatDecimal(values[0])
		summary.Median = v1alpha1.FormatDecimal(median(values))
		summary.Max = v1alpha1.FormatDecimal(values[len(values)-1])
	}
	return summary
}

// maxCount keeps a count that a source controls within the type of the status field.
const maxCount = 1 << 30

// median of sorted values, the mean of the two in the middle when their number is even.
func median(sorted []float64) float64 {
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return sorted[half-1] + (sorted[half]-sorted[half-1])/2
}
