package catalogue

import (
	"context"
	"fmt"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/plan"
)

// Frozen is a plan that was frozen.
type Frozen struct {
	// Definitions that were frozen.
	Definitions plan.Definitions
	// Phases of the plan.
	Phases []plan.Phase

	// owner is the UID of the rollout that the object belongs to; empty for none.
	owner types.UID
}

// Revisions reads frozen plans. What is in one never changes, so each is read once. It is safe for concurrent use.
type Revisions struct {
	// Client reads from the cache.
	Client client.Reader
	// Live reads from the API server: the cache may not show yet what a site was told a moment ago.
	Live client.Reader

	mu    sync.Mutex
	known map[types.NamespacedName]*Frozen
}

// Of returns the ControllerRevisions of a rollout that the cache shows. They belong to the cache and must not be changed.
func (r *Revisions) Of(ctx context.Context, rollout *v1alpha1.CRMRollout) ([]*appsv1.ControllerRevision, error) {
	return revisionsOf(ctx, r.Client, rollout)
}

// OfLive returns those that the API server has.
func (r *Revisions) OfLive(ctx context.Context, rollout *v1alpha1.CRMRollout) ([]*appsv1.ControllerRevision, error) {
	return revisionsOf(ctx, r.Live, rollout)
}

func revisionsOf(ctx context.Context, reader client.Reader, rollout *v1alpha1.CRMRollout) ([]*appsv1.ControllerRevision, error) {
	var list appsv1.ControllerRevisionList
	labelled := client.MatchingLabels{v1alpha1.LabelRollout: rollout.Name}
	if err := reader.List(ctx, &list, client.InNamespace(rollout.Namespace), labelled, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list frozen plans of rollout %s: %w", rollout.Name, err)
	}
	var owned []*appsv1.ControllerRevision
	for i := range list.Items {
		if Freezes(&list.Items[i], rollout) {
			owned = append(owned, &list.Items[i])
		}
	}
	return owned, nil
}

// Freezes reports whether a ControllerRevision holds a plan of a rollout. One that another controller owns does not, whatever it is called. One that nobody owns was orphaned together with the
// stories of the sites (kubectl delete --cascade=orphan): it does when it is called after the rollout and what it holds.
func Freezes(revision *appsv1.ControllerRevision, rollout *v1alpha1.CRMRollout) bool {
	if owner := metav1.GetControllerOfNoCopy(revision); owner != nil {
		return owner.UID == rollout.UID
	}
	definitions, err := plan.Decode(revision.Data.Raw)
	return err == nil && definitions.RevisionName(rollout.Name) == revision.Name
}

// ownerOf returns the UID of the rollout that a ControllerRevision belongs to; empty when it belongs to none.
func ownerOf(revision *appsv1.ControllerRevision) types.UID {
	owner := metav1.GetControllerOfNoCopy(revision)
	if owner == nil || owner.Kind != "CRMRollout" || !strings.HasPrefix(owner.APIVersion, v1alpha1.GroupVersion.Group+"/") {
		return ""
	}
	return owner.UID
}

// Get returns a frozen plan of a rollout; nil when it does not exist.
func (r *Revisions) Get(ctx context.Context, rollout *v1alpha1.CRMRollout, name string) (*Frozen, error) {
	key := types.NamespacedName{Namespace: rollout.Namespace, Name: name}
	if known := r.remembered(key, rollout.UID); known != nil {
		return known, nil
	}
	for _, reader := range []client.Reader{r.Client, r.Live} {
		var revision appsv1.ControllerRevision
		err := reader.Get(ctx, key, &revision)
		switch {
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			return nil, fmt.Errorf("read frozen plan %s: %w", key, err)
		case Freezes(&revision, rollout):
			return r.Remember(&revision)
		}
	}
	return nil, nil
}

// Plans returns the plans that some sites of a rollout are on, beside the plan as the objects are now.
func (r *Revisions) Plans(ctx context.Context, rollout *v1alpha1.CRMRollout, live plan.Plan, sites ...*v1alpha1.SiteRollout) (*admit.Plans, error) {
	frozen, seen := map[string][]plan.Phase{}, map[string]bool{}
	for _, sr := range sites {
		for _, name := range admit.Revisions(sr, rollout.Spec.Adopt) {
			if seen[name] {
				continue
			}
			seen[name] = true
			found, err := r.Get(ctx, rollout, name)
			if err != nil {
				return nil, err
			}
			if found != nil {
				frozen[name] = found.Phases
			}
		}
	}
	return &admit.Plans{Live: live, Adopt: rollout.Spec.Adopt, Frozen: func(revision string) ([]plan.Phase, bool) {
		phases, found := frozen[revision]
		return phases, found
	}}, nil
}

// remembered returns what is known of a frozen plan, unless it is one of another rollout: one that was deleted may have had the same name and the same plan.
func (r *Revisions) remembered(key types.NamespacedName, owner types.UID) *Frozen {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.known[key]; known != nil && known.owner == owner {
		return known
	}
	return nil
}

// Remember notes a frozen plan, and returns it.
func (r *Revisions) Remember(revision *appsv1.ControllerRevision) (*Frozen, error) {
	key, owner := client.ObjectKeyFromObject(revision), ownerOf(revision)
	if known := r.remembered(key, owner); known != nil {
		return known, nil
	}
	definitions, err := plan.Decode(revision.Data.Raw)
	if err != nil {
		return nil, fmt.Errorf("ControllerRevision/%s: %w", revision.Name, err)
	}
	frozen := &Frozen{Definitions: definitions, Phases: definitions.Resolve(revision.Labels[v1alpha1.LabelRollout]), owner: owner}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[types.NamespacedName]*Frozen{}
	}
	r.known[key] = frozen
	return frozen, nil
}

// Forget drops a frozen plan that was deleted.
func (r *Revisions) Forget(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, key)
}

// In returns every frozen plan of the rollouts of a namespace that the cache shows, and forgets those that it does not show any more.
func (r *Revisions) In(ctx context.Context, namespace string) ([]*Frozen, error) {
	var list appsv1.ControllerRevisionList
	if err := r.Client.List(ctx, &list, client.InNamespace(namespace), client.HasLabels{v1alpha1.LabelRollout}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list frozen plans of namespace %s: %w", namespace, err)
	}
	all := make([]*Frozen, 0, len(list.Items))
	shown := map[types.NamespacedName]bool{}
	for i := range list.Items {
		if ownerOf(&list.Items[i]) == "" {
			continue // no site is judged by it
		}
		frozen, err := r.Remember(&list.Items[i])
		if err != nil {
			continue // it cannot be one of ours, or is of no use
		}
		shown[client.ObjectKeyFromObject(&list.Items[i])] = true
		all = append(all, frozen)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.known {
		if key.Namespace == namespace && !shown[key] {
			delete(r.known, key)
		}
	}
	return all, nil
}
