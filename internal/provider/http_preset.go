package provider

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Preset names a CRM whose API the HTTP source knows.
type Preset string

// The presets.
const (
	// Salesforce takes SOQL.
	Salesforce Preset = "Salesforce"
	// Dynamics365 takes OData queries of the Dataverse Web API.
	Dynamics365 Preset = "Dynamics365"
	// HubSpot takes searches of the CRM search API.
	HubSpot Preset = "HubSpot"
	// Odoo takes domains, for the External JSON-2 API.
	Odoo Preset = "Odoo"
)

// protocol is how one kind of server is asked and understood.
type protocol struct {
	// version of the API that is asked when none is declared.
	version string
	// headers are sent besides those that are declared.
	headers []Header
	// resolution is the smallest part of a time that the server takes, and moment how it is written.
	resolution time.Duration
	moment     func(time.Time) string
	// compose makes a request of a query. label is the field that names the site; "" when one site is asked for.
	compose func(version string, s statement, moments slots, label string) (question, error)
	// extract and pages are what a provider without preset declares itself.
	extract string
	pages   Pagination
	// complete finds out from a page that rows are missing. rows counts those of all pages up to this one, last is true for the last one. It may be nil.
	complete func(page any, rows int, last bool) error
	// refusal recognises the server's own way to say no, and returns nil for everything else. It may be nil.
	refusal func(status int, body any) *refusal
}

// question is what one measurement asks.
type question struct {
	request
	// field and counted are the values of the variables field and countField.
	field, counted string
	// aggregate is what the query itself says about several rows; "" when it says nothing.
	aggregate Aggregate
}

// refusal is an answer in which a server says no.
type refusal struct {
	reason Reason
	// code is the server's short word for it.
	code string
	// said is the server's sentence. It is shown only where it is about the query.
	said string
}

// unknownServer is a server that nothing is known of.
func unknownServer(cfg HTTPConfig) protocol {
	return protocol{resolution: time.Second, moment: rfc3339, compose: composePlain, extract: cfg.Extract, pages: cfg.Pagination}
}

// rfc3339 writes a moment in UTC.
func rfc3339(t time.Time) string { return t.Format(time.RFC3339) }

// protocolOf returns how the declared server is spoken to.
func protocolOf(cfg HTTPConfig) (protocol, error) {
	if cfg.Preset == "" {
		if cfg.APIVersion != "" {
			return protocol{}, invalid("there is an API version without a preset: write the version into the path of the queries")
		}
		return unknownServer(cfg), nil
	}
	presets := map[Preset]func() protocol{Salesforce: salesforce, Dynamics365: dynamics365, HubSpot: hubSpot, Odoo: odoo}
	open, known := presets[cfg.Preset]
	if !known {
		return protocol{}, invalid("the preset is not known: use Salesforce, Dynamics365, HubSpot or Odoo")
	}
	if cfg.Extract != "" || cfg.Pagination != (Pagination{MaxPages: cfg.Pagination.MaxPages}) || !cfg.Aggregate.single() {
		return protocol{}, invalid("a preset brings its own extraction, pages and aggregate: leave them out")
	}
	chosen := open()
	if cfg.APIVersion != "" {
		if !apiVersion.MatchString(cfg.APIVersion) {
			return protocol{}, invalid("the API version is not one: write it like %s", chosen.version)
		}
		chosen.version = cfg.APIVersion
	}
	chosen.pages.MaxPages = cfg.Pagination.MaxPages
	return chosen, nil
}

// keepsHeaders refuses declared headers that the preset sets: its own are what shows that an answer is complete.
func (p protocol) keepsHeaders(cfg HTTPConfig) error {
	for _, own := range p.headers {
		for _, declared := range slices.Concat(cfg.Headers, cfg.SecretHeaders) {
			if strings.EqualFold(own.Name, declared.Name) {
				return invalid("the header %s is set by the preset, which relies on it: leave it out", own.Name)
			}
		}
	}
	return nil
}

// apiVersion is what can stand in a path as a version.
var apiVersion = regexp.MustCompile(`^[A-Za-z0-9]+(\.[0-9]+)?$`)

// tally is the first line of a query for a CRM that takes no query language: what to count or add up.
var tally = regexp.MustCompile(`^(?:(Count)|(Sum|Mean)[ \t]+([A-Za-z][A-Za-z0-9_.]*)[ \t]+of)[ \t]+([A-Za-z0-9][A-Za-z0-9_.-]*)$`)

// parseTally reads "Count deals" and "Sum amount of deals".
func parseTally(line, example string) (aggregate Aggregate, field, object string, err error) {
	match := tally.FindStringSubmatch(line)
	if match == nil {
		return "", "", "", invalid("the query must begin with a line like %s", example)
	}
	return Aggregate(match[1] + match[2]), match[3], match[4], nil
}

// object returns a field of a JSON object that is an object itself; nil when there is none.
func object(body any, name string) map[string]any {
	outer, _ := body.(map[string]any)
	inner, _ := outer[name].(map[string]any)
	return inner
}

// textOf returns a field of a JSON object that is a text; "" when there is none.
func textOf(body any, name string) string {
	fields, _ := body.(map[string]any)
	text, _ := fields[name].(string)
	return text
}

// reasonOf is what a status says by itself.
func reasonOf(status int) Reason {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return Unauthorized
	case status == http.StatusTooManyRequests:
		return RateLimited
	case status >= 500:
		return SourceError
	case status >= 400:
		return QueryRejected
	}
	return InvalidResponse
}

// fieldsOf reads the JSON object that a preset's query brings, with the window in it. No text stands for an empty object.
func fieldsOf(text string, moments slots) (map[string]json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	if text == "" {
		return fields, nil
	}
	if err := json.Unmarshal([]byte(moments.fill(text, asIs)), &fields); err != nil || fields == nil {
		return nil, invalid("what follows the first line of the query is not a JSON object")
	}
	return fields, nil
}
