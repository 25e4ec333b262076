package main

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

const (
	namespace = "crm-bench"
	// source is the name of the MetricProvider.
	source = "counting"
	// only is the name of the one phase and of the one wave.
	only = "only"
	// interval of every KPI. It is far shorter than in real life, where it is hours: costs per interval are the same.
	interval = 10 * time.Second
	// patience is the age at which a value no longer counts: more than a busy machine can fall behind, so that no verdict
	// changes by lateness.
	patience = 5 * time.Minute
)

// measured is a KPI with the criterion that it is judged by. Between them, the three stand for everything that a site at
// a gate can be told at each measurement: met, met but not yet for long enough, not met.
type measured struct {
	kpi       string
	criterion crmv1.Criterion
	direction crmv1.Direction
	// proving and held are the values at a site that proves and at one that is held. Wiggling changes no verdict.
	proving, held float64
}

// hold is much longer than a benchmark, so that no site ever passes.
const hold = crmv1.Duration("30d")

func measurements() []measured {
	decimal := func(d crmv1.Decimal) *crmv1.Decimal { return &d }
	return []measured{
		{"data-completeness", crmv1.Criterion{AtLeast: decimal("0.95")}, crmv1.DirectionHigherIsBetter, 0.97, 0.97},
		{"duplicate-rate", crmv1.Criterion{AtMost: decimal("0.05"), For: hold}, crmv1.DirectionLowerIsBetter, 0.01, 0.1},
		{"weekly-active-users", crmv1.Criterion{AtLeast: decimal("0.6"), For: hold}, crmv1.DirectionHigherIsBetter, 0.7, 0.7},
	}
}

// programme is a rollout in one wave and one phase, in which every other site is held and the others prove forever.
type programme struct {
	sites []string
}

func newProgramme(sites int) programme {
	p := programme{}
	for i := range sites {
		p.sites = append(p.sites, fmt.Sprintf("site-%04d", i))
	}
	return p
}

// isHeld reports whether the n-th site is one of those that miss a threshold.
func isHeld(n int) bool { return n%2 == 0 }

// states are where every site ends up, by its name.
func (p programme) states() map[string]crmv1.SiteState {
	states := make(map[string]crmv1.SiteState, len(p.sites))
	for n, site := range p.sites {
		states[site] = crmv1.SiteProving
		if isHeld(n) {
			states[site] = crmv1.SiteHeld
		}
	}
	return states
}

// objects are what people would write, in an order in which nothing is missing.
func (p programme) objects(address string) []client.Object {
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&crmv1.MetricProvider{ObjectMeta: meta(source), Spec: crmv1.MetricProviderSpec{Prometheus: &crmv1.PrometheusProvider{Address: address}}},
	}
	var criteria []crmv1.Criterion
	var names []string
	for _, m := range measurements() {
		objects = append(objects, &crmv1.KPI{ObjectMeta: meta(m.kpi), Spec: crmv1.KPISpec{
			Unit: "ratio", Direction: m.direction, Provider: crmv1.LocalReference{Name: source}, Query: m.kpi,
			Interval: crmv1.Duration(fmt.Sprintf("%ds", interval/time.Second)), StaleAfter: crmv1.Duration(fmt.Sprintf("%ds", patience/time.Second)),
		}})
		criterion := m.criterion
		criterion.Name, criterion.KPI = m.kpi, m.kpi
		criteria, names = append(criteria, criterion), append(names, m.kpi)
	}
	objects = append(objects,
		&crmv1.AcceptanceGate{ObjectMeta: meta(only), Spec: crmv1.AcceptanceGateSpec{Criteria: criteria}},
		&crmv1.RolloutPhase{ObjectMeta: meta(only), Spec: crmv1.RolloutPhaseSpec{ExitGate: &crmv1.LocalReference{Name: only}}})
	for _, site := range p.sites {
		objects = append(objects, &crmv1.RolloutSite{ObjectMeta: meta(site), Spec: crmv1.RolloutSiteSpec{Region: "emea"}})
	}
	return append(objects, &crmv1.CRMRollout{ObjectMeta: meta("bench"), Spec: crmv1.CRMRolloutSpec{
		Goals: []crmv1.Goal{{Name: "quiet", SuccessFactors: []crmv1.SuccessFactor{{Name: "numbers", KPIs: names}}}},
		// Every site is in the one wave, and in flight at once.
		Phases: []crmv1.LocalReference{{Name: only}},
		Waves:  []crmv1.Wave{{Name: only, Selector: &metav1.LabelSelector{}}},
	}})
}

// values say whether numbers change from one measurement to the next.
type values int

const (
	// steady values stay as they are.
	steady values = iota
	// wiggling values differ at every measurement and every site, the median too, and never cross a threshold.
	wiggling
)

// String names the values for people.
func (v values) String() string {
	if v == wiggling {
		return "values that differ at every measurement"
	}
	return "values that stay"
}

// wiggle is by how much a value rises from one measurement to the next, until it falls back after wiggleSteps.
const (
	wiggle      = 0.0005
	wiggleSteps = 10
)

// at returns the answer to the query of a KPI for one moment.
func (p programme) at(m measured, v values, moment time.Time) map[string]float64 {
	raised := 0.0
	if v == wiggling {
		raised = wiggle * float64(moment.Unix()/int64(interval/time.Second)%wiggleSteps)
	}
	answer := make(map[string]float64, len(p.sites))
	for n, site := range p.sites {
		if isHeld(n) {
			answer[site] = m.held + raised
		} else {
			answer[site] = m.proving + raised
		}
	}
	return answer
}
