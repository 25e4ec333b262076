package metricprovider

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/provider"
)

// readingsSource stands for the KPIReadings of a namespace. They are read from the cache whenever they are asked for, so that nothing has to be opened again when
// one comes or goes.
type readingsSource struct{ config provider.ReadingsConfig }

// +kubebuilder:rbac:groups=rollout.crmops.dev,resources=kpireadings;rolloutsites,verbs=get;list;watch

func newReadingsSource(reader client.Reader, object *v1alpha1.MetricProvider) (source, problem) {
	acceptWithin, err := object.Spec.Readings.AcceptWithin.Parse()
	if err != nil {
		return nil, problem{v1alpha1.ReasonInvalidSpec, "spec.readings.acceptWithin: " + err.Error()}
	}
	namespace := object.Namespace
	return &readingsSource{config: provider.ReadingsConfig{
		Name:         client.ObjectKeyFromObject(object).String(),
		AcceptWithin: acceptWithin,
		List: func(ctx context.Context, kpi string) ([]provider.Reading, error) {
			return catalogue.ReadingsBySiteID(ctx, reader, namespace, kpi)
		},
	}}, problem{}
}

func (s *readingsSource) where() string { return "the KPIReadings in this namespace" }

func (s *readingsSource) credentials() []credential { return nil }

func (s *readingsSource) fingerprint() string { return s.config.Fingerprint() }

// open needs no guard: nothing is connected to.
func (s *readingsSource) open(_ *provider.Guard, limits provider.Limits) (provider.Provider, error) {
	config := s.config
	config.Limits = limits
	return provider.NewReadings(config)
}
