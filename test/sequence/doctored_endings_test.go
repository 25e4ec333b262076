package sequence

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Invariants by their names, which are long.
const (
	byAbort    = "no phase starts while a failure aborts the rollout"
	byStaying  = "a site that is rolled back begins only by a decision"
	byAnew     = "an attempt anew after a way out needs an admission of its own"
	byRegress  = "a site regresses, and recovers, on proof only"
	byChanging = "what is recorded never changes"
)

// phaseOf is the only phase of the trial of the step.
func (s *step) phaseOf() *v1alpha1.RolloutPhase {
	return s.api.latest["RolloutPhase"][types.NamespacedName{Namespace: namespace, Name: "golive"}].(*v1alpha1.RolloutPhase)
}

// was and is are the record of the only phase of the trial on both sides of the step.
func (s *step) was() *v1alpha1.PhaseRecord { return &s.before.Status.Phases[0] }
func (s *step) is() *v1alpha1.PhaseRecord  { return &s.after.Status.Phases[0] }

// steps gives both sides transitions that lead through some states, the last of them on the side of after alone.
func (s *step) steps(states ...v1alpha1.Transition) {
	from := v1alpha1.SitePending
	for i := range states {
		states[i].From, states[i].Phase = from, "golive"
		from = states[i].To
	}
	s.after.Status.Transitions = states
	s.before.Status.Transitions = append([]v1alpha1.Transition{}, states[:len(states)-1]...)
	s.before.Status.State, s.after.Status.State = states[len(states)-1].From, from
	s.chain()
}

func led(to v1alpha1.SiteState, reason string) v1alpha1.Transition {
	return v1alpha1.Transition{To: to, Reason: reason}
}

// misses makes the step one in which the deadline of 20m of the first attempt is missed.
func (s *step) misses() {
	s.fails()
	s.phaseOf().Spec.Deadline = "20m"
	s.is().Failure = v1alpha1.ReasonDeadlineExceeded
	s.corrects("complaints", 20, 2)
}

// rollsBack makes the step the one in which the site is rolled back after that.
func (s *step) rollsBack() {
	s.misses()
	*s.was() = *s.is().DeepCopy()
	s.is().RolledBackAt = passedOn(20)
	s.phaseOf().Spec.OnFailure = v1alpha1.FailureRollBack
	s.steps(led(v1alpha1.SiteWaiting, v1alpha1.ReasonCreated), led(v1alpha1.SiteProving, v1alpha1.ReasonPhaseStarted),
		led(v1alpha1.SiteHeld, v1alpha1.ReasonDeadlineExceeded), led(v1alpha1.SiteRolledBack, v1alpha1.ReasonRolledBack))
}

// beginsAgain makes the step the one in which the second attempt of a site that was rolled back begins.
func (s *step) beginsAgain() {
	s.rollsBack()
	*s.was() = *s.is().DeepCopy()
	s.is().Attempt, s.is().StartedAt, s.is().FailedAt, s.is().Failure, s.is().RolledBackAt = 2, on(35), nil, "", nil
	s.now = on(35).Time
	let := led(v1alpha1.SiteWaiting, v1alpha1.ReasonRetried)
	let.Attempt, let.Deciders = 1, []v1alpha1.Decider{s.made(v1alpha1.DecisionRetry, 1, 25)}
	s.steps(led(v1alpha1.SiteWaiting, v1alpha1.ReasonCreated), led(v1alpha1.SiteProving, v1alpha1.ReasonPhaseStarted),
		led(v1alpha1.SiteHeld, v1alpha1.ReasonDeadlineExceeded), led(v1alpha1.SiteRolledBack, v1alpha1.ReasonRolledBack), let, led(v1alpha1.SiteProving, v1alpha1.ReasonAttemptStarted))
	s.before.Spec.AdmittedAttempt, s.after.Spec.AdmittedAttempt = 2, 2
}

// comesOut makes the step the one in which a decision lets the site begin again.
func (s *step) comesOut() {
	s.beginsAgain()
	*s.is() = *s.was().DeepCopy()
	s.after.Status.State = v1alpha1.SiteWaiting
	s.after.Status.Transitions = s.before.Status.Transitions
	s.before.Status.Transitions = s.before.Status.Transitions[:4]
	s.before.Status.State = v1alpha1.SiteRolledBack
}

// admitsAnew makes the step the one in which it is admitted to its second attempt.
func (s *step) admitsAnew() {
	s.comesOut()
	s.before = s.after.DeepCopy()
	s.before.Spec.AdmittedAttempt, s.after.Spec.Revision = 0, "crm-now"
	s.turn.request.controller = ofRollouts
	s.siteRollouts = []*v1alpha1.SiteRollout{s.after}
}

// admitsKiel makes the step the admission of another site, with hq failed at its deadline.
func (s *step) admitsKiel(policy v1alpha1.FailurePolicy) {
	s.misses()
	s.phaseOf().Spec.OnFailure = policy
	s.turn.reads(s.after)
	s.turn.request.controller = ofRollouts
	kiel := &v1alpha1.SiteRollout{ObjectMeta: named("crm.kiel"), Spec: v1alpha1.SiteRolloutSpec{Rollout: "crm", Site: "kiel", Wave: "pilot"}}
	s.siteRollouts = append(s.siteRollouts, kiel)
	s.before, s.after = kiel.DeepCopy(), kiel
	s.after.Spec.AdmittedThrough, s.after.Spec.Revision = "golive", "crm-now"
}

func spoiltFailures() []spoiling {
	const none, abort = v1alpha1.FailureHold, v1alpha1.FailureAbort
	admits := func(policy v1alpha1.FailurePolicy) func(*step) { return func(s *step) { s.admitsKiel(policy) } }
	three := int32(3)
	return []spoiling{
		{"", "a deadline is missed", (*step).misses},
		{"", "a site is rolled back", (*step).rollsBack},
		{"", "a decision lets it begin again", (*step).comesOut},
		{"", "it begins again", (*step).beginsAgain},
		{"", "a site is admitted beside one that is held", admits(none)},
		{"", "a site is admitted beside one that may try again", then(admits(abort), func(s *step) {
			s.turn.siteRollouts["hq"].Status.Phases[0].Failure = v1alpha1.ReasonGuardrailBroken
			s.phaseOf().Spec.MaxAttempts = &three
		})},
		{byFailure, "there is no deadline", then((*step).misses, func(s *step) { s.phaseOf().Spec.Deadline = "" })},
		{byFailure, "the deadline is not over", then((*step).misses, func(s *step) { s.phaseOf().Spec.Deadline = "21m" })},
		{byRetry, "a deadline was missed", then((*step).retries, func(s *step) { s.was().Failure = v1alpha1.ReasonDeadlineExceeded })},
		{byRetry, "its attempts are used up", then((*step).retries, func(s *step) { s.phaseOf().Spec.OnFailure = v1alpha1.FailureRollBack })},
		{byCounting, "the site goes on after a rollback", then((*step).beginsAgain, func(s *step) { s.was().RolledBackAt = passedOn(36) })},
		{"the state agrees with the records", "rolled back without a record of it", then((*step).rollsBack, func(s *step) { s.is().RolledBackAt = nil })},
		{"the state agrees with the records", "held after a rollback", then((*step).rollsBack, func(s *step) { s.after.Status.State = v1alpha1.SiteHeld })},
		{byStaying, "nobody decided", then((*step).comesOut, func(s *step) { s.after.Status.Transitions[4].Deciders = nil })},
		{byAnew, "it has the admission to its first attempt only", then((*step).beginsAgain, func(s *step) { s.before.Spec.AdmittedAttempt = 0 })},
		{byAnew, "it is admitted to another phase", then((*step).beginsAgain, func(s *step) { s.before.Spec.AdmittedThrough = "prepare" })},
		{byAbort, "a site is admitted", admits(abort)},
		{byAbort, "a site is admitted after the last of three", then(admits(abort), func(s *step) {
			s.turn.siteRollouts["hq"].Status.Phases[0].Failure, s.turn.siteRollouts["hq"].Status.Phases[0].Attempt = v1alpha1.ReasonGuardrailBroken, 3
			s.phaseOf().Spec.MaxAttempts = &three
		})},
		{byAbort, "a phase starts", then((*step).startsTrial, func(s *step) { s.turn.rollout.Status.AbortedBy = "kiel" })},
		{byAbort, "a phase starts anew", then((*step).beginsAgain, func(s *step) { s.turn.rollout.Status.AbortedBy = "kiel" })},
		{"", "a site is admitted anew", (*step).admitsAnew},
		{"maxConcurrent", "a site is admitted anew while another is in a phase", then((*step).admitsAnew, func(s *step) {
			s.turn.rollout.Spec.MaxConcurrent = sites(1)
			kiel := s.after.DeepCopy()
			kiel.Spec.Site, kiel.Status.Phases[0].RolledBackAt = "kiel", nil
			s.siteRollouts = append(s.siteRollouts, kiel)
		})},
	}
}

// regresses makes the step the one in which hq, which passed golive at 60m, regresses at 80m.
func (s *step) regresses() {
	s.trying(quiet(), sustained(v1alpha1.RegressionReopen, asks(v1alpha1.Criterion{Name: "few", KPI: "complaints", AtMost: threshold("5"), For: "10m"})))
	s.turn.rollout = clone(all[*v1alpha1.CRMRollout](s.api)[0])
	s.before = s.after.DeepCopy()
	s.after.Status.State = v1alpha1.SiteRegressed
	s.after.Status.Transitions = append(s.after.Status.Transitions, v1alpha1.Transition{Time: on(80), From: v1alpha1.SiteCompleted, To: v1alpha1.SiteRegressed, Reason: v1alpha1.ReasonRegressed})
	s.chain()
	s.says("complaints", 65, 80, 0, func(m int) float64 {
		if m == 80 {
			return 9
		}
		return 2
	})
	s.now = on(80).Time
}

// recovers makes the step the one in which it is well again, at 95m.
func (s *step) recovers() {
	s.regresses()
	s.before = s.after.DeepCopy()
	s.after.Status.State = v1alpha1.SiteCompleted
	s.after.Status.Transitions = append(s.after.Status.Transitions, v1alpha1.Transition{Time: on(95), From: v1alpha1.SiteRegressed, To: v1alpha1.SiteCompleted, Reason: v1alpha1.ReasonRecovered})
	s.chain()
	s.says("complaints", 85, 95, 0, func(int) float64 { return 2 })
	s.now = on(95).Time
}

// reopensGolive makes the step the one in which the regression reopens golive.
func (s *step) reopensGolive() {
	s.regresses()
	s.before = s.after.DeepCopy()
	s.after.Status.State, s.after.Status.CurrentPhase = v1alpha1.SiteWaiting, "golive"
	s.after.Status.Transitions = append(s.after.Status.Transitions, v1alpha1.Transition{Time: on(80), From: v1alpha1.SiteRegressed, To: v1alpha1.SiteWaiting, Phase: "golive", Reason: v1alpha1.ReasonPhaseReopened})
	*s.is() = reopened(*s.is(), passedOn(80))
	s.chain()
}

func spoiltSustain() []spoiling {
	return []spoiling{
		{"", "a site regresses", (*step).regresses},
		{"", "a site recovers", (*step).recovers},
		{"", "a regression reopens a phase", (*step).reopensGolive},
		{byRegress, "its number is good", then((*step).regresses, func(s *step) { s.corrects("complaints", 80, 2) })},
		{byRegress, "nobody knows its number", then((*step).regresses, func(s *step) { s.corrects("complaints", 80, notANumber) })},
		{byRegress, "its number was bad before the last phase was passed only", then((*step).regresses, func(s *step) {
			s.before.Status.Phases[0].PassedAt = passedOn(80)
		})},
		{byRegress, "it recovers too early", then((*step).recovers, func(s *step) { s.until(90) })},
		{byRegress, "it recovers on a bad number", then((*step).recovers, func(s *step) { s.corrects("complaints", 95, 9) })},
		{byRegress, "it recovers in silence", then((*step).recovers, func(s *step) { s.corrects("complaints", 95, notANumber) })},
		{byChanging, "a phase is reopened without a regression", then((*step).reopensGolive, func(s *step) { s.after.Status.Transitions[6].From = v1alpha1.SiteCompleted })},
		{byChanging, "the first pass is forgotten", then((*step).reopensGolive, func(s *step) { s.is().FirstPassedAt = nil })},
		{byChanging, "its evidence stays", then((*step).reopensGolive, func(s *step) { s.is().Evidence = s.was().Evidence })},
		{"the record of every site verifies", "its pass stays", then((*step).reopensGolive, func(s *step) { s.is().PassedAt = s.was().PassedAt })},
		{"the state agrees with the records", "it counts as completed", then((*step).reopensGolive, func(s *step) { s.after.Status.State = v1alpha1.SiteCompleted })},
	}
}
