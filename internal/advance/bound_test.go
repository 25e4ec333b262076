package advance_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/advance"
	"github.com/crmops/rollout-operator/internal/record"
)

// programme is a site's way through phases of ten criteria and four guardrails each, with names, figures and messages of the given length.
type programme struct {
	phases, criteria, guardrails, controls, text int
}

func (g programme) name(kind string, i int) string {
	return (fmt.Sprintf("%s-%02d-", kind, i) + strings.Repeat("x", g.text))[:min(63, 6+g.text)]
}

func (g programme) figures() v1alpha1.Figures {
	return v1alpha1.Figures{Value: "12345.678901", Samples: 123456, Threshold: "at least 5% more than the control group of phase " + g.name("ph", 1) + ", with 95% confidence", ComparedWith: "11345.678901",
		Change: "10.1234%", Low: "8.1234%", High: "12.1234%", Controls: 30, Margin: "3.1234%", Window: "4w"}
}

func (g programme) report(minute int) *v1alpha1.GateReport {
	report := &v1alpha1.GateReport{Name: g.name("gate", 1), Role: v1alpha1.GateRoleExit, Generation: 7, SiteID: "DE-1", Verdict: v1alpha1.VerdictFail}
	for i := range g.criteria + g.guardrails {
		report.Criteria = append(report.Criteria, v1alpha1.CriterionReport{Name: g.name("cr", i), KPI: g.name("kpi", i), KPIRevision: "0123456789ab/0123456789ab", Verdict: v1alpha1.VerdictFail,
			Reason: v1alpha1.ReasonNotMet, Message: strings.Repeat("m", v1alpha1.MaxMessage), Figures: g.figures(), SampleTime: stamp(minute), MetSince: stamp(minute)})
	}
	return report
}

func (g programme) evidence(minute int) []v1alpha1.Evidence {
	var all []v1alpha1.Evidence
	for i := range g.criteria + g.guardrails {
		all = append(all, v1alpha1.Evidence{Criterion: g.name("cr", i), KPI: g.name("kpi", i), Figures: g.figures(), SampleTime: *stamp(minute), MetSince: stamp(minute)})
	}
	return all
}

func (g programme) baselines() []v1alpha1.Baseline {
	b := v1alpha1.Baseline{KPI: "sales", KPIRevision: "0123456789ab", Source: "warehouse", SiteID: "DE-1", WindowEnd: *stamp(0), Window: "4w", Value: "12345.678901", PreTrend: "4w", Earlier: "12345.678901"}
	for i := range g.controls {
		b.Controls = append(b.Controls, v1alpha1.ControlValue{Site: g.name("site", i), Value: "12345.678901", Earlier: "12345.678901", Samples: 1234})
	}
	return []v1alpha1.Baseline{b}
}

// live goes through 90 days, in which the site is held and recovers every day, and returns the largest status on the way and the last one.
func (g programme) live() (largest int, last v1alpha1.SiteRolloutStatus) {
	long := strings.Repeat("m", 2000)
	record := func(minute int, step advance.Step) {
		step.Message = long
		step.Change.Message = long
		step.Gate = g.report(minute)
		last = advance.Record(last, step, at(minute))
		text, _ := json.Marshal(last)
		largest = max(largest, len(text)+6*(len(last.Message)+250)) // six conditions repeat the message
	}
	const day, days = 24 * 60, 90
	for phase := range g.phases {
		name, first := g.name("ph", phase), phase*days/g.phases
		start := advance.Change{Reason: v1alpha1.ReasonPhaseStarted, Phase: name, Starts: true}
		if phase == 1 {
			start.Baselines = g.baselines()
		}
		record(first*day, advance.Step{State: stateProving, Phase: name, Change: &start})
		for today := first; today < (phase+1)*days/g.phases; today++ {
			record(today*day+60, advance.Step{State: stateHeld, Phase: name, Change: &advance.Change{Reason: v1alpha1.ReasonExitGateFailed, Phase: name}})
			record(today*day+120, advance.Step{State: stateProving, Phase: name, Change: &advance.Change{Reason: v1alpha1.ReasonRecovered, Phase: name}})
		}
		record((phase+1)*days/g.phases*day-1, advance.Step{State: stateWaiting, Phase: name,
			Change: &advance.Change{Reason: v1alpha1.ReasonPhasePassed, Phase: name, Passes: true, Evidence: g.evidence(phase)}})
	}
	return largest, last
}

func TestAStatusStaysSmallFor90Days(t *testing.T) {
	for name, g := range map[string]programme{
		"seven phases of ten criteria":                                    {phases: 7, criteria: 10, guardrails: 4, text: 12},
		"the same with a control group of thirty sites":                   {phases: 7, criteria: 10, guardrails: 4, controls: 30, text: 12},
		"with the longest names that are allowed":                         {phases: 7, criteria: 10, guardrails: 2, text: 57},
		"one phase of as many criteria and guardrails as a gate can have": {phases: 1, criteria: 16, guardrails: 8, controls: 30, text: 57},
	} {
		t.Run(name, func(t *testing.T) {
			largest, last := g.live()
			if largest >= 64<<10 {
				t.Errorf("a status of %d bytes with its conditions: more than 64 KiB", largest)
			}
			if len(last.Phases) != g.phases {
				t.Fatalf("%d phases are left of %d", len(last.Phases), g.phases)
			}
			for i, record := range last.Phases {
				if len(record.Evidence) != g.criteria+g.guardrails || record.PassedAt == nil {
					t.Errorf("phase %d has lost evidence: %d of %d", i, len(record.Evidence), g.criteria+g.guardrails)
				}
			}
			if g.phases > 1 && len(last.Phases[1].Baselines[0].Controls) != g.controls {
				t.Errorf("%d control sites are left of %d", len(last.Phases[1].Baselines[0].Controls), g.controls)
			}
			if len(last.Transitions) == 0 {
				t.Fatal("no transition is left, so the next one cannot be counted on")
			}
			for _, tr := range last.Transitions {
				if len(tr.Message) != v1alpha1.MaxMessage {
					t.Errorf("transition %d was changed after it was recorded: %d bytes of message", tr.Sequence, len(tr.Message))
				}
			}
			if report := record.Verify(last); len(report.Faults) > 0 {
				t.Errorf("the chain is broken: %q", report.Faults)
			}
			t.Logf("at most %d bytes, with %d transitions", largest, len(last.Transitions))
		})
	}
}

func TestASmallStatusLosesNothing(t *testing.T) {
	long := strings.Repeat("m", v1alpha1.MaxMessage)
	var status v1alpha1.SiteRolloutStatus
	for i := range 40 {
		status = advance.Record(status, advance.Step{State: stateHeld, Message: long, Change: &advance.Change{Reason: "r", Message: long}}, monday.Add(time.Duration(i)*time.Hour))
	}
	if len(status.Transitions) != 40 || status.Transitions[0].Message != long || status.Transitions[0].Time != metav1.NewTime(monday) {
		t.Errorf("%d transitions, the first says %.20q", len(status.Transitions), status.Transitions[0].Message)
	}
}
