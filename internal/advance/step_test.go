package advance_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/advance"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

var monday = time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return monday.Add(time.Duration(minutes) * time.Minute) }

func stamp(minutes int) *metav1.Time {
	s := metav1.NewTime(at(minutes))
	return &s
}

var usage = gate.KPI{Name: "usage", Revision: "r1", Interval: 5 * time.Minute, StaleAfter: 15 * time.Minute}

// testGate asks for a usage of at least 80, held for 10 minutes.
func testGate(t testing.TB, name string) *gate.Gate {
	t.Helper()
	threshold := v1alpha1.Threshold("80")
	c, err := gate.ParseThreshold(v1alpha1.Criterion{AtLeast: &threshold})
	if err != nil {
		t.Fatal(err)
	}
	return &gate.Gate{Name: name, Generation: 1, Criteria: []gate.Criterion{
		{Name: "used", KPI: usage, Comparison: gate.AgainstNothing{}, Threshold: c, For: 10 * time.Minute, Importance: v1alpha1.ImportanceRequired}}}
}

// twoPhases is migrate, with an entry gate, a soak of 30 minutes and an exit gate, and then golive with none of them.
func twoPhases(t testing.TB) plan.Plan {
	t.Helper()
	return plan.Plan{Through: 1, Phases: []plan.Phase{
		{Name: "migrate", Soak: 30 * time.Minute, Entry: testGate(t, "ready"), Exit: testGate(t, "accepted")},
		{Name: "golive"},
	}}
}

// values are measured every 5 minutes, the last of them at the given minute.
func values(last int, numbers ...float64) gate.Evidence {
	e := gate.Evidence{Latest: gate.OutcomeValue, LatestAt: at(last)}
	for i, v := range numbers {
		e.Samples = append(e.Samples, gate.Sample{Value: v, Time: at(last - 5*(len(numbers)-1-i))})
	}
	return e
}

func silent(minute int, e gate.Evidence) gate.Evidence {
	e.Latest, e.LatestAt = gate.OutcomeMissing, at(minute)
	return e
}

// status of a site in front of its first phase, in a running migrate, and behind it.
func waiting() v1alpha1.SiteRolloutStatus {
	return v1alpha1.SiteRolloutStatus{State: v1alpha1.SiteWaiting, CurrentPhase: "migrate"}
}

func running(state v1alpha1.SiteState) v1alpha1.SiteRolloutStatus {
	return v1alpha1.SiteRolloutStatus{State: state, CurrentPhase: "migrate",
		Phases: []v1alpha1.PhaseRecord{{Name: "migrate", Attempt: 1, StartedAt: *stamp(0)}}}
}

func passed(state v1alpha1.SiteState, phases ...string) v1alpha1.SiteRolloutStatus {
	s := v1alpha1.SiteRolloutStatus{State: state}
	for _, p := range phases {
		s.Phases = append(s.Phases, v1alpha1.PhaseRecord{Name: p, Attempt: 1, StartedAt: *stamp(0), PassedAt: stamp(1)})
	}
	return s
}

// told is what a step says, without the judgement and the holds.
type told struct {
	State           v1alpha1.SiteState
	Phase           string
	Reason, Message string
	Change          *advance.Change
	NextLook        time.Time
	Verdict         v1alpha1.Verdict
}

func tell(s advance.Step) told {
	w := told{s.State, s.Phase, s.Reason, s.Message, s.Change, s.NextLook, ""}
	if s.Gate != nil {
		w.Verdict = s.Gate.Verdict
	}
	return w
}

type row struct {
	change   func(*plan.Plan)
	status   v1alpha1.SiteRolloutStatus
	denied   bool
	block    admit.Block
	evidence gate.Evidence
	minute   int
	want     told
}

func (r row) check(t *testing.T) {
	t.Helper()
	p := twoPhases(t)
	if r.change != nil {
		r.change(&p)
	}
	status := *r.status.DeepCopy()
	step := advance.Next(advance.Input{Plan: p, Status: status, Admitted: !r.denied, Block: r.block, Now: at(r.minute),
		Evidence: func(gate.KPI) gate.Evidence { return r.evidence }})
	if diff := cmp.Diff(r.want, tell(step), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(advance.Change{}, "Evidence")); diff != "" {
		t.Errorf("step (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(r.status, status); diff != "" {
		t.Errorf("the step changed the status that it was given:\n%s", diff)
	}
}

const (
	stateWaiting, stateProving = v1alpha1.SiteWaiting, v1alpha1.SiteProving
	stateHeld, stateCompleted  = v1alpha1.SiteHeld, v1alpha1.SiteCompleted
	pass, fail, wait           = v1alpha1.VerdictPass, v1alpha1.VerdictFail, v1alpha1.VerdictWait
)

func TestASiteInFrontOfAPhase(t *testing.T) {
	noSlot := admit.Block{Reason: v1alpha1.ReasonWaitingForSlot, Message: "all places are taken"}
	blocked := func(reason, message string) told {
		return told{State: stateWaiting, Phase: "migrate", Reason: reason, Message: message}
	}
	joined := func(phase string) told {
		return told{State: stateWaiting, Phase: phase, Reason: v1alpha1.ReasonCreated, Message: "the site joined the rollout",
			Change: &advance.Change{Reason: v1alpha1.ReasonCreated, Message: "the site joined the rollout", Phase: phase}}
	}
	started := func(phase string) told {
		return told{State: stateProving, Phase: phase, Reason: v1alpha1.ReasonPhaseStarted, Message: "phase " + phase + " started",
			Change: &advance.Change{Reason: v1alpha1.ReasonPhaseStarted, Message: "phase " + phase + " started", Phase: phase, Starts: true}}
	}
	mistake := plan.Mistake{Object: "AcceptanceGate/ready", Field: "spec.x", Problem: "wrong", Remedy: "mend it"}
	for name, r := range map[string]row{
		"a new site joins":                  {denied: true, want: joined("migrate")},
		"a pending site joins":              {status: v1alpha1.SiteRolloutStatus{State: v1alpha1.SitePending}, want: joined("migrate")},
		"a site that is not admitted waits": {status: waiting(), denied: true, block: noSlot, want: blocked(noSlot.Reason, noSlot.Message)},
		"a site that is not admitted never starts, even when nobody says why": {status: waiting(), denied: true,
			want: blocked(v1alpha1.ReasonWaitingForSlot, "the site has not been admitted yet")},
		"admission to one phase is none to the next": {status: passed(stateWaiting, "migrate"), denied: true,
			want: told{State: stateWaiting, Phase: "golive", Reason: v1alpha1.ReasonWaitingForSlot, Message: "the site has not been admitted yet"}},
		"an admitted site whose wave closed again does not start": {status: waiting(), block: admit.Block{Reason: v1alpha1.ReasonWaitingForWave, Message: "it comes after wave x"},
			want: blocked(v1alpha1.ReasonWaitingForWave, "it comes after wave x")},
		"a phase whose entry gate has mistakes is not started": {change: func(p *plan.Plan) { p.Phases[0].EntryMistakes = []plan.Mistake{mistake} }, status: waiting(),
			want: blocked(v1alpha1.ReasonPlanInvalid, "phase migrate cannot be judged: AcceptanceGate/ready spec.x: wrong; mend it")},
		"a suspended rollout starts nothing, also what was admitted": {change: func(p *plan.Plan) { p.Suspended = true }, status: waiting(), evidence: values(0, 90, 90, 90),
			want: blocked(v1alpha1.ReasonSuspended, "the rollout is suspended")},
		"through lowered after the admission starts nothing": {change: func(p *plan.Plan) { p.Through = 0 }, status: passed(stateWaiting, "migrate"),
			want: told{State: stateWaiting, Phase: "golive", Reason: v1alpha1.ReasonThroughReached, Message: "the rollout goes through phase migrate for now"}},
		"a plan with mistakes starts nothing": {change: func(p *plan.Plan) { p.Mistakes = []plan.Mistake{mistake} }, status: waiting(),
			want: blocked(v1alpha1.ReasonPlanInvalid, "the rollout's plan is invalid: AcceptanceGate/ready spec.x: wrong; mend it")},
		"a phase with mistakes is not started": {change: func(p *plan.Plan) { p.Phases[0].Mistakes = []plan.Mistake{mistake} }, status: waiting(),
			want: blocked(v1alpha1.ReasonPlanInvalid, "phase migrate cannot be judged: AcceptanceGate/ready spec.x: wrong; mend it")},
		"an entry gate without values waits": {status: waiting(), want: told{State: stateWaiting, Phase: "migrate", Reason: v1alpha1.ReasonEntryGateWaiting,
			Message: "entry gate ready: usage has not been measured yet", Verdict: wait}},
		"an entry gate that holds waits for the next value": {status: waiting(), evidence: values(0, 90, 90), want: told{State: stateWaiting, Phase: "migrate",
			Reason:  v1alpha1.ReasonEntryGateWaiting,
			Message: "entry gate ready: usage is 90, at least 80 since 2026-03-02T07:55:00Z; passes when that has held for 10m, not before 2026-03-02T08:05:00Z",
			Verdict: wait, NextLook: at(5)}},
		"an entry gate that fails keeps the site out": {status: waiting(), evidence: values(0, 90, 90, 70), want: told{State: stateWaiting, Phase: "migrate",
			Reason:  v1alpha1.ReasonEntryGateFailed,
			Message: "entry gate ready: usage is 70, must be at least 80 (measured 2026-03-02T08:00:00Z)", Verdict: fail, NextLook: at(5)}},
		"an entry gate that passes starts the phase":         {status: waiting(), evidence: values(0, 90, 90, 90), want: started("migrate")},
		"without an entry gate an admitted site just starts": {status: passed(stateWaiting, "migrate"), want: started("golive")},
	} {
		t.Run(name, r.check)
	}
}

func TestASiteInAPhase(t *testing.T) {
	soaking := func(message string, verdict v1alpha1.Verdict) told {
		return told{State: stateProving, Phase: "migrate", Reason: v1alpha1.ReasonSoaking, Message: message, NextLook: at(30), Verdict: verdict}
	}
	const bad = "exit gate accepted: usage is 70, must be at least 80 (measured 2026-03-02T08:30:00Z)"
	const good = "exit gate accepted: usage is 90, at least 80 since 2026-03-02T08:30:00Z; passes when that has held for 10m, not before 2026-03-02T08:40:00Z"
	const gone = "exit gate accepted: usage had no value for this site at 2026-03-02T08:30:00Z"
	stays := func(state v1alpha1.SiteState, reason, message string, verdict v1alpha1.Verdict) told {
		return told{State: state, Phase: "migrate", Reason: reason, Message: message, NextLook: at(35), Verdict: verdict}
	}
	turns := func(w told, reason string) told {
		w.Change = &advance.Change{Reason: reason, Message: w.Message, Phase: "migrate"}
		return w
	}
	mistake := plan.Mistake{Object: "KPI/usage", Field: "spec.window", Problem: "wrong", Remedy: "mend it"}
	for name, r := range map[string]row{
		"soaks although the gate passes": {status: running(stateProving), evidence: values(15, 90, 90, 90), minute: 15,
			want: soaking("phase migrate soaks until 2026-03-02T08:30:00Z", pass)},
		"soaks although the gate fails, and says so": {status: running(stateProving), evidence: values(15, 70), minute: 15,
			want: soaking("phase migrate soaks until 2026-03-02T08:30:00Z; exit gate accepted so far: usage is 70, must be at least 80 (measured 2026-03-02T08:15:00Z)", fail)},
		"soaks to the last second": {status: running(stateProving), evidence: values(29, 90, 90, 90), minute: 29,
			want: soaking("phase migrate soaks until 2026-03-02T08:30:00Z", pass)},
		"a held site whose soak was made longer soaks again": {status: running(stateHeld), evidence: values(15, 90, 90, 90), minute: 15,
			want: turns(soaking("phase migrate soaks until 2026-03-02T08:30:00Z", pass), v1alpha1.ReasonRecovered)},
		"waits for its exit gate": {status: running(stateProving), evidence: values(30, 90), minute: 30,
			want: stays(stateProving, v1alpha1.ReasonExitGateWaiting, good, wait)},
		"waits when its source is silent": {status: running(stateProving), evidence: silent(30, values(25, 90)), minute: 30,
			want: stays(stateProving, v1alpha1.ReasonExitGateWaiting, gone, wait)},
		"is held when its exit gate fails": {status: running(stateProving), evidence: values(30, 90, 90, 70), minute: 30,
			want: turns(stays(stateHeld, v1alpha1.ReasonExitGateFailed, bad, fail), v1alpha1.ReasonExitGateFailed)},
		"stays held while its exit gate fails": {status: running(stateHeld), evidence: values(30, 70), minute: 30,
			want: stays(stateHeld, v1alpha1.ReasonExitGateFailed, bad, fail)},
		"stays held when its source falls silent": {status: running(stateHeld), evidence: silent(30, values(25, 70)), minute: 30,
			want: stays(stateHeld, v1alpha1.ReasonExitGateFailed, gone, wait)},
		"recovers when its numbers do": {status: running(stateHeld), evidence: values(30, 70, 70, 90), minute: 30,
			want: turns(stays(stateProving, v1alpha1.ReasonExitGateWaiting, good, wait), v1alpha1.ReasonRecovered)},
		"a phase with mistakes goes on but is not judged": {change: func(p *plan.Plan) { p.Phases[0].Mistakes = []plan.Mistake{mistake} },
			status: running(stateHeld), evidence: values(30, 90, 90, 90), minute: 30,
			want: told{State: stateHeld, Phase: "migrate", Reason: v1alpha1.ReasonPlanInvalid, Message: "phase migrate cannot be judged: KPI/usage spec.window: wrong; mend it"}},
		"a mistake in the entry gate is no matter any more": {change: func(p *plan.Plan) { p.Phases[0].EntryMistakes = []plan.Mistake{mistake} },
			status: running(stateProving), evidence: values(30, 90), minute: 30, want: stays(stateProving, v1alpha1.ReasonExitGateWaiting, good, wait)},
		"a phase that was out of the plan for a while goes on": {status: running(stateWaiting), evidence: values(15, 90, 90, 90), minute: 15,
			want: told{State: stateProving, Phase: "migrate", Reason: v1alpha1.ReasonSoaking, Message: "phase migrate soaks until 2026-03-02T08:30:00Z", NextLook: at(30), Verdict: pass,
				Change: &advance.Change{Reason: v1alpha1.ReasonPhaseResumed, Message: "phase migrate goes on", Phase: "migrate"}}},
		"a running phase is judged while the rollout is suspended": {change: func(p *plan.Plan) { p.Suspended = true }, status: running(stateProving), evidence: values(30, 90), minute: 30,
			want: stays(stateProving, v1alpha1.ReasonExitGateWaiting, good, wait)},
	} {
		t.Run(name, r.check)
	}
}

func TestASiteBehindAPhase(t *testing.T) {
	passes := func(message string) *advance.Change {
		return &advance.Change{Reason: v1alpha1.ReasonPhasePassed, Message: message, Phase: "migrate", Passes: true}
	}
	const byGate = "phase migrate passed exit gate accepted"
	onlyMigrate := func(p *plan.Plan) { p.Phases, p.Through = p.Phases[:1], 0 }
	added := func(message string) *advance.Change {
		return &advance.Change{Reason: v1alpha1.ReasonPhaseAdded, Message: message, Phase: "golive"}
	}
	const all = "the site has passed every phase"
	for name, r := range map[string]row{
		"passes when the exit gate does": {status: running(stateProving), evidence: values(30, 90, 90, 90), minute: 30,
			want: told{State: stateWaiting, Phase: "golive", Reason: v1alpha1.ReasonPhasePassed, Message: byGate, Change: passes(byGate)}},
		"passes out of a hold": {status: running(stateHeld), evidence: values(30, 90, 90, 90), minute: 30,
			want: told{State: stateWaiting, Phase: "golive", Reason: v1alpha1.ReasonPhasePassed, Message: byGate, Change: passes(byGate)}},
		"passes without an exit gate when the soak is over": {change: func(p *plan.Plan) { p.Phases[0].Exit = nil }, status: running(stateProving), minute: 30,
			want: told{State: stateWaiting, Phase: "golive", Reason: v1alpha1.ReasonPhasePassed, Message: "phase migrate passed", Change: passes("phase migrate passed")}},
		"passes the last phase and has completed": {change: onlyMigrate, status: running(stateProving), evidence: values(30, 90, 90, 90), minute: 30,
			want: told{State: stateCompleted, Reason: v1alpha1.ReasonAllPhasesPassed, Message: all, Change: passes(byGate)}},
		"stays completed": {status: passed(stateCompleted, "migrate", "golive"),
			want: told{State: stateCompleted, Reason: v1alpha1.ReasonAllPhasesPassed, Message: all}},
		"completes when its last open phase leaves the plan": {change: onlyMigrate, status: passed(stateWaiting, "migrate"),
			want: told{State: stateCompleted, Reason: v1alpha1.ReasonAllPhasesPassed, Message: all, Change: &advance.Change{Reason: v1alpha1.ReasonAllPhasesPassed, Message: all}}},
		"waits again when the plan gains a phase after completion": {status: passed(stateCompleted, "migrate"),
			want: told{State: stateWaiting, Phase: "golive", Reason: v1alpha1.ReasonPhaseAdded, Message: "the rollout gained phase golive", Change: added("the rollout gained phase golive")}},
		"records that it left a running phase when the plan puts another before it": {status: passed(stateProving, "migrate"),
			want: told{State: stateWaiting, Phase: "golive", Reason: v1alpha1.ReasonPhaseAdded, Message: "the phases of the rollout changed: phase golive comes next",
				Change: added("the phases of the rollout changed: phase golive comes next")}},
	} {
		t.Run(name, r.check)
	}
}

func TestTheEvidenceOfAPassIsRecorded(t *testing.T) {
	step := advance.Next(advance.Input{Plan: twoPhases(t), Status: running(stateProving), Now: at(30),
		Evidence: func(gate.KPI) gate.Evidence { return values(30, 90, 91, 92) }})
	want := []v1alpha1.Evidence{{Criterion: "used", KPI: "usage", Figures: v1alpha1.Figures{Value: "92", Threshold: "at least 80", Margin: "12"}, SampleTime: *stamp(30), MetSince: stamp(20)}}
	if diff := cmp.Diff(want, step.Change.Evidence); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
}

func TestHoldsAreBroughtToTheNextStepOnlyAtTheSameGateOfTheSameAttempt(t *testing.T) {
	stand := advance.Stand{Phase: "migrate", Role: v1alpha1.GateRoleExit, Attempt: 1, Gate: "accepted", SiteID: "DE-1"}
	run := map[string]gate.Hold{"used": {Of: gate.Proof{Revision: "r1", Threshold: "at least 80"}, Since: at(5), SeenThrough: at(25)}}
	for name, tc := range map[string]struct {
		move func(*advance.Stand)
		want v1alpha1.SiteState
	}{
		"the same":               {func(*advance.Stand) {}, stateWaiting},
		"another phase":          {func(s *advance.Stand) { s.Phase = "golive" }, stateProving},
		"the entry gate":         {func(s *advance.Stand) { s.Role = v1alpha1.GateRoleEntry }, stateProving},
		"another attempt":        {func(s *advance.Stand) { s.Attempt = 2 }, stateProving},
		"another gate":           {func(s *advance.Stand) { s.Gate = "other" }, stateProving},
		"another ID of the site": {func(s *advance.Stand) { s.SiteID = "DE-2" }, stateProving},
	} {
		t.Run(name, func(t *testing.T) {
			at2 := stand
			tc.move(&at2)
			step := advance.Next(advance.Input{Plan: twoPhases(t), Status: running(stateProving), SiteID: "DE-1", Now: at(30),
				Holds: advance.Holds{At: at2, Criteria: run}, Evidence: func(gate.KPI) gate.Evidence { return values(30, 90) }})
			if step.State != tc.want {
				t.Errorf("state %s, want %s: %s", step.State, tc.want, step.Message)
			}
			if step.State == stateProving && step.Holds.At != stand {
				t.Errorf("the holds are at %+v, want %+v", step.Holds.At, stand)
			}
		})
	}
}

func TestASiteResumesAtTheGateThatItsStatusRemembers(t *testing.T) {
	remembered := running(stateProving)
	remembered.Gate = &v1alpha1.GateReport{Name: "accepted", Role: v1alpha1.GateRoleExit, Generation: 1, SiteID: "DE-1", Criteria: []v1alpha1.CriterionReport{
		{Name: "used", KPI: "usage", KPIRevision: "r1", Figures: v1alpha1.Figures{Threshold: "at least 80"}, Reason: v1alpha1.ReasonHolding, MetSince: stamp(5), SampleTime: stamp(25)}}}
	entry := waiting()
	entry.Gate = remembered.Gate.DeepCopy()
	entry.Gate.Name, entry.Gate.Role = "ready", v1alpha1.GateRoleEntry
	holds := map[string]gate.Hold{"used": {Of: gate.Proof{Revision: "r1", Threshold: "at least 80"}, Since: at(5), SeenThrough: at(25), Recorded: true}}
	for name, tc := range map[string]struct {
		change func(*plan.Plan)
		status v1alpha1.SiteRolloutStatus
		want   advance.Holds
	}{
		"at the exit gate": {status: remembered, want: advance.Holds{Criteria: holds,
			At: advance.Stand{Phase: "migrate", Role: v1alpha1.GateRoleExit, Attempt: 1, Gate: "accepted", SiteID: "DE-1"}}},
		"at the entry gate": {status: entry, want: advance.Holds{Criteria: holds,
			At: advance.Stand{Phase: "migrate", Role: v1alpha1.GateRoleEntry, Gate: "ready", SiteID: "DE-1"}}},
		"at no gate":                             {status: running(stateProving)},
		"at a gate of a phase that was removed":  {change: func(p *plan.Plan) { p.Phases[0].Name = "other" }, status: remembered},
		"at a gate that was replaced":            {change: func(p *plan.Plan) { p.Phases[0].Exit.Name = "other" }, status: remembered},
		"at a gate that was taken out":           {change: func(p *plan.Plan) { p.Phases[0].Exit = nil }, status: remembered},
		"at a gate that cannot be judged at all": {change: func(p *plan.Plan) { p.Phases[0].Mistakes = []plan.Mistake{{}} }, status: remembered},
	} {
		t.Run(name, func(t *testing.T) {
			p := twoPhases(t)
			if tc.change != nil {
				tc.change(&p)
			}
			got := advance.Resume(p, nil, tc.status, func(gate.KPI) gate.Measured { return gate.Measured{Last: at(25)} })
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("holds (-want +got):\n%s", diff)
			}
		})
	}
}
