package metricprovider_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/provider"
)

// An address that no source may have is told apart from a mistake in the spec, because an administrator may have to mend it.
func TestARefusedAddressIsTold(t *testing.T) {
	w := newWorld(t)
	for _, step := range []struct {
		address, allowed, reason, piece string
	}{
		{"https://prometheus.example", "", v1alpha1.ReasonValid, ""},
		{"https://169.254.169.254", "", string(provider.AddressRefused), "spec.prometheus: 169.254.169.254 is not connected to: it is the metadata service of a cloud; declare another address"},
		{"https://127.0.0.1:9090", "", string(provider.AddressRefused), "spec.prometheus: 127.0.0.1 is not connected to: it is this machine (loopback); declare another address, or ask the administrator to allow it with --allow-source-hosts"},
		{"https://127.0.0.1:9090", "127.0.0.1", v1alpha1.ReasonValid, "queries go to prometheus at 127.0.0.1:9090"},
		{"https://2130706433", "127.0.0.1", v1alpha1.ReasonInvalidSpec, "spec.prometheus: the host of the address ends in a number without being an IP address"},
	} {
		if step.allowed != "" {
			guard, err := provider.NewGuard(provider.GuardConfig{Allow: []string{step.allowed}})
			if err != nil {
				t.Fatal(err)
			}
			w.Guard = guard
		}
		w.respecify(t, func(p *v1alpha1.PrometheusProvider) { p.Address = step.address })
		if _, err := w.run(t); err != nil {
			t.Fatal(err)
		}
		w.mustBe(t, step.reason, step.piece, step.reason == v1alpha1.ReasonValid)
	}
}

// The port that an address leaves out makes the name longer than the address, which may be as long as the status allows.
func TestTheNameOfASourceFitsIntoTheStatus(t *testing.T) {
	w := newWorld(t)
	w.respecify(t, func(p *v1alpha1.PrometheusProvider) { p.Address = "https://" + strings.Repeat("a", 1016) })
	if _, err := w.run(t); err != nil {
		t.Fatal(err)
	}
	if got := w.declared(t).Status.Source; len(got) != 1024 || !strings.HasPrefix(got, "prometheus at aaaa") || !strings.HasSuffix(got, "...") {
		t.Errorf("status.source has %d characters and is %q, want 1024 that say that they are cut", len(got), got)
	}
}

// The column shows where the queries go, whether the source is open or not, and forgets it with the declaration.
func TestTheStatusNamesTheSource(t *testing.T) {
	w := newWorld(t)
	for address, want := range map[string]string{
		"https://prometheus.example": "prometheus at prometheus.example:443", "http://10.0.0.5:9090/prefix": "prometheus at 10.0.0.5:9090", "https://169.254.169.254": "prometheus at 169.254.169.254:443",
	} {
		w.respecify(t, func(p *v1alpha1.PrometheusProvider) { p.Address = address })
		if _, err := w.run(t); err != nil {
			t.Fatal(err)
		}
		if got := w.declared(t).Status.Source; got != want {
			t.Errorf("%s: status.source is %q, want %q", address, got, want)
		}
	}
	w.respecify(t, func(p *v1alpha1.PrometheusProvider) { p.Timeout = "soon" })
	if _, err := w.run(t); err != nil {
		t.Fatal(err)
	}
	if got := w.declared(t).Status.Source; got != "" {
		t.Errorf("status.source is %q for a declaration that cannot be understood", got)
	}
}

func (w *world) declared(t *testing.T) *v1alpha1.MetricProvider {
	t.Helper()
	var declared v1alpha1.MetricProvider
	if err := w.Client.Get(t.Context(), key, &declared); err != nil {
		t.Fatal(err)
	}
	return &declared
}

// One pool of connections per object: it is closed and opened anew when the source or its limits change, and else stays.
func TestASourceIsOpenedAnewOnlyWhenItChanges(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	guard, err := provider.NewGuard(provider.GuardConfig{Allow: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	few, many := int32(2), int32(6000)
	w := newWorld(t)
	w.Guard = guard
	for _, step := range []struct {
		name   string
		change func(*v1alpha1.MetricProviderSpec)
		opens  int32
	}{
		{"the address", func(s *v1alpha1.MetricProviderSpec) { s.Prometheus.Address = server.URL }, 1},
		{"nothing", func(*v1alpha1.MetricProviderSpec) {}, 0},
		{"limits", func(s *v1alpha1.MetricProviderSpec) { s.Limits = &v1alpha1.SourceLimits{Concurrent: &few} }, 1},
		{"the same limits", func(s *v1alpha1.MetricProviderSpec) { s.Limits = &v1alpha1.SourceLimits{Concurrent: &few} }, 0},
		{"another limit", func(s *v1alpha1.MetricProviderSpec) { s.Limits.PerMinute = &many }, 1},
		{"no limits", func(s *v1alpha1.MetricProviderSpec) { s.Limits = nil }, 1},
		{"the tenant", func(s *v1alpha1.MetricProviderSpec) { s.Prometheus.Tenant = "north" }, 1},
	} {
		declared := w.declared(t)
		declared.Generation++
		step.change(&declared.Spec)
		if err := w.Client.Update(t.Context(), declared); err != nil {
			t.Fatal(err)
		}
		if _, err := w.run(t); err != nil {
			t.Fatal(err)
		}
		before := connections.Load()
		source, open := w.Providers.Get(key.String())
		if !open {
			t.Fatalf("%s: no source is open", step.name)
		}
		if _, err := source.Measure(t.Context(), provider.Query{Expression: "up", SiteLabel: "site"}, provider.Window{End: time.Now()}); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := connections.Load() - before; got != step.opens {
			t.Errorf("after a change of %s %d connections were made, want %d", step.name, got, step.opens)
		}
	}
}
