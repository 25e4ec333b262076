// Package gate judges acceptance gates: it turns measured values into a verdict with its reasons.
//
// The package cannot do I/O and has no clock. Whoever asks brings the evidence and the time, so the same question always gets the same answer,
// in a reconcile, in a test and in a replay of the past.
package gate

import (
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// KPI is what a criterion needs to know of the number that it judges.
type KPI struct {
	// Name of the KPI object.
	Name string
	// Revision identifies what is measured: this very object with this query. Values of another revision measure something else.
	Revision string
	// Unit is shown behind values; empty for none.
	Unit string
	// Interval is the time from one measurement to the next.
	Interval time.Duration
	// Window is the stretch of time that one value speaks about; zero for an instant.
	Window time.Duration
	// StaleAfter is the age at which a value no longer counts, and the longest gap that a hold survives.
	StaleAfter time.Duration
}

// Criterion is one KPI compared with a threshold.
type Criterion struct {
	// Name identifies the criterion in its gate.
	Name string
	// KPI that is compared.
	KPI KPI
	// Comparison with the threshold.
	Comparison Comparison
	// For is how long the comparison must have been met without a break; zero when one good value passes.
	For time.Duration
}

// Gate is a set of criteria that must all pass.
type Gate struct {
	// Name of the AcceptanceGate object.
	Name string
	// Generation of the AcceptanceGate object.
	Generation int64
	// Criteria in the order of the object.
	Criteria []Criterion
}

// Hold is how far a criterion has been proved: a run of good values without a break.
type Hold struct {
	// Of identifies what was proved. A hold does not outlive a change of it.
	Of Proof
	// MetSince is the time of the first value of the run; zero when the criterion is not met.
	MetSince time.Time
	// SeenThrough is the time of the latest value that has been looked at; zero when none has.
	SeenThrough time.Time
}

// Proof identifies what a hold proves: a number compared with a threshold. Other edits of a KPI or a gate, of a description for example, leave holds alone.
type Proof struct {
	// Revision of the KPI.
	Revision string
	// Threshold in words.
	Threshold string
}

// proof returns what a hold of the criterion proves.
func (c Criterion) proof() Proof {
	return Proof{Revision: c.KPI.Revision, Threshold: c.Comparison.String()}
}

// Question is everything that a verdict depends on.
type Question struct {
	// Gate to judge.
	Gate Gate
	// Evidence returns what is known about the site's value of a KPI.
	Evidence func(kpi string) Evidence
	// Holds by criterion, as the answer to the last question left them; nil at first.
	Holds map[string]Hold
	// NotBefore is the start of the attempt: only values whose whole window lies after it count. Zero: every value counts.
	NotBefore time.Time
	// Now is the time of the question.
	Now time.Time
}

// Judgement is the answer to a Question.
type Judgement struct {
	// Verdict over all criteria: Fail when one fails, else Wait when one waits, else Pass.
	Verdict v1alpha1.Verdict
	// Criteria in the order of the gate.
	Criteria []CriterionJudgement
}

// CriterionJudgement is the answer for one criterion.
type CriterionJudgement struct {
	// Criterion that was judged.
	Criterion Criterion
	// Verdict on it.
	Verdict v1alpha1.Verdict
	// Reason is one of the criterion reasons of the API.
	Reason string
	// Message says the same for people, in one sentence.
	Message string
	// Sample is the latest value that counts; nil when there is none.
	Sample *Sample
	// Hold to bring to the next question.
	Hold Hold
	// NextSample is when the KPI is measured next; zero when it never was measured.
	NextSample time.Time
}

// Judge answers a question.
func Judge(q Question) Judgement {
	answer := Judgement{Verdict: v1alpha1.VerdictPass}
	for _, c := range q.Gate.Criteria {
		judged := judgeCriterion(c, q.Evidence(c.KPI.Name), q.Holds[c.Name], q.NotBefore, q.Now)
		answer.Criteria = append(answer.Criteria, judged)
		answer.Verdict = worse(answer.Verdict, judged.Verdict)
	}
	return answer
}

// worse returns the verdict that decides when both stand side by side: Fail before Wait before Pass.
func worse(a, b v1alpha1.Verdict) v1alpha1.Verdict {
	for _, v := range []v1alpha1.Verdict{v1alpha1.VerdictFail, v1alpha1.VerdictWait} {
		if a == v || b == v {
			return v
		}
	}
	return v1alpha1.VerdictPass
}

// Unmet returns the criteria that have not passed, in the order of the gate.
func (j Judgement) Unmet() []CriterionJudgement {
	var unmet []CriterionJudgement
	for _, c := range j.Criteria {
		if c.Verdict != v1alpha1.VerdictPass {
			unmet = append(unmet, c)
		}
	}
	return unmet
}

// Holds returns the holds to bring to the next question.
func (j Judgement) Holds() map[string]Hold {
	holds := make(map[string]Hold, len(j.Criteria))
	for _, c := range j.Criteria {
		holds[c.Criterion.Name] = c.Hold
	}
	return holds
}
