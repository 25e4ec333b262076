package record

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Report is what the verification of one story found.
type Report struct {
	// Steps is the number of steps that the story has had, those that a checkpoint stands for included.
	Steps int64
	// Head is the hash of the last step; empty when that is not chained.
	Head string
	// Faults say what cannot be as it was recorded; empty when nothing speaks against the story.
	Faults []string
	// Notes say what could not be verified.
	Notes []string
}

// Verify looks for what does not fit together in a story: a gap, a wrong hash, a step that does not begin where the one before ended, a time before that of the step before,
// evidence with another digest, a checkpoint that belongs to other steps.
//
// Who changes one step is found. Who changes one and makes all later hashes anew is found only by comparing the head with one that was noted elsewhere.
func Verify(status v1alpha1.SiteRolloutStatus) Report {
	v := verifier{status: status}
	v.beginning()
	for _, step := range status.Transitions {
		v.step(step)
	}
	v.ending()
	for _, phase := range status.Phases {
		v.phase(phase)
	}
	v.lost()
	v.report.Steps, v.report.Head = v.sequence, v.hash
	return v.report
}

// verifier goes through one story. Its sequence, hash, state and time are those of the step that was looked at last.
type verifier struct {
	status v1alpha1.SiteRolloutStatus
	report Report

	sequence int64
	hash     string
	// state is empty when it is not known.
	state v1alpha1.SiteState
	// time is zero before the first step.
	time metav1.Time
	// unchained is the number of the last step that was recorded before steps were chained.
	unchained int64
}

func (v *verifier) fault(format string, args ...any) {
	v.report.Faults = append(v.report.Faults, fmt.Sprintf(format, args...))
}

func (v *verifier) note(format string, args ...any) {
	v.report.Notes = append(v.report.Notes, fmt.Sprintf(format, args...))
}

// beginning looks at what stands before the steps that are kept.
func (v *verifier) beginning() {
	steps, checkpoint := v.status.Transitions, v.status.Checkpoint
	switch {
	case checkpoint != nil:
		v.sequence, v.hash = checkpoint.Sequence, checkpoint.Hash
		v.time = checkpoint.Time
		if checkpoint.Sequence < 1 {
			v.fault("the checkpoint stands for no step")
		}
		if len(steps) == 0 {
			v.fault("no step is kept behind the checkpoint, which stands for step %d", checkpoint.Sequence)
		}
		if checkpoint.Hash == "" {
			v.unchained = checkpoint.Sequence
		}
	case len(steps) > 0 && steps[0].Sequence > 1 && steps[0].Hash == "":
		v.sequence = steps[0].Sequence - 1 // steps were dropped without a checkpoint before they were chained
		v.unchained = v.sequence
	default:
		v.state = v1alpha1.SitePending
	}
}

func (v *verifier) step(step v1alpha1.Transition) {
	if step.Sequence != v.sequence+1 {
		v.fault("step %d: it follows step %d, so a step is missing or out of order", step.Sequence, v.sequence)
	}
	if v.state != "" && step.From != v.state {
		v.fault("step %d: it begins at %s, and the one before it ended at %s", step.Sequence, step.From, v.state)
	}
	if step.Time.Before(&v.time) {
		v.fault("step %d: its time %s lies before that of the one before it", step.Sequence, stamp(step.Time))
	}
	switch expected := Hash(v.hash, step); {
	case step.Hash == expected:
	case step.Hash != "":
		v.fault("step %d: its hash is %s, and must be %s: it was changed, or the one before it is not the one that it followed", step.Sequence, Short(step.Hash), Short(expected))
	case v.hash != "":
		v.fault("step %d: it has no hash, and the one before it has", step.Sequence)
	default:
		v.unchained = step.Sequence
	}
	v.sequence, v.hash, v.state, v.time = step.Sequence, step.Hash, step.To, step.Time
}

// ending compares the last step with where the site stands, and says how much of the story is chained.
func (v *verifier) ending() {
	if v.state != "" && v.status.State != "" && v.status.State != v.state {
		v.fault("the site is %s, and the last step ended at %s", v.status.State, v.state)
	}
	if v.unchained > 0 {
		v.note("steps up to %d were recorded before steps were chained", v.unchained)
	}
}

// passing returns the last step that is kept and that passed a phase; nil when there is none.
func (v *verifier) passing(phase string) *v1alpha1.Transition {
	var last *v1alpha1.Transition
	for i := range v.status.Transitions {
		step := &v.status.Transitions[i]
		switch {
		case step.Phase != phase:
		case step.Reason == v1alpha1.ReasonPhaseReopened:
			last = nil
		case passes(*step):
			last = step
		}
	}
	return last
}

// passes reports whether a step passed its phase. One that waived an entry gate goes on to run the phase.
func passes(step v1alpha1.Transition) bool {
	switch step.Reason {
	case v1alpha1.ReasonPhasePassed, v1alpha1.ReasonPhaseSkipped:
		return true
	case v1alpha1.ReasonPhaseWaived:
		return step.To == v1alpha1.SiteWaiting || step.To == v1alpha1.SiteCompleted
	}
	return step.EvidenceDigest != ""
}

// phase compares what is kept of a phase with the step that passed it.
func (v *verifier) phase(phase v1alpha1.PhaseRecord) {
	passing := v.passing(phase.Name)
	if phase.PassedAt != nil {
		v.passed(phase, passing)
		return
	}
	switch {
	case passing != nil:
		v.fault("step %d passed phase %s, and the record of the phase says that it has not passed", passing.Sequence, phase.Name)
	case len(phase.Evidence) > 0:
		v.fault("phase %s has evidence, and has not passed", phase.Name)
	}
}

// passed compares what is kept of a phase that has passed with the step that passed it; nil when no such step is kept.
func (v *verifier) passed(phase v1alpha1.PhaseRecord, passing *v1alpha1.Transition) {
	switch {
	case passing == nil && v.complete():
		v.fault("phase %s is recorded as passed, and no step passed it", phase.Name)
	case passing == nil:
		v.note("the evidence of phase %s cannot be verified, because the step that passed it is no longer kept", phase.Name)
	case passing.Hash == "":
		v.note("the evidence of phase %s cannot be verified, because the step that passed it is not chained", phase.Name)
	case passing.EvidenceDigest != Digest(phase.Evidence):
		v.fault("the evidence of phase %s is not what it was when step %d passed it", phase.Name, passing.Sequence)
	case passing.Attempt != phase.Attempt || !passing.Time.Equal(phase.PassedAt):
		v.fault("phase %s is recorded as passed by attempt %d at %s, and step %d passed it by attempt %d at %s",
			phase.Name, phase.Attempt, stamp(*phase.PassedAt), passing.Sequence, passing.Attempt, stamp(passing.Time))
	}
}

// complete reports whether every step is kept.
func (v *verifier) complete() bool {
	steps := v.status.Transitions
	return v.status.Checkpoint == nil && (len(steps) == 0 || steps[0].Sequence <= 1)
}

// lost finds steps that passed a phase of which nothing is recorded.
func (v *verifier) lost() {
	recorded := map[string]bool{}
	for _, phase := range v.status.Phases {
		recorded[phase.Name] = true
	}
	for _, step := range v.status.Transitions {
		if passes(step) && !recorded[step.Phase] {
			v.fault("step %d passed phase %s, of which nothing is recorded", step.Sequence, step.Phase)
			recorded[step.Phase] = true
		}
	}
}

func stamp(t metav1.Time) string { return t.UTC().Format(time.RFC3339) }
