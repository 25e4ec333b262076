// Package fakecrm has servers that speak the documented shapes of CRM APIs: their requests, pages, errors and rate limits. They hold the records that they are
// given, compute the answers from them, and refuse what the real ones would refuse.
package fakecrm

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
)

// Refusal is an answer with which a server says no.
type Refusal struct {
	// Status is the HTTP status.
	Status int
	// RetryAfter is the header of that name; "" for none.
	RetryAfter string
	// ContentType is that of Body; "" means JSON.
	ContentType string
	// Body is sent as it is.
	Body string
}

// Door is what all servers have in common: who may come in, who is turned away, and what was asked.
type Door struct {
	// Allowed reports whether an access token is good. nil lets everybody in.
	Allowed func(token string) bool

	mu       sync.Mutex
	refusals []Refusal
	asked    []string
}

// Refuse turns the next requests away, one refusal each.
func (d *Door) Refuse(refusals ...Refusal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refusals = append(d.refusals, refusals...)
}

// Asked returns what was asked so far, in the words of the server: a query, a search, a domain.
func (d *Door) Asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.asked...)
}

// note remembers what was asked.
func (d *Door) note(question string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, question)
}

// turnedAway answers a request with the next refusal, if there is one.
func (d *Door) turnedAway(w http.ResponseWriter) bool {
	d.mu.Lock()
	var next *Refusal
	if len(d.refusals) > 0 {
		next, d.refusals = &d.refusals[0], d.refusals[1:]
	}
	d.mu.Unlock()
	if next == nil {
		return false
	}
	if next.RetryAfter != "" {
		w.Header().Set("Retry-After", next.RetryAfter)
	}
	kind := next.ContentType
	if kind == "" {
		kind = "application/json"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(next.Status)
	_, _ = w.Write([]byte(next.Body))
	return true
}

// known reports whether a request has a good access token.
func (d *Door) known(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return d.Allowed == nil || strings.EqualFold(scheme, "bearer") && d.Allowed(token)
}

// answer writes JSON.
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// Record is one record of a CRM, by field.
type Record map[string]any
