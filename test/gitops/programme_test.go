package gitops

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
	"github.com/crmops/rollout-operator/test/fakeprom"
)

const (
	// namespace and rollout are those of the samples.
	namespace = "crm-demo"
	rollout   = "halden-crm"
	// window is the window of the KPIs in config/samples/demo.
	window = "3s"
)

// fleet is the directory that the engine applies: the samples with their time compressed, this cluster's Prometheus, and how far the rollout goes.
const fleet = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../demo]
patches:
- path: rollout.yaml
- target: {kind: MetricProvider, name: crm-metrics}
  patch: |
    - {op: replace, path: /spec/prometheus/address, value: "$SOURCE"}
- target: {kind: KPI}
  patch: |
    - {op: replace, path: /spec/staleAfter, value: 1m}
`

// mistake is a patch by which a gate accepts sites for not using the CRM.
const mistake = `- target: {kind: AcceptanceGate, name: used-beside-the-old-way}
  patch: |
    - {op: move, from: /spec/criteria/0/atLeast, path: /spec/criteria/0/atMost}
`

// through is the file that a promotion changes.
func through(phase string) string {
	return fmt.Sprintf("apiVersion: %s\nkind: CRMRollout\nmetadata: {name: %s}\nspec: {through: %s}\n", v1alpha1.GroupVersion, rollout, phase)
}

// pilots are the sites of the first wave in the samples.
func pilots() []string { return []string{"lyon", "singapore"} }

// numbers are what the CRM's metrics say.
type numbers struct {
	// clean is true from when the pilots have cleaned their old records.
	clean atomic.Bool
}

// at returns the value of a KPI of the samples at every site.
func (n *numbers) at(kpi string, sites []string) map[string]float64 {
	value := map[string]float64{"data-completeness": 0.99, "duplicate-rate": 0.01, "weekly-active-users": 0.9, "lead-response-time": 20, "customer-satisfaction": 4.5}[kpi]
	if kpi == "duplicate-rate" && !n.clean.Load() {
		value = 0.2
	}
	values := map[string]float64{}
	for _, site := range sites {
		values[site] = value
	}
	return values
}

// serve runs a metrics source that knows the queries of the samples, until the test ends.
func (n *numbers) serve(t *testing.T) *fakeprom.Server {
	t.Helper()
	server, err := fakeprom.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	var sites []string
	for _, site := range samples[v1alpha1.RolloutSite](t, "sites.yaml") {
		sites = append(sites, site.Name)
	}
	for _, kpi := range samples[v1alpha1.KPI](t, "kpis.yaml") {
		server.Handle(strings.ReplaceAll(kpi.Spec.Query, "{{window}}", window), fakeprom.BySite(func(time.Time) map[string]float64 { return n.at(kpi.Name, sites) }))
	}
	return server
}

// samples reads the objects of a file of the sample programme.
func samples[T any](t *testing.T, file string) []T {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(repositoryRoot, "config", "samples", "programme", file))
	if err != nil {
		t.Fatal(err)
	}
	var all []T
	for _, document := range strings.Split(string(content), "\n---\n") {
		var object T
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, object)
	}
	return all
}

// startManager runs the manager until the test ends.
func startManager(t *testing.T) {
	t.Helper()
	started, err := control.StartManager(t.Context(), cluster.ManagerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := started.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the manager's log ends with:\n%s", started.LogTail())
		}
	})
}

// site reads the story of a site.
func site(t *testing.T, name string) v1alpha1.SiteRollout {
	t.Helper()
	var sr v1alpha1.SiteRollout
	if err := api.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: rollout + "." + name}, &sr); err != nil {
		t.Fatal(err)
	}
	return sr
}

// awaitPilots waits until every pilot site is as wanted.
func awaitPilots(t *testing.T, what string, wanted func(v1alpha1.SiteRollout) bool) {
	t.Helper()
	eventually(t, "the pilot sites "+what, func() error {
		for _, name := range pilots() {
			var sr v1alpha1.SiteRollout
			if err := api.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: rollout + "." + name}, &sr); err != nil {
				return err
			}
			if !wanted(sr) {
				return fmt.Errorf("%s is %s in %s: %s", name, sr.Status.State, sr.Status.CurrentPhase, sr.Status.Message)
			}
		}
		return nil
	})
}

// passed lists the phases that a site has passed.
func passed(sr v1alpha1.SiteRollout) string {
	var names []string
	for _, p := range sr.Status.Phases {
		if p.PassedAt != nil {
			names = append(names, p.Name)
		}
	}
	return strings.Join(names, " ")
}
