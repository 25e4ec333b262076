package siterollout

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/advance"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/record"
	"github.com/crmops/rollout-operator/internal/status"
)

// report writes a decision down in one patch, and tells of its transitions once they are safe.
func (r *Reconciler) report(ctx context.Context, s snapshot, d decision) error {
	changed := s.object.DeepCopy()
	changed.Status = *d.status.DeepCopy()
	changed.Status.ObservedGeneration = changed.Generation
	conditions(changed, d.last, s.now)
	if sameButNumbers(s.object.Status, changed.Status) && (!newerNumbers(s.object.Status, changed.Status) || !r.Budget.Spend(changed.Namespace, measure.ForSites)) {
		return nil
	}
	wrote, err := status.Patch(ctx, r.Client, s.object, changed)
	if err != nil || !wrote {
		return err
	}
	for _, step := range d.changes {
		r.tell(ctx, changed, step)
	}
	return nil
}

func conditions(sr *v1alpha1.SiteRollout, last advance.Step, now time.Time) {
	c := status.Conditions{List: &sr.Status.Conditions, Generation: sr.Generation, Now: metav1.NewTime(now)}
	if len(last.Mistakes) > 0 {
		c.Mistaken(last.Mistakes, v1alpha1.ReasonPlanInvalid, sr.Status.Message)
	} else {
		c.Ready(v1alpha1.ReasonValid, "the site can be judged")
	}
	state, reason, message := sr.Status.State, sr.Status.Reason, sr.Status.Message
	c.Set(v1alpha1.ConditionProgressing, status.Bool(state == v1alpha1.SiteProving), reason, message)
	c.Set(v1alpha1.ConditionHeld, status.Bool(state == v1alpha1.SiteHeld || state == v1alpha1.SiteRolledBack), reason, message)
	c.Set(v1alpha1.ConditionCompleted, status.Bool(state == v1alpha1.SiteCompleted || state == v1alpha1.SiteRegressed), reason, message)
	passed := metav1.ConditionUnknown
	if judged := sr.Status.Gate; judged != nil && judged.Verdict != v1alpha1.VerdictWait {
		passed = status.Bool(judged.Verdict == v1alpha1.VerdictPass)
	}
	c.Set(v1alpha1.ConditionGatePassed, passed, reason, message)
}

// sameButNumbers reports whether two statuses differ in nothing but what a new measurement always changes: values, their times, and the messages that quote them.
func sameButNumbers(a, b v1alpha1.SiteRolloutStatus) bool {
	return equality.Semantic.DeepEqual(withoutNumbers(a), withoutNumbers(b))
}

func withoutNumbers(s v1alpha1.SiteRolloutStatus) v1alpha1.SiteRolloutStatus {
	bare := *s.DeepCopy()
	if bare.Reason != v1alpha1.ReasonSoaking && bare.Reason != v1alpha1.ReasonWaitingForCalendar { // the end of a soak and an opening are no numbers that were measured
		bare.NextLook = nil
	}
	if bare.Gate == nil || len(bare.Gate.Criteria) == 0 {
		return bare // no message quotes a number; where a baseline is missing, it says the same at every try
	}
	quotes := bare.Reason != v1alpha1.ReasonWaitingForApproval && bare.Reason != v1alpha1.ReasonWaitingForCalendar // who is missing, and which calendar is closed, are no numbers
	if quotes {
		bare.Message = ""
	}
	for i := range bare.Gate.Criteria {
		bare.Gate.Criteria[i] = gate.WithoutNumbers(bare.Gate.Criteria[i])
	}
	for i := range bare.Conditions {
		if quotes {
			bare.Conditions[i].Message = ""
		}
	}
	return bare
}

// newerNumbers reports whether a criterion has been measured since a status was written. Without that, a write would bring nothing at all.
func newerNumbers(old, current v1alpha1.SiteRolloutStatus) bool {
	if old.Gate == nil || current.Gate == nil {
		return false
	}
	seen := map[string]*metav1.Time{}
	for _, c := range old.Gate.Criteria {
		seen[c.Name] = c.SampleTime
	}
	for _, c := range current.Gate.Criteria {
		if c.SampleTime != nil && !c.SampleTime.Equal(seen[c.Name]) {
			return true
		}
	}
	return false
}

// tell says what happened in an event and in the log, in the words of the step itself. Both carry the number of the step and the beginning of its hash, so that who keeps them
// can tell later whether the record is still what it was.
func (r *Reconciler) tell(ctx context.Context, sr *v1alpha1.SiteRollout, step taken) {
	kind := corev1.EventTypeNormal
	if step.State == v1alpha1.SiteHeld || step.State == v1alpha1.SiteRolledBack || step.State == v1alpha1.SiteRegressed {
		kind = corev1.EventTypeWarning
	}
	sequence, hash := step.recorded.Sequence, record.Short(step.recorded.Hash)
	r.Events.Eventf(sr, nil, kind, step.Change.Reason, "Advance", "%s (step %d, hash %s)", status.Note(step.Change.Message), sequence, hash)
	ctrl.LoggerFrom(ctx).Info("Site moved", "rollout", sr.Spec.Rollout, "site", sr.Spec.Site, "phase", step.Change.Phase,
		"state", step.State, "reason", step.Change.Reason, "message", step.Change.Message, "step", sequence, "hash", hash)
}
