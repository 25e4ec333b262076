package sequence

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// coverage counts what random rollouts came to.
type coverage struct {
	// counts by group and what was counted.
	counts map[string]map[string]int
	// figures are sums over all rollouts.
	figures map[string]int
}

func newCoverage() *coverage {
	return &coverage{counts: map[string]map[string]int{}, figures: map[string]int{}}
}

func (c *coverage) count(group, what string) {
	if c.counts[group] == nil {
		c.counts[group] = map[string]int{}
	}
	c.counts[group][what]++
}

// The groups.
const (
	groupTransitions = "transitions, by reason"
	groupSteps       = "transitions, from and to"
	groupStanding    = "reasons for which sites stand where they stand"
	groupCriteria    = "reasons of criteria"
	groupProgress    = "reasons of the rollout's progress"
	groupReady       = "reasons of the rollout's readiness"
	groupWaves       = "states of waves"
	groupEndings     = "how sites ended"
	groupRollouts    = "how rollouts ended"
	groupSites       = "sites of a rollout"
	groupTrouble     = "what went wrong"
	groupDecisions   = "what became of decisions"
	groupDecided     = "transitions that rest on decisions, by reason and action"
	groupApprovals   = "approvals that were looked at"
)

// change counts what a write tells.
func (c *coverage) change(ch change) {
	switch o := ch.now.(type) {
	case *v1alpha1.SiteRollout:
		var was v1alpha1.SiteRolloutStatus
		if ch.old != nil {
			was = ch.old.(*v1alpha1.SiteRollout).Status
		}
		c.site(was, o.Status)
	case *v1alpha1.RolloutDecision:
		if because := effect(o); ch.old == nil || because != effect(ch.old.(*v1alpha1.RolloutDecision)) {
			c.count(groupDecisions, because)
		}
	case *v1alpha1.CRMRollout:
		for _, condition := range o.Status.Conditions {
			switch condition.Type {
			case v1alpha1.ConditionProgressing:
				c.count(groupProgress, condition.Reason)
			case v1alpha1.ConditionReady:
				c.count(groupReady, condition.Reason)
			}
		}
		for _, w := range o.Status.Waves {
			c.count(groupWaves, string(w.State))
		}
	}
}

func (c *coverage) site(was, is v1alpha1.SiteRolloutStatus) {
	last := int64(0)
	if n := len(was.Transitions); n > 0 {
		last = was.Transitions[n-1].Sequence
	}
	for _, t := range is.Transitions {
		if t.Sequence > last {
			c.count(groupTransitions, t.Reason)
			c.count(groupSteps, fmt.Sprintf("%s to %s", t.From, t.To))
			for _, by := range t.Deciders {
				c.count(groupDecided, fmt.Sprintf("%s by %s", t.Reason, by.Action))
			}
		}
	}
	if was.Reason != is.Reason {
		c.count(groupStanding, is.Reason)
	}
	if is.Gate != nil {
		for _, criterion := range is.Gate.Criteria {
			c.count(groupCriteria, criterion.Reason)
		}
		c.approvals(was.Gate, is.Gate)
	}
}

// approvals counts those of which a write tells something new.
func (c *coverage) approvals(was, is *v1alpha1.GateReport) {
	known := map[string]string{}
	if was != nil {
		for _, report := range was.Approvals {
			for _, g := range report.Given {
				known[report.Role+g.Decision] = cmp.Or(g.Reason, v1alpha1.ReasonCounted)
			}
		}
	}
	for _, report := range is.Approvals {
		for _, g := range report.Given {
			if because := cmp.Or(g.Reason, v1alpha1.ReasonCounted); known[report.Role+g.Decision] != because {
				c.count(groupApprovals, because)
			}
		}
	}
}

// end counts where a rollout ended.
func (c *coverage) end(s *sim) {
	c.figures["rollouts"]++
	c.figures["steps"] += s.steps
	c.figures["writes of the operator"] += s.writes
	c.figures["writes that were judged"] += s.judge.judged
	c.figures["invariants that were checked"] += s.judge.judged * len(invariants)
	c.figures["measurements"] += len(s.source.log)
	c.counts[groupTrouble] = merged(c.counts[groupTrouble], conflicting, s.api.conflicts)
	for what, times := range s.chaos.happened {
		c.counts[groupTrouble] = merged(c.counts[groupTrouble], what, times)
	}
	all := all[*v1alpha1.SiteRollout](s.api)
	c.figures["sites"] += len(all)
	c.count(groupSites, tens(len(all)))
	states := map[v1alpha1.SiteState]int{}
	for _, sr := range all {
		states[sr.Status.State]++
		c.count(groupEndings, string(sr.Status.State))
	}
	switch {
	case len(all) == 0:
		c.count(groupRollouts, "without sites")
	case states[v1alpha1.SiteCompleted] == len(all):
		c.count(groupRollouts, "all sites completed")
	case states[v1alpha1.SiteCompleted] > 0:
		c.count(groupRollouts, "some sites completed")
	default:
		c.count(groupRollouts, "no site completed")
	}
}

func merged(counts map[string]int, what string, times int) map[string]int {
	if counts == nil {
		counts = map[string]int{}
	}
	counts[what] += times
	return counts
}

func tens(n int) string {
	switch {
	case n <= 5:
		return " 0 to  5"
	case n <= 20:
		return " 6 to 20"
	}
	return "21 to 50"
}

// String is a table of everything that was counted.
func (c *coverage) String() string {
	var text strings.Builder
	for _, figure := range slices.Sorted(maps.Keys(c.figures)) {
		fmt.Fprintf(&text, "%10d  %s\n", c.figures[figure], figure)
	}
	for _, group := range slices.Sorted(maps.Keys(c.counts)) {
		fmt.Fprintf(&text, "%s\n", group)
		for _, what := range slices.Sorted(maps.Keys(c.counts[group])) {
			fmt.Fprintf(&text, "%10d  %s\n", c.counts[group][what], what)
		}
	}
	return text.String()
}

// reached is what random rollouts must come to.
var reached = map[string][]string{
	groupTransitions: {
		v1alpha1.ReasonCreated, v1alpha1.ReasonPhaseStarted, v1alpha1.ReasonPhasePassed, v1alpha1.ReasonExitGateFailed, v1alpha1.ReasonRecovered,
		v1alpha1.ReasonGuardrailBroken, v1alpha1.ReasonAttemptStarted, v1alpha1.ReasonPhaseAdded, v1alpha1.ReasonDeadlineExceeded, v1alpha1.ReasonRejected,
		v1alpha1.ReasonRolledBack, v1alpha1.ReasonRetried, v1alpha1.ReasonPhaseWaived, v1alpha1.ReasonPhaseSkipped, v1alpha1.ReasonRegressed, v1alpha1.ReasonPhaseReopened,
	},
	groupStanding: {
		v1alpha1.ReasonWaitingForWave, v1alpha1.ReasonWaitingForSlot, v1alpha1.ReasonThroughReached, v1alpha1.ReasonSuspended, v1alpha1.ReasonSiteNotFound,
		v1alpha1.ReasonNotInWave, v1alpha1.ReasonEntryGateFailed, v1alpha1.ReasonEntryGateWaiting, v1alpha1.ReasonSoaking, v1alpha1.ReasonExitGateWaiting,
		v1alpha1.ReasonBaselineMissing, v1alpha1.ReasonPlanInvalid, v1alpha1.ReasonAllPhasesPassed,
		v1alpha1.ReasonWaitingForCalendar, v1alpha1.ReasonWaitingForApproval, v1alpha1.ReasonWaitingForRanking, v1alpha1.ReasonTooManyFailures, v1alpha1.ReasonAborted,
	},
	groupDecisions: {
		v1alpha1.ReasonApplied, v1alpha1.ReasonCounted, v1alpha1.ReasonPending, v1alpha1.ReasonNotNeeded, v1alpha1.ReasonOtherAttempt, v1alpha1.ReasonExpired,
		v1alpha1.ReasonOtherEvidence, v1alpha1.ReasonCountedAlready, v1alpha1.ReasonPolicyMissing, v1alpha1.ReasonVoid,
	},
	groupDecided: {
		"AttemptStarted by Recapture", "AttemptStarted by Retry", "PhasePassed by Approve", "PhaseSkipped by Skip", "PhaseStarted by Approve", "PhaseStarted by Waive", "PhaseWaived by Waive",
		"Rejected by Reject", "Retried by Retry", "RolledBack by RollBack",
	},
	groupApprovals: {v1alpha1.ReasonCounted, v1alpha1.ReasonOtherEvidence, v1alpha1.ReasonVoid, v1alpha1.ReasonExpired},
	groupCriteria: {
		v1alpha1.ReasonMet, v1alpha1.ReasonHolding, v1alpha1.ReasonNotMet, v1alpha1.ReasonSampleMissing, v1alpha1.ReasonNotANumber,
		v1alpha1.ReasonSourceFailed, v1alpha1.ReasonNoBaseline, v1alpha1.ReasonKept, v1alpha1.ReasonBreaking, v1alpha1.ReasonBroken, v1alpha1.ReasonEvidenceTooEarly,
	},
	groupProgress: {
		v1alpha1.ReasonSitesMoving, v1alpha1.ReasonSitesHeld, v1alpha1.ReasonSitesWaiting, v1alpha1.ReasonNoSites, v1alpha1.ReasonAllPhasesPassed,
		v1alpha1.ReasonSuspended, v1alpha1.ReasonThroughReached, v1alpha1.ReasonPlanInvalid, v1alpha1.ReasonAborted, v1alpha1.ReasonWaitingForCalendar, v1alpha1.ReasonWaitingForRanking,
	},
	groupWaves:    {string(v1alpha1.WaveClosed), string(v1alpha1.WaveOpen), string(v1alpha1.WaveCompleted)},
	groupRollouts: {"all sites completed", "some sites completed", "no site completed"},
	groupSites:    {tens(1), tens(6), tens(21)},
	groupTrouble:  {crashedBefore, crashedAfter, restartedAtOnce, refusedWrite, lostAnswer, stuckCache, conflicting, otherClock},
}

// missing names what no rollout came to.
func (c *coverage) missing() []string {
	var missing []string
	for group, wanted := range reached {
		for _, what := range wanted {
			if c.counts[group][what] == 0 {
				missing = append(missing, group+": "+what)
			}
		}
	}
	slices.Sort(missing)
	return missing
}

func compact(v any) string {
	text, err := json.Marshal(v)
	must(err)
	return string(text)
}
