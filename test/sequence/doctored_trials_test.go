package sequence

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// trying makes the step one of a trial with nothing wrong: complaints failed the first attempt of hq at golive at 20m, and the second one, since 35m, passes now, at 60m.
func (s *step) trying(accepted v1alpha1.AcceptanceGateSpec, changes ...func(*scenario)) {
	a := newQuickAPI()
	for _, o := range trial("", accepted, changes...).objects {
		must(a.Create(context.Background(), clone(o)))
	}
	rollout := all[*v1alpha1.CRMRollout](a)[0]
	must(a.Create(context.Background(), frozenAs("crm-now", rollout)))
	s.before = &v1alpha1.SiteRollout{ObjectMeta: named("crm.hq"), Spec: v1alpha1.SiteRolloutSpec{Rollout: "crm", Site: "hq", Wave: "pilot", AdmittedThrough: "golive"}}
	s.before.Status.State, s.before.Status.CurrentPhase = v1alpha1.SiteProving, "golive"
	s.before.Status.Phases = []v1alpha1.PhaseRecord{{Name: "golive", Attempt: 2, StartedAt: on(35),
		Baselines: []v1alpha1.Baseline{{KPI: "cycle", Window: "30m", WindowEnd: on(0), Value: "48"}}}}
	s.before.Status.Transitions = []v1alpha1.Transition{
		{Sequence: 1, From: v1alpha1.SitePending, To: v1alpha1.SiteWaiting, Reason: v1alpha1.ReasonCreated},
		{Sequence: 2, From: v1alpha1.SiteWaiting, To: v1alpha1.SiteProving, Reason: v1alpha1.ReasonPhaseStarted},
		{Sequence: 3, From: v1alpha1.SiteProving, To: v1alpha1.SiteHeld, Reason: v1alpha1.ReasonGuardrailBroken},
		{Sequence: 4, From: v1alpha1.SiteHeld, To: v1alpha1.SiteProving, Reason: v1alpha1.ReasonAttemptStarted},
	}
	s.after = s.before.DeepCopy()
	s.after.Status.Phases[0].PassedAt, s.after.Status.State, s.after.Status.CurrentPhase = passedOn(60), v1alpha1.SiteCompleted, ""
	for _, c := range slices.Concat(accepted.Criteria, accepted.Guardrails) {
		e := v1alpha1.Evidence{Criterion: c.Name, KPI: c.KPI, SampleTime: on(60)}
		e.Window = s.window(a, c.KPI)
		s.after.Status.Phases[0].Evidence = append(s.after.Status.Phases[0].Evidence, e)
	}
	s.after.Status.Transitions = append(s.after.Status.Transitions, v1alpha1.Transition{Sequence: 5, From: v1alpha1.SiteProving, To: v1alpha1.SiteCompleted, Reason: v1alpha1.ReasonPhasePassed})
	s.chain()
	s.scene = scene{
		turn: &turn{request: request{ofMoves, types.NamespacedName{}}, rollout: clone(rollout), sites: []v1alpha1.RolloutSite{*site("hq", "pilot")}},
		now:  on(60).Time, api: a, rollout: rollout, siteRollouts: []*v1alpha1.SiteRollout{s.after},
	}
	s.says("cycle[30m]", 0, 0, 30*minute, func(int) float64 { return 48 })
	s.log[0].captured = true
	s.says("cycle[10m]", 0, 60, 10*minute, func(int) float64 { return 42 })
	s.says("complaints", 0, 60, 0, func(m int) float64 {
		if m >= 10 && m <= 30 {
			return 9
		}
		return 2
	})
}

func (s *step) window(a *api, kpi string) v1alpha1.Duration {
	return a.latest["KPI"][types.NamespacedName{Namespace: namespace, Name: kpi}].(*v1alpha1.KPI).Spec.Window
}

// says adds to the log what the source says every 5m of hq.
func (s *step) says(query string, from, until int, window time.Duration, value func(minutes int) float64) {
	for m := from; m <= until; m += 5 {
		s.log = append(s.log, reading{kpi: name(query), query: query, at: on(m).Time, window: window, values: map[string]float64{"hq": value(m)}, samples: map[string]int64{}})
	}
}

// until drops what the source said later.
func (s *step) until(minutes int) {
	s.now = on(minutes).Time
	s.log = slices.DeleteFunc(s.log, func(r reading) bool { return r.at.After(s.now) })
}

// corrects changes what the source said of hq at a time.
func (s *step) corrects(kpi string, minutes int, value float64) {
	for i := range s.log {
		if s.log[i].kpi == kpi && s.log[i].at.Equal(on(minutes).Time) && !s.log[i].captured {
			s.log[i].values = map[string]float64{"hq": value}
		}
	}
}

// became gives both sides of the step another record, and the step a transition.
func (s *step) became(was, is v1alpha1.PhaseRecord, told int, state v1alpha1.SiteState) {
	baselines := s.before.Status.Phases[0].Baselines
	was.Name, was.Baselines, is.Name, is.Baselines = "golive", slices.Clone(baselines), "golive", slices.Clone(baselines)
	transitions := s.before.Status.Transitions
	s.before.Status.Phases, s.after.Status.Phases = []v1alpha1.PhaseRecord{was}, []v1alpha1.PhaseRecord{is}
	s.before.Status.Transitions, s.after.Status.Transitions = transitions[:told], transitions[:told+1]
	s.after.Status.State, s.after.Status.CurrentPhase = state, "golive"
	s.chain()
}

// fails makes the step the one in which the first attempt fails.
func (s *step) fails() {
	s.trying(quiet())
	s.became(v1alpha1.PhaseRecord{Attempt: 1, StartedAt: on(0)}, v1alpha1.PhaseRecord{Attempt: 1, StartedAt: on(0), FailedAt: passedOn(20)}, 2, v1alpha1.SiteHeld)
	s.until(20)
}

// retries makes the step the one in which the second attempt begins.
func (s *step) retries() {
	s.trying(quiet())
	s.became(v1alpha1.PhaseRecord{Attempt: 1, StartedAt: on(0), FailedAt: passedOn(20)}, v1alpha1.PhaseRecord{Attempt: 2, StartedAt: on(35)}, 3, v1alpha1.SiteProving)
	s.until(35)
}

// startsTrial makes the step the one in which the first attempt begins.
func (s *step) startsTrial() {
	s.trying(quiet())
	s.startsAsItIs()
}

func (s *step) startsAsItIs() {
	s.became(v1alpha1.PhaseRecord{}, v1alpha1.PhaseRecord{Attempt: 1, StartedAt: on(0)}, 1, v1alpha1.SiteProving)
	s.before.Status.Phases, s.before.Status.State = nil, v1alpha1.SiteWaiting
	s.chain()
	s.until(0)
}

// controlled makes the step one of a gate that compares with a control group: the market falls by 10 %, and hq is 8 % above that.
func (s *step) controlled() {
	s.trying(asks(lifted("")), func(sc *scenario) {
		declared(windowed("sales", v1alpha1.DirectionHigherIsBetter))(sc)
		with("golive", func(p *v1alpha1.RolloutPhase) {
			p.Spec.Baselines = []v1alpha1.BaselineSpec{{KPI: "sales", Controls: &v1alpha1.ControlGroup{SameLabels: []string{"wave"}, PreTrend: "30m"}}}
		})(sc)
	})
	s.turn.sites[0] = *site("hq", "later")
	then, before, now := map[string]float64{"hq": 100}, map[string]float64{"hq": 100}, map[string]float64{"hq": 97.2}
	taken := v1alpha1.Baseline{KPI: "sales", Window: "10m", PreTrend: "30m", WindowEnd: on(0), Value: "100", Earlier: "100"}
	for _, l := range later {
		then[l.name], before[l.name], now[l.name] = l.level, l.level*(1+l.before), l.level*0.9*(1+l.after)
		taken.Controls = append(taken.Controls, v1alpha1.ControlValue{Site: l.name, Value: v1alpha1.ExactDecimal(then[l.name]), Earlier: v1alpha1.ExactDecimal(before[l.name])})
		s.turn.sites = append(s.turn.sites, *site(l.name, "later"))
	}
	for _, sr := range []*v1alpha1.SiteRollout{s.before, s.after} {
		sr.Status.Phases[0].Baselines = []v1alpha1.Baseline{*taken.DeepCopy()}
	}
	tells := func(minutes int, captured bool, values map[string]float64) {
		s.log = append(s.log, reading{kpi: "sales", query: "sales[10m]", at: on(minutes).Time, window: 10 * minute, values: values, captured: captured})
	}
	tells(0, true, then)
	tells(-30, true, before)
	for m := 5; m <= 60; m += 5 {
		tells(m, false, now)
	}
}

// frozen is the baseline that the step records in the end.
func (s *step) frozen() *v1alpha1.Baseline { return &s.after.Status.Phases[0].Baselines[0] }

// begun has a control site begin the phase.
func (s *step) begun(site string) {
	s.turn.reads(&v1alpha1.SiteRollout{Spec: v1alpha1.SiteRolloutSpec{Site: site}, Status: v1alpha1.SiteRolloutStatus{Phases: []v1alpha1.PhaseRecord{{Name: "golive", StartedAt: metav1.NewTime(on(0).Time)}}}})
}

// parallel makes the step one of a gate that compares with a reference for 15m, with one exception at 50m.
func (s *step) parallel() {
	one := int32(1)
	s.trying(asks(v1alpha1.Criterion{Name: "equal", KPI: "orders", Between: &v1alpha1.Range{Min: "-1%", Max: "1%"}, For: "15m",
		Against: &v1alpha1.Against{Reference: &v1alpha1.ReferenceComparison{KPI: "orders-before", MaxExceptions: &one}}}), declared(kpi("orders", ""), kpi("orders-before", "")))
	s.says("orders-before", 0, 60, 0, func(int) float64 { return 200 })
	s.says("orders", 0, 60, 0, func(int) float64 { return 201 })
	s.corrects("orders", 50, 220)
}

// weighed makes the step one of a gate with a score of 80, of which training has 3 points, cycle 1 and complaints 1.
func (s *step) weighed() {
	weighing := func(c v1alpha1.Criterion, weight int32) v1alpha1.Criterion {
		c.Importance, c.Weight = v1alpha1.ImportanceWeighted, &weight
		return c
	}
	s.trying(v1alpha1.AcceptanceGateSpec{Score: &v1alpha1.Score{Pass: 80}, Criteria: []v1alpha1.Criterion{
		weighing(v1alpha1.Criterion{Name: "trained", KPI: "training", AtLeast: threshold("0.9")}, 3), weighing(shorter(), 1),
		weighing(v1alpha1.Criterion{Name: "few", KPI: "complaints", AtMost: threshold("5")}, 1)}}, declared(client.Object(kpi("training", "10m"))))
	s.says("training", 0, 60, 10*minute, func(int) float64 { return 0.95 })
}

// either makes the step one of a gate of which one of two criteria has to pass.
func (s *step) either() {
	training := v1alpha1.Criterion{Name: "trained", KPI: "training", AtLeast: threshold("0.9"), AnyOf: "proof"}
	other := shorter()
	other.AnyOf = "proof"
	s.trying(asks(training, other), declared(kpi("training", "10m")))
	s.says("training", 0, 60, 10*minute, func(int) float64 { return 0.5 })
}

// sampled makes the step one of a gate that wants ten samples behind each value.
func (s *step) sampled() {
	ten, c := int64(10), shorter()
	c.MinSamples = &ten
	s.trying(asks(c))
	s.before.Status.Phases[0].Baselines[0].Samples, s.after.Status.Phases[0].Baselines[0].Samples = 12, 12
	for i := range s.log {
		s.log[i].samples = map[string]int64{"hq": 12}
	}
}
