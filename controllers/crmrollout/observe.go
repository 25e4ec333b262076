package crmrollout

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
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// snapshot is everything that admission depends on. The objects belong to the cache and must not be changed.
type snapshot struct {
	rollout *v1alpha1.CRMRollout
	objects plan.Objects
	plan    plan.Plan
	// plans are those that its sites are on.
	plans     *admit.Plans
	revisions revisions
	sites     []*v1alpha1.RolloutSite
	// existing SiteRollouts by the name of their site, as they are on the API server: the cache, corrected by what was written and has not come back yet.
	existing map[string]*v1alpha1.SiteRollout
	// rankings that were written down, by wave, those too that the cache does not show yet.
	rankings map[string]admit.Ranking
	measured admit.Measured
	now      time.Time
	// answered is true when every site was looked at for the request that the rollout carries, or there is none to answer.
	answered bool
}

func (r *Reconciler) observe(ctx context.Context, req ctrl.Request) (snapshot, error) {
	s := snapshot{now: r.Clock.Now().UTC().Truncate(time.Second)}
	var rollout v1alpha1.CRMRollout
	if err := r.Client.Get(ctx, req.NamespacedName, &rollout); err != nil {
		return s, client.IgnoreNotFound(err)
	}
	if rollout.DeletionTimestamp != nil {
		return s, nil
	}
	s.rollout = &rollout
	var err error
	if s.objects, err = catalogue.Objects(ctx, r.Client, req.Namespace); err != nil {
		return s, err
	}
	if s.sites, err = catalogue.Sites(ctx, r.Client, req.Namespace); err != nil {
		return s, err
	}
	s.plan = plan.Resolve(&rollout, s.objects)
	s.measured = r.observeMeasured(req.Namespace)
	if s.existing, err = r.observeExisting(ctx, &rollout); err != nil {
		return s, err
	}
	s.rankings = r.ledger.ranked(req.NamespacedName)
	return s, r.observeRevisions(ctx, &s)
}

// observeMeasured returns what is known of the sites of a namespace.
func (r *Reconciler) observeMeasured(namespace string) admit.Measured {
	key := func(kpi gate.KPI) types.NamespacedName {
		return types.NamespacedName{Namespace: namespace, Name: kpi.Name}
	}
	return admit.Measured{
		Evidence: func(kpi gate.KPI, site, siteID string) gate.Evidence {
			return r.Measurements.Evidence(key(kpi), kpi.Revision, site, siteID)
		},
		Knew: func(kpi gate.KPI, site, siteID string) bool {
			return r.Measurements.Knew(key(kpi), kpi.Revision, site, siteID)
		},
	}
}

func (r *Reconciler) observeExisting(ctx context.Context, rollout *v1alpha1.CRMRollout) (map[string]*v1alpha1.SiteRollout, error) {
	key := client.ObjectKeyFromObject(rollout)
	if !r.ledger.opened(key, rollout.UID) {
		if err := r.openLedger(ctx, rollout); err != nil {
			return nil, err
		}
	}
	cached, err := catalogue.SiteRollouts(ctx, r.Client, key)
	if err != nil {
		return nil, err
	}
	existing := make(map[string]*v1alpha1.SiteRollout, len(cached))
	for _, sr := range cached {
		if belongs(sr, rollout) {
			existing[sr.Spec.Site] = sr
		}
	}
	for _, written := range r.ledger.pending(key, existing) {
		live, err := r.live(ctx, written)
		if err != nil {
			return nil, err
		}
		if live == nil {
			r.ledger.strike(key, written.Spec.Site)
			delete(existing, written.Spec.Site)
			continue
		}
		existing[live.Spec.Site] = live
	}
	return existing, nil
}

// live reads one SiteRollout past the cache; nil when it does not exist.
func (r *Reconciler) live(ctx context.Context, written *v1alpha1.SiteRollout) (*v1alpha1.SiteRollout, error) {
	var live v1alpha1.SiteRollout
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(written), &live)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read site rollout %s past the cache: %w", written.Name, err)
	}
	return &live, nil
}

// openLedger reads the SiteRollouts of a rollout and its rankings past the cache, once after a start: another process may have admitted sites a moment ago,
// and a cache may be filled from a server that does not know yet.
func (r *Reconciler) openLedger(ctx context.Context, rollout *v1alpha1.CRMRollout) error {
	var list v1alpha1.SiteRolloutList
	err := r.Live.List(ctx, &list, client.InNamespace(rollout.Namespace), client.MatchingLabels{v1alpha1.LabelRollout: rollout.Name})
	if err != nil {
		return fmt.Errorf("list site rollouts of %s past the cache: %w", rollout.Name, err)
	}
	key := client.ObjectKeyFromObject(rollout)
	var live v1alpha1.CRMRollout
	if err := r.Live.Get(ctx, key, &live); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read rollout %s past the cache: %w", rollout.Name, err)
	}
	r.ledger.open(key, rollout.UID)
	if live.UID == rollout.UID {
		r.ledger.rank(key, live.Status.Waves)
	}
	for i := range list.Items {
		if belongs(&list.Items[i], rollout) {
			r.ledger.enter(key, &list.Items[i])
		}
	}
	return nil
}

// belongs reports whether a SiteRollout is this rollout's. One of a former rollout of the same name is about to be deleted by the garbage collector and says nothing
// about this one. One without an owner was orphaned on purpose (kubectl delete --cascade=orphan) and is adopted, with its story.
func belongs(sr *v1alpha1.SiteRollout, rollout *v1alpha1.CRMRollout) bool {
	owner := metav1.GetControllerOf(sr)
	return owner == nil || owner.UID == rollout.UID
}
