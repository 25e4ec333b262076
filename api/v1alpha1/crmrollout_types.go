package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// CRMRolloutSpec is the plan of a programme.
//
// +kubebuilder:validation:XValidation:rule="!has(self.through) || self.phases.exists(p, p.name == self.through)",message="through must be the name of one of spec.phases"
// +kubebuilder:validation:XValidation:rule="self.waves.all(w, !has(w.after) || self.waves.exists(v, v.name == w.after.wave))",message="after.wave must be the name of one of spec.waves"
// +kubebuilder:validation:XValidation:rule="self.waves.all(w, !has(w.after) || !has(w.after.phase) || self.phases.exists(p, p.name == w.after.phase))",message="after.phase must be the name of one of spec.phases"
// +kubebuilder:validation:XValidation:rule="self.waves.all(w, !has(w.through) || self.phases.exists(p, p.name == w.through))",message="the through of a wave must be the name of one of spec.phases"
// +kubebuilder:validation:XValidation:rule="!has(self.suspend) || !self.suspend || has(self.suspendReason)",message="say in suspendReason why the rollout is suspended"
// +kubebuilder:validation:XValidation:rule="!has(self.sustain) || !has(self.sustain.reopens) || self.phases.exists(p, p.name == self.sustain.reopens)",message="sustain.reopens must be the name of one of spec.phases"
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

	// suspendReason says for people why the rollout is suspended. It must be set while suspend is true, and means nothing otherwise. Unset: the rollout is not suspended.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	SuspendReason string `json:"suspendReason,omitempty"`

	// maxConcurrent is the greatest number of sites that may be in a phase at a time, a site held at a gate and one waiting at an entry gate included: a number, or a
	// percentage of the rollout's sites, rounded down, but never less than one site. Sites that have begun come before sites that have not. Unset: no limit.
	//
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([1-9][0-9]?|100)%$`
	MaxConcurrent *intstr.IntOrString `json:"maxConcurrent,omitempty"`

	// maxFailures is how many sites may be failed at a time: a number, or a percentage of the rollout's sites, rounded down. While more are, no site begins its first
	// phase; sites that have begun go on. A site is failed from the end of a failed attempt until the next one begins, and while it is rolled back. Unset: no limit.
	//
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([0-9]|[1-9][0-9]|100)%$`
	MaxFailures *intstr.IntOrString `json:"maxFailures,omitempty"`

	// calendars are the RolloutCalendars of the namespace that say when sites may start a phase. All of them must be open, with those of the wave and of the phase.
	// Unset: at any time.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Calendars []LocalReference `json:"calendars,omitempty"`

	// adopt says which sites take an edited plan (phases, gates, KPIs). A phase that runs is always judged by the plan that it began with.
	// NewSites: sites that have not begun; the others keep their plan to the end. NextPhase: those too, from their next phase or attempt on. Unset: NextPhase.
	//
	// +optional
	Adopt AdoptPolicy `json:"adopt,omitempty"`

	// sustain says what sites must keep up after they have passed every phase. Unset: nothing is measured of completed sites.
	//
	// +optional
	Sustain *Sustain `json:"sustain,omitempty"`
}

// AdoptPolicy says which sites take an edited plan.
//
// +kubebuilder:validation:Enum=NewSites;NextPhase
type AdoptPolicy string

// The policies of adoption.
const (
	// AdoptNewSites: only sites that have not begun take an edited plan.
	AdoptNewSites AdoptPolicy = "NewSites"
	// AdoptNextPhase: sites that have begun take it too, with their next phase or attempt.
	AdoptNextPhase AdoptPolicy = "NextPhase"
)

// RegressionPolicy says what follows when a completed site no longer meets the gate of sustain.
//
// +kubebuilder:validation:Enum=Report;Reopen
type RegressionPolicy string

// The policies of regression.
const (
	// RegressionReport: the site is Regressed until it meets the gate again. It still counts as one that has passed every phase.
	RegressionReport RegressionPolicy = "Report"
	// RegressionReopen: the site begins another attempt at a phase, as soon as it is admitted to it.
	RegressionReopen RegressionPolicy = "Reopen"
)

// Sustain is what follows the last phase and never ends.
//
// +kubebuilder:validation:XValidation:rule="!has(self.reopens) || (has(self.onRegression) && self.onRegression == 'Reopen')",message="reopens names the phase that a regression reopens, so it needs onRegression: Reopen"
type Sustain struct {
	// gate that a site must keep meeting. It is judged like an exit gate that began when the last phase was passed. Its guardrails and criteria alike mark a regression when they fail,
	// and it is over when all of them pass again. A criterion fails with its first bad value; a guardrail with `for` only after that time.
	//
	// +required
	Gate LocalReference `json:"gate,omitzero"`

	// onRegression says what follows when the gate fails. Unset: Report.
	//
	// +optional
	OnRegression RegressionPolicy `json:"onRegression,omitempty"`

	// reopens is the phase that a regressed site begins anew, with onRegression Reopen. Phases behind it stay passed, and waves that have opened stay open. Unset: the last phase.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Reopens string `json:"reopens,omitempty"`
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

	// held counts sites held at an exit gate, those whose attempt has failed, and those that are rolled back.
	//
	// +optional
	Held int32 `json:"held"`

	// completed counts sites that have passed every phase, regressed ones included.
	//
	// +optional
	Completed int32 `json:"completed"`

	// failed counts, among those held, the sites whose attempt has failed and those that are rolled back. maxFailures speaks about them.
	//
	// +optional
	Failed int32 `json:"failed"`

	// regressed counts, among those completed, the sites that do not meet the gate of sustain.
	//
	// +optional
	Regressed int32 `json:"regressed"`
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

	// abortedBy is the site whose failure keeps every site from starting a phase, because onFailure of its phase is Abort. Unset: none does.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	AbortedBy string `json:"abortedBy,omitempty"`

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

	// currentRevision is the name of the ControllerRevision with the plan as it is now. Unset: it has not been frozen yet, which happens as soon as the plan has no mistakes, or a site is
	// admitted all the same.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	CurrentRevision string `json:"currentRevision,omitempty"`

	// revisions are the frozen plans that are in use, the newest first. At most 10 are shown; the current one is always among them.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=10
	Revisions []RevisionStatus `json:"revisions,omitempty"`

	// lastHandledReconcileAt is the value of the annotation rollout.crmops.dev/requestedAt for which the rollout and all of its sites were last looked at.
	// A value of more than 128 bytes is cut, and ends with "..." here. Unset: nobody has asked.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// forecast compares planned dates with actual and expected ones. Unset: nothing is planned, and no site has begun.
	//
	// +optional
	Forecast *Forecast `json:"forecast,omitempty"`

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
// +kubebuilder:printcolumn:name="Expected",type=string,JSONPath=`.status.forecast.expectedCompletion`,priority=1
// +kubebuilder:printcolumn:name="Late",type=string,JSONPath=`.status.forecast.late`,priority=1
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
