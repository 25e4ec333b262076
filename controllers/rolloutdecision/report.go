package rolloutdecision

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/decide"
	"github.com/crmops/rollout-operator/internal/status"
)

// report writes down what becomes of the decision.
func (r *Reconciler) report(ctx context.Context, s snapshot, fate decide.Fate) error {
	changed := s.object.DeepCopy()
	changed.Status.ObservedGeneration = changed.Generation
	conditions := status.Conditions{List: &changed.Status.Conditions, Generation: changed.Generation, Now: metav1.NewTime(s.now)}
	conditions.Set(v1alpha1.ConditionEffective, fate.Status, fate.Reason, fate.Message)
	missing := s.missing()
	switch {
	case fate.Final && fate.Status == metav1.ConditionFalse:
		conditions.Stalled(fate.Reason, fate.Message)
	case missing != "" && !fate.Final:
		conditions.NotReady(v1alpha1.ReasonReferenceNotFound, missing)
	default:
		conditions.Ready(v1alpha1.ReasonValid, "everything that the decision names exists")
	}
	_, err := status.Patch(ctx, r.Client, s.object, changed)
	return err
}

// missing names the first thing that the decision is about and that does not exist; empty when all do.
func (s snapshot) missing() string {
	spec := s.object.Spec
	remedy := "a decision never changes, so make another one if the name is wrong"
	switch {
	case s.rollout == nil:
		return fmt.Sprintf("spec.rollout: CRMRollout %q does not exist in this namespace; create it, or %s", spec.Rollout, remedy)
	case spec.Wave != "" && !slices.ContainsFunc(s.rollout.Spec.Waves, func(w v1alpha1.Wave) bool { return w.Name == spec.Wave }):
		return fmt.Sprintf("spec.wave: %q is not a wave of CRMRollout %q; %s", spec.Wave, spec.Rollout, remedy)
	case spec.Site != "" && len(s.sites) == 0:
		return fmt.Sprintf("spec.site: site %q is not in CRMRollout %q: there is no SiteRollout %q; %s", spec.Site, spec.Rollout, spec.Rollout+"."+spec.Site, remedy)
	case !s.knows(spec.Phase):
		return fmt.Sprintf("spec.phase: %q is not a phase of CRMRollout %q; %s", spec.Phase, spec.Rollout, remedy)
	}
	return ""
}

// knows reports whether the rollout has a phase, or one of the sites has begun it.
func (s snapshot) knows(phase string) bool {
	return slices.ContainsFunc(s.rollout.Spec.Phases, func(p v1alpha1.LocalReference) bool { return p.Name == phase }) ||
		slices.ContainsFunc(s.sites, func(sr *v1alpha1.SiteRollout) bool {
			return slices.ContainsFunc(sr.Status.Phases, func(r v1alpha1.PhaseRecord) bool { return r.Name == phase })
		})
}
