package catalogue

import (
	"context"
	"fmt"
	"math"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/provider"
)

// Readings returns the readings of a KPI, those that do not count too. They belong to the reader's cache and must not be changed.
func Readings(ctx context.Context, r client.Reader, namespace, kpi string) ([]*v1alpha1.KPIReading, error) {
	return readings(ctx, r, namespace, FieldKPI, kpi)
}

// ReadingsAt returns the readings for a site by its object name. They belong to the reader's cache and must not be changed.
func ReadingsAt(ctx context.Context, r client.Reader, namespace, site string) ([]*v1alpha1.KPIReading, error) {
	return readings(ctx, r, namespace, FieldSite, site)
}

// ReadingsBeside returns the readings for the same KPI, site and moment as one of them, itself included. They belong to the reader's cache and must not be changed.
func ReadingsBeside(ctx context.Context, r client.Reader, one *v1alpha1.KPIReading) ([]*v1alpha1.KPIReading, error) {
	return readings(ctx, r, one.Namespace, FieldMoment, moment(one))
}

func readings(ctx context.Context, r client.Reader, namespace, field, value string) ([]*v1alpha1.KPIReading, error) {
	var list v1alpha1.KPIReadingList
	if err := r.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{field: value}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list readings of namespace %s with %s %s: %w", namespace, field, value, err)
	}
	return pointers(list.Items), nil
}

// Reading puts a reading into the form in which it is judged and measured. A value that is no number, which the API server does not let in, becomes NaN, so that
// nothing passes on it.
func Reading(object *v1alpha1.KPIReading, siteID string) provider.Reading {
	value, err := object.Spec.Value.Float()
	if err != nil {
		value = math.NaN()
	}
	reading := provider.Reading{
		KPI:        object.Spec.KPI,
		Site:       siteID,
		Value:      value,
		ObservedAt: object.Spec.ObservedAt.Time,
		EnteredAt:  object.CreationTimestamp.Time,
	}
	if object.Spec.Samples != nil {
		reading.Samples = *object.Spec.Samples
	}
	return reading
}

// ReadingsBySiteID returns the readings of a KPI as a source answers from them: under the texts by which sources call the sites. Readings for sites that do
// not exist are left out.
func ReadingsBySiteID(ctx context.Context, r client.Reader, namespace, kpi string) ([]provider.Reading, error) {
	objects, err := Readings(ctx, r, namespace, kpi)
	if err != nil || len(objects) == 0 {
		return nil, err
	}
	sites, err := Sites(ctx, r, namespace)
	if err != nil {
		return nil, err
	}
	ids := make(map[string]string, len(sites))
	for _, site := range sites {
		ids[site.Name] = plan.SiteID(site)
	}
	found := make([]provider.Reading, 0, len(objects))
	for _, object := range objects {
		if id, exists := ids[object.Spec.Site]; exists {
			found = append(found, Reading(object, id))
		}
	}
	return found, nil
}
