package provider

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
)

// extractions are what FuzzExtract reads bodies with: passed on, made anew, and those of the presets.
var extractions = []string{
	`body`, `body.items`, `body.?data.rows`,
	`body.items.map(i, {"site": i.branch, "value": double(i.won) / double(i.all), ?"samples": i.?all})`,
	`body.items.filter(i, i.open).map(i, {"site": string(i.id), "value": i.value})`,
	hubSpot().extract, odoo().extract, salesforce().extract,
}

// FuzzExtract feeds arbitrary answers to the extractor: it never panics, ends, and gives nothing that is not in the answer.
func FuzzExtract(f *testing.F) {
	for i, body := range []string{
		`[{"site":"a","value":1,"samples":3},{"site":"b","value":null},{"site":"a","value":2},{"site":null,"value":4}]`,
		`{"items":[{"site":"a","value":1.5}]}`, `{"data":{"rows":{"a":1,"b":null,"c":-2.5e3}}}`,
		`{"items":[{"branch":"a","won":"3","all":4},{"branch":"b","won":1,"all":0}]}`,
		`{"items":[{"id":7,"open":true,"value":1},{"id":8,"open":false}]}`,
		`{"total":1,"results":[{"id":"1","properties":{"site":"a","field":"12.5"}}]}`,
		`[{"site":[7,"a"],"field":12,"field:count":3},{"site":false,"field":false,"field:count":1}]`,
		`{"totalSize":1,"done":true,"records":[{"attributes":{},"site":"a","value":9007199254740993}]}`,
	} {
		for aggregate := range uint8(4) {
			f.Add([]byte(body), uint8(i), aggregate)
		}
	}
	for _, body := range []string{`12`, `null`, `[]`, `{}`, `{"a":1,"a":2}`, `[1e999]`, `[[[[[[`, `<html>`, "\xff", `"a"`, `[{"site":"a","value":"1"}]`, `{"a":1}x`} {
		f.Add([]byte(body), uint8(0), uint8(0))
	}
	var compiled []*expression
	for _, text := range extractions {
		e, err := compileRows(text)
		if err != nil {
			f.Fatal(err)
		}
		compiled = append(compiled, e)
	}
	aggregates := []Aggregate{AggregateNone, AggregateCount, AggregateSum, AggregateMean}
	f.Fuzz(func(t *testing.T, body []byte, which, how uint8) {
		page, err := decodeJSON(body)
		if err != nil {
			// Where no name can be there twice and nothing lie too deep, only what is no JSON, and numbers beyond all floats, are refused.
			if known := any(nil); !bytes.ContainsAny(body, "[{") && json.Unmarshal(body, &known) == nil {
				t.Errorf("the value %s is refused: %v", body, err)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatalf("%q is read although it is not JSON", body)
		}
		aggregate := aggregates[int(how)%len(aggregates)]
		for _, query := range []Query{allSites, oneSite} {
			fuzzed := inquiry{
				rows:      compiled[int(which)%len(compiled)],
				rowReader: rowReader{label: "site", site: query.Site, counts: aggregate == AggregateCount},
				variables: map[string]string{labelVariable: "site", fieldVariable: "field", countVariable: "field:count"},
			}
			rows, err := fuzzed.read(t.Context(), page)
			if err != nil {
				wantError(t, err, ReasonOf(err), "")
				continue
			}
			answer := settle(rows, aggregate, at)
			assertAnswer(t, query, answer)
			assertNothingInvented(t, body, answer, aggregate)
		}
	})
}

// assertNothingInvented asserts that a zero stands in the answer, and that of each site no more than one number is left.
func assertNothingInvented(t *testing.T, body []byte, answer Answer, aggregate Aggregate) {
	t.Helper()
	for _, sample := range answer.Samples {
		// A zero is written with the digit, or as a number too small for a float; sums and quotients can be zero by themselves.
		if sample.Value == 0 && aggregate.single() && !bytes.ContainsAny(body, "0eE") {
			t.Errorf("the zero of %q is not in %s", sample.Site, body)
		}
		if sample.Samples < 0 || aggregate == AggregateCount && sample.Value != float64(sample.Samples) {
			t.Errorf("the sample %+v counts wrongly", sample)
		}
	}
}

// FuzzExpression compiles arbitrary expressions and runs them over one page: they end within the cost limit, and what they say of the page is not told.
func FuzzExpression(f *testing.F) {
	for _, text := range append(slices.Clone(extractions), `body.items.map(i, {"site": i.secret, "value": double(i.secret)})`, `body[body.items[0].secret]`,
		`body.items[5]`, `1.0`, `{"a": 1, "b": 2u, "c": null}`, `[{"site": "a", "value": 1}]`, `body.items.map(x, body.items.map(y, {"site": "a", "value": 0.0}))`,
		`size(body.items)`, `body.?none`, `optional.of(2.5)`, `timestamp(body.items[0].secret)`, `"`, `body.items.exists(i, i.value > 0)`, `(((((`, `body.`) {
		f.Add(text)
	}
	page := map[string]any{"items": []any{
		map[string]any{"site": "a", "branch": "a", "value": 1.0, "won": 1.0, "all": 2.0, "id": 7.0, "open": true, "secret": secretToken},
		map[string]any{"site": nil, "branch": "b", "value": nil, "won": 3.0, "all": 4.0, "id": 8.0, "open": false, "secret": secretToken},
	}}
	f.Fuzz(func(t *testing.T, text string) {
		compiled, err := compileRows(text)
		if err != nil {
			if reason := ReasonOf(err); reason != InvalidConfiguration {
				t.Errorf("the reason is %q for %v", reason, err)
			}
			return
		}
		fuzzed := inquiry{rows: compiled, rowReader: rowReader{label: "site"}, variables: map[string]string{labelVariable: "site"}}
		rows, err := fuzzed.read(t.Context(), page)
		if err != nil {
			if !strings.Contains(text, "hush") {
				wantError(t, err, ReasonOf(err), "")
			}
			return
		}
		assertAnswer(t, allSites, settle(rows, AggregateNone, at))
	})
}

// FuzzRequest makes requests of arbitrary queries, for every preset: what comes out can be sent, stays below the address and has valid JSON.
func FuzzRequest(f *testing.F) {
	for _, query := range []string{
		"GET /api/metrics?kpi=x&from=:start&to=:end", "POST /a b/%20?x=%zz#y\n\n{\"from\": \":start\", \"n\": :startUnix}", "GET /../x", "GET //other.example/x",
		soql, "accounts?$apply=filter(createdon gt :start)/groupby((a))", "Count deals\n{\"filterGroups\": []}", "Mean a of b.c\n[[\"x\", \">\", \":end\"]]",
		"GET /x\n--- Sum\nbody.items", "---", "GET /x\n---\nbody.(", "GET /x\r\n--- None\r\nbody", "GET /%2e%2e/x", "GET /x?a=::start:end:startDate", "",
	} {
		f.Add(query)
	}
	var sources []*webSource
	for _, preset := range []Preset{"", Salesforce, Dynamics365, HubSpot, Odoo} {
		cfg := HTTPConfig{Address: "https://crm.example:8443/base", Preset: preset, Timeout: time.Second}
		if preset == "" {
			cfg.Extract = "body"
		}
		source, err := newWebSource(cfg)
		if err != nil {
			f.Fatal(err)
		}
		sources = append(sources, source)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, source := range sources {
			for _, q := range []Query{{Expression: query, SiteLabel: "site"}, {Expression: query, Site: "lyon"}} {
				asked, err := source.prepare(q, at)
				if err != nil {
					if reason := ReasonOf(err); reason != InvalidConfiguration {
						t.Errorf("the reason is %q for %v", reason, err)
					}
					continue
				}
				assertSendable(t, asked.request)
			}
		}
	})
}

func assertSendable(t *testing.T, asked request) {
	t.Helper()
	made, err := url.Parse("https://crm.example:8443/base" + asked.target)
	if err != nil || made.Host != "crm.example:8443" || !strings.HasPrefix(made.Path, "/base/") || made.Fragment != "" {
		t.Fatalf("the target %q leads to %v (%v)", asked.target, made, err)
	}
	if slices.Contains(strings.Split(made.Path, "/"), "..") || strings.ContainsFunc(asked.target, func(r rune) bool { return r <= ' ' || r >= unicode.MaxASCII }) {
		t.Errorf("the target %q goes up, or has characters that a request line cannot have", asked.target)
	}
	if asked.method != "GET" && asked.method != "POST" || asked.method == "GET" && asked.body != nil || asked.body != nil && !json.Valid(asked.body) {
		t.Errorf("%s with the body %q cannot be sent", asked.method, asked.body)
	}
}
