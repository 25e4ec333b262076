package e2e

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/fakeprom"
)

// toldStalled says that an object, which only a person can mend, is told to be wrong.
func toldStalled(kind, reason string) func(input, name, manifests, piece string) broken {
	return func(input, name, manifests, piece string) broken {
		return broken{input: input, manifests: manifests, kind: kind, name: name, condition: ready, status: "False", reason: reason, stalled: true, piece: piece}
	}
}

// waits says that an object gets right by itself when something else does.
func waits(row broken, reason string) broken {
	row.stalled, row.reason = false, reason
	return row
}

// brokenGates are gates whose KPIs do not allow what they ask, and phases whose baselines cannot be taken.
func brokenGates() []broken {
	gate := func(name, criterion string) string {
		return `{kind: AcceptanceGate, metadata: {name: ` + name + `}, spec: {criteria: [{name: compared, kpi: good, ` + criterion + `}]}}`
	}
	phase := func(name, rest string) string {
		return `{kind: RolloutPhase, metadata: {name: ` + name + `}, spec: {` + rest + `}}`
	}
	const others = `{kind: KPI, metadata: {name: slow}, spec: {provider: {name: source}, query: good, direction: HigherIsBetter, interval: 5s}}
---
{kind: KPI, metadata: {name: windowed}, spec: {provider: {name: source}, query: "avg_over_time(good[{{window}}])", direction: HigherIsBetter, interval: 1s, window: 1h}}
---
{kind: KPI, metadata: {name: prompt}, spec: {provider: {name: source}, query: good, direction: HigherIsBetter, interval: 1s, staleAfter: 1s}}
---
`
	guarded := `{kind: AcceptanceGate, metadata: {name: guarded}, spec: {criteria: [{name: good, kpi: good, atLeast: "0.5"}], guardrails: [{name: calm, kpi: good, atLeast: "0.1"}]}}
---
`
	ofGate, ofPhase := toldStalled("AcceptanceGate", v1alpha1.ReasonInvalidSpec), toldStalled("RolloutPhase", v1alpha1.ReasonInvalidSpec)
	missing := v1alpha1.ReasonReferenceNotFound
	return []broken{
		ofGate("a reference that is measured at other times", "reference-interval", others+gate("reference-interval", `against: {reference: {kpi: slow}}, between: {min: "-1%", max: "1%"}`), `KPI "slow" has another interval or window than KPI "good"`),
		ofGate("a reference over another window", "reference-window", gate("reference-window", `against: {reference: {kpi: windowed}}, between: {min: "-1%", max: "1%"}`), `KPI "windowed" has another interval or window than KPI "good"`),
		ofGate("a reference that is stale before it can be compared", "reference-stale", gate("reference-stale", `against: {reference: {kpi: prompt}}, between: {min: "-1%", max: "1%"}`), "make staleAfter of both KPIs at least two intervals"),
		waits(ofGate("a reference that does not exist", "no-reference", gate("no-reference", `against: {reference: {kpi: gud}}, between: {min: "-1%", max: "1%"}`), `against.reference.kpi: KPI "gud" does not exist`), missing),
		ofGate("a window that the query does not use", "window-unused", gate("window-unused", `atLeast: "0.9", window: 1h`), `the query of KPI "good" does not use its window`),
		ofGate("a gate that asks to get worse than the baseline", "worse", gate("worse", `against: {baseline: {}}, atMost: "-5%"`), "better when higher"),
		ofGate("a guardrail on the wrong side of its KPI", "guard-inverted", `{kind: AcceptanceGate, metadata: {name: guard-inverted}, spec: {guardrails: [{name: calm, kpi: good, atMost: "0.1"}]}}`, "spec.guardrails[name=calm].atMost"),

		waits(ofPhase("a baseline of a KPI that does not exist", "no-baseline-kpi", phase("no-baseline-kpi", `baselines: [{kpi: gud}]`), `spec.baselines[kpi=gud].kpi: KPI "gud" does not exist`), missing),
		ofPhase("a baseline over a window that the query does not use", "baseline-window", phase("baseline-window", `baselines: [{kpi: good, window: 1h}]`), `the query of KPI "good" does not use its window`),
		ofPhase("a look back before the baseline of an instant", "no-pretrend", phase("no-pretrend", `baselines: [{kpi: good, controls: {}}]`), "spec.baselines[kpi=good].controls.preTrend: it is not set"),
		ofPhase("an entry gate with guardrails", "guarded", guarded+phase("guarded", `entryGate: {name: guarded}`), `AcceptanceGate "guarded" has guardrails, which are watched while a phase runs`),
	}
}

// brokenPlans are rollouts of phases and gates that are right by themselves and do not fit together.
func brokenPlans() []broken {
	grown := func(name, against string) string {
		return `{kind: AcceptanceGate, metadata: {name: ` + name + `}, spec: {criteria: [{name: grown, kpi: good, against: ` + against + `, atLeast: "5%"}]}}
---
{kind: RolloutPhase, metadata: {name: ` + name + `}, spec: {exitGate: {name: ` + name + `}}}
---
`
	}
	rollout := func(name string, phases ...string) string {
		list := ""
		for _, phase := range phases {
			list += "{name: " + phase + "}, "
		}
		return `{kind: CRMRollout, metadata: {name: ` + name + `}, spec: {phases: [` + list + `], waves: [{name: pilot, selector: {matchLabels: {in: nothing}}}]}}`
	}
	const phases = `{kind: RolloutPhase, metadata: {name: before}, spec: {baselines: [{kpi: good}]}}
---
{kind: RolloutPhase, metadata: {name: again}, spec: {baselines: [{kpi: good}]}}
---
{kind: RolloutPhase, metadata: {name: beside}, spec: {baselines: [{kpi: good, controls: {preTrend: 1h, maxSites: 4}}]}}
---
{kind: RolloutPhase, metadata: {name: at-once}, spec: {entryGate: {name: grown}, baselines: [{kpi: good}]}}
---
`
	row := toldStalled("CRMRollout", v1alpha1.ReasonPlanInvalid)
	return []broken{
		row("a comparison with a baseline that nobody takes", "no-baseline", phases+grown("grown", "{baseline: {}}")+rollout("no-baseline", "short", "grown"), `no phase up to this gate declares a baseline of KPI "good"`),
		row("a comparison with one of two baselines", "two-baselines", rollout("two-baselines", "before", "again", "grown"), `phases before and again both declare a baseline of KPI "good"`),
		row("a comparison with a baseline that comes later", "later", grown("grown-later", "{baseline: {phase: again}}")+rollout("later", "before", "grown-later", "again"), `no phase "again" up to this gate declares a baseline of KPI "good"`),
		row("an entry gate that compares with the baseline of its own phase", "at-once", rollout("at-once", "at-once"), `no phase up to this gate declares a baseline of KPI "good"`),
		row("a comparison with a control group that nobody makes", "no-controls", grown("effect", "{control: {}}")+rollout("no-controls", "before", "effect"), `no phase up to this gate declares a baseline with controls of KPI "good"`),
		row("more control sites than are remembered", "few-controls", grown("effect-of-many", "{control: {minSites: 8}}")+rollout("few-controls", "beside", "effect-of-many"), "it needs 8 control sites, and phase beside remembers 4 at most"),
	}
}

// brokenComparisons leave a site where it is: what cannot be compared is neither better nor worse.
func brokenComparisons() []broken {
	const missing, proving = v1alpha1.ReasonBaselineMissing, v1alpha1.ReasonExitGateWaiting
	baselined := func(name string) string { return "baselines: [{kpi: " + name + "}], " }
	grown := `against: {baseline: {}}, atLeast: "5%"`
	return []broken{
		compared("a baseline of a site without a value", "unbased", grown, baselined("unbased"), missing, "unbased has no fresh value for this site", fakeprom.Fixed(fakeprom.Site("well", 1))),
		compared("a baseline of what is not a number", "unreal", grown, baselined("unreal"), missing, "unreal has no fresh value for this site", fakeprom.Fixed(fakeprom.Site("unreal", math.NaN()), fakeprom.Site("well", 1))),
		compared("a baseline from a source that fails", "unmeasured", grown, baselined("unmeasured"), missing, "unmeasured could not be measured; the KPI's Ready condition says why", fakeprom.Refuse(http.StatusUnprocessableEntity, "execution", "too many samples")),
		compared("a change in percent from nothing", "zero", grown, baselined("zero"), proving, "zero cannot be compared in percent with zero", fakeprom.Fixed(fakeprom.Site("zero", 0))),
		compared("an effect without control sites", "unique", `against: {control: {}}, atLeast: "5%"`, "baselines: [{kpi: unique, controls: {preTrend: 1h}}], ", proving, "can be compared with 0 control sites only", fakeprom.Fixed(fakeprom.Site("unique", 2))),
		compared("a least number of samples, and a source that does not count", "uncounted", `atLeast: "0.5", minSamples: 10`, "", proving, "its source does not tell how many it has", fakeprom.Fixed(fakeprom.Site("uncounted", 1))),
		compared("an old system without a value to compare with", "unpaired", `against: {reference: {kpi: lonely}}, between: {min: "-1%", max: "1%"}`, "", proving, "lonely had no value for this site", fakeprom.Fixed(fakeprom.Site("unpaired", 1))),
		redefined(compared("a KPI that measures something else than when the baseline was taken", "redefined", grown, baselined("redefined"), proving,
			"of no use: the KPI measures something else now", fakeprom.Fixed(fakeprom.Site("redefined", 1)))),
		guardrailBroken(),
	}
}

// compared makes a KPI, a gate with one criterion about it, a phase, and a site in a rollout, all of one name.
func compared(input, name, criterion, baselines, reason, piece string, answer fakeprom.Answer) broken {
	status := "True"
	if reason == v1alpha1.ReasonBaselineMissing {
		status = "False"
	}
	return broken{input: input, kind: "SiteRollout", name: name + "." + name, condition: progressing, status: status, reason: reason, piece: piece, query: name, answer: answer,
		manifests: `{kind: KPI, metadata: {name: ` + name + `}, spec: {provider: {name: source}, direction: HigherIsBetter, interval: 2s, query: ` + name + `}}
---
{kind: AcceptanceGate, metadata: {name: ` + name + `}, spec: {criteria: [{name: numbers, kpi: ` + name + `, ` + criterion + `}]}}
---
{kind: RolloutPhase, metadata: {name: ` + name + `}, spec: {` + baselines + `exitGate: {name: ` + name + `}}}` + alone(name, name, "good")}
}

// redefined takes the baseline in a phase in front, and gives the KPI another query once the site has it. The phase with the gate, to which the rollout goes then, is judged by the plan with that.
func redefined(row broken) broken {
	row.manifests = strings.Replace(row.manifests, "baselines: [{kpi: redefined}], ", "", 1) + `
---
{kind: RolloutPhase, metadata: {name: redefined-before}, spec: {baselines: [{kpi: redefined}]}}`
	row.manifests = strings.Replace(row.manifests, "phases: [", "through: redefined-before, phases: [{name: redefined-before}, ", 1)
	row.meanwhile = func(t *testing.T, namespace string) {
		await(t, namespace, "the site whose KPI will change has its baseline", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
			return sr.Name == row.name && slices.ContainsFunc(sr.Status.Phases, func(p v1alpha1.PhaseRecord) bool { return len(p.Baselines) == 1 })
		})
		old := get(t, namespace, row.query, &v1alpha1.KPI{})
		changed := old.DeepCopy()
		changed.Spec.Query = "good"
		frozen := get(t, namespace, row.query, &v1alpha1.CRMRollout{}).Status.CurrentRevision
		if err := api.Patch(t.Context(), changed, client.MergeFrom(old)); err != nil {
			t.Fatal(err)
		}
		await(t, namespace, "the plan is frozen anew", &v1alpha1.CRMRolloutList{}, func(r *v1alpha1.CRMRollout) bool {
			return r.Name == row.query && r.Status.CurrentRevision != frozen
		})
		rollout := get(t, namespace, row.query, &v1alpha1.CRMRollout{})
		promoted := rollout.DeepCopy()
		promoted.Spec.Through = ""
		if err := api.Patch(t.Context(), promoted, client.MergeFrom(rollout)); err != nil {
			t.Fatal(err)
		}
	}
	return row
}

func guardrailBroken() broken {
	row := compared("a guardrail that is broken while the phase soaks", "unrest", `atLeast: "0"`, "soak: 52w, ", v1alpha1.ReasonGuardrailBroken, "guardrail calm: unrest is 0.1, must be at least 0.5", fakeprom.Fixed(fakeprom.Site("unrest", 0.1)))
	row.manifests = `{kind: KPI, metadata: {name: unrest}, spec: {provider: {name: source}, direction: HigherIsBetter, interval: 2s, query: unrest}}
---
{kind: AcceptanceGate, metadata: {name: unrest}, spec: {guardrails: [{name: calm, kpi: unrest, atLeast: "0.5", for: 2s}]}}
---
{kind: RolloutPhase, metadata: {name: unrest}, spec: {soak: 52w, exitGate: {name: unrest}}}` + alone("unrest", "unrest", "good")
	row.condition, row.status = v1alpha1.ConditionHeld, "True"
	return row
}
