package e2e

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// story is what a site has been through, without its times.
type story struct {
	State  v1alpha1.SiteState
	Wave   string
	Phases []phase
	Steps  []step
}

type phase struct {
	Name    string
	Attempt int32
	Passed  bool
	// Evidence names the criteria with their values.
	Evidence map[string]v1alpha1.Decimal
}

type step struct {
	Sequence int64
	From, To v1alpha1.SiteState
	Phase    string
	Attempt  int32
	Reason   string
}

// stories tells the stories of all sites of a namespace, by site.
func stories(t *testing.T, namespace string) map[string]story {
	t.Helper()
	all := map[string]story{}
	for site, sr := range siteRollouts(t, namespace) {
		told := story{State: sr.Status.State, Wave: sr.Spec.Wave}
		for _, p := range sr.Status.Phases {
			evidence := map[string]v1alpha1.Decimal{}
			for _, e := range p.Evidence {
				evidence[e.Criterion] = e.Value
			}
			told.Phases = append(told.Phases, phase{p.Name, p.Attempt, p.PassedAt != nil, evidence})
		}
		for _, s := range sr.Status.Transitions {
			told.Steps = append(told.Steps, step{s.Sequence, s.From, s.To, s.Phase, s.Attempt, s.Reason})
		}
		all[site] = told
	}
	return all
}

// siteRollouts reads the SiteRollouts of a namespace, by site. A site has one of them, since no test has two rollouts for it.
func siteRollouts(t *testing.T, namespace string) map[string]v1alpha1.SiteRollout {
	t.Helper()
	var list v1alpha1.SiteRolloutList
	if err := api.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	found := map[string]v1alpha1.SiteRollout{}
	for _, sr := range list.Items {
		if _, twice := found[sr.Spec.Site]; twice {
			t.Errorf("site %s has two SiteRollouts", sr.Spec.Site)
		}
		found[sr.Spec.Site] = sr
	}
	return found
}

// awaitCompleted waits until a rollout says that it is completed.
func awaitCompleted(t *testing.T, namespace, rollout string) {
	t.Helper()
	await(t, namespace, rollout+" completes", &v1alpha1.CRMRolloutList{}, func(r *v1alpha1.CRMRollout) bool {
		return r.Name == rollout && meta.IsStatusConditionTrue(r.Status.Conditions, v1alpha1.ConditionCompleted)
	})
}

// kinds are all kinds of the operator.
var kinds = []string{"AcceptanceGate", "CRMRollout", "KPI", "KPIReading", "MetricProvider", "RolloutPhase", "RolloutSite", "SiteRollout"}

// list reads the objects of a kind.
func list(t *testing.T, namespace, kind string) []unstructured.Unstructured {
	t.Helper()
	found := &unstructured.UnstructuredList{}
	found.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind + "List"))
	if err := api.List(t.Context(), found, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	return found.Items
}

// conditionsOf reads the conditions of any object.
func conditionsOf(t *testing.T, object *unstructured.Unstructured) []metav1.Condition {
	t.Helper()
	var known struct {
		Status struct {
			Conditions []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &known); err != nil {
		t.Fatal(err)
	}
	return known.Status.Conditions
}

// assertCurrent applies the rule by which kstatus, and with it Flux, Argo CD and `kubectl wait`, says that an object is current: its status speaks about
// the present generation, Ready is True, and neither Stalled nor Reconciling is.
func assertCurrent(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	name := object.GetKind() + "/" + object.GetName()
	observed, _, err := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	if err != nil {
		t.Fatal(err)
	}
	if observed != object.GetGeneration() {
		t.Errorf("%s: observedGeneration is %d, generation %d", name, observed, object.GetGeneration())
	}
	conditions := conditionsOf(t, object)
	if !meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady) {
		t.Errorf("%s is not Ready: %+v", name, conditions)
	}
	for _, abnormal := range []string{v1alpha1.ConditionStalled, "Reconciling"} {
		if c := meta.FindStatusCondition(conditions, abnormal); c != nil {
			t.Errorf("%s has a condition %s, which is to be there only while it is true of it: %+v", name, abnormal, *c)
		}
	}
	for _, c := range conditions {
		if c.ObservedGeneration != object.GetGeneration() {
			t.Errorf("%s: condition %s speaks about generation %d, the object has %d", name, c.Type, c.ObservedGeneration, object.GetGeneration())
		}
	}
}
