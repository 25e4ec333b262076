package gate_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
)

// process measures a KPI and its reference every 5 minutes and judges the site berlin, as the controllers do. It can be stopped and started.
type process struct {
	gate       gate.Gate
	own, other gate.KPI
	truth      *truth
	notBefore  time.Time
	baseline   *v1alpha1.Baseline
	ids        map[string]string
	begun      map[string]time.Time
	lost       map[string]bool
	// remembers is true when the source can tell later what it could not tell when it failed.
	remembers bool
	// what a stop destroys
	store   *measure.Store
	holds   map[string]gate.Hold
	resumed bool
	// what outlives a stop: the status of the site, and when the KPIs were measured last
	report   *v1alpha1.GateReport
	measured map[string]gate.Measured
	// ledger is for the oracle.
	ledger *ledger
}

// truth is what the source says of every moment, whenever it is asked.
type truth struct {
	t       *rapid.T
	outcome map[string]string
}

var (
	// Mostly good values, so that holds get somewhere.
	siteOutcomes = []string{"good", "good", "good", "good", "good", "good", "good", "good", "good", "bad", "missing", "nan", "ambiguous", "few", "infinite", "cached"}
	// Which of the control sites has no value.
	peerOutcomes = []string{"all", "all", "all", "all", "all", "missing0", "missing1", "missing2", "nan3", "ambiguous0", "few1", "none"}
)

func (u *truth) of(what string, tick int, among []string) string {
	if tick < 1 {
		return among[len(among)-1] // the source knows nothing from before it was first asked: what is cached, or no control site at all
	}
	key := fmt.Sprint(what, tick)
	if u.outcome[key] == "" {
		u.outcome[key] = rapid.SampledFrom(among).Draw(u.t, key)
	}
	return u.outcome[key]
}

var peerSizes = []float64{100, 40, 1000, 250}

func peerName(i int) string { return fmt.Sprint("control-", i) }

// peerValue moves by chance only, by another chance at each site.
func peerValue(i int) float64 { return peerSizes[i] * (1 + 0.004*float64(i) - 0.006) }

func newProcess(t *rapid.T, u *truth) *process {
	window := time.Duration(rapid.SampledFrom([]int{0, 0, 7, 20}).Draw(t, "window")) * time.Minute
	kpi := func(name string) gate.KPI {
		return gate.KPI{Name: name, Revision: name, Interval: 5 * time.Minute, StaleAfter: 15 * time.Minute, Window: window}
	}
	p := &process{own: kpi("own"), other: kpi("other"), truth: u, ids: map[string]string{"berlin": "DE-1"}, begun: map[string]time.Time{}, lost: map[string]bool{},
		store: measure.NewStore(), measured: map[string]gate.Measured{}, ledger: &ledger{values: map[string][]raw{}, latest: map[string]gate.Outcome{}}}
	p.baseline = &v1alpha1.Baseline{KPI: "own", KPIRevision: "before", SiteID: "DE-1", Value: "75", Earlier: "75.3", Samples: enoughSamples, PreTrend: "4w",
		WindowEnd: metav1.NewTime(at(rapid.SampledFrom([]int{-60, 0, 12}).Draw(t, "baseline")))}
	for i, size := range peerSizes {
		p.ids[peerName(i)] = peerName(i)
		p.baseline.Controls = append(p.baseline.Controls, v1alpha1.ControlValue{Site: peerName(i), Value: v1alpha1.ExactDecimal(size),
			Earlier: v1alpha1.ExactDecimal(size * (1 + 0.003*float64(3-i))), Samples: enoughSamples})
	}
	p.gate = drawGate(t, p.own, p.other)
	return p
}

func text(x float64, percent bool) *v1alpha1.Threshold {
	written := v1alpha1.FormatChange(x, percent)
	return &written
}

// alone reports whether the gate compares values with nothing that is measured too.
func (p *process) alone() bool {
	return !slices.ContainsFunc(p.gate.Criteria, func(c gate.Criterion) bool {
		switch c.Comparison.(type) {
		case gate.AgainstControl, gate.AgainstReference:
			return true
		}
		return false
	})
}

// drawGate draws a gate of every kind of comparison in every role.
func drawGate(t *rapid.T, own, other gate.KPI) gate.Gate {
	g := gate.Gate{Name: "g", Generation: 1}
	before := gate.AgainstBaseline{Phase: "prepare", Revision: "before"}
	for i := range rapid.IntRange(1, 4).Draw(t, "criteria") {
		c := gate.Criterion{Name: fmt.Sprint("c", i), KPI: own, Weight: 1, For: time.Duration(rapid.SampledFrom([]int{0, 5, 10, 25, 40}).Draw(t, "for")) * time.Minute}
		asked := v1alpha1.Criterion{AtLeast: text(leastGrowth, true), Against: &v1alpha1.Against{}}
		switch rapid.SampledFrom([]string{"nothing", "baseline", "control", "reference"}).Draw(t, "against") {
		case "nothing":
			c.Comparison, asked.AtLeast = gate.AgainstNothing{}, text(leastValue, false)
		case "baseline":
			c.Comparison = before
		case "control":
			c.Comparison = gate.AgainstControl{AgainstBaseline: before, MinSites: 3, Confidence: 0.95}
		case "reference":
			c.Comparison = gate.AgainstReference{KPI: other, MaxExceptions: rapid.Int32Range(0, 2).Draw(t, "exceptions")}
			asked.AtLeast, asked.Between = nil, &v1alpha1.Range{Min: *text(-tolerance, true), Max: *text(tolerance, true)}
		}
		c.MinSamples = rapid.SampledFrom([]int64{0, fewest}).Draw(t, "samples")
		var err error
		if c.Threshold, err = gate.ParseThreshold(asked); err != nil {
			t.Fatal(err)
		}
		switch role := rapid.SampledFrom([]string{"", "", "any", "score", "guardrail", "advice"}).Draw(t, "role"); role {
		case "score":
			c.Importance, c.Weight = v1alpha1.ImportanceWeighted, rapid.Int32Range(1, 5).Draw(t, "weight")
			g.Score = &gate.Score{Pass: 60, Warn: 40}
		case "guardrail":
			c.Importance = v1alpha1.ImportanceGuardrail
		case "advice":
			c.Importance = v1alpha1.ImportanceAdvisory
		default:
			c.Importance, c.AnyOf = v1alpha1.ImportanceRequired, role
		}
		g.Criteria = append(g.Criteria, c)
	}
	return g
}

// offset is the time within a tick at which a KPI is measured.
func (p *process) offset(kpi gate.KPI) time.Duration {
	if kpi.Name == "other" {
		return 2 * time.Minute
	}
	return 0
}

func (p *process) moment(kpi gate.KPI, tick int) time.Time { return at(5 * tick).Add(p.offset(kpi)) }

func key(kpi gate.KPI) types.NamespacedName {
	return types.NamespacedName{Namespace: "crm", Name: kpi.Name}
}

// answer is what the source says of a tick, also of one in the past, unless nobody could reach it then.
func (p *process) answer(kpi gate.KPI, tick int) measure.Measurement {
	when := p.moment(kpi, tick)
	if p.lost[fmt.Sprint(kpi.Name, tick)] {
		return measure.Measurement{Time: when, Failure: "down"}
	}
	m := measure.Measurement{Time: when, Values: map[string]gate.Sample{}, Ambiguous: map[string]bool{}, IDs: map[string]string{}}
	for site, id := range p.ids {
		m.IDs[site] = id
	}
	p.say(&m, kpi, "berlin", p.truth.of(kpi.Name, tick, siteOutcomes), goodValue)
	if kpi.Name != "own" {
		return m
	}
	peers := p.truth.of("peers", tick, peerOutcomes)
	for i := range peerSizes {
		kind := "good"
		if last := len(peers) - 1; peers[last:] == fmt.Sprint(i) {
			kind = peers[:last]
		}
		if peers != "none" {
			p.say(&m, kpi, peerName(i), kind, peerValue(i))
		}
	}
	return m
}

func (p *process) say(m *measure.Measurement, kpi gate.KPI, site, kind string, good float64) {
	s := gate.Sample{Value: good, Time: m.Time, Samples: enoughSamples}
	if site != "berlin" && p.ids[site] != site {
		s.Value *= 10 // another site's value under the name of this one
	}
	switch kind {
	case "missing":
		return
	case "ambiguous":
		m.Ambiguous[site] = true
		return
	case "nan":
		s.Value = math.NaN()
	case "infinite":
		s.Value = math.Inf(1)
	case "few":
		s.Samples = 1
	case "cached":
		known := p.ledger.values[kpi.Revision+"/"+site+"/"+p.ids[site]]
		if len(known) == 0 || known[len(known)-1].time.After(m.Time) {
			return
		}
		s = gate.Sample{Value: known[len(known)-1].value, Time: known[len(known)-1].time, Samples: known[len(known)-1].samples}
	case "bad":
		if s.Value = badValue; kpi.Name == "other" {
			s.Value = badOther
		}
	}
	m.Values[site] = s
	if !math.IsNaN(s.Value) && !math.IsInf(s.Value, 0) {
		p.ledger.add(kpi, site, raw{value: s.Value, samples: s.Samples, time: s.Time, id: p.ids[site]})
	}
}

// measure asks the source at a tick, and first about the moments before a stop that may not have been judged.
func (p *process) measure(kpi gate.KPI, tick int, fails bool) {
	when, name := p.moment(kpi, tick), key(kpi)
	p.store.Inherit(name, kpi.Revision, p.measured[kpi.Name])
	if fails {
		p.lost[fmt.Sprint(kpi.Name, tick)] = !p.remembers
		p.record(kpi, measure.Measurement{Time: when, Failure: "down"})
		return
	}
	if !p.store.Answered(name, kpi.Revision) {
		var past []measure.Measurement
		for _, moment := range measure.Again(p.store.Inherited(name, kpi.Revision).Last, kpi.Interval, kpi.StaleAfter, when) {
			past = append(past, p.answer(kpi, int(moment.Sub(monday.Add(p.offset(kpi)))/(5*time.Minute))))
		}
		p.store.Recall(name, kpi.Revision, past)
	}
	seen := p.measured[kpi.Name]
	if seen.Last.IsZero() || when.Sub(seen.Last) > kpi.StaleAfter {
		seen.Since = when
	}
	seen.Last = when
	p.measured[kpi.Name] = seen
	p.record(kpi, p.answer(kpi, tick))
}

func (p *process) record(kpi gate.KPI, m measure.Measurement) {
	p.store.Record(key(kpi), measure.Taken{Revision: kpi.Revision, Measurement: m})
	p.ledger.latest[kpi.Name] = p.store.Evidence(key(kpi), kpi.Revision, "berlin", p.ids["berlin"]).Latest
}

func (p *process) facts(now time.Time) gate.Facts {
	return gate.Facts{
		Evidence: func(kpi gate.KPI) gate.Evidence {
			return p.store.Evidence(key(kpi), kpi.Revision, "berlin", p.ids["berlin"])
		},
		Baseline: func(string, string) *v1alpha1.Baseline { return p.baseline },
		Peer: func(_, site, siteID string, kpi gate.KPI) ([]gate.Sample, bool) {
			if _, begun := p.begun[site]; begun || p.ids[site] != siteID {
				return nil, false
			}
			return p.store.Samples(key(kpi), kpi.Revision, site, siteID), true
		},
		SiteID: p.ids["berlin"], NotBefore: p.notBefore, Now: now,
	}
}

// judge resumes the holds when it must, and writes the status when it says something new or when it happens to be paid for.
func (p *process) judge(now time.Time, refresh bool) gate.Judgement {
	if !p.resumed {
		p.resumed = true
		if p.report != nil && p.report.SiteID == p.ids["berlin"] {
			p.holds = gate.Resume(p.report, p.gate, func(kpi gate.KPI) gate.Measured { return p.store.Inherited(key(kpi), kpi.Revision) })
		}
	}
	judged := gate.Judge(gate.Question{Gate: p.gate, Facts: p.facts(now), Holds: p.holds})
	p.holds = judged.Holds()
	report := judged.Report(p.gate, v1alpha1.GateRoleExit)
	report.SiteID = p.ids["berlin"]
	if p.report == nil || refresh || !alike(p.report, report) {
		p.report = report
	}
	return judged
}

// alike compares reports but for what every measurement changes: the site controller does not write a status for that alone.
func alike(a, b *v1alpha1.GateReport) bool {
	if a.Verdict != b.Verdict || a.SiteID != b.SiteID || !reflect.DeepEqual(a.Score, b.Score) || len(a.Criteria) != len(b.Criteria) {
		return false
	}
	for i := range a.Criteria {
		if !equality.Semantic.DeepEqual(gate.WithoutNumbers(a.Criteria[i]), gate.WithoutNumbers(b.Criteria[i])) {
			return false
		}
	}
	return true
}

func (p *process) stop() {
	p.store, p.holds, p.resumed = measure.NewStore(), nil, false
}

// rename gives a site another ID. The controllers know holds by the ID under which they were proved.
func (p *process) rename(site, id string) {
	if p.ids[site] = id; site == "berlin" {
		p.holds = nil
	}
}

func (p *process) oracle(now time.Time) oracle {
	return oracle{ledger: p.ledger, ids: p.ids, begun: p.begun, baseline: p.baseline, notBefore: p.notBefore, now: now}
}
