package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/controllers/crmrollout"
	"github.com/crmops/rollout-operator/controllers/definition"
	"github.com/crmops/rollout-operator/controllers/kpi"
	"github.com/crmops/rollout-operator/controllers/kpireading"
	"github.com/crmops/rollout-operator/controllers/metricprovider"
	"github.com/crmops/rollout-operator/controllers/rolloutcalendar"
	"github.com/crmops/rollout-operator/controllers/rolloutdecision"
	"github.com/crmops/rollout-operator/controllers/siterollout"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/provider"
	"github.com/crmops/rollout-operator/internal/request"
)

// stopTimeout is how long running reconciles may take to end. It is shorter than the grace period of a Pod.
const stopTimeout = 20 * time.Second

func (o options) logger(w io.Writer) (logr.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return logr.Logger{}, fmt.Errorf("--log-level: %w", err)
	}
	settings := &slog.HandlerOptions{Level: level}
	switch o.logFormat {
	case "json":
		return logr.FromSlogHandler(slog.NewJSONHandler(w, settings)), nil
	case "text":
		return logr.FromSlogHandler(slog.NewTextHandler(w, settings)), nil
	}
	return logr.Logger{}, fmt.Errorf("--log-format: %q is neither json nor text", o.logFormat)
}

// guard returns what decides which addresses sources may have. The API server is known by the host that this client uses, by the one that every Pod is told,
// and by the name that every cluster's DNS has. The machines behind these are not known here: a NetworkPolicy must keep sources away from them.
func (o options) guard(server string) (*provider.Guard, error) {
	guard, err := provider.NewGuard(provider.GuardConfig{
		Allow:      o.allowSourceHosts,
		APIServers: []string{server, os.Getenv("KUBERNETES_SERVICE_HOST"), "kubernetes.default.svc"},
	})
	if err != nil {
		return nil, fmt.Errorf("--allow-source-hosts: %w", err)
	}
	return guard, nil
}

// setup wires everything together. Nothing runs before the manager is started.
func setup(ctx context.Context, config *rest.Config, o options) (ctrl.Manager, error) {
	guard, err := o.guard(config.Host)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("build scheme: %w", err)
		}
	}
	kept, err := o.cache()
	if err != nil {
		return nil, err
	}
	timeout := stopTimeout
	settings := ctrl.Options{
		Scheme:                  scheme,
		Cache:                   kept,
		Metrics:                 o.metricsServer(),
		HealthProbeBindAddress:  o.healthAddress,
		GracefulShutdownTimeout: &timeout,
	}
	if config, err = o.lease.guard(config, scheme, &settings); err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(config, settings)
	if err != nil {
		return nil, fmt.Errorf("create manager: %w", err)
	}
	if err := catalogue.AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return nil, err
	}
	if err := addControllers(mgr, guard); err != nil {
		return nil, err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("add health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("add readiness check: %w", err)
	}
	return mgr, nil
}

// metricsServer says how /metrics is served. The numbers of all tenants stand there, so in a cluster it asks the API server who may read them.
func (o options) metricsServer() metricsserver.Options {
	served := metricsserver.Options{BindAddress: o.metricsAddress}
	if o.metricsSecure {
		served.SecureServing = true
		served.FilterProvider = filters.WithAuthenticationAndAuthorization
		// One client can keep an HTTP/2 server busy by opening and resetting streams; a scrape needs no more than HTTP/1.1.
		served.TLSOpts = []func(*tls.Config){func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }}
	}
	return served
}

// cache says what is kept in memory: of the ControllerRevisions only those with a frozen plan, and nothing of other namespaces than those that the operator is for.
func (o options) cache() (cache.Options, error) {
	ours, err := labels.NewRequirement(v1alpha1.LabelRollout, selection.Exists, nil)
	if err != nil {
		return cache.Options{}, fmt.Errorf("select frozen plans: %w", err)
	}
	kept := cache.Options{ByObject: map[client.Object]cache.ByObject{&appsv1.ControllerRevision{}: {Label: labels.NewSelector().Add(*ours)}}}
	if len(o.namespaces) == 0 {
		return kept, nil
	}
	kept.DefaultNamespaces = make(map[string]cache.Config, len(o.namespaces))
	for _, namespace := range o.namespaces {
		kept.DefaultNamespaces[namespace] = cache.Config{}
	}
	return kept, nil
}

func addControllers(mgr ctrl.Manager, guard *provider.Guard) error {
	providers, store, captures, answers := provider.NewRegistry(), measure.NewStore(), measure.NewCaptures(), &request.Answers{}
	budget, wall := measure.NewRefreshBudget(), clock.RealClock{}
	policy := &catalogue.DecisionPolicy{Live: mgr.GetAPIReader(), Clock: wall}
	revisions := &catalogue.Revisions{Client: mgr.GetClient(), Live: mgr.GetAPIReader()}
	if err := mgr.Add(closing{providers}); err != nil {
		return fmt.Errorf("add provider registry: %w", err)
	}
	for _, collector := range []prometheus.Collector{measure.Collector{Store: store}, siterollout.Collector{Reader: mgr.GetCache()}} {
		if err := metrics.Registry.Register(collector); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	recorder := mgr.GetEventRecorder("crm-rollout-operator")
	controllers := []interface{ SetupWithManager(ctrl.Manager) error }{
		&metricprovider.Reconciler{Client: mgr.GetClient(), Secrets: mgr.GetAPIReader(), Providers: providers, Guard: guard, Clock: wall},
		&kpi.Reconciler{Client: mgr.GetClient(), Revisions: revisions, Providers: providers, Store: store, Captures: captures, Budget: budget, Events: recorder, Clock: wall},
		&kpireading.Reconciler{Client: mgr.GetClient(), Clock: wall},
		&rolloutdecision.Reconciler{Client: mgr.GetClient(), Policy: policy, Clock: wall},
		&definition.Reconciler{Client: mgr.GetClient(), Clock: wall, Kind: definition.Phases},
		&definition.Reconciler{Client: mgr.GetClient(), Clock: wall, Kind: definition.Gates},
		&definition.Reconciler{Client: mgr.GetClient(), Clock: wall, Kind: definition.Sites},
		&rolloutcalendar.Reconciler{Client: mgr.GetClient(), Clock: wall},
		&siterollout.Reconciler{Client: mgr.GetClient(), Revisions: revisions, Policy: policy, Store: store, Captures: captures, Budget: budget, Answers: answers, Events: recorder, Clock: wall},
		&crmrollout.Reconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Revisions: revisions, Measurements: store, Budget: budget, Answers: answers, Events: recorder, Clock: wall},
	}
	for _, c := range controllers {
		if err := c.SetupWithManager(mgr); err != nil {
			return fmt.Errorf("set up %T: %w", c, err)
		}
	}
	return nil
}

// closing closes the sources when the manager stops.
type closing struct{ providers *provider.Registry }

// Start waits for the end.
func (c closing) Start(ctx context.Context) error {
	<-ctx.Done()
	c.providers.Close()
	return nil
}
