package e2e

import (
	"fmt"
	"regexp"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
	"github.com/crmops/rollout-operator/test/fakeprom"
)

// annotate asks for a look at an object.
func annotate(t *testing.T, object client.Object, value string) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"metadata": {"annotations": {%q: %q}}}`, v1alpha1.AnnotationRequestedAt, value)
	if err := api.Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		t.Fatal(err)
	}
}

// looks returns how many times the manager has looked at an object of a kind.
func looks(t *testing.T, m *cluster.Manager, controller string) int {
	t.Helper()
	lines := regexp.MustCompile(`(?m)^controller_runtime_reconcile_total\{controller="`+controller+`",result="[a-z_]+"\} (\d+)$`).FindAllStringSubmatch(fetch(t, m.MetricsURL()), -1)
	total := 0
	for _, line := range lines {
		var one int
		if _, err := fmt.Sscan(line[1], &one); err != nil {
			t.Fatal(err)
		}
		total += one
	}
	return total
}

// Who annotates a KPI has it measured at once, however long its interval is; who annotates a rollout has it and its sites looked at. The status tells when that has happened.
func TestWhoAsksIsHeardAtOnce(t *testing.T) {
	t.Parallel()
	const namespace = "requests"
	fake := source(t)
	fake.Handle("records", fakeprom.Fixed(fakeprom.Site("lyon", 0.5)))
	create(t, namespace, `
{kind: MetricProvider, metadata: {name: source}, spec: {prometheus: {address: "`+fake.URL()+`"}}}
---
{kind: KPI, metadata: {name: records}, spec: {provider: {name: source}, query: records, direction: HigherIsBetter, interval: 4w}}
---
{kind: KPI, metadata: {name: mistaken}, spec: {provider: {name: source}, query: "{{widnow}}", direction: HigherIsBetter, interval: 4w}}
---
{kind: AcceptanceGate, metadata: {name: complete}, spec: {criteria: [{name: complete, kpi: records, atLeast: "0.9"}]}}
---
{kind: RolloutPhase, metadata: {name: migrate}, spec: {entryGate: {name: complete}, soak: 4w}}
---
{kind: RolloutSite, metadata: {name: lyon}, spec: {region: emea}}
---
{kind: CRMRollout, metadata: {name: crm}, spec: {phases: [{name: migrate}], waves: [{name: all, selector: {}}]}}
`)
	m := manager(t, cluster.ManagerOptions{Name: namespace}, namespace)
	kpi := func(name, what string, wanted func(*v1alpha1.KPI) bool) *v1alpha1.KPI {
		return await(t, namespace, what, &v1alpha1.KPIList{}, func(k *v1alpha1.KPI) bool { return k.Name == name && wanted(k) })
	}
	first := kpi("records", "the KPI is measured when the manager starts", func(k *v1alpha1.KPI) bool { return k.Status.LastMeasured != nil })
	await(t, namespace, "the site is kept out of its phase", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		return sr.Status.Reason == v1alpha1.ReasonEntryGateFailed
	})
	fake.Handle("records", fakeprom.Fixed(fakeprom.Site("lyon", 0.95)))

	annotate(t, first, "one")
	second := kpi("records", "the request is handled", func(k *v1alpha1.KPI) bool { return k.Status.LastHandledReconcileAt == "one" })
	if !second.Status.LastMeasured.After(first.Status.LastMeasured.Time) || second.Status.Summary.Median != "0.95" || !second.Status.MeasuredSince.Equal(first.Status.MeasuredSince) {
		t.Errorf("the request is handled, and the KPI was not measured anew in the same row: %+v", second.Status)
	}
	annotate(t, get(t, namespace, "mistaken", &v1alpha1.KPI{}), "two")
	kpi("mistaken", "a request about a KPI with a mistake is handled", func(k *v1alpha1.KPI) bool { return k.Status.LastHandledReconcileAt == "two" })
	await(t, namespace, "the site starts its phase by the number that somebody asked for", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		return sr.Status.State == v1alpha1.SiteProving
	})

	rollout := await(t, namespace, "the rollout knows that", &v1alpha1.CRMRolloutList{}, func(r *v1alpha1.CRMRollout) bool { return r.Status.Sites.Moving == 1 })
	for n := 1; n <= 3; n++ {
		before := looks(t, m, "siterollout")
		annotate(t, rollout, fmt.Sprintf("look %d", n))
		await(t, namespace, "the request is handled", &v1alpha1.CRMRolloutList{}, func(r *v1alpha1.CRMRollout) bool {
			return r.Status.LastHandledReconcileAt == fmt.Sprintf("look %d", n)
		})
		eventually(t, "the site is looked at", func() bool { return looks(t, m, "siterollout") > before })
	}
	if asked := fake.Asked("records"); len(asked) != 2 {
		t.Errorf("the source was asked %d times, want once at the start and once for the request: %v", len(asked), asked)
	}
}
