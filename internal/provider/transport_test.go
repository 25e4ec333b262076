package provider

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const mebibyte = 1 << 20

func TestTheRequest(t *testing.T) {
	requests := make(chan *http.Request, 1)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		vector()(w, r)
		requests <- r
	})
	cfg := PrometheusConfig{Address: server.URL + "/prefix/", Timeout: 10 * time.Second, Username: "ann", Password: secretPassword + "\n"}
	query := Query{Expression: `sum by (site) (up{a="b&c"}) > 1`, SiteLabel: "site"}
	if _, err := open(t, cfg).Measure(t.Context(), query, at); err != nil {
		t.Fatal(err)
	}
	got := await(t, "the request", requests)
	if got.Method != http.MethodPost || got.URL.Path != "/prefix/api/v1/query" || got.URL.RawQuery != "" {
		t.Errorf("got %s %s, want a POST to /prefix/api/v1/query", got.Method, got.URL)
	}
	want := url.Values{"query": {query.Expression}, "time": {strconv.FormatInt(instant.Unix(), 10) + ".890"}, "timeout": {"9s"}}
	if diff := cmp.Diff(want, got.PostForm); diff != "" {
		t.Errorf("form (-want +got):\n%s", diff)
	}
	if agent := got.UserAgent(); agent != "crm-rollout-operator" {
		t.Errorf("got user agent %q, want crm-rollout-operator", agent)
	}
	if user, password, _ := got.BasicAuth(); user != "ann" || password != secretPassword {
		t.Errorf("got user %q and password %q, want ann and the password without its line break", user, password)
	}
	if accepts := got.Header.Get("Accept-Encoding"); accepts != "" {
		t.Errorf("compression was asked for (%q): what expands cannot be bounded on the wire", accepts)
	}
}

func TestASourceThatTakesNoPostIsAskedWithGet(t *testing.T) {
	for _, status := range []int{http.StatusMethodNotAllowed, http.StatusNotImplemented} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost || r.URL.Query().Get("query") != allSites.Expression {
				w.WriteHeader(status)
				return
			}
			vector(series("a", "1"))(w, r)
		})
		got, err := open(t, PrometheusConfig{Address: server.URL}).Measure(t.Context(), allSites, at)
		if err != nil || len(got.Samples) != 1 {
			t.Errorf("after status %d: got %v and error %v, want one sample", status, got, err)
		}
	}
}

// Refused credentials are shown to the source once: a second try with GET would put the query into its access log and
// count twice against locks on accounts.
func TestARefusalIsNotRepeated(t *testing.T) {
	var requests atomic.Int32
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.WriteHeader(http.StatusForbidden)
	})
	_, err := open(t, PrometheusConfig{Address: server.URL}).Measure(t.Context(), allSites, at)
	wantError(t, err, Unauthorized, "403")
	if got := requests.Load(); got != 1 {
		t.Errorf("the source was asked %d times, want once", got)
	}
}

// One gibibyte is on offer. What may go over the wire is the limit and what the sockets of both ends hold.
func TestAHugeAnswerIsCutOff(t *testing.T) {
	const limit, onOffer, buffers = mebibyte, 1 << 30, 64 * mebibyte
	sent := make(chan int, 1)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		total, chunk := 0, bytes.Repeat([]byte(" "), 64<<10)
		for total < onOffer {
			n, err := w.Write(chunk)
			total += n
			if err != nil {
				break
			}
		}
		sent <- total
	})
	source := open(t, PrometheusConfig{Address: server.URL, MaxResponseBytes: limit})
	_, err := source.Measure(t.Context(), allSites, at)
	wantError(t, err, ResponseTooLarge, "more than 1048576 bytes")
	got := await(t, "the transfer to end", sent)
	t.Logf("%d of %d bytes were sent", got, onOffer)
	if got > limit+buffers {
		t.Errorf("%d bytes were sent, want at most %d", got, limit+buffers)
	}
}

// An announced length is believed: this server would never send the body.
func TestAnAnnouncedHugeAnswerIsNotBegun(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		w.Header().Set("Content-Length", strconv.Itoa(1<<30))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	_, err := open(t, PrometheusConfig{Address: server.URL}).Measure(t.Context(), allSites, at)
	wantError(t, err, ResponseTooLarge, "more than 16777216 bytes")
}

func TestTheLimitIsExact(t *testing.T) {
	body := `{"status":"success","data":{"resultType":"vector","result":[]}}`
	for name, flush := range map[string]bool{"announced": false, "streamed": true} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			_, _ = io.WriteString(w, body[:10])
			if flush {
				_ = http.NewResponseController(w).Flush()
			}
			_, _ = io.WriteString(w, body[10:])
		})
		fits := PrometheusConfig{Address: server.URL, MaxResponseBytes: int64(len(body))}
		if _, err := open(t, fits).Measure(t.Context(), allSites, at); err != nil {
			t.Errorf("%s: an answer of exactly the limit failed: %v", name, err)
		}
		fits.MaxResponseBytes--
		_, err := open(t, fits).Measure(t.Context(), allSites, at)
		wantError(t, err, ResponseTooLarge, "raise the limit")
	}
}

// Nothing is decompressed, since nothing compressed was asked for: 128 MiB in about 0.5 MiB stay so small.
func TestAGzipBombStaysSmall(t *testing.T) {
	var bomb bytes.Buffer
	writer, err := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	for chunk, i := bytes.Repeat([]byte(" "), mebibyte), 0; i < 128; i++ {
		_, _ = writer.Write(chunk)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		saying(200, "application/json", bomb.String())(w, r)
	})
	source := open(t, PrometheusConfig{Address: server.URL})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = source.Measure(t.Context(), allSites, at)
	runtime.ReadMemStats(&after)
	wantError(t, err, InvalidResponse, "compressed form that was not asked for")
	if got := after.TotalAlloc - before.TotalAlloc; got > 32*mebibyte {
		t.Errorf("%d bytes were allocated for an answer of %d bytes", got, bomb.Len())
	}
}

func TestRedirects(t *testing.T) {
	var strangers, hops atomic.Int32
	stranger := serve(t, func(http.ResponseWriter, *http.Request) { strangers.Add(1) })
	to := func(status int, target string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			hops.Add(1)
			http.Redirect(w, r, target, status)
		}
	}
	tests := []struct {
		name    string
		says    http.HandlerFunc
		message string
		hops    int32
	}{
		{"to another host", to(http.StatusTemporaryRedirect, stranger.URL+"/?hush="+secretToken), "redirects to " + stranger.URL + ", which was not declared", 1},
		{"to another scheme", to(http.StatusPermanentRedirect, "https://127.0.0.1/"), "redirects to https://127.0.0.1:443", 1},
		{"without end", to(http.StatusTemporaryRedirect, "/api/v1/query"), "more than 5 times", 6},
		{"that turn POST into GET", to(http.StatusFound, "/login?next=hush"), "drops the query", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			hops.Store(0)
			source := open(t, PrometheusConfig{Address: serve(t, test.says).URL, BearerToken: secretToken})
			_, err := source.Measure(t.Context(), allSites, at)
			wantError(t, err, RedirectRefused, test.message)
			if got := hops.Load(); got != test.hops {
				t.Errorf("the source got %d requests, want %d", got, test.hops)
			}
		})
	}
	if got := strangers.Load(); got != 0 {
		t.Errorf("a server that was not declared got %d requests, want none", got)
	}
}

func TestARedirectWithinTheServerKeepsTheQuery(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/query" {
			http.Redirect(w, r, "/prometheus"+r.URL.Path, http.StatusPermanentRedirect)
			return
		}
		if r.FormValue("query") != allSites.Expression {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		vector(series("a", "1"))(w, r)
	})
	got, err := open(t, PrometheusConfig{Address: server.URL}).Measure(t.Context(), allSites, at)
	if err != nil || len(got.Samples) != 1 {
		t.Errorf("got %v and error %v, want one sample", got, err)
	}
}

// Whatever the answers are like, measurements in a row share one connection, and Close gives it back.
func TestConnectionsAreReusedAndReleased(t *testing.T) {
	var opened, closed atomic.Int32
	var turn atomic.Int32
	answers := []http.HandlerFunc{
		vector(series("a", "1")), saying(400, "application/json", `{"status":"error","errorType":"bad_data","error":"no"}`),
		saying(502, "text/html", "<html>"), saying(200, "text/html", "<html>"), vector(),
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers[int(turn.Add(1)-1)%len(answers)](w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			opened.Add(1)
		case http.StateClosed:
			closed.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)

	source := open(t, PrometheusConfig{Address: server.URL})
	for range 10 * len(answers) {
		_, _ = source.Measure(t.Context(), allSites, at)
	}
	if got := opened.Load(); got != 1 {
		t.Errorf("%d connections were opened for measurements in a row, want 1", got)
	}
	goroutines := runtime.NumGoroutine()
	source.Close()
	eventually(t, "the connection is released", func() bool { return closed.Load() == opened.Load() })
	eventually(t, "its goroutines end", func() bool { return runtime.NumGoroutine() < goroutines })
	_, err := source.Measure(t.Context(), allSites, at)
	wantError(t, err, Closed, "the provider for "+strings.TrimPrefix(server.URL, "http://")+" is closed")
	if got := opened.Load(); got != 1 {
		t.Errorf("a closed provider opened another connection")
	}
}

// Load balancers drop idle connections without a word, which shows only when one is used again.
func TestADeadIdleConnectionIsReplaced(t *testing.T) {
	var seen sync.Map
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, again := seen.LoadOrStore(r.RemoteAddr, true); again {
			_ = r.ParseForm()
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			_ = connection.Close()
			return
		}
		vector(series("a", "1"))(w, r)
	})
	source := open(t, PrometheusConfig{Address: server.URL})
	for range 3 {
		if _, err := source.Measure(t.Context(), allSites, at); err != nil {
			t.Error(err)
		}
	}
}
