package e2e

import "strings"

// refusal is an object that the API server itself must not take.
type refusal struct {
	// input says for people what is wrong.
	input string
	// manifest of the object.
	manifest string
	// wants are pieces of the API server's answer.
	wants []string
}

const (
	// plan begins a rollout that is right so far: two phases, two waves.
	plan = `{kind: CRMRollout, metadata: {name: refused}, spec: {phases: [{name: prepare}, {name: go-live}], `
	// wave is a wave that is right.
	wave = `{name: pilot, selector: {}}`
	// number begins a KPI that is right so far.
	number = `{kind: KPI, metadata: {name: refused}, spec: {provider: {name: warehouse}, query: up, direction: HigherIsBetter`
)

func rolloutWith(rest string) string { return plan + rest + `}}` }

func gateWith(criterion string) string {
	return `{kind: AcceptanceGate, metadata: {name: refused}, spec: {criteria: [{name: records, kpi: completeness` + criterion + `}]}}`
}

func kpiWith(rest string) string { return number + rest + `}}` }

func siteWith(rest string) string {
	return `{kind: RolloutSite, metadata: {name: refused}, spec: {` + rest + `}}`
}

func providerWith(rest string) string {
	return `{kind: MetricProvider, metadata: {name: refused}, spec: {prometheus: {` + rest + `}}}`
}

func sqlWith(rest string) string {
	return `{kind: MetricProvider, metadata: {name: refused}, spec: {sql: {database: crm, username: {name: s, key: u}, ` + rest + `}}}`
}

func readingWith(rest string) string {
	return `{kind: KPIReading, metadata: {name: refused}, spec: {kpi: satisfaction, site: berlin, ` + rest + `}}`
}

const (
	oneOf     = "exactly one of atLeast, atMost and between must be set"
	noDecimal = `must be a decimal number in quotes such as "0.95" or "-12"`
	noTime    = "must be a duration longer than zero such as 4w, 30d, 12h or 1h30m"
	noLabel   = "must have at most 63 characters and no dots"
	noURL     = "must be a URL such as https://prometheus.example:9090, without user name, query or fragment; credentials belong into a Secret"
	atMost63  = "metadata.name must have at most 63 characters"
)

var refusals = []refusal{
	{"`through` names no phase of the plan", rolloutWith(`waves: [` + wave + `], through: stabilise`), []string{"through must be the name of one of spec.phases"}},
	{"`after` names no wave of the plan", rolloutWith(`waves: [` + wave + `, {name: rest, selector: {}, after: {wave: test}}]`), []string{"after.wave must be the name of one of spec.waves"}},
	{"a wave comes after itself", rolloutWith(`waves: [{name: pilot, selector: {}, after: {wave: pilot}}]`), []string{"a wave cannot come after itself"}},
	{"a wave is planned to end when it begins", rolloutWith(`waves: [{name: pilot, selector: {}, plannedStart: "2027-01-11T08:00:00Z", plannedEnd: "2027-01-11T08:00:00Z"}]`), []string{"plannedEnd must come after plannedStart"}},
	{"a planned date without a time", rolloutWith(`waves: [{name: pilot, selector: {}, plannedStart: "2027-01-11"}]`), []string{"plannedStart", "date-time"}},
	{"two waves have the same name", rolloutWith(`waves: [` + wave + `, ` + wave + `]`), []string{"Duplicate value", "pilot"}},
	{"a wave whose name cannot be a label", rolloutWith(`waves: [{name: first wave, selector: {}}]`), []string{"must be usable as a label"}},
	{"a phase stands twice in the plan", `{kind: CRMRollout, metadata: {name: refused}, spec: {phases: [{name: prepare}, {name: prepare}], waves: [` + wave + `]}}`, []string{"Duplicate value", "prepare"}},
	{"a rollout without phases", `{kind: CRMRollout, metadata: {name: refused}, spec: {phases: [], waves: [` + wave + `]}}`, []string{"spec.phases", "at least 1 items"}},
	{"a rollout without waves", rolloutWith(`waves: []`), []string{"spec.waves", "at least 1 items"}},
	{"a wave without a selector", rolloutWith(`waves: [{name: pilot}]`), []string{"selector", "Required value"}},
	{"no site may be in a phase at a time", rolloutWith(`waves: [` + wave + `], maxConcurrent: 0%`), []string{"maxConcurrent", "should match"}},
	{"a goal without success factors", rolloutWith(`waves: [` + wave + `], goals: [{name: growth, successFactors: []}]`), []string{"successFactors", "at least 1 items"}},
	{"a field that does not exist", rolloutWith(`waves: [` + wave + `], throuhg: prepare`), []string{`unknown field "spec.throuhg"`}},
	{"a rollout whose name has a dot", `{kind: CRMRollout, metadata: {name: group.emea}, spec: {phases: [{name: prepare}], waves: [` + wave + `]}}`, []string{noLabel}},

	{"a threshold that is no number", gateWith(`, atLeast: "high"`), []string{noThreshold}},
	{"a threshold without quotes", gateWith(`, atLeast: 0.95`), []string{"spec.criteria[0].atLeast", "must be of type string"}},
	{"a threshold with an exponent", gateWith(`, atMost: "1e5"`), []string{noThreshold}},
	{"two comparisons in one criterion", gateWith(`, atLeast: "0.9", atMost: "1"`), []string{oneOf}},
	{"a criterion without a comparison", gateWith(``), []string{oneOf}},
	{"a range whose ends are exchanged", gateWith(`, between: {min: "10", max: "2"}`), []string{"min must not be greater than max"}},
	{"a hold of no length", gateWith(`, atLeast: "0.9", for: 0s`), []string{noTime}},
	{"a gate without criteria", `{kind: AcceptanceGate, metadata: {name: refused}, spec: {criteria: []}}`, []string{"spec.criteria", "at least 1 items"}},
	{"two criteria have the same name", `{kind: AcceptanceGate, metadata: {name: refused}, spec: {criteria: [{name: records, kpi: completeness, atLeast: "1"}, {name: records, kpi: adoption, atLeast: "1"}]}}`, []string{"Duplicate value", "records"}},

	{"a duration in words", kpiWith(`, interval: 5 minutes`), []string{"spec.interval", noTime}},
	{"a duration in milliseconds", kpiWith(`, interval: 500ms`), []string{"spec.interval", noTime}},
	{"a soak with its units in the wrong order", `{kind: RolloutPhase, metadata: {name: refused}, spec: {soak: 2d1w}}`, []string{"spec.soak", noTime}},
	{"an expected length in words", `{kind: RolloutPhase, metadata: {name: refused}, spec: {expected: a month}}`, []string{"spec.expected", noTime}},
	{"an unknown direction", `{kind: KPI, metadata: {name: refused}, spec: {provider: {name: warehouse}, query: up, direction: Up}}`, []string{`supported values: "HigherIsBetter", "LowerIsBetter"`}},
	{"no direction", `{kind: KPI, metadata: {name: refused}, spec: {provider: {name: warehouse}, query: up}}`, []string{"spec.direction", "Required value"}},
	{"an empty query", `{kind: KPI, metadata: {name: refused}, spec: {provider: {name: warehouse}, query: "", direction: LowerIsBetter}}`, []string{"spec.query", "at least 1 chars"}},
	{"a site label that is no label name", kpiWith(`, siteLabel: site-id`), []string{"must be a label name"}},
	{"a site label where each site is asked for by itself", kpiWith(`, siteLabel: site, scope: PerSite`), []string{"siteLabel has no meaning with scope PerSite"}},
	{"a name of 300 characters", `{kind: KPI, metadata: {name: ` + strings.Repeat("a", 300) + `}, spec: {provider: {name: warehouse}, query: up, direction: HigherIsBetter}}`, []string{"must be no more than 253"}},
	{"a name of 64 characters", `{kind: KPI, metadata: {name: ` + strings.Repeat("a", 64) + `}, spec: {provider: {name: warehouse}, query: up, direction: HigherIsBetter}}`, []string{atMost63}},

	{"an address with credentials", providerWith(`address: "https://me:secret@prometheus.example"`), []string{noURL}},
	{"an address of another protocol", providerWith(`address: "ftp://prometheus.example"`), []string{noURL}},
	{"an address with a query", providerWith(`address: "https://prometheus.example/?tenant=1"`), []string{noURL}},
	{"a bearer token and a user name", providerWith(`address: "https://prometheus.example", bearerToken: {name: s, key: k}, basicAuth: {username: {name: s, key: u}, password: {name: s, key: p}}`), []string{"bearerToken and basicAuth exclude each other"}},
	{"TLS settings for an address without TLS", providerWith(`address: "http://prometheus.example", tls: {ca: {name: s, key: k}}`), []string{"tls needs an address that begins with https://"}},
	{"a client certificate without its key", providerWith(`address: "https://prometheus.example", tls: {certificate: {name: s, key: k}}`), []string{"certificate and privateKey must be set together"}},
	{"a secret without the key in it", providerWith(`address: "https://prometheus.example", bearerToken: {name: s}`), []string{"bearerToken.key", "Required value"}},
	{"a password instead of a reference to one", providerWith(`address: "https://prometheus.example", bearerToken: "abc"`), []string{"bearerToken", "must be of type object"}},
	{"a provider without a source", `{kind: MetricProvider, metadata: {name: refused}, spec: {}}`, []string{"spec"}},

	{"a provider of readings that takes none", `{kind: MetricProvider, metadata: {name: refused}, spec: {readings: {acceptWithin: 0d}}}`, []string{"spec.readings.acceptWithin", noTime}},
	{"a provider with two sources", `{kind: MetricProvider, metadata: {name: refused}, spec: {readings: {}, prometheus: {address: "https://prometheus.example"}}}`, []string{"exactly one source must be set"}},
	{"a database of another make", sqlWith(`engine: Oracle, address: "db.example:1521", password: {name: s, key: p}`), []string{"spec.sql.engine", "Unsupported value"}},
	{"a database with a URL for an address", sqlWith(`engine: PostgreSQL, address: "postgres://ann:hush@db.example:5432/crm", password: {name: s, key: p}`), []string{"spec.sql.address", "must be host:port such as crm-db.example:5432"}},
	{"a database without a port", sqlWith(`engine: MySQL, address: db.example, password: {name: s, key: p}`), []string{"spec.sql.address", "must be host:port such as crm-db.example:5432"}},
	{"a database on several hosts", sqlWith(`engine: PostgreSQL, address: "a.example,b.example:5432", password: {name: s, key: p}`), []string{"spec.sql.address", "must be host:port such as crm-db.example:5432"}},
	{"a database with nothing to log in with", sqlWith(`engine: PostgreSQL, address: "db.example:5432"`), []string{"password must be set, unless tls has a client certificate to log in with"}},
	{"a database with TLS and without", sqlWith(`engine: MySQL, address: "db.example:3306", password: {name: s, key: p}, insecurePlaintext: true, tls: {ca: {name: s, key: c}}`), []string{"insecurePlaintext and tls exclude each other"}},
	{"a database with more rows than fit", sqlWith(`engine: MySQL, address: "db.example:3306", password: {name: s, key: p}, maxRows: 1000001`), []string{"spec.sql.maxRows", "less than or equal to 1000000"}},
	{"a reading that is no number", readingWith(`value: "good", observedAt: "2026-01-31T18:00:00Z"`), []string{"spec.value", noDecimal}},
	{"a reading without quotes", readingWith(`value: 4.5, observedAt: "2026-01-31T18:00:00Z"`), []string{"spec.value", "must be of type string"}},
	{"a reading that does not say when", readingWith(`value: "4.5"`), []string{"spec.observedAt", "Required value"}},
	{"a reading of a day instead of a moment", readingWith(`value: "4.5", observedAt: "2026-01-31"`), []string{"spec.observedAt", "date-time"}},
	{"a reading of no answers", readingWith(`value: "4.5", observedAt: "2026-01-31T18:00:00Z", samples: 0`), []string{"spec.samples", "greater than or equal to 1"}},

	{"a region with a space", siteWith(`region: north sea`), []string{"must be usable in a selector"}},
	{"an unknown business mode", siteWith(`businessMode: Barter`), []string{"Unsupported value", "KeyAccount"}},
	{"a negative number of users", siteWith(`users: -5`), []string{"users", "greater than or equal to 0"}},
	{"an attribute whose key cannot stand in a query", siteWith(`attributes: {"crm tenant": x}`), []string{"keys must start with a letter"}},
	{"a site whose name has a dot", `{kind: RolloutSite, metadata: {name: berlin.mitte}, spec: {region: emea}}`, []string{noLabel}},
}
