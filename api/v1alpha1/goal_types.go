package v1alpha1

// SuccessFactor is something that must go right for a goal to be reached, and the KPIs that show it.
type SuccessFactor struct {
	// name identifies the factor in its goal.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// description says for people what must go right. Unset: nothing is shown.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Description string `json:"description,omitempty"`

	// kpis are the names of the KPIs that show it. Each must exist in the namespace.
	//
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	KPIs []string `json:"kpis,omitempty"`
}

// Goal is a strategic goal of the programme, broken down until it can be measured.
type Goal struct {
	// name identifies the goal.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// description states the goal for people. Unset: nothing is shown.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Description string `json:"description,omitempty"`

	// successFactors are what must go right.
	//
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	SuccessFactors []SuccessFactor `json:"successFactors,omitempty"`
}

// KPIProgress is the state of one KPI of a success factor.
type KPIProgress struct {
	// name of the KPI.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// measured is true when the KPI's last measurement succeeded.
	//
	// +optional
	Measured bool `json:"measured"`

	// median over all measured sites, as of the last time this status was written. Unset: no site has been measured.
	//
	// +optional
	Median Decimal `json:"median,omitempty"`

	// unit of the median. Unset: the KPI declares none.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Unit string `json:"unit,omitempty"`
}

// SuccessFactorProgress shows the KPIs of a success factor.
type SuccessFactorProgress struct {
	// name of the success factor.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// kpis of the factor.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	KPIs []KPIProgress `json:"kpis,omitempty"`
}

// GoalProgress shows where a goal stands.
type GoalProgress struct {
	// name of the goal.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// successFactors of the goal.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	SuccessFactors []SuccessFactorProgress `json:"successFactors,omitempty"`
}
