package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

func hours(name, start string) *v1alpha1.RolloutCalendar {
	return &v1alpha1.RolloutCalendar{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RolloutCalendarSpec{
		Allow: []v1alpha1.CalendarWindow{{Name: "hours", Start: v1alpha1.LocalTime(start), Duration: "9h", Recurrence: "FREQ=DAILY"}},
	}}
}

func references(names ...string) []v1alpha1.LocalReference {
	var refs []v1alpha1.LocalReference
	for _, name := range names {
		refs = append(refs, v1alpha1.LocalReference{Name: name})
	}
	return refs
}

// timed is a rollout of two phases and two waves with calendars at each level.
func timed(calendars ...*v1alpha1.RolloutCalendar) (*v1alpha1.CRMRollout, plan.Objects) {
	objects := plan.Objects{Phases: map[string]*v1alpha1.RolloutPhase{}, Calendars: map[string]*v1alpha1.RolloutCalendar{}}
	for _, c := range calendars {
		objects.Calendars[c.Name] = c
	}
	for name, refs := range map[string][]v1alpha1.LocalReference{"prepare": nil, "golive": references("quarter", "office"), "removed": references("quarter")} {
		objects.Phases[name] = &v1alpha1.RolloutPhase{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RolloutPhaseSpec{Calendars: refs}}
	}
	return &v1alpha1.CRMRollout{ObjectMeta: metav1.ObjectMeta{Name: "crm"}, Spec: v1alpha1.CRMRolloutSpec{
		Phases:    references("prepare", "golive"),
		Calendars: references("office"),
		Waves: []v1alpha1.Wave{
			{Name: "pilot", Selector: &metav1.LabelSelector{}},
			{Name: "rest", Selector: &metav1.LabelSelector{}, Calendars: references("winter")},
		},
	}}, objects
}

func TestASiteKeepsToTheCalendarsOfItsRolloutItsWaveAndItsPhase(t *testing.T) {
	p := plan.Resolve(timed(hours("office", "2026-01-01T08:00"), hours("winter", "2026-01-01T08:00"), hours("quarter", "2026-01-01T08:00")))
	if len(p.AllMistakes()) > 0 {
		t.Fatal(p.AllMistakes())
	}
	for _, tc := range []struct {
		wave, phase string
		want        []string
	}{
		{"pilot", "prepare", []string{"office"}},
		{"pilot", "golive", []string{"office", "quarter"}},
		{"rest", "prepare", []string{"office", "winter"}},
		{"rest", "golive", []string{"office", "winter", "quarter"}},
		{"rest", "removed", []string{"office", "winter", "quarter"}}, // a site on a frozen plan may come to it
		{"", "elsewhere", []string{"office"}},
	} {
		var got []string
		for _, c := range p.Calendars.Of(tc.wave, tc.phase) {
			got = append(got, c.Name)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("wave %q, phase %q (-want +got):\n%s", tc.wave, tc.phase, diff)
		}
	}
}

func TestMistakesInCalendarsStopWhatNamesThem(t *testing.T) {
	sentences := func(mistakes []plan.Mistake) []string {
		var all []string
		for _, m := range mistakes {
			all = append(all, m.Reason+": "+m.String())
		}
		return all
	}
	const wrong = `InvalidSpec: RolloutCalendar/quarter spec.allow[name=hours].start: "2026-01-32" is no date of the calendar; ` +
		"write a date such as 2026-12-24, or a date and a time such as 2026-12-24T08:00, without a zone"
	const missing = `ReferenceNotFound: CRMRollout/crm spec.waves[name=rest].calendars[0].name: RolloutCalendar "winter" does not exist in this namespace; create it or correct the name`

	rollout, objects := timed(hours("office", "2026-01-01T08:00"), hours("quarter", "2026-01-32"))
	p := plan.Resolve(rollout, objects)
	if diff := cmp.Diff([]string{missing}, sentences(p.Mistakes)); diff != "" {
		t.Errorf("mistakes of the rollout (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{wrong}, sentences(p.StartMistakes(1))); diff != "" {
		t.Errorf("what keeps golive from being started (-want +got):\n%s", diff)
	}
	if len(p.StartMistakes(0)) > 0 || len(p.Phases[1].Mistakes) > 0 {
		t.Errorf("a phase without that calendar, or one that runs, is stopped too: %v, %v", p.StartMistakes(0), p.Phases[1].Mistakes)
	}
	if diff := cmp.Diff([]string{missing, wrong}, sentences(p.AllMistakes())); diff != "" {
		t.Errorf("all mistakes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{wrong}, sentences(plan.CheckCalendars(objects.Phases["golive"], objects))); diff != "" {
		t.Errorf("what the phase says itself (-want +got):\n%s", diff)
	}

	objects.Calendars["office"] = hours("office", "never")
	if p := plan.Resolve(rollout, objects); len(p.Mistakes) != 2 || len(p.StartMistakes(1)) != 2 {
		t.Errorf("a calendar that the rollout and the phase name is not told at both: %v, %v", p.Mistakes, p.StartMistakes(1))
	}
}
