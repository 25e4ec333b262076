package crmrollout

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/request"
)

var monday = time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "crm", Name: name} }

// programme is a rollout of one phase with the waves pilot and rest, a site for each, and what else is given.
func programme(t *testing.T, funcs interceptor.Funcs, more ...client.Object) (*Reconciler, client.Client) {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, appsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	rollout := &v1alpha1.CRMRollout{ObjectMeta: named("r"), Spec: v1alpha1.CRMRolloutSpec{
		Phases: []v1alpha1.LocalReference{{Name: "migrate"}},
		Waves: []v1alpha1.Wave{
			{Name: "pilot", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"wave": "pilot"}}},
			{Name: "rest", Selector: &metav1.LabelSelector{}},
		},
	}}
	rollout.UID = "new"
	pilot := &v1alpha1.RolloutSite{ObjectMeta: named("hq")}
	pilot.Labels = map[string]string{"wave": "pilot"}
	objects := append([]client.Object{rollout, pilot, &v1alpha1.RolloutSite{ObjectMeta: named("berlin")}, &v1alpha1.RolloutPhase{ObjectMeta: named("migrate")}}, more...)
	builder := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(funcs).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.CRMRollout{}, &v1alpha1.SiteRollout{})
	for _, index := range catalogue.Indexes() {
		builder = builder.WithIndex(index.Object, index.Field, index.Extract)
	}
	c := builder.Build()
	return &Reconciler{Client: c, Live: c, Revisions: &catalogue.Revisions{Client: c, Live: c}, Measurements: measure.NewStore(), Budget: measure.NewRefreshBudget(), Answers: &request.Answers{}, Events: events.NewFakeRecorder(100), Clock: clocktesting.NewFakePassiveClock(monday)}, c
}

// story is a SiteRollout of rollout r that has passed its phase.
func story(site string, owner types.UID) *v1alpha1.SiteRollout {
	passed := metav1.NewTime(monday)
	sr := &v1alpha1.SiteRollout{ObjectMeta: named("r." + site), Spec: v1alpha1.SiteRolloutSpec{Rollout: "r", Site: site, Wave: "pilot", AdmittedThrough: "migrate"}}
	sr.Labels = map[string]string{v1alpha1.LabelRollout: "r"}
	sr.Status = v1alpha1.SiteRolloutStatus{State: v1alpha1.SiteCompleted, Phases: []v1alpha1.PhaseRecord{{Name: "migrate", Attempt: 1, StartedAt: passed, PassedAt: &passed}}}
	if owner != "" {
		yes := true
		sr.OwnerReferences = []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "CRMRollout", Name: "r", UID: owner, Controller: &yes}}
	}
	return sr
}

func look(t *testing.T, r *Reconciler) error {
	t.Helper()
	_, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "crm", Name: "r"}})
	return err
}

func siteRollout(t *testing.T, c client.Client, site string) *v1alpha1.SiteRollout {
	t.Helper()
	var sr v1alpha1.SiteRollout
	if err := c.Get(t.Context(), types.NamespacedName{Namespace: "crm", Name: "r." + site}, &sr); err != nil {
		t.Fatal(err)
	}
	return &sr
}

func TestTheStoryOfAFormerRolloutOfTheSameNameOpensNoWave(t *testing.T) {
	r, c := programme(t, interceptor.Funcs{}, story("hq", "old"))
	if err := look(t, r); err != nil {
		t.Fatal(err)
	}
	if got := siteRollout(t, c, "berlin").Spec.AdmittedThrough; got != "" {
		t.Errorf("berlin is admitted to %s, because hq had completed in a rollout that was deleted", got)
	}
	left := siteRollout(t, c, "hq")
	if owner := metav1.GetControllerOf(left); owner == nil || owner.UID != "old" {
		t.Errorf("what the garbage collector is about to delete was taken over: %+v", left.OwnerReferences)
	}
}

func TestAnOrphanedStoryIsAdopted(t *testing.T) {
	r, c := programme(t, interceptor.Funcs{}, story("hq", ""))
	if err := look(t, r); err != nil {
		t.Fatal(err)
	}
	adopted := siteRollout(t, c, "hq")
	if owner := metav1.GetControllerOf(adopted); owner == nil || owner.UID != "new" {
		t.Errorf("owners %+v", adopted.OwnerReferences)
	}
	if len(adopted.Status.Phases) != 1 {
		t.Errorf("its story is lost: %+v", adopted.Status)
	}
	if got := siteRollout(t, c, "berlin").Spec.AdmittedThrough; got != "migrate" {
		t.Errorf("berlin is admitted to %q, want migrate, because hq has completed", got)
	}
}

func TestARefusedWriteIsToldAndKeepsNoOtherSiteBack(t *testing.T) {
	refusal := apierrors.NewForbidden(v1alpha1.GroupVersion.WithResource("siterollouts").GroupResource(), "r.berlin", nil)
	r, c := programme(t, interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
		if o.GetName() == "r.berlin" {
			return refusal
		}
		return c.Create(ctx, o, options...)
	}})
	if err := look(t, r); !apierrors.IsForbidden(err) {
		t.Errorf("error %v, want the refusal, so that it is tried again", err)
	}
	if got := siteRollout(t, c, "hq").Spec.AdmittedThrough; got != "migrate" {
		t.Errorf("hq, which comes after berlin, is admitted to %q, want migrate", got)
	}
	var rollout v1alpha1.CRMRollout
	if err := c.Get(t.Context(), types.NamespacedName{Namespace: "crm", Name: "r"}, &rollout); err != nil {
		t.Fatal(err)
	}
	ready := meta.FindStatusCondition(rollout.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionFalse || ready.Reason != v1alpha1.ReasonWriteFailed {
		t.Errorf("ready %+v, want False with WriteFailed", ready)
	}
}
