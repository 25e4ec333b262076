package gate_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
)

// told is the hold of a criterion that a status told of and that has been looked at up to 8:20, as far as the former process knew the values. It has exceptions at some minutes.
func told(c gate.Criterion, since int, exceptions ...int) map[string]gate.Hold {
	revision, words := c.KPI.Revision, c.Threshold.String()
	if reference := c.Reference(); reference != nil {
		revision, words = revision+"/"+reference.Revision, words+" from "+reference.Name+", with at most 2 exceptions"
	}
	if c.MinSamples > 0 {
		words += ", of 10 samples or more"
	}
	return map[string]gate.Hold{c.Name: run(gate.Hold{
		Of:    gate.Proof{Revision: revision, Threshold: words, Guardrail: c.Importance == v1alpha1.ImportanceGuardrail},
		Since: at(since), SeenThrough: at(20), Recorded: true,
	}, exceptions...)}
}

// run returns a hold with exceptions at some minutes.
func run(hold gate.Hold, exceptions ...int) gate.Hold {
	hold.Exceptions = int32(len(exceptions))
	for _, minute := range exceptions {
		hold.Excepted = append(hold.Excepted, at(minute))
	}
	return hold
}

// resumed asks about a criterion before its source has answered, and again when the moments from 8:00 to 8:20 have been measured again, and 8:25 for the first time.
func resumed(c gate.Criterion, w world, holds map[string]gate.Hold) gate.Hold {
	g := gate.Gate{Name: "g", Criteria: []gate.Criterion{c}}
	silent := world{now: w.now}
	holds = gate.Judge(gate.Question{Gate: g, Facts: silent.facts(), Holds: holds}).Holds()
	return gate.Judge(gate.Question{Gate: g, Facts: w.facts(), Holds: holds}).Criteria[0].Hold
}

func TestARunThatAStatusToldEndsAtABadValueThatIsMeasuredAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		began  int
		values []float64
		since  int
	}{
		"what is measured again is as good as it was":      {-30, []float64{90, 90, 90, 90, 90, 90}, -30},
		"a bad value that nobody knew":                     {-30, []float64{90, 70, 90, 90, 90, 90}, 10},
		"the last of several counts":                       {-30, []float64{70, 90, 70, 90, 90, 90}, 15},
		"the last that the status told of":                 {-30, []float64{90, 90, 90, 90, 70, 90}, 25},
		"the first of the run":                             {0, []float64{70, 90, 90, 90, 90, 90}, 5},
		"one from before the run is no matter":             {10, []float64{90, 70, 90, 90, 90, 90}, 10},
		"a good one from before the run does not begin it": {10, []float64{90, 90, 90, 90, 90, 90}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			c := required("used", adoption, atLeast(t, "80"), time.Hour)
			w := world{evidence: map[string]gate.Evidence{"adoption": latest(samples(0, tc.values...))}, now: at(26)}
			want := gate.Hold{Of: proof, Since: at(tc.since), SeenThrough: at(25)}
			if diff := cmp.Diff(want, resumed(c, w, told(c, tc.began))); diff != "" {
				t.Errorf("hold (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheRunOfAGuardrailThatAStatusToldEndsAtAGoodValueThatIsMeasuredAgain(t *testing.T) {
	c := calm(t, time.Hour)
	w := world{evidence: map[string]gate.Evidence{"complaints": latest(samples(0, 9, 9, 1, 9, 9, 9))}, now: at(26)}
	if got := resumed(c, w, told(c, -30)); !got.Since.Equal(at(15)) {
		t.Errorf("broken since %v", got.Since)
	}
}

func TestARunThatAStatusToldEndsAtAValueOfTooFewSamplesThatIsMeasuredAgain(t *testing.T) {
	c := required("used", adoption, atLeast(t, "80"), time.Hour)
	c.MinSamples = 10
	all := samples(0, 90, 90, 90, 90, 90, 90)
	for i := range all {
		all[i].Samples = 10
	}
	all[1].Samples = 9
	w := world{evidence: map[string]gate.Evidence{"adoption": latest(all)}, now: at(26)}
	if got := resumed(c, w, told(c, -30)); !got.Since.Equal(at(10)) {
		t.Errorf("met since %v", got.Since)
	}
}

func TestExceptionsThatAreMeasuredAgainAreCountedOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		before []int
		began  int
		values []float64
		want   gate.Hold
	}{
		"the one that the status counted":                    {[]int{5}, -30, []float64{90, 70, 90, 90, 90, 90}, run(gate.Hold{Since: at(-30)}, 5)},
		"one that nobody knew":                               {nil, -30, []float64{90, 70, 90, 90, 90, 90}, run(gate.Hold{Since: at(-30)}, 5)},
		"one that nobody knew, beside one of the status":     {[]int{-10}, -30, []float64{90, 70, 90, 90, 90, 90}, run(gate.Hold{Since: at(-30)}, -10, 5)},
		"one that nobody knew, before one of the status":     {[]int{15}, -30, []float64{90, 70, 90, 70, 90, 90}, run(gate.Hold{Since: at(-30)}, 5, 15)},
		"the one that the status counted, and one now":       {[]int{5}, -30, []float64{90, 70, 90, 90, 90, 70}, run(gate.Hold{Since: at(-30)}, 5, 25)},
		"one that nobody knew, and more than are allowed":    {[]int{-10, -5}, -30, []float64{90, 70, 90, 90, 90, 90}, gate.Hold{Since: at(10)}},
		"those of the status, and one now that is too many":  {[]int{-10, 5}, -30, []float64{90, 70, 90, 90, 90, 70}, gate.Hold{}},
		"those of the status, all of which have turned good": {[]int{5, 10}, -30, []float64{90, 90, 90, 90, 90, 90}, run(gate.Hold{Since: at(-30)}, 5, 10)},
		"one from before the run is none":                    {nil, 10, []float64{90, 70, 90, 90, 90, 90}, gate.Hold{Since: at(10)}},
		"the first value of a run is none":                   {nil, 0, []float64{70, 90, 90, 90, 90, 90}, gate.Hold{Since: at(5)}},
	} {
		t.Run(name, func(t *testing.T) {
			c := equal(t, 2)
			w := parallel(26, tc.values, []float64{90, 90, 90, 90, 90, 90})
			got := resumed(c, w, told(c, tc.began, tc.before...))
			tc.want.Of, tc.want.SeenThrough = got.Of, at(25)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("hold (-want +got):\n%s", diff)
			}
		})
	}
}

// Who was in the control group when a value was new cannot be known later. That it is too small for an old value does not end the run then; a value that is bad beside those that are left does.
func TestAValueWhoseControlGroupHasGoneDoesNotEndARunThatAStatusTold(t *testing.T) {
	for name, tc := range map[string]struct {
		value float64
		gone  bool
		since int
	}{
		"good, and the control group is there": {120 * 1.08, false, -30},
		"good, and the control group is gone":  {120 * 1.08, true, -30},
		"bad, and the control group is there":  {120 * 0.9, false, 10},
	} {
		t.Run(name, func(t *testing.T) {
			c := effective(atLeastChange(t, "5%"))
			w, baseline := market(0, 0.08)
			good := 120 * 1.08
			baseline.WindowEnd.Time = at(-60)
			w.now, w.notBefore = at(26), at(-60)
			w.evidence["revenue"] = latest(samples(0, good, tc.value, good, good, good, good))
			for name, control := range w.peers {
				value, first := control.samples[0].Value, 0
				if tc.gone {
					first = 10 // had a value before 8:00 last
				}
				control.samples = samples(first, value, value, value, value, value, value)
				w.peers[name] = control
			}
			holds := gate.Judge(gate.Question{Gate: gate.Gate{Criteria: []gate.Criterion{c}}, Facts: w.facts()}).Holds()
			holds["effect"] = gate.Hold{Of: holds["effect"].Of, Since: at(-30), SeenThrough: at(20), Recorded: true}
			if got := resumed(c, w, holds); !got.Since.Equal(at(tc.since)) {
				t.Errorf("met since %v", got.Since)
			}
		})
	}
}

// The run is trusted up to 8:20, but its last value may be an older one that a source repeated.
func TestAGapBeginsAtTheLastValueThatIsMeasuredAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		values []gate.Sample
		since  int
	}{
		"as long as a run survives": {slices.Concat(samples(0, 90, 90, 90), samples(25, 90)), -30},
		"longer, across the time":   {slices.Concat(samples(0, 90, 90), samples(25, 90)), 25},
		"longer, before it":         {slices.Concat(samples(0, 90), samples(20, 90, 90)), 20},
		"none is measured again":    {samples(25, 90), -30},
	} {
		t.Run(name, func(t *testing.T) {
			c := required("used", adoption, atLeast(t, "80"), time.Hour)
			w := world{evidence: map[string]gate.Evidence{"adoption": latest(tc.values)}, now: at(26)}
			if got := resumed(c, w, told(c, -30)); !got.Since.Equal(at(tc.since)) {
				t.Errorf("met since %v", got.Since)
			}
		})
	}
}

// The site was renamed for one measurement, and after it the source answered once with the value from before. So nobody asked for the site's value of 8:10 under the ID that it has,
// until the operator was restarted.
func TestARunDoesNotPassOverABadValueThatOnlyARestartBroughtUp(t *testing.T) {
	name := types.NamespacedName{Namespace: "crm", Name: "adoption"}
	g := gate.Gate{Name: "g", Criteria: []gate.Criterion{required("used", adoption, atLeast(t, "80"), 40*time.Minute)}}
	measurement := func(minute int, id string, of int, value float64) measure.Measurement {
		return measure.Measurement{Time: at(minute), IDs: map[string]string{"berlin": id}, Values: map[string]gate.Sample{"berlin": {Value: value, Time: at(of)}}}
	}
	var store *measure.Store
	judge := func(holds map[string]gate.Hold, m measure.Measurement) gate.Judgement {
		store.Record(name, measure.Taken{Revision: adoption.Revision, Measurement: m})
		e := store.Evidence(name, adoption.Revision, "berlin", m.IDs["berlin"])
		return gate.Judge(gate.Question{Gate: g, Holds: holds, Facts: facts(e, time.Time{}, m.Time)})
	}

	store = measure.NewStore()
	judge(nil, measurement(5, "DE-1", 5, 90))
	judge(nil, measurement(10, "DE-2", 10, 70))
	judged := judge(nil, measurement(15, "DE-1", 5, 90)) // from a cache
	for minute := 20; minute <= 35; minute += 5 {
		judged = judge(judged.Holds(), measurement(minute, "DE-1", minute, 90))
	}
	if since := judged.Holds()["used"].Since; !since.Equal(at(5)) {
		t.Fatalf("met since %v before the restart", since)
	}
	report := judged.Report(g, v1alpha1.GateRoleExit)

	store = measure.NewStore()
	var past []measure.Measurement
	for _, moment := range measure.Again(at(35), adoption.Interval, adoption.StaleAfter, at(45)) {
		minute := int(moment.Sub(monday) / time.Minute)
		switch minute {
		case 10:
			past = append(past, measurement(minute, "DE-1", minute, 70))
		case 15:
			past = append(past, measurement(minute, "DE-1", 5, 90))
		default:
			past = append(past, measurement(minute, "DE-1", minute, 90))
		}
	}
	store.Recall(name, adoption.Revision, past)
	holds := gate.Resume(report, g, func(gate.KPI) gate.Measured { return gate.Measured{Since: at(5), Last: at(35)} })
	check(t, says{wait, v1alpha1.ReasonHolding, "adoption is 90 %, at least 80 since 2026-03-02T08:20:00Z; passes when that has held for 40m, not before 2026-03-02T09:00:00Z"},
		judge(holds, measurement(45, "DE-1", 45, 90)).Criteria[0])
}

// beside is a process that knows a KPI and its reference at every 5 minutes: + for a good value, . for none.
func beside(t *testing.T, own, other string) *process {
	t.Helper()
	kpi := func(name string) gate.KPI {
		return gate.KPI{Name: name, Revision: name, Interval: 5 * time.Minute, StaleAfter: 15 * time.Minute}
	}
	p := &process{own: kpi("own"), other: kpi("other"), truth: &truth{outcome: map[string]string{}}, ids: map[string]string{"berlin": "DE-1"},
		store: measure.NewStore(), measured: map[string]gate.Measured{}, ledger: &ledger{values: map[string][]raw{}, latest: map[string]gate.Outcome{}}}
	p.gate = gate.Gate{Name: "g", Criteria: []gate.Criterion{{Name: "equal", KPI: p.own, Comparison: gate.AgainstReference{KPI: p.other}, Threshold: betweenChanges(t, "-1%", "1%"),
		For: 3 * time.Hour, Importance: v1alpha1.ImportanceRequired}}}
	said := map[byte]string{'+': "good", '.': "missing"}
	for i := range own {
		p.truth.outcome[fmt.Sprint("own", i+1)], p.truth.outcome[fmt.Sprint("other", i+1)] = said[own[i]], said[other[i]]
		p.truth.outcome[fmt.Sprint("peers", i+1)] = "none"
	}
	return p
}

// A value waits until the reference has a newer one. When that comes while the KPI itself has no value, the run goes on and no verdict tells of it.
func TestARunThatNoVerdictToldOfSurvivesAShortStop(t *testing.T) {
	for name, tc := range map[string]struct {
		own, other string
		unjudged   int
		since      int
	}{
		"values waited for the reference, and were looked at before the stop": {
			"+++" + "++.." + "++.." + "++.." + "++." + "+",
			"+++" + "..+." + "..+." + "..+." + "..+" + "+", 0, 10},
		"values waited for the reference, and it came when nobody looked any more": {
			"+++" + "++++" + "." + "+++",
			"+++" + "...." + "+" + "+++", 3, 10},
		"after a gap that is too long it is another run": {
			"+++" + "++++" + ".." + "++",
			"+++" + "...." + "++" + "++", 3, 50},
	} {
		t.Run(name, func(t *testing.T) {
			for _, stops := range []bool{false, true} {
				p := beside(t, tc.own, tc.other)
				var hold gate.Hold
				for tick := 1; tick <= len(tc.own); tick++ {
					before := tick < len(tc.own)
					if !before && stops {
						p.stop()
					}
					for _, kpi := range []gate.KPI{p.own, p.other} {
						p.measure(kpi, tick, false)
						if !before || !stops || tick < len(tc.own)-tc.unjudged {
							hold = p.judge(p.moment(kpi, tick), false).Criteria[0].Hold
						}
					}
				}
				if !hold.Since.Equal(at(tc.since)) {
					t.Errorf("stopped: %t, met since %v", stops, hold.Since)
				}
			}
		})
	}
}
