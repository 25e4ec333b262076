package plan_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

func TestWhatIsNotInAFrozenPlanAsItIsNowIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*v1alpha1.CRMRollout, plan.Objects)
		want []string
	}{
		"nothing": {func(*v1alpha1.CRMRollout, plan.Objects) {}, nil},
		"what decides nothing": {func(_ *v1alpha1.CRMRollout, o plan.Objects) {
			o.Phases["golive"].Spec.Description, o.Gates["ready"].Generation = "better words", 9
		}, nil},
		"a threshold": {func(_ *v1alpha1.CRMRollout, o plan.Objects) {
			o.Gates["ready"].Spec.Criteria[0].AtLeast = pointer(v1alpha1.Threshold("0.97"))
		}, []string{"AcceptanceGate/ready spec.criteria[name=used].atLeast: 0.9 is 0.97 now"}},
		"a number": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Phases["golive"].Spec.MaxAttempts = pointer(int32(3)) },
			[]string{"RolloutPhase/golive spec.maxAttempts: 2 is 3 now"}},
		"a field that is new": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Gates["ready"].Spec.Criteria[0].Window = "2d" },
			[]string{"AcceptanceGate/ready spec.criteria[name=used].window: it is 2d now, and was not set"}},
		"a field that was there": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Phases["golive"].Spec.Deadline = "" },
			[]string{"RolloutPhase/golive spec.deadline: it was 9w, and is not set now"}},
		"a switch": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Gates["ready"].Spec.FourEyes = false },
			[]string{"AcceptanceGate/ready spec.fourEyes: it was true, and is not set now"}},
		"an object in a field": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Phases["migrate"].Spec.EntryGate = nil },
			[]string{`RolloutPhase/migrate spec.entryGate: it was {"name":"ready"}, and is not set now`}},
		"one side of a comparison for the other": {func(_ *v1alpha1.CRMRollout, o plan.Objects) {
			o.Gates["ready"].Spec.Criteria[0].AtLeast, o.Gates["ready"].Spec.Criteria[0].AtMost = nil, pointer(v1alpha1.Threshold("5"))
		}, []string{"AcceptanceGate/ready spec.criteria[name=used].atLeast: it was 0.9, and is not set now",
			"AcceptanceGate/ready spec.criteria[name=used].atMost: it is 5 now, and was not set"}},
		"a criterion that is new": {func(_ *v1alpha1.CRMRollout, o plan.Objects) {
			o.Gates["better"].Spec.Criteria = append(o.Gates["better"].Spec.Criteria, v1alpha1.Criterion{Name: "fast", KPI: "usage"})
		}, []string{`AcceptanceGate/better spec.criteria[name=fast]: it is {"kpi":"usage","name":"fast"} now, and was not set`}},
		"the last guardrail": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Gates["better"].Spec.Guardrails = nil },
			[]string{`AcceptanceGate/better spec.guardrails: it was [{"atLeast":"0.1","for":"1d","kpi":"usage","name":"calm"}], and is not set now`}},
		"an approval, which has a role": {func(_ *v1alpha1.CRMRollout, o plan.Objects) {
			o.Gates["ready"].Spec.Approvals[0].Count = pointer(int32(1))
		},
			[]string{"AcceptanceGate/ready spec.approvals[role=sponsor].count: 2 is 1 now"}},
		"a baseline, which has a KPI": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.Phases["golive"].Spec.Baselines[0].Window = "2w" },
			[]string{"RolloutPhase/golive spec.baselines[kpi=sales].window: 1w is 2w now"}},
		"a list of texts": {func(_ *v1alpha1.CRMRollout, o plan.Objects) {
			o.Phases["golive"].Spec.Baselines[0].Controls.SameLabels = []string{"region", "mode"}
		}, []string{`RolloutPhase/golive spec.baselines[kpi=sales].controls.sameLabels: ["region"] is ["region","mode"] now`}},
		"criteria in another order": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { slices.Reverse(o.Gates["ready"].Spec.Criteria) },
			[]string{"AcceptanceGate/ready spec.criteria: used, same is same, used now"}},
		"criteria in another order, and one that is new": {func(_ *v1alpha1.CRMRollout, o plan.Objects) {
			slices.Reverse(o.Gates["ready"].Spec.Criteria)
			o.Gates["ready"].Spec.Criteria = append(o.Gates["ready"].Spec.Criteria, v1alpha1.Criterion{Name: "fast", KPI: "usage"})
		}, []string{"AcceptanceGate/ready spec.criteria: used, same is same, used, fast now",
			`AcceptanceGate/ready spec.criteria[name=fast]: it is {"kpi":"usage","name":"fast"} now, and was not set`}},
		"a query": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.KPIs["usage"].Spec.Query = "sum(usage)" },
			[]string{"KPI/usage spec.query: avg by (site) (usage) is sum(usage) now"}},
		"a KPI that was created anew": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { o.KPIs["usage"].UID = "new" },
			[]string{"KPI/usage: it was deleted, and is another object of the same name now"}},
		"three that were created anew, always in one order": {func(_ *v1alpha1.CRMRollout, o plan.Objects) {
			o.KPIs["usage"].UID, o.KPIs["sales"].UID, o.KPIs["legacy"].UID = "new", "new", "new"
		}, []string{"KPI/legacy: it was deleted, and is another object of the same name now", "KPI/sales: it was deleted, and is another object of the same name now",
			"KPI/usage: it was deleted, and is another object of the same name now"}},
		"the order of the phases": {func(r *v1alpha1.CRMRollout, _ plan.Objects) { slices.Reverse(r.Spec.Phases) },
			[]string{"spec.phases: migrate, golive is golive, migrate now"}},
		"a phase less, with its gate": {func(r *v1alpha1.CRMRollout, _ plan.Objects) { r.Spec.Phases = r.Spec.Phases[:1] }, []string{
			"spec.phases: migrate, golive is migrate now",
			"RolloutPhase/golive: it is no part of the plan now",
			"AcceptanceGate/better: it is no part of the plan now",
		}},
		"a phase that was deleted": {func(_ *v1alpha1.CRMRollout, o plan.Objects) { delete(o.Phases, "migrate") }, []string{
			"RolloutPhase/migrate: it is no part of the plan now",
			"AcceptanceGate/ready: it is no part of the plan now",
			"KPI/legacy: it is no part of the plan now",
		}},
		"another gate, with another KPI": {func(_ *v1alpha1.CRMRollout, o plan.Objects) {
			o.Gates["strict"] = &v1alpha1.AcceptanceGate{ObjectMeta: named("strict"), Spec: v1alpha1.AcceptanceGateSpec{Criteria: []v1alpha1.Criterion{{Name: "more", KPI: "other"}}}}
			o.Phases["migrate"].Spec.ExitGate = &v1alpha1.LocalReference{Name: "strict"}
		}, []string{"RolloutPhase/migrate spec.exitGate.name: ready is strict now", "AcceptanceGate/strict: it is new", "KPI/other: it is new"}},
	} {
		t.Run(name, func(t *testing.T) {
			rollout, objects := judged()
			tc.edit(rollout, objects)
			for range 10 { // maps have no order, and people are told one
				if diff := cmp.Diff(tc.want, plan.Freeze(judged()).Differences(plan.Freeze(rollout, objects))); diff != "" {
					t.Fatalf("differences (-want +got):\n%s", diff)
				}
			}
		})
	}
}
