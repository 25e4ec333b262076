package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

// start is when the rollout of the tests begins.
var start = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)

func second(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

func stamp(n int) *metav1.Time {
	at := metav1.NewTime(second(n))
	return &at
}

func pointer[T any](of T) *T { return &of }

func holds(condition string) []metav1.Condition {
	return []metav1.Condition{{Type: condition, Status: metav1.ConditionTrue}}
}

// goodRecord is a rollout of three sites that went as it should: lyon and osaka one after the other in wave pilot, each
// through two phases of ten seconds, and then munich in wave group. lyon was held from second 10 to second 18.
func goodRecord() Record {
	plan := Plan{
		Rollout: crmv1.CRMRollout{
			Spec: crmv1.CRMRolloutSpec{
				Phases:        []crmv1.LocalReference{{Name: "migrate"}, {Name: "live"}},
				Waves:         []crmv1.Wave{{Name: "pilot"}, {Name: "group"}},
				MaxConcurrent: pointer(intstr.FromInt(1)),
			},
			Status: crmv1.CRMRolloutStatus{Sites: crmv1.SiteCounts{Total: 3, Completed: 3}, Conditions: holds(crmv1.ConditionCompleted)},
		},
		Sites: map[string]crmv1.RolloutSite{"lyon": {}, "osaka": {}, "munich": {}},
		Phases: map[string]crmv1.RolloutPhase{
			"migrate": {Spec: crmv1.RolloutPhaseSpec{Soak: "5s", ExitGate: &crmv1.LocalReference{Name: "data"}}},
			"live":    {Spec: crmv1.RolloutPhaseSpec{Soak: "10s"}},
		},
		Gates: map[string]crmv1.AcceptanceGate{"data": {Spec: crmv1.AcceptanceGateSpec{Criteria: []crmv1.Criterion{
			{Name: "complete", KPI: "completeness", AtLeast: pointer(crmv1.Threshold("0.95")), For: "2s"},
		}}}},
		KPIs: map[string]crmv1.KPI{"completeness": {Spec: crmv1.KPISpec{Window: "3s"}}},
	}
	lyon, osaka, munich := goodStory("lyon", "pilot", 0, 20), goodStory("osaka", "pilot", 30, 10), goodStory("munich", "group", 50, 10)
	lyon.Status.Transitions = []crmv1.Transition{
		{Sequence: 1, Time: *stamp(0), From: crmv1.SiteWaiting, To: crmv1.SiteProving, Phase: "migrate"},
		{Sequence: 2, Time: *stamp(10), From: crmv1.SiteProving, To: crmv1.SiteHeld, Phase: "migrate"},
		{Sequence: 3, Time: *stamp(18), From: crmv1.SiteHeld, To: crmv1.SiteProving, Phase: "migrate"},
		{Sequence: 4, Time: *stamp(30), From: crmv1.SiteProving, To: crmv1.SiteCompleted, Phase: "live"},
	}
	return Record{
		Plan: plan, Troubled: "lyon", Stories: []crmv1.SiteRollout{lyon, munich, osaka},
		Observed: Observed{
			FirstAdmitted: map[string]time.Time{"lyon": second(0), "osaka": second(30), "munich": second(50)},
			MostInFlight:  1,
			Held:          heldStory(),
			Cleaned:       second(14).Add(700 * time.Millisecond),
		},
	}
}

// goodStory is a site that is in migrate for some seconds and in live for ten.
func goodStory(site, wave string, begin, migration int) crmv1.SiteRollout {
	passed := begin + migration
	return crmv1.SiteRollout{
		Spec: crmv1.SiteRolloutSpec{Site: site, Wave: wave, AdmittedThrough: "live", AdmittedAt: stamp(passed)},
		Status: crmv1.SiteRolloutStatus{
			State: crmv1.SiteCompleted,
			Phases: []crmv1.PhaseRecord{
				{Name: "migrate", Attempt: 1, StartedAt: *stamp(begin), PassedAt: stamp(passed), Evidence: []crmv1.Evidence{
					{Criterion: "complete", KPI: "completeness", Figures: crmv1.Figures{Value: "0.97", Threshold: "at least 0.95"}, SampleTime: *stamp(passed), MetSince: stamp(passed - 2)},
				}},
				{Name: "live", Attempt: 1, StartedAt: *stamp(passed), PassedAt: stamp(passed + 10)},
			},
			Transitions: []crmv1.Transition{
				{Sequence: 1, Time: *stamp(begin), From: crmv1.SiteWaiting, To: crmv1.SiteProving, Phase: "migrate"},
				{Sequence: 2, Time: *stamp(passed + 10), From: crmv1.SiteProving, To: crmv1.SiteCompleted, Phase: "live"},
			},
			Conditions: holds(crmv1.ConditionCompleted),
		},
	}
}

// heldStory is lyon in second 10.
func heldStory() *crmv1.SiteRollout {
	return &crmv1.SiteRollout{
		ObjectMeta: metav1.ObjectMeta{Name: "crm.lyon"},
		Spec:       crmv1.SiteRolloutSpec{Site: "lyon", Wave: "pilot", AdmittedThrough: "migrate", AdmittedAt: stamp(0)},
		Status: crmv1.SiteRolloutStatus{
			State: crmv1.SiteHeld, Reason: crmv1.ReasonExitGateFailed, Message: "completeness 0.88 is below 0.95", CurrentPhase: "migrate", NextLook: stamp(11),
			Gate: &crmv1.GateReport{Name: "data", Role: crmv1.GateRoleExit, Verdict: crmv1.VerdictFail, Criteria: []crmv1.CriterionReport{
				{Name: "complete", KPI: "completeness", Verdict: crmv1.VerdictFail, Reason: crmv1.ReasonNotMet, Figures: crmv1.Figures{Value: "0.88", Threshold: "at least 0.95"}, SampleTime: stamp(10)},
			}},
			Phases:     []crmv1.PhaseRecord{{Name: "migrate", Attempt: 1, StartedAt: *stamp(0)}},
			Conditions: holds(crmv1.ConditionHeld),
		},
	}
}

func TestAGoodRolloutBreaksNoPromise(t *testing.T) {
	for _, result := range Verify(goodRecord()) {
		if len(result.Breaches) > 0 {
			t.Errorf("%s: %v", result.Promise, result.Breaches)
		}
	}
}

// Each of these lies must be found out by the promise that it breaks.
func TestDoctoredRecords(t *testing.T) {
	lyon := func(r *Record) *crmv1.SiteRollout { return r.story("lyon") }
	munich := func(r *Record) *crmv1.SiteRollout { return r.story("munich") }
	evidence := func(r *Record) *crmv1.Evidence { return &lyon(r).Status.Phases[0].Evidence[0] }
	held := func(r *Record) *crmv1.SiteRolloutStatus { return &r.Observed.Held.Status }
	criterion := func(r *Record) *crmv1.CriterionReport { return &held(r).Gate.Criteria[0] }
	const (
		completed = iota
		phases
		waves
		concurrency
		hold
		recovery
		proof
		transitions
	)
	tests := []struct {
		name    string
		doctor  func(*Record)
		promise int
		want    string
	}{
		{"a site has no story", func(r *Record) { r.Stories = r.Stories[1:] }, completed, "lyon has no SiteRollout"},
		{"a site is held in the end", func(r *Record) { munich(r).Status.State = crmv1.SiteHeld }, completed, "munich is Held"},
		{"a site lacks the condition", func(r *Record) { munich(r).Status.Conditions = nil }, completed, "condition Completed is not True"},
		{"the rollout counts fewer", func(r *Record) { r.Plan.Rollout.Status.Sites.Completed = 2 }, completed, "counts 2 of 3"},
		{"the rollout lacks the condition", func(r *Record) { r.Plan.Rollout.Status.Conditions = nil }, completed, "the rollout's condition"},

		{"a phase is missing", func(r *Record) { munich(r).Status.Phases = munich(r).Status.Phases[1:] }, phases, "munich has been through 1 phases of 2"},
		{"phases are in the wrong order", func(r *Record) {
			done := munich(r).Status.Phases
			done[0], done[1] = done[1], done[0]
		}, phases, "phase live came where migrate should have"},
		{"a phase was not passed", func(r *Record) { munich(r).Status.Phases[1].PassedAt = nil }, phases, "phase live was not passed"},
		{"a phase began too early", func(r *Record) { munich(r).Status.Phases[1].StartedAt = *stamp(59) }, phases, "before the phase ahead of it was passed"},
		{"a soak was cut short", func(r *Record) { munich(r).Status.Phases[1].PassedAt = stamp(69) }, phases, "passed after 9s, and its soak is 10s"},
		{"a soak is unreadable", func(r *Record) {
			r.Plan.Phases["live"] = crmv1.RolloutPhase{Spec: crmv1.RolloutPhaseSpec{Soak: "soon"}}
		}, phases, "is not a duration"},

		{"wave two was admitted early", func(r *Record) { r.Observed.FirstAdmitted["munich"] = second(49) }, waves, "munich of wave group was admitted at 09:00:49"},
		{"wave two was admitted early, by its object", func(r *Record) { munich(r).Spec.AdmittedAt = stamp(20) }, waves, "was admitted last at"},
		{"wave two began early", func(r *Record) { munich(r).Status.Phases[0].StartedAt = *stamp(48) }, waves, "was in phase migrate at"},
		{"wave one ended later", func(r *Record) { lyon(r).Status.Phases[1].PassedAt = stamp(90) }, waves, "wave pilot completed at 09:01:30"},
		{"a wave has no sites", func(r *Record) { r.Stories = []crmv1.SiteRollout{*lyon(r), *r.story("osaka")} }, waves, "wave group has no sites"},

		{"two sites were in a phase", func(r *Record) { r.story("osaka").Status.Phases[0].StartedAt = *stamp(29) }, concurrency, "2 sites were in a phase at 09:00:29"},
		{"two sites were seen in flight", func(r *Record) { r.Observed.MostInFlight = 2 }, concurrency, "2 sites were seen in flight"},
		{"there is no limit", func(r *Record) { r.Plan.Rollout.Spec.MaxConcurrent = nil }, concurrency, "nothing was shown"},

		{"nothing was held", func(r *Record) { r.Observed.Held = nil }, hold, "lyon was never seen held"},
		{"another site was held", func(r *Record) { r.Observed.Held.Spec.Site = "osaka" }, hold, "and not lyon"},
		{"it was not in state Held", func(r *Record) { held(r).State = crmv1.SiteProving }, hold, "its state was Proving"},
		{"it had another reason", func(r *Record) { held(r).Reason = crmv1.ReasonSoaking }, hold, "its reason was Soaking"},
		{"it had no message", func(r *Record) { held(r).Message = "" }, hold, "no message"},
		{"it had no condition", func(r *Record) { held(r).Conditions = nil }, hold, "condition Held was not True"},
		{"it had no next look", func(r *Record) { held(r).NextLook = nil }, hold, "did not say when it is looked at next"},
		{"the next look had been", func(r *Record) { held(r).NextLook = stamp(9) }, hold, "the next look was before the sample"},
		{"it named no gate", func(r *Record) { held(r).Gate = nil }, hold, "did not name the exit gate"},
		{"it named an entry gate", func(r *Record) { held(r).Gate.Role = crmv1.GateRoleEntry }, hold, "did not name the exit gate"},
		{"nothing had failed", func(r *Record) { criterion(r).Verdict = crmv1.VerdictWait }, hold, "no criterion of the gate had failed"},
		{"the criterion is unknown", func(r *Record) { criterion(r).Name = "other" }, hold, "the gate has no such criterion"},
		{"it named no KPI", func(r *Record) { criterion(r).KPI = "" }, hold, "it named KPI nothing"},
		{"it named another threshold", func(r *Record) { criterion(r).Threshold = "at least 0.9" }, hold, "the gate asks for at least 0.95"},
		{"it had no value", func(r *Record) { criterion(r).Value = "" }, hold, "it had no value"},
		{"the value was good", func(r *Record) { criterion(r).Value = "0.95" }, hold, "0.95 is not below 0.95"},
		{"it had no sample time", func(r *Record) { criterion(r).SampleTime = nil }, hold, "no sample time"},
		{"the sample was from before the phase", func(r *Record) { criterion(r).SampleTime = stamp(2) }, hold, "began before the attempt"},

		{"the cause stayed", func(r *Record) { r.Observed.Cleaned = time.Time{} }, recovery, "the cause was not removed"},
		{"it went on before", func(r *Record) { r.Observed.Cleaned = second(21) }, recovery, "before the cause was removed"},
		{"it never went on", func(r *Record) { lyon(r).Status.Phases[0].PassedAt = nil }, recovery, "lyon has not passed phase migrate"},
		{"the hold left no trace", func(r *Record) { lyon(r).Status.Transitions = munich(r).Status.Transitions }, recovery, "no transition to Held"},

		{"there is no evidence", func(r *Record) { lyon(r).Status.Phases[0].Evidence = nil }, proof, "lyon, phase migrate, criterion complete: there is no evidence"},
		{"the evidence is about another KPI", func(r *Record) { evidence(r).KPI = "usage" }, proof, "about KPI usage"},
		{"the evidence misses the gate", func(r *Record) { evidence(r).Value = "0.949999" }, proof, "0.949999 does not meet it"},
		{"the evidence has no number", func(r *Record) { evidence(r).Value = "NaN" }, proof, "is neither a decimal number nor a percentage"},
		{"the evidence is from before the attempt", func(r *Record) { evidence(r).MetSince = stamp(2) }, proof, "began before the attempt"},
		{"the evidence is from after the phase", func(r *Record) { evidence(r).SampleTime = *stamp(21) }, proof, "after the phase was passed"},
		{"the evidence lasted too short", func(r *Record) { evidence(r).MetSince = stamp(19) }, proof, "met for 1s, and the gate asks for 2s"},

		{"a transition is missing", func(r *Record) { lyon(r).Status.Transitions[2].Sequence = 4 }, transitions, "transition 4 follows transition 2"},
		{"a transition comes from nowhere", func(r *Record) { lyon(r).Status.Transitions[2].From = crmv1.SiteWaiting }, transitions, "begins at Waiting"},
		{"a transition is too old", func(r *Record) { lyon(r).Status.Transitions[2].Time = *stamp(9) }, transitions, "older than the one before"},
		{"there are no transitions", func(r *Record) { munich(r).Status.Transitions = nil }, transitions, "munich has no transitions"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			record := goodRecord()
			test.doctor(&record)
			breaches := Verify(record)[test.promise].Breaches
			if !strings.Contains(strings.Join(breaches, "\n"), test.want) {
				t.Errorf("want %q in the breaches of promise %q, got %q", test.want, promises[test.promise].text, breaches)
			}
		})
	}
}

func TestMeets(t *testing.T) {
	tests := []struct {
		name      string
		criterion crmv1.Criterion
		good, bad []crmv1.Threshold
	}{
		{"at least", crmv1.Criterion{AtLeast: pointer(crmv1.Threshold("0.95"))}, []crmv1.Threshold{"0.95", "1"}, []crmv1.Threshold{"0.949999", "-1"}},
		{"at most", crmv1.Criterion{AtMost: pointer(crmv1.Threshold("8"))}, []crmv1.Threshold{"8", "-3"}, []crmv1.Threshold{"8.000001"}},
		{"between", crmv1.Criterion{Between: &crmv1.Range{Min: "4.0", Max: "5.0"}}, []crmv1.Threshold{"4", "5.0"}, []crmv1.Threshold{"3.99", "5.01"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, want := map[crmv1.Threshold]bool{}, map[crmv1.Threshold]bool{}
			for good, values := range map[bool][]crmv1.Threshold{true: test.good, false: test.bad} {
				for _, value := range values {
					met, err := meets(test.criterion, value)
					if err != nil {
						t.Fatal(err)
					}
					got[value], want[value] = met, good
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := meets(crmv1.Criterion{}, "1"); err == nil {
		t.Error("a criterion without a bound cannot be met")
	}
}

func TestVerdict(t *testing.T) {
	lines, err := verdict([]Result{{Promise: "kept"}}, styles{})
	if diff := cmp.Diff([]string{" ✓ kept"}, lines); diff != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
	lines, err = verdict([]Result{{Promise: "kept"}, {Promise: "broken", Breaches: []string{"a", "b"}}}, styles{})
	if diff := cmp.Diff([]string{" ✓ kept", " ✗ broken", "     a", "     b"}, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if fmt.Sprint(err) != "1 of 2 promises were broken" {
		t.Errorf("error: %v", err)
	}
}
