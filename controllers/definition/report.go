package definition

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/status"
)

func (r *Reconciler) report(ctx context.Context, object client.Object, mistakes []plan.Mistake) error {
	original := object.DeepCopyObject().(client.Object)
	list, observed := r.Kind.status(object)
	*observed = object.GetGeneration()
	conditions := status.Conditions{List: list, Generation: object.GetGeneration(), Now: metav1.NewTime(r.Clock.Now())}
	conditions.Judge(mistakes, r.Kind.valid)
	_, err := status.Patch(ctx, r.Client, original, object)
	return err
}
