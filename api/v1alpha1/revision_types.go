package v1alpha1

// RevisionStatus tells of one frozen plan.
type RevisionStatus struct {
	// name of the ControllerRevision.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// revision is its number. A later plan has a greater one.
	//
	// +required
	Revision int64 `json:"revision,omitempty"`

	// sites is the number of sites that are on it: those whose attempt began with it, and those that are in no phase and start their next one by it.
	//
	// +optional
	Sites int32 `json:"sites"`

	// siteNames are the names of up to 5 of them, in their order. Unset: no site is on it.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=5
	// +kubebuilder:validation:items:MaxLength=63
	SiteNames []string `json:"siteNames,omitempty"`

	// changes tells what is not in the current plan as it is in this one, one sentence each, up to 10: "AcceptanceGate/data-accepted spec.criteria[name=complete].atLeast: 0.95 is 0.97 now".
	// Unset: it is the current plan.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MaxLength=512
	Changes []string `json:"changes,omitempty"`
}
