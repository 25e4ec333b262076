package provider

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// serverLookupTimeout bounds the look-up of the API server's names, which a connection to a source waits for.
	serverLookupTimeout = 2 * time.Second
	// knownFor is how long the addresses of this machine and of the API server are relied on. They hardly ever change.
	knownFor = time.Minute
	// retryUnknown is how soon a name of the API server is looked up again that could not be resolved.
	retryUnknown = 10 * time.Second
)

// known remembers addresses for a while. The zero value knows none.
type known struct {
	mu        sync.Mutex
	addresses []netip.Addr
	until     time.Time
}

// get returns the addresses, and finds them anew when it is time. find returns for how long they are good; those who come meanwhile wait for it.
func (k *known) get(now func() time.Time, find func(last []netip.Addr) ([]netip.Addr, time.Duration, error)) ([]netip.Addr, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now().Before(k.until) {
		return k.addresses, nil
	}
	found, good, err := find(k.addresses)
	if err != nil {
		return nil, err
	}
	k.addresses, k.until = found, now().Add(good)
	return found, nil
}

// forbidden are addresses that need the administrator's word, besides loopback.
type forbidden struct {
	// own are those of this machine: in a cluster, of the operator's Pod.
	own []netip.Addr
	// servers are those of the API server.
	servers []netip.Addr
}

// what says what an address is; "" when it is none of them.
func (f forbidden) what(address netip.Addr) string {
	for _, server := range f.servers {
		if same(server, address) {
			return "the API server"
		}
	}
	if reachesItself(address) {
		return "this machine (loopback)"
	}
	for _, own := range f.own {
		if same(own, address) {
			return "this machine"
		}
	}
	return ""
}

// forbidden returns the addresses as they are now.
func (g *Guard) forbidden(ctx context.Context) (forbidden, error) {
	own, err := g.ownAddresses()
	if err != nil {
		return forbidden{}, err
	}
	return forbidden{own: own, servers: slices.Concat(g.literalServers(), g.resolvedServers(ctx))}, nil
}

// forbiddenLiterally returns the addresses that are known without asking anybody else.
func (g *Guard) forbiddenLiterally() forbidden {
	own, _ := g.ownAddresses() // who cannot tell them now fails when it connects
	return forbidden{own: own, servers: g.literalServers()}
}

// literalServers returns the addresses of the API server that need no look-up.
func (g *Guard) literalServers() []netip.Addr {
	if g == nil {
		return nil
	}
	return g.servers
}

func (g *Guard) time() time.Time {
	if g == nil || g.now == nil {
		return time.Now()
	}
	return g.now()
}

// ownAddresses returns the addresses of this machine's network interfaces. What listens there may trust those who come from the machine itself.
func (g *Guard) ownAddresses() ([]netip.Addr, error) {
	if g == nil {
		return interfaceAddresses(net.InterfaceAddrs)
	}
	read := g.interfaces
	if read == nil {
		read = net.InterfaceAddrs
	}
	return g.own.get(g.time, func([]netip.Addr) ([]netip.Addr, time.Duration, error) {
		found, err := interfaceAddresses(read)
		return found, knownFor, err
	})
}

func interfaceAddresses(read func() ([]net.Addr, error)) ([]netip.Addr, error) {
	all, err := read()
	if err != nil {
		return nil, fmt.Errorf("find the addresses of this machine: %w", err)
	}
	found := make([]netip.Addr, 0, len(all))
	for _, one := range all {
		network, ok := one.(*net.IPNet)
		if !ok {
			continue
		}
		if address, ok := netip.AddrFromSlice(network.IP); ok {
			found = append(found, address)
		}
	}
	return found, nil
}

// resolvedServers returns the addresses behind the names of the API server. While a name cannot be resolved, the last ones that were known stand; it is
// skipped when there are none: then nobody reaches the server by it.
func (g *Guard) resolvedServers(ctx context.Context) []netip.Addr {
	if g == nil {
		return nil
	}
	// What is found is for all connections, so it does not end with the one that happens to look.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), serverLookupTimeout)
	defer cancel()
	var all []netip.Addr
	for host, addresses := range g.resolved {
		found, _ := addresses.get(g.time, func(last []netip.Addr) ([]netip.Addr, time.Duration, error) {
			found, err := g.lookup(ctx, host)
			if err != nil {
				return last, retryUnknown, nil
			}
			return found, knownFor, nil
		})
		all = append(all, found...)
	}
	return all
}
