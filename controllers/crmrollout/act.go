package crmrollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
)

// act carries out a decision: first who leaves, then who moves or is admitted, then who joins. A write that is refused keeps no other site from its own; what
// is left follows when the rollout is looked at again.
func (r *Reconciler) act(ctx context.Context, s *snapshot, d decision) error {
	if err := r.adoptPlans(ctx, s); err != nil {
		return err
	}
	if s.freezes(d) {
		if err := r.freeze(ctx, s); err != nil {
			return err // nobody may be told to go on by a plan that does not exist
		}
	}
	changes, joins := writes(*s, d)
	if len(d.Members.Leave)+len(changes)+len(joins) == 0 { // otherwise what a site is told now may be in its status a moment later
		return r.prune(ctx, s.unused())
	}
	return errors.Join(
		each(d.Members.Leave, func(site string) error { return r.leave(ctx, *s, site) }),
		each(changes, func(c change) error { return r.update(ctx, *s, c) }),
		each(joins, func(c change) error { return r.join(ctx, *s, c) }))
}

// each does something for every one of some things, and returns all failures.
func each[T any](things []T, do func(T) error) error {
	failures := make([]error, 0, len(things))
	for _, thing := range things {
		failures = append(failures, do(thing))
	}
	return errors.Join(failures...)
}

// change is what the SiteRollout of a site becomes.
type change struct {
	admit.Member
	// phase that the site is admitted to; empty when it is not admitted now.
	phase string
	// attempt at that phase.
	attempt int32
	// revision of the plan by which the site goes on from now on; empty when it is told nothing new.
	revision string
}

// changed returns what is to change of a site: with its admission, and the frozen plan by which it goes on.
func (d decision) changed(member admit.Member, admitted admit.Admission) change {
	c := change{Member: member, phase: admitted.Phase, attempt: admitted.Attempt, revision: admitted.Revision}
	if repinned, repins := d.repins[member.Site]; repins && c.phase == "" {
		c.revision = repinned.Revision
		c.LosesAdmission = c.LosesAdmission || !repinned.InFlight() // it was to a phase that does not come next in the other plan
	}
	return c
}

// writes returns one change for each SiteRollout that is moved, adopted or admitted, moves and adoptions first, and one for each that is created.
func writes(s snapshot, d decision) (changes, joins []change) {
	admitted := make(map[string]admit.Admission, len(d.Admissions))
	for _, a := range d.Admissions {
		admitted[a.Site] = a
	}
	seen := map[string]bool{}
	for _, m := range d.Members.Join {
		seen[m.Site] = true
		joins = append(joins, d.changed(m, admitted[m.Site]))
	}
	add := func(m admit.Member) {
		if !seen[m.Site] {
			seen[m.Site] = true
			changes = append(changes, d.changed(m, admitted[m.Site]))
		}
	}
	for _, m := range d.Members.Move {
		add(m)
	}
	for _, site := range d.adopt {
		add(stays(s, site))
	}
	for _, a := range d.Admissions {
		add(stays(s, a.Site))
	}
	for _, site := range slices.Sorted(maps.Keys(d.repins)) {
		add(stays(s, site))
	}
	return changes, joins
}

// stays is a member that stays where it is.
func stays(s snapshot, site string) admit.Member {
	member := admit.Member{Site: site}
	if sr := s.existing[site]; sr != nil {
		member.Wave = sr.Spec.Wave
		if sr.Spec.Rank != nil {
			member.Rank = *sr.Spec.Rank
		}
	}
	return member
}

// leave deletes the SiteRollout of a site that has not begun. If it begins at this very moment, the precondition fails and the site stays.
func (r *Reconciler) leave(ctx context.Context, s snapshot, site string) error {
	sr := s.existing[site]
	unchanged := client.Preconditions{UID: &sr.UID, ResourceVersion: &sr.ResourceVersion}
	if err := r.Client.Delete(ctx, sr, unchanged); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete site rollout %s: %w", sr.Name, err)
	}
	r.ledger.strike(client.ObjectKeyFromObject(s.rollout), site)
	return nil
}

// update writes the wave of a site, and the phase that it is admitted to.
func (r *Reconciler) update(ctx context.Context, s snapshot, c change) error {
	original := s.existing[c.Site]
	changed := original.DeepCopy()
	if c.LosesAdmission {
		changed.Spec.AdmittedThrough, changed.Spec.AdmittedAt = "", nil
	}
	if err := r.fill(s, changed, c); err != nil {
		return err
	}
	patch := client.MergeFromWithOptions(original, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, changed, patch); err != nil {
		return fmt.Errorf("patch site rollout %s: %w", changed.Name, err)
	}
	r.written(ctx, s, changed, c)
	return nil
}

func (r *Reconciler) join(ctx context.Context, s snapshot, c change) error {
	sr := &v1alpha1.SiteRollout{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.rollout.Namespace,
			Name:      name(s.rollout, c.Site),
			Labels:    map[string]string{v1alpha1.LabelRollout: s.rollout.Name, v1alpha1.LabelSite: c.Site},
		},
		Spec: v1alpha1.SiteRolloutSpec{Rollout: s.rollout.Name, Site: c.Site},
	}
	if err := r.fill(s, sr, c); err != nil {
		return err
	}
	err := r.Client.Create(ctx, sr)
	if apierrors.IsAlreadyExists(err) {
		// The cache did not show it yet, or it belongs to a rollout of the same name that is being deleted. Look past the cache next time.
		r.ledger.forget(client.ObjectKeyFromObject(s.rollout))
		return apierrors.NewConflict(v1alpha1.GroupVersion.WithResource("siterollouts").GroupResource(), sr.Name, err)
	}
	if err != nil {
		return fmt.Errorf("create site rollout %s: %w", sr.Name, err)
	}
	r.written(ctx, s, sr, c)
	return nil
}

func (r *Reconciler) fill(s snapshot, sr *v1alpha1.SiteRollout, c change) error {
	sr.Spec.Wave, sr.Spec.Rank = c.Wave, nil
	if c.Rank > 0 {
		sr.Spec.Rank = &c.Rank
	}
	if sr.Labels == nil {
		sr.Labels = map[string]string{}
	}
	sr.Labels[v1alpha1.LabelWave] = c.Wave
	if c.revision != "" {
		sr.Spec.Revision = c.revision
	}
	if c.phase != "" {
		at := metav1.NewTime(s.now)
		sr.Spec.AdmittedThrough, sr.Spec.AdmittedAt, sr.Spec.AdmittedAttempt = c.phase, &at, 0
		if c.attempt > 1 {
			sr.Spec.AdmittedAttempt = c.attempt
		}
	}
	if err := controllerutil.SetControllerReference(s.rollout, sr, r.Client.Scheme()); err != nil {
		return fmt.Errorf("own site rollout %s: %w", sr.Name, err)
	}
	return nil
}

func (r *Reconciler) written(ctx context.Context, s snapshot, sr *v1alpha1.SiteRollout, c change) {
	r.ledger.enter(client.ObjectKeyFromObject(s.rollout), sr)
	if c.phase != "" {
		ctrl.LoggerFrom(ctx).Info("Site admitted", "site", sr.Spec.Site, "wave", sr.Spec.Wave, "phase", c.phase, "attempt", c.attempt)
	}
}
