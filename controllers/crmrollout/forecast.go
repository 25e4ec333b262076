package crmrollout

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/forecast"
	"github.com/crmops/rollout-operator/internal/status"
)

// outlook is what is to be expected of a rollout.
type outlook struct {
	// forecast is nil when there is none.
	forecast *v1alpha1.Forecast
	// lateAt is when a planned date makes something late, if nothing changes until then; zero for never.
	lateAt time.Time
}

// foresee asks what is to be expected of the sites as they are now.
func foresee(s snapshot, d decision) outlook {
	facts := forecast.Facts{Plan: s.plan, Waves: d.Waves, Now: s.now}
	for i := range d.sites {
		site := forecast.Site{Name: d.sites[i].Name, Wave: d.sites[i].Wave, Own: d.sites[i].Plan}
		if sr := s.existing[site.Name]; sr != nil {
			site.Records = sr.Status.Phases
		}
		facts.Sites = append(facts.Sites, site)
	}
	var o outlook
	o.forecast, o.lateAt = forecast.Of(facts)
	return o
}

// maxStatus is how large a status may become by its forecast, in bytes of JSON: 64 KiB, with a little room.
const maxStatus = 60 << 10

// fit keeps a status small: it leaves out the differences of frozen plans, those of the oldest first, then the dates of the phases of waves, those first that are of the least use.
func fit(st *v1alpha1.CRMRolloutStatus) {
	surplus := size(st) - maxStatus
	for i := len(st.Revisions) - 1; i >= 0 && surplus > 0; i-- {
		if all := st.Revisions[i].Changes; len(all) > 1 {
			st.Revisions[i].Changes = []string{fmt.Sprintf("%d differences, for which there is no room here", len(all))}
			surplus -= size(all) - size(st.Revisions[i].Changes)
		}
	}
	if surplus <= 0 || st.Forecast == nil {
		return
	}
	st.Forecast = st.Forecast.DeepCopy()
	for _, i := range dispensable(st.Forecast.Waves) {
		if surplus <= 0 {
			return
		}
		surplus -= size(st.Forecast.Waves[i].Phases)
		st.Forecast.Waves[i].Phases = nil
	}
	if surplus > 0 {
		st.Forecast.Waves = nil
	}
}

// dispensable orders waves by how little the dates of their phases are needed: first those that have ended, then those that have not begun, the last one first, then the others.
func dispensable(waves []v1alpha1.WaveForecast) []int {
	use := func(w v1alpha1.WaveForecast) int {
		switch {
		case w.End != nil:
			return 0
		case w.Start == nil:
			return 1
		}
		return 2
	}
	order := make([]int, len(waves))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if use(waves[a]) == 0 && use(waves[b]) == 0 {
			return cmp.Compare(a, b)
		}
		return cmp.Or(cmp.Compare(use(waves[a]), use(waves[b])), cmp.Compare(b, a))
	})
	return order
}

// size returns the length of something in JSON.
func size(v any) int {
	text, _ := json.Marshal(v) // types of the API always marshal
	return len(text)
}

// withoutExpectations leaves in a forecast what changes with what happens. Expected dates move by themselves while a site takes longer than it should; that there are any does not.
func withoutExpectations(f *v1alpha1.Forecast) {
	if f == nil {
		return
	}
	forget := func(date *metav1.Time) {
		if date != nil {
			*date = metav1.Time{}
		}
	}
	f.Late = ""
	forget(f.ExpectedCompletion)
	for i := range f.Waves {
		forget(f.Waves[i].ExpectedEnd)
		for j := range f.Waves[i].Phases {
			forget(f.Waves[i].Phases[j].ExpectedEnd)
		}
	}
}

// tellOfDelays warns once of each wave that has become late, or else of the first phase in it that has: those behind it are mostly late for the same reason.
func (r *Reconciler) tellOfDelays(before, after *v1alpha1.CRMRollout) {
	if after.Status.Forecast == nil {
		return
	}
	known := lateOnes(before.Status.Forecast)
	for _, w := range after.Status.Forecast.Waves {
		if w.Late && !known[[2]string{w.Name}] {
			r.warn(after, v1alpha1.ReasonWaveLate, "wave "+w.Name+" is late: "+forecast.Delay(w.Dates))
			continue
		}
		for _, p := range w.Phases {
			if p.Late && !known[[2]string{w.Name, p.Name}] {
				r.warn(after, v1alpha1.ReasonPhaseLate, "phase "+p.Name+" is late in wave "+w.Name+": "+forecast.Delay(p.Dates))
				break
			}
		}
	}
}

func (r *Reconciler) warn(about *v1alpha1.CRMRollout, reason, message string) {
	r.Events.Eventf(about, nil, corev1.EventTypeWarning, reason, "Forecast", "%s", status.Note(message))
}

// lateOnes are the waves, and the phases in them, that a forecast marks as late.
func lateOnes(f *v1alpha1.Forecast) map[[2]string]bool {
	late := map[[2]string]bool{}
	if f == nil {
		return late
	}
	for _, w := range f.Waves {
		late[[2]string{w.Name}] = w.Late
		for _, p := range w.Phases {
			late[[2]string{w.Name, p.Name}] = p.Late
		}
	}
	return late
}
