package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Verdict is the judgement on a criterion or a gate.
//
// +kubebuilder:validation:Enum=Pass;Fail;Wait
type Verdict string

// The verdicts.
const (
	// VerdictPass: met, on fresh evidence, for as long as was asked.
	VerdictPass Verdict = "Pass"
	// VerdictFail: not met, on fresh evidence.
	VerdictFail Verdict = "Fail"
	// VerdictWait: not known yet. Missing, stale or failed measurements are always Wait, never Pass.
	VerdictWait Verdict = "Wait"
)

// GateRole says which side of a phase a gate stands on, or that it stands behind all of them.
//
// +kubebuilder:validation:Enum=Entry;Exit;Sustain
type GateRole string

// The roles of a gate.
const (
	// GateRoleEntry: the gate must pass before the phase starts.
	GateRoleEntry GateRole = "Entry"
	// GateRoleExit: the gate must pass before the phase ends.
	GateRoleExit GateRole = "Exit"
	// GateRoleSustain: the gate is to be met for ever after the last phase.
	GateRoleSustain GateRole = "Sustain"
)

// Figures are the numbers behind a verdict.
type Figures struct {
	// value of the KPI, in its unit. Unset: there is no value that counts.
	//
	// +optional
	Value Decimal `json:"value,omitempty"`

	// samples is the number of observations behind the value. Unset: the source does not tell.
	//
	// +optional
	Samples int64 `json:"samples,omitempty"`

	// threshold in words: "at least 0.95", "at most -10% from the baseline of phase prepare".
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Threshold string `json:"threshold,omitempty"`

	// comparedWith is the baseline, the baseline moved as the control group moved, or the reference value, in the KPI's unit. Unset: the value itself is compared.
	//
	// +optional
	ComparedWith Decimal `json:"comparedWith,omitempty"`

	// change is the difference that the threshold speaks about, in the KPI's unit or in percent. Unset: the value itself is compared.
	//
	// +optional
	Change Threshold `json:"change,omitempty"`

	// low is the lower end of the confidence interval of the change. Unset: there is no control group.
	//
	// +optional
	Low Threshold `json:"low,omitempty"`

	// high is the upper end of the confidence interval of the change. Unset: there is no control group.
	//
	// +optional
	High Threshold `json:"high,omitempty"`

	// controls is the number of control sites that were compared with. Unset: there is no control group.
	//
	// +optional
	Controls int32 `json:"controls,omitempty"`

	// margin is the distance to the nearest threshold, in the KPI's unit or in percentage points: what the value could lose, or with a minus what it lacks.
	//
	// +optional
	Margin Threshold `json:"margin,omitempty"`

	// window is the stretch of time that the value speaks about. Unset: an instant.
	//
	// +optional
	Window Duration `json:"window,omitempty"`
}

// CriterionReport is the judgement on one criterion or guardrail. Numbers, sampleTime and message are as of the last time that this status was written:
// at once when a verdict or its reason changes, otherwise from time to time.
type CriterionReport struct {
	// name of the criterion in its gate.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// importance says what the criterion does to the verdict of the gate. Unset: Required.
	//
	// +optional
	// +kubebuilder:validation:Enum=Required;Weighted;Advisory;Guardrail
	Importance Importance `json:"importance,omitempty"`

	// anyOf names the group of criteria of which one has to pass. Unset: the criterion stands alone.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	AnyOf string `json:"anyOf,omitempty"`

	// kpi that was compared.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	KPI string `json:"kpi,omitempty"`

	// reference is the KPI that it was compared with. Unset: it was not compared with another KPI.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Reference string `json:"reference,omitempty"`

	// kpiRevision identifies what was measured, with the revision of the reference behind a slash. A hold does not outlive a change of what is measured.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	KPIRevision string `json:"kpiRevision,omitempty"`

	// verdict on the criterion.
	//
	// +required
	Verdict Verdict `json:"verdict,omitempty"`

	// reason of the verdict, for machines.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Reason string `json:"reason,omitempty"`

	// message says the same for people.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`

	// figures behind the verdict.
	Figures `json:",inline"`

	// sampleTime is the end of the window of the latest value that was looked at. Unset: none was.
	//
	// +optional
	SampleTime *metav1.Time `json:"sampleTime,omitempty"`

	// metSince is the time of the first good value of the unbroken run that lasts until now. Unset: the criterion is not met, or is a guardrail.
	//
	// +optional
	MetSince *metav1.Time `json:"metSince,omitempty"`

	// brokenSince is the time of the first bad value of the unbroken run that lasts until now. Unset: the guardrail is kept, or this is no guardrail.
	//
	// +optional
	BrokenSince *metav1.Time `json:"brokenSince,omitempty"`

	// exceptions is the number of measurements of the run that were outside of the tolerance.
	//
	// +optional
	Exceptions int32 `json:"exceptions,omitempty"`

	// exceptionTimes are when the latest of them were measured, oldest first. Unset: the run has none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	ExceptionTimes []metav1.Time `json:"exceptionTimes,omitempty"`
}

// GateReport is the judgement on the gate that a site stands at.
type GateReport struct {
	// name of the AcceptanceGate.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// role says which side of the phase the gate stands on, or that it stands behind the last one.
	//
	// +required
	Role GateRole `json:"role,omitempty"`

	// generation is the metadata.generation of the gate that was judged.
	//
	// +optional
	Generation int64 `json:"generation,omitempty"`

	// siteID is the text by which metric sources named the site when it was judged. A hold does not outlive a change of it.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	SiteID string `json:"siteID,omitempty"`

	// verdict over all criteria, and over the approvals that the gate needs: it waits while one of them is missing.
	//
	// +required
	Verdict Verdict `json:"verdict,omitempty"`

	// score is the weight of the weighted criteria that pass, in percent of the weight of all. Unset: the gate has no weighted criteria.
	//
	// +optional
	Score *int32 `json:"score,omitempty"`

	// criteria in the order of the gate, and after them its guardrails. Unset: the gate has approvals only, or cannot be judged now and keeps what is known of its approvals.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=24
	Criteria []CriterionReport `json:"criteria,omitempty"`

	// setbacks is how often the gate came to fail since the attempt began. It is a part of digest, so that nobody approves what they saw before. Unset: it never failed, or needs
	// no approvals.
	//
	// +optional
	Setbacks int32 `json:"setbacks,omitempty"`

	// digest identifies what an approver sees: the site, the attempt, the plan, the setbacks, and the verdict on each criterion with what it asks for. An approval names it. It
	// changes when a verdict does, and not with every measurement. Unset: the gate needs no approvals, or cannot be judged now.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Digest string `json:"digest,omitempty"`

	// approvals that the gate needs, and who gave them. Unset: it needs none.
	//
	// +optional
	// +listType=map
	// +listMapKey=role
	// +kubebuilder:validation:MaxItems=8
	Approvals []ApprovalReport `json:"approvals,omitempty"`

	// fourEyes is true when a person counts in one role only.
	//
	// +optional
	FourEyes bool `json:"fourEyes,omitempty"`
}

// ApprovalReport tells of the sign-offs of one role.
type ApprovalReport struct {
	// role that must approve.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Role string `json:"role,omitempty"`

	// needed is the number of people who must approve.
	//
	// +required
	Needed int32 `json:"needed,omitempty"`

	// given are the approvals that were looked at: those that count, and those that do not any more, or never did. Of the latter the oldest go when there are too many.
	//
	// +optional
	// +listType=map
	// +listMapKey=decision
	// +kubebuilder:validation:MaxItems=16
	Given []GivenApproval `json:"given,omitempty"`
}

// GivenApproval is an approval that the operator has looked at. What it found then stays: an approval that does not count never will.
type GivenApproval struct {
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

	// seenAt is when the operator first looked at it.
	//
	// +required
	SeenAt metav1.Time `json:"seenAt,omitzero"`

	// digest of the evidence that the approver saw.
	//
	// +required
	// +kubebuilder:validation:MaxLength=64
	Digest string `json:"digest,omitempty"`

	// reason why the approval does not count, for machines: Void, OtherEvidence or Expired. Unset: it counts.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Reason string `json:"reason,omitempty"`

	// message says the same for people. Unset: it counts.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Message string `json:"message,omitempty"`
}

// Evidence is what passed one criterion, or kept one guardrail, when a phase was passed.
type Evidence struct {
	// criterion of the exit gate.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Criterion string `json:"criterion,omitempty"`

	// kpi that was compared.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	KPI string `json:"kpi,omitempty"`

	// figures that passed.
	Figures `json:",inline"`

	// sampleTime is the end of the window that the value speaks about.
	//
	// +required
	SampleTime metav1.Time `json:"sampleTime,omitzero"`

	// metSince is when the unbroken run of good values began. Unset: a guardrail, of which only its latest value is evidence.
	//
	// +optional
	MetSince *metav1.Time `json:"metSince,omitempty"`

	// exceptions is the number of measurements of the run that were outside of the tolerance.
	//
	// +optional
	Exceptions int32 `json:"exceptions,omitempty"`
}
