package rolloutdecision

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/decide"
)

// snapshot is everything that the fate of a decision depends on.
type snapshot struct {
	object *v1alpha1.RolloutDecision
	// rollout that the decision is about; nil when it does not exist.
	rollout *v1alpha1.CRMRollout
	// sites that the decision is about: the one that it names, or those of the wave.
	sites  []*v1alpha1.SiteRollout
	policy decide.Policy
	now    time.Time
}

func (r *Reconciler) observe(ctx context.Context, req ctrl.Request) (snapshot, error) {
	s := snapshot{now: r.Clock.Now().UTC().Truncate(time.Second)}
	var object v1alpha1.RolloutDecision
	if err := r.Client.Get(ctx, req.NamespacedName, &object); err != nil {
		return s, client.IgnoreNotFound(err)
	}
	s.object = &object
	var rollout v1alpha1.CRMRollout
	key := client.ObjectKey{Namespace: req.Namespace, Name: object.Spec.Rollout}
	err := r.Client.Get(ctx, key, &rollout)
	switch {
	case err == nil:
		s.rollout = &rollout
	case !apierrors.IsNotFound(err):
		return s, fmt.Errorf("read rollout %s: %w", key, err)
	}
	if s.sites, err = r.observeSites(ctx, key, &object); err != nil {
		return s, err
	}
	if effective(&object) == nil {
		s.policy, err = r.Policy.Now(ctx) // it may have been made because there was none
	} else {
		s.policy, err = r.Policy.Known(ctx)
	}
	return s, err
}

// observeSites reads the stories that the decision is about.
func (r *Reconciler) observeSites(ctx context.Context, rollout client.ObjectKey, d *v1alpha1.RolloutDecision) ([]*v1alpha1.SiteRollout, error) {
	if d.Spec.Wave == "" {
		return r.observeSite(ctx, client.ObjectKey{Namespace: rollout.Namespace, Name: rollout.Name + "." + d.Spec.Site})
	}
	return catalogue.SiteRolloutsIn(ctx, r.Client, rollout, d.Spec.Wave)
}

func (r *Reconciler) observeSite(ctx context.Context, key client.ObjectKey) ([]*v1alpha1.SiteRollout, error) {
	var sr v1alpha1.SiteRollout
	err := r.Client.Get(ctx, key, &sr, client.UnsafeDisableDeepCopy)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read site rollout %s: %w", key, err)
	}
	return []*v1alpha1.SiteRollout{&sr}, nil
}

func effective(d *v1alpha1.RolloutDecision) *metav1.Condition {
	return meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ConditionEffective)
}

// applied reports whether a decision is known to have had its effect.
func applied(d *v1alpha1.RolloutDecision) bool {
	known := effective(d)
	return known != nil && known.Reason == v1alpha1.ReasonApplied
}

// settled reports whether the fate of a decision is known for good.
func settled(d *v1alpha1.RolloutDecision) bool {
	return applied(d) || meta.IsStatusConditionTrue(d.Status.Conditions, v1alpha1.ConditionStalled)
}
