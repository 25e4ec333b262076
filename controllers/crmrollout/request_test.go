package crmrollout

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/crmops/rollout-operator/api/v1alpha1"
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
