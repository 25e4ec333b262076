package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BusinessMode is how a site sells, which decides what its CRM is for. Sites of one mode compare well, whatever their industry.
//
// +kubebuilder:validation:Enum=StandardProduct;PromotionDriven;ComplexSales;Membership;KeyAccount
type BusinessMode string

// The business modes.
const (
	// BusinessModeStandardProduct sells catalogue products to many customers.
	BusinessModeStandardProduct BusinessMode = "StandardProduct"
	// BusinessModePromotionDriven lives on campaigns and seasons.
	BusinessModePromotionDriven BusinessMode = "PromotionDriven"
	// BusinessModeComplexSales sells projects over months with several people on both sides.
	BusinessModeComplexSales BusinessMode = "ComplexSales"
	// BusinessModeMembership sells subscriptions and renewals.
	BusinessModeMembership BusinessMode = "Membership"
	// BusinessModeKeyAccount serves few, large customers.
	BusinessModeKeyAccount BusinessMode = "KeyAccount"
)

// SelectableText can be written in a wave's selector: letters, digits, '-', '_' and '.', as in a Kubernetes label value.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')",message="must be usable in a selector: letters, digits, '-', '_' and '.', starting and ending with a letter or digit"
type SelectableText string

// Labels by which a wave can select a site besides the labels that it carries. The operator derives them from the spec;
// they are not written to the object.
const (
	// LabelRegion stands for spec.region.
	LabelRegion = "rollout.crmops.dev/region"
	// LabelSubsidiary stands for spec.subsidiary.
	LabelSubsidiary = "rollout.crmops.dev/subsidiary"
	// LabelBusinessMode stands for spec.businessMode.
	LabelBusinessMode = "rollout.crmops.dev/business-mode"
)

// RolloutSiteSpec describes a site.
type RolloutSiteSpec struct {
	// displayName is the name that people use. Unset: the object's name is shown.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	DisplayName string `json:"displayName,omitempty"`

	// subsidiary is the company that the site belongs to. Waves can select it as label rollout.crmops.dev/subsidiary.
	// Unset: the site belongs to no subsidiary and such a selector does not match it.
	//
	// +optional
	Subsidiary SelectableText `json:"subsidiary,omitempty"`

	// region is the part of the world, or of the organisation, that the site is in. Waves can select it as label
	// rollout.crmops.dev/region. Unset: such a selector does not match the site.
	//
	// +optional
	Region SelectableText `json:"region,omitempty"`

	// timeZone is the site's IANA time zone, for example "Europe/Berlin". Unset: UTC.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	TimeZone string `json:"timeZone,omitempty"`

	// users is the number of people who will work with the CRM. Unset: unknown.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000000
	Users *int32 `json:"users,omitempty"`

	// businessMode is how the site sells. Waves can select it as label rollout.crmops.dev/business-mode.
	// Unset: such a selector does not match the site.
	//
	// +optional
	BusinessMode BusinessMode `json:"businessMode,omitempty"`

	// siteID is the text by which metric sources name this site, where that is not the object's name: a site code of the CRM, for example.
	// Unique in the namespace. Unset: metadata.name.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	SiteID string `json:"siteID,omitempty"`

	// attributes are further facts about the site, for per-site queries ({{attributes.crmTenant}}). Unset: none.
	//
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[A-Za-z][A-Za-z0-9_-]{0,62}$'))",message="keys must start with a letter and contain letters, digits, '-' and '_' only, at most 63 characters"
	Attributes map[string]AttributeValue `json:"attributes,omitempty"`
}

// AttributeValue is the text of one attribute.
//
// +kubebuilder:validation:MaxLength=256
type AttributeValue string

// RolloutSiteStatus says whether the site can be used.
type RolloutSiteStatus struct {
	// observedGeneration is the metadata.generation that this status speaks about; -1 until the operator has looked at the object.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, and Stalled when it is invalid.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// RolloutSite is a subsidiary, branch or channel that gets the CRM.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=rolloutsites,shortName=rsite,categories=crm
// +kubebuilder:printcolumn:name="Region",type=string,JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name="Subsidiary",type=string,JSONPath=`.spec.subsidiary`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.businessMode`
// +kubebuilder:printcolumn:name="Users",type=integer,JSONPath=`.spec.users`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="metadata.name must have at most 63 characters and no dots, because it becomes a label and a part of other names"
type RolloutSite struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. The name has at most 63 characters and no dots.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec describes the site.
	//
	// +required
	Spec RolloutSiteSpec `json:"spec,omitzero"`

	// status says whether the site can be used.
	//
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status RolloutSiteStatus `json:"status,omitzero"`
}

// RolloutSiteList is a list of RolloutSite.
//
// +kubebuilder:object:root=true
type RolloutSiteList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RolloutSite `json:"items"`
}
