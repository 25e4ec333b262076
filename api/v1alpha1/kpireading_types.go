package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KPIReadingSpec is what was observed. It is never changed: evidence that can be edited is none.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a reading is never changed; to correct it, create a new reading and delete this one"
type KPIReadingSpec struct {
	// kpi is the KPI that the value is for. The MetricProvider of the KPI must be one with readings.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	KPI string `json:"kpi,omitempty"`

	// site is the RolloutSite that the value is for, by its object name.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Site string `json:"site,omitempty"`

	// value that was observed, in the unit of the KPI.
	//
	// +required
	Value Decimal `json:"value,omitempty"`

	// observedAt is when the value was true: the end of the survey, the day of the training. A reading that is created earlier than this never counts, nor does
	// one that is created later than the provider's acceptWithin allows.
	//
	// +required
	ObservedAt metav1.Time `json:"observedAt,omitzero"`

	// samples is the number of observations behind the value: answers to a survey, for example. It is the weight of the value in a mean. Unset: not told; the
	// mean of a window then weighs all its readings the same, and does not tell a number of samples either.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000000
	Samples *int64 `json:"samples,omitempty"`

	// source says for people where the value is from: the survey, the list of participants, the person. Unset: nothing is shown.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Source string `json:"source,omitempty"`

	// note for people. Unset: nothing is shown.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Note string `json:"note,omitempty"`
}

// KPIReadingStatus says whether the reading counts.
type KPIReadingStatus struct {
	// observedGeneration is the metadata.generation that this status speaks about; -1 until the operator has looked at the object.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, which says whether the reading counts and if not why, and Stalled when it never will unless a person changes an object.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// KPIReading is one value of a KPI at a site that a person or a job entered.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=kpireadings,shortName=kpir,categories=crm
// +kubebuilder:printcolumn:name="KPI",type=string,JSONPath=`.spec.kpi`
// +kubebuilder:printcolumn:name="Site",type=string,JSONPath=`.spec.site`
// +kubebuilder:printcolumn:name="Value",type=string,JSONPath=`.spec.value`
// +kubebuilder:printcolumn:name="Observed",type=string,JSONPath=`.spec.observedAt`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Source",type=string,JSONPath=`.spec.source`,priority=1
type KPIReading struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. Its creationTimestamp, which the API server sets, is when the value was entered.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what was observed.
	//
	// +required
	Spec KPIReadingSpec `json:"spec,omitzero"`

	// status says whether the reading counts.
	//
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status KPIReadingStatus `json:"status,omitzero"`
}

// KPIReadingList is a list of KPIReading.
//
// +kubebuilder:object:root=true
type KPIReadingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []KPIReading `json:"items"`
}
