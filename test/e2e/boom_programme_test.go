package e2e

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// asked is the programme of a market: one site goes live with the CRM, all others wait. What its exit gate asks is "5 % more revenue"; $AGAINST says than what. It asks
// for longer than a window, so that what passes is no value from while the market moved. The next phase takes as long as nobody waits, so that the other sites stay as they are.
const asked = `
kind: MetricProvider
metadata: {name: warehouse}
spec: {prometheus: {address: "$SOURCE", timeout: 5s}}
---
kind: KPI
metadata: {name: revenue-per-rep}
spec:
  provider: {name: warehouse}
  query: avg by (site) (avg_over_time(crm_revenue_per_rep[{{window}}]))
  unit: EUR
  direction: HigherIsBetter
  category: Financial
  interval: 1s
  window: 2s
  staleAfter: 20s
---
kind: AcceptanceGate
metadata: {name: worth-it}
spec: {criteria: [{name: revenue-up, kpi: revenue-per-rep, against: $AGAINST, atLeast: "5%", for: 3s}]}
---
kind: RolloutPhase
metadata: {name: go-live}
spec:
  baselines: [{kpi: revenue-per-rep, window: 3s, controls: {sameLabels: [rollout.crmops.dev/region], preTrend: 3s}}]
  exitGate: {name: worth-it}
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
`

// What the gate compares with.
const (
	withBaseline = "{baseline: {}}"
	withControls = "{control: {minSites: 8}}"
)

// ask makes a namespace with the programme in it.
func ask(t *testing.T, m *market, namespace, against string) {
	t.Helper()
	manifests := []string{strings.NewReplacer("$SOURCE", m.server.URL(), "$AGAINST", against).Replace(asked)}
	for _, site := range controls {
		manifests = append(manifests, fmt.Sprintf("{kind: RolloutSite, metadata: {name: %s}, spec: {region: emea}}", site))
	}
	for _, site := range others {
		manifests = append(manifests, fmt.Sprintf("{kind: RolloutSite, metadata: {name: %s}, spec: {region: apac}}", site))
	}
	manifests = append(manifests, fmt.Sprintf("{kind: RolloutSite, metadata: {name: %s, labels: {stage: pilot}}, spec: {region: emea}}", treated))
	create(t, namespace, strings.Join(manifests, "\n---\n"))
}

// awaitSite waits until the story of a site is as wanted.
func awaitSite(t *testing.T, namespace, site, what string, wanted func(*v1alpha1.SiteRollout) bool) *v1alpha1.SiteRollout {
	t.Helper()
	last := &v1alpha1.SiteRollout{}
	done := false
	t.Cleanup(func() {
		if !done {
			t.Logf("%s/%s was last %s in phase %q (%s): %s", namespace, site, last.Status.State, last.Status.CurrentPhase, last.Status.Reason, last.Status.Message)
		}
	})
	found := await(t, namespace, site+" "+what, &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		if sr.Spec.Site != site {
			return false
		}
		last = sr
		return wanted(sr)
	})
	done = true
	return found
}

// begun waits until a site has begun to go live, and returns the baseline that was frozen then.
func begun(t *testing.T, namespace, site string) v1alpha1.Baseline {
	t.Helper()
	sr := awaitSite(t, namespace, site, "goes live", func(sr *v1alpha1.SiteRollout) bool { return goLive(sr) != nil })
	record := goLive(sr)
	if len(record.Baselines) != 1 || record.PassedAt != nil {
		t.Fatalf("%s/%s began with %+v, want one baseline and no pass", namespace, site, record)
	}
	return record.Baselines[0]
}

func goLive(sr *v1alpha1.SiteRollout) *v1alpha1.PhaseRecord {
	return find(sr.Status.Phases, func(r v1alpha1.PhaseRecord) bool { return r.Name == "go-live" })
}

// find returns the first element that is as wanted; nil when none is.
func find[T any](all []T, wanted func(T) bool) *T {
	if i := slices.IndexFunc(all, wanted); i >= 0 {
		return &all[i]
	}
	return nil
}

// assertBaseline expects a baseline of what Prometheus has for that time, with all control sites and no other.
func assertBaseline(t *testing.T, m *market, taken v1alpha1.Baseline, group []string) {
	t.Helper()
	if taken.KPI != "revenue-per-rep" || taken.Source != "warehouse" || taken.SiteID != treated || taken.Window != "3s" || taken.PreTrend != "3s" {
		t.Errorf("the baseline is %+v", taken)
	}
	then, earlier := m.values(t, baselineQuery, taken.WindowEnd.Time), m.values(t, baselineQuery, taken.WindowEnd.Add(-3*time.Second))
	near(t, "the baseline of "+treated, decimal(t, taken.Value), then[treated], 0.003)
	near(t, "the earlier value of "+treated, decimal(t, taken.Earlier), earlier[treated], 0.003)
	names := make([]string, 0, len(taken.Controls))
	for _, c := range taken.Controls {
		names = append(names, c.Site)
		near(t, "the baseline of "+c.Site, decimal(t, c.Value), then[c.Site], 0.003)
		near(t, "the earlier value of "+c.Site, decimal(t, c.Earlier), earlier[c.Site], 0.003)
	}
	slices.Sort(names)
	if diff := cmp.Diff(group, names); diff != "" {
		t.Errorf("control sites (-want +got):\n%s", diff)
	}
}

// decimal reads a number out of a status.
func decimal(t *testing.T, d v1alpha1.Decimal) float64 {
	t.Helper()
	f, err := d.Float()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// percent reads a change in percent out of a status, as a fraction.
func percent(t *testing.T, change v1alpha1.Threshold) float64 {
	t.Helper()
	f, isPercent, err := change.Float()
	if err != nil || !isPercent {
		t.Fatalf("%q is no change in percent: %v", change, err)
	}
	return f
}

// near expects a number within a share of what it should be. A scrape that reached Prometheus just after the operator asked makes a difference of less than the noise.
func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if !(math.Abs(got/want-1) <= share) {
		t.Errorf("%s is %v, want %v within %v%%", what, got, want, share*100)
	}
}

// assertPassed expects that a site passed its gate on evidence from within its attempt and goes on to the next phase. It returns the evidence.
func assertPassed(t *testing.T, sr *v1alpha1.SiteRollout, taken v1alpha1.Baseline) v1alpha1.Evidence {
	t.Helper()
	record := goLive(sr)
	if diff := cmp.Diff([]v1alpha1.Baseline{taken}, record.Baselines); diff != "" {
		t.Errorf("the baseline has changed (-before +after):\n%s", diff)
	}
	if sr.Status.CurrentPhase != "optimise" || record.Attempt != 1 || len(record.Evidence) != 1 {
		t.Fatalf("the site is in phase %q after %+v", sr.Status.CurrentPhase, record)
	}
	passing := find(sr.Status.Transitions, func(s v1alpha1.Transition) bool { return s.Reason == v1alpha1.ReasonPhasePassed })
	if passing == nil || passing.Phase != "go-live" || passing.Attempt != 1 || passing.Message != "phase go-live passed exit gate worth-it" {
		t.Errorf("the transition is %+v", passing)
	}
	e := record.Evidence[0]
	if e.Criterion != "revenue-up" || e.KPI != "revenue-per-rep" || e.Window != "2s" || e.MetSince == nil || e.SampleTime.Sub(e.MetSince.Time) < 3*time.Second {
		t.Errorf("the evidence is %+v", e)
	}
	if start := e.SampleTime.Add(-2 * time.Second); !start.After(record.StartedAt.Time) || start.Before(taken.WindowEnd.Time) {
		t.Errorf("the window of the evidence begins at %s; the attempt began at %s and the baseline ends at %s", start, record.StartedAt, taken.WindowEnd)
	}
	if e.SampleTime.After(record.PassedAt.Time) {
		t.Errorf("passed at %s on a value of %s", record.PassedAt, e.SampleTime)
	}
	near(t, "1 + the margin over 5 %", 1+percent(t, e.Margin), 1+percent(t, e.Change)-0.05, 1e-5)
	return e
}

// assertHeld expects that the same site is held, and that its story knows of no pass.
func assertHeld(t *testing.T, sr *v1alpha1.SiteRollout, taken v1alpha1.Baseline) v1alpha1.CriterionReport {
	t.Helper()
	record := goLive(sr)
	if diff := cmp.Diff([]v1alpha1.Baseline{taken}, record.Baselines); diff != "" {
		t.Errorf("the baseline has changed (-before +after):\n%s", diff)
	}
	if sr.Status.State != v1alpha1.SiteHeld || sr.Status.Reason != v1alpha1.ReasonExitGateFailed || sr.Status.CurrentPhase != "go-live" || len(record.Evidence) > 0 {
		t.Errorf("the site is %s (%s) in phase %q, with evidence %+v", sr.Status.State, sr.Status.Reason, sr.Status.CurrentPhase, record.Evidence)
	}
	if everPassed(sr) {
		t.Errorf("the site has passed: %+v", sr.Status.Transitions)
	}
	gate := sr.Status.Gate
	if gate == nil || gate.Name != "worth-it" || gate.Role != v1alpha1.GateRoleExit || gate.Verdict != v1alpha1.VerdictFail || len(gate.Criteria) != 1 {
		t.Fatalf("the gate is %+v", gate)
	}
	c := gate.Criteria[0]
	if c.Verdict != v1alpha1.VerdictFail || c.Reason != v1alpha1.ReasonNotMet || !strings.Contains(sr.Status.Message, c.Message) {
		t.Errorf("the criterion is %s (%s), %q; the site says %q", c.Verdict, c.Reason, c.Message, sr.Status.Message)
	}
	return c
}

func everPassed(sr *v1alpha1.SiteRollout) bool {
	return goLive(sr).PassedAt != nil || slices.ContainsFunc(sr.Status.Transitions, func(s v1alpha1.Transition) bool { return s.Reason == v1alpha1.ReasonPhasePassed })
}

// awaitHeld watches a site until it was judged on windows that began after a moment, several times, and fails when it passes meanwhile.
func awaitHeld(t *testing.T, namespace string, since time.Time) *v1alpha1.SiteRollout {
	t.Helper()
	looked := map[time.Time]bool{}
	return awaitSite(t, namespace, treated, fmt.Sprintf("is judged on what was after %s", since), func(sr *v1alpha1.SiteRollout) bool {
		if everPassed(sr) {
			t.Fatalf("%s/%s has passed: %+v", namespace, treated, goLive(sr))
		}
		gate := sr.Status.Gate
		if gate != nil && len(gate.Criteria) == 1 && gate.Criteria[0].SampleTime.Add(-2*time.Second).After(since) {
			looked[gate.Criteria[0].SampleTime.Time] = true
		}
		return len(looked) >= 4
	})
}

// show prints what a person sees, for the record.
func show(t *testing.T, namespace, site, from, to string) {
	t.Helper()
	for _, args := range [][]string{{"get", "siterollout", "group." + site, "-o", "wide"}, {"describe", "siterollout", "group." + site}} {
		text, err := control.Kubectl(t.Context(), append([]string{"-n", namespace}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		if args[0] == "describe" {
			_, text, _ = strings.Cut(text, "\n  "+from+":")
			text, _, _ = strings.Cut("  "+from+":"+text, "\n  "+to+":")
		}
		t.Logf("$ kubectl -n %s %s\n%s", namespace, strings.Join(args, " "), text)
	}
}

// relabel gives a site another label, as a person would.
func relabel(t *testing.T, namespace, site, key, value string) {
	t.Helper()
	old := get(t, namespace, site, &v1alpha1.RolloutSite{})
	changed := old.DeepCopy()
	if changed.Labels == nil {
		changed.Labels = map[string]string{}
	}
	changed.Labels[key] = value
	if err := api.Patch(t.Context(), changed, client.MergeFrom(old)); err != nil {
		t.Fatal(err)
	}
}
