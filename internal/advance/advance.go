// Package advance takes the next step of one site: start a phase, hold, resume, pass, complete.
//
// The package cannot do I/O and has no clock. A step is a plain value; what is written to status, events and logs is that same value.
package advance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/decide"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// Input is everything that a step depends on.
type Input struct {
	// Plan by which the site goes on: to its next phase, and to another attempt.
	Plan plan.Plan
	// Attempt is the plan by which the attempt that runs is judged, as it was frozen when the attempt began; without that phase when nobody has the plan any more. It is nil when
	// none runs, or plans are not frozen.
	Attempt *plan.Plan
	// Status of the site, as it is remembered.
	Status v1alpha1.SiteRolloutStatus
	// Admitted is true when the site was admitted to its next phase.
	Admitted bool
	// Block is why the site may not start its next phase, admitted or not; zero when it may.
	Block admit.Block
	// Rollout is the name of the CRMRollout.
	Rollout string
	// Site is the name of the RolloutSite.
	Site string
	// Wave that the site is in; empty for none.
	Wave string
	// JoinedAt is when the site joined the rollout.
	JoinedAt time.Time
	// Revision of the plan by which the site starts its next phase or attempt; empty when plans are not frozen.
	Revision string
	// Decisions of people about the site, in the order in which they were made.
	Decisions []*v1alpha1.RolloutDecision
	// Policy that decisions rest on.
	Policy decide.Policy
	// SiteID is the text by which metric sources name the site.
	SiteID string
	// Evidence returns what is known about the site's value of a KPI.
	Evidence func(kpi gate.KPI) gate.Evidence
	// Peer returns the values of another site, see gate.Facts.
	Peer func(phase, site, siteID string, kpi gate.KPI) (samples []gate.Sample, unchanged bool)
	// Capture returns the latest values that a baseline can be taken from, or that there will be none because its KPI is gone, and false when there are none yet.
	Capture func(b plan.Baseline) (gate.Capture, bool)
	// Candidates returns the names of the sites that can be control sites, in the order in which they are taken.
	Candidates func(phase string, c plan.Controls) []string
	// Holds by criterion of the gate that the site stands at, as the last step left them.
	Holds Holds
	// Now is the time of the step, in whole seconds.
	Now time.Time
}

// Holds are the holds of one gate of one attempt. They mean nothing at another gate.
type Holds struct {
	// At identifies the gate and the attempt.
	At Stand
	// Criteria by name.
	Criteria map[string]gate.Hold
}

// Stand identifies the gate that a site stands at.
type Stand struct {
	// Phase that the gate belongs to.
	Phase string
	// Role of the gate.
	Role v1alpha1.GateRole
	// Attempt at the phase; 0 at an entry gate.
	Attempt int32
	// Failed is true when the attempt has failed and its guardrails are watched for the next one.
	Failed bool
	// Gate is its name.
	Gate string
	// SiteID is the text by which metric sources name the site. Under another one they may mean another site.
	SiteID string
}

// Step is what follows.
type Step struct {
	// State of the site after the step.
	State v1alpha1.SiteState
	// Phase that the site is in or waits for after the step; empty when all are passed.
	Phase string
	// Reason and Message say why the site is there.
	Reason, Message string
	// Change is what the step records; nil when the site stays where it is.
	Change *Change
	// Gate is the judgement on the gate that the site stands at; nil when it stands at none.
	Gate *v1alpha1.GateReport
	// Holds to bring to the next step.
	Holds Holds
	// NextLook is when something can change by itself; zero when only another object's change can.
	NextLook time.Time
	// WakeAt is when the site must be looked at even if nothing is measured until then: the end of a soak, or the time to ask for a baseline again. Zero for never.
	WakeAt time.Time
	// Asks are the baselines whose values have to be measured before the phase can start.
	Asks []plan.Baseline
	// Awaits are the KPIs whose next measurement can change the step, by name.
	Awaits map[string]bool
	// Mistakes that keep the site where it is until a person mends them.
	Mistakes []plan.Mistake
}

// Change is a transition to record.
type Change struct {
	// Reason and Message of the transition.
	Reason, Message string
	// Phase that the transition belongs to.
	Phase string
	// Starts is true when an attempt at Phase begins.
	Starts bool
	// Revision of the plan that the attempt that begins is judged by; empty when plans are not frozen.
	Revision string
	// Baselines that were taken for the attempt: all that the phase declares for the first one, later those that a decision has recaptured.
	Baselines []v1alpha1.Baseline
	// Fails is the reason for which the attempt fails; empty when it does not.
	Fails string
	// RollsBack is true when the site is rolled back out of Phase.
	RollsBack bool
	// Reopens is true when Phase, which was passed, is to be passed again.
	Reopens bool
	// Passes is true when Phase is passed.
	Passes bool
	// Evidence that passed the phase.
	Evidence []v1alpha1.Evidence
	// Outcome says how the phase was passed; empty when its exit gate passed.
	Outcome v1alpha1.PhaseOutcome
	// Deciders are the people on whose decisions the step rests.
	Deciders []v1alpha1.Decider
}

// Next returns the next step of a site.
func Next(in Input) Step {
	next, running := in.Plan.Next(in.Status.Phases), plan.Running(in.Status.Phases)
	switch {
	case in.Status.State == "" || in.Status.State == v1alpha1.SitePending:
		return in.join(next)
	case running != nil:
		return in.prove(in.judgedBy(*running), *running)
	case next == len(in.Plan.Phases):
		return in.complete()
	case in.Status.State == v1alpha1.SiteCompleted || in.Status.State == v1alpha1.SiteRegressed:
		return in.wait(next, v1alpha1.ReasonPhaseAdded, fmt.Sprintf("the rollout gained phase %s", in.Plan.Phases[next].Name))
	}
	phase := in.Plan.Phases[next]
	record := unpassed(in.Status.Phases, phase.Name)
	switch {
	case record == nil:
	case record.RolledBackAt != nil && !in.begins(phase.Name):
		return in.stayOut(phase, *record)
	}
	if in.Status.State != v1alpha1.SiteWaiting {
		return in.wait(next, v1alpha1.ReasonPhaseAdded, fmt.Sprintf("the phases of the rollout changed: phase %s comes next", phase.Name))
	}
	return in.enter(next)
}

// unpassed returns the record of a phase that was started and not passed, or nil.
func unpassed(records []v1alpha1.PhaseRecord, phase string) *v1alpha1.PhaseRecord {
	if record := plan.RecordOf(records, phase); record != nil && record.PassedAt == nil {
		return record
	}
	return nil
}

func (in Input) join(next int) Step {
	step := in.wait(next, v1alpha1.ReasonCreated, "the site joined the rollout")
	if next == len(in.Plan.Phases) {
		step.Phase = ""
	}
	return step
}

// wait moves a site in front of a phase and records why.
func (in Input) wait(next int, reason, message string) Step {
	step := Step{State: v1alpha1.SiteWaiting, Reason: reason, Message: message}
	if next < len(in.Plan.Phases) {
		step.Phase = in.Plan.Phases[next].Name
	}
	step.Change = &Change{Reason: reason, Message: message, Phase: step.Phase}
	return step
}

// describe puts what decided a verdict into one sentence.
func describe(o opinion) string { return joined(o.Because()) }

func joined(sentences []string) string {
	const told = 3
	if len(sentences) > told {
		sentences = append(slices.Clone(sentences[:told]), fmt.Sprintf("and %d more", len(sentences)-told))
	}
	return strings.Join(sentences, "; ")
}

// nextSample returns the earliest time at which a KPI of the gate is measured again, zero when none is known.
func nextSample(o opinion) time.Time {
	var next time.Time
	for _, c := range o.Undecided() {
		next = earlier(next, c.NextSample)
	}
	return next
}

// earlier returns the earlier of two times, of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
