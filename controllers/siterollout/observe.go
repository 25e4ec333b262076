package siterollout

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/advance"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/decide"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// snapshot is everything that the next step of a site depends on.
type snapshot struct {
	object  *v1alpha1.SiteRollout
	rollout *v1alpha1.CRMRollout
	// plan of the rollout as the objects are now, and plans as they were frozen too.
	plan  plan.Plan
	plans *admit.Plans
	// kpis are those that exist now, by name.
	kpis  map[string]*v1alpha1.KPI
	holds advance.Holds
	peers peers
	// siteGone is true when the RolloutSite does not exist any more.
	siteGone bool
	site     *v1alpha1.RolloutSite
	siteID   string
	// decisions of people about the site, in the order in which they were made, and the admission policy that they rest on.
	decisions []*v1alpha1.RolloutDecision
	policy    decide.Policy
	// awaiting are the KPIs that the site was being judged by and that the operator, which has just started, has not measured yet. Judging now would
	// say "not measured" about numbers that are known well enough.
	awaiting map[string]bool
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
	if rollout.DeletionTimestamp != nil || !metav1.IsControlledBy(&object, &rollout) {
		return s, nil // this is left over from a rollout of the same name, or is about to be
	}
	s.rollout = &rollout
	if err := r.observePlans(ctx, &s); err != nil {
		return s, err
	}
	if err := r.observeSite(ctx, &s); err != nil {
		return s, err
	}
	if s.peers, err = r.observePeers(ctx, s); err != nil {
		return s, err
	}
	if err := r.observeDecisions(ctx, &s); err != nil {
		return s, err
	}
	r.observeHolds(&s)
	return s, nil
}

// observeDecisions reads what people have decided about the site, and whether the policy is there that decisions rest on.
func (r *Reconciler) observeDecisions(ctx context.Context, s *snapshot) (err error) {
	if s.decisions, err = catalogue.Decisions(ctx, r.Client, s.object); err != nil || len(s.decisions) == 0 {
		return err
	}
	s.policy, err = r.Policy.Known(ctx)
	return err
}

// observePlans reads the plan of the rollout as it is now, and the frozen plans of the site: the one by which it goes on, and the one by which its attempt is judged.
func (r *Reconciler) observePlans(ctx context.Context, s *snapshot) error {
	objects, err := catalogue.Objects(ctx, r.Client, s.object.Namespace)
	if err != nil {
		return err
	}
	s.plan, s.kpis = plan.Resolve(s.rollout, objects), objects.KPIs
	s.plans, err = r.Revisions.Plans(ctx, s.rollout, s.plan, s.object)
	return err
}

// with returns the site with another status.
func (s snapshot) with(st v1alpha1.SiteRolloutStatus) *v1alpha1.SiteRollout {
	return &v1alpha1.SiteRollout{Spec: s.object.Spec, Status: st}
}

func (r *Reconciler) observeSite(ctx context.Context, s *snapshot) error {
	var site v1alpha1.RolloutSite
	key := types.NamespacedName{Namespace: s.object.Namespace, Name: s.object.Spec.Site}
	err := r.Client.Get(ctx, key, &site)
	s.siteGone = apierrors.IsNotFound(err)
	if err == nil {
		s.site, s.siteID = &site, plan.SiteID(&site)
	}
	if err != nil && !s.siteGone {
		return fmt.Errorf("read site %s: %w", key, err)
	}
	return nil
}

// observeHolds finds out how far the criteria of the gate have been proved.
func (r *Reconciler) observeHolds(s *snapshot) {
	if known := r.memory.holds(client.ObjectKeyFromObject(s.object), s.object.UID); known != nil {
		s.holds = *known
		return
	}
	standing, _ := advance.Standing(*s.plans.Bound(s.object), s.plans.Attempt(s.object.Status), s.object.Status)
	if standing == nil {
		return
	}
	for _, c := range standing.Criteria {
		for _, kpi := range []*gate.KPI{&c.KPI, c.Reference()} {
			if kpi != nil && r.Store.LastTried(s.key(kpi.Name), kpi.Revision).IsZero() {
				s.awaiting = standing.KPIs()
				return
			}
		}
	}
	// Not the KPI's status: it may show this process's first measurement already, and would hide how long nobody measured before that.
	s.holds = advance.Resume(*s.plans.Bound(s.object), s.plans.Attempt(s.object.Status), s.object.Status, func(kpi gate.KPI) gate.Measured {
		return r.Store.Inherited(s.key(kpi.Name), kpi.Revision)
	})
}

// key returns the key of a KPI.
func (s snapshot) key(kpi string) types.NamespacedName {
	return types.NamespacedName{Namespace: s.object.Namespace, Name: kpi}
}

// admission reports whether a site with this status is admitted to its next phase, and why it may not start it all the same.
func (s snapshot) admission(st v1alpha1.SiteRolloutStatus) (bool, admit.Block) {
	site := s.plans.Told(s.with(st))
	if s.siteGone {
		return site.Admitted, admit.Block{Reason: v1alpha1.ReasonSiteNotFound, Message: fmt.Sprintf("RolloutSite %q does not exist any more", s.object.Spec.Site)}
	}
	if coming := site.Coming(s.plan); coming != "" {
		site.Closed = admit.HoursAt(s.plan, s.now).Closed(s.site, s.object.Spec.Wave, coming)
	}
	wave := admit.WaveFrom(s.plan, s.rollout.Status, s.object.Spec.Wave)
	if wave.Name == "" && s.plan.Wave(s.object.Spec.Wave) != nil {
		wave = admit.Wave{Name: s.object.Spec.Wave, State: v1alpha1.WaveClosed, Message: "the rollout has not looked at its waves yet"}
		if len(s.rollout.Status.Waves) == 0 && site.Admitted {
			wave.State = v1alpha1.WaveOpen // the admission came first
		}
	}
	return site.Admitted, admit.Explain(s.plan, site, wave)
}
