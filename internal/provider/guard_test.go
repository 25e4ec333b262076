package provider

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhatAnAdministratorCannotAllow(t *testing.T) {
	tests := map[string]string{
		"169.254.169.254":           "the metadata service of a cloud, which is always refused",
		"169.254.0.0/16":            "a link-local address, which is always refused",
		"169.254.1.0/24":            "always refused",
		"100.100.100.200/32":        "always refused",
		"::ffff:169.254.169.254":    "always refused",
		"::ffff:169.254.0.0/112":    "write an IPv4 range in its own form",
		"64:ff9b::a9fe:a9fe":        "always refused",
		"fe80::1":                   "a link-local address",
		"fe80::/10":                 "a link-local address",
		"fe80::1%eth0":              "an address with a zone",
		"0.0.0.0":                   "an unspecified address",
		"::":                        "an unspecified address",
		"2001:db8::/48":             "an address for documentation",
		"metadata.google.internal":  "the metadata service of a cloud",
		"METADATA.google.internal.": "the metadata service of a cloud",
		"":                          "is empty",
		"127.1":                     "ends in a number",
		"10.0.0.0/33":               "has a character",
		"http://prometheus":         "has a character",
		"prometheus:9090":           "has a character",
	}
	for entry, message := range tests {
		guard, err := NewGuard(GuardConfig{Allow: []string{"127.0.0.1", entry}})
		if err == nil || guard != nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%q: got guard %v and error %v, want an error with %q", entry, guard, err, message)
		}
	}
	for _, entry := range []string{"127.0.0.1", " ::1", "10.96.0.1", "0.0.0.0/0", "::/0", "100.64.0.0/10", "prometheus.example", "a_b", "localhost."} {
		if _, err := NewGuard(GuardConfig{Allow: []string{entry}}); err != nil {
			t.Errorf("%q: %v", entry, err)
		}
	}
}

// A range that holds refused addresses allows the others.
func TestAWideRangeDoesNotAllowWhatIsAlwaysRefused(t *testing.T) {
	guard := mustGuard(GuardConfig{Allow: []string{"0.0.0.0/0", "::/0", "meta.example"}, Resolver: resolved("169.254.169.254")})
	for _, address := range []string{"169.254.169.254:80", "[fd00:ec2::254]:80", "0.0.0.0:80", "[::ffff:a9fe:a9fe]:80", "meta.example:80"} {
		_, err := guard.DialContext(t.Context(), "tcp", address)
		if _, refused := asError[*addressError](err); !refused {
			t.Errorf("%s: got error %v, want a refusal", address, err)
		}
	}
}

// resolved is a resolver that knows one answer.
type resolved string

func (a resolved) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	var all []netip.Addr
	for text := range strings.SplitSeq(string(a), ",") {
		all = append(all, netip.MustParseAddr(text))
	}
	return all, nil
}

func TestNoGuardIsTheStrictestOne(t *testing.T) {
	server := serve(t, vector(series("a", "1")))
	_, err := NewPrometheus(PrometheusConfig{Address: server.URL})
	wantError(t, err, AddressRefused, "is not connected to: it is this machine (loopback); declare another address, or ask the administrator to allow it with --allow-source-hosts")

	_, port, _ := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	source, err := NewPrometheus(PrometheusConfig{Address: "http://localhost:" + port})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	_, err = source.Measure(t.Context(), allSites, at)
	wantError(t, err, AddressRefused, "localhost:"+port+" is not connected to: its address ")
}

func TestTheAPIServerIsKnownByEveryHostItIsGiven(t *testing.T) {
	for _, server := range []string{"10.0.0.1", "10.0.0.1:6443", "https://10.0.0.1", "https://10.0.0.1:6443/prefix", "[fd00::1]:443", "https://[fd00::1]", "api.example", "https://api.example:6443"} {
		guard := mustGuard(GuardConfig{APIServers: []string{"", server}, Resolver: resolved("10.0.0.1,fd00::1")})
		guard.connection = func(_ context.Context, _, address string) (net.Conn, error) {
			t.Errorf("%s: %s was connected to", server, address)
			return nil, syscall.ECONNREFUSED
		}
		_, err := guard.DialContext(t.Context(), "tcp", "another-name.example:9090")
		if refused, ok := asError[*addressError](err); !ok || refused.what != "the API server" || !refused.allowable {
			t.Errorf("%s: got error %v, want a refusal because of the API server", server, err)
		}
	}
}

// What is dialled is what was judged: the name is not handed on to be resolved again.
func TestTheCheckedAddressesAreTriedInTheirOrder(t *testing.T) {
	guard := mustGuard(GuardConfig{Resolver: resolved("2a00:1450::1,10.0.0.5,10.0.0.6")})
	var tried []string
	guard.connection = func(ctx context.Context, _, address string) (net.Conn, error) {
		tried = append(tried, address)
		if deadline, bounded := ctx.Deadline(); !bounded || time.Until(deadline) > connectTimeout {
			t.Errorf("%s may take until %s, want a share of the time", address, deadline)
		}
		if strings.HasPrefix(address, "10.0.0.5") {
			ours, theirs := net.Pipe()
			t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
			return ours, nil
		}
		return nil, syscall.EHOSTUNREACH
	}
	if _, err := guard.DialContext(t.Context(), "tcp", "source.example:9090"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"[2a00:1450::1]:9090", "10.0.0.5:9090"}, tried); diff != "" {
		t.Errorf("connections (-want +got):\n%s", diff)
	}
	guard.connection = func(context.Context, string, string) (net.Conn, error) { return nil, syscall.EHOSTUNREACH }
	if _, err := guard.DialContext(t.Context(), "tcp", "source.example:9090"); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("got error %v, want the one of the connection", err)
	}
	for _, network := range []string{"udp", "unix", "ip"} {
		if _, err := guard.DialContext(t.Context(), network, "source.example:9090"); err == nil {
			t.Errorf("%s was dialled", network)
		}
	}
}
