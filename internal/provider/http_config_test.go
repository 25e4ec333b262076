package provider

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestAnHTTPConfigurationShowsNoCredentials(t *testing.T) {
	cfg := HTTPConfig{Address: "https://crm.example", Preset: Salesforce, BearerToken: "hush", Username: "hush", Password: "hush",
		Headers: []Header{{"X-A", "hush"}}, SecretHeaders: []Header{{"X-B", "hush"}}, Key: []byte("hush"), OAuth2: &OAuth2Config{ClientID: "hush", ClientSecret: "hush"}}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, shown := range []any{cfg, &cfg, cfg.OAuth2, *cfg.OAuth2, cfg.SecretHeaders} {
			if text := fmt.Sprintf(format, shown); strings.Contains(text, "hush") {
				t.Errorf("%s shows a credential: %s", format, text)
			}
		}
	}
	if got := cfg.String(); got != "Salesforce at crm.example:443" {
		t.Errorf("the source is called %q", got)
	}
	if strings.Contains(cfg.Fingerprint(), "hush") {
		t.Error("the fingerprint shows a credential")
	}
}

func TestEveryChangeOfAnHTTPConfigurationShows(t *testing.T) {
	seen := map[string]string{HTTPConfig{}.Fingerprint(): "nothing"}
	for name, cfg := range map[string]HTTPConfig{
		"address": {Address: "x"}, "preset": {Preset: Odoo}, "version": {APIVersion: "x"}, "headers": {Headers: []Header{{"A", "x"}}},
		"secret headers": {SecretHeaders: []Header{{"A", "x"}}}, "token": {BearerToken: "x"}, "username": {Username: "x"}, "password": {Password: "x"},
		"tokens": {OAuth2: &OAuth2Config{}}, "client secret": {OAuth2: &OAuth2Config{ClientSecret: "x"}}, "scopes": {OAuth2: &OAuth2Config{Scopes: []string{"x"}}},
		"CA": {CA: []byte("x")}, "certificate": {Cert: []byte("x")}, "key": {Key: []byte("x")}, "server name": {ServerName: "x"}, "timeout": {Timeout: time.Second},
		"size": {MaxResponseBytes: 1}, "pages": {Pagination: Pagination{MaxPages: 1}}, "extraction": {Extract: "x"}, "aggregate": {Aggregate: AggregateSum},
		"limits": {Limits: Limits{Concurrent: 1}},
	} {
		fingerprint := cfg.Fingerprint()
		if other, twice := seen[fingerprint]; twice {
			t.Errorf("%s and %s have one fingerprint", name, other)
		}
		seen[fingerprint] = name
	}
	if (HTTPConfig{Guard: loopback}).Fingerprint() != (HTTPConfig{}).Fingerprint() {
		t.Error("the guard, which belongs to the operator, is in the fingerprint")
	}
}
