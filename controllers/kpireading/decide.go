package kpireading

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/provider"
)

// judgement says whether a reading counts, and if not why.
type judgement struct {
	// reason and message are those of the Ready condition.
	reason, message string
	// forGood is true when the reading will not count unless a person changes an object.
	forGood bool
}

// judge looks first at what cannot be mended, then at what may still come, then at the rest.
func (s snapshot) judge() judgement {
	spec := s.object.Spec
	if reading := catalogue.Reading(s.object, spec.Site); reading.Standing(0) == provider.StandingFuture {
		return judgement{v1alpha1.ReasonReadingFuture, fmt.Sprintf(
			"spec.observedAt: %s had not come when the reading was created at %s, so this is no observation; create a new reading when the value is known, and delete this one",
			clockTime(reading.ObservedAt), clockTime(reading.EnteredAt)), true}
	}
	switch {
	case s.kpi == nil:
		return missing("spec.kpi", "KPI", spec.KPI)
	case s.site == nil:
		return missing("spec.site", "RolloutSite", spec.Site)
	case s.provider == nil:
		return missing(fmt.Sprintf("spec.kpi: the provider of KPI %q", spec.KPI), "MetricProvider", s.kpi.Spec.Provider.Name)
	case s.provider.Spec.Readings == nil:
		return judgement{v1alpha1.ReasonInvalidSpec, fmt.Sprintf(
			"spec.kpi: MetricProvider %q, which KPI %q asks, does not take readings; name a KPI whose provider has spec.readings", s.provider.Name, spec.KPI), true}
	}
	acceptWithin, err := s.provider.Spec.Readings.AcceptWithin.Parse()
	if err != nil {
		return judgement{v1alpha1.ReasonProviderNotReady, fmt.Sprintf("MetricProvider %q cannot be used: spec.readings.acceptWithin: %v", s.provider.Name, err), false}
	}
	return s.weigh(acceptWithin)
}

// weigh judges a reading that could count.
func (s snapshot) weigh(acceptWithin time.Duration) judgement {
	reading := s.reading(s.object)
	if reading.Standing(acceptWithin) == provider.StandingLate {
		return judgement{v1alpha1.ReasonReadingLate, fmt.Sprintf(
			"spec.observedAt: the value of %s was entered at %s, and MetricProvider %q accepts readings within %s; enter values sooner, or raise its spec.readings.acceptWithin",
			clockTime(reading.ObservedAt), clockTime(reading.EnteredAt), s.provider.Name, model.Duration(cmp.Or(acceptWithin, provider.DefaultAcceptWithin))), true}
	}
	if others := s.contradicting(reading, acceptWithin); len(others) > 0 {
		return judgement{v1alpha1.ReasonReadingContradicted, fmt.Sprintf(
			"%s another value for the same KPI, site and moment, so nobody can say which is the latest; delete what is wrong", whoHas(others)), true}
	}
	return judgement{v1alpha1.ReasonValid, fmt.Sprintf("the reading counts for KPI %q at site %q", s.kpi.Name, s.site.Name), false}
}

// contradicting names the readings that say something else about the same moment, in order. It matters only where the latest reading is asked for: in a mean
// each of them has its place.
func (s snapshot) contradicting(reading provider.Reading, acceptWithin time.Duration) []string {
	if provider.ReadingsQuery(strings.TrimSpace(s.kpi.Spec.Query)) != provider.ReadingsLatest {
		return nil
	}
	var names []string
	for _, object := range s.beside {
		other := s.reading(object)
		if other.Contradicts(reading) && other.Standing(acceptWithin) == provider.StandingCounts {
			names = append(names, object.Name)
		}
	}
	slices.Sort(names)
	return names
}

// reading is an object beside the judged one, or that itself, in the form in which it is judged and measured.
func (s snapshot) reading(object *v1alpha1.KPIReading) provider.Reading {
	return catalogue.Reading(object, plan.SiteID(s.site))
}

func missing(field, kind, name string) judgement {
	return judgement{v1alpha1.ReasonReferenceNotFound, fmt.Sprintf("%s: %s %q does not exist in this namespace; create it or correct the name", field, kind, name), false}
}

// whoHas says how many there are, and the name of the first.
func whoHas(names []string) string {
	if len(names) == 1 {
		return fmt.Sprintf("KPIReading %q has", names[0])
	}
	return fmt.Sprintf("%d KPIReadings, %q among them, have", len(names), names[0])
}

func clockTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
