package sequence

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

const (
	minute = time.Minute
	hour   = time.Hour
)

// scenarios are all that are played. Each varies the plan that programme or trial describes.
func scenarios() []scenario {
	return slices.Concat(ofNumbers(), ofRestarts(), ofPlans(), ofMembers(), ofLimits(), ofBaselines(), ofGuardrails(), ofJudgements(), ofReferences(), ofControls(), ofWaves(), ofRankings(), ofFailures(), ofSustain(), ofHours(), ofRequests(), ofDates(), ofPinned(), ofPeople())
}

// ofRestarts are about what a process knows that another has to find out.
func ofRestarts() []scenario {
	one := plan(func(p *v1alpha1.CRMRolloutSpec) { p.MaxConcurrent = sites(1) })
	aachen := create(site("aachen", "region"))
	return []scenario{
		programme("restarted-in-a-hold", restarted(47*minute)),
		programme("restarted-while-the-source-is-down", down(44*minute, 54*minute), restarted(47*minute)),
		programme("restarted-after-a-bad-value", bad("hq", 44*minute, 48*minute), restarted(46*minute)),
		programme("stopped-before-a-bad-value-is-judged", bad("hq", 44*minute, 48*minute),
			assoon(measurement("duplicates", 44*minute), "the operator is down for 6m", func(s *sim) {
				s.moveClock(s.clock.Now().Add(6 * minute))
				s.restart("restarted")
			})),
		programme("joins-when-the-only-place-is-given-away", one, lasting(7*hour),
			assoon(admission("berlin", "prepare"), "a site that comes first by its name is declared", aachen)),
		programme("restarted-when-the-only-place-is-given-away", one, lasting(7*hour),
			assoon(admission("berlin", "prepare"), "the operator stops, and a site that comes first by its name is declared", func(s *sim) {
				aachen(s)
				s.restart("restarted")
			})),
	}
}

// flickering makes every second number of a site's records bad for a while.
func flickering(site string, from, until time.Duration) func(*scenario) {
	points := []point{{0, 0.01}}
	for at := from; at < until; at += 10 * minute {
		points = append(points, point{at - 2*minute, 0.05}, point{at + 3*minute, 0.01})
	}
	return numbers("duplicates", site, points...)
}

// bad makes a site's records bad for a while.
func bad(site string, from, until time.Duration) func(*scenario) {
	return numbers("duplicates", site, point{0, 0.01}, point{from, 0.05}, point{until, 0.01})
}

// ofNumbers are about what the source says.
func ofNumbers() []scenario {
	return []scenario{
		programme("two-waves"),
		programme("held-then-recovers", bad("hq", 0, 90*minute)),
		programme("held-in-the-middle-of-a-hold", bad("hq", 43*minute, 58*minute)),
		programme("hold-survives-a-short-gap", down(38*minute, 48*minute)),
		programme("hold-restarts-after-a-long-gap", down(38*minute, 68*minute)),
		programme("source-down-at-first", down(0, 27*minute)),
		programme("source-down-while-held", bad("hq", 0, 70*minute), down(50*minute, 62*minute), down(92*minute, 130*minute), lasting(5*hour)),
		programme("not-a-number", numbers("duplicates", "hq", point{0, 0.01}, point{33 * minute, notANumber}, point{44 * minute, 0.01}),
			numbers("training", "berlin", point{0, notANumber}, point{150 * minute, 0.95})),
		programme("a-site-without-numbers", numbers("training", "lyon", point{0, missing}, point{3 * hour, 0.95}), lasting(5*hour)),
		programme("entry-gate", with("golive", func(p *v1alpha1.RolloutPhase) { p.Spec.EntryGate = &v1alpha1.LocalReference{Name: "ready"} }),
			declared(kpi("uptime", ""), gate("ready", v1alpha1.Criterion{Name: "systems", KPI: "uptime", AtLeast: threshold("0.99"), For: "10m"})),
			func(s *scenario) {
				s.numbers["uptime"] = map[string][]point{"": {{0, 0.999}}, "hq": {{0, 0.9}, {83 * minute, 0.999}}}
			}),
		programme("source-down-at-the-end-of-a-soak", down(17*minute, 28*minute)),
		programme("a-story-longer-than-is-kept", without[*v1alpha1.RolloutSite]("berlin"), without[*v1alpha1.RolloutSite]("lyon"), flickering("hq", 35*minute, 6*hour), lasting(7*hour)),
	}
}

// ofLimits are about maxConcurrent, through and suspend.
func ofLimits() []scenario {
	limit := func(n int) func(*v1alpha1.CRMRolloutSpec) {
		return func(p *v1alpha1.CRMRolloutSpec) { p.MaxConcurrent = sites(n) }
	}
	through := func(phase string) func(*v1alpha1.CRMRolloutSpec) {
		return func(p *v1alpha1.CRMRolloutSpec) { p.Through = phase }
	}
	suspend := func(now bool) func(*v1alpha1.CRMRolloutSpec) {
		return func(p *v1alpha1.CRMRolloutSpec) { p.Suspend = now; p.SuspendReason = "audit" }
	}
	more := declared(site("nice", "region"), site("oslo", "region"))
	return []scenario{
		programme("one-at-a-time", plan(limit(1)), more, lasting(7*hour)),
		programme("phase-put-in-front", plan(limit(1)), more, lasting(9*hour), at(245*minute, "the plan gains a first phase", func(s *sim) {
			create(phase("assess", "10m", ""))(s)
			replan(func(spec *v1alpha1.CRMRolloutSpec) {
				spec.Phases = append([]v1alpha1.LocalReference{{Name: "assess"}}, spec.Phases...)
			})(s)
		})),
		programme("two-at-a-time", plan(limit(2)), more, lasting(5*hour)),
		programme("a-held-site-keeps-its-place", plan(limit(1)), numbers("duplicates", "berlin", point{0, 0.05}, point{4 * hour, 0.01}), lasting(7*hour)),
		programme("limit-lowered-and-raised", plan(limit(3)), more, lasting(5*hour),
			at(100*minute, "maxConcurrent is lowered to 1", replan(limit(1))), at(130*minute, "maxConcurrent is raised to 2", replan(limit(2)))),
		programme("through-raised", plan(through("prepare")), at(50*minute, "through is raised to migrate", replan(through("migrate"))),
			at(110*minute, "through is raised to golive", replan(through("golive"))), at(3*hour, "through is removed", replan(through("")))),
		programme("through-lowered", at(32*minute, "through is lowered to prepare", replan(through("prepare"))),
			at(110*minute, "through is removed", replan(through("")))),
		programme("suspended", plan(suspend(true)), lasting(5*hour),
			at(7*minute, "the rollout is resumed", replan(suspend(false))),
			at(17*minute, "the rollout is suspended in the soak", replan(suspend(true))),
			at(48*minute, "the rollout is resumed", replan(suspend(false))),
			at(70*minute, "the rollout is suspended in a hold", replan(suspend(true))),
			at(113*minute, "the rollout is resumed", replan(suspend(false))),
			at(122*minute, "the rollout is suspended in the last phase", replan(suspend(true))),
			at(158*minute, "the rollout is resumed", replan(suspend(false)))),
	}
}

// ofPlans are about waves and mistakes.
func ofPlans() []scenario {
	broken := func(p *v1alpha1.CRMRolloutSpec) {
		p.Phases = append(p.Phases, v1alpha1.LocalReference{Name: "optimise"})
	}
	mended := func(p *v1alpha1.CRMRolloutSpec) { p.Phases = p.Phases[:3] }
	return []scenario{
		programme("explicit-after", plan(func(p *v1alpha1.CRMRolloutSpec) {
			p.Waves = []v1alpha1.Wave{wave("region", "region"), wave("pilot", "pilot"), wave("branch", "branch")}
			p.Waves[0].After = &v1alpha1.WaveBarrier{Wave: "pilot"}
			p.Waves[1].After = nil
			p.Waves = []v1alpha1.Wave{p.Waves[1], p.Waves[0], p.Waves[2]}
			p.Waves[2].After = &v1alpha1.WaveBarrier{Wave: "pilot"}
		}), declared(site("store", "branch"))),
		programme("wave-without-sites", plan(func(p *v1alpha1.CRMRolloutSpec) {
			p.Waves = []v1alpha1.Wave{wave("pilot", "pilot"), wave("middle", "middle"), wave("region", "region")}
		}), lasting(5*hour), at(130*minute, "a site for the empty wave is declared", create(site("store", "middle")))),
		programme("a-site-in-two-waves", plan(func(p *v1alpha1.CRMRolloutSpec) {
			p.Waves = []v1alpha1.Wave{wave("pilot", "pilot"), wave("region", "region"), {Name: "all", Selector: &metav1.LabelSelector{}}}
		}), declared(site("store", "branch")), lasting(5*hour)),
		programme("invalid-at-first", without[*v1alpha1.AcceptanceGate]("clean"), plan(broken),
			at(12*minute, "the plan is mended", replan(mended)),
			at(80*minute, "the missing gate is declared", create(gate("clean", v1alpha1.Criterion{Name: "records", KPI: "duplicates", AtMost: threshold("0.02"), For: "30m"})))),
		programme("plan-broken-and-mended", at(10*minute, "the plan names a phase that does not exist", replan(broken)),
			at(55*minute, "the plan is mended", replan(mended))),
		programme("phase-added", at(110*minute, "the plan gains a phase", func(s *sim) {
			create(phase("optimise", "10m", ""))(s)
			replan(broken)(s)
		})),
	}
}

// ofMembers are about sites that come and go.
func ofMembers() []scenario {
	return []scenario{
		programme("joins-late", at(75*minute, "a site joins the wave that runs", create(site("kiel", "pilot"))), lasting(5*hour)),
		programme("joins-a-completed-wave", at(140*minute, "a site joins the wave that has completed", create(site("kiel", "pilot"))), lasting(5*hour)),
		programme("removed-before-it-began", at(50*minute, "a site that has not begun is removed", remove(site("berlin", "region")))),
		programme("removed-after-it-began", at(115*minute, "a site that has begun is removed", remove(site("berlin", "region")))),
		programme("moved-to-another-wave", at(50*minute, "a site moves to the wave that runs", edit("berlin", func(s *v1alpha1.RolloutSite) { s.Labels["wave"] = "pilot" })), lasting(5*hour)),
		programme("the-last-site-of-a-wave-moves-on", declared(site("kiel", "pilot")), numbers("duplicates", "kiel", point{0, 0.05}, point{3 * hour, 0.01}),
			at(100*minute, "the site that keeps the wave from completing moves to the next", edit("kiel", func(s *v1alpha1.RolloutSite) { s.Labels["wave"] = "region" })), lasting(5*hour)),
		programme("removed-while-it-has-the-only-place", plan(func(p *v1alpha1.CRMRolloutSpec) { p.MaxConcurrent = sites(1) }),
			at(15*minute, "the site in flight is removed", remove(site("hq", "pilot"))), at(3*hour, "it comes back", create(site("hq", "pilot"))), lasting(7*hour)),
	}
}
