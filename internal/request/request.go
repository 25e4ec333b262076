// Package request reads what people ask of the operator by an annotation: to look at an object now.
package request

import (
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Of returns the request that an object carries, the way its status repeats it; empty when it carries none.
func Of(o client.Object) string {
	return v1alpha1.Clip(o.GetAnnotations()[v1alpha1.AnnotationRequestedAt], v1alpha1.MaxRequest)
}

// Changed lets through an object that carries another request than before. Other annotations, which tools write often, say nothing to the operator.
func Changed() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		asked := Of(e.ObjectNew)
		return asked != "" && asked != Of(e.ObjectOld)
	}}
}
