package provider

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func sample(site string, value float64) Sample {
	return Sample{Site: site, Value: value, Time: instant}
}

func TestAnswersForAllSites(t *testing.T) {
	stamp := fmt.Sprintf("%.3f", float64(instant.UnixMilli())/1000)
	tests := []struct {
		name string
		says http.HandlerFunc
		want Answer
	}{
		{"one sample per site, sorted", vector(series("b", "2"), series("a", "1.5"), series("c", "-3")),
			Answer{Samples: []Sample{sample("a", 1.5), sample("b", 2), sample("c", -3)}}},
		{"NaN and infinities are handed on", vector(series("a", "NaN"), series("b", "+Inf"), series("c", "-Inf")),
			Answer{Samples: []Sample{sample("a", math.NaN()), sample("b", math.Inf(1)), sample("c", math.Inf(-1))}}},
		{"no series, no samples", vector(), Answer{}},
		{"rows without the label are counted and dropped",
			vector(`{"metric":{},"value":[`+stamp+`,"1"]}`, `{"metric":{"site":""},"value":[`+stamp+`,"2"]}`,
				`{"metric":{"Site":"a"},"value":[`+stamp+`,"3"]}`, series("b", "4")),
			Answer{Samples: []Sample{sample("b", 4)}, Unlabelled: 3}},
		{"a site with two values has none", vector(series("b", "1"), series("a", "2"), series("b", "3"), series("d", "1"), series("d", "1")),
			Answer{Samples: []Sample{sample("a", 2)}, Ambiguous: []string{"b", "d"}}},
		{"an older moment is reported as such", vector(`{"metric":{"site":"a"},"value":[1700000000,"1"]}`),
			Answer{Samples: []Sample{{Site: "a", Value: 1, Time: time.Unix(1700000000, 0).UTC()}}}},
		{"advice about the query is no doubt about the answer", saying(200, "application/json",
			`{"status":"success","data":{"resultType":"vector","result":[]},"infos":["PromQL info: a"],"warnings":["PromQL info: metric might not be a counter"]}`), Answer{}},
		{"JSON under another content type is JSON", saying(200, "text/plain; charset=utf-8", `{"status":"success","data":{"resultType":"vector","result":[]}}`), Answer{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			source := open(t, PrometheusConfig{Address: serve(t, test.says).URL, BearerToken: secretToken})
			got, err := source.Measure(t.Context(), allSites, at)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnswersForOneSite(t *testing.T) {
	scalar := fmt.Sprintf(`{"status":"success","data":{"resultType":"scalar","result":[%.3f,"0.25"]}}`, float64(instant.UnixMilli())/1000)
	tests := []struct {
		name string
		says http.HandlerFunc
		want Answer
	}{
		{"a scalar is the site's value", saying(200, "application/json", scalar), Answer{Samples: []Sample{sample("lyon", 0.25)}}},
		{"so is a single series, whatever its labels", vector(series("paris", "7")), Answer{Samples: []Sample{sample("lyon", 7)}}},
		{"no series, no sample", vector(), Answer{}},
		{"two series are ambiguous", vector(series("paris", "7"), series("lyon", "8")), Answer{Ambiguous: []string{"lyon"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := open(t, PrometheusConfig{Address: serve(t, test.says).URL}).Measure(t.Context(), oneSite, at)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// A result that cannot be read to its last row must not become fewer samples, and nothing that is missing may become a
// zero.
func TestUnusableResults(t *testing.T) {
	const unreadable = "not the result of an instant query"
	tests := []struct {
		name, data, message string
		query               Query
	}{
		{name: "scalar for all sites", data: `{"resultType":"scalar","result":[1,"1"]}`,
			message: "the query must return an instant vector with one series per site; it returned a scalar"},
		{name: "matrix for all sites", data: `{"resultType":"matrix","result":[]}`, message: "it returned a matrix"},
		{name: "string for all sites", data: `{"resultType":"string","result":[1,"x"]}`, message: "it returned a string"},
		{name: "matrix for one site", data: `{"resultType":"matrix","result":[]}`, query: oneSite, message: "must return one number"},
		{name: "string for one site", data: `{"resultType":"string","result":[1,"x"]}`, query: oneSite, message: "must return one number"},
		{name: "scalar without a number", data: `{"resultType":"scalar","result":[1]}`, query: oneSite, message: unreadable},
		{name: "unknown type", data: `{"resultType":"tensor","result":[]}`, message: unreadable},
		{name: "no data", data: `null`, message: unreadable},
		{name: "no result", data: `{"resultType":"vector"}`, message: unreadable},
		{name: "a row that is null", data: row1(`null`), message: unreadable},
		{name: "a row without a value", data: row1(`{"metric":{"site":"a"}}`), message: unreadable},
		{name: "a value that is null", data: row1(`{"metric":{"site":"a"},"value":null}`), message: unreadable},
		{name: "a value without a number", data: row1(`{"metric":{"site":"a"},"value":[1]}`), message: unreadable},
		{name: "a number that is null", data: row1(`{"metric":{"site":"a"},"value":[1,null]}`), message: unreadable},
		{name: "a number that is none", data: row1(`{"metric":{"site":"a"},"value":[1,"n/a"]}`), message: unreadable},
		{name: "a number too large to hold", data: row1(`{"metric":{"site":"a"},"value":[1,"1e999"]}`), message: unreadable},
		{name: "a time that is null", data: row1(`{"metric":{"site":"a"},"value":[null,"1"]}`), message: unreadable},
		{name: "a value from the future", data: row1(`{"metric":{"site":"a"},"value":[99999999999,"1"]}`), message: unreadable},
		{name: "a good row and a bad one", data: row1(series("a", "1") + `,{"metric":{"site":"b"}}`), message: unreadable},
		{name: "a histogram", data: row1(`{"metric":{"site":"a"},"histogram":[1,{"count":"3","sum":"4"}]}`), message: "histogram_quantile"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			query := test.query
			if query == (Query{}) {
				query = allSites
			}
			server := serve(t, saying(200, "application/json", `{"status":"success","data":`+test.data+`}`))
			answer, err := open(t, PrometheusConfig{Address: server.URL}).Measure(t.Context(), query, at)
			wantError(t, err, InvalidResponse, test.message)
			if diff := cmp.Diff(Answer{}, answer); diff != "" {
				t.Errorf("an error came with an answer (-want +got):\n%s", diff)
			}
		})
	}
}

func row1(rows string) string { return `{"resultType":"vector","result":[` + rows + `]}` }
