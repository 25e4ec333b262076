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

// GateRole says which side of a phase a gate stands on.
//
// +kubebuilder:validation:Enum=Entry;Exit
type GateRole string

// The roles of a gate.
const (
	// GateRoleEntry: the gate must pass before the phase starts.
	GateRoleEntry GateRole = "Entry"
	// GateRoleExit: the gate must pass before the phase ends.
	GateRoleExit GateRole = "Exit"
)

// CriterionReport is the judgement on one criterion. Value, sampleTime and message are as of the last time that this status was written:
// at once when a verdict or its reason changes, otherwise from time to time.
type CriterionReport struct {
	// name of the criterion in its gate.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// kpi that was compared.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	KPI string `json:"kpi,omitempty"`

	// kpiRevision is the status.revision of the KPI that gave the value. A hold does not outlive a change of what is measured.
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

	// value of the KPI, in its unit. Unset: there is no value that counts.
	//
	// +optional
	Value Decimal `json:"value,omitempty"`

	// threshold in words: "at least 0.95".
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Threshold string `json:"threshold,omitempty"`

	// sampleTime is the end of the window that the value speaks about. Unset: there is no value that counts.
	//
	// +optional
	SampleTime *metav1.Time `json:"sampleTime,omitempty"`

	// metSince is the time of the first good value of the unbroken run that lasts until now. Unset: the criterion is not met.
	//
	// +optional
	MetSince *metav1.Time `json:"metSince,omitempty"`
}

// GateReport is the judgement on the gate that a site stands at.
type GateReport struct {
	// name of the AcceptanceGate.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// role says which side of the phase the gate stands on.
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

	// verdict over all criteria.
	//
	// +required
	Verdict Verdict `json:"verdict,omitempty"`

	// criteria in the order of the gate.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Criteria []CriterionReport `json:"criteria,omitempty"`
}

// Evidence is the value that decided one criterion when a phase was passed.
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

	// value that passed.
	//
	// +required
	Value Decimal `json:"value,omitempty"`

	// threshold in words.
	//
	// +required
	// +kubebuilder:validation:MaxLength=128
	Threshold string `json:"threshold,omitempty"`

	// sampleTime is the end of the window that the value speaks about.
	//
	// +required
	SampleTime metav1.Time `json:"sampleTime,omitzero"`

	// metSince is when the unbroken run of good values began.
	//
	// +required
	MetSince metav1.Time `json:"metSince,omitzero"`
}
