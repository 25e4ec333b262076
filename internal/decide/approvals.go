package decide

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Role is how many people must approve in a role, or are missing.
type Role struct {
	// Name of the role.
	Name string
	// Count of people.
	Count int32
}

// Approvals is how far a gate is approved.
type Approvals struct {
	// Reports are what a status keeps of it: what was looked at stays as it was found.
	Reports []v1alpha1.ApprovalReport
	// Missing are the roles in which people are missing, in the order of the gate.
	Missing []Role
	// Deciders are the people whose approvals count.
	Deciders []v1alpha1.Decider
	// Expires is when the first of these approvals ends to count; zero for never.
	Expires time.Time
}

const (
	// maxGiven repeats the MaxItems marker of the approvals that are kept of a role.
	maxGiven = 16
	// maxLost is how many approvals that do not count are written down of a role. No more than eight people are ever needed in one.
	maxLost = 8
	// maxWhy repeats the MaxLength marker of the message of an approval.
	maxWhy = 256
)

// Approvals looks at the approvals that the gate needs. The gate is the site's, freshly judged, with the approvals that were looked at before.
func (s Site) Approvals(needs []Role, decisions []*v1alpha1.RolloutDecision) Approvals {
	gate := *s.Gate
	gate.Approvals = carried(needs, s.Gate.Approvals)
	s.Gate = &gate
	byName := make(map[string]*v1alpha1.RolloutDecision, len(decisions))
	for _, d := range decisions {
		byName[d.Name] = d
	}
	for i := range gate.Approvals {
		for j := range gate.Approvals[i].Given {
			s.review(&gate.Approvals[i].Given[j], byName)
		}
	}
	for _, d := range decisions {
		if d.Spec.Action != v1alpha1.DecisionApprove || !s.concerned(d) {
			continue
		}
		if fate := s.look(d); fate.unseen {
			s.write(s.role(d.Spec.Role), d, fate)
		}
	}
	return s.sum(needs, byName)
}

// carried brings what was looked at into the roles that the gate needs now.
func carried(needs []Role, before []v1alpha1.ApprovalReport) []v1alpha1.ApprovalReport {
	reports := make([]v1alpha1.ApprovalReport, 0, len(needs))
	for _, need := range needs {
		report := v1alpha1.ApprovalReport{Role: need.Name, Needed: need.Count}
		for _, known := range before {
			if known.Role == need.Name {
				report.Given = slices.Clone(known.Given)
			}
		}
		reports = append(reports, report)
	}
	return reports
}

// review ends an approval that counted until now and must not any longer.
func (s Site) review(given *v1alpha1.GivenApproval, decisions map[string]*v1alpha1.RolloutDecision) {
	if given.Reason != "" {
		return
	}
	d := decisions[given.Decision]
	end := func(reason, message string) {
		given.Reason, given.Message = reason, v1alpha1.Clip(message, maxWhy)
	}
	switch {
	case d == nil || !gave(*given, d):
		end(v1alpha1.ReasonVoid, "its RolloutDecision was deleted")
	case d.Spec.ExpiresAt != nil && !s.Now.Before(d.Spec.ExpiresAt.Time):
		end(v1alpha1.ReasonExpired, "it expired at "+clockTime(d.Spec.ExpiresAt.Time))
	case asked(given.Digest) != asked(s.Gate.Digest):
		end(v1alpha1.ReasonVoid, "the gate asks for something else since then; approve with its new digest")
	case s.Gate.Verdict == v1alpha1.VerdictFail:
		end(v1alpha1.ReasonVoid, "failing evidence came after it: "+s.Failing)
	}
}

// gave reports whether an approval that is written down is this decision, and not another one that was made under the same name later.
func gave(given v1alpha1.GivenApproval, d *v1alpha1.RolloutDecision) bool {
	return given.Decision == d.Name && given.By == d.Spec.DecidedBy && given.Digest == d.Spec.GateDigest
}

// write writes down what was found of an approval. When there are too many that do not count, no more of them are kept, and the oldest go for one that does.
func (s Site) write(report *v1alpha1.ApprovalReport, d *v1alpha1.RolloutDecision, fate Fate) {
	given := v1alpha1.GivenApproval{Decision: d.Name, By: d.Spec.DecidedBy, SeenAt: metav1.NewTime(s.Now), Digest: d.Spec.GateDigest}
	if !fate.Counts {
		given.Reason, given.Message = fate.Reason, v1alpha1.Clip(fate.Message, maxWhy)
	}
	if !fate.Counts && full(report) {
		return
	}
	report.Given = slices.DeleteFunc(report.Given, func(g v1alpha1.GivenApproval) bool { return g.Decision == d.Name })
	if len(report.Given) == maxGiven {
		oldest := slices.IndexFunc(report.Given, func(g v1alpha1.GivenApproval) bool { return g.Reason != "" })
		report.Given = slices.Delete(report.Given, oldest, oldest+1)
	}
	report.Given = append(report.Given, given)
}

// full reports whether no more approvals that do not count are written down.
func full(report *v1alpha1.ApprovalReport) bool {
	return report == nil || len(report.Given)-int(living(*report)) >= maxLost
}

// living counts the approvals that count.
func living(report v1alpha1.ApprovalReport) int32 {
	count := int32(0)
	for _, g := range report.Given {
		if g.Reason == "" {
			count++
		}
	}
	return count
}

// sum says who is missing and whose approvals count. While the admission policy is missing, nobody's do.
func (s Site) sum(needs []Role, decisions map[string]*v1alpha1.RolloutDecision) Approvals {
	answer := Approvals{Reports: s.Gate.Approvals}
	for i, report := range answer.Reports {
		missing := needs[i].Count
		for _, g := range report.Given {
			if g.Reason != "" || s.Policy.Problem != "" || missing == 0 {
				continue
			}
			missing--
			d := decisions[g.Decision]
			answer.Deciders = append(answer.Deciders, Decider(d))
			if d.Spec.ExpiresAt != nil && (answer.Expires.IsZero() || d.Spec.ExpiresAt.Time.Before(answer.Expires)) {
				answer.Expires = d.Spec.ExpiresAt.Time
			}
		}
		if missing > 0 {
			answer.Missing = append(answer.Missing, Role{report.Role, missing})
		}
	}
	return answer
}

// role returns what is known of the approvals in a role; nil when the gate needs none.
func (s Site) role(name string) *v1alpha1.ApprovalReport {
	if s.Gate == nil {
		return nil
	}
	for i := range s.Gate.Approvals {
		if s.Gate.Approvals[i].Role == name {
			return &s.Gate.Approvals[i]
		}
	}
	return nil
}

// approval says whether an approval counts. What was found when it was first looked at stays.
func (s Site) approval(d *v1alpha1.RolloutDecision, record *v1alpha1.PhaseRecord) Fate {
	if fate := s.atGate(d); fate.Reason != "" {
		return fate
	}
	report := s.role(d.Spec.Role)
	switch ended := s.ended(record); {
	case ended != "" && s.Gate.Role == v1alpha1.GateRoleExit:
		return refused(v1alpha1.ReasonNotNeeded, "%s, so there is nothing to approve", ended)
	case report == nil && len(s.Gate.Approvals) == 0:
		return refused(v1alpha1.ReasonNotNeeded, "gate %s asks for no approvals", s.Gate.Name)
	case report == nil:
		return refused(v1alpha1.ReasonNotNeeded, "gate %s asks for no approval in role %s; it asks for %s", s.Gate.Name, d.Spec.Role, s.roles())
	}
	for _, g := range report.Given {
		switch {
		case !gave(g, d):
		case g.Reason == "":
			return Fate{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonCounted, Message: "it counts for gate " + s.Gate.Name + " since " + clockTime(g.SeenAt.Time)}
		default:
			return refused(g.Reason, "%s", g.Message)
		}
	}
	fate := s.fresh(d, *report)
	fate.unseen = fate.Counts || fate.Reason == v1alpha1.ReasonOtherEvidence || fate.Reason == v1alpha1.ReasonVoid
	return fate
}

func (s Site) roles() string {
	var names []string
	for _, report := range s.Gate.Approvals {
		names = append(names, report.Role)
	}
	return strings.Join(names, ", ")
}

// fresh judges an approval that has not been looked at.
func (s Site) fresh(d *v1alpha1.RolloutDecision, report v1alpha1.ApprovalReport) Fate {
	if s.Gate.Digest == "" {
		return pending("gate %s of site %s cannot be judged now", s.Gate.Name, s.Name)
	}
	if fate := s.repeated(d); fate.Reason != "" {
		return fate
	}
	count := living(report)
	switch {
	case d.Spec.GateDigest != s.Gate.Digest:
		return refused(v1alpha1.ReasonOtherEvidence, "it names another digest than gate %s had when it came; look at status.gate of the SiteRollout, and approve what stands there with its digest", s.Gate.Name)
	case s.Gate.Verdict == v1alpha1.VerdictFail:
		return refused(v1alpha1.ReasonVoid, "gate %s was failing when it came; approve when its criteria are met again, or waive the gate", s.Gate.Name)
	case count >= report.Needed:
		return refused(v1alpha1.ReasonNotNeeded, "%d of %d people have approved in role %s already", count, report.Needed, report.Role)
	}
	return counts("it counts for gate %s", s.Gate.Name)
}

// repeated tells of an approval by a person who has approved already; without a reason when it is the first.
func (s Site) repeated(d *v1alpha1.RolloutDecision) Fate {
	for _, report := range s.Gate.Approvals {
		for _, g := range report.Given {
			if g.Reason != "" || g.By != d.Spec.DecidedBy {
				continue
			}
			switch {
			case report.Role == d.Spec.Role:
				return refused(v1alpha1.ReasonCountedAlready, "%s has approved in role %s already, by decision %s", g.By, report.Role, g.Decision)
			case s.Gate.FourEyes:
				return refused(v1alpha1.ReasonCountedAlready, "%s has approved in role %s already, by decision %s, and gate %s lets a person count in one role only", g.By, report.Role, g.Decision, s.Gate.Name)
			}
		}
	}
	return Fate{}
}
