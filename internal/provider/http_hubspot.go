package provider

import (
	"encoding/json"
	"net/url"
	"strconv"
	"time"
)

// hubSpot asks the CRM search API, which cannot group: every record is read, and those of a site are counted or added up here. Documentation (HubSpot
// developers): "Search the CRM" (filterGroups, 200 records on a page, paging.next.after, 10,000 records at most), "API usage guidelines and limits"
// (429 with policyName), "Error handling" (status, category, message).
func hubSpot() protocol {
	return protocol{
		version:    "v3",
		resolution: time.Millisecond,
		moment:     func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) },
		compose:    composeSearch,
		// A property that the record does not have is null, one that HubSpot does not know is not there. Values are texts.
		extract: `body.results.map(r, {
			?siteLabel: r.properties[?siteLabel],
			"value": field == "" ? dyn(1.0) : r.properties[field] in [null, ""] ? dyn(null) : dyn(double(r.properties[field]))})`,
		pages:    Pagination{Cursor: `body.?paging.next.after`, CursorField: "after"},
		complete: allResults,
		refusal:  hubSpotRefusal,
	}
}

// hubSpotPage is the largest page that a search gives, and hubSpotRecords the number of records after which it ends.
const (
	hubSpotPage    = 200
	hubSpotRecords = 10_000
)

func composeSearch(version string, s statement, moments slots, label string) (question, error) {
	aggregate, field, kind, err := parseTally(s.ask, "Count deals, Sum amount of deals or Mean days_to_close of deals")
	if err != nil {
		return question{}, err
	}
	fields, err := fieldsOf(s.body, moments)
	if err != nil {
		return question{}, err
	}
	for _, own := range []string{"properties", "limit", "after"} {
		if _, set := fields[own]; set {
			return question{}, invalid("the search sets %q, which is filled in by the preset: leave it out", own)
		}
	}
	properties := []string{}
	for _, name := range []string{label, field} {
		if name != "" {
			properties = append(properties, name)
		}
	}
	fields["properties"] = json.RawMessage(jsonText(properties))
	fields["limit"] = json.RawMessage(jsonText(hubSpotPage))
	asked := request{method: "POST", target: "/crm/" + version + "/objects/" + url.PathEscape(kind) + "/search", body: []byte(jsonText(fields))}
	return question{request: asked, field: field, aggregate: aggregate}, nil
}

// allResults refuses what a search cannot show completely, and compares the records with their announced number.
func allResults(page any, rows int, last bool) error {
	fields, _ := page.(map[string]any)
	total, told := fields["total"].(float64)
	switch {
	case !told:
		return newError(InvalidResponse, nil, "the answer has no total: is it from the CRM search API of HubSpot?")
	case total > hubSpotRecords:
		return newError(ResponseTooLarge, nil, "%.0f records match, and a search shows 10000 at most: narrow the filters, for example to a shorter window", total)
	case last && float64(rows) != total:
		return newError(PartialAnswer, nil, "the answer has %d records and announces %.0f, so it is not used", rows, total)
	}
	return nil
}

// hubSpotRefusal reads {"status": "error", "category": "VALIDATION_ERROR", "message": "...", "policyName": "DAILY"}.
func hubSpotRefusal(status int, body any) *refusal {
	if textOf(body, "status") != "error" {
		return nil
	}
	no := &refusal{reason: reasonOf(status), said: textOf(body, "message")}
	for _, name := range []string{"policyName", "category", "errorType"} {
		if no.code == "" {
			no.code = textOf(body, name)
		}
	}
	return no
}
