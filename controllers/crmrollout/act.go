package crmrollout

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// act carries out a decision: first who leaves, then who moves or is admitted, then who joins. A write that is refused keeps no other site from its own; what
// is left follows when the rollout is looked at again.
func (r *Reconciler) act(ctx context.Context, s snapshot, d decision) error {
	var failures []error
	for _, site := range d.members.Leave {
		failures = append(failures, r.leave(ctx, s, site))
	}
	for _, c := range changes(d) {
		failures = append(failures, r.update(ctx, s, d, c))
	}
	admitted := admissions(d)
	for _, m := range d.members.Join {
		failures = append(failures, r.join(ctx, s, m.Site, m.Wave, admitted[m.Site]))
	}
	return errors.Join(failures...)
}

// change is what a SiteRollout that exists becomes.
type change struct {
	site string
	// phase that the site is admitted to; empty when it is not admitted now.
	phase string
}

func admissions(d decision) map[string]string {
	phases := make(map[string]string, len(d.Admissions))
	for _, a := range d.Admissions {
		phases[a.Site] = a.Phase
	}
	return phases
}

// changes returns one change for each SiteRollout that is moved, adopted or admitted: moves and adoptions first.
func changes(d decision) []change {
	joining := map[string]bool{}
	for _, m := range d.members.Join {
		joining[m.Site] = true
	}
	admitted, seen := admissions(d), map[string]bool{}
	var all []change
	add := func(site string) {
		if !seen[site] && !joining[site] {
			seen[site] = true
			all = append(all, change{site: site, phase: admitted[site]})
		}
	}
	for _, m := range d.members.Move {
		add(m.Site)
	}
	for _, site := range d.adopt {
		if _, stays := d.wave[site]; stays {
			add(site)
		}
	}
	for _, a := range d.Admissions {
		add(a.Site)
	}
	return all
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

// update writes the wave of a site, and the phase that it is admitted to. A site that is moved before it began loses its admission to another wave's turn.
func (r *Reconciler) update(ctx context.Context, s snapshot, d decision, c change) error {
	original := s.existing[c.site]
	changed := original.DeepCopy()
	if changed.Spec.Wave != d.wave[c.site] && len(changed.Status.Phases) == 0 {
		changed.Spec.AdmittedThrough, changed.Spec.AdmittedAt = "", nil
	}
	if err := r.fill(s, changed, d.wave[c.site], c.phase); err != nil {
		return err
	}
	patch := client.MergeFromWithOptions(original, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, changed, patch); err != nil {
		return fmt.Errorf("patch site rollout %s: %w", changed.Name, err)
	}
	r.written(ctx, s, changed, c.phase)
	return nil
}

func (r *Reconciler) join(ctx context.Context, s snapshot, site, wave, phase string) error {
	sr := &v1alpha1.SiteRollout{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.rollout.Namespace,
			Name:      name(s.rollout, site),
			Labels:    map[string]string{v1alpha1.LabelRollout: s.rollout.Name, v1alpha1.LabelSite: site},
		},
		Spec: v1alpha1.SiteRolloutSpec{Rollout: s.rollout.Name, Site: site},
	}
	if err := r.fill(s, sr, wave, phase); err != nil {
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
	r.written(ctx, s, sr, phase)
	return nil
}

func (r *Reconciler) fill(s snapshot, sr *v1alpha1.SiteRollout, wave, phase string) error {
	sr.Spec.Wave = wave
	if sr.Labels == nil {
		sr.Labels = map[string]string{}
	}
	sr.Labels[v1alpha1.LabelWave] = wave
	if phase != "" {
		at := metav1.NewTime(s.now)
		sr.Spec.AdmittedThrough, sr.Spec.AdmittedAt = phase, &at
	}
	if err := controllerutil.SetControllerReference(s.rollout, sr, r.Client.Scheme()); err != nil {
		return fmt.Errorf("own site rollout %s: %w", sr.Name, err)
	}
	return nil
}

func (r *Reconciler) written(ctx context.Context, s snapshot, sr *v1alpha1.SiteRollout, phase string) {
	r.ledger.enter(client.ObjectKeyFromObject(s.rollout), sr)
	if phase != "" {
		ctrl.LoggerFrom(ctx).Info("Site admitted", "site", sr.Spec.Site, "wave", sr.Spec.Wave, "phase", phase)
	}
}
