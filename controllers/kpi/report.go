package kpi

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/status"
)

func (r *Reconciler) report(ctx context.Context, s snapshot, o outcome) error {
	changed := s.object.DeepCopy()
	changed.Status.ObservedGeneration = changed.Generation
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
		conditions.Stalled(o.problem.reason, o.problem.message)
	case o.problem.reason != "":
		conditions.NotReady(o.problem.reason, o.problem.message)
	case len(s.sites) > 0 && changed.Status.Summary.Sites == 0:
		conditions.NotReady(v1alpha1.ReasonNoData, fmt.Sprintf(
			"the source answered, but with no value for any of the %d sites (%d values name no site here); check the query and that its site label holds the sites' siteID",
			len(s.sites), o.unknown))
	default:
		conditions.Ready(v1alpha1.ReasonMeasured, "the last measurement succeeded")
	}
	wrote, err := status.Patch(ctx, r.Client, s.object, changed)
	if err == nil && wrote {
		r.tell(s.object, changed)
	}
	return err
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
	r.Events.Eventf(after, nil, kind, is.Reason, "Measure", "%s", v1alpha1.Clip(is.Message, maxEventNote))
}

// maxEventNote is the limit of the API for an event's note, less a margin.
const maxEventNote = 1000
