package crmrollout

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// act carries out a decision: first who leaves, then who moves or is admitted, then who joins. It stops at the first failure; what is left follows
// when the rollout is looked at again.
func (r *Reconciler) act(ctx context.Context, s snapshot, d decision) error {
	for _, site := range d.members.Leave {
		if err := r.leave(ctx, s, site); err != nil {
			return err
		}
	}
	joining := map[string]bool{}
	for _, m := range d.members.Join {
		joining[m.Site] = true
	}
	admitted := map[string]string{}
	for _, a := range d.Admissions {
		admitted[a.Site] = a.Phase
		if !joining[a.Site] {
			if err := r.update(ctx, s, a.Site, d.wave[a.Site], a.Phase); err != nil {
				return err
			}
		}
	}
	for _, m := range d.members.Move {
		if admitted[m.Site] == "" {
			if err := r.update(ctx, s, m.Site, m.Wave, ""); err != nil {
				return err
			}
		}
	}
	for _, m := range d.members.Join {
		if err := r.join(ctx, s, m.Site, m.Wave, admitted[m.Site]); err != nil {
			return err
		}
	}
	return nil
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

// update writes the wave of a site, and the phase that it is admitted to unless that is empty.
func (r *Reconciler) update(ctx context.Context, s snapshot, site, wave, phase string) error {
	original := s.existing[site]
	changed := original.DeepCopy()
	r.fill(s, changed, wave, phase)
	patch := client.MergeFromWithOptions(original, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, changed, patch); err != nil {
		return fmt.Errorf("patch site rollout %s: %w", changed.Name, err)
	}
	r.written(ctx, s, changed, phase)
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
	r.fill(s, sr, wave, phase)
	if err := controllerutil.SetControllerReference(s.rollout, sr, r.Client.Scheme()); err != nil {
		return fmt.Errorf("own site rollout %s: %w", sr.Name, err)
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

func (r *Reconciler) fill(s snapshot, sr *v1alpha1.SiteRollout, wave, phase string) {
	sr.Spec.Wave = wave
	if sr.Labels == nil {
		sr.Labels = map[string]string{}
	}
	sr.Labels[v1alpha1.LabelWave] = wave
	if phase != "" {
		at := metav1.NewTime(s.now)
		sr.Spec.AdmittedThrough, sr.Spec.AdmittedAt = phase, &at
	}
}

func (r *Reconciler) written(ctx context.Context, s snapshot, sr *v1alpha1.SiteRollout, phase string) {
	r.ledger.enter(client.ObjectKeyFromObject(s.rollout), sr)
	if phase != "" {
		ctrl.LoggerFrom(ctx).Info("Site admitted", "site", sr.Spec.Site, "wave", sr.Spec.Wave, "phase", phase)
	}
}
