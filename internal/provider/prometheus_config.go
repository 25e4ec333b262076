package provider

import (
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"
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
	// Tenant is sent as X-Scope-OrgID when it is set.
	Tenant string
	// CA holds the PEM certificates to trust instead of the system's.
	CA []byte
	// Cert and Key are the PEM client certificate for mutual TLS. They are set together.
	Cert, Key []byte
	// ServerName is the name that the server's certificate must carry, when it is not the host of Address.
	ServerName string
	// Guard decides which addresses may be connected to. nil allows nothing internal.
	Guard *Guard `json:"-"`
	// Limits bound how much is asked of the source.
	Limits Limits
}

// String names the address alone.
func (c PrometheusConfig) String() string {
	if u, err := webAddress(c.Address); err == nil {
		return "prometheus at " + hostPort(u)
	}
	return "prometheus at an invalid address"
}

// GoString does for %#v what String does for %v.
func (c PrometheusConfig) GoString() string { return c.String() }

// Fingerprint changes whenever any field but Guard does, credentials included, and shows none of them. It is meant for
// Registry.Set and stays in memory: a hash of a short password can be guessed.
func (c PrometheusConfig) Fingerprint() string {
	return fingerprint("prometheus", c, c.BearerToken, c.Username, c.Password)
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
	address, err := webAddress(c.Address)
	if err != nil {
		return err
	}
	if err := validateTimeout(c.Timeout); err != nil {
		return err
	}
	if c.MaxResponseBytes < 0 {
		return invalid("the limit for responses is negative: leave it out for the default of %d bytes", defaultMaxResponseBytes)
	}
	if strings.ContainsFunc(c.Tenant, notTokenRune) {
		return invalid("the tenant contains spaces, line breaks or characters outside ASCII")
	}
	if err := c.Limits.validate(); err != nil {
		return err
	}
	if err := validateLogin(c.BearerToken, c.Username, c.Password); err != nil {
		return err
	}
	if err := (tlsMaterial{ca: c.CA, cert: c.Cert, key: c.Key, serverName: c.ServerName}).validate(address.Scheme); err != nil {
		return err
	}
	return c.Guard.vet(address.Hostname())
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
