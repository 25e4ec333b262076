package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Labels that the operator puts on every SiteRollout.
const (
	// LabelRollout names the CRMRollout.
	LabelRollout = "rollout.crmops.dev/rollout"
	// LabelSite names the RolloutSite.
	LabelSite = "rollout.crmops.dev/site"
	// LabelWave names the wave that selected the site last.
	LabelWave = "rollout.crmops.dev/wave"
)

// SiteState is where a site stands in its current phase.
//
// +kubebuilder:validation:Enum=Pending;Waiting;Proving;Held;RolledBack;Completed;Regressed
type SiteState string

// The states of a site.
const (
	// SitePending: the site has just joined the rollout and has not been looked at.
	SitePending SiteState = "Pending"
	// SiteWaiting: the site waits to start its current phase. The reason says for what.
	SiteWaiting SiteState = "Waiting"
	// SiteProving: the phase runs: it soaks, or its exit gate is being proved.
	SiteProving SiteState = "Proving"
	// SiteHeld: the soak is over and the exit gate fails, or the attempt has failed. After a failed exit gate the site goes on when its numbers recover; after a failed attempt
	// with another one, which begins by itself or by a decision.
	SiteHeld SiteState = "Held"
	// SiteRolledBack: an attempt at the current phase failed and was rolled back. The site starts the phase again only by a decision.
	SiteRolledBack SiteState = "RolledBack"
	// SiteCompleted: every phase has been passed.
	SiteCompleted SiteState = "Completed"
	// SiteRegressed: every phase has been passed, and the gate of sustain fails.
	SiteRegressed SiteState = "Regressed"
)

// SiteRolloutSpec is written by the operator, and by nobody else.
type SiteRolloutSpec struct {
	// rollout is the CRMRollout that this belongs to.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="rollout cannot change"
	Rollout string `json:"rollout,omitempty"`

	// site is the RolloutSite that moves.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="site cannot change"
	Site string `json:"site,omitempty"`

	// wave is the wave that the site is in. Unset: no wave selects it any more; it is not admitted any further.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Wave string `json:"wave,omitempty"`

	// admittedThrough is the last phase that the site may start. Unset: none yet.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	AdmittedThrough string `json:"admittedThrough,omitempty"`

	// admittedAttempt is the attempt at admittedThrough that the site may start: after a rollback or a regression it needs an admission anew. Unset: the first.
	//
	// +optional
	// +kubebuilder:validation:Minimum=2
	AdmittedAttempt int32 `json:"admittedAttempt,omitempty"`

	// admittedAt is when admittedThrough or admittedAttempt was last changed. Unset: the site has not been admitted.
	//
	// +optional
	AdmittedAt *metav1.Time `json:"admittedAt,omitempty"`

	// revision is the ControllerRevision with the plan by which the site starts its next phase or attempt. Unset: the site has not been admitted.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Revision string `json:"revision,omitempty"`

	// rank is the place of the site in the ranking of its wave, from 1. Unset: its wave takes sites by name, has not ranked them, or the site joined later.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	Rank *int32 `json:"rank,omitempty"`
}

// Baseline is a site's value of a KPI from before a change, with those of its control group.
type Baseline struct {
	// kpi that was measured.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	KPI string `json:"kpi,omitempty"`

	// kpiRevision identifies what was measured. When the KPI measures something else now, nothing can be compared with this baseline.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	KPIRevision string `json:"kpiRevision,omitempty"`

	// source is the MetricProvider that answered.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Source string `json:"source,omitempty"`

	// siteID is the text by which the source named the site. Under another one it may mean another site.
	//
	// +required
	// +kubebuilder:validation:MaxLength=128
	SiteID string `json:"siteID,omitempty"`

	// windowEnd is the end of the window that the values speak about.
	//
	// +required
	WindowEnd metav1.Time `json:"windowEnd,omitzero"`

	// window is the length of that window. Unset: the values speak about an instant.
	//
	// +optional
	Window Duration `json:"window,omitempty"`

	// value of the site, in the KPI's unit.
	//
	// +required
	Value Decimal `json:"value,omitempty"`

	// samples is the number of observations behind the value. Unset: the source does not tell.
	//
	// +optional
	Samples int64 `json:"samples,omitempty"`

	// preTrend is how long before windowEnd the window of the earlier values ended. Unset: there is no control group.
	//
	// +optional
	PreTrend Duration `json:"preTrend,omitempty"`

	// earlier is the value of the site at that earlier time. Unset: there was none.
	//
	// +optional
	Earlier Decimal `json:"earlier,omitempty"`

	// controls are the values of the control group. Unset: the phase declared none, or no site matched.
	//
	// +optional
	// +listType=map
	// +listMapKey=site
	// +kubebuilder:validation:MaxItems=30
	Controls []ControlValue `json:"controls,omitempty"`
}

// ControlValue is what is remembered of a control site.
type ControlValue struct {
	// site is the name of the RolloutSite.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Site string `json:"site,omitempty"`

	// siteID is the text by which the source named the site. Unset: its name.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	SiteID string `json:"siteID,omitempty"`

	// value of the site when the baseline was taken.
	//
	// +required
	Value Decimal `json:"value,omitempty"`

	// samples is the number of observations behind the value. Unset: the source does not tell.
	//
	// +optional
	Samples int64 `json:"samples,omitempty"`

	// earlier is its value at the earlier time. Unset: there was none.
	//
	// +optional
	Earlier Decimal `json:"earlier,omitempty"`
}

// SiteRolloutStatus is the site's whole story.
type SiteRolloutStatus struct {
	// observedGeneration is the metadata.generation that this status speaks about.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// state is where the site stands in its current phase. Unset: it has not been looked at.
	//
	// +optional
	State SiteState `json:"state,omitempty"`

	// currentPhase is the phase that the site is in, or waits to start. Unset: all phases are passed, or none is known.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	CurrentPhase string `json:"currentPhase,omitempty"`

	// reason why the site is where it is, for machines.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Reason string `json:"reason,omitempty"`

	// message says the same for people: what is missing, and since when or until when.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// nextLook is when something can change by itself, as of the last time this status was written: the end of a soak, or the next measurement of a KPI.
	// Unset: only another object's change can move the site.
	//
	// +optional
	NextLook *metav1.Time `json:"nextLook,omitempty"`

	// gate that the site stands at. Unset: there is none, or the site is not admitted to the phase.
	//
	// +optional
	Gate *GateReport `json:"gate,omitempty"`

	// phases that the site has started, in the order of their start. A plan has at most 16 phases at a time; more can gather here when a plan changes.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Phases []PhaseRecord `json:"phases,omitempty"`

	// checkpoint stands for the transitions before those that are kept. Unset: all are kept.
	//
	// +optional
	Checkpoint *Checkpoint `json:"checkpoint,omitempty"`

	// transitions are the latest 64 steps, oldest first.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Transitions []Transition `json:"transitions,omitempty"`

	// conditions are Ready, Progressing, GatePassed, Held, Completed, and Stalled when the phase cannot be judged before an object is changed.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// MaxTransitions is the number of transitions that status.transitions keeps.
const MaxTransitions = 64

// SiteRollout is the story of one site in one rollout. The operator creates it; people read it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=siterollouts,shortName=sroll,categories=crm
// +kubebuilder:printcolumn:name="Site",type=string,JSONPath=`.spec.site`
// +kubebuilder:printcolumn:name="Wave",type=string,JSONPath=`.spec.wave`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.currentPhase`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.reason`
// +kubebuilder:printcolumn:name="Revision",type=string,JSONPath=`.spec.revision`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type SiteRollout struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. The name is the rollout's name, a dot and the site's name.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is written by the operator, and by nobody else.
	//
	// +required
	Spec SiteRolloutSpec `json:"spec,omitzero"`

	// status is the site's whole story.
	//
	// +optional
	Status SiteRolloutStatus `json:"status,omitzero"`
}

// SiteRolloutList is a list of SiteRollout.
//
// +kubebuilder:object:root=true
type SiteRolloutList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []SiteRollout `json:"items"`
}
