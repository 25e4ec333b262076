package provider

import (
	"errors"
	"strings"
	"testing"
)

func TestWhatIsExtracted(t *testing.T) {
	tests := []struct {
		name, extract string
		aggregate     Aggregate
		body          string
		want          []string
	}{
		{"a list of rows", "body.data", "", `{"data":[{"site":"a","value":1.5,"other":"x"},{"site":"b","value":-2,"samples":7}]}`, []string{"a=1.5/0", "b=-2/7"}},
		{"a map from site to value", "body", "", `{"b":2,"a":0}`, []string{"a=0/0", "b=2/0"}},
		{"null leaves a site out", "body", "", `[{"site":"a","value":null},{"site":"b","value":0,"samples":null}]`, []string{"b=0/0"}},
		{"null in a map", "body", "", `{"a":null,"b":1}`, []string{"b=1/0"}},
		{"an empty list", "body", "", `[]`, []string{}},
		{"two rows for a site", "body", "", `[{"site":"a","value":1},{"site":"b","value":2},{"site":"a","value":1}]`, []string{"b=2/0", "a=?"}},
		{"two rows of which one is null", "body", "", `[{"site":"a","value":null},{"site":"a","value":1}]`, []string{"a=?"}},
		{"rows without a site", "body", "", `[{"site":null,"value":1},{"site":"","value":2},{"site":"b","value":2}]`, []string{"b=2/0", "2 unlabelled"}},
		{"large whole numbers", "body", "", `{"a":9007199254740992,"b":1e300}`, []string{"a=9.007199254740992e+15/0", "b=1e+300/0"}},
		{"calculated", `body.rows.map(r, {"site": r.n, "value": 100.0 * r.won / r.all, "samples": r.all})`, "", `{"rows":[{"n":"a","won":1,"all":8},{"n":"b","won":0,"all":0}]}`, []string{"a=12.5/8", "b=NaN/0"}},
		{"converted", `body.rows.map(r, {"site": string(r.id), "value": double(r.v)})`, "", `{"rows":[{"id":7,"v":"2.50"}]}`, []string{"7=2.5/0"}},
		{"sites that are numbers", `body.map(r, {"site": string(r.id), "value": r.v})`, "", `[{"id":1234567,"v":1},{"id":-9007199254740991,"v":2},{"id":0.5,"v":3}]`,
			[]string{"-9007199254740991=2/0", "0.5=3/0", "1234567=1/0"}},
		{"sites that are made whole", `body.map(r, {"site": string(int(r.id)), "value": int(r.v)})`, "", `[{"id":1234567,"v":1.9},{"id":9007199254740991,"v":-1.9}]`,
			[]string{"1234567=1/0", "9007199254740991=-1/0"}},
		{"filtered", `body.filter(r, has(r.site))`, "", `[{"value":1},{"site":"b","value":2}]`, []string{"b=2/0"}},
		{"optional", `body.?rows.orValue([])`, "", `{}`, []string{}},
		{"counted", "body", AggregateCount, `[{"site":"a"},{"site":"b","value":5},{"site":"a","value":null},{"site":"a","value":2}]`, []string{"a=2/2", "b=1/1"}},
		{"added up", "body", AggregateSum, `[{"site":"a","value":1},{"site":"a","value":-1},{"site":"b","value":null}]`, []string{"a=0/2"}},
		{"averaged", "body", AggregateMean, `[{"site":"a","value":1},{"site":"a","value":4},{"site":null,"value":4},{"site":null,"value":4}]`, []string{"a=2.5/2", "2 unlabelled"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			source := openHTTP(t, HTTPConfig{Address: serve(t, jsonly(test.body)).URL, Extract: test.extract, Aggregate: test.aggregate})
			got, err := askHTTP(t, source, "site", "GET /x")
			mustAnswer(t, got, err, test.want...)
		})
	}
}

func TestWhatIsExtractedForOneSite(t *testing.T) {
	for body, want := range map[string]string{
		`12.5`: "lyon=12.5/0", `{"lyon":3}`: "lyon=3/0", `[{"value":4,"samples":2}]`: "lyon=4/2", `[{"site":"lyon","value":4}]`: "lyon=4/0", `[{"value":1},{"value":2}]`: "lyon=?",
	} {
		got, err := openHTTP(t, HTTPConfig{Address: serve(t, jsonly(body)).URL, Extract: "body"}).Measure(t.Context(), Query{Expression: "GET /x", Site: "lyon"}, at)
		mustAnswer(t, got, err, want)
	}
	for body, message := range map[string]string{
		`[{"site":"bonn","value":4}]`: "another site", `{"bonn":3}`: "another site", `null`: "neither a list of rows", `"x"`: "neither a number nor null", `true`: "neither a number nor null",
	} {
		_, err := openHTTP(t, HTTPConfig{Address: serve(t, jsonly(body)).URL, Extract: "body"}).Measure(t.Context(), Query{Expression: "GET /x", Site: "lyon"}, at)
		wantError(t, err, InvalidResponse, message)
	}
}

// An answer that cannot be read completely is an error and not a smaller answer.
func TestWhatCannotBeExtracted(t *testing.T) {
	tests := []struct{ name, extract, body, message string }{
		{"a number for all sites", "body", `1`, "neither a list of rows nor a map"},
		{"null", "body", `null`, "neither a list of rows nor a map"},
		{"a part that is not there", "body.?rows", `{}`, "neither a list of rows nor a map"},
		{"a part that must be there", "body.rows", `{"error":"hush"}`, `there is no "rows" where it looks for one`},
		{"a row that is none", "body", `[{"site":"a","value":1},2]`, "a row is not an object"},
		{"a row without value", "body", `[{"site":"a","value":1},{"site":"b"}]`, `a row has no field "value"`},
		{"a row without site", "body", `[{"site":"a","value":1},{"branch":"b","value":1}]`, "no field for the site"},
		{"a site that is a number", "body", `[{"site":7,"value":1}]`, "the site of a row is neither a text nor null"},
		{"a value that is a text", "body", `[{"site":"a","value":"1"}]`, "convert texts with double()"},
		{"a value that is a list", "body", `{"a":[]}`, "a value is neither a number nor null"},
		{"a value that is false", "body", `{"a":false}`, "a value is neither a number nor null"},
		{"half an observation", "body", `[{"site":"a","value":1,"samples":1.5}]`, `the field "samples"`},
		{"fewer than none", "body", `[{"site":"a","value":1,"samples":-1}]`, `the field "samples"`},
		{"a text that is no number", `body.map(r, {"site": "a", "value": double(r)})`, `["hush"]`, "is there something else in it than was expected?"},
		{"a whole number in the expression", `body.map(r, {"site": "a", "value": 100 * r})`, `[1]`, "write 100.0, not 100"},
		{"a site beyond 2^53", `body.map(r, {"site": string(r.id), "value": 1.0})`, `[{"id":9007199254740993}]`, "have the source send it as text"},
		{"a site beyond 2^53, made whole", `body.map(r, {"site": string(int(r.id)), "value": 1.0})`, `[{"id":-9007199254740993}]`, "have the source send it as text"},
		{"a number that is not whole enough", `body.map(r, {"site": "a", "value": int(r)})`, `[1e300]`, "have the source send it as text"},
		{"a key from the answer", `body[body.key]`, `{"key":"hush"}`, "does not fit the answer"},
		{"a name twice", "body", `{"a":1,"a":2}`, "a name twice"},
		{"a number beyond all", "body", `{"a":1e999}`, "malformed JSON"},
		{"NaN", "body", `{"a":NaN}`, "malformed JSON"},
		{"two values", "body", `{"a":1}{"a":2}`, "malformed JSON"},
		{"cut off", "body", `{"a":1`, "incomplete or malformed JSON"},
		{"nothing", "body", ``, "without a body"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := askHTTP(t, openHTTP(t, HTTPConfig{Address: serve(t, jsonly(test.body)).URL, Extract: test.extract}), "site", "GET /x")
			wantError(t, err, InvalidResponse, test.message)
		})
	}
}

// What a page takes in memory is bounded, not only what it takes on the wire.
func TestAPageOfManyParts(t *testing.T) {
	list := func(part string, times int) []byte {
		return []byte("[" + strings.TrimSuffix(strings.Repeat(part+",", times), ",") + "]")
	}
	for name, test := range map[string]struct {
		part  string
		times int
		fits  bool
	}{
		"numbers": {"1", maxValues - 1, true}, "one number too many": {"1", maxValues, false},
		"rows":                {`{"site":"a","value":1}`, 45_454, true},
		"too many rows":       {`{"site":"a","value":1}`, 45_455, false},
		"small objects":       {`{"a":1}`, 50_000, false},
		"empty objects":       {`{}`, 55_556, false},
		"fewer empty objects": {`{}`, 55_555, true},
	} {
		if _, err := decodeJSON(list(test.part, test.times)); (err == nil) != test.fits || err != nil && !errors.Is(err, errTooManyParts) {
			t.Errorf("%s: error %v, want none: %t", name, err, test.fits)
		}
	}
}

func TestHTTPConfigurationsThatAreRefused(t *testing.T) {
	tokens := func(change func(*OAuth2Config)) *OAuth2Config {
		declared := &OAuth2Config{TokenURL: "https://login.example/token", ClientID: "id", ClientSecret: "hush"}
		change(declared)
		return declared
	}
	for _, test := range []struct {
		cfg     HTTPConfig
		message string
	}{
		{HTTPConfig{Address: "ftp://crm.example"}, "must begin with http"},
		{HTTPConfig{Address: "https://ann:hush@crm.example"}, "contains credentials"},
		{HTTPConfig{Extract: "body."}, "line 1, column"},
		{HTTPConfig{Extract: strings.Repeat("x", maxExpression+1)}, "is not a CEL expression"},
		{HTTPConfig{Extract: "true"}, "gives a bool"},
		{HTTPConfig{Aggregate: "Median"}, "None, Count, Sum or Mean"},
		{HTTPConfig{Preset: "SAP"}, "Salesforce, Dynamics365, HubSpot or Odoo"},
		{HTTPConfig{Preset: Odoo, Extract: "body"}, "brings its own"},
		{HTTPConfig{Preset: Odoo, Pagination: Pagination{NextLink: "body.next"}}, "brings its own"},
		{HTTPConfig{Preset: Odoo, APIVersion: "2/../x"}, "is not one: write it like 2"},
		{HTTPConfig{APIVersion: "v1"}, "without a preset"},
		{HTTPConfig{Pagination: Pagination{NextLink: "body.a", PageParameter: "p"}}, "more than one way"},
		{HTTPConfig{Pagination: Pagination{Cursor: "body.a"}}, "set one of them"},
		{HTTPConfig{Pagination: Pagination{Cursor: "body.a", CursorField: "a", CursorParameter: "a"}}, "set one of them"},
		{HTTPConfig{Pagination: Pagination{NextLink: "body.("}}, "the next link is not a CEL expression"},
		{HTTPConfig{Pagination: Pagination{PageParameter: "p", More: "1"}}, "it must give true or false"},
		{HTTPConfig{Pagination: Pagination{MaxPages: -1}}, "negative"},
		{HTTPConfig{Headers: []Header{{"Authorization", "hush"}}}, "take its value from a secret"},
		{HTTPConfig{Headers: []Header{{"accept-encoding", "gzip"}}}, "belongs to the connection"},
		{HTTPConfig{Headers: []Header{{"a b", "c"}}}, "characters that a header name cannot have"},
		{HTTPConfig{SecretHeaders: []Header{{"X-Key", "hu\r\nsh"}}}, "line breaks or control characters"},
		{HTTPConfig{Headers: []Header{{"X-Key", "a"}}, SecretHeaders: []Header{{"x-key", "hush"}}}, "the header X-Key is there twice"},
		{HTTPConfig{SecretHeaders: []Header{{"X-key", "hush"}, {"X-Key", "hush"}}}, "the header X-Key is there twice"},
		{HTTPConfig{Preset: Dynamics365, Headers: []Header{{"prefer", "odata.maxpagesize=1"}}}, "the header Prefer is set by the preset"},
		{HTTPConfig{Preset: Dynamics365, SecretHeaders: []Header{{"odata-version", "hush"}}}, "the header OData-Version is set by the preset"},
		{HTTPConfig{SecretHeaders: []Header{{"Authorization", "hush"}}, BearerToken: "hush"}, "choose one of them"},
		{HTTPConfig{BearerToken: "hush", OAuth2: tokens(func(*OAuth2Config) {})}, "choose one of them"},
		{HTTPConfig{OAuth2: tokens(func(c *OAuth2Config) { c.TokenURL = "login.example" })}, "is not a URL"},
		{HTTPConfig{OAuth2: tokens(func(c *OAuth2Config) { c.TokenURL = "https://a:hush@login.example" })}, "contains credentials"},
		{HTTPConfig{OAuth2: tokens(func(c *OAuth2Config) { c.ClientSecret = "" })}, "needs a client ID and a client secret"},
		{HTTPConfig{OAuth2: tokens(func(c *OAuth2Config) { c.Parameters = []Header{{"scope", "x"}} })}, "set otherwise"},
		{HTTPConfig{ServerName: "crm.example", Address: "http://crm.example"}, "TLS settings"},
		{HTTPConfig{MaxResponseBytes: -1}, "negative"},
		{HTTPConfig{Timeout: 6 * 60 * 1e9}, "longer than 5m"},
		{HTTPConfig{Limits: Limits{Concurrent: -1}}, "negative"},
	} {
		if test.cfg.Address == "" {
			test.cfg.Address = "https://crm.example"
		}
		_, err := NewHTTP(test.cfg)
		wantError(t, err, InvalidConfiguration, test.message)
	}
}
