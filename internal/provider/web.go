package provider

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	promconfig "github.com/prometheus/common/config"
)

const (
	// DefaultTimeout bounds a measurement that declares no timeout. It is enough for a query over weeks of data, and short enough
	// to be tried again within an interval.
	DefaultTimeout = 30 * time.Second
	// maxTimeout bounds how long one query can keep a place from others. A query that takes longer belongs into a recording rule.
	maxTimeout = 5 * time.Minute
	// defaultMaxResponseBytes holds about 100,000 sites.
	defaultMaxResponseBytes = 16 << 20
	// idleConnTimeout drops idle connections before the usual load balancers do so silently.
	idleConnTimeout = 90 * time.Second
	userAgent       = "crm-rollout-operator"
)

// newHTTPClient returns the client of a source that speaks HTTP: it dials what guard allows, reads at most limit bytes
// of a body, follows redirects within one server only, and takes no proxy from the operator's environment.
func newHTTPClient(settings promconfig.HTTPClientConfig, guard *Guard, limit int64) (*http.Client, error) {
	// The first name is that of the round tripper's own connection metrics; it must not vary by provider.
	transport, err := promconfig.NewRoundTripperFromConfig(settings, "measure", promconfig.WithDialContextFunc(guard.DialContext),
		promconfig.WithIdleConnTimeout(idleConnTimeout), promconfig.WithUserAgent(userAgent))
	if err != nil {
		return nil, newError(InvalidConfiguration, err, "the connection settings are not usable")
	}
	return &http.Client{Transport: &cappedTransport{next: transport, limit: limit}, CheckRedirect: stayHere}, nil
}

// webAddress reads the address of a source that speaks HTTP. No message repeats it: people paste credentials into it.
func webAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, invalid("the address is not a URL: write it like https://metrics.example:9090")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, invalid("the address must begin with http:// or https://")
	case u.Hostname() == "":
		return nil, invalid("the address names no host: write it like https://metrics.example:9090")
	case u.User != nil:
		return nil, invalid("the address contains credentials: move them to a secret")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(address, "#"):
		return nil, invalid("the address must end after its path, without ? or #")
	}
	return u, nil
}

func validateTimeout(timeout time.Duration) error {
	if timeout < 0 {
		return invalid("the timeout is negative: leave it out for the default of %s", DefaultTimeout)
	}
	if timeout > maxTimeout {
		return invalid("the timeout is longer than 5m: make the query cheaper, for example with a recording rule in the source, and the timeout at most 5m")
	}
	return nil
}

// validateLogin checks what is sent in the Authorization header.
func validateLogin(token, username, password string) error {
	switch {
	case token != "" && (username != "" || password != ""):
		return invalid("there are a bearer token and a username: choose one of the two")
	case password != "" && username == "":
		return invalid("there is a password without a username")
	case strings.Contains(username, ":"):
		return invalid("the username contains a colon, which basic authentication cannot send")
	case strings.ContainsFunc(token, notTokenRune):
		return invalid("the bearer token contains spaces, line breaks or characters outside ASCII")
	case strings.ContainsFunc(username+password, unicode.IsControl):
		return invalid("the username or the password contains control characters")
	}
	return nil
}

func notTokenRune(r rune) bool { return r <= ' ' || r >= 0x7f }

// tlsMaterial is what a source that speaks TLS is given in PEM, and the name that it expects.
type tlsMaterial struct {
	ca, cert, key []byte
	serverName    string
}

// validate finds material that does not fit together, or not to the scheme of the address.
func (m tlsMaterial) validate(scheme string) error {
	if material := string(m.ca) + string(m.cert) + string(m.key) + m.serverName; scheme != "https" && material != "" {
		return invalid("there are TLS settings but the address begins with http://: use https://")
	}
	switch {
	case (len(m.cert) > 0) != (len(m.key) > 0):
		return invalid("a client certificate needs a key and a key needs a client certificate: set both")
	case len(m.ca) > 0 && !x509.NewCertPool().AppendCertsFromPEM(m.ca):
		return invalid("the CA contains no PEM certificate")
	case len(m.cert) == 0:
		return nil
	}
	if _, err := tls.X509KeyPair(m.cert, m.key); err != nil {
		return newError(InvalidConfiguration, err, "the client certificate and its key are not a usable PEM pair")
	}
	return nil
}

func invalid(format string, args ...any) error {
	return newError(InvalidConfiguration, nil, "%s", fmt.Sprintf(format, args...))
}

// hostPort names a source in messages: its host and port, also where the port is implied.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
