package e2e

import (
	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/provider"
)

// brokenAddresses are sources that the operator does not connect to, or does not know how to read.
func brokenAddresses() []broken {
	refusedHere := toldStalled("MetricProvider", string(provider.AddressRefused))
	source := func(name, declared string) string {
		return `{kind: MetricProvider, metadata: {name: ` + name + `}, spec: {` + declared + `}}`
	}
	prometheus := func(name, address string) string { return source(name, `prometheus: {address: "`+address+`"}`) }
	// The secret is that of another row.
	const login = `clientID: {name: token, key: token}, clientSecret: {name: token, key: token}`
	unread := broken{input: "a query to a CRM that does not say where the numbers are", manifests: source("unread", `http: {address: "$SOURCE"}`) + `
---
{kind: KPI, metadata: {name: unread}, spec: {provider: {name: unread}, direction: HigherIsBetter, interval: 2s, query: GET /numbers}}`,
		kind: "KPI", name: "unread", condition: ready, status: "False", reason: string(provider.InvalidConfiguration), piece: "nothing says where the rows are in the answer"}
	return []broken{
		refusedHere("the metadata service of the cloud as a source", "metadata", prometheus("metadata", "https://169.254.169.254"), "169.254.169.254 is not connected to: it is the metadata service of a cloud"),
		toldStalled("MetricProvider", v1alpha1.ReasonInvalidSpec)("the same in one number", "number", prometheus("number", "http://2852039166"), "ends in a number without being an IP address"),
		refusedHere("the same in IPv6", "mapped", prometheus("mapped", "http://[::ffff:169.254.169.254]:80"), "the metadata service of a cloud"),
		refusedHere("an address that is valid on one link", "link-local", prometheus("link-local", "http://[fe80::1]:9090"), "a link-local address"),
		refusedHere("the operator's own machine, where the administrator does not allow it", "loopback", prometheus("loopback", "http://[::1]:9090"), "ask the administrator to allow it with --allow-source-hosts"),
		refusedHere("the metadata service as a database", "metadata-sql",
			source("metadata-sql", `sql: {engine: PostgreSQL, address: "169.254.169.254:5432", database: crm, username: {name: token, key: token}, password: {name: token, key: token}}`), "the metadata service of a cloud"),
		refusedHere("the metadata service as a CRM", "metadata-http", source("metadata-http", `http: {address: "http://metadata.google.internal"}`), "metadata.google.internal is not connected to"),
		refusedHere("the metadata service as a token endpoint", "metadata-token",
			source("metadata-token", `http: {address: "$SOURCE", auth: {oauth2: {tokenURL: "http://169.254.169.254/latest/api/token", `+login+`}}}`), "the metadata service of a cloud"),
		toldStalled("MetricProvider", v1alpha1.ReasonInvalidSpec)("an extraction that cannot be parsed", "extraction", source("extraction", `http: {address: "$SOURCE", extract: "body.rows["}`), "extract"),
		unread,
	}
}
