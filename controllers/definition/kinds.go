package definition

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/plan"
)

// Kind is what differs between the kinds.
type Kind struct {
	name      string
	valid     string
	object    func() client.Object
	dependsOn func() []client.Object
	// affected names the objects to check again when an object of dependsOn came, changed or went. About a change it is asked twice, with the object as it
	// was and as it is.
	affected func(ctx context.Context, r client.Reader, changed client.Object) ([]string, error)
	check    func(ctx context.Context, r client.Reader, object client.Object) ([]plan.Mistake, error)
	status   func(client.Object) (conditions *[]metav1.Condition, observed *int64)
}

// Phases checks RolloutPhases with their gates, KPIs and calendars.
var Phases = Kind{
	name:   "rolloutphase",
	valid:  "the phase can be run",
	object: func() client.Object { return &v1alpha1.RolloutPhase{} },
	dependsOn: func() []client.Object {
		return []client.Object{&v1alpha1.AcceptanceGate{}, &v1alpha1.KPI{}, &v1alpha1.RolloutCalendar{}}
	},
	affected: func(ctx context.Context, r client.Reader, changed client.Object) ([]string, error) {
		var list v1alpha1.RolloutPhaseList
		err := r.List(ctx, &list, client.InNamespace(changed.GetNamespace()), client.UnsafeDisableDeepCopy)
		return names(list.Items, func(p *v1alpha1.RolloutPhase) string { return p.Name }), err
	},
	check: func(ctx context.Context, r client.Reader, o client.Object) ([]plan.Mistake, error) {
		objects, err := catalogue.Objects(ctx, r, o.GetNamespace())
		phase := o.(*v1alpha1.RolloutPhase)
		return append(plan.ResolvePhase(phase, objects).StartMistakes(), plan.CheckCalendars(phase, objects)...), err
	},
	status: func(o client.Object) (*[]metav1.Condition, *int64) {
		s := &o.(*v1alpha1.RolloutPhase).Status
		return &s.Conditions, &s.ObservedGeneration
	},
}

// Gates checks AcceptanceGates with their KPIs.
var Gates = Kind{
	name:      "acceptancegate",
	valid:     "every criterion can be judged",
	object:    func() client.Object { return &v1alpha1.AcceptanceGate{} },
	dependsOn: func() []client.Object { return []client.Object{&v1alpha1.KPI{}} },
	affected: func(ctx context.Context, r client.Reader, changed client.Object) ([]string, error) {
		var list v1alpha1.AcceptanceGateList
		err := r.List(ctx, &list, client.InNamespace(changed.GetNamespace()), client.UnsafeDisableDeepCopy)
		return names(list.Items, func(g *v1alpha1.AcceptanceGate) string { return g.Name }), err
	},
	check: func(ctx context.Context, r client.Reader, o client.Object) ([]plan.Mistake, error) {
		objects, err := catalogue.Objects(ctx, r, o.GetNamespace())
		_, mistakes := plan.ResolveGate(o.(*v1alpha1.AcceptanceGate), objects.KPIs)
		return mistakes, err
	},
	status: func(o client.Object) (*[]metav1.Condition, *int64) {
		s := &o.(*v1alpha1.AcceptanceGate).Status
		return &s.Conditions, &s.ObservedGeneration
	},
}

// Sites checks RolloutSites, also against each other.
var Sites = Kind{
	name:   "rolloutsite",
	valid:  "the site can take part in rollouts",
	object: func() client.Object { return &v1alpha1.RolloutSite{} },
	// A site that changes may end a quarrel about the siteID that it had, and begin one about the siteID that it has. Both concern the other sites called so.
	dependsOn: func() []client.Object { return []client.Object{&v1alpha1.RolloutSite{}} },
	affected: func(ctx context.Context, r client.Reader, changed client.Object) ([]string, error) {
		same, err := catalogue.SitesCalled(ctx, r, changed.GetNamespace(), plan.SiteID(changed.(*v1alpha1.RolloutSite)))
		return names(same, func(s **v1alpha1.RolloutSite) string { return (*s).Name }), err
	},
	check: func(ctx context.Context, r client.Reader, o client.Object) ([]plan.Mistake, error) {
		site := o.(*v1alpha1.RolloutSite)
		same, err := catalogue.SitesCalled(ctx, r, site.Namespace, plan.SiteID(site))
		return plan.CheckSite(site, same), err
	},
	status: func(o client.Object) (*[]metav1.Condition, *int64) {
		s := &o.(*v1alpha1.RolloutSite).Status
		return &s.Conditions, &s.ObservedGeneration
	},
}

func names[T any](items []T, name func(*T) string) []string {
	found := make([]string, 0, len(items))
	for i := range items {
		found = append(found, name(&items[i]))
	}
	return found
}
