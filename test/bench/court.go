package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/advance"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/provider"
)

// measuredBefore is how often every KPI was measured before verdicts are counted: more often than the operator keeps values of a site.
const measuredBefore = 40

// court judges the sites of a programme in this process, by the same packages and from the same facts as the operator, without an API server.
type court struct {
	programme programme
	plan      plan.Plan
	sites     map[string]*crmv1.RolloutSite
	peers     []*crmv1.RolloutSite
	store     *measure.Store
	captures  map[string]gate.Capture
	cases     []*siteCase
	begun     map[string]bool
	now       time.Time
}

// siteCase is a site that is judged.
type siteCase struct {
	site   string
	status crmv1.SiteRolloutStatus
	holds  advance.Holds
}

// newCourt begins the phase at every site, and has every KPI measured for a while.
func newCourt(p programme) (*court, error) {
	c := &court{
		programme: p, sites: map[string]*crmv1.RolloutSite{}, store: measure.NewStore(), captures: map[string]gate.Capture{}, begun: map[string]bool{},
		now: time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC),
	}
	if err := c.resolve(); err != nil {
		return nil, err
	}
	for _, m := range p.measured {
		c.captures[m.kpi] = gate.Capture{
			At: c.now, TakenAt: c.now,
			Current: c.collect(p.before(m, c.now), c.now).CrossSection(),
			Earlier: c.collect(p.before(m, c.now.Add(-time.Hour)), c.now.Add(-time.Hour)).CrossSection(),
		}
	}
	for _, name := range p.sites {
		one := &siteCase{site: name}
		for range 2 { // the site joins the rollout, and begins its phase
			c.step(one)
		}
		if one.status.State != crmv1.SiteProving {
			return nil, fmt.Errorf("%s did not begin: %s", name, one.status.Message)
		}
		c.cases = append(c.cases, one)
	}
	for _, name := range p.sites {
		c.begun[name] = true
	}
	for range measuredBefore {
		c.measure()
	}
	return c, nil
}

// resolve makes the plan of the objects that people would write.
func (c *court) resolve() error {
	objects := plan.Objects{Phases: map[string]*crmv1.RolloutPhase{}, Gates: map[string]*crmv1.AcceptanceGate{}, KPIs: map[string]*crmv1.KPI{}}
	var rollout *crmv1.CRMRollout
	for _, object := range c.programme.objects("http://127.0.0.1") {
		switch o := object.(type) {
		case *crmv1.KPI:
			objects.KPIs[o.Name] = o
		case *crmv1.AcceptanceGate:
			objects.Gates[o.Name] = o
		case *crmv1.RolloutPhase:
			objects.Phases[o.Name] = o
		case *crmv1.RolloutSite:
			c.sites[o.Name], c.peers = o, append(c.peers, o)
		case *crmv1.CRMRollout:
			rollout = o
		}
	}
	rollout.Spec.Suspend = false
	c.plan = plan.Resolve(rollout, objects)
	if mistakes := c.plan.AllMistakes(); len(mistakes) > 0 {
		return fmt.Errorf("the programme is wrong: %s", plan.Sentences(mistakes))
	}
	return nil
}

func (c *court) gate() gate.Gate { return *c.plan.Phases[0].Exit }

func (c *court) collect(values map[string]float64, at time.Time) measure.Measurement {
	var answer provider.Answer
	for site, value := range values {
		answer.Samples = append(answer.Samples, provider.Sample{Site: site, Value: value, Time: at})
	}
	measured, _ := measure.Collect(answer, c.peers, at)
	return measured
}

// measure lets an interval go by and measures every KPI.
func (c *court) measure() {
	c.now = c.now.Add(c.programme.interval)
	revisions := map[string]string{}
	for _, criterion := range c.gate().Criteria {
		revisions[criterion.KPI.Name] = criterion.KPI.Revision
	}
	for _, m := range c.programme.measured {
		c.store.Record(key(m.kpi), measure.Taken{Revision: revisions[m.kpi], Measurement: c.collect(c.programme.at(m, wiggling, c.now), c.now)})
	}
}

func key(kpi string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: kpi}
}

// step takes the next step of a site and writes it down in its status, as each look at a site does.
func (c *court) step(one *siteCase) {
	next := advance.Next(advance.Input{
		Plan: c.plan, Status: one.status, Admitted: true, Site: one.site, SiteID: one.site, Holds: one.holds, Now: c.now,
		Evidence: c.evidence(one.site),
		Peer:     c.peer,
		Capture: func(b plan.Baseline) (gate.Capture, bool) {
			capture, found := c.captures[b.KPI.Name]
			return capture, found
		},
		Candidates: func(_ string, controls plan.Controls) []string {
			var names []string
			for _, site := range c.plan.Candidates(controls, c.sites[one.site], c.peers, c.plan.WaveOf, func(site string) bool { return c.begun[site] }) {
				names = append(names, site.Name)
			}
			return names
		},
	})
	one.status, one.holds = advance.Record(one.status, next, c.now), next.Holds
}

func (c *court) evidence(site string) func(gate.KPI) gate.Evidence {
	return func(kpi gate.KPI) gate.Evidence { return c.store.Evidence(key(kpi.Name), kpi.Revision, site, site) }
}

func (c *court) peer(_, site, siteID string, kpi gate.KPI) ([]gate.Sample, bool) {
	if c.begun[site] || c.sites[site] == nil {
		return nil, false
	}
	return c.store.Samples(key(kpi.Name), kpi.Revision, site, siteID), true
}

// judge asks for the verdicts of a gate alone. The holds of the site stay as they are.
func (c *court) judge(one *siteCase, g gate.Gate) gate.Judgement {
	record := &one.status.Phases[0]
	baseline := func(_, kpi string) *crmv1.Baseline {
		i := slices.IndexFunc(record.Baselines, func(b crmv1.Baseline) bool { return b.KPI == kpi })
		if i < 0 {
			return nil
		}
		return &record.Baselines[i]
	}
	return gate.Judge(gate.Question{Gate: g, Holds: one.holds.Criteria, Facts: gate.Facts{
		Evidence: c.evidence(one.site), Baseline: baseline, Peer: c.peer, SiteID: one.site, NotBefore: record.StartedAt.Time, Now: c.now,
	}})
}

// ofKind returns a gate with the criteria of one kind only.
func (c *court) ofKind(kind string) gate.Gate {
	g, kinds := c.gate(), map[string]string{}
	for _, m := range c.programme.measured {
		kinds[m.kpi] = m.kind
	}
	g.Criteria = slices.DeleteFunc(slices.Clone(g.Criteria), func(criterion gate.Criterion) bool { return kinds[criterion.Name] != kind })
	if kind != byWeight {
		g.Score = nil
	}
	return g
}

// atOnce returns a gate whose criteria need not hold, so that they pass and leave evidence.
func atOnce(g gate.Gate) gate.Gate {
	g.Criteria = slices.Clone(g.Criteria)
	for i := range g.Criteria {
		g.Criteria[i].For = 0
	}
	return g
}

// size is the number of bytes of something in JSON.
func size(v any) int {
	text, _ := json.Marshal(v) // types of the API always marshal
	return len(text)
}
