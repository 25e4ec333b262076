package provider

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRefusalsAndFailuresOfTheSource(t *testing.T) {
	const jsonType, htmlType, page = "application/json", "text/html; charset=utf-8", "<html>hush</html>"
	tests := []struct {
		name    string
		says    http.HandlerFunc
		reason  Reason
		message string
	}{
		{"wrong credentials", saying(401, htmlType, page), Unauthorized, "(401): check the secret"},
		{"not allowed", saying(403, htmlType, page), Unauthorized, "(403): grant them read access"},
		{"rate limited", saying(429, "text/plain", page), RateLimited, "measure less often"},
		{"broken", saying(500, "text/plain", page), SourceError, "failed with status 500 Internal Server Error"},
		{"broken and says why", saying(500, jsonType, `{"status":"error","errorType":"internal","error":"disk full"}`), SourceError, "disk full"},
		{"overloaded", saying(503, jsonType, `{"status":"error","errorType":"timeout","error":"query timed out"}`), Timeout, "query timed out"},
		{"gateway error page", saying(502, htmlType, page), SourceError, "failed with status 502 Bad Gateway"},
		{"not found", saying(404, htmlType, page), InvalidResponse, "answered with status 404 Not Found: is the address the Prometheus API?"},
		{"HTML", saying(200, htmlType, page), InvalidResponse, "answered with text/html, not with JSON: is the address the Prometheus API?"},
		{"malformed query", saying(400, jsonType, `{"status":"error","errorType":"bad_data","error":"1:4: parse error: unexpected end"}`),
			QueryRejected, "the query was rejected: 1:4: parse error: unexpected end"},
		{"query that cannot be evaluated", saying(422, jsonType, `{"status":"error","errorType":"execution","error":"many-to-many matching"}`),
			QueryRejected, "many-to-many matching"},
		{"error with a good status", saying(200, jsonType, `{"status":"error","errorType":"bad_data","error":"odd"}`), QueryRejected, "odd"},
		{"a good answer with a warning", saying(200, jsonType,
			`{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["PromQL info: odd","store\u0007 down\nfor `+secretToken+`"]}`),
			PartialAnswer, "may be incomplete or wrong, so it is not used: store down for [redacted]"},
		{"bad request page", saying(400, "text/plain", page), InvalidResponse, "status 400"},
		{"empty body", saying(200, jsonType, ""), InvalidResponse, "without a body"},
		{"no content", saying(204, jsonType, ""), InvalidResponse, "without a body"},
		{"truncated JSON", saying(200, jsonType, `{"status":"success","data":{"resultType":"vector","result":[`), InvalidResponse, "incomplete or malformed JSON"},
		{"two documents", saying(200, jsonType, `{"status":"success"}{}`), InvalidResponse, "malformed JSON"},
		{"another API's JSON", saying(200, jsonType, `{"data":{"resultType":"vector","result":[]}}`), InvalidResponse, "not from a Prometheus API"},
		{"JSON of another shape", saying(200, jsonType, `["hush"]`), InvalidResponse, "malformed JSON"},
		{"redirect without a target", saying(302, htmlType, page), InvalidResponse, "status 302"},
		{"not modified", saying(304, htmlType, ""), InvalidResponse, "status 304"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			source := open(t, PrometheusConfig{Address: serve(t, test.says).URL, BearerToken: secretToken})
			_, err := source.Measure(t.Context(), allSites, at)
			wantError(t, err, test.reason, test.message)
		})
	}
}

// The source's own words are foreign text: they may be long, hostile, and repeat what was sent.
func TestForeignTextIsMadeSafe(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		header := r.Header.Get("Authorization")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"status":"error","errorType":"bad_data","error":"\u001b[31mno\r\n\u202e`+header+` `+
			strings.Repeat("x", 230)+`  `+header+strings.Repeat(" and on", 100_000)+`"}`)
	})
	for name, cfg := range map[string]PrometheusConfig{
		"bearer": {Address: server.URL, BearerToken: secretToken},
		"basic":  {Address: server.URL, Username: "ann", Password: secretPassword},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, cfg).Measure(t.Context(), allSites, at)
			wantError(t, err, QueryRejected, "the query was rejected: [31mno ")
			wantError(t, err, QueryRejected, " [redacted] xxx")
			if auth := "YW5uOnBh"; strings.Contains(err.Error(), auth) {
				t.Errorf("the message %q shows the encoded credentials", err)
			}
			if !strings.HasSuffix(err.Error(), "…") {
				t.Errorf("the message %q does not show that it was cut", err)
			}
		})
	}
}

func TestUnreachableSources(t *testing.T) {
	tests := []struct{ name, address, message string }{
		{"nobody listens", "http://" + closedPort(t), "refused the connection"},
		{"the name does not exist", "http://prometheus..invalid:9090", "prometheus..invalid:9090 is not known"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := open(t, PrometheusConfig{Address: test.address}).Measure(t.Context(), allSites, at)
			wantError(t, err, Unreachable, test.message)
			wantError(t, err, Unreachable, strings.TrimPrefix(test.address, "http://"))
		})
	}
}

func TestConnectionsThatBreak(t *testing.T) {
	tests := []struct {
		name, writes string
		reason       Reason
		message      string
	}{
		{"before the answer", "", Unreachable, "closed the connection before its answer was complete"},
		{"in the middle of the body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"status\"", Unreachable, "closed the connection"},
		{"in the middle of a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{", Unreachable, "closed the connection"},
		{"another protocol", "220 mail.example hush\r\n", InvalidResponse, "does not speak HTTP"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				connection, buffer, err := http.NewResponseController(w).Hijack()
				if err != nil {
					panic(err)
				}
				_, _ = buffer.WriteString(test.writes)
				_ = buffer.Flush()
				_ = connection.Close()
			})
			_, err := open(t, PrometheusConfig{Address: server.URL}).Measure(t.Context(), allSites, at)
			wantError(t, err, test.reason, test.message)
		})
	}
}

func TestASilentSourceTimesOut(t *testing.T) {
	silent := func(arrived chan<- struct{}) PrometheusConfig {
		return PrometheusConfig{Address: serve(t, func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			close(arrived)
			<-r.Context().Done()
		}).URL}
	}
	t.Run("by its own limit", func(t *testing.T) {
		cfg := silent(make(chan struct{}))
		cfg.Timeout = 30 * time.Millisecond
		_, err := open(t, cfg).Measure(t.Context(), allSites, at)
		wantError(t, err, Timeout, "(limit 30ms)")
	})
	t.Run("by the caller's deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		_, err := open(t, silent(make(chan struct{}))).Measure(ctx, allSites, at)
		wantError(t, err, Timeout, "no complete answer in time")
	})
	t.Run("or is canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		arrived := make(chan struct{})
		go func() {
			<-arrived
			cancel()
		}()
		_, err := open(t, silent(arrived)).Measure(ctx, allSites, at)
		wantError(t, err, Canceled, "was canceled")
	})
}

// A source that begins an answer and never ends it must not hold a slot for ever.
func TestATricklingSourceTimesOut(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		_, _ = io.WriteString(w, `{"status":`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	_, err := open(t, PrometheusConfig{Address: server.URL, Timeout: 50 * time.Millisecond}).Measure(t.Context(), allSites, at)
	wantError(t, err, Timeout, "no complete answer in time")
}

// closedPort returns a loopback address where nobody listens.
func closedPort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
