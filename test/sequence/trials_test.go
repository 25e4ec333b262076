package sequence

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// longAgo is a time before everything that a simulation asks about.
const longAgo = -24 * time.Hour

// trial returns a small plan, of one phase and one site, for what a gate can compare with and watch:
//
//	golive   takes a baseline of cycle over 30m, soaks 20m, then the gate accepted must pass
//
// All KPIs are measured every 5m and go stale after 20m; a value of cycle speaks about 10m. Cycle is 48 hours before the change and 42 from 15m on.
func trial(name string, accepted v1alpha1.AcceptanceGateSpec, changes ...func(*scenario)) scenario {
	golive := phase("golive", "20m", "accepted")
	golive.Spec.Baselines = []v1alpha1.BaselineSpec{{KPI: "cycle", Window: "30m"}}
	s := scenario{
		name: name,
		objects: []client.Object{
			&v1alpha1.MetricProvider{ObjectMeta: named("warehouse"), Spec: v1alpha1.MetricProviderSpec{Prometheus: &v1alpha1.PrometheusProvider{Address: "https://warehouse.example"}}},
			windowed("cycle", v1alpha1.DirectionLowerIsBetter), complaints(),
			&v1alpha1.AcceptanceGate{ObjectMeta: named("accepted"), Spec: accepted},
			golive, site("hq", "pilot"),
			&v1alpha1.CRMRollout{ObjectMeta: named("crm"), Spec: v1alpha1.CRMRolloutSpec{
				Phases: []v1alpha1.LocalReference{{Name: "golive"}}, Waves: []v1alpha1.Wave{wave("pilot", "pilot")}}},
		},
		numbers: map[string]map[string][]point{
			"cycle": {"": {{longAgo, 48}, {15 * minute, 42}}}, "complaints": {"": {{longAgo, 2}}}, "training": {"": {{longAgo, 0.95}}},
		},
		samples: map[string]map[string][]point{},
		length:  70 * minute,
	}
	for _, change := range changes {
		change(&s)
	}
	return s
}

// windowed is a KPI whose query has its window of 10m in it.
func windowed(name string, direction v1alpha1.Direction) *v1alpha1.KPI {
	k := kpi(name, "10m")
	k.Spec.Query, k.Spec.Direction = name+"[{{window}}]", direction
	return k
}

func complaints() *v1alpha1.KPI {
	k := kpi("complaints", "")
	k.Spec.Direction = v1alpha1.DirectionLowerIsBetter
	return k
}

// shorter asks for a tenth less cycle time than before the change.
func shorter() v1alpha1.Criterion {
	return v1alpha1.Criterion{Name: "shorter", KPI: "cycle", AtMost: threshold("-10%"), Against: &v1alpha1.Against{Baseline: &v1alpha1.BaselineComparison{}}}
}

func asks(criteria ...v1alpha1.Criterion) v1alpha1.AcceptanceGateSpec {
	return v1alpha1.AcceptanceGateSpec{Criteria: criteria}
}

// quiet is a gate that asks for a shorter cycle, and fails an attempt when there are more than five complaints for 10m.
func quiet() v1alpha1.AcceptanceGateSpec {
	return v1alpha1.AcceptanceGateSpec{
		Criteria:   []v1alpha1.Criterion{shorter()},
		Guardrails: []v1alpha1.Criterion{{Name: "quiet", KPI: "complaints", AtMost: threshold("5"), For: "10m"}},
	}
}

// noisy makes complaints for a while.
func noisy(from, until time.Duration) func(*scenario) {
	return numbers("complaints", "hq", point{longAgo, 2}, point{from, 9}, point{until, 2})
}

// ofBaselines are about what is remembered from before a change.
func ofBaselines() []scenario {
	return []scenario{
		trial("baseline", asks(shorter()), numbers("cycle", "hq", point{longAgo, 48}, point{15 * minute, 46}, point{42 * minute, 42})),
		trial("baseline-while-the-source-is-down", asks(shorter()), down(0, 17*minute), numbers("cycle", "hq", point{longAgo, 48}, point{33 * minute, 42})),
		trial("baseline-without-a-number", asks(shorter()), numbers("cycle", "hq", point{longAgo, missing}, point{8 * minute, 48}, point{33 * minute, 42})),
		trial("baseline-of-another-definition", asks(shorter()), numbers("cycles", "hq", point{longAgo, 30}), lasting(50*minute),
			at(12*minute, "the KPI comes to measure something else", edit("cycle", func(k *v1alpha1.KPI) { k.Spec.Query = "cycles[{{window}}]" }))),
		trial("restarted-before-the-baseline-is-taken", asks(shorter()),
			assoon(standsFor("hq", v1alpha1.ReasonBaselineMissing), "the operator stops", func(s *sim) { s.restart("restarted") })),
		trial("restarted-when-the-baseline-is-taken", asks(shorter()),
			assoonCaptured("cycle", "the operator stops", func(s *sim) { s.restart("restarted") })),
	}
}

// standsFor is the change after which a site stands where it stands for a reason.
func standsFor(site, reason string) func(change) bool {
	return func(c change) bool {
		sr, ok := c.now.(*v1alpha1.SiteRollout)
		return ok && sr.Spec.Site == site && sr.Status.Reason == reason
	}
}

// ofGuardrails are about what must not break while a phase runs.
func ofGuardrails() []scenario {
	return []scenario{
		trial("guardrail-broken-in-the-soak", quiet(), noisy(8*minute, 32*minute), lasting(75*minute)),
		trial("guardrail-broken-after-the-soak", quiet(), noisy(28*minute, 49*minute), numbers("cycle", "hq", point{longAgo, 48}, point{55 * minute, 42}), lasting(90*minute)),
		trial("guardrail-broken-for-a-moment", quiet(), noisy(8*minute, 13*minute)),
		trial("guardrail-unknown", quiet(), numbers("complaints", "hq", point{longAgo, 2}, point{18 * minute, missing}, point{33 * minute, 2})),
		trial("restarted-while-a-guardrail-breaks", quiet(), noisy(8*minute, 32*minute), restarted(13*minute), restarted(24*minute), lasting(75*minute)),
		trial("a-failed-attempt-keeps-its-place", quiet(), noisy(8*minute, 32*minute), declared(site("kiel", "pilot")), lasting(95*minute),
			plan(func(p *v1alpha1.CRMRolloutSpec) { p.MaxConcurrent = sites(1) })),
		trial("a-failed-phase-leaves-the-plan-and-comes-back", quiet(), noisy(8*minute, 42*minute), declared(phase("stabilise", "5m", "")), lasting(75*minute),
			plan(func(p *v1alpha1.CRMRolloutSpec) {
				p.Phases = append(p.Phases, v1alpha1.LocalReference{Name: "stabilise"})
			}),
			at(23*minute, "the phase is taken out of the plan", replan(func(p *v1alpha1.CRMRolloutSpec) { p.Phases = p.Phases[1:] })),
			at(33*minute, "it is back", replan(func(p *v1alpha1.CRMRolloutSpec) {
				p.Phases = append([]v1alpha1.LocalReference{{Name: "golive"}}, p.Phases...)
			}))),
		trial("source-down-while-a-guardrail-breaks", quiet(), noisy(8*minute, 42*minute), down(13*minute, 18*minute), lasting(85*minute)),
	}
}

// ofJudgements are about how criteria are put together, and what counts as a value.
func ofJudgements() []scenario {
	training := v1alpha1.Criterion{Name: "trained", KPI: "training", AtLeast: threshold("0.9")}
	few := v1alpha1.Criterion{Name: "few", KPI: "complaints", AtMost: threshold("5")}
	as := func(c v1alpha1.Criterion, change func(*v1alpha1.Criterion)) v1alpha1.Criterion { change(&c); return c }
	weighing := func(weight int32) func(*v1alpha1.Criterion) {
		return func(c *v1alpha1.Criterion) { c.Importance, c.Weight = v1alpha1.ImportanceWeighted, &weight }
	}
	either := func(c *v1alpha1.Criterion) { c.AnyOf = "proof" }
	warn, ten := int32(50), int64(10)
	more := declared(kpi("training", "10m"))
	return []scenario{
		trial("score-with-a-warning", v1alpha1.AcceptanceGateSpec{Score: &v1alpha1.Score{Pass: 70, Warn: &warn},
			Criteria: []v1alpha1.Criterion{as(shorter(), weighing(3)), as(training, weighing(2)), as(few, weighing(1))}},
			more, numbers("training", "hq", point{longAgo, 0.5}, point{27 * minute, 0.95})),
		trial("score-too-low", v1alpha1.AcceptanceGateSpec{Score: &v1alpha1.Score{Pass: 70, Warn: &warn},
			Criteria: []v1alpha1.Criterion{as(shorter(), weighing(1)), as(training, weighing(3)), as(few, weighing(1))}},
			more, numbers("training", "hq", point{longAgo, 0.5}, point{38 * minute, 0.95})),
		trial("one-of-two", asks(as(training, either), as(shorter(), either)),
			more, numbers("training", "hq", point{longAgo, 0.5}), numbers("cycle", "hq", point{longAgo, 48}, point{33 * minute, 42})),
		trial("advice-decides-nothing", asks(shorter(), as(training, func(c *v1alpha1.Criterion) { c.Importance = v1alpha1.ImportanceAdvisory })),
			more, numbers("training", "hq", point{longAgo, 0.5})),
		trial("another-window", asks(as(shorter(), func(c *v1alpha1.Criterion) { c.Window = "30m" })),
			func(s *scenario) {
				s.numbers["cycle[30m]"] = map[string][]point{"": {{longAgo, 48}, {38 * minute, 42}}}
			}),
		trial("few-samples", asks(as(shorter(), func(c *v1alpha1.Criterion) { c.MinSamples = &ten })), func(s *scenario) {
			s.samples["cycle"] = map[string][]point{"": {{longAgo, 12}, {12 * minute, 3}, {33 * minute, 12}}}
		}),
	}
}

// ofReferences are about two systems that run side by side.
func ofReferences() []scenario {
	one := int32(1)
	equal := v1alpha1.Criterion{Name: "equal", KPI: "orders", Between: &v1alpha1.Range{Min: "-1%", Max: "1%"}, For: "20m",
		Against: &v1alpha1.Against{Reference: &v1alpha1.ReferenceComparison{KPI: "orders-before", MaxExceptions: &one}}}
	beside := func(s *scenario) {
		declared(kpi("orders", ""), kpi("orders-before", ""))(s)
		s.numbers["orders-before"] = map[string][]point{"": {{longAgo, 200}}}
	}
	orders := func(points ...point) func(*scenario) {
		return func(s *scenario) { s.numbers["orders"] = map[string][]point{"hq": points} }
	}
	return []scenario{
		trial("parallel-run-with-an-exception", asks(equal), beside, orders(point{longAgo, 200}, point{14 * minute, 220}, point{16 * minute, 201})),
		trial("restarted-in-a-parallel-run", asks(equal), beside, orders(point{longAgo, 200}, point{14 * minute, 220}, point{16 * minute, 201}), restarted(18*minute)),
		trial("parallel-run-with-too-many-exceptions", asks(equal), beside, orders(point{longAgo, 200}, point{14 * minute, 220}, point{22 * minute, 201})),
	}
}
