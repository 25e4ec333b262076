package provider

import (
	"net"
	"net/netip"
	"strings"
)

// refusedNames are names that no source has. They would be refused by their addresses too, unless a resolver lies.
var refusedNames = map[string]string{
	"metadata.google.internal":   "the metadata service of a cloud",
	"metadata.goog":              "the metadata service of a cloud",
	"metadata.azure.internal":    "the metadata service of a cloud",
	"instance-data":              "the metadata service of a cloud",
	"instance-data.ec2.internal": "the metadata service of a cloud",
}

// canonical returns a host name as it is compared.
func canonical(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// hostOf returns the host of "host", "host:port", "[host]:port" or a URL.
func hostOf(server string) string {
	if _, rest, isURL := strings.Cut(server, "://"); isURL {
		server, _, _ = strings.Cut(rest, "/")
	}
	if host, _, err := net.SplitHostPort(server); err == nil {
		server = host
	}
	return strings.Trim(server, "[]")
}

// hostProblem says what is wrong with the spelling of a host; "" when it is an IP address in its usual form or can be a
// host name. Other spellings of addresses (decimal, octal, hexadecimal, shortened, in foreign digits) mean different
// things to different resolvers, so they are refused before anybody asks one.
func hostProblem(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		if strings.Contains(host, "%") {
			return "has a zone: leave out the % and what follows"
		}
		return ""
	}
	name := strings.TrimSuffix(host, ".")
	if name == "" || len(name) > 253 {
		return "is empty or longer than 253 characters"
	}
	for _, r := range name {
		if !nameRune(r) {
			return "has a character that no host name has: write an international name in its ASCII form (xn--…)"
		}
	}
	if last := name[strings.LastIndexByte(name, '.')+1:]; numeric(last) {
		return "ends in a number without being an IP address: write four decimal numbers, like 10.0.0.1"
	}
	return ""
}

func nameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
}

// numeric reports whether a resolver may take the last part of a host for a number.
func numeric(label string) bool {
	lower := strings.ToLower(label)
	digits, isHex := strings.CutPrefix(lower, "0x")
	alphabet := "0123456789"
	if isHex {
		alphabet += "abcdef"
	}
	return strings.Trim(digits, alphabet) == "" && (isHex || digits != "")
}
