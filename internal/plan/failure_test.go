package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

func attempts(n int32) *int32 { return &n }

func TestWhatFollowsAFailureIsResolvedWithWhatStandsForUnsetFields(t *testing.T) {
	type failure struct {
		Deadline    time.Duration
		MaxAttempts int32
		OnFailure   v1alpha1.FailurePolicy
	}
	for name, tc := range map[string]struct {
		spec v1alpha1.RolloutPhaseSpec
		want failure
	}{
		"nothing is set":              {v1alpha1.RolloutPhaseSpec{}, failure{OnFailure: v1alpha1.FailureHold}},
		"a site is rolled back":       {v1alpha1.RolloutPhaseSpec{OnFailure: v1alpha1.FailureRollBack}, failure{OnFailure: v1alpha1.FailureRollBack, MaxAttempts: 1}},
		"the rollout is aborted":      {v1alpha1.RolloutPhaseSpec{OnFailure: v1alpha1.FailureAbort}, failure{OnFailure: v1alpha1.FailureAbort, MaxAttempts: 1}},
		"a site is held, after three": {v1alpha1.RolloutPhaseSpec{OnFailure: v1alpha1.FailureHold, MaxAttempts: attempts(3)}, failure{OnFailure: v1alpha1.FailureHold, MaxAttempts: 3}},
		"the rollout is, after three": {v1alpha1.RolloutPhaseSpec{OnFailure: v1alpha1.FailureAbort, MaxAttempts: attempts(3)}, failure{OnFailure: v1alpha1.FailureAbort, MaxAttempts: 3}},
		"a deadline":                  {v1alpha1.RolloutPhaseSpec{Soak: "1w", Deadline: "8d"}, failure{OnFailure: v1alpha1.FailureHold, Deadline: 192 * time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			p := plan.ResolvePhase(&v1alpha1.RolloutPhase{ObjectMeta: named("golive"), Spec: tc.spec}, plan.Objects{})
			if diff := cmp.Diff(tc.want, failure{p.Deadline, p.MaxAttempts, p.OnFailure}); diff != "" || len(p.Mistakes) > 0 {
				t.Errorf("mistakes %v (-want +got):\n%s", p.Mistakes, diff)
			}
		})
	}
}

func TestMistakesInWhatFollowsAFailureAndInSustainAreNamed(t *testing.T) {
	sustain := func(s v1alpha1.Sustain) func(*v1alpha1.CRMRollout, plan.Objects) {
		return func(r *v1alpha1.CRMRollout, _ plan.Objects) { r.Spec.Sustain = &s }
	}
	phase := func(change func(*v1alpha1.RolloutPhaseSpec)) func(*v1alpha1.CRMRollout, plan.Objects) {
		return func(_ *v1alpha1.CRMRollout, o plan.Objects) { change(&o.Phases["migrate"].Spec) }
	}
	const tooShort = "RolloutPhase/migrate spec.deadline: it is not longer than soak, so every attempt would fail before it may pass; make deadline longer than soak"
	ready := v1alpha1.LocalReference{Name: "ready"}
	for name, tc := range map[string]struct {
		change func(*v1alpha1.CRMRollout, plan.Objects)
		want   []string
	}{
		"a deadline that is longer than the soak": {phase(func(s *v1alpha1.RolloutPhaseSpec) { s.Deadline = "29d" }), nil},
		"a deadline as long as the soak":          {phase(func(s *v1alpha1.RolloutPhaseSpec) { s.Deadline = "28d" }), []string{tooShort}},
		"a deadline shorter than the soak":        {phase(func(s *v1alpha1.RolloutPhaseSpec) { s.Deadline = "1d" }), []string{tooShort}},
		"no duration": {phase(func(s *v1alpha1.RolloutPhaseSpec) { s.Deadline = "0s" }), []string{
			`RolloutPhase/migrate spec.deadline: "0s" is not longer than zero; write it like 4w, 30d, 12h or 1h30m`}},
		"a gate to sustain": {sustain(v1alpha1.Sustain{Gate: ready, OnRegression: v1alpha1.RegressionReopen, Reopens: "migrate"}), nil},
		"a gate to sustain that does not exist": {sustain(v1alpha1.Sustain{Gate: v1alpha1.LocalReference{Name: "kept"}}),
			[]string{`CRMRollout/crm spec.sustain.gate.name: AcceptanceGate "kept" does not exist in this namespace; create it or correct the name`}},
		"a phase to reopen that does not exist": {sustain(v1alpha1.Sustain{Gate: ready, OnRegression: v1alpha1.RegressionReopen, Reopens: "other"}),
			[]string{`CRMRollout/crm spec.sustain.reopens: "other" is not one of spec.phases; name one of them or leave the field out`}},
		"a gate to sustain with a mistake in it": {func(r *v1alpha1.CRMRollout, o plan.Objects) {
			r.Spec.Sustain = &v1alpha1.Sustain{Gate: v1alpha1.LocalReference{Name: "kept"}}
			o.Gates["kept"] = &v1alpha1.AcceptanceGate{ObjectMeta: named("kept"), Spec: v1alpha1.AcceptanceGateSpec{Criteria: []v1alpha1.Criterion{
				{Name: "grown", KPI: "usage", AtLeast: o.Gates["ready"].Spec.Criteria[0].AtLeast, Against: &v1alpha1.Against{Baseline: &v1alpha1.BaselineComparison{}}}}}}
		}, []string{`AcceptanceGate/kept spec.criteria[name=grown].against.baseline: no phase up to this gate declares a baseline of KPI "usage"; declare it in spec.baselines of a RolloutPhase up to this gate, or name the phase that does`}},
	} {
		t.Run(name, func(t *testing.T) {
			rollout, objects := everything()
			tc.change(rollout, objects)
			var got []string
			for _, m := range plan.Resolve(rollout, objects).AllMistakes() {
				got = append(got, m.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAMistakeInSustainKeepsNoSiteFromStartingAPhase(t *testing.T) {
	rollout, objects := everything()
	rollout.Spec.Sustain = &v1alpha1.Sustain{Gate: v1alpha1.LocalReference{Name: "kept"}}
	if p := plan.Resolve(rollout, objects); len(p.Mistakes) > 0 || len(p.Sustain.Mistakes) != 1 {
		t.Errorf("mistakes %v, of sustain %v", p.Mistakes, p.Sustain.Mistakes)
	}
}

func TestARegressionReopensTheLastPhaseUnlessItSaysOtherwise(t *testing.T) {
	for want, sustain := range map[string]v1alpha1.Sustain{
		"":        {OnRegression: v1alpha1.RegressionReport},
		"golive":  {OnRegression: v1alpha1.RegressionReopen},
		"migrate": {OnRegression: v1alpha1.RegressionReopen, Reopens: "migrate"},
	} {
		rollout, objects := everything()
		sustain.Gate.Name = "ready"
		rollout.Spec.Sustain = &sustain
		if p := plan.Resolve(rollout, objects); p.Sustain.Reopens != want || p.Sustain.Gate.Name != "ready" || len(p.Sustain.Gate.Criteria) != 1 {
			t.Errorf("reopens %q with gate %s, want %q", p.Sustain.Reopens, p.Sustain.Gate.Name, want)
		}
	}
	rollout, objects := everything()
	if p := plan.Resolve(rollout, objects); p.Sustain != nil {
		t.Errorf("nothing is to be sustained, and %+v is", p.Sustain)
	}
}

func TestAnAttemptThatFailedIsTheLastOneOrNot(t *testing.T) {
	then := metav1.NewTime(time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC))
	failed := func(attempt int32, reason string) v1alpha1.PhaseRecord {
		return v1alpha1.PhaseRecord{Attempt: attempt, FailedAt: &then, Failure: reason}
	}
	for name, tc := range map[string]struct {
		maximum int32
		record  v1alpha1.PhaseRecord
		final   bool
	}{
		"it runs":                                {1, v1alpha1.PhaseRecord{Attempt: 1}, false},
		"a guardrail, and there is no limit":     {0, failed(9, v1alpha1.ReasonGuardrailBroken), false},
		"a guardrail, of the first of two":       {2, failed(1, v1alpha1.ReasonGuardrailBroken), false},
		"a guardrail, of the second of two":      {2, failed(2, v1alpha1.ReasonGuardrailBroken), true},
		"a guardrail, of one after a decision":   {2, failed(3, v1alpha1.ReasonGuardrailBroken), true},
		"recorded before failures had a reason":  {2, failed(2, ""), true},
		"a deadline, and there is no limit":      {0, failed(1, v1alpha1.ReasonDeadlineExceeded), true},
		"a rejection, and there is no limit":     {0, failed(1, v1alpha1.ReasonRejected), true},
		"the site is rolled back, so it is over": {1, v1alpha1.PhaseRecord{Attempt: 1, FailedAt: &then, RolledBackAt: &then}, false},
		"it was waived, so the phase is passed":  {1, v1alpha1.PhaseRecord{Attempt: 1, FailedAt: &then, PassedAt: &then}, false},
	} {
		t.Run(name, func(t *testing.T) {
			for policy, aborts := range map[v1alpha1.FailurePolicy]bool{v1alpha1.FailureHold: false, v1alpha1.FailureRollBack: false, v1alpha1.FailureAbort: tc.final} {
				p := plan.Phase{Name: "golive", MaxAttempts: tc.maximum, OnFailure: policy}
				if p.Final(tc.record) != tc.final || p.Aborts(tc.record) != aborts {
					t.Errorf("%s: final %t, aborts %t, want %t and %t", policy, p.Final(tc.record), p.Aborts(tc.record), tc.final, aborts)
				}
			}
		})
	}
}

func TestAPhaseThatRunsComesBeforeOneThatIsToBeginAgain(t *testing.T) {
	then := metav1.NewTime(time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC))
	p := plan.Plan{Phases: []plan.Phase{{Name: "assess"}, {Name: "migrate"}, {Name: "golive"}}}
	passed := func(name string) v1alpha1.PhaseRecord {
		return v1alpha1.PhaseRecord{Name: name, Attempt: 1, PassedAt: &then}
	}
	for name, tc := range map[string]struct {
		records []v1alpha1.PhaseRecord
		next    int
	}{
		"a reopened phase is next, though later ones are passed": {[]v1alpha1.PhaseRecord{passed("assess"), {Name: "migrate", Attempt: 1, ReopenedAt: &then}, passed("golive")}, 1},
		"a phase that the site was rolled back from is":          {[]v1alpha1.PhaseRecord{passed("assess"), {Name: "migrate", Attempt: 1, RolledBackAt: &then}}, 1},
		"one that runs comes first":                              {[]v1alpha1.PhaseRecord{{Name: "assess", Attempt: 1, RolledBackAt: &then}, passed("migrate"), {Name: "golive", Attempt: 1}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			if got := p.Next(tc.records); got != tc.next {
				t.Errorf("next is phase %d, want %d", got, tc.next)
			}
		})
	}
}

func TestThePhaseThatWasPassedLastIsFoundWhereverItStands(t *testing.T) {
	day := func(n int) *metav1.Time {
		at := metav1.NewTime(time.Date(2026, time.March, n, 8, 0, 0, 0, time.UTC))
		return &at
	}
	p := plan.Plan{Phases: []plan.Phase{{Name: "assess"}, {Name: "migrate"}, {Name: "golive"}}}
	records := []v1alpha1.PhaseRecord{{Name: "gone", PassedAt: day(9)}, {Name: "assess", PassedAt: day(1)}, {Name: "migrate", PassedAt: day(7), FirstPassedAt: day(2)}, {Name: "golive", PassedAt: day(3)}}
	if last := p.LastPassed(records); last == nil || last.Name != "migrate" {
		t.Errorf("last passed %+v, want migrate, which was reopened and passed again", last)
	}
	if last := p.LastPassed(records[:1]); last != nil {
		t.Errorf("a phase that the plan does not have any more was passed last: %+v", last)
	}
	want := []time.Time{day(1).Time, day(2).Time, day(3).Time}
	if diff := cmp.Diff(want, p.Passed(records, p)); diff != "" {
		t.Errorf("passed for the first time (-want +got):\n%s", diff)
	}
}
