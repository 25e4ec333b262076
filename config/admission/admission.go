// Package admission holds the admission policy that decisions rest on, as it is installed.
package admission

import (
	_ "embed" // the manifests
	"fmt"
	"sync"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/yaml"
)

var (
	//go:embed policy.yaml
	policy []byte
	//go:embed binding.yaml
	binding []byte
)

// Name is the name of the policy and of its binding, however the operator is installed.
const Name = "crm-rollout-decisions"

// Wanted returns the policy and its binding. They must not be changed.
func Wanted() (*admissionv1.ValidatingAdmissionPolicy, *admissionv1.ValidatingAdmissionPolicyBinding, error) {
	read, err := manifests()
	return &read.policy, &read.binding, err
}

type pair struct {
	policy  admissionv1.ValidatingAdmissionPolicy
	binding admissionv1.ValidatingAdmissionPolicyBinding
}

// manifests are read once: every look at a site compares the cluster with them.
var manifests = sync.OnceValues(func() (pair, error) {
	var read pair
	if err := yaml.UnmarshalStrict(policy, &read.policy); err != nil {
		return read, fmt.Errorf("read the admission policy that is built in: %w", err)
	}
	if err := yaml.UnmarshalStrict(binding, &read.binding); err != nil {
		return read, fmt.Errorf("read the binding that is built in: %w", err)
	}
	return read, nil
})
