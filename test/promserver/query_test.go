package promserver

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestValuesAreThoseOfTheServer(t *testing.T) {
	server, err := Start(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	const sites = `label_replace(vector(time()), "site", "lyon", "", "") or label_replace(vector(2.5), "site", "oslo", "", "")`
	at := time.Date(2026, 3, 2, 12, 0, 0, 500e6, time.UTC)

	got, err := server.Values(t.Context(), sites, at, "site")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"lyon": float64(at.UnixMilli()) / 1000, "oslo": 2.5}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}

	for expression, words := range map[string]string{
		sites + " and":   "parse error",
		"1":              "cannot unmarshal",
		`{job="nobody"}`: "",
	} {
		got, err := server.Values(t.Context(), expression, at, "site")
		if words == "" && (err != nil || len(got) != 0) || words != "" && (err == nil || !strings.Contains(err.Error(), words)) {
			t.Errorf("%s: got %v and error %v, want an error with %q", expression, got, err, words)
		}
	}
	if _, err := server.Values(t.Context(), sites, at, "region"); err == nil || !strings.Contains(err.Error(), "two series") {
		t.Errorf("two series with the same label: got error %v", err)
	}
}

func TestValuesRefusesWhatIsNoAnswer(t *testing.T) {
	tests := map[string]struct{ body, words string }{
		"no JSON":     {"<html>", "invalid character"},
		"no number":   {`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"site":"lyon"},"value":[1,"many"]}]}}`, "many"},
		"no value":    {`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"site":"lyon"}}]}}`, "lyon"},
		"an error":    {`{"status":"error","error":"too many samples"}`, "too many samples"},
		"a bad start": {`[]`, "cannot unmarshal"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(test.body)) }))
			defer fake.Close()
			server := &Server{url: fake.URL}
			if got, err := server.Values(t.Context(), "up", time.Now(), "site"); err == nil || !strings.Contains(err.Error(), test.words) {
				t.Errorf("got %v and error %v, want an error with %q", got, err, test.words)
			}
		})
	}
}
