package provider

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// lookedUp is a resolver that counts, and answers for names that it knows.
type lookedUp struct {
	mu       sync.Mutex
	known    map[string]string
	asked    map[string]int
	deadline map[string]time.Duration
}

func (l *lookedUp) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked[host]++
	l.deadline[host] = -1
	if deadline, bounded := ctx.Deadline(); bounded {
		l.deadline[host] = time.Until(deadline)
	}
	if l.known[host] == "" {
		return nil, &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: true}
	}
	return resolved(l.known[host]).LookupNetIP(ctx, "ip", host)
}

func newLookedUp(known map[string]string) *lookedUp {
	return &lookedUp{known: known, asked: map[string]int{}, deadline: map[string]time.Duration{}}
}

// unreachableBy returns a guard whose connections all fail, with a clock by hand.
func unreachableBy(resolver Resolver, clock *byHand, cfg GuardConfig) *Guard {
	cfg.Resolver = resolver
	guard := mustGuard(cfg)
	guard.now = clock.read
	guard.connection = func(context.Context, string, string) (net.Conn, error) { return nil, syscall.EHOSTUNREACH }
	return guard
}

// refusedAs dials, and returns what the address was refused as; "" when it was dialled.
func refusedAs(t *testing.T, guard *Guard, address string) string {
	t.Helper()
	_, err := guard.DialContext(t.Context(), "tcp", address)
	if refused, ok := asError[*addressError](err); ok {
		return refused.what
	}
	if !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Fatalf("%s: %v", address, err)
	}
	return ""
}

func TestTheAPIServerIsLookedUpOnceInAMinute(t *testing.T) {
	resolver, clock := newLookedUp(map[string]string{"api.example": "10.0.0.1", "db.example": "10.0.0.1"}), newByHand()
	guard := unreachableBy(resolver, clock, GuardConfig{APIServers: []string{"https://API.example:6443", "api.example"}})
	mustBe := func(want string, lookUps int) {
		t.Helper()
		if got := refusedAs(t, guard, "db.example:5432"); got != want {
			t.Errorf("the source was refused as %q, want %q", got, want)
		}
		if got := resolver.asked["api.example"]; got != lookUps {
			t.Errorf("the API server was looked up %d times, want %d", got, lookUps)
		}
	}
	mustBe("the API server", 1)
	mustBe("the API server", 1)
	if got := resolver.deadline["api.example"]; got <= 0 || got > serverLookupTimeout {
		t.Errorf("the look-up may take %s, want at most %s", got, serverLookupTimeout)
	}
	clock.advance(knownFor)
	delete(resolver.known, "api.example") // the last answer stands, and is tried again soon
	mustBe("the API server", 2)
	mustBe("the API server", 2)
	clock.advance(retryUnknown)
	resolver.known["api.example"] = "10.0.0.9"
	mustBe("", 3)
}

func TestANameThatWasNeverResolvedIsTriedAgainSoon(t *testing.T) {
	resolver, clock := newLookedUp(map[string]string{"db.example": "10.0.0.1"}), newByHand()
	guard := unreachableBy(resolver, clock, GuardConfig{APIServers: []string{"api.example", "10.0.0.2"}})
	for range 3 {
		if got := refusedAs(t, guard, "db.example:5432"); got != "" {
			t.Errorf("refused as %q", got)
		}
	}
	resolver.known["api.example"] = "10.0.0.1"
	clock.advance(retryUnknown)
	if got := refusedAs(t, guard, "db.example:5432"); got != "the API server" || resolver.asked["api.example"] != 2 {
		t.Errorf("refused as %q after %d look-ups, want the API server after 2", got, resolver.asked["api.example"])
	}
	if got := refusedAs(t, guard, "10.0.0.2:443"); got != "the API server" {
		t.Errorf("the API server's own address was refused as %q", got)
	}
}

func TestTheMachinesOwnAddressesAreRefusedUnlessAllowed(t *testing.T) {
	has := func(addresses ...string) func() ([]net.Addr, error) {
		return func() ([]net.Addr, error) {
			all := []net.Addr{&net.UnixAddr{Name: "not IP"}}
			for _, address := range addresses {
				all = append(all, &net.IPNet{IP: net.ParseIP(address), Mask: net.CIDRMask(8, 32)})
			}
			return all, nil
		}
	}
	clock := newByHand()
	guard := unreachableBy(resolved("10.244.0.7"), clock, GuardConfig{Allow: []string{"10.244.0.8"}})
	guard.interfaces = has("127.0.0.1", "10.244.0.7", "10.244.0.8", "fd00:244::7")
	for address, want := range map[string]string{
		"10.244.0.7:8080": "this machine", "[::ffff:10.244.0.7]:8080": "this machine", "[64:ff9b::10.244.0.7]:8080": "this machine", "[fd00:244::7]:8080": "this machine",
		"me.example:8080": "this machine", "127.0.0.1:8080": "this machine (loopback)", "10.244.0.8:8080": "", "10.244.0.9:8080": "",
	} {
		if got := refusedAs(t, guard, address); got != want {
			t.Errorf("%s was refused as %q, want %q", address, got, want)
		}
	}
	wantError(t, guard.vet("10.244.0.7"), AddressRefused, "10.244.0.7 is not connected to: it is this machine; declare another address, or ask the administrator")

	guard.interfaces = has("10.244.0.9")
	clock.advance(knownFor)
	if got := refusedAs(t, guard, "10.244.0.9:8080"); got != "this machine" {
		t.Errorf("an address that the machine has got since was refused as %q", got)
	}
	clock.advance(knownFor)
	guard.interfaces = func() ([]net.Addr, error) { return nil, syscall.EMFILE }
	if _, err := guard.DialContext(t.Context(), "tcp", "10.0.0.1:80"); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("got error %v, want nothing to be dialled while the machine's addresses are not known", err)
	}
}

// Whatever addresses the machine of this test has: without a guard none of them is reached.
func TestNoGuardKnowsTheMachinesOwnAddresses(t *testing.T) {
	own, err := net.InterfaceAddrs()
	if err != nil || len(own) == 0 {
		t.Fatalf("the machine has the addresses %v (error %v)", own, err)
	}
	plainGuard, err := NewGuard(GuardConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, guard := range []*Guard{nil, plainGuard} {
		for _, address := range own {
			host, _, _ := strings.Cut(address.String(), "/")
			if _, err := guard.DialContext(t.Context(), "tcp", net.JoinHostPort(host, "1")); err == nil {
				t.Errorf("%s was dialled", host)
			} else if _, refused := asError[*addressError](err); !refused {
				t.Errorf("%s: got error %v, want a refusal", host, err)
			}
		}
	}
}

// net/http goes on dialling, without a deadline, when the request that wanted the connection is over.
func TestDiallingIsBoundedWithoutADeadline(t *testing.T) {
	many := func(n int) string {
		all := make([]string, n)
		for i := range all {
			all[i] = netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}).String()
		}
		return strings.Join(all, ",")
	}
	resolver := newLookedUp(map[string]string{"few.example": many(maxAddresses), "many.example": many(maxAddresses + 1)})
	guard := unreachableBy(resolver, newByHand(), GuardConfig{})
	tried := 0
	guard.connection = func(ctx context.Context, _, _ string) (net.Conn, error) {
		deadline, bounded := ctx.Deadline()
		if left := time.Until(deadline); !bounded || left > dialTimeout/time.Duration(maxAddresses-tried) || left > connectTimeout {
			t.Errorf("address %d may take %s, bounded: %t", tried+1, left, bounded)
		}
		tried++
		return nil, syscall.EHOSTUNREACH
	}
	detached := context.WithoutCancel(t.Context())
	if _, err := guard.DialContext(detached, "tcp", "few.example:80"); !errors.Is(err, syscall.EHOSTUNREACH) || tried != maxAddresses {
		t.Errorf("%d addresses were tried (error %v), want %d", tried, err, maxAddresses)
	}
	if got := resolver.deadline["few.example"]; got <= 0 || got > dialTimeout {
		t.Errorf("the look-up may take %s, want at most %s", got, dialTimeout)
	}
	tried = 0
	_, err := guard.DialContext(detached, "tcp", "many.example:80")
	refused, ok := asError[*addressError](err)
	if !ok || tried > 0 {
		t.Fatalf("%d addresses were tried (error %v), want a refusal", tried, err)
	}
	wantError(t, refused.explained("many.example:80"), AddressRefused, "many.example:80 is not connected to: it is a name with 17 addresses, and at most 16 are judged and tried; declare another address")
}
