package advance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/advance"
	"github.com/crmops/rollout-operator/internal/decide"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// decided is ada's decision about lyon at an attempt at migrate, made at a minute.
func decided(action v1alpha1.DecisionAction, attempt int32, minute int) *v1alpha1.RolloutDecision {
	d := &v1alpha1.RolloutDecision{Spec: v1alpha1.RolloutDecisionSpec{Rollout: "crm", Site: "lyon", Phase: "migrate", Attempt: &attempt, Action: action, DecidedBy: "ada", Reason: "so be it"}}
	d.Name, d.CreationTimestamp = strings.ToLower(string(action)), *stamp(minute)
	switch action {
	case v1alpha1.DecisionWaive, v1alpha1.DecisionReject:
		d.Spec.Gate, d.Spec.Role = "accepted", "sponsor"
	case v1alpha1.DecisionRecapture:
		d.Spec.KPI = "usage"
	}
	return d
}

func ofEntry(d *v1alpha1.RolloutDecision) *v1alpha1.RolloutDecision {
	d.Spec.Gate = "ready"
	return d
}

// failed is a site whose first attempt at migrate failed at minute 20.
func failed(reason string) v1alpha1.SiteRolloutStatus {
	s := running(stateHeld)
	s.Phases[0].FailedAt, s.Phases[0].Failure = stamp(20), reason
	return s
}

func rolledBack() v1alpha1.SiteRolloutStatus {
	s := failed(v1alpha1.ReasonRejected)
	s.State, s.Phases[0].RolledBackAt = v1alpha1.SiteRolledBack, stamp(21)
	return s
}

// case of lyon with decisions, which are looked at in a minute.
type about struct {
	change    func(*plan.Plan)
	status    v1alpha1.SiteRolloutStatus
	block     admit.Block
	denied    bool
	evidence  gate.Evidence
	capture   *gate.Capture
	decisions []*v1alpha1.RolloutDecision
	policy    string
	minute    int
}

func (a about) input(t *testing.T) advance.Input {
	t.Helper()
	p := twoPhases(t)
	if a.change != nil {
		a.change(&p)
	}
	return advance.Input{Plan: p, Status: a.status, Admitted: !a.denied, Block: a.block, Now: at(a.minute), Rollout: "crm", Site: "lyon", SiteID: "lyon", Wave: "region",
		Decisions: a.decisions, Policy: decide.Policy{Problem: a.policy, Since: at(-600)},
		Evidence:   func(gate.KPI) gate.Evidence { return a.evidence },
		Candidates: func(string, plan.Controls) []string { return nil },
		Capture: func(plan.Baseline) (gate.Capture, bool) {
			if a.capture == nil {
				return gate.Capture{}, false
			}
			return *a.capture, true
		}}
}

func all(decisions ...*v1alpha1.RolloutDecision) []*v1alpha1.RolloutDecision { return decisions }

const (
	approve, reject, waive = v1alpha1.DecisionApprove, v1alpha1.DecisionReject, v1alpha1.DecisionWaive
	retry, rollBack, skip  = v1alpha1.DecisionRetry, v1alpha1.DecisionRollBack, v1alpha1.DecisionSkip
	recapture              = v1alpha1.DecisionRecapture
)

func TestWhatADecisionDoesToASite(t *testing.T) {
	bad, good := values(30, 70), values(30, 90, 90, 90)
	mistaken := func(p *plan.Plan) { p.Phases[0].Mistakes = []plan.Mistake{{Problem: "wrong"}} }
	suspended := func(p *plan.Plan) { p.Suspended = true }
	onlyMigrate := func(p *plan.Plan) { p.Phases, p.Through = p.Phases[:1], 0 }
	rollsBack := func(p *plan.Plan) { p.Phases[0].OnFailure = v1alpha1.FailureRollBack }
	for name, test := range map[string]struct {
		about
		state   v1alpha1.SiteState
		reason  string // of the transition; empty for none
		message string // a part of that of the step or of the transition
		outcome v1alpha1.PhaseOutcome
	}{
		"a waiver passes a failing exit gate":            {about{status: running(stateHeld), evidence: bad, decisions: all(decided(waive, 1, 25)), minute: 30}, stateWaiting, "PhaseWaived", "phase migrate passed: exit gate accepted was waived: decided by ada in role sponsor: so be it", "Waived"},
		"a waiver passes the last phase":                 {about{change: onlyMigrate, status: running(stateHeld), evidence: bad, decisions: all(decided(waive, 1, 25)), minute: 30}, stateCompleted, "PhaseWaived", "", "Waived"},
		"a waiver does not end the soak":                 {about{status: running(stateProving), evidence: bad, decisions: all(decided(waive, 1, 25)), minute: 29}, stateProving, "", "phase migrate soaks until", ""},
		"a waiver of another attempt does nothing":       {about{status: running(stateHeld), evidence: bad, decisions: all(decided(waive, 2, 25)), minute: 30}, stateHeld, "", "", ""},
		"a waiver of the entry gate is none of the exit": {about{status: running(stateHeld), evidence: bad, decisions: all(ofEntry(decided(waive, 1, 25))), minute: 30}, stateHeld, "", "", ""},
		"a waiver passes the gate of a failed attempt":   {about{status: failed("Rejected"), evidence: bad, decisions: all(decided(waive, 1, 25)), minute: 30}, stateWaiting, "PhaseWaived", "", "Waived"},
		"a waiver of a failed attempt awaits the soak":   {about{status: failed("Rejected"), evidence: bad, decisions: all(decided(waive, 1, 25)), minute: 29}, stateHeld, "", "", ""},
		"a waiver from before the failure is none":       {about{status: failed("Rejected"), evidence: bad, decisions: all(decided(waive, 1, 15)), minute: 30}, stateHeld, "", "", ""},
		"without the policy nothing is waived":           {about{status: running(stateHeld), evidence: bad, policy: "there is none", decisions: all(decided(waive, 1, 25)), minute: 30}, stateHeld, "", "", ""},
		"a waiver does not help a phase with mistakes":   {about{change: mistaken, status: running(stateHeld), decisions: all(decided(waive, 1, 25)), minute: 30}, stateHeld, "", "cannot be judged", ""},
		"a waived entry gate lets the site start":        {about{status: waiting(), evidence: bad, decisions: all(ofEntry(decided(waive, 0, 25))), minute: 30}, stateProving, "PhaseStarted", "phase migrate started: entry gate ready was waived: decided by ada in role sponsor", ""},
		"a waived entry gate starts nothing in a pause":  {about{change: suspended, status: waiting(), evidence: bad, decisions: all(ofEntry(decided(waive, 0, 25))), minute: 30}, stateWaiting, "", "suspended", ""},
		"a waived entry gate gives no slot":              {about{status: waiting(), denied: true, evidence: bad, decisions: all(ofEntry(decided(waive, 0, 25))), minute: 30}, stateWaiting, "", "", ""},
		"a rejection fails the attempt":                  {about{status: running(stateProving), evidence: good, decisions: all(decided(reject, 1, 5)), minute: 10}, stateHeld, "Rejected", "attempt 1 at phase migrate failed: it was rejected: decided by ada in role sponsor: so be it", ""},
		"a rejection comes before a pass":                {about{status: running(stateProving), evidence: good, decisions: all(decided(reject, 1, 25)), minute: 30}, stateHeld, "Rejected", "", ""},
		"a rejection of another gate does nothing":       {about{status: running(stateProving), evidence: good, decisions: all(ofEntry(decided(reject, 1, 25))), minute: 30}, stateWaiting, "PhasePassed", "", ""},
		"a roll-back takes the site out":                 {about{status: running(stateProving), evidence: good, decisions: all(decided(rollBack, 1, 5)), minute: 10}, v1alpha1.SiteRolledBack, "RolledBack", "the site was rolled back out of phase migrate: decided by ada: so be it", ""},
		"a roll-back of a failed attempt":                {about{status: failed("Rejected"), decisions: all(decided(rollBack, 1, 25)), minute: 30}, v1alpha1.SiteRolledBack, "RolledBack", "", ""},
		"a roll-back out of a phase with mistakes":       {about{change: mistaken, status: running(stateProving), decisions: all(decided(rollBack, 1, 25)), minute: 30}, v1alpha1.SiteRolledBack, "RolledBack", "", ""},
		"a skip in front of a phase":                     {about{status: waiting(), denied: true, decisions: all(decided(skip, 0, 5)), minute: 10}, stateWaiting, "PhaseSkipped", "phase migrate was skipped: decided by ada: so be it", "Skipped"},
		"a skip in front of the last phase":              {about{change: onlyMigrate, status: waiting(), denied: true, decisions: all(decided(skip, 0, 5)), minute: 10}, stateCompleted, "PhaseSkipped", "", "Skipped"},
		"a skip of a running phase":                      {about{status: running(stateProving), evidence: bad, decisions: all(decided(skip, 1, 5)), minute: 10}, stateWaiting, "PhaseSkipped", "", "Skipped"},
		"a skip of a phase with mistakes":                {about{change: mistaken, status: running(stateProving), decisions: all(decided(skip, 1, 5)), minute: 10}, stateWaiting, "PhaseSkipped", "", "Skipped"},
		"a skip of a failed attempt":                     {about{status: failed("DeadlineExceeded"), decisions: all(decided(skip, 1, 25)), minute: 30}, stateWaiting, "PhaseSkipped", "", "Skipped"},
		"a skip of what was rolled back":                 {about{status: rolledBack(), decisions: all(decided(skip, 1, 25)), minute: 30}, stateWaiting, "PhaseSkipped", "", "Skipped"},
		"a retry of a failed attempt":                    {about{status: failed("Rejected"), evidence: bad, decisions: all(decided(retry, 1, 25)), minute: 30}, stateProving, "AttemptStarted", "attempt 2 at phase migrate started: decided by ada: so be it", ""},
		"a retry of what runs does nothing":              {about{status: running(stateProving), evidence: good, decisions: all(decided(retry, 1, 5)), minute: 10}, stateProving, "", "", ""},
		"a retry of what was rolled back":                {about{status: rolledBack(), decisions: all(decided(retry, 1, 25)), minute: 30}, stateWaiting, "Retried", "the site may begin phase migrate again: decided by ada: so be it", ""},
		"a rolled-back site without one":                 {about{status: rolledBack(), decisions: all(decided(retry, 2, 25)), minute: 30}, v1alpha1.SiteRolledBack, "", "needs a decision: Retry", ""},
		"the first of two decisions":                     {about{status: running(stateProving), decisions: all(decided(rollBack, 1, 5), decided(skip, 1, 6)), minute: 10}, v1alpha1.SiteRolledBack, "RolledBack", "", ""},
		"a rejection where failures roll back":           {about{change: rollsBack, status: running(stateProving), evidence: good, decisions: all(decided(reject, 1, 5)), minute: 10}, stateHeld, "Rejected", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := test.input(t)
			step := advance.Next(in)
			reason, outcome, message := "", v1alpha1.PhaseOutcome(""), step.Message
			if step.Change != nil {
				reason, outcome, message = step.Change.Reason, step.Change.Outcome, message+"\n"+step.Change.Message
			}
			if step.State != test.state || reason != test.reason || outcome != test.outcome || !strings.Contains(message, test.message) {
				t.Errorf("state %s, transition %q, outcome %q: %s\nwant %s, %q, %q with %q", step.State, reason, outcome, message, test.state, test.reason, test.outcome, test.message)
			}
			if reason == "" || reason == v1alpha1.ReasonPhasePassed {
				return
			}
			if want := []v1alpha1.Decider{decide.Decider(test.decisions[0])}; !cmp.Equal(want, step.Change.Deciders) {
				t.Errorf("deciders (-want +got):\n%s", cmp.Diff(want, step.Change.Deciders))
			}
			// Whatever is looked at next, the decision has had its effect and has no second one.
			after := advance.Record(in.Status, step, in.Now)
			if at := after.Transitions[len(after.Transitions)-1]; !cmp.Equal(at.Deciders, step.Change.Deciders) {
				t.Errorf("the transition names %v", at.Deciders)
			}
			site := decide.Site{Rollout: "crm", Name: "lyon", Wave: "region", Status: after, Gate: after.Gate, Policy: in.Policy, Now: in.Now}
			if fate := site.Fate(test.decisions[0]); fate.Reason != v1alpha1.ReasonApplied || fate.Counts {
				t.Errorf("the decision is %s: %s", fate.Reason, fate.Message)
			}
			for range 3 {
				in.Status, in.Decisions = after, test.decisions[:1]
				step = advance.Next(in)
				if step.Change != nil && len(step.Change.Deciders) > 0 {
					t.Fatalf("it has an effect again: %+v", step.Change)
				}
				after = advance.Record(in.Status, step, in.Now)
			}
		})
	}
}

func TestARejectionIsFollowedByWhatThePhaseSays(t *testing.T) {
	for policy, want := range map[v1alpha1.FailurePolicy]v1alpha1.SiteState{v1alpha1.FailureHold: stateHeld, v1alpha1.FailureRollBack: v1alpha1.SiteRolledBack, v1alpha1.FailureAbort: stateHeld} {
		a := about{change: func(p *plan.Plan) { p.Phases[0].OnFailure = policy }, status: running(stateProving), evidence: values(10, 90), decisions: all(decided(reject, 1, 5)), minute: 10}
		in := a.input(t)
		in.Status = advance.Record(in.Status, advance.Next(in), in.Now)
		if record := in.Status.Phases[0]; record.FailedAt == nil || record.Failure != v1alpha1.ReasonRejected {
			t.Fatalf("%s: the record is %+v", policy, record)
		}
		if step := advance.Next(in); step.State != want {
			t.Errorf("%s: then the site is %s: %s", policy, step.State, step.Message)
		}
	}
}

func TestASkippedPhaseIsRecordedAlsoWhenItNeverBegan(t *testing.T) {
	in := about{status: waiting(), denied: true, decisions: all(decided(skip, 0, 5)), minute: 10}.input(t)
	got := advance.Record(in.Status, advance.Next(in), in.Now)
	want := []v1alpha1.PhaseRecord{{Name: "migrate", StartedAt: *stamp(10), PassedAt: stamp(10), Outcome: v1alpha1.PhaseSkipped}}
	if diff := cmp.Diff(want, got.Phases); diff != "" || got.CurrentPhase != "golive" {
		t.Errorf("phase %s, records (-want +got):\n%s", got.CurrentPhase, diff)
	}
}

func TestARecapturedBaselineIsTakenWhenTheNextAttemptBegins(t *testing.T) {
	old := v1alpha1.Baseline{KPI: "usage", KPIRevision: "r1", Source: "w", SiteID: "lyon", WindowEnd: *stamp(0), Value: "50"}
	other := v1alpha1.Baseline{KPI: "other", Value: "1"}
	status := failed(v1alpha1.ReasonRejected)
	status.Phases[0].Baselines = []v1alpha1.Baseline{other, old}
	declare := func(p *plan.Plan) {
		p.Phases[0].Baselines = []plan.Baseline{{KPI: usage, Source: "w"}, {KPI: gate.KPI{Name: "other"}, Source: "w"}}
	}
	a := about{change: declare, status: status, evidence: values(30, 70), decisions: all(decided(recapture, 1, 10), decided(retry, 1, 25)), minute: 30}
	in := a.input(t)
	step := advance.Next(in)
	if step.State != stateHeld || step.Reason != v1alpha1.ReasonBaselineMissing || step.Change != nil || len(step.Asks) != 1 || step.Asks[0].KPI.Name != "usage" {
		t.Fatalf("without values: %+v", step)
	}
	a.capture = &gate.Capture{At: at(30), TakenAt: at(30), Current: gate.CrossSection{Values: map[string]gate.Sample{"lyon": {Value: 60, Time: at(30)}}, IDs: map[string]string{"lyon": "lyon"}}}
	in = a.input(t)
	step = advance.Next(in)
	after := advance.Record(in.Status, step, in.Now)
	anew := old
	anew.WindowEnd, anew.Value = *stamp(30), "60"
	if diff := cmp.Diff([]v1alpha1.Baseline{other, anew}, after.Phases[0].Baselines); diff != "" {
		t.Errorf("baselines (-want +got):\n%s", diff)
	}
	if want := []v1alpha1.Decider{decide.Decider(a.decisions[1]), decide.Decider(a.decisions[0])}; !cmp.Equal(want, step.Change.Deciders) {
		t.Errorf("deciders %v", step.Change.Deciders)
	}
	if !strings.Contains(step.Change.Message, "baselines: usage 60") {
		t.Errorf("message %q", step.Change.Message)
	}
	a.decisions = all(decided(retry, 1, 25))
	if kept := advance.Next(a.input(t)); len(kept.Change.Baselines) > 0 {
		t.Errorf("without a decision a baseline was taken anew: %+v", kept.Change.Baselines)
	}
}

// signed makes the exit gate one that needs an owner and two sponsors.
func signed(p *plan.Plan) {
	p.Phases[0].Exit.Approvals = []gate.Approval{{Role: "owner", Count: 1}, {Role: "sponsor", Count: 2}}
}

// approval is one by a person, of the digest that the status shows.
func approval(person, role, gate, digest string, attempt int32, minute int) *v1alpha1.RolloutDecision {
	d := decided(approve, attempt, minute)
	d.Name, d.Spec.DecidedBy, d.Spec.Role, d.Spec.Gate, d.Spec.GateDigest = person, person, role, gate, digest
	return d
}

// lookAgain takes a step, and brings its result to the next one.
func lookAgain(in *advance.Input) advance.Step {
	step := advance.Next(*in)
	in.Status = advance.Record(in.Status, step, in.Now)
	in.Holds = step.Holds
	return step
}

func TestAGateWaitsForItsApprovals(t *testing.T) {
	in := about{change: signed, status: running(stateHeld), evidence: values(30, 90, 90, 90), minute: 30}.input(t)
	step := lookAgain(&in)
	want := "exit gate accepted: approvals are missing: 1 in role owner, 2 in role sponsor. To approve, create a RolloutDecision with action Approve, rollout crm, site lyon, " +
		"phase migrate, attempt 1, gate accepted, gateDigest " + step.Gate.Digest + ", the role, a reason, and decidedBy with your user name"
	if step.State != stateProving || step.Reason != v1alpha1.ReasonWaitingForApproval || step.Message != want || step.Change == nil || step.Change.Reason != v1alpha1.ReasonRecovered {
		t.Errorf("%s %s: %s\nwant: %s", step.State, step.Reason, step.Message, want)
	}
	if step.Gate.Verdict != wait || len(step.Gate.Digest) != 64 {
		t.Errorf("the gate is %s with digest %q", step.Gate.Verdict, step.Gate.Digest)
	}
	in.Decisions = append(in.Decisions, approval("ada", "owner", "accepted", step.Gate.Digest, 1, 30), approval("bea", "sponsor", "accepted", step.Gate.Digest, 1, 30))
	in.Now = at(31)
	step = lookAgain(&in)
	if !strings.Contains(step.Message, "approvals are missing: 1 in role sponsor.") || step.Change != nil {
		t.Errorf("with two approvals: %s %+v", step.Message, step.Change)
	}
	in.Policy.Problem = "the policy is gone"
	if gone := advance.Next(in); !strings.Contains(gone.Message, "1 in role owner, 2 in role sponsor.") || !strings.HasSuffix(gone.Message, "; the policy is gone") {
		t.Errorf("without the policy: %s", gone.Message)
	}
	in.Policy.Problem = ""
	in.Decisions = append(in.Decisions, approval("cem", "sponsor", "accepted", step.Gate.Digest, 1, 31))
	step = lookAgain(&in)
	if step.Change == nil || step.Change.Message != "phase migrate passed exit gate accepted, approved by ada (owner), bea (sponsor), cem (sponsor)" || step.Change.Outcome != "" || len(step.Change.Deciders) != 3 {
		t.Errorf("with all: %+v", step.Change)
	}
}

func TestApprovalsInFrontOfAPhase(t *testing.T) {
	entry := func(p *plan.Plan) {
		p.Phases[0].Entry = &gate.Gate{Name: "ready", Approvals: []gate.Approval{{Role: "sponsor", Count: 1}}} // without any criteria
	}
	in := about{change: entry, status: waiting(), minute: 30}.input(t)
	step := lookAgain(&in)
	if step.State != stateWaiting || step.Reason != v1alpha1.ReasonWaitingForApproval || !strings.HasPrefix(step.Message, "entry gate ready: approvals are missing: 1 in role sponsor.") {
		t.Fatalf("%s %s: %s", step.State, step.Reason, step.Message)
	}
	// The approval is looked at, and then the rollout is suspended for a while: it is not forgotten.
	digest := step.Gate.Digest
	in.Decisions = all(approval("ada", "sponsor", "ready", "another", 0, 30))
	lookAgain(&in)
	in.Plan.Suspended = true
	if step = lookAgain(&in); step.Reason != v1alpha1.ReasonSuspended || step.Gate == nil || step.Gate.Digest != "" || len(step.Gate.Approvals[0].Given) != 1 {
		t.Fatalf("while suspended: %s, gate %+v", step.Reason, step.Gate)
	}
	in.Plan.Suspended = false
	in.Decisions = append(in.Decisions, approval("bea", "sponsor", "ready", digest, 0, 31))
	step = lookAgain(&in)
	if step.State != stateProving || step.Change.Message != "phase migrate started, entry gate ready, approved by bea (sponsor)" || step.Change.Deciders[0].Decision != "bea" {
		t.Errorf("%s %+v", step.State, step.Change)
	}
}

func TestNewFailingEvidenceMakesApprovalsVoid(t *testing.T) {
	in := about{change: signed, status: running(stateProving), evidence: values(30, 90, 90, 90), minute: 30}.input(t)
	first := lookAgain(&in)
	in.Decisions = all(approval("ada", "owner", "accepted", first.Gate.Digest, 1, 30))
	lookAgain(&in)
	in.Now, in.Evidence = at(35), func(gate.KPI) gate.Evidence { return values(35, 90, 90, 90, 70) }
	failing := lookAgain(&in)
	if given := failing.Gate.Approvals[0].Given[0]; given.Reason != v1alpha1.ReasonVoid || !strings.Contains(given.Message, "usage is 70, must be at least 80") || failing.Gate.Setbacks != 1 {
		t.Fatalf("given %+v, setbacks %d", given, failing.Gate.Setbacks)
	}
	in.Now, in.Evidence = at(50), func(gate.KPI) gate.Evidence { return values(50, 90, 90, 90) }
	in.Holds = advance.Holds{}
	again := lookAgain(&in)
	if again.Reason != v1alpha1.ReasonWaitingForApproval || !strings.Contains(again.Message, "1 in role owner") || again.Gate.Digest == first.Gate.Digest {
		t.Errorf("when the numbers are good again: %s: %s", again.Reason, again.Message)
	}
	in.Decisions = append(in.Decisions, approval("cem", "owner", "accepted", first.Gate.Digest, 1, 51))
	late := lookAgain(&in)
	if given := late.Gate.Approvals[0].Given[1]; given.Reason != v1alpha1.ReasonOtherEvidence {
		t.Errorf("an approval of what was seen before the setback: %+v", given)
	}
}

func TestASiteWakesUpWhenAnApprovalExpires(t *testing.T) {
	in := about{change: signed, status: running(stateProving), evidence: values(30, 90, 90, 90), minute: 30}.input(t)
	first := lookAgain(&in)
	d := approval("ada", "owner", "accepted", first.Gate.Digest, 1, 30)
	d.Spec.ExpiresAt = stamp(45)
	in.Decisions = all(d)
	if step := lookAgain(&in); !step.WakeAt.Equal(at(45)) {
		t.Errorf("wakes up at %s", step.WakeAt)
	}
	in.Now = at(45)
	if step := lookAgain(&in); !step.WakeAt.IsZero() || !strings.Contains(step.Message, "1 in role owner") || step.Gate.Approvals[0].Given[0].Reason != v1alpha1.ReasonExpired {
		t.Errorf("wakes up at %s: %s", step.WakeAt, step.Message)
	}
}

func TestTheNextAttemptKnowsNothingOfEarlierApprovals(t *testing.T) {
	in := about{change: signed, status: running(stateProving), evidence: values(30, 90, 90, 90), minute: 30}.input(t)
	first := lookAgain(&in)
	in.Decisions = all(approval("ada", "owner", "accepted", first.Gate.Digest, 1, 30))
	lookAgain(&in)
	in.Decisions = append(in.Decisions, decided(reject, 1, 31), decided(retry, 1, 33))
	in.Now = at(33)
	for range 2 {
		lookAgain(&in)
	}
	in.Now, in.Holds = at(90), advance.Holds{}
	in.Evidence = func(gate.KPI) gate.Evidence { return values(90, 90, 90, 90) }
	step := lookAgain(&in)
	if in.Status.Phases[0].Attempt != 2 || step.Reason != v1alpha1.ReasonWaitingForApproval || len(step.Gate.Approvals[0].Given) > 0 || step.Gate.Digest == first.Gate.Digest {
		t.Errorf("attempt %d, %s: %+v", in.Status.Phases[0].Attempt, step.Reason, step.Gate)
	}
	in.Decisions = append(in.Decisions, approval("bea", "owner", "accepted", first.Gate.Digest, 2, 91))
	if step = lookAgain(&in); step.Gate.Approvals[0].Given[0].Reason != v1alpha1.ReasonOtherEvidence {
		t.Errorf("the digest of an older attempt: %+v", step.Gate.Approvals[0].Given)
	}
}

func TestADecisionLooksAtAWholeWave(t *testing.T) {
	d := decided(skip, 0, 5)
	d.Spec.Site, d.Spec.Wave = "", "region"
	in := about{status: waiting(), denied: true, decisions: all(d), minute: 10}.input(t)
	if step := advance.Next(in); step.Change == nil || step.Change.Reason != v1alpha1.ReasonPhaseSkipped {
		t.Errorf("the site of the wave: %+v", step)
	}
	in.JoinedAt = at(6)
	if step := advance.Next(in); step.Change != nil {
		t.Errorf("a site that joined later: %+v", step.Change)
	}
	in.JoinedAt, in.Wave = time.Time{}, "pilot"
	if step := advance.Next(in); step.Change != nil {
		t.Errorf("a site of another wave: %+v", step.Change)
	}
}

// A failed attempt is watched by values of any time, to tell when its guardrails are kept again. What is recorded when its gate is waived is evidence of the attempt alone.
func TestAWaiverOfAFailedAttemptKeepsNoEvidenceFromBeforeIt(t *testing.T) {
	in := about{status: failed("Rejected"), evidence: values(30, 90, 90, 90, 90, 90, 90, 90, 90, 90, 90), decisions: all(decided(v1alpha1.DecisionWaive, 1, 25)), minute: 30}.input(t)
	step := advance.Next(in)
	if step.Change == nil || step.Change.Outcome != v1alpha1.PhaseWaived || len(step.Change.Evidence) != 1 {
		t.Fatalf("the step is %+v", step)
	}
	if since := step.Change.Evidence[0].MetSince; since == nil || !since.After(in.Status.Phases[0].StartedAt.Time) {
		t.Errorf("the evidence is met since %v, and the attempt began at %v", since, in.Status.Phases[0].StartedAt)
	}
}

// A site that waited in front of a phase which the plan has lost is at the next one, although its status does not say so yet. Whoever decided about the lost phase has not decided about that.
func TestADecisionAboutALostPhaseIsNoneAboutTheNext(t *testing.T) {
	waits := waiting()
	waits.CurrentPhase = "assess"
	for _, action := range []v1alpha1.DecisionAction{v1alpha1.DecisionSkip, v1alpha1.DecisionWaive} {
		lost := decided(action, 0, 5)
		lost.Spec.Phase = "assess"
		if action == v1alpha1.DecisionWaive {
			lost = ofEntry(lost)
		}
		in := about{status: waits, evidence: values(10, 30), decisions: all(lost), minute: 10}.input(t)
		if step := advance.Next(in); step.Change != nil || step.Phase != "migrate" {
			t.Errorf("%s: the step is to phase %s: %+v", action, step.Phase, step.Change)
		}
	}
}
