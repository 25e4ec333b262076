package admit_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/plan"
)

// at is a site at an attempt.
func at(attempt int32, s admit.Site) admit.Site {
	s.Attempt = attempt
	return s
}

// told is a SiteRollout of site a, admitted to golive, that has passed assess and migrate and tells something of golive.
func told(state v1alpha1.SiteState, golive v1alpha1.PhaseRecord) *v1alpha1.SiteRollout {
	first, second := metav1.NewTime(monday), metav1.NewTime(monday.AddDate(0, 0, 1))
	sr := &v1alpha1.SiteRollout{Spec: v1alpha1.SiteRolloutSpec{Site: "a", Wave: "w", AdmittedThrough: "golive"}}
	golive.Name = "golive"
	sr.Status.State, sr.Status.CurrentPhase = state, "golive"
	sr.Status.Phases = []v1alpha1.PhaseRecord{{Name: "assess", Attempt: 1, PassedAt: &first}, {Name: "migrate", Attempt: 1, PassedAt: &second}, golive}
	return sr
}

func TestWhatAdmissionKnowsOfAFailure(t *testing.T) {
	then := metav1.NewTime(monday.AddDate(0, 0, 2))
	held, waiting, away := v1alpha1.SiteHeld, v1alpha1.SiteWaiting, v1alpha1.SiteRolledBack
	type known struct{ Admitted, Running, Failed, RolledBack, Aborts bool }
	for name, tc := range map[string]struct {
		policy   v1alpha1.FailurePolicy
		maximum  int32
		state    v1alpha1.SiteState
		record   v1alpha1.PhaseRecord
		admitted int32
		attempt  int32
		want     known
	}{
		"an attempt that failed keeps its slot": {state: held, record: v1alpha1.PhaseRecord{Attempt: 1, FailedAt: &then}, attempt: 1, want: known{Admitted: true, Running: true, Failed: true}},
		"with onFailure Abort it aborts when no other follows": {policy: v1alpha1.FailureAbort, maximum: 1, state: held, record: v1alpha1.PhaseRecord{Attempt: 1, FailedAt: &then},
			attempt: 1, want: known{Admitted: true, Running: true, Failed: true, Aborts: true}},
		"an attempt of several does not abort": {policy: v1alpha1.FailureAbort, maximum: 2, state: held, record: v1alpha1.PhaseRecord{Attempt: 1, FailedAt: &then},
			attempt: 1, want: known{Admitted: true, Running: true, Failed: true}},
		"the last of several does, and keeps its slot without an admission": {policy: v1alpha1.FailureAbort, maximum: 2, state: held, record: v1alpha1.PhaseRecord{Attempt: 2, FailedAt: &then},
			attempt: 2, want: known{Running: true, Failed: true, Aborts: true}},
		"a missed deadline does whatever maxAttempts is": {policy: v1alpha1.FailureAbort, maximum: 9, state: held,
			record: v1alpha1.PhaseRecord{Attempt: 1, FailedAt: &then, Failure: v1alpha1.ReasonDeadlineExceeded}, attempt: 1, want: known{Admitted: true, Running: true, Failed: true, Aborts: true}},
		"an attempt that runs does not abort": {policy: v1alpha1.FailureAbort, maximum: 1, state: v1alpha1.SiteProving, record: v1alpha1.PhaseRecord{Attempt: 1},
			attempt: 1, want: known{Admitted: true, Running: true}},
		"a site that is rolled back is failed, gives its slot free and aborts nothing": {policy: v1alpha1.FailureAbort, maximum: 1, state: away,
			record: v1alpha1.PhaseRecord{Attempt: 1, FailedAt: &then, RolledBackAt: &then}, attempt: 2, want: known{Failed: true, RolledBack: true}},
		"one that was rolled back by a decision is failed too": {state: away, record: v1alpha1.PhaseRecord{Attempt: 1, RolledBackAt: &then}, attempt: 2, want: known{Failed: true, RolledBack: true}},
		"one that may begin again needs an admission":          {state: waiting, record: v1alpha1.PhaseRecord{Attempt: 1, FailedAt: &then, RolledBackAt: &then}, attempt: 2, want: known{Failed: true}},
		"an admission to that attempt is one":                  {state: waiting, record: v1alpha1.PhaseRecord{Attempt: 1, RolledBackAt: &then}, admitted: 2, attempt: 2, want: known{Admitted: true, Failed: true}},
		"an admission to another attempt is none":              {state: waiting, record: v1alpha1.PhaseRecord{Attempt: 2, RolledBackAt: &then}, admitted: 2, attempt: 3, want: known{Failed: true}},
		"a reopened phase needs an admission":                  {state: waiting, record: v1alpha1.PhaseRecord{Attempt: 1, ReopenedAt: &then, FirstPassedAt: &then}, attempt: 2},
		"and keeps it while it runs":                           {state: v1alpha1.SiteProving, record: v1alpha1.PhaseRecord{Attempt: 2, FirstPassedAt: &then}, admitted: 2, attempt: 2, want: known{Admitted: true, Running: true}},
	} {
		t.Run(name, func(t *testing.T) {
			p := with(threePhases("w"), func(p *plan.Plan) { p.Phases[2].OnFailure, p.Phases[2].MaxAttempts = tc.policy, tc.maximum })
			sr := told(tc.state, tc.record)
			sr.Spec.AdmittedAttempt = tc.admitted
			got := admit.SiteOf(p, nil, &p, sr)
			if diff := cmp.Diff(tc.want, known{got.Admitted, got.Running, got.Failed, got.RolledBack, got.Aborts}); diff != "" || got.Attempt != tc.attempt {
				t.Errorf("attempt %d, want %d (-want +got):\n%s", got.Attempt, tc.attempt, diff)
			}
		})
	}
}

// A skipped phase has no attempt, so an admission that was never used is to the attempt that a regression lets it begin.
func TestAnAdmissionFromBeforeARegressionIsNone(t *testing.T) {
	reopened := metav1.NewTime(monday)
	for name, tc := range map[string]struct {
		admitted time.Time
		want     bool
	}{
		"from before it":         {monday.Add(-time.Hour), false},
		"of the same second":     {monday, true},
		"from after it":          {monday.Add(time.Hour), true},
		"nobody knows from when": {time.Time{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			sr := told(v1alpha1.SiteWaiting, v1alpha1.PhaseRecord{ReopenedAt: &reopened, FirstPassedAt: &reopened})
			if !tc.admitted.IsZero() {
				at := metav1.NewTime(tc.admitted)
				sr.Spec.AdmittedAt = &at
			}
			if got := admit.SiteOf(threePhases("w"), nil, nil, sr).Admitted; got != tc.want {
				t.Errorf("admitted: %t, want %t", got, tc.want)
			}
		})
	}
}

func TestASiteThatComesBackToAPhaseThatItWasRolledBackFromStaysOut(t *testing.T) {
	then := metav1.NewTime(monday)
	sr := told(v1alpha1.SiteWaiting, v1alpha1.PhaseRecord{Attempt: 1, RolledBackAt: &then})
	sr.Status.CurrentPhase = "optimise" // golive was out of the plan for a while
	if got := admit.SiteOf(threePhases("w"), nil, nil, sr); !got.RolledBack {
		t.Errorf("nobody has decided that it may begin golive again: %+v", got)
	}
}

func TestAReopenedPhaseKeepsNoWaveClosed(t *testing.T) {
	then := metav1.NewTime(monday.AddDate(0, 0, 2))
	p := threePhases("w", "next>w")
	p.Waves[1].After.Soak = day
	site := admit.SiteOf(p, nil, nil, told(v1alpha1.SiteWaiting, v1alpha1.PhaseRecord{Attempt: 1, ReopenedAt: &then, FirstPassedAt: &then}))
	got := admit.Decide(p, []admit.Site{site, fresh("b", "next")}, nil, then.Add(day))
	if got.Waves[0].State != v1alpha1.WaveCompleted || got.Waves[1].State != v1alpha1.WaveOpen {
		t.Errorf("waves %+v", got.Waves)
	}
	want := []admit.Admission{{Site: "a", Phase: "golive", Attempt: 2}, {Site: "b", Phase: "assess"}}
	if diff := cmp.Diff(want, got.Admissions); diff != "" {
		t.Errorf("admissions (-want +got):\n%s", diff)
	}
	if early := admit.Decide(p, []admit.Site{site, fresh("b", "next")}, nil, then.Add(day-1)); early.Waves[1].State != v1alpha1.WaveClosed {
		t.Error("the soak before a wave ends earlier because of a regression")
	}
}

func TestAnAbortedRolloutStartsNothing(t *testing.T) {
	p := threePhases("w", "x")
	failed := in("c", "w", 1)
	failed.Failed, failed.Aborts = true, true
	gone := failed
	gone.Name, gone.Wave = "b", ""
	ready := after("d", "x", 1)
	const message = "no site starts a phase: site b failed in a phase whose onFailure is Abort; decide about its attempt: Retry, Waive, Skip or RollBack"
	got := admit.Decide(p, []admit.Site{failed, ready, fresh("a", "w"), gone}, nil, now)
	if len(got.Admissions) > 0 || got.AbortedBy != "b" {
		t.Errorf("aborted by %q, admissions %+v", got.AbortedBy, got.Admissions)
	}
	want := map[string]admit.Block{v1alpha1.ReasonAborted: {Reason: v1alpha1.ReasonAborted, Message: message}}
	if diff := cmp.Diff(want, got.Blocked); diff != "" {
		t.Errorf("blocked (-want +got):\n%s", diff)
	}
	status := v1alpha1.CRMRolloutStatus{AbortedBy: "b", Waves: []v1alpha1.WaveStatus{{Name: "x", State: v1alpha1.WaveOpen}}}
	ready.Admitted = true // a moment before
	for name, tc := range map[string]struct {
		change func(*plan.Plan)
		reason string
	}{
		"a site that was admitted does not start": {func(*plan.Plan) {}, v1alpha1.ReasonAborted},
		"a mistake comes first":                   {func(p *plan.Plan) { p.Mistakes = []plan.Mistake{{}} }, v1alpha1.ReasonPlanInvalid},
		"so does being suspended":                 {func(p *plan.Plan) { p.Suspended = true }, v1alpha1.ReasonSuspended},
		"through comes later":                     {func(p *plan.Plan) { p.Through = 0 }, v1alpha1.ReasonAborted},
	} {
		t.Run(name, func(t *testing.T) {
			p := with(p, tc.change)
			if block := admit.Explain(p, ready, admit.WaveFrom(p, status, "x")); block.Reason != tc.reason {
				t.Errorf("reason %s, want %s", block.Reason, tc.reason)
			}
		})
	}
	failed.Aborts, gone.Aborts = false, false
	if got := admit.Decide(p, []admit.Site{failed, after("d", "x", 1), gone}, nil, now); got.AbortedBy != "" || len(got.Admissions) != 1 {
		t.Errorf("the rollout goes on: aborted by %q, admissions %+v", got.AbortedBy, got.Admissions)
	}
}

func TestASiteThatIsRolledBackIsNotAdmitted(t *testing.T) {
	p := threePhases("w")
	back := after("a", "w", 1)
	back.Failed, back.RolledBack = true, true
	if got := admit.Decide(p, []admit.Site{back}, nil, now); len(got.Admissions) > 0 || got.InFlight > 0 || len(got.Blocked) > 0 {
		t.Errorf("decision %+v", got)
	}
}
