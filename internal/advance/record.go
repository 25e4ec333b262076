package advance

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/record"
)

// Record writes a step into a copy of a status. Conditions and observedGeneration are not its business.
func Record(status v1alpha1.SiteRolloutStatus, step Step, now time.Time) v1alpha1.SiteRolloutStatus {
	next := *status.DeepCopy()
	if step.Change != nil {
		now = notBefore(status.Transitions, now)
		recordPhase(&next, *step.Change, now)
		recordTransition(&next, status.State, step, now)
	}
	next.State, next.CurrentPhase = step.State, step.Phase
	next.Reason, next.Message = step.Reason, v1alpha1.Clip(step.Message, v1alpha1.MaxSiteMessage)
	next.Gate, next.NextLook = step.Gate, nil
	if !step.NextLook.IsZero() {
		next.NextLook = stamp(step.NextLook)
	}
	bound(&next)
	return next
}

// notBefore returns the time of a step, which never lies before the one before it: the operator may have moved to a machine whose clock is behind.
func notBefore(steps []v1alpha1.Transition, now time.Time) time.Time {
	if count := len(steps); count > 0 && now.Before(steps[count-1].Time.Time) {
		return steps[count-1].Time.Time
	}
	return now
}

func recordPhase(status *v1alpha1.SiteRolloutStatus, change Change, now time.Time) {
	if change.Reopens {
		reopen(plan.RecordOf(status.Phases, change.Phase), now)
		return
	}
	known := unpassed(status.Phases, change.Phase)
	switch {
	case change.Starts && known == nil:
		status.Phases = append(status.Phases, v1alpha1.PhaseRecord{Name: change.Phase, Attempt: 1, StartedAt: metav1.NewTime(now), Revision: change.Revision, Baselines: change.Baselines})
	case change.Outcome == v1alpha1.PhaseSkipped && plan.RecordOf(status.Phases, change.Phase) == nil:
		status.Phases = append(status.Phases, v1alpha1.PhaseRecord{Name: change.Phase, StartedAt: metav1.NewTime(now), PassedAt: stamp(now), Outcome: change.Outcome})
	case known == nil:
	case change.Starts:
		restart(known, change, now)
	case change.Fails != "":
		known.FailedAt, known.Failure = stamp(now), change.Fails
	case change.RollsBack:
		known.RolledBackAt = stamp(now)
	case change.Passes:
		known.PassedAt, known.Evidence, known.Outcome = stamp(now), change.Evidence, change.Outcome
	}
}

// restart begins another attempt. A phase that was skipped before it had begun has no first one.
func restart(known *v1alpha1.PhaseRecord, change Change, now time.Time) {
	if known.FirstStartedAt == nil && known.Attempt > 0 {
		known.FirstStartedAt = known.StartedAt.DeepCopy()
	}
	known.Baselines = replaced(known.Baselines, change.Baselines)
	known.Attempt, known.StartedAt, known.Revision = known.Attempt+1, metav1.NewTime(now), change.Revision
	known.FailedAt, known.Failure, known.RolledBackAt, known.ReopenedAt = nil, "", nil, nil
}

// replaced returns baselines with those that were taken anew in the places of the old ones.
func replaced(known, anew []v1alpha1.Baseline) []v1alpha1.Baseline {
	for i := range known {
		for _, b := range anew {
			if known[i].KPI == b.KPI {
				known[i] = b
			}
		}
	}
	return known
}

// reopen makes a phase that was passed one that is to be passed again. Its evidence goes: it speaks about an attempt that is over.
func reopen(known *v1alpha1.PhaseRecord, now time.Time) {
	if known == nil || known.PassedAt == nil {
		return
	}
	if known.FirstPassedAt == nil {
		known.FirstPassedAt = known.PassedAt
	}
	known.ReopenedAt, known.PassedAt, known.Outcome, known.Evidence = stamp(now), nil, "", nil
	known.FailedAt, known.Failure = nil, "" // of an attempt that failed and was waived
}

func recordTransition(status *v1alpha1.SiteRolloutStatus, from v1alpha1.SiteState, step Step, now time.Time) {
	if from == "" {
		from = v1alpha1.SitePending
	}
	transition := v1alpha1.Transition{
		Time:           metav1.NewTime(now),
		From:           from,
		To:             step.State,
		Phase:          step.Change.Phase,
		Reason:         step.Change.Reason,
		Message:        v1alpha1.Clip(step.Change.Message, v1alpha1.MaxMessage),
		Deciders:       step.Change.Deciders,
		EvidenceDigest: record.Digest(step.Change.Evidence),
	}
	for _, r := range status.Phases {
		if r.Name == step.Change.Phase {
			transition.Attempt, transition.Revision = r.Attempt, r.Revision
		}
	}
	record.Append(status, transition)
	record.Fold(status, len(status.Transitions)-v1alpha1.MaxTransitions)
}

func stamp(t time.Time) *metav1.Time {
	s := metav1.NewTime(t)
	return &s
}
