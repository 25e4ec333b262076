// Package rolloutcalendar tells in the status of each calendar where it stands. It decides nothing: rollouts and sites ask the same rules themselves.
package rolloutcalendar

import (
	"context"
	"time"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/status"
)

// lookAtLeast is how often a calendar is looked at even if nothing is due for longer: clocks of machines are corrected, and what is more than five years away comes nearer.
const lookAtLeast = 24 * time.Hour

// Reconciler tells where calendars stand.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Clock tells the time.
	Clock clock.PassiveClock
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	changed := predicate.GenerationChangedPredicate{}
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.RolloutCalendar{}, builder.WithPredicates(changed)).
		Watches(&v1alpha1.RolloutSite{}, handler.EnqueueRequestsFromMapFunc(r.onSitesZones), builder.WithPredicates(predicate.Or(changed, predicate.LabelChangedPredicate{}))).
		Complete(r)
}

// onSitesZones asks for the calendars of a namespace whose zones are those of the sites.
func (r *Reconciler) onSitesZones(ctx context.Context, site client.Object) []reconcile.Request {
	var list v1alpha1.RolloutCalendarList
	if err := r.Client.List(ctx, &list, client.InNamespace(site.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list calendars to look at again")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if list.Items[i].Spec.TimeZone == "" {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}

// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=rolloutcalendars;rolloutsites,verbs=get;list;watch
// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=rolloutcalendars/status,verbs=patch

// Reconcile looks at one calendar, and comes back when something about it can change.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	s, err := r.observe(ctx, req)
	if err != nil || s.object == nil {
		return ctrl.Result{}, err
	}
	d := decide(s)
	var result ctrl.Result
	if len(s.mistakes) == 0 {
		result.RequeueAfter = max(d.nextLook.Sub(r.Clock.Now()), 1)
	}
	return status.Settle(result, r.report(ctx, s, d))
}
