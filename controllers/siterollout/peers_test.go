package siterollout

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/advance"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/plan"
)

func TestASiteDoesNotAskForValuesThatCameInWhileItWasLookedAt(t *testing.T) {
	seen := time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)
	baseline := plan.Baseline{KPI: gate.KPI{Name: "usage", Revision: "r1"}}
	key := types.NamespacedName{Namespace: "crm", Name: "usage"}
	for name, test := range map[string]struct {
		// known is what the decision knew, latest what is there when it has been written; zero for nothing.
		known, latest time.Time
		asks          bool
	}{
		"there is nothing":                         {asks: true},
		"the first values came in meanwhile":       {latest: seen},
		"what there is has become too old":         {known: seen, latest: seen, asks: true},
		"newer values came in meanwhile":           {known: seen, latest: seen.Add(time.Minute)},
		"the clock was set back, and values came":  {known: seen, latest: seen.Add(-time.Hour)},
		"the clock was set back, and nothing came": {known: seen.Add(time.Hour), latest: seen.Add(time.Hour), asks: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Reconciler{Captures: measure.NewCaptures()}
			if !test.latest.IsZero() {
				r.Captures.Put(key, asks(baseline), gate.Capture{At: test.latest})
			}
			s := snapshot{object: &v1alpha1.SiteRollout{ObjectMeta: metav1.ObjectMeta{Namespace: "crm"}}}
			r.ask(s, decision{last: advance.Step{Asks: []plan.Baseline{baseline}}, captured: map[plan.Baseline]time.Time{baseline: test.known}})
			if got := len(r.Captures.Asked(key)) == 1; got != test.asks {
				t.Errorf("asks: %t, want %t", got, test.asks)
			}
		})
	}
}

func TestASiteThatHasBegunThePhaseOrIsAdmittedToItIsNoControlSite(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme)
	for _, index := range catalogue.Indexes() {
		builder = builder.WithIndex(index.Object, index.Field, index.Extract)
	}
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "crm", Name: name} }
	rollout := &v1alpha1.CRMRollout{ObjectMeta: named("halden")}
	own := &v1alpha1.RolloutSite{ObjectMeta: named("lyon")}
	objects := []client.Object{own}
	for site, story := range map[string]*v1alpha1.SiteRollout{
		"lyon":    {Spec: v1alpha1.SiteRolloutSpec{AdmittedThrough: "live"}},
		"waiting": {Spec: v1alpha1.SiteRolloutSpec{AdmittedThrough: "prepare"}, Status: v1alpha1.SiteRolloutStatus{Phases: []v1alpha1.PhaseRecord{{Name: "prepare"}}}},
		"begun":   {Status: v1alpha1.SiteRolloutStatus{Phases: []v1alpha1.PhaseRecord{{Name: "prepare"}, {Name: "live"}}}},
		"next":    {Spec: v1alpha1.SiteRolloutSpec{AdmittedThrough: "live"}},
		"out":     nil,
	} {
		if site != own.Name {
			objects = append(objects, &v1alpha1.RolloutSite{ObjectMeta: named(site)})
		}
		if story != nil {
			story.ObjectMeta, story.Spec.Rollout, story.Spec.Site = named("halden."+site), rollout.Name, site
			objects = append(objects, story)
		}
	}
	r := &Reconciler{Client: builder.WithObjects(objects...).Build()}
	s := snapshot{object: &v1alpha1.SiteRollout{ObjectMeta: named("halden.lyon")}, rollout: rollout, site: own}
	got, err := r.candidates(t.Context(), s, "live", plan.Controls{MaxSites: 30})
	if want := []string{"waiting", "out"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("candidates %q, error %v, want %q", got, err, want)
	}
}
