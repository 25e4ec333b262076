package e2e

func httpWith(rest string) string {
	return `{kind: MetricProvider, metadata: {name: refused}, spec: {http: {address: "https://crm.example", ` + rest + `}}}`
}

func oauthWith(rest string) string {
	return httpWith(`auth: {oauth2: {clientID: {name: s, key: i}, ` + rest + `}}`)
}

const (
	noTokenURL = "must be a URL such as https://login.example/oauth2/token, without user name or fragment"
	oneSource  = "exactly one source must be set: prometheus, sql, http, readings"
	oneWay     = "only one may be set: nextLink, cursor, page"
	oneLogin   = "exactly one must be set: bearerToken, basicAuth, oauth2"
	ownPages   = "a preset brings its own pagination: only maxPages may be set"
)

// refusedSources are declarations of sources that answer over HTTP, and limits, that contradict themselves.
var refusedSources = []refusal{
	{"a provider that asks two systems", `{kind: MetricProvider, metadata: {name: refused}, spec: {http: {address: "https://crm.example"}, prometheus: {address: "https://prometheus.example"}}}`, []string{"spec: Invalid value", oneSource}},
	{"a provider with nothing but limits", `{kind: MetricProvider, metadata: {name: refused}, spec: {limits: {concurrent: 1}}}`, []string{"spec: Invalid value", oneSource}},
	{"a provider that may not be asked", `{kind: MetricProvider, metadata: {name: refused}, spec: {limits: {concurrent: 0}, prometheus: {address: "https://prometheus.example"}}}`, []string{"spec.limits.concurrent", "greater than or equal to 1"}},
	{"a provider with limits of nothing", `{kind: MetricProvider, metadata: {name: refused}, spec: {limits: {}, prometheus: {address: "https://prometheus.example"}}}`, []string{"spec.limits", "at least 1 properties"}},
	{"a tenant with a space", providerWith(`address: "https://prometheus.example", tenant: team a`), []string{"spec.prometheus.tenant", "should match"}},

	{"a CRM's address with credentials", `{kind: MetricProvider, metadata: {name: refused}, spec: {http: {address: "https://me:secret@crm.example"}}}`, []string{"spec.http.address", "must be a URL such as https://crm.example/base", "credentials belong into a Secret"}},
	{"a CRM's address that is a file", `{kind: MetricProvider, metadata: {name: refused}, spec: {http: {address: "file:///etc/passwd"}}}`, []string{"spec.http.address", "must be a URL such as https://crm.example/base"}},
	{"a CRM that nobody knows", httpWith(`preset: Siebel`), []string{"spec.http.preset", `supported values: "Salesforce", "Dynamics365", "HubSpot", "Odoo"`}},
	{"a preset with an extraction", httpWith(`preset: Salesforce, extract: "body.rows"`), []string{"a preset brings its own extract and aggregate: leave them out; a KPI's query can bring others below ---"}},
	{"a preset with pages of its own and others", httpWith(`preset: HubSpot, pagination: {nextLink: body.next}`), []string{ownPages}},
	{"the version of no preset", httpWith(`apiVersion: v60.0`), []string{"apiVersion needs a preset: without one, write the version into the path of the queries"}},
	{"TLS settings for a CRM without TLS", `{kind: MetricProvider, metadata: {name: refused}, spec: {http: {address: "http://crm.example", tls: {ca: {name: s, key: k}}}}}`, []string{"spec.http", "tls needs an address that begins with https://"}},
	{"two ways to the next page", httpWith(`pagination: {nextLink: body.next, page: {parameter: page, more: body.more}}`), []string{"spec.http.pagination", oneWay}},
	{"a cursor that goes two ways", httpWith(`pagination: {cursor: {expression: body.after, parameter: after, bodyField: after}}`), []string{"spec.http.pagination.cursor", "exactly one must be set: parameter, bodyField"}},
	{"a cursor that goes nowhere", httpWith(`pagination: {cursor: {expression: body.after}}`), []string{"spec.http.pagination.cursor", "exactly one must be set: parameter, bodyField"}},
	{"pages without end", httpWith(`pagination: {maxPages: 100000}`), []string{"spec.http.pagination.maxPages", "less than or equal to 10000"}},
	{"credentials in a header for all to see", httpWith(`headers: [{name: Authorization, value: Bearer abc}]`), []string{"spec.http.headers[0]", "this header carries credentials or belongs to the connection: for credentials use auth or secretHeaders"}},
	{"a header that belongs to the connection", httpWith(`secretHeaders: [{name: Host, value: {name: s, key: h}}]`), []string{"spec.http.secretHeaders[0]", "this header belongs to the connection"}},
	{"what a hop of the connection says to the next one", httpWith(`secretHeaders: [{name: TE, value: {name: s, key: h}}]`), []string{"spec.http.secretHeaders[0]", "this header belongs to the connection"}},
	{"a login at a proxy for all to see", httpWith(`headers: [{name: Proxy-Authorization, value: Basic abc}]`), []string{"spec.http.headers[0]", "this header carries credentials or belongs to the connection"}},
	{"a header whose name is none", httpWith(`headers: [{name: "X Tenant", value: a}]`), []string{"spec.http.headers[0].name", "should match"}},
	{"one header twice", httpWith(`headers: [{name: X-Tenant, value: a}, {name: X-Tenant, value: b}]`), []string{"spec.http.headers[1]", "Duplicate value"}},
	{"a login of no kind", httpWith(`auth: {}`), []string{"spec.http.auth", oneLogin}},
	{"a login of two kinds", httpWith(`auth: {bearerToken: {name: s, key: t}, oauth2: {clientID: {name: s, key: i}, clientSecret: {name: s, key: c}, tokenURL: "https://login.example/token"}}`), []string{"spec.http.auth", oneLogin}},
	{"a client without its secret", oauthWith(`tokenURL: "https://login.example/token"`), []string{"clientSecret", "Required value"}},
	{"a client's secret for all to see", oauthWith(`tokenURL: "https://login.example/token", clientSecret: hush`), []string{"clientSecret", "must be of type object"}},
	{"a token endpoint with credentials", oauthWith(`tokenURL: "https://me:hush@login.example/token", clientSecret: {name: s, key: c}`), []string{"tokenURL", noTokenURL}},
	{"a token endpoint of another protocol", oauthWith(`tokenURL: "ldap://login.example", clientSecret: {name: s, key: c}`), []string{"tokenURL", noTokenURL}},
	{"a CA for a token endpoint without TLS", oauthWith(`tokenURL: "http://login.example/token", clientSecret: {name: s, key: c}, ca: {name: s, key: ca}`), []string{"ca needs a tokenURL that begins with https://"}},
	{"a client that authenticates in the URL", oauthWith(`tokenURL: "https://login.example/token", clientSecret: {name: s, key: c}, clientAuthentication: Query`), []string{"clientAuthentication", `supported values: "Body", "Header"`}},
	{"a parameter that has a field of its own", oauthWith(`tokenURL: "https://login.example/token", clientSecret: {name: s, key: c}, parameters: [{name: client_secret, value: hush}]`), []string{"parameters[0]", "grant_type, scope, client_id and client_secret have their own fields"}},
}
