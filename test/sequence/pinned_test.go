package sequence

import (
	"context"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// stricter makes the gate of migrate accept nobody.
func stricter(when time.Duration) func(*scenario) {
	return at(when, "the gate of migrate accepts nobody any more", edit("clean", func(g *v1alpha1.AcceptanceGate) { g.Spec.Criteria[0].AtMost = threshold("0.001") }))
}

// laxer makes the gate of migrate accept everybody.
func laxer(when time.Duration) func(*scenario) {
	return at(when, "the gate of migrate accepts everybody", edit("clean", func(g *v1alpha1.AcceptanceGate) { g.Spec.Criteria[0].AtMost = threshold("0.9") }))
}

// withPilotUse adds a phase between migrate and golive.
func withPilotUse(when time.Duration) func(*scenario) {
	return at(when, "the plan gains a phase between migrate and golive", func(s *sim) {
		create(phase("pilot-use", "10m", ""))(s)
		replan(func(p *v1alpha1.CRMRolloutSpec) {
			p.Phases = slices.Insert(p.Phases, 2, v1alpha1.LocalReference{Name: "pilot-use"})
		})(s)
	})
}

// ofPinned are about plans that are edited while sites are on their way.
func ofPinned() []scenario {
	adopt := func(policy v1alpha1.AdoptPolicy) func(*scenario) {
		return plan(func(p *v1alpha1.CRMRolloutSpec) { p.Adopt = policy })
	}
	// The query asks for another number, which is bad at every site.
	otherNumber := at(40*minute, "KPI duplicates comes to measure something else", edit("duplicates", func(k *v1alpha1.KPI) { k.Spec.Query = "copies" }))
	copies := numbers("copies", "", point{longAgo, 0.5}, point{2 * hour, 0.01})
	ready := with("migrate", func(p *v1alpha1.RolloutPhase) { p.Spec.EntryGate = &v1alpha1.LocalReference{Name: "ready"} })
	readiness := declared(gate("ready", v1alpha1.Criterion{Name: "staff", KPI: "training", AtLeast: threshold("0.97")}))
	cycle := windowed("cycle", v1alpha1.DirectionLowerIsBetter)
	compared := with("migrate", func(p *v1alpha1.RolloutPhase) {
		p.Spec.Baselines = []v1alpha1.BaselineSpec{{KPI: "cycle", Window: "30m"}}
	})
	return []scenario{
		programme("a-kpi-is-deleted-before-its-baseline-is-taken", adopt(v1alpha1.AdoptNewSites), declared(cycle), numbers("cycle", "", point{longAgo, 48}), compared, lasting(5*hour),
			at(5*minute, "KPI cycle is deleted", remove(cycle)), at(hour, "it is there again", create(cycle))),
		programme("a-kpi-is-deleted-and-the-phase-with-its-baseline-skipped", adopt(v1alpha1.AdoptNewSites), declared(cycle), numbers("cycle", "", point{longAgo, 48}), compared, lasting(5*hour),
			at(5*minute, "KPI cycle is deleted", remove(cycle)), decidesAt(hour, "anna", "", v1alpha1.DecisionSkip)),
		programme("a-gate-gets-stricter-in-the-phase", stricter(45*minute), lasting(5*hour), laxer(4*hour)),
		programme("a-gate-gets-laxer-in-the-phase", bad("hq", 20*minute, 90*minute), laxer(45*minute)),
		programme("a-kpi-is-edited-in-the-phase", otherNumber, copies, lasting(5*hour)),
		programme("a-kpi-is-edited-in-the-phase-and-the-operator-restarted", otherNumber, copies, restarted(47*minute), lasting(5*hour)),
		programme("restarted-after-a-gate-got-stricter", stricter(45*minute), restarted(47*minute), lasting(3*hour)),
		programme("a-soak-gets-longer-in-the-phase", at(5*minute, "prepare soaks for an hour", edit("prepare", func(p *v1alpha1.RolloutPhase) { p.Spec.Soak = "60m" })), lasting(5*hour)),
		programme("edited-in-front-of-the-entry-gate", ready, readiness, lasting(5*hour),
			at(50*minute, "the entry gate is met by everybody", edit("ready", func(g *v1alpha1.AcceptanceGate) { g.Spec.Criteria[0].AtLeast = threshold("0.9") }))),
		programme("edited-and-edited-back", stricter(45*minute), at(50*minute, "the gate of migrate is as it was", edit("clean", func(g *v1alpha1.AcceptanceGate) { g.Spec.Criteria[0].AtMost = threshold("0.02") })), lasting(3*hour)),
		programme("the-next-phase-is-adopted", withPilotUse(30*minute), lasting(5*hour)),
		programme("new-sites-alone-adopt", adopt(v1alpha1.AdoptNewSites), withPilotUse(30*minute), lasting(5*hour)),
		programme("new-sites-alone-adopt-a-gate", adopt(v1alpha1.AdoptNewSites), stricter(25*minute), lasting(3*hour)),
		programme("a-phase-in-front-of-the-one-that-a-site-is-admitted-to", ready, readiness, numbers("training", "hq", point{longAgo, 0.95}, point{80 * minute, 0.98}), lasting(5*hour),
			at(40*minute, "the plan gains a phase between prepare and migrate", func(s *sim) {
				create(phase("clean-up", "10m", ""))(s)
				replan(func(p *v1alpha1.CRMRolloutSpec) {
					p.Phases = slices.Insert(p.Phases, 1, v1alpha1.LocalReference{Name: "clean-up"})
				})(s)
			})),
		programme("a-frozen-plan-is-lost", stricter(45*minute), lasting(3*hour), at(47*minute, "somebody deletes the frozen plans", func(s *sim) {
			for _, r := range all[*appsv1.ControllerRevision](s.api) {
				must(s.api.Delete(context.Background(), clone(r)))
			}
			s.restart("restarted") // a process that knows what was in them goes on by that
		}), decidesAt(70*minute, "anna", "", v1alpha1.DecisionSkip)),
	}
}
