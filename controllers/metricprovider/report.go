package metricprovider

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/status"
)

// maxSource is how many characters the API allows for status.source. An address alone may have as many.
const maxSource = 1024

func (r *Reconciler) report(ctx context.Context, s snapshot, found problem) error {
	changed := s.object.DeepCopy()
	changed.Status.ObservedGeneration = changed.Generation
	changed.Status.Source = ""
	if s.source != nil {
		changed.Status.Source = v1alpha1.Clip(s.source.where(), maxSource)
	}
	conditions := status.Conditions{List: &changed.Status.Conditions, Generation: changed.Generation, Now: metav1.NewTime(r.Clock.Now())}
	switch found.reason {
	case "":
		conditions.Ready(v1alpha1.ReasonValid, "queries go to "+s.source.where())
	case v1alpha1.ReasonSecretNotFound, v1alpha1.ReasonSecretUnreadable:
		conditions.NotReady(found.reason, found.message)
	default:
		conditions.Stalled(found.reason, found.message)
	}
	_, err := status.Patch(ctx, r.Client, s.object, changed)
	return err
}
