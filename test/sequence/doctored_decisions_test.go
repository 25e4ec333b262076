package sequence

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Invariants by their names, which are long.
const (
	byDeciding  = "what only a person can decide was decided"
	byReading   = "a decision counts for the site, the attempt and the time that it names"
	byOnce      = "a decision has its effect once"
	byApproving = "a gate that asks for approvals passes with all of them"
	byApprovals = "an approval that does not count never will"
)

// made lets the reconcile have read a decision of anna about an attempt of hq at golive, made at a minute, and returns how a transition names it.
func (s *step) made(action v1alpha1.DecisionAction, attempt int32, minutes int) v1alpha1.Decider {
	for _, o := range admissionPolicy() {
		if len(s.api.latest[kindOf(o)]) == 0 {
			must(s.api.Create(context.Background(), o))
		}
	}
	d := &v1alpha1.RolloutDecision{ObjectMeta: named(strings.ToLower(string(action)))}
	d.CreationTimestamp = on(minutes)
	d.Spec = v1alpha1.RolloutDecisionSpec{Rollout: "crm", Site: "hq", Phase: "golive", Attempt: &attempt, Action: action, DecidedBy: "anna", Reason: "so be it"}
	switch action {
	case v1alpha1.DecisionApprove, v1alpha1.DecisionWaive, v1alpha1.DecisionReject:
		d.Spec.Gate, d.Spec.Role = "accepted", "owner"
	case v1alpha1.DecisionRecapture:
		d.Spec.KPI = "cycle"
	}
	s.turn.readsDecision(d)
	return naming(d)
}

// naming is how a transition names a decision.
func naming(d *v1alpha1.RolloutDecision) v1alpha1.Decider {
	return v1alpha1.Decider{Decision: d.Name, By: d.Spec.DecidedBy, Action: d.Spec.Action, Role: d.Spec.Role}
}

// last is the last transition of the step.
func (s *step) last() *v1alpha1.Transition {
	return &s.after.Status.Transitions[len(s.after.Status.Transitions)-1]
}

// waives makes the step the one in which the gate of the second attempt is waived.
func (s *step) waives() {
	s.trying(quiet())
	s.is().Outcome = v1alpha1.PhaseWaived
	s.last().Reason, s.last().Deciders = v1alpha1.ReasonPhaseWaived, []v1alpha1.Decider{s.made(v1alpha1.DecisionWaive, 2, 50)}
	s.chain()
}

// skips makes the step the one in which golive is skipped before hq has begun it.
func (s *step) skips() {
	s.startsTrial()
	s.after.Status.Phases = []v1alpha1.PhaseRecord{{Name: "golive", StartedAt: on(0), PassedAt: passedOn(0), Outcome: v1alpha1.PhaseSkipped}}
	s.after.Status.State, s.after.Status.CurrentPhase = v1alpha1.SiteCompleted, ""
	s.last().Reason, s.last().To, s.last().Phase = v1alpha1.ReasonPhaseSkipped, v1alpha1.SiteCompleted, "golive"
	s.last().Deciders = []v1alpha1.Decider{s.made(v1alpha1.DecisionSkip, 0, -1)}
	s.chain()
}

// rejects makes the step the one in which the first attempt is rejected.
func (s *step) rejects() {
	s.fails()
	s.corrects("complaints", 20, 2)
	s.is().Failure = v1alpha1.ReasonRejected
	s.steps(led(v1alpha1.SiteWaiting, v1alpha1.ReasonCreated), led(v1alpha1.SiteProving, v1alpha1.ReasonPhaseStarted), led(v1alpha1.SiteHeld, v1alpha1.ReasonRejected))
	s.last().Attempt, s.last().Deciders = 1, []v1alpha1.Decider{s.made(v1alpha1.DecisionReject, 1, 10)}
	s.chain()
}

// recaptures makes the step the one in which the second attempt of a site that was rolled back begins, with its baseline taken anew.
func (s *step) recaptures() {
	s.beginsAgain()
	s.says("cycle[30m]", 35, 35, 30*minute, func(int) float64 { return 47 })
	s.log[len(s.log)-1].captured = true
	s.frozen().Value, s.frozen().WindowEnd = "47", on(35)
	s.last().Attempt, s.last().Deciders = 2, []v1alpha1.Decider{s.made(v1alpha1.DecisionRecapture, 1, 10)}
	s.chain()
}

// approves makes the step the one in which the second attempt passes, with the approvals of anna as owner and of bert as sponsor.
func (s *step) approves() {
	accepted := quiet()
	one := int32(1)
	accepted.Approvals = []v1alpha1.Approval{{Role: "owner"}, {Role: "sponsor", Count: &one}}
	s.trying(accepted)
	shows := s.before.DeepCopy()
	shows.Status.Gate = &v1alpha1.GateReport{Name: "accepted", Role: v1alpha1.GateRoleExit, Digest: "seen"}
	must(s.api.Create(context.Background(), shows))
	anna := s.made(v1alpha1.DecisionApprove, 2, 50)
	s.approval("approve").GateDigest = "seen"
	d := clone(s.turn.decisions["approve"])
	d.Name, d.Spec.DecidedBy, d.Spec.Role = "approve-too", "bert", "sponsor"
	s.turn.readsDecision(d)
	s.last().Deciders = []v1alpha1.Decider{anna, naming(d)}
	s.chain()
}

// approval is what a decision that was read says.
func (s *step) approval(name string) *v1alpha1.RolloutDecisionSpec {
	return &s.turn.decisions[name].Spec
}

// rules is what the only decision of the step says.
func (s *step) rules() *v1alpha1.RolloutDecision {
	for _, d := range s.turn.decisions {
		return d
	}
	return nil
}

// signs makes the step one in which a site stands at a gate with an approval that counts.
func (s *step) signs() {
	s.fails()
	s.after = s.before.DeepCopy()
	for _, sr := range []*v1alpha1.SiteRollout{s.before, s.after} {
		sr.Status.Gate = &v1alpha1.GateReport{Name: "accepted", Role: v1alpha1.GateRoleExit, Verdict: v1alpha1.VerdictWait, Approvals: []v1alpha1.ApprovalReport{
			{Role: "owner", Needed: 2, Given: []v1alpha1.GivenApproval{{Decision: "approve", By: "anna", Digest: "seen"}}}, {Role: "sponsor", Needed: 1}}}
	}
}

func (s *step) given() *v1alpha1.GivenApproval { return &s.after.Status.Gate.Approvals[0].Given[0] }

func spoiltDecisions() []spoiling {
	return slices.Concat(spoiltDeciding(), spoiltReading(), spoiltApproving())
}

func spoiltDeciding() []spoiling {
	waives, skips, rejects := (*step).waives, (*step).skips, (*step).rejects
	deciders := func(deciders ...v1alpha1.Decider) func(*step) { return func(s *step) { s.last().Deciders = deciders } }
	three := int32(3)
	return []spoiling{
		{"", "a gate is waived", waives},
		{"", "a phase is skipped", skips},
		{"", "an attempt is rejected", rejects},
		{"", "a baseline is taken anew", (*step).recaptures},
		{byDeciding, "nobody waived the gate", then(waives, deciders())},
		{byDeciding, "nobody skipped the phase", then(skips, deciders())},
		{byDeciding, "nobody rejected the attempt", then(rejects, deciders())},
		{byDeciding, "two people waived the gate", then(waives, func(s *step) { s.last().Deciders = append(s.last().Deciders, s.last().Deciders...) })},
		{byDeciding, "a gate is waived that is told to have passed", then(waives, func(s *step) { s.last().Reason = v1alpha1.ReasonPhasePassed })},
		{byDeciding, "a skip is told, and the record says waived", then(skips, func(s *step) { s.after.Status.Phases[0].Outcome = v1alpha1.PhaseWaived })},
		{byDeciding, "a site is rolled back where attempts are held", then((*step).rollsBack, func(s *step) { s.phaseOf().Spec.OnFailure = v1alpha1.FailureHold })},
		{byDeciding, "a site is rolled back before its last attempt", then((*step).rollsBack, func(s *step) {
			s.phaseOf().Spec.MaxAttempts, s.is().Failure = &three, v1alpha1.ReasonGuardrailBroken
		})},
		{byDeciding, "a site is rolled back, and no attempt has failed", then((*step).rollsBack, func(s *step) { s.is().FailedAt, s.was().FailedAt = nil, nil })},
		{byStaying, "somebody decided something else", then((*step).comesOut, func(s *step) { s.after.Status.Transitions[4].Deciders[0].Action = v1alpha1.DecisionWaive })},
		{byFailure, "nobody rejected the attempt", then(rejects, deciders())},
		{byRetry, "somebody has it begin again with another decision", then((*step).retries, func(s *step) {
			s.was().Failure = v1alpha1.ReasonRejected
			s.last().Deciders = []v1alpha1.Decider{s.made(v1alpha1.DecisionRecapture, 1, 30)}
		})},
		{"", "somebody has it begin again", then((*step).retries, func(s *step) {
			s.was().Failure = v1alpha1.ReasonRejected
			s.last().Phase, s.last().Attempt, s.last().Deciders = "golive", 2, []v1alpha1.Decider{s.made(v1alpha1.DecisionRetry, 1, 30)}
			s.chain()
		})},
		{byFreezing, "nobody decided that it is taken anew", then((*step).recaptures, deciders())},
		{byFreezing, "that of another KPI was to be taken anew", then((*step).recaptures, func(s *step) { s.approval("recapture").KPI = "complaints" })},
		{byFreezing, "the source did not say so when it was taken anew", then((*step).recaptures, func(s *step) { s.frozen().Value = "46" })},
		{byFreezing, "another one was lost when it was taken anew", then((*step).recaptures, func(s *step) { s.is().Baselines = nil })},
		{byEvidence, "a phase that is skipped has some", then(skips, func(s *step) { s.after.Status.Phases[0].Evidence = []v1alpha1.Evidence{{Criterion: "shorter"}} })},
		{byEvidence, "a gate that is waived has some from before", then(waives, func(s *step) { s.is().Evidence[0].SampleTime = on(35) })},
		{"a phase soaks", "a gate is waived in the soak", then(waives, func(s *step) { s.is().PassedAt = passedOn(54) })},
		{"transitions are told once, in order and for good", "a skip is not told", then(skips, func(s *step) { s.last().Reason = v1alpha1.ReasonCreated })},
		{byOnce, "it had its effect before", then(waives, func(s *step) {
			s.before.Status.Transitions[3].Deciders, s.before.Status.Transitions[3].Time = s.last().Deciders, on(55)
		})},
		{byOnce, "it counts twice", then((*step).approves, func(s *step) { s.last().Deciders[1] = s.last().Deciders[0] })},
		{"", "one of the same name had its effect before it was made", then(waives, func(s *step) {
			s.before.Status.Transitions[3].Deciders, s.before.Status.Transitions[3].Time = s.last().Deciders, on(45)
			s.after.Status.Transitions[3] = s.before.Status.Transitions[3]
			s.before.Status.Transitions[3].Reason, s.after.Status.Transitions[3].Reason = v1alpha1.ReasonAttemptStarted, v1alpha1.ReasonAttemptStarted
			s.chain()
		})},
	}
}

func spoiltReading() []spoiling {
	read := func(change func(d *v1alpha1.RolloutDecision)) func(*step) {
		return then((*step).waives, func(s *step) { change(s.rules()) })
	}
	gone := func(o client.Object) func(*step) {
		return then((*step).waives, func(s *step) { must(s.api.Delete(context.Background(), o)) })
	}
	wave := func(d *v1alpha1.RolloutDecision) { d.Spec.Site, d.Spec.Wave = "", "pilot" }
	minutes := func(m int) *metav1.Time { return passedOn(m) }
	other := int32(1)
	retries := func(minutes int) func(*step) {
		return then((*step).comesOut, func(s *step) { s.turn.decisions["retry"].CreationTimestamp = on(minutes) })
	}
	return []spoiling{
		{"", "it is about the wave", read(wave)},
		{"", "it expires later", read(func(d *v1alpha1.RolloutDecision) { d.Spec.ExpiresAt = minutes(61) })},
		{byReading, "there is none", then((*step).waives, func(s *step) { s.turn.decisions = nil })},
		{byReading, "it is by somebody else", read(func(d *v1alpha1.RolloutDecision) { d.Spec.DecidedBy = "bert" })},
		{byReading, "it is in another role", read(func(d *v1alpha1.RolloutDecision) { d.Spec.Role = "sponsor" })},
		{byReading, "it decides something else", read(func(d *v1alpha1.RolloutDecision) { d.Spec.Action = v1alpha1.DecisionSkip })},
		{byReading, "it is about another attempt", read(func(d *v1alpha1.RolloutDecision) { d.Spec.Attempt = &other })},
		{byReading, "it is about another phase", read(func(d *v1alpha1.RolloutDecision) { d.Spec.Phase = "prepare" })},
		{byReading, "it is about another site", read(func(d *v1alpha1.RolloutDecision) { d.Spec.Site = "kiel" })},
		{byReading, "it is about another wave", read(func(d *v1alpha1.RolloutDecision) { d.Spec.Site, d.Spec.Wave = "", "region" })},
		{byReading, "it is about another rollout", read(func(d *v1alpha1.RolloutDecision) { d.Spec.Rollout = "other" })},
		{byReading, "the site joined its wave later", then(read(wave), func(s *step) { s.before.CreationTimestamp = on(51) })},
		{byReading, "it has expired", read(func(d *v1alpha1.RolloutDecision) { d.Spec.ExpiresAt = minutes(60) })},
		{byReading, "it was made before the policy", read(func(d *v1alpha1.RolloutDecision) { d.CreationTimestamp = on(-24 * 60) })},
		{byReading, "there is no policy", gone(admissionPolicy()[0])},
		{byReading, "there is no binding", gone(admissionPolicy()[1])},
		{byReading, "a retry was made before the failure", retries(19)},
		{byReading, "an attempt begins again that has not failed", then((*step).retries, func(s *step) {
			s.was().FailedAt = nil
			s.last().Phase, s.last().Attempt, s.last().Deciders = "golive", 2, []v1alpha1.Decider{s.made(v1alpha1.DecisionRetry, 1, 30)}
		})},
		{byReading, "it was made before the phase was reopened", then((*step).recaptures, func(s *step) { s.was().ReopenedAt = minutes(30) })},
	}
}

func spoiltApproving() []spoiling {
	approves := (*step).approves
	said := func(name string, change func(*v1alpha1.RolloutDecisionSpec)) func(*step) {
		return then(approves, func(s *step) { change(s.approval(name)) })
	}
	gate := func(s *step) *v1alpha1.AcceptanceGate { return s.gate("accepted") }
	again := func(s *step) {
		report := &s.after.Status.Gate.Approvals[0]
		report.Given = append(report.Given, v1alpha1.GivenApproval{Decision: "approve-too", By: "anna", Digest: "seen"})
	}
	return []spoiling{
		{"", "two people approve", approves},
		{"", "an approval counts", (*step).signs},
		{byApproving, "one is missing", then(approves, func(s *step) { s.last().Deciders = s.last().Deciders[:1] })},
		{byApproving, "all are missing", then(approves, func(s *step) { s.last().Deciders = nil })},
		{byApproving, "two are asked for in a role", then(approves, func(s *step) {
			two := int32(2)
			gate(s).Spec.Approvals[1].Count = &two
		})},
		{byApproving, "one approves in two roles, and four eyes are asked for", then(approves, func(s *step) {
			gate(s).Spec.FourEyes, s.last().Deciders[1].By = true, "anna"
		})},
		{byApproving, "one approves another gate", said("approve", func(d *v1alpha1.RolloutDecisionSpec) { d.Gate = "another" })},
		{byApproving, "one approves what was not shown", said("approve-too", func(d *v1alpha1.RolloutDecisionSpec) { d.GateDigest = "unseen" })},
		{byApproving, "another gate is waived", then((*step).waives, func(s *step) { s.rules().Spec.Gate = "another" })},
		{byApprovals, "it counts at a gate that fails", then((*step).signs, func(s *step) { s.after.Status.Gate.Verdict = v1alpha1.VerdictFail })},
		{byApprovals, "it did not count before", then((*step).signs, func(s *step) { s.before.Status.Gate.Approvals[0].Given[0].Reason = v1alpha1.ReasonVoid })},
		{"", "another one of the same person counts", then((*step).signs, func(s *step) {
			s.before.Status.Gate.Approvals[0].Given[0].Reason = v1alpha1.ReasonVoid
			s.given().Digest = "anew"
		})},
		{byApprovals, "one person counts twice", then((*step).signs, again)},
		{byApprovals, "one person counts in two roles, and four eyes are asked for", then((*step).signs, func(s *step) {
			s.after.Status.Gate.FourEyes = true
			s.after.Status.Gate.Approvals[1].Given = []v1alpha1.GivenApproval{{Decision: "approve-too", By: "anna", Digest: "seen"}}
		})},
	}
}

// TestADecisionThatIsChangedOrMisreportedIsFound sees that the judge tells when the operator changes a decision, or says of one that it had its effect.
func TestADecisionThatIsChangedOrMisreportedIsFound(t *testing.T) {
	reported := func(s *step, reason string) change {
		d := s.rules()
		told := clone(d)
		told.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionEffective, Reason: reason}}
		return change{old: d, now: told}
	}
	for name, tc := range map[string]struct {
		change func(*step) change
		want   []string
	}{
		"it counts": {func(s *step) change { return reported(s, v1alpha1.ReasonCounted) }, nil},
		"it had its effect": {func(s *step) change {
			must(s.api.Create(context.Background(), s.after))
			return reported(s, v1alpha1.ReasonApplied)
		}, nil},
		"it had none": {func(s *step) change { return reported(s, v1alpha1.ReasonApplied) }, []string{"waive is said to have had its effect, and no site tells so"}},
		"it is changed": {func(s *step) change {
			changed := reported(s, v1alpha1.ReasonCounted)
			changed.now.(*v1alpha1.RolloutDecision).Spec.DecidedBy = "bert"
			return changed
		}, []string{"waive: the operator makes or changes a decision"}},
		"the operator makes one": {func(s *step) change { return change{now: s.rules()} }, []string{"waive: the operator makes or changes a decision"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, j := innocent(), judge{}
			s.waives()
			j.decided(s.scene, tc.change(s))
			if diff := cmp.Diff(tc.want, j.broken); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
