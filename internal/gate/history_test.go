package gate_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

// earned is the slow way to say whether a criterion may pass: it looks at the raw history alone and remembers nothing.
func earned(c gate.Criterion, raw []gate.Sample, latest gate.Outcome, notBefore, now time.Time) v1alpha1.Verdict {
	var counted []gate.Sample
	for _, s := range raw {
		if notBefore.IsZero() || s.Time.Add(-c.KPI.Window).After(notBefore) {
			counted = append(counted, s)
		}
	}
	if latest != gate.OutcomeValue || len(counted) == 0 {
		return v1alpha1.VerdictWait
	}
	last := counted[len(counted)-1]
	if now.Sub(last.Time) > c.KPI.StaleAfter {
		return v1alpha1.VerdictWait
	}
	if !c.Threshold.Met(last.Value) {
		return v1alpha1.VerdictFail
	}
	since := last.Time
	for i := len(counted) - 2; i >= 0; i-- {
		if !c.Threshold.Met(counted[i].Value) || since.Sub(counted[i].Time) > c.KPI.StaleAfter {
			break
		}
		since = counted[i].Time
	}
	if last.Time.Sub(since) < c.For {
		return v1alpha1.VerdictWait
	}
	return v1alpha1.VerdictPass
}

// outcomes are mostly good values, so that holds get somewhere.
var outcomes = rapid.SampledFrom([]string{"good", "good", "good", "good", "good", "good", "good", "good", "bad", "missing", "nan", "ambiguous"})

// answer is what the source says of the site at a moment.
func answer(kind string) (gate.Outcome, float64) {
	switch kind {
	case "good":
		return gate.OutcomeValue, 90
	case "bad":
		return gate.OutcomeValue, 70
	case "missing":
		return gate.OutcomeMissing, 0
	case "nan":
		return gate.OutcomeNotANumber, 0
	case "failed":
		return gate.OutcomeFailed, 0
	}
	return gate.OutcomeAmbiguous, 0
}

func drawCriterion(t *rapid.T) gate.Criterion {
	kpi := adoption
	kpi.Window = time.Duration(rapid.SampledFrom([]int{0, 0, 7, 20}).Draw(t, "window")) * time.Minute
	c, err := gate.ParseThreshold(v1alpha1.Criterion{AtLeast: number("80")})
	if err != nil {
		t.Fatal(err)
	}
	return required("c", kpi, c, time.Duration(rapid.SampledFrom([]int{0, 5, 10, 25, 40}).Draw(t, "for"))*time.Minute)
}

func ask(c gate.Criterion, e gate.Evidence, holds map[string]gate.Hold, notBefore, now time.Time) gate.Judgement {
	g := gate.Gate{Name: "g", Generation: 1, Criteria: []gate.Criterion{c}}
	return gate.Judge(gate.Question{Gate: g, Holds: holds, Facts: facts(e, notBefore, now)})
}

func TestTheVerdictFollowsFromTheHistoryHoweverOftenItWasAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCriterion(t)
		var notBefore time.Time
		if rapid.Bool().Draw(t, "attempt") {
			notBefore = at(rapid.IntRange(-30, 60).Draw(t, "notBefore"))
		}
		var e gate.Evidence
		var always, seldom map[string]gate.Hold
		now := monday
		for range rapid.IntRange(1, 30).Draw(t, "measurements") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{5, 5, 5, 5, 15, 16, 35}).Draw(t, "gap")) * time.Minute)
			outcome, value := answer(outcomes.Draw(t, "outcome"))
			e.Latest, e.LatestAt = outcome, now
			if outcome == gate.OutcomeValue {
				e.Samples = append(e.Samples, gate.Sample{Value: value, Time: now})
			}
			late := now.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 4, 15, 16}).Draw(t, "late")) * time.Minute)
			want := earned(c, e.Samples, outcome, notBefore, late)
			first := ask(c, e, always, notBefore, late)
			always = first.Holds()
			fresh := ask(c, e, nil, notBefore, late)
			got := []v1alpha1.Verdict{first.Verdict, fresh.Verdict}
			if rapid.Bool().Draw(t, "asked") {
				batched := ask(c, e, seldom, notBefore, late)
				seldom = batched.Holds()
				got = append(got, batched.Verdict)
			}
			for i, verdict := range got {
				if verdict != want {
					t.Fatalf("at %v asker %d gets %s, the history says %s: %+v", late, i, verdict, want, first.Criteria[0])
				}
			}
		}
	})
}

// operator measures a site every 5 minutes and judges it, as the controllers do, and can be stopped and started.
type operator struct {
	criterion gate.Criterion
	notBefore time.Time
	// truth is what the source says about a tick, whenever it is asked, unless it lost what happened then.
	truth func(tick int) string
	lost  map[int]bool
	// what a stop destroys
	evidence gate.Evidence
	holds    map[string]gate.Hold
	answered bool
	resumed  bool
	// what outlives a stop: the status of the site, and when the KPI was measured last, now and when the process started
	report              *v1alpha1.GateReport
	measured, inherited gate.Measured
	// raw is all that was ever measured of this generation of the KPI, by tick.
	raw map[int]gate.Sample
}

func (o *operator) history() []gate.Sample {
	var history []gate.Sample
	for tick := -200; tick < 400; tick++ {
		if s, ok := o.raw[tick]; ok {
			history = append(history, s)
		}
	}
	return history
}

func (o *operator) stop() {
	o.evidence, o.holds, o.answered, o.resumed, o.inherited = gate.Evidence{}, nil, false, false, o.measured
}

func (o *operator) take(tick int) gate.Outcome {
	if o.lost[tick] {
		return gate.OutcomeFailed
	}
	outcome, value := answer(o.truth(tick))
	if outcome == gate.OutcomeValue {
		s := gate.Sample{Value: value, Time: at(5 * tick)}
		o.raw[tick] = s
		o.evidence.Samples = append(o.evidence.Samples, s)
	}
	return outcome
}

// measure asks the source at a tick, and first about the ticks before a stop that may not have been judged, unless the stop was too long.
func (o *operator) measure(tick int, fails bool) {
	o.evidence.Latest, o.evidence.LatestAt = gate.OutcomeFailed, at(5*tick)
	if fails {
		o.lost[tick] = true
		return
	}
	if !o.answered && !o.inherited.Last.IsZero() && at(5*tick).Sub(o.inherited.Last) <= o.criterion.KPI.StaleAfter {
		for past := -3; past <= 0; past++ {
			o.take(int(o.inherited.Last.Sub(monday)/(5*time.Minute)) + past)
		}
	}
	if o.measured.Last.IsZero() || at(5*tick).Sub(o.measured.Last) > o.criterion.KPI.StaleAfter {
		o.measured.Since = at(5 * tick)
	}
	o.answered, o.measured.Last = true, at(5*tick)
	o.evidence.Latest = o.take(tick)
}

// judge resumes the holds when it must, and writes the status when it says something new or when it happens to be paid for.
func (o *operator) judge(now time.Time, refresh bool) gate.Judgement {
	g := gate.Gate{Name: "g", Generation: 1, Criteria: []gate.Criterion{o.criterion}}
	if !o.resumed {
		o.holds, o.resumed = gate.Resume(o.report, g, func(gate.KPI) gate.Measured { return o.inherited }), true
	}
	judged := ask(o.criterion, o.evidence, o.holds, o.notBefore, now)
	o.holds = judged.Holds()
	report := judged.Report(g, v1alpha1.GateRoleExit)
	if o.report == nil || refresh || !cmp.Equal(withoutNumbers(o.report), withoutNumbers(report)) {
		o.report = report
	}
	return judged
}

func withoutNumbers(r *v1alpha1.GateReport) *v1alpha1.GateReport {
	bare := r.DeepCopy()
	for i := range bare.Criteria {
		bare.Criteria[i] = gate.WithoutNumbers(bare.Criteria[i])
	}
	return bare
}

func drawTruth(t *rapid.T) func(int) string {
	known := map[int]string{}
	return func(tick int) string {
		if known[tick] == "" {
			known[tick] = outcomes.Draw(t, "truth")
		}
		return known[tick]
	}
}

func TestNothingPassesThatTheHistoryHasNotEarnedWhateverIsStoppedFailsOrIsEdited(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := &operator{criterion: drawCriterion(t), truth: drawTruth(t), raw: map[int]gate.Sample{}, lost: map[int]bool{}}
		tick := 0
		for range rapid.IntRange(5, 60).Draw(t, "events") {
			tick++
			event := rapid.SampledFrom([]string{"", "", "", "", "", "", "", "fails", "stop", "stop unjudged", "edit KPI", "attempt"}).Draw(t, "event")
			switch event {
			case "edit KPI":
				// The series starts anew. Holds stay as they are: it is the judge who must not believe them.
				o.criterion.KPI.Revision += "+"
				o.evidence, o.raw = gate.Evidence{}, map[int]gate.Sample{}
				o.measured, o.inherited, o.answered = gate.Measured{}, gate.Measured{}, false
			case "attempt":
				o.notBefore = at(5*tick - 2)
			}
			o.measure(tick, event == "fails")
			if event != "stop unjudged" {
				now := at(5 * tick).Add(time.Second)
				judged := o.judge(now, rapid.Bool().Draw(t, "refresh"))
				want := earned(o.criterion, o.history(), o.evidence.Latest, o.notBefore, now)
				if judged.Verdict != want && judged.Verdict != v1alpha1.VerdictWait {
					t.Fatalf("tick %d: verdict %s, the history earns %s: %+v", tick, judged.Verdict, want, judged.Criteria[0])
				}
			}
			if event == "stop" || event == "stop unjudged" {
				o.stop()
				for range rapid.IntRange(0, 8).Draw(t, "down") {
					tick++
					o.lost[tick] = true
				}
			}
		}
	})
}

func TestAStopThatIsShorterThanStaleAfterChangesNothingAndALongerOneRestartsTheHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		truth, criterion := drawTruth(t), drawCriterion(t)
		stopped := &operator{criterion: criterion, truth: truth, raw: map[int]gate.Sample{}}
		twin := &operator{criterion: criterion, truth: truth, raw: map[int]gate.Sample{}}
		before := rapid.IntRange(4, 25).Draw(t, "before")
		down := rapid.IntRange(1, 6).Draw(t, "down")
		unjudged := rapid.IntRange(0, 2).Draw(t, "unjudged")
		stopped.notBefore = at(rapid.IntRange(-300, 60).Draw(t, "notBefore"))
		twin.notBefore = stopped.notBefore
		for tick := 1; tick <= before; tick++ {
			twin.measure(tick, false)
			twin.judge(at(5*tick), false)
			stopped.measure(tick, false)
			if tick <= before-unjudged {
				stopped.judge(at(5*tick), rapid.Bool().Draw(t, "refresh"))
			}
		}
		stopped.stop()
		first := before + down
		for tick := first; tick < first+12; tick++ {
			stopped.measure(tick, false)
			got := stopped.judge(at(5*tick), false)
			if down > 3 { // longer than staleAfter
				c := got.Criteria[0]
				if (c.Reason == v1alpha1.ReasonMet || c.Reason == v1alpha1.ReasonHolding) && c.Hold.Since.Before(at(5*first)) {
					t.Fatalf("tick %d: met since before the operator was back: %+v", tick, c)
				}
				continue
			}
			twin.measure(tick, false)
			want := twin.judge(at(5*tick), false)
			if got.Verdict != want.Verdict || got.Criteria[0].Reason != want.Criteria[0].Reason {
				t.Fatalf("tick %d: after a short stop %+v, without it %+v", tick, got.Criteria[0], want.Criteria[0])
			}
		}
	})
}
