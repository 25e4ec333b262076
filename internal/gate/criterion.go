package gate

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// judgeCriterion is the order of the questions: was the latest measurement any good, does its value count for this attempt, is it fresh, can it be compared, is it met,
// and for long enough? Every doubt is Wait. Only a value that was really compared gives Pass or Fail.
func judgeCriterion(c Criterion, hold Hold, f Facts) CriterionJudgement {
	e := f.Evidence(c.KPI)
	samples := c.Comparison.usable(c, e.within(f.NotBefore, c.KPI.Window), f)
	if hold.Of != c.proof() {
		hold = Hold{Of: c.proof()} // a run of another number, or over another threshold, proves nothing about this one
	}
	if !f.NotBefore.IsZero() && !hold.Since.Add(-c.KPI.Window).After(f.NotBefore) {
		hold = hold.ended() // a run that began in another attempt proves nothing in this one
	}
	judged := CriterionJudgement{Criterion: c, Verdict: v1alpha1.VerdictWait}
	if !e.LatestAt.IsZero() {
		judged.NextSample = e.LatestAt.Add(c.KPI.Interval)
	}
	find := func(s Sample) Finding { return c.compare(s, f).Finding }
	if judged.Sample = last(samples); judged.Sample != nil {
		latest := *judged.Sample
		judged.Compared = c.compare(latest, f)
		find = func(s Sample) Finding {
			if s == latest {
				return judged.Compared.Finding
			}
			return c.compare(s, f).Finding
		}
	}
	judged.Hold = c.extend(hold, samples, e.DroppedThrough, f.Now, find)
	judged.Verdict, judged.Reason, judged.Message = c.judge(judged, e, f)
	return judged
}

func (c Criterion) judge(judged CriterionJudgement, e Evidence, f Facts) (verdict v1alpha1.Verdict, reason, message string) {
	if reason, message := c.Comparison.missing(c, f); reason != "" {
		return v1alpha1.VerdictWait, reason, message
	}
	if reason, message := c.unknown(e, judged.Sample, f); reason != "" {
		return v1alpha1.VerdictWait, reason, message
	}
	if judged.Compared.Finding == Unclear {
		return v1alpha1.VerdictWait, judged.Compared.Reason, judged.Compared.Message
	}
	if c.guards() {
		return c.guard(*judged.Sample, judged.Compared, judged.Hold)
	}
	return c.require(*judged.Sample, judged.Compared, judged.Hold)
}

// compare compares one value. One that too few observations stand behind is not compared at all.
func (c Criterion) compare(s Sample, f Facts) Compared {
	if s.Samples < c.MinSamples {
		return unclear(v1alpha1.ReasonTooFewSamples, "%s", fewSamples(c.KPI.Name, s, c.MinSamples))
	}
	return c.Comparison.compare(c, s, f)
}

func fewSamples(kpi string, s Sample, least int64) string {
	if s.Samples == 0 {
		return fmt.Sprintf("%s must have at least %d samples behind it, and its source does not tell how many it has", kpi, least)
	}
	return fmt.Sprintf("%s has %d samples behind it, must have at least %d (measured %s)", kpi, s.Samples, least, clockTime(s.Time))
}

// unknown returns why the latest measurement gives no value to compare, or an empty reason when it does.
func (c Criterion) unknown(e Evidence, latest *Sample, f Facts) (reason, message string) {
	kpi, at, now := c.KPI.Name, clockTime(e.LatestAt), f.Now
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
	if latest == nil && (f.NotBefore.IsZero() || len(e.within(f.NotBefore, c.KPI.Window)) > 0) {
		return v1alpha1.ReasonSampleMissing, kpi + " has no value yet that can be compared"
	}
	if latest == nil {
		return v1alpha1.ReasonEvidenceTooEarly, fmt.Sprintf("%s has no value from within this attempt yet; the first one that counts ends after %s", kpi, clockTime(f.NotBefore.Add(c.KPI.Window)))
	}
	if latest.Time.Sub(now) > c.KPI.StaleAfter {
		return v1alpha1.ReasonStale, fmt.Sprintf("the latest value of %s is from %s, which has not come yet: the clock was set back", kpi, clockTime(latest.Time))
	}
	if now.Sub(latest.Time) > c.KPI.StaleAfter {
		return v1alpha1.ReasonStale, fmt.Sprintf("the latest value of %s is from %s, older than %s", kpi, clockTime(latest.Time), span(c.KPI.StaleAfter))
	}
	return "", ""
}

// require judges a criterion that has to be met, for as long as it says.
func (c Criterion) require(s Sample, compared Compared, hold Hold) (verdict v1alpha1.Verdict, reason, message string) {
	subject := compared.Subject
	switch {
	case compared.Finding == Missed && !hold.Since.IsZero():
		return v1alpha1.VerdictWait, v1alpha1.ReasonException,
			fmt.Sprintf("%s, must be %s (measured %s); it is exception %d of the run since %s", subject, c.Threshold, clockTime(s.Time), hold.Exceptions, clockTime(hold.Since))
	case compared.Finding == Missed:
		return v1alpha1.VerdictFail, v1alpha1.ReasonNotMet, fmt.Sprintf("%s, must be %s (measured %s)", subject, c.Threshold, clockTime(s.Time))
	case hold.Since.IsZero():
		return v1alpha1.VerdictWait, v1alpha1.ReasonStale, fmt.Sprintf("%s, %s, but nobody knows since when", subject, c.Threshold)
	case s.Time.Sub(hold.Since) < c.For:
		return v1alpha1.VerdictWait, v1alpha1.ReasonHolding,
			fmt.Sprintf("%s, %s since %s%s; passes when that has held for %s, not before %s",
				subject, c.Threshold, clockTime(hold.Since), exceptions(hold), span(c.For), clockTime(hold.Since.Add(c.For)))
	}
	return v1alpha1.VerdictPass, v1alpha1.ReasonMet, fmt.Sprintf("%s, %s since %s%s", subject, c.Threshold, clockTime(hold.Since), exceptions(hold))
}

func exceptions(hold Hold) string {
	switch hold.Exceptions {
	case 0:
		return ""
	case 1:
		return " with one exception"
	}
	return fmt.Sprintf(" with %d exceptions", hold.Exceptions)
}

// guard judges a guardrail, which fails only when it was seen broken for as long as it says.
func (c Criterion) guard(s Sample, compared Compared, hold Hold) (verdict v1alpha1.Verdict, reason, message string) {
	subject := "guardrail " + c.Name + ": " + compared.Subject
	switch {
	case compared.Finding == Met:
		return v1alpha1.VerdictPass, v1alpha1.ReasonKept, fmt.Sprintf("%s, %s (measured %s)", subject, c.Threshold, clockTime(s.Time))
	case s.Time.Sub(hold.Since) < c.For:
		return v1alpha1.VerdictWait, v1alpha1.ReasonBreaking, fmt.Sprintf("%s, must be %s; broken since %s, fails the attempt when that lasts for %s, until %s",
			subject, c.Threshold, clockTime(hold.Since), span(c.For), clockTime(hold.Since.Add(c.For)))
	}
	return v1alpha1.VerdictFail, v1alpha1.ReasonBroken, fmt.Sprintf("%s, must be %s; broken since %s", subject, c.Threshold, clockTime(hold.Since))
}

// format writes a value that the threshold speaks about for a sentence. Rounding must not move it across the threshold: "0.95, must be at least 0.95" would explain nothing.
func (c Criterion) format(value float64) string {
	text := v1alpha1.FormatDecimal(value)
	if rounded, err := text.Float(); err != nil || c.Threshold.Met(rounded) != c.Threshold.Met(value) {
		text = v1alpha1.Decimal(strconv.FormatFloat(value, 'g', -1, 64))
	}
	return strings.TrimSpace(string(text) + " " + c.KPI.Unit)
}

// plain writes a value for a sentence that compares something else with the threshold.
func (c Criterion) plain(value float64) string {
	return strings.TrimSpace(string(v1alpha1.FormatDecimal(value)) + " " + c.KPI.Unit)
}

// clockTime writes a time for a sentence. Times of day alone would be useless after weeks, so the date is always there.
func clockTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
