package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// instant is the moment all tests ask about.
var instant = time.Date(2026, time.March, 4, 5, 6, 7, 890_000_000, time.UTC)

// allSites is a query for all sites, at is the window it is asked for.
var (
	allSites = Query{Expression: "crm_adoption", SiteLabel: "site"}
	oneSite  = Query{Expression: "crm_adoption", Site: "lyon"}
	at       = Window{Start: instant.Add(-time.Hour), End: instant}
)

// The credentials of the tests, which no message may show.
const (
	secretToken    = "tok3n-hush"
	secretPassword = "pa55 word/hush"
)

// serve starts a server on the loopback interface that ends with the test.
func serve(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// saying answers every request with one status, content type and body.
func saying(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// vector answers with an instant vector of rows in JSON.
func vector(rows ...string) http.HandlerFunc {
	return saying(http.StatusOK, "application/json",
		`{"status":"success","data":{"resultType":"vector","result":[`+strings.Join(rows, ",")+`]}}`)
}

// series is one row of a vector, at the instant of the tests.
func series(site, value string) string {
	return fmt.Sprintf(`{"metric":{"site":%q},"value":[%.3f,%q]}`, site, float64(instant.UnixMilli())/1000, value)
}

// loopback lets the sources of tests run on this machine.
var loopback = mustGuard(GuardConfig{Allow: []string{"127.0.0.0/8", "::1"}})

// mustGuard returns a guard that takes no notice of the addresses that the machine of the tests happens to have.
func mustGuard(cfg GuardConfig) *Guard {
	guard, err := NewGuard(cfg)
	if err != nil {
		panic(err)
	}
	guard.interfaces = func() ([]net.Addr, error) { return nil, nil }
	return guard
}

// open opens a Prometheus source on this machine that is closed with the test.
func open(t testing.TB, cfg PrometheusConfig) Provider {
	t.Helper()
	cfg.Guard = loopback
	source, err := NewPrometheus(cfg)
	if err != nil {
		t.Fatalf("open %v: %v", cfg, err)
	}
	t.Cleanup(source.Close)
	return source
}

// wantError asserts the reason and a piece of the message, and everything that must hold for any error.
func wantError(t testing.TB, err error, reason Reason, text string) {
	t.Helper()
	var failure *Error
	if !errors.As(err, &failure) {
		t.Fatalf("got error %v (%T), want an *Error with reason %s", err, err, reason)
	}
	if failure.Reason != reason || ReasonOf(err) != reason {
		t.Errorf("got reason %s (%s; cause: %v), want %s", failure.Reason, failure.Message, failure.Err, reason)
	}
	if !strings.Contains(failure.Message, text) {
		t.Errorf("got message %q, want one that contains %q", failure.Message, text)
	}
	if got := utf8.RuneCountInString(failure.Message); got > 300 {
		t.Errorf("the message has %d characters, want at most 300", got)
	}
	if strings.ContainsFunc(failure.Message, unicode.IsControl) {
		t.Errorf("the message %q has control characters", failure.Message)
	}
	for _, secret := range []string{secretToken, secretPassword, "hush"} {
		if strings.Contains(failure.Message, secret) {
			t.Errorf("the message %q shows a credential", failure.Message)
		}
	}
}

// await waits for a channel to be closed or to deliver, and fails the test when that takes unreasonably long.
func await[T any](t testing.TB, what string, done <-chan T) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	select {
	case got := <-done:
		return got
	case <-ctx.Done():
		t.Fatalf("waited a minute for %s", what)
		panic("unreachable")
	}
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(time.Minute)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute until %s", what)
		}
		<-ticker.C
	}
}

// quiet is for servers whose complaints about broken clients are the point of a test.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
