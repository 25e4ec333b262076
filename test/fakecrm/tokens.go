package fakecrm

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
)

// Tokens is the token endpoint of OAuth 2.0 (RFC 6749, sections 4.4 and 5).
type Tokens struct {
	Door
	// ClientID and ClientSecret are the only ones that get tokens.
	ClientID, ClientSecret string
	// InHeader wants them as basic authentication instead of in the form.
	InHeader bool
	// Lifetime is the expires_in of a token, in seconds; 0 leaves it out.
	Lifetime int

	mu     sync.Mutex
	issued int
	good   map[string]bool
}

// ServeHTTP implements http.Handler.
func (t *Tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if t.turnedAway(w) {
		return
	}
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.PostForm.Get("grant_type") != "client_credentials" {
		answer(w, http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type"})
		return
	}
	t.note(r.PostForm.Encode())
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if t.InHeader {
		// They are form-encoded before they become basic authentication (RFC 6749, section 2.3.1).
		user, password, _ := r.BasicAuth()
		id, _ = url.QueryUnescape(user)
		secret, _ = url.QueryUnescape(password)
	}
	if id != t.ClientID || secret != t.ClientSecret {
		answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client", "error_description": "invalid client credentials: " + secret})
		return
	}
	token := map[string]any{"access_token": t.issue(), "token_type": "Bearer"}
	if t.Lifetime != 0 {
		token["expires_in"] = t.Lifetime
	}
	answer(w, http.StatusOK, token)
}

func (t *Tokens) issue() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.issued++
	token := fmt.Sprintf("hush-token-%d", t.issued)
	if t.good == nil {
		t.good = map[string]bool{}
	}
	t.good[token] = true
	return token
}

// Good reports whether a token was issued here and not revoked.
func (t *Tokens) Good(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.good[token]
}

// Revoke makes all tokens bad that were issued so far.
func (t *Tokens) Revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.good = nil
}

// Issued is the number of tokens that were issued.
func (t *Tokens) Issued() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.issued
}
