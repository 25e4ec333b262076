package main

import (
	"hash/fnv"
	"time"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

const (
	// rarely is the interval of KPIs in the programme with a full gate. It is longer than the time in which many sites begin a phase.
	rarely = 20 * time.Second
	// controlSites is how many sites wait in the wave that never begins: the greatest control group, and some more to choose from.
	controlSites = 40
)

// The kinds of criteria, for the split of what verdicts cost. The first is what the others are compared with.
const (
	byValue     = "value, for a time"
	byWeight    = "value, weighted"
	asGuardrail = "value, guardrail"
	byReference = "reference, for a time"
	byBaseline  = "baseline"
	byControl   = "control group of 30"
)

// kindsOfCriteria in the order in which they are shown.
func kindsOfCriteria() []string {
	return []string{byValue, byWeight, asGuardrail, byReference, byBaseline, byControl}
}

// fullMeasurements are the ten criteria of a gate as a business would sign it: numbers that must hold, two of them of which one is enough, changes since before the
// phase, an effect beside a control group, the new system beside the old one, a score and a guardrail. None of them ever fails, and those that must hold never pass.
func fullMeasurements() []measured {
	const higher, lower = crmv1.DirectionHigherIsBetter, crmv1.DirectionLowerIsBetter
	exceptions := int32(3)
	weighted := crmv1.Criterion{AtLeast: threshold("0.5"), Importance: crmv1.ImportanceWeighted}
	sinceBaseline := &crmv1.Against{Baseline: &crmv1.BaselineComparison{}}
	besideControls := &crmv1.Against{Control: &crmv1.ControlComparison{}}
	besideOldSystem := &crmv1.Against{Reference: &crmv1.ReferenceComparison{KPI: "invoices-in-old-system", MaxExceptions: &exceptions}}
	equal := &crmv1.Range{Min: "-1%", Max: "1%"}
	return []measured{
		{kind: byValue, kpi: "data-completeness", direction: higher, proving: 0.97, criterion: crmv1.Criterion{AtLeast: threshold("0.95"), For: hold}},
		{kind: byValue, kpi: "duplicate-rate", direction: lower, proving: 0.01, criterion: crmv1.Criterion{AtMost: threshold("0.05"), For: hold}},
		{kind: byValue, kpi: "weekly-active-users", direction: higher, proving: 0.7, criterion: crmv1.Criterion{AtLeast: threshold("0.6"), For: hold, AnyOf: "adoption"}},
		{kind: byValue, kpi: "daily-logins", direction: higher, proving: 0.5, criterion: crmv1.Criterion{AtLeast: threshold("0.4"), For: hold, AnyOf: "adoption"}},
		{kind: byBaseline, kpi: "lead-time", direction: lower, proving: 40, before: 48, criterion: crmv1.Criterion{AtMost: threshold("-10%"), Against: sinceBaseline}},
		{kind: byBaseline, kpi: "first-response", direction: lower, proving: 4, before: 6, criterion: crmv1.Criterion{AtMost: threshold("-1"), Against: sinceBaseline}},
		{kind: byControl, kpi: "conversion-rate", direction: higher, proving: 0.8, before: 0.7, controlled: true, criterion: crmv1.Criterion{AtLeast: threshold("5%"), Against: besideControls}},
		{kind: byReference, kpi: "invoices-in-new-system", direction: higher, proving: 900, criterion: crmv1.Criterion{Between: equal, For: hold, Against: besideOldSystem}},
		{kind: byWeight, kpi: "invoices-in-old-system", direction: higher, proving: 900, criterion: weighted},
		{kind: asGuardrail, kpi: "complaint-rate", direction: lower, proving: 0.001, guards: true, criterion: crmv1.Criterion{AtMost: threshold("0.02"), For: "1h"}},
	}
}

// newFullProgramme is a rollout in two waves: all sites of the first prove forever at a gate with ten criteria, and those of the second are their control group.
func newFullProgramme(sites int) programme {
	return programme{sites: called("site", sites), controls: called("control", controlSites), measured: fullMeasurements(), interval: rarely, together: true}
}

// before returns the answer to the query of a baseline. Nobody has changed by then, and control sites differ from one another and from hour to hour as sites do.
func (p programme) before(m measured, moment time.Time) map[string]float64 {
	answer := make(map[string]float64, len(p.sites)+len(p.controls))
	for _, site := range p.sites {
		answer[site] = m.before
	}
	hour := moment.Truncate(time.Hour)
	for _, site := range p.controls {
		answer[site] = m.before + scatter(site, hour.Unix())
	}
	return answer
}

// scatter is by how much a site differs from others at some time, at most 0.005 and the same whenever it is asked for.
func scatter(site string, at int64) float64 {
	sum := fnv.New32a()
	for shift := 0; shift < 64; shift += 8 {
		_, _ = sum.Write([]byte{byte(at >> shift)}) // a hash never fails
	}
	_, _ = sum.Write([]byte(site))
	return 0.005 * (2*float64(sum.Sum32()%1001)/1000 - 1)
}
