package gate

import (
	"fmt"
	"math"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/effect"
)

// AgainstControl compares the site's change since its baseline with that of sites that have not begun the phase that declares it: difference in differences, see
// package effect. With a threshold in percent the changes are ratios, otherwise differences.
type AgainstControl struct {
	AgainstBaseline
	// MinSites is the least number of control sites.
	MinSites int
	// Confidence of the interval.
	Confidence float64
}

// compare finds a value met when the whole interval is good, and missed when none of it is. The control group is made of the sites whose values were frozen with the baseline,
// less those that have begun the phase since, or have no value now. A site that leaves takes its old value with it, so that the rest is still compared with itself.
func (a AgainstControl) compare(c Criterion, s Sample, f Facts) Compared {
	taken, baseline, reason, message := a.baseline(c, f)
	if reason != "" {
		return unclear(reason, "%s", message)
	}
	group := a.group(c, s, f, taken)
	if len(group.since) < a.MinSites {
		return unclear(v1alpha1.ReasonTooFewControls, "%s can be compared with %d control sites only, of %d that were unchanged when the baseline was taken; it needs %d",
			c.KPI.Name, len(group.since), len(taken.Controls), a.MinSites)
	}
	if compared, ok := a.movedAlike(c, taken, baseline, group); !ok {
		return compared
	}
	estimate, err := effect.DifferenceInDifferences([]effect.Change{{Before: baseline, After: s.Value}}, group.since, a.scale(c), a.Confidence)
	if err != nil {
		return unclear(v1alpha1.ReasonIncomparable, "%s cannot be compared with its control group: %v", c.KPI.Name, err)
	}
	return a.conclude(c, s, estimate)
}

func (a AgainstControl) conclude(c Criterion, s Sample, estimate effect.Estimate) Compared {
	without := s.Value - estimate.Effect
	if c.Threshold.Percent() {
		without = s.Value / (1 + estimate.Effect)
	}
	compared := Compared{
		Number:   estimate.Effect,
		With:     &without,
		Interval: &Interval{Low: estimate.Low, High: estimate.High},
		Controls: estimate.Controls,
		Subject: fmt.Sprintf("%s is %s, an effect of %s (%s to %s) beside %d control sites",
			c.KPI.Name, c.plain(s.Value), c.change(estimate.Effect), c.change(estimate.Low), c.change(estimate.High), estimate.Controls),
	}
	switch low, high := estimate.Low, estimate.High; {
	case estimate.Flat:
		compared.Reason = v1alpha1.ReasonInconclusive
		compared.Message = fmt.Sprintf("%s; the control sites all changed in the very same way, which says nothing about chance", compared.Subject)
	case c.Threshold.Met(low) && c.Threshold.Met(high):
		compared.Finding = Met
	case !c.Threshold.Overlaps(low, high):
		compared.Finding = Missed
	default:
		compared.Reason = v1alpha1.ReasonInconclusive
		compared.Message = fmt.Sprintf("%s; it must be %s, and with %s confidence it may be or not", compared.Subject, c.Threshold, a.percent())
	}
	return compared
}

// controls are the changes of the control sites since the baseline, and before it.
type controls struct{ since, before []effect.Change }

func (a AgainstControl) group(c Criterion, s Sample, f Facts, taken *v1alpha1.Baseline) controls {
	var group controls
	for _, control := range taken.Controls {
		value, ok := a.now(c, s, f, control)
		then, err := control.Value.Float()
		if !ok || err != nil || control.Samples < c.MinSamples || !a.comparable(c, then) {
			continue
		}
		group.since = append(group.since, effect.Change{Before: then, After: value})
		if earlier, err := control.Earlier.Float(); err == nil && a.comparable(c, earlier) {
			group.before = append(group.before, effect.Change{Before: earlier, After: then})
		}
	}
	return group
}

// comparable reports whether a frozen value of a control site can be compared: a site that had nothing has no ratio, and says nothing about the others. Its value now must not
// decide whether it counts, because that would choose controls by the outcome.
func (a AgainstControl) comparable(c Criterion, frozen float64) bool {
	return a.scale(c) != effect.Ratios || frozen > 0
}

// now returns the value of a control site at the time of the site's own value, when the control site is still one.
func (a AgainstControl) now(c Criterion, s Sample, f Facts, control v1alpha1.ControlValue) (float64, bool) {
	id := control.SiteID
	if id == "" {
		id = control.Site
	}
	samples, unchanged := f.Peer(a.Phase, control.Site, id, c.KPI)
	if !unchanged {
		return 0, false
	}
	samples = a.usable(c, Evidence{Samples: samples}.within(f.NotBefore, c.KPI.Window), f)
	for i := len(samples) - 1; i >= 0; i-- {
		if found := samples[i]; !found.Time.After(s.Time) {
			return found.Value, s.Time.Sub(found.Time) <= c.KPI.StaleAfter && found.Samples >= c.MinSamples
		}
	}
	return 0, false
}

// movedAlike checks the trend before the change: an effect where there cannot be one means that the groups do not compare.
func (a AgainstControl) movedAlike(c Criterion, taken *v1alpha1.Baseline, baseline float64, group controls) (Compared, bool) {
	earlier, err := taken.Earlier.Float()
	if err != nil || len(group.before) < a.MinSites {
		return unclear(v1alpha1.ReasonPreTrendBroken, "nobody knows whether %s moved alike at the site and its control group before the change: there are values from %s before the baseline of %d control sites only",
			c.KPI.Name, taken.PreTrend, len(group.before)), false
	}
	placebo, alike, err := effect.ParallelBefore([]effect.Change{{Before: earlier, After: baseline}}, group.before, a.scale(c), a.Confidence)
	if err != nil {
		return unclear(v1alpha1.ReasonIncomparable, "%s cannot be compared with its control group: %v", c.KPI.Name, err), false
	}
	if placebo.Flat {
		return unclear(v1alpha1.ReasonPreTrendBroken, "nobody knows whether %s moved alike at the site and its control group before the change: it moved in the very same way at all of them, as it does when a source cannot tell the past",
			c.KPI.Name), false
	}
	if !alike {
		return unclear(v1alpha1.ReasonPreTrendBroken, "the site and its control group do not compare: in the %s before the change %s moved by %s (%s to %s) more than theirs",
			taken.PreTrend, c.KPI.Name, c.change(placebo.Effect), c.change(placebo.Low), c.change(placebo.High)), false
	}
	return Compared{}, true
}

func (a AgainstControl) scale(c Criterion) effect.Scale {
	if c.Threshold.Percent() {
		return effect.Ratios
	}
	return effect.Levels
}

func (a AgainstControl) words(threshold string) string {
	return fmt.Sprintf("%s more than the control group of phase %s, with %s confidence", threshold, a.Phase, a.percent())
}

func (a AgainstControl) percent() string {
	return fmt.Sprint(math.Round(a.Confidence*1e6)/1e4) + "%"
}
