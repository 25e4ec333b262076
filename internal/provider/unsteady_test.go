package provider

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// unsteady is a server that answers as its mood says, and counts its connections.
type unsteady struct {
	*httptest.Server
	mood atomic.Pointer[http.HandlerFunc]
	mu   sync.Mutex
	open map[net.Conn]bool
	most int
}

func newUnsteady(t *testing.T) *unsteady {
	t.Helper()
	u := &unsteady{open: map[net.Conn]bool{}}
	u.be(truth)
	u.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*u.mood.Load())(w, r) }))
	u.Config.ErrorLog = quiet()
	u.Config.ConnState = func(c net.Conn, state http.ConnState) {
		u.mu.Lock()
		defer u.mu.Unlock()
		if state == http.StateClosed || state == http.StateHijacked {
			delete(u.open, c)
		} else {
			u.open[c] = true
		}
		u.most = max(u.most, len(u.open))
	}
	u.Start()
	return u
}

func (u *unsteady) be(mood http.HandlerFunc) { u.mood.Store(&mood) }

func (u *unsteady) connections() (now, most int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.open), u.most
}

// truth is what the source says while it is well.
func truth(w http.ResponseWriter, r *http.Request) {
	vector(series("lyon", "7"), series("oslo", "NaN"))(w, r)
}

// vanishing ends connections after some bytes.
func vanishing(after string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		connection, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = buffer.WriteString(after)
		_ = buffer.Flush()
		_ = connection.Close()
	}
}

// lying answers with a document that looks like an answer.
func lying(result string) http.HandlerFunc { return saying(200, "application/json", result) }

// moods are the ways to fail, with the reasons that they are told with before the source is left alone.
var moods = []struct {
	name   string
	mood   http.HandlerFunc
	reason Reason
}{
	{"silent", func(_ http.ResponseWriter, r *http.Request) { _ = r.ParseForm(); <-r.Context().Done() }, Timeout},
	{"trickling", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"vector","result":[`))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, Timeout},
	{"failing", saying(500, "text/plain", "no"), SourceError},
	{"behind a broken proxy", saying(502, "text/html", "<html>"), SourceError},
	{"hanging up", vanishing(""), Unreachable},
	{"hanging up in the middle", vanishing("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"status\":\"success\",\"data\":{"), Unreachable},
	{"overwhelmed", saying(429, "text/plain", "no"), RateLimited},
	{"logged out", saying(302, "text/html", "<html>login</html>"), InvalidResponse},
	{"a page", saying(200, "text/html", "<html>7</html>"), InvalidResponse},
	{"cut off", lying(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"site":"lyon"},"value":[1,"7`), InvalidResponse},
	{"a number from tomorrow", lying(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"site":"lyon"},"value":[4102444800,"7"]}]}}`), InvalidResponse},
	{"a row without a number", lying(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"site":"lyon"}}]}}`), InvalidResponse},
	{"a word for a number", lying(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"site":"lyon"},"value":[1,"good"]}]}}`), InvalidResponse},
	{"good with half of it missing", lying(`{"status":"success","warnings":["store 2 is down"],"data":{"resultType":"vector","result":[]}}`), PartialAnswer},
}

// A source that fails in every way, one after the other, and is well in between: no number is made up, none is lost once it is well, a
// source beside it never notices, and nothing is left behind.
func TestAnUnsteadySourceInventsAndLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	bad, good := newUnsteady(t), newUnsteady(t)
	source, beside := open(t, PrometheusConfig{Address: bad.URL, Timeout: 500 * time.Millisecond}), open(t, PrometheusConfig{Address: good.URL})
	for _, m := range moods {
		bad.be(m.mood)
		told := measureInACrowd(t, source, m.name)
		if told[m.reason] == 0 {
			t.Errorf("%s: the failures are told as %v, want %s among them", m.name, told, m.reason)
		}
		if got, err := beside.Measure(t.Context(), allSites, at); err != nil || len(got.Samples) != 2 {
			t.Errorf("%s: the source beside it gave %v and error %v", m.name, got, err)
		}
		bad.be(truth)
		eventually(t, m.name+" is over", func() bool {
			got, err := source.Measure(t.Context(), allSites, at)
			if err == nil && (len(got.Samples) != 2 || got.Samples[0].Value != 7) {
				t.Fatalf("%s: once it was well the source gave %v", m.name, got)
			}
			return err == nil
		})
	}
	if _, most := bad.connections(); most > 2*defaultConcurrent {
		t.Errorf("the source had %d connections at a time", most)
	}
	source.Close()
	beside.Close()
	for _, u := range []*unsteady{bad, good} {
		eventually(t, "no connection is left", func() bool { now, _ := u.connections(); return now == 0 })
		u.Close()
	}
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
	t.Logf("%d moods; goroutines: %d before, %d after; connections after: 0", len(moods), before, runtime.NumGoroutine())
}

// measureInACrowd asks with several queries at once, which nobody has asked before, and counts the reasons of the failures.
func measureInACrowd(t *testing.T, source Provider, mood string) map[Reason]int {
	t.Helper()
	reasons := make(chan Reason, 24)
	for i := range cap(reasons) {
		go func() {
			got, err := source.Measure(t.Context(), Query{Expression: fmt.Sprint(mood, i%6), SiteLabel: "site"}, at)
			if diff := cmp.Diff(Answer{}, got); err == nil || diff != "" {
				t.Errorf("%s: error %v came with an answer:\n%s", mood, err, diff)
			}
			reasons <- ReasonOf(err)
		}()
	}
	told := map[Reason]int{}
	for range cap(reasons) {
		told[await(t, "a measurement", reasons)]++
	}
	return told
}

// A caller that gives up leaves nothing behind either.
func TestMeasurementsThatAreGivenUpLeaveNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	u := newUnsteady(t)
	u.be(moods[0].mood)
	source := open(t, PrometheusConfig{Address: u.URL, Limits: Limits{Concurrent: 32}})
	for range 5 {
		func() {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			done := make(chan error, 20)
			for range cap(done) {
				go func() {
					_, err := source.Measure(ctx, allSites, at)
					done <- err
				}()
			}
			for range cap(done) {
				if err := await(t, "a measurement", done); err == nil {
					t.Error("a silent source gave an answer")
				}
			}
		}()
	}
	source.Close()
	eventually(t, "no connection is left", func() bool { now, _ := u.connections(); return now == 0 })
	u.Close()
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}

func TestRetryAfter(t *testing.T) {
	for said, want := range map[string]time.Duration{
		"": 0, "0": 0, "30": 30 * time.Second, " 7 ": 7 * time.Second, "-1": 0, "1.5": 0, "soon": 0, "99999999999999999999": 0,
		"Wed, 04 Mar 2026 05:07:07 GMT": time.Minute, "Wed, 04 Mar 2026 05:00:00 GMT": 0,
	} {
		if got := retryAfter(said, instant.Truncate(time.Second)); got != want {
			t.Errorf("%q means %s, want %s", said, got, want)
		}
	}
	source := open(t, PrometheusConfig{Address: serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	}).URL})
	_, err := source.Measure(t.Context(), allSites, at)
	wantError(t, err, RateLimited, "asks for fewer requests (429)")
	_, err = source.Measure(t.Context(), allSites, at)
	wantError(t, err, BackingOff, "is left alone after 1 failure and asked again at ")
}
