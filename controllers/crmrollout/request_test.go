package crmrollout

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/request"
)

func rolloutNow(t *testing.T, c client.Client) *v1alpha1.CRMRollout {
	t.Helper()
	var rollout v1alpha1.CRMRollout
	if err := c.Get(t.Context(), types.NamespacedName{Namespace: "crm", Name: "r"}, &rollout); err != nil {
		t.Fatal(err)
	}
	return &rollout
}

func TestWhoAsksIsToldOnceThatTheRolloutWasLookedAt(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil   func(*v1alpha1.CRMRollout)
		request string
		want    string
	}{
		"a rollout that is well": {func(*v1alpha1.CRMRollout) {}, "2026-03-02T08:00:00Z", "2026-03-02T08:00:00Z"},
		"one with a mistake": {func(r *v1alpha1.CRMRollout) {
			r.Spec.Phases = append(r.Spec.Phases, v1alpha1.LocalReference{Name: "missing"})
		}, "one", "one"},
		"a request that is too long": {func(*v1alpha1.CRMRollout) {}, strings.Repeat("ä", 500), strings.Repeat("ä", 62) + "..."},
		"a request that is no time":  {func(*v1alpha1.CRMRollout) {}, "build 17", "build 17"},
		"nobody asks":                {func(*v1alpha1.CRMRollout) {}, "", ""},
		"a suspended rollout":        {func(r *v1alpha1.CRMRollout) { r.Spec.Suspend = true }, "one", "one"},
		"a rollout without any sites": {func(r *v1alpha1.CRMRollout) {
			r.Spec.Waves = r.Spec.Waves[:1]
			r.Spec.Waves[0].Selector.MatchLabels["wave"] = "none"
		}, "one", "one"},
	} {
		t.Run(name, func(t *testing.T) {
			var told []string
			r, c := programme(t, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, options ...client.SubResourcePatchOption) error {
				told = append(told, o.(*v1alpha1.CRMRollout).Status.LastHandledReconcileAt)
				return c.SubResource(sub).Patch(ctx, o, p, options...)
			}})
			rollout := rolloutNow(t, c)
			tc.spoil(rollout)
			if err := c.Update(t.Context(), rollout); err != nil {
				t.Fatal(err)
			}
			looks := func() {
				for range 3 {
					if err := look(t, r); err != nil {
						t.Fatal(err)
					}
				}
			}
			looks()
			quiet := len(told)
			rollout = rolloutNow(t, c)
			if tc.request != "" {
				rollout.Annotations = map[string]string{v1alpha1.AnnotationRequestedAt: tc.request}
			}
			if err := c.Update(t.Context(), rollout); err != nil {
				t.Fatal(err)
			}
			looks()
			for _, site := range []string{"hq", "berlin"} {
				r.Answers.Give(types.NamespacedName{Namespace: "crm", Name: "r." + site}, tc.want)
			}
			looks()
			if got := rolloutNow(t, c).Status.LastHandledReconcileAt; got != tc.want {
				t.Errorf("request %q is handled, want %q", got, tc.want)
			}
			want := []string{tc.want}
			if tc.want == "" {
				want = nil
			}
			if diff := cmp.Diff(want, append([]string(nil), told[quiet:]...)); diff != "" {
				t.Errorf("writes of the status after somebody asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARequestIsHandledWhenAllSitesWereLookedAt(t *testing.T) {
	r, c := programme(t, interceptor.Funcs{})
	asked := func(value string) {
		rollout := rolloutNow(t, c)
		rollout.Annotations = map[string]string{v1alpha1.AnnotationRequestedAt: value}
		if err := c.Update(t.Context(), rollout); err != nil {
			t.Fatal(err)
		}
	}
	looks := func(want string, again time.Duration) {
		t.Helper()
		result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "crm", Name: "r"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := rolloutNow(t, c).Status.LastHandledReconcileAt; got != want || result.RequeueAfter != again {
			t.Errorf("request %q is handled, and the next look is after %s; want %q and %s", got, result.RequeueAfter, want, again)
		}
	}
	sees := func(site, value string) {
		r.Answers.Give(types.NamespacedName{Namespace: "crm", Name: "r." + site}, value)
	}
	looks("", 0)
	asked("one")
	looks("", askAgain)
	sees("hq", "one")
	looks("", askAgain)
	sees("berlin", "one")
	looks("one", 0)

	asked("two")
	looks("one", askAgain)
	sees("hq", "two")
	asked("three")
	sees("berlin", "three")
	looks("one", askAgain) // hq was looked at for the second request, not for the third
	sees("hq", "three")
	looks("three", 0)

	r.Answers = &request.Answers{} // a restart
	looks("three", 0)
	asked("four")
	looks("three", askAgain)
	for _, site := range []string{"hq", "berlin"} {
		if err := c.Delete(t.Context(), siteRollout(t, c, site)); err != nil {
			t.Fatal(err)
		}
	}
	r.ledger.forget(types.NamespacedName{Namespace: "crm", Name: "r"})
	looks("four", 0) // there is nobody to wait for: both join in this very look
}
