package provider

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"
	"golang.org/x/net/http/httpguts"
)

// Header is one header that is sent with every request.
type Header struct{ Name, Value string }

// String hides the value, which may come from a secret.
func (h Header) String() string { return h.Name }

// GoString does for %#v what String does for %v.
func (h Header) GoString() string { return h.Name }

// OAuth2Config says where tokens come from: OAuth 2.0 client credentials (RFC 6749, section 4.4). Printing it shows no credentials.
type OAuth2Config struct {
	// TokenURL is the token endpoint. It may be at another host than the source.
	TokenURL string
	// ClientID and ClientSecret are what the endpoint knows the operator by.
	ClientID, ClientSecret string
	// InHeader sends them as basic authentication instead of in the form.
	InHeader bool
	// Scopes are asked for; none when empty.
	Scopes []string
	// Parameters are further fields of the form, for example an audience.
	Parameters []Header
	// CA holds the PEM certificates to trust at the token endpoint instead of the system's.
	CA []byte
}

// String names nothing that is secret.
func (c OAuth2Config) String() string { return "OAuth 2.0 client credentials" }

// GoString does for %#v what String does for %v.
func (c OAuth2Config) GoString() string { return c.String() }

// HTTPConfig says where a server is that answers with JSON, how to talk to it, and where the numbers are in its answers. Printing it shows
// no credentials.
type HTTPConfig struct {
	// Address is the URL that the paths of queries are appended to. It has no credentials, query or fragment.
	Address string
	// Preset fills in requests, pages and extraction for a known CRM. "" means that queries name method and path themselves.
	Preset Preset
	// APIVersion is the version of the preset's API. "" means the one that the preset was written for.
	APIVersion string
	// Headers are sent with every request.
	Headers []Header
	// SecretHeaders are sent with every request. No message shows their values.
	SecretHeaders []Header
	// BearerToken is sent with every request when it is set. It excludes Username and OAuth2.
	BearerToken string
	// Username and Password are sent as basic authentication when Username is set.
	Username, Password string
	// OAuth2 gets the tokens that are sent. nil means none.
	OAuth2 *OAuth2Config
	// CA holds the PEM certificates to trust instead of the system's.
	CA []byte
	// Cert and Key are the PEM client certificate for mutual TLS. They are set together.
	Cert, Key []byte
	// ServerName is the name that the server's certificate must carry, when it is not the host of Address.
	ServerName string
	// Timeout bounds one measurement with all its pages and tokens. 0 means DefaultTimeout; at most 5 minutes.
	Timeout time.Duration
	// MaxResponseBytes bounds all pages of one measurement together. 0 means 16 MiB.
	MaxResponseBytes int64
	// Pagination says how to get at the next page. The zero value means that the first page is all.
	Pagination Pagination
	// Extract is the expression that finds the rows in a page, for queries that bring none of their own.
	Extract string
	// Aggregate says what becomes of several rows for one site, for queries that do not say it themselves.
	Aggregate Aggregate
	// Guard decides which addresses may be connected to. nil allows nothing internal.
	Guard *Guard `json:"-"`
	// Limits bound how much is asked of the source.
	Limits Limits
}

// String names the preset and the address alone.
func (c HTTPConfig) String() string {
	kind := "http"
	if c.Preset != "" {
		kind = string(c.Preset)
	}
	if u, err := webAddress(c.Address); err == nil {
		return kind + " at " + hostPort(u)
	}
	return kind + " at an invalid address"
}

// GoString does for %#v what String does for %v.
func (c HTTPConfig) GoString() string { return c.String() }

// Fingerprint changes whenever any field but Guard does, credentials included, and shows none of them. It is meant for Registry.Set and stays in
// memory: a hash of a short password can be guessed.
func (c HTTPConfig) Fingerprint() string {
	secrets := []string{c.BearerToken, c.Username, c.Password}
	for _, header := range c.SecretHeaders {
		secrets = append(secrets, header.Value)
	}
	if c.OAuth2 != nil {
		secrets = append(secrets, c.OAuth2.ClientID, c.OAuth2.ClientSecret)
	}
	return fingerprint("http", c, secrets...)
}

// normalised fills the defaults in and drops the line break that secrets made from files end with.
func (c HTTPConfig) normalised() HTTPConfig {
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxResponseBytes == 0 {
		c.MaxResponseBytes = defaultMaxResponseBytes
	}
	trim := func(text string) string { return strings.TrimRight(text, "\r\n") }
	c.BearerToken, c.Username, c.Password = trim(c.BearerToken), trim(c.Username), trim(c.Password)
	secrets := make([]Header, 0, len(c.SecretHeaders))
	for _, header := range c.SecretHeaders {
		secrets = append(secrets, Header{header.Name, trim(header.Value)})
	}
	c.SecretHeaders = secrets
	if c.OAuth2 != nil {
		tokens := *c.OAuth2
		tokens.ClientID, tokens.ClientSecret = trim(tokens.ClientID), trim(tokens.ClientSecret)
		c.OAuth2 = &tokens
	}
	return c
}

// validate returns an *Error with reason InvalidConfiguration (or AddressRefused) for the first field that is wrong. No message repeats the value of a
// field that may hold a credential: people paste them into the wrong one.
func (c HTTPConfig) validate() error {
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
	if err := c.Limits.validate(); err != nil {
		return err
	}
	if err := c.validateLogin(); err != nil {
		return err
	}
	if err := (tlsMaterial{ca: c.CA, cert: c.Cert, key: c.Key, serverName: c.ServerName}).validate(address.Scheme); err != nil {
		return err
	}
	if err := c.validateHeaders(); err != nil {
		return err
	}
	if err := c.Guard.vet(address.Hostname()); err != nil {
		return err
	}
	return c.OAuth2.validate(c.Guard)
}

func (c HTTPConfig) validateLogin() error {
	if c.OAuth2 != nil && (c.BearerToken != "" || c.Username != "") {
		return invalid("there is more than one of a bearer token, a username and OAuth 2.0: choose one of them")
	}
	return validateLogin(c.BearerToken, c.Username, c.Password)
}

// notForUsers are the headers that net/http and this source own. What is compressed cannot be bounded on the wire.
var notForUsers = map[string]bool{
	"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Connection": true, "Te": true, "Trailer": true, "Upgrade": true,
	"Accept-Encoding": true, "Content-Type": true, "Expect": true, "Proxy-Authorization": true,
}

// authorized reports whether there are credentials that go into the header Authorization.
func (c HTTPConfig) authorized() bool {
	return c.BearerToken != "" || c.Username != "" || c.OAuth2 != nil
}

func (c HTTPConfig) validateHeaders() error {
	secret, seen := len(c.Headers), map[string]bool{}
	for i, header := range append(append([]Header(nil), c.Headers...), c.SecretHeaders...) {
		name := http.CanonicalHeaderKey(header.Name)
		switch {
		case !httpguts.ValidHeaderFieldName(header.Name):
			return invalid("the name of a header is empty or has characters that a header name cannot have")
		case !httpguts.ValidHeaderFieldValue(header.Value):
			return invalid("the value of the header %s has line breaks or control characters", name)
		case notForUsers[name]:
			return invalid("the header %s cannot be set: it belongs to the connection", name)
		case name == "Authorization" && c.authorized():
			return invalid("there are a header Authorization and other credentials: choose one of them")
		case i < secret && (name == "Authorization" || name == "Cookie"):
			return invalid("the header %s carries credentials: take its value from a secret", name)
		case seen[name]:
			return invalid("the header %s is there twice, and only one would be sent: leave one out", name)
		}
		seen[name] = true
	}
	return nil
}

func (c *OAuth2Config) validate(guard *Guard) error {
	if c == nil {
		return nil
	}
	endpoint, err := tokenAddress(c.TokenURL)
	if err != nil {
		return err
	}
	if c.ClientID == "" || c.ClientSecret == "" {
		return invalid("OAuth 2.0 needs a client ID and a client secret")
	}
	if err := c.validateParameters(); err != nil {
		return err
	}
	if err := (tlsMaterial{ca: c.CA}).validate(endpoint.Scheme); err != nil {
		return err
	}
	return guard.vet(endpoint.Hostname())
}

func (c *OAuth2Config) validateParameters() error {
	for _, parameter := range c.Parameters {
		switch parameter.Name {
		case "", "grant_type", "scope", "client_id", "client_secret":
			return invalid("a parameter for the token endpoint has no name, or one that is set otherwise (grant_type, scope, client_id, client_secret)")
		}
	}
	return nil
}

// tokenAddress reads the URL of a token endpoint, which may have a query.
func tokenAddress(text string) (*url.URL, error) {
	endpoint, err := url.Parse(text)
	switch {
	case err != nil || endpoint.Hostname() == "" || endpoint.Scheme != "https" && endpoint.Scheme != "http":
		return nil, invalid("the token URL is not a URL: write it like https://login.example/oauth2/token")
	case endpoint.User != nil:
		return nil, invalid("the token URL contains credentials: move them to a secret")
	case endpoint.Fragment != "":
		return nil, invalid("the token URL must end without #")
	}
	return endpoint, nil
}

// transport translates to the configuration of the round tripper. Credentials are not in it: they are set on each request, since tokens change.
func (c HTTPConfig) transport() promconfig.HTTPClientConfig {
	return promconfig.HTTPClientConfig{EnableHTTP2: true, TLSConfig: promconfig.TLSConfig{
		CA: string(c.CA), Cert: string(c.Cert), Key: promconfig.Secret(c.Key), ServerName: c.ServerName,
	}}
}

// secrets are the values that no message may show.
func (c HTTPConfig) secrets() []string {
	secrets := []string{c.BearerToken, c.Password, basicCredentials(c.Username, c.Password)}
	for _, header := range c.SecretHeaders {
		secrets = append(secrets, header.Value)
	}
	if c.OAuth2 != nil {
		secrets = append(secrets, c.OAuth2.ClientID, c.OAuth2.ClientSecret, basicCredentials(url.QueryEscape(c.OAuth2.ClientID), url.QueryEscape(c.OAuth2.ClientSecret)))
	}
	return secrets
}
