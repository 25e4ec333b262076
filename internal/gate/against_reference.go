package gate

import (
	"fmt"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// AgainstReference compares a value with another KPI at the same site and time: value - reference, or (value - reference) / |reference| in percent.
//
// Two KPIs are not measured in the same second. A value is compared with the latest one of the reference that is not newer, and only once the reference has a newer
// one or one of the same time, so that what is compared with what does not depend on the order in which the two arrive.
type AgainstReference struct {
	// KPI to compare with.
	KPI KPI
	// MaxExceptions is how many measurements of a run may be outside of the tolerance without ending it.
	MaxExceptions int32
}

func (a AgainstReference) missing(_ Criterion, f Facts) (reason, message string) {
	other := Criterion{KPI: a.KPI}
	e := f.Evidence(a.KPI)
	return other.unknown(e, last(e.within(f.NotBefore, a.KPI.Window)), f)
}

func last(samples []Sample) *Sample {
	if len(samples) == 0 {
		return nil
	}
	return &samples[len(samples)-1]
}

func (a AgainstReference) usable(_ Criterion, samples []Sample, f Facts) []Sample {
	references := f.Evidence(a.KPI).within(f.NotBefore, a.KPI.Window)
	var pairs []Sample
	for _, s := range samples {
		if newest := last(references); newest == nil || newest.Time.Before(s.Time) {
			break // a later one may still come in between
		}
		if _, found := a.partner(s, references); found {
			pairs = append(pairs, s)
		}
	}
	return pairs
}

// partner returns the value to compare with.
func (a AgainstReference) partner(s Sample, references []Sample) (Sample, bool) {
	for i := len(references) - 1; i >= 0; i-- {
		if !references[i].Time.After(s.Time) {
			return references[i], s.Time.Sub(references[i].Time) <= a.KPI.StaleAfter
		}
	}
	return Sample{}, false
}

func (a AgainstReference) compare(c Criterion, s Sample, f Facts) Compared {
	partner, found := a.partner(s, f.Evidence(a.KPI).within(f.NotBefore, a.KPI.Window))
	if !found {
		return unclear(v1alpha1.ReasonSampleMissing, "%s has no value to compare with that of %s at %s", a.KPI.Name, c.KPI.Name, clockTime(s.Time))
	}
	if partner.Samples < c.MinSamples {
		return unclear(v1alpha1.ReasonTooFewSamples, "%s", fewSamples(a.KPI.Name, partner, c.MinSamples))
	}
	compared := c.against(s, partner.Value)
	compared.Subject = fmt.Sprintf("%s is %s, %s from %s with %s", c.KPI.Name, c.plain(s.Value), c.change(compared.Number), a.KPI.Name, c.plain(partner.Value))
	return compared
}

func (a AgainstReference) words(threshold string) string {
	words := fmt.Sprintf("%s from %s", threshold, a.KPI.Name)
	if a.MaxExceptions > 0 {
		words += fmt.Sprintf(", with at most %d exceptions", a.MaxExceptions)
	}
	return words
}
