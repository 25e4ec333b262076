package kpireading

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/status"
)

func (r *Reconciler) report(ctx context.Context, s snapshot, found judgement) error {
	changed := s.object.DeepCopy()
	changed.Status.ObservedGeneration = changed.Generation
	conditions := status.Conditions{List: &changed.Status.Conditions, Generation: changed.Generation, Now: metav1.NewTime(r.Clock.Now())}
	switch {
	case found.reason == v1alpha1.ReasonValid:
		conditions.Ready(found.reason, found.message)
	case found.forGood:
		conditions.Stalled(found.reason, found.message)
	default:
		conditions.NotReady(found.reason, found.message)
	}
	_, err := status.Patch(ctx, r.Client, s.object, changed)
	return err
}
