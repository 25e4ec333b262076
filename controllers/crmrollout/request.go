package crmrollout

import (
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/internal/request"
)

// askAgain is how soon a rollout looks again whether all of its sites were looked at for a request. Most have been by the first time.
const askAgain = time.Second

// answered reports whether all sites of a rollout were looked at for the request that it carries; also when that was told before, or there is none.
func (r *Reconciler) answered(s snapshot) bool {
	asked := request.Of(s.rollout)
	if asked == "" || asked == s.rollout.Status.LastHandledReconcileAt {
		return true
	}
	for _, sr := range s.existing {
		if !r.Answers.Given(client.ObjectKeyFromObject(sr), asked) {
			return false
		}
	}
	return true
}

// soon brings the next look forward while a request waits for sites.
func soon(s snapshot, result ctrl.Result) ctrl.Result {
	if !s.answered && (result.RequeueAfter == 0 || result.RequeueAfter > askAgain) {
		result.RequeueAfter = askAgain
	}
	return result
}
