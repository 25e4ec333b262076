package metricprovider

import (
	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/provider"
)

// prometheusSource is a declared Prometheus.
type prometheusSource struct {
	declared *v1alpha1.PrometheusProvider
	config   provider.PrometheusConfig
}

func newPrometheusSource(declared *v1alpha1.PrometheusProvider) (source, problem) {
	timeout, err := declared.Timeout.Parse()
	if err != nil {
		return nil, problem{v1alpha1.ReasonInvalidSpec, "spec.prometheus.timeout: " + err.Error()}
	}
	s := &prometheusSource{declared: declared, config: provider.PrometheusConfig{Address: declared.Address, Timeout: timeout, Tenant: declared.Tenant}}
	if declared.MaxResponseBytes != nil {
		s.config.MaxResponseBytes = *declared.MaxResponseBytes
	}
	if declared.TLS != nil {
		s.config.ServerName = declared.TLS.ServerName
	}
	return s, problem{}
}

func (s *prometheusSource) where() string { return s.config.String() }

func (s *prometheusSource) fingerprint() string { return s.config.Fingerprint() }

func (s *prometheusSource) open(guard *provider.Guard, limits provider.Limits) (provider.Provider, error) {
	config := s.config
	config.Guard, config.Limits = guard, limits
	return provider.NewPrometheus(config)
}

func (s *prometheusSource) credentials() []credential {
	all := []credential{{"spec.prometheus.bearerToken", s.declared.BearerToken, text(&s.config.BearerToken)}}
	if basic := s.declared.BasicAuth; basic != nil {
		all = append(all,
			credential{"spec.prometheus.basicAuth.username", &basic.Username, text(&s.config.Username)},
			credential{"spec.prometheus.basicAuth.password", &basic.Password, text(&s.config.Password)})
	}
	return append(all, tlsCredentials("spec.prometheus.tls", s.declared.TLS, &s.config.CA, &s.config.Cert, &s.config.Key)...)
}

// tlsCredentials are the entries of Secrets that TLS settings refer to.
func tlsCredentials(field string, tls *v1alpha1.TLSConfig, ca, certificate, key *[]byte) []credential {
	if tls == nil {
		return nil
	}
	return []credential{
		{field + ".ca", tls.CA, bytes(ca)},
		{field + ".certificate", tls.Certificate, bytes(certificate)},
		{field + ".privateKey", tls.PrivateKey, bytes(key)},
	}
}
