package advance

import (
	"fmt"
	"strings"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/decide"
	"github.com/crmops/rollout-operator/internal/gate"
)

// opinion is the judgement on a gate together with what people have decided about it. Its verdict is Wait while approvals are missing, and Pass when the gate is waived.
type opinion struct {
	gate.Judgement
	// approvals that the gate needs.
	approvals decide.Approvals
	// unsigned is true when the gate waits for nothing but approvals.
	unsigned bool
	// waiver is the decision by which the gate counts as passed; nil when there is none.
	waiver *v1alpha1.RolloutDecision
}

// deciders are the people on whose decisions the gate passes.
func (o opinion) deciders() []v1alpha1.Decider {
	if o.waiver != nil {
		return []v1alpha1.Decider{decide.Decider(o.waiver)}
	}
	return o.approvals.Deciders
}

// judge asks the gate package and people, and notes the answers in the step.
func (in Input) judge(step *Step, g gate.Gate, at Stand, notBefore time.Time) opinion {
	at.Gate, at.SiteID = g.Name, in.SiteID
	question := gate.Question{Gate: g, Facts: in.facts(notBefore)}
	if in.Holds.At == at {
		question.Holds = in.Holds.Criteria
	}
	judged := opinion{Judgement: gate.Judge(question)}
	step.Gate = judged.Report(g, at.Role)
	step.Gate.SiteID = in.SiteID
	step.Holds = Holds{At: at, Criteria: judged.Holds()}
	step.Awaits = g.KPIs()
	if len(g.Approvals) > 0 && !at.Failed {
		in.approve(step, g, at, &judged)
	}
	if judged.waiver = in.people(at.Phase, step.Gate).First(in.Decisions, v1alpha1.DecisionWaive); judged.waiver != nil {
		judged.Verdict = v1alpha1.VerdictPass
	}
	return judged
}

// facts are what a gate is judged by.
func (in Input) facts(notBefore time.Time) gate.Facts {
	return gate.Facts{Evidence: in.Evidence, Baseline: in.baseline, Peer: in.Peer, SiteID: in.SiteID, NotBefore: notBefore, Now: in.Now}
}

// people is the site as decisions see it, at a gate of a phase that has just been judged, or at none. The status may still tell of another phase, which the plan has lost or put behind
// this one since: who decided about that has not decided about this.
func (in Input) people(phase string, g *v1alpha1.GateReport) decide.Site {
	status := in.Status
	status.CurrentPhase = phase
	return decide.Site{Rollout: in.Rollout, Name: in.Site, Wave: in.Wave, JoinedAt: in.JoinedAt, Status: status, Gate: g, Policy: in.Policy, Now: in.Now}
}

// approve asks who has approved the gate. Criteria that pass, or a gate without any that decides, then wait for those who have not.
func (in Input) approve(step *Step, g gate.Gate, at Stand, judged *opinion) {
	report := step.Gate
	if len(judged.Parts) == 0 {
		judged.Verdict = v1alpha1.VerdictPass
	}
	report.FourEyes, report.Verdict = g.FourEyes, judged.Verdict
	known := in.known(g, at.Phase, at.Role)
	if known != nil {
		report.Setbacks, report.Approvals = known.Setbacks, known.Approvals
	}
	if judged.Verdict == v1alpha1.VerdictFail && (known == nil || known.Verdict != v1alpha1.VerdictFail) {
		report.Setbacks++
	}
	report.Digest = decide.Digest(decide.Stand{Rollout: in.Rollout, Site: in.Site, Phase: at.Phase, Attempt: in.attempt(at.Phase), Revision: in.revision(at)}, report)
	site := in.people(at.Phase, report)
	if judged.Verdict == v1alpha1.VerdictFail {
		site.Failing = joined(judged.Because())
	}
	judged.approvals = site.Approvals(needs(g), in.Decisions)
	report.Approvals = judged.approvals.Reports
	if len(judged.approvals.Missing) > 0 && judged.Verdict == v1alpha1.VerdictPass {
		judged.Verdict, report.Verdict = v1alpha1.VerdictWait, v1alpha1.VerdictWait
		judged.unsigned = true
		judged.Parts = append(judged.Parts, gate.Part{Verdict: v1alpha1.VerdictWait, Because: in.ask(judged.approvals.Missing, at, report), Recovering: true})
	}
	step.WakeAt = earlier(step.WakeAt, judged.approvals.Expires)
}

func needs(g gate.Gate) []decide.Role {
	roles := make([]decide.Role, 0, len(g.Approvals))
	for _, a := range g.Approvals {
		roles = append(roles, decide.Role{Name: a.Role, Count: a.Count})
	}
	return roles
}

// known returns what the status remembers of a gate that the site stood at before; nil when it stood at another one, or in another phase.
func (in Input) known(g gate.Gate, phase string, role v1alpha1.GateRole) *v1alpha1.GateReport {
	if before := in.Status.Gate; before != nil && before.Name == g.Name && before.Role == role && in.Status.CurrentPhase == phase {
		return before
	}
	return nil
}

// unjudged keeps what is known of the approvals of a gate that cannot be judged now; nil when nothing is.
func (in Input) unjudged(g *gate.Gate, phase string, role v1alpha1.GateRole) *v1alpha1.GateReport {
	if g == nil {
		return nil
	}
	before := in.known(*g, phase, role)
	if before == nil || len(before.Approvals) == 0 {
		return nil
	}
	return &v1alpha1.GateReport{Name: before.Name, Role: before.Role, Generation: before.Generation, SiteID: before.SiteID, Verdict: v1alpha1.VerdictWait,
		Setbacks: before.Setbacks, Approvals: before.Approvals, FourEyes: before.FourEyes}
}

// attempt returns the attempt at a phase that decisions name: the latest, 0 in front of the first one.
func (in Input) attempt(phase string) int32 {
	for _, r := range in.Status.Phases {
		if r.Name == phase {
			return r.Attempt
		}
	}
	return 0
}

// revision returns the plan that the attempt at an exit gate is judged by. In front of a phase it is not told: an edit of the plan that leaves the entry gate as it is must not make an
// approval void.
func (in Input) revision(at Stand) string {
	if record := unpassed(in.Status.Phases, at.Phase); record != nil && at.Role == v1alpha1.GateRoleExit {
		return record.Revision
	}
	return ""
}

// ask says who is missing and what they have to create.
func (in Input) ask(missing []decide.Role, at Stand, report *v1alpha1.GateReport) string {
	var roles []string
	for _, m := range missing {
		roles = append(roles, fmt.Sprintf("%d in role %s", m.Count, m.Name))
	}
	sentence := fmt.Sprintf("approvals are missing: %s. To approve, create a RolloutDecision with action Approve, rollout %s, site %s, phase %s, attempt %d, gate %s, gateDigest %s, the role, a reason, and decidedBy with your user name",
		strings.Join(roles, ", "), in.Rollout, in.Site, at.Phase, in.attempt(at.Phase), report.Name, report.Digest)
	if in.Policy.Problem != "" {
		sentence += "; " + in.Policy.Problem
	}
	return sentence
}
