// Package forecast compares the planned dates of a rollout with what has happened and with what is to be expected at the pace so far.
//
// The package cannot do I/O and has no clock. It decides nothing: no date keeps a site from anything. What is not known stays unset; nothing is guessed.
package forecast

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/plan"
)

// Grace is how much later than planned something may be before it is late. Dates are planned for days, and a gate passes a little after a soak at the earliest.
const Grace = time.Hour

// Facts are what a forecast rests on.
type Facts struct {
	// Plan of the rollout.
	Plan plan.Plan
	// Sites of the rollout, those too that no wave selects any more.
	Sites []Site
	// Waves in the order of the plan, as admission leaves them now.
	Waves []admit.Wave
	// Now is the time of the forecast.
	Now time.Time
}

// Site is what a forecast needs to know of a site.
type Site struct {
	// Name of the RolloutSite.
	Name string
	// Wave that the site is in; empty when no wave selects it any more.
	Wave string
	// Records of the phases that it has begun.
	Records []v1alpha1.PhaseRecord
	// Own is the plan by which the site goes on; nil for the plan of the rollout.
	Own *plan.Plan
}

// Of makes a forecast, nil when nothing is planned and no site has begun, and says when a planned date can make something late that is not late now; zero for never.
func Of(f Facts) (*v1alpha1.Forecast, time.Time) {
	l := see(f)
	if !l.begun && !planned(f.Plan) {
		return nil, time.Time{}
	}
	expected := playOut(l)
	forecast := &v1alpha1.Forecast{}
	for i := range f.Plan.Waves {
		forecast.Waves = append(forecast.Waves, l.wave(i, expected))
	}
	complete(forecast)
	return forecast, wakeAt(forecast)
}

// planned reports whether a plan says when anything is to happen, or how long it is to take.
func planned(p plan.Plan) bool {
	for i := range p.Waves {
		if !p.Waves[i].PlannedStart.IsZero() || !p.Waves[i].PlannedEnd.IsZero() {
			return true
		}
	}
	for i := range p.Phases {
		if p.Phases[i].Expected > 0 {
			return true
		}
	}
	return false
}

// complete sums up the waves. A date of the rollout is known only when it is known of every wave.
func complete(f *v1alpha1.Forecast) {
	ends := func(of func(v1alpha1.Dates) *metav1.Time) *metav1.Time {
		var latest *metav1.Time
		for i := range f.Waves {
			end := of(f.Waves[i].Dates)
			if end == nil {
				return nil
			}
			latest = later(latest, end)
		}
		return latest.DeepCopy()
	}
	f.PlannedCompletion = ends(func(d v1alpha1.Dates) *metav1.Time { return d.PlannedEnd })
	f.CompletedAt = ends(func(d v1alpha1.Dates) *metav1.Time { return d.End })
	comes := f.CompletedAt
	if comes == nil {
		f.ExpectedCompletion = ends(endOf)
		comes = f.ExpectedCompletion
	}
	if f.PlannedCompletion != nil && comes != nil {
		f.Late = hours(comes.Sub(f.PlannedCompletion.Time))
	}
}

// endOf returns when something has ended, or is expected to; nil when neither is known.
func endOf(d v1alpha1.Dates) *metav1.Time {
	if d.End != nil {
		return d.End
	}
	return d.ExpectedEnd
}

// hours writes a delay in whole hours, empty below one.
func hours(late time.Duration) v1alpha1.Duration {
	const most = 99999 * 24 * time.Hour // a Duration has no more days
	return v1alpha1.FormatDuration(max(0, min(late, most)).Truncate(time.Hour))
}
