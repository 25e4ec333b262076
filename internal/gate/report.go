package gate

import (
	"time"

	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// span writes a length of time the way people write it in a spec: 4w, 1d12h.
func span(d time.Duration) string { return model.Duration(d).String() }

// Report writes a judgement down the way a status keeps it.
func (j Judgement) Report(g Gate, role v1alpha1.GateRole) *v1alpha1.GateReport {
	report := &v1alpha1.GateReport{Name: g.Name, Role: role, Generation: g.Generation, Verdict: j.Verdict}
	for _, c := range j.Criteria {
		r := v1alpha1.CriterionReport{
			Name:        c.Criterion.Name,
			KPI:         c.Criterion.KPI.Name,
			KPIRevision: c.Criterion.KPI.Revision,
			Verdict:     c.Verdict,
			Reason:      c.Reason,
			Message:     v1alpha1.Clip(c.Message, v1alpha1.MaxMessage),
			Threshold:   c.Criterion.Comparison.String(),
			MetSince:    statusTime(c.Hold.MetSince),
		}
		if c.Sample != nil {
			r.Value = v1alpha1.FormatDecimal(c.Sample.Value)
		}
		r.SampleTime = statusTime(c.Hold.SeenThrough)
		report.Criteria = append(report.Criteria, r)
	}
	return report
}

// Evidence returns the values that made a gate pass.
func (j Judgement) Evidence() []v1alpha1.Evidence {
	var evidence []v1alpha1.Evidence
	for _, c := range j.Criteria {
		if c.Verdict != v1alpha1.VerdictPass || c.Sample == nil {
			continue
		}
		evidence = append(evidence, v1alpha1.Evidence{
			Criterion:  c.Criterion.Name,
			KPI:        c.Criterion.KPI.Name,
			Value:      v1alpha1.FormatDecimal(c.Sample.Value),
			Threshold:  c.Criterion.Comparison.String(),
			SampleTime: metav1.NewTime(c.Sample.Time),
			MetSince:   metav1.NewTime(c.Hold.MetSince),
		})
	}
	return evidence
}

func statusTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	stamp := metav1.NewTime(t)
	return &stamp
}
