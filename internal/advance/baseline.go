package advance

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

// The values that a baseline is taken from may have been there for as long as the KPI's interval when the phase starts, and for no longer than freshCapture; shortInterval is added for
// KPIs that are measured every few seconds. All sites that start within that time share a measurement.
const (
	freshCapture  = 5 * time.Minute
	shortInterval = 10 * time.Second
)

// baselines takes baselines of a phase, over windows that end now, just before an attempt starts. When one is missing, the step says so, and asks for what has to be measured.
func (in Input) baselines(step *Step, phase string, wanted []plan.Baseline) (taken []v1alpha1.Baseline, missing bool) {
	var asks []plan.Baseline
	var problems []string
	waits := false
	for _, b := range wanted {
		step.await(b)
		capture, found := in.Capture(b)
		problem := in.lacks(b, capture)
		switch {
		case capture.Gone: // whoever creates it again has the site looked at
			waits = true
		case !found || !in.fresh(b, capture):
			asks = append(asks, b)
			if !found || problem == "" {
				problem = b.KPI.Name + " is being measured"
			}
		case problem != "":
			waits = true
			again := capture.TakenAt.Add(freshFor(b) + time.Second)
			step.WakeAt, step.NextLook = earlier(step.WakeAt, again), earlier(step.NextLook, again)
		}
		if problem != "" {
			problems = append(problems, problem)
		}
	}
	if !waits { // otherwise what is asked for now would be too old when the problem is mended
		step.Asks = asks
	}
	if len(problems) > 0 {
		step.Reason = v1alpha1.ReasonBaselineMissing
		step.Message = fmt.Sprintf("phase %s starts when its baselines are taken: %s", phase, joined(problems))
		return nil, true
	}
	for _, b := range wanted {
		capture, _ := in.Capture(b)
		taken = append(taken, in.freeze(phase, b, capture))
	}
	return taken, false
}

// freshFor is how long a baseline can be made of captured values.
func freshFor(b plan.Baseline) time.Duration {
	return min(freshCapture, b.KPI.Interval+shortInterval)
}

// fresh reports whether a baseline can be made of captured values now: they are not old, nor of a clock that was ahead.
func (in Input) fresh(b plan.Baseline, capture gate.Capture) bool {
	age := in.Now.Sub(capture.TakenAt)
	return age >= 0 && age <= freshFor(b)
}

func (s *Step) await(b plan.Baseline) {
	awaits := map[string]bool{b.KPI.Name: true}
	for kpi := range s.Awaits {
		awaits[kpi] = true
	}
	s.Awaits = awaits
}

// lacks returns why no baseline can be made of captured values, empty when one can. What it says does not change from one try to the next, so that a thousand sites that wait do not
// write it again and again.
func (in Input) lacks(b plan.Baseline, capture gate.Capture) string {
	if capture.Gone {
		return "KPI " + b.KPI.Name + " does not exist any more; create it again, or decide Skip"
	}
	if capture.Failed {
		return b.KPI.Name + " could not be measured; the KPI's Ready condition says why"
	}
	if value, _ := valueOf(capture.Current, in.Site, in.SiteID, capture.At, b.KPI); value == "" {
		return b.KPI.Name + " has no fresh value for this site, or more than one"
	}
	return ""
}

// freeze makes a baseline of captured values that lack nothing.
func (in Input) freeze(phase string, b plan.Baseline, capture gate.Capture) v1alpha1.Baseline {
	end := capture.At
	value, samples := valueOf(capture.Current, in.Site, in.SiteID, end, b.KPI)
	baseline := v1alpha1.Baseline{
		KPI:         b.KPI.Name,
		KPIRevision: b.KPI.Revision,
		Source:      b.Source,
		SiteID:      in.SiteID,
		WindowEnd:   metav1.NewTime(end),
		Window:      v1alpha1.FormatDuration(b.KPI.Window),
		Value:       value,
		Samples:     samples,
	}
	if b.Controls != nil {
		baseline.PreTrend = v1alpha1.FormatDuration(b.Controls.PreTrend)
		baseline.Earlier, _ = valueOf(capture.Earlier, in.Site, in.SiteID, end.Add(-b.Controls.PreTrend), b.KPI)
		baseline.Controls = in.controls(phase, b, capture)
	}
	return baseline
}

// controls freezes the values of the control group. Sites without a value now are no use as controls; those without an earlier value come after those with one.
func (in Input) controls(phase string, b plan.Baseline, capture gate.Capture) []v1alpha1.ControlValue {
	var whole, half []v1alpha1.ControlValue
	for _, site := range in.Candidates(phase, *b.Controls) {
		id := capture.Current.IDs[site]
		control := v1alpha1.ControlValue{Site: site}
		control.Value, control.Samples = valueOf(capture.Current, site, id, capture.At, b.KPI)
		control.Earlier, _ = valueOf(capture.Earlier, site, id, capture.At.Add(-b.Controls.PreTrend), b.KPI)
		if id != site {
			control.SiteID = id
		}
		switch {
		case control.Value == "":
		case control.Earlier == "":
			half = append(half, control)
		default:
			whole = append(whole, control)
		}
	}
	all := append(whole, half...)
	return all[:min(len(all), b.Controls.MaxSites)]
}

// valueOf returns a site's value with the number of observations behind it, empty when it has none under that ID, or one that is stale at the end of the window.
func valueOf(values gate.CrossSection, site, siteID string, end time.Time, kpi gate.KPI) (v1alpha1.Decimal, int64) {
	sample, found := values.Values[site]
	if !found || values.IDs[site] != siteID || end.Sub(sample.Time) > kpi.StaleAfter {
		return "", 0
	}
	return v1alpha1.ExactDecimal(sample.Value), sample.Samples
}

// told says which baselines were taken, for the record.
func told(taken []v1alpha1.Baseline) string {
	var sentences []string
	for _, b := range taken {
		short := b.Value // as frozen, if it cannot be read
		if value, err := b.Value.Float(); err == nil {
			short = v1alpha1.FormatDecimal(value)
		}
		sentence := fmt.Sprintf("%s %s", b.KPI, short)
		if b.PreTrend != "" {
			sentence += fmt.Sprintf(" with %d control sites", len(b.Controls))
		}
		sentences = append(sentences, sentence)
	}
	if len(sentences) == 0 {
		return ""
	}
	return "; baselines: " + strings.Join(sentences, ", ")
}
