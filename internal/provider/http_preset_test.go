package provider

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmops/rollout-operator/test/fakecrm"
)

// openHTTP opens a source on this machine that is closed with the test.
func openHTTP(t testing.TB, cfg HTTPConfig) Provider {
	t.Helper()
	cfg.Guard = loopback
	source, err := NewHTTP(cfg)
	if err != nil {
		t.Fatalf("open %v: %v", cfg, err)
	}
	t.Cleanup(source.Close)
	return source
}

// askHTTP measures for all sites, with the site in label.
func askHTTP(t testing.TB, source Provider, label, query string) (Answer, error) {
	t.Helper()
	return source.Measure(t.Context(), Query{Expression: query, SiteLabel: label}, at)
}

// mustAnswer asserts the values of an answer, by site, with the number of observations after a slash.
func mustAnswer(t testing.TB, got Answer, err error, want ...string) {
	t.Helper()
	if err != nil {
		t.Fatalf("got error %v (%v)", err, ReasonOf(err))
	}
	values := []string{}
	for _, sample := range got.Samples {
		values = append(values, fmt.Sprintf("%s=%g/%d", sample.Site, sample.Value, sample.Samples))
		if !sample.Time.Equal(at.End) {
			t.Errorf("the sample of %s is of %s, want the end of the window", sample.Site, sample.Time)
		}
	}
	for _, site := range got.Ambiguous {
		values = append(values, site+"=?")
	}
	if got.Unlabelled > 0 {
		values = append(values, fmt.Sprintf("%d unlabelled", got.Unlabelled))
	}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

// onlyToken lets one token in.
func onlyToken(token string) bool { return token == secretToken }

const soql = "SELECT Branch__c site, COUNT(Id) value, COUNT(Id) samples\nFROM Opportunity\nWHERE CreatedDate > :start AND CreatedDate <= :end AND CloseDate <= :endDate\nGROUP BY Branch__c"

func TestSalesforce(t *testing.T) {
	crm := &fakecrm.Salesforce{Door: fakecrm.Door{Allowed: onlyToken}, PageSize: 2}
	for i, site := range []any{"lyon", "bonn", "oslo", nil, "graz", "kyiv", "turin"} {
		crm.Rows = append(crm.Rows, fakecrm.Record{"site": site, "value": i, "samples": 10 * i})
	}
	crm.Rows[5]["value"] = nil
	cfg := HTTPConfig{Address: serve(t, crm.ServeHTTP).URL, Preset: Salesforce, BearerToken: secretToken}
	got, err := askHTTP(t, openHTTP(t, cfg), "site", soql)
	mustAnswer(t, got, err, "bonn=1/10", "graz=4/40", "lyon=0/0", "oslo=2/20", "turin=6/60", "1 unlabelled")
	want := "SELECT Branch__c site, COUNT(Id) value, COUNT(Id) samples FROM Opportunity WHERE CreatedDate > 2026-03-04T04:06:08Z AND CreatedDate <= 2026-03-04T05:06:07Z AND CloseDate <= 2026-03-03 GROUP BY Branch__c"
	if asked := crm.Asked(); len(asked) != 1 || asked[0] != want {
		t.Errorf("asked %q, want once %q", asked, want)
	}

	crm.Rows[6]["site"] = "lyon"
	got, err = askHTTP(t, openHTTP(t, cfg), "site", soql)
	mustAnswer(t, got, err, "bonn=1/10", "graz=4/40", "oslo=2/20", "lyon=?", "1 unlabelled")

	crm.Announced = 8
	_, err = askHTTP(t, openHTTP(t, cfg), "site", soql)
	wantError(t, err, PartialAnswer, "has 7 records and announces 8")

	cfg.Pagination.MaxPages = 3
	_, err = askHTTP(t, openHTTP(t, cfg), "site", soql)
	wantError(t, err, ResponseTooLarge, "more than 3 pages")
}

func TestDynamics365(t *testing.T) {
	crm := &fakecrm.Dynamics{Door: fakecrm.Door{Allowed: onlyToken}, PageSize: 1}
	for i, site := range []any{"lyon", "bonn", nil, "oslo"} {
		crm.Rows = append(crm.Rows, fakecrm.Record{"branch": site, "value": float64(i) / 4, "samples": i})
	}
	server := serve(t, crm.ServeHTTP)
	cfg := HTTPConfig{Address: server.URL, Preset: Dynamics365, BearerToken: secretToken}
	query := "opportunities?$apply=filter(createdon gt :start and createdon le :end)/groupby((branch),aggregate(estimatedvalue with sum as value,$count as samples))"
	got, err := askHTTP(t, openHTTP(t, cfg), "branch", query)
	mustAnswer(t, got, err, "bonn=0.25/1", "lyon=0/0", "oslo=0.75/3", "1 unlabelled")
	want := "filter(createdon gt 2026-03-04T04:06:08Z and createdon le 2026-03-04T05:06:07Z)/groupby((branch),aggregate(estimatedvalue with sum as value,$count as samples))"
	if asked := crm.Asked(); len(asked) != 4 || asked[0] != want || asked[3] != want {
		t.Errorf("asked %q, want 4 times %q", asked, want)
	}

	fetch := `opportunities?fetchXml=<fetch aggregate="true"><entity name="opportunity"/></fetch>`
	_, err = askHTTP(t, openHTTP(t, cfg), "branch", fetch)
	wantError(t, err, PartialAnswer, "the first page of several")
	crm.PageSize = 0
	got, err = askHTTP(t, openHTTP(t, cfg), "branch", fetch)
	mustAnswer(t, got, err, "bonn=0.25/1", "lyon=0/0", "oslo=0.75/3", "1 unlabelled")

	crm.PageSize, crm.LinkHost = 2, "http://127.0.0.1:1"
	_, err = askHTTP(t, openHTTP(t, cfg), "branch", query)
	wantError(t, err, RedirectRefused, "the next page is at 127.0.0.1:1, which was not declared")
}

func TestHubSpot(t *testing.T) {
	crm := &fakecrm.HubSpot{Door: fakecrm.Door{Allowed: onlyToken}, Known: []string{"branch", "amount"}, PageSize: 3}
	moment := func(offset time.Duration) string { return fmt.Sprint(at.End.Add(offset).UnixMilli()) }
	for i, site := range []any{"lyon", "bonn", "lyon", nil, "lyon", "bonn", "", "oslo"} {
		crm.Records = append(crm.Records, fakecrm.Record{"branch": site, "amount": fmt.Sprint(i * 100), "createdate": moment(-time.Minute)})
	}
	crm.Records[4]["amount"], crm.Records[7]["amount"] = nil, ""
	crm.Records = append(crm.Records, fakecrm.Record{"branch": "lyon", "amount": "1", "createdate": moment(time.Millisecond)},
		fakecrm.Record{"branch": "lyon", "amount": "1", "createdate": moment(-time.Hour)})
	cfg := HTTPConfig{Address: serve(t, crm.ServeHTTP).URL, Preset: HubSpot, BearerToken: secretToken}
	filters := `
		{"filterGroups": [{"filters": [
			{"propertyName": "createdate", "operator": "GT", "value": ":start"},
			{"propertyName": "createdate", "operator": "LTE", "value": ":end"}]}]}`
	for query, want := range map[string][]string{
		"Count deals":          {"bonn=2/2", "lyon=3/3", "oslo=1/1", "2 unlabelled"},
		"Sum amount of deals":  {"bonn=600/2", "lyon=200/2", "2 unlabelled"},
		"Mean amount of deals": {"bonn=300/2", "lyon=100/2", "2 unlabelled"},
	} {
		got, err := askHTTP(t, openHTTP(t, cfg), "branch", query+filters)
		mustAnswer(t, got, err, want...)
	}
	if asked := crm.Asked(); len(asked) != 9 {
		t.Errorf("asked for %d pages, want 3 for each of 3 queries: %q", len(asked), asked)
	}
	_, err := askHTTP(t, openHTTP(t, cfg), "brunch", "Count deals"+filters)
	wantError(t, err, InvalidResponse, "no field for the site")
	_, err = askHTTP(t, openHTTP(t, cfg), "branch", "Sum amont of deals"+filters)
	wantError(t, err, InvalidResponse, "the extraction does not fit the answer")
	got, err := openHTTP(t, cfg).Measure(t.Context(), Query{Site: "lyon", Expression: `Sum amount of deals
		{"filterGroups": [{"filters": [{"propertyName": "branch", "operator": "EQ", "value": "lyon"}]}]}`}, at)
	mustAnswer(t, got, err, "lyon=202/4")
	for range 10_001 {
		crm.Records = append(crm.Records, crm.Records[0])
	}
	_, err = askHTTP(t, openHTTP(t, cfg), "branch", "Count deals"+filters)
	wantError(t, err, ResponseTooLarge, "10009 records match, and a search shows 10000 at most")
}

func TestOdoo(t *testing.T) {
	crm := &fakecrm.Odoo{Door: fakecrm.Door{Allowed: onlyToken}, Database: "production"}
	for i, branch := range []any{[]any{7, "lyon"}, []any{8, "bonn"}, []any{7, "lyon"}, nil, []any{9, "oslo"}} {
		crm.Records = append(crm.Records, fakecrm.Record{"company_id": branch, "amount_total": float64(i + 1), "date_order": "2026-03-04 05:00:00"})
	}
	crm.Records[4]["amount_total"] = nil
	crm.Records = append(crm.Records, fakecrm.Record{"company_id": []any{7, "lyon"}, "amount_total": 99.0, "date_order": "2026-03-04 05:06:08"})
	cfg := HTTPConfig{Address: serve(t, crm.ServeHTTP).URL, Preset: Odoo, BearerToken: secretToken, Headers: []Header{{"X-Odoo-Database", "production"}}}
	domain := `
		[["date_order", ">", ":start"], ["date_order", "<=", ":end"]]`
	for query, want := range map[string][]string{
		"Count sale.order":                {"bonn=1/1", "lyon=2/2", "oslo=1/1", "1 unlabelled"},
		"Sum amount_total of sale.order":  {"bonn=2/1", "lyon=4/2", "1 unlabelled"},
		"Mean amount_total of sale.order": {"bonn=2/1", "lyon=2/2", "1 unlabelled"},
	} {
		got, err := askHTTP(t, openHTTP(t, cfg), "company_id", query+domain)
		mustAnswer(t, got, err, want...)
	}
	if asked := crm.Asked(); len(asked) != 3 || asked[0] != `[["date_order","\u003e","2026-03-04 04:06:08"],["date_order","\u003c=","2026-03-04 05:06:07"]]` {
		t.Errorf("asked %q, want the window in UTC", asked)
	}
	// Two companies of the same name are two groups.
	crm.Records = append(crm.Records, fakecrm.Record{"company_id": []any{17, "lyon"}, "amount_total": 1.0, "date_order": "2026-03-04 05:00:00"})
	got, err := askHTTP(t, openHTTP(t, cfg), "company_id", "Count sale.order"+domain)
	mustAnswer(t, got, err, "bonn=1/1", "oslo=1/1", "lyon=?", "1 unlabelled")
	got, err = openHTTP(t, cfg).Measure(t.Context(), Query{Site: "lyon", Expression: "Mean amount_total of sale.order"}, at)
	mustAnswer(t, got, err, "lyon=18.333333333333332/6")
}

func TestWhatTheCRMsRefuse(t *testing.T) {
	odooOf := func(status int, name, message string) fakecrm.Refusal {
		return fakecrm.Refusal{Status: status, Body: fmt.Sprintf(`{"name": %q, "message": %q, "arguments": [], "context": {}, "debug": "hush"}`, name, message)}
	}
	tests := []struct {
		name    string
		preset  Preset
		refusal fakecrm.Refusal
		reason  Reason
		message string
		wait    time.Duration
	}{
		{"session", Salesforce, fakecrm.Refusal{Status: 401, Body: `[{"message":"Session expired or invalid: hush","errorCode":"INVALID_SESSION_ID"}]`}, Unauthorized, "(INVALID_SESSION_ID)", 0},
		{"requests of the day", Salesforce, fakecrm.Refusal{Status: 403, Body: `[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]`}, RateLimited, "(REQUEST_LIMIT_EXCEEDED)", 0},
		{"SOQL", Salesforce, fakecrm.Refusal{Status: 400, Body: `[{"message":"No such column 'Branch' on entity 'Case'` + "\\n" + `","errorCode":"INVALID_FIELD"}]`}, QueryRejected, "the query was rejected (INVALID_FIELD): No such column 'Branch'", 0},
		{"echo", Salesforce, fakecrm.Refusal{Status: 400, Body: `[{"message":"unexpected token: ` + secretToken + `","errorCode":"MALFORMED_QUERY"}]`}, QueryRejected, "unexpected token: [redacted]", 0},
		{"slow", Salesforce, fakecrm.Refusal{Status: 400, Body: `[{"message":"Your query request was running for too long.","errorCode":"QUERY_TIMEOUT"}]`}, Timeout, "QUERY_TIMEOUT", 0},
		{"down", Salesforce, fakecrm.Refusal{Status: 503, RetryAfter: "7", Body: `[{"message":"hush","errorCode":"SERVER_UNAVAILABLE"}]`}, SourceError, "SERVER_UNAVAILABLE", 7 * time.Second},
		{"permission", Dynamics365, fakecrm.Refusal{Status: 403, Body: `{"error":{"code":"0x80040220","message":"hush is missing prvReadOpportunity"}}`}, Unauthorized, "(0x80040220)", 0},
		{"requests", Dynamics365, fakecrm.Refusal{Status: 429, RetryAfter: "30", Body: `{"error":{"code":"0x80072322","message":"Number of requests exceeded the limit of 6000 over time window of 300 seconds."}}`}, RateLimited, "(0x80072322)", 30 * time.Second},
		{"records", Dynamics365, fakecrm.Refusal{Status: 500, Body: `{"error":{"code":"0x8004E023","message":"AggregateQueryRecordLimit exceeded."}}`}, QueryRejected, "AggregateQueryRecordLimit exceeded", 0},
		{"OData", Dynamics365, fakecrm.Refusal{Status: 400, Body: `{"error":{"code":"0x80060888","message":"Syntax error at position 3"}}`}, QueryRejected, "(0x80060888): Syntax error at position 3", 0},
		{"login", Dynamics365, fakecrm.Refusal{Status: 401, ContentType: "text/plain"}, Unauthorized, "(401)", 0},
		{"bursts", HubSpot, fakecrm.Refusal{Status: 429, Body: `{"status":"error","message":"You have reached your secondly limit.","errorType":"RATE_LIMIT","policyName":"SECONDLY"}`}, RateLimited, "(SECONDLY)", 0},
		{"filters", HubSpot, fakecrm.Refusal{Status: 400, Body: `{"status":"error","message":"Property values were not valid","category":"VALIDATION_ERROR"}`}, QueryRejected, "(VALIDATION_ERROR): Property values", 0},
		{"scopes", HubSpot, fakecrm.Refusal{Status: 403, Body: `{"status":"error","message":"hush","category":"MISSING_SCOPES"}`}, Unauthorized, "(MISSING_SCOPES)", 0},
		{"key", Odoo, odooOf(401, "werkzeug.exceptions.Unauthorized", "Invalid apikey"), Unauthorized, "werkzeug.exceptions.Unauthorized", 0},
		{"rights", Odoo, odooOf(403, "odoo.exceptions.AccessError", "hush"), Unauthorized, "AccessError", 0},
		{"domain", Odoo, odooOf(422, "builtins.ValueError", "Invalid field sale.order.branch"), QueryRejected, "Invalid field sale.order.branch", 0},
		{"database", Odoo, odooOf(500, "psycopg2.errors.UndefinedColumn", "hush"), SourceError, "psycopg2.errors.UndefinedColumn", 0},
		{"error with status 200", Odoo, fakecrm.Refusal{Status: 200, Body: `{"jsonrpc":"2.0","id":null,"error":{"code":100,"message":"Odoo Session Expired","data":{"debug":"hush"}}}`}, SourceError, "Odoo Session Expired", 0},
		{"web page with status 200", Salesforce, fakecrm.Refusal{Status: 200, ContentType: "text/html; charset=utf-8", Body: "<html>hush</html>"}, InvalidResponse, "a web page, not with JSON: does it want a login", 0},
		{"cut off", HubSpot, fakecrm.Refusal{Status: 200, Body: `{"total":1,"results":[{"prop`}, InvalidResponse, "incomplete or malformed JSON", 0},
		{"other JSON", Dynamics365, fakecrm.Refusal{Status: 200, Body: `{"values":[]}`}, InvalidResponse, `there is no "value"`, 0},
		{"gateway", Odoo, fakecrm.Refusal{Status: 502, ContentType: "text/html", Body: "<html>hush"}, SourceError, "502 Bad Gateway", 0},
		{"a date to wait for", Dynamics365, fakecrm.Refusal{Status: 429, RetryAfter: "Wed, 04 Mar 2099 00:00:00 GMT"}, RateLimited, "(429)", -1},
	}
	queries := map[Preset]string{Salesforce: soql, Dynamics365: "cases?$apply=groupby((branch))", HubSpot: "Count deals", Odoo: "Count crm.lead"}
	for _, test := range tests {
		t.Run(string(test.preset)+" "+test.name, func(t *testing.T) {
			// All servers turn away in the same manner: whose refusal it is lies in the body.
			crm := &fakecrm.Odoo{}
			crm.Refuse(test.refusal)
			_, err := askHTTP(t, openHTTP(t, HTTPConfig{Address: serve(t, crm.ServeHTTP).URL, Preset: test.preset, BearerToken: secretToken}), "branch", queries[test.preset])
			wantError(t, err, test.reason, test.message)
			failure, _ := asError[*Error](err)
			if test.wait >= 0 && failure.RetryAfter != test.wait || test.wait < 0 && failure.RetryAfter < 365*24*time.Hour {
				t.Errorf("the source wants to be left alone for %s, want %s", failure.RetryAfter, test.wait)
			}
		})
	}
}

func TestQueriesThatThePresetsDoNotUnderstand(t *testing.T) {
	for _, test := range []struct {
		preset         Preset
		query, message string
	}{
		{Salesforce, "DELETE FROM Account", "begins with SELECT"},
		{Salesforce, "GET /services/data", "begins with SELECT"},
		{Dynamics365, "/api/data/v9.2/accounts", "the name of a table"},
		{Dynamics365, "https://other.example/accounts?x", "the name of a table"},
		{Dynamics365, "../../accounts?x", "contains .."},
		{HubSpot, "Count", "Count deals, Sum amount of deals"},
		{HubSpot, "Sum deals", "Count deals, Sum amount of deals"},
		{HubSpot, "Count deals/../contacts", "Count deals, Sum amount of deals"},
		{HubSpot, "Count deals\n[]", "not a JSON object"},
		{HubSpot, "Count deals\nnull", "not a JSON object"},
		{HubSpot, `Count deals` + "\n" + `{"limit": 5}`, `sets "limit"`},
		{HubSpot, `Count deals` + "\n" + `{"after": "5"}`, `sets "after"`},
		{Odoo, "unlink sale.order", "Count crm.lead"},
		{Odoo, "Count sale.order\n{}", "not a domain in JSON"},
		{Odoo, "Count sale.order\nnull", "not a domain in JSON"},
	} {
		source := openHTTP(t, HTTPConfig{Address: "http://127.0.0.1:1", Preset: test.preset})
		_, err := askHTTP(t, source, "site", test.query)
		wantError(t, err, InvalidConfiguration, test.message)
	}
}

// A KPI reads an answer of a preset in its own way, for example by id and not by name.
func TestAQueryBringsItsOwnExtraction(t *testing.T) {
	crm := &fakecrm.Odoo{Records: []fakecrm.Record{{"company_id": []any{7, "lyon"}}, {"company_id": []any{8, "lyon"}}}}
	source := openHTTP(t, HTTPConfig{Address: serve(t, crm.ServeHTTP).URL, Preset: Odoo})
	got, err := askHTTP(t, source, "company_id", strings.Join([]string{"Count crm.lead", "---",
		`body.map(g, {siteLabel: string(g[siteLabel][0]),`, ` "value": g.__count})`}, "\n"))
	mustAnswer(t, got, err, "7=1/0", "8=1/0")
}

var _ http.Handler = (*fakecrm.Tokens)(nil)
