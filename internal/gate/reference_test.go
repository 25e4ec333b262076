package gate_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

// The number of orders in the new system, and in the old one that runs beside it.
var (
	newOrders = gate.KPI{Name: "new-orders", Revision: "n1", Interval: 5 * time.Minute, StaleAfter: 15 * time.Minute}
	oldOrders = gate.KPI{Name: "old-orders", Revision: "o1", Interval: 5 * time.Minute, StaleAfter: 15 * time.Minute}
)

// equal asks for the same orders in both systems within 1 %, for ten minutes.
func equal(t testing.TB, exceptions int32) gate.Criterion {
	t.Helper()
	return gate.Criterion{Name: "equal", KPI: newOrders, Comparison: gate.AgainstReference{KPI: oldOrders, MaxExceptions: exceptions}, Threshold: betweenChanges(t, "-1%", "1%"),
		For: 10 * time.Minute, Importance: v1alpha1.ImportanceRequired}
}

// parallel is a parallel run in which both systems were measured at the same times.
func parallel(now int, current, old []float64) world {
	return world{now: at(now), evidence: map[string]gate.Evidence{"new-orders": latest(samples(0, current...)), "old-orders": latest(samples(0, old...))}}
}

func TestTwoSystemsAreComparedAtTheSameTime(t *testing.T) {
	const since = " since 2026-03-02T08:00:00Z"
	same := []float64{200, 200, 200}
	for name, tc := range map[string]struct {
		current, old []float64
		change       func(*world)
		want         says
	}{
		"equal for long enough": {same, same, nil, says{pass, v1alpha1.ReasonMet, "new-orders is 200, 0% from old-orders with 200, between -1% and 1%" + since}},
		"equal within the tolerance, ends included": {[]float64{198, 202, 198}, same, nil,
			says{pass, v1alpha1.ReasonMet, "new-orders is 198, -1% from old-orders with 200, between -1% and 1%" + since}},
		"unequal": {[]float64{200, 200, 203}, same, nil,
			says{fail, v1alpha1.ReasonNotMet, "new-orders is 203, +1.5% from old-orders with 200, must be between -1% and 1% (measured 2026-03-02T08:10:00Z)"}},
		"the same move in both is no difference": {[]float64{200, 10, 990}, []float64{200, 10, 990}, nil,
			says{pass, v1alpha1.ReasonMet, "new-orders is 990, 0% from old-orders with 990, between -1% and 1%" + since}},
		"a reference that was never measured": {same, same, func(w *world) { delete(w.evidence, "old-orders") },
			says{wait, v1alpha1.ReasonSampleMissing, "old-orders has not been measured yet"}},
		"a reference that fails": {same, same, func(w *world) {
			w.evidence["old-orders"] = then(w.evidence["old-orders"], gate.OutcomeFailed, 11, "down")
		},
			says{wait, v1alpha1.ReasonSourceFailed, "old-orders could not be measured at 2026-03-02T08:11:00Z: down"}},
		"a reference without a value for the site": {same, same, func(w *world) { w.evidence["old-orders"] = then(w.evidence["old-orders"], gate.OutcomeMissing, 11, "") },
			says{wait, v1alpha1.ReasonSampleMissing, "old-orders had no value for this site at 2026-03-02T08:11:00Z"}},
		"a reference of NaN": {same, same, func(w *world) {
			w.evidence["old-orders"] = then(w.evidence["old-orders"], gate.OutcomeNotANumber, 11, "")
		},
			says{wait, v1alpha1.ReasonNotANumber, "old-orders was not a finite number at 2026-03-02T08:11:00Z"}},
		"a reference with two values": {same, same, func(w *world) {
			w.evidence["old-orders"] = then(w.evidence["old-orders"], gate.OutcomeAmbiguous, 11, "")
		},
			says{wait, v1alpha1.ReasonAmbiguous, "old-orders had more than one value for this site at 2026-03-02T08:11:00Z; its query must give one"}},
		"a reference that is stale": {same, same, func(w *world) { w.now = at(26) },
			says{wait, v1alpha1.ReasonStale, "the latest value of old-orders is from 2026-03-02T08:10:00Z, older than 15m"}},
		"a reference from before the attempt": {same, same, func(w *world) { w.notBefore = at(10) },
			says{wait, v1alpha1.ReasonEvidenceTooEarly, "old-orders has no value from within this attempt yet; the first one that counts ends after 2026-03-02T08:10:00Z"}},
		"a KPI that fails itself": {same, same, func(w *world) {
			w.evidence["new-orders"] = then(w.evidence["new-orders"], gate.OutcomeFailed, 11, "down")
		},
			says{wait, v1alpha1.ReasonSourceFailed, "new-orders could not be measured at 2026-03-02T08:11:00Z: down"}},
		"a value that waits for its partner is not compared yet": {[]float64{200, 200, 999}, []float64{200, 200}, nil,
			says{wait, v1alpha1.ReasonHolding, "new-orders is 200, 0% from old-orders with 200, between -1% and 1%" + since + "; passes when that has held for 10m, not before 2026-03-02T08:10:00Z"}},
		"a percentage of zero": {[]float64{0, 0, 0}, []float64{0, 0, 0}, nil,
			says{wait, v1alpha1.ReasonIncomparable, "new-orders cannot be compared in percent with zero; use a threshold without a percent sign"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := parallel(11, tc.current, tc.old)
			if tc.change != nil {
				tc.change(&w)
			}
			check(t, tc.want, w.judge(equal(t, 0)).Criteria[0])
		})
	}
}

func TestTheReferenceMustHaveEnoughSamplesToo(t *testing.T) {
	w := parallel(11, []float64{200}, []float64{200})
	c := equal(t, 0)
	c.For, c.MinSamples = 0, 50
	w.evidence["new-orders"].Samples[0].Samples, w.evidence["old-orders"].Samples[0].Samples = 50, 49
	check(t, says{wait, v1alpha1.ReasonTooFewSamples, "old-orders has 49 samples behind it, must have at least 50 (measured 2026-03-02T08:00:00Z)"}, w.judge(c).Criteria[0])
	w.evidence["old-orders"].Samples[0].Samples = 50
	if got := w.judge(c); got.Verdict != pass {
		t.Errorf("with enough: %s", got.Criteria[0].Message)
	}
}

func TestExceptionsAreCountedAndNeverPassed(t *testing.T) {
	const good, bad = 200, 300
	old := []float64{good, good, good, good, good, good}
	for name, tc := range map[string]struct {
		allowed    int32
		current    []float64
		reason     string
		since      time.Time
		exceptions int32
	}{
		"none":                                      {1, []float64{good, good, good}, v1alpha1.ReasonMet, at(0), 0},
		"one in the middle":                         {1, []float64{good, bad, good}, v1alpha1.ReasonMet, at(0), 1},
		"one at the end is not passed on":           {1, []float64{good, good, good, bad}, v1alpha1.ReasonException, at(0), 1},
		"one at the end and then a good one":        {1, []float64{good, good, bad, good}, v1alpha1.ReasonMet, at(0), 1},
		"one too many ends the run":                 {1, []float64{good, bad, good, bad}, v1alpha1.ReasonNotMet, time.Time{}, 0},
		"one too many, and the count begins anew":   {1, []float64{good, bad, bad, good, bad}, v1alpha1.ReasonException, at(15), 1},
		"two in a row of two":                       {2, []float64{good, bad, bad, good}, v1alpha1.ReasonMet, at(0), 2},
		"a run does not begin with an exception":    {2, []float64{bad, bad, good}, v1alpha1.ReasonHolding, at(10), 0},
		"nor does one begin without a good value":   {2, []float64{bad}, v1alpha1.ReasonNotMet, time.Time{}, 0},
		"none is allowed unless somebody says so":   {0, []float64{good, good, bad}, v1alpha1.ReasonNotMet, time.Time{}, 0},
		"what cannot be compared is no exception":   {2, []float64{good, good, good}, v1alpha1.ReasonIncomparable, time.Time{}, 0},
		"exceptions do not make up for lost time":   {2, []float64{good, bad, bad}, v1alpha1.ReasonException, at(0), 2},
		"an exception as old as the hold is passed": {1, []float64{good, bad, good, good, good, good}, v1alpha1.ReasonMet, at(0), 1},
	} {
		t.Run(name, func(t *testing.T) {
			references := slices.Clone(old[:len(tc.current)])
			if tc.reason == v1alpha1.ReasonIncomparable {
				references[len(references)-1] = 0
			}
			w := parallel(5*len(tc.current)-4, tc.current, references)
			got := w.judge(equal(t, tc.allowed)).Criteria[0]
			want := fmt.Sprint(tc.reason, tc.since, tc.exceptions)
			if have := fmt.Sprint(got.Reason, got.Hold.Since, got.Hold.Exceptions); have != want {
				t.Errorf("%s, want %s: %s", have, want, got.Message)
			}
			if passes := got.Verdict == pass; passes != (tc.reason == v1alpha1.ReasonMet) {
				t.Errorf("verdict %s for the reason %s", got.Verdict, got.Reason)
			}
		})
	}
}

func TestAnExceptionIsCountedOnceHoweverOftenItIsLookedAt(t *testing.T) {
	w := parallel(6, []float64{200, 300}, []float64{200, 200})
	g := gate.Gate{Name: "g", Criteria: []gate.Criterion{equal(t, 1)}}
	var holds map[string]gate.Hold
	for range 5 {
		judged := gate.Judge(gate.Question{Gate: g, Facts: w.facts(), Holds: holds})
		check(t, says{wait, v1alpha1.ReasonException, "new-orders is 300, +50% from old-orders with 200, must be between -1% and 1% (measured 2026-03-02T08:05:00Z);" +
			" it is exception 1 of the run since 2026-03-02T08:00:00Z"}, judged.Criteria[0])
		holds = judged.Holds()
		report := judged.Report(g, v1alpha1.GateRoleExit)
		if report.Criteria[0].Exceptions != 1 || report.Criteria[0].Reference != "old-orders" || report.Criteria[0].KPIRevision != "n1/o1" {
			t.Errorf("report %+v", report.Criteria[0])
		}
		told := gate.Resume(report, g, func(gate.KPI) gate.Measured { return gate.Measured{Since: at(-60), Last: at(5)} })
		again := gate.Judge(gate.Question{Gate: g, Facts: w.facts(), Holds: told}).Holds()
		if diff := cmp.Diff(holds, again); diff != "" {
			t.Errorf("after a restart (-want +got):\n%s", diff)
		}
	}
}

// arrivals are all orders in which the values of two series can come in, each in its own order.
func arrivals(a, b int) [][]bool {
	if a == 0 && b == 0 {
		return [][]bool{nil}
	}
	var all [][]bool
	grow := func(first bool, rest [][]bool) {
		for _, order := range rest {
			all = append(all, append([]bool{first}, order...))
		}
	}
	if a > 0 {
		grow(true, arrivals(a-1, b))
	}
	if b > 0 {
		grow(false, arrivals(a, b-1))
	}
	return all
}

func TestWhatIsComparedWithWhatDoesNotDependOnWhichArrivesFirst(t *testing.T) {
	// The old system is measured two minutes after the new one, both with a bad moment.
	current := []gate.Sample{{Value: 200, Time: at(0)}, {Value: 300, Time: at(5)}, {Value: 210, Time: at(10)}, {Value: 210, Time: at(15)}}
	old := []gate.Sample{{Value: 200, Time: at(-3)}, {Value: 200, Time: at(2)}, {Value: 210, Time: at(7)}, {Value: 210, Time: at(12)}, {Value: 210, Time: at(17)}}
	g := gate.Gate{Name: "g", Criteria: []gate.Criterion{equal(t, 1)}}
	orders := arrivals(len(current), len(old))
	if len(orders) != 126 {
		t.Fatalf("%d orders, want 9 over 4", len(orders))
	}
	for _, order := range orders {
		w := world{now: at(17), evidence: map[string]gate.Evidence{}}
		var holds map[string]gate.Hold
		var judged gate.Judgement
		mine, others := 0, 0
		for _, own := range order {
			if own {
				mine++
				w.evidence["new-orders"] = latest(current[:mine])
			} else {
				others++
				w.evidence["old-orders"] = latest(old[:others])
			}
			judged = gate.Judge(gate.Question{Gate: g, Facts: w.facts(), Holds: holds})
			holds = judged.Holds()
			if judged.Verdict == pass && (mine < 3 || others < 4) {
				t.Fatalf("order %v passes after %d and %d values: %s", order, mine, others, judged.Criteria[0].Message)
			}
		}
		check(t, says{pass, v1alpha1.ReasonMet, "new-orders is 210, 0% from old-orders with 210, between -1% and 1% since 2026-03-02T08:00:00Z with one exception"}, judged.Criteria[0])
		if e := judged.Evidence()[0]; e.Exceptions != 1 || e.ComparedWith != "210" || e.Change != "0%" {
			t.Errorf("order %v leaves the evidence %+v", order, e)
		}
	}
}
