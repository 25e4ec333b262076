package decide_test

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/config/admission"
	"github.com/crmops/rollout-operator/internal/decide"
)

func TestAPolicyThatRefusesLessThanItMustIsNone(t *testing.T) {
	wanted, bound, err := admission.Wanted()
	if err != nil {
		t.Fatal(err)
	}
	ignore := admissionv1.Ignore
	type (
		policy  = admissionv1.ValidatingAdmissionPolicy
		binding = admissionv1.ValidatingAdmissionPolicyBinding
	)
	for name, test := range map[string]struct {
		policy  func(*policy)
		binding func(*binding)
		says    string
	}{
		"as it must be": {},
		"with more to refuse": {policy: func(p *policy) {
			p.Spec.Validations = append(p.Spec.Validations, admissionv1.Validation{Expression: "false"})
		}},
		"with another message":   {policy: func(p *policy) { p.Spec.Validations[0].MessageExpression = "'no'" }},
		"with auditing":          {binding: func(b *binding) { b.Spec.ValidationActions = append(b.Spec.ValidationActions, admissionv1.Audit) }},
		"errors are let through": {policy: func(p *policy) { p.Spec.FailurePolicy = &ignore }, says: "spec.failurePolicy is not Fail"},
		"parameters":             {policy: func(p *policy) { p.Spec.ParamKind = &admissionv1.ParamKind{Kind: "ConfigMap"} }, says: "spec.paramKind"},
		"conditions": {policy: func(p *policy) {
			p.Spec.MatchConditions = []admissionv1.MatchCondition{{Name: "no", Expression: "false"}}
		}, says: "spec.matchConditions"},
		"no constraints": {policy: func(p *policy) { p.Spec.MatchConstraints = nil }, says: "spec.matchConstraints"},
		"some namespaces only": {policy: func(p *policy) {
			p.Spec.MatchConstraints.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		}, says: "spec.matchConstraints"},
		"something left out": {policy: func(p *policy) { p.Spec.MatchConstraints.ExcludeResourceRules = p.Spec.MatchConstraints.ResourceRules }, says: "spec.matchConstraints"},
		"another verb":       {policy: func(p *policy) { p.Spec.Variables[0].Expression = "'get'" }, says: "spec.variables lacks verb"},
		"without the name":   {policy: func(p *policy) { p.Spec.Validations = p.Spec.Validations[1:] }, says: "spec.validations lacks number 1"},
		"without the roles":  {policy: func(p *policy) { p.Spec.Validations[1].Expression = "true" }, says: "spec.validations lacks number 2"},
		"without the sites":  {policy: func(p *policy) { p.Spec.Validations = p.Spec.Validations[:2] }, says: "spec.validations lacks number 3"},
		"a warning only": {binding: func(b *binding) {
			b.Spec.ValidationActions = []admissionv1.ValidationAction{admissionv1.Warn, admissionv1.Audit}
		}, says: "spec.validationActions lacks Deny"},
		"bound to another": {binding: func(b *binding) { b.Spec.PolicyName = "another" }, says: "spec.policyName is not crm-rollout-decisions"},
		"bound somewhere": {binding: func(b *binding) {
			b.Spec.MatchResources = &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{}}
		}, says: "spec.matchResources"},
		"bound with parameters": {binding: func(b *binding) { b.Spec.ParamRef = &admissionv1.ParamRef{Name: "p"} }, says: "spec.paramRef"},
	} {
		t.Run(name, func(t *testing.T) {
			p, b := wanted.DeepCopy(), bound.DeepCopy()
			if test.policy != nil {
				test.policy(p)
			}
			if test.binding != nil {
				test.binding(b)
			}
			got := decide.PolicyOf(p, wanted, b, bound)
			if (got.Problem != "") != (test.says != "") || !strings.Contains(got.Problem, test.says) {
				t.Errorf("problem %q, want %q", got.Problem, test.says)
			}
		})
	}
	if got := decide.PolicyOf(nil, wanted, bound, bound); !strings.Contains(got.Problem, `ValidatingAdmissionPolicy "crm-rollout-decisions" does not exist`) {
		t.Errorf("without a policy: %q", got.Problem)
	}
	if got := decide.PolicyOf(wanted, wanted, nil, bound); !strings.Contains(got.Problem, `ValidatingAdmissionPolicyBinding "crm-rollout-decisions" does not exist`) {
		t.Errorf("without a binding: %q", got.Problem)
	}
}

func TestAPolicyWorksSinceTheLaterOfItsTwoObjectsCame(t *testing.T) {
	wanted, bound, err := admission.Wanted()
	if err != nil {
		t.Fatal(err)
	}
	for _, minutes := range [][2]int{{5, 9}, {9, 5}} {
		p, b := wanted.DeepCopy(), bound.DeepCopy()
		p.CreationTimestamp, b.CreationTimestamp = *stamp(minutes[0]), *stamp(minutes[1])
		if got := decide.PolicyOf(p, wanted, b, bound).Since; !got.Equal(at(9)) {
			t.Errorf("since %s, want %s", got, at(9))
		}
	}
}
