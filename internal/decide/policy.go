package decide

import (
	"fmt"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Policy is what is known of the admission policy by which the API server refuses decisions under another's name, or without the right to decide so.
type Policy struct {
	// Problem says why nobody can rely on it; empty when it works.
	Problem string
	// Since is when it came. What was decided before, nobody has checked.
	Since time.Time
}

// settles is how long API servers may take to apply a policy that has just come.
const settles = 10 * time.Second

// judge tells of a decision that the policy has not checked; without a reason when it has.
func (p Policy) judge(d *v1alpha1.RolloutDecision) Fate {
	switch since := p.Since.Add(settles); {
	case p.Problem != "":
		return Fate{Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonPolicyMissing, Message: p.Problem}
	case d.CreationTimestamp.Time.Before(since):
		return refused(v1alpha1.ReasonPolicyMissing, "it was made before the admission policy worked, at %s, so nobody checked who made it; make another one", clockTime(since)).forGood()
	}
	return Fate{}
}

// remedy ends every complaint about the policy.
const remedy = "so nobody checks who decides, and no decision counts; apply config/admission, or install the chart with admissionPolicy.create"

// Unreadable is the policy of an operator that may not read it.
func Unreadable(refusal string) Policy {
	return Policy{Problem: "the operator may not see whether there is an admission policy that refuses wrong decisions, so no decision counts; let it get the policy and its binding (config/rbac/policy_reader_role.yaml, in the chart admissionPolicy.read): " + refusal}
}

// PolicyOf compares the policy and the binding of a cluster, nil when there are none, with those that decisions need. More may be asked for than that, but not less.
func PolicyOf(policy, wanted *admissionv1.ValidatingAdmissionPolicy, binding, bound *admissionv1.ValidatingAdmissionPolicyBinding) Policy {
	problem := ""
	switch {
	case policy == nil:
		problem = fmt.Sprintf("ValidatingAdmissionPolicy %q does not exist", wanted.Name)
	case binding == nil:
		problem = fmt.Sprintf("ValidatingAdmissionPolicyBinding %q does not exist", bound.Name)
	case lacking(policy.Spec, wanted.Spec) != "":
		problem = fmt.Sprintf("ValidatingAdmissionPolicy %q does not refuse what it must: %s", policy.Name, lacking(policy.Spec, wanted.Spec))
	case loose(binding.Spec, bound.Spec) != "":
		problem = fmt.Sprintf("ValidatingAdmissionPolicyBinding %q does not refuse what it must: %s", binding.Name, loose(binding.Spec, bound.Spec))
	}
	if problem != "" {
		return Policy{Problem: problem + ", " + remedy}
	}
	since := policy.CreationTimestamp.Time
	if binding.CreationTimestamp.After(since) {
		since = binding.CreationTimestamp.Time
	}
	return Policy{Since: since}
}

// lacking names the first field in which a policy asks for less than is wanted.
func lacking(spec, wanted admissionv1.ValidatingAdmissionPolicySpec) string {
	switch {
	case spec.FailurePolicy != nil && *spec.FailurePolicy != admissionv1.Fail:
		return "spec.failurePolicy is not Fail"
	case spec.ParamKind != nil:
		return "spec.paramKind is set"
	case len(spec.MatchConditions) > 0:
		return "spec.matchConditions leave decisions out"
	case !equality.Semantic.DeepEqual(spec.MatchConstraints, wanted.MatchConstraints):
		return "spec.matchConstraints are not those of this version"
	}
	for _, v := range wanted.Variables {
		if !slices.Contains(spec.Variables, v) {
			return fmt.Sprintf("spec.variables lacks %s of this version", v.Name)
		}
	}
	for i, v := range wanted.Validations {
		same := func(other admissionv1.Validation) bool { return other.Expression == v.Expression }
		if !slices.ContainsFunc(spec.Validations, same) {
			return fmt.Sprintf("spec.validations lacks number %d of this version", i+1)
		}
	}
	return ""
}

// loose names the first field in which a binding applies its policy to less than is wanted.
func loose(spec, wanted admissionv1.ValidatingAdmissionPolicyBindingSpec) string {
	switch {
	case spec.PolicyName != wanted.PolicyName:
		return fmt.Sprintf("spec.policyName is not %s", wanted.PolicyName)
	case spec.ParamRef != nil:
		return "spec.paramRef is set"
	case !slices.Contains(spec.ValidationActions, admissionv1.Deny):
		return "spec.validationActions lacks Deny"
	case !equality.Semantic.DeepEqual(spec.MatchResources, wanted.MatchResources):
		return "spec.matchResources leaves decisions out"
	}
	return ""
}
