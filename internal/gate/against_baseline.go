package gate

import (
	"fmt"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// AgainstBaseline compares a value with the site's own value from before the change: value - baseline, or (value - baseline) / |baseline| in percent.
type AgainstBaseline struct {
	// Phase that declares the baseline.
	Phase string
	// Revision of the KPI over the window of the baseline. A baseline of another one measured something else.
	Revision string
}

func (a AgainstBaseline) missing(c Criterion, f Facts) (reason, message string) {
	_, _, reason, message = a.baseline(c, f)
	return reason, message
}

// baseline returns the baseline and its value, or why there is none that counts.
func (a AgainstBaseline) baseline(c Criterion, f Facts) (taken *v1alpha1.Baseline, value float64, reason, message string) {
	taken = f.Baseline(a.Phase, c.KPI.Name)
	switch {
	case taken == nil:
		return nil, 0, v1alpha1.ReasonNoBaseline, fmt.Sprintf("there is no baseline of %s: phase %s did not declare it when the site began that phase", c.KPI.Name, a.Phase)
	case taken.KPIRevision != a.Revision:
		return nil, 0, v1alpha1.ReasonNoBaseline, fmt.Sprintf("the baseline of %s from %s is of no use: the KPI measures something else now", c.KPI.Name, clockTime(taken.WindowEnd.Time))
	case taken.SiteID != f.SiteID:
		return nil, 0, v1alpha1.ReasonNoBaseline, fmt.Sprintf("the baseline of %s from %s was measured under siteID %q, which is not the site's any more", c.KPI.Name, clockTime(taken.WindowEnd.Time), taken.SiteID)
	}
	value, err := taken.Value.Float()
	if taken.Samples < c.MinSamples {
		return nil, 0, v1alpha1.ReasonTooFewSamples, "the baseline: " + fewSamples(c.KPI.Name, Sample{Samples: taken.Samples, Time: taken.WindowEnd.Time}, c.MinSamples)
	}
	if err != nil {
		return nil, 0, v1alpha1.ReasonNoBaseline, fmt.Sprintf("the baseline of %s cannot be read: %v", c.KPI.Name, err)
	}
	return taken, value, "", ""
}

// usable leaves out values whose window reaches back to before the end of the baseline's: a value must not be compared with a part of itself.
func (a AgainstBaseline) usable(c Criterion, samples []Sample, f Facts) []Sample {
	taken := f.Baseline(a.Phase, c.KPI.Name)
	if taken == nil {
		return nil
	}
	for i, s := range samples {
		if start := s.Time.Add(-c.KPI.Window); !start.Before(taken.WindowEnd.Time) {
			return samples[i:]
		}
	}
	return nil
}

func (a AgainstBaseline) compare(c Criterion, s Sample, f Facts) Compared {
	_, baseline, reason, message := a.baseline(c, f)
	if reason != "" {
		return unclear(reason, "%s", message)
	}
	compared := c.against(s, baseline)
	compared.Subject = fmt.Sprintf("%s is %s, %s from its baseline of %s", c.KPI.Name, c.plain(s.Value), c.change(compared.Number), c.plain(baseline))
	return compared
}

func (a AgainstBaseline) words(threshold string) string {
	return fmt.Sprintf("%s from the baseline of phase %s", threshold, a.Phase)
}
