package plan

import (
	"fmt"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

// Baseline is what a phase remembers of a site from before it.
type Baseline struct {
	// KPI over the window of the baseline.
	KPI gate.KPI
	// Source is the name of the MetricProvider.
	Source string
	// Controls says which sites make the control group; nil for none.
	Controls *Controls
}

// Controls says which sites make a control group.
type Controls struct {
	// SameLabels are the labels in which a control site must be like the site.
	SameLabels []string
	// PreTrend is how long before the baseline the earlier value is taken.
	PreTrend time.Duration
	// MaxSites is the greatest number of control sites.
	MaxSites int
}

// defaultMaxSites stands for an unset maxSites.
const defaultMaxSites = 30

func (p *Phase) resolveBaselines(object string, source *v1alpha1.RolloutPhase, objects Objects) {
	for _, b := range source.Spec.Baselines {
		field := "spec.baselines[kpi=" + b.KPI + "]"
		kpi, ok := objects.KPIs[b.KPI]
		if !ok {
			p.Mistakes = append(p.Mistakes, notFound(object, field+".kpi", "KPI", b.KPI))
			continue
		}
		resolved, mistakes := resolveOver(object, field+".window", kpi, b.Window)
		baseline := Baseline{KPI: resolved, Source: kpi.Spec.Provider.Name}
		if b.Controls != nil {
			var err error
			baseline.Controls = &Controls{SameLabels: b.Controls.SameLabels, MaxSites: defaultMaxSites}
			if b.Controls.MaxSites != nil {
				baseline.Controls.MaxSites = int(*b.Controls.MaxSites)
			}
			if baseline.Controls.PreTrend, err = b.Controls.PreTrend.Parse(); err != nil {
				mistakes = append(mistakes, invalid(object, field+".controls.preTrend", err.Error(), remedyDuration))
			} else if baseline.Controls.PreTrend == 0 {
				baseline.Controls.PreTrend = resolved.Window
			}
			if err == nil && baseline.Controls.PreTrend == 0 {
				mistakes = append(mistakes, invalid(object, field+".controls.preTrend", "it is not set, and the KPI has no window to stand for it",
					"say how long before the baseline the earlier value is to be taken"))
			}
		}
		p.Baselines, p.Mistakes = append(p.Baselines, baseline), append(p.Mistakes, mistakes...)
	}
}

// maxControls is how many values of control sites a site can remember over all phases of a plan. More would not leave room in its status for anything else.
const maxControls = 240

// checkControls finds plans that remember too much.
func (p *Plan) checkControls(object string) {
	sum := 0
	for _, phase := range p.Phases {
		for _, b := range phase.Baselines {
			if b.Controls != nil {
				sum += b.Controls.MaxSites
			}
		}
	}
	if sum > maxControls {
		p.Mistakes = append(p.Mistakes, invalid(object, "spec.phases",
			fmt.Sprintf("the baselines of its phases remember up to %d values of control sites for each site, more than the %d that fit into a status", sum, maxControls),
			"set controls.maxSites of the baselines lower, or declare controls for fewer of them"))
	}
}

// bindBaselines tells every criterion which phase declares its baseline: its own phase or an earlier one for an exit gate, an earlier one for an entry gate.
func (p *Plan) bindBaselines() {
	for i := range p.Phases {
		phase := &p.Phases[i]
		if phase.Entry != nil {
			phase.EntryMistakes = append(phase.EntryMistakes, bind(phase.Entry, p.Phases[:i])...)
		}
		if phase.Exit != nil {
			phase.Mistakes = append(phase.Mistakes, bind(phase.Exit, p.Phases[:i+1])...)
		}
	}
}

func bind(g *gate.Gate, phases []Phase) []Mistake {
	var mistakes []Mistake
	for i := range g.Criteria {
		c := &g.Criteria[i]
		list := "criteria"
		if c.Importance == v1alpha1.ImportanceGuardrail {
			list = "guardrails"
		}
		object, field := "AcceptanceGate/"+g.Name, fmt.Sprintf("spec.%s[name=%s].against", list, c.Name)
		var err error
		switch comparison := c.Comparison.(type) {
		case gate.AgainstBaseline:
			comparison.Phase, comparison.Revision, err = declaring(phases, comparison.Phase, c.KPI.Name, false)
			c.Comparison = comparison
			field += ".baseline"
		case gate.AgainstControl:
			comparison.Phase, comparison.Revision, err = declaring(phases, comparison.Phase, c.KPI.Name, true)
			c.Comparison = comparison
			field += ".control"
			if kept := remembered(phases, comparison.Phase, c.KPI.Name); err == nil && kept < comparison.MinSites {
				mistakes = append(mistakes, invalid(object, field+".minSites",
					fmt.Sprintf("it needs %d control sites, and phase %s remembers %d at most, so this would wait for ever", comparison.MinSites, comparison.Phase, kept),
					"ask for fewer, or raise spec.baselines.controls.maxSites of the phase"))
			}
		}
		if err != nil {
			mistakes = append(mistakes, invalid(object, field, err.Error(), "declare it in spec.baselines of a RolloutPhase up to this gate, or name the phase that does"))
		}
	}
	return mistakes
}

// declaring returns the phase that declares a baseline of a KPI, and what the baseline measures. The error says why there is no such phase, or which of several is meant.
func declaring(phases []Phase, named, kpi string, withControls bool) (phase, revision string, err error) {
	for _, p := range phases {
		if named != "" && p.Name != named {
			continue
		}
		for _, b := range p.Baselines {
			if b.KPI.Name != kpi || (withControls && b.Controls == nil) {
				continue
			}
			if phase != "" {
				return phase, revision, fmt.Errorf("phases %s and %s both declare a baseline of KPI %q, and the criterion does not name one of them", phase, p.Name, kpi)
			}
			phase, revision = p.Name, b.KPI.Revision
		}
	}
	if phase == "" {
		what := "a baseline"
		if withControls {
			what = "a baseline with controls"
		}
		if named != "" {
			return "", "", fmt.Errorf("no phase %q up to this gate declares %s of KPI %q", named, what, kpi)
		}
		return "", "", fmt.Errorf("no phase up to this gate declares %s of KPI %q", what, kpi)
	}
	return phase, revision, nil
}

// remembered returns how many control sites a phase remembers at most with its baseline of a KPI.
func remembered(phases []Phase, name, kpi string) int {
	for _, p := range phases {
		for _, b := range p.Baselines {
			if p.Name == name && b.KPI.Name == kpi && b.Controls != nil {
				return b.Controls.MaxSites
			}
		}
	}
	return 0
}
