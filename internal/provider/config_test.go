package provider

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestConfigurationsThatAreWrong(t *testing.T) {
	cert, key := newAuthority(t).issue(t, time.Now().Add(time.Hour))
	_, otherKey := newAuthority(t).issue(t, time.Now().Add(time.Hour))
	const secure = "https://prometheus.example"
	tests := []struct {
		cfg     PrometheusConfig
		message string
	}{
		{PrometheusConfig{}, "must begin with http:// or https://"},
		{PrometheusConfig{Address: "prometheus:9090"}, "must begin with http:// or https://"},
		{PrometheusConfig{Address: "ftp://prometheus"}, "must begin with http:// or https://"},
		{PrometheusConfig{Address: "https://ann:hush@prometheus:port"}, "is not a URL"},
		{PrometheusConfig{Address: "https:///api"}, "names no host"},
		{PrometheusConfig{Address: "https://:9090"}, "names no host"},
		{PrometheusConfig{Address: "https://ann:hush@prometheus"}, "contains credentials: move them to a secret"},
		{PrometheusConfig{Address: secure + "?token=hush"}, "must end after its path"},
		{PrometheusConfig{Address: secure + "?"}, "must end after its path"},
		{PrometheusConfig{Address: secure + "/graph#hush"}, "must end after its path"},
		{PrometheusConfig{Address: secure + "#"}, "must end after its path"},
		{PrometheusConfig{Address: secure, Timeout: -1}, "the timeout is negative"},
		{PrometheusConfig{Address: secure, Timeout: 5*time.Minute + 1}, "the timeout is longer than 5m"},
		{PrometheusConfig{Address: secure, MaxResponseBytes: -1}, "the limit for responses is negative"},
		{PrometheusConfig{Address: secure, BearerToken: "hush", Username: "ann"}, "choose one of the two"},
		{PrometheusConfig{Address: secure, BearerToken: "hush\r\nX-Evil: 1"}, "the bearer token contains spaces, line breaks"},
		{PrometheusConfig{Address: secure, Password: "hush"}, "a password without a username"},
		{PrometheusConfig{Address: secure, Username: "a:nn"}, "contains a colon"},
		{PrometheusConfig{Address: secure, Username: "ann", Password: "hu\x00sh"}, "contains control characters"},
		{PrometheusConfig{Address: "http://prometheus", CA: cert}, "use https://"},
		{PrometheusConfig{Address: secure, CA: []byte("hush")}, "the CA contains no PEM certificate"},
		{PrometheusConfig{Address: secure, Cert: cert}, "a client certificate needs a key"},
		{PrometheusConfig{Address: secure, Key: key}, "a key needs a client certificate"},
		{PrometheusConfig{Address: secure, Cert: cert, Key: []byte("hush")}, "not a usable PEM pair"},
		{PrometheusConfig{Address: secure, Cert: cert, Key: otherKey}, "not a usable PEM pair"},
	}
	for _, test := range tests {
		t.Run(test.message, func(t *testing.T) {
			source, err := NewPrometheus(test.cfg)
			wantError(t, err, InvalidConfiguration, test.message)
			if source != nil {
				t.Error("an error came with a source")
			}
		})
	}
}

func TestRequestsThatAreWrongAreNotSent(t *testing.T) {
	source := open(t, PrometheusConfig{Address: "http://" + closedPort(t)})
	tests := []struct {
		query   Query
		window  Window
		message string
	}{
		{Query{Expression: " \n", Site: "a"}, at, "the query is empty"},
		{Query{Expression: "up"}, at, "needs either a site label"},
		{Query{Expression: "up", Site: "a", SiteLabel: "site"}, at, "needs either a site label"},
		{allSites, Window{}, "the window has no end"},
		{allSites, Window{Start: instant.Add(1), End: instant}, "the window ends before it starts"},
	}
	for _, test := range tests {
		_, err := source.Measure(t.Context(), test.query, test.window)
		wantError(t, err, InvalidConfiguration, test.message)
	}
}

func TestPrintingAConfigurationShowsNoCredentials(t *testing.T) {
	cfg := PrometheusConfig{Address: "https://prometheus.example", BearerToken: "hush", Password: "hush", Key: []byte("hush")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, cfg); got != "prometheus at prometheus.example:443" {
			t.Errorf("%s prints %q, want the host and port alone", verb, got)
		}
	}
	cfg.Address = "https://ann:hush@prometheus.example"
	if got := cfg.String(); got != "prometheus at an invalid address" {
		t.Errorf("got %q for an invalid address", got)
	}
}

func TestTheFingerprintCoversEveryField(t *testing.T) {
	seen := map[string]string{}
	for name, cfg := range map[string]PrometheusConfig{
		"nothing": {}, "address": {Address: "a"}, "timeout": {Timeout: 1}, "limit": {MaxResponseBytes: 1},
		"token": {BearerToken: "a"}, "username": {Username: "a"}, "password": {Password: "a"}, "CA": {CA: []byte("a")},
		"certificate": {Cert: []byte("a")}, "key": {Key: []byte("a")}, "server name": {ServerName: "a"},
	} {
		got := cfg.Fingerprint()
		if other, taken := seen[got]; taken {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		seen[got] = name
		if got != cfg.Fingerprint() {
			t.Errorf("%s: the fingerprint of one configuration varies", name)
		}
	}
}

func TestSentencesForPeople(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain text stays", "all is well: 50 %", "all is well: 50 %"},
		{"one line", "a\r\n\tb\u2028c", "a b c"},
		{"no control or formatting characters", "a\x00b\x1b[31mc\u202ed\u200be", "a b [31mc d e"},
		{"valid UTF-8", "a\xff\xfeb", "a b"},
		{"300 characters stay", strings.Repeat("é", 300), strings.Repeat("é", 300)},
		{"more are cut", strings.Repeat("é", 301), strings.Repeat("é", 299) + "…"},
		{"secrets go", "before s3 cret after", "before [redacted] after"},
		{"also as part of a URL", "x=s3+cret&y=s3%20cret", "x=[redacted]&y=[redacted]"},
		{"also when a control character hides one", "before s3\x00cret after", "before [redacted] after"},
		{"also at the cut", strings.Repeat("x", 296) + "s3 cret", strings.Repeat("x", 296) + "[re…"},
		{"the longer of two first", "s3 cret-long", "[redacted]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := newRedactor("", "s3 cret", "s3 cret-long").clean(test.text); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
