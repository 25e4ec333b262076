package metricprovider

import (
	"fmt"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/provider"
)

// httpSource is a declared server that answers with JSON.
type httpSource struct {
	declared *v1alpha1.HTTPProvider
	config   provider.HTTPConfig
}

func newHTTPSource(declared *v1alpha1.HTTPProvider) (source, problem) {
	timeout, err := declared.Timeout.Parse()
	if err != nil {
		return nil, problem{v1alpha1.ReasonInvalidSpec, "spec.http.timeout: " + err.Error()}
	}
	s := &httpSource{declared: declared, config: provider.HTTPConfig{
		Address: declared.Address, Preset: provider.Preset(declared.Preset), APIVersion: declared.APIVersion, Timeout: timeout,
		Pagination: pagination(declared.Pagination), Extract: declared.Extract, Aggregate: provider.Aggregate(declared.Aggregate),
	}}
	for _, header := range declared.Headers {
		s.config.Headers = append(s.config.Headers, provider.Header{Name: string(header.Name), Value: header.Value})
	}
	for _, header := range declared.SecretHeaders {
		s.config.SecretHeaders = append(s.config.SecretHeaders, provider.Header{Name: string(header.Name)})
	}
	if declared.MaxResponseBytes != nil {
		s.config.MaxResponseBytes = *declared.MaxResponseBytes
	}
	if declared.TLS != nil {
		s.config.ServerName = declared.TLS.ServerName
	}
	if declared.Auth != nil && declared.Auth.OAuth2 != nil {
		s.config.OAuth2 = oauth2(declared.Auth.OAuth2)
	}
	return s, problem{}
}

func oauth2(declared *v1alpha1.OAuth2ClientCredentials) *provider.OAuth2Config {
	config := &provider.OAuth2Config{
		TokenURL: declared.TokenURL, InHeader: declared.ClientAuthentication == v1alpha1.ClientAuthenticationHeader, Scopes: declared.Scopes,
	}
	for _, parameter := range declared.Parameters {
		config.Parameters = append(config.Parameters, provider.Header{Name: parameter.Name, Value: parameter.Value})
	}
	return config
}

// pagination translates the way to the next page, with the number of the first one where it is unset.
func pagination(declared *v1alpha1.HTTPPagination) provider.Pagination {
	var p provider.Pagination
	if declared == nil {
		return p
	}
	p.NextLink = declared.NextLink
	if cursor := declared.Cursor; cursor != nil {
		p.Cursor, p.CursorParameter, p.CursorField = cursor.Expression, cursor.Parameter, cursor.BodyField
	}
	if page := declared.Page; page != nil {
		p.PageParameter, p.FirstPage, p.More = page.Parameter, 1, page.More
		if page.First != nil {
			p.FirstPage = *page.First
		}
	}
	if declared.MaxPages != nil {
		p.MaxPages = int(*declared.MaxPages)
	}
	return p
}

func (s *httpSource) where() string { return s.config.String() }

func (s *httpSource) fingerprint() string { return s.config.Fingerprint() }

func (s *httpSource) open(guard *provider.Guard, limits provider.Limits) (provider.Provider, error) {
	config := s.config
	config.Guard, config.Limits = guard, limits
	return provider.NewHTTP(config)
}

func (s *httpSource) credentials() []credential {
	var all []credential
	for i := range s.declared.SecretHeaders {
		header := &s.declared.SecretHeaders[i]
		all = append(all, credential{fmt.Sprintf("spec.http.secretHeaders[%s].value", header.Name), &header.Value, text(&s.config.SecretHeaders[i].Value)})
	}
	if auth := s.declared.Auth; auth != nil {
		all = append(all, credential{"spec.http.auth.bearerToken", auth.BearerToken, text(&s.config.BearerToken)})
		if basic := auth.BasicAuth; basic != nil {
			all = append(all,
				credential{"spec.http.auth.basicAuth.username", &basic.Username, text(&s.config.Username)},
				credential{"spec.http.auth.basicAuth.password", &basic.Password, text(&s.config.Password)})
		}
		if tokens := auth.OAuth2; tokens != nil {
			all = append(all,
				credential{"spec.http.auth.oauth2.clientID", &tokens.ClientID, text(&s.config.OAuth2.ClientID)},
				credential{"spec.http.auth.oauth2.clientSecret", &tokens.ClientSecret, text(&s.config.OAuth2.ClientSecret)},
				credential{"spec.http.auth.oauth2.ca", tokens.CA, bytes(&s.config.OAuth2.CA)})
		}
	}
	return append(all, tlsCredentials("spec.http.tls", s.declared.TLS, &s.config.CA, &s.config.Cert, &s.config.Key)...)
}
