package provider

import (
	"encoding/json"
	"net/url"
	"time"
)

// odoo asks the External JSON-2 API of Odoo 19 and later: POST /json/2/<model>/formatted_read_group with an API key as bearer token. Documentation:
// Odoo 19 developer reference, "External JSON-2 API" (the body of errors is name, message, arguments, context, debug) and "ORM API"
// (formatted_read_group, search domains; moments are in UTC).
func odoo() protocol {
	return protocol{
		version:    "2",
		resolution: time.Second,
		moment:     func(t time.Time) string { return t.Format(time.DateTime) },
		compose:    composeReadGroup,
		// What is empty is false in Odoo. A group by a relation is [id, name]; its name is taken.
		extract: `body.map(g, {
			?siteLabel: g[?siteLabel].optMap(s, dyn(s) == false ? dyn(null) : type(dyn(s)) == list ? dyn(s)[1] : dyn(s)),
			"value": g[field] == false ? dyn(null) : dyn(g[field]),
			"samples": dyn(g[countField])})`,
		refusal: odooRefusal,
	}
}

// everyRecord is Odoo's word for the number of records in a group.
const everyRecord = "__count"

func composeReadGroup(version string, s statement, moments slots, label string) (question, error) {
	aggregate, field, model, err := parseTally(s.ask, "Count crm.lead, Sum amount_total of sale.order or Mean day_close of crm.lead")
	if err != nil {
		return question{}, err
	}
	domain := []any{}
	if s.body != "" {
		if err := json.Unmarshal([]byte(moments.fill(s.body, asIs)), &domain); err != nil || domain == nil {
			return question{}, invalid(`what follows the first line of the query is not a domain in JSON, such as [["state", "=", "sale"]]`)
		}
	}
	// A mean speaks about the records that have the field, so these are counted.
	value, counted := everyRecord, everyRecord
	switch aggregate {
	case AggregateSum:
		value, counted = field+":sum", field+":count"
	case AggregateMean:
		value, counted = field+":avg", field+":count"
	}
	aggregates := []string{value}
	if counted != value {
		aggregates = append(aggregates, counted)
	}
	groups := []string{}
	if label != "" {
		groups = append(groups, label)
	}
	asked := request{method: "POST", target: "/json/" + version + "/" + url.PathEscape(model) + "/formatted_read_group",
		body: []byte(jsonText(map[string]any{"domain": domain, "groupby": groups, "aggregates": aggregates}))}
	// The groups are made by Odoo: two for one site contradict each other.
	return question{request: asked, field: value, counted: counted, aggregate: AggregateNone}, nil
}

// odooRefusal reads {"name": "odoo.exceptions.AccessError", "message": "..."}, and {"jsonrpc": "2.0", "error": {"code": 100, ...}}, with which older servers
// say no although the status is 200.
func odooRefusal(status int, body any) *refusal {
	if told := object(body, "error"); told != nil {
		return &refusal{reason: SourceError, code: textOf(told, "message")}
	}
	name := textOf(body, "name")
	if name == "" || status < 400 {
		return nil
	}
	no := &refusal{reason: reasonOf(status), code: name, said: textOf(body, "message")}
	if name == "odoo.exceptions.AccessError" || name == "odoo.exceptions.AccessDenied" {
		no.reason = Unauthorized
	}
	return no
}
