package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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

// WaveBarrier says what must have happened before a wave opens.
type WaveBarrier struct {
	// wave that must have completed: each of its sites has passed every phase.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Wave string `json:"wave,omitempty"`
}

// Wave is an ordered group of sites.
//
// +kubebuilder:validation:XValidation:rule="!has(self.after) || self.after.wave != self.name",message="a wave cannot come after itself"
type Wave struct {
	// name identifies the wave. It becomes the label rollout.crmops.dev/wave of the SiteRollouts in it.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')",message="must be usable as a label: letters, digits, '-', '_' and '.', starting and ending with a letter or digit"
	Name string `json:"name,omitempty"`

	// selector picks the sites of the wave by their labels and by rollout.crmops.dev/region, rollout.crmops.dev/subsidiary and
	// rollout.crmops.dev/business-mode, which stand for the fields of a site's spec. A site that several waves select belongs to the first of them.
	// An empty selector picks every site of the namespace that no earlier wave picked.
	//
	// +required
	Selector *metav1.LabelSelector `json:"selector,omitempty"`

	// after is the barrier that opens the wave. Unset: the wave before it in the list must have completed; the first wave is open at once.
	//
	// +optional
	After *WaveBarrier `json:"after,omitempty"`
}

// CRMRolloutSpec is the plan of a programme.
//
// +kubebuilder:validation:XValidation:rule="!has(self.through) || self.phases.exists(p, p.name == self.through)",message="through must be the name of one of spec.phases"
// +kubebuilder:validation:XValidation:rule="self.waves.all(w, !has(w.after) || self.waves.exists(v, v.name == w.after.wave))",message="after.wave must be the name of one of spec.waves"
type CRMRolloutSpec struct {
	// goals say what the programme is for: goals, the success factors they rest on, and the KPIs that show those. Unset: none are shown.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Goals []Goal `json:"goals,omitempty"`

	// phases that every site goes through, in this order. Each names a RolloutPhase of the namespace.
	//
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Phases []LocalReference `json:"phases,omitempty"`

	// waves are the groups of sites, in order.
	//
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Waves []Wave `json:"waves,omitempty"`

	// through is the last phase that sites may start. Raising it is how a pipeline promotes a rollout; lowering it never moves a site back,
	// and a site that is in a later phase finishes that phase. A wave has completed only when its sites have passed every phase, so a wave that is
	// held back by through keeps the next one closed. Unset: every phase may start.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Through string `json:"through,omitempty"`

	// suspend keeps sites from starting a phase. Phases that run go on, and are judged. Unset: false.
	//
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// maxConcurrent is the greatest number of sites that may be in a phase at a time, a site held at a gate and one waiting at an entry gate included.
	// Sites that have begun come before sites that have not. Unset: no limit.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxConcurrent *int32 `json:"maxConcurrent,omitempty"`
}

// SiteCounts counts sites by what they do. Every site is counted in exactly one of waiting, moving, held and completed.
type SiteCounts struct {
	// total number of sites.
	//
	// +optional
	Total int32 `json:"total"`

	// waiting for a wave, a slot, an entry gate, or for through to be raised.
	//
	// +optional
	Waiting int32 `json:"waiting"`

	// moving counts sites in which a phase runs.
	//
	// +optional
	Moving int32 `json:"moving"`

	// held at an exit gate.
	//
	// +optional
	Held int32 `json:"held"`

	// completed counts sites that have passed every phase.
	//
	// +optional
	Completed int32 `json:"completed"`
}

// WaveState says whether a wave's sites may start.
//
// +kubebuilder:validation:Enum=Closed;Open;Completed
type WaveState string

// The states of a wave.
const (
	// WaveClosed: its barrier has not been reached.
	WaveClosed WaveState = "Closed"
	// WaveOpen: its sites may start.
	WaveOpen WaveState = "Open"
	// WaveCompleted: each of its sites has passed every phase. A wave without sites has not completed: they may be on their way.
	WaveCompleted WaveState = "Completed"
)

// WaveStatus tells how far a wave is.
type WaveStatus struct {
	// name of the wave.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// state says whether its sites may start.
	//
	// +required
	State WaveState `json:"state,omitempty"`

	// sites counts the wave's sites.
	//
	// +optional
	Sites SiteCounts `json:"sites,omitzero"`

	// message says what a closed wave waits for. Unset: the wave is not closed.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
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

// CRMRolloutStatus tells how far a programme is.
type CRMRolloutStatus struct {
	// observedGeneration is the metadata.generation that this status speaks about; -1 until the operator has looked at the object.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// currentWave is the first wave that has not completed. Unset: all have, or the plan is invalid.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	CurrentWave string `json:"currentWave,omitempty"`

	// sites counts the sites of all waves. A site that began and that no wave selects any more is not counted.
	//
	// +optional
	Sites SiteCounts `json:"sites,omitzero"`

	// waves in the order of the plan.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Waves []WaveStatus `json:"waves,omitempty"`

	// goals with the KPIs that show them.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Goals []GoalProgress `json:"goals,omitempty"`

	// mistakes in the plan, up to 10, each with the object, the field and the remedy. Unset: there are none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MaxLength=1024
	Mistakes []string `json:"mistakes,omitempty"`

	// conditions are Ready, Progressing, Completed, and Stalled when the plan is invalid.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// CRMRollout is one programme: bring the CRM to these sites, in these waves, through these phases.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=crmrollouts,shortName=crmr,categories=crm
// +kubebuilder:printcolumn:name="Wave",type=string,JSONPath=`.status.currentWave`
// +kubebuilder:printcolumn:name="Sites",type=integer,JSONPath=`.status.sites.total`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.sites.waiting`
// +kubebuilder:printcolumn:name="Moving",type=integer,JSONPath=`.status.sites.moving`
// +kubebuilder:printcolumn:name="Held",type=integer,JSONPath=`.status.sites.held`
// +kubebuilder:printcolumn:name="Completed",type=integer,JSONPath=`.status.sites.completed`
// +kubebuilder:printcolumn:name="Through",type=string,JSONPath=`.spec.through`,priority=1
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Progress",type=string,JSONPath=`.status.conditions[?(@.type=="Progressing")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="metadata.name must have at most 63 characters and no dots, because it becomes a label and a part of other names"
type CRMRollout struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. The name has at most 63 characters and no dots.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the plan of the programme.
	//
	// +required
	Spec CRMRolloutSpec `json:"spec,omitzero"`

	// status tells how far the programme is.
	//
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status CRMRolloutStatus `json:"status,omitzero"`
}

// CRMRolloutList is a list of CRMRollout.
//
// +kubebuilder:object:root=true
type CRMRolloutList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []CRMRollout `json:"items"`
}
