// Package definition looks after the kinds that only declare something: phases, gates and sites. It checks them together with what they refer to, and tells
// people what is wrong before a rollout meets it. It decides nothing: rollouts resolve their plan by the same rules themselves.
package definition

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crmops/rollout-operator/internal/status"
)

// Reconciler checks the objects of one kind.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Clock tells the time of condition changes.
	Clock clock.PassiveClock
	// Kind that is checked.
	Kind Kind
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	b := ctrl.NewControllerManagedBy(mgr).Named(r.Kind.name).For(r.Kind.object(), changed)
	for _, other := range r.Kind.dependsOn() {
		b = b.Watches(other, handler.EnqueueRequestsFromMapFunc(r.affected), changed)
	}
	return b.Complete(r)
}

// affected asks for the objects of the kind that a change in their namespace may concern.
func (r *Reconciler) affected(ctx context.Context, changed client.Object) []reconcile.Request {
	names, err := r.Kind.affected(ctx, r.Client, changed)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list objects to check again")
		return nil
	}
	var requests []reconcile.Request
	for _, name := range names {
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: changed.GetNamespace(), Name: name}})
	}
	return requests
}

// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=rolloutphases;acceptancegates;rolloutsites;kpis;rolloutcalendars,verbs=get;list;watch
// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=rolloutphases/status;acceptancegates/status;rolloutsites/status,verbs=patch

// Reconcile checks one object.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	object, mistakes, err := r.observe(ctx, req)
	if err != nil || object == nil {
		return ctrl.Result{}, err
	}
	return status.Settle(ctrl.Result{}, r.report(ctx, object, mistakes))
}
