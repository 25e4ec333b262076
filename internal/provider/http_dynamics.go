package provider

import (
	"strings"
	"time"
)

// dynamics365 asks the Dataverse Web API with OData. Documentation (Microsoft Learn, Power Apps developer guide): "Query data using the Web API"
// (value, @odata.nextLink), "Aggregate data by using OData" ($apply, at most 50,000 records), "Page results using FetchXML" (morerecords), "Compose HTTP
// requests and handle errors" (error.code, error.message), "Service protection API limits" (429 with Retry-After).
func dynamics365() protocol {
	return protocol{
		version: "v9.2",
		headers: []Header{
			{"OData-MaxVersion", "4.0"}, {"OData-Version", "4.0"},
			// Only with it does the answer to FetchXML say that there are more rows.
			{"Prefer", `odata.include-annotations="Microsoft.Dynamics.CRM.*"`},
		},
		resolution: time.Second,
		moment:     rfc3339,
		compose:    composeOData,
		extract:    `body.value`,
		pages:      Pagination{NextLink: `body[?"@odata.nextLink"]`},
		complete:   allEntities,
		refusal:    dynamicsRefusal,
	}
}

func composeOData(version string, s statement, moments slots, _ string) (question, error) {
	if strings.HasPrefix(s.all, "/") || strings.Contains(strings.SplitN(s.all, "?", 2)[0], ":") {
		return question{}, invalid("the query must begin with the name of a table, such as opportunities?$apply=groupby((region),aggregate($count as value))")
	}
	asked, err := target("/api/data/"+version+"/"+s.all, moments)
	return question{request: request{method: "GET", target: asked}}, err
}

// allEntities recognises rows that only another FetchXML query could get: for them there is no link.
func allEntities(page any, _ int, last bool) error {
	fields, _ := page.(map[string]any)
	if more, _ := fields["@Microsoft.Dynamics.CRM.morerecords"].(bool); more && last {
		return newError(PartialAnswer, nil, "the answer is the first page of several, so it is not used: aggregate in the FetchXML, or raise its count")
	}
	return nil
}

// dynamicsRefusal reads {"error": {"code": "0x80060888", "message": "..."}}.
func dynamicsRefusal(status int, body any) *refusal {
	told := object(body, "error")
	if told == nil || status < 400 {
		return nil
	}
	no := &refusal{reason: reasonOf(status), code: textOf(told, "code"), said: textOf(told, "message")}
	switch strings.ToLower(no.code) {
	// The limits on requests, on execution time and on concurrent requests.
	case "0x80072322", "0x80072321", "0x80072326":
		no.reason = RateLimited
	// AggregateQueryRecordLimit exceeded.
	case "0x8004e023":
		no.reason = QueryRejected
	}
	return no
}
