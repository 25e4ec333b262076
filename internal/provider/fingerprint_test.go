package provider

import "testing"

// Secrets are bytes. Those that are not valid UTF-8 must not be taken for each other, or a source keeps the old one when it is replaced.
func TestTwoSecretsHaveTwoFingerprints(t *testing.T) {
	for name, of := range map[string]func(secret string) string{
		"prometheus: token":    func(s string) string { return PrometheusConfig{BearerToken: s}.Fingerprint() },
		"prometheus: username": func(s string) string { return PrometheusConfig{Username: s}.Fingerprint() },
		"prometheus: password": func(s string) string { return PrometheusConfig{Password: s}.Fingerprint() },
		"sql: username":        func(s string) string { return SQLConfig{Username: s}.Fingerprint() },
		"sql: password":        func(s string) string { return SQLConfig{Password: s}.Fingerprint() },
		"http: token":          func(s string) string { return HTTPConfig{BearerToken: s}.Fingerprint() },
		"http: username":       func(s string) string { return HTTPConfig{Username: s}.Fingerprint() },
		"http: password":       func(s string) string { return HTTPConfig{Password: s}.Fingerprint() },
		"http: header":         func(s string) string { return HTTPConfig{SecretHeaders: []Header{{"X-Key", s}}}.Fingerprint() },
		"http: client":         func(s string) string { return HTTPConfig{OAuth2: &OAuth2Config{ClientID: s}}.Fingerprint() },
		"http: client secret":  func(s string) string { return HTTPConfig{OAuth2: &OAuth2Config{ClientSecret: s}}.Fingerprint() },
	} {
		if of("\xff") == of("\xfe") {
			t.Errorf("%s: two secrets have one fingerprint", name)
		}
		if once, again := of("\xff"), of("\xff"); once != again {
			t.Errorf("%s: one secret has two fingerprints", name)
		}
	}
}
