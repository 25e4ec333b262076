// Package metricprovider opens the sources that MetricProvider objects declare, and closes them again.
package metricprovider

import (
	"context"
	"errors"
	"time"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/provider"
	"github.com/crmops/rollout-operator/internal/status"
)

// secretsReadEvery is how often secrets are read again. They are not watched, because the right to watch secrets is the right to read all of them.
const secretsReadEvery = time.Minute

// Reconciler opens and closes sources.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Secrets reads secrets, one by one and not through the cache.
	Secrets client.Reader
	// Providers are the open sources.
	Providers *provider.Registry
	// Guard decides which addresses sources may have. nil allows nothing internal.
	Guard *provider.Guard
	// Clock tells the time of condition changes.
	Clock clock.PassiveClock
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.MetricProvider{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Complete(r)
}

// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=metricproviders,verbs=get;list;watch
// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=metricproviders/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get

// Reconcile makes the open source of one provider equal to its declaration.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	snapshot, err := r.observe(ctx, req)
	if err != nil {
		return ctrl.Result{}, err
	}
	outcome := r.act(snapshot)
	if snapshot.object == nil {
		return ctrl.Result{}, nil
	}
	var result ctrl.Result
	if snapshot.secrets > 0 {
		result.RequeueAfter = secretsReadEvery
	}
	return status.Settle(result, errors.Join(snapshot.failure, r.report(ctx, snapshot, outcome)))
}
