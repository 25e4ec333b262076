package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	promconfig "github.com/prometheus/common/config"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// maxTokenBytes is generous for an answer with one token.
const maxTokenBytes = 1 << 20

// tokens gets OAuth 2.0 tokens and keeps the last one until it expires. It is safe for concurrent use: one measurement asks, the others wait for what it gets.
type tokens struct {
	endpoint
	config clientcredentials.Config
	client *http.Client
	// turn holds one element while nobody asks for a token. It is a channel, since a mutex cannot be given up on.
	turn    chan struct{}
	current *oauth2.Token
}

// newTokens returns nil when no tokens are declared.
func newTokens(cfg HTTPConfig) (*tokens, error) {
	declared := cfg.OAuth2
	if declared == nil {
		return nil, nil
	}
	address, err := tokenAddress(declared.TokenURL)
	if err != nil {
		return nil, err
	}
	settings := promconfig.HTTPClientConfig{EnableHTTP2: true, TLSConfig: promconfig.TLSConfig{CA: string(declared.CA)}}
	client, err := newHTTPClient(settings, cfg.Guard, maxTokenBytes)
	if err != nil {
		return nil, err
	}
	t := &tokens{
		endpoint: endpoint{host: hostPort(address), timeout: cfg.Timeout, redactor: newRedactor(cfg.secrets()...)},
		client:   client,
		turn:     make(chan struct{}, 1),
		config: clientcredentials.Config{
			ClientID: declared.ClientID, ClientSecret: declared.ClientSecret, TokenURL: declared.TokenURL, Scopes: declared.Scopes,
			EndpointParams: url.Values{}, AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	// The style is never found out by trial: every refused attempt counts against locks on accounts.
	if declared.InHeader {
		t.config.AuthStyle = oauth2.AuthStyleInHeader
	}
	for _, parameter := range declared.Parameters {
		t.config.EndpointParams.Add(parameter.Name, parameter.Value)
	}
	t.turn <- struct{}{}
	return t, nil
}

// token returns a token that is valid for another ten seconds and is not the refused one. It returns nil when no tokens are declared.
func (t *tokens) token(ctx, caller context.Context, refused *oauth2.Token) (*oauth2.Token, error) {
	if t == nil {
		return nil, nil
	}
	select {
	case <-t.turn:
		defer func() { t.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, t.transportError(caller, ctx.Err())
	}
	if t.current.Valid() && (refused == nil || t.current.AccessToken != refused.AccessToken) {
		return t.current, nil
	}
	t.current = nil
	got, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, t.client))
	if err != nil {
		return nil, t.failure(ctx, caller, err)
	}
	if !printable(got.AccessToken) || !printable(got.Type()) {
		return nil, newError(InvalidResponse, nil, "%s gave a token that cannot be sent in a header", t.host)
	}
	t.current = got
	return got, nil
}

// printable reports whether text can be sent in a header.
func printable(text string) bool {
	for _, r := range text {
		if notTokenRune(r) {
			return false
		}
	}
	return text != ""
}

// failure explains why there is no token. Of the endpoint's answer only the error code of RFC 6749, section 5.2, is told.
func (t *tokens) failure(ctx, caller context.Context, err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return t.refusal(refused)
	}
	if ctx.Err() != nil {
		return t.transportError(caller, ctx.Err())
	}
	if cause, sent := asError[*url.Error](err); sent {
		return t.transportError(caller, cause)
	}
	return newError(InvalidResponse, err, "%s answered with something that is not an OAuth 2.0 token: is the token URL right?", t.host)
}

func (t *tokens) refusal(refused *oauth2.RetrieveError) error {
	status, code := refused.Response.StatusCode, t.redactor.clean(refused.ErrorCode)
	switch {
	case status == http.StatusTooManyRequests:
		return withRetryAfter(newError(RateLimited, nil, "%s asks for fewer requests for tokens (429)", t.host), refused.Response.Header)
	case status >= 500:
		return withRetryAfter(newError(SourceError, nil, "%s failed with status %d when it was asked for a token", t.host, status), refused.Response.Header)
	case code == "invalid_scope", code == "invalid_request", code == "unsupported_grant_type", code == "invalid_target":
		return newError(Unauthorized, nil, "%s gives no token (%s): check the scopes and parameters of oauth2", t.host, code)
	case code != "":
		return newError(Unauthorized, nil, "%s gives no token (%s): check the client ID and the client secret, and what they may do", t.host, code)
	}
	return newError(Unauthorized, nil, "%s gives no token (status %d): check the token URL, the client ID and the client secret", t.host, status)
}

// close drops the idle connections.
func (t *tokens) close() {
	if t != nil {
		t.client.CloseIdleConnections()
	}
}
