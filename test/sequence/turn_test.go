package sequence

import (
	"context"
	"slices"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	planning "github.com/crmops/rollout-operator/internal/plan"
)

// turn is one reconcile while it runs.
type turn struct {
	request request
	// rollout is the version of the rollout that the reconcile has read.
	rollout *v1alpha1.CRMRollout
	// sites are the sites that it has read, in the same way.
	sites []v1alpha1.RolloutSite
	// siteRollouts by site, kpis, gates and phases as well.
	siteRollouts map[string]*v1alpha1.SiteRollout
	kpis         []v1alpha1.KPI
	gates        []v1alpha1.AcceptanceGate
	phases       []v1alpha1.RolloutPhase
	// decisions and calendars by name, in the same way.
	decisions map[string]*v1alpha1.RolloutDecision
	calendars map[string]*v1alpha1.RolloutCalendar
}

func (t *turn) reads(sr *v1alpha1.SiteRollout) {
	if t.siteRollouts == nil {
		t.siteRollouts = map[string]*v1alpha1.SiteRollout{}
	}
	t.siteRollouts[sr.Spec.Site] = sr
}

func (t *turn) readsDecision(d *v1alpha1.RolloutDecision) {
	if t.decisions == nil {
		t.decisions = map[string]*v1alpha1.RolloutDecision{}
	}
	t.decisions[d.Name] = d
}

func (t *turn) readsCalendar(c *v1alpha1.RolloutCalendar) {
	if t.calendars == nil {
		t.calendars = map[string]*v1alpha1.RolloutCalendar{}
	}
	t.calendars[c.Name] = c
}

// siteIDs are the names by which the reconcile takes the source to know the sites.
func (t *turn) siteIDs() map[string]string {
	ids := make(map[string]string, len(t.sites))
	for i := range t.sites {
		ids[t.sites[i].Name] = planning.SiteID(&t.sites[i])
	}
	return ids
}

type turnKey struct{}

func turnOf(ctx context.Context) *turn {
	found, _ := ctx.Value(turnKey{}).(*turn)
	return found
}

// read notes what the reconcile has read: an object or a list.
func (t *turn) read(o any) {
	switch found := o.(type) {
	case *v1alpha1.CRMRollout:
		t.rollout = clone(found)
	case *v1alpha1.RolloutSiteList:
		t.sites = slices.Clone(found.Items)
	case *v1alpha1.SiteRolloutList:
		for _, sr := range slices.Clone(found.Items) {
			t.reads(&sr)
		}
	case *v1alpha1.KPIList:
		t.kpis = slices.Clone(found.Items)
	case *v1alpha1.AcceptanceGateList:
		t.gates = slices.Clone(found.Items)
	case *v1alpha1.RolloutPhaseList:
		t.phases = slices.Clone(found.Items)
	case *v1alpha1.RolloutDecisionList:
		for _, d := range slices.Clone(found.Items) {
			t.readsDecision(&d)
		}
	case *v1alpha1.RolloutCalendarList:
		for _, c := range slices.Clone(found.Items) {
			t.readsCalendar(&c)
		}
	}
}
