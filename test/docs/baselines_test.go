package docs

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

const baselines = "docs/baselines.md"

// noon is the moment at which all sites of the page are judged.
var noon = time.Date(2026, 4, 6, 12, 0, 0, 0, time.UTC)

const (
	// attempt is how long the phase has run by then.
	attempt = 80 * 24 * time.Hour
	// controlSites is how many sites there were to compare with.
	controlSites = 9
)

// programme reads the examples of the page, and resolves them as the operator does.
func programme(t *testing.T) plan.Plan {
	t.Helper()
	objects := plan.Objects{Phases: map[string]*v1alpha1.RolloutPhase{}, Gates: map[string]*v1alpha1.AcceptanceGate{}, KPIs: map[string]*v1alpha1.KPI{}}
	var rollout v1alpha1.CRMRollout
	for _, example := range pages(t, root)[baselines].examples {
		var head struct{ Kind string }
		phase, accepts, kpi := &v1alpha1.RolloutPhase{}, &v1alpha1.AcceptanceGate{}, &v1alpha1.KPI{}
		into := map[string]any{"RolloutPhase": phase, "AcceptanceGate": accepts, "KPI": kpi, "CRMRollout": &rollout, "MetricProvider": &v1alpha1.MetricProvider{}}
		if err := yaml.Unmarshal([]byte(example), &head); err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict([]byte(example), into[head.Kind]); err != nil {
			t.Fatal(err)
		}
		objects.Phases[phase.Name], objects.Gates[accepts.Name], objects.KPIs[kpi.Name] = phase, accepts, kpi
	}
	resolved := plan.Resolve(&rollout, objects)
	for _, mistake := range resolved.AllMistakes() {
		t.Errorf("the examples hold a mistake: %+v", mistake)
	}
	return resolved
}

// told is a case that the page tells of.
type told struct {
	phase, criterion string
	// value and samples are what was measured at noon.
	value   float64
	samples int64
	// held is how long before noon the same value was measured for the first time.
	held time.Duration
	// reference is the value of the other KPI.
	reference float64
	// baseline of the site, and its value before that; zero for no baseline.
	baseline, earlier float64
	// market is the factor by which the control sites moved, and left how many of nine have left.
	market float64
	left   int
	want   string
}

func cases() []told {
	return []told{
		{phase: "go-live", criterion: "answers-faster", value: 40, baseline: 48, want: v1alpha1.ReasonHolding},
		{phase: "go-live", criterion: "answers-faster", value: 45, baseline: 48, want: v1alpha1.ReasonNotMet},
		{phase: "go-live", criterion: "answers-faster", value: 45, want: v1alpha1.ReasonNoBaseline},
		{phase: "go-live", criterion: "sells-more", value: 20412, baseline: 21000, earlier: 21000, market: 0.9, want: v1alpha1.ReasonMet},
		{phase: "go-live", criterion: "sells-more", value: 23940, baseline: 21000, earlier: 21000, market: 1.15, want: v1alpha1.ReasonNotMet},
		{phase: "go-live", criterion: "sells-more", value: 20034, baseline: 21000, earlier: 21000, market: 0.9, want: v1alpha1.ReasonInconclusive},
		{phase: "go-live", criterion: "sells-more", value: 20412, baseline: 21000, earlier: 21000, market: 0.9, left: 2, want: v1alpha1.ReasonTooFewControls},
		{phase: "go-live", criterion: "sells-more", value: 24150, baseline: 21000, earlier: 18900, market: 1.15, want: v1alpha1.ReasonPreTrendBroken},
		{phase: "go-live", criterion: "no-wave-of-complaints", value: 9, baseline: 8, want: v1alpha1.ReasonKept},
		{phase: "go-live", criterion: "no-wave-of-complaints", value: 12, baseline: 8, want: v1alpha1.ReasonBreaking},
		{phase: "parallel-run", criterion: "orders-agree", value: 402, held: 28 * 24 * time.Hour, reference: 400, want: v1alpha1.ReasonMet},
		{phase: "parallel-run", criterion: "orders-agree", value: 380, reference: 400, want: v1alpha1.ReasonNotMet},
		{phase: "stabilise", criterion: "customers-satisfied", value: 4.5, samples: 4, want: v1alpha1.ReasonTooFewSamples},
	}
}

// Every sentence that the page shows is one that a site's status would show.
func TestTheSentencesOfThePageAreTrue(t *testing.T) {
	resolved, text := programme(t), read(t, baselines)
	for _, c := range cases() {
		t.Run(c.criterion+" "+c.want, func(t *testing.T) {
			judged := c.judge(t, resolved)
			row := fmt.Sprintf("| `%s` | %s |", judged.Reason, judged.Message)
			if judged.Reason != c.want || !strings.Contains(text, row) {
				t.Errorf("%s does not have the row\n%s", baselines, row)
			}
		})
	}
	if rows := len(regexp.MustCompile("(?m)^\\| `[A-Z][A-Za-z]+` \\| ").FindAllString(text, -1)); rows != len(cases()) {
		t.Errorf("%s has %d sentences, and %d are checked", baselines, rows, len(cases()))
	}
	t.Run("a group and a score", func(t *testing.T) { decided(t, resolved, text) })
}

// decided judges the gate of several opinions as a whole.
func decided(t *testing.T, resolved plan.Plan, text string) {
	c := told{phase: "stabilise", value: 23940, baseline: 21000, earlier: 21000, market: 1.15}
	facts := c.facts(resolved)
	evidence := facts.Evidence
	facts.Evidence = func(kpi gate.KPI) gate.Evidence {
		switch kpi.Name {
		case "weekly-active-users":
			return steady(0.85, 0, 21*24*time.Hour, kpi)
		case "customer-satisfaction":
			return steady(3.2, 80, 0, kpi)
		}
		return evidence(kpi)
	}
	for i := range resolved.Phases {
		if resolved.Phases[i].Name != c.phase {
			continue
		}
		judged := gate.Judge(gate.Question{Gate: *resolved.Phases[i].Exit, Facts: facts})
		if judged.Verdict != v1alpha1.VerdictFail || judged.Score == nil || *judged.Score != 60 {
			t.Errorf("the gate is %s with score %v", judged.Verdict, judged.Score)
		}
		for _, part := range judged.Parts {
			sentence, _, _ := strings.Cut(part.Because, " (it is close")
			if !strings.Contains(text, "| "+sentence+" |") {
				t.Errorf("%s does not have the sentence\n%s", baselines, part.Because)
			}
		}
	}
}

func (c told) judge(t *testing.T, resolved plan.Plan) gate.CriterionJudgement {
	t.Helper()
	for _, phase := range resolved.Phases {
		if phase.Name != c.phase {
			continue
		}
		for _, judged := range gate.Judge(gate.Question{Gate: *phase.Exit, Facts: c.facts(resolved)}).Criteria {
			if judged.Criterion.Name == c.criterion {
				return judged
			}
		}
	}
	t.Fatalf("the page has no criterion %s in a gate of phase %s", c.criterion, c.phase)
	return gate.CriterionJudgement{}
}

// steady is a value that has been the same for a time.
func steady(value float64, samples int64, held time.Duration, kpi gate.KPI) gate.Evidence {
	e := gate.Evidence{Latest: gate.OutcomeValue, LatestAt: noon}
	for at := noon.Add(-held); !at.After(noon); at = at.Add(kpi.Interval) {
		e.Samples = append(e.Samples, gate.Sample{Value: value, Time: at, Samples: samples})
	}
	return e
}

func (c told) facts(resolved plan.Plan) gate.Facts {
	return gate.Facts{
		Now: noon, SiteID: "lyon", NotBefore: noon.Add(-attempt),
		Evidence: func(kpi gate.KPI) gate.Evidence {
			if kpi.Name == "orders-legacy" {
				return steady(c.reference, 0, c.held, kpi)
			}
			return steady(c.value, c.samples, c.held, kpi)
		},
		Baseline: func(phase, kpi string) *v1alpha1.Baseline { return c.frozen(resolved, phase, kpi) },
		Peer: func(_, site, _ string, _ gate.KPI) ([]gate.Sample, bool) {
			var i int
			_, err := fmt.Sscanf(site, "site-%d", &i)
			return []gate.Sample{{Value: 1000 * float64(i+1) * c.market * luck(i), Time: noon}}, err == nil && i >= c.left
		},
	}
}

// luck is by how much a control site differs from the others, up to one percent.
func luck(i int) float64 { return 1 + 0.0025*float64(i*7%9-4) }

// frozen is the baseline of the site, with nine control sites of different sizes.
func (c told) frozen(resolved plan.Plan, phase, kpi string) *v1alpha1.Baseline {
	if c.baseline == 0 {
		return nil
	}
	taken := &v1alpha1.Baseline{
		KPI: kpi, SiteID: "lyon", PreTrend: "12w", WindowEnd: metav1.NewTime(noon.Add(-attempt)),
		Value: v1alpha1.ExactDecimal(c.baseline), Earlier: v1alpha1.ExactDecimal(c.earlier),
	}
	for _, p := range resolved.Phases {
		for _, b := range p.Baselines {
			if p.Name == phase && b.KPI.Name == kpi {
				taken.KPIRevision = b.KPI.Revision
			}
		}
	}
	for i := range controlSites {
		value := 1000 * float64(i+1)
		taken.Controls = append(taken.Controls, v1alpha1.ControlValue{
			Site: fmt.Sprintf("site-%d", i), Value: v1alpha1.ExactDecimal(value), Earlier: v1alpha1.ExactDecimal(value * luck(i+1)),
		})
	}
	return taken
}
