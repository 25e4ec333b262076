package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Range is a closed interval of numbers.
//
// +kubebuilder:validation:XValidation:rule="double(self.min) <= double(self.max)",message="min must not be greater than max"
type Range struct {
	// min is the smallest value that is still good.
	//
	// +required
	Min Decimal `json:"min,omitempty"`

	// max is the greatest value that is still good.
	//
	// +required
	Max Decimal `json:"max,omitempty"`
}

// Criterion is one KPI compared with a threshold. Exactly one of atLeast, atMost and between is set.
//
// +kubebuilder:validation:XValidation:rule="[has(self.atLeast), has(self.atMost), has(self.between)].filter(x, x).size() == 1",message="exactly one of atLeast, atMost and between must be set"
type Criterion struct {
	// name identifies the criterion in verdicts. It is unique in its gate.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// kpi is the name of the KPI, in the same namespace.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	KPI string `json:"kpi,omitempty"`

	// atLeast is the smallest value that is good, in the KPI's unit. Unset: another comparison is used.
	//
	// +optional
	AtLeast *Decimal `json:"atLeast,omitempty"`

	// atMost is the greatest value that is good, in the KPI's unit. Unset: another comparison is used.
	//
	// +optional
	AtMost *Decimal `json:"atMost,omitempty"`

	// between is the range of good values, ends included, in the KPI's unit. Unset: another comparison is used.
	//
	// +optional
	Between *Range `json:"between,omitempty"`

	// for is how long the criterion must have been met without a break before it passes: from the first good value to the latest one,
	// with no bad value and no gap longer than the KPI's staleAfter between them. Unset: one good value passes.
	//
	// +optional
	For Duration `json:"for,omitempty"`
}

// AcceptanceGateSpec lists what a site must meet.
type AcceptanceGateSpec struct {
	// description says for people what the gate is about. Unset: nothing is shown.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// criteria must all pass for the gate to pass. One that fails fails the gate; one that waits makes it wait.
	//
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Criteria []Criterion `json:"criteria,omitempty"`
}

// AcceptanceGateStatus says whether the gate can be used.
type AcceptanceGateStatus struct {
	// observedGeneration is the metadata.generation that this status speaks about; -1 until the operator has looked at the object.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, and Stalled when a criterion refers to a KPI that does not exist or cannot be judged.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// AcceptanceGate is the set of criteria that a site must meet to enter or to leave a phase.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=acceptancegates,shortName=gate,categories=crm
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Description",type=string,JSONPath=`.spec.description`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name must have at most 63 characters"
type AcceptanceGate struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. The name has at most 63 characters.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec lists what a site must meet.
	//
	// +required
	Spec AcceptanceGateSpec `json:"spec,omitzero"`

	// status says whether the gate can be used.
	//
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status AcceptanceGateStatus `json:"status,omitzero"`
}

// AcceptanceGateList is a list of AcceptanceGate.
//
// +kubebuilder:object:root=true
type AcceptanceGateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AcceptanceGate `json:"items"`
}
