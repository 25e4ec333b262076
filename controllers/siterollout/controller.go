// Package siterollout moves one site through the phases of its rollout.
package siterollout

import (
	"context"
	"reflect"
	"time"

	appsv1 "k8s.io/api/apps/v1"
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
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/request"
	"github.com/crmops/rollout-operator/internal/status"
)

const (
	// awaitAgain is how soon to look again whether the KPIs of a site have been measured since the operator started. Their measurement usually comes first.
	awaitAgain = 5 * time.Second
	// awaitAtMost is how long to wait for that before the site is judged by what is known, which breaks its holds.
	awaitAtMost = time.Minute
)

// concurrentSites is how many sites are judged at a time. Judging takes microseconds; the number hides the time that writes take.
const concurrentSites = 8

// Reconciler moves sites.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Revisions are the frozen plans.
	Revisions *catalogue.Revisions
	// Store has the measurements.
	Store *measure.Store
	// Captures has the values that baselines are taken from.
	Captures *measure.Captures
	// Budget pays for writes that bring nothing but newer numbers.
	Budget *measure.RefreshBudget
	// Answers notes for which requests sites were looked at.
	Answers *request.Answers
	// Policy is the admission policy that decisions rest on.
	Policy *catalogue.DecisionPolicy
	// Events tells people of transitions.
	Events events.EventRecorder
	// Clock tells the time.
	Clock clock.PassiveClock

	memory memory
}

// SetupWithManager registers the controller and makes it listen to measurements.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	changedOrLabelled := builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}))
	measured := make(chan event.GenericEvent, 1024)
	tell := func(kpi types.NamespacedName) {
		measured <- event.GenericEvent{Object: &v1alpha1.KPI{ObjectMeta: metav1.ObjectMeta{Namespace: kpi.Namespace, Name: kpi.Name}}}
	}
	r.Store.Listen(tell)
	r.Captures.OnTaken(tell)
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.SiteRollout{}).
		Watches(&v1alpha1.CRMRollout{}, handler.EnqueueRequestsFromMapFunc(r.ofRollout), builder.WithPredicates(predicate.Or(planOrWavesChanged(), request.Changed()))).
		Watches(&v1alpha1.RolloutPhase{}, handler.EnqueueRequestsFromMapFunc(r.ofNamespace), changed).
		Watches(&v1alpha1.AcceptanceGate{}, handler.EnqueueRequestsFromMapFunc(r.ofNamespace), changed).
		Watches(&v1alpha1.KPI{}, handler.EnqueueRequestsFromMapFunc(r.ofNamespace), changed).
		Watches(&v1alpha1.RolloutCalendar{}, handler.EnqueueRequestsFromMapFunc(r.ofNamespace), changed).
		Watches(&v1alpha1.RolloutSite{}, handler.EnqueueRequestsFromMapFunc(r.ofSite), changedOrLabelled).
		Watches(&appsv1.ControllerRevision{}, handler.EnqueueRequestsFromMapFunc(r.ofPlan), builder.WithPredicates(comesOrGoes())).
		Watches(&v1alpha1.RolloutDecision{}, handler.EnqueueRequestsFromMapFunc(r.ofDecision), builder.WithPredicates(comesOrGoes())).
		WatchesRawSource(source.Channel(measured, handler.EnqueueRequestsFromMapFunc(r.MeasuredWith))).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrentSites}).
		Complete(r)
}

// planOrWavesChanged lets through what can move a site or change the reason why it waits: also that the rollout was aborted, or goes on. The counts in a rollout's status can do neither.
func planOrWavesChanged() predicate.Predicate {
	waves := func(o client.Object) map[string]v1alpha1.WaveStatus {
		states := map[string]v1alpha1.WaveStatus{}
		for _, w := range o.(*v1alpha1.CRMRollout).Status.Waves {
			states[w.Name] = v1alpha1.WaveStatus{State: w.State, Message: w.Message, RankedAt: w.RankedAt}
		}
		return states
	}
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		by := func(o client.Object) string { return o.(*v1alpha1.CRMRollout).Status.AbortedBy }
		return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() || by(e.ObjectOld) != by(e.ObjectNew) || !reflect.DeepEqual(waves(e.ObjectOld), waves(e.ObjectNew))
	}}
}

// comesOrGoes lets nothing through but objects that come or go: what a decision or a frozen plan says never changes.
func comesOrGoes() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}
}

func (r *Reconciler) ofRollout(ctx context.Context, o client.Object) []reconcile.Request {
	return r.list(ctx, o.GetNamespace(), client.MatchingFields{catalogue.FieldRollout: o.GetName()})
}

func (r *Reconciler) ofSite(ctx context.Context, o client.Object) []reconcile.Request {
	return r.list(ctx, o.GetNamespace(), client.MatchingFields{catalogue.FieldSite: o.GetName()})
}

func (r *Reconciler) ofNamespace(ctx context.Context, o client.Object) []reconcile.Request {
	return r.list(ctx, o.GetNamespace())
}

// ofPlan asks for the sites that go on by a frozen plan, or are judged by it: one that was lost may have been restored.
func (r *Reconciler) ofPlan(ctx context.Context, o client.Object) []reconcile.Request {
	var list v1alpha1.SiteRolloutList
	of := client.MatchingFields{catalogue.FieldRollout: o.GetLabels()[v1alpha1.LabelRollout]}
	if err := r.Client.List(ctx, &list, client.InNamespace(o.GetNamespace()), of, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list site rollouts to look at again")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		running := plan.Running(list.Items[i].Status.Phases)
		if list.Items[i].Spec.Revision == o.GetName() || (running != nil && running.Revision == o.GetName()) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}

// ofDecision asks for the site that a decision is about, or for those of its wave.
func (r *Reconciler) ofDecision(ctx context.Context, o client.Object) []reconcile.Request {
	spec := o.(*v1alpha1.RolloutDecision).Spec
	if spec.Wave == "" {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: spec.Rollout + "." + spec.Site}}}
	}
	return r.list(ctx, o.GetNamespace(), client.MatchingFields{catalogue.FieldWave: catalogue.WaveOf(spec.Rollout, spec.Wave)})
}

// MeasuredWith asks for the sites whose verdict depends on a KPI.
func (r *Reconciler) MeasuredWith(_ context.Context, kpi client.Object) []reconcile.Request {
	return r.memory.interestedIn(client.ObjectKeyFromObject(kpi))
}

func (r *Reconciler) list(ctx context.Context, namespace string, options ...client.ListOption) []reconcile.Request {
	var list v1alpha1.SiteRolloutList
	options = append(options, client.InNamespace(namespace), client.UnsafeDisableDeepCopy)
	if err := r.Client.List(ctx, &list, options...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list site rollouts to look at again")
		return nil
	}
	requests := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}

// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=siterollouts;crmrollouts;rolloutsites;rolloutphases;acceptancegates;kpis;rolloutcalendars;rolloutdecisions,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;watch
// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=siterollouts/status,verbs=patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile takes the next steps of one site and writes them down in one patch.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	s, err := r.observe(ctx, req)
	switch {
	case err != nil:
		return ctrl.Result{}, err
	case s.object == nil:
		r.memory.forget(req.NamespacedName)
		r.Answers.Give(req.NamespacedName, "")
		return ctrl.Result{}, nil
	case s.rollout == nil:
		return ctrl.Result{}, nil
	case s.awaiting != nil && r.memory.await(req.NamespacedName, s):
		return ctrl.Result{RequeueAfter: awaitAgain}, nil
	}
	return r.move(ctx, s)
}

// move decides, writes down what was decided, and says when to look again.
func (r *Reconciler) move(ctx context.Context, s snapshot) (ctrl.Result, error) {
	d, err := r.decide(ctx, s)
	if err == nil && d.restsOnMore(s) {
		d, err = r.decideAnew(ctx, s, d)
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	if err := r.report(ctx, s, d); err != nil {
		return status.Settle(ctrl.Result{}, err)
	}
	r.Answers.Give(client.ObjectKeyFromObject(s.object), request.Of(s.rollout))
	r.ask(s, d)
	var result ctrl.Result
	if !d.last.WakeAt.IsZero() {
		result.RequeueAfter = max(d.last.WakeAt.Sub(r.Clock.Now()), 1)
	}
	if s.policy.Problem != "" && (result.RequeueAfter == 0 || result.RequeueAfter > catalogue.PolicyAgain) {
		result.RequeueAfter = catalogue.PolicyAgain
	}
	if r.memory.keep(client.ObjectKeyFromObject(s.object), s.object.UID, d.last) {
		result.RequeueAfter = 1 // a KPI that the site did not wait for before may have been measured while it was judged
	}
	return result, nil
}
