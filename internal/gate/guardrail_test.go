package gate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

// complaints is a KPI that must not rise above 5 while a phase runs.
var complaints = gate.KPI{Name: "complaints", Revision: "c1", Interval: 5 * time.Minute, StaleAfter: 15 * time.Minute}

// calm is the guardrail that says so, broken when that lasts for a time.
func calm(t testing.TB, lasts time.Duration) gate.Criterion {
	t.Helper()
	return gate.Criterion{Name: "calm", KPI: complaints, Comparison: gate.AgainstNothing{}, Threshold: atMost(t, "5"), For: lasts, Importance: v1alpha1.ImportanceGuardrail}
}

func TestAGuardrailFailsWhenItWasSeenBrokenForItsTimeAndNotBefore(t *testing.T) {
	ten := 10 * time.Minute
	kept := func(value string, minute int) says {
		return says{pass, v1alpha1.ReasonKept, fmt.Sprintf("guardrail calm: complaints is %s, at most 5 (measured %s)", value, at(minute).Format(time.RFC3339))}
	}
	breaking := func(since int) says {
		return says{wait, v1alpha1.ReasonBreaking, fmt.Sprintf("guardrail calm: complaints is 9, must be at most 5; broken since %s, fails the attempt when that lasts for 10m, until %s",
			at(since).Format(time.RFC3339), at(since+10).Format(time.RFC3339))}
	}
	broken := func(since int) says {
		return says{fail, v1alpha1.ReasonBroken, "guardrail calm: complaints is 9, must be at most 5; broken since " + at(since).Format(time.RFC3339)}
	}
	for name, tc := range map[string]struct {
		lasts  time.Duration
		values []float64
		change func(*world)
		want   says
	}{
		"kept":                                               {ten, []float64{1, 2, 5}, nil, kept("5", 10)},
		"kept again at once after a breach":                  {ten, []float64{9, 9, 9, 5}, nil, kept("5", 15)},
		"broken for the first time":                          {ten, []float64{1, 9}, nil, breaking(5)},
		"broken, not for long enough":                        {ten, []float64{9, 9}, nil, breaking(0)},
		"broken for exactly its time":                        {ten, []float64{9, 9, 9}, nil, broken(0)},
		"a good value in between starts the clock":           {ten, []float64{9, 9, 1, 9, 9}, nil, breaking(15)},
		"without a time one bad value is enough":             {0, []float64{1, 9}, nil, broken(5)},
		"time that passes without a value does not break it": {ten, []float64{9, 9}, func(w *world) { w.now = at(19) }, breaking(0)},
		"a gap longer than staleAfter starts the clock": {ten, []float64{9, 9, 9}, func(w *world) {
			e := latest(samples(0, 9))
			e.Samples = append(e.Samples, samples(16, 9, 9)...)
			w.evidence["complaints"], w.now = e, at(22)
		}, breaking(16)},
		"a breach before the attempt does not count": {ten, []float64{9, 9, 9, 9}, func(w *world) { w.notBefore = at(9) }, breaking(10)},
		"no value of the attempt yet": {ten, []float64{9, 9, 9}, func(w *world) { w.notBefore = at(10) }, says{wait, v1alpha1.ReasonEvidenceTooEarly,
			"complaints has no value from within this attempt yet; the first one that counts ends after 2026-03-02T08:10:00Z"}},
		"never measured": {ten, []float64{1}, func(w *world) { delete(w.evidence, "complaints") }, says{wait, v1alpha1.ReasonSampleMissing, "complaints has not been measured yet"}},
		"a source that fails while it is broken": {ten, []float64{9, 9, 9}, func(w *world) {
			w.evidence["complaints"] = then(w.evidence["complaints"], gate.OutcomeFailed, 11, "down")
		},
			says{wait, v1alpha1.ReasonSourceFailed, "complaints could not be measured at 2026-03-02T08:11:00Z: down"}},
		"a site that vanished while it is broken": {ten, []float64{9, 9, 9}, func(w *world) { w.evidence["complaints"] = then(w.evidence["complaints"], gate.OutcomeMissing, 11, "") },
			says{wait, v1alpha1.ReasonSampleMissing, "complaints had no value for this site at 2026-03-02T08:11:00Z"}},
		"NaN": {ten, []float64{9, 9, 9}, func(w *world) {
			w.evidence["complaints"] = then(w.evidence["complaints"], gate.OutcomeNotANumber, 11, "")
		},
			says{wait, v1alpha1.ReasonNotANumber, "complaints was not a finite number at 2026-03-02T08:11:00Z"}},
		"a breach that is stale": {ten, []float64{9, 9, 9}, func(w *world) { w.now = at(26) }, says{wait, v1alpha1.ReasonStale,
			"the latest value of complaints is from 2026-03-02T08:10:00Z, older than 15m"}},
	} {
		t.Run(name, func(t *testing.T) {
			all := samples(0, tc.values...)
			w := world{evidence: map[string]gate.Evidence{"complaints": latest(all)}, now: all[len(all)-1].Time.Add(time.Minute)}
			if tc.change != nil {
				tc.change(&w)
			}
			judged := w.judge(calm(t, tc.lasts))
			check(t, tc.want, judged.Criteria[0])
			if broken := len(judged.Broken()) == 1; broken != (tc.want.verdict == fail) || judged.Verdict != tc.want.verdict {
				t.Errorf("broken %t, gate %s", broken, judged.Verdict)
			}
			if unkept := len(judged.Unkept()) == 1; unkept != (tc.want.verdict != pass) {
				t.Errorf("unkept %t", unkept)
			}
		})
	}
}

func TestWhatCannotBeComparedDoesNotBreakAGuardrail(t *testing.T) {
	few := calm(t, 10*time.Minute)
	few.MinSamples = 10
	all := samples(0, 9, 9, 9, 9)
	for i := range all {
		all[i].Samples = 10
	}
	all[3].Samples = 1
	w := world{evidence: map[string]gate.Evidence{"complaints": latest(all)}, now: at(16)}
	got := w.judge(few).Criteria[0]
	if got.Verdict != wait || got.Reason != v1alpha1.ReasonTooFewSamples || !got.Hold.Since.IsZero() {
		t.Errorf("%s %s, broken since %v", got.Verdict, got.Reason, got.Hold.Since)
	}
	all[3].Samples = 10
	if got := w.judge(few).Criteria[0]; got.Reason != v1alpha1.ReasonBroken {
		t.Errorf("with enough samples: %s", got.Message)
	}
	inconclusive, _ := market(0, 0.06)
	g := effective(atLeastChange(t, "5%"))
	g.Importance = v1alpha1.ImportanceGuardrail
	if got := inconclusive.judge(g).Criteria[0]; got.Verdict != wait || got.Reason != v1alpha1.ReasonInconclusive || !got.Hold.Since.IsZero() {
		t.Errorf("%s %s, broken since %v", got.Verdict, got.Reason, got.Hold.Since)
	}
}

func TestAGuardrailBlocksAGateThatWouldPass(t *testing.T) {
	for name, tc := range map[string]struct {
		evidence map[string]gate.Evidence
		want     v1alpha1.Verdict
	}{
		"kept":           {map[string]gate.Evidence{"adoption": measured(90), "complaints": measured(1)}, pass},
		"broken":         {map[string]gate.Evidence{"adoption": measured(90), "complaints": measured(9)}, fail},
		"not measured":   {map[string]gate.Evidence{"adoption": measured(90)}, wait},
		"kept, but":      {map[string]gate.Evidence{"adoption": measured(10), "complaints": measured(1)}, fail},
		"kept, and wait": {map[string]gate.Evidence{"complaints": measured(1)}, wait},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{evidence: tc.evidence, now: at(1)}
			if got := w.judge(required("used", adoption, atLeast(t, "80"), 0), calm(t, 0)); got.Verdict != tc.want {
				t.Errorf("%s, want %s: %v", got.Verdict, tc.want, got.Because())
			}
		})
	}
}

func TestABreachIsResumedAfterARestart(t *testing.T) {
	g := gate.Gate{Name: "g", Criteria: []gate.Criterion{calm(t, time.Hour)}}
	before := world{evidence: map[string]gate.Evidence{"complaints": latest(samples(0, 9, 9, 9))}, now: at(11)}
	judged := gate.Judge(gate.Question{Gate: g, Facts: before.facts()})
	report := judged.Report(g, v1alpha1.GateRoleExit)
	if r := report.Criteria[0]; r.BrokenSince == nil || r.MetSince != nil || r.Importance != v1alpha1.ImportanceGuardrail || !r.BrokenSince.Equal(stamp(at(0))) {
		t.Errorf("report %+v", r)
	}
	none := map[string]gate.Hold{"calm": {Of: judged.Criteria[0].Hold.Of, SeenThrough: at(10)}} // looked at, and no run
	for name, tc := range map[string]struct {
		edit     func(*v1alpha1.CriterionReport)
		measured gate.Measured
		want     map[string]gate.Hold
	}{
		"as it was": {nil, gate.Measured{Last: at(10)},
			map[string]gate.Hold{"calm": {Of: judged.Criteria[0].Hold.Of, Since: at(0), SeenThrough: at(10), Recorded: true}}},
		"the breach was seen up to staleAfter before the last measurement": {nil, gate.Measured{Since: at(0), Last: at(60)},
			map[string]gate.Hold{"calm": {Of: judged.Criteria[0].Hold.Of, Since: at(0), SeenThrough: at(45).Add(-time.Second), Recorded: true}}},
		"a run of good values is no breach":     {func(r *v1alpha1.CriterionReport) { r.MetSince, r.BrokenSince = r.BrokenSince, nil }, gate.Measured{}, none},
		"a criterion became a guardrail":        {func(r *v1alpha1.CriterionReport) { r.Importance = "" }, gate.Measured{}, map[string]gate.Hold{}},
		"a breach of another KPI revision":      {func(r *v1alpha1.CriterionReport) { r.KPIRevision = "c0" }, gate.Measured{}, map[string]gate.Hold{}},
		"a breach of another threshold":         {func(r *v1alpha1.CriterionReport) { r.Threshold = "at most 2" }, gate.Measured{}, map[string]gate.Hold{}},
		"kept when the status was written last": {func(r *v1alpha1.CriterionReport) { r.BrokenSince = nil }, gate.Measured{}, none},
	} {
		t.Run(name, func(t *testing.T) {
			edited := report.DeepCopy()
			if tc.edit != nil {
				tc.edit(&edited.Criteria[0])
			}
			got := gate.Resume(edited, g, func(gate.KPI) gate.Measured { return tc.measured })
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("holds (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheEvidenceOfAGuardrailIsItsLatestValueOnly(t *testing.T) {
	w := world{evidence: map[string]gate.Evidence{"complaints": latest(samples(0, 1, 2, 3))}, now: at(11)}
	got := w.judge(calm(t, time.Hour)).Evidence()
	if len(got) != 1 || got[0].Value != "3" || got[0].MetSince != nil || !got[0].SampleTime.Time.Equal(at(10)) || got[0].Margin != "2" {
		t.Errorf("evidence %+v", got)
	}
}
