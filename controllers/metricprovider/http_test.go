package metricprovider

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/provider"
)

// sampled are the objects of one file of samples.
type sampled struct {
	source *v1alpha1.HTTPProvider
	kpis   []v1alpha1.KPI
}

func readSample(t *testing.T, file string) sampled {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var found sampled
	for _, document := range strings.Split(string(content), "\n---\n") {
		if strings.Contains(document, "kind: MetricProvider") {
			var object v1alpha1.MetricProvider
			if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
				t.Fatal(err)
			}
			found.source = object.Spec.HTTP
			continue
		}
		var kpi v1alpha1.KPI
		if err := yaml.UnmarshalStrict([]byte(document), &kpi); err != nil {
			t.Fatal(err)
		}
		found.kpis = append(found.kpis, kpi)
	}
	return found
}

// The samples are understood up to the moment at which they would be sent.
func TestTheSamplesOfHTTPSourcesAreUnderstood(t *testing.T) {
	files, err := filepath.Glob("../../config/samples/sources/http-*.yaml")
	if err != nil || len(files) != 5 {
		t.Fatalf("found %d samples (%v), want 5", len(files), err)
	}
	guard, err := provider.NewGuard(provider.GuardConfig{Allow: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			sample := readSample(t, file)
			sample.source.Address = "http://127.0.0.1:1"
			if auth := sample.source.Auth; auth.OAuth2 != nil {
				auth.OAuth2.TokenURL = "http://127.0.0.1:1/token"
			}
			declared, found := newHTTPSource(sample.source)
			if found.reason != "" {
				t.Fatal(found)
			}
			for _, wanted := range declared.credentials() {
				if wanted.from != nil {
					wanted.into([]byte("hush"))
				}
			}
			source, err := declared.open(guard, provider.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			defer source.Close()
			for _, kpi := range sample.kpis {
				label := kpi.Spec.SiteLabel
				if label == "" {
					label = "site"
				}
				end := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
				_, err := source.Measure(t.Context(), provider.Query{Expression: kpi.Spec.Query, SiteLabel: label}, provider.Window{Start: end.Add(-time.Hour), End: end})
				if reason := provider.ReasonOf(err); reason != provider.Unreachable {
					t.Errorf("%s: got error %v (%s), want that nobody is there", kpi.Name, err, reason)
				}
			}
		})
	}
}

func TestADeclaredHTTPSourceIsTranslated(t *testing.T) {
	key := func(name string) v1alpha1.SecretKey { return v1alpha1.SecretKey{Name: "secret", Key: name} }
	ca, pages, size, first := key("ca"), int32(7), int64(4096), int64(0)
	declared, found := newHTTPSource(&v1alpha1.HTTPProvider{
		Address: "https://crm.example/base", Timeout: "2m", MaxResponseBytes: &size, Extract: "body", Aggregate: v1alpha1.RowAggregateSum,
		Headers:       []v1alpha1.HTTPHeader{{Name: "X-Plain", Value: "one"}},
		SecretHeaders: []v1alpha1.HTTPSecretHeader{{Name: "X-Secret", Value: key("header")}},
		TLS:           &v1alpha1.TLSConfig{CA: &ca, ServerName: "other.example"},
		Pagination:    &v1alpha1.HTTPPagination{Page: &v1alpha1.HTTPPageNumber{Parameter: "page", First: &first, More: "body.more"}, MaxPages: &pages},
		Auth: &v1alpha1.HTTPAuth{OAuth2: &v1alpha1.OAuth2ClientCredentials{
			TokenURL: "https://login.example/token", ClientID: key("id"), ClientSecret: key("password"), ClientAuthentication: v1alpha1.ClientAuthenticationHeader,
			Scopes: []string{"read"}, Parameters: []v1alpha1.OAuth2Parameter{{Name: "audience", Value: "crm"}}, CA: &ca,
		}},
	})
	if found.reason != "" {
		t.Fatal(found)
	}
	var fields []string
	for _, wanted := range declared.credentials() {
		if wanted.from != nil {
			fields = append(fields, wanted.field)
			wanted.into([]byte("hush-" + wanted.from.Key))
		}
	}
	wantFields := []string{"spec.http.secretHeaders[X-Secret].value", "spec.http.auth.oauth2.clientID", "spec.http.auth.oauth2.clientSecret", "spec.http.auth.oauth2.ca", "spec.http.tls.ca"}
	if diff := cmp.Diff(wantFields, fields); diff != "" {
		t.Errorf("credentials (-want +got):\n%s", diff)
	}
	want := provider.HTTPConfig{
		Address: "https://crm.example/base", Timeout: 2 * time.Minute, MaxResponseBytes: size, Extract: "body", Aggregate: provider.AggregateSum,
		Headers: []provider.Header{{Name: "X-Plain", Value: "one"}}, SecretHeaders: []provider.Header{{Name: "X-Secret", Value: "hush-header"}},
		CA: []byte("hush-ca"), ServerName: "other.example", Pagination: provider.Pagination{PageParameter: "page", More: "body.more", MaxPages: 7},
		OAuth2: &provider.OAuth2Config{TokenURL: "https://login.example/token", ClientID: "hush-id", ClientSecret: "hush-password", InHeader: true,
			Scopes: []string{"read"}, Parameters: []provider.Header{{Name: "audience", Value: "crm"}}, CA: []byte("hush-ca")},
	}
	if diff := cmp.Diff(want, declared.(*httpSource).config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if where := declared.where(); where != "http at crm.example:443" {
		t.Errorf("queries go to %q", where)
	}
}
