package gate_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

// monday is the beginning of time in these tests.
var monday = time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)

// at is a moment so many minutes after monday.
func at(minutes int) time.Time { return monday.Add(time.Duration(minutes) * time.Minute) }

// adoption is measured every 5 minutes and stale after 15.
var adoption = gate.KPI{Name: "adoption", Revision: "r3", Unit: "%", Interval: 5 * time.Minute, StaleAfter: 15 * time.Minute}

// proof is what a hold of adoption, at least 80, proves.
var proof = gate.Proof{Revision: "r3", Threshold: "at least 80"}

// windowed is adoption with a window of an hour.
func windowed() gate.KPI {
	k := adoption
	k.Window = time.Hour
	return k
}

func threshold(t testing.TB, c v1alpha1.Criterion) gate.Threshold {
	t.Helper()
	parsed, err := gate.ParseThreshold(c)
	if err != nil {
		t.Fatalf("parse threshold: %v", err)
	}
	return parsed
}

func number(d v1alpha1.Threshold) *v1alpha1.Threshold { return &d }

func atLeast(t testing.TB, d v1alpha1.Threshold) gate.Threshold {
	t.Helper()
	return threshold(t, v1alpha1.Criterion{AtLeast: number(d)})
}

// measured is the evidence of values measured every 5 minutes from monday on, the last of them just now.
func measured(values ...float64) gate.Evidence {
	e := gate.Evidence{Latest: gate.OutcomeValue}
	for i, v := range values {
		e.Samples = append(e.Samples, gate.Sample{Value: v, Time: at(5 * i)})
		e.LatestAt = at(5 * i)
	}
	return e
}

// facts are about one site whose every KPI has the same evidence.
func facts(e gate.Evidence, notBefore, now time.Time) gate.Facts {
	return gate.Facts{Evidence: func(gate.KPI) gate.Evidence { return e }, NotBefore: notBefore, Now: now}
}

// required is a criterion about the value of a KPI itself.
func required(name string, kpi gate.KPI, threshold gate.Threshold, hold time.Duration) gate.Criterion {
	return gate.Criterion{Name: name, KPI: kpi, Comparison: gate.AgainstNothing{}, Threshold: threshold, For: hold, Importance: v1alpha1.ImportanceRequired}
}

// then is evidence whose latest measurement, so many minutes after monday, brought no value.
func then(e gate.Evidence, outcome gate.Outcome, minutes int, detail string) gate.Evidence {
	e.Latest, e.LatestAt, e.Detail = outcome, at(minutes), detail
	return e
}

func TestACriterionIsJudgedOnFreshEvidenceOfThisAttemptOnly(t *testing.T) {
	good := measured(90)
	for name, tc := range map[string]struct {
		kpi       gate.KPI
		hold      time.Duration
		holds     map[string]gate.Hold
		evidence  gate.Evidence
		notBefore time.Time
		now       time.Time
		verdict   v1alpha1.Verdict
		reason    string
		message   string
	}{
		"a fresh value that meets the threshold passes": {
			evidence: good, now: at(1), verdict: v1alpha1.VerdictPass, reason: v1alpha1.ReasonMet,
			message: "adoption is 90 %, at least 80 since 2026-03-02T08:00:00Z"},
		"a fresh value that misses the threshold fails": {
			evidence: measured(79.5), now: at(1), verdict: v1alpha1.VerdictFail, reason: v1alpha1.ReasonNotMet,
			message: "adoption is 79.5 %, must be at least 80 (measured 2026-03-02T08:00:00Z)"},
		"a miss that rounding would hide is told exactly": {
			evidence: measured(79.99999999), now: at(1), verdict: v1alpha1.VerdictFail, reason: v1alpha1.ReasonNotMet,
			message: "adoption is 79.99999999 %, must be at least 80 (measured 2026-03-02T08:00:00Z)"},
		"a KPI that was never measured waits": {
			now: at(1), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonSampleMissing, message: "adoption has not been measured yet"},
		"a site without a value waits": {
			evidence: then(good, gate.OutcomeMissing, 5, ""), now: at(6), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonSampleMissing,
			message: "adoption had no value for this site at 2026-03-02T08:05:00Z"},
		"NaN waits, whatever was measured before": {
			evidence: then(good, gate.OutcomeNotANumber, 5, ""), now: at(6), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonNotANumber,
			message: "adoption was not a finite number at 2026-03-02T08:05:00Z"},
		"two values for one site wait": {
			evidence: then(good, gate.OutcomeAmbiguous, 5, ""), now: at(6), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonAmbiguous,
			message: "adoption had more than one value for this site at 2026-03-02T08:05:00Z; its query must give one"},
		"a failed source waits and is quoted": {
			evidence: then(good, gate.OutcomeFailed, 5, "connection refused"), now: at(6), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonSourceFailed,
			message: "adoption could not be measured at 2026-03-02T08:05:00Z: connection refused"},
		"a value as old as staleAfter still counts": {
			evidence: good, now: at(15), verdict: v1alpha1.VerdictPass, reason: v1alpha1.ReasonMet,
			message: "adoption is 90 %, at least 80 since 2026-03-02T08:00:00Z"},
		"a value older than staleAfter waits": {
			evidence: good, now: at(15).Add(time.Second), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonStale,
			message: "the latest value of adoption is from 2026-03-02T08:00:00Z, older than 15m"},
		"a bad value that is stale does not fail either": {
			evidence: measured(10), now: at(16), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonStale,
			message: "the latest value of adoption is from 2026-03-02T08:00:00Z, older than 15m"},
		"a source that answers with an old value is stale too": {
			evidence: then(good, gate.OutcomeValue, 20, ""), now: at(20), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonStale,
			message: "the latest value of adoption is from 2026-03-02T08:00:00Z, older than 15m"},
		"a value from before the attempt is too early": {
			evidence: good, notBefore: at(2), now: at(3), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonEvidenceTooEarly,
			message: "adoption has no value from within this attempt yet; the first one that counts ends after 2026-03-02T08:02:00Z"},
		"a value of the second in which the attempt began is too early": {
			evidence: good, notBefore: monday, now: at(1), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonEvidenceTooEarly,
			message: "adoption has no value from within this attempt yet; the first one that counts ends after 2026-03-02T08:00:00Z"},
		"a window that reaches back before the attempt is too early": {
			kpi: windowed(), evidence: good, notBefore: at(-60), now: at(1), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonEvidenceTooEarly,
			message: "adoption has no value from within this attempt yet; the first one that counts ends after 2026-03-02T08:00:00Z"},
		"a window that begins after the attempt counts": {
			kpi: windowed(), evidence: good, notBefore: at(-60).Add(-time.Second), now: at(1), verdict: v1alpha1.VerdictPass, reason: v1alpha1.ReasonMet,
			message: "adoption is 90 %, at least 80 since 2026-03-02T08:00:00Z"},
		"a hold that has not lasted long enough waits and says until when": {
			hold: 10 * time.Minute, evidence: measured(90, 91), now: at(9), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonHolding,
			message: "adoption is 91 %, at least 80 since 2026-03-02T08:00:00Z; passes when that has held for 10m, not before 2026-03-02T08:10:00Z"},
		"time that passes without a value does not fill a hold": {
			hold: 10 * time.Minute, evidence: measured(90, 91), now: at(15), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonHolding,
			message: "adoption is 91 %, at least 80 since 2026-03-02T08:00:00Z; passes when that has held for 10m, not before 2026-03-02T08:10:00Z"},
		"a hold that has lasted exactly long enough passes": {
			hold: 10 * time.Minute, evidence: measured(90, 91, 92), now: at(10), verdict: v1alpha1.VerdictPass, reason: v1alpha1.ReasonMet,
			message: "adoption is 92 %, at least 80 since 2026-03-02T08:00:00Z"},
		"a bad value in the middle begins the hold anew": {
			hold: 10 * time.Minute, evidence: measured(90, 79, 92, 93), now: at(15), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonHolding,
			message: "adoption is 93 %, at least 80 since 2026-03-02T08:10:00Z; passes when that has held for 10m, not before 2026-03-02T08:20:00Z"},
		"a hold does not reach back before the attempt": {
			hold: 10 * time.Minute, evidence: measured(90, 91, 92), notBefore: at(1), now: at(10), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonHolding,
			message: "adoption is 92 %, at least 80 since 2026-03-02T08:05:00Z; passes when that has held for 10m, not before 2026-03-02T08:15:00Z"},
		"a remembered run of another attempt proves nothing": {
			hold: 10 * time.Minute, holds: map[string]gate.Hold{"c": {Of: proof, Since: at(-30), SeenThrough: at(-2)}},
			evidence: measured(90), notBefore: at(-1), now: at(1), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonHolding,
			message: "adoption is 90 %, at least 80 since 2026-03-02T08:00:00Z; passes when that has held for 10m, not before 2026-03-02T08:10:00Z"},
		"a remembered run of another revision of the KPI proves nothing": {
			hold: 10 * time.Minute, holds: map[string]gate.Hold{"c": {Of: gate.Proof{Revision: "r2", Threshold: "at least 80"}, Since: at(-30), SeenThrough: at(-2)}},
			evidence: measured(90), now: at(1), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonHolding,
			message: "adoption is 90 %, at least 80 since 2026-03-02T08:00:00Z; passes when that has held for 10m, not before 2026-03-02T08:10:00Z"},
		"a remembered run over another threshold proves nothing": {
			hold: 10 * time.Minute, holds: map[string]gate.Hold{"c": {Of: gate.Proof{Revision: "r3", Threshold: "at least 60"}, Since: at(-30), SeenThrough: at(-2)}},
			evidence: measured(90), now: at(1), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonHolding,
			message: "adoption is 90 %, at least 80 since 2026-03-02T08:00:00Z; passes when that has held for 10m, not before 2026-03-02T08:10:00Z"},
		"a run seen by a clock that was a little ahead goes on": {
			hold: 10 * time.Minute, holds: map[string]gate.Hold{"c": {Of: proof, Since: at(-30), SeenThrough: at(9)}},
			evidence: measured(90), now: at(0), verdict: v1alpha1.VerdictPass, reason: v1alpha1.ReasonMet,
			message: "adoption is 90 %, at least 80 since 2026-03-02T07:30:00Z"},
		"a run seen by a clock that was far ahead proves nothing": {
			hold: 10 * time.Minute, holds: map[string]gate.Hold{"c": {Of: proof, Since: at(-30), SeenThrough: at(60)}},
			evidence: measured(90), now: at(1), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonHolding,
			message: "adoption is 90 %, at least 80 since 2026-03-02T08:00:00Z; passes when that has held for 10m, not before 2026-03-02T08:10:00Z"},
		"a value of a time that has not come yet is not believed": {
			evidence: measured(90), now: at(-20), verdict: v1alpha1.VerdictWait, reason: v1alpha1.ReasonStale,
			message: "the latest value of adoption is from 2026-03-02T08:00:00Z, which has not come yet: the clock was set back"},
		"a remembered run goes on": {
			hold: 10 * time.Minute, holds: map[string]gate.Hold{"c": {Of: proof, Since: at(-30), SeenThrough: at(-2)}},
			evidence: measured(90), now: at(1), verdict: v1alpha1.VerdictPass, reason: v1alpha1.ReasonMet,
			message: "adoption is 90 %, at least 80 since 2026-03-02T07:30:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			kpi := tc.kpi
			if kpi.Name == "" {
				kpi = adoption
			}
			g := gate.Gate{Name: "g", Criteria: []gate.Criterion{required("c", kpi, atLeast(t, "80"), tc.hold)}}
			got := gate.Judge(gate.Question{Gate: g, Holds: tc.holds, Facts: facts(tc.evidence, tc.notBefore, tc.now)})
			c := got.Criteria[0]
			want := []string{string(tc.verdict), string(tc.verdict), tc.reason, tc.message}
			if diff := cmp.Diff(want, []string{string(got.Verdict), string(c.Verdict), c.Reason, c.Message}); diff != "" {
				t.Errorf("judgement (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAHoldBreaksAtAGapLongerThanStaleAfter(t *testing.T) {
	for name, tc := range map[string]struct {
		minutes []int
		dropped time.Time
		since   time.Time
	}{
		"values closer than staleAfter are one run":             {minutes: []int{0, 14, 28}, since: at(0)},
		"a gap of exactly staleAfter is none":                   {minutes: []int{0, 15, 30}, since: at(0)},
		"a gap of a minute more begins the run anew":            {minutes: []int{0, 16, 30}, since: at(16)},
		"values that were dropped unseen begin the run anew":    {minutes: []int{20, 25}, dropped: at(15), since: at(20)},
		"values that were dropped after they were seen do not":  {minutes: []int{0, 5, 10}, dropped: at(-5), since: at(-30)},
		"a value that was seen before is not looked at again":   {minutes: []int{-5, 5}, since: at(-30)},
		"a gap after the remembered run begins the run anew":    {minutes: []int{15}, since: at(15)},
		"a remembered run and a value soon after it are one":    {minutes: []int{10}, since: at(-30)},
		"a run without values for twice staleAfter is not told": {minutes: nil, since: time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			e := gate.Evidence{Latest: gate.OutcomeValue, DroppedThrough: tc.dropped, LatestAt: at(30)}
			for _, m := range tc.minutes {
				e.Samples = append(e.Samples, gate.Sample{Value: 90, Time: at(m)})
			}
			holds := map[string]gate.Hold{}
			if tc.since.Equal(at(-30)) || len(tc.minutes) < 2 {
				holds["c"] = gate.Hold{Of: proof, Since: at(-30), SeenThrough: at(-4)}
			}
			g := gate.Gate{Criteria: []gate.Criterion{required("c", adoption, atLeast(t, "80"), 0)}}
			got := gate.Judge(gate.Question{Gate: g, Holds: holds, Facts: facts(e, time.Time{}, at(30))})
			if since := got.Holds()["c"].Since; !since.Equal(tc.since) {
				t.Errorf("met since %v, want %v", since, tc.since)
			}
		})
	}
}

func TestAValueThatIsTakenBackTakesTheRunWithIt(t *testing.T) {
	g := gate.Gate{Criteria: []gate.Criterion{required("c", adoption, atLeast(t, "80"), time.Hour)}}
	e := gate.Evidence{Latest: gate.OutcomeValue, LatestAt: at(10), Samples: []gate.Sample{{Value: 90, Time: at(0)}}, DroppedThrough: at(5)}
	holds := map[string]gate.Hold{"c": {Of: proof, Since: at(-55), SeenThrough: at(5)}}
	got := gate.Judge(gate.Question{Gate: g, Holds: holds, Facts: facts(e, time.Time{}, at(10))}).Holds()["c"]
	if diff := cmp.Diff(gate.Hold{Of: proof, Since: at(0), SeenThrough: at(0)}, got); diff != "" {
		t.Errorf("hold (-want +got):\n%s", diff)
	}
}

func TestAGateIsAsGoodAsItsWorstCriterion(t *testing.T) {
	evidence := map[string]gate.Evidence{"good": measured(90), "bad": measured(10), "silent": {}}
	const pass, fail, wait = v1alpha1.VerdictPass, v1alpha1.VerdictFail, v1alpha1.VerdictWait
	for name, tc := range map[string]struct {
		kpis    []string
		verdict v1alpha1.Verdict
		unmet   []string
	}{
		"all good passes":                         {[]string{"good", "good"}, pass, nil},
		"one silent waits":                        {[]string{"good", "silent"}, wait, []string{"silent"}},
		"one bad fails":                           {[]string{"bad", "good"}, fail, []string{"bad"}},
		"bad and silent fails, in either order":   {[]string{"silent", "bad"}, fail, []string{"silent", "bad"}},
		"bad before silent fails":                 {[]string{"bad", "silent"}, fail, []string{"bad", "silent"}},
		"what has not passed keeps its order":     {[]string{"silent", "good", "bad"}, fail, []string{"silent", "bad"}},
		"two silent wait":                         {[]string{"silent", "silent"}, wait, []string{"silent", "silent"}},
		"a good one after a silent one helps not": {[]string{"silent", "good"}, wait, []string{"silent"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := gate.Gate{}
			for _, kpi := range tc.kpis {
				k := adoption
				k.Name = kpi
				g.Criteria = append(g.Criteria, required(kpi, k, atLeast(t, "80"), 0))
			}
			got := gate.Judge(gate.Question{Gate: g, Facts: gate.Facts{Now: at(1), Evidence: func(kpi gate.KPI) gate.Evidence { return evidence[kpi.Name] }}})
			var unmet []string
			for _, c := range got.Undecided() {
				unmet = append(unmet, c.Criterion.Name)
			}
			if got.Verdict != tc.verdict {
				t.Errorf("verdict %s, want %s", got.Verdict, tc.verdict)
			}
			if diff := cmp.Diff(tc.unmet, unmet); diff != "" {
				t.Errorf("unmet (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheNextSampleComesOneIntervalAfterTheLatestMeasurementWhateverItBrought(t *testing.T) {
	g := gate.Gate{Criteria: []gate.Criterion{required("c", adoption, atLeast(t, "80"), 0)}}
	for name, tc := range map[string]struct {
		evidence gate.Evidence
		want     time.Time
	}{
		"a value":           {measured(90), at(5)},
		"a failure":         {then(measured(90), gate.OutcomeFailed, 5, "down"), at(10)},
		"never measured":    {gate.Evidence{}, time.Time{}},
		"an answer of NaNs": {then(gate.Evidence{}, gate.OutcomeNotANumber, 5, ""), at(10)},
	} {
		t.Run(name, func(t *testing.T) {
			got := gate.Judge(gate.Question{Gate: g, Facts: facts(tc.evidence, time.Time{}, at(6))})
			if next := got.Criteria[0].NextSample; !next.Equal(tc.want) {
				t.Errorf("next sample %v, want %v", next, tc.want)
			}
		})
	}
}

func TestTheRunAgreesWithTheValueThatIsComparedWhateverAnotherClockHadSeen(t *testing.T) {
	g := gate.Gate{Criteria: []gate.Criterion{required("c", adoption, atLeast(t, "80"), 0)}}
	for name, tc := range map[string]struct {
		value float64
		hold  gate.Hold
		since time.Time
	}{
		"a bad value ends a run that was seen further than now":     {70, gate.Hold{Of: proof, Since: at(-30), SeenThrough: at(9)}, time.Time{}},
		"a good value begins a run where none was seen further":     {90, gate.Hold{Of: proof, SeenThrough: at(9)}, at(0)},
		"a good value goes on with a run that was seen further yet": {90, gate.Hold{Of: proof, Since: at(-30), SeenThrough: at(9)}, at(-30)},
	} {
		t.Run(name, func(t *testing.T) {
			got := gate.Judge(gate.Question{Gate: g, Holds: map[string]gate.Hold{"c": tc.hold}, Facts: facts(measured(tc.value), time.Time{}, at(0))})
			if since := got.Holds()["c"].Since; !since.Equal(tc.since) {
				t.Errorf("met since %v, want %v", since, tc.since)
			}
			for _, e := range got.Evidence() {
				if e.MetSince == nil || e.MetSince.IsZero() {
					t.Error("the evidence of a pass does not say since when, which the API server refuses")
				}
			}
		})
	}
}
