package gate

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// span writes a length of time the way people write it in a spec: 4w, 1d12h.
func span(d time.Duration) string { return string(v1alpha1.FormatDuration(d)) }

// Report writes a judgement down the way a status keeps it.
func (j Judgement) Report(g Gate, role v1alpha1.GateRole) *v1alpha1.GateReport {
	report := &v1alpha1.GateReport{Name: g.Name, Role: role, Generation: g.Generation, Verdict: j.Verdict, Score: j.Score}
	for _, c := range j.Criteria {
		r := v1alpha1.CriterionReport{
			Name:        c.Criterion.Name,
			AnyOf:       c.Criterion.AnyOf,
			KPI:         c.Criterion.KPI.Name,
			KPIRevision: c.Criterion.revision(),
			Verdict:     c.Verdict,
			Reason:      c.Reason,
			Message:     v1alpha1.Clip(c.Message, v1alpha1.MaxMessage),
			Figures:     c.figures(),
			SampleTime:  statusTime(c.Hold.SeenThrough),
			Exceptions:  c.Hold.Exceptions,
		}
		for _, at := range c.Hold.Excepted {
			r.ExceptionTimes = append(r.ExceptionTimes, metav1.NewTime(at))
		}
		if c.Criterion.Importance != v1alpha1.ImportanceRequired {
			r.Importance = c.Criterion.Importance
		}
		if reference := c.Criterion.Reference(); reference != nil {
			r.Reference = reference.Name
		}
		if c.Criterion.guards() {
			r.BrokenSince = statusTime(c.Hold.Since)
		} else {
			r.MetSince = statusTime(c.Hold.Since)
		}
		report.Criteria = append(report.Criteria, r)
	}
	return report
}

// WithoutNumbers returns what a criterion's report says besides the numbers that every measurement changes. Two reports that are alike without them need not be written both.
//
// The time up to which a run was looked at is such a number only while the reason says that the run goes on, because Resume concludes that by itself. Under another reason it
// may go on too: when the reference at last has the value that others waited for, and the KPI has none just then. Then Resume has nothing but that time.
func WithoutNumbers(r v1alpha1.CriterionReport) v1alpha1.CriterionReport {
	r.Figures = v1alpha1.Figures{Threshold: r.Threshold, Window: r.Window}
	r.Message = ""
	if noRun := r.MetSince == nil && r.BrokenSince == nil; noRun || runs(r.Reason) {
		r.SampleTime = nil
	}
	return r
}

// Evidence returns what made a gate pass: the values of the criteria and guardrails that decide and passed.
func (j Judgement) Evidence() []v1alpha1.Evidence {
	var evidence []v1alpha1.Evidence
	for _, c := range j.Criteria {
		if c.Verdict != v1alpha1.VerdictPass || c.Sample == nil || c.Criterion.Importance == v1alpha1.ImportanceAdvisory {
			continue
		}
		e := v1alpha1.Evidence{
			Criterion:  c.Criterion.Name,
			KPI:        c.Criterion.KPI.Name,
			Figures:    c.figures(),
			SampleTime: metav1.NewTime(c.Sample.Time),
			Exceptions: c.Hold.Exceptions,
		}
		if !c.Criterion.guards() {
			e.MetSince = statusTime(c.Hold.Since)
		}
		evidence = append(evidence, e)
	}
	return evidence
}

// figures are the numbers behind the verdict.
func (c CriterionJudgement) figures() v1alpha1.Figures {
	figures := v1alpha1.Figures{Threshold: v1alpha1.Clip(c.Criterion.words(), maxThreshold), Window: v1alpha1.FormatDuration(c.Criterion.KPI.Window)}
	if c.Sample == nil {
		return figures
	}
	figures.Value, figures.Samples = v1alpha1.FormatDecimal(c.Sample.Value), c.Sample.Samples
	compared, percent := c.Compared, c.Criterion.Threshold.Percent()
	if compared.Finding == Unclear && compared.Interval == nil {
		return figures
	}
	figures.Margin = v1alpha1.FormatChange(c.Criterion.Threshold.Margin(compared.Number), percent)
	if compared.With != nil {
		figures.ComparedWith, figures.Change = v1alpha1.FormatDecimal(*compared.With), v1alpha1.FormatChange(compared.Number, percent)
	}
	if compared.Interval != nil {
		figures.Low, figures.High = v1alpha1.FormatChange(compared.Interval.Low, percent), v1alpha1.FormatChange(compared.Interval.High, percent)
		figures.Controls = int32(compared.Controls)
	}
	return figures
}

// maxThreshold repeats the MaxLength marker of a report's threshold.
const maxThreshold = 256

func statusTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	stamp := metav1.NewTime(t)
	return &stamp
}
