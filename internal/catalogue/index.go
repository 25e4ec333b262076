package catalogue

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// Indexes of the cache.
const (
	// FieldRollout finds SiteRollouts by the rollout that they belong to, and RolloutDecisions by the one that they are about.
	FieldRollout = "spec.rollout"
	// FieldSite finds SiteRollouts by the site that moves, and KPIReadings by the site that they are for.
	FieldSite = "spec.site"
	// FieldWave finds SiteRollouts by their rollout and wave together, see WaveOf.
	FieldWave = "wave"
	// FieldSiteID finds RolloutSites by the text by which metric sources call them.
	FieldSiteID = "siteID"
	// FieldKPI finds KPIReadings by the KPI that they are for.
	FieldKPI = "spec.kpi"
	// FieldMoment finds KPIReadings by KPI, site and observation time together.
	FieldMoment = "moment"
	// FieldAbout finds RolloutDecisions by the site or the wave that they are about.
	FieldAbout = "about"
)

// Index is one index of the cache.
type Index struct {
	// Object is of the kind that is indexed.
	Object client.Object
	// Field is the name of the index.
	Field string
	// Extract returns the values of an object.
	Extract client.IndexerFunc
}

// Indexes lists every index that this package needs.
func Indexes() []Index {
	siteRollout := func(value func(*v1alpha1.SiteRollout) string) client.IndexerFunc {
		return func(o client.Object) []string { return []string{value(o.(*v1alpha1.SiteRollout))} }
	}
	reading := func(value func(*v1alpha1.KPIReading) string) client.IndexerFunc {
		return func(o client.Object) []string { return []string{value(o.(*v1alpha1.KPIReading))} }
	}
	decision := func(value func(*v1alpha1.RolloutDecision) string) client.IndexerFunc {
		return func(o client.Object) []string { return []string{value(o.(*v1alpha1.RolloutDecision))} }
	}
	return []Index{
		{&v1alpha1.SiteRollout{}, FieldRollout, siteRollout(func(s *v1alpha1.SiteRollout) string { return s.Spec.Rollout })},
		{&v1alpha1.SiteRollout{}, FieldSite, siteRollout(func(s *v1alpha1.SiteRollout) string { return s.Spec.Site })},
		{&v1alpha1.SiteRollout{}, FieldWave, siteRollout(func(s *v1alpha1.SiteRollout) string { return WaveOf(s.Spec.Rollout, s.Spec.Wave) })},
		{&v1alpha1.RolloutSite{}, FieldSiteID, func(o client.Object) []string { return []string{plan.SiteID(o.(*v1alpha1.RolloutSite))} }},
		{&v1alpha1.KPIReading{}, FieldKPI, reading(func(r *v1alpha1.KPIReading) string { return r.Spec.KPI })},
		{&v1alpha1.KPIReading{}, FieldSite, reading(func(r *v1alpha1.KPIReading) string { return r.Spec.Site })},
		{&v1alpha1.KPIReading{}, FieldMoment, reading(moment)},
		{&v1alpha1.RolloutDecision{}, FieldRollout, decision(func(d *v1alpha1.RolloutDecision) string { return d.Spec.Rollout })},
		{&v1alpha1.RolloutDecision{}, FieldAbout, decision(about)},
	}
}

// moment is what two readings have in common of which only one can be right. Names of objects have no slashes.
func moment(r *v1alpha1.KPIReading) string {
	return fmt.Sprintf("%s/%s/%d", r.Spec.KPI, r.Spec.Site, r.Spec.ObservedAt.Unix())
}

// about is the site or the wave of a rollout that a decision is about. Names of objects have no slashes.
func about(d *v1alpha1.RolloutDecision) string {
	if d.Spec.Site != "" {
		return aboutSite(d.Spec.Rollout, d.Spec.Site)
	}
	return aboutWave(d.Spec.Rollout, d.Spec.Wave)
}

func aboutSite(rollout, site string) string { return rollout + "/site/" + site }

// WaveOf is the value of FieldWave for the sites of a wave.
func WaveOf(rollout, wave string) string { return rollout + "/" + wave }

func aboutWave(rollout, wave string) string { return rollout + "/wave/" + wave }

// AddIndexes adds every index to a cache. It is to be called once, before the cache starts.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range Indexes() {
		if err := indexer.IndexField(ctx, index.Object, index.Field, index.Extract); err != nil {
			return fmt.Errorf("add index %s: %w", index.Field, err)
		}
	}
	return nil
}
