package provider

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// jsonly answers every request with a JSON body.
func jsonly(body string) http.HandlerFunc { return saying(http.StatusOK, "application/json", body) }

const twoRows = `[{"site":"lyon","value":1},{"site":"bonn","value":2}]`

func TestTheHTTPRequest(t *testing.T) {
	type seen struct{ Method, Target, Body, Kind, Agent, Accept, Plain, Secret, Authorization string }
	requests := make(chan seen, 1)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- seen{r.Method, r.URL.RequestURI(), string(body), r.Header.Get("Content-Type"), r.UserAgent(), r.Header.Get("Accept") + r.Header.Get("Accept-Encoding"),
			r.Header.Get("X-Plain"), r.Header.Get("X-Secret"), r.Header.Get("Authorization")}
		jsonly(twoRows)(w, r)
	})
	cfg := HTTPConfig{Address: server.URL + "/base/", Extract: "body", BearerToken: secretToken + "\n",
		Headers: []Header{{"X-Plain", "one"}}, SecretHeaders: []Header{{"X-Secret", secretPassword + "\n"}}}
	source := openHTTP(t, cfg)
	bearer := "Bearer " + secretToken
	for query, want := range map[string]seen{
		"GET /api/metrics?kpi=a b&from=:start&to=:end&x=::start&y=10:start&z=:started": {Method: "GET",
			Target: "/base/api/metrics?kpi=a%20b&from=2026-03-04T04%3A06%3A08Z&to=2026-03-04T05%3A06%3A07Z&x=::start&y=10:start&z=:started"},
		"GET /days/:endDate/caf\u00e9%20#1": {Method: "GET", Target: "/base/days/2026-03-03/caf%C3%A9%20%231"},
		"POST /search\n\n  {\"from\": \":start\",\n \"to\": :endUnix}": {Method: "POST", Target: "/base/search", Kind: "application/json; charset=utf-8",
			Body: "{\"from\": \"2026-03-04T04:06:08Z\",\n \"to\": 1772600767}"},
		"POST /empty": {Method: "POST", Target: "/base/empty"},
	} {
		got, err := askHTTP(t, source, "site", query)
		mustAnswer(t, got, err, "bonn=2/0", "lyon=1/0")
		want.Agent, want.Accept, want.Plain, want.Secret, want.Authorization = "crm-rollout-operator", "application/json", "one", secretPassword, bearer
		if diff := cmp.Diff(want, <-requests); diff != "" {
			t.Errorf("request of %q (-want +got):\n%s", query, diff)
		}
	}
	cfg.BearerToken, cfg.Username, cfg.Password = "", "ann", secretPassword
	if _, err := askHTTP(t, openHTTP(t, cfg), "site", "GET /x"); err != nil {
		t.Fatal(err)
	}
	if got := (<-requests).Authorization; got != "Basic "+basicCredentials("ann", secretPassword) {
		t.Errorf("the credentials are %q, want those of ann", got)
	}
}

func TestQueriesThatAreNoRequest(t *testing.T) {
	for query, message := range map[string]string{
		"/api/metrics":                "must begin with a line like GET /api/metrics",
		"GET api/metrics":             "must begin with a line like GET",
		"DELETE /api/metrics":         "must begin with a line like GET",
		"GET https://other.example/x": "must begin with a line like GET",
		"GET /a/../b":                 "contains ..",
		"GET /a/%2e%2E/b":             "contains ..",
		"GET /a\n{}":                  "has a body after GET",
		"POST /a\n{":                  "is not JSON",
		"POST /a\n{\"a\": :begin}":    "is not JSON",
		"GET /a\n--- Median":          `"Median" after ---`,
		"---\nbody":                   "asks nothing",
		"GET /a\n---\nbody.items[":    "line 1, column 12",
		"GET /a\n---\nbdy":            "line 1, column 1: undeclared reference to 'bdy'",
		"GET /a\n---\n'x'":            "gives a string: it must give a list, a map, a number",
	} {
		_, err := askHTTP(t, openHTTP(t, HTTPConfig{Address: "http://127.0.0.1:1", Extract: "body"}), "site", query)
		wantError(t, err, InvalidConfiguration, message)
	}
	_, err := askHTTP(t, openHTTP(t, HTTPConfig{Address: "http://127.0.0.1:1"}), "site", "GET /a")
	wantError(t, err, InvalidConfiguration, "nothing says where the rows are")
}

func TestWaysToTheNextPage(t *testing.T) {
	page := func(r *http.Request) int {
		body, _ := io.ReadAll(r.Body)
		after := r.URL.Query().Get("after") + r.URL.Query().Get("page") + strings.Trim(string(body), `{}"after: `)
		number, _ := strconv.Atoi(after)
		return number
	}
	var asked atomic.Int32
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		number := page(r)
		rows, next, link := fmt.Sprintf(`{"site":"s%d","value":%d}`, number, number), strconv.Itoa(number+1), fmt.Sprintf(`"/x?keep=1&after=%d"`, number+1)
		if number == 3 {
			next, link = "null", `""`
		}
		if number > 3 {
			rows = ""
		}
		_, _ = fmt.Fprintf(w, `{"rows":[%s],"next":%s,"link":%s,"more":%t}`, rows, next, link, number < 3)
	})
	for name, test := range map[string]struct {
		query string
		pages Pagination
		sites int
		asked int32
	}{
		"none":                     {"GET /x", Pagination{}, 1, 1},
		"link":                     {"GET /x", Pagination{NextLink: "body.link"}, 4, 4},
		"link that is not there":   {"GET /x", Pagination{NextLink: "body.?links.next"}, 1, 1},
		"cursor in the query":      {"GET /x?after=0&b=2", Pagination{Cursor: "body.next", CursorParameter: "after"}, 4, 4},
		"cursor in the body":       {"POST /x\n{}", Pagination{Cursor: "body.next", CursorField: "after"}, 4, 4},
		"cursor in a body of none": {"POST /x", Pagination{Cursor: "body.next", CursorField: "after"}, 4, 4},
		"number":                   {"GET /x", Pagination{PageParameter: "page"}, 4, 5},
		"number from one":          {"GET /x", Pagination{PageParameter: "page", FirstPage: 1}, 3, 4},
		"number with a condition":  {"GET /x", Pagination{PageParameter: "page", More: "body.more"}, 4, 4},
		"exactly as many as may":   {"GET /x", Pagination{NextLink: "body.link", MaxPages: 4}, 4, 4},
	} {
		asked.Store(0)
		got, err := askHTTP(t, openHTTP(t, HTTPConfig{Address: server.URL, Extract: "body.rows", Pagination: test.pages}), "site", test.query)
		if err != nil || len(got.Samples) != test.sites || asked.Load() != test.asked {
			t.Errorf("%s: got %d sites from %d requests and error %v, want %d from %d", name, len(got.Samples), asked.Load(), err, test.sites, test.asked)
		}
	}
}

func TestPagesThatDoNotEndWell(t *testing.T) {
	tests := []struct {
		name, body string
		pages      Pagination
		reason     Reason
		message    string
	}{
		{"more than may be read", `{"rows":[{"site":"a","value":1}]}`, Pagination{PageParameter: "page", MaxPages: 3}, ResponseTooLarge, "more than 3 pages"},
		{"in a circle", `{"rows":[],"next":"x"}`, Pagination{Cursor: "body.next", CursorParameter: "c"}, InvalidResponse, "the cursor leads to a page that was read already"},
		{"a mark that is none", `{"rows":[],"next":true}`, Pagination{Cursor: "body.next", CursorParameter: "c"}, InvalidResponse, "the cursor gives neither a text nor null"},
		{"half a mark", `{"rows":[],"next":1.5}`, Pagination{Cursor: "body.next", CursorParameter: "c"}, InvalidResponse, "neither a text nor null"},
		{"no mark where one must be", `{"rows":[]}`, Pagination{Cursor: "body.next", CursorParameter: "c"}, InvalidResponse, `there is no "next"`},
		{"a condition that is none", `{"rows":[],"more":"yes"}`, Pagination{PageParameter: "p", More: "body.more"}, InvalidResponse, "neither true nor false"},
		{"another host", `{"rows":[],"next":"http://10.1.2.3/x?hush"}`, Pagination{NextLink: "body.next"}, RedirectRefused, "the next page is at 10.1.2.3:80, which"},
		{"another host without scheme", `{"rows":[],"next":"//10.1.2.3/x"}`, Pagination{NextLink: "body.next"}, RedirectRefused, "the next page is at 10.1.2.3:80, which"},
		{"another scheme", `{"rows":[],"next":"file:///etc/passwd"}`, Pagination{NextLink: "body.next"}, RedirectRefused, "which was not declared"},
		{"no URL", `{"rows":[],"next":"http://[hush"}`, Pagination{NextLink: "body.next"}, InvalidResponse, "is not a URL"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := HTTPConfig{Address: serve(t, jsonly(test.body)).URL, Extract: "body.rows", Pagination: test.pages, BearerToken: secretToken}
			_, err := askHTTP(t, openHTTP(t, cfg), "site", "GET /x")
			wantError(t, err, test.reason, test.message)
		})
	}
}

// A link is the server's own text: it may repeat the credential that it was sent.
func TestALinkToAnotherServerShowsNoCredential(t *testing.T) {
	for _, link := range []string{"http://" + secretToken + ".example/x", secretToken + "://127.0.0.1/x"} {
		cfg := HTTPConfig{Address: serve(t, jsonly(fmt.Sprintf(`{"rows":[],"next":%q}`, link))).URL, Extract: "body.rows", Pagination: Pagination{NextLink: "body.next"}, BearerToken: secretToken}
		_, err := askHTTP(t, openHTTP(t, cfg), "site", "GET /x")
		wantError(t, err, RedirectRefused, "which was not declared")
		if strings.Contains(err.Error(), secretToken) {
			t.Errorf("the message shows the credential: %v", err)
		}
	}
}

func TestTheCaseOfAHostMakesNoOtherServer(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"https://CRM.example/a", "https://crm.example:443/b", true}, {"HTTPS://crm.example", "https://crm.EXAMPLE", true},
		{"https://crm.example", "http://crm.example", false}, {"https://crm.example", "https://crm.example:444", false}, {"https://crm.example", "https://crm.example.org", false},
	} {
		a, errA := url.Parse(test.a)
		b, errB := url.Parse(test.b)
		if errA != nil || errB != nil || sameServer(a, b) != test.want {
			t.Errorf("%s and %s are one server: %t, want %t (%v, %v)", test.a, test.b, !test.want, test.want, errA, errB)
		}
	}
}

// One page that fails makes all others worthless.
func TestAPageThatFailsFailsAll(t *testing.T) {
	for name, last := range map[string]http.HandlerFunc{
		"status": saying(500, "text/plain", "hush"), "web page": saying(200, "text/html", "<html>"), "cut off": jsonly(`{"rows":[{"site":"c"`), "other": jsonly(`{}`),
	} {
		var turn atomic.Int32
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if turn.Add(1) == 3 {
				last(w, r)
				return
			}
			jsonly(fmt.Sprintf(`{"rows":[{"site":"s%d","value":1}],"next":%d}`, turn.Load(), turn.Load()))(w, r)
		})
		source := openHTTP(t, HTTPConfig{Address: server.URL, Extract: "body.rows", Pagination: Pagination{Cursor: "body.next", CursorParameter: "c"}})
		got, err := askHTTP(t, source, "site", "GET /x")
		if err == nil || len(got.Samples) != 0 {
			t.Errorf("%s: got %v and error %v, want an error and nothing else", name, got, err)
		}
	}
}

// All pages of one answer share one limit.
func TestPagesAreLimitedTogether(t *testing.T) {
	body := `{"rows":[],"next":%q,"fill":"` + strings.Repeat("x", 1000) + `"}`
	var turn atomic.Int32
	server := serve(t, func(w http.ResponseWriter, r *http.Request) { jsonly(fmt.Sprintf(body, fmt.Sprint(turn.Add(1))))(w, r) })
	source := openHTTP(t, HTTPConfig{Address: server.URL, Extract: "body.rows", MaxResponseBytes: 5000, Pagination: Pagination{Cursor: "body.next", CursorParameter: "c"}})
	_, err := askHTTP(t, source, "site", "GET /x")
	wantError(t, err, ResponseTooLarge, "more than 5000 bytes")
	if got := turn.Load(); got != 5 {
		t.Errorf("%d pages were asked for, want 5", got)
	}
}

func TestBodiesThatAreTooMuch(t *testing.T) {
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for chunk := bytes.Repeat([]byte(" "), 64<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	for name, test := range map[string]struct {
		says    http.HandlerFunc
		extract string
		message string
	}{
		"without end": {endless, "body", "more than 1048576 bytes"},
		"deep":        {jsonly(strings.Repeat("[", 65) + strings.Repeat("]", 65)), "body", "more than 64 deep"},
		"costly": {jsonly("[" + strings.Repeat("1,", 999) + "1]"), `body.map(a, body.map(b, body.map(c, c)))[0][0].map(v, {"site": "a", "value": v})`,
			"takes too many steps"},
	} {
		_, err := askHTTP(t, openHTTP(t, HTTPConfig{Address: serve(t, test.says).URL, Extract: test.extract, MaxResponseBytes: mebibyte, Timeout: maxTimeout}), "site", "GET /x")
		if ReasonOf(err) != ResponseTooLarge || !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: got error %v, want one with %q", name, err, test.message)
		}
	}
}

func TestTheTimeoutCoversEverything(t *testing.T) {
	t.Run("all pages together", func(t *testing.T) {
		var turn atomic.Int32
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if turn.Add(1) == 3 {
				<-r.Context().Done()
				return
			}
			jsonly(fmt.Sprintf(`{"rows":[],"next":%d}`, turn.Load()))(w, r)
		})
		cfg := HTTPConfig{Address: server.URL, Extract: "body.rows", Timeout: 200 * time.Millisecond, Pagination: Pagination{Cursor: "body.next", CursorParameter: "c"}}
		_, err := askHTTP(t, openHTTP(t, cfg), "site", "GET /x")
		wantError(t, err, Timeout, "(limit 200ms)")
	})
	t.Run("or the caller gives up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		_, err := openHTTP(t, HTTPConfig{Address: server.URL, Extract: "body"}).Measure(ctx, Query{Expression: "GET /x", SiteLabel: "site"}, at)
		wantError(t, err, Canceled, "was canceled")
	})
}

func TestHTTPRedirectsStayHere(t *testing.T) {
	var strangers atomic.Int32
	stranger := serve(t, func(http.ResponseWriter, *http.Request) { strangers.Add(1) })
	away := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, stranger.URL+"/?"+secretToken, http.StatusTemporaryRedirect)
	})
	_, err := askHTTP(t, openHTTP(t, HTTPConfig{Address: away.URL, Extract: "body", BearerToken: secretToken}), "site", "GET /x")
	wantError(t, err, RedirectRefused, "redirects to "+stranger.URL)
	if got := strangers.Load(); got != 0 {
		t.Errorf("a server that was not declared got %d requests, want none", got)
	}
	login := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/login" {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}
		saying(200, "text/html; charset=utf-8", "<html>hush</html>")(w, r)
	})
	_, err = askHTTP(t, openHTTP(t, HTTPConfig{Address: login.URL, Extract: "body"}), "site", "GET /x")
	wantError(t, err, InvalidResponse, "answered with a web page, not with JSON: does it want a login")
}

func TestTheGuardIsAskedForEveryHTTPConnection(t *testing.T) {
	server := serve(t, jsonly(twoRows))
	_, err := NewHTTP(HTTPConfig{Address: server.URL, Extract: "body"})
	wantError(t, err, AddressRefused, "")
	tokens := &OAuth2Config{TokenURL: "http://169.254.169.254/latest/meta-data", ClientID: "id", ClientSecret: "secret"}
	_, err = NewHTTP(HTTPConfig{Address: server.URL, Extract: "body", OAuth2: tokens, Guard: loopback})
	wantError(t, err, AddressRefused, "")
	// A name shows what it stands for only when it is resolved.
	strict := mustGuard(GuardConfig{Allow: []string{"127.0.0.2"}})
	for _, cfg := range []HTTPConfig{
		{Address: strings.Replace(server.URL, "127.0.0.1", "localhost", 1), Guard: strict},
		{Address: server.URL, Guard: mustGuard(GuardConfig{Allow: []string{"127.0.0.1"}}), OAuth2: &OAuth2Config{TokenURL: "http://localhost:1/token", ClientID: "id", ClientSecret: "secret"}},
	} {
		cfg.Extract = "body"
		source, err := NewHTTP(cfg)
		if err == nil {
			t.Cleanup(source.Close)
			_, err = askHTTP(t, source, "site", "GET /x")
		}
		if cfg.OAuth2 == nil || ReasonOf(err) != Unreachable {
			wantError(t, err, AddressRefused, "")
		}
	}
}

// Whatever the answers are like, measurements in a row share one connection, and Close gives it back with its goroutines.
func TestHTTPConnectionsAreReusedAndReleased(t *testing.T) {
	var turn atomic.Int32
	answers := []http.HandlerFunc{jsonly(twoRows), saying(400, "application/json", `{}`), jsonly(twoRows), saying(200, "text/html", "<html>")}
	server, counted := counting(t, func(w http.ResponseWriter, r *http.Request) { answers[int(turn.Add(1)-1)%len(answers)](w, r) })
	before := runtime.NumGoroutine()
	source := openHTTP(t, HTTPConfig{Address: server.URL, Extract: "body"})
	for range 20 {
		_, _ = askHTTP(t, source, "site", "GET /x")
	}
	if got := counted.opened.Load(); got != 1 {
		t.Errorf("%d connections were opened for measurements in a row, want 1", got)
	}
	source.Close()
	eventually(t, "the connection is released", func() bool { return counted.closed.Load() == counted.opened.Load() })
	eventually(t, "all goroutines end", func() bool { return runtime.NumGoroutine() <= before })
	_, err := askHTTP(t, source, "site", "GET /x")
	wantError(t, err, Closed, "is closed")
}
