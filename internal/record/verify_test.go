package record_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/record"
)

func used(value v1alpha1.Decimal) []v1alpha1.Evidence {
	return []v1alpha1.Evidence{{Criterion: "used", KPI: "usage", Figures: v1alpha1.Figures{Value: value}, SampleTime: at(30)}}
}

// tell adds a step of a phase to a story, from where the story stands.
func tell(status *v1alpha1.SiteRolloutStatus, minute int, to v1alpha1.SiteState, phase, reason string, evidence ...v1alpha1.Evidence) {
	from := status.State
	if from == "" {
		from = v1alpha1.SitePending
	}
	record.Append(status, v1alpha1.Transition{Time: at(minute), From: from, To: to, Phase: phase, Attempt: 1, Reason: reason, Message: phase + " " + reason, EvidenceDigest: record.Digest(evidence)})
	status.State = to
}

// story is a site that has passed migrate, with evidence, and golive, without, in six steps.
func story() v1alpha1.SiteRolloutStatus {
	var s v1alpha1.SiteRolloutStatus
	tell(&s, 0, v1alpha1.SiteWaiting, "migrate", v1alpha1.ReasonCreated)
	tell(&s, 0, v1alpha1.SiteProving, "migrate", v1alpha1.ReasonPhaseStarted)
	tell(&s, 10, v1alpha1.SiteHeld, "migrate", v1alpha1.ReasonExitGateFailed)
	tell(&s, 30, v1alpha1.SiteWaiting, "migrate", v1alpha1.ReasonPhasePassed, used("0.97")...)
	tell(&s, 30, v1alpha1.SiteProving, "golive", v1alpha1.ReasonPhaseStarted)
	tell(&s, 40, v1alpha1.SiteCompleted, "golive", v1alpha1.ReasonPhasePassed)
	s.Phases = []v1alpha1.PhaseRecord{
		{Name: "migrate", Attempt: 1, StartedAt: at(0), PassedAt: on(30), Evidence: used("0.97")},
		{Name: "golive", Attempt: 1, StartedAt: at(30), PassedAt: on(40)},
	}
	return s
}

// rehash makes the hashes of a story anew from a step on, as somebody would who covers up what he has changed.
func rehash(s *v1alpha1.SiteRolloutStatus, from int) {
	for i := from; i < len(s.Transitions); i++ {
		previous := ""
		if i > 0 {
			previous = s.Transitions[i-1].Hash
		}
		s.Transitions[i].Hash = record.Hash(previous, s.Transitions[i])
	}
}

func TestVerify(t *testing.T) {
	hash := func(step int) string { return record.Short(story().Transitions[step-1].Hash) }
	const wrong = "step %d: its hash is %s, and must be %s: it was changed, or the one before it is not the one that it followed"
	changed := func(step int, change func(*v1alpha1.Transition)) string {
		s := story()
		change(&s.Transitions[step-1])
		return fmt.Sprintf(wrong, step, hash(step), record.Short(record.Hash(s.Transitions[step-2].Hash, s.Transitions[step-1])))
	}
	later := func(tr *v1alpha1.Transition) { tr.Time = at(12) }
	for name, tc := range map[string]struct {
		change func(*v1alpha1.SiteRolloutStatus)
		faults []string
		notes  []string
	}{
		"a whole story":              {change: func(*v1alpha1.SiteRolloutStatus) {}},
		"a site that has no story":   {change: func(s *v1alpha1.SiteRolloutStatus) { *s = v1alpha1.SiteRolloutStatus{} }},
		"a site in the middle of it": {change: func(s *v1alpha1.SiteRolloutStatus) { *s = middle() }},
		"a time was changed": {change: func(s *v1alpha1.SiteRolloutStatus) { later(&s.Transitions[2]) },
			faults: []string{changed(3, later)}},
		"a person was added": {change: func(s *v1alpha1.SiteRolloutStatus) { s.Transitions[3].Deciders = []v1alpha1.Decider{{By: "anna"}} },
			faults: []string{changed(4, func(tr *v1alpha1.Transition) { tr.Deciders = []v1alpha1.Decider{{By: "anna"}} })}},
		"a step was changed, and its hash as well": {change: func(s *v1alpha1.SiteRolloutStatus) {
			later(&s.Transitions[2])
			s.Transitions[2].Hash = record.Hash(s.Transitions[1].Hash, s.Transitions[2])
		}, faults: []string{fmt.Sprintf(wrong, 4, hash(4), func() string {
			s := story()
			later(&s.Transitions[2])
			return record.Short(record.Hash(record.Hash(s.Transitions[1].Hash, s.Transitions[2]), s.Transitions[3]))
		}())}},
		"all hashes behind a change were made anew: only the head tells": {change: func(s *v1alpha1.SiteRolloutStatus) { later(&s.Transitions[2]); rehash(s, 2) }},
		"a step goes back in time": {change: func(s *v1alpha1.SiteRolloutStatus) { s.Transitions[4].Time = at(29); rehash(s, 4) },
			faults: []string{"step 5: its time 2026-03-02T08:29:00Z lies before that of the one before it"}},
		"a step was removed": {change: func(s *v1alpha1.SiteRolloutStatus) { s.Transitions = slices.Delete(s.Transitions, 2, 3) },
			faults: []string{"step 4: it follows step 2, so a step is missing or out of order", "step 4: it begins at Held, and the one before it ended at Proving",
				fmt.Sprintf(wrong, 4, hash(4), record.Short(record.Hash(story().Transitions[1].Hash, story().Transitions[3])))}},
		"the last step was removed": {change: func(s *v1alpha1.SiteRolloutStatus) { s.Transitions = s.Transitions[:5] },
			faults: []string{"the site is Completed, and the last step ended at Proving", "phase golive is recorded as passed, and no step passed it"}},
		"the first step was removed": {change: func(s *v1alpha1.SiteRolloutStatus) { s.Transitions = s.Transitions[1:] },
			faults: []string{"step 2: it follows step 0, so a step is missing or out of order", "step 2: it begins at Waiting, and the one before it ended at Pending",
				fmt.Sprintf(wrong, 2, hash(2), record.Short(record.Hash("", story().Transitions[1])))},
			notes: nil},
		"every step was removed": {change: func(s *v1alpha1.SiteRolloutStatus) { s.Transitions = nil },
			faults: []string{"the site is Completed, and the last step ended at Pending", "phase migrate is recorded as passed, and no step passed it", "phase golive is recorded as passed, and no step passed it"}},
		"a hash was removed": {change: func(s *v1alpha1.SiteRolloutStatus) { s.Transitions[4].Hash = "" },
			faults: []string{"step 5: it has no hash, and the one before it has", fmt.Sprintf(wrong, 6, hash(6), record.Short(record.Hash("", story().Transitions[5])))}},
		"the state was changed": {change: func(s *v1alpha1.SiteRolloutStatus) { s.State = v1alpha1.SiteHeld },
			faults: []string{"the site is Held, and the last step ended at Completed"}},
		"the evidence was changed": {change: func(s *v1alpha1.SiteRolloutStatus) { s.Phases[0].Evidence[0].Value = "0.98" },
			faults: []string{"the evidence of phase migrate is not what it was when step 4 passed it"}},
		"the evidence was removed": {change: func(s *v1alpha1.SiteRolloutStatus) { s.Phases[0].Evidence = nil },
			faults: []string{"the evidence of phase migrate is not what it was when step 4 passed it"}},
		"evidence was made up": {change: func(s *v1alpha1.SiteRolloutStatus) { s.Phases[1].Evidence = used("1") },
			faults: []string{"the evidence of phase golive is not what it was when step 6 passed it"}},
		"a record was removed": {change: func(s *v1alpha1.SiteRolloutStatus) { s.Phases = s.Phases[1:] },
			faults: []string{"step 4 passed phase migrate, of which nothing is recorded"}},
		"a phase was made to have passed": {change: func(s *v1alpha1.SiteRolloutStatus) {
			s.Phases = append(s.Phases, v1alpha1.PhaseRecord{Name: "optimise", Attempt: 1, PassedAt: on(50)})
		}, faults: []string{"phase optimise is recorded as passed, and no step passed it"}},
		"a phase was made not to have passed": {change: func(s *v1alpha1.SiteRolloutStatus) { s.Phases[0].PassedAt = nil },
			faults: []string{"step 4 passed phase migrate, and the record of the phase says that it has not passed"}},
		"a phase was made to have passed earlier": {change: func(s *v1alpha1.SiteRolloutStatus) { s.Phases[1].PassedAt = on(35) },
			faults: []string{"phase golive is recorded as passed by attempt 1 at 2026-03-02T08:35:00Z, and step 6 passed it by attempt 1 at 2026-03-02T08:40:00Z"}},
		"an attempt was made another": {change: func(s *v1alpha1.SiteRolloutStatus) { s.Phases[1].Attempt = 2 },
			faults: []string{"phase golive is recorded as passed by attempt 2 at 2026-03-02T08:40:00Z, and step 6 passed it by attempt 1 at 2026-03-02T08:40:00Z"}},
		"evidence of a phase that has not passed": {change: func(s *v1alpha1.SiteRolloutStatus) { *s = middle(); s.Phases[0].Evidence = used("1") },
			faults: []string{"phase migrate has evidence, and has not passed"}},
		"a reopened phase has no evidence until it passes again": {change: func(s *v1alpha1.SiteRolloutStatus) {
			tell(s, 50, v1alpha1.SiteWaiting, "migrate", v1alpha1.ReasonPhaseReopened)
			s.Phases[0].PassedAt, s.Phases[0].Evidence = nil, nil
		}},
		"a folded story": {change: func(s *v1alpha1.SiteRolloutStatus) { record.Fold(s, 2) }},
		"a story of which the pass of a phase is folded": {change: func(s *v1alpha1.SiteRolloutStatus) { record.Fold(s, 4) },
			notes: []string{"the evidence of phase migrate cannot be verified, because the step that passed it is no longer kept"}},
		"a checkpoint with another hash": {change: func(s *v1alpha1.SiteRolloutStatus) { record.Fold(s, 2); s.Checkpoint.Hash = zero },
			faults: []string{fmt.Sprintf(wrong, 3, hash(3), record.Short(record.Hash(zero, story().Transitions[2])))}},
		"a checkpoint with another number": {change: func(s *v1alpha1.SiteRolloutStatus) { record.Fold(s, 2); s.Checkpoint.Sequence = 3 },
			faults: []string{"step 3: it follows step 3, so a step is missing or out of order"}},
		"a checkpoint of a later time": {change: func(s *v1alpha1.SiteRolloutStatus) { record.Fold(s, 2); s.Checkpoint.Time = at(11) },
			faults: []string{"step 3: its time 2026-03-02T08:10:00Z lies before that of the one before it"}},
		"a checkpoint that is gone": {change: func(s *v1alpha1.SiteRolloutStatus) { record.Fold(s, 3); s.Checkpoint = nil },
			faults: []string{"step 4: it follows step 0, so a step is missing or out of order", "step 4: it begins at Held, and the one before it ended at Pending",
				fmt.Sprintf(wrong, 4, hash(4), record.Short(record.Hash("", story().Transitions[3])))}},
		"a checkpoint that stands for nothing": {change: func(s *v1alpha1.SiteRolloutStatus) { s.Checkpoint = &v1alpha1.Checkpoint{Time: at(0)} },
			faults: []string{"the checkpoint stands for no step"}, notes: []string{}},
		"nothing behind a checkpoint": {change: func(s *v1alpha1.SiteRolloutStatus) { record.Fold(s, 6) },
			faults: []string{"no step is kept behind the checkpoint, which stands for step 6"},
			notes: []string{"the evidence of phase migrate cannot be verified, because the step that passed it is no longer kept",
				"the evidence of phase golive cannot be verified, because the step that passed it is no longer kept"}},
		"a story from before there were chains": {change: func(s *v1alpha1.SiteRolloutStatus) { unchain(s, 6) },
			notes: []string{"steps up to 6 were recorded before steps were chained",
				"the evidence of phase migrate cannot be verified, because the step that passed it is not chained",
				"the evidence of phase golive cannot be verified, because the step that passed it is not chained"}},
		"a story that began before there were chains": {change: func(s *v1alpha1.SiteRolloutStatus) { unchain(s, 4) },
			notes: []string{"steps up to 4 were recorded before steps were chained", "the evidence of phase migrate cannot be verified, because the step that passed it is not chained"}},
		"a story that began before there were chains, of which steps were dropped": {change: func(s *v1alpha1.SiteRolloutStatus) { unchain(s, 4); s.Transitions = s.Transitions[2:] },
			notes: []string{"steps up to 4 were recorded before steps were chained", "the evidence of phase migrate cannot be verified, because the step that passed it is not chained"}},
		"a story that began before there were chains, folded to its first chained step": {change: func(s *v1alpha1.SiteRolloutStatus) { unchain(s, 4); record.Fold(s, 4) },
			notes: []string{"steps up to 4 were recorded before steps were chained", "the evidence of phase migrate cannot be verified, because the step that passed it is no longer kept"}},
		"a story that began before there were chains, with a gap": {change: func(s *v1alpha1.SiteRolloutStatus) { unchain(s, 4); s.Transitions = slices.Delete(s.Transitions, 2, 3) },
			faults: []string{"step 4: it follows step 2, so a step is missing or out of order", "step 4: it begins at Held, and the one before it ended at Proving"},
			notes:  []string{"steps up to 4 were recorded before steps were chained", "the evidence of phase migrate cannot be verified, because the step that passed it is not chained"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := story()
			tc.change(&s)
			got := record.Verify(s)
			if diff := cmp.Diff([][]string{tc.faults, tc.notes}, [][]string{got.Faults, got.Notes}, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("faults and notes (-want +got):\n%s", diff)
			}
		})
	}
}

// middle is a site in its first phase.
func middle() v1alpha1.SiteRolloutStatus {
	s := story()
	s.Transitions, s.Phases = s.Transitions[:3], s.Phases[:1]
	s.State, s.Phases[0].PassedAt, s.Phases[0].Evidence = v1alpha1.SiteHeld, nil, nil
	return s
}

// unchain makes a story one whose first steps were recorded before steps were chained.
func unchain(s *v1alpha1.SiteRolloutStatus, steps int) {
	for i := range s.Transitions {
		if i < steps {
			s.Transitions[i].Hash, s.Transitions[i].EvidenceDigest = "", ""
		}
	}
	rehash := s.Transitions[steps:]
	previous := ""
	for i := range rehash {
		rehash[i].Hash = record.Hash(previous, rehash[i])
		previous = rehash[i].Hash
	}
}

func TestTheReportTellsHowLongTheStoryIsAndItsHead(t *testing.T) {
	s := story()
	head := s.Transitions[5].Hash
	record.Fold(&s, 4)
	if got := record.Verify(s); got.Steps != 6 || got.Head != head {
		t.Errorf("%d steps with head %s, want 6 with %s", got.Steps, got.Head, head)
	}
}

func TestWhatIsFoldedIsFoldedAtOneGo(t *testing.T) {
	once, twice := story(), story()
	record.Fold(&once, 4)
	record.Fold(&twice, 1)
	record.Fold(&twice, 0)
	record.Fold(&twice, 3)
	if diff := cmp.Diff(once, twice); diff != "" {
		t.Errorf("folded twice (-once +twice):\n%s", diff)
	}
	before := story()
	if want := (v1alpha1.Checkpoint{Sequence: 4, Hash: before.Transitions[3].Hash, Time: at(30)}); *once.Checkpoint != want {
		t.Errorf("checkpoint %+v, want %+v", *once.Checkpoint, want)
	}
}

func TestAStoryGoesOnBehindACheckpointAlone(t *testing.T) {
	s := story()
	record.Fold(&s, 6)
	tell(&s, 50, v1alpha1.SiteRegressed, "", v1alpha1.ReasonRegressed)
	if got := record.Verify(s); len(got.Faults) > 0 || got.Steps != 7 {
		t.Errorf("%d steps, faults %q", got.Steps, got.Faults)
	}
}

// TestAnyChangeOfAStepIsFound changes one value somewhere in the JSON of a random story, and expects that it does not go unseen.
func TestAnyChangeOfAStepIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s v1alpha1.SiteRolloutStatus
		states := []v1alpha1.SiteState{v1alpha1.SiteWaiting, v1alpha1.SiteProving, v1alpha1.SiteHeld}
		minute := 0
		for range rapid.IntRange(2, 20).Draw(t, "steps") {
			minute += rapid.IntRange(0, 90).Draw(t, "minutes")
			from := s.State
			if from == "" {
				from = v1alpha1.SitePending
			}
			s.State = rapid.SampledFrom(states).Draw(t, "state")
			record.Append(&s, v1alpha1.Transition{Time: at(minute), From: from, To: s.State, Phase: "migrate", Reason: "r", Attempt: rapid.Int32Range(0, 3).Draw(t, "attempt"),
				Message: rapid.String().Draw(t, "message"), Revision: rapid.SampledFrom([]string{"", "crm-1"}).Draw(t, "revision")})
		}
		record.Fold(&s, rapid.IntRange(0, len(s.Transitions)-1).Draw(t, "folded"))
		if got := record.Verify(throughJSON(t, s)); len(got.Faults) > 0 {
			t.Fatalf("an honest story has faults: %q", got.Faults)
		}
		i := rapid.IntRange(0, len(s.Transitions)-1).Draw(t, "changed")
		step := &s.Transitions[i]
		was := *step
		switch rapid.IntRange(0, 8).Draw(t, "how") {
		case 0:
			step.Time = at(minute + 1000)
		case 1:
			step.Message += "x"
		case 2:
			step.Attempt++
		case 3:
			step.Revision += "2"
		case 4:
			step.Deciders = []v1alpha1.Decider{{By: "anna"}}
		case 5:
			step.EvidenceDigest = zero
		case 6:
			step.Hash = zero
		case 7:
			step.To = v1alpha1.SiteCompleted
		case 8:
			s.Transitions = slices.Delete(s.Transitions, i, i+1)
			if i == len(s.Transitions) { // the end of a story can be cut off: what the site is says so, unless it was the same before
				return
			}
		}
		if got := record.Verify(throughJSON(t, s)); len(got.Faults) == 0 {
			t.Fatalf("step %d was changed from %+v, and nothing is wrong", i, was)
		}
	})
}

// throughJSON sends a status to an API server and back.
func throughJSON(t *rapid.T, s v1alpha1.SiteRolloutStatus) v1alpha1.SiteRolloutStatus {
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back v1alpha1.SiteRolloutStatus
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}
