// Package crmrollout gives every site of a rollout its SiteRollout, and admits sites to phases.
package crmrollout

import (
	"context"
	"errors"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/request"
	"github.com/crmops/rollout-operator/internal/status"
)

// concurrentRollouts is how many rollouts are looked at at a time. One that admits thousands of sites writes for minutes, and others must not wait for it.
const concurrentRollouts = 4

// Measurements are what is known of sites' values of KPIs. A measure.Store has them.
type Measurements interface {
	// Evidence returns what is known about one site's value of a revision of a KPI.
	Evidence(kpi types.NamespacedName, revision, site, siteID string) gate.Evidence
	// Knew reports whether the source's latest answer was asked for when a site was known under its ID.
	Knew(kpi types.NamespacedName, revision, site, siteID string) bool
}

// Reconciler admits sites.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live reads from the API server, past the cache.
	Live client.Reader
	// Revisions are the frozen plans.
	Revisions *catalogue.Revisions
	// Measurements are what sites are ranked by.
	Measurements Measurements
	// Budget pays for writes that bring nothing but newer numbers.
	Budget *measure.RefreshBudget
	// Answers tells for which requests sites were looked at.
	Answers *request.Answers
	// Events tells people when a plan becomes invalid, a wave opens and a rollout completes.
	Events events.EventRecorder
	// Clock tells the time of admissions.
	Clock clock.PassiveClock

	ledger ledger
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	changedOrAsked := builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, request.Changed()))
	changedOrLabelled := builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}))
	all := handler.EnqueueRequestsFromMapFunc(r.ofNamespace)
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.CRMRollout{}, changedOrAsked).
		Owns(&v1alpha1.SiteRollout{}, builder.WithPredicates(matters())).
		Owns(&appsv1.ControllerRevision{}, builder.WithPredicates(comesOrGoes())).
		Watches(&v1alpha1.RolloutSite{}, all, changedOrLabelled).
		Watches(&v1alpha1.RolloutPhase{}, all, changed).
		Watches(&v1alpha1.AcceptanceGate{}, all, changed).
		Watches(&v1alpha1.KPI{}, all).
		Watches(&v1alpha1.RolloutCalendar{}, all, changed).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrentRollouts}).
		Complete(r)
}

// comesOrGoes lets nothing through but objects that come or go.
func comesOrGoes() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}
}

// ofNamespace asks for every rollout of a namespace. There are a few.
func (r *Reconciler) ofNamespace(ctx context.Context, o client.Object) []reconcile.Request {
	var list v1alpha1.CRMRolloutList
	if err := r.Client.List(ctx, &list, client.InNamespace(o.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list rollouts to look at again")
		return nil
	}
	requests := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}

// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=crmrollouts;rolloutsites;rolloutphases;acceptancegates;kpis;rolloutcalendars,verbs=get;list;watch
// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=crmrollouts/status,verbs=patch
// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=crmrollouts/finalizers,verbs=update
// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=siterollouts,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile brings the SiteRollouts of one rollout up to date and admits the sites that may go on.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	s, err := r.observe(ctx, req)
	if err != nil {
		return ctrl.Result{}, err
	}
	if s.rollout == nil {
		r.ledger.forget(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	s.answered = r.answered(s)
	d := decide(s)
	if d.ranks() {
		// That is done once, so it must not miss a site that the cache does not show yet.
		if s.sites, err = catalogue.Sites(ctx, r.Live, req.Namespace); err != nil {
			return ctrl.Result{}, err
		}
		d = decide(s)
	}
	failure := r.act(ctx, &s, d)
	if failure != nil {
		r.ledger.forget(req.NamespacedName) // what failed may have been carried out, and only its answer was lost: look past the cache next time
	}
	if apierrors.IsConflict(failure) {
		return status.Settle(ctrl.Result{}, failure) // what was seen is out of date and not worth reporting
	}
	reported := r.report(ctx, s, d, failure)
	if reported != nil && d.ranks() {
		r.ledger.forget(req.NamespacedName) // the rankings may have been written, and only the answer was lost
	}
	return status.Settle(soon(s, d.again(r.Clock.Now())), errors.Join(failure, reported))
}

// again returns when the rollout has to be looked at, if nothing changes until then: when a wave opens or something becomes late, and at once when sites that were ranked wait to be admitted.
func (d decision) again(now time.Time) ctrl.Result {
	wake := d.WakeAt
	if late := d.outlook.lateAt; wake.IsZero() || (!late.IsZero() && late.Before(wake)) {
		wake = late
	}
	switch {
	case d.ranks():
		return ctrl.Result{RequeueAfter: 1}
	case wake.IsZero():
		return ctrl.Result{}
	}
	return ctrl.Result{RequeueAfter: max(wake.Sub(now), 1)}
}
