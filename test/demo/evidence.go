package main

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

func checkHold(r Record) []string {
	held := r.Observed.Held
	if held == nil {
		return []string{fmt.Sprintf("%s was never seen held", r.Troubled)}
	}
	var breaches []string
	miss := func(broken bool, format string, args ...any) {
		if broken {
			breaches = append(breaches, held.Spec.Site+": "+fmt.Sprintf(format, args...))
		}
	}
	status := held.Status
	miss(held.Spec.Site != r.Troubled, "it was held, and not %s", r.Troubled)
	miss(status.State != crmv1.SiteHeld, "its state was %s", orNothing(string(status.State)))
	miss(status.Reason != crmv1.ReasonExitGateFailed, "its reason was %s", orNothing(status.Reason))
	miss(status.Message == "", "it had no message")
	miss(!meta.IsStatusConditionTrue(status.Conditions, crmv1.ConditionHeld), "its condition Held was not True")
	miss(status.NextLook == nil, "it did not say when it is looked at next")
	if status.Gate == nil || status.Gate.Role != crmv1.GateRoleExit || status.Gate.Verdict != crmv1.VerdictFail {
		return append(breaches, held.Spec.Site+": it did not name the exit gate that failed")
	}
	failed := 0
	for _, criterion := range status.Gate.Criteria {
		if criterion.Verdict == crmv1.VerdictFail {
			failed++
			breach := r.checkFailure(held, criterion)
			miss(breach != "", "criterion %s: %s", criterion.Name, breach)
		}
	}
	miss(failed == 0, "no criterion of the gate had failed")
	return breaches
}

// checkFailure judges how the status of a held site explains one failed criterion.
func (r Record) checkFailure(held *crmv1.SiteRollout, report crmv1.CriterionReport) string {
	criterion := criterionOf(r.Plan.Gates[held.Status.Gate.Name], report.Name)
	switch {
	case criterion == nil:
		return "the gate has no such criterion"
	case report.KPI != criterion.KPI:
		return fmt.Sprintf("it named KPI %s, and the gate asks for %s", orNothing(report.KPI), criterion.KPI)
	case criterion.AtLeast == nil:
		return "the scenario breaks a lower bound, and this criterion has none"
	case !strings.Contains(report.Threshold, string(*criterion.AtLeast)):
		return fmt.Sprintf("its threshold said %q, and the gate asks for at least %s", report.Threshold, *criterion.AtLeast)
	case report.SampleTime == nil:
		return "it had no sample time"
	case held.Status.NextLook != nil && held.Status.NextLook.Before(report.SampleTime):
		return "the next look was before the sample"
	}
	met, err := meets(*criterion, crmv1.Threshold(report.Value))
	switch {
	case err != nil:
		return fmt.Sprintf("it had no value: %v", err)
	case met:
		return fmt.Sprintf("its value %s is not below %s", report.Value, *criterion.AtLeast)
	}
	return r.checkWithin(held, held.Status.CurrentPhase, report.KPI, report.SampleTime.Time)
}

// checkWithin says whether a whole window of a KPI lies in the site's attempt at a phase.
func (r Record) checkWithin(story *crmv1.SiteRollout, phase, kpi string, end time.Time) string {
	attempt := phaseOf(story, phase)
	if attempt == nil {
		return fmt.Sprintf("phase %s has no record", phase)
	}
	window, err := r.Plan.KPIs[kpi].Spec.Window.Parse()
	if err != nil {
		return fmt.Sprintf("KPI %s: %v", kpi, err)
	}
	if begin := end.Add(-window); begin.Before(attempt.StartedAt.Time) {
		return fmt.Sprintf("the window from %s to %s began before the attempt did at %s", clock(begin), clock(end), clock(attempt.StartedAt.Time))
	}
	if attempt.PassedAt != nil && end.After(attempt.PassedAt.Time) {
		return fmt.Sprintf("the window ended at %s, after the phase was passed at %s", clock(end), clock(attempt.PassedAt.Time))
	}
	return ""
}

func checkRecovery(r Record) []string {
	story, held := r.story(r.Troubled), r.Observed.Held
	switch {
	case story == nil || held == nil:
		return []string{fmt.Sprintf("%s was never seen held", r.Troubled)}
	case r.Observed.Cleaned.IsZero():
		return []string{"the cause was not removed"}
	}
	done := phaseOf(story, held.Status.CurrentPhase)
	switch {
	case done == nil || done.PassedAt == nil:
		return []string{fmt.Sprintf("%s has not passed phase %s", r.Troubled, held.Status.CurrentPhase)}
	// The record has whole seconds.
	case done.PassedAt.Time.Before(r.Observed.Cleaned.Truncate(time.Second)):
		return []string{fmt.Sprintf("%s passed phase %s at %s, before the cause was removed at %s", r.Troubled, done.Name, clock(done.PassedAt.Time), clock(r.Observed.Cleaned))}
	}
	for _, step := range story.Status.Transitions {
		if step.To == crmv1.SiteHeld && step.Phase == done.Name {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s has no transition to Held in phase %s", r.Troubled, done.Name)}
}

func checkEvidence(r Record) []string {
	var breaches []string
	for i := range r.Stories {
		story := &r.Stories[i]
		for _, done := range story.Status.Phases {
			gate := r.Plan.exitGate(done.Name)
			if gate == nil || done.PassedAt == nil {
				continue
			}
			for _, criterion := range gate.Spec.Criteria {
				if breach := r.checkCriterion(story, done, criterion); breach != "" {
					breaches = append(breaches, fmt.Sprintf("%s, phase %s, criterion %s: %s", story.Spec.Site, done.Name, criterion.Name, breach))
				}
			}
		}
	}
	return breaches
}

// checkCriterion judges the evidence that a passed phase has for one criterion.
func (r Record) checkCriterion(story *crmv1.SiteRollout, done crmv1.PhaseRecord, criterion crmv1.Criterion) string {
	evidence := evidenceOf(done, criterion.Name)
	if evidence == nil {
		return "there is no evidence"
	}
	if evidence.KPI != criterion.KPI {
		return fmt.Sprintf("the evidence is about KPI %s, and the gate asks for %s", evidence.KPI, criterion.KPI)
	}
	compared, err := comparedIn(story, criterion, evidence.Value)
	if err != nil {
		return err.Error()
	}
	met, err := meets(criterion, compared)
	if err != nil {
		return err.Error()
	}
	if !met {
		return fmt.Sprintf("the value %s does not meet it (%s)", evidence.Value, evidence.Threshold)
	}
	if evidence.MetSince == nil {
		return "it does not say since when the criterion was met"
	}
	for _, moment := range []time.Time{evidence.MetSince.Time, evidence.SampleTime.Time} {
		if breach := r.checkWithin(story, done.Name, evidence.KPI, moment); breach != "" {
			return breach
		}
	}
	hold, err := criterion.For.Parse()
	if err != nil {
		return err.Error()
	}
	if lasted := evidence.SampleTime.Sub(evidence.MetSince.Time); lasted < hold {
		return fmt.Sprintf("it was met for %s, and the gate asks for %s", lasted, hold)
	}
	return ""
}

// comparedIn returns what the threshold of a criterion speaks about: the value, or its change in percent of the baseline that the site kept. It is calculated in the
// demonstration's own words: it must not believe the operator's.
func comparedIn(story *crmv1.SiteRollout, criterion crmv1.Criterion, value crmv1.Decimal) (crmv1.Threshold, error) {
	if criterion.Against == nil {
		return crmv1.Threshold(value), nil
	}
	if criterion.Against.Baseline == nil {
		return "", errors.New("the demonstration knows no other comparison than that with a baseline")
	}
	phase := phaseOf(story, criterion.Against.Baseline.Phase)
	if phase == nil {
		return "", fmt.Errorf("the site has no record of phase %q, which declares the baseline", criterion.Against.Baseline.Phase)
	}
	number, err := value.Float()
	if err != nil {
		return "", err
	}
	for _, baseline := range phase.Baselines {
		if baseline.KPI != criterion.KPI {
			continue
		}
		before, err := baseline.Value.Float()
		if err != nil {
			return "", err
		}
		if baseline.WindowEnd.After(phase.StartedAt.Time) {
			return "", fmt.Errorf("the baseline is from %s, after the phase started at %s", clock(baseline.WindowEnd.Time), clock(phase.StartedAt.Time))
		}
		return crmv1.FormatChange((number-before)/math.Abs(before), true), nil
	}
	return "", fmt.Errorf("the site kept no baseline of %s", criterion.KPI)
}

// meets compares a value, or a change, with a criterion.
func meets(criterion crmv1.Criterion, compared crmv1.Threshold) (bool, error) {
	number, _, err := compared.Float()
	if err != nil {
		return false, err
	}
	bounds := criterion.Between
	switch {
	case criterion.AtLeast != nil:
		bounds = &crmv1.Range{Min: *criterion.AtLeast, Max: compared}
	case criterion.AtMost != nil:
		bounds = &crmv1.Range{Min: compared, Max: *criterion.AtMost}
	case bounds == nil:
		return false, errors.New("the criterion has no bound")
	}
	least, _, err := bounds.Min.Float()
	if err != nil {
		return false, err
	}
	most, _, err := bounds.Max.Float()
	if err != nil {
		return false, err
	}
	return least <= number && number <= most, nil
}

func criterionOf(gate crmv1.AcceptanceGate, name string) *crmv1.Criterion {
	for i := range gate.Spec.Criteria {
		if gate.Spec.Criteria[i].Name == name {
			return &gate.Spec.Criteria[i]
		}
	}
	return nil
}

func evidenceOf(done crmv1.PhaseRecord, criterion string) *crmv1.Evidence {
	for i := range done.Evidence {
		if done.Evidence[i].Criterion == criterion {
			return &done.Evidence[i]
		}
	}
	return nil
}
