package metricprovider

import (
	"fmt"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/provider"
)

// source is one kind of source as a MetricProvider declares it.
type source interface {
	// where says for people what the queries go to, without credentials.
	where() string
	// credentials are the entries of Secrets that the source needs, and where their values go.
	credentials() []credential
	// fingerprint tells one configuration from another, credentials included, once they are filled in.
	fingerprint() string
	// open opens the source without connecting to it.
	open(guard *provider.Guard, limits provider.Limits) (provider.Provider, error)
}

// credential is one entry of a secret, and where its value goes.
type credential struct {
	field string
	from  *v1alpha1.SecretKey
	into  func(value []byte)
}

// text puts the value of a credential into a string.
func text(target *string) func([]byte) { return func(v []byte) { *target = string(v) } }

// bytes puts the value of a credential into bytes.
func bytes(target *[]byte) func([]byte) { return func(v []byte) { *target = v } }

// sourceOf returns the source that an object declares and the field that declares it, or why there is none.
func (r *Reconciler) sourceOf(object *v1alpha1.MetricProvider) (declared source, field string, found problem) {
	switch spec := object.Spec; {
	case spec.Prometheus != nil:
		field = "spec.prometheus"
		declared, found = newPrometheusSource(spec.Prometheus)
	case spec.SQL != nil:
		field = "spec.sql"
		declared, found = newSQLSource(spec.SQL)
	case spec.HTTP != nil:
		field = "spec.http"
		declared, found = newHTTPSource(spec.HTTP)
	case spec.Readings != nil:
		field = "spec.readings"
		declared, found = newReadingsSource(r.Client, object)
	default:
		found = problem{v1alpha1.ReasonInvalidSpec, "spec: no source is set; set spec.prometheus, spec.sql, spec.http or spec.readings"}
	}
	return declared, field, found
}

// limitsOf returns the limits that an object declares.
func limitsOf(object *v1alpha1.MetricProvider) provider.Limits {
	var limits provider.Limits
	if declared := object.Spec.Limits; declared != nil {
		if declared.Concurrent != nil {
			limits.Concurrent = int(*declared.Concurrent)
		}
		if declared.PerMinute != nil {
			limits.PerMinute = int(*declared.PerMinute)
		}
	}
	return limits
}

// identity tells one open source from another: one that is declared in the same way stays open.
func identity(declared source, limits provider.Limits) string {
	if limits == (provider.Limits{}) {
		return declared.fingerprint()
	}
	return fmt.Sprintf("%s %+v", declared.fingerprint(), limits)
}
