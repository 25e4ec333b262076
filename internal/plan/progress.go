package plan

import (
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Next returns the position of the phase that a site is in or comes to: the one that runs, wherever the plan has put it meanwhile, else the first that it has not passed,
// len(p.Phases) when it has passed them all.
func (p Plan) Next(records []v1alpha1.PhaseRecord) int {
	for i := range records {
		if running := p.IndexOf(records[i].Name); records[i].Runs() && running >= 0 {
			return running
		}
	}
	for i := range p.Phases {
		if record := RecordOf(records, p.Phases[i].Name); record == nil || record.PassedAt == nil {
			return i
		}
	}
	return len(p.Phases)
}

// Running returns the record of the phase that a site is in; nil when it is in none.
func Running(records []v1alpha1.PhaseRecord) *v1alpha1.PhaseRecord {
	for i := range records {
		if records[i].Runs() {
			return &records[i]
		}
	}
	return nil
}

// RecordOf returns what happened to a site in a phase; nil when it has not begun it.
func RecordOf(records []v1alpha1.PhaseRecord, phase string) *v1alpha1.PhaseRecord {
	for i := range records {
		if records[i].Name == phase {
			return &records[i]
		}
	}
	return nil
}

// Passed returns, for each phase from the first up to the one that a site has not passed, when it had passed that phase and every one before it. A phase that a regression
// has reopened was passed when it was passed for the first time: what waited for that does not wait again. A site that has begun and goes on by a plan of its own, without some of
// the phases, passes these together with what comes before them: nobody should wait for what it will never do.
func (p Plan) Passed(records []v1alpha1.PhaseRecord, own Plan) []time.Time {
	var passed []time.Time
	var latest time.Time
	for i := range p.Phases {
		record := RecordOf(records, p.Phases[i].Name)
		passedAt := record != nil && !FirstPassedAt(*record).IsZero()
		if !passedAt && (len(records) == 0 || own.Has(p.Phases[i].Name)) {
			break
		}
		if passedAt && FirstPassedAt(*record).After(latest) {
			latest = FirstPassedAt(*record)
		}
		if passed == nil {
			passed = make([]time.Time, 0, len(p.Phases))
		}
		passed = append(passed, latest)
	}
	return passed
}

// FirstStartedAt returns when a site began a phase in its first attempt; a phase that was skipped before that began when it was skipped.
func FirstStartedAt(record v1alpha1.PhaseRecord) time.Time {
	if record.FirstStartedAt != nil {
		return record.FirstStartedAt.Time
	}
	return record.StartedAt.Time
}

// FirstPassedAt returns when a site passed a phase for the first time; zero when it has not.
func FirstPassedAt(record v1alpha1.PhaseRecord) time.Time {
	switch {
	case record.FirstPassedAt != nil:
		return record.FirstPassedAt.Time
	case record.PassedAt != nil:
		return record.PassedAt.Time
	}
	return time.Time{}
}

// LastPassed returns the record of the phase of the plan that a site has passed last; nil when it has passed none.
func (p Plan) LastPassed(records []v1alpha1.PhaseRecord) *v1alpha1.PhaseRecord {
	var last *v1alpha1.PhaseRecord
	for i := range p.Phases {
		record := RecordOf(records, p.Phases[i].Name)
		if record != nil && record.PassedAt != nil && (last == nil || !record.PassedAt.Before(last.PassedAt)) {
			last = record
		}
	}
	return last
}

// Final reports whether an attempt at the phase has failed, and no other begins by itself.
func (p Phase) Final(record v1alpha1.PhaseRecord) bool {
	switch {
	case record.FailedAt == nil || !record.Runs():
		return false
	case record.Failure != "" && record.Failure != v1alpha1.ReasonGuardrailBroken:
		return true
	}
	return p.MaxAttempts > 0 && record.Attempt >= p.MaxAttempts
}

// Aborts reports whether a failed attempt at the phase keeps every site of the rollout from starting a phase.
func (p Phase) Aborts(record v1alpha1.PhaseRecord) bool {
	return p.OnFailure == v1alpha1.FailureAbort && p.Final(record)
}
