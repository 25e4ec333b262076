package siterollout

import (
	"context"
	"errors"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/advance"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// maxSteps bounds the steps of one reconcile: join, start, pass, and the reason to wait again. What is left follows in the next one.
const maxSteps = 4

// decision is what happens to a site now: the steps that change something, and where the site stands after them.
type decision struct {
	status  v1alpha1.SiteRolloutStatus
	changes []taken
	last    advance.Step
	// captured is when the values were captured that baselines could be taken from; zero when there were none.
	captured map[plan.Baseline]time.Time
}

// taken is a step that changed something, with the transition that records it.
type taken struct {
	advance.Step
	recorded v1alpha1.Transition
}

// decide takes steps until the site stays where it is. It asks the rules and does nothing itself; numbers are looked up in memory, and the sites of a control group in the cache.
// Nothing must be done when it fails.
func (r *Reconciler) decide(ctx context.Context, s snapshot) (decision, error) {
	d := decision{status: s.object.Status, captured: map[plan.Baseline]time.Time{}}
	spec := s.object.Spec
	input := advance.Input{Rollout: spec.Rollout, Site: spec.Site, Wave: spec.Wave, JoinedAt: s.object.CreationTimestamp.Time, SiteID: s.siteID,
		Revision: spec.Revision, Decisions: s.decisions, Policy: s.policy, Holds: s.holds, Now: s.now}
	input.Evidence = func(kpi gate.KPI) gate.Evidence {
		return r.Store.Evidence(s.key(kpi.Name), kpi.Revision, s.object.Spec.Site, s.siteID)
	}
	input.Peer = func(phase, site, siteID string, kpi gate.KPI) ([]gate.Sample, bool) {
		return r.peer(s, phase, site, siteID, kpi)
	}
	input.Capture = func(b plan.Baseline) (gate.Capture, bool) {
		if s.kpis[b.KPI.Name] == nil {
			return gate.Capture{Gone: true}, true
		}
		capture, found := r.Captures.Latest(s.key(b.KPI.Name), asks(b))
		d.captured[b] = capture.At
		return capture, found
	}
	var failed error
	input.Candidates = func(phase string, c plan.Controls) []string {
		names, err := r.candidates(ctx, s, phase, c)
		failed = errors.Join(failed, err)
		return names
	}
	for range maxSteps {
		input.Status = d.status
		input.Plan, input.Attempt = *s.plans.Bound(s.with(d.status)), s.plans.Attempt(d.status)
		input.Admitted, input.Block = s.admission(d.status)
		d.last = advance.Next(input)
		d.status = advance.Record(d.status, d.last, s.now)
		input.Holds = d.last.Holds
		if d.last.Change == nil {
			break
		}
		d.changes = append(d.changes, taken{Step: d.last, recorded: d.status.Transitions[len(d.status.Transitions)-1]})
	}
	return d, failed
}

// restsOnMore reports whether a decision of the rules rests on decisions of people that have had no effect before: transitions that name them, or approvals that were not counted.
func (d decision) restsOnMore(s snapshot) bool {
	for _, step := range d.changes {
		if len(step.Change.Deciders) > 0 {
			return true
		}
	}
	return counted(d.status.Gate) > counted(s.object.Status.Gate)
}

// counted counts the approvals that count at a gate.
func counted(gate *v1alpha1.GateReport) int {
	count := 0
	if gate == nil {
		return count
	}
	for _, role := range gate.Approvals {
		for _, given := range role.Given {
			if given.Reason == "" {
				count++
			}
		}
	}
	return count
}

// decideAnew asks whether the policy is there now that the decisions of people are known, and decides again when it is not what it was.
func (r *Reconciler) decideAnew(ctx context.Context, s snapshot, d decision) (decision, error) {
	policy, err := r.Policy.Now(ctx)
	if err != nil || policy == s.policy {
		return d, err
	}
	s.policy = policy
	return r.decide(ctx, s)
}
