package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// steps are phases by their names, in one word.
func steps(names string) []plan.Phase {
	var all []plan.Phase
	for _, name := range strings.Fields(names) {
		all = append(all, plan.Phase{Name: name})
	}
	return all
}

func TestThroughStandsForTheSamePlaceInAFrozenPlan(t *testing.T) {
	for name, tc := range map[string]struct {
		live    string
		through int
		frozen  string
		want    string // the last phase that sites on the frozen plan may start
	}{
		"the same phases":                                               {"a b c", 1, "a b c", "b"},
		"the whole plan is the whole plan":                              {"a b c", 2, "a b c", "c"},
		"nothing is nothing":                                            {"a b c", -1, "a b c", ""},
		"a phase was added behind it":                                   {"a b c", 1, "a b", "b"},
		"a phase was added in front of it":                              {"x a b", 1, "a b", "a"},
		"it is itself a phase that was added":                           {"a x b", 1, "a b", "a"},
		"it is a phase that was added in front":                         {"x a b", 0, "a b", ""},
		"it is a phase that was added at the end":                       {"a b x", 2, "a b", "b"},
		"a phase was removed behind it":                                 {"a b", 0, "a x b", "a"},
		"a phase was removed in front of it":                            {"a b", 0, "x a b", "a"},
		"a phase was removed in front of one that is not reached":       {"a b", 0, "a x b", "a"},
		"the last phase was removed, and the rollout goes to its end":   {"a b", 1, "a b x", "x"},
		"the last phase was removed, and the rollout does not":          {"a b", 0, "a b x", "a"},
		"phases changed places":                                         {"a b c", 1, "b a c", "a"},
		"phases changed places, and one stands behind what is let":      {"c a b", 0, "a b c", ""},
		"phases changed places, and the first is one that is let":       {"c a b", 1, "a b c", "a"},
		"no phase is left of the frozen plan, and the rollout ends":     {"x y", 1, "a b", "b"},
		"no phase is left of the frozen plan, and the rollout does not": {"x y", 0, "a b", ""},
	} {
		t.Run(name, func(t *testing.T) {
			live := plan.Plan{Phases: steps(tc.live), Through: tc.through, Waves: []plan.Wave{{Name: "pilot", Through: tc.through}, {Name: "rest", Through: -1}}}
			own := live.On(steps(tc.frozen))
			last := func(through int) string {
				if through < 0 {
					return ""
				}
				return own.Phases[through].Name
			}
			if diff := cmp.Diff([]string{tc.want, tc.want, ""}, []string{last(own.Through), last(own.Waves[0].Through), last(own.Waves[1].Through)}); diff != "" {
				t.Errorf("the last phase of the rollout, of wave pilot and of wave rest (-want +got):\n%s", diff)
			}
			if live.Waves[0].Through != tc.through {
				t.Error("the live plan was changed")
			}
		})
	}
}

func TestPeopleAreToldThroughAsTheyWroteIt(t *testing.T) {
	live := plan.Plan{Phases: steps("x a b"), Through: 0, Waves: []plan.Wave{{Name: "pilot", Through: 2}, {Name: "rest", Through: -1}}}
	own := live.On(steps("a b"))
	for name, p := range map[string]plan.Plan{"live": live, "frozen": own, "frozen twice": own.On(steps("b"))} {
		got := []string{p.LastPhase(), p.LastPhaseOf(p.Waves[0]), p.LastPhaseOf(p.Waves[1])}
		if diff := cmp.Diff([]string{"x", "b", ""}, got); diff != "" {
			t.Errorf("%s: the rollout, wave pilot and wave rest go through (-want +got):\n%s", name, diff)
		}
	}
}

func TestEverythingButThePhasesIsAsItIsNow(t *testing.T) {
	live := plan.Plan{Phases: steps("a b"), Through: 1, Suspended: true, SuspendReason: "audit", MaxConcurrent: &plan.Limit{Number: 3}, MaxFailures: &plan.Limit{Number: 1},
		Mistakes: []plan.Mistake{{Problem: "wrong"}}, Sustain: &plan.Sustain{}, Waves: []plan.Wave{{Name: "pilot", Through: 1, Pick: 2}}}
	own := live.On(steps("a"))
	want := live
	want.Phases, want.Through, want.ThroughPhase = steps("a"), 0, "b"
	want.Waves = []plan.Wave{{Name: "pilot", ThroughPhase: "b", Pick: 2}}
	if diff := cmp.Diff(want, own, cmp.AllowUnexported(plan.Calendars{})); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	if own.Has("b") || !own.Has("a") {
		t.Errorf("it has b: %t, and a: %t", own.Has("b"), own.Has("a"))
	}
}

func TestASitePassesWhatItsOwnPlanDoesNotHave(t *testing.T) {
	day := func(n int) *metav1.Time {
		at := metav1.NewTime(time.Date(2026, time.March, n, 8, 0, 0, 0, time.UTC))
		return &at
	}
	passed := func(name string, n int) v1alpha1.PhaseRecord {
		return v1alpha1.PhaseRecord{Name: name, PassedAt: day(n)}
	}
	for name, tc := range map[string]struct {
		live, own string
		records   []v1alpha1.PhaseRecord
		want      []int
	}{
		"nothing passed": {"a b", "a b", nil, nil},
		"the same plan":  {"a b c", "a b c", []v1alpha1.PhaseRecord{passed("a", 2), passed("b", 3)}, []int{2, 3}},
		"a phase that its plan does not have, at the end": {"a b x", "a b", []v1alpha1.PhaseRecord{passed("a", 2), passed("b", 3)}, []int{2, 3, 3}},
		"one between":                                            {"a x b", "a b", []v1alpha1.PhaseRecord{passed("a", 2)}, []int{2, 2}},
		"one in front, before it has passed any":                 {"x a b", "a b", []v1alpha1.PhaseRecord{{Name: "a"}}, []int{0}},
		"one that it has passed all the same":                    {"a x", "a", []v1alpha1.PhaseRecord{passed("x", 9), passed("a", 2)}, []int{2, 9}},
		"a site that has not begun passes nothing by that":       {"x a", "a", nil, nil},
		"a phase that its plan has and it has not passed":        {"a b x", "a b", []v1alpha1.PhaseRecord{passed("a", 2), {Name: "b"}}, []int{2}},
		"times never go back":                                    {"a b", "a b", []v1alpha1.PhaseRecord{passed("a", 5), passed("b", 3)}, []int{5, 5}},
		"a phase that was reopened was passed when it first was": {"a", "a", []v1alpha1.PhaseRecord{{Name: "a", FirstPassedAt: day(4), ReopenedAt: day(6)}}, []int{4}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int
			for _, at := range (plan.Plan{Phases: steps(tc.live)}).Passed(tc.records, plan.Plan{Phases: steps(tc.own)}) {
				day := at.Day()
				if at.IsZero() {
					day = 0
				}
				got = append(got, day)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("days on which each phase was passed, with all before it (-want +got):\n%s", diff)
			}
		})
	}
}

func TestASiteIsInThePhaseThatRuns(t *testing.T) {
	now := metav1.Now()
	for name, tc := range map[string]struct {
		records []v1alpha1.PhaseRecord
		want    string
	}{
		"none":                {nil, ""},
		"one that runs":       {[]v1alpha1.PhaseRecord{{Name: "a", Attempt: 1, PassedAt: &now}, {Name: "b", Attempt: 1}}, "b"},
		"one that failed":     {[]v1alpha1.PhaseRecord{{Name: "a", Attempt: 1, FailedAt: &now}}, "a"},
		"rolled back":         {[]v1alpha1.PhaseRecord{{Name: "a", Attempt: 1, FailedAt: &now, RolledBackAt: &now}}, ""},
		"all passed":          {[]v1alpha1.PhaseRecord{{Name: "a", Attempt: 1, PassedAt: &now}}, ""},
		"passed and reopened": {[]v1alpha1.PhaseRecord{{Name: "a", Attempt: 1, ReopenedAt: &now}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if running := plan.Running(tc.records); running != nil {
				got = running.Name
			}
			if got != tc.want {
				t.Errorf("it is in %q, want %q", got, tc.want)
			}
		})
	}
}

func TestALostPlanIsToldWithWhatToDo(t *testing.T) {
	for name, tc := range map[string]struct {
		attempt v1alpha1.PhaseRecord
		want    string
	}{
		"one that was frozen": {v1alpha1.PhaseRecord{Name: "migrate", Revision: "crm-1"},
			"ControllerRevision/crm-1 metadata.name: it does not exist any more, and the attempt at phase migrate is judged by it; restore it from a backup, or decide about the attempt: Skip or RollBack"},
		"one from before plans were frozen": {v1alpha1.PhaseRecord{Name: "migrate"},
			"RolloutPhase/migrate metadata.name: the attempt at it began before plans were frozen, and the rollout does not have the phase any more; put it back into spec.phases, or decide about the attempt: Skip or RollBack"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, plan.Lost(tc.attempt).String()); diff != "" {
				t.Errorf("mistake (-want +got):\n%s", diff)
			}
		})
	}
}
