package gate_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

// improved asks for a change of lead-time from the baseline of phase prepare.
func improved(threshold gate.Threshold) gate.Criterion {
	return gate.Criterion{Name: "faster", KPI: leadTime, Comparison: gate.AgainstBaseline{Phase: "prepare", Revision: "b1"}, Threshold: threshold, Importance: v1alpha1.ImportanceRequired}
}

func TestAChangeIsComparedWithTheSitesOwnPast(t *testing.T) {
	for name, tc := range map[string]struct {
		threshold func(testing.TB, v1alpha1.Threshold) gate.Threshold
		asked     v1alpha1.Threshold
		baseline  v1alpha1.Decimal
		value     float64
		want      says
	}{
		"a fall of exactly the percentage is enough": {atMost, "-10%", "48", 43.2,
			says{pass, v1alpha1.ReasonMet, "lead-time is 43.2 h, -10% from its baseline of 48 h, at most -10% since 2026-03-02T08:05:00Z"}},
		"a fall of less is not": {atMost, "-10%", "48", 43.3,
			says{fail, v1alpha1.ReasonNotMet, "lead-time is 43.3 h, -9.7917% from its baseline of 48 h, must be at most -10% (measured 2026-03-02T08:05:00Z)"}},
		"a fall that rounding would call enough is told exactly": {atMost, "-10%", "48", 43.20000001,
			says{fail, v1alpha1.ReasonNotMet, "lead-time is 43.2 h, -9.99999997917% from its baseline of 48 h, must be at most -10% (measured 2026-03-02T08:05:00Z)"}},
		"a rise carries its sign": {atLeastChange, "5%", "40", 43,
			says{pass, v1alpha1.ReasonMet, "lead-time is 43 h, +7.5% from its baseline of 40 h, at least 5% since 2026-03-02T08:05:00Z"}},
		"a change can be asked for in the unit of the KPI": {atMost, "-4.8", "48", 43.2,
			says{pass, v1alpha1.ReasonMet, "lead-time is 43.2 h, -4.8 h from its baseline of 48 h, at most -4.8 since 2026-03-02T08:05:00Z"}},
		"a percentage of a negative baseline keeps its direction": {atLeastChange, "50%", "-10", -5,
			says{pass, v1alpha1.ReasonMet, "lead-time is -5 h, +50% from its baseline of -10 h, at least 50% since 2026-03-02T08:05:00Z"}},
		"a percentage of zero says nothing": {atMost, "-10%", "0", 43.2,
			says{wait, v1alpha1.ReasonIncomparable, "lead-time cannot be compared in percent with zero; use a threshold without a percent sign"}},
		"a difference from zero says what it says": {atMost, "5", "0", 4,
			says{pass, v1alpha1.ReasonMet, "lead-time is 4 h, +4 h from its baseline of 0 h, at most 5 since 2026-03-02T08:05:00Z"}},
		"no change is no fall": {atMost, "-0.000001", "48", 48,
			says{fail, v1alpha1.ReasonNotMet, "lead-time is 48 h, 0 h from its baseline of 48 h, must be at most -0.000001 (measured 2026-03-02T08:05:00Z)"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{evidence: map[string]gate.Evidence{"lead-time": latest(samples(5, tc.value))}, now: at(6),
				baselines: map[string]*v1alpha1.Baseline{"prepare/lead-time": taken(tc.baseline)}}
			check(t, tc.want, w.judge(improved(tc.threshold(t, tc.asked))).Criteria[0])
		})
	}
}

func TestADecimalChangeIsWhatPeopleCalculateNotWhatBinaryFractionsLeave(t *testing.T) {
	for _, tc := range []struct {
		baseline v1alpha1.Decimal
		value    float64
		exactly  v1alpha1.Threshold
	}{
		{"48", 43.2, "-10%"}, {"0.9", 0.95, "0.05"}, {"0.3", 0.1, "-0.2"}, {"1.1", 1.21, "10%"}, {"3", 3.3, "10%"}, {"0.7", 0.1, "-0.6"}, {"100", 93, "-7%"}, {"0.001", 0.00107, "7%"},
		{"1e15", 3e15, "2000000000000000"}, {"3e20", 1e20, "-200000000000000000000"}, {"7e15", 9.1e15, "30%"}, {"0.0000003", 0.0000001, "-0.0000002"}, {"-0.3", -0.1, "0.2"}, {"12345678.9", 12345679, "0.1"},
		{"5e29", 8e29, "300000000000000000000000000000"}, {"3", 3, "0%"}, {"6e13", 7e13, "10000000000000"},
	} {
		t.Run(fmt.Sprintf("from %s to %v", tc.baseline, tc.value), func(t *testing.T) {
			w := world{evidence: map[string]gate.Evidence{"lead-time": latest(samples(5, tc.value))}, now: at(6),
				baselines: map[string]*v1alpha1.Baseline{"prepare/lead-time": taken(tc.baseline)}}
			got := w.judge(improved(betweenChanges(t, tc.exactly, tc.exactly))).Criteria[0]
			if got.Verdict != pass {
				t.Errorf("it is not exactly %s: %s (%v)", tc.exactly, got.Message, got.Compared.Number)
			}
		})
	}
}

func TestWithoutABaselineThatCountsNothingIsCompared(t *testing.T) {
	hour := leadTime
	hour.Window = time.Hour
	for name, tc := range map[string]struct {
		kpi      gate.KPI
		baseline func(*v1alpha1.Baseline)
		minute   int
		want     says
	}{
		"none": {leadTime, nil, 5, says{wait, v1alpha1.ReasonNoBaseline,
			"there is no baseline of lead-time: phase prepare did not declare it when the site began that phase"}},
		"one of another revision": {leadTime, func(b *v1alpha1.Baseline) { b.KPIRevision = "b0" }, 5, says{wait, v1alpha1.ReasonNoBaseline,
			"the baseline of lead-time from 2026-03-02T08:00:00Z is of no use: the KPI measures something else now"}},
		"one under another siteID": {leadTime, func(b *v1alpha1.Baseline) { b.SiteID = "DE-9" }, 5, says{wait, v1alpha1.ReasonNoBaseline,
			`the baseline of lead-time from 2026-03-02T08:00:00Z was measured under siteID "DE-9", which is not the site's any more`}},
		"one that is no number": {leadTime, func(b *v1alpha1.Baseline) { b.Value = "NaN" }, 5, says{wait, v1alpha1.ReasonNoBaseline,
			`the baseline of lead-time cannot be read: "NaN" is not a decimal number`}},
		"one of too few samples": {leadTime, func(b *v1alpha1.Baseline) { b.Samples = 9 }, 5, says{wait, v1alpha1.ReasonTooFewSamples,
			"the baseline: lead-time has 9 samples behind it, must have at least 10 (measured 2026-03-02T08:00:00Z)"}},
		"a value whose window reaches back before its end": {hour, func(*v1alpha1.Baseline) {}, 55, says{wait, v1alpha1.ReasonSampleMissing,
			"lead-time has no value yet that can be compared"}},
		"a value whose window begins at its end counts": {hour, func(*v1alpha1.Baseline) {}, 60, says{pass, v1alpha1.ReasonMet,
			"lead-time is 40 h, -16.6667% from its baseline of 48 h, at most -10% since 2026-03-02T09:00:00Z"}},
		"a value from before it": {leadTime, func(*v1alpha1.Baseline) {}, -5, says{wait, v1alpha1.ReasonSampleMissing, "lead-time has no value yet that can be compared"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{now: at(tc.minute + 1), baselines: map[string]*v1alpha1.Baseline{}}
			w.evidence = map[string]gate.Evidence{"lead-time": latest([]gate.Sample{{Value: 40, Time: at(tc.minute), Samples: 10}})}
			if tc.baseline != nil {
				b := taken("48")
				b.Samples = 10
				tc.baseline(b)
				w.baselines["prepare/lead-time"] = b
			}
			c := improved(atMost(t, "-10%"))
			c.KPI, c.MinSamples = tc.kpi, 10
			got := w.judge(c)
			check(t, tc.want, got.Criteria[0])
			if got.Verdict != tc.want.verdict {
				t.Errorf("the gate says %s", got.Verdict)
			}
		})
	}
}

func TestABaselineOfAnEarlierPhaseServesALaterOneAndNoOther(t *testing.T) {
	w := world{evidence: map[string]gate.Evidence{"lead-time": latest(samples(5, 40))}, notBefore: at(1), now: at(6),
		baselines: map[string]*v1alpha1.Baseline{"assess/lead-time": taken("48")}}
	early := improved(atMost(t, "-10%"))
	early.Comparison = gate.AgainstBaseline{Phase: "assess", Revision: "b1"}
	got := w.judge(early, improved(atMost(t, "-10%")))
	if got.Criteria[0].Verdict != pass || got.Criteria[1].Reason != v1alpha1.ReasonNoBaseline {
		t.Errorf("the baseline of assess: %s; that of prepare, which took none: %s", got.Criteria[0].Message, got.Criteria[1].Message)
	}
}

func TestTheFiguresOfAChangeAreWrittenDown(t *testing.T) {
	sample := gate.Sample{Value: 42, Time: at(60), Samples: 120}
	w := world{evidence: map[string]gate.Evidence{"lead-time": latest([]gate.Sample{sample})}, now: at(61),
		baselines: map[string]*v1alpha1.Baseline{"prepare/lead-time": taken("48")}}
	w.baselines["prepare/lead-time"].Samples = 100
	c := improved(atMost(t, "-10%"))
	c.KPI.Window, c.MinSamples = time.Hour, 100
	judged := w.judge(c)
	figures := v1alpha1.Figures{Value: "42", Samples: 120, Threshold: "at most -10% from the baseline of phase prepare, of 100 samples or more", ComparedWith: "48",
		Change: "-12.5%", Margin: "2.5%", Window: "1h"}
	if diff := cmp.Diff([]v1alpha1.Evidence{{Criterion: "faster", KPI: "lead-time", Figures: figures, SampleTime: metav1.NewTime(at(60)), MetSince: stamp(at(60))}}, judged.Evidence()); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(figures, judged.Report(gate.Gate{}, v1alpha1.GateRoleExit).Criteria[0].Figures); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestTooFewSamplesAreNotCompared(t *testing.T) {
	for name, tc := range map[string]struct {
		counts []int64
		want   says
	}{
		"enough": {[]int64{100}, says{pass, v1alpha1.ReasonMet, "lead-time is 40 h, at most 45 since 2026-03-02T08:05:00Z"}},
		"one too few": {[]int64{99}, says{wait, v1alpha1.ReasonTooFewSamples,
			"lead-time has 99 samples behind it, must have at least 100 (measured 2026-03-02T08:05:00Z)"}},
		"a source that does not tell": {[]int64{0}, says{wait, v1alpha1.ReasonTooFewSamples,
			"lead-time must have at least 100 samples behind it, and its source does not tell how many it has"}},
		"enough before and too few now": {[]int64{100, 100, 7}, says{wait, v1alpha1.ReasonTooFewSamples,
			"lead-time has 7 samples behind it, must have at least 100 (measured 2026-03-02T08:15:00Z)"}},
		"too few in between begin the run anew": {[]int64{100, 7, 100}, says{pass, v1alpha1.ReasonMet, "lead-time is 40 h, at most 45 since 2026-03-02T08:15:00Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			all := samples(5, make([]float64, len(tc.counts))...)
			for i := range all {
				all[i].Value, all[i].Samples = 40, tc.counts[i]
			}
			c := required("c", leadTime, atMost(t, "45"), 0)
			c.MinSamples = 100
			check(t, tc.want, world{evidence: map[string]gate.Evidence{"lead-time": latest(all)}, now: at(16)}.judge(c).Criteria[0])
		})
	}
}

func TestAPercentageIsAFractionAndNeedsSomethingToBeComparedWith(t *testing.T) {
	for name, tc := range map[string]struct {
		criterion v1alpha1.Criterion
		message   string
	}{
		"atLeast":        {v1alpha1.Criterion{AtLeast: number("5%")}, "at least 5% is a change in percent, but against does not say what from"},
		"atMost":         {v1alpha1.Criterion{AtMost: number("-5%")}, "at most -5% is a change in percent, but against does not say what from"},
		"between":        {v1alpha1.Criterion{Between: &v1alpha1.Range{Min: "-5%", Max: "5%"}}, "between -5% and 5% is a change in percent, but against does not say what from"},
		"mixed ends":     {v1alpha1.Criterion{Between: &v1alpha1.Range{Min: "-5%", Max: "5"}, Against: &v1alpha1.Against{}}, "between: min -5% and max 5 must both be percentages or both be numbers"},
		"no number":      {v1alpha1.Criterion{AtMost: number("%"), Against: &v1alpha1.Against{}}, `atMost: "%" is neither a decimal number nor a percentage`},
		"twice the sign": {v1alpha1.Criterion{AtMost: number("5%%"), Against: &v1alpha1.Against{}}, `atMost: "5%%" is neither a decimal number nor a percentage`},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := gate.ParseThreshold(tc.criterion); err == nil || err.Error() != tc.message {
				t.Errorf("read as %v, error %v; want %q", got, err, tc.message)
			}
		})
	}
	ten := atMost(t, "-10%")
	if !ten.Percent() || !ten.Met(-0.1) || ten.Met(math.Nextafter(-0.1, 0)) || ten.Met(-0.05) {
		t.Error("-10% is not the fraction -0.1")
	}
}

func TestAThresholdKnowsWhetherAnIntervalReachesItAndHowFarItIs(t *testing.T) {
	for name, tc := range map[string]struct {
		threshold gate.Threshold
		low, high float64
		overlaps  bool
		number    float64
		margin    float64
	}{
		"at least, above":        {atLeast(t, "2"), 2, 3, true, 3, 1},
		"at least, straddling":   {atLeast(t, "2"), 1, 2, true, 1.75, -0.25},
		"at least, below":        {atLeast(t, "2"), 1, 1.9, false, 2, 0},
		"at most, below":         {atMost(t, "2"), 1, 2, true, 0.9, 1.1},
		"at most, straddling":    {atMost(t, "2"), 2, 3, true, 2.25, -0.25},
		"at most, above":         {atMost(t, "2"), 2.1, 3, false, 2, 0},
		"between, around":        {betweenChanges(t, "1", "2"), 0, 9, true, 1.25, 0.25},
		"between, left of it":    {betweenChanges(t, "1", "2"), 0, 0.9, false, 0.9, -0.1},
		"between, right of it":   {betweenChanges(t, "1", "2"), 2.1, 3, false, 2.3, -0.3},
		"between, at its end":    {betweenChanges(t, "1", "2"), 2, 3, true, 2, 0},
		"percent, in fractions":  {atMost(t, "-10%"), -0.2, -0.1, true, -0.125, 0.025},
		"percent, out of reach":  {atMost(t, "-10%"), -0.09, 0, false, -0.08, -0.02},
		"no noise in the margin": {atLeast(t, "0.9"), 0.95, 0.95, true, 0.95, 0.05},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.threshold.Overlaps(tc.low, tc.high); got != tc.overlaps {
				t.Errorf("%v to %v overlaps %s: %t, want %t", tc.low, tc.high, tc.threshold, got, tc.overlaps)
			}
			if got := tc.threshold.Margin(tc.number); got != tc.margin {
				t.Errorf("%v is %v from %s, want %v", tc.number, got, tc.threshold, tc.margin)
			}
		})
	}
}
