package plan

import "github.com/crmops/rollout-operator/api/v1alpha1"

// resolveFailure resolves how long an attempt may take, and what follows when it has failed.
func (p *Phase) resolveFailure(object string, spec v1alpha1.RolloutPhaseSpec) {
	var err error
	if p.Deadline, err = spec.Deadline.Parse(); err != nil {
		p.Mistakes = append(p.Mistakes, invalid(object, "spec.deadline", err.Error(), remedyDuration))
	}
	if spec.Deadline != "" && err == nil && p.Deadline <= p.Soak {
		p.Mistakes = append(p.Mistakes, invalid(object, "spec.deadline", "it is not longer than soak, so every attempt would fail before it may pass", "make deadline longer than soak"))
	}
	if p.OnFailure = spec.OnFailure; p.OnFailure == "" {
		p.OnFailure = v1alpha1.FailureHold
	}
	switch {
	case spec.MaxAttempts != nil:
		p.MaxAttempts = *spec.MaxAttempts
	case p.OnFailure != v1alpha1.FailureHold:
		p.MaxAttempts = 1
	}
}
