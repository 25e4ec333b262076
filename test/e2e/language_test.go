package e2e

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
	"github.com/crmops/rollout-operator/test/fakeprom"
)

// language is a rollout whose one gate says everything that a gate can say. $SOURCE is the address of the metrics.
const language = `
kind: MetricProvider
metadata: {name: warehouse}
spec: {prometheus: {address: "$SOURCE", timeout: 5s}}
---
kind: MetricProvider
metadata: {name: surveys}
spec: {readings: {acceptWithin: 9999w}}
---
kind: KPI
metadata: {name: satisfaction}
spec: {provider: {name: surveys}, query: latest, unit: points, direction: HigherIsBetter, interval: 1s, staleAfter: 20s}
---
kind: KPIReading
metadata: {name: lyon-january}
spec: {kpi: satisfaction, site: lyon, value: "4.4", observedAt: "2026-01-31T18:00:00Z", samples: 120}
---
kind: AcceptanceGate
metadata: {name: signed}
spec:
  criteria:
  - {name: records, kpi: completeness, atLeast: "0.95", for: 2s}
  - {name: faster, kpi: lead-time, against: {baseline: {}}, atMost: "-10%"}
  - {name: worth-it, kpi: revenue, against: {control: {minSites: 4, confidence: "0.9"}}, atLeast: "5%", for: 1s}
  - {name: ledger, kpi: invoices-new, against: {reference: {kpi: invoices-old, maxExceptions: 2}}, between: {min: "-1%", max: "1%"}, for: 2s}
  - {name: daily-users, kpi: adoption, atLeast: "0.6", anyOf: used}
  - {name: seats-taken, kpi: seats, atLeast: "0.9", anyOf: used}
  - {name: survey, kpi: satisfaction, atLeast: "4", minSamples: 50, importance: Weighted, weight: 3}
  - {name: trained, kpi: training, atLeast: "0.9", importance: Weighted}
  - {name: loyal, kpi: churn, atMost: "0.01", importance: Advisory}
  guardrails:
  - {name: calm, kpi: complaints, atMost: "5", window: 3s, for: 10s}
  - {name: steady, kpi: lead-time, against: {baseline: {phase: go-live}}, atMost: "24"}
  score: {pass: 70, warn: 50}
---
kind: RolloutPhase
metadata: {name: go-live}
spec:
  baselines:
  - {kpi: lead-time}
  - {kpi: revenue, controls: {sameLabels: [rollout.crmops.dev/region], preTrend: 10s}}
  exitGate: {name: signed}
---
kind: RolloutPhase
metadata: {name: optimise}
spec: {soak: 52w}
---
kind: CRMRollout
metadata: {name: group}
spec:
  phases: [{name: go-live}, {name: optimise}]
  waves: [{name: pilot, selector: {matchLabels: {stage: pilot}}}, {name: everybody, selector: {}}]
---
{kind: RolloutSite, metadata: {name: lyon, labels: {stage: pilot}}, spec: {region: emea}}
---
{kind: RolloutSite, metadata: {name: osaka}, spec: {region: apac}}
`

// beside are the sites of the same region, which stay as they are.
var beside = []string{"bern", "bonn", "brno", "gent", "graz", "kiel"}

// signed is the world that the gate looks at.
type signed map[string]*fakeprom.Series

// openSigned makes the namespace with the programme in it. Whatever the site that changes is to reach, it has not reached.
func openSigned(t *testing.T, namespace string) signed {
	t.Helper()
	fake, past, world := source(t), time.Now().Add(-time.Hour), signed{}
	manifests := strings.ReplaceAll(language, "$SOURCE", fake.URL())
	for kpi, value := range map[string]float64{"completeness": 0.9, "lead-time": 48, "revenue": 50_000, "invoices-new": 990, "invoices-old": 1000, "adoption": 0.3,
		"seats": 0.5, "training": 0.5, "churn": 0.02, "complaints": 3} {
		world[kpi] = &fakeprom.Series{}
		world[kpi].Set(past, value, "lyon")
		rest := ""
		switch kpi {
		case "lead-time", "churn", "complaints":
			rest = "direction: LowerIsBetter, unit: hours, "
		default:
			rest = "direction: HigherIsBetter, "
		}
		query := kpi
		if kpi == "complaints" {
			query, rest = "sum by (site) (increase(complaints[{{window}}]))", rest+"window: 2s, "
			fake.Handle("sum by (site) (increase(complaints[3s]))", fakeprom.BySite(world[kpi].At))
		}
		fake.Handle(strings.ReplaceAll(query, "{{window}}", "2s"), fakeprom.BySite(world[kpi].At))
		manifests += "\n---\n{kind: KPI, metadata: {name: " + kpi + "}, spec: {provider: {name: warehouse}, " + rest + "interval: 1s, staleAfter: 20s, query: \"" + query + "\"}}"
	}
	world["revenue"].Set(past, 80_000, beside...)
	world["revenue"].Set(past, 10_000, "osaka")
	fake.Handle("revenue", fakeprom.BySite(func(at time.Time) map[string]float64 { return moved(world["revenue"].At(at), at) }))
	for _, site := range beside {
		manifests += "\n---\n{kind: RolloutSite, metadata: {name: " + site + "}, spec: {region: emea}}"
	}
	create(t, namespace, manifests)
	return world
}

// moved moves the control sites a little, each at its own time, so that together they do not move.
func moved(values map[string]float64, at time.Time) map[string]float64 {
	for i, site := range beside {
		turn := 2 * math.Pi * float64(i) / float64(len(beside))
		values[site] *= 1 + 0.002*math.Sin(float64(at.UnixMilli())/1000+turn)
	}
	return values
}

// Everything that a gate can say, once, as the API server stores it: while it is judged, and as the evidence that remains.
func TestTheWholeLanguageOfGates(t *testing.T) {
	t.Parallel()
	const namespace = "language"
	world := openSigned(t, namespace)
	running := manager(t, cluster.ManagerOptions{Name: namespace}, namespace)
	defer describe(t, namespace, "siterollout", "group.lyon")
	lyon := func(what string, wanted func(*v1alpha1.SiteRollout) bool) *v1alpha1.SiteRollout {
		t.Helper()
		return await(t, namespace, "lyon "+what, &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool { return sr.Spec.Site == "lyon" && wanted(sr) })
	}
	judged := lyon("is judged in every respect but the survey, which was before", func(sr *v1alpha1.SiteRollout) bool {
		return sr.Status.Gate != nil && !slices.ContainsFunc(sr.Status.Gate.Criteria, func(c v1alpha1.CriterionReport) bool { return c.Value == "" && c.Name != "survey" })
	})
	t.Run("what is judged", func(t *testing.T) { assertJudged(t, judged.Status.Gate) })
	begun := judged.Status.Phases[0]
	t.Run("what is frozen", func(t *testing.T) { assertFrozen(t, begun) })

	now := time.Now()
	for kpi, value := range map[string]float64{"completeness": 0.98, "lead-time": 42, "revenue": 54_000, "invoices-new": 995, "adoption": 0.65} {
		world[kpi].Set(now, value, "lyon")
	}
	create(t, namespace, `{kind: KPIReading, metadata: {name: after}, spec: {kpi: satisfaction, site: lyon, value: "4.4", samples: 120, observedAt: "`+now.UTC().Format(time.RFC3339)+`"}}`)
	passed := lyon("passes", func(sr *v1alpha1.SiteRollout) bool { return sr.Status.CurrentPhase == "optimise" }).Status.Phases[0]
	if diff := cmp.Diff(begun.Baselines, passed.Baselines); diff != "" {
		t.Errorf("the baselines have changed (-before +after):\n%s", diff)
	}
	t.Run("what remains", func(t *testing.T) { assertEvidence(t, passed) })
	worksOn(t, running)
}

// describe prints what a person sees, for the record.
func describe(t *testing.T, namespace, kind, name string) {
	text, err := control.Kubectl(context.WithoutCancel(t.Context()), "-n", namespace, "describe", kind, name)
	if err != nil {
		t.Error(err)
	}
	t.Logf("$ kubectl describe %s %s\n%s", kind, name, text)
}

// assertJudged expects every criterion in its role, with the verdict that its numbers deserve.
func assertJudged(t *testing.T, gate *v1alpha1.GateReport) {
	type judged struct {
		Name, AnyOf, Reference string
		Importance             v1alpha1.Importance
		Verdict                v1alpha1.Verdict
	}
	const pass, fail = v1alpha1.VerdictPass, v1alpha1.VerdictFail
	want := []judged{
		{Name: "records", Verdict: fail},
		{Name: "faster", Verdict: fail},
		{Name: "worth-it", Verdict: fail},
		{Name: "ledger", Reference: "invoices-old"},
		{Name: "daily-users", AnyOf: "used", Verdict: fail},
		{Name: "seats-taken", AnyOf: "used", Verdict: fail},
		{Name: "survey", Importance: v1alpha1.ImportanceWeighted, Verdict: v1alpha1.VerdictWait},
		{Name: "trained", Importance: v1alpha1.ImportanceWeighted, Verdict: fail},
		{Name: "loyal", Importance: v1alpha1.ImportanceAdvisory, Verdict: fail},
		{Name: "calm", Importance: v1alpha1.ImportanceGuardrail, Verdict: pass},
		{Name: "steady", Importance: v1alpha1.ImportanceGuardrail, Verdict: pass},
	}
	var got []judged
	for _, c := range gate.Criteria {
		now := judged{c.Name, c.AnyOf, c.Reference, c.Importance, c.Verdict}
		if c.Name == "ledger" {
			now.Verdict = "" // it holds, or has held for long enough
		}
		got = append(got, now)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("criteria (-want +got):\n%s", diff)
	}
	if gate.Verdict != fail || gate.Score == nil || *gate.Score != 0 {
		t.Errorf("the verdict is %s with score %v, want Fail with 0", gate.Verdict, gate.Score)
	}
}

// assertFrozen expects the site's own values from before, and those of its control group.
func assertFrozen(t *testing.T, record v1alpha1.PhaseRecord) {
	if len(record.Baselines) != 2 {
		t.Fatalf("the phase began with %+v", record)
	}
	volatile := cmpopts.IgnoreFields(v1alpha1.Baseline{}, "KPIRevision", "WindowEnd", "Controls")
	want := []v1alpha1.Baseline{
		{KPI: "lead-time", Source: "warehouse", SiteID: "lyon", Value: "48"},
		{KPI: "revenue", Source: "warehouse", SiteID: "lyon", Value: "50000", PreTrend: "10s", Earlier: "50000"},
	}
	if diff := cmp.Diff(want, record.Baselines, volatile); diff != "" {
		t.Errorf("baselines (-want +got):\n%s", diff)
	}
	group := record.Baselines[1].Controls
	names := make([]string, 0, len(group))
	for _, c := range group {
		names = append(names, c.Site)
		expected := moved(map[string]float64{c.Site: 80_000}, record.Baselines[1].WindowEnd.Time)[c.Site]
		earlier := moved(map[string]float64{c.Site: 80_000}, record.Baselines[1].WindowEnd.Add(-10*time.Second))[c.Site]
		if value, before := inStatus(t, string(c.Value)), inStatus(t, string(c.Earlier)); math.Abs(value-expected) > 200 || math.Abs(before-earlier) > 200 {
			t.Errorf("%s had %v and %v before that, want %v and %v", c.Site, value, before, expected, earlier)
		}
	}
	slices.Sort(names) // they are asked in an order of their own
	if diff := cmp.Diff(beside, names); diff != "" {
		t.Errorf("control sites (-want +got):\n%s", diff)
	}
	if record.Baselines[1].WindowEnd.After(record.StartedAt.Time) || len(record.Evidence) > 0 {
		t.Errorf("the phase began with %+v", record)
	}
}

// assertEvidence expects the figures behind the pass: of all that passed and decides, and of nothing else.
func assertEvidence(t *testing.T, record v1alpha1.PhaseRecord) {
	want := map[string]v1alpha1.Figures{
		"records":     {Value: "0.98", Threshold: "at least 0.95", Margin: "0.03"},
		"faster":      {Value: "42", Threshold: "at most -10% from the baseline of phase go-live", ComparedWith: "48", Change: "-12.5%", Margin: "2.5%"},
		"ledger":      {Value: "995", Threshold: "between -1% and 1% from invoices-old, with at most 2 exceptions", ComparedWith: "1000", Change: "-0.5%", Margin: "0.5%"},
		"daily-users": {Value: "0.65", Threshold: "at least 0.6", Margin: "0.05"},
		"survey":      {Value: "4.4", Samples: 120, Threshold: "at least 4, of 50 samples or more", Margin: "0.4"},
		"calm":        {Value: "3", Threshold: "at most 5", Margin: "2", Window: "3s"},
		"steady":      {Value: "42", Threshold: "at most 24 from the baseline of phase go-live", ComparedWith: "48", Change: "-6", Margin: "30"},
	}
	got := map[string]v1alpha1.Figures{}
	var order []string
	for _, e := range record.Evidence {
		order = append(order, e.Criterion)
		got[e.Criterion] = e.Figures
		if window, err := e.Window.Parse(); err != nil || !e.SampleTime.Add(-window).After(record.StartedAt.Time) || e.SampleTime.After(record.PassedAt.Time) {
			t.Errorf("%s is evidence from %s over %q (%v); the attempt lasted from %s to %s", e.Criterion, e.SampleTime, e.Window, err, record.StartedAt, record.PassedAt)
		}
		if guardrail := e.Criterion == "calm" || e.Criterion == "steady"; guardrail != (e.MetSince == nil) {
			t.Errorf("%s has been met since %v", e.Criterion, e.MetSince)
		}
	}
	if diff := cmp.Diff([]string{"records", "faster", "worth-it", "ledger", "daily-users", "survey", "calm", "steady"}, order); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	effect := got["worth-it"]
	delete(got, "worth-it")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	low, change, high := inStatus(t, string(effect.Low)), inStatus(t, string(effect.Change)), inStatus(t, string(effect.High))
	if !(5 <= low && low < change && change < high && high < 9) || math.Abs(change-8) > 0.1 || effect.Controls != int32(len(beside)) {
		t.Errorf("the effect is %+v, want 8%% beside %d sites", effect, len(beside))
	}
	if with := inStatus(t, string(effect.ComparedWith)); effect.Value != "54000" || math.Abs(with-50_000) > 50 || effect.Threshold != "at least 5% more than the control group of phase go-live, with 90% confidence" {
		t.Errorf("the effect is %+v, want 54000 compared with 50000", effect)
	}
}

// inStatus reads a number, or a change in percent, out of a status.
func inStatus(t *testing.T, text string) float64 {
	t.Helper()
	f, err := v1alpha1.Decimal(strings.TrimSuffix(text, "%")).Float()
	if err != nil {
		t.Fatal(err)
	}
	return f
}
