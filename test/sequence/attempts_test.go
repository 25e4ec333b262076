package sequence

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	planning "github.com/crmops/rollout-operator/internal/plan"
)

// frozenStays holds every baseline to what was frozen, unless a decision has it recaptured for the attempt that begins: then it is an answer of the source, over a window that has just ended.
func frozenStays(s step) string {
	now := records(s.after)
	for i, r := range records(s.before) {
		switch {
		case i >= len(now) || equality.Semantic.DeepEqual(r.Baselines, now[i].Baselines):
			continue
		case len(r.Baselines) != len(now[i].Baselines) || now[i].Attempt != r.Attempt+1:
			return fmt.Sprintf("those of %s were %d and are %d, or differ", r.Name, len(r.Baselines), len(now[i].Baselines))
		}
		for j, frozen := range r.Baselines {
			if equality.Semantic.DeepEqual(frozen, now[i].Baselines[j]) {
				continue
			}
			if problem := s.recaptured(now[i], frozen.KPI, now[i].Baselines[j]); problem != "" {
				return fmt.Sprintf("that of %s from %s is another: %s", frozen.KPI, r.Name, problem)
			}
		}
	}
	return ""
}

// recaptured returns why a baseline may not be taken anew for the attempt that begins.
func (s step) recaptured(record v1alpha1.PhaseRecord, kpi string, taken v1alpha1.Baseline) string {
	decided := slices.ContainsFunc(s.begunBy(record.Name), func(by v1alpha1.Decider) bool {
		d := s.turn.decisions[by.Decision]
		return by.Action == v1alpha1.DecisionRecapture && d != nil && d.Spec.KPI == kpi
	})
	if !decided || taken.KPI != kpi {
		return "nobody decided that"
	}
	s = s.by(record.Revision)
	for _, b := range s.phase(record.Name).Spec.Baselines {
		if b.KPI == kpi {
			return s.answered(record.Name, b, taken, record.StartedAt.Time)
		}
	}
	return "the phase takes none"
}

// baselined holds a phase that starts to the baselines that it declares: each must be an answer of the source, over a window that has just ended.
func baselined(s step) string {
	name := s.started()
	if name == "" {
		return ""
	}
	now := records(s.after)
	record := now[len(now)-1]
	s = s.by(record.Revision)
	declared := s.phase(name).Spec.Baselines
	for _, b := range declared {
		i := slices.IndexFunc(record.Baselines, func(taken v1alpha1.Baseline) bool { return taken.KPI == b.KPI })
		if i < 0 {
			return name + " started without that of " + b.KPI
		}
		if problem := s.answered(name, b, record.Baselines[i], record.StartedAt.Time); problem != "" {
			return fmt.Sprintf("that of %s: %s", b.KPI, problem)
		}
	}
	if len(record.Baselines) != len(declared) || record.Attempt != 1 {
		return fmt.Sprintf("%s started with %d baselines, attempt %d", name, len(record.Baselines), record.Attempt)
	}
	return ""
}

// answered returns what the source did not say of a baseline.
func (s step) answered(phase string, declared v1alpha1.BaselineSpec, taken v1alpha1.Baseline, started time.Time) string {
	window := declared.Window
	if window == "" {
		window = s.kpi(declared.KPI).Spec.Window
	}
	end := taken.WindowEnd.Time
	switch {
	case end.After(started), started.Sub(end) > 5*minute, length(taken.Window) != length(window):
		return fmt.Sprintf("its window of %s ended at %s", taken.Window, stamp(&taken.WindowEnd))
	case !s.said(taken, s.after.Spec.Site, taken.Value, taken.Earlier):
		return fmt.Sprintf("the source did not say %s", taken.Value)
	case declared.Controls == nil && taken.PreTrend == "" && len(taken.Controls) == 0:
		return ""
	case declared.Controls == nil || taken.PreTrend == "":
		return fmt.Sprintf("it has %d controls", len(taken.Controls))
	}
	for _, c := range taken.Controls {
		if !s.said(taken, c.Site, c.Value, c.Earlier) {
			return fmt.Sprintf("the source did not say %s of control %s", c.Value, c.Site)
		}
		if problem := s.controls(phase, c.Site, *declared.Controls); problem != "" {
			return problem
		}
	}
	return ""
}

// said reports whether the source said a value of a site when it was asked for a baseline, and the earlier one, if there is one.
func (s step) said(taken v1alpha1.Baseline, site string, value, earlier v1alpha1.Decimal) bool {
	kpi := s.kpi(taken.KPI)
	told := func(at time.Time, value v1alpha1.Decimal) bool {
		return slices.ContainsFunc(s.log, func(r reading) bool {
			number, ok := r.number(site)
			asked := r.captured && r.kpi == kpi.Name && name(r.query) == name(kpi.Spec.Query) && r.window == length(taken.Window)
			return ok && asked && r.at.Equal(at) && number == float(value)
		})
	}
	end := taken.WindowEnd.Time
	return told(end, value) && (earlier == "" || told(end.Add(-length(taken.PreTrend)), earlier))
}

// controls returns why a site may not be in the control group of the site that starts a phase.
func (s step) controls(phase, name string, group v1alpha1.ControlGroup) string {
	if name == s.after.Spec.Site {
		return "the site is its own control"
	}
	if slices.ContainsFunc(records(s.turn.siteRollouts[name]), func(r v1alpha1.PhaseRecord) bool { return r.Name == phase }) {
		return "control " + name + " has begun the phase"
	}
	labels := map[string]map[string]string{}
	for i := range s.turn.sites {
		labels[s.turn.sites[i].Name] = planning.SiteLabels(&s.turn.sites[i])
	}
	for _, label := range group.SameLabels {
		if labels[name][label] != labels[s.after.Spec.Site][label] {
			return fmt.Sprintf("control %s differs in label %s", name, label)
		}
	}
	return ""
}

// attemptsCount lets an attempt begin only after the one before it has failed, and fail only while it runs.
func attemptsCount(s step) string {
	now := records(s.after)
	for i, was := range records(s.before) {
		if i >= len(now) {
			break
		}
		is := now[i]
		switch grown := is.Attempt - was.Attempt; {
		case grown == 0 && was.PassedAt != nil && is.ReopenedAt != nil && is.FailedAt == nil: // the failure of an attempt that was waived goes with what a regression reopens
		case grown == 0 && was.FailedAt != nil && !was.FailedAt.Equal(is.FailedAt):
			return fmt.Sprintf("the failure of attempt %d at %s is gone", was.Attempt, is.Name)
		case grown == 0 && !was.StartedAt.Equal(&is.StartedAt):
			return fmt.Sprintf("attempt %d at %s began twice", was.Attempt, is.Name)
		case grown == 0:
		case grown != 1 || (is.FailedAt != nil && !s.failsAtOnce(is)) || (!over(was, is.StartedAt) && !s.answeredAtOnce(was)):
			return fmt.Sprintf("attempt %d at %s follows attempt %d", is.Attempt, is.Name, was.Attempt)
		}
	}
	for _, r := range now {
		if r.FailedAt != nil && runs(r) && r.Name == s.next(s.after) && s.turn.request.controller == ofMoves && s.after.Status.State != v1alpha1.SiteHeld {
			return fmt.Sprintf("%s has failed, and the site is %s", r.Name, s.after.Status.State)
		}
	}
	return ""
}

// failsAtOnce reports whether the write tells that an attempt began, and then that it failed.
func (s step) failsAtOnce(is v1alpha1.PhaseRecord) bool {
	failed, _ := s.ends(is.Name, int64(is.Attempt), 1<<40)
	return len(failed) > 0 && !is.FailedAt.Before(&is.StartedAt)
}

// answeredAtOnce reports whether the write tells that an attempt ended, and that somebody had another one begin.
func (s step) answeredAtOnce(was v1alpha1.PhaseRecord) bool {
	failed, _ := s.ends(was.Name, int64(was.Attempt), 1<<40)
	return len(failed) > 0 && runs(was) && was.FailedAt == nil && (decides(s.begunBy(was.Name), v1alpha1.DecisionRetry) || decides(s.deciders(v1alpha1.ReasonRetried, was.Name), v1alpha1.DecisionRetry))
}

// over reports whether an attempt had ended by a time without passing for good: it failed, was rolled back, or was reopened.
func over(r v1alpha1.PhaseRecord, by metav1.Time) bool {
	ended := false
	for _, at := range []*metav1.Time{r.FailedAt, r.RolledBackAt, r.ReopenedAt} {
		if at != nil && by.Before(at) {
			return false
		}
		ended = ended || at != nil
	}
	return ended
}

// ownEvidence holds the evidence that passes a phase to the attempt that passes: none of it may be older.
func ownEvidence(s step) string {
	record := s.passed()
	if record == nil {
		return ""
	}
	if record.Outcome == v1alpha1.PhaseSkipped {
		if len(record.Evidence) > 0 {
			return record.Name + " was skipped, and has evidence"
		}
		return ""
	}
	if record.FailedAt != nil && record.Outcome == "" {
		return fmt.Sprintf("attempt %d at %s has failed", record.Attempt, record.Name)
	}
	s = s.by(record.Revision)
	told := map[string]bool{}
	for _, e := range record.Evidence {
		told[e.Criterion] = true
		from := e.SampleTime.Add(-length(e.Window))
		if e.MetSince != nil && e.MetSince.Before(&e.SampleTime) {
			from = e.MetSince.Add(-length(e.Window))
		}
		if !from.After(record.StartedAt.Time) || e.SampleTime.After(s.now.Add(time.Second)) {
			return fmt.Sprintf("%s: the evidence is from %s until %s", e.Criterion, from.Format(time.RFC3339), stamp(&e.SampleTime))
		}
	}
	if phase := s.phase(record.Name); phase.Spec.ExitGate != nil && record.Outcome == "" {
		spec := s.gate(phase.Spec.ExitGate.Name).Spec
		for _, c := range slices.Concat(spec.Criteria, spec.Guardrails) {
			if c.Importance == "" && c.AnyOf == "" && !told[c.Name] {
				return "there is no evidence of " + c.Name
			}
		}
	}
	return ""
}

// guardrails returns those of the phase that a record is of.
func (s step) guardrails(record v1alpha1.PhaseRecord) []v1alpha1.Criterion {
	s = s.by(record.Revision)
	phase := s.phase(record.Name)
	if phase.Spec.ExitGate == nil {
		return nil
	}
	return s.gate(phase.Spec.ExitGate.Name).Spec.Guardrails
}

// unkept returns a guardrail that is broken or of which nobody knows.
func (s step) unkept(record v1alpha1.PhaseRecord, notBefore time.Time) string {
	s = s.by(record.Revision)
	for _, c := range s.guardrails(record) {
		c.For = ""
		if problem := s.asks(c, notBefore).proved(); problem != "" {
			return fmt.Sprintf("guardrail %s: %s", c.Name, problem)
		}
	}
	return ""
}

func guardsKept(s step) string {
	if record := s.passed(); record != nil && record.Outcome == "" {
		return s.unkept(*record, record.StartedAt.Time)
	}
	return ""
}

// turned returns the records that differ from what they were in a way.
func (s step) turned(how func(was, is v1alpha1.PhaseRecord) bool) []v1alpha1.PhaseRecord {
	var found []v1alpha1.PhaseRecord
	now := records(s.after)
	for i, was := range records(s.before) {
		if i < len(now) && how(was, now[i]) {
			found = append(found, now[i])
		}
	}
	return found
}

// failsOnProof lets an attempt fail only when a guardrail was seen broken for its time, by values from within the attempt.
func failsOnProof(s step) string {
	failed := s.turned(func(was, is v1alpha1.PhaseRecord) bool {
		return is.FailedAt != nil && (was.FailedAt == nil || was.Attempt != is.Attempt)
	})
	if len(failed) == 0 {
		return ""
	}
	switch failed[0].Failure {
	case v1alpha1.ReasonDeadlineExceeded:
		return s.overdue(failed[0])
	case v1alpha1.ReasonRejected:
		if decides(s.deciders(v1alpha1.ReasonRejected, failed[0].Name), v1alpha1.DecisionReject) {
			return ""
		}
	}
	problems := failed[0].Name + " fails"
	s = s.by(failed[0].Revision)
	for _, c := range s.guardrails(failed[0]) {
		q := s.asks(c, failed[0].StartedAt.Time)
		q.wanted = missed
		problem := q.proved()
		if problem == "" {
			return ""
		}
		problems += fmt.Sprintf("; guardrail %s: %s", c.Name, problem)
	}
	return problems
}

// overdue returns why an attempt has not missed its deadline.
func (s step) overdue(record v1alpha1.PhaseRecord) string {
	spec := s.by(record.Revision).phase(record.Name).Spec
	if spec.Deadline == "" || s.now.Sub(record.StartedAt.Time) < length(spec.Deadline) {
		return fmt.Sprintf("%s fails after %s, and its deadline is %q", record.Name, s.now.Sub(record.StartedAt.Time), spec.Deadline)
	}
	return ""
}

// manyOf is how many attempts at a phase begin by themselves.
func manyOf(spec v1alpha1.RolloutPhaseSpec) int32 {
	switch {
	case spec.MaxAttempts != nil:
		return *spec.MaxAttempts
	case spec.OnFailure == v1alpha1.FailureRollBack || spec.OnFailure == v1alpha1.FailureAbort:
		return 1
	}
	return 1 << 30
}

// retriesWhenKept lets another attempt begin by itself only while all guardrails are known to be kept, after a guardrail failed the one before, and no more than maxAttempts.
func retriesWhenKept(s step) string {
	for i, was := range records(s.before) {
		if i >= len(records(s.after)) || was.Attempt == records(s.after)[i].Attempt || !runs(was) {
			continue
		}
		if decides(s.begunBy(was.Name), v1alpha1.DecisionRetry) {
			continue
		}
		switch many := manyOf(s.by(was.Revision).phase(was.Name).Spec); {
		case was.Failure != "" && was.Failure != v1alpha1.ReasonGuardrailBroken:
			return fmt.Sprintf("attempt %d at %s failed: %s", was.Attempt, was.Name, was.Failure)
		case was.Attempt >= many:
			return fmt.Sprintf("attempt %d follows at %s, of %d", was.Attempt+1, was.Name, many)
		}
		if problem := s.unkept(was, time.Time{}); problem != "" {
			return problem
		}
	}
	return ""
}
