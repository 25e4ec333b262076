package definition

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/internal/plan"
)

// observe returns the object, nil when it is gone, and its mistakes.
func (r *Reconciler) observe(ctx context.Context, req ctrl.Request) (client.Object, []plan.Mistake, error) {
	object := r.Kind.object()
	if err := r.Client.Get(ctx, req.NamespacedName, object); err != nil {
		return nil, nil, client.IgnoreNotFound(err)
	}
	mistakes, err := r.Kind.check(ctx, r.Client, object)
	return object, mistakes, err
}
