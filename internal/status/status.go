// Package status writes the status of objects: conditions that follow kstatus, and one patch a reconcile, only when something changed.
package status

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// maxConditionMessage is the limit of metav1.Condition, less a margin.
const maxConditionMessage = 4096

// maxNote is the limit of the API for an event's note, less a margin for what stands behind it: the number and the hash of a step.
const maxNote = 960

// Note shortens a message to what an event may say.
func Note(message string) string { return v1alpha1.Clip(message, maxNote) }

// Conditions writes the conditions of one object for one of its generations.
type Conditions struct {
	// List to write to.
	List *[]metav1.Condition
	// Generation that is observed.
	Generation int64
	// Now is the time of a transition.
	Now metav1.Time
}

// Set writes a condition. Its transition time moves only when its status does.
func (c Conditions) Set(kind string, value metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(c.List, metav1.Condition{
		Type:               kind,
		Status:             value,
		ObservedGeneration: c.Generation,
		LastTransitionTime: c.Now,
		Reason:             reason,
		Message:            v1alpha1.Clip(message, maxConditionMessage),
	})
}

// Bool returns the status of a condition that is known.
func Bool(value bool) metav1.ConditionStatus {
	if value {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}

// Ready writes that the object is valid and works.
func (c Conditions) Ready(reason, message string) {
	c.Set(v1alpha1.ConditionReady, metav1.ConditionTrue, reason, message)
	meta.RemoveStatusCondition(c.List, v1alpha1.ConditionStalled)
}

// NotReady writes that the object does not work now, but may again without anybody changing it.
func (c Conditions) NotReady(reason, message string) {
	c.Set(v1alpha1.ConditionReady, metav1.ConditionFalse, reason, message)
	meta.RemoveStatusCondition(c.List, v1alpha1.ConditionStalled)
}

// Stalled writes that nothing will change until a person changes an object.
func (c Conditions) Stalled(reason, message string) {
	c.Set(v1alpha1.ConditionReady, metav1.ConditionFalse, reason, message)
	c.Set(v1alpha1.ConditionStalled, metav1.ConditionTrue, reason, message)
}

// Judge writes Ready, or what is wrong.
func (c Conditions) Judge(mistakes []plan.Mistake, valid string) {
	if len(mistakes) == 0 {
		c.Ready(v1alpha1.ReasonValid, valid)
		return
	}
	c.Mistaken(mistakes, mistakes[0].Reason, plan.Sentences(mistakes))
}

// Mistaken writes that the object has mistakes. It is stalled only when one of them is more than a reference to something that does not exist: GitOps tools apply
// objects in any order and would give up on an object that is stalled, while what is missing may be on its way.
func (c Conditions) Mistaken(mistakes []plan.Mistake, reason, message string) {
	for _, m := range mistakes {
		if m.Reason != v1alpha1.ReasonReferenceNotFound {
			c.Stalled(reason, message)
			return
		}
	}
	c.NotReady(reason, message)
}

// Patch writes the status of changed, which was read as original, when it differs. It reports whether it wrote. An object that has changed meanwhile
// gives a conflict: what was decided may no longer be right, so nothing is overwritten.
func Patch(ctx context.Context, c client.Client, original, changed client.Object) (bool, error) {
	if equality.Semantic.DeepEqual(original, changed) {
		return false, nil
	}
	patch := client.MergeFromWithOptions(original, client.MergeFromWithOptimisticLock{})
	return true, c.Status().Patch(ctx, changed, patch)
}

// retryConflict is how soon a reconcile that met a newer object is tried again, if no event about that object comes first.
const retryConflict = 500 * time.Millisecond

// Settle sorts out what a reconcile returns: an object that has changed meanwhile is looked at again soon, one that is gone needs nothing,
// and both are everyday and no errors.
func Settle(result reconcile.Result, err error) (reconcile.Result, error) {
	switch {
	case apierrors.IsConflict(err):
		return reconcile.Result{RequeueAfter: retryConflict}, nil
	case apierrors.IsNotFound(err):
		return reconcile.Result{}, nil
	}
	return result, err
}
