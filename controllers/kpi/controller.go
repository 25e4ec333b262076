// Package kpi measures every KPI once per interval, for all sites at once.
package kpi

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/provider"
	"github.com/crmops/rollout-operator/internal/request"
	"github.com/crmops/rollout-operator/internal/status"
)

// Reconciler measures KPIs.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Revisions are the frozen plans.
	Revisions *catalogue.Revisions
	// Providers are the open sources.
	Providers *provider.Registry
	// Store takes the measurements.
	Store *measure.Store
	// Captures has what sites ask for to take their baselines from.
	Captures *measure.Captures
	// Budget is paid for every measurement.
	Budget *measure.RefreshBudget
	// Events tells people when a source fails and when it answers again.
	Events events.EventRecorder
	// Clock tells when a KPI is due.
	Clock clock.PassiveClock

	memory memory
	turns  turns
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	asked := make(chan event.GenericEvent, 1024)
	r.Captures.OnAsk(func(kpi types.NamespacedName) {
		asked <- event.GenericEvent{Object: &v1alpha1.KPI{ObjectMeta: metav1.ObjectMeta{Namespace: kpi.Namespace, Name: kpi.Name}}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.KPI{}, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, request.Changed()))).
		Watches(&v1alpha1.AcceptanceGate{}, handler.EnqueueRequestsFromMapFunc(r.ofNamespace), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&appsv1.ControllerRevision{}, handler.EnqueueRequestsFromMapFunc(r.ofNamespace), builder.WithPredicates(comesOrGoes())).
		WatchesRawSource(source.Channel(asked, &handler.EnqueueRequestForObject{})).
		Watches(&v1alpha1.MetricProvider{}, handler.EnqueueRequestsFromMapFunc(r.askedOf), builder.WithPredicates(readyChanged())).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrentMeasurements}).
		Complete(r)
}

// readyChanged lets through what can make a provider usable or useless.
func readyChanged() predicate.Predicate {
	ready := func(o client.Object) bool {
		return meta.IsStatusConditionTrue(o.(*v1alpha1.MetricProvider).Status.Conditions, v1alpha1.ConditionReady)
	}
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return ready(e.ObjectOld) != ready(e.ObjectNew) || e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration()
	}}
}

// comesOrGoes lets through frozen plans that come, go or are taken over: what is in one never changes.
func comesOrGoes() predicate.Predicate {
	owner := func(o client.Object) types.UID {
		if ref := metav1.GetControllerOfNoCopy(o); ref != nil {
			return ref.UID
		}
		return ""
	}
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool { return owner(e.ObjectOld) != owner(e.ObjectNew) }}
}

// ofNamespace asks for all KPIs of a namespace: a gate may ask for one over another window, and a frozen plan for one as it was.
func (r *Reconciler) ofNamespace(ctx context.Context, changed client.Object) []reconcile.Request {
	return r.list(ctx, changed.GetNamespace(), func(*v1alpha1.KPI) bool { return true })
}

// askedOf asks for the KPIs that a provider answers.
func (r *Reconciler) askedOf(ctx context.Context, changed client.Object) []reconcile.Request {
	return r.list(ctx, changed.GetNamespace(), func(kpi *v1alpha1.KPI) bool { return kpi.Spec.Provider.Name == changed.GetName() })
}

func (r *Reconciler) list(ctx context.Context, namespace string, wanted func(*v1alpha1.KPI) bool) []reconcile.Request {
	var list v1alpha1.KPIList
	if err := r.Client.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list KPIs to measure again")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if wanted(&list.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}

// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=kpis;metricproviders;rolloutsites;acceptancegates,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;watch
// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=kpis/status,verbs=patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile measures one KPI when it is due, and comes back when it is due next.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	s, err := r.observe(ctx, req)
	switch {
	case err != nil:
		return ctrl.Result{}, err
	case s.object == nil:
		r.Store.Forget(req.NamespacedName)
		r.Captures.Forget(req.NamespacedName)
		r.memory.forget(req.NamespacedName)
		return ctrl.Result{}, nil
	case s.opening:
		return ctrl.Result{RequeueAfter: openingRetry}, nil
	case len(s.views) > 0 && !s.isDue() && len(s.asked) == 0:
		return status.Settle(ctrl.Result{RequeueAfter: s.due.Sub(s.now)}, r.reportAgain(ctx, s))
	}
	outcome, acted, err := r.actInTurn(ctx, s)
	switch {
	case err != nil:
		return ctrl.Result{}, err
	case !acted:
		return ctrl.Result{RequeueAfter: busyRetry}, nil
	}
	if len(s.views) > 0 && !s.isDue() {
		r.memory.served(req.NamespacedName)
		return status.Settle(ctrl.Result{RequeueAfter: max(s.due.Sub(r.Clock.Now()), time.Millisecond)}, r.reportAgain(ctx, s))
	}
	r.memory.keep(req.NamespacedName, outcome, s.request)
	return status.Settle(ctrl.Result{RequeueAfter: outcome.next(s, r.Clock.Now())}, r.report(ctx, s, outcome))
}
