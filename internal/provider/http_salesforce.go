package provider

import (
	"net/url"
	"strings"
	"time"
)

// salesforce asks with SOQL. Documentation: REST API Developer Guide, "Query" (resources_query.htm: done, nextRecordsUrl, records), "Query More Results"
// and "Status Codes and Error Responses" (errorcodes.htm); SOQL and SOQL Reference, "Date Formats and Date Literals" (moments are not quoted).
func salesforce() protocol {
	return protocol{
		version:    "v62.0",
		resolution: time.Second,
		moment:     rfc3339,
		compose:    composeSOQL,
		extract:    `body.records`,
		pages:      Pagination{NextLink: `body.done ? dyn(null) : dyn(body.nextRecordsUrl)`},
		complete:   allRecords,
		refusal:    salesforceRefusal,
	}
}

func composeSOQL(version string, s statement, moments slots, _ string) (question, error) {
	if word, _, _ := strings.Cut(s.all, " "); !strings.EqualFold(word, "SELECT") {
		return question{}, invalid("the query must be SOQL that begins with SELECT, such as SELECT Site__c site, COUNT(Id) value FROM Case GROUP BY Site__c")
	}
	soql := moments.fill(s.all, asIs)
	return question{request: request{method: "GET", target: "/services/data/" + version + "/query?q=" + url.QueryEscape(soql)}}, nil
}

// allRecords compares the records with their announced number once all pages are read.
func allRecords(page any, rows int, last bool) error {
	fields, _ := page.(map[string]any)
	total, told := fields["totalSize"].(float64)
	if !told {
		return newError(InvalidResponse, nil, "the answer has no totalSize: is it from the query resource of Salesforce?")
	}
	if last && float64(rows) != total {
		return newError(PartialAnswer, nil, "the answer has %d records and announces %.0f, so it is not used", rows, total)
	}
	return nil
}

// salesforceRefusal reads [{"errorCode": "MALFORMED_QUERY", "message": "..."}].
func salesforceRefusal(status int, body any) *refusal {
	list, _ := body.([]any)
	if len(list) == 0 || status < 400 {
		return nil
	}
	no := &refusal{reason: reasonOf(status), code: textOf(list[0], "errorCode"), said: textOf(list[0], "message")}
	switch no.code {
	case "":
		return nil
	case "REQUEST_LIMIT_EXCEEDED":
		no.reason = RateLimited
	case "QUERY_TIMEOUT":
		no.reason = Timeout
	case "SERVER_UNAVAILABLE":
		no.reason = SourceError
	}
	return no
}
