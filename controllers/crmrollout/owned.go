package crmrollout

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// matters lets through what a rollout reads of its SiteRollouts: who they belong to, what this controller wrote into them, and how far the sites are. Most writes of a SiteRollout bring
// newer numbers at its gate, or another reason why it waits; a look at thousands of sites for each of them would find nothing.
func matters() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return changedHands(e) || movedOn(e.ObjectOld.(*v1alpha1.SiteRollout), e.ObjectNew.(*v1alpha1.SiteRollout))
	}}
}

// changedHands reports whether another object stands under the name, its owner is another, or its spec has changed.
func changedHands(e event.UpdateEvent) bool {
	was, is := e.ObjectOld, e.ObjectNew
	return was.GetUID() != is.GetUID() || was.GetGeneration() != is.GetGeneration() || !equality.Semantic.DeepEqual(was.GetOwnerReferences(), is.GetOwnerReferences())
}

// movedOn reports whether a site stands elsewhere in its phases, or has seen an admission.
func movedOn(was, is *v1alpha1.SiteRollout) bool {
	a, b := &was.Status, &is.Status
	return a.State != b.State || a.CurrentPhase != b.CurrentPhase || a.ObservedGeneration != b.ObservedGeneration || !slices.EqualFunc(a.Phases, b.Phases, sameCourse)
}

// sameCourse compares what happened in a phase, without the values that it was judged by.
func sameCourse(a, b v1alpha1.PhaseRecord) bool {
	a.Baselines, b.Baselines, a.Evidence, b.Evidence = nil, nil, nil, nil
	return equality.Semantic.DeepEqual(a, b)
}
