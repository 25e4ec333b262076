package sequence

import (
	"slices"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// spoiling breaks an innocent step in one way; broken is what the judge must find, or nothing.
type spoiling struct {
	broken string
	how    string
	spoil  func(*step)
}

// Invariants by their names, which are long.
const (
	byProof     = "a gate passes on proof only"
	byBaselines = "a phase starts with all its baselines"
	byCounting  = "attempts are counted one by one, and follow failures"
	byEvidence  = "a passed attempt has not failed, and its evidence is its own"
	byGuards    = "no gate passes on a guardrail that is broken or unknown"
	byFailure   = "an attempt fails on proof only"
	byRetry     = "another attempt begins when all guardrails are known to be kept"
	byFreezing  = "a frozen baseline never changes"
)

// then does two things.
func then(first, second func(*step)) func(*step) {
	return func(s *step) { first(s); second(s) }
}

func tries(s *step) { s.trying(quiet()) }

// spoiltTrials are about baselines, attempts and comparisons.
func spoiltTrials() []spoiling {
	return slices.Concat(spoiltAttempts(), spoiltBaselines(), spoiltProofs(), spoiltFailures(), spoiltSustain())
}

func spoiltAttempts() []spoiling {
	was := func(s *step) *v1alpha1.PhaseRecord { return &s.before.Status.Phases[0] }
	is := func(s *step) *v1alpha1.PhaseRecord { return &s.after.Status.Phases[0] }
	return []spoiling{
		{"", "the second attempt passes", tries},
		{"", "an attempt fails", (*step).fails},
		{"", "another attempt begins", (*step).retries},
		{byCounting, "an attempt is left out", then((*step).retries, func(s *step) { is(s).Attempt = 3 })},
		{byCounting, "the one before has not failed", then((*step).retries, func(s *step) { was(s).FailedAt = nil })},
		{byCounting, "the failure stays with the next one", then((*step).retries, func(s *step) { is(s).FailedAt = passedOn(20) })},
		{byCounting, "it begins before the one before fails", then((*step).retries, func(s *step) { is(s).StartedAt = on(19) })},
		{byCounting, "a failure is forgotten", then((*step).retries, func(s *step) { is(s).Attempt = 1 })},
		{byCounting, "the site goes on after a failure", then((*step).fails, func(s *step) { s.after.Status.State = v1alpha1.SiteProving })},
		{"transitions are told once, in order and for good", "an attempt is not told", then((*step).retries, func(s *step) { s.after.Status.Transitions = s.before.Status.Transitions })},
		{byFailure, "nothing was broken", then((*step).fails, func(s *step) { s.corrects("complaints", 20, 2) })},
		{byFailure, "not for long enough", then((*step).fails, func(s *step) { s.corrects("complaints", 15, 2) })},
		{byFailure, "nobody knows", then((*step).fails, func(s *step) { s.corrects("complaints", 20, notANumber) })},
		{byFailure, "it was broken before the attempt", then((*step).fails, func(s *step) { was(s).StartedAt, is(s).StartedAt = on(12), on(12) })},
		{byRetry, "the guardrail is broken", then((*step).retries, func(s *step) { s.corrects("complaints", 35, 9) })},
		{byRetry, "nobody knows", then((*step).retries, func(s *step) { s.corrects("complaints", 35, notANumber) })},
		{byRetry, "the last value is stale", then((*step).retries, func(s *step) { s.now = on(56).Time })},
		{byGuards, "the guardrail is broken", then(tries, func(s *step) { s.corrects("complaints", 60, 9) })},
		{byGuards, "nobody knows", then(tries, func(s *step) { s.corrects("complaints", 60, notANumber) })},
		{byGuards, "it was kept before the attempt only", then(tries, func(s *step) {
			s.log = slices.DeleteFunc(s.log, func(r reading) bool { return r.kpi == "complaints" && r.at.After(on(35).Time) })
		})},
		{byEvidence, "the attempt has failed", then(tries, func(s *step) { is(s).FailedAt = passedOn(55) })},
		{byEvidence, "it began before the attempt", then(tries, func(s *step) { is(s).Evidence[0].MetSince = passedOn(45) })},
		{byEvidence, "it is from the first attempt", then(tries, func(s *step) { is(s).Evidence[1].SampleTime = on(35) })},
		{byEvidence, "it is from the future", then(tries, func(s *step) { is(s).Evidence[0].SampleTime = on(61) })},
		{byEvidence, "there is none of a guardrail", then(tries, func(s *step) { is(s).Evidence = is(s).Evidence[:1] })},
	}
}

func spoiltBaselines() []spoiling {
	chosen := then((*step).controlled, (*step).startsAsItIs)
	return []spoiling{
		{"", "a phase starts with its baseline", (*step).startsTrial},
		{"", "a phase starts with a control group", chosen},
		{byFreezing, "its value changes", then(tries, func(s *step) { s.frozen().Value = "49" })},
		{byFreezing, "it is taken again for the next attempt", then((*step).retries, func(s *step) { s.frozen().WindowEnd = on(35) })},
		{byFreezing, "it is lost", then((*step).fails, func(s *step) { s.after.Status.Phases[0].Baselines = nil })},
		{byFreezing, "a control is lost", then((*step).controlled, func(s *step) { s.frozen().Controls = s.frozen().Controls[1:] })},
		{byBaselines, "there is none", then((*step).startsTrial, func(s *step) { s.after.Status.Phases[0].Baselines = nil })},
		{byBaselines, "the source did not say so", then((*step).startsTrial, func(s *step) { s.frozen().Value = "49" })},
		{byBaselines, "the source failed", then((*step).startsTrial, func(s *step) { s.log[0].values = nil })},
		{byBaselines, "it was asked something else", then((*step).startsTrial, func(s *step) { s.log[0].query = "another[30m]" })},
		{byBaselines, "its window is another", then((*step).startsTrial, func(s *step) { s.frozen().Window = "10m" })},
		{byBaselines, "its window ends too early", then((*step).startsTrial, func(s *step) { s.after.Status.Phases[0].StartedAt = on(6) })},
		{byBaselines, "its window ends after the start", then((*step).startsTrial, func(s *step) { s.after.Status.Phases[0].StartedAt = on(-1) })},
		{byBaselines, "nobody asked for it", then((*step).startsTrial, func(s *step) {
			taken := &s.after.Status.Phases[0].Baselines
			*taken = append(*taken, v1alpha1.Baseline{KPI: "complaints"})
		})},
		{byBaselines, "the source did not say so of a control", then(chosen, func(s *step) { s.frozen().Controls[2].Value = "61" })},
		{byBaselines, "the source did not say so of a control before", then(chosen, func(s *step) { s.frozen().Controls[2].Earlier = "61" })},
		{byBaselines, "a control has begun", then(chosen, func(s *step) { s.begun("bern") })},
		{byBaselines, "a control differs in a label", then(chosen, func(s *step) { s.turn.sites[3].Labels["wave"] = "other" })},
		{byBaselines, "the site is its own control", then(chosen, func(s *step) {
			s.frozen().Controls = append(s.frozen().Controls, v1alpha1.ControlValue{Site: "hq", Value: "100"})
		})},
		{byBaselines, "the earlier values are missing", then(chosen, func(s *step) { s.frozen().PreTrend = "" })},
	}
}

func spoiltProofs() []spoiling {
	every := func(s *step, kpi string, change func(*reading)) {
		for i := range s.log {
			if s.log[i].kpi == kpi && !s.log[i].captured {
				change(&s.log[i])
			}
		}
	}
	return []spoiling{
		{"", "a control group proves an effect", (*step).controlled},
		{"", "a reference is equal but for an exception", (*step).parallel},
		{"", "a score is reached", then((*step).weighed, func(s *step) { s.corrects("complaints", 60, 9) })},
		{"", "one of two is enough", (*step).either},
		{"", "there are enough samples", (*step).sampled},
		{byProof, "the change since the baseline is too small", then(tries, func(s *step) { s.corrects("cycle", 60, 44) })},
		{byProof, "only the first attempt has values", then(tries, func(s *step) {
			s.log = slices.DeleteFunc(s.log, func(r reading) bool { return r.kpi == "cycle" && r.at.After(on(45).Time) })
		})},
		{byProof, "the baseline measured something else", then(tries, func(s *step) { s.log[0].query = "another[30m]" })},
		{byProof, "the market explains it", then((*step).controlled, func(s *step) { every(s, "sales", func(r *reading) { r.values["hq"] = 90 }) })},
		{byProof, "chance may explain it", then((*step).controlled, func(s *step) { every(s, "sales", func(r *reading) { r.values["hq"] = 95.5 }) })},
		{byProof, "two controls have begun", then((*step).controlled, func(s *step) { s.begun("bern"); s.begun("cork") })},
		{byProof, "two controls have no value", then((*step).controlled, func(s *step) {
			every(s, "sales", func(r *reading) { delete(r.values, "bern"); delete(r.values, "cork") })
		})},
		{byProof, "it moved differently before", then((*step).controlled, func(s *step) { s.frozen().Earlier = "90" })},
		{byProof, "nobody knows how it moved before", then((*step).controlled, func(s *step) { s.frozen().Earlier = "" })},
		{byProof, "all controls changed in the very same way", then((*step).controlled, func(s *step) {
			every(s, "sales", func(r *reading) {
				for _, l := range later {
					r.values[l.name] = l.level * 0.9
				}
			})
		})},
		{byProof, "the last value is an exception", then((*step).parallel, func(s *step) { s.corrects("orders", 50, 201); s.corrects("orders", 60, 220) })},
		{byProof, "there are two exceptions", then((*step).parallel, func(s *step) { s.corrects("orders", 55, 220) })},
		{byProof, "the reference has no value", then((*step).parallel, func(s *step) { s.corrects("orders-before", 60, notANumber) })},
		{byProof, "the reference says otherwise", then((*step).parallel, func(s *step) { s.corrects("orders-before", 60, 210) })},
		{byProof, "a score is missed", then((*step).weighed, func(s *step) { s.corrects("training", 60, 0.5) })},
		{byProof, "none of two passes", then((*step).either, func(s *step) { s.corrects("cycle", 60, 48) })},
		{byProof, "there are too few samples", then((*step).sampled, func(s *step) { every(s, "cycle", func(r *reading) { r.samples["hq"] = 9 }) })},
		{byProof, "there are too few samples behind the baseline", then((*step).sampled, func(s *step) { s.frozen().Samples = 9 })},
	}
}
