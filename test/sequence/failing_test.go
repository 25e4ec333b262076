package sequence

import (
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// limited changes the only phase of a trial.
func limited(change func(*v1alpha1.RolloutPhaseSpec)) func(*scenario) {
	return with("golive", func(p *v1alpha1.RolloutPhase) { change(&p.Spec) })
}

// failing gives the only phase of a trial a deadline of 40m and says what follows a failure.
func failing(policy v1alpha1.FailurePolicy) func(*scenario) {
	return limited(func(p *v1alpha1.RolloutPhaseSpec) { p.Deadline, p.OnFailure = "40m", policy })
}

// long makes the cycle of a site stay as long as before the change.
func long(site string) func(*scenario) { return numbers("cycle", site, point{longAgo, 48}) }

// improves makes the cycle of a site shorter from a time on.
func improves(site string, from time.Duration) func(*scenario) {
	return numbers("cycle", site, point{longAgo, 48}, point{from, 42})
}

// oneAtATime lets one site be in a phase at a time.
func oneAtATime() func(*scenario) {
	return plan(func(p *v1alpha1.CRMRolloutSpec) { p.MaxConcurrent = sites(1) })
}

// ofFailures are about deadlines, and about what follows when no other attempt begins by itself.
func ofFailures() []scenario {
	kiel := declared(site("kiel", "pilot"))
	twice := func(p *v1alpha1.RolloutPhaseSpec) {
		attempts := int32(2)
		p.MaxAttempts = &attempts
	}
	again := numbers("complaints", "hq", point{longAgo, 2}, point{8 * minute, 9}, point{32 * minute, 2}, point{43 * minute, 9}, point{67 * minute, 2})
	return []scenario{
		trial("deadline-missed-and-held", asks(shorter()), long("hq"), failing(v1alpha1.FailureHold)),
		trial("deadline-missed-and-rolled-back", asks(shorter()), long("hq"), improves("kiel", 47*minute), kiel, oneAtATime(), failing(v1alpha1.FailureRollBack), lasting(100*minute)),
		trial("deadline-missed-and-aborted", asks(shorter()), long("hq"), improves("kiel", 33*minute), failing(v1alpha1.FailureAbort), lasting(70*minute),
			at(22*minute, "another site joins", create(site("kiel", "pilot"))), at(45*minute, "another site joins", create(site("oslo", "pilot")))),
		trial("deadline-while-the-source-is-down", asks(shorter()), down(23*minute, 60*minute), failing(v1alpha1.FailureHold)),
		trial("deadline-met-after-a-hold", asks(shorter()), numbers("cycle", "hq", point{longAgo, 48}, point{28 * minute, 42}), failing(v1alpha1.FailureAbort)),
		trial("deadline-while-the-operator-is-down", asks(shorter()), long("hq"), failing(v1alpha1.FailureHold),
			assoon(measurement("cycle", 34*minute), "the operator is down for 8m", func(s *sim) {
				s.moveClock(s.clock.Now().Add(8 * minute))
				s.restart("restarted")
			})),
		trial("attempts-used-up", quiet(), again, limited(twice), lasting(100*minute)),
		trial("rolled-back-by-a-guardrail", quiet(), noisy(8*minute, 32*minute), improves("kiel", 27*minute), kiel, oneAtATime(), failing(v1alpha1.FailureRollBack), lasting(100*minute)),
		trial("restarted-after-a-rollback", quiet(), noisy(8*minute, 32*minute), failing(v1alpha1.FailureRollBack), restarted(26*minute), restarted(45*minute)),
		trial("abort-ends-when-the-phase-says-otherwise", asks(shorter()), long("hq"), improves("kiel", 63*minute), kiel, oneAtATime(), failing(v1alpha1.FailureAbort), lasting(110*minute),
			at(52*minute, "the failed site is to be rolled back instead", edit("golive", func(p *v1alpha1.RolloutPhase) { p.Spec.OnFailure = v1alpha1.FailureRollBack }))),
	}
}

// sustained has a trial keep complaints low behind its last phase.
func sustained(policy v1alpha1.RegressionPolicy, kept v1alpha1.AcceptanceGateSpec) func(*scenario) {
	return func(s *scenario) {
		declared(&v1alpha1.AcceptanceGate{ObjectMeta: named("kept"), Spec: kept})(s)
		plan(func(p *v1alpha1.CRMRolloutSpec) {
			p.Sustain = &v1alpha1.Sustain{Gate: v1alpha1.LocalReference{Name: "kept"}, OnRegression: policy}
		})(s)
	}
}

// ofSustain are about what follows the last phase and never ends.
func ofSustain() []scenario {
	few := asks(v1alpha1.Criterion{Name: "few", KPI: "complaints", AtMost: threshold("5"), For: "10m"})
	calm := v1alpha1.AcceptanceGateSpec{Guardrails: []v1alpha1.Criterion{{Name: "calm", KPI: "complaints", AtMost: threshold("5"), For: "10m"}}}
	complains := func(site string, from, until time.Duration) func(*scenario) {
		return numbers("complaints", site, point{longAgo, 2}, point{from, 9}, point{until, 2})
	}
	report, reopen := v1alpha1.RegressionReport, v1alpha1.RegressionReopen
	return []scenario{
		trial("regressed-and-recovered", asks(shorter()), sustained(report, few), complains("hq", 48*minute, 57*minute), lasting(90*minute)),
		trial("regressed-only-by-values-from-behind-the-last-phase", asks(shorter()), sustained(report, few), complains("hq", longAgo, 22*minute), lasting(60*minute)),
		trial("a-guardrail-to-sustain-is-broken-for-a-moment", asks(shorter()), sustained(report, calm), complains("hq", 38*minute, 43*minute), lasting(80*minute)),
		trial("a-guardrail-to-sustain-is-broken", asks(shorter()), sustained(report, calm), complains("hq", 38*minute, 57*minute), lasting(90*minute)),
		trial("regressed-and-silent", asks(shorter()), sustained(report, few), complains("hq", 38*minute, 47*minute), down(43*minute, 75*minute), lasting(100*minute)),
		trial("restarted-while-regressed", asks(shorter()), sustained(report, few), complains("hq", 38*minute, 52*minute), restarted(47*minute), restarted(58*minute), lasting(90*minute)),
		trial("regressed-and-reopened", asks(shorter()), sustained(reopen, few), complains("hq", 38*minute, 57*minute), lasting(120*minute)),
		trial("a-reopened-phase-waits-for-a-place", asks(shorter()), sustained(reopen, few), complains("hq", 38*minute, 57*minute), oneAtATime(), lasting(140*minute),
			declared(site("kiel", "later")), plan(func(p *v1alpha1.CRMRolloutSpec) { p.Waves = append(p.Waves, wave("later", "later")) }), improves("kiel", 62*minute)),
		programme("an-earlier-phase-is-reopened", plan(func(p *v1alpha1.CRMRolloutSpec) {
			p.Sustain = &v1alpha1.Sustain{Gate: v1alpha1.LocalReference{Name: "clean"}, OnRegression: reopen, Reopens: "migrate"}
		}), bad("hq", 81*minute, 118*minute), lasting(5*hour)),
		trial("nothing-is-to-be-sustained-any-more", asks(shorter()), sustained(report, few), complains("hq", 38*minute, 80*minute), lasting(70*minute),
			at(52*minute, "sustain is taken out of the rollout", replan(func(p *v1alpha1.CRMRolloutSpec) { p.Sustain = nil }))),
	}
}
