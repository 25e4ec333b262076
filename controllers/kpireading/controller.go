// Package kpireading tells of every KPIReading whether it counts. It decides nothing: sources of readings judge them by the same rules when they are asked.
package kpireading

import (
	"context"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/status"
)

// Reconciler judges readings.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Clock tells the time of condition changes.
	Clock clock.PassiveClock
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.KPIReading{}, changed).
		Watches(&v1alpha1.KPIReading{}, handler.EnqueueRequestsFromMapFunc(r.beside), changed).
		Watches(&v1alpha1.KPI{}, handler.EnqueueRequestsFromMapFunc(r.ofKPI), changed).
		Watches(&v1alpha1.RolloutSite{}, handler.EnqueueRequestsFromMapFunc(r.ofSite), changed).
		Watches(&v1alpha1.MetricProvider{}, handler.EnqueueRequestsFromMapFunc(r.ofProvider), changed).
		Complete(r)
}

// beside asks for the readings that a new one may contradict, or that one which is gone has contradicted.
func (r *Reconciler) beside(ctx context.Context, changed client.Object) []reconcile.Request {
	return requests(ctx)(catalogue.ReadingsBeside(ctx, r.Client, changed.(*v1alpha1.KPIReading)))
}

func (r *Reconciler) ofKPI(ctx context.Context, changed client.Object) []reconcile.Request {
	return requests(ctx)(catalogue.Readings(ctx, r.Client, changed.GetNamespace(), changed.GetName()))
}

func (r *Reconciler) ofSite(ctx context.Context, changed client.Object) []reconcile.Request {
	return requests(ctx)(catalogue.ReadingsAt(ctx, r.Client, changed.GetNamespace(), changed.GetName()))
}

func (r *Reconciler) ofProvider(ctx context.Context, changed client.Object) []reconcile.Request {
	var kpis v1alpha1.KPIList
	if err := r.Client.List(ctx, &kpis, client.InNamespace(changed.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list KPIs whose readings are to be judged again")
		return nil
	}
	var all []reconcile.Request
	for i := range kpis.Items {
		if kpis.Items[i].Spec.Provider.Name == changed.GetName() {
			all = append(all, r.ofKPI(ctx, &kpis.Items[i])...)
		}
	}
	return all
}

func requests(ctx context.Context) func([]*v1alpha1.KPIReading, error) []reconcile.Request {
	return func(readings []*v1alpha1.KPIReading, err error) []reconcile.Request {
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "cannot list readings to judge again")
			return nil
		}
		all := make([]reconcile.Request, 0, len(readings))
		for _, reading := range readings {
			all = append(all, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(reading)})
		}
		return all
	}
}

// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=kpireadings;kpis;rolloutsites;metricproviders,verbs=get;list;watch
// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=kpireadings/status,verbs=patch

// Reconcile judges one reading. Its own times never change, so it is looked at again only when another object does.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	s, err := r.observe(ctx, req)
	if err != nil || s.object == nil {
		return ctrl.Result{}, err
	}
	return status.Settle(ctrl.Result{}, r.report(ctx, s, s.judge()))
}
