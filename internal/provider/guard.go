package provider

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Guard decides which addresses a source may be connected to. Who may declare a source is not always who may use the
// operator's place in the network, so an address is judged where it cannot be disguised: in the dialer, after the name
// was resolved, for every connection, also for those that a redirect, a login or another page of an answer asks for. The name is
// resolved once, and what is dialled is the very address that was judged.
//
// Refused always, whoever asks for them: link-local addresses and the metadata services of the clouds, unspecified,
// multicast, broadcast, documentation, benchmark and reserved ranges, and every IPv6 form that hides such an IPv4
// address. Refused unless the administrator allows them: the operator's own machine (loopback, and the addresses of its network interfaces) and the API
// server, as far as it is known by name or address: the machines behind its service are not. All others are allowed, private ones too, since a source in the
// cluster has one. A host of which any address is refused is refused as a whole.
//
// A nil *Guard is the strictest one. It is safe for concurrent use.
type Guard struct {
	allowed []netip.Prefix
	names   map[string]bool
	// servers are the addresses of the API server, and resolved those behind its names.
	servers    []netip.Addr
	resolved   map[string]*known
	resolver   Resolver
	connection func(ctx context.Context, network, address string) (net.Conn, error)
	interfaces func() ([]net.Addr, error)
	now        func() time.Time
	// own are the addresses of this machine.
	own known
}

// Resolver finds the addresses of a host. *net.Resolver is one.
type Resolver interface {
	// LookupNetIP returns the addresses of host; network is "ip" for those of both families.
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// GuardConfig is what an administrator says about addresses.
type GuardConfig struct {
	// Allow are IP addresses, CIDR ranges and host names that may be connected to although they are this machine or the
	// API server. A host name allows what it resolves to, for sources that are declared with that name.
	Allow []string
	// APIServers are the hosts of the API server, as names or IP addresses, with or without a port. Every port of them is refused.
	APIServers []string
	// Resolver finds addresses. nil means that of the operating system.
	Resolver Resolver
}

const (
	// connectTimeout is how long one address may take to accept a connection.
	connectTimeout = 10 * time.Second
	// dialTimeout is how long all of them may take, with finding them.
	dialTimeout = 20 * time.Second
	// maxAddresses is how many a host may have.
	maxAddresses = 16
)

// NewGuard returns a guard. It fails when an entry of Allow can be neither an address nor a name, or is always refused.
func NewGuard(cfg GuardConfig) (*Guard, error) {
	guard := &Guard{names: map[string]bool{}, resolved: map[string]*known{}, resolver: cfg.Resolver}
	for _, entry := range cfg.Allow {
		if err := guard.allow(strings.TrimSpace(entry)); err != nil {
			return nil, err
		}
	}
	for _, server := range cfg.APIServers {
		host := hostOf(server)
		if address, err := netip.ParseAddr(host); err == nil {
			guard.servers = append(guard.servers, address)
		} else if host != "" {
			guard.resolved[canonical(host)] = &known{}
		}
	}
	return guard, nil
}

// allow takes one entry of the administrator's list.
func (g *Guard) allow(entry string) error {
	prefix, err := netip.ParsePrefix(entry)
	if err != nil {
		address, notAddress := netip.ParseAddr(entry)
		if notAddress != nil {
			return g.allowName(entry)
		}
		if address.Zone() != "" {
			return fmt.Errorf("%q cannot be allowed: an address with a zone is always refused", entry)
		}
		address = address.Unmap()
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	if prefix.Addr().Is4In6() {
		return fmt.Errorf("%q cannot be allowed: write an IPv4 range in its own form", entry)
	}
	if what := alwaysRefusedRange(prefix); what != "" {
		return fmt.Errorf("%q cannot be allowed: it is %s, which is always refused", entry, what)
	}
	g.allowed = append(g.allowed, prefix.Masked())
	return nil
}

func (g *Guard) allowName(entry string) error {
	if problem := hostProblem(entry); problem != "" {
		return fmt.Errorf("%q cannot be allowed, it is neither an IP address, a range like 10.0.0.0/8 nor a host name: %s", entry, problem)
	}
	if what := refusedNames[canonical(entry)]; what != "" {
		return fmt.Errorf("%q cannot be allowed: it is %s, which is always refused", entry, what)
	}
	g.names[canonical(entry)] = true
	return nil
}

// DialContext connects to an address of the form host:port, when every address of the host may be connected to. It gives up after 20 seconds, looking up
// included, and refuses a host with more than 16 addresses: a name of somebody else's could keep the operator connecting for hours.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("read the address to connect to: %w", err)
	}
	if !strings.HasPrefix(network, "tcp") {
		return nil, &addressError{what: "not reached over TCP"}
	}
	// net/http goes on with a connection when nobody waits for it any more, without the deadline of who did.
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addresses, err := g.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	unlessAllowed, err := g.forbidden(ctx)
	if err != nil {
		return nil, err
	}
	for _, found := range addresses {
		if err := g.check(host, found, unlessAllowed); err != nil {
			return nil, err
		}
	}
	return g.connect(ctx, network, port, addresses)
}

// vet finds what is wrong with a host before anything is connected: a spelling that hides an address, or an address that is refused. Names are judged
// when they are resolved. It returns an *Error.
func (g *Guard) vet(host string) error {
	if problem := hostProblem(host); problem != "" {
		return invalid("the host of the address %s", problem)
	}
	var refused error
	if what := refusedNames[canonical(host)]; what != "" {
		refused = &addressError{what: what}
	} else if address, err := netip.ParseAddr(host); err == nil {
		refused = g.check(host, address, g.forbiddenLiterally())
	}
	if found, ok := asError[*addressError](refused); ok {
		return found.explained(host)
	}
	return nil
}

// resolve returns the addresses of a host, at least one.
func (g *Guard) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if problem := hostProblem(host); problem != "" {
		return nil, &addressError{what: "not a name or an address in its usual form: it " + problem}
	}
	if what := refusedNames[canonical(host)]; what != "" {
		return nil, &addressError{what: what}
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{address}, nil
	}
	addresses, err := g.lookup(ctx, host)
	if err == nil && len(addresses) == 0 {
		err = &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	if len(addresses) > maxAddresses {
		return nil, &addressError{what: fmt.Sprintf("a name with %d addresses, and at most %d are judged and tried", len(addresses), maxAddresses)}
	}
	return addresses, err
}

func (g *Guard) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	var resolver Resolver = net.DefaultResolver
	if g != nil && g.resolver != nil {
		resolver = g.resolver
	}
	return resolver.LookupNetIP(ctx, "ip", host)
}

// check returns an *addressError for an address of host that must not be connected to.
func (g *Guard) check(host string, address netip.Addr, unlessAllowed forbidden) error {
	if what := alwaysRefused(address); what != "" {
		return &addressError{address: address, what: what}
	}
	what := unlessAllowed.what(address)
	if what == "" || g.allows(host, address) {
		return nil
	}
	return &addressError{address: address, what: what, allowable: true}
}

// allows reports whether the administrator let this address be used, by itself or by the name that it was found under.
func (g *Guard) allows(host string, address netip.Addr) bool {
	if g == nil {
		return false
	}
	if g.names[canonical(host)] {
		return true
	}
	for _, prefix := range g.allowed {
		if prefix.Contains(plain(address)) {
			return true
		}
	}
	return false
}

// connect tries the addresses one after the other, each with its share of the time that ctx leaves.
func (g *Guard) connect(ctx context.Context, network, port string, addresses []netip.Addr) (net.Conn, error) {
	dial := (&net.Dialer{}).DialContext
	if g != nil && g.connection != nil {
		dial = g.connection
	}
	var first error
	for i, address := range addresses {
		deadline, _ := ctx.Deadline()
		share := min(connectTimeout, time.Until(deadline)/time.Duration(len(addresses)-i))
		limited, cancel := context.WithTimeout(ctx, share)
		connection, err := dial(limited, network, net.JoinHostPort(address.String(), port))
		cancel()
		if err == nil {
			return connection, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// addressError says why an address is not connected to.
type addressError struct {
	address   netip.Addr
	what      string
	allowable bool
}

// Error implements error.
func (e *addressError) Error() string { return "the address is " + e.what }

// explained makes the sentence for people.
func (e *addressError) explained(host string) error {
	remedy := "declare another address"
	if e.allowable {
		remedy = "declare another address, or ask the administrator to allow it with --allow-source-hosts"
	}
	if e.address.IsValid() && e.address.String() != strings.Trim(host, "[]") {
		return newError(AddressRefused, e, "%s is not connected to: its address %s is %s; %s", host, e.address, e.what, remedy)
	}
	return newError(AddressRefused, e, "%s is not connected to: it is %s; %s", host, e.what, remedy)
}
