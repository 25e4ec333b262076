package gate_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

// revenue is better when higher, measured every 5 minutes and stale after 15.
var revenue = gate.KPI{Name: "revenue", Revision: "r1", Unit: "EUR", Interval: 5 * time.Minute, StaleAfter: 15 * time.Minute}

// market is a site of 120 EUR and six control sites of very different sizes. Before the change all moved by about 2 %; since then the controls moved by about the market,
// the site by the market and its own effect. What chance does is fixed, about 1 %.
func market(moved, effect float64) (world, *v1alpha1.Baseline) {
	chance := []float64{0.01, -0.01, 0.005, -0.005, 0.002, -0.002}
	text := func(v float64) v1alpha1.Decimal { return v1alpha1.ExactDecimal(v) }
	b := &v1alpha1.Baseline{KPI: "revenue", KPIRevision: "b1", Source: "warehouse", SiteID: "DE-1", WindowEnd: metav1.NewTime(monday), Value: "120", Earlier: text(120 / 1.02), PreTrend: "4w"}
	w := world{now: at(61), notBefore: at(1), peers: map[string]peer{}, baselines: map[string]*v1alpha1.Baseline{"prepare/revenue": b},
		evidence: map[string]gate.Evidence{"revenue": latest(samples(60, 120*(1+moved)*(1+effect)))}}
	for i, size := range []float64{40, 90, 150, 400, 1000, 5000} {
		name := fmt.Sprintf("control-%d", i)
		b.Controls = append(b.Controls, v1alpha1.ControlValue{Site: name, Value: text(size), Earlier: text(size / (1.02 + chance[5-i]))})
		w.peers[name] = peer{id: name, samples: samples(60, size*(1+moved)*(1+chance[i]))}
	}
	return w, b
}

// effective asks for an effect beside the control group of phase prepare.
func effective(threshold gate.Threshold) gate.Criterion {
	return gate.Criterion{Name: "effect", KPI: revenue, Threshold: threshold, Importance: v1alpha1.ImportanceRequired,
		Comparison: gate.AgainstControl{AgainstBaseline: gate.AgainstBaseline{Phase: "prepare", Revision: "b1"}, MinSites: 5, Confidence: 0.95}}
}

// grown asks for growth from the baseline alone.
func grown(threshold gate.Threshold) gate.Criterion {
	return gate.Criterion{Name: "growth", KPI: revenue, Threshold: threshold, Importance: v1alpha1.ImportanceRequired, Comparison: gate.AgainstBaseline{Phase: "prepare", Revision: "b1"}}
}

func TestTheControlGroupTellsAnEffectFromTheMarket(t *testing.T) {
	for name, tc := range map[string]struct {
		moved, effect     float64
		baseline, control v1alpha1.Verdict
	}{
		"a boom of 15 % lifts every site, and is no effect": {0.15, 0, pass, fail},
		"an effect of 8 % in a fall of 10 %":                {-0.10, 0.08, fail, pass},
		"an effect of 8 % in a quiet market":                {0, 0.08, pass, pass},
		"nothing in a quiet market":                         {0, 0, fail, fail},
		"an effect of 8 % in a boom":                        {0.15, 0.08, pass, pass},
		"a loss of 8 % that a boom hides":                   {0.15, -0.08, pass, fail},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := market(tc.moved, tc.effect)
			got := w.judge(grown(atLeastChange(t, "5%")), effective(atLeastChange(t, "5%")))
			if a, b := got.Criteria[0], got.Criteria[1]; a.Verdict != tc.baseline || b.Verdict != tc.control {
				t.Errorf("against the baseline %s, against the control group %s: %s; %s", a.Verdict, b.Verdict, a.Message, b.Message)
			}
			found := got.Criteria[1].Compared
			if math.Abs(found.Number-tc.effect) > 0.001 || found.Controls != 6 || found.Interval.Low >= found.Number || found.Interval.High <= found.Number {
				t.Errorf("effect %v from %+v with %d controls, want %v", found.Number, found.Interval, found.Controls, tc.effect)
			}
		})
	}
}

func TestTheFiguresOfAnEffectAreWrittenDown(t *testing.T) {
	w, _ := market(-0.10, 0.08)
	judged := w.judge(effective(atLeastChange(t, "5%")))
	const words = "revenue is 116.64 EUR, an effect of +8.0023% (+5.8695% to +10.1781%) beside 6 control sites, at least 5% since 2026-03-02T09:00:00Z"
	check(t, says{pass, v1alpha1.ReasonMet, words}, judged.Criteria[0])
	got := judged.Evidence()[0].Figures
	if got.Low != "5.8695%" || got.High != "10.1781%" || got.Change != "8.0023%" || got.Margin != "3.0023%" || got.Controls != 6 || got.Value != "116.64" {
		t.Errorf("figures %+v", got)
	}
	without, err := got.ComparedWith.Float()
	if err != nil || math.Abs(without-108) > 0.1 {
		t.Errorf("without the change the site would be at %s, want about 108", got.ComparedWith)
	}
	if want := "at least 5% more than the control group of phase prepare"; !strings.HasPrefix(got.Threshold, want) {
		t.Errorf("threshold %q, want %q and more", got.Threshold, want)
	}
}

func TestAnEffectThatTheControlGroupCannotShowWaits(t *testing.T) {
	only := func(n int) func(*testing.T, *world, *v1alpha1.Baseline) {
		return func(_ *testing.T, _ *world, b *v1alpha1.Baseline) { b.Controls = b.Controls[:n] }
	}
	peers := func(change func(*peer), names ...string) func(*testing.T, *world, *v1alpha1.Baseline) {
		return func(_ *testing.T, w *world, _ *v1alpha1.Baseline) {
			for _, name := range names {
				p := w.peers[name]
				change(&p)
				w.peers[name] = p
			}
		}
	}
	few := func(n int) says {
		return says{wait, v1alpha1.ReasonTooFewControls, fmt.Sprintf("revenue can be compared with %d control sites only, of 6 that were unchanged when the baseline was taken; it needs 5", n)}
	}
	unknown := says{wait, v1alpha1.ReasonPreTrendBroken,
		"nobody knows whether revenue moved alike at the site and its control group before the change: there are values from 4w before the baseline of %d control sites only"}
	known := func(n int) says {
		s := unknown
		s.message = fmt.Sprintf(s.message, n)
		return s
	}
	for name, tc := range map[string]struct {
		change func(*testing.T, *world, *v1alpha1.Baseline)
		want   says
	}{
		"a small group": {only(4), says{wait, v1alpha1.ReasonTooFewControls,
			"revenue can be compared with 4 control sites only, of 4 that were unchanged when the baseline was taken; it needs 5"}},
		"two that have begun the phase":   {peers(func(p *peer) { p.begun = true }, "control-0", "control-5"), few(4)},
		"two that are gone":               {peers(func(p *peer) { *p = peer{} }, "control-0", "control-5"), few(4)},
		"two whose siteID changed":        {peers(func(p *peer) { p.id = "other" }, "control-1", "control-2"), few(4)},
		"two without a value now":         {peers(func(p *peer) { p.samples = nil }, "control-1", "control-2"), few(4)},
		"two whose values are stale":      {peers(func(p *peer) { p.samples[0].Time = at(44) }, "control-1", "control-2"), few(4)},
		"two that have only later values": {peers(func(p *peer) { p.samples[0].Time = at(61) }, "control-1", "control-2"), few(4)},
		"two whose old value is no number": {func(_ *testing.T, _ *world, b *v1alpha1.Baseline) {
			b.Controls[0].Value, b.Controls[1].Value = "", "NaN"
		}, few(4)},
		"one each, for four different causes": {func(_ *testing.T, w *world, b *v1alpha1.Baseline) {
			w.peers["control-0"], w.peers["control-1"], w.peers["control-2"] = peer{id: "x"}, peer{}, peer{id: "control-2", begun: true}
			b.Controls[3].Value = "?"
		}, few(2)},
		"no earlier value of the site": {func(_ *testing.T, _ *world, b *v1alpha1.Baseline) { b.Earlier = "" }, known(6)},
		"no earlier values of two controls": {func(_ *testing.T, _ *world, b *v1alpha1.Baseline) {
			b.Controls[0].Earlier, b.Controls[1].Earlier = "", ""
		}, known(4)},
		"two that had nothing, of which there is no ratio": {func(_ *testing.T, _ *world, b *v1alpha1.Baseline) {
			b.Controls[0].Value, b.Controls[1].Value = "0", "-3"
		}, few(4)},
		"two that had nothing earlier": {func(_ *testing.T, _ *world, b *v1alpha1.Baseline) {
			b.Controls[0].Earlier, b.Controls[1].Earlier = "0", "-3"
		}, known(4)},
		"a control that has nothing left": {peers(func(p *peer) { p.samples[0].Value = 0 }, "control-2"), says{wait, v1alpha1.ReasonIncomparable,
			"revenue cannot be compared with its control group: control 2"}},
		"no baseline": {func(_ *testing.T, w *world, _ *v1alpha1.Baseline) { w.baselines = nil }, says{wait, v1alpha1.ReasonNoBaseline,
			"there is no baseline of revenue: phase prepare did not declare it when the site began that phase"}},
		"a baseline under another siteID": {func(_ *testing.T, _ *world, b *v1alpha1.Baseline) { b.SiteID = "DE-9" }, says{wait, v1alpha1.ReasonNoBaseline,
			`the baseline of revenue from 2026-03-02T08:00:00Z was measured under siteID "DE-9", which is not the site's any more`}},
	} {
		t.Run(name, func(t *testing.T) {
			w, b := market(0, 0.3) // an effect that everybody can see
			tc.change(t, &w, b)
			got := w.judge(effective(atLeastChange(t, "5%"))).Criteria[0]
			if tc.want.reason == v1alpha1.ReasonIncomparable && strings.HasPrefix(got.Message, tc.want.message) && strings.Contains(got.Message, "above zero") {
				tc.want.message = got.Message // the numbers of the message are those of package effect
			}
			check(t, tc.want, got)
		})
	}
}

func TestGroupsThatMovedApartBeforeTheChangeDoNotCompare(t *testing.T) {
	w, b := market(0, 0.3)
	b.Earlier = "100" // 20 % before the change, where the others had 2 %
	got := w.judge(effective(atLeastChange(t, "5%"))).Criteria[0]
	const words = "the site and its control group do not compare: in the 4w before the change revenue moved by +17."
	if got.Verdict != wait || got.Reason != v1alpha1.ReasonPreTrendBroken || !strings.HasPrefix(got.Message, words) || !strings.HasSuffix(got.Message, "%) more than theirs") {
		t.Errorf("%s %s: %s", got.Verdict, got.Reason, got.Message)
	}
}

func TestControlsThatAllMovedIdenticallySayNothingAboutChance(t *testing.T) {
	identical := func() (world, *v1alpha1.Baseline) {
		w, b := market(0, 0.3)
		for _, c := range b.Controls {
			value, err := c.Value.Float()
			if err != nil {
				t.Fatal(err)
			}
			w.peers[c.Site] = peer{id: c.Site, samples: samples(60, value)}
		}
		return w, b
	}
	w, _ := identical()
	const since = "revenue is 156 EUR, an effect of +30% (+30% to +30%) beside 6 control sites; the control sites all changed in the very same way, which says nothing about chance"
	check(t, says{wait, v1alpha1.ReasonInconclusive, since}, w.judge(effective(atLeastChange(t, "5%"))).Criteria[0])

	w, b := identical()
	for i := range b.Controls {
		b.Controls[i].Earlier = b.Controls[i].Value
	}
	b.Earlier = b.Value
	const before = "nobody knows whether revenue moved alike at the site and its control group before the change: it moved in the very same way at all of them, as it does when a source cannot tell the past"
	check(t, says{wait, v1alpha1.ReasonPreTrendBroken, before}, w.judge(effective(atLeastChange(t, "5%"))).Criteria[0])
}

func TestAnIntervalDecidesOnlyWhenAllOfItLiesOnOneSide(t *testing.T) {
	for name, tc := range map[string]struct {
		effect    float64
		threshold gate.Threshold
		want      v1alpha1.Verdict
		reason    string
	}{
		"all of it above":               {0.08, atLeastChange(t, "5%"), pass, v1alpha1.ReasonMet},
		"the threshold in it":           {0.06, atLeastChange(t, "5%"), wait, v1alpha1.ReasonInconclusive},
		"the threshold in it, below":    {0.04, atLeastChange(t, "5%"), wait, v1alpha1.ReasonInconclusive},
		"all of it below":               {0.02, atLeastChange(t, "5%"), fail, v1alpha1.ReasonNotMet},
		"at most, all of it below":      {-0.08, atMost(t, "-5%"), pass, v1alpha1.ReasonMet},
		"at most, in it":                {-0.05, atMost(t, "-5%"), wait, v1alpha1.ReasonInconclusive},
		"between, all of it inside":     {0.01, betweenChanges(t, "-5%", "5%"), pass, v1alpha1.ReasonMet},
		"between, over the upper end":   {0.04, betweenChanges(t, "-5%", "5%"), wait, v1alpha1.ReasonInconclusive},
		"between, over the lower end":   {-0.04, betweenChanges(t, "-5%", "5%"), wait, v1alpha1.ReasonInconclusive},
		"between, narrower than itself": {0, betweenChanges(t, "-1%", "1%"), wait, v1alpha1.ReasonInconclusive},
		"between, outside":              {0.1, betweenChanges(t, "-5%", "5%"), fail, v1alpha1.ReasonNotMet},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := market(-0.1, tc.effect)
			got := w.judge(effective(tc.threshold)).Criteria[0]
			if got.Verdict != tc.want || got.Reason != tc.reason {
				t.Errorf("%s %s, want %s %s: %s", got.Verdict, got.Reason, tc.want, tc.reason, got.Message)
			}
			if tc.reason == v1alpha1.ReasonInconclusive && !strings.HasSuffix(got.Message, fmt.Sprintf("; it must be %s, and with 95%% confidence it may be or not", tc.threshold)) {
				t.Errorf("message %q", got.Message)
			}
		})
	}
}

func TestASiteThatLeavesTheGroupLeavesNoTrace(t *testing.T) {
	for leaves := range 6 {
		name := fmt.Sprintf("control-%d", leaves)
		for how, leave := range map[string]func(*peer){
			"begins the phase":    func(p *peer) { p.begun = true },
			"is deleted":          func(p *peer) { *p = peer{} },
			"changes its siteID":  func(p *peer) { p.id = "elsewhere" },
			"is measured no more": func(p *peer) { p.samples = samples(0, 7) },
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				w, _ := market(0.15, 0.08)
				p := w.peers[name]
				leave(&p)
				w.peers[name] = p
				never, b := market(0.15, 0.08)
				b.Controls = slices.DeleteFunc(b.Controls, func(c v1alpha1.ControlValue) bool { return c.Site == name })
				got, want := w.judge(effective(atLeastChange(t, "5%"))).Criteria[0], never.judge(effective(atLeastChange(t, "5%"))).Criteria[0]
				if got.Verdict != want.Verdict || got.Message != want.Message || *got.Compared.Interval != *want.Compared.Interval || got.Compared.Number != want.Compared.Number {
					t.Errorf("with a site that left: %s\nwithout it from the beginning: %s", got.Message, want.Message)
				}
			})
		}
	}
}

func TestTheValuesOfControlSitesAreOfTheSameTimeAndOfAfterTheBaseline(t *testing.T) {
	w, _ := market(0, 0.08)
	own := samples(50, 129.6, 129.6, 129.6)
	w.evidence["revenue"] = latest(own)
	for name, p := range w.peers {
		p.samples = append(samples(50, p.samples[0].Value, p.samples[0].Value, p.samples[0].Value), gate.Sample{Value: 1e9, Time: at(65)})
		w.peers[name] = p
	}
	if got := w.judge(effective(atLeastChange(t, "5%"))).Criteria[0]; got.Verdict != pass || !got.Hold.Since.Equal(at(50)) {
		t.Errorf("a value of a time that comes after the site's own counts: %s", got.Message)
	}
	early, _ := market(0, 0.08)
	early.evidence["revenue"], early.now, early.notBefore = latest(samples(5, 129.6)), at(6), time.Time{}
	for name, p := range early.peers {
		p.samples = samples(-5, p.samples[0].Value)
		early.peers[name] = p
	}
	if got := early.judge(effective(atLeastChange(t, "5%"))).Criteria[0]; got.Reason != v1alpha1.ReasonTooFewControls {
		t.Errorf("values of control sites from before the baseline count as values of after it: %s", got.Message)
	}
}

func TestControlSitesWithTooFewSamplesAreLeftOut(t *testing.T) {
	w, b := market(0, 0.08)
	c := effective(atLeastChange(t, "5%"))
	c.MinSamples, b.Samples = 30, 30
	for i := range w.evidence["revenue"].Samples {
		w.evidence["revenue"].Samples[i].Samples = 30
	}
	for i := range 6 {
		b.Controls[i].Samples = 30
		w.peers[fmt.Sprintf("control-%d", i)].samples[0].Samples = 30
	}
	if got := w.judge(c).Criteria[0]; got.Verdict != pass {
		t.Errorf("with enough samples everywhere: %s", got.Message)
	}
	w.peers["control-2"].samples[0].Samples, b.Controls[4].Samples = 29, 29
	got := w.judge(c).Criteria[0]
	if got.Reason != v1alpha1.ReasonTooFewControls || !strings.Contains(got.Message, "compared with 4 control sites only") {
		t.Errorf("%s: %s", got.Reason, got.Message)
	}
}
