package e2e

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
)

// brokenReadings never count, and KPIs that ask for readings in the wrong way.
func brokenReadings() []broken {
	reading := func(name, kpi, site, value, observed string) string {
		return `{kind: KPIReading, metadata: {name: ` + name + `}, spec: {kpi: ` + kpi + `, site: ` + site + `, value: "` + value + `", observedAt: "` + observed + `"}}`
	}
	kpi := func(name, provider, query string) string {
		return "{kind: KPI, metadata: {name: " + name + "}, spec: {provider: {name: " + provider + "}, direction: HigherIsBetter, interval: 2s, query: " + query + "}}"
	}
	all := func(manifests ...string) string { return strings.Join(manifests, "\n---\n") }
	of := func(kind, input, manifests, name, reason string, stalled bool, piece string) broken {
		return broken{input: input, manifests: manifests, kind: kind, name: name, condition: ready, status: "False", reason: reason, stalled: stalled, piece: piece}
	}
	const then = "2020-01-31T18:00:00Z"
	providers := all(`{kind: MetricProvider, metadata: {name: surveys}, spec: {readings: {acceptWithin: 9999w}}}`, `{kind: MetricProvider, metadata: {name: prompt-surveys}, spec: {readings: {}}}`,
		kpi("satisfaction", "surveys", "latest"), kpi("prompt-satisfaction", "prompt-surveys", "latest"))
	return []broken{
		of("KPIReading", "a reading for a KPI that does not exist", all(providers, reading("no-kpi", "satisfacton", "well", "4", then)),
			"no-kpi", v1alpha1.ReasonReferenceNotFound, false, `KPI "satisfacton" does not exist`),
		of("KPIReading", "a reading for a site that does not exist", reading("no-site", "satisfaction", "wel", "4", then),
			"no-site", v1alpha1.ReasonReferenceNotFound, false, `RolloutSite "wel" does not exist`),
		of("KPIReading", "a reading for a KPI that asks Prometheus", reading("not-asked", "good", "well", "4", then),
			"not-asked", v1alpha1.ReasonInvalidSpec, true, "does not take readings"),
		of("KPIReading", "a reading of what has not come yet", reading("forecast", "satisfaction", "well", "4", "2099-01-31T18:00:00Z"),
			"forecast", v1alpha1.ReasonReadingFuture, true, "had not come when the reading was created"),
		of("KPIReading", "a reading entered years later", reading("late", "prompt-satisfaction", "well", "4", then),
			"late", v1alpha1.ReasonReadingLate, true, `"prompt-surveys" accepts readings within 30d`),
		of("KPIReading", "two readings that contradict each other", all(reading("four", "satisfaction", "fine", "4", then), reading("five", "satisfaction", "fine", "5", then)),
			"four", v1alpha1.ReasonReadingContradicted, true, `KPIReading "five" has another value`),
		of("KPI", "readings asked in the language of Prometheus", kpi("readings-in-promql", "surveys", "'avg by (site) (satisfaction)'"),
			"readings-in-promql", "InvalidConfiguration", false, "write latest for the newest reading, or mean"),
		of("KPI", "the mean of an instant", kpi("mean-of-an-instant", "surveys", "mean"),
			"mean-of-an-instant", "InvalidConfiguration", false, "mean needs a window"),
	}
}

// A value that a person enters becomes the KPI's, a contradiction takes it away, and a correction is a new reading.
func TestReadingsAreMeasuredAndCorrected(t *testing.T) {
	t.Parallel()
	const namespace = "readings"
	create(t, namespace, `
{kind: MetricProvider, metadata: {name: surveys}, spec: {readings: {acceptWithin: 9999w}}}
---
{kind: KPI, metadata: {name: satisfaction}, spec: {provider: {name: surveys}, query: latest, direction: HigherIsBetter, interval: 1s}}
---
{kind: RolloutSite, metadata: {name: lyon}, spec: {siteID: FR-01}}
---
{kind: KPIReading, metadata: {name: typed}, spec: {kpi: satisfaction, site: lyon, value: "44", observedAt: "2026-01-31T18:00:00Z", samples: 120}}
`)
	manager(t, cluster.ManagerOptions{Name: namespace}, namespace)
	measured := func(reason string, value v1alpha1.Decimal) {
		t.Helper()
		await(t, namespace, "satisfaction is "+reason+" "+string(value), &v1alpha1.KPIList{}, func(k *v1alpha1.KPI) bool {
			found := meta.FindStatusCondition(k.Status.Conditions, ready)
			return found != nil && found.Reason == reason && k.Status.Summary != nil && k.Status.Summary.Median == value
		})
	}
	judged := func(name, reason string) {
		t.Helper()
		await(t, namespace, name+" is "+reason, &v1alpha1.KPIReadingList{}, func(r *v1alpha1.KPIReading) bool {
			found := meta.FindStatusCondition(r.Status.Conditions, ready)
			return r.Name == name && found != nil && found.Reason == reason
		})
	}
	measured(v1alpha1.ReasonMeasured, "44")
	judged("typed", v1alpha1.ReasonValid)

	wrong := get(t, namespace, "typed", &v1alpha1.KPIReading{})
	edited := wrong.DeepCopy()
	edited.Spec.Value = "4.4"
	err := api.Patch(t.Context(), edited, client.MergeFrom(wrong))
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "a reading is never changed; to correct it, create a new reading and delete this one") {
		t.Errorf("a reading was edited: %v", err)
	}
	annotated := wrong.DeepCopy()
	annotated.Labels = map[string]string{"survey": "january"}
	if err := api.Patch(t.Context(), annotated, client.MergeFrom(wrong)); err != nil {
		t.Errorf("a reading cannot be labelled: %v", err)
	}

	create(t, namespace, `{kind: KPIReading, metadata: {name: right}, spec: {kpi: satisfaction, site: lyon, value: "4.4", observedAt: "2026-01-31T18:00:00Z", samples: 120}}`)
	judged("typed", v1alpha1.ReasonReadingContradicted)
	judged("right", v1alpha1.ReasonReadingContradicted)
	measured(v1alpha1.ReasonAmbiguousAnswer, "")
	if err := api.Delete(t.Context(), wrong); err != nil {
		t.Fatal(err)
	}
	judged("right", v1alpha1.ReasonValid)
	measured(v1alpha1.ReasonMeasured, "4.4")
}
