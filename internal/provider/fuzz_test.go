package provider

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// FuzzRead feeds arbitrary answers to both kinds of queries. It leaves the network out, whose goroutines make coverage
// vary between equal inputs and the fuzzer chase them.
func FuzzRead(f *testing.F) {
	for _, body := range []string{
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"site":"a"},"value":[1700000000,"1"]}]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"site":"b"},"value":[1,"NaN"]},{"metric":{"site":"a"},"value":[1,"+Inf"]},{"metric":{"site":"b"},"value":[1,"2"]},{"metric":{},"value":[1,"3"]}]},"warnings":["partial"]}`,
		`{"status":"success","data":{"resultType":"scalar","result":[1700000000.5,"-0.25"]}}`,
		`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"]]}]}}`,
		`{"status":"success","data":{"resultType":"string","result":[1,"x"]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[null,{"metric":null,"value":null}]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"site":"a"},"histogram":[1,{"count":"1"}]}]}}`,
		`{"status":"error","errorType":"bad_data","error":"1:1: parse error\u0000\n"}`,
		`<html><body>502</body></html>`, ``, `null`, `[]`, `{"status":`, "\xff\xfe",
	} {
		f.Add(http.StatusOK, "application/json", []byte(body))
	}
	f.Add(http.StatusBadRequest, "application/json", []byte(`{"status":"error","errorType":"execution","error":"no"}`))
	f.Add(http.StatusOK, "text/html; charset=utf-8", []byte(`<html>`))
	f.Add(http.StatusBadGateway, "text/html", []byte(`<html>`))

	source := &prometheus{endpoint: endpoint{host: "fuzzed:9090", redactor: newRedactor(secretToken)}}
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		got := reply{status: status, header: http.Header{"Content-Type": {contentType}}, body: body}
		for _, query := range []Query{allSites, oneSite} {
			answer, err := source.read(got, query, at)
			if err != nil {
				wantError(t, err, ReasonOf(err), "")
				continue
			}
			assertAnswer(t, query, answer)
		}
	})
}

// assertAnswer asserts what Answer promises.
func assertAnswer(t *testing.T, query Query, answer Answer) {
	t.Helper()
	var sites []string
	for _, sample := range answer.Samples {
		sites = append(sites, sample.Site)
		if sample.Time.After(instant.Add(2*time.Second)) || sample.Time.Unix() < 0 {
			t.Errorf("the sample %v is from outside the time that was asked for", sample)
		}
	}
	for _, list := range [][]string{sites, answer.Ambiguous} {
		if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) || slices.Contains(list, "") {
			t.Errorf("the sites %q are not sorted, unique and named", list)
		}
	}
	for _, site := range answer.Ambiguous {
		if slices.Contains(sites, site) {
			t.Errorf("the site %q is ambiguous and has a sample", site)
		}
	}
	if all := append(sites, answer.Ambiguous...); query.Site != "" && len(all) > 0 && !slices.Equal(all, []string{query.Site}) {
		t.Errorf("the query for %q was answered for %q", query.Site, all)
	}
	if answer.Unlabelled < 0 {
		t.Errorf("the answer %v is out of bounds", answer)
	}
}
