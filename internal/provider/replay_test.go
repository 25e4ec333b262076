package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/crmops/rollout-operator/test/promserver"
)

// historian exposes series that come, go, change their labels, contradict each other and are no numbers, each in its own rhythm of scrapes.
func historian(scrapes *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		n := scrapes.Add(1)
		_, _ = fmt.Fprintf(w, "crm_count{site=\"lyon\"} %d\ncrm_count{site=\"oslo\"} %d\n", n, n*n)
		if n/5%2 == 0 {
			_, _ = fmt.Fprintf(w, "crm_gap{site=\"lyon\"} %d\n", n)
		}
		if n/3%3 != 1 {
			_, _ = fmt.Fprintf(w, "crm_gap{site=\"oslo\"} %d\n", n)
		}
		_, _ = fmt.Fprintf(w, "crm_moves{site=\"lyon\",rack=\"%d\"} %d\n", n/4%3, n)
		if n/6%2 == 1 {
			_, _ = fmt.Fprintf(w, "crm_moves{site=\"lyon\",rack=\"extra\"} %d\n", n)
		}
		_, _ = fmt.Fprintf(w, "crm_odd{site=\"lyon\"} %s\ncrm_odd{site=\"oslo\"} 1\n", []string{"NaN", "+Inf", "-Inf", "0.1"}[n/2%4])
		if n%2 == 0 {
			_, _ = fmt.Fprintf(w, "crm_nameless %d\n", n)
		}
	}
}

// history is a real Prometheus with some seconds of a historian's series, behind a proxy that counts questions by path.
type history struct {
	source        Provider
	instant, span atomic.Int64
	from, to      time.Time
}

func newHistory(t *testing.T) *history {
	t.Helper()
	var scrapes atomic.Int64
	target := serve(t, historian(&scrapes))
	server, err := promserver.Start(t.Context(), promserver.Options{
		Dir: t.TempDir(), ScrapeInterval: 50 * time.Millisecond, Targets: []string{strings.TrimPrefix(target.URL, "http://")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	address, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	h := &history{from: time.Now()}
	proxy := httputil.NewSingleHostReverseProxy(address)
	h.source = open(t, PrometheusConfig{Address: serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == rangePath {
			h.span.Add(1)
		} else {
			h.instant.Add(1)
		}
		proxy.ServeHTTP(w, r)
	}).URL})
	eventually(t, "there is a history", func() bool { return scrapes.Load() > 40 })
	h.to = time.Now()
	after := scrapes.Load()
	eventually(t, "what was scraped by then is stored", func() bool { return scrapes.Load() > after+2 })
	return h
}

// What a range query stands for holds for a real Prometheus server.
func TestReplayOfARealHistory(t *testing.T) {
	h := newHistory(t)
	t.Run("a range equals instant queries", func(t *testing.T) { rangeEqualsInstants(t, h) })
	t.Run("a replay fails as measuring does", func(t *testing.T) { replayFails(t, h) })
}

func rangeEqualsInstants(t *testing.T, h *history) {
	queries := map[string]bool{ // whether one range query is enough
		"crm_count": true, "crm_gap": true, "crm_moves": true, "crm_odd": true, "crm_gap / crm_count": true, "crm_odd * 0": true,
		"rate(crm_count[300ms])": true, "crm_gap > 20": true, "sum by (site) (crm_moves)": true, "crm_count offset 500ms": true,
		"max_over_time(crm_gap[1s:100ms])": true, "timestamp(crm_gap)": true, "topk by (site) (1, crm_moves)": true, "-crm_count ^ 0.5": true,
		"vector(time())":                  false, // no site
		"crm_nameless":                    false,
		"crm_count @ end()":               false, // another moment in a range
		"crm_count - crm_count @ start()": false,
		"crm_absent":                      false, // nothing, which might come from rounded times
	}
	for expression, atOnce := range queries {
		for _, step := range []time.Duration{93 * time.Millisecond, time.Second} {
			t.Run(fmt.Sprint(expression, " every ", step), func(t *testing.T) {
				h.compare(t, Query{Expression: expression, SiteLabel: "site"}, h.windows(step), atOnce)
			})
		}
	}
	for expression, atOnce := range map[string]bool{
		"scalar(crm_gap{site=\"lyon\"})": true, "crm_moves": true, "sum(crm_gap)": true, "time()": true, "42": true, "crm_gap{site=\"oslo\"}": true, "crm_absent": false,
	} {
		t.Run("one site: "+expression, func(t *testing.T) {
			h.compare(t, Query{Expression: expression, Site: "lyon"}, h.windows(300*time.Millisecond), atOnce)
		})
	}
}

// windows begin before there was data and end with the history.
func (h *history) windows(step time.Duration) []Window {
	var windows []Window
	for moment := h.from.Add(-step - 500*time.Millisecond); moment.Before(h.to); moment = moment.Add(step) {
		windows = append(windows, Window{Start: moment.Add(-time.Hour), End: moment})
	}
	return windows
}

func (h *history) compare(t *testing.T, q Query, windows []Window, atOnce bool) {
	t.Helper()
	want, err := oneByOne(t.Context(), h.source, q, windows)
	if err != nil {
		t.Fatal(err)
	}
	h.instant.Store(0)
	h.span.Store(0)
	got, err := Replay(t.Context(), h.source, q, windows)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%d windows, instant queries (-) and range (+):\n%s", len(windows), diff)
	}
	if h.instant.Load() == 0 != atOnce {
		t.Errorf("%d instant and %d range queries were made; is one range query enough: want %t", h.instant.Load(), h.span.Load(), atOnce)
	}
}

func replayFails(t *testing.T, h *history) {
	windows := h.windows(time.Second)
	for expression, reason := range map[string]Reason{
		"crm_count[5m]": InvalidResponse, "42": InvalidResponse, `"text"`: InvalidResponse, "sum(crm_count": QueryRejected, "crm_count / on() crm_count": QueryRejected, "": InvalidConfiguration,
	} {
		q := Query{Expression: expression, SiteLabel: "site"}
		_, single := h.source.Measure(t.Context(), q, windows[len(windows)-1])
		_, err := Replay(t.Context(), h.source, q, windows)
		if ReasonOf(err) != reason || ReasonOf(single) != reason {
			t.Errorf("%q fails with %v, and measured once with %v; want %s", expression, err, single, reason)
		}
	}
}

// everyMinute are n windows that end a minute apart, at the instant of the tests and before.
func everyMinute(n int) []Window {
	windows := make([]Window, n)
	for i := range windows {
		windows[i] = Window{Start: at.Start, End: instant.Add(time.Duration(i-n+1) * time.Minute)}
	}
	return windows
}

// A server of which the range answer cannot be trusted is asked for each moment.
func TestDoubtfulRangesAreNotUsed(t *testing.T) {
	windows := everyMinute(2)
	stamp := func(w Window) string { return seconds(w.End) }
	matrix := func(lines string) string {
		return `{"status":"success","data":{"resultType":"matrix","result":[` + lines + `]}}`
	}
	good := fmt.Sprintf(`{"metric":{"site":"a"},"values":[[%s,"7"],[%s,"8"]]}`, stamp(windows[0]), stamp(windows[1]))
	tests := map[string]struct {
		status int
		body   string
		header string
		used   bool
	}{
		"a good one":               {200, matrix(good), "", true},
		"one of VictoriaMetrics":   {200, matrix(good), "X-Server-Hostname", false},
		"times that were rounded":  {200, matrix(fmt.Sprintf(`{"metric":{"site":"a"},"values":[[%d,"7"]]}`, windows[0].End.Unix())), "", false},
		"a time twice":             {200, matrix(fmt.Sprintf(`{"metric":{"site":"a"},"values":[[%[1]s,"7"],[%[1]s,"8"]]}`, stamp(windows[0]))), "", false},
		"a value without a number": {200, matrix(fmt.Sprintf(`{"metric":{"site":"a"},"values":[[%s]]}`, stamp(windows[0]))), "", false},
		"a number that is none":    {200, matrix(fmt.Sprintf(`{"metric":{"site":"a"},"values":[[%s,"x"]]}`, stamp(windows[0]))), "", false},
		"a series without values":  {200, matrix(`{"metric":{"site":"a"}}`), "", false},
		"histograms":               {200, matrix(fmt.Sprintf(`{"metric":{"site":"a"},"histograms":[[%s,{}]]}`, stamp(windows[0]))), "", false},
		"a series without a site":  {200, matrix(strings.Replace(good, "site", "host", 1)), "", false},
		"nothing":                  {200, matrix(""), "", false},
		"an instant vector":        {200, strings.Replace(matrix(good), "matrix", "vector", 1), "", false},
		"a warning":                {200, strings.Replace(matrix(good), `"status"`, `"warnings":["a store is down"],"status"`, 1), "", false},
		"a partial answer":         {200, strings.Replace(matrix(good), `"status"`, `"isPartial":true,"status"`, 1), "", false},
		"broken JSON":              {200, matrix(good)[:80], "", false},
		"no such path":             {404, "not found", "", false},
		"too many samples":         {422, `{"status":"error","errorType":"execution","error":"too many samples"}`, "", false},
		"too many steps":           {400, `{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution"}`, "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var instants atomic.Int32
			source := open(t, PrometheusConfig{Address: serve(t, func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				if r.URL.Path == queryPath {
					instants.Add(1)
					_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"site":"a"},"value":[%s,"1"]}]}}`, r.PostForm.Get("time"))
					return
				}
				if test.header != "" {
					w.Header().Set(test.header, "vm-1")
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}).URL})
			got, err := Replay(t.Context(), source, allSites, windows)
			if err != nil || len(got) != 2 || len(got[0].Samples) != 1 || len(got[1].Samples) != 1 {
				t.Fatalf("got %v and error %v, want one sample for each window", got, err)
			}
			values := [2]float64{got[0].Samples[0].Value, got[1].Samples[0].Value}
			if test.used != (values == [2]float64{7, 8}) || test.used != (instants.Load() == 0) || !test.used && values != [2]float64{1, 1} {
				t.Errorf("got values %v with %d instant queries; the range is to be used: %t", values, instants.Load(), test.used)
			}
		})
	}
}

// A source that is down is not asked for each moment as well.
func TestAReplayDoesNotRepeatFailures(t *testing.T) {
	for status, reason := range map[int]Reason{401: Unauthorized, 429: RateLimited, 502: SourceError} {
		var asked atomic.Int32
		source := open(t, PrometheusConfig{Address: serve(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(status)
		}).URL})
		_, err := Replay(t.Context(), source, allSites, everyMinute(5))
		wantError(t, err, reason, "")
		if got := asked.Load(); got != 1 {
			t.Errorf("status %d: the source was asked %d times, want once", status, got)
		}
	}
}

func TestTheRangeRequest(t *testing.T) {
	for step, want := range map[time.Duration]string{time.Minute: "60", 1500 * time.Millisecond: "1500ms"} {
		forms := make(chan url.Values, 1)
		source := open(t, PrometheusConfig{Tenant: "north|south", Address: serve(t, func(_ http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			if r.URL.Path == rangePath {
				r.Form.Set("tenant", r.Header.Get("X-Scope-OrgID"))
				forms <- r.Form
			}
		}).URL})
		_, err := Replay(t.Context(), source, allSites, []Window{{End: instant}, {End: instant.Add(step)}})
		wantError(t, err, InvalidResponse, "without a body")
		form := url.Values{"query": {allSites.Expression}, "start": {seconds(instant)}, "end": {seconds(instant.Add(step))}, "step": {want}, "timeout": {"27s"}, "tenant": {"north|south"}}
		if diff := cmp.Diff(form, await(t, "the request", forms)); diff != "" {
			t.Errorf("form (-want +got):\n%s", diff)
		}
	}
}

func TestWindowsThatAreNotEvenAreMeasuredEach(t *testing.T) {
	for name, windows := range map[string][]Window{
		"one":             everyMinute(1),
		"with a gap":      {everyMinute(9)[0], everyMinute(9)[1], everyMinute(9)[3]},
		"backwards":       {{End: instant}, {End: instant.Add(-time.Minute)}},
		"the same":        {{End: instant}, {End: instant}},
		"in microseconds": {{End: instant}, {End: instant.Add(time.Microsecond)}},
		"none":            nil,
	} {
		var spans, instants atomic.Int32
		registry := NewRegistry()
		t.Cleanup(registry.Close)
		if err := registry.Set("ns/a", "1", func() (Provider, error) {
			return NewPrometheus(PrometheusConfig{Guard: loopback, Address: serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == rangePath {
					spans.Add(1)
				}
				instants.Add(1)
				vector()(w, r)
			}).URL})
		}); err != nil {
			t.Fatal(err)
		}
		source, _ := registry.Get("ns/a")
		got, err := Replay(t.Context(), source, allSites, windows)
		if err != nil || len(got) != len(windows) || int(instants.Load()) != len(windows) || spans.Load() > 0 {
			t.Errorf("%s: got %d answers with %d instant and %d range queries, error %v", name, len(got), instants.Load(), spans.Load(), err)
		}
	}
}

// plainSource can do no more than measure.
type plainSource struct{ measured []Window }

func (s *plainSource) Measure(_ context.Context, _ Query, w Window) (Answer, error) {
	s.measured = append(s.measured, w)
	if len(s.measured) == 3 {
		return Answer{}, errors.New("third")
	}
	return Answer{Unlabelled: len(s.measured)}, nil
}

func (s *plainSource) Close() {}

func TestReplayOfASourceThatCannot(t *testing.T) {
	source := &plainSource{}
	got, err := Replay(t.Context(), source, allSites, everyMinute(2))
	if diff := cmp.Diff([]Answer{{Unlabelled: 1}, {Unlabelled: 2}}, got); diff != "" || err != nil {
		t.Errorf("error %v, answers (-want +got):\n%s", err, diff)
	}
	if got, err := Replay(t.Context(), source, allSites, everyMinute(2)); err == nil || got != nil {
		t.Errorf("got %v and error %v, want the failure of a window to be that of all", got, err)
	}
	registry := NewRegistry()
	if err := registry.Set("ns/a", "1", building(&plainSource{})); err != nil {
		t.Fatal(err)
	}
	borrowed, _ := registry.Get("ns/a")
	registry.Close()
	_, err = Replay(t.Context(), borrowed, allSites, everyMinute(2))
	wantError(t, err, Closed, "not configured any more")
}
