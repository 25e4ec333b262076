package advance_test

import (
	"testing"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/advance"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// shut is what a site is told while a calendar is closed until minute 600.
func shut() admit.Block {
	return admit.Block{Reason: v1alpha1.ReasonWaitingForCalendar, Message: "calendar office is closed", Until: at(600)}
}

func TestASiteWaitsForItsCalendarInFrontOfAPhase(t *testing.T) {
	closed := told{State: stateWaiting, Phase: "migrate", Reason: v1alpha1.ReasonWaitingForCalendar, Message: "calendar office is closed", NextLook: at(600)}
	proved := closed
	proved.Verdict = pass
	entryGate := func(reason, message string, verdict v1alpha1.Verdict) told {
		return told{State: stateWaiting, Phase: "migrate", Reason: reason, Message: message, Verdict: verdict}
	}
	started := told{State: stateProving, Phase: "migrate", Reason: v1alpha1.ReasonPhaseStarted, Message: "phase migrate started",
		Change: &advance.Change{Reason: v1alpha1.ReasonPhaseStarted, Message: "phase migrate started", Phase: "migrate", Starts: true}}
	withoutGate := func(p *plan.Plan) { p.Phases[0].Entry = nil }
	for name, tc := range map[string]row{
		"not admitted":                   {status: waiting(), denied: true, block: shut(), want: closed},
		"admitted":                       {status: waiting(), change: withoutGate, block: shut(), want: closed},
		"its entry gate has passed":      {status: waiting(), block: shut(), evidence: values(10, 85, 85, 85), minute: 11, want: proved},
		"its entry gate has not":         {status: waiting(), block: shut(), evidence: values(10, 85, 85, 60), minute: 11, want: entryGate(v1alpha1.ReasonEntryGateFailed, "entry gate ready: usage is 60, must be at least 80 (measured 2026-03-02T08:10:00Z)", fail)},
		"the calendar opens":             {status: waiting(), change: withoutGate, want: started},
		"a phase runs when it is closed": {status: running(stateProving), block: shut(), minute: 5, want: told{State: stateProving, Phase: "migrate", Reason: v1alpha1.ReasonSoaking, Message: "phase migrate soaks until 2026-03-02T08:30:00Z; exit gate accepted so far: usage has not been measured yet", NextLook: at(30), Verdict: wait}},
	} {
		if tc.want.NextLook.IsZero() && tc.want.Verdict == fail {
			tc.want.NextLook = at(15)
		}
		t.Run(name, tc.check)
	}
}

// The entry gate asks for a hold. If a closed calendar ended it, a calendar that is open for a few hours a day would let no site in.
func TestAHoldGoesOnWhileTheCalendarIsClosed(t *testing.T) {
	in := advance.Input{Plan: twoPhases(t), Status: waiting(), Admitted: true, Block: shut()}
	var step advance.Step
	for minute := 0; minute <= 10; minute += 5 {
		in.Now, in.Evidence = at(minute), func(gate.KPI) gate.Evidence { return values(minute, 85) } // the memory of samples is short
		step = advance.Next(in)
		in.Holds = step.Holds
	}
	if step.Reason != v1alpha1.ReasonWaitingForCalendar || !step.WakeAt.Equal(at(600)) || !step.Awaits["usage"] {
		t.Fatalf("a site whose entry gate has passed says %s: %s, is looked at at %s, and awaits %v", step.Reason, step.Message, step.WakeAt.Format(time.RFC3339), step.Awaits)
	}
	in.Block = admit.Block{}
	if step = advance.Next(in); step.Reason != v1alpha1.ReasonPhaseStarted {
		t.Errorf("when the calendar opens: %s: %s", step.Reason, step.Message)
	}
}
