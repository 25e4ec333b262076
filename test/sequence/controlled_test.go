package sequence

import (
	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// later are the sites of a later wave, with how much each one's sales scatter: before the change, and after it.
var later = []struct {
	name          string
	level         float64
	before, after float64
}{
	{"ankara", 80, 0.003, 0.004}, {"bern", 120, -0.002, -0.007}, {"cork", 60, 0.001, 0.002},
	{"delft", 200, -0.003, 0.009}, {"essen", 150, 0.002, -0.005}, {"faro", 90, 0.000, -0.003},
}

// market returns a trial with a control group of the first sites of the later wave. From 15m on, sales of all sites change by a factor, and those of hq by another one besides.
// The pilot goes on to a second phase, so that the later wave does not begin.
func market(name string, sites int, moves, effect float64, changes ...func(*scenario)) scenario {
	group := func(s *scenario) {
		s.length = 40 * minute
		declared(windowed("sales", v1alpha1.DirectionHigherIsBetter), phase("stabilise", "12h", ""))(s)
		with("golive", func(p *v1alpha1.RolloutPhase) {
			p.Spec.Baselines = []v1alpha1.BaselineSpec{{KPI: "sales", Controls: &v1alpha1.ControlGroup{PreTrend: "30m"}}}
		})(s)
		plan(func(p *v1alpha1.CRMRolloutSpec) {
			p.Phases = append(p.Phases, v1alpha1.LocalReference{Name: "stabilise"})
			p.Waves = append(p.Waves, wave("later", "later"))
		})(s)
		s.numbers["sales"] = map[string][]point{"hq": sales(100, 0.001, moves*effect)}
		for _, l := range later[:sites] {
			declared(site(l.name, "later"))(s)
			s.numbers["sales"][l.name] = sales(l.level, l.before, moves*(1+l.after))
		}
	}
	return trial(name, asks(grown("sold", &v1alpha1.BaselineComparison{}), lifted("")), append([]func(*scenario){group}, changes...)...)
}

// sales are steady but for a step just before the simulation begins, and one at 15m.
func sales(level, drift, factor float64) []point {
	return []point{{longAgo, level}, {-2 * minute, level * (1 + drift)}, {15 * minute, level * (1 + drift) * factor}}
}

// grown asks for 5 % more than before the change, as advice.
func grown(name string, against *v1alpha1.BaselineComparison) v1alpha1.Criterion {
	return v1alpha1.Criterion{Name: name, KPI: "sales", AtLeast: threshold("5%"), Importance: v1alpha1.ImportanceAdvisory, Against: &v1alpha1.Against{Baseline: against}}
}

// lifted asks for 5 % more than what the control group gained.
func lifted(holds v1alpha1.Duration) v1alpha1.Criterion {
	return v1alpha1.Criterion{Name: "lifted", KPI: "sales", AtLeast: threshold("5%"), For: holds, Against: &v1alpha1.Against{Control: &v1alpha1.ControlComparison{}}}
}

// ofControls are about what other causes did.
func ofControls() []scenario {
	steep := func(s *scenario) { s.numbers["sales"]["hq"] = sales(100, 0.1, 1.08) }
	return []scenario{
		market("market-boom", 6, 1.15, 1),
		market("effect-in-a-falling-market", 6, 0.9, 1.08),
		market("too-few-controls", 4, 1, 1.2),
		market("a-control-without-numbers", 6, 1, 1.2, func(s *scenario) {
			for _, l := range later[:2] {
				s.numbers["sales"][l.name] = []point{{longAgo, missing}}
			}
		}),
		market("moved-differently-before", 6, 1, 1.08, steep),
		market("a-control-begins-the-phase", 6, 0.9, 1.08, leaving, lasting(hour)),
		market("a-control-is-removed", 6, 0.9, 1.08, holding, lasting(50*minute), at(22*minute, "a control site is removed", remove(site("delft", "later")))),
		market("restarted-in-a-hold-beside-controls", 6, 0.9, 1.08, holding, lasting(50*minute), restarted(27*minute)),
	}
}

// holding lets the effect be seen for 20m.
func holding(s *scenario) {
	with("accepted", func(g *v1alpha1.AcceptanceGate) { g.Spec.Criteria[1] = lifted("20m") })(s)
}

// leaving adds kiel to the pilot. There is no place for it before 28m, so it is in the control group of hq at first; when it begins the phase, its own sales leap.
func leaving(s *scenario) {
	places := func(n int) func(*v1alpha1.CRMRolloutSpec) {
		return func(p *v1alpha1.CRMRolloutSpec) { p.MaxConcurrent = sites(n) }
	}
	declared(site("kiel", "pilot"))(s)
	plan(places(1))(s)
	at(28*minute, "maxConcurrent is raised to 2", replan(places(2)))(s)
	holding(s)
	s.numbers["sales"]["kiel"] = append(sales(70, 0.001, 0.9*1.001), point{33 * minute, 100})
}
