package metricprovider

import (
	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/provider"
)

// act opens, keeps, replaces or closes the source, and returns why it is not open.
func (r *Reconciler) act(s snapshot) problem {
	if s.keepsOpen() {
		return s.problem
	}
	if s.object == nil || s.problem.reason != "" {
		r.Providers.Delete(s.key)
		return s.problem
	}
	limits := limitsOf(s.object)
	build := func() (provider.Provider, error) { return s.source.open(r.Guard, limits) }
	err := r.Providers.Set(s.key, identity(s.source, limits), build)
	if err == nil {
		return problem{}
	}
	reason := v1alpha1.ReasonInvalidSpec
	if provider.ReasonOf(err) == provider.AddressRefused {
		reason = string(provider.AddressRefused)
	}
	return problem{reason, s.field + ": " + err.Error()}
}

// keepsOpen reports whether the source that may be open stays: the declaration is the one that it was opened from, and only its secrets cannot be compared.
func (s snapshot) keepsOpen() bool {
	return s.object != nil && s.problem.reason == v1alpha1.ReasonSecretUnreadable && s.object.Status.ObservedGeneration == s.object.Generation
}
