package catalogue

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/decide"
)

// Decisions returns the decisions about a site, those about its wave included, in the order in which they were made. They belong to the reader's cache and must not be changed.
func Decisions(ctx context.Context, r client.Reader, sr *v1alpha1.SiteRollout) ([]*v1alpha1.RolloutDecision, error) {
	all, err := decisions(ctx, r, sr.Namespace, FieldAbout, aboutSite(sr.Spec.Rollout, sr.Spec.Site))
	if err != nil {
		return nil, err
	}
	if sr.Spec.Wave != "" {
		ofWave, err := decisions(ctx, r, sr.Namespace, FieldAbout, aboutWave(sr.Spec.Rollout, sr.Spec.Wave))
		if err != nil {
			return nil, err
		}
		all = append(all, ofWave...)
	}
	decide.Order(all)
	return all, nil
}

// DecisionsOf returns the decisions about a rollout. They belong to the reader's cache and must not be changed.
func DecisionsOf(ctx context.Context, r client.Reader, rollout client.ObjectKey) ([]*v1alpha1.RolloutDecision, error) {
	return decisions(ctx, r, rollout.Namespace, FieldRollout, rollout.Name)
}

func decisions(ctx context.Context, r client.Reader, namespace, field, value string) ([]*v1alpha1.RolloutDecision, error) {
	var list v1alpha1.RolloutDecisionList
	if err := r.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{field: value}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list decisions of namespace %s with %s %s: %w", namespace, field, value, err)
	}
	return pointers(list.Items), nil
}
