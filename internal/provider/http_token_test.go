package provider

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmops/rollout-operator/test/fakecrm"
)

// connections counts those of a server.
type connections struct{ opened, closed atomic.Int32 }

func counting(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *connections) {
	t.Helper()
	counted := &connections{}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			counted.opened.Add(1)
		case http.StateClosed:
			counted.closed.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server, counted
}

// tokenWorld is a CRM that wants tokens, and the endpoint that issues them.
func tokenWorld(t *testing.T, change func(*fakecrm.Tokens, *OAuth2Config)) (*fakecrm.Tokens, Provider) {
	t.Helper()
	issuer := &fakecrm.Tokens{ClientID: "operator", ClientSecret: secretPassword, Lifetime: 3600}
	crm := &fakecrm.Salesforce{Door: fakecrm.Door{Allowed: issuer.Good}, Rows: []fakecrm.Record{{"site": "lyon", "value": 1}}}
	declared := &OAuth2Config{TokenURL: serve(t, issuer.ServeHTTP).URL + "/oauth2/token", ClientID: "operator", ClientSecret: secretPassword + "\n"}
	if change != nil {
		change(issuer, declared)
	}
	return issuer, openHTTP(t, HTTPConfig{Address: serve(t, crm.ServeHTTP).URL, Preset: Salesforce, OAuth2: declared})
}

func TestATokenIsKeptUntilItIsNoGoodAnyMore(t *testing.T) {
	issuer, source := tokenWorld(t, func(_ *fakecrm.Tokens, c *OAuth2Config) {
		c.Scopes, c.Parameters = []string{"api", "read"}, []Header{{"audience", "https://crm.example"}}
	})
	for range 3 {
		got, err := askHTTP(t, source, "site", soql)
		mustAnswer(t, got, err, "lyon=1/0")
	}
	if got := issuer.Issued(); got != 1 {
		t.Errorf("%d tokens were issued for 3 measurements, want 1", got)
	}
	issuer.Revoke()
	got, err := askHTTP(t, source, "site", soql)
	mustAnswer(t, got, err, "lyon=1/0")
	if got := issuer.Issued(); got != 2 {
		t.Errorf("%d tokens were issued, want a second one after the first was revoked", got)
	}
	want := url.Values{"grant_type": {"client_credentials"}, "scope": {"api read"}, "audience": {"https://crm.example"}, "client_id": {"operator"}, "client_secret": {secretPassword}}
	form, _ := url.ParseQuery(issuer.Asked()[0])
	if diff := cmp.Diff(want, form); diff != "" {
		t.Errorf("request for a token (-want +got):\n%s", diff)
	}
}

// A token that lives for less than ten seconds is never sent twice.
func TestAnExpiredTokenIsReplaced(t *testing.T) {
	issuer, source := tokenWorld(t, func(i *fakecrm.Tokens, c *OAuth2Config) { i.Lifetime, i.InHeader, c.InHeader = 5, true, true })
	for range 3 {
		got, err := askHTTP(t, source, "site", soql)
		mustAnswer(t, got, err, "lyon=1/0")
	}
	if got := issuer.Issued(); got != 3 {
		t.Errorf("%d tokens were issued, want 3", got)
	}
}

// A server that refuses every token gets two of them, and the next measurement begins anew.
func TestARefusedTokenIsReplacedOnce(t *testing.T) {
	issuer := &fakecrm.Tokens{ClientID: "operator", ClientSecret: secretPassword, Lifetime: 3600}
	var requests atomic.Int32
	stubborn := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.WriteHeader(http.StatusUnauthorized)
	})
	source := openHTTP(t, HTTPConfig{Address: stubborn.URL, Extract: "body",
		OAuth2: &OAuth2Config{TokenURL: serve(t, issuer.ServeHTTP).URL, ClientID: "operator", ClientSecret: secretPassword}})
	_, err := askHTTP(t, source, "site", "GET /x")
	wantError(t, err, Unauthorized, "refused the credentials (401)")
	if requests.Load() != 2 || issuer.Issued() != 2 {
		t.Errorf("%d requests with %d tokens were made, want 2 of each", requests.Load(), issuer.Issued())
	}
}

func TestMeasurementsShareOneToken(t *testing.T) {
	issuer, source := tokenWorld(t, nil)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := askHTTP(t, source, "site", soql); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := issuer.Issued(); got != 1 {
		t.Errorf("%d tokens were issued for 8 measurements at once, want 1", got)
	}
}

func TestNoToken(t *testing.T) {
	refuse := func(status int, retryAfter, kind, body string) func(*fakecrm.Tokens, *OAuth2Config) {
		return func(i *fakecrm.Tokens, _ *OAuth2Config) {
			i.Refuse(fakecrm.Refusal{Status: status, RetryAfter: retryAfter, ContentType: kind, Body: body})
		}
	}
	for _, test := range []struct {
		name    string
		change  func(*fakecrm.Tokens, *OAuth2Config)
		reason  Reason
		message string
	}{
		{"a wrong secret", func(_ *fakecrm.Tokens, c *OAuth2Config) { c.ClientSecret = "hush" }, Unauthorized, "gives no token (invalid_client)"},
		{"sent in the wrong place", func(i *fakecrm.Tokens, _ *OAuth2Config) { i.InHeader = true }, Unauthorized, "gives no token (invalid_client)"},
		{"a wrong scope", refuse(400, "", "", `{"error":"invalid_scope","error_description":"hush"}`), Unauthorized, "check the scopes"},
		{"too many requests", refuse(429, "9", "", `{}`), RateLimited, "asks for fewer requests for tokens"},
		{"down", refuse(503, "", "text/html", "<html>hush"), SourceError, "failed with status 503 when it was asked for a token"},
		{"an error with status 200", refuse(200, "", "", `{"error":"unauthorized_client"}`), Unauthorized, "(unauthorized_client)"},
		{"a web page", refuse(200, "", "text/html", "<html>hush"), InvalidResponse, "not an OAuth 2.0 token"},
		{"no token in it", refuse(200, "", "", `{"token":"hush"}`), InvalidResponse, "not an OAuth 2.0 token"},
		{"one that breaks the header", refuse(200, "", "", `{"access_token":"hush\r\nX-Evil: 1","token_type":"Bearer"}`), InvalidResponse, "cannot be sent in a header"},
		{"a huge answer", refuse(200, "", "", `{"access_token":"`+strings.Repeat("x", 2*mebibyte)+`"}`), InvalidResponse, "not an OAuth 2.0 token"},
		{"another host", func(i *fakecrm.Tokens, c *OAuth2Config) {
			c.TokenURL = serve(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
			}).URL
		}, RedirectRefused, "redirects to http://127.0.0.1:1"},
		{"nobody there", func(_ *fakecrm.Tokens, c *OAuth2Config) { c.TokenURL = "http://" + closedPort(t) }, Unreachable, "refused the connection"},
	} {
		t.Run(test.name, func(t *testing.T) {
			issuer, source := tokenWorld(t, test.change)
			_, err := askHTTP(t, source, "site", soql)
			wantError(t, err, test.reason, test.message)
			if got := len(issuer.Asked()); got > 1 {
				t.Errorf("the endpoint was asked %d times, want once: every refusal counts against locks on accounts", got)
			}
			if failure, _ := asError[*Error](err); (test.name == "too many requests") != (failure.RetryAfter == 9*time.Second) {
				t.Errorf("the endpoint wants to be left alone for %s", failure.RetryAfter)
			}
		})
	}
}

// A CRM that echoes the token of the day shows nothing of it.
func TestATokenIsNotShown(t *testing.T) {
	issuer := &fakecrm.Tokens{ClientID: "operator", ClientSecret: secretPassword}
	echo := serve(t, func(w http.ResponseWriter, r *http.Request) {
		saying(400, "application/json", `[{"errorCode":"MALFORMED_QUERY","message":"you are `+r.Header.Get("Authorization")+`"}]`)(w, r)
	})
	source := openHTTP(t, HTTPConfig{Address: echo.URL, Preset: Salesforce,
		OAuth2: &OAuth2Config{TokenURL: serve(t, issuer.ServeHTTP).URL, ClientID: "operator", ClientSecret: secretPassword}})
	_, err := askHTTP(t, source, "site", soql)
	wantError(t, err, QueryRejected, "you are Bearer [redacted]")
}
