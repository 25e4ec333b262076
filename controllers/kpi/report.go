package kpi

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/status"
)

func (r *Reconciler) report(ctx context.Context, s snapshot, o outcome) error {
	changed := s.object.DeepCopy()
	changed.Status.ObservedGeneration = changed.Generation
	changed.Status.LastHandledReconcileAt = cmp.Or(r.memory.handled(client.ObjectKeyFromObject(changed)), changed.Status.LastHandledReconcileAt)
	if changed.Status.Revision != s.kpi.Revision {
		changed.Status.Revision = s.kpi.Revision
		changed.Status.LastMeasured, changed.Status.MeasuredSince, changed.Status.Summary = nil, nil, nil
	}
	if len(s.mistakes) == 0 && o.measurement.Failure == "" {
		measured := metav1.NewTime(o.measurement.Time)
		if !s.measuredBefore() || measured.Sub(s.object.Status.LastMeasured.Time) > s.kpi.StaleAfter {
			changed.Status.MeasuredSince = &measured
		}
		changed.Status.LastMeasured = &measured
		changed.Status.Summary = measure.Summarise(o.measurement, s.sites, o.unknown)
	}
	conditions := status.Conditions{List: &changed.Status.Conditions, Generation: changed.Generation, Now: metav1.NewTime(s.now)}
	switch {
	case len(s.mistakes) > 0:
		conditions.Stalled(s.mistakes[0].Reason, plan.Sentences(s.mistakes))
	case o.problem.reason != "":
		conditions.NotReady(o.problem.reason, o.problem.message)
	case len(s.sites) > 0 && changed.Status.Summary.Sites == 0:
		conditions.NotReady(v1alpha1.ReasonNoData, fmt.Sprintf(
			"the source answered, but with no value for %s (%s no site here); check the query and that its site label holds the sites' siteID",
			either(len(s.sites), "the only site", fmt.Sprintf("any of the %d sites", len(s.sites))), counted(o.unknown, "value names", "values name")))
	default:
		conditions.Ready(v1alpha1.ReasonMeasured, "the last measurement succeeded")
	}
	wrote, err := status.Patch(ctx, r.Client, s.object, changed)
	if err != nil {
		return err
	}
	r.memory.told(client.ObjectKeyFromObject(s.object))
	if wrote {
		r.tell(s.object, changed)
	}
	return nil
}

// reportAgain tells what the latest try brought, when the status does not say so: writing it failed, or the object has changed in something that does
// not matter to the numbers.
func (r *Reconciler) reportAgain(ctx context.Context, s snapshot) error {
	last, told := r.memory.last(client.ObjectKeyFromObject(s.object))
	if told && s.object.Status.ObservedGeneration == s.object.Generation {
		return nil
	}
	return r.report(ctx, s, last)
}

// tell emits an event when the KPI's machinery begins to fail, fails in another way, or works again.
func (r *Reconciler) tell(before, after *v1alpha1.KPI) {
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady)
	is := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionReady)
	if was != nil && was.Reason == is.Reason {
		return
	}
	kind := corev1.EventTypeNormal
	if is.Status != metav1.ConditionTrue {
		kind = corev1.EventTypeWarning
	}
	r.Events.Eventf(after, nil, kind, is.Reason, "Measure", "%s", status.Note(is.Message))
}
