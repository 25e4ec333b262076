package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Range is a closed interval of numbers, or of changes in percent.
//
// +kubebuilder:validation:XValidation:rule="double(self.min.replace('%', \"\")) <= double(self.max.replace('%', \"\"))",message="min must not be greater than max"
// +kubebuilder:validation:XValidation:rule="self.min.endsWith('%') == self.max.endsWith('%')",message="min and max must both be percentages or both be numbers"
type Range struct {
	// min is the smallest value that is still good.
	//
	// +required
	Min Threshold `json:"min,omitempty"`

	// max is the greatest value that is still good.
	//
	// +required
	Max Threshold `json:"max,omitempty"`
}

// Importance says what a criterion does to the verdict of its gate.
type Importance string

// The importances of criteria.
const (
	// ImportanceRequired: the gate passes only when the criterion passes, and fails when it fails.
	ImportanceRequired Importance = "Required"
	// ImportanceWeighted: the criterion counts towards the score of the gate.
	ImportanceWeighted Importance = "Weighted"
	// ImportanceAdvisory: the criterion is judged and shown, and decides nothing.
	ImportanceAdvisory Importance = "Advisory"
	// ImportanceGuardrail marks a guardrail in reports: the gate passes only while it is kept, and a breach fails the attempt at once.
	// It is refused in a gate, where guardrails have a list of their own.
	ImportanceGuardrail Importance = "Guardrail"
)

// BaselineComparison compares a value with the site's own value from before the change.
type BaselineComparison struct {
	// phase is the RolloutPhase that declares the baseline. Unset: the only phase up to this one that declares a baseline of the KPI.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Phase string `json:"phase,omitempty"`
}

// ControlComparison compares the site's change since its baseline with the change of sites that have not begun the phase that declares the baseline
// (difference in differences). It passes when the whole confidence interval of the effect is good, fails when none of it is, and waits otherwise.
// With thresholds in percent, changes are compared as ratios, so that sites of different sizes compare well; values must then be greater than zero.
type ControlComparison struct {
	// phase is the RolloutPhase that declares the baseline and its control group. Unset: the only phase up to this one that declares both for the KPI.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Phase string `json:"phase,omitempty"`

	// minSites is the least number of control sites. With fewer the criterion waits. Unset: 5.
	//
	// +optional
	// +kubebuilder:validation:Minimum=3
	// +kubebuilder:validation:Maximum=30
	MinSites *int32 `json:"minSites,omitempty"`

	// confidence is the probability with which the interval contains the effect, more than 0.5 and less than 1. Unset: "0.95".
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^-?[0-9]+([.][0-9]+)?$') || (double(self) > 0.5 && double(self) < 1.0)",message="must be more than 0.5 and less than 1, such as \"0.95\""
	Confidence Decimal `json:"confidence,omitempty"`
}

// ReferenceComparison compares a value with that of another KPI at the same site and time: the new system with the old one while both run.
type ReferenceComparison struct {
	// kpi is the name of the KPI to compare with, in the same namespace. It must have the same interval and window.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	KPI string `json:"kpi,omitempty"`

	// maxExceptions is how many measurements of a run may be outside of the tolerance without ending it. The criterion never passes on one that is outside.
	// It has a meaning only together with for. Unset: 0.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	MaxExceptions *int32 `json:"maxExceptions,omitempty"`
}

// Against says what a value is compared with. Exactly one field is set. The thresholds of the criterion then speak about the difference, in the KPI's unit or,
// with a percent sign, in percent of what it is compared with.
//
// +kubebuilder:validation:XValidation:rule="[has(self.baseline), has(self.control), has(self.reference)].filter(x, x).size() == 1",message="exactly one of baseline, control and reference must be set"
type Against struct {
	// baseline compares with the site's own value from before the change. Unset: another comparison is used.
	//
	// +optional
	Baseline *BaselineComparison `json:"baseline,omitempty"`

	// control compares with the change of sites that have not been changed yet. Unset: another comparison is used.
	//
	// +optional
	Control *ControlComparison `json:"control,omitempty"`

	// reference compares with another KPI at the same site and time. Unset: another comparison is used.
	//
	// +optional
	Reference *ReferenceComparison `json:"reference,omitempty"`
}

// Criterion is one KPI compared with a threshold. Exactly one of atLeast, atMost and between is set.
//
// +kubebuilder:validation:XValidation:rule="[has(self.atLeast), has(self.atMost), has(self.between)].filter(x, x).size() == 1",message="exactly one of atLeast, atMost and between must be set"
// +kubebuilder:validation:XValidation:rule="has(self.against) || !((has(self.atLeast) && self.atLeast.endsWith('%')) || (has(self.atMost) && self.atMost.endsWith('%')) || (has(self.between) && self.between.min.endsWith('%')))",message="a percentage is a change, so say what from: set against.baseline, against.control or against.reference"
// +kubebuilder:validation:XValidation:rule="!has(self.weight) || (has(self.importance) && self.importance == 'Weighted')",message="weight has a meaning only with importance Weighted; set that importance or leave weight out"
// +kubebuilder:validation:XValidation:rule="!has(self.anyOf) || !has(self.importance) || self.importance == 'Required'",message="anyOf has a meaning only with importance Required; leave one of the two out"
// +kubebuilder:validation:XValidation:rule="!has(self.against) || !has(self.against.reference) || !has(self.against.reference.maxExceptions) || self.against.reference.maxExceptions == 0 || has(self.for)",message="maxExceptions counts the exceptions of a run, so it needs for: say how long a run must last"
// +kubebuilder:validation:XValidation:rule="!has(self.against) || !has(self.against.reference) || self.against.reference.kpi != self.kpi",message="a KPI compared with itself is always equal; name another one in against.reference.kpi"
type Criterion struct {
	// name identifies the criterion in verdicts. It is unique in its gate, among criteria and guardrails.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// kpi is the name of the KPI, in the same namespace.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	KPI string `json:"kpi,omitempty"`

	// against says what the value is compared with before the threshold is applied. Unset: the threshold is applied to the value itself.
	//
	// +optional
	Against *Against `json:"against,omitempty"`

	// atLeast is the smallest value, or change, that is good, in the KPI's unit or in percent. Unset: atMost or between is used.
	//
	// +optional
	AtLeast *Threshold `json:"atLeast,omitempty"`

	// atMost is the greatest value, or change, that is good, in the KPI's unit or in percent. Unset: atLeast or between is used.
	//
	// +optional
	AtMost *Threshold `json:"atMost,omitempty"`

	// between is the range of good values, or changes, ends included, in the KPI's unit or in percent. Unset: atLeast or atMost is used.
	//
	// +optional
	Between *Range `json:"between,omitempty"`

	// for is how long the criterion must have been met without a break before it passes: from the first good value to the latest one,
	// with no bad value and no gap longer than the KPI's staleAfter between them. Unset: one good value passes.
	// In a guardrail it is how long the guardrail must have been broken in the same way before the attempt fails. Unset: one bad value fails it.
	//
	// +optional
	For Duration `json:"for,omitempty"`

	// window replaces the window of the KPI for this criterion, at the price of one more query per interval. The KPI's query must use its window.
	// Unset: the KPI's own window.
	//
	// +optional
	Window Duration `json:"window,omitempty"`

	// minSamples is the least number of observations behind a value. With fewer, or with a source that does not tell their number, the criterion waits.
	// Control sites with fewer are left out. Unset: any number is enough.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000000
	MinSamples *int64 `json:"minSamples,omitempty"`

	// importance says what the criterion does to the verdict of the gate. Unset: Required.
	//
	// +optional
	// +kubebuilder:validation:Enum=Required;Weighted;Advisory
	Importance Importance `json:"importance,omitempty"`

	// weight of the criterion in the score of the gate, with importance Weighted. Unset: 1.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Weight *int32 `json:"weight,omitempty"`

	// anyOf names a group of criteria of which one has to pass: the group passes when one of them does, fails when all of them fail, and waits otherwise.
	// Unset: the criterion has to pass by itself.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	AnyOf string `json:"anyOf,omitempty"`
}

// Score says how many of the weighted criteria have to pass. The score is the weight of those that pass in percent of the weight of all; while some of them wait,
// the gate decides only what they cannot change any more.
//
// +kubebuilder:validation:XValidation:rule="!has(self.warn) || self.warn <= self.pass",message="warn must not be greater than pass"
type Score struct {
	// pass is the score, in percent, from which the gate passes.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Pass int32 `json:"pass,omitempty"`

	// warn is the score, in percent, below which the gate fails. Between warn and pass it waits, and says that it is close. Unset: the same as pass.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Warn *int32 `json:"warn,omitempty"`
}

// Approval is a sign-off that a gate needs.
type Approval struct {
	// role that must approve. A person approves in a role by a RolloutDecision, and needs the RBAC verb approve on acceptancegates/<role> for it.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and '-', starting and ending with a letter or digit, because it becomes a part of an RBAC resource"
	Role string `json:"role,omitempty"`

	// count is how many different people must approve in the role. Unset: 1.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=8
	Count *int32 `json:"count,omitempty"`
}

// AcceptanceGateSpec lists what a site must meet.
//
// +kubebuilder:validation:XValidation:rule="has(self.criteria) || has(self.guardrails) || has(self.approvals)",message="a gate without criteria would pass everything; add criteria, guardrails or approvals"
// +kubebuilder:validation:XValidation:rule="!has(self.guardrails) || self.guardrails.all(g, !has(g.importance) && !has(g.weight) && !has(g.anyOf))",message="a guardrail always decides: importance, weight and anyOf have no meaning in guardrails; leave them out"
// +kubebuilder:validation:XValidation:rule="!has(self.guardrails) || self.guardrails.all(g, !has(g.against) || !has(g.against.reference) || !has(g.against.reference.maxExceptions))",message="maxExceptions has no meaning in guardrails: a breach shorter than for breaks none"
// +kubebuilder:validation:XValidation:rule="!has(self.guardrails) || !has(self.criteria) || self.guardrails.all(g, !self.criteria.exists(c, c.name == g.name))",message="the names of criteria and guardrails must differ; rename one"
// +kubebuilder:validation:XValidation:rule="has(self.score) == (has(self.criteria) && self.criteria.exists(c, has(c.importance) && c.importance == 'Weighted'))",message="score and criteria with importance Weighted need each other; set both or neither"
// +kubebuilder:validation:XValidation:rule="has(self.guardrails) || has(self.approvals) || !has(self.criteria) || self.criteria.size() == 0 || self.criteria.exists(c, !has(c.importance) || c.importance != 'Advisory')",message="a gate whose criteria are all Advisory would pass everything; make one Required or Weighted"
// +kubebuilder:validation:XValidation:rule="!has(self.approvals) || self.approvals.map(a, has(a.count) ? a.count : 1).sum() <= 16",message="a gate asks for at most 16 approvals in all; lower the counts or leave roles out"
// +kubebuilder:validation:XValidation:rule="!has(self.fourEyes) || !self.fourEyes || has(self.approvals)",message="fourEyes speaks about approvals, and there are none; add approvals or leave fourEyes out"
type AcceptanceGateSpec struct {
	// description says for people what the gate is about. Unset: nothing is shown.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// criteria to judge. A required one that fails fails the gate; one that waits makes it wait. Unset: the gate has guardrails or approvals only.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Criteria []Criterion `json:"criteria,omitempty"`

	// guardrails are criteria that must not be broken while the phase runs, its soak included. One that stays broken for its time fails the attempt at once.
	// They are watched in exit gates, and have no place in an entry gate. Unset: there are none.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Guardrails []Criterion `json:"guardrails,omitempty"`

	// score says how many of the weighted criteria have to pass. Unset: there are no weighted criteria.
	//
	// +optional
	Score *Score `json:"score,omitempty"`

	// approvals are the sign-offs that the gate needs besides its criteria. Unset: none.
	//
	// +optional
	// +listType=map
	// +listMapKey=role
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Approvals []Approval `json:"approvals,omitempty"`

	// fourEyes lets one person approve in one role only, whatever roles they have. One person never counts twice in the same role. Unset: false.
	//
	// +optional
	FourEyes bool `json:"fourEyes,omitempty"`
}

// AcceptanceGateStatus says whether the gate can be used.
type AcceptanceGateStatus struct {
	// observedGeneration is the metadata.generation that this status speaks about; -1 until the operator has looked at the object.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, and Stalled when a criterion refers to a KPI that does not exist or cannot be judged.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// AcceptanceGate is the set of criteria that a site must meet to enter or to leave a phase.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=acceptancegates,shortName=gate,categories=crm
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Description",type=string,JSONPath=`.spec.description`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name must have at most 63 characters"
type AcceptanceGate struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. The name has at most 63 characters.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec lists what a site must meet.
	//
	// +required
	Spec AcceptanceGateSpec `json:"spec,omitzero"`

	// status says whether the gate can be used.
	//
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status AcceptanceGateStatus `json:"status,omitzero"`
}

// AcceptanceGateList is a list of AcceptanceGate.
//
// +kubebuilder:object:root=true
type AcceptanceGateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AcceptanceGate `json:"items"`
}
