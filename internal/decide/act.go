package decide

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// act says what the action of a decision does where the site stands. The record is that of the attempt that the decision names; nil in front of the first one.
func (s Site) act(d *v1alpha1.RolloutDecision, record *v1alpha1.PhaseRecord) Fate {
	switch d.Spec.Action {
	case v1alpha1.DecisionApprove:
		return s.approval(d, record)
	case v1alpha1.DecisionWaive:
		return s.waiver(d, record)
	case v1alpha1.DecisionReject:
		return s.rejection(d, record)
	case v1alpha1.DecisionRetry:
		return s.retry(d, record)
	case v1alpha1.DecisionRollBack:
		switch {
		case record == nil:
			return s.noAttempt(d)
		case !record.Runs():
			return refused(v1alpha1.ReasonNotNeeded, "%s", s.ended(record))
		}
		return counts("site %s is rolled back out of phase %s as soon as it is looked at", s.Name, d.Spec.Phase)
	case v1alpha1.DecisionSkip:
		return counts("site %s goes on without phase %s as soon as it is looked at", s.Name, d.Spec.Phase)
	case v1alpha1.DecisionRecapture:
		return s.recapture(d, record)
	}
	return refused(v1alpha1.ReasonNotNeeded, "this operator does not know the action %s", d.Spec.Action)
}

func (s Site) noAttempt(d *v1alpha1.RolloutDecision) Fate {
	return refused(v1alpha1.ReasonNotNeeded, "no attempt of site %s at phase %s has begun", s.Name, d.Spec.Phase)
}

// atGate tells of a decision about another gate than the one that the site stands at; without a reason when it is that one.
func (s Site) atGate(d *v1alpha1.RolloutDecision) Fate {
	switch {
	case s.Gate == nil:
		return pending("site %s stands at no gate of phase %s now", s.Name, d.Spec.Phase)
	case s.Gate.Name != d.Spec.Gate:
		return refused(v1alpha1.ReasonNotNeeded, "site %s stands at gate %s of phase %s, and the decision is about gate %s", s.Name, s.Gate.Name, d.Spec.Phase, d.Spec.Gate)
	}
	return Fate{}
}

// ended says how the attempt of a record ended without passing; empty when it has not.
func (s Site) ended(record *v1alpha1.PhaseRecord) string {
	how, at := "", (*metav1.Time)(nil)
	switch {
	case record == nil:
	case record.ReopenedAt != nil:
		how, at = "was over before the phase was reopened", record.ReopenedAt
	case record.RolledBackAt != nil:
		how, at = "was rolled back", record.RolledBackAt
	case record.FailedAt != nil:
		how, at = "failed", record.FailedAt
	}
	if at == nil {
		return ""
	}
	return fmt.Sprintf("attempt %d of site %s at phase %s %s at %s", record.Attempt, s.Name, record.Name, how, clockTime(at.Time))
}

// endedAt returns when the attempt of a record failed, was rolled back or was reopened, the latest of these; zero when none happened.
func endedAt(record *v1alpha1.PhaseRecord) time.Time {
	var at time.Time
	if record == nil {
		return at
	}
	for _, known := range []*metav1.Time{record.FailedAt, record.RolledBackAt, record.ReopenedAt} {
		if known != nil && known.After(at) {
			at = known.Time
		}
	}
	return at
}

// answers tells of a decision that was made before the attempt ended; without a reason when it was made later. Who has not seen a failure has not decided about it.
func (s Site) answers(d *v1alpha1.RolloutDecision, record *v1alpha1.PhaseRecord) Fate {
	if at := endedAt(record); d.CreationTimestamp.Time.Before(at) {
		return refused(v1alpha1.ReasonNotNeeded, "it was made at %s, and %s after that; make another one if you still mean it", clockTime(d.CreationTimestamp.Time), s.ended(record)).forGood()
	}
	return Fate{}
}

// waiver lets a gate count as passed.
func (s Site) waiver(d *v1alpha1.RolloutDecision, record *v1alpha1.PhaseRecord) Fate {
	if fate := s.atGate(d); fate.Reason != "" {
		return fate
	}
	if fate := s.answers(d, record); fate.Reason != "" {
		return fate
	}
	if s.Gate.Role == v1alpha1.GateRoleEntry {
		return counts("entry gate %s counts as passed for site %s", d.Spec.Gate, s.Name)
	}
	if record != nil && !record.Runs() {
		return refused(v1alpha1.ReasonNotNeeded, "%s; a Retry lets it begin again", s.ended(record))
	}
	return counts("exit gate %s counts as passed for site %s when the soak is over", d.Spec.Gate, s.Name)
}

// rejection fails an attempt that runs.
func (s Site) rejection(d *v1alpha1.RolloutDecision, record *v1alpha1.PhaseRecord) Fate {
	if fate := s.atGate(d); fate.Reason != "" {
		return fate
	}
	ended := s.ended(record)
	switch {
	case ended != "":
		return refused(v1alpha1.ReasonNotNeeded, "%s", ended)
	case record == nil || s.Gate.Role == v1alpha1.GateRoleEntry:
		return s.noAttempt(d)
	}
	return counts("the attempt of site %s at phase %s fails as soon as the site is looked at", s.Name, d.Spec.Phase)
}

// retry answers an attempt that failed or was rolled back.
func (s Site) retry(d *v1alpha1.RolloutDecision, record *v1alpha1.PhaseRecord) Fate {
	switch {
	case record == nil:
		return s.noAttempt(d)
	case endedAt(record).IsZero():
		return refused(v1alpha1.ReasonNotNeeded, "attempt %d of site %s at phase %s has not failed, and a Retry made before that does not count", record.Attempt, s.Name, record.Name)
	case !record.Runs() && s.Status.State != v1alpha1.SiteRolledBack:
		return refused(v1alpha1.ReasonNotNeeded, "site %s waits to begin phase %s again already", s.Name, record.Name)
	}
	if fate := s.answers(d, record); fate.Reason != "" {
		return fate
	}
	return counts("another attempt of site %s at phase %s may begin", s.Name, d.Spec.Phase)
}

// recapture concerns a baseline that was taken; one that the phase did not declare then is not there to be taken anew.
func (s Site) recapture(d *v1alpha1.RolloutDecision, record *v1alpha1.PhaseRecord) Fate {
	if record == nil {
		return s.noAttempt(d)
	}
	if !slices.ContainsFunc(record.Baselines, func(b v1alpha1.Baseline) bool { return b.KPI == d.Spec.KPI }) {
		return refused(v1alpha1.ReasonNotNeeded, "site %s has no baseline of KPI %s from phase %s", s.Name, d.Spec.KPI, record.Name)
	}
	return counts("the next attempt of site %s at phase %s takes its baseline of KPI %s anew", s.Name, d.Spec.Phase, d.Spec.KPI)
}

// Recaptured returns the decisions, one for each KPI, by which the next attempt of the site at a phase takes baselines anew.
func (s Site) Recaptured(decisions []*v1alpha1.RolloutDecision) map[string]*v1alpha1.RolloutDecision {
	found := map[string]*v1alpha1.RolloutDecision{}
	for _, d := range decisions {
		if d.Spec.Action == v1alpha1.DecisionRecapture && found[d.Spec.KPI] == nil && s.concerned(d) && s.look(d).Counts {
			found[d.Spec.KPI] = d
		}
	}
	return found
}
