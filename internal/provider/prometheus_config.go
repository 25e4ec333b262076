package provider

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
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

// PrometheusConfig says where a Prometheus, or anything that speaks its HTTP query API, is and how to talk to it.
// Printing it shows no credentials.
type PrometheusConfig struct {
	// Address is the URL that the API's paths are appended to, for example "https://prometheus.example:9090/prefix".
	// It has no credentials, query or fragment.
	Address string
	// Timeout bounds one measurement, from the first byte sent to the last one read. 0 means DefaultTimeout; at most 5 minutes.
	Timeout time.Duration
	// MaxResponseBytes bounds the body of one answer. 0 means 16 MiB, about 100,000 sites.
	MaxResponseBytes int64
	// BearerToken is sent with every request when it is set. It excludes Username.
	BearerToken string
	// Username and Password are sent as basic authentication when Username is set.
	Username, Password string
	// CA holds the PEM certificates to trust instead of the system's.
	CA []byte
	// Cert and Key are the PEM client certificate for mutual TLS. They are set together.
	Cert, Key []byte
	// ServerName is the name that the server's certificate must carry, when it is not the host of Address.
	ServerName string
}

// String names the address alone.
func (c PrometheusConfig) String() string {
	if u, err := c.endpoint(); err == nil {
		return "prometheus at " + hostPort(u)
	}
	return "prometheus at an invalid address"
}

// GoString does for %#v what String does for %v.
func (c PrometheusConfig) GoString() string { return c.String() }

// Fingerprint changes whenever any field does, credentials included, and shows none of them. It is meant for
// Registry.Set and stays in memory: a hash of a short password can be guessed.
func (c PrometheusConfig) Fingerprint() string {
	// Marshalling strings, numbers and bytes cannot fail.
	fields, _ := json.Marshal(c)
	sum := sha256.Sum256(fields)
	return hex.EncodeToString(sum[:])
}

// normalised fills the defaults in and drops the line break that secrets made from files end with.
func (c PrometheusConfig) normalised() PrometheusConfig {
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxResponseBytes == 0 {
		c.MaxResponseBytes = defaultMaxResponseBytes
	}
	c.BearerToken = strings.TrimRight(c.BearerToken, "\r\n")
	c.Username = strings.TrimRight(c.Username, "\r\n")
	c.Password = strings.TrimRight(c.Password, "\r\n")
	return c
}

// validate returns an *Error with reason InvalidConfiguration for the first field that is wrong. No message repeats the
// value of a field: people paste credentials into the wrong one.
func (c PrometheusConfig) validate() error {
	endpoint, err := c.endpoint()
	if err != nil {
		return err
	}
	if c.Timeout < 0 {
		return invalid("the timeout is negative: leave it out for the default of %s", DefaultTimeout)
	}
	if c.Timeout > maxTimeout {
		return invalid("the timeout is longer than 5m: make the query cheaper, for example with a recording rule in the source, and the timeout at most 5m")
	}
	if c.MaxResponseBytes < 0 {
		return invalid("the limit for responses is negative: leave it out for the default of %d bytes", defaultMaxResponseBytes)
	}
	if err := c.validateCredentials(); err != nil {
		return err
	}
	return c.validateTLS(endpoint.Scheme)
}

func (c PrometheusConfig) endpoint() (*url.URL, error) {
	u, err := url.Parse(c.Address)
	switch {
	case err != nil:
		return nil, invalid("the address is not a URL: write it like https://prometheus.example:9090")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, invalid("the address must begin with http:// or https://")
	case u.Hostname() == "":
		return nil, invalid("the address names no host: write it like https://prometheus.example:9090")
	case u.User != nil:
		return nil, invalid("the address contains credentials: move them to a secret")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(c.Address, "#"):
		return nil, invalid("the address must end after its path, without ? or #")
	}
	return u, nil
}

func (c PrometheusConfig) validateCredentials() error {
	switch {
	case c.BearerToken != "" && (c.Username != "" || c.Password != ""):
		return invalid("there are a bearer token and a username: choose one of the two")
	case c.Password != "" && c.Username == "":
		return invalid("there is a password without a username")
	case strings.Contains(c.Username, ":"):
		return invalid("the username contains a colon, which basic authentication cannot send")
	case strings.ContainsFunc(c.BearerToken, notTokenRune):
		return invalid("the bearer token contains spaces, line breaks or characters outside ASCII")
	case strings.ContainsFunc(c.Username+c.Password, unicode.IsControl):
		return invalid("the username or the password contains control characters")
	}
	return nil
}

func notTokenRune(r rune) bool { return r <= ' ' || r >= 0x7f }

func (c PrometheusConfig) validateTLS(scheme string) error {
	material := string(c.CA) + string(c.Cert) + string(c.Key) + c.ServerName
	if scheme != "https" && material != "" {
		return invalid("there are TLS settings but the address begins with http://: use https://")
	}
	switch {
	case (len(c.Cert) > 0) != (len(c.Key) > 0):
		return invalid("a client certificate needs a key and a key needs a client certificate: set both")
	case len(c.CA) > 0 && !x509.NewCertPool().AppendCertsFromPEM(c.CA):
		return invalid("the CA contains no PEM certificate")
	case len(c.Cert) == 0:
		return nil
	}
	if _, err := tls.X509KeyPair(c.Cert, c.Key); err != nil {
		return newError(InvalidConfiguration, err, "the client certificate and its key are not a usable PEM pair")
	}
	return nil
}

// http translates to the configuration that Prometheus' own round tripper takes. Proxies from the operator's
// environment are not used: what is declared is what happens.
func (c PrometheusConfig) http() promconfig.HTTPClientConfig {
	out := promconfig.HTTPClientConfig{
		EnableHTTP2: true,
		TLSConfig: promconfig.TLSConfig{
			CA:         string(c.CA),
			Cert:       string(c.Cert),
			Key:        promconfig.Secret(c.Key),
			ServerName: c.ServerName,
		},
	}
	if c.BearerToken != "" {
		out.Authorization = &promconfig.Authorization{Type: "Bearer", Credentials: promconfig.Secret(c.BearerToken)}
	}
	if c.Username != "" {
		out.BasicAuth = &promconfig.BasicAuth{Username: c.Username, Password: promconfig.Secret(c.Password)}
	}
	return out
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
