package provider

import (
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/crmops/rollout-operator/test/promserver"
)

// exporter is what the CRM systems of three sites would publish.
const exporter = `# TYPE crm_active_users gauge
crm_active_users{site="lyon"} 45
crm_active_users{site="oslo"} 12
crm_active_users{site="rome"} 0
# TYPE crm_licensed_users gauge
crm_licensed_users{site="lyon"} 50
crm_licensed_users{site="oslo"} 48
crm_licensed_users{site="rome"} 0
# TYPE crm_calls gauge
crm_calls{site="lyon",channel="phone"} 3
crm_calls{site="lyon",channel="mail"} 4
crm_calls{site="oslo",channel="mail"} 5
crm_calls{channel="mail"} 6
`

// What the other tests take from fakes holds for a real Prometheus server.
func TestARealPrometheus(t *testing.T) {
	source := realPrometheus(t)
	t.Run("answers", func(t *testing.T) { realAnswers(t, source) })
	t.Run("rejects", func(t *testing.T) { realRejections(t, source) })
}

func realAnswers(t *testing.T, source Provider) {
	now := Window{Start: time.Now().Add(-time.Minute), End: time.Now()}

	tests := []struct {
		name  string
		query Query
		want  Answer
	}{
		{"one sample per site", Query{Expression: "crm_active_users", SiteLabel: "site"},
			Answer{Samples: []Sample{{Site: "lyon", Value: 45}, {Site: "oslo", Value: 12}, {Site: "rome", Value: 0}}}},
		{"nothing divided by nothing is NaN", Query{Expression: "crm_active_users / crm_licensed_users", SiteLabel: "site"},
			Answer{Samples: []Sample{{Site: "lyon", Value: 0.9}, {Site: "oslo", Value: 0.25}, {Site: "rome", Value: math.NaN()}}}},
		{"something divided by nothing is infinite", Query{Expression: `1 / crm_active_users{site="rome"}`, SiteLabel: "site"},
			Answer{Samples: []Sample{{Site: "rome", Value: math.Inf(1)}}}},
		{"too many series", Query{Expression: "crm_calls", SiteLabel: "site"},
			Answer{Samples: []Sample{{Site: "oslo", Value: 5}}, Ambiguous: []string{"lyon"}, Unlabelled: 1}},
		{"a metric that does not exist", Query{Expression: "crm_no_such_metric", SiteLabel: "site"}, Answer{}},
		{"a scalar for one site", Query{Expression: `scalar(crm_active_users{site="oslo"})`, Site: "oslo"},
			Answer{Samples: []Sample{{Site: "oslo", Value: 12}}}},
		{"a sum for one site", Query{Expression: `sum(crm_calls{site="lyon"})`, Site: "lyon"},
			Answer{Samples: []Sample{{Site: "lyon", Value: 7}}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := source.Measure(t.Context(), test.query, now)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got.Samples {
				if want := now.End.Truncate(time.Millisecond); !got.Samples[i].Time.Equal(want) {
					t.Errorf("the sample %v is for another moment than %s", got.Samples[i], want)
				}
				got.Samples[i].Time = time.Time{}
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("a window before there was data", func(t *testing.T) {
		yesterday := Window{Start: now.Start.Add(-24 * time.Hour), End: now.End.Add(-24 * time.Hour)}
		got, err := source.Measure(t.Context(), Query{Expression: "crm_active_users", SiteLabel: "site"}, yesterday)
		if err != nil || len(got.Samples) > 0 {
			t.Errorf("got %v and error %v, want no samples", got, err)
		}
	})
}

func realRejections(t *testing.T, source Provider) {
	tests := []struct {
		name, expression string
		reason           Reason
		message          string
	}{
		{"malformed", "sum(crm_calls", QueryRejected, "parse error: unclosed left parenthesis"},
		{"impossible to evaluate", "crm_calls / on(site) crm_calls", QueryRejected, "found duplicate series for the match group"},
		{"a range", "crm_calls[5m]", InvalidResponse, "one series per site; it returned a matrix"},
		{"a scalar", "42", InvalidResponse, "one series per site; it returned a scalar"},
		{"a string", `"hush"`, InvalidResponse, "one series per site; it returned a string"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := source.Measure(t.Context(), Query{Expression: test.expression, SiteLabel: "site"},
				Window{Start: time.Now(), End: time.Now()})
			wantError(t, err, test.reason, test.message)
		})
	}
}

// realPrometheus returns a source whose server has scraped the exporter.
func realPrometheus(t *testing.T) Provider {
	t.Helper()
	target := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, exporter) })
	server, err := promserver.Start(t.Context(), promserver.Options{
		Dir: t.TempDir(), ScrapeInterval: 100 * time.Millisecond,
		Targets: []string{strings.TrimPrefix(target.URL, "http://")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	source := open(t, PrometheusConfig{Address: server.URL()})
	eventually(t, "the exporter has been scraped", func() bool {
		answer, err := source.Measure(t.Context(), Query{Expression: "crm_active_users", SiteLabel: "site"},
			Window{Start: time.Now(), End: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		return len(answer.Samples) == 3
	})
	return source
}
