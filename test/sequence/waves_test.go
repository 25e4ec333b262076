package sequence

import (
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// tour returns a plan for what waves do:
//
//	prepare   soaks 20m; more than five complaints for 5m fail an attempt
//	golive    soaks 10m
//
// The wave pilot has the sites hq, kiel and lyon, one after the other; the wave region has berlin, nice, oslo and turin. There are two complaints everywhere.
func tour(name string, changes ...func(*scenario)) scenario {
	calm := &v1alpha1.AcceptanceGate{ObjectMeta: named("calm"), Spec: v1alpha1.AcceptanceGateSpec{
		Guardrails: []v1alpha1.Criterion{{Name: "quiet", KPI: "complaints", AtMost: threshold("5"), For: "5m"}}}}
	s := scenario{
		name: name,
		objects: []client.Object{
			&v1alpha1.MetricProvider{ObjectMeta: named("warehouse"), Spec: v1alpha1.MetricProviderSpec{Prometheus: &v1alpha1.PrometheusProvider{Address: "https://warehouse.example"}}},
			complaints(), calm, phase("prepare", "20m", "calm"), phase("golive", "10m", ""),
			site("hq", "pilot"), site("kiel", "pilot"), site("lyon", "pilot"),
			site("berlin", "region"), site("nice", "region"), site("oslo", "region"), site("turin", "region"),
			&v1alpha1.CRMRollout{ObjectMeta: named("crm"), Spec: v1alpha1.CRMRolloutSpec{
				Phases: []v1alpha1.LocalReference{{Name: "prepare"}, {Name: "golive"}},
				Waves:  []v1alpha1.Wave{wave("pilot", "pilot"), wave("region", "region")}}},
		},
		numbers: map[string]map[string][]point{"complaints": {"": {{longAgo, 2}}}},
		samples: map[string]map[string][]point{},
		length:  3 * time.Hour,
	}
	s.objects[len(s.objects)-1].(*v1alpha1.CRMRollout).Spec.Waves[0].MaxConcurrent = sites(1)
	for _, change := range changes {
		change(&s)
	}
	return s
}

// percent is a limit in percent.
func percent(p string) *intstr.IntOrString {
	limit := intstr.FromString(p)
	return &limit
}

// region changes the second wave of a tour, pilot the first.
func region(change func(*v1alpha1.Wave)) func(*scenario) {
	return plan(func(p *v1alpha1.CRMRolloutSpec) { change(&p.Waves[1]) })
}

func pilot(change func(*v1alpha1.Wave)) func(*scenario) {
	return plan(func(p *v1alpha1.CRMRolloutSpec) { change(&p.Waves[0]) })
}

// behind puts a barrier in front of the region.
func behind(barrier v1alpha1.WaveBarrier) func(*scenario) {
	barrier.Wave = "pilot"
	return region(func(w *v1alpha1.Wave) { w.After = &barrier })
}

// complains makes complaints at a site for a while.
func complains(site string, from, until time.Duration) func(*scenario) {
	return numbers("complaints", site, point{longAgo, 2}, point{from, 9}, point{until, 2})
}

// ofWaves are about barriers, limits and failures.
func ofWaves() []scenario {
	halfOfRegion := region(func(w *v1alpha1.Wave) { w.MaxConcurrent = percent("60%") })
	together := pilot(func(w *v1alpha1.Wave) { w.MaxConcurrent = sites(2) })
	return []scenario{
		tour("barrier-of-a-number", behind(v1alpha1.WaveBarrier{AtLeast: sites(2)})),
		tour("barrier-of-a-percentage", behind(v1alpha1.WaveBarrier{AtLeast: percent("34%")}), region(func(w *v1alpha1.Wave) { w.MaxConcurrent = sites(1) }),
			at(65*minute, "another site joins the pilot, but the barrier stays reached", create(site("metz", "pilot"))),
			at(82*minute, "so do three more, and it is reached no longer", func(s *sim) {
				for _, name := range []string{"reims", "sete", "tours"} {
					create(site(name, "pilot"))(s)
				}
			}), lasting(5*time.Hour)),
		tour("barrier-of-a-phase", behind(v1alpha1.WaveBarrier{Phase: "prepare"}), together),
		tour("soak-between-waves", behind(v1alpha1.WaveBarrier{AtLeast: percent("60%"), Soak: "45m"}), restarted(100*minute)),
		tour("limits-of-waves", behind(v1alpha1.WaveBarrier{Phase: "prepare", AtLeast: sites(1)}), halfOfRegion,
			plan(func(p *v1alpha1.CRMRolloutSpec) { p.MaxConcurrent = sites(2) }), lasting(5*time.Hour)),
		tour("limit-in-percent", plan(func(p *v1alpha1.CRMRolloutSpec) { p.MaxConcurrent = percent("29%") }),
			pilot(func(w *v1alpha1.Wave) { w.MaxConcurrent = nil }), behind(v1alpha1.WaveBarrier{Phase: "prepare", AtLeast: sites(1)}), lasting(5*time.Hour),
			at(35*minute, "a site leaves, and less than two are 29%", remove(site("turin", "region")))),
		tour("too-many-failures", together, plan(func(p *v1alpha1.CRMRolloutSpec) { p.MaxFailures = sites(0) }), complains("hq", 8*minute, 62*minute), lasting(5*time.Hour)),
		tour("too-many-failures-in-a-wave", together, behind(v1alpha1.WaveBarrier{Phase: "prepare", AtLeast: sites(1)}),
			pilot(func(w *v1alpha1.Wave) { w.MaxFailures = percent("33%") }), complains("hq", 8*minute, 62*minute), lasting(5*time.Hour)),
		tour("failures-within-the-budget", together, pilot(func(w *v1alpha1.Wave) { w.MaxFailures = percent("34%") }), complains("hq", 8*minute, 62*minute), lasting(5*time.Hour)),
		tour("through-of-a-wave", together, behind(v1alpha1.WaveBarrier{Phase: "prepare"}), pilot(func(w *v1alpha1.Wave) { w.Through = "prepare" }),
			at(70*minute, "the pilot is promoted", replan(func(p *v1alpha1.CRMRolloutSpec) { p.Waves[0].Through = "golive" }))),
	}
}

// entry returns a tour whose first wave picks the best two of all sites; the others come after it. Readiness is measured, the higher the better.
func entry(name string, keys []v1alpha1.RankKey, changes ...func(*scenario)) scenario {
	two := int32(2)
	readiness := kpi("readiness", "")
	picking := func(s *scenario) {
		declared(readiness)(s)
		plan(func(p *v1alpha1.CRMRolloutSpec) {
			everywhere := wave("", "").Selector
			everywhere.MatchLabels = nil
			p.Waves = []v1alpha1.Wave{{Name: "entry", Selector: everywhere, RankBy: keys, Pick: &two}, {Name: "rest", Selector: everywhere}}
		})(s)
		s.numbers["readiness"] = map[string][]point{"": {{longAgo, 0.4}}, "oslo": {{longAgo, 0.9}}, "kiel": {{longAgo, 0.8}}, "turin": {{longAgo, 0.7}}, "nice": {{longAgo, missing}}}
	}
	return tour(name, append([]func(*scenario){picking}, changes...)...)
}

// ofRankings are about entry points.
func ofRankings() []scenario {
	by := func(keys ...v1alpha1.RankKey) []v1alpha1.RankKey { return keys }
	ready := v1alpha1.RankKey{By: v1alpha1.RankByKPI, Name: "readiness"}
	users := func(of map[string]int32) func(*scenario) {
		return func(s *scenario) {
			for name, n := range of {
				with(name, func(site *v1alpha1.RolloutSite) { site.Spec.Users = &n })(s)
			}
		}
	}
	held := func(s *scenario) { // nobody begins before 23m
		declared(kpi("uptime", ""), gate("up", v1alpha1.Criterion{Name: "systems", KPI: "uptime", AtLeast: threshold("0.99")}))(s)
		with("prepare", func(p *v1alpha1.RolloutPhase) { p.Spec.EntryGate = &v1alpha1.LocalReference{Name: "up"} })(s)
		s.numbers["uptime"] = map[string][]point{"": {{longAgo, 0.5}, {23 * minute, 0.999}}}
	}
	ranked := func(site string, rank int32) func(change) bool {
		return func(c change) bool {
			sr, ok := c.now.(*v1alpha1.SiteRollout)
			return ok && sr.Spec.Site == site && sr.Spec.Rank != nil && *sr.Spec.Rank == rank
		}
	}
	return []scenario{
		entry("pick-by-a-kpi", by(ready), func(s *scenario) { s.numbers["readiness"]["berlin"] = []point{{longAgo, 0.4}, {7 * minute, 0.99}} }),
		entry("pick-by-attribute-and-users", by(v1alpha1.RankKey{By: v1alpha1.RankByAttribute, Name: "maturity", Order: v1alpha1.RankLowestFirst}, v1alpha1.RankKey{By: v1alpha1.RankByUsers}),
			users(map[string]int32{"nice": 40, "oslo": 900, "turin": 120}), func(s *scenario) {
				for _, name := range []string{"nice", "oslo", "turin"} {
					with(name, func(site *v1alpha1.RolloutSite) {
						site.Spec.Attributes = map[string]v1alpha1.AttributeValue{"maturity": "2"}
					})(s)
				}
			}),
		entry("pick-by-a-gate", by(v1alpha1.RankKey{By: v1alpha1.RankByGate, Name: "ripe"}, v1alpha1.RankKey{By: v1alpha1.RankByUsers}), users(map[string]int32{"kiel": 7, "oslo": 5, "turin": 6}),
			declared(gate("ripe", v1alpha1.Criterion{Name: "readiness", KPI: "readiness", AtLeast: threshold("0.7"), For: "10h"}, v1alpha1.Criterion{Name: "calm", KPI: "complaints", AtMost: threshold("5")}))),
		entry("picked-when-the-source-is-back", by(ready), down(0, 12*minute)),
		entry("picked-when-the-rollout-is-resumed", by(ready), plan(func(p *v1alpha1.CRMRolloutSpec) { p.Suspend, p.SuspendReason = true, "sites are being declared" }),
			at(6*minute, "the last site is declared", create(site("aachen", "region"))),
			at(11*minute, "the rollout is resumed", replan(func(p *v1alpha1.CRMRolloutSpec) { p.Suspend, p.SuspendReason = false, "" })),
			func(s *scenario) { s.numbers["readiness"]["aachen"] = []point{{longAgo, 0.95}} }),
		entry("a-picked-site-leaves", by(ready), held, at(12*minute, "a picked site is removed before anybody has begun", remove(site("kiel", "pilot"))),
			at(31*minute, "the other one is removed after it has begun", remove(site("oslo", "region"))), lasting(4*time.Hour)),
		entry("restarted-between-ranking-and-admission", by(ready), assoon(ranked("oslo", 1), "the operator stops", func(s *sim) { s.restart("restarted") })),
		entry("restarted-in-the-middle-of-a-picking", by(ready), whenWritten(ranked("kiel", 2), "the operator stops", func(s *sim) { s.chaos.crashAfter = true })),
		entry("an-answer-is-lost-while-picking", by(ready), whenWritten(ranked("kiel", 2), "the answer of the API server is lost", func(s *sim) { s.chaos.failAfter = true })),
		tour("joins-after-the-ranking", pilot(func(w *v1alpha1.Wave) { w.RankBy = by(v1alpha1.RankKey{By: v1alpha1.RankByUsers}) }),
			users(map[string]int32{"hq": 10, "kiel": 30, "lyon": 20}), at(40*minute, "a site joins that would have been the first", func(s *sim) {
				first := site("aachen", "pilot")
				n := int32(99)
				first.Spec.Users = &n
				create(first)(s)
			}), lasting(5*time.Hour)),
	}
}
