package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PhaseOutcome says how a phase was passed.
//
// +kubebuilder:validation:Enum=Accepted;Waived;Skipped
type PhaseOutcome string

// The outcomes of a phase.
const (
	// PhaseAccepted: its exit gate passed, or it has none.
	PhaseAccepted PhaseOutcome = "Accepted"
	// PhaseWaived: a decision waived its exit gate.
	PhaseWaived PhaseOutcome = "Waived"
	// PhaseSkipped: a decision let the site go on without it.
	PhaseSkipped PhaseOutcome = "Skipped"
)

// PhaseRecord is what happened to the site in one phase. It does not change once the phase is passed, until a regression reopens the phase. Its baselines change only when a
// decision has them recaptured.
type PhaseRecord struct {
	// name of the phase.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// attempt is the number of times that the site has started the phase. Unset: a decision skipped the phase before the site had started it.
	//
	// +optional
	Attempt int32 `json:"attempt,omitempty"`

	// startedAt is when the attempt began, or when the phase was skipped before that.
	//
	// +required
	StartedAt metav1.Time `json:"startedAt,omitzero"`

	// firstStartedAt is when the first attempt began. Unset: this is the first one.
	//
	// +optional
	FirstStartedAt *metav1.Time `json:"firstStartedAt,omitempty"`

	// revision is the ControllerRevision with the plan by which the attempt is judged. Unset: the attempt began before plans were frozen, and is judged by the plan as it is.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Revision string `json:"revision,omitempty"`

	// passedAt is when the exit gate passed, or was waived, or the phase was skipped. Unset: it has not been.
	//
	// +optional
	PassedAt *metav1.Time `json:"passedAt,omitempty"`

	// outcome says how the phase was passed. Unset: it has not been passed, or was accepted by its exit gate.
	//
	// +optional
	Outcome PhaseOutcome `json:"outcome,omitempty"`

	// failedAt is when the attempt failed. Unset: it has not. It is cleared when the next attempt begins; the transitions tell of earlier ones.
	//
	// +optional
	FailedAt *metav1.Time `json:"failedAt,omitempty"`

	// failure is why it failed: GuardrailBroken, DeadlineExceeded or Rejected. Unset: it has not failed.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Failure string `json:"failure,omitempty"`

	// rolledBackAt is when the site was rolled back out of the phase. Unset: it was not. It is cleared when the next attempt begins.
	//
	// +optional
	RolledBackAt *metav1.Time `json:"rolledBackAt,omitempty"`

	// reopenedAt is when a regression reopened the phase. Unset: it was not, or an attempt has begun since.
	//
	// +optional
	ReopenedAt *metav1.Time `json:"reopenedAt,omitempty"`

	// firstPassedAt is when the phase was passed before a regression reopened it for the first time. A wave that waited for that stays open. Unset: it was never reopened.
	//
	// +optional
	FirstPassedAt *metav1.Time `json:"firstPassedAt,omitempty"`

	// baselines that were taken when the site started the phase for the first time. They never change, unless a decision has one recaptured for the next attempt.
	// Unset: the phase declared none then.
	//
	// +optional
	// +listType=map
	// +listMapKey=kpi
	// +kubebuilder:validation:MaxItems=16
	Baselines []Baseline `json:"baselines,omitempty"`

	// evidence that passed the exit gate. Unset: the phase has not been passed, or has no exit gate.
	//
	// +optional
	// +listType=map
	// +listMapKey=criterion
	// +kubebuilder:validation:MaxItems=24
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Runs reports whether an attempt at the phase has begun, and is neither over nor to be begun anew. A site whose attempt has failed is still in it.
func (r PhaseRecord) Runs() bool {
	return r.PassedAt == nil && r.RolledBackAt == nil && r.ReopenedAt == nil
}

// Transition is one step in the site's story. It never changes.
type Transition struct {
	// sequence counts the site's transitions from 1, without gaps.
	//
	// +required
	Sequence int64 `json:"sequence,omitempty"`

	// time of the step.
	//
	// +required
	Time metav1.Time `json:"time,omitzero"`

	// from is the state before.
	//
	// +required
	From SiteState `json:"from,omitempty"`

	// to is the state after.
	//
	// +required
	To SiteState `json:"to,omitempty"`

	// phase that the step belongs to: the one that was started, held, resumed or passed.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Phase string `json:"phase,omitempty"`

	// attempt at the phase. Unset: the phase had not started.
	//
	// +optional
	Attempt int32 `json:"attempt,omitempty"`

	// revision is the ControllerRevision with the plan that the step followed. Unset: the phase had not started.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Revision string `json:"revision,omitempty"`

	// reason of the step, for machines: its cause.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Reason string `json:"reason,omitempty"`

	// message says the same for people.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`

	// deciders are the people whose decisions the step rests on. Unset: it rests on measurements and the clock alone.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=40
	Deciders []Decider `json:"deciders,omitempty"`

	// evidenceDigest is the SHA-256, in hexadecimal, of the evidence that passed the phase, as status.phases keeps it. Unset: the step passed no phase, or one without evidence.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	EvidenceDigest string `json:"evidenceDigest,omitempty"`

	// hash is the SHA-256, in hexadecimal, of the hash of the step before and of everything in this one. Who changes a step in the past changes all hashes after it.
	// Unset: the step was recorded before steps were chained.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Hash string `json:"hash,omitempty"`
}

// Decider is a person whose decision counted.
type Decider struct {
	// decision is the name of the RolloutDecision.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	Decision string `json:"decision,omitempty"`

	// by is the person, as the API server knows them.
	//
	// +required
	// +kubebuilder:validation:MaxLength=256
	By string `json:"by,omitempty"`

	// action that was decided.
	//
	// +required
	Action DecisionAction `json:"action,omitempty"`

	// role in which the person decided. Unset: the action needs none.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Role string `json:"role,omitempty"`
}

// Checkpoint stands for the transitions that are no longer kept.
type Checkpoint struct {
	// sequence of the last transition that is no longer kept.
	//
	// +required
	Sequence int64 `json:"sequence,omitempty"`

	// hash of that transition. The first one that is kept is chained to it.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Hash string `json:"hash,omitempty"`

	// time of that transition.
	//
	// +required
	Time metav1.Time `json:"time,omitzero"`
}
