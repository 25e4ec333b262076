package rolloutcalendar

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/status"
)

// maxZones repeats the MaxItems marker of status.zones.
const maxZones = 50

// report writes down where the calendar stands.
func (r *Reconciler) report(ctx context.Context, s snapshot, d decision) error {
	changed := s.object.DeepCopy()
	st := &changed.Status
	st.ObservedGeneration, st.Zones = changed.Generation, nil
	for i, at := range d.all {
		if i < maxZones {
			st.Zones = append(st.Zones, v1alpha1.CalendarState{TimeZone: at.zone.String(), Open: at.Open, Window: at.Window,
				NextOpening: stamp(at.NextOpening), NextClosing: stamp(at.NextClosing)})
		}
	}
	c := status.Conditions{List: &st.Conditions, Generation: changed.Generation, Now: metav1.NewTime(s.now)}
	c.Judge(s.mistakes, "the windows can be computed")
	if len(s.mistakes) > 0 {
		meta.RemoveStatusCondition(&st.Conditions, v1alpha1.ConditionOpen)
	} else {
		c.Set(v1alpha1.ConditionOpen, d.value(), d.reason(), d.message())
	}
	_, err := status.Patch(ctx, r.Client, s.object, changed)
	return err
}

func stamp(at time.Time) *metav1.Time {
	if at.IsZero() {
		return nil
	}
	t := metav1.NewTime(at)
	return &t
}

func (d decision) value() metav1.ConditionStatus {
	if d.open > 0 && d.open < len(d.all) || len(d.all) == 0 {
		return metav1.ConditionUnknown
	}
	return status.Bool(d.open > 0)
}

func (d decision) reason() string {
	switch {
	case len(d.all) == 0:
		return v1alpha1.ReasonNoSites
	case d.open == 0:
		return v1alpha1.ReasonClosed
	case d.open < len(d.all):
		return v1alpha1.ReasonOpenSomewhere
	}
	return v1alpha1.ReasonOpen
}

// message says the same as the reason, and when that changes. It stays the same until then.
func (d decision) message() string {
	if len(d.all) == 0 {
		return "it is on the wall clocks of the sites, and there is no site that it is for"
	}
	if len(d.all) == 1 {
		return d.all[0].message()
	}
	where := fmt.Sprintf("open in %d of %d time zones", d.open, len(d.all))
	if d.next == nil {
		return where + "; that does not change within five years"
	}
	return fmt.Sprintf("%s; the next change is at %s, in %s", where, d.next.changes().UTC().Format(time.RFC3339), d.next.zone)
}

func (s standing) message() string {
	why := "open"
	switch {
	case s.Window != "" && s.Open:
		why = "open in window " + s.Window
	case s.Window != "":
		why = "closed by window " + s.Window
	case !s.Open:
		why = "closed, because no window is open"
	}
	if s.changes().IsZero() {
		return why + "; that does not change within five years"
	}
	verb := "opens"
	if s.Open {
		verb = "closes"
	}
	return fmt.Sprintf("%s; %s at %s", why, verb, s.changes().UTC().Format(time.RFC3339))
}
