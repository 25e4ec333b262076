// Package decide answers for one site which decisions of people count, and why the others do not.
//
// The package cannot do I/O and has no clock. The rules that move a site ask it what has an effect, and the status of a decision shows its answer, so that an
// explanation cannot disagree with what happens.
package decide

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Site is one site as decisions see it.
type Site struct {
	// Rollout is the name of the CRMRollout.
	Rollout string
	// Name of the RolloutSite.
	Name string
	// Wave that the site is in; empty for none.
	Wave string
	// JoinedAt is when the site joined the rollout. A decision about its wave that was made before is not about it.
	JoinedAt time.Time
	// Status of the site, as it is remembered.
	Status v1alpha1.SiteRolloutStatus
	// Gate that the site stands at, with the approvals that were looked at; nil when it stands at none.
	Gate *v1alpha1.GateReport
	// Failing says what fails the gate; empty when nothing does, or when only the verdict is known.
	Failing string
	// Policy that decisions rest on.
	Policy Policy
	// Now is the time of the question.
	Now time.Time
}

// SiteOf returns a site as its SiteRollout tells of it.
func SiteOf(sr *v1alpha1.SiteRollout, policy Policy, now time.Time) Site {
	return Site{Rollout: sr.Spec.Rollout, Name: sr.Spec.Site, Wave: sr.Spec.Wave, JoinedAt: sr.CreationTimestamp.Time,
		Status: sr.Status, Gate: sr.Status.Gate, Policy: policy, Now: now}
}

// Fate is what becomes of a decision.
type Fate struct {
	// Status, Reason and Message are those of the condition Effective.
	Status          metav1.ConditionStatus
	Reason, Message string
	// Counts is true when the decision may have its effect now.
	Counts bool
	// Final is true when nothing that can still happen to the site changes this.
	Final bool
	// unseen is true for an approval that has not been looked at, and is to be written down.
	unseen bool
}

func pending(format string, args ...any) Fate {
	return Fate{Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonPending, Message: fmt.Sprintf(format, args...)}
}

func counts(format string, args ...any) Fate {
	return Fate{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonCounted, Message: fmt.Sprintf(format, args...), Counts: true}
}

func refused(reason, format string, args ...any) Fate {
	return Fate{Status: metav1.ConditionFalse, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// forGood makes a fate final.
func (f Fate) forGood() Fate {
	f.Final = true
	return f
}

// Order sorts decisions by the time at which they were made, then by name: the first that can have its effect has it.
func Order(decisions []*v1alpha1.RolloutDecision) {
	slices.SortFunc(decisions, func(a, b *v1alpha1.RolloutDecision) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
}

// Fate says what becomes of a decision about the site.
func (s Site) Fate(d *v1alpha1.RolloutDecision) Fate {
	fate := s.look(d)
	if fate.unseen && (fate.Counts || !full(s.role(d.Spec.Role))) {
		return pending("site %s has not been looked at since the decision was made", s.Name)
	}
	return fate
}

// First returns the first of some decisions, in order, that is about the site, has one of the actions, and counts now; nil when none does.
func (s Site) First(decisions []*v1alpha1.RolloutDecision, actions ...v1alpha1.DecisionAction) *v1alpha1.RolloutDecision {
	for _, d := range decisions {
		if slices.Contains(actions, d.Spec.Action) && s.concerned(d) && s.look(d).Counts {
			return d
		}
	}
	return nil
}

// Decider puts a decision into the form in which a transition names it.
func Decider(d *v1alpha1.RolloutDecision) v1alpha1.Decider {
	return v1alpha1.Decider{Decision: d.Name, By: d.Spec.DecidedBy, Action: d.Spec.Action, Role: d.Spec.Role}
}

// concerned reports whether a decision is about the site.
func (s Site) concerned(d *v1alpha1.RolloutDecision) bool {
	return d.Spec.Rollout == s.Rollout && (d.Spec.Site == s.Name || (d.Spec.Site == "" && d.Spec.Wave != "" && d.Spec.Wave == s.Wave))
}

// look asks first what cannot be undone, then whether the decision may count at all, then whether the site is where it says, then what the action does there.
func (s Site) look(d *v1alpha1.RolloutDecision) Fate {
	if step := s.applied(d); step != nil {
		return Fate{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonApplied, Final: true,
			Message: fmt.Sprintf("transition %d of site %s, at %s, rests on it: %s", step.Sequence, s.Name, clockTime(step.Time.Time), step.Reason)}
	}
	record := s.record(d.Spec.Phase)
	if fate := s.over(d, record); fate.Reason != "" {
		return fate.forGood()
	}
	if d.Spec.ExpiresAt != nil && !s.Now.Before(d.Spec.ExpiresAt.Time) {
		return refused(v1alpha1.ReasonExpired, "it expired at %s, before it had an effect", clockTime(d.Spec.ExpiresAt.Time)).forGood()
	}
	if fate := s.Policy.judge(d); fate.Reason != "" {
		return fate
	}
	if fate := s.early(d, record); fate.Reason != "" {
		return fate
	}
	return s.act(d, record)
}

// applied returns the transition that rests on a decision; nil when there is none. The attempt is compared as well: a decision that was deleted and made again under
// the same name for another attempt is another decision.
func (s Site) applied(d *v1alpha1.RolloutDecision) *v1alpha1.Transition {
	for i := range s.Status.Transitions {
		step := &s.Status.Transitions[i]
		attempt := step.Attempt
		if step.Reason == v1alpha1.ReasonPhaseStarted || step.Reason == v1alpha1.ReasonAttemptStarted {
			attempt-- // what lets an attempt begin is decided about the one before it
		}
		if step.Phase == d.Spec.Phase && attempt == attemptOf(d) && slices.Contains(step.Deciders, Decider(d)) {
			return step
		}
	}
	return nil
}

func attemptOf(d *v1alpha1.RolloutDecision) int32 {
	if d.Spec.Attempt == nil {
		return 0
	}
	return *d.Spec.Attempt
}

// record returns what happened to the site in a phase; nil when nothing did.
func (s Site) record(phase string) *v1alpha1.PhaseRecord {
	for i := range s.Status.Phases {
		if s.Status.Phases[i].Name == phase {
			return &s.Status.Phases[i]
		}
	}
	return nil
}

// over tells of a decision whose time at this site is gone; without a reason when it is not.
func (s Site) over(d *v1alpha1.RolloutDecision, record *v1alpha1.PhaseRecord) Fate {
	switch attempt := attemptOf(d); {
	case d.Spec.Wave != "" && s.JoinedAt.After(d.CreationTimestamp.Time):
		return refused(v1alpha1.ReasonNotNeeded, "site %s joined the rollout at %s, after the decision about its wave was made", s.Name, clockTime(s.JoinedAt))
	case record == nil || attempt > record.Attempt:
	case record.PassedAt != nil:
		return refused(v1alpha1.ReasonOtherAttempt, "site %s has gone on: phase %s was over at %s", s.Name, record.Name, clockTime(record.PassedAt.Time))
	case record.ReopenedAt != nil && d.CreationTimestamp.Before(record.ReopenedAt):
		return refused(v1alpha1.ReasonOtherAttempt, "site %s has gone on: phase %s was over, and was reopened at %s", s.Name, record.Name, clockTime(record.ReopenedAt.Time))
	case attempt < record.Attempt:
		return refused(v1alpha1.ReasonOtherAttempt, "site %s has gone on: it is at attempt %d of phase %s", s.Name, record.Attempt, record.Name)
	}
	return Fate{}
}

// early tells of a decision whose time at this site has not come; without a reason when it has.
func (s Site) early(d *v1alpha1.RolloutDecision, record *v1alpha1.PhaseRecord) Fate {
	phase, attempt := d.Spec.Phase, attemptOf(d)
	switch {
	case s.Status.CurrentPhase != phase && s.Status.CurrentPhase != "":
		return pending("site %s is at phase %s, not at phase %s", s.Name, s.Status.CurrentPhase, phase)
	case s.Status.CurrentPhase != phase:
		return pending("site %s is not at phase %s", s.Name, phase)
	case record == nil && attempt > 0:
		return pending("site %s waits in front of phase %s, and attempt %d has not begun", s.Name, phase, attempt)
	case record != nil && attempt > record.Attempt:
		return pending("site %s is at attempt %d of phase %s, and attempt %d has not begun", s.Name, record.Attempt, phase, attempt)
	}
	return Fate{}
}

// clockTime writes a time for a sentence.
func clockTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
