// Package rolloutdecision tells of every decision whether it counts, and if not why. It decides nothing: sites ask the same rules themselves.
package rolloutdecision

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/decide"
	"github.com/crmops/rollout-operator/internal/status"
)

// Reconciler tells what becomes of decisions.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Policy is the admission policy that decisions rest on.
	Policy *catalogue.DecisionPolicy
	// Clock tells the time: decisions expire.
	Clock clock.PassiveClock
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.RolloutDecision{}).
		Watches(&v1alpha1.SiteRollout{}, handler.EnqueueRequestsFromMapFunc(r.ofSite), builder.WithPredicates(storyChanged())).
		Watches(&v1alpha1.CRMRollout{}, handler.EnqueueRequestsFromMapFunc(r.ofRollout), changed).
		Complete(r)
}

// storyChanged lets through what the fate of a decision depends on, and no measurement.
func storyChanged() predicate.Predicate {
	told := func(o client.Object) v1alpha1.SiteRolloutStatus {
		story := o.(*v1alpha1.SiteRollout).Status
		bare := v1alpha1.SiteRolloutStatus{State: story.State, CurrentPhase: story.CurrentPhase, Phases: story.Phases, Transitions: story.Transitions}
		if gate := story.Gate; gate != nil {
			bare.Gate = &v1alpha1.GateReport{Name: gate.Name, Role: gate.Role, Digest: gate.Digest, Approvals: gate.Approvals, FourEyes: gate.FourEyes}
		}
		return bare
	}
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, is := e.ObjectOld.(*v1alpha1.SiteRollout), e.ObjectNew.(*v1alpha1.SiteRollout)
		return was.Spec.Wave != is.Spec.Wave || !equality.Semantic.DeepEqual(told(was), told(is))
	}}
}

// ofSite asks for the decisions about a site whose fate is open, and for those that the site says it has followed.
func (r *Reconciler) ofSite(ctx context.Context, o client.Object) []reconcile.Request {
	sr := o.(*v1alpha1.SiteRollout)
	decisions, err := catalogue.Decisions(ctx, r.Client, sr)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list decisions to look at again")
		return nil
	}
	followed := map[string]bool{}
	for _, step := range sr.Status.Transitions {
		for _, by := range step.Deciders {
			followed[by.Decision] = true
		}
	}
	return requests(decisions, func(d *v1alpha1.RolloutDecision) bool {
		return !settled(d) || (followed[d.Name] && !applied(d))
	})
}

func (r *Reconciler) ofRollout(ctx context.Context, o client.Object) []reconcile.Request {
	decisions, err := catalogue.DecisionsOf(ctx, r.Client, client.ObjectKeyFromObject(o))
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list decisions to look at again")
		return nil
	}
	return requests(decisions, func(d *v1alpha1.RolloutDecision) bool { return !settled(d) })
}

func requests(decisions []*v1alpha1.RolloutDecision, wanted func(*v1alpha1.RolloutDecision) bool) []reconcile.Request {
	var chosen []reconcile.Request
	for _, d := range slices.DeleteFunc(decisions, func(d *v1alpha1.RolloutDecision) bool { return !wanted(d) }) {
		chosen = append(chosen, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(d)})
	}
	return chosen
}

// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=rolloutdecisions;siterollouts;crmrollouts,verbs=get;list;watch
// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=rolloutdecisions/status,verbs=patch

// Reconcile tells what becomes of one decision, and looks again when it expires, or when there may be a policy that was missing.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	s, err := r.observe(ctx, req)
	if err != nil || s.object == nil {
		return ctrl.Result{}, err
	}
	fate := s.fate()
	if err := r.report(ctx, s, fate); err != nil {
		return status.Settle(ctrl.Result{}, err)
	}
	return ctrl.Result{RequeueAfter: s.again(fate)}, nil
}

// lookAgain is how soon to look whether there still is a policy for a decision that counts.
const lookAgain = 5 * time.Minute

// again returns when the decision must be looked at although nothing has changed: when it expires, or to see whether the policy has come or gone. Zero for never.
func (s snapshot) again(fate decide.Fate) time.Duration {
	again := time.Duration(0)
	switch {
	case fate.Final:
		return 0
	case s.policy.Problem != "":
		again = catalogue.PolicyAgain
	case fate.Status == metav1.ConditionTrue:
		again = lookAgain
	}
	if expires := s.object.Spec.ExpiresAt; expires != nil && s.now.Before(expires.Time) && (again == 0 || expires.Sub(s.now) < again) {
		again = expires.Sub(s.now)
	}
	return again
}

// fate asks the rules. A decision that was seen to have had its effect keeps that, when the site no longer remembers the transition or is gone.
func (s snapshot) fate() decide.Fate {
	fates := make([]decide.Fate, 0, len(s.sites))
	for _, sr := range s.sites {
		fates = append(fates, decide.SiteOf(sr, s.policy, s.now).Fate(s.object))
	}
	fate := decide.Fate{}
	switch wave := s.object.Spec.Wave; {
	case wave != "":
		fate = decide.Together(wave, fates)
	case len(fates) == 1:
		fate = fates[0]
	default:
		fate = decide.Nowhere(s.object)
	}
	if known := effective(s.object); applied(s.object) && (len(fates) == 0 || fate.Reason == v1alpha1.ReasonOtherAttempt) {
		return decide.Fate{Status: known.Status, Reason: known.Reason, Message: known.Message, Final: true}
	}
	return fate
}
