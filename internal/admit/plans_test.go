package admit_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/plan"
)

// steps are phases by their names, in one word. One with a "!" has a mistake.
func steps(names string) []plan.Phase {
	var all []plan.Phase
	for _, name := range strings.Fields(names) {
		phase := plan.Phase{Name: strings.TrimSuffix(name, "!")}
		if phase.Name != name {
			phase.Mistakes = []plan.Mistake{{Object: "RolloutPhase/" + phase.Name, Field: "spec.soak", Problem: "wrong", Remedy: "mend it"}}
		}
		all = append(all, phase)
	}
	return all
}

// spell is steps the other way round.
func spell(p *plan.Plan) string {
	if p == nil {
		return "none"
	}
	var names []string
	for _, phase := range p.Phases {
		names = append(names, phase.Name)
	}
	return strings.Join(names, " ")
}

// edited is a plan of wave pilot that was frozen as old before it was edited, and as new since.
func edited(adopt v1alpha1.AdoptPolicy, old, live string) *admit.Plans {
	phases := steps(live)
	p := plan.Plan{Phases: phases, Through: len(phases) - 1, Waves: []plan.Wave{{Name: "pilot", Through: len(phases) - 1}}}
	return &admit.Plans{Live: p, Adopt: adopt, Frozen: func(revision string) ([]plan.Phase, bool) {
		switch revision {
		case "old":
			return steps(old), true
		case "new":
			return phases, true
		}
		return nil, false
	}}
}

// lyon is a site of the pilot. It goes on by a revision, is admitted to a phase, and has records: "a+ b~old" has passed a, and is in b by the plan that was frozen as old; "b!old" has failed there,
// and "b-old" was rolled back.
func lyon(revision, admitted, records string) *v1alpha1.SiteRollout {
	sr := &v1alpha1.SiteRollout{Spec: v1alpha1.SiteRolloutSpec{Rollout: "crm", Site: "lyon", Wave: "pilot", Revision: revision, AdmittedThrough: admitted}}
	sr.Status.State = v1alpha1.SiteWaiting
	when := metav1.NewTime(monday)
	for _, text := range strings.Fields(records) {
		at := strings.IndexAny(text, "+~!-")
		record := v1alpha1.PhaseRecord{Name: text[:at], Attempt: 1, StartedAt: when, Revision: text[at+1:]}
		switch text[at] {
		case '+':
			record.PassedAt = &when
		case '~':
			sr.Status.State = v1alpha1.SiteProving
		case '!':
			record.FailedAt, record.Failure, sr.Status.State = &when, v1alpha1.ReasonRejected, v1alpha1.SiteHeld
		case '-':
			record.FailedAt, record.RolledBackAt, sr.Status.State = &when, &when, v1alpha1.SiteRolledBack
		}
		sr.Status.Phases, sr.Status.CurrentPhase = append(sr.Status.Phases, record), record.Name
	}
	return sr
}

// stand is what the plans say of a site.
type stand struct {
	// Ahead is the revision by which it starts its next phase or attempt, and Coming that phase.
	Ahead, Coming string
	// Bound are the phases by which it goes on until it is told otherwise, and Attempt those of the plan that judges it.
	Bound, Attempt string
	// Is what admission makes of it: admitted, running, repins, vacates.
	Is string
}

func standOf(plans *admit.Plans, sr *v1alpha1.SiteRollout, current string) stand {
	site := plans.Site(sr, current)
	ahead, of := plans.Ahead(sr, current)
	var is []string
	for _, word := range []struct {
		name string
		said bool
	}{{"admitted", site.Admitted}, {"running", site.Running}, {"rolled back", site.RolledBack}, {"repins", site.Repins}, {"vacates " + site.Vacates, site.Vacates != ""}} {
		if word.said {
			is = append(is, word.name)
		}
	}
	got := stand{Ahead: ahead, Coming: site.Coming(plans.Live), Bound: spell(plans.Bound(sr)), Attempt: spell(plans.Attempt(sr.Status)), Is: strings.Join(is, ", ")}
	if site.Revision != ahead || spell(site.Plan) != spell(of) {
		got.Is = "admission goes on by another plan than the one ahead"
	}
	return got
}

func TestASiteGoesOnByTheEditedPlanOrByItsOwn(t *testing.T) {
	const nextPhase, newSites = v1alpha1.AdoptNextPhase, v1alpha1.AdoptNewSites
	for name, tc := range map[string]struct {
		adopt     v1alpha1.AdoptPolicy
		old, live string
		site      *v1alpha1.SiteRollout
		want      stand
	}{
		"one that was never admitted takes the edited plan": {"", "a b", "a b c", lyon("", "", ""),
			stand{Ahead: "new", Coming: "a", Bound: "a b c", Attempt: "none"}},
		"NewSites: it does too": {newSites, "a b", "a b c", lyon("", "", ""),
			stand{Ahead: "new", Coming: "a", Bound: "a b c", Attempt: "none"}},

		"one that was admitted before the edit keeps its place, and is told to go on by the edited plan": {"", "a b", "a b c", lyon("old", "a", ""),
			stand{Ahead: "new", Coming: "a", Bound: "a b", Attempt: "none", Is: "admitted, repins"}},
		"NewSites: it has not begun, so it is too": {newSites, "a b", "a b c", lyon("old", "a", ""),
			stand{Ahead: "new", Coming: "a", Bound: "a b", Attempt: "none", Is: "admitted, repins"}},
		"when it was told that is done": {"", "a b", "a b c", lyon("new", "a", ""),
			stand{Ahead: "new", Coming: "a", Bound: "a b c", Attempt: "none", Is: "admitted"}},
		"its phase does not come next any more: it loses its place": {"", "a b", "x a b", lyon("old", "a", ""),
			stand{Ahead: "new", Coming: "x", Bound: "a b", Attempt: "none", Is: "repins, vacates pilot"}},
		"NewSites: it does too, as it has not begun": {newSites, "a b", "x a b", lyon("old", "a", ""),
			stand{Ahead: "new", Coming: "x", Bound: "a b", Attempt: "none", Is: "repins, vacates pilot"}},
		"its phase is gone: it loses its place": {"", "a b", "b", lyon("old", "a", ""),
			stand{Ahead: "new", Coming: "b", Bound: "a b", Attempt: "none", Is: "repins, vacates pilot"}},
		"a begun one was admitted to a phase in front of which another was put": {nextPhase, "a b", "a x b", lyon("old", "b", "a+old"),
			stand{Ahead: "new", Coming: "x", Bound: "a b", Attempt: "none", Is: "repins, vacates pilot"}},
		"NewSites: it keeps its plan and its place": {newSites, "a b", "a x b", lyon("old", "b", "a+old"),
			stand{Ahead: "old", Coming: "b", Bound: "a b", Attempt: "none", Is: "admitted"}},
		"its last phase was the last of all: it has completed, and loses the place": {nextPhase, "a b", "a", lyon("old", "b", "a+old"),
			stand{Ahead: "new", Bound: "a b", Attempt: "none", Is: "repins, vacates pilot"}},

		"one between two phases takes the edited plan with the next": {nextPhase, "a b", "a x b", lyon("old", "a", "a+old"),
			stand{Ahead: "new", Coming: "x", Bound: "a x b", Attempt: "none"}},
		"NewSites: it keeps its own": {newSites, "a b", "a x b", lyon("old", "a", "a+old"),
			stand{Ahead: "old", Coming: "b", Bound: "a b", Attempt: "none"}},
		"one in a phase is judged by its own plan, and told at once to go on by the edited one": {nextPhase, "a b", "a x b", lyon("old", "a", "a~old"),
			stand{Ahead: "new", Bound: "a b", Attempt: "a b", Is: "admitted, running, repins"}},
		"when it was told it is still judged by its own": {nextPhase, "a b", "a x b", lyon("new", "a", "a~old"),
			stand{Ahead: "new", Bound: "a x b", Attempt: "a b", Is: "admitted, running"}},
		"NewSites: it keeps its plan to the end": {newSites, "a b", "a x b", lyon("old", "a", "a~old"),
			stand{Ahead: "old", Bound: "a b", Attempt: "a b", Is: "admitted, running"}},
		"the phase that it is in is gone: it is judged by its own plan": {nextPhase, "a x b", "a b", lyon("old", "x", "a+old x~old"),
			stand{Ahead: "new", Bound: "a x b", Attempt: "a x b", Is: "admitted, running, repins"}},
		"a failed attempt belongs to its plan, and the next one to the edited": {nextPhase, "a b", "a b c", lyon("old", "a", "a!old"),
			stand{Ahead: "new", Bound: "a b", Attempt: "a b", Is: "admitted, running, repins"}},
		"one that was rolled back takes the edited plan with its next attempt": {nextPhase, "a b", "a b c", lyon("old", "a", "a-old"),
			stand{Ahead: "new", Coming: "a", Bound: "a b c", Attempt: "none", Is: "rolled back"}},
		"NewSites: that is its own plan": {newSites, "a b", "a b c", lyon("old", "a", "a-old"),
			stand{Ahead: "old", Coming: "a", Bound: "a b", Attempt: "none", Is: "rolled back"}},
		"one that has completed goes on when a phase was added": {nextPhase, "a b", "a b c", lyon("old", "b", "a+old b+old"),
			stand{Ahead: "new", Coming: "c", Bound: "a b c", Attempt: "none"}},
		"NewSites: it has completed for good": {newSites, "a b", "a b c", lyon("old", "b", "a+old b+old"),
			stand{Ahead: "old", Bound: "a b", Attempt: "none"}},

		"NewSites: nobody could mend a mistake in its next phase, so it takes the edited plan": {newSites, "a b!", "a b", lyon("old", "a", "a+old"),
			stand{Ahead: "new", Coming: "b", Bound: "a b", Attempt: "none"}},
		"NewSites: also when it was admitted to that phase": {newSites, "a b!", "a b c", lyon("old", "b", "a+old"),
			stand{Ahead: "new", Coming: "b", Bound: "a b", Attempt: "none", Is: "admitted, repins"}},
		"NewSites: a mistake in a phase that comes later is none yet": {newSites, "a b c!", "a x b c", lyon("old", "a", "a+old"),
			stand{Ahead: "old", Coming: "b", Bound: "a b c", Attempt: "none"}},
		"NewSites: a mistake in the phase that it is in does not move it": {newSites, "a! b", "a b c", lyon("old", "a", "a~old"),
			stand{Ahead: "old", Bound: "a b", Attempt: "a b", Is: "admitted, running"}},

		"NewSites: its plan is lost, and it takes the one that there is": {newSites, "a b", "a b c", lyon("gone", "a", "a+gone"),
			stand{Ahead: "new", Coming: "b", Bound: "a b c", Attempt: "none"}},
		"its plan is lost while it is in a phase: nothing judges it": {nextPhase, "a b", "a b c", lyon("gone", "a", "a~gone"),
			stand{Ahead: "new", Bound: "a b c", Attempt: "", Is: "admitted, running, repins"}},
		"NewSites: also then": {newSites, "a b", "a b c", lyon("gone", "a", "a~gone"),
			stand{Ahead: "new", Bound: "a b c", Attempt: "", Is: "admitted, running, repins"}},
		"an attempt from before plans were frozen is judged by the plan as it is now": {nextPhase, "a b", "a b c", lyon("", "a", "a~"),
			stand{Ahead: "new", Bound: "a b c", Attempt: "a b c", Is: "admitted, running, repins"}},
		"NewSites: a site from before plans were frozen goes on by the plan as it is now": {newSites, "a b", "a b c", lyon("", "a", "a+"),
			stand{Ahead: "new", Coming: "b", Bound: "a b c", Attempt: "none"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, standOf(edited(tc.adopt, tc.old, tc.live), tc.site, "new")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhileThePlanHasMistakesNobodyIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		site *v1alpha1.SiteRollout
		want stand
	}{
		"a site that has not begun":   {lyon("", "", ""), stand{Coming: "x", Bound: "x a b", Attempt: "none"}},
		"one that is admitted":        {lyon("old", "a", ""), stand{Coming: "x", Bound: "a b", Attempt: "none"}},
		"one that is in a phase":      {lyon("old", "a", "a~old"), stand{Bound: "a b", Attempt: "a b", Is: "admitted, running"}},
		"one that is in front of one": {lyon("old", "a", "a+old"), stand{Coming: "x", Bound: "x a b", Attempt: "none"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, standOf(edited("", "a b", "x a b"), tc.site, "")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestASiteStartsOnlyByAPlanThatThereIs(t *testing.T) {
	for name, tc := range map[string]struct {
		adopt v1alpha1.AdoptPolicy
		site  *v1alpha1.SiteRollout
		want  string // the phase that it may start; empty for none
	}{
		"one that is admitted":                             {"", lyon("new", "a", ""), "a"},
		"by a plan that was edited since":                  {"", lyon("old", "a", ""), "a"},
		"by one that is gone":                              {"", lyon("gone", "a", ""), ""},
		"NewSites: by its own":                             {v1alpha1.AdoptNewSites, lyon("old", "b", "a+old"), "b"},
		"NewSites: its own is gone":                        {v1alpha1.AdoptNewSites, lyon("gone", "b", "a+gone"), ""},
		"one that is admitted from before plans were kept": {"", lyon("", "a", ""), "a"},
		"one that is not admitted":                         {"", lyon("", "", ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			plans, got := edited(tc.adopt, "a b", "a b c"), ""
			if site := plans.Told(tc.site); site.Admitted {
				got = site.Coming(plans.Live)
			}
			if got != tc.want {
				t.Errorf("it may start %q, want %q", got, tc.want)
			}
		})
	}
}

func TestAFrozenPlanIsLookedUpOnce(t *testing.T) {
	asked := map[string]int{}
	plans := edited("", "a b", "a b c")
	frozen := plans.Frozen
	plans.Frozen = func(revision string) ([]plan.Phase, bool) {
		asked[revision]++
		return frozen(revision)
	}
	for range 3 {
		if plans.Of("") != &plans.Live || plans.Of("gone") != nil || spell(plans.Of("old")) != "a b" {
			t.Fatal("a revision is another plan than it was")
		}
	}
	if diff := cmp.Diff(map[string]int{"old": 1, "gone": 1}, asked); diff != "" {
		t.Errorf("looked up (-want +got):\n%s", diff)
	}
}

// called gives a site another name.
func called(name string, sr *v1alpha1.SiteRollout) *v1alpha1.SiteRollout {
	sr.Spec.Site = name
	return sr
}

func TestSitesOnDifferentPlansAreAdmittedEachByItsOwn(t *testing.T) {
	lasting := called("lasting", lyon("old", "a", "a+old"))
	for name, tc := range map[string]struct {
		adopt     v1alpha1.AdoptPolicy
		old, live string
		through   int
		limit     int
		sites     []*v1alpha1.SiteRollout
		admitted  []string
		told      map[string]string
	}{
		"each is admitted to the next phase of its own plan": {v1alpha1.AdoptNewSites, "a b", "a x b", 2, 9, []*v1alpha1.SiteRollout{lasting, called("fresh", lyon("", "", ""))},
			[]string{"lasting b by old", "fresh a by new"}, map[string]string{}},
		"NextPhase: that is the edited plan": {v1alpha1.AdoptNextPhase, "a b", "a x b", 2, 9, []*v1alpha1.SiteRollout{lasting, called("fresh", lyon("", "", ""))},
			[]string{"lasting x by new", "fresh a by new"}, map[string]string{}},
		"a mistake in the edited plan keeps back who goes on by that": {v1alpha1.AdoptNewSites, "a b", "a! b!", 1, 9, []*v1alpha1.SiteRollout{lasting, called("fresh", lyon("", "", ""))},
			[]string{"lasting b by old"}, map[string]string{v1alpha1.ReasonPlanInvalid: "phase a cannot be judged: RolloutPhase/a spec.soak: wrong; mend it"}},
		"through is a phase of the plan as it is now": {v1alpha1.AdoptNewSites, "a b", "a x b", 1, 9, []*v1alpha1.SiteRollout{lasting, called("fresh", lyon("new", "a", "a+new"))},
			[]string{"fresh x by new"}, map[string]string{v1alpha1.ReasonThroughReached: "wave pilot goes through phase x for now"}},
		"through a phase that its own plan does not have any more in front of it": {v1alpha1.AdoptNewSites, "a b", "b c", 0, 9, []*v1alpha1.SiteRollout{lasting},
			[]string{"lasting b by old"}, map[string]string{}},
		"who loses its place keeps the slot until that is written": {v1alpha1.AdoptNextPhase, "a b", "x a b", 2, 1, []*v1alpha1.SiteRollout{called("admitted", lyon("old", "a", "")), called("fresh", lyon("", "", ""))},
			nil, map[string]string{v1alpha1.ReasonWaitingForSlot: "the rollout lets one site be in a phase at a time; this one gets the place when it is its turn"}},
		"who keeps its place keeps the slot": {v1alpha1.AdoptNextPhase, "a b", "a b c", 2, 1, []*v1alpha1.SiteRollout{called("admitted", lyon("old", "a", "")), called("fresh", lyon("", "", ""))},
			nil, map[string]string{v1alpha1.ReasonWaitingForSlot: "the rollout lets one site be in a phase at a time; this one gets the place when it is its turn"}},
	} {
		t.Run(name, func(t *testing.T) {
			plans := edited(tc.adopt, tc.old, tc.live)
			plans.Live.Waves[0].Through, plans.Live.MaxConcurrent = tc.through, &plan.Limit{Number: tc.limit}
			var sites []admit.Site
			for _, sr := range tc.sites {
				sites = append(sites, plans.Site(sr, "new"))
			}
			decision := admit.Decide(plans.Live, sites, nil, now)
			var admitted []string
			for _, a := range decision.Admissions {
				admitted = append(admitted, a.Site+" "+a.Phase+" by "+a.Revision)
			}
			told := map[string]string{}
			for reason, block := range decision.Blocked {
				told[reason] = block.Message
			}
			if diff := cmp.Diff(tc.admitted, admitted) + cmp.Diff(tc.told, told); diff != "" {
				t.Errorf("admitted, and what the others are told (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAWaveWaitsForNobodyWhoWillNeverPass(t *testing.T) {
	for name, tc := range map[string]struct {
		adopt v1alpha1.AdoptPolicy
		want  v1alpha1.WaveState
	}{
		"NewSites: a site that has passed its own plan has completed": {v1alpha1.AdoptNewSites, v1alpha1.WaveCompleted},
		"NextPhase: it has a phase before it":                         {v1alpha1.AdoptNextPhase, v1alpha1.WaveOpen},
	} {
		t.Run(name, func(t *testing.T) {
			plans := edited(tc.adopt, "a b", "a b c")
			site := plans.Site(lyon("old", "b", "a+old b+old"), "new")
			if got := admit.Decide(plans.Live, []admit.Site{site}, nil, now).Waves[0].State; got != tc.want {
				t.Errorf("the wave is %s, want %s", got, tc.want)
			}
		})
	}
}

func TestAnAttemptAbortsByThePlanThatItBeganWith(t *testing.T) {
	aborting := func(names string) []plan.Phase {
		phases := steps(names)
		phases[0].OnFailure = v1alpha1.FailureAbort
		return phases
	}
	for name, tc := range map[string]struct {
		old, live []plan.Phase
		revision  string
		want      bool
	}{
		"the plan that it began with says so":           {aborting("a b"), steps("a b"), "old", true},
		"only the edited one says so":                   {steps("a b"), aborting("a b"), "old", false},
		"the phase is gone from the edited one":         {aborting("a b"), steps("b"), "old", true},
		"the plan is lost, and the one of now says so":  {aborting("a b"), aborting("a b"), "gone", true},
		"the plan is lost, and the one of now does not": {aborting("a b"), steps("a b"), "gone", false},
		"it began before plans were frozen":             {steps("a b"), aborting("a b"), "", true},
		"it began so, and the phase is gone":            {aborting("a b"), steps("b"), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			plans := &admit.Plans{Live: plan.Plan{Phases: tc.live}, Frozen: func(revision string) ([]plan.Phase, bool) { return tc.old, revision == "old" }}
			if got := plans.Site(lyon("old", "a", "a!"+tc.revision), "new").Aborts; got != tc.want {
				t.Errorf("it aborts: %t, want %t", got, tc.want)
			}
		})
	}
}

func TestOnlyPlansThatMatterAreRead(t *testing.T) {
	then := metav1.NewTime(monday)
	passed := v1alpha1.PhaseRecord{Name: "migrate", Attempt: 1, StartedAt: then, PassedAt: &then, Revision: "crm-1"}
	for name, tc := range map[string]struct {
		spec    v1alpha1.SiteRolloutSpec
		records []v1alpha1.PhaseRecord
		adopt   v1alpha1.AdoptPolicy
		want    []string
	}{
		"a site that has not been admitted has none":                 {want: nil},
		"one that is admitted has that of its admission":             {spec: v1alpha1.SiteRolloutSpec{AdmittedThrough: "migrate", Revision: "crm-2"}, want: []string{"crm-2"}},
		"one in a phase has that of its attempt, and the one ahead":  {spec: v1alpha1.SiteRolloutSpec{AdmittedThrough: "migrate", Revision: "crm-2"}, records: []v1alpha1.PhaseRecord{{Name: "migrate", Attempt: 1, StartedAt: then, Revision: "crm-1"}}, want: []string{"crm-1", "crm-2"}},
		"one that has used its admission has none":                   {spec: v1alpha1.SiteRolloutSpec{AdmittedThrough: "migrate", Revision: "crm-2"}, records: []v1alpha1.PhaseRecord{passed}, want: nil},
		"one that is admitted to another attempt has that":           {spec: v1alpha1.SiteRolloutSpec{AdmittedThrough: "migrate", AdmittedAttempt: 2, Revision: "crm-2"}, records: []v1alpha1.PhaseRecord{passed}, want: []string{"crm-2"}},
		"one that keeps its plan has it, also when it has completed": {spec: v1alpha1.SiteRolloutSpec{AdmittedThrough: "migrate", Revision: "crm-2"}, records: []v1alpha1.PhaseRecord{passed}, adopt: v1alpha1.AdoptNewSites, want: []string{"crm-2"}},
		"an attempt from before plans were frozen is judged by none": {spec: v1alpha1.SiteRolloutSpec{AdmittedThrough: "migrate"}, records: []v1alpha1.PhaseRecord{{Name: "migrate", Attempt: 1, StartedAt: then}}, want: nil},
	} {
		t.Run(name, func(t *testing.T) {
			sr := &v1alpha1.SiteRollout{Spec: tc.spec, Status: v1alpha1.SiteRolloutStatus{Phases: tc.records}}
			if diff := cmp.Diff(tc.want, admit.Revisions(sr, tc.adopt)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
