package fakeprom_test

import (
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/crmops/rollout-operator/internal/provider"
	"github.com/crmops/rollout-operator/test/fakeprom"
)

// noon is a moment that every question of these tests is about.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// source is a fake, and the operator's own client of it.
func source(t *testing.T) (*fakeprom.Server, func(expression string) (provider.Answer, error)) {
	t.Helper()
	server, err := fakeprom.Start()
	if err != nil {
		t.Fatal(err)
	}
	guard, err := provider.NewGuard(provider.GuardConfig{Allow: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := provider.NewPrometheus(provider.PrometheusConfig{Address: server.URL(), Timeout: time.Second, MaxResponseBytes: 4096, Guard: guard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, func(expression string) (provider.Answer, error) {
		return client.Measure(t.Context(), provider.Query{Expression: expression, SiteLabel: "site"}, provider.Window{Start: noon, End: noon})
	}
}

func TestAnswers(t *testing.T) {
	samples := func(at time.Time, values map[string]float64) []provider.Sample {
		var all []provider.Sample
		for site, value := range values {
			all = append(all, provider.Sample{Site: site, Value: value, Time: at})
		}
		return all
	}
	series := &fakeprom.Series{}
	series.Set(noon.Add(-time.Hour), 0.5, "berlin", "paris")
	series.Set(noon, 0.9, "berlin")
	series.Drop(noon.Add(-time.Minute), "paris")
	series.Set(noon.Add(time.Second), 0.1, "berlin", "rome")

	tests := []struct {
		name       string
		answer     fakeprom.Answer
		want       provider.Answer
		wantReason provider.Reason
	}{
		{name: "values by site", answer: fakeprom.BySite(series.At), want: provider.Answer{Samples: samples(noon, map[string]float64{"berlin": 0.9})}},
		{name: "not a number", answer: fakeprom.Fixed(fakeprom.Site("berlin", math.NaN())), want: provider.Answer{Samples: samples(noon, map[string]float64{"berlin": math.NaN()})}},
		{name: "infinity", answer: fakeprom.Fixed(fakeprom.Site("berlin", math.Inf(1))), want: provider.Answer{Samples: samples(noon, map[string]float64{"berlin": math.Inf(1)})}},
		{name: "nothing", answer: fakeprom.Fixed()},
		{name: "no label", answer: fakeprom.Fixed(fakeprom.Sample{Value: 1}), want: provider.Answer{Unlabelled: 1}},
		{name: "two values for a site", answer: fakeprom.Fixed(fakeprom.Site("berlin", 1), fakeprom.Site("berlin", 2)), want: provider.Answer{Ambiguous: []string{"berlin"}}},
		{name: "late but in time", answer: fakeprom.Late(time.Millisecond, fakeprom.Fixed(fakeprom.Site("berlin", 1))), want: provider.Answer{Samples: samples(noon, map[string]float64{"berlin": 1})}},
		{name: "a scalar", answer: fakeprom.Scalar(1), wantReason: provider.InvalidResponse},
		{name: "an error of the API", answer: fakeprom.Refuse(http.StatusUnprocessableEntity, "execution", "too many samples"), wantReason: provider.QueryRejected},
		{name: "a web page", answer: fakeprom.Body(http.StatusOK, "text/html", "<html>"), wantReason: provider.InvalidResponse},
		{name: "a refusal", answer: fakeprom.Body(http.StatusUnauthorized, "text/plain", "who are you"), wantReason: provider.Unauthorized},
		{name: "no answer", answer: fakeprom.Hang, wantReason: provider.Timeout},
		{name: "too late", answer: fakeprom.Late(time.Hour, fakeprom.Fixed()), wantReason: provider.Timeout},
		{name: "too much", answer: fakeprom.Flood(1 << 30), wantReason: provider.ResponseTooLarge},
	}
	server, ask := source(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server.Handle("q", test.answer)
			got, err := ask("q")
			if reason := provider.ReasonOf(err); reason != test.wantReason {
				t.Fatalf("got error %v with reason %q, want reason %q", err, reason, test.wantReason)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestServerCountsQueries(t *testing.T) {
	server, ask := source(t)
	server.Handle("known", fakeprom.Fixed())
	for range 2 {
		if _, err := ask("known"); err != nil {
			t.Fatal(err)
		}
	}
	_, err := ask("sum(")
	var failure *provider.Error
	if !errors.As(err, &failure) || failure.Reason != provider.QueryRejected || !strings.Contains(failure.Message, "parse error") {
		t.Errorf("a query that nobody scripted: got %v, want a parse error", err)
	}
	got := map[string]int{"known": server.Count("known"), "sum(": server.Count("sum("), "never": server.Count("never"), "total": server.Total()}
	if diff := cmp.Diff(map[string]int{"known": 2, "sum(": 1, "never": 0, "total": 3}, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]time.Time{noon, noon}, server.Asked("known")); diff != "" {
		t.Errorf("moments that were asked about (-want +got):\n%s", diff)
	}
}
