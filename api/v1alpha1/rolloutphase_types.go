package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ApplicationLevel is how far a phase takes the CRM.
//
// +kubebuilder:validation:Enum=InformationIntegration;WorkflowCoordination;DecisionAnalysis
type ApplicationLevel string

// The application levels, in the order in which a CRM reaches them.
const (
	// ApplicationLevelInformationIntegration: one record per customer.
	ApplicationLevelInformationIntegration ApplicationLevel = "InformationIntegration"
	// ApplicationLevelWorkflowCoordination: departments work in the CRM together.
	ApplicationLevelWorkflowCoordination ApplicationLevel = "WorkflowCoordination"
	// ApplicationLevelDecisionAnalysis: the CRM steers the business.
	ApplicationLevelDecisionAnalysis ApplicationLevel = "DecisionAnalysis"
)

// FailurePolicy says what follows when an attempt has failed and no other begins by itself.
//
// +kubebuilder:validation:Enum=Hold;RollBack;Abort
type FailurePolicy string

// The policies of failure.
const (
	// FailureHold: the site stays where it is and waits for a decision.
	FailureHold FailurePolicy = "Hold"
	// FailureRollBack: the site is rolled back: it leaves the phase, gives its slot free, and begins it again only by a decision.
	FailureRollBack FailurePolicy = "RollBack"
	// FailureAbort: the site stays where it is, and no site of the rollout starts a phase until a decision.
	FailureAbort FailurePolicy = "Abort"
)

// RolloutPhaseSpec describes one step that every site goes through.
type RolloutPhaseSpec struct {
	// description says for people what happens in the phase. Unset: nothing is shown.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// applicationLevel is how far this phase takes the CRM. Unset: the phase does not change it.
	//
	// +optional
	ApplicationLevel ApplicationLevel `json:"applicationLevel,omitempty"`

	// entryGate must pass before a site starts the phase. It judges the site as it stands: windows may lie before the phase.
	// A site that waits at its entry gate already holds its slot in maxConcurrent. Unset: a site starts as soon as it is admitted.
	//
	// +optional
	EntryGate *LocalReference `json:"entryGate,omitempty"`

	// soak is how long the phase runs at least, counted from its start, before the exit gate may pass or hold the site.
	// Unset: no minimum.
	//
	// +optional
	Soak Duration `json:"soak,omitempty"`

	// exitGate must pass before the site leaves the phase. Only measurements whose whole window lies after the start of the phase count.
	// Unset: the phase is passed when the soak is over.
	//
	// +optional
	ExitGate *LocalReference `json:"exitGate,omitempty"`

	// deadline is how long an attempt at the phase may take, counted from its start. When it has not passed by then, the attempt fails. It must be longer than soak. Unset: as long as it takes.
	//
	// +optional
	Deadline Duration `json:"deadline,omitempty"`

	// expected is how long the phase is planned to take at a site. It is compared with what happens, and decides nothing. Unset: not planned.
	//
	// +optional
	Expected Duration `json:"expected,omitempty"`

	// maxAttempts is how many attempts begin by themselves, the first included. An attempt that a guardrail failed is followed by another when all guardrails are kept
	// again, up to this number. After a missed deadline or a rejection only a decision begins another. Unset: no limit with onFailure Hold, 1 with RollBack and Abort.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MaxAttempts *int32 `json:"maxAttempts,omitempty"`

	// onFailure says what follows when an attempt has failed and no other begins by itself. Unset: Hold.
	//
	// +optional
	OnFailure FailurePolicy `json:"onFailure,omitempty"`

	// calendars are the RolloutCalendars of the namespace that say when a site may start this phase, besides those of the rollout and of the wave. Unset: none of its own.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Calendars []LocalReference `json:"calendars,omitempty"`

	// baselines are taken of a site at the moment when it starts the phase for the first time, over windows that end then, and never change afterwards.
	// A site does not start the phase before all of them are there. Exit gates of this phase, and all gates of later ones, can compare with them. Unset: none is taken.
	//
	// +optional
	// +listType=map
	// +listMapKey=kpi
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Baselines []BaselineSpec `json:"baselines,omitempty"`
}

// BaselineSpec says what is to be remembered of a site from before a change.
type BaselineSpec struct {
	// kpi is the name of the KPI, in the same namespace.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	KPI string `json:"kpi,omitempty"`

	// window is the stretch of time that the baseline speaks about, ending when the site starts the phase. The KPI's query must use its window.
	// Unset: the KPI's own window.
	//
	// +optional
	Window Duration `json:"window,omitempty"`

	// controls says which sites make the control group, whose values are remembered together with the site's own. Unset: there is no control group,
	// and no gate can compare with one.
	//
	// +optional
	Controls *ControlGroup `json:"controls,omitempty"`
}

// ControlGroup says which sites can be compared with a site that is changed: all sites of the namespace that have not begun the phase in this rollout, and that match.
// A site that begins the phase later leaves the group, with its old values and its new ones.
type ControlGroup struct {
	// sameLabels are the labels in which a control site must be like the site: labels of the RolloutSite and rollout.crmops.dev/region,
	// rollout.crmops.dev/subsidiary and rollout.crmops.dev/business-mode. Unset: every site that has not begun the phase is a control site.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=316
	SameLabels []string `json:"sameLabels,omitempty"`

	// preTrend is how long before the baseline another value is taken of each site, over the same window, to check that the site and its control group moved alike before
	// the change. Unset: the length of the window. It must be set for a KPI without a window.
	//
	// +optional
	PreTrend Duration `json:"preTrend,omitempty"`

	// maxSites is the greatest number of control sites whose values are remembered. Sites of later waves come first, because they stay unchanged for longer. Unset: 30.
	//
	// +optional
	// +kubebuilder:validation:Minimum=3
	// +kubebuilder:validation:Maximum=30
	MaxSites *int32 `json:"maxSites,omitempty"`
}

// RolloutPhaseStatus says whether the phase can be used.
type RolloutPhaseStatus struct {
	// observedGeneration is the metadata.generation that this status speaks about; -1 until the operator has looked at the object.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, and Stalled when the phase, its gates or their KPIs hold a mistake.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// RolloutPhase is one step that every site goes through: assess, prepare, migrate, parallel-run, go-live, stabilise, optimise, or others.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=rolloutphases,shortName=rphase,categories=crm
// +kubebuilder:printcolumn:name="Entry gate",type=string,JSONPath=`.spec.entryGate.name`
// +kubebuilder:printcolumn:name="Soak",type=string,JSONPath=`.spec.soak`
// +kubebuilder:printcolumn:name="Exit gate",type=string,JSONPath=`.spec.exitGate.name`
// +kubebuilder:printcolumn:name="Level",type=string,JSONPath=`.spec.applicationLevel`,priority=1
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name must have at most 63 characters"
type RolloutPhase struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. The name has at most 63 characters.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec describes the phase.
	//
	// +required
	Spec RolloutPhaseSpec `json:"spec,omitzero"`

	// status says whether the phase can be used.
	//
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status RolloutPhaseStatus `json:"status,omitzero"`
}

// RolloutPhaseList is a list of RolloutPhase.
//
// +kubebuilder:object:root=true
type RolloutPhaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RolloutPhase `json:"items"`
}
