package sequence

import (
	"fmt"
	"slices"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// aborts returns the first of some sites that keeps all from starting a phase: its attempt failed in a phase whose onFailure is Abort, and no other begins by itself.
func (s step) aborts(stories map[string]*v1alpha1.SiteRollout) string {
	for site, sr := range stories {
		for _, r := range records(sr) {
			if !runs(r) || r.FailedAt == nil {
				continue
			}
			if spec := s.by(r.Revision).phase(r.Name).Spec; spec.OnFailure == v1alpha1.FailureAbort && (r.Failure != v1alpha1.ReasonGuardrailBroken || r.Attempt >= manyOf(spec)) {
				return site
			}
		}
	}
	return ""
}

// notAborted holds who admits to the stories that it has read, and who starts a phase to what the rollout said when it was read.
func notAborted(s step) string {
	if phase := s.admitted(); phase != "" {
		if by := s.aborts(s.turn.siteRollouts); by != "" {
			return fmt.Sprintf("admitted to %s, and %s aborts", phase, by)
		}
	}
	if phase := s.began(); phase != "" && s.turn.rollout.Status.AbortedBy != "" {
		return fmt.Sprintf("%s starts, and %s aborts", phase, s.turn.rollout.Status.AbortedBy)
	}
	return ""
}

// began returns the phase of which an attempt begins by an admission: the first one, or one after the site was rolled back or regressed. It is empty when none does.
func (s step) began() string {
	if phase := s.started(); phase != "" {
		return phase
	}
	was := records(s.before)
	for i, is := range records(s.after) {
		if i < len(was) && was[i].Attempt != is.Attempt && !runs(was[i]) {
			return is.Name
		}
	}
	return ""
}

// staysOut lets a site out of RolledBack only by a step that names who decided that it may begin again or goes on, or because the plan has another phase for it.
func staysOut(s step) string {
	if s.before == nil || s.after == nil || s.before.Status.State != v1alpha1.SiteRolledBack || s.after.Status.State == v1alpha1.SiteRolledBack {
		return ""
	}
	lost := !slices.Contains(s.own(s.after), s.before.Status.CurrentPhase)
	for _, t := range s.told() {
		if t.Reason == v1alpha1.ReasonAllPhasesPassed && lost { // its plan has lost the phase that it stays out of
			return ""
		}
		if decides(t.Deciders, v1alpha1.DecisionRetry) || decides(t.Deciders, v1alpha1.DecisionSkip) || t.Reason == v1alpha1.ReasonPhaseAdded {
			return ""
		}
	}
	return fmt.Sprintf("it is %s now", s.after.Status.State)
}

// admittedAnew wants an admission to the very attempt that begins after a site was rolled back or regressed.
func admittedAnew(s step) string {
	phase := s.began()
	if phase == "" || phase == s.started() || s.mayStart(s.before) {
		return ""
	}
	return fmt.Sprintf("an attempt at %s begins, and it is admitted to attempt %d at %s", phase, s.before.Spec.AdmittedAttempt, s.before.Spec.AdmittedThrough)
}

// regressesOnProof looks at what the source said after the site had passed its last phase: it regresses when a criterion is missed or a guardrail was broken for its time, and
// recovers when every criterion is proved and every guardrail kept.
func regressesOnProof(s step) string {
	if s.before == nil || s.after == nil || s.turn.rollout == nil || s.turn.rollout.Spec.Sustain == nil {
		return ""
	}
	var since time.Time
	for _, r := range records(s.before) {
		if r.PassedAt != nil && r.PassedAt.After(since) {
			since = r.PassedAt.Time
		}
	}
	for _, t := range s.told() {
		problem := ""
		switch {
		case t.To == v1alpha1.SiteRegressed:
			problem = s.lost(s.turn.rollout.Spec.Sustain.Gate.Name, since)
		case t.From == v1alpha1.SiteRegressed && t.To == v1alpha1.SiteCompleted:
			problem = s.regained(s.turn.rollout.Spec.Sustain.Gate.Name, since)
		}
		if problem != "" {
			return problem
		}
	}
	return ""
}

// lost returns why nothing of a gate is missed.
func (s step) lost(gate string, since time.Time) string {
	spec := s.gate(gate).Spec
	misses := func(c v1alpha1.Criterion, lasting v1alpha1.Duration) bool {
		c.For = lasting
		q := s.asks(c, since)
		q.wanted = missed
		return q.proved() == ""
	}
	if slices.ContainsFunc(spec.Criteria, func(c v1alpha1.Criterion) bool { return misses(c, "") }) ||
		slices.ContainsFunc(spec.Guardrails, func(c v1alpha1.Criterion) bool { return misses(c, c.For) }) {
		return ""
	}
	return "nothing that gate " + gate + " asks for is missed"
}

// regained returns what of a gate is not known to be met.
func (s step) regained(gate string, since time.Time) string {
	if problem := s.proved(gate, since); problem != "" {
		return problem
	}
	for _, c := range s.gate(gate).Spec.Guardrails {
		c.For = ""
		if problem := s.asks(c, since).proved(); problem != "" {
			return "guardrail " + c.Name + ": " + problem
		}
	}
	return ""
}
