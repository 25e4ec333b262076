package siterollout

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/advance"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// snapshot is everything that the next step of a site depends on.
type snapshot struct {
	object   *v1alpha1.SiteRollout
	rollout  *v1alpha1.CRMRollout
	plan     plan.Plan
	evidence func(kpi string) gate.Evidence
	holds    advance.Holds
	// siteGone is true when the RolloutSite does not exist any more.
	siteGone bool
	// resuming is true when the operator has just started and has not measured yet what the site was being judged by. Judging now would
	// say "not measured" about numbers that are known well enough.
	resuming bool
	now      time.Time
}

func (r *Reconciler) observe(ctx context.Context, req ctrl.Request) (snapshot, error) {
	s := snapshot{now: r.Clock.Now().UTC().Truncate(time.Second)}
	var object v1alpha1.SiteRollout
	if err := r.Client.Get(ctx, req.NamespacedName, &object); err != nil {
		return s, client.IgnoreNotFound(err)
	}
	s.object = &object
	var rollout v1alpha1.CRMRollout
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: req.Namespace, Name: object.Spec.Rollout}, &rollout)
	if apierrors.IsNotFound(err) {
		return s, nil // the garbage collector is on its way
	}
	if err != nil {
		return s, fmt.Errorf("read rollout %s: %w", object.Spec.Rollout, err)
	}
	s.rollout = &rollout
	objects, err := catalogue.Objects(ctx, r.Client, req.Namespace)
	if err != nil {
		return s, err
	}
	s.plan = plan.Resolve(&rollout, objects)
	if err := r.observeSite(ctx, &s); err != nil {
		return s, err
	}
	r.observeEvidence(&s, objects)
	return s, nil
}

func (r *Reconciler) observeSite(ctx context.Context, s *snapshot) error {
	var site v1alpha1.RolloutSite
	key := types.NamespacedName{Namespace: s.object.Namespace, Name: s.object.Spec.Site}
	err := r.Client.Get(ctx, key, &site)
	s.siteGone = apierrors.IsNotFound(err)
	if err != nil && !s.siteGone {
		return fmt.Errorf("read site %s: %w", key, err)
	}
	return nil
}

func (r *Reconciler) observeEvidence(s *snapshot, objects plan.Objects) {
	key := func(kpi string) types.NamespacedName {
		return types.NamespacedName{Namespace: s.object.Namespace, Name: kpi}
	}
	generation := func(kpi string) int64 {
		if found := objects.KPIs[kpi]; found != nil {
			return found.Generation
		}
		return 0
	}
	s.evidence = func(kpi string) gate.Evidence {
		return r.Store.Evidence(key(kpi), generation(kpi), s.object.Spec.Site)
	}
	if known := r.memory.holds(client.ObjectKeyFromObject(s.object), s.object.UID); known != nil {
		s.holds = *known
		return
	}
	standing, _ := advance.Standing(s.plan, s.object.Status)
	if standing == nil {
		return
	}
	for _, c := range standing.Criteria {
		if r.Store.LastTried(key(c.KPI.Name), generation(c.KPI.Name)).IsZero() {
			s.resuming = true
			return
		}
	}
	// Not the KPI's status: it may show this process's first measurement already, and would hide how long nobody measured before that.
	s.holds = advance.Resume(s.plan, s.object.Status, func(kpi string) gate.Measured {
		return r.Store.Inherited(key(kpi), generation(kpi))
	})
}

// block returns why the site is not admitted to its next phase.
func (s snapshot) block() admit.Block {
	if s.siteGone {
		return admit.Block{Reason: v1alpha1.ReasonSiteNotFound, Message: fmt.Sprintf("RolloutSite %q does not exist any more", s.object.Spec.Site)}
	}
	wave := admit.Wave{Name: s.object.Spec.Wave, State: v1alpha1.WaveClosed, Message: "the rollout has not looked at its waves yet"}
	for _, w := range s.rollout.Status.Waves {
		if w.Name == wave.Name {
			wave.State, wave.Message = w.State, w.Message
		}
	}
	return admit.Explain(s.plan, admit.SiteOf(s.plan, s.object), wave)
}
