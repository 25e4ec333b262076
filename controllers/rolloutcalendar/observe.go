package rolloutcalendar

import (
	"context"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/calendar"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/plan"
)

// snapshot is everything that the state of a calendar depends on.
type snapshot struct {
	object *v1alpha1.RolloutCalendar
	// calendar is nil when there are mistakes.
	calendar *calendar.Calendar
	mistakes []plan.Mistake
	// zones whose wall clocks count, by name.
	zones []*time.Location
	now   time.Time
}

func (r *Reconciler) observe(ctx context.Context, req ctrl.Request) (snapshot, error) {
	s := snapshot{now: r.Clock.Now().UTC().Truncate(time.Second)}
	var object v1alpha1.RolloutCalendar
	if err := r.Client.Get(ctx, req.NamespacedName, &object); err != nil {
		return s, client.IgnoreNotFound(err)
	}
	s.object = &object
	s.calendar, s.mistakes = plan.ResolveCalendar(&object)
	switch {
	case s.calendar == nil:
		return s, nil
	case !s.calendar.OnSitesZones():
		s.zones = []*time.Location{s.calendar.ZoneOf(time.UTC)}
		return s, nil
	}
	sites, err := catalogue.Sites(ctx, r.Client, req.Namespace)
	s.zones = zonesOf(sites, s.calendar)
	return s, err
}

// zonesOf returns the time zones of the sites that a calendar is for. A site with a time zone that does not exist says so itself.
func zonesOf(sites []*v1alpha1.RolloutSite, c *calendar.Calendar) []*time.Location {
	zones := map[string]*time.Location{}
	for _, site := range sites {
		if !c.Concerns(func() labels.Set { return plan.SiteLabels(site) }) {
			continue
		}
		if zone, err := calendar.Zone(site.Spec.TimeZone); err == nil {
			zones[zone.String()] = zone
		}
	}
	all := make([]*time.Location, 0, len(zones))
	for _, name := range slices.Sorted(maps.Keys(zones)) {
		all = append(all, zones[name])
	}
	return all
}
