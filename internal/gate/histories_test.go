package gate_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

// These properties hold for as many histories as one has patience for: go test ./internal/gate -run Generated -rapid.checks=100000

// edit changes the objects or the process in the middle of a history.
func (p *process) edit(event string, tick int) {
	switch event {
	case "edit KPI":
		p.own.Revision += "+"
		for i := range p.gate.Criteria {
			p.gate.Criteria[i].KPI = p.own
		}
		p.measured["own"] = gate.Measured{}
	case "attempt":
		p.notBefore = at(5*tick - 2)
	case "rename":
		p.rename("berlin", "DE-2")
	case "rename back":
		p.rename("berlin", "DE-1")
	case "rename control":
		p.rename(peerName(tick%4), "elsewhere")
	case "rename control back":
		p.rename(peerName(tick%4), peerName(tick%4))
	case "begin":
		p.begun[peerName(tick%4)] = at(5 * tick)
	case "baseline of another KPI":
		p.baseline.KPIRevision = "other"
	}
}

// agrees fails when something was decided that the history has not earned. To wait is always right after a stop, a failure or an edit, and a bad value need not be an
// exception of a run that was forgotten.
func agrees(t *rapid.T, p *process, judged gate.Judgement, now time.Time) {
	o := p.oracle(now)
	forgotten := o.all(p.gate, true)
	o.forgetful = true
	earned := o.all(p.gate, false)
	for _, c := range judged.Criteria {
		name := c.Criterion.Name
		if want := earned[name]; c.Verdict != want && c.Verdict != wait && (c.Verdict == pass || forgotten[name] != fail) {
			t.Fatalf("%v: criterion %+v is judged %s (%s: %s), the history earns %s", now, c.Criterion, c.Verdict, c.Reason, c.Message, want)
		}
	}
	if want := whole(p.gate, earned); judged.Verdict != want && judged.Verdict != wait && (judged.Verdict == pass || whole(p.gate, forgotten) != fail) {
		t.Fatalf("%v: the gate is judged %s, the history earns %s: %v", now, judged.Verdict, want, judged.Because())
	}
}

func TestGeneratedHistoriesNothingIsDecidedThatTheyHaveNotEarned(t *testing.T) {
	events := []string{"", "", "", "", "", "", "", "", "", "", "", "own fails", "other fails", "stop", "stop", "stop unjudged", "edit KPI", "attempt", "rename", "rename back",
		"rename control", "rename control back", "begin", "baseline of another KPI"}
	rapid.Check(t, func(t *rapid.T) {
		p := newProcess(t, &truth{t: t, outcome: map[string]string{}})
		if rapid.Bool().Draw(t, "in an attempt") {
			p.notBefore = at(rapid.IntRange(-30, 40).Draw(t, "notBefore"))
		}
		if p.alone() {
			// What the source tells later of a moment at which it failed counts too. What a value was to be compared with then may not be measured again, so nobody can say what
			// such a value is worth beside a reference or a control group.
			p.remembers = rapid.Bool().Draw(t, "remembers")
		}
		tick := 0
		for range rapid.IntRange(4, 30).Draw(t, "events") {
			tick++
			event := rapid.SampledFrom(events).Draw(t, "event")
			p.edit(event, tick)
			p.measure(p.own, tick, event == "own fails")
			if event != "stop unjudged" {
				now := p.moment(p.own, tick).Add(time.Second)
				agrees(t, p, p.judge(now, event == ""), now)
			}
			if rapid.IntRange(0, 5).Draw(t, "other") > 0 {
				p.measure(p.other, tick, event == "other fails")
				now := p.moment(p.other, tick).Add(time.Second)
				agrees(t, p, p.judge(now, false), now)
			} else {
				p.lost[fmt.Sprint("other", tick)] = true
			}
			if event == "stop" || event == "stop unjudged" {
				p.stop()
				for range rapid.IntRange(0, 6).Draw(t, "down") {
					tick++
					p.lost[fmt.Sprint("own", tick)], p.lost[fmt.Sprint("other", tick)] = true, true
				}
			}
		}
	})
}

// arrival is one measurement that comes in.
type arrival struct {
	kpi  gate.KPI
	tick int
}

// merge puts two series together in an order in which the second one may be late by up to three measurements, or early.
func merge(t *rapid.T, p *process, ticks int) []arrival {
	var all []arrival
	own, other := 1, 1
	for own <= ticks || other <= ticks {
		ahead := own > ticks || (other <= ticks && (own-other >= 3 || (own >= other && rapid.Bool().Draw(t, "other first"))))
		if ahead {
			all, other = append(all, arrival{p.other, other}), other+1
		} else {
			all, own = append(all, arrival{p.own, own}), own+1
		}
	}
	return all
}

func TestGeneratedHistoriesAreJudgedAlikeInWhateverOrderTheyArrive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := &truth{t: t, outcome: map[string]string{}}
		p := newProcess(t, u)
		p.notBefore = at(rapid.SampledFrom([]int{-300, -10, 6, 20}).Draw(t, "notBefore"))
		ticks := rapid.IntRange(1, 25).Draw(t, "ticks")
		end := p.moment(p.other, ticks).Add(time.Second)
		last := func(order []arrival, always bool) gate.Judgement {
			p.stop()
			p.report, p.measured, p.ledger = nil, map[string]gate.Measured{}, &ledger{values: map[string][]raw{}, latest: map[string]gate.Outcome{}}
			now := monday
			for _, next := range order {
				p.measure(next.kpi, next.tick, false)
				if moment := p.moment(next.kpi, next.tick); moment.After(now) {
					now = moment
				}
				if always || rapid.Bool().Draw(t, "asked") {
					if judged := p.judge(now, false); !always {
						agrees(t, p, judged, now)
					}
				}
			}
			return p.judge(end, false)
		}
		var inTime []arrival
		for tick := 1; tick <= ticks; tick++ {
			inTime = append(inTime, arrival{p.own, tick}, arrival{p.other, tick})
		}
		want := last(inTime, true)
		got := last(merge(t, p, ticks), false)
		earned := p.oracle(end).all(p.gate, false)
		for i, c := range want.Criteria {
			if other := got.Criteria[i]; c.Verdict != other.Verdict || c.Reason != other.Reason || c.Message != other.Message || !reflect.DeepEqual(c.Hold, other.Hold) {
				t.Fatalf("in the order of time %+v\nin another %+v", c, other)
			}
			if c.Verdict != earned[c.Criterion.Name] {
				t.Fatalf("%s (%s: %s), the history earns %s", c.Verdict, c.Reason, c.Message, earned[c.Criterion.Name])
			}
		}
		if is := whole(p.gate, earned); want.Verdict != is || got.Verdict != is {
			t.Fatalf("%s in the order of time and %s in another, the history earns %s: %v", want.Verdict, got.Verdict, is, want.Because())
		}
	})
}

// silent reports whether there is no value that counts: what is too old to count may also be forgotten.
func silent(reason string) bool {
	return reason == v1alpha1.ReasonStale || reason == v1alpha1.ReasonSampleMissing
}

func TestGeneratedHistoriesAreNotChangedByAShortStop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := &truth{t: t, outcome: map[string]string{}}
		twin := newProcess(t, u)
		twin.notBefore = at(rapid.SampledFrom([]int{-300, -10, 6, 20}).Draw(t, "notBefore"))
		if rapid.IntRange(0, 3).Draw(t, "begins") == 0 {
			twin.begun[peerName(1)] = monday.Add(-24 * time.Hour)
		}
		copied := *twin
		stopped := &copied
		stopped.stop()
		stopped.measured, stopped.ledger = map[string]gate.Measured{}, &ledger{values: map[string][]raw{}, latest: map[string]gate.Outcome{}}
		before, down := rapid.IntRange(4, 25).Draw(t, "before"), rapid.IntRange(1, 3).Draw(t, "down")
		unjudged, half := rapid.IntRange(0, 3).Draw(t, "unjudged"), rapid.Bool().Draw(t, "stops between two measurements")
		if half {
			down = min(down, 2) // the reference was measured last one tick earlier, so the stop is longer for it
		}
		measures := func(p *process, tick int, other, judged, refresh bool) (last gate.Judgement) {
			p.measure(p.own, tick, false)
			if judged {
				last = p.judge(p.moment(p.own, tick), refresh)
			}
			if other {
				p.measure(p.other, tick, false)
				if judged {
					last = p.judge(p.moment(p.other, tick), false)
				}
			}
			return last
		}
		for tick := 1; tick <= before; tick++ {
			measures(twin, tick, tick < before || !half, true, false)
			measures(stopped, tick, tick < before || !half, tick <= before-unjudged, rapid.Bool().Draw(t, "refresh"))
		}
		stopped.stop()
		for tick := before + down; tick < before+down+10; tick++ {
			want, got := measures(twin, tick, true, true, false), measures(stopped, tick, true, true, false)
			for i, c := range want.Criteria {
				other := got.Criteria[i]
				if c.Verdict != other.Verdict || (c.Reason != other.Reason && (!silent(c.Reason) || !silent(other.Reason))) || (c.Verdict != wait && c.Message != other.Message) {
					t.Fatalf("tick %d: without a stop %s (%s: %s, %+v)\nafter a short one %s (%s: %s, %+v)", tick, c.Verdict, c.Reason, c.Message, c.Hold,
						other.Verdict, other.Reason, other.Message, other.Hold)
				}
			}
			if want.Verdict != got.Verdict {
				t.Fatalf("tick %d: without a stop %s, after a short one %s", tick, want.Verdict, got.Verdict)
			}
		}
	})
}

// The histories are worth nothing when they never get anywhere, so all verdicts must come up for every comparison.
func TestGeneratedHistoriesReachEveryVerdict(t *testing.T) {
	seen := map[string]bool{}
	for seed := range 400 {
		p := rapid.Custom(func(t *rapid.T) map[string]bool {
			found := map[string]bool{}
			p := newProcess(t, &truth{t: t, outcome: map[string]string{}})
			for tick := 1; tick <= 15; tick++ {
				p.measure(p.own, tick, false)
				p.measure(p.other, tick, false)
				for _, c := range p.judge(p.moment(p.other, tick), false).Criteria {
					found[fmt.Sprintf("%T %t %s", c.Criterion.Comparison, c.Criterion.Importance == v1alpha1.ImportanceGuardrail, c.Verdict)] = true
				}
			}
			return found
		}).Example(seed)
		for name := range p {
			seen[name] = true
		}
	}
	for _, comparison := range []gate.Comparison{gate.AgainstNothing{}, gate.AgainstBaseline{}, gate.AgainstControl{}, gate.AgainstReference{}} {
		for _, guardrail := range []bool{false, true} {
			for _, verdict := range []v1alpha1.Verdict{pass, fail, wait} {
				if name := fmt.Sprintf("%T %t %s", comparison, guardrail, verdict); !seen[name] {
					t.Errorf("no history leads to %s", name)
				}
			}
		}
	}
}
