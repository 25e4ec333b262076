package kpi

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/provider"
)

// openingRetry is how soon to look again for a provider that is just being opened, which takes milliseconds.
const openingRetry = 200 * time.Millisecond

// snapshot is everything that measuring depends on.
type snapshot struct {
	object   *v1alpha1.KPI
	kpi      gate.KPI
	mistakes []plan.Mistake
	sites    []*v1alpha1.RolloutSite
	source   provider.Provider
	problem  problem
	// opening is true when the provider is valid and will be open in a moment.
	opening bool
	// answered is true when the source has answered this process before.
	answered bool
	due      time.Time
	now      time.Time
}

// problem is why there is no measurement, or why it is not whole; empty when it is.
type problem struct{ reason, message string }

// measuredBefore reports whether the status tells of measurements of this generation of the KPI.
func (s snapshot) measuredBefore() bool {
	recorded := s.object.Status
	return recorded.LastMeasured != nil && recorded.MeasuredSince != nil && recorded.ObservedGeneration == s.object.Generation
}

func (s snapshot) isDue() bool { return !s.now.Before(s.due) }

func (r *Reconciler) observe(ctx context.Context, req ctrl.Request) (snapshot, error) {
	s := snapshot{now: r.Clock.Now()}
	var object v1alpha1.KPI
	if err := r.Client.Get(ctx, req.NamespacedName, &object); err != nil {
		return s, client.IgnoreNotFound(err)
	}
	s.object = &object
	s.kpi, s.mistakes = plan.ResolveKPI(&object)
	if len(s.mistakes) > 0 {
		return s, nil
	}
	if err := r.observeSource(ctx, &s); err != nil {
		return s, err
	}
	s.answered = r.Store.Answered(req.NamespacedName, object.Generation)
	s.schedule(r.Store.LastTried(req.NamespacedName, object.Generation))
	var err error
	s.sites, err = catalogue.Sites(ctx, r.Client, req.Namespace)
	return s, err
}

// schedule says when the KPI is due: one interval after the last try, and at once when it was never tried or when its provider has become usable.
func (s *snapshot) schedule(lastTried time.Time) {
	if lastTried.IsZero() || (s.source != nil && s.wasWithoutSource()) {
		s.due = s.now
		return
	}
	s.due = lastTried.Add(s.kpi.Interval)
}

func (s *snapshot) wasWithoutSource() bool {
	ready := meta.FindStatusCondition(s.object.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && (ready.Reason == v1alpha1.ReasonProviderNotReady || ready.Reason == v1alpha1.ReasonReferenceNotFound)
}

func (r *Reconciler) observeSource(ctx context.Context, s *snapshot) error {
	key := client.ObjectKey{Namespace: s.object.Namespace, Name: s.object.Spec.Provider.Name}
	var declared v1alpha1.MetricProvider
	err := r.Client.Get(ctx, key, &declared)
	if apierrors.IsNotFound(err) {
		s.problem = problem{v1alpha1.ReasonReferenceNotFound,
			fmt.Sprintf("spec.provider.name: MetricProvider %q does not exist in this namespace; create it or correct the name", key.Name)}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read provider %s: %w", key, err)
	}
	if source, open := r.Providers.Get(key.String()); open {
		s.source = source
		return nil
	}
	ready := meta.FindStatusCondition(declared.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status == "True" || ready.ObservedGeneration != declared.Generation {
		s.opening = true
		return nil
	}
	s.problem = problem{v1alpha1.ReasonProviderNotReady, fmt.Sprintf("MetricProvider %q cannot be used: %s", key.Name, ready.Message)}
	return nil
}
