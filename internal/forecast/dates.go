package forecast

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// wave tells the dates of a wave and of each phase in it.
func (l *look) wave(wave int, expected [][]time.Duration) v1alpha1.WaveForecast {
	told := v1alpha1.WaveForecast{Name: l.Plan.Waves[wave].Name}
	told.PlannedStart = date(l.Plan.Waves[wave].PlannedStart)
	starts, ends := plannedDates(l.Plan.Waves[wave], l.Plan.Phases)
	for i := range l.Plan.Phases {
		phase := v1alpha1.PhaseForecast{Name: l.Plan.Phases[i].Name}
		phase.PlannedStart, phase.PlannedEnd = date(starts[i]), date(ends[i])
		l.actual(&phase.Dates, wave, i)
		if phase.End == nil && expected[wave][i] != forever {
			phase.ExpectedEnd = date(l.Now.Add(expected[wave][i]))
		}
		phase.Late = late(phase.Dates, l.Now)
		told.Phases = append(told.Phases, phase)
	}
	sum(&told)
	told.Late = late(told.Dates, l.Now)
	return told
}

// plannedDates returns when each phase of a wave is planned to begin at the first site, counted from the start of the wave, and to end at the last one, counted back from the end of the wave
// where that is planned. What does not follow from the plan is zero.
func plannedDates(w plan.Wave, phases []plan.Phase) (starts, ends []time.Time) {
	starts, ends = make([]time.Time, len(phases)), make([]time.Time, len(phases))
	start := w.PlannedStart
	for i := range phases {
		starts[i], start = start, move(start, phases[i].Expected)
		ends[i] = start
	}
	if w.PlannedEnd.IsZero() {
		return starts, ends
	}
	end := w.PlannedEnd
	for i := len(phases) - 1; i >= 0; i-- {
		ends[i], end = end, move(end, -phases[i].Expected)
	}
	return starts, ends
}

// move returns a date that lies so much later; zero when it is not known, or how much, or when nobody can write it down.
func move(t time.Time, by time.Duration) time.Time {
	const firstYear, lastYear = 1, 9999
	if t.IsZero() || by == 0 {
		return time.Time{}
	}
	if moved := t.Add(by).UTC(); moved.Year() >= firstYear && moved.Year() <= lastYear {
		return moved
	}
	return time.Time{}
}

// actual tells when the first of the wave's sites began a phase, and when the last of them had passed it.
func (l *look) actual(d *v1alpha1.Dates, wave, phase int) {
	first, last, over := forever, -forever, len(l.members[wave]) > 0
	for _, site := range l.members[wave] {
		s := l.stretches[site][phase]
		if s.began {
			first = min(first, s.start)
		}
		if over = over && s.passed; over {
			last = max(last, s.end)
		}
	}
	if first < forever {
		d.Start = date(l.Now.Add(first))
	}
	if over {
		d.End = date(l.Now.Add(last))
	}
}

// sum tells the dates of a wave by those of its phases.
func sum(w *v1alpha1.WaveForecast) {
	over, known := len(w.Phases) > 0, len(w.Phases) > 0
	var latest *metav1.Time
	for i := range w.Phases {
		phase := &w.Phases[i]
		w.PlannedEnd = phase.PlannedEnd.DeepCopy()
		if phase.Start != nil && (w.Start == nil || phase.Start.Before(w.Start)) {
			w.Start = phase.Start.DeepCopy()
		}
		end := endOf(phase.Dates)
		over, known = over && phase.End != nil, known && end != nil
		latest = later(latest, end)
	}
	switch {
	case over:
		w.End = latest.DeepCopy()
	case known:
		w.ExpectedEnd = latest.DeepCopy()
	}
}

// late reports whether something has ended, or must be expected to end, later than planned, or has not begun though it was to. What is not over ends now at the earliest.
func late(d v1alpha1.Dates, now time.Time) bool {
	if d.PlannedStart != nil && d.Start == nil && now.Sub(d.PlannedStart.Time) >= Grace {
		return true
	}
	ends := now
	if end := endOf(d); end != nil {
		ends = end.Time
	}
	return d.PlannedEnd != nil && ends.Sub(d.PlannedEnd.Time) >= Grace
}

// wakeAt returns the next moment at which a planned date makes something late that is not late yet; zero when there is none. Expected dates are looked at anew whenever a site moves or a KPI is measured.
func wakeAt(f *v1alpha1.Forecast) time.Time {
	var next time.Time
	consider := func(planned, happened *metav1.Time) {
		if planned == nil || happened != nil {
			return
		}
		if at := planned.Add(Grace); next.IsZero() || at.Before(next) {
			next = at
		}
	}
	for i := range f.Waves {
		for j := range f.Waves[i].Phases { // the first and the last of them have the dates of the wave
			if d := f.Waves[i].Phases[j].Dates; !d.Late {
				consider(d.PlannedStart, d.Start)
				consider(d.PlannedEnd, d.End)
			}
		}
	}
	return next
}

// later returns the later of two dates, of which nil comes before all others.
func later(a, b *metav1.Time) *metav1.Time {
	if a == nil || a.Before(b) {
		return b
	}
	return a
}

// date writes a time down to the second; nil for zero.
func date(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	d := metav1.NewTime(t.UTC().Truncate(time.Second))
	return &d
}

// Delay says for people why something is late.
func Delay(d v1alpha1.Dates) string {
	text := func(t *metav1.Time) string { return t.UTC().Format(time.RFC3339) }
	end := endOf(d)
	switch {
	case d.PlannedEnd == nil || (end != nil && end.Sub(d.PlannedEnd.Time) < Grace):
		return "it was planned to begin at " + text(d.PlannedStart) + " and has not"
	case end == nil:
		return "it was planned to end at " + text(d.PlannedEnd) + ", and nobody knows when it will"
	case d.End == nil:
		return "it is planned to end at " + text(d.PlannedEnd) + ", and expected to at " + text(end)
	}
	return "it was planned to end at " + text(d.PlannedEnd) + ", and did at " + text(end)
}
