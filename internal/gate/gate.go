// Package gate judges acceptance gates: it turns measured values into a verdict with its reasons.
//
// The package cannot do I/O and has no clock. Whoever asks brings the evidence and the time, so the same question always gets the same answer,
// in a reconcile, in a test and in a replay of the past.
package gate

import (
	"fmt"
	"slices"
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
	// KPI that is compared, over the window that the criterion asks for.
	KPI KPI
	// Comparison says what of the value is compared.
	Comparison Comparison
	// Threshold that it is compared with.
	Threshold Threshold
	// For is how long the comparison must have been met without a break, or a guardrail broken; zero when one value decides.
	For time.Duration
	// MinSamples is the least number of observations behind a value; zero when any number is enough.
	MinSamples int64
	// Importance says what the criterion does to the verdict of the gate. It is never empty.
	Importance v1alpha1.Importance
	// Weight in the score, with importance Weighted.
	Weight int32
	// AnyOf names the group of criteria of which one has to pass; empty for none.
	AnyOf string
}

// Reference returns the KPI that the value is compared with; nil when it is not compared with another KPI.
func (c Criterion) Reference() *KPI {
	if reference, ok := c.Comparison.(AgainstReference); ok {
		return &reference.KPI
	}
	return nil
}

// revision identifies what is measured.
func (c Criterion) revision() string {
	if reference := c.Reference(); reference != nil {
		return c.KPI.Revision + "/" + reference.Revision
	}
	return c.KPI.Revision
}

// words puts what the criterion asks for in words: "at most -10% from the baseline of phase prepare".
func (c Criterion) words() string {
	words := c.Comparison.words(c.Threshold.String())
	if c.MinSamples > 0 {
		words += fmt.Sprintf(", of %d samples or more", c.MinSamples)
	}
	return words
}

func (c Criterion) guards() bool { return c.Importance == v1alpha1.ImportanceGuardrail }

// Gate is a set of criteria.
type Gate struct {
	// Name of the AcceptanceGate object.
	Name string
	// Generation of the AcceptanceGate object.
	Generation int64
	// Criteria in the order of the object, and after them its guardrails.
	Criteria []Criterion
	// Score that the weighted criteria must reach; nil when there are none.
	Score *Score
	// Approvals are the people that the gate needs besides its criteria, at most one entry for a role. They are not judged here.
	Approvals []Approval
	// FourEyes lets a person approve in one role only.
	FourEyes bool
}

// Approval is how many people must approve in a role.
type Approval struct {
	// Role of the people.
	Role string
	// Count of them.
	Count int32
}

// Score says how many of the weighted criteria have to pass, in percent of their weight.
type Score struct {
	// Pass is the score from which the gate passes.
	Pass int32
	// Warn is the score below which it fails.
	Warn int32
}

// Guarded reports whether the gate has guardrails.
func (g Gate) Guarded() bool {
	return slices.ContainsFunc(g.Criteria, Criterion.guards)
}

// KPIs returns the names of all KPIs that the gate depends on.
func (g Gate) KPIs() map[string]bool {
	names := map[string]bool{}
	for _, c := range g.Criteria {
		names[c.KPI.Name] = true
		if reference := c.Reference(); reference != nil {
			names[reference.Name] = true
		}
	}
	return names
}

// Hold is how far a criterion has been proved: a run of good values without a break, or of bad ones for a guardrail.
type Hold struct {
	// Of identifies what was proved. A hold does not outlive a change of it.
	Of Proof
	// Since is the time of the first value of the run; zero when there is none.
	Since time.Time
	// SeenThrough is the time of the latest value that has been looked at; zero when none has.
	SeenThrough time.Time
	// Exceptions is the number of values in the run that were outside of the tolerance.
	Exceptions int32
	// Excepted are the times of the latest of them, oldest first, so that a value that is measured again is counted once.
	Excepted []time.Time
	// Recorded is true while the run is what a status says and no more: nobody has looked at those of its values that have been measured again.
	Recorded bool
}

// Proof identifies what a hold proves: a number compared with a threshold. Other edits of a KPI or a gate, of a description for example, leave holds alone.
type Proof struct {
	// Revision of the KPI, with that of the reference.
	Revision string
	// Threshold in words.
	Threshold string
	// Guardrail is true when the run is one of bad values.
	Guardrail bool
}

// proof returns what a hold of the criterion proves.
func (c Criterion) proof() Proof {
	return Proof{Revision: c.revision(), Threshold: c.words(), Guardrail: c.guards()}
}

// CrossSection is what all sites' values of a KPI were at one time.
type CrossSection struct {
	// Values by the name of the site, finite ones only.
	Values map[string]Sample
	// IDs are the texts by which the source named the sites, by the name of the site.
	IDs map[string]string
}

// Capture is what baselines are taken from.
type Capture struct {
	// At is the end of the window of the values.
	At time.Time
	// TakenAt is when they were there.
	TakenAt time.Time
	// Failed is true when the source did not answer, as a whole or for a site.
	Failed bool
	// Gone is true when the KPI does not exist any more. Nothing will be captured until it is created again.
	Gone bool
	// Current are the values of the window that ends at At.
	Current CrossSection
	// Earlier are the values of the window that ended before that by the pre-trend of the baseline; empty when none was asked for.
	Earlier CrossSection
}

// Facts are what a verdict depends on besides the gate.
type Facts struct {
	// Evidence returns what is known about the site's own value of a KPI.
	Evidence func(kpi KPI) Evidence
	// Baseline returns what was frozen when the site began a phase; nil when nothing was.
	Baseline func(phase, kpi string) *v1alpha1.Baseline
	// Peer returns the values of another site under the siteID that it had, oldest first, and whether it is still one that has not begun a phase.
	Peer func(phase, site, siteID string, kpi KPI) (samples []Sample, unchanged bool)
	// SiteID is the text by which metric sources name the site.
	SiteID string
	// NotBefore is the start of the attempt: only values whose whole window lies after it count. Zero: every value counts.
	NotBefore time.Time
	// Now is the time of the question.
	Now time.Time
}

// Question is everything that a verdict depends on.
type Question struct {
	// Gate to judge.
	Gate Gate
	// Facts to judge by.
	Facts Facts
	// Holds by criterion, as the answer to the last question left them; nil at first.
	Holds map[string]Hold
}

// Judgement is the answer to a Question.
type Judgement struct {
	// Verdict over all parts: Fail when one fails, else Wait when one waits, else Pass.
	Verdict v1alpha1.Verdict
	// Parts that decide: required criteria, groups, the score, guardrails.
	Parts []Part
	// Score of the weighted criteria in percent; nil when there are none.
	Score *int32
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
	// Compared is that value after it was compared; its Finding is Unclear when there is none.
	Compared Compared
	// Hold to bring to the next question.
	Hold Hold
	// NextSample is when the KPI is measured next; zero when it never was measured.
	NextSample time.Time
}

// Judge answers a question.
func Judge(q Question) Judgement {
	var answer Judgement
	for _, c := range q.Gate.Criteria {
		answer.Criteria = append(answer.Criteria, judgeCriterion(c, q.Holds[c.Name], q.Facts))
	}
	return answer.decide(q.Gate)
}

// Holds returns the holds to bring to the next question.
func (j Judgement) Holds() map[string]Hold {
	holds := make(map[string]Hold, len(j.Criteria))
	for _, c := range j.Criteria {
		holds[c.Criterion.Name] = c.Hold
	}
	return holds
}

// Undecided returns the criteria that have not passed, in the order of the gate.
func (j Judgement) Undecided() []CriterionJudgement {
	var undecided []CriterionJudgement
	for _, c := range j.Criteria {
		if c.Verdict != v1alpha1.VerdictPass {
			undecided = append(undecided, c)
		}
	}
	return undecided
}
