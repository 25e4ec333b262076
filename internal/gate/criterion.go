package gate

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// judgeCriterion is the order of the questions: was the latest measurement any good, does its value count for this attempt, is it fresh, is it met,
// and for long enough? Every doubt is Wait. Only a value that was really compared gives Pass or Fail.
func judgeCriterion(c Criterion, e Evidence, hold Hold, notBefore, now time.Time) CriterionJudgement {
	samples := e.within(notBefore, c.KPI.Window)
	if hold.Of != c.proof() {
		hold = Hold{Of: c.proof()} // a run of another number, or over another threshold, proves nothing about this one
	}
	if !notBefore.IsZero() && !hold.MetSince.Add(-c.KPI.Window).After(notBefore) {
		hold.MetSince = time.Time{} // a run that began in another attempt proves nothing in this one
	}
	judged := CriterionJudgement{
		Criterion: c,
		Verdict:   v1alpha1.VerdictWait,
		Hold:      c.extend(hold, samples, e.DroppedThrough, now),
	}
	if !e.LatestAt.IsZero() {
		judged.NextSample = e.LatestAt.Add(c.KPI.Interval)
	}
	if len(samples) > 0 {
		judged.Sample = &samples[len(samples)-1]
	}
	if reason, message := c.unknown(e, judged.Sample, notBefore, now); reason != "" {
		judged.Reason, judged.Message = reason, message
		return judged
	}
	judged.Verdict, judged.Reason, judged.Message = c.compare(*judged.Sample, judged.Hold)
	return judged
}

// unknown returns why the latest measurement gives no value to compare, or an empty reason when it does.
func (c Criterion) unknown(e Evidence, latest *Sample, notBefore, now time.Time) (reason, message string) {
	kpi, at := c.KPI.Name, clockTime(e.LatestAt)
	switch e.Latest {
	case OutcomeNone:
		return v1alpha1.ReasonSampleMissing, kpi + " has not been measured yet"
	case OutcomeFailed:
		return v1alpha1.ReasonSourceFailed, fmt.Sprintf("%s could not be measured at %s: %s", kpi, at, e.Detail)
	case OutcomeMissing:
		return v1alpha1.ReasonSampleMissing, fmt.Sprintf("%s had no value for this site at %s", kpi, at)
	case OutcomeNotANumber:
		return v1alpha1.ReasonNotANumber, fmt.Sprintf("%s was not a finite number at %s", kpi, at)
	case OutcomeAmbiguous:
		return v1alpha1.ReasonAmbiguous, fmt.Sprintf("%s had more than one value for this site at %s; its query must give one", kpi, at)
	}
	if latest == nil {
		return v1alpha1.ReasonEvidenceTooEarly, fmt.Sprintf("%s has no value from within this attempt yet; the first one that counts ends after %s", kpi, clockTime(notBefore.Add(c.KPI.Window)))
	}
	if latest.Time.Sub(now) > c.KPI.StaleAfter {
		return v1alpha1.ReasonStale, fmt.Sprintf("the latest value of %s is from %s, which has not come yet: the clock was set back", kpi, clockTime(latest.Time))
	}
	if now.Sub(latest.Time) > c.KPI.StaleAfter {
		return v1alpha1.ReasonStale, fmt.Sprintf("the latest value of %s is from %s, older than %s", kpi, clockTime(latest.Time), span(c.KPI.StaleAfter))
	}
	return "", ""
}

func (c Criterion) compare(s Sample, hold Hold) (verdict v1alpha1.Verdict, reason, message string) {
	value := c.format(s.Value)
	if !c.Comparison.Met(s.Value) {
		return v1alpha1.VerdictFail, v1alpha1.ReasonNotMet,
			fmt.Sprintf("%s is %s, must be %s (measured %s)", c.KPI.Name, value, c.Comparison, clockTime(s.Time))
	}
	if s.Time.Sub(hold.MetSince) < c.For {
		return v1alpha1.VerdictWait, v1alpha1.ReasonHolding,
			fmt.Sprintf("%s is %s, %s since %s; passes when that has held for %s, not before %s",
				c.KPI.Name, value, c.Comparison, clockTime(hold.MetSince), span(c.For), clockTime(hold.MetSince.Add(c.For)))
	}
	return v1alpha1.VerdictPass, v1alpha1.ReasonMet,
		fmt.Sprintf("%s is %s, %s since %s", c.KPI.Name, value, c.Comparison, clockTime(hold.MetSince))
}

// format writes a value for a sentence. Rounding must not move it across the threshold: "0.95, must be at least 0.95" would explain nothing.
func (c Criterion) format(value float64) string {
	text := v1alpha1.FormatDecimal(value)
	if rounded, err := text.Float(); err != nil || c.Comparison.Met(rounded) != c.Comparison.Met(value) {
		text = v1alpha1.Decimal(strconv.FormatFloat(value, 'g', -1, 64))
	}
	return strings.TrimSpace(string(text) + " " + c.KPI.Unit)
}

// clockTime writes a time for a sentence. Times of day alone would be useless after weeks, so the date is always there.
func clockTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
