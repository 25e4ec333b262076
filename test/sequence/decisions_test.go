package sequence

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// counting are the actions that a step may rest on, by its reason. A step for another reason rests on nobody's decision.
var counting = map[string][]v1alpha1.DecisionAction{
	v1alpha1.ReasonPhaseStarted:   {v1alpha1.DecisionApprove, v1alpha1.DecisionWaive},
	v1alpha1.ReasonAttemptStarted: {v1alpha1.DecisionApprove, v1alpha1.DecisionWaive, v1alpha1.DecisionRetry, v1alpha1.DecisionRecapture},
	v1alpha1.ReasonPhasePassed:    {v1alpha1.DecisionApprove},
	v1alpha1.ReasonPhaseWaived:    {v1alpha1.DecisionWaive},
	v1alpha1.ReasonPhaseSkipped:   {v1alpha1.DecisionSkip},
	v1alpha1.ReasonRejected:       {v1alpha1.DecisionReject},
	v1alpha1.ReasonRolledBack:     {v1alpha1.DecisionRollBack},
	v1alpha1.ReasonRetried:        {v1alpha1.DecisionRetry},
}

// needed are the reasons of steps that nobody but one person can bring about.
var needed = []string{v1alpha1.ReasonPhaseWaived, v1alpha1.ReasonPhaseSkipped, v1alpha1.ReasonRejected, v1alpha1.ReasonRetried}

// outcomes are the reasons of the steps by which a phase is passed.
var outcomes = map[v1alpha1.PhaseOutcome]string{
	"": v1alpha1.ReasonPhasePassed, v1alpha1.PhaseWaived: v1alpha1.ReasonPhaseWaived, v1alpha1.PhaseSkipped: v1alpha1.ReasonPhaseSkipped,
}

// deciders are those of the step for a reason that the write tells of a phase.
func (s step) deciders(reason, phase string) []v1alpha1.Decider {
	for _, t := range s.told() {
		if t.Reason == reason && t.Phase == phase {
			return t.Deciders
		}
	}
	return nil
}

// decides reports whether one of some people has decided so.
func decides(deciders []v1alpha1.Decider, action v1alpha1.DecisionAction) bool {
	return slices.ContainsFunc(deciders, func(by v1alpha1.Decider) bool { return by.Action == action })
}

// begunBy are the people on whose decisions an attempt at a phase begins.
func (s step) begunBy(phase string) []v1alpha1.Decider {
	return slices.Concat(s.deciders(v1alpha1.ReasonPhaseStarted, phase), s.deciders(v1alpha1.ReasonAttemptStarted, phase))
}

// decidedSo looks for a decision behind every step that a person must have brought about, and holds the others to the actions that they may rest on.
func decidedSo(s step) string {
	if s.after == nil {
		return ""
	}
	for _, t := range s.told() {
		for _, by := range t.Deciders {
			if !slices.Contains(counting[t.Reason], by.Action) {
				return fmt.Sprintf("%s of phase %s rests on a decision to %s", t.Reason, t.Phase, by.Action)
			}
		}
		if slices.Contains(needed, t.Reason) && len(t.Deciders) != 1 {
			return fmt.Sprintf("%s of phase %s was decided by %d people", t.Reason, t.Phase, len(t.Deciders))
		}
		if t.Reason == v1alpha1.ReasonRolledBack && len(t.Deciders) != 1 {
			if problem := s.mayRollBack(t.Phase); problem != "" {
				return problem
			}
		}
	}
	record := s.passed()
	if record == nil {
		return ""
	}
	told := slices.ContainsFunc(s.told(), func(t v1alpha1.Transition) bool {
		return t.Reason == outcomes[record.Outcome] && t.Phase == record.Name
	})
	if record.Outcome != "" && !told {
		return fmt.Sprintf("%s is %s, and nobody decided that", record.Name, record.Outcome)
	}
	return ""
}

// mayRollBack returns why a site is not rolled back out of a phase by itself: it is where the phase says so, after the last attempt that begins by itself.
func (s step) mayRollBack(phase string) string {
	r := recordOf(s.after, phase)
	if r == nil || r.RolledBackAt == nil {
		return phase + " is rolled back, and there is no record of it"
	}
	spec, was := s.by(r.Revision).phase(phase).Spec, recordOf(s.before, phase)
	brought := was != nil && was.RolledBackAt.Equal(r.RolledBackAt) // back in front of it by the plan
	if !brought && (r.FailedAt == nil || spec.OnFailure != v1alpha1.FailureRollBack || (r.Failure == v1alpha1.ReasonGuardrailBroken && r.Attempt < manyOf(spec))) {
		return fmt.Sprintf("%s is rolled back after attempt %d, and nobody decided that", phase, r.Attempt)
	}
	return ""
}

// rightlyRead holds every step that names a decision to the decision, as the reconcile has read it: it is by that person, about the site, the phase and the attempt, and counts at that time.
func rightlyRead(s step) string {
	if s.before == nil || s.after == nil {
		return ""
	}
	for _, t := range s.told() {
		for _, by := range t.Deciders {
			if problem := s.misread(t, by); problem != "" {
				return fmt.Sprintf("%s of phase %s rests on decision %s: %s", t.Reason, t.Phase, by.Decision, problem)
			}
		}
	}
	return ""
}

func (s step) misread(t v1alpha1.Transition, by v1alpha1.Decider) string {
	d := s.turn.decisions[by.Decision]
	if d == nil {
		return "there is none of that name"
	}
	attempt := t.Attempt
	if t.Reason == v1alpha1.ReasonPhaseStarted || t.Reason == v1alpha1.ReasonAttemptStarted {
		attempt-- // it is about the one before
	}
	wave := s.before.Spec.Wave
	switch is := d.Spec; {
	case is.DecidedBy != by.By || is.Action != by.Action || is.Role != by.Role:
		return fmt.Sprintf("that is %s by %s in role %q", is.Action, is.DecidedBy, is.Role)
	case is.Rollout != s.after.Spec.Rollout, is.Phase != t.Phase, is.Site != "" && is.Site != s.after.Spec.Site, is.Site == "" && (wave == "" || is.Wave != wave):
		return "it is about something else"
	case is.Site == "" && s.before.CreationTimestamp.After(d.CreationTimestamp.Time):
		return "the site joined later"
	case is.Attempt == nil || *is.Attempt != attempt:
		return "it is about another attempt"
	case is.ExpiresAt != nil && !s.now.Truncate(time.Second).Before(is.ExpiresAt.Time):
		return "it has expired"
	}
	if problem := s.unchecked(d); problem != "" {
		return problem
	}
	return s.unanswered(t, d, attempt)
}

// unchecked returns why nobody has checked who made a decision.
func (s step) unchecked(d *v1alpha1.RolloutDecision) string {
	const settled = 10 * time.Second
	for _, kind := range []string{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"} {
		if len(s.api.latest[kind]) == 0 {
			return "there is no " + kind
		}
		for _, o := range s.api.latest[kind] { // what an approval was checked by when it was first looked at counts for it
			if d.Spec.Action != v1alpha1.DecisionApprove && d.CreationTimestamp.Time.Before(o.GetCreationTimestamp().Add(settled)) {
				return "it was made before the " + kind
			}
		}
	}
	return ""
}

// ended are the reasons of steps that end an attempt without passing it.
var ended = []string{v1alpha1.ReasonGuardrailBroken, v1alpha1.ReasonDeadlineExceeded, v1alpha1.ReasonRejected, v1alpha1.ReasonRolledBack}

// ends returns when an attempt ended without passing, and when its phase was reopened, by a step of the write: a write may tell of several.
func (s step) ends(phase string, attempt, before int64) (failed, reopened []*metav1.Time) {
	if was := recordOf(s.before, phase); was != nil && int64(was.Attempt) == attempt {
		failed, reopened = append(failed, was.FailedAt, was.RolledBackAt), append(reopened, was.ReopenedAt)
	}
	for _, t := range s.told() {
		switch {
		case t.Phase != phase || int64(t.Attempt) != attempt || t.Sequence >= before:
		case t.Reason == v1alpha1.ReasonPhaseReopened:
			reopened = append(reopened, &t.Time)
		case slices.Contains(ended, t.Reason):
			failed = append(failed, &t.Time)
		}
	}
	never := func(at *metav1.Time) bool { return at == nil }
	return slices.DeleteFunc(failed, never), slices.DeleteFunc(reopened, never)
}

// unanswered returns why a decision was made before what it answers: nobody answers a failure that they have not seen, and nothing that was decided before a phase was reopened counts after that.
func (s step) unanswered(t v1alpha1.Transition, d *v1alpha1.RolloutDecision, attempt int32) string {
	failed, reopened := s.ends(d.Spec.Phase, int64(attempt), t.Sequence)
	if d.Spec.Action != v1alpha1.DecisionRetry && d.Spec.Action != v1alpha1.DecisionWaive {
		failed = nil
	}
	for _, at := range slices.Concat(failed, reopened) {
		if d.CreationTimestamp.Before(at) {
			return "it was made before the attempt ended at " + stamp(at)
		}
	}
	if d.Spec.Action == v1alpha1.DecisionRetry && len(failed) == 0 {
		return "the attempt has not failed"
	}
	return ""
}

// onlyOnce lets a decision have its effect on a site once. Whoever deletes one and makes another of the same name has made another.
func onlyOnce(s step) string {
	if s.before == nil || s.after == nil {
		return ""
	}
	for _, t := range s.told() {
		for i, by := range t.Deciders {
			d := s.turn.decisions[by.Decision]
			if slices.Contains(t.Deciders[:i], by) {
				return fmt.Sprintf("%s counts twice in one step", by.Decision)
			}
			for _, earlier := range s.before.Status.Transitions {
				there := d != nil && !earlier.Time.Time.Before(d.CreationTimestamp.Add(s.drift))
				if there && slices.Contains(earlier.Deciders, by) {
					return fmt.Sprintf("%s rests on %s, and so does transition %d", t.Reason, by.Decision, earlier.Sequence)
				}
			}
		}
	}
	return ""
}

// approved looks, when a gate passes, for the people whose approvals it asks for: enough different ones in each role, of whom nobody counts in two where that is not allowed. Each must have
// seen what stood in the status. A gate that is waived must be that of the decision.
func approved(s step) string {
	if s.after == nil {
		return ""
	}
	gate, deciders, digested := "", []v1alpha1.Decider(nil), s
	if record := s.passed(); record != nil && record.Outcome != v1alpha1.PhaseSkipped {
		digested = s.by(record.Revision)
		if ref := digested.phase(record.Name).Spec.ExitGate; ref != nil {
			gate, deciders = ref.Name, s.deciders(outcomes[record.Outcome], record.Name)
		}
	} else if name := s.began(); name != "" {
		digested = s.by(recordOf(s.after, name).Revision)
		if ref := digested.phase(name).Spec.EntryGate; ref != nil {
			gate, deciders = ref.Name, s.begunBy(name)
		}
	}
	if gate == "" {
		return ""
	}
	for _, by := range deciders {
		d := s.turn.decisions[by.Decision]
		switch {
		case by.Action != v1alpha1.DecisionApprove && by.Action != v1alpha1.DecisionWaive, d == nil:
		case d.Spec.Gate != gate:
			return fmt.Sprintf("gate %s passes, and %s is about gate %s", gate, d.Name, d.Spec.Gate)
		case by.Action == v1alpha1.DecisionApprove && !s.shown(d):
			return fmt.Sprintf("gate %s passes by %s, and what that names was not shown", gate, d.Name)
		}
	}
	if decides(deciders, v1alpha1.DecisionWaive) {
		return ""
	}
	return unsigned(digested.gate(gate), deciders)
}

// unsigned returns which approvals a gate lacks.
func unsigned(gate *v1alpha1.AcceptanceGate, deciders []v1alpha1.Decider) string {
	roles := map[string][]string{}
	for _, by := range deciders {
		if by.Action == v1alpha1.DecisionApprove && !slices.Contains(roles[by.By], by.Role) {
			roles[by.By] = append(roles[by.By], by.Role)
		}
	}
	for _, a := range gate.Spec.Approvals {
		count, people := 1, 0
		if a.Count != nil {
			count = int(*a.Count)
		}
		for by, in := range roles {
			if gate.Spec.FourEyes && len(in) > 1 {
				return fmt.Sprintf("%s has approved gate %s in the roles %s", by, gate.Name, in)
			}
			if slices.Contains(in, a.Role) {
				people++
			}
		}
		if people < count {
			return fmt.Sprintf("%d of %d people have approved gate %s in role %s", people, count, gate.Name, a.Role)
		}
	}
	return ""
}

// shown reports whether the status of the site showed, by the time when an approval was made, what it names.
func (s step) shown(d *v1alpha1.RolloutDecision) bool {
	return slices.ContainsFunc(s.api.streams["SiteRollout"], func(c change) bool {
		sr, ok := c.now.(*v1alpha1.SiteRollout)
		early := ok && !c.at.Truncate(time.Second).After(d.CreationTimestamp.Time)
		return early && sr.Spec.Site == d.Spec.Site && sr.Status.Gate != nil && sr.Status.Gate.Name == d.Spec.Gate && sr.Status.Gate.Digest == d.Spec.GateDigest
	})
}

// approvalsStay holds the approvals that a status shows: one that does not count never will, none counts while its gate fails, and nobody counts twice.
func approvalsStay(s step) string {
	if s.after == nil || s.after.Status.Gate == nil {
		return ""
	}
	gate, roles := s.after.Status.Gate, map[string][]string{}
	for _, report := range gate.Approvals {
		for _, g := range report.Given {
			if g.Reason != "" {
				continue
			}
			switch {
			case gate.Verdict == v1alpha1.VerdictFail:
				return fmt.Sprintf("%s counts, and gate %s fails", g.Decision, gate.Name)
			case slices.Contains(roles[g.By], report.Role), gate.FourEyes && len(roles[g.By]) > 0:
				return fmt.Sprintf("%s counts in role %s as well as in %s", g.By, report.Role, roles[g.By])
			case s.refused(report.Role, g):
				return fmt.Sprintf("%s did not count, and does", g.Decision)
			}
			roles[g.By] = append(roles[g.By], report.Role)
		}
	}
	return ""
}

// refused reports whether an approval did not count at the same gate before.
func (s step) refused(role string, given v1alpha1.GivenApproval) bool {
	if s.before == nil || s.before.Status.Gate == nil || s.before.Status.CurrentPhase != s.after.Status.CurrentPhase ||
		s.before.Status.Gate.Name != s.after.Status.Gate.Name || s.before.Status.Gate.Role != s.after.Status.Gate.Role {
		return false
	}
	for _, report := range s.before.Status.Gate.Approvals {
		for _, g := range report.Given {
			if report.Role == role && g.Reason != "" && g.Decision == given.Decision && g.By == given.By && g.Digest == given.Digest {
				return true
			}
		}
	}
	return false
}

// decided holds the operator to decisions: it changes none, and says of none that it had its effect when no site tells so.
func (j *judge) decided(at scene, c change) {
	d, ok := c.now.(*v1alpha1.RolloutDecision)
	if !ok || at.turn == nil {
		return
	}
	if c.old == nil || !equality.Semantic.DeepEqual(c.old.(*v1alpha1.RolloutDecision).Spec, d.Spec) {
		j.broken = append(j.broken, d.Name+": the operator makes or changes a decision")
		return
	}
	known := meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ConditionEffective)
	if known == nil || known.Reason != v1alpha1.ReasonApplied {
		return
	}
	names := func(t v1alpha1.Transition) bool {
		return slices.Contains(t.Deciders, v1alpha1.Decider{Decision: d.Name, By: d.Spec.DecidedBy, Action: d.Spec.Action, Role: d.Spec.Role})
	}
	if !slices.ContainsFunc(at.api.streams["SiteRollout"], func(c change) bool {
		return slices.ContainsFunc(c.object().(*v1alpha1.SiteRollout).Status.Transitions, names)
	}) {
		j.broken = append(j.broken, d.Name+" is said to have had its effect, and no site tells so")
	}
}
