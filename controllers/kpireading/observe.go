package kpireading

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
)

// snapshot is everything that a judgement on a reading depends on.
type snapshot struct {
	object *v1alpha1.KPIReading
	// kpi, site and provider are what the reading refers to; nil when it does not exist.
	kpi      *v1alpha1.KPI
	site     *v1alpha1.RolloutSite
	provider *v1alpha1.MetricProvider
	// beside are the readings for the same KPI, site and moment, the object included.
	beside []*v1alpha1.KPIReading
}

func (r *Reconciler) observe(ctx context.Context, req ctrl.Request) (snapshot, error) {
	var s snapshot
	object, err := find(ctx, r.Client, req.NamespacedName, &v1alpha1.KPIReading{})
	if err != nil || object == nil {
		return s, err
	}
	s.object = object
	beside := func(name string) client.ObjectKey { return client.ObjectKey{Namespace: req.Namespace, Name: name} }
	if s.kpi, err = find(ctx, r.Client, beside(object.Spec.KPI), &v1alpha1.KPI{}); err != nil {
		return s, err
	}
	if s.site, err = find(ctx, r.Client, beside(object.Spec.Site), &v1alpha1.RolloutSite{}); err != nil {
		return s, err
	}
	if s.kpi != nil {
		if s.provider, err = find(ctx, r.Client, beside(s.kpi.Spec.Provider.Name), &v1alpha1.MetricProvider{}); err != nil {
			return s, err
		}
	}
	s.beside, err = catalogue.ReadingsBeside(ctx, r.Client, object)
	return s, err
}

// find reads an object into another one of its type; nil when it does not exist.
func find[T client.Object](ctx context.Context, r client.Reader, key client.ObjectKey, into T) (T, error) {
	var none T
	err := r.Get(ctx, key, into)
	switch {
	case apierrors.IsNotFound(err):
		return none, nil
	case err != nil:
		return none, fmt.Errorf("read %T %s: %w", into, key, err)
	}
	return into, nil
}
