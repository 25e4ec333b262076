package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
	"github.com/crmops/rollout-operator/test/fakeprom"
)

// frozenPlans returns the ControllerRevisions of a namespace by name.
func frozenPlans(t *testing.T, namespace string) map[string]*appsv1.ControllerRevision {
	t.Helper()
	var list appsv1.ControllerRevisionList
	if err := api.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	all := map[string]*appsv1.ControllerRevision{}
	for i := range list.Items {
		all[list.Items[i].Name] = &list.Items[i]
	}
	return all
}

// says runs kubectl in a namespace, and expects words of its answer.
func says(t *testing.T, namespace string, args []string, words ...string) {
	t.Helper()
	text, err := control.Kubectl(t.Context(), append([]string{"-n", namespace}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("$ kubectl %s\n%s", strings.Join(args, " "), text)
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("kubectl %s does not say %q", strings.Join(args, " "), word)
		}
	}
}

// held waits until a site is held at its gate, and returns it.
func held(t *testing.T, namespace, site string) *v1alpha1.SiteRollout {
	t.Helper()
	return await(t, namespace, site+" is held", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		return sr.Spec.Site == site && sr.Status.State == v1alpha1.SiteHeld
	})
}

// A gate is edited so that it would hold a site that is in the phase: that one passes by the gate that it began with, and the next site is judged by the edited one.
func TestASiteIsJudgedByThePlanThatItBeganWith(t *testing.T) {
	t.Parallel()
	const namespace = "plans"
	fake, usage := source(t), &fakeprom.Series{}
	fake.Handle("usage", fakeprom.BySite(usage.At))
	usage.Set(time.Now().Add(-time.Hour), 0.5, "lyon", "rome")
	create(t, namespace, `
{kind: MetricProvider, metadata: {name: source}, spec: {prometheus: {address: "`+fake.URL()+`"}}}
---
{kind: KPI, metadata: {name: usage}, spec: {provider: {name: source}, query: usage, direction: HigherIsBetter, interval: 1s, staleAfter: 1m}}
---
{kind: AcceptanceGate, metadata: {name: used}, spec: {criteria: [{name: used, kpi: usage, atLeast: "0.8"}]}}
---
{kind: RolloutPhase, metadata: {name: golive}, spec: {exitGate: {name: used}}}
---
{kind: RolloutSite, metadata: {name: lyon}, spec: {region: emea}}
---
{kind: RolloutSite, metadata: {name: rome}, spec: {region: emea}}
---
{kind: CRMRollout, metadata: {name: crm}, spec: {phases: [{name: golive}], maxConcurrent: 1, waves: [{name: all, selector: {}}]}}
`)
	manager(t, cluster.ManagerOptions{Name: namespace}, namespace)
	first := held(t, namespace, "lyon").Status.Phases[0].Revision
	if frozen := frozenPlans(t, namespace)[first]; frozen == nil || len(frozenPlans(t, namespace)) != 1 || metav1.GetControllerOf(frozen).Name != "crm" {
		t.Fatalf("lyon began by plan %q, and there are %v", first, frozenPlans(t, namespace))
	}
	says(t, namespace, []string{"get", "controllerrevisions"}, first, "crmrollout.rollout.crmops.dev/crm")

	gate := get(t, namespace, "used", &v1alpha1.AcceptanceGate{})
	edited, strict := gate.DeepCopy(), v1alpha1.Threshold("0.95")
	edited.Spec.Criteria[0].AtLeast = &strict
	if err := api.Patch(t.Context(), edited, client.MergeFrom(gate)); err != nil {
		t.Fatal(err)
	}
	second := await(t, namespace, "the edited plan is frozen, and lyon is told of it", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		return sr.Spec.Site == "lyon" && sr.Spec.Revision != first
	}).Spec.Revision
	const change = "AcceptanceGate/used spec.criteria[name=used].atLeast: 0.8 is 0.95 now"
	rollout := await(t, namespace, "the rollout tells who is on which plan", &v1alpha1.CRMRolloutList{}, func(r *v1alpha1.CRMRollout) bool { return len(r.Status.Revisions) == 2 })
	want := []v1alpha1.RevisionStatus{
		{Name: second, Revision: 2, Sites: 1, SiteNames: []string{"rome"}},
		{Name: first, Revision: 1, Sites: 1, SiteNames: []string{"lyon"}, Changes: []string{change}},
	}
	if diff := cmp.Diff(want, rollout.Status.Revisions); diff != "" || rollout.Status.CurrentRevision != second {
		t.Errorf("current is %s, and of the revisions (-want +got):\n%s", rollout.Status.CurrentRevision, diff)
	}
	says(t, namespace, []string{"get", "crmr", "crm", "-o", "yaml"}, "currentRevision: "+second, "AcceptanceGate/used", "0.8 is 0.95")
	says(t, namespace, []string{"get", "sroll", "crm.lyon", "-o", "wide"}, "REVISION", second)
	eventually(t, "an event tells of the difference", func() bool {
		text, err := control.Kubectl(t.Context(), "-n", namespace, "get", "events", "--field-selector=reason=PlanFrozen")
		return err == nil && strings.Contains(text, change)
	})

	forged := frozenPlans(t, namespace)[first]
	forged.Data = runtime.RawExtension{Raw: frozenPlans(t, namespace)[second].Data.Raw}
	if err := api.Update(t.Context(), forged); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "field is immutable") {
		t.Errorf("somebody may change what lyon is judged by: %v", err)
	}

	usage.Set(time.Now(), 0.85, "lyon", "rome")
	passed := await(t, namespace, "lyon passes by the gate that it began with", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		return sr.Spec.Site == "lyon" && sr.Status.State == v1alpha1.SiteCompleted
	}).Status
	record, last := passed.Phases[0], passed.Transitions[len(passed.Transitions)-1]
	if got := []string{record.Revision, last.Revision, record.Evidence[0].Threshold}; !cmp.Equal(got, []string{first, first, "at least 0.8"}) {
		t.Errorf("lyon passed by %q, want %s and at least 0.8", got, first)
	}
	rome := held(t, namespace, "rome")
	if got := []string{rome.Spec.Revision, rome.Status.Phases[0].Revision, rome.Status.Gate.Criteria[0].Threshold}; !cmp.Equal(got, []string{second, second, "at least 0.95"}) {
		t.Errorf("rome is held by %q, want %s and at least 0.95", got, second)
	}
	eventually(t, "the plan that nobody needs is deleted", func() bool { return len(frozenPlans(t, namespace)) == 1 })
	await(t, namespace, "the rollout does not tell of it any more", &v1alpha1.CRMRolloutList{}, func(r *v1alpha1.CRMRollout) bool { return len(r.Status.Revisions) == 1 })

	deleted := frozenPlans(t, namespace)[second]
	if deleted == nil {
		t.Fatalf("plan %s is gone, by which rome is judged", second)
	}
	if err := api.Delete(t.Context(), deleted); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the plan that somebody deleted is made again", func() bool {
		again := frozenPlans(t, namespace)[second]
		return again != nil && again.UID != deleted.UID
	})

	// The gate is edited once more, so that nobody but the administrator can bring back by what rome is judged.
	gate = get(t, namespace, "used", &v1alpha1.AcceptanceGate{})
	edited, strict = gate.DeepCopy(), "0.99"
	edited.Spec.Criteria[0].AtLeast = &strict
	if err := api.Patch(t.Context(), edited, client.MergeFrom(gate)); err != nil {
		t.Fatal(err)
	}
	await(t, namespace, "rome is told of the third plan", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		return sr.Spec.Site == "rome" && sr.Spec.Revision != second
	})
	backup := frozenPlans(t, namespace)[second]
	if err := api.Delete(t.Context(), backup.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	rome = await(t, namespace, "rome cannot be judged any more", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		return sr.Spec.Site == "rome" && sr.Status.Reason == v1alpha1.ReasonPlanInvalid
	})
	if want := "ControllerRevision/" + second + " metadata.name: it does not exist any more"; !strings.Contains(rome.Status.Message, want) || !strings.Contains(rome.Status.Message, "Skip or RollBack") {
		t.Errorf("rome says %q, want %q and what to do", rome.Status.Message, want)
	}
	measured := fake.Count("usage")
	eventually(t, "nothing is under way that would look at rome in any case", func() bool { return fake.Count("usage") > measured+2 })
	backup.ResourceVersion, backup.UID = "", ""
	if err := api.Create(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	await(t, namespace, "rome is judged again by the plan that was restored", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		return sr.Spec.Site == "rome" && sr.Status.Reason == v1alpha1.ReasonExitGateFailed && strings.Contains(sr.Status.Message, "must be at least 0.95")
	})
}
