package advance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/advance"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/record"
)

func TestAStoryFromJoiningToCompletionIsRecordedWithoutAGap(t *testing.T) {
	p := twoPhases(t)
	status := v1alpha1.SiteRolloutStatus{}
	evidence := func(minute int) gate.Evidence {
		if minute >= 30 && minute < 40 {
			return values(minute, 70)
		}
		return values(minute, 90, 90, 90)
	}
	var holds advance.Holds
	for minute := 0; minute <= 60; minute += 5 {
		for range 4 {
			step := advance.Next(advance.Input{Plan: p, Status: status, Admitted: true, Holds: holds, Now: at(minute),
				Evidence: func(gate.KPI) gate.Evidence { return evidence(minute) }})
			status, holds = advance.Record(status, step, at(minute)), step.Holds
			if step.Change == nil {
				break
			}
		}
	}
	var story []string
	for i, tr := range status.Transitions {
		if tr.Sequence != int64(i+1) {
			t.Errorf("transition %d has sequence %d", i, tr.Sequence)
		}
		if i > 0 && tr.From != status.Transitions[i-1].To {
			t.Errorf("transition %d comes from %s, the site was %s", i, tr.From, status.Transitions[i-1].To)
		}
		story = append(story, strings.Join([]string{tr.Time.UTC().Format("15:04"), string(tr.From), string(tr.To), tr.Phase, tr.Reason}, " "))
	}
	want := []string{
		"08:00 Pending Waiting migrate Created",
		"08:00 Waiting Proving migrate PhaseStarted",
		"08:30 Proving Held migrate ExitGateFailed",
		"08:40 Held Proving migrate Recovered",
		"08:50 Proving Waiting migrate PhasePassed",
		"08:50 Waiting Proving golive PhaseStarted",
		"08:50 Proving Completed golive PhasePassed",
	}
	if diff := cmp.Diff(want, story); diff != "" {
		t.Errorf("story (-want +got):\n%s", diff)
	}
}

func TestAStepIsWrittenIntoACopy(t *testing.T) {
	before := running(stateProving)
	before.Transitions = []v1alpha1.Transition{{Sequence: 7, To: stateProving}}
	before.Gate = &v1alpha1.GateReport{Name: "accepted"}
	before.Phases[0].Revision = "crm-1"
	given := *before.DeepCopy()
	step := advance.Step{State: stateWaiting, Phase: "golive", Reason: v1alpha1.ReasonPhasePassed, Message: "passed", NextLook: at(9),
		Change: &advance.Change{Reason: v1alpha1.ReasonPhasePassed, Message: "passed", Phase: "migrate", Passes: true, Evidence: []v1alpha1.Evidence{{Criterion: "used"}}}}
	got := advance.Record(given, step, at(5))
	if diff := cmp.Diff(before, given); diff != "" {
		t.Errorf("the status that was given has changed:\n%s", diff)
	}
	want := v1alpha1.SiteRolloutStatus{
		State: stateWaiting, CurrentPhase: "golive", Reason: v1alpha1.ReasonPhasePassed, Message: "passed", NextLook: stamp(9),
		Phases: []v1alpha1.PhaseRecord{{Name: "migrate", Attempt: 1, StartedAt: *stamp(0), Revision: "crm-1", PassedAt: stamp(5), Evidence: []v1alpha1.Evidence{{Criterion: "used"}}}},
		Transitions: []v1alpha1.Transition{{Sequence: 7, To: stateProving},
			{Sequence: 8, Time: *stamp(5), From: stateProving, To: stateWaiting, Phase: "migrate", Attempt: 1, Revision: "crm-1", Reason: v1alpha1.ReasonPhasePassed, Message: "passed",
				EvidenceDigest: record.Digest([]v1alpha1.Evidence{{Criterion: "used"}})}},
	}
	want.Transitions[1].Hash = record.Hash("", want.Transitions[1])
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestAStepWithoutAChangeRecordsNoTransition(t *testing.T) {
	before := running(stateProving)
	before.NextLook = stamp(3)
	got := advance.Record(before, advance.Step{State: stateProving, Phase: "migrate", Reason: v1alpha1.ReasonSoaking, Message: "soaks"}, at(5))
	if len(got.Transitions) != 0 || got.NextLook != nil || got.Reason != v1alpha1.ReasonSoaking {
		t.Errorf("status %+v", got)
	}
}

func TestAPhaseIsNeverPassedTwiceAndAPassedRecordNeverChanges(t *testing.T) {
	before := passed(stateWaiting, "migrate")
	got := advance.Record(before, advance.Step{State: stateWaiting, Change: &advance.Change{Phase: "migrate", Passes: true}}, at(50))
	if diff := cmp.Diff(before.Phases, got.Phases); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestTheStoryKeepsItsLatestTransitionsAndCountsOn(t *testing.T) {
	var status v1alpha1.SiteRolloutStatus
	const steps = v1alpha1.MaxTransitions + 6
	for i := range steps {
		state := stateProving
		if i%2 == 1 {
			state = stateHeld
		}
		status = advance.Record(status, advance.Step{State: state, Phase: "migrate", Change: &advance.Change{Reason: "r", Phase: "migrate"}}, at(i))
	}
	if len(status.Transitions) != v1alpha1.MaxTransitions {
		t.Fatalf("%d transitions are kept, want %d", len(status.Transitions), v1alpha1.MaxTransitions)
	}
	for i, tr := range status.Transitions {
		if want := int64(steps - v1alpha1.MaxTransitions + i + 1); tr.Sequence != want {
			t.Fatalf("transition %d has sequence %d, want %d", i, tr.Sequence, want)
		}
	}
	if report := record.Verify(status); len(report.Faults) > 0 || report.Steps != steps || status.Checkpoint.Sequence != 6 {
		t.Errorf("checkpoint %+v, report %+v", status.Checkpoint, report)
	}
}

func TestAStepNeverLiesBeforeTheOneBeforeIt(t *testing.T) {
	status := running(stateProving)
	status.Transitions = []v1alpha1.Transition{{Sequence: 1, Time: *stamp(9), To: stateProving}}
	got := advance.Record(status, advance.Step{State: stateWaiting, Change: &advance.Change{Reason: v1alpha1.ReasonPhasePassed, Phase: "migrate", Passes: true}}, at(5))
	if step := got.Transitions[1]; !step.Time.Equal(stamp(9)) || !got.Phases[0].PassedAt.Equal(stamp(9)) {
		t.Errorf("the clock was set back by four minutes, and the phase passed at %s, in a step of %s", got.Phases[0].PassedAt, step.Time)
	}
}

func TestLongMessagesAreClipped(t *testing.T) {
	long := strings.Repeat("x", 5000)
	got := advance.Record(v1alpha1.SiteRolloutStatus{}, advance.Step{State: stateHeld, Message: long, Change: &advance.Change{Message: long}}, at(0))
	if len(got.Message) != v1alpha1.MaxSiteMessage || len(got.Transitions[0].Message) != v1alpha1.MaxMessage {
		t.Errorf("%d bytes of message and %d of transition, want %d and %d", len(got.Message), len(got.Transitions[0].Message), v1alpha1.MaxSiteMessage, v1alpha1.MaxMessage)
	}
}

func TestManyUnmetCriteriaAreCountedNotTold(t *testing.T) {
	p := twoPhases(t)
	g := gate.Gate{Name: "accepted", Generation: 1}
	for _, kpi := range []string{"a", "b", "c", "d", "e"} {
		c := p.Phases[0].Exit.Criteria[0]
		c.Name, c.KPI.Name = kpi, kpi
		g.Criteria = append(g.Criteria, c)
	}
	p.Phases[0].Exit = &g
	step := advance.Next(advance.Input{Plan: p, Status: running(stateProving), Now: at(30), Evidence: func(gate.KPI) gate.Evidence { return gate.Evidence{} }})
	const want = "exit gate accepted: a has not been measured yet; b has not been measured yet; c has not been measured yet; and 2 more"
	if step.Message != want {
		t.Errorf("message %q, want %q", step.Message, want)
	}
}

func TestARunningPhaseIsFinishedBeforeOneThatWasPutInFrontOfIt(t *testing.T) {
	p := plan.Plan{Through: 1, Phases: []plan.Phase{{Name: "extra"}, {Name: "migrate", Soak: 5 * time.Minute}}}
	status := running(stateProving)
	var seen []string
	for range 6 {
		step := advance.Next(advance.Input{Plan: p, Status: status, Admitted: true, Now: at(10), Evidence: func(gate.KPI) gate.Evidence { return gate.Evidence{} }})
		before := status.State
		status = advance.Record(status, step, at(10))
		if before != status.State && step.Change == nil {
			t.Errorf("the site went from %s to %s, which is not recorded", before, status.State)
		}
		if step.Change != nil {
			seen = append(seen, string(step.State)+" "+step.Change.Phase+" "+step.Change.Reason)
		}
	}
	want := []string{"Waiting migrate PhasePassed", "Proving extra PhaseStarted", "Completed extra PhasePassed"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if started := status.Phases[0].StartedAt; started != metav1.NewTime(at(0)) {
		t.Errorf("the attempt now began at %v", started)
	}
}

func TestTheFirstStartOfAPhaseIsRemembered(t *testing.T) {
	starts := advance.Step{State: stateProving, Phase: "migrate", Change: &advance.Change{Phase: "migrate", Starts: true, Reason: v1alpha1.ReasonAttemptStarted}}
	for name, tc := range map[string]struct {
		record v1alpha1.PhaseRecord
		want   *metav1.Time
	}{
		"the second attempt": {v1alpha1.PhaseRecord{Name: "migrate", Attempt: 1, StartedAt: *stamp(0), FailedAt: stamp(5)}, stamp(0)},
		"the third attempt":  {v1alpha1.PhaseRecord{Name: "migrate", Attempt: 2, StartedAt: *stamp(6), FirstStartedAt: stamp(0), FailedAt: stamp(8)}, stamp(0)},
		"the first attempt, after it was skipped and a regression reopened it": {
			v1alpha1.PhaseRecord{Name: "migrate", StartedAt: *stamp(0), FirstPassedAt: stamp(0), ReopenedAt: stamp(8)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := advance.Record(v1alpha1.SiteRolloutStatus{Phases: []v1alpha1.PhaseRecord{tc.record}}, starts, at(10)).Phases[0]
			if !got.FirstStartedAt.Equal(tc.want) || !got.StartedAt.Equal(stamp(10)) || got.Attempt != tc.record.Attempt+1 {
				t.Errorf("record %+v", got)
			}
		})
	}
}
