package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KPICategory groups KPIs by what they speak about.
//
// +kubebuilder:validation:Enum=Customer;Adoption;Process;DataQuality;Financial
type KPICategory string

// The categories of KPIs.
const (
	// KPICategoryCustomer: what customers experience, retention and satisfaction for example.
	KPICategoryCustomer KPICategory = "Customer"
	// KPICategoryAdoption: how far people use the CRM.
	KPICategoryAdoption KPICategory = "Adoption"
	// KPICategoryProcess: how fast and how well work flows.
	KPICategoryProcess KPICategory = "Process"
	// KPICategoryDataQuality: wrong, stale, missing and duplicate records.
	KPICategoryDataQuality KPICategory = "DataQuality"
	// KPICategoryFinancial: money.
	KPICategoryFinancial KPICategory = "Financial"
)

// Direction says which way a KPI gets better.
//
// +kubebuilder:validation:Enum=HigherIsBetter;LowerIsBetter
type Direction string

// The directions of KPIs.
const (
	// DirectionHigherIsBetter: a greater value is better.
	DirectionHigherIsBetter Direction = "HigherIsBetter"
	// DirectionLowerIsBetter: a smaller value is better.
	DirectionLowerIsBetter Direction = "LowerIsBetter"
)

// QueryScope says how many sites one query answers for.
//
// +kubebuilder:validation:Enum=AllSites;PerSite
type QueryScope string

// The scopes of queries.
const (
	// QueryScopeAllSites: one query answers for all sites at once, one value for each, with a label that names the site.
	QueryScopeAllSites QueryScope = "AllSites"
	// QueryScopePerSite: the query is run once for each site. For sources that cannot group.
	QueryScopePerSite QueryScope = "PerSite"
)

// KPISpec says what is measured, where and how often.
//
// +kubebuilder:validation:XValidation:rule="!has(self.siteLabel) || !has(self.scope) || self.scope == 'AllSites'",message="siteLabel has no meaning with scope PerSite, where each answer belongs to the site it was asked for"
type KPISpec struct {
	// description says for people what the number means. Unset: nothing is shown.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// category groups the KPI by what it speaks about. Unset: it is shown without one.
	//
	// +optional
	Category KPICategory `json:"category,omitempty"`

	// unit is shown behind values: "ratio", "hours", "EUR". Unset: values are shown bare.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Unit string `json:"unit,omitempty"`

	// direction says which way the KPI gets better. A criterion whose threshold stands on the other side is a mistake.
	//
	// +required
	Direction Direction `json:"direction,omitempty"`

	// provider is the MetricProvider that answers the query.
	//
	// +required
	Provider LocalReference `json:"provider,omitzero"`

	// query in the provider's language. With scope AllSites it answers for all sites at once, one value for each.
	// It may contain {{window}} (spec.window), and with scope PerSite also {{site}} (the site's siteID), {{region}}, {{subsidiary}}, {{businessMode}} and {{attributes.NAME}}.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query,omitempty"`

	// scope says whether one query answers for all sites. Unset: AllSites.
	//
	// +optional
	Scope QueryScope `json:"scope,omitempty"`

	// siteLabel is the label whose value names the site in the answer. Unset: "site".
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z_][a-zA-Z0-9_]*$')",message="must be a label name: letters, digits and '_', not starting with a digit"
	SiteLabel string `json:"siteLabel,omitempty"`

	// interval is the time from one measurement to the next. Unset: 5m.
	//
	// +optional
	Interval Duration `json:"interval,omitempty"`

	// window is the stretch of time that one value speaks about, ending when it is measured; the query must use the same one, best by {{window}}.
	// Evidence counts in an exit gate only when its whole window lies after the start of the phase. Unset: a value speaks about an instant.
	//
	// +optional
	Window Duration `json:"window,omitempty"`

	// staleAfter is the age at which a value no longer counts, and the longest gap that a hold survives. At least interval.
	// Unset: three times interval.
	//
	// +optional
	StaleAfter Duration `json:"staleAfter,omitempty"`
}

// KPISummary is the last good measurement over all sites.
type KPISummary struct {
	// sites is the number of sites of the namespace that have a value.
	//
	// +optional
	Sites int32 `json:"sites"`

	// missing is the number of sites of the namespace without a value.
	//
	// +optional
	Missing int32 `json:"missing"`

	// missingSites names up to 10 sites without a value, in order of their names.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MaxLength=63
	MissingSites []string `json:"missingSites,omitempty"`

	// unknown is the number of values in the answer that name no site of the namespace. They are ignored.
	//
	// +optional
	Unknown int32 `json:"unknown"`

	// min is the smallest value. Unset: no site has a value.
	//
	// +optional
	Min Decimal `json:"min,omitempty"`

	// median is the value in the middle. Unset: no site has a value.
	//
	// +optional
	Median Decimal `json:"median,omitempty"`

	// max is the greatest value. Unset: no site has a value.
	//
	// +optional
	Max Decimal `json:"max,omitempty"`
}

// KPIStatus tells the last measurement.
type KPIStatus struct {
	// observedGeneration is the metadata.generation that this status speaks about; -1 until the operator has looked at the object.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// revision identifies what lastMeasured, measuredSince and summary speak about: a hash over the object's UID and the fields of its spec that change
	// what is measured. Unset: the KPI has not been looked at.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Revision string `json:"revision,omitempty"`

	// lastMeasured is the end of the window of the last measurement that succeeded. Unset: none has.
	//
	// +optional
	LastMeasured *metav1.Time `json:"lastMeasured,omitempty"`

	// measuredSince is the end of the window of the first of the measurements that succeeded and followed each other without a gap longer than staleAfter.
	// A restarted operator trusts a hold only if it was seen to be met since then. Unset: none has succeeded.
	//
	// +optional
	MeasuredSince *metav1.Time `json:"measuredSince,omitempty"`

	// summary of the last measurement that succeeded. Unset: none has.
	//
	// +optional
	Summary *KPISummary `json:"summary,omitempty"`

	// lastHandledReconcileAt is the value of the annotation rollout.crmops.dev/requestedAt that the KPI was last measured for; Ready tells whether that succeeded.
	// A value of more than 128 bytes is cut, and ends with "..." here. Unset: nobody has asked.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// conditions are Ready, with the source's error when a measurement fails, and Stalled when the KPI is invalid.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// KPI is a number per site over a window of time.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=kpis,categories=crm
// +kubebuilder:printcolumn:name="Category",type=string,JSONPath=`.spec.category`
// +kubebuilder:printcolumn:name="Unit",type=string,JSONPath=`.spec.unit`
// +kubebuilder:printcolumn:name="Sites",type=integer,JSONPath=`.status.summary.sites`
// +kubebuilder:printcolumn:name="Missing",type=integer,JSONPath=`.status.summary.missing`
// +kubebuilder:printcolumn:name="Min",type=string,JSONPath=`.status.summary.min`
// +kubebuilder:printcolumn:name="Median",type=string,JSONPath=`.status.summary.median`
// +kubebuilder:printcolumn:name="Max",type=string,JSONPath=`.status.summary.max`
// +kubebuilder:printcolumn:name="Measured",type=date,JSONPath=`.status.lastMeasured`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name must have at most 63 characters"
type KPI struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. The name has at most 63 characters.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what is measured, where and how often.
	//
	// +required
	Spec KPISpec `json:"spec,omitzero"`

	// status tells the last measurement.
	//
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status KPIStatus `json:"status,omitzero"`
}

// KPIList is a list of KPI.
//
// +kubebuilder:object:root=true
type KPIList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []KPI `json:"items"`
}
