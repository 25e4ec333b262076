package provider

import (
	"net/netip"
)

// refusedRange is a range that no source can be in.
type refusedRange struct {
	prefix netip.Prefix
	what   string
}

// refusedRanges are refused whoever asks for them. The registries are RFC 6890 and its updates at IANA; the metadata
// services are those that the clouds document. A first match names the range, so the particular ones stand first.
var refusedRanges = []refusedRange{
	{netip.MustParsePrefix("169.254.169.254/32"), "the metadata service of a cloud"},
	{netip.MustParsePrefix("100.100.100.200/32"), "the metadata service of a cloud"}, // Alibaba Cloud
	{netip.MustParsePrefix("168.63.129.16/32"), "the metadata service of a cloud"},   // Azure
	{netip.MustParsePrefix("192.0.0.192/32"), "the metadata service of a cloud"},     // Oracle Cloud
	{netip.MustParsePrefix("fd00:ec2::/32"), "the metadata service of a cloud"},      // AWS: metadata, DNS, clock, pod identity
	{netip.MustParsePrefix("fd20:ce::254/128"), "the metadata service of a cloud"},   // Google Cloud
	{netip.MustParsePrefix("fd00:42::42/128"), "the metadata service of a cloud"},    // Scaleway

	{netip.MustParsePrefix("0.0.0.0/8"), "an unspecified address"},
	{netip.MustParsePrefix("169.254.0.0/16"), "a link-local address"},
	{netip.MustParsePrefix("192.0.0.0/24"), "a reserved address"},
	{netip.MustParsePrefix("192.0.2.0/24"), "an address for documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "a reserved address"},
	{netip.MustParsePrefix("198.18.0.0/15"), "an address for benchmarks"},
	{netip.MustParsePrefix("198.51.100.0/24"), "an address for documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "an address for documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address"},
	{netip.MustParsePrefix("255.255.255.255/32"), "the broadcast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), "a reserved address"},

	{netip.MustParsePrefix("::/128"), "an unspecified address"},
	{netip.MustParsePrefix("fe80::/10"), "a link-local address"},
	{netip.MustParsePrefix("fec0::/10"), "a site-local address"},
	{netip.MustParsePrefix("ff00::/8"), "a multicast address"},
	{netip.MustParsePrefix("2001:db8::/32"), "an address for documentation"},
	{netip.MustParsePrefix("3fff::/20"), "an address for documentation"},
	{netip.MustParsePrefix("2001:2::/48"), "an address for benchmarks"},
	{netip.MustParsePrefix("2001::/32"), "a Teredo address, which hides an IPv4 address"},
	{netip.MustParsePrefix("2001::/23"), "a reserved address"},
	{netip.MustParsePrefix("2002::/16"), "a 6to4 address, which hides an IPv4 address"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "an address of a local translator, which hides an IPv4 address"},
}

var (
	// usable are the parts of IPv6 that are handed out for use; the rest is reserved.
	usable = []netip.Prefix{netip.MustParsePrefix("2000::/3"), netip.MustParsePrefix("fc00::/7")}
	// nat64 is the well-known prefix of translators: the last four bytes are the IPv4 address that is reached.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

// alwaysRefused says in what way an address is one that no source can have; "" when it may be one.
func alwaysRefused(address netip.Addr) string {
	if !address.IsValid() || address.Zone() != "" {
		return "an address that is valid on one link only"
	}
	address = plain(address)
	for _, refused := range refusedRanges {
		if refused.prefix.Contains(address) {
			return refused.what
		}
	}
	if address.Is4() || address.IsLoopback() {
		return ""
	}
	if hidden, found := isatap(address); found && (alwaysRefused(hidden) != "" || hidden.IsLoopback()) {
		return "an IPv6 address that hides an IPv4 address which is refused"
	}
	for _, prefix := range usable {
		if prefix.Contains(address) {
			return ""
		}
	}
	return "a reserved address"
}

// alwaysRefusedRange says in what way all addresses of a range are always refused; "" when some are not.
func alwaysRefusedRange(prefix netip.Prefix) string {
	for _, refused := range refusedRanges {
		if refused.prefix.Bits() <= prefix.Bits() && refused.prefix.Contains(prefix.Addr()) {
			return refused.what
		}
	}
	if prefix.IsSingleIP() {
		return alwaysRefused(prefix.Addr())
	}
	return ""
}

// reachesItself reports whether an address is of whichever machine connects to it.
func reachesItself(address netip.Addr) bool { return plain(address).IsLoopback() }

// same reports whether two addresses reach the same host, in whichever form they are written.
func same(a, b netip.Addr) bool { return plain(a) == plain(b) }

// plain returns the IPv4 address for the IPv6 forms under which the kernel or a translator reaches one.
func plain(address netip.Addr) netip.Addr {
	if nat64.Contains(address) {
		last := address.As16()
		return netip.AddrFrom4([4]byte(last[12:]))
	}
	return address.Unmap().WithZone("")
}

// isatap finds the IPv4 address in the interface part of an address of the tunnel of RFC 5214.
func isatap(address netip.Addr) (netip.Addr, bool) {
	b := address.As16()
	if b[8]&^0x03 != 0 || b[9] != 0 || b[10] != 0x5e || b[11] != 0xfe {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(b[12:])), true
}
