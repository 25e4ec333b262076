package provider

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// ssrfSources are the kinds of sources that take an address, each opened as somebody would who puts the address of a trick into it.
var ssrfSources = map[string]ssrfSource{
	"prometheus": {
		open: func(address string, guard *Guard) (Provider, error) {
			return NewPrometheus(PrometheusConfig{Address: address, Guard: guard})
		},
		query: allSites, web: true,
	},
	"http": {
		open: func(address string, guard *Guard) (Provider, error) {
			return NewHTTP(HTTPConfig{Address: address, Extract: `[{"site": "a", "value": 1.0}]`, Guard: guard})
		},
		query: Query{Expression: "GET " + queryPath, SiteLabel: "site"}, web: true,
	},
	"http, where it logs in": {
		open: func(address string, guard *Guard) (Provider, error) {
			return NewHTTP(HTTPConfig{Address: "http://" + harmless, Extract: "body", Guard: guard,
				OAuth2: &OAuth2Config{TokenURL: address, ClientID: "ann", ClientSecret: secretPassword}})
		},
		query: Query{Expression: "GET /", SiteLabel: "site"}, web: true, silent: true, asks: true,
	},
	"postgresql": {open: openSQLTrick(PostgreSQL), query: Query{Expression: "select 1", SiteLabel: "site"}, silent: true},
	"mysql":      {open: openSQLTrick(MySQL), query: Query{Expression: "select 1", SiteLabel: "site"}, silent: true},
}

// ssrfSource is one kind.
type ssrfSource struct {
	open  func(address string, guard *Guard) (Provider, error)
	query Query
	// web is true when the address is a URL, and redirects may come.
	web bool
	// silent is true when the target does not speak what the source does, so that reaching it brings no answer.
	silent bool
	// asks is true when the address may have a query.
	asks bool
}

// takes reports whether a trick is one for this kind.
func (s ssrfSource) takes(c trick) bool {
	if s.web {
		return !s.asks || !strings.Contains(c.address, "?")
	}
	return c.redirect == "" && strings.HasPrefix(c.address, "http")
}

// openSQLTrick takes host and port out of the URL of a trick, as they stand there.
func openSQLTrick(engine SQLEngine) func(string, *Guard) (Provider, error) {
	return func(address string, guard *Guard) (Provider, error) {
		_, server, _ := strings.Cut(address, "://")
		if u, err := url.Parse(address); err == nil && u.User == nil && u.RawQuery == "" && u.Path != "" {
			server = u.Host
		}
		if _, _, err := net.SplitHostPort(server); err != nil && strings.Contains(err.Error(), "missing port") {
			server += ":5432"
		}
		return NewSQL(SQLConfig{Engine: engine, Address: server, Database: "crm", Username: "ann", Password: secretPassword, InsecurePlaintext: true, Guard: guard})
	}
}

// harmless is the address of a host elsewhere that refuses connections.
const harmless = "93.184.215.14"

// arena is what tricks run in: a resolver that answers what they want it to, a server that is allowed as metrics.test and
// redirects, a target on this machine that is not allowed, and a count of all connections by what they were made to.
type arena struct {
	server, target *url.URL
	reached        atomic.Int32

	mu       sync.Mutex
	answers  []string
	redirect string
	dialled  []string
	// hangsUp ends connections to the target at once, for sources that would wait for it to speak their protocol.
	hangsUp bool
}

func newArena(t *testing.T) *arena {
	a := &arena{}
	parse := func(handler http.HandlerFunc) *url.URL {
		u, err := url.Parse(serve(t, handler).URL)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	a.target = parse(func(w http.ResponseWriter, r *http.Request) {
		a.reached.Add(1)
		vector(series("a", "1"))(w, r)
	})
	a.server = parse(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // so that the next request has to be dialled
		if status, err := strconv.Atoi(path.Base(strings.TrimSuffix(r.URL.Path, queryPath))); err == nil {
			a.mu.Lock()
			w.Header().Set("Location", a.redirect)
			a.mu.Unlock()
			w.WriteHeader(status)
			return
		}
		vector(series("a", "1"))(w, r)
	})
	return a
}

// LookupNetIP implements Resolver: the answers to one question after the other, of which the last one stays.
func (a *arena) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if host == "api.cluster.internal" {
		return []netip.Addr{netip.MustParseAddr("192.168.49.2"), netip.MustParseAddr("fd00:10:96::1")}, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.answers) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	var found []netip.Addr
	for text := range strings.SplitSeq(a.answers[0], ",") {
		found = append(found, netip.MustParseAddr(text))
	}
	if len(a.answers) > 1 {
		a.answers = a.answers[1:]
	}
	return found, nil
}

// connect stands in for the network. Nothing is ever sent beyond this machine.
func (a *arena) connect(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	switch {
	case host == harmless:
		return nil, syscall.ECONNREFUSED
	case host == "127.0.0.1" && port == a.server.Port():
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	a.mu.Lock()
	a.dialled = append(a.dialled, address)
	hangsUp := a.hangsUp
	a.mu.Unlock()
	if hangsUp {
		return nil, syscall.ECONNRESET
	}
	return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", a.target.Port()))
}

func (a *arena) guard(t *testing.T, allow ...string) *Guard {
	t.Helper()
	guard, err := NewGuard(GuardConfig{Allow: allow, APIServers: []string{"https://10.96.0.1:443", "api.cluster.internal:6443"}, Resolver: a})
	if err != nil {
		t.Fatal(err)
	}
	guard.connection, guard.interfaces = a.connect, func() ([]net.Addr, error) { return nil, nil }
	return guard
}

// try opens a source, measures as often as the answers of the resolver change, and returns the last error.
func (a *arena) try(t *testing.T, kind ssrfSource, c trick, guard *Guard) error {
	t.Helper()
	a.mu.Lock()
	a.hangsUp = kind.silent
	a.answers, a.redirect = strings.FieldsFunc(c.answers, func(r rune) bool { return r == ';' }), a.fill(c.redirect)
	a.mu.Unlock()
	source, err := kind.open(a.fill(c.address), guard)
	if err != nil {
		return err
	}
	defer source.Close()
	for range max(1, strings.Count(c.answers, ";")+1) {
		if _, err = source.Measure(t.Context(), kind.query, at); c.reason != "Rebinding" || ReasonOf(err) != Unreachable {
			return err
		}
	}
	return err
}

// fill puts the ports in.
func (a *arena) fill(address string) string {
	return strings.NewReplacer("{target}", a.target.Port(), "{server}", a.server.Port()).Replace(address)
}

// trick is a line of the corpus.
type trick struct {
	line                               int
	reason, address, answers, redirect string
}

func tricks(t *testing.T) []trick {
	t.Helper()
	corpus, err := os.ReadFile("testdata/ssrf-corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	spelt := strings.NewReplacer(`\t`, "\t", `\r`, "\r", `\n`, "\n", `\\`, `\`)
	var all []trick
	for i, line := range strings.Split(string(corpus), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		columns := append(strings.Split(line, "\t"), "", "")
		all = append(all, trick{line: i + 1, reason: columns[0], address: spelt.Replace(columns[1]), answers: columns[2], redirect: columns[3]})
	}
	return all
}

func TestNoTrickReachesItsTarget(t *testing.T) {
	a, all := newArena(t), tricks(t)
	if len(all) < 200 {
		t.Fatalf("the corpus has %d tricks, want at least 200", len(all))
	}
	guard := a.guard(t, "metrics.test")
	for name, kind := range ssrfSources {
		count := map[string]int{}
		for _, c := range all {
			if !kind.takes(c) {
				continue
			}
			want := Reason(c.reason)
			if c.reason == "Rebinding" {
				want = AddressRefused
			}
			err := a.try(t, kind, c, guard)
			count[c.reason]++
			// A host that one kind cannot read, another one reads and refuses.
			if got := ReasonOf(err); got != want && (want != InvalidConfiguration || got != AddressRefused) {
				t.Errorf("%s: line %d, %q: got reason %q (%v), want %s", name, c.line, c.address, got, err, want)
				continue
			}
			wantError(t, err, ReasonOf(err), "")
		}
		t.Logf("%s: tricks %v, %d connections to a target", name, count, len(a.dialled))
	}
	if got := a.reached.Load(); got > 0 || len(a.dialled) > 0 {
		t.Errorf("%d requests reached the target; connections were made to %q", got, a.dialled)
	}
}

// The same arena lets through what is allowed: it would show a trick that works.
func TestTheArenaShowsWhatIsReached(t *testing.T) {
	tests := []struct {
		allow string
		trick trick
	}{
		{"127.0.0.1", trick{address: "http://127.0.0.1:{target}"}},
		{"127.0.0.0/8", trick{address: "http://127.1.2.3:{target}"}},
		{"127.0.0.1", trick{address: "http://[::ffff:127.0.0.1]:{target}"}},
		{"127.0.0.1", trick{address: "http://[64:ff9b::127.0.0.1]:{target}"}},
		{"::1", trick{address: "http://[::1]:{target}"}},
		{"localhost", trick{address: "http://LOCALHOST.:{target}", answers: "::1,127.0.0.1"}},
		{"127.0.0.1", trick{address: "http://local.example:{target}", answers: "127.0.0.1"}},
		{"127.0.0.1,::1", trick{address: "http://local.example:{target}", answers: "::1,127.0.0.1"}},
		{"10.96.0.1", trick{address: "http://10.96.0.1:{target}"}},
		{"10.96.0.0/12", trick{address: "http://kubernetes.default.svc:{target}", answers: "10.96.0.1"}},
		{"fd00:10:96::1", trick{address: "http://[fd00:10:96::1]:{target}"}},
		{"0.0.0.0/0", trick{address: "http://127.0.0.1:{target}"}},
		{"", trick{address: "http://prometheus.monitoring.svc:{target}", answers: "10.0.0.5"}},
		{"", trick{address: "http://172.16.0.1:{target}"}},
		{"", trick{address: "http://192.168.1.10:{target}"}},
		{"", trick{address: "http://100.64.0.1:{target}"}},
		{"", trick{address: "http://[fd12:3456::10]:{target}"}},
		{"", trick{address: "http://[2a00:1450::1]:{target}"}},
		{"", trick{address: "http://[64:ff9b::8.8.8.8]:{target}"}},
		{"", trick{address: "http://8.8.8.8:{target}"}},
		{"metrics.test", trick{address: "http://metrics.test:{server}/to/307", answers: "127.0.0.1;10.0.0.5", redirect: "http://metrics.test:{server}/elsewhere"}},
	}
	a := newArena(t)
	for name, kind := range ssrfSources {
		for _, test := range tests {
			if !kind.takes(test.trick) {
				continue
			}
			before := a.reached.Load()
			a.dialled = nil
			err := a.try(t, kind, test.trick, a.guard(t, strings.FieldsFunc(test.allow, func(r rune) bool { return r == ',' })...))
			if !kind.silent && (err != nil || a.reached.Load() != before+1) {
				t.Errorf("%s, %s with %q allowed: %d requests reached the target, error %v", name, test.trick.address, test.allow, a.reached.Load()-before, err)
			}
			if len(a.dialled) == 0 {
				t.Errorf("%s, %s with %q allowed: no connection was made to the target (error %v)", name, test.trick.address, test.allow, err)
			}
		}
	}
}

// A proxy would be connected to in place of the source, and would resolve its name once more.
func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, "http://169.254.169.254:3128")
	}
	a := newArena(t)
	for name, kind := range ssrfSources {
		a.dialled = nil
		c := trick{address: "http://prometheus.example:9090", answers: "10.0.0.5"}
		if err := a.try(t, kind, c, a.guard(t)); err != nil && !kind.silent {
			t.Errorf("%s: %v", name, err)
		}
		if len(a.dialled) == 0 || slices.ContainsFunc(a.dialled, func(address string) bool { return address != "10.0.0.5:9090" }) {
			t.Errorf("%s: connections were made to %q, want 10.0.0.5:9090 alone", name, a.dialled)
		}
	}
}
