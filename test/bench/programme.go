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
	// only is the name of the one phase and of the wave that is in it.
	only = "only"
	// never is the wave of the control sites, which waits for the other one.
	never = "never"
	// waveLabel is the label of a site that says which of the two it is in.
	waveLabel = "wave"
	// often is the interval of KPIs that are compared with numbers only. It is far shorter than in real life, where it is hours: costs per interval are the same.
	often = 10 * time.Second
	// patience is the age at which a value no longer counts: more than a busy machine can fall behind, so that no verdict
	// changes by lateness.
	patience = 5 * time.Minute
	// ownWindow is that of a KPI with a baseline: as short as can be, so that values from after the beginning of the phase are there soon.
	ownWindow = crmv1.Duration("1s")
	// baselineWindow is that of baselines, and how long before a baseline the control group is compared.
	baselineWindow = crmv1.Duration("1h")
)

// measured is a KPI with the criterion that it is judged by.
type measured struct {
	kpi       string
	criterion crmv1.Criterion
	direction crmv1.Direction
	// proving and held are the values at a site that proves and at one that is held. Wiggling changes no verdict.
	proving, held float64
	// kind of the criterion, for the split of what verdicts cost.
	kind string
	// guards is true for a guardrail.
	guards bool
	// before is the value before the phase began, at its sites and at the control sites; 0 when the phase takes no baseline.
	before float64
	// controlled is true when the baseline has a control group.
	controlled bool
}

// hold is much longer than a benchmark, so that no site ever passes.
const hold = crmv1.Duration("30d")

// fewMeasurements stand for everything that a site at a gate can be told at each measurement: met, met but not yet for long enough, not met.
func fewMeasurements() []measured {
	return []measured{
		{kpi: "data-completeness", criterion: crmv1.Criterion{AtLeast: threshold("0.95")}, direction: crmv1.DirectionHigherIsBetter, proving: 0.97, held: 0.97},
		{kpi: "duplicate-rate", criterion: crmv1.Criterion{AtMost: threshold("0.05"), For: hold}, direction: crmv1.DirectionLowerIsBetter, proving: 0.01, held: 0.1},
		{kpi: "weekly-active-users", criterion: crmv1.Criterion{AtLeast: threshold("0.6"), For: hold}, direction: crmv1.DirectionHigherIsBetter, proving: 0.7, held: 0.7},
	}
}

func threshold(t crmv1.Threshold) *crmv1.Threshold { return &t }

// programme is a rollout, in one phase unless it says otherwise.
type programme struct {
	// phases of the rollout, all with the same gate; empty for the only one.
	phases []string
	// passes is true when nothing keeps a site from passing its gates.
	passes bool
	// sites that are in the phase forever.
	sites []string
	// controls are sites of a wave that never begins; none when there is only one wave.
	controls []string
	// measured are the KPIs.
	measured []measured
	// interval of every KPI.
	interval time.Duration
	// halfHeld is true when every other site is held and the others prove; otherwise all of them prove.
	halfHeld bool
	// together is true when the rollout is suspended until every site has joined it.
	together bool
}

// newProgramme is a rollout in one wave, in which every other site is held and the others prove forever.
func newProgramme(sites int) programme {
	return programme{sites: called("site", sites), measured: fewMeasurements(), interval: often, halfHeld: true}
}

// called returns so many names.
func called(kind string, count int) []string {
	names := make([]string, 0, count)
	for n := range count {
		names = append(names, fmt.Sprintf("%s-%04d", kind, n))
	}
	return names
}

// isHeld reports whether the n-th site is one of those that miss a threshold.
func (p programme) isHeld(n int) bool { return p.halfHeld && n%2 == 0 }

// states are where every site ends up, by its name.
func (p programme) states() map[string]crmv1.SiteState {
	states := make(map[string]crmv1.SiteState, len(p.sites)+len(p.controls))
	for n, site := range p.sites {
		switch states[site] = crmv1.SiteProving; {
		case p.passes:
			states[site] = crmv1.SiteCompleted
		case p.isHeld(n):
			states[site] = crmv1.SiteHeld
		}
	}
	for _, site := range p.controls {
		states[site] = crmv1.SiteWaiting
	}
	return states
}

// objects are what people would write, in an order in which nothing is missing.
func (p programme) objects(address string) []client.Object {
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&crmv1.MetricProvider{ObjectMeta: meta(source), Spec: crmv1.MetricProviderSpec{Prometheus: &crmv1.PrometheusProvider{Address: address}}},
	}
	for _, m := range p.measured {
		objects = append(objects, &crmv1.KPI{ObjectMeta: meta(m.kpi), Spec: m.spec(p.interval)})
	}
	objects = append(objects, &crmv1.AcceptanceGate{ObjectMeta: meta(only), Spec: p.gate()})
	for _, phase := range p.steps() {
		objects = append(objects,
			&crmv1.RolloutPhase{ObjectMeta: meta(phase.Name), Spec: crmv1.RolloutPhaseSpec{ExitGate: &crmv1.LocalReference{Name: only}, Baselines: p.baselines()}})
	}
	for wave, sites := range map[string][]string{only: p.sites, never: p.controls} {
		for _, name := range sites {
			objects = append(objects, p.site(name, wave))
		}
	}
	return append(objects, p.rollout())
}

// site is one of a wave.
func (p programme) site(name, wave string) *crmv1.RolloutSite {
	site := &crmv1.RolloutSite{ObjectMeta: meta(name), Spec: crmv1.RolloutSiteSpec{Region: "emea"}}
	site.Labels = map[string]string{waveLabel: wave}
	return site
}

func meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }

// rollout has every site of the first wave in flight at once.
func (p programme) rollout() *crmv1.CRMRollout {
	var names []string
	for _, m := range p.measured {
		names = append(names, m.kpi)
	}
	waves := []crmv1.Wave{{Name: only, Selector: inWave(only)}}
	if len(p.controls) > 0 {
		waves = append(waves, crmv1.Wave{Name: never, Selector: inWave(never)})
	}
	rollout := &crmv1.CRMRollout{ObjectMeta: meta("bench"), Spec: crmv1.CRMRolloutSpec{
		Goals:  []crmv1.Goal{{Name: "quiet", SuccessFactors: []crmv1.SuccessFactor{{Name: "numbers", KPIs: names}}}},
		Phases: p.steps(),
		Waves:  waves,
	}}
	if p.together {
		rollout.Spec.Suspend, rollout.Spec.SuspendReason = true, "until every site has joined"
	}
	return rollout
}

// steps are the phases of the rollout.
func (p programme) steps() []crmv1.LocalReference {
	if len(p.phases) == 0 {
		return []crmv1.LocalReference{{Name: only}}
	}
	var all []crmv1.LocalReference
	for _, name := range p.phases {
		all = append(all, crmv1.LocalReference{Name: name})
	}
	return all
}

// within is when waiting for all sites is given up: something is wrong then.
func (p programme) within() time.Duration {
	return settlesWithin + time.Duration(len(p.sites)*len(p.steps()))*giveEach
}

func inWave(wave string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{waveLabel: wave}}
}

// spec is that of the KPI. One with a baseline is asked for over two windows, so that the source can tell the two kinds of query apart.
func (m measured) spec(interval time.Duration) crmv1.KPISpec {
	spec := crmv1.KPISpec{
		Unit: "ratio", Direction: m.direction, Provider: crmv1.LocalReference{Name: source}, Query: m.kpi,
		Interval: crmv1.Duration(fmt.Sprintf("%ds", interval/time.Second)), StaleAfter: crmv1.Duration(fmt.Sprintf("%ds", max(patience, 2*interval)/time.Second)),
	}
	if m.before != 0 {
		spec.Query, spec.Window = m.over("{{window}}"), ownWindow
	}
	return spec
}

// over is the query over a window.
func (m measured) over(window crmv1.Duration) string { return m.kpi + " over " + string(window) }

// query is the one that is asked once per interval.
func (m measured) query() string {
	if m.before != 0 {
		return m.over(ownWindow)
	}
	return m.kpi
}

// gate is the exit gate of the phase.
func (p programme) gate() crmv1.AcceptanceGateSpec {
	var spec crmv1.AcceptanceGateSpec
	for _, m := range p.measured {
		criterion := m.criterion
		criterion.Name, criterion.KPI = m.kpi, m.kpi
		switch {
		case m.guards:
			spec.Guardrails = append(spec.Guardrails, criterion)
			continue
		case criterion.Importance == crmv1.ImportanceWeighted:
			spec.Score = &crmv1.Score{Pass: 50}
		}
		spec.Criteria = append(spec.Criteria, criterion)
	}
	return spec
}

func (p programme) baselines() []crmv1.BaselineSpec {
	var all []crmv1.BaselineSpec
	for _, m := range p.measured {
		if m.before == 0 {
			continue
		}
		baseline := crmv1.BaselineSpec{KPI: m.kpi, Window: baselineWindow}
		if m.controlled {
			baseline.Controls = &crmv1.ControlGroup{SameLabels: []string{crmv1.LabelRegion}}
		}
		all = append(all, baseline)
	}
	return all
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
		raised = wiggle * float64(moment.Unix()/int64(p.interval/time.Second)%wiggleSteps)
	}
	answer := make(map[string]float64, len(p.sites)+len(p.controls))
	for n, site := range p.sites {
		answer[site] = m.proving + raised
		if p.isHeld(n) {
			answer[site] = m.held + raised
		}
	}
	for _, site := range p.controls {
		answer[site] = m.before + scatter(site, 0) + raised
	}
	return answer
}
