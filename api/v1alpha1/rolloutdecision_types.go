package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DecisionAction is what a person decides.
//
// +kubebuilder:validation:Enum=Approve;Reject;Waive;Retry;RollBack;Skip;Recapture
type DecisionAction string

// The actions of decisions. The RBAC verb of each is its name in lower case.
const (
	// DecisionApprove: a sign-off that a gate asks for, in a role.
	DecisionApprove DecisionAction = "Approve"
	// DecisionReject: the attempt fails, whatever its exit gate says, in a role.
	DecisionReject DecisionAction = "Reject"
	// DecisionWaive: the gate that the site stands at counts as passed for this attempt, in a role.
	DecisionWaive DecisionAction = "Waive"
	// DecisionRetry: another attempt begins at a phase whose attempt failed or was rolled back.
	DecisionRetry DecisionAction = "Retry"
	// DecisionRollBack: the site is rolled back out of the phase.
	DecisionRollBack DecisionAction = "RollBack"
	// DecisionSkip: the site goes on to the next phase without passing this one.
	DecisionSkip DecisionAction = "Skip"
	// DecisionRecapture: the next attempt at the phase takes a baseline anew.
	DecisionRecapture DecisionAction = "Recapture"
)

// RolloutDecisionSpec says who decides what about which site, and why. It never changes: to take a decision back, let it expire or decide anew.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a decision never changes; make another one"
// +kubebuilder:validation:XValidation:rule="has(self.site) != has(self.wave)",message="name either a site or a wave"
// +kubebuilder:validation:XValidation:rule="(self.action in ['Approve', 'Reject', 'Waive']) == (has(self.role) && has(self.gate))",message="Approve, Reject and Waive speak about a gate in a role, so they need gate and role; the other actions have neither"
// +kubebuilder:validation:XValidation:rule="self.action != 'Approve' || (has(self.gateDigest) && has(self.site))",message="an approval names one site and, in gateDigest, the digest that the approver saw in status.gate.digest of its SiteRollout"
// +kubebuilder:validation:XValidation:rule="self.action == 'Approve' || !has(self.gateDigest)",message="only an approval has a gateDigest"
// +kubebuilder:validation:XValidation:rule="(self.action == 'Recapture') == has(self.kpi)",message="Recapture needs the kpi whose baseline is to be taken anew; the other actions have none"
// +kubebuilder:validation:XValidation:rule="self.attempt > 0 || self.action in ['Approve', 'Waive', 'Skip']",message="attempt 0 is before the first attempt, where there is nothing to reject, retry, roll back or recapture; name the attempt that status.phases of the SiteRollout shows"
type RolloutDecisionSpec struct {
	// rollout is the CRMRollout, in the same namespace.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Rollout string `json:"rollout,omitempty"`

	// site that the decision is about. Unset: all sites of wave.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Site string `json:"site,omitempty"`

	// wave whose sites the decision is about. Unset: the one site.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Wave string `json:"wave,omitempty"`

	// phase that the decision is about.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Phase string `json:"phase,omitempty"`

	// attempt at the phase that the decision is about; 0 while the site waits in front of it for the first time. A decision counts for that attempt only.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Attempt *int32 `json:"attempt,omitempty"`

	// action is what is decided.
	//
	// +required
	Action DecisionAction `json:"action,omitempty"`

	// gate is the AcceptanceGate that is approved, rejected or waived. Unset: the action is not about a gate.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Gate string `json:"gate,omitempty"`

	// role in which the person decides. The person needs the RBAC verb of the action on acceptancegates/<role>. Unset: the action is not about a gate.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and '-', starting and ending with a letter or digit, because it becomes a part of an RBAC resource"
	Role string `json:"role,omitempty"`

	// gateDigest is the digest of the evidence that the approver saw: status.gate.digest of the SiteRollout. Unset: the action is no approval.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	GateDigest string `json:"gateDigest,omitempty"`

	// kpi whose baseline is to be taken anew. Unset: the action is not Recapture.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	KPI string `json:"kpi,omitempty"`

	// reason says for people why.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`

	// decidedBy is the person who decides, by the name under which the API server knows who creates the object. An admission policy refuses any other name.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	DecidedBy string `json:"decidedBy,omitempty"`

	// expiresAt is when the decision ends to count, if it has had no effect by then. Unset: never.
	//
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}

// RolloutDecisionStatus says what became of the decision.
type RolloutDecisionStatus struct {
	// observedGeneration is the metadata.generation that this status speaks about; -1 until the operator has looked at the object.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready; Effective, which tells whether the decision counts or has had its effect, and if not why; and Stalled when the decision can never count.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// RolloutDecision is a person's intervention, with a name on it. An admission policy enforces that the name is that of who creates it, and that this person may decide so.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=rolloutdecisions,shortName=rdec,categories=crm
// +kubebuilder:printcolumn:name="Action",type=string,JSONPath=`.spec.action`
// +kubebuilder:printcolumn:name="Site",type=string,JSONPath=`.spec.site`
// +kubebuilder:printcolumn:name="Wave",type=string,JSONPath=`.spec.wave`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.spec.phase`
// +kubebuilder:printcolumn:name="Attempt",type=integer,JSONPath=`.spec.attempt`
// +kubebuilder:printcolumn:name="By",type=string,JSONPath=`.spec.decidedBy`
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="Effective",type=string,JSONPath=`.status.conditions[?(@.type=="Effective")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.reason`,priority=1
type RolloutDecision struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says who decides what, and why.
	//
	// +required
	Spec RolloutDecisionSpec `json:"spec,omitzero"`

	// status says what became of it.
	//
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status RolloutDecisionStatus `json:"status,omitzero"`
}

// RolloutDecisionList is a list of RolloutDecision.
//
// +kubebuilder:object:root=true
type RolloutDecisionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RolloutDecision `json:"items"`
}
