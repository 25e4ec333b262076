package sequence

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// asking is what somebody does who asks the operator to look at an object now.
func asking[T client.Object](name, value string) func(*sim) {
	return edit(name, func(o T) { o.SetAnnotations(map[string]string{v1alpha1.AnnotationRequestedAt: value}) })
}

// ofRequests are about people who do not want to wait for an interval. Duplicates are measured every 45m only, and those of hq are too many for 50m; who asks just then is told of bad numbers.
func ofRequests() []scenario {
	seldom := []func(*scenario){
		with("duplicates", func(k *v1alpha1.KPI) { k.Spec.Interval, k.Spec.StaleAfter = "45m", "2h" }),
		with("clean", func(g *v1alpha1.AcceptanceGate) { g.Spec.Criteria[0].For = "" }),
		without[*v1alpha1.RolloutSite]("berlin"), without[*v1alpha1.RolloutSite]("lyon"),
		bad("hq", 0, 50*minute), lasting(2 * hour),
	}
	with := func(name string, more ...func(*scenario)) scenario {
		return programme(name, append(seldom[:len(seldom):len(seldom)], more...)...)
	}
	return []scenario{
		with("asked-to-measure-now",
			at(35*minute, "somebody asks for a measurement", asking[*v1alpha1.KPI]("duplicates", "early")),
			at(55*minute, "somebody asks again", asking[*v1alpha1.KPI]("duplicates", "once-more")),
			at(80*minute, "somebody asks for a look at the rollout", asking[*v1alpha1.CRMRollout]("crm", "look"))),
		with("asked-while-the-operator-is-down",
			at(55*minute, "the operator stops, and somebody asks meanwhile", func(s *sim) {
				asking[*v1alpha1.KPI]("duplicates", "meanwhile")(s)
				asking[*v1alpha1.CRMRollout]("crm", "meanwhile")(s)
				s.restart("restarted")
			}),
			at(80*minute, "the operator stops again", func(s *sim) { s.restart("restarted") })),
	}
}
