package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
	"github.com/crmops/rollout-operator/test/crmsim"
	"github.com/crmops/rollout-operator/test/promserver"
)

const (
	// namespace and provider are those of config/samples.
	namespace = "crm-demo"
	provider  = "crm-metrics"
	// operator is the user that the manager runs as: with the rights of config/rbac and no others.
	operator = "crm-rollout-operator"
	// role is the ClusterRole in config/rbac/role.yaml.
	role = "manager"
)

// Stage is everything that runs.
type Stage struct {
	root       string
	dir        string
	screen     *Screen
	guest      Guest
	cluster    *cluster.Cluster
	client     client.Client
	crm        *crmsim.Server
	prometheus *promserver.Server
	manager    *cluster.Manager
	// strike are what ends it, in the order of the start.
	strike []func() error
}

// Set starts everything but the manager, and applies the programme. What was started must be ended with Strike, also
// after an error.
func (s *Stage) Set(ctx context.Context) error {
	for _, step := range []func(context.Context) error{s.startCluster, s.startCRM, s.startPrometheus, func(ctx context.Context) error {
		return s.applyProgramme(ctx, s.prometheus.URL())
	}} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Strike ends everything that was started, the last one first.
func (s *Stage) Strike() error {
	var failures []error
	for i := len(s.strike) - 1; i >= 0; i-- {
		failures = append(failures, s.strike[i]())
	}
	s.strike = nil
	return errors.Join(failures...)
}

func (s *Stage) startCluster(ctx context.Context) error {
	if s.guest.Kubeconfig != "" {
		return s.connect(ctx)
	}
	begun := time.Now()
	started, err := cluster.Start(ctx, cluster.Options{Dir: filepath.Join(s.dir, "cluster"), ControllerManager: true, WithoutCRDs: true})
	if err != nil {
		return err
	}
	s.cluster = started
	s.strike = append(s.strike, started.Stop)
	if s.client, err = started.Client(); err != nil {
		return err
	}
	s.did(begun, "Kubernetes: etcd, kube-apiserver and kube-controller-manager at %s", started.Config().Host)
	return nil
}

func (s *Stage) startCRM(context.Context) error {
	begun := time.Now()
	scenario, err := crmsim.DefaultScenario()
	if err != nil {
		return err
	}
	if s.crm, err = crmsim.Serve(crmsim.New(scenario, time.Now), "127.0.0.1:0"); err != nil {
		return err
	}
	s.strike = append(s.strike, s.crm.Stop)
	s.did(begun, "the CRM's exporter, simulated: %s/metrics", s.crm.URL())
	return nil
}

func (s *Stage) startPrometheus(ctx context.Context) error {
	begun := time.Now()
	// Its life is not bound to ctx, so that an interrupt ends it in order, after the manager.
	started, err := promserver.Start(context.WithoutCancel(ctx), promserver.Options{
		Dir:            filepath.Join(s.dir, "prometheus"),
		ScrapeInterval: time.Second,
		Targets:        []string{s.crm.Address()},
	})
	if err != nil {
		return err
	}
	s.prometheus = started
	s.strike = append(s.strike, func() error { started.Stop(); return nil })
	s.did(begun, "Prometheus, which scrapes it every second: %s", started.URL())
	return nil
}

// applyProgramme does what a person would do, with the same kubectl. prometheus is where the numbers come from.
func (s *Stage) applyProgramme(ctx context.Context, prometheus string) error {
	begun := time.Now()
	address, err := json.Marshal(map[string]any{"spec": map[string]any{"prometheus": map[string]any{"address": prometheus}}})
	if err != nil {
		return fmt.Errorf("write the provider's address: %w", err)
	}
	if s.guest.Kubeconfig != "" {
		// Again, because time has passed since the first look.
		if err := s.refuseIfInUse(ctx); err != nil {
			return err
		}
	}
	s.guest.kinds = true
	if err := s.kubectl(ctx,
		[]string{"apply", "-k", filepath.Join("config", "crd")},
		[]string{"wait", "--for=condition=Established", "--timeout=60s", "-f", filepath.Join("config", "crd", "bases")},
	); err != nil {
		return err
	}
	// In a cluster of the user's own the manager is the user, and there may be another role of that name.
	if s.guest.Kubeconfig == "" {
		if err := s.kubectl(ctx,
			[]string{"apply", "-f", filepath.Join("config", "rbac", "role.yaml")},
			[]string{"create", "clusterrolebinding", operator, "--clusterrole=" + role, "--user=" + operator},
		); err != nil {
			return err
		}
	}
	s.guest.namespace = true
	if err := s.kubectl(ctx,
		[]string{"apply", "-k", filepath.Join("config", "samples", "demo")},
		[]string{"-n", namespace, "patch", "metricprovider", provider, "--type=merge", "-p", string(address)},
	); err != nil {
		return err
	}
	s.did(begun, "the programme: weeks compressed into seconds, the provider's address patched to the Prometheus above")
	return nil
}

// kubectl shows commands and runs them.
func (s *Stage) kubectl(ctx context.Context, commands ...[]string) error {
	for _, command := range commands {
		s.screen.Say("     $ kubectl " + shell(command))
		if _, err := s.cluster.Kubectl(ctx, s.fromRoot(command)...); err != nil {
			return err
		}
	}
	return nil
}

// fromRoot makes the paths in a command absolute, wherever the program was started.
func (s *Stage) fromRoot(command []string) []string {
	absolute := make([]string, len(command))
	for i, word := range command {
		if filepath.Dir(word) != "." && !filepath.IsAbs(word) {
			if _, err := os.Stat(filepath.Join(s.root, word)); err == nil {
				word = filepath.Join(s.root, word)
			}
		}
		absolute[i] = word
	}
	return absolute
}

// StartManager runs the operator: from here on sites move.
func (s *Stage) StartManager(ctx context.Context) error {
	begun := time.Now()
	kubeconfig, rights, err := s.identity()
	if err != nil {
		return err
	}
	binary := os.Getenv("MANAGER")
	if binary == "" {
		binary = filepath.Join(s.root, "bin", "manager")
	}
	if s.manager, err = s.cluster.StartManager(ctx, cluster.ManagerOptions{Binary: binary, Kubeconfig: kubeconfig}); err != nil {
		return err
	}
	s.did(begun, "the operator, process %d, %s", s.manager.PID(), rights)
	return nil
}

// identity is the kubeconfig that the manager runs under, and what that lets it do.
func (s *Stage) identity() (kubeconfig, rights string, err error) {
	if s.guest.Kubeconfig != "" {
		return s.cluster.Kubeconfig(), "with your own rights: those of config/rbac/role.yaml are not put to the test here", nil
	}
	kubeconfig, err = s.cluster.AddUser(operator)
	return kubeconfig, "with the rights of config/rbac/role.yaml", err
}

// ReadPlan reads what people wrote.
func (s *Stage) ReadPlan(ctx context.Context) (Plan, error) {
	plan := Plan{Sites: map[string]crmv1.RolloutSite{}, Phases: map[string]crmv1.RolloutPhase{}, Gates: map[string]crmv1.AcceptanceGate{}, KPIs: map[string]crmv1.KPI{}}
	var (
		sites  crmv1.RolloutSiteList
		phases crmv1.RolloutPhaseList
		gates  crmv1.AcceptanceGateList
		kpis   crmv1.KPIList
	)
	for _, list := range []client.ObjectList{&sites, &phases, &gates, &kpis} {
		if err := s.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return plan, fmt.Errorf("read the programme: %w", err)
		}
	}
	for _, site := range sites.Items {
		plan.Sites[site.Name] = site
	}
	for _, phase := range phases.Items {
		plan.Phases[phase.Name] = phase
	}
	for _, gate := range gates.Items {
		plan.Gates[gate.Name] = gate
	}
	for _, kpi := range kpis.Items {
		plan.KPIs[kpi.Name] = kpi
	}
	rollout, _, err := s.Read(ctx)
	plan.Rollout = rollout
	return plan, err
}

// Read takes one look at the rollout and at the stories of its sites.
func (s *Stage) Read(ctx context.Context) (crmv1.CRMRollout, []crmv1.SiteRollout, error) {
	var rollouts crmv1.CRMRolloutList
	if err := s.client.List(ctx, &rollouts, client.InNamespace(namespace)); err != nil {
		return crmv1.CRMRollout{}, nil, fmt.Errorf("read the rollout: %w", err)
	}
	if len(rollouts.Items) != 1 {
		return crmv1.CRMRollout{}, nil, fmt.Errorf("read the rollout: there are %d in namespace %s, want 1", len(rollouts.Items), namespace)
	}
	var stories crmv1.SiteRolloutList
	if err := s.client.List(ctx, &stories, client.InNamespace(namespace)); err != nil {
		return crmv1.CRMRollout{}, nil, fmt.Errorf("read the stories of the sites: %w", err)
	}
	return rollouts.Items[0], stories.Items, nil
}

// did says what was done, and how long it took.
func (s *Stage) did(begun time.Time, format string, args ...any) {
	s.screen.Sayf("%5.1fs  %s", time.Since(begun).Seconds(), fmt.Sprintf(format, args...))
}
