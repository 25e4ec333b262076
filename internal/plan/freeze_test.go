package plan_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

func pointer[T any](v T) *T { return &v }

// judged is a rollout without mistakes in which every kind of thing decides something: a baseline with controls, a reference, a guardrail, a score, approvals.
func judged() (*v1alpha1.CRMRollout, plan.Objects) {
	rollout, o := everything()
	kpi := func(name string) *v1alpha1.KPI {
		k := &v1alpha1.KPI{ObjectMeta: named(name), Spec: v1alpha1.KPISpec{Query: name + "[{{window}}]", Unit: "EUR", Direction: v1alpha1.DirectionHigherIsBetter,
			Provider: v1alpha1.LocalReference{Name: "prom"}, Interval: "1h", Window: "1d", StaleAfter: "4h"}}
		k.UID = "uid-" + named(name).UID
		return k
	}
	o.KPIs["sales"], o.KPIs["legacy"], o.KPIs["other"] = kpi("sales"), kpi("legacy"), kpi("other")
	ready := &o.Gates["ready"].Spec
	ready.Description, ready.FourEyes = "are they ready?", true
	ready.Criteria = append(ready.Criteria,
		v1alpha1.Criterion{Name: "same", KPI: "sales", Window: "2d", Against: &v1alpha1.Against{Reference: &v1alpha1.ReferenceComparison{KPI: "legacy", MaxExceptions: pointer(int32(1))}}, AtLeast: pointer(v1alpha1.Threshold("0"))})
	ready.Approvals = []v1alpha1.Approval{{Role: "sponsor", Count: pointer(int32(2))}}
	o.Gates["better"] = &v1alpha1.AcceptanceGate{ObjectMeta: named("better"), Spec: v1alpha1.AcceptanceGateSpec{
		Criteria:   []v1alpha1.Criterion{{Name: "more", KPI: "sales", Against: &v1alpha1.Against{Control: &v1alpha1.ControlComparison{Phase: "golive"}}, AtLeast: pointer(v1alpha1.Threshold("5%"))}},
		Guardrails: []v1alpha1.Criterion{{Name: "calm", KPI: "usage", AtLeast: pointer(v1alpha1.Threshold("0.1")), For: "1d"}},
	}}
	o.Phases["golive"].Spec = v1alpha1.RolloutPhaseSpec{Description: "everybody", ApplicationLevel: v1alpha1.ApplicationLevelWorkflowCoordination, Expected: "6w", ExitGate: &v1alpha1.LocalReference{Name: "better"}, Soak: "1w", Deadline: "9w",
		MaxAttempts: pointer(int32(2)), OnFailure: v1alpha1.FailureRollBack, Calendars: []v1alpha1.LocalReference{{Name: "office"}},
		Baselines: []v1alpha1.BaselineSpec{{KPI: "sales", Window: "1w", Controls: &v1alpha1.ControlGroup{SameLabels: []string{"region"}}}}}
	return rollout, o
}

func revisionOf(change func(*v1alpha1.CRMRollout, plan.Objects)) string {
	rollout, objects := judged()
	change(rollout, objects)
	return plan.Freeze(rollout, objects).RevisionName("crm")
}

func TestWhatDecidesNothingLeavesAFrozenPlanTheSame(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.CRMRollout, plan.Objects){
		"the description of a phase": func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Phases["golive"].Spec.Description = "better words" },
		"the description of a gate":  func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Gates["ready"].Spec.Description = "better words" },
		"the description of a KPI":   func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.KPIs["usage"].Spec.Description = "better words" },
		"the category of a KPI": func(_ *v1alpha1.CRMRollout, o plan.Objects) {
			o.KPIs["usage"].Spec.Category = v1alpha1.KPICategoryAdoption
		},
		"the application level of a phase":   func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Phases["golive"].Spec.ApplicationLevel = "" },
		"how long a phase is expected to be": func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Phases["golive"].Spec.Expected = "60w" },
		"the calendars of a phase":           func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Phases["golive"].Spec.Calendars = nil },
		"generations, labels and versions": func(r *v1alpha1.CRMRollout, o plan.Objects) {
			r.Generation, o.Phases["golive"].Generation, o.Gates["ready"].Generation, o.KPIs["sales"].Generation = 7, 8, 9, 10
			o.Gates["ready"].Labels, o.Gates["ready"].ResourceVersion = map[string]string{"a": "b"}, "4711"
		},
		"the UID of a gate and of a phase": func(_ *v1alpha1.CRMRollout, o plan.Objects) {
			o.Gates["ready"].UID, o.Phases["golive"].UID = "new", "new"
		},
		"what lies around the phases": func(r *v1alpha1.CRMRollout, _ plan.Objects) {
			r.Spec.Suspend, r.Spec.Through, r.Spec.Goals, r.Spec.Waves, r.Spec.MaxConcurrent = true, "migrate", nil, nil, number(3)
			r.Spec.Adopt, r.Spec.Sustain = v1alpha1.AdoptNewSites, &v1alpha1.Sustain{Gate: v1alpha1.LocalReference{Name: "ready"}}
		},
		"objects that the phases do not name": func(_ *v1alpha1.CRMRollout, o plan.Objects) {
			delete(o.KPIs, "other")
			o.Phases["optimise"], o.Gates["spare"] = &v1alpha1.RolloutPhase{ObjectMeta: named("optimise")}, &v1alpha1.AcceptanceGate{ObjectMeta: named("spare")}
		},
		"the order in which maps are filled": func(_ *v1alpha1.CRMRollout, o plan.Objects) {
			kpis := maps.Clone(o.KPIs)
			clear(o.KPIs)
			for _, name := range slices.Backward(slices.Sorted(maps.Keys(kpis))) {
				o.KPIs[name] = kpis[name]
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := revisionOf(func(*v1alpha1.CRMRollout, plan.Objects) {})
			for range 5 {
				if got := revisionOf(change); got != want {
					t.Fatalf("it is %s, want %s as before", got, want)
				}
			}
		})
	}
}

func TestWhatDecidesMakesAnotherFrozenPlan(t *testing.T) {
	criterion := func(change func(*v1alpha1.Criterion)) func(*v1alpha1.CRMRollout, plan.Objects) {
		return func(_ *v1alpha1.CRMRollout, o plan.Objects) { change(&o.Gates["ready"].Spec.Criteria[0]) }
	}
	gate := func(change func(*v1alpha1.AcceptanceGateSpec)) func(*v1alpha1.CRMRollout, plan.Objects) {
		return func(_ *v1alpha1.CRMRollout, o plan.Objects) { change(&o.Gates["ready"].Spec) }
	}
	phase := func(change func(*v1alpha1.RolloutPhaseSpec)) func(*v1alpha1.CRMRollout, plan.Objects) {
		return func(_ *v1alpha1.CRMRollout, o plan.Objects) { change(&o.Phases["golive"].Spec) }
	}
	kpi := func(name string, change func(*v1alpha1.KPI)) func(*v1alpha1.CRMRollout, plan.Objects) {
		return func(_ *v1alpha1.CRMRollout, o plan.Objects) { change(o.KPIs[name]) }
	}
	seen := map[string]string{revisionOf(func(*v1alpha1.CRMRollout, plan.Objects) {}): "no edit"}
	for name, change := range map[string]func(*v1alpha1.CRMRollout, plan.Objects){
		"a threshold":                      criterion(func(c *v1alpha1.Criterion) { c.AtLeast = pointer(v1alpha1.Threshold("0.91")) }),
		"a hold":                           criterion(func(c *v1alpha1.Criterion) { c.For = "4d" }),
		"the window of a criterion":        criterion(func(c *v1alpha1.Criterion) { c.Window = "2d" }),
		"the importance of a criterion":    criterion(func(c *v1alpha1.Criterion) { c.Importance = v1alpha1.ImportanceAdvisory }),
		"the least samples of a criterion": criterion(func(c *v1alpha1.Criterion) { c.MinSamples = pointer(int64(30)) }),
		"the name of a criterion":          criterion(func(c *v1alpha1.Criterion) { c.Name = "used-well" }),
		"another KPI of a criterion":       criterion(func(c *v1alpha1.Criterion) { c.KPI = "other" }),
		"a criterion less":                 gate(func(g *v1alpha1.AcceptanceGateSpec) { g.Criteria = g.Criteria[:1] }),
		"exceptions of a reference":        gate(func(g *v1alpha1.AcceptanceGateSpec) { g.Criteria[1].Against.Reference.MaxExceptions = nil }),
		"a guardrail":                      gate(func(g *v1alpha1.AcceptanceGateSpec) { g.Guardrails = g.Criteria[:1] }),
		"a score":                          gate(func(g *v1alpha1.AcceptanceGateSpec) { g.Score = &v1alpha1.Score{Pass: 80} }),
		"how many approve":                 gate(func(g *v1alpha1.AcceptanceGateSpec) { g.Approvals[0].Count = nil }),
		"who approves":                     gate(func(g *v1alpha1.AcceptanceGateSpec) { g.Approvals[0].Role = "owner" }),
		"nobody approves":                  gate(func(g *v1alpha1.AcceptanceGateSpec) { g.Approvals = nil }),
		"four eyes":                        gate(func(g *v1alpha1.AcceptanceGateSpec) { g.FourEyes = false }),
		"the soak":                         phase(func(p *v1alpha1.RolloutPhaseSpec) { p.Soak = "2w" }),
		"the deadline":                     phase(func(p *v1alpha1.RolloutPhaseSpec) { p.Deadline = "" }),
		"the attempts":                     phase(func(p *v1alpha1.RolloutPhaseSpec) { p.MaxAttempts = pointer(int32(3)) }),
		"what follows a failure":           phase(func(p *v1alpha1.RolloutPhaseSpec) { p.OnFailure = v1alpha1.FailureAbort }),
		"the entry gate":                   phase(func(p *v1alpha1.RolloutPhaseSpec) { p.EntryGate = &v1alpha1.LocalReference{Name: "ready"} }),
		"the exit gate":                    phase(func(p *v1alpha1.RolloutPhaseSpec) { p.ExitGate = nil }),
		"no baseline":                      phase(func(p *v1alpha1.RolloutPhaseSpec) { p.Baselines = nil }),
		"the window of a baseline":         phase(func(p *v1alpha1.RolloutPhaseSpec) { p.Baselines[0].Window = "2w" }),
		"the labels of controls":           phase(func(p *v1alpha1.RolloutPhaseSpec) { p.Baselines[0].Controls.SameLabels = nil }),
		"the query of a KPI":               kpi("usage", func(k *v1alpha1.KPI) { k.Spec.Query = "usage" }),
		"the window of a KPI":              kpi("usage", func(k *v1alpha1.KPI) { k.Spec.Window = "1w" }),
		"the interval of a KPI":            kpi("usage", func(k *v1alpha1.KPI) { k.Spec.Interval = "1m" }),
		"the age of a KPI":                 kpi("usage", func(k *v1alpha1.KPI) { k.Spec.StaleAfter = "1w" }),
		"the provider of a KPI":            kpi("usage", func(k *v1alpha1.KPI) { k.Spec.Provider.Name = "sql" }),
		"the direction of a KPI":           kpi("usage", func(k *v1alpha1.KPI) { k.Spec.Direction = v1alpha1.DirectionHigherIsBetter }),
		"the unit of a KPI":                kpi("usage", func(k *v1alpha1.KPI) { k.Spec.Unit = "percent" }),
		"a KPI that was created anew":      kpi("usage", func(k *v1alpha1.KPI) { k.UID = "new" }),
		"the KPI of a baseline":            kpi("sales", func(k *v1alpha1.KPI) { k.UID = "new" }),
		"the KPI of a reference":           kpi("legacy", func(k *v1alpha1.KPI) { k.UID = "new" }),
		"the order of the phases":          func(r *v1alpha1.CRMRollout, _ plan.Objects) { slices.Reverse(r.Spec.Phases) },
		"a phase less":                     func(r *v1alpha1.CRMRollout, _ plan.Objects) { r.Spec.Phases = r.Spec.Phases[:1] },
		"a phase that is gone":             func(_ *v1alpha1.CRMRollout, o plan.Objects) { delete(o.Phases, "migrate") },
		"a gate that is gone":              func(_ *v1alpha1.CRMRollout, o plan.Objects) { delete(o.Gates, "better") },
	} {
		t.Run(name, func(t *testing.T) {
			got := revisionOf(change)
			if same, known := seen[got]; known {
				t.Errorf("it makes the same frozen plan as %s", same)
			}
			seen[got] = name
		})
	}
}

func TestAFrozenPlanIsNamedAfterItsRollout(t *testing.T) {
	d := plan.Freeze(judged())
	head, tail, _ := strings.Cut(d.RevisionName("crm"), "-")
	if other := d.RevisionName("erp"); head != "crm" || len(tail) != 10 || other != "erp-"+tail {
		t.Errorf("of crm it is %s-%s, of erp %s", head, tail, other)
	}
}

// thawed freezes a plan, writes it, reads it and resolves it.
func thawed(t *testing.T, rollout *v1alpha1.CRMRollout, objects plan.Objects) []plan.Phase {
	t.Helper()
	read, err := plan.Decode(plan.Freeze(rollout, objects).Encode())
	if err != nil {
		t.Fatal(err)
	}
	return read.Resolve(rollout.Name)
}

// planned is how the phases of a plan are compared: how long they are expected to be is for people, and not frozen.
var planned = cmp.Options{cmpopts.IgnoreFields(plan.Phase{}, "Expected"), cmp.Exporter(func(reflect.Type) bool { return true })}

func TestAFrozenPlanResolvesToTheSamePhases(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.CRMRollout, plan.Objects){
		"everything is there":    func(*v1alpha1.CRMRollout, plan.Objects) {},
		"a phase is missing":     func(_ *v1alpha1.CRMRollout, o plan.Objects) { delete(o.Phases, "migrate") },
		"a gate is missing":      func(_ *v1alpha1.CRMRollout, o plan.Objects) { delete(o.Gates, "ready") },
		"a KPI is missing":       func(_ *v1alpha1.CRMRollout, o plan.Objects) { delete(o.KPIs, "sales") },
		"a reference is missing": func(_ *v1alpha1.CRMRollout, o plan.Objects) { delete(o.KPIs, "legacy") },
		"a baseline is missing":  func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Phases["golive"].Spec.Baselines = nil },
		"a KPI makes no sense":   func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.KPIs["usage"].Spec.Interval = "soon" },
		"a soak makes no sense":  func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Phases["migrate"].Spec.Soak = "0s" },
		"a gate decides nothing": func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Gates["better"].Spec = v1alpha1.AcceptanceGateSpec{} },
		"the phases are turned":  func(r *v1alpha1.CRMRollout, _ plan.Objects) { slices.Reverse(r.Spec.Phases) },
		"a phase is unfinished":  func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Phases["golive"].Spec = v1alpha1.RolloutPhaseSpec{} },
	} {
		t.Run(name, func(t *testing.T) {
			rollout, objects := judged()
			change(rollout, objects)
			if diff := cmp.Diff(plan.Resolve(rollout, objects).Phases, thawed(t, rollout, objects), planned); diff != "" {
				t.Errorf("phases of the objects, and of the frozen plan (-objects +frozen):\n%s", diff)
			}
		})
	}
	for _, phase := range plan.Resolve(judged()).Phases {
		if mistakes := phase.StartMistakes(); len(mistakes) > 0 {
			t.Errorf("the plan that is to be without mistakes has some: %s", plan.Sentences(mistakes))
		}
	}
}

func TestWhatHappensToTheObjectsLaterChangesNoFrozenPlan(t *testing.T) {
	rollout, objects := judged()
	frozen := plan.Freeze(rollout, objects)
	before := frozen.Encode()
	rollout.Spec.Phases[0].Name = "other"
	migrate, golive, ready, usage := objects.Phases["migrate"], objects.Phases["golive"], objects.Gates["ready"], objects.KPIs["usage"]
	migrate.Spec.EntryGate.Name, *golive.Spec.MaxAttempts, golive.Spec.Baselines[0].Window, golive.Spec.Baselines[0].Controls.SameLabels[0] = "other", 9, "9w", "other"
	*ready.Spec.Criteria[0].AtLeast, ready.Spec.Criteria[1].Against.Reference.KPI, *ready.Spec.Approvals[0].Count = "0.1", "other", 9
	usage.Spec.Query, objects.Gates["better"] = "other", ready
	if diff := cmp.Diff(string(before), string(frozen.Encode())); diff != "" {
		t.Errorf("the frozen plan (-before +after the edits):\n%s", diff)
	}
}

func TestFreezingChangesNoObject(t *testing.T) {
	rollout, objects := judged()
	sameRollout, same := judged()
	plan.Freeze(rollout, objects).Resolve("crm")
	if diff := cmp.Diff(sameRollout, rollout) + cmp.Diff(same, objects); diff != "" {
		t.Errorf("objects (-before +after):\n%s", diff)
	}
}

func TestAFrozenPlanThatCannotBeReadIsToldSo(t *testing.T) {
	for name, tc := range map[string]struct{ data, want string }{
		"nothing":                        {"", "read a frozen plan: unexpected end of JSON input"},
		"no object":                      {`"plan"`, "read a frozen plan: json: cannot unmarshal string into Go value of type plan.Definitions"},
		"half of one":                    {`{"phases":["a"`, "read a frozen plan: unexpected end of JSON input"},
		"one with what is not known yet": {`{"phases":["a"],"tomorrow":1}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := plan.Decode([]byte(tc.data))
			if diff := cmp.Diff(tc.want, errorText(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAFrozenPlanMeasuresItsKPIsOverTheWindowsOfItsGates(t *testing.T) {
	for kpi, want := range map[string][]string{
		"usage":  {"crm/usage "},
		"sales":  {"crm/sales 1d", "crm/sales 2d"},
		"legacy": {"crm/legacy 1d", "crm/legacy 2d"},
		"other":  nil,
	} {
		t.Run(kpi, func(t *testing.T) {
			_, objects := judged()
			var got []string
			for _, over := range plan.Freeze(judged()).Measures("crm", kpi) {
				got = append(got, over.Namespace+"/"+over.Name+" "+string(over.Spec.Window))
				if source := objects.KPIs[kpi]; plan.Revision(over) != plan.Revision(plan.Over(source, over.Spec.Window)) {
					t.Errorf("over %s it is measured as something else than the object", over.Spec.Window)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("measured (-want +got):\n%s", diff)
			}
		})
	}
}
