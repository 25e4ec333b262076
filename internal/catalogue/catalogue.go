// Package catalogue reads the objects of a namespace that plans are made of.
package catalogue

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// Objects returns the phases, gates, KPIs and calendars of a namespace. They belong to the reader's cache and must not be changed.
func Objects(ctx context.Context, r client.Reader, namespace string) (plan.Objects, error) {
	var objects plan.Objects
	var phases v1alpha1.RolloutPhaseList
	var kpis v1alpha1.KPIList
	var calendars v1alpha1.RolloutCalendarList
	for _, list := range []client.ObjectList{&phases, &kpis, &calendars} {
		if err := r.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
			return objects, fmt.Errorf("list %T of namespace %s: %w", list, namespace, err)
		}
	}
	objects.Phases = make(map[string]*v1alpha1.RolloutPhase, len(phases.Items))
	for i := range phases.Items {
		objects.Phases[phases.Items[i].Name] = &phases.Items[i]
	}
	objects.KPIs = make(map[string]*v1alpha1.KPI, len(kpis.Items))
	for i := range kpis.Items {
		objects.KPIs[kpis.Items[i].Name] = &kpis.Items[i]
	}
	objects.Calendars = make(map[string]*v1alpha1.RolloutCalendar, len(calendars.Items))
	for i := range calendars.Items {
		objects.Calendars[calendars.Items[i].Name] = &calendars.Items[i]
	}
	var err error
	objects.Gates, err = Gates(ctx, r, namespace)
	return objects, err
}

// Gates returns the gates of a namespace by name. They belong to the reader's cache and must not be changed.
func Gates(ctx context.Context, r client.Reader, namespace string) (map[string]*v1alpha1.AcceptanceGate, error) {
	var list v1alpha1.AcceptanceGateList
	if err := r.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list gates of namespace %s: %w", namespace, err)
	}
	gates := make(map[string]*v1alpha1.AcceptanceGate, len(list.Items))
	for i := range list.Items {
		gates[list.Items[i].Name] = &list.Items[i]
	}
	return gates, nil
}

// Sites returns the sites of a namespace in the order of their names: the cache has none, and a message that names the first site with a problem must not name
// another one each time. They belong to the reader's cache, where it has one, and must not be changed.
func Sites(ctx context.Context, r client.Reader, namespace string) ([]*v1alpha1.RolloutSite, error) {
	var list v1alpha1.RolloutSiteList
	if err := r.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list sites of namespace %s: %w", namespace, err)
	}
	sites := pointers(list.Items)
	slices.SortFunc(sites, func(a, b *v1alpha1.RolloutSite) int { return cmp.Compare(a.Name, b.Name) })
	return sites, nil
}

// SiteRollouts returns the SiteRollouts of a rollout. They belong to the reader's cache and must not be changed.
func SiteRollouts(ctx context.Context, r client.Reader, rollout client.ObjectKey) ([]*v1alpha1.SiteRollout, error) {
	var list v1alpha1.SiteRolloutList
	if err := r.List(ctx, &list, client.InNamespace(rollout.Namespace), client.MatchingFields{FieldRollout: rollout.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list site rollouts of rollout %s: %w", rollout, err)
	}
	return pointers(list.Items), nil
}

// SiteRolloutsIn returns the SiteRollouts of a wave of a rollout. They belong to the reader's cache and must not be changed.
func SiteRolloutsIn(ctx context.Context, r client.Reader, rollout client.ObjectKey, wave string) ([]*v1alpha1.SiteRollout, error) {
	var list v1alpha1.SiteRolloutList
	in := client.MatchingFields{FieldWave: WaveOf(rollout.Name, wave)}
	if err := r.List(ctx, &list, client.InNamespace(rollout.Namespace), in, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list site rollouts of wave %s of rollout %s: %w", wave, rollout, err)
	}
	return pointers(list.Items), nil
}

// SitesCalled returns the sites of a namespace that metric sources call by a site ID. They belong to the reader's cache and must not be changed.
func SitesCalled(ctx context.Context, r client.Reader, namespace, siteID string) ([]*v1alpha1.RolloutSite, error) {
	var list v1alpha1.RolloutSiteList
	if err := r.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{FieldSiteID: siteID}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list sites of namespace %s called %s: %w", namespace, siteID, err)
	}
	return pointers(list.Items), nil
}

func pointers[T any](items []T) []*T {
	found := make([]*T, 0, len(items))
	for i := range items {
		found = append(found, &items[i])
	}
	return found
}
