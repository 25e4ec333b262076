package gate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

func stamp(t time.Time) *metav1.Time {
	s := metav1.NewTime(t)
	return &s
}

// threeGate has a criterion that passes, one that waits for its hold and one that is not measured.
func threeGate(t testing.TB) (gate.Gate, gate.Judgement) {
	t.Helper()
	silent := gate.KPI{Name: "silent", Revision: "r9", Interval: time.Minute, StaleAfter: time.Minute}
	g := gate.Gate{Name: "ready", Generation: 4, Criteria: []gate.Criterion{
		required("used", adoption, atLeast(t, "80"), 0),
		required("kept", adoption, atLeast(t, "80"), time.Hour),
		required("heard", silent, atLeast(t, "1"), 0),
	}}
	evidence := map[string]gate.Evidence{"adoption": measured(10, 90, 91.5)}
	return g, gate.Judge(gate.Question{Gate: g, Facts: gate.Facts{Now: at(11), Evidence: func(kpi gate.KPI) gate.Evidence { return evidence[kpi.Name] }}})
}

func TestAReportWritesEveryCriterionDown(t *testing.T) {
	g, judged := threeGate(t)
	want := &v1alpha1.GateReport{Name: "ready", Role: v1alpha1.GateRoleExit, Generation: 4, Verdict: v1alpha1.VerdictWait, Criteria: []v1alpha1.CriterionReport{
		{Name: "used", KPI: "adoption", KPIRevision: "r3", Verdict: v1alpha1.VerdictPass, Reason: v1alpha1.ReasonMet,
			Message: "adoption is 91.5 %, at least 80 since 2026-03-02T08:05:00Z", Figures: v1alpha1.Figures{Value: "91.5", Threshold: "at least 80", Margin: "11.5"}, SampleTime: stamp(at(10)), MetSince: stamp(at(5))},
		{Name: "kept", KPI: "adoption", KPIRevision: "r3", Verdict: v1alpha1.VerdictWait, Reason: v1alpha1.ReasonHolding,
			Message: "adoption is 91.5 %, at least 80 since 2026-03-02T08:05:00Z; passes when that has held for 1h, not before 2026-03-02T09:05:00Z",
			Figures: v1alpha1.Figures{Value: "91.5", Threshold: "at least 80", Margin: "11.5"}, SampleTime: stamp(at(10)), MetSince: stamp(at(5))},
		{Name: "heard", KPI: "silent", KPIRevision: "r9", Verdict: v1alpha1.VerdictWait, Reason: v1alpha1.ReasonSampleMissing,
			Message: "silent has not been measured yet", Figures: v1alpha1.Figures{Threshold: "at least 1"}},
	}}
	if diff := cmp.Diff(want, judged.Report(g, v1alpha1.GateRoleExit)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestEvidenceIsWhatPassedAndNothingElse(t *testing.T) {
	_, judged := threeGate(t)
	want := []v1alpha1.Evidence{{Criterion: "used", KPI: "adoption", Figures: v1alpha1.Figures{Value: "91.5", Threshold: "at least 80", Margin: "11.5"},
		SampleTime: metav1.NewTime(at(10)), MetSince: stamp(at(5))}}
	if diff := cmp.Diff(want, judged.Evidence()); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
}

func TestALongErrorIsClippedInAReport(t *testing.T) {
	g := gate.Gate{Criteria: []gate.Criterion{required("c", adoption, atLeast(t, "80"), 0)}}
	judged := gate.Judge(gate.Question{Gate: g, Facts: facts(gate.Evidence{Latest: gate.OutcomeFailed, LatestAt: monday, Detail: strings.Repeat("ä", 5000)}, time.Time{}, at(1))})
	message := judged.Report(g, v1alpha1.GateRoleExit).Criteria[0].Message
	if len(message) > v1alpha1.MaxMessage || !strings.HasSuffix(message, "ä...") {
		t.Errorf("message has %d bytes and ends with %q", len(message), message[len(message)-6:])
	}
}

func TestAHoldIsResumedOnlyForTheSameCriterionOfTheSameGateAndKPI(t *testing.T) {
	criterion := required("kept", adoption, atLeast(t, "80"), time.Hour)
	g := gate.Gate{Name: "ready", Generation: 4, Criteria: []gate.Criterion{criterion}}
	for name, tc := range map[string]struct {
		edit            func(*v1alpha1.GateReport)
		since, measured time.Time
		want            map[string]gate.Hold
	}{
		"the same, measured no more since":             {measured: at(10), want: map[string]gate.Hold{"kept": {Of: proof, Since: at(0), SeenThrough: at(10), Recorded: true}}},
		"the run is trusted up to staleAfter before":   {measured: at(60), want: map[string]gate.Hold{"kept": {Of: proof, Since: at(0), SeenThrough: at(45).Add(-time.Second), Recorded: true}}},
		"a gap since then broke the run":               {since: at(11), measured: at(60), want: map[string]gate.Hold{"kept": {Of: proof, Since: at(0), SeenThrough: at(10), Recorded: true}}},
		"measured without a gap since that very value": {since: at(10), measured: at(60), want: map[string]gate.Hold{"kept": {Of: proof, Since: at(0), SeenThrough: at(45).Add(-time.Second), Recorded: true}}},
		"not known when measured":                      {want: map[string]gate.Hold{"kept": {Of: proof, Since: at(0), SeenThrough: at(10), Recorded: true}}},
		"a criterion that passed is trusted too":       {edit: reason(v1alpha1.ReasonMet), measured: at(60), want: map[string]gate.Hold{"kept": {Of: proof, Since: at(0), SeenThrough: at(45).Add(-time.Second), Recorded: true}}},
		"a silent one is trusted only as far as seen":  {edit: reason(v1alpha1.ReasonSampleMissing), measured: at(60), want: map[string]gate.Hold{"kept": {Of: proof, Since: at(0), SeenThrough: at(10), Recorded: true}}},
		"a failed one is trusted only as far as seen":  {edit: reason(v1alpha1.ReasonSourceFailed), measured: at(60), want: map[string]gate.Hold{"kept": {Of: proof, Since: at(0), SeenThrough: at(10), Recorded: true}}},
		"a stale one is trusted only as far as seen":   {edit: reason(v1alpha1.ReasonStale), measured: at(60), want: map[string]gate.Hold{"kept": {Of: proof, Since: at(0), SeenThrough: at(10), Recorded: true}}},
		"no run was recorded":                          {edit: func(r *v1alpha1.GateReport) { r.Criteria[0].MetSince = nil }, measured: at(60), want: map[string]gate.Hold{"kept": {Of: proof, SeenThrough: at(10)}}},
		"no value was recorded":                        {edit: func(r *v1alpha1.GateReport) { r.Criteria[0].SampleTime = nil }, measured: at(10), want: map[string]gate.Hold{}},
		"the criterion was renamed":                    {edit: func(r *v1alpha1.GateReport) { r.Criteria[0].Name = "other" }, measured: at(10), want: map[string]gate.Hold{}},
		"the criterion judges another KPI":             {edit: func(r *v1alpha1.GateReport) { r.Criteria[0].KPI = "other" }, measured: at(10), want: map[string]gate.Hold{}},
		"the KPI was changed":                          {edit: func(r *v1alpha1.GateReport) { r.Criteria[0].KPIRevision = "r2" }, measured: at(10), want: map[string]gate.Hold{}},
		"the threshold was changed":                    {edit: func(r *v1alpha1.GateReport) { r.Criteria[0].Threshold = "at least 60" }, measured: at(10), want: map[string]gate.Hold{}},
		"the gate was changed elsewhere":               {edit: func(r *v1alpha1.GateReport) { r.Generation = 3 }, measured: at(10), want: map[string]gate.Hold{"kept": {Of: proof, Since: at(0), SeenThrough: at(10), Recorded: true}}},
		"it is another gate":                           {edit: func(r *v1alpha1.GateReport) { r.Name = "other" }, measured: at(10)},
	} {
		t.Run(name, func(t *testing.T) {
			report := &v1alpha1.GateReport{Name: "ready", Generation: 4, Criteria: []v1alpha1.CriterionReport{{
				Name: "kept", KPI: "adoption", KPIRevision: "r3", Figures: v1alpha1.Figures{Threshold: "at least 80"}, Reason: v1alpha1.ReasonHolding, MetSince: stamp(at(0)), SampleTime: stamp(at(10))}}}
			if tc.edit != nil {
				tc.edit(report)
			}
			got := gate.Resume(report, g, func(gate.KPI) gate.Measured { return gate.Measured{Since: tc.since, Last: tc.measured} })
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("holds (-want +got):\n%s", diff)
			}
		})
	}
	if got := gate.Resume(nil, g, nil); got != nil {
		t.Errorf("without a report: %v", got)
	}
}

func reason(r string) func(*v1alpha1.GateReport) {
	return func(report *v1alpha1.GateReport) { report.Criteria[0].Reason = r }
}
