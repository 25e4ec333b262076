package metricprovider

import (
	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/provider"
)

// sqlSource is a declared database.
type sqlSource struct {
	declared *v1alpha1.SQLProvider
	config   provider.SQLConfig
}

func newSQLSource(declared *v1alpha1.SQLProvider) (source, problem) {
	timeout, err := declared.Timeout.Parse()
	if err != nil {
		return nil, problem{v1alpha1.ReasonInvalidSpec, "spec.sql.timeout: " + err.Error()}
	}
	s := &sqlSource{declared: declared, config: provider.SQLConfig{
		Engine: provider.SQLEngine(declared.Engine), Address: declared.Address, Database: declared.Database,
		InsecurePlaintext: declared.InsecurePlaintext, Timeout: timeout,
	}}
	if declared.MaxRows != nil {
		s.config.MaxRows = int(*declared.MaxRows)
	}
	if declared.TLS != nil {
		s.config.ServerName = declared.TLS.ServerName
	}
	return s, problem{}
}

func (s *sqlSource) where() string { return s.config.String() }

func (s *sqlSource) fingerprint() string { return s.config.Fingerprint() }

func (s *sqlSource) open(guard *provider.Guard, limits provider.Limits) (provider.Provider, error) {
	config := s.config
	config.Guard, config.Limits = guard, limits
	return provider.NewSQL(config)
}

func (s *sqlSource) credentials() []credential {
	all := []credential{
		{"spec.sql.username", &s.declared.Username, text(&s.config.Username)},
		{"spec.sql.password", s.declared.Password, text(&s.config.Password)},
	}
	return append(all, tlsCredentials("spec.sql.tls", s.declared.TLS, &s.config.CA, &s.config.Cert, &s.config.Key)...)
}
