package plan

import (
	"fmt"
	"slices"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/calendar"
)

// Calendars are those that say when sites may start a phase. They are always as they are now: a plan that was frozen has none of its own.
type Calendars struct {
	rollout []*calendar.Calendar
	// waves and phases have those of their own, by name.
	waves, phases map[string][]*calendar.Calendar
	// mistakes in the calendars of phases, by name of the phase.
	mistakes map[string][]Mistake
}

// Of returns the calendars that a site of a wave has to keep to when it starts a phase, each one once.
func (c Calendars) Of(wave, phase string) []*calendar.Calendar {
	all := slices.Clone(c.rollout)
	for _, one := range slices.Concat(c.waves[wave], c.phases[phase]) {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

// ResolveCalendar resolves a calendar and every mistake in it. The calendar is nil when there is one.
func ResolveCalendar(source *v1alpha1.RolloutCalendar) (*calendar.Calendar, []Mistake) {
	compiled, found := calendar.Compile(source.Name, source.Spec)
	var mistakes []Mistake
	for _, m := range found {
		mistakes = append(mistakes, invalid("RolloutCalendar/"+source.Name, m.Field, m.Problem, m.Remedy))
	}
	return compiled, mistakes
}

// resolveCalendars resolves the calendars of the rollout, of its waves, and of every phase: a site on a frozen plan may come to a phase that the rollout does not have any more.
func (p *Plan) resolveCalendars(object string, rollout *v1alpha1.CRMRollout, objects Objects) {
	r := calendarResolver{objects: objects.Calendars, known: map[string]*calendar.Calendar{}, mistaken: map[string][]Mistake{}}
	p.Calendars = Calendars{waves: map[string][]*calendar.Calendar{}, phases: map[string][]*calendar.Calendar{}, mistakes: map[string][]Mistake{}}
	p.Calendars.rollout = r.all(object, "spec.calendars", rollout.Spec.Calendars, &p.Mistakes)
	for _, wave := range rollout.Spec.Waves {
		p.Calendars.waves[wave.Name] = r.all(object, fmt.Sprintf("spec.waves[name=%s].calendars", wave.Name), wave.Calendars, &p.Mistakes)
	}
	for name, phase := range objects.Phases {
		var mistakes []Mistake
		p.Calendars.phases[name] = r.all("RolloutPhase/"+name, "spec.calendars", phase.Spec.Calendars, &mistakes)
		p.Calendars.mistakes[name] = mistakes
	}
}

// CheckCalendars names the mistakes in the calendars of a phase.
func CheckCalendars(phase *v1alpha1.RolloutPhase, objects Objects) []Mistake {
	r := calendarResolver{objects: objects.Calendars, known: map[string]*calendar.Calendar{}, mistaken: map[string][]Mistake{}}
	var mistakes []Mistake
	r.all("RolloutPhase/"+phase.Name, "spec.calendars", phase.Spec.Calendars, &mistakes)
	return mistakes
}

// calendarResolver resolves each calendar once, however many name it.
type calendarResolver struct {
	objects  map[string]*v1alpha1.RolloutCalendar
	known    map[string]*calendar.Calendar
	mistaken map[string][]Mistake
}

// all resolves the calendars that a field names, and adds its mistakes to others.
func (r calendarResolver) all(object, field string, refs []v1alpha1.LocalReference, mistakes *[]Mistake) []*calendar.Calendar {
	var resolved []*calendar.Calendar
	for i, ref := range refs {
		source, found := r.objects[ref.Name]
		if !found {
			*mistakes = append(*mistakes, notFound(object, fmt.Sprintf("%s[%d].name", field, i), "RolloutCalendar", ref.Name))
			continue
		}
		if _, done := r.known[ref.Name]; !done {
			r.known[ref.Name], r.mistaken[ref.Name] = ResolveCalendar(source)
		}
		*mistakes = append(*mistakes, r.mistaken[ref.Name]...)
		if c := r.known[ref.Name]; c != nil {
			resolved = append(resolved, c)
		}
	}
	return resolved
}

// StartMistakes returns what keeps a phase of the plan from being started: mistakes in it, and in its calendars.
func (p Plan) StartMistakes(phase int) []Mistake {
	return append(p.Phases[phase].StartMistakes(), p.Calendars.mistakes[p.Phases[phase].Name]...)
}
