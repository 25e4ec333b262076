package crmrollout

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/status"
)

// revisions are the frozen plans of a rollout.
type revisions struct {
	// definitions are what would be frozen now, and current is the name of their revision; empty while the rollout itself has mistakes.
	definitions plan.Definitions
	current     string
	// known are those that the cache shows, the newest first.
	known []*appsv1.ControllerRevision
}

// observeRevisions reads the frozen plans of a rollout, those too that the cache does not show yet and a site has.
func (r *Reconciler) observeRevisions(ctx context.Context, s *snapshot) error {
	var err error
	if s.revisions.known, err = r.Revisions.Of(ctx, s.rollout); err != nil {
		return err
	}
	sortRevisions(s.revisions.known)
	if len(s.plan.Mistakes) == 0 {
		s.revisions.definitions = plan.Freeze(s.rollout, s.objects)
		s.revisions.current = s.revisions.definitions.RevisionName(s.rollout.Name)
	}
	s.plans, err = r.Revisions.Plans(ctx, s.rollout, s.plan, slices.Collect(maps.Values(s.existing))...)
	return err
}

func sortRevisions(all []*appsv1.ControllerRevision) {
	slices.SortFunc(all, func(a, b *appsv1.ControllerRevision) int {
		return cmp.Or(-cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.Name, b.Name))
	})
}

// frozen reports whether the plan as it is now has been frozen, and is the newest.
func (v revisions) frozen() bool {
	return len(v.known) > 0 && v.known[0].Name == v.current
}

// freezes reports whether the plan is to be frozen now: as soon as nothing is wrong with it, and before a site is told to go on by it.
func (s snapshot) freezes(d decision) bool {
	if s.revisions.current == "" || s.revisions.frozen() {
		return false
	}
	return len(s.plan.AllMistakes()) == 0 || len(d.Admissions) > 0 || len(d.repins) > 0
}

// unused are the frozen plans that no site is on and none will go on by.
func (s snapshot) unused() []*appsv1.ControllerRevision {
	if !s.revisions.frozen() {
		return nil
	}
	used := map[string]bool{s.revisions.current: true}
	for _, sr := range s.existing {
		ahead, _ := s.plans.Ahead(sr, s.revisions.current)
		used[ahead] = true
		if running := plan.Running(sr.Status.Phases); running != nil {
			used[running.Revision] = true
		}
	}
	var unused []*appsv1.ControllerRevision
	for _, revision := range s.revisions.known {
		if !used[revision.Name] {
			unused = append(unused, revision)
		}
	}
	return unused
}

// freeze writes the plan down as it is now. One that was there before becomes the newest again.
func (r *Reconciler) freeze(ctx context.Context, s *snapshot) error {
	// Not those of the cache: a number must not be given twice.
	all, err := r.Revisions.OfLive(ctx, s.rollout)
	if err != nil {
		return err
	}
	sortRevisions(all)
	number := int64(1)
	if len(all) > 0 {
		number = all[0].Revision + 1
	}
	index := slices.IndexFunc(all, func(one *appsv1.ControllerRevision) bool { return one.Name == s.revisions.current })
	switch {
	case index == 0: // the cache does not show it yet
	case index > 0:
		original := all[index]
		all[index] = original.DeepCopy()
		all[index].Revision = number
		if err := r.Client.Patch(ctx, all[index], client.MergeFromWithOptions(original, client.MergeFromWithOptimisticLock{})); err != nil {
			return fmt.Errorf("renumber frozen plan %s: %w", original.Name, err)
		}
	default:
		created, err := r.create(ctx, s, number)
		if err != nil {
			return err
		}
		all = append(all, created)
	}
	sortRevisions(all)
	if _, err := r.Revisions.Remember(all[0]); err != nil {
		return err
	}
	if index != 0 {
		r.tellOfPlan(ctx, s, all)
	}
	s.revisions.known = all
	return nil
}

// adoptPlans takes over frozen plans that were orphaned together with the stories of the sites.
func (r *Reconciler) adoptPlans(ctx context.Context, s *snapshot) error {
	for i, revision := range s.revisions.known {
		if metav1.GetControllerOfNoCopy(revision) != nil {
			continue
		}
		adopted := revision.DeepCopy()
		if err := controllerutil.SetControllerReference(s.rollout, adopted, r.Client.Scheme()); err != nil {
			return fmt.Errorf("own frozen plan %s: %w", adopted.Name, err)
		}
		if err := r.Client.Patch(ctx, adopted, client.MergeFromWithOptions(revision, client.MergeFromWithOptimisticLock{})); err != nil {
			return fmt.Errorf("adopt frozen plan %s: %w", adopted.Name, err)
		}
		s.revisions.known[i] = adopted
	}
	return nil
}

func (r *Reconciler) create(ctx context.Context, s *snapshot, number int64) (*appsv1.ControllerRevision, error) {
	created := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.rollout.Namespace,
			Name:      s.revisions.current,
			Labels:    map[string]string{v1alpha1.LabelRollout: s.rollout.Name},
		},
		Data:     runtime.RawExtension{Raw: s.revisions.definitions.Encode()},
		Revision: number,
	}
	if err := controllerutil.SetControllerReference(s.rollout, created, r.Client.Scheme()); err != nil {
		return nil, fmt.Errorf("own frozen plan %s: %w", created.Name, err)
	}
	if err := r.Client.Create(ctx, created); err != nil {
		if apierrors.IsAlreadyExists(err) {
			err = r.taken(ctx, s, err)
		}
		return nil, fmt.Errorf("freeze the plan as %s: %w", created.Name, err)
	}
	return created, nil
}

// taken says what to do when there is a ControllerRevision of the name already that is none of the rollout's plans: one of a rollout of the same name that is being deleted goes with that, and
// another one does not go by itself.
func (r *Reconciler) taken(ctx context.Context, s *snapshot, cause error) error {
	var found appsv1.ControllerRevision
	if err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.rollout.Namespace, Name: s.revisions.current}, &found); err != nil {
		return err
	}
	if owner := metav1.GetControllerOfNoCopy(&found); owner != nil && owner.UID != s.rollout.UID {
		return apierrors.NewConflict(appsv1.Resource("controllerrevisions"), found.Name, cause)
	}
	return fmt.Errorf("another ControllerRevision has the name; delete it, or give it the label %s=%s: %w", v1alpha1.LabelRollout, s.rollout.Name, cause)
}

// tellOfPlan says that the plan was frozen, and what is not in it as it was in the one before.
func (r *Reconciler) tellOfPlan(ctx context.Context, s *snapshot, all []*appsv1.ControllerRevision) {
	message := fmt.Sprintf("the plan is frozen as %s", s.revisions.current)
	if len(all) > 1 {
		if before, err := r.Revisions.Remember(all[1]); err == nil {
			message += fmt.Sprintf("; before, it was %s: %s", all[1].Name, strings.Join(before.Definitions.Differences(s.revisions.definitions), "; "))
		}
	}
	r.Events.Eventf(s.rollout, nil, corev1.EventTypeNormal, "PlanFrozen", "Freeze", "%s", status.Note(message))
	ctrl.LoggerFrom(ctx).Info("Plan frozen", "revision", s.revisions.current, "number", all[0].Revision)
}

// prune deletes frozen plans that nobody needs any more.
func (r *Reconciler) prune(ctx context.Context, unused []*appsv1.ControllerRevision) error {
	for _, revision := range unused {
		if err := r.Client.Delete(ctx, revision, client.Preconditions{UID: &revision.UID}); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete frozen plan %s: %w", revision.Name, err)
		}
		r.Revisions.Forget(client.ObjectKeyFromObject(revision))
	}
	return nil
}

const (
	// mostRevisions, mostChanges and mostNames repeat the MaxItems markers of the status.
	mostRevisions = 10
	mostChanges   = 10
	mostNames     = 5
	// maxChange repeats the MaxLength marker of a change.
	maxChange = 512
)

// revisionStatuses tell who is on which frozen plan, and how those of before differ from the plan as it is now.
func (r *Reconciler) revisionStatuses(s snapshot, d decision) (current string, all []v1alpha1.RevisionStatus) {
	on := map[string][]string{}
	for i := range d.sites {
		if site := &d.sites[i]; site.Running {
			running := plan.Running(s.existing[site.Name].Status.Phases)
			on[running.Revision] = append(on[running.Revision], site.Name)
		} else if site.Coming(s.plan) != "" {
			on[site.Revision] = append(on[site.Revision], site.Name)
		}
	}
	for _, revision := range s.revisions.known[:min(len(s.revisions.known), mostRevisions)] {
		sites := on[revision.Name]
		slices.Sort(sites)
		st := v1alpha1.RevisionStatus{Name: revision.Name, Revision: revision.Revision, Sites: int32(len(sites)), SiteNames: sites[:min(len(sites), mostNames)]}
		if revision.Name == s.revisions.current {
			current = revision.Name
		} else if frozen, err := r.Revisions.Remember(revision); err == nil && s.revisions.current != "" {
			st.Changes = fewer(frozen.Definitions.Differences(s.revisions.definitions))
		}
		all = append(all, st)
	}
	return current, all
}

// fewer cuts a list of changes to what a status has room for.
func fewer(changes []string) []string {
	if len(changes) > mostChanges {
		changes = append(slices.Clone(changes[:mostChanges-1]), fmt.Sprintf("and %d more", len(changes)-mostChanges+1))
	}
	for i := range changes {
		changes[i] = v1alpha1.Clip(changes[i], maxChange)
	}
	return changes
}
