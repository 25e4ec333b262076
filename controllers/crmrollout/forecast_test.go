package crmrollout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/plan"
)

func on(day int) *metav1.Time { t := metav1.NewTime(monday.AddDate(0, 0, day)); return &t }

// long is a name as long as names can be.
func long(kind string, n int) string { return strings.Repeat(kind, 61) + fmt.Sprintf("%02d", n) }

// large is a rollout of so many waves and phases, all with long names, planned dates and a full ranking: of the waves, the first have ended, the next run, and the others have not begun.
func large(waves, phases, ended, running int) (snapshot, decision) {
	s := snapshot{now: on(100).Time, rollout: &v1alpha1.CRMRollout{}, existing: map[string]*v1alpha1.SiteRollout{}, rankings: map[string]admit.Ranking{}}
	var d decision
	var done, runs []v1alpha1.PhaseRecord
	for i := range phases {
		s.plan.Phases = append(s.plan.Phases, plan.Phase{Name: long("p", i), Expected: 24 * time.Hour})
		done = append(done, v1alpha1.PhaseRecord{Name: long("p", i), Attempt: 1, StartedAt: *on(i), PassedAt: on(i + 1)})
		runs = append(runs, v1alpha1.PhaseRecord{Name: long("p", i), Attempt: 1, StartedAt: *on(i)})
	}
	for i := range waves {
		name, site := long("w", i), long("s", i)
		s.plan.Waves = append(s.plan.Waves, plan.Wave{Name: name, PlannedStart: on(i).Time, RankBy: []plan.RankKey{{}}})
		d.Waves = append(d.Waves, admit.Wave{Name: name, State: v1alpha1.WaveOpen, OpensAt: on(0).Time, Message: strings.Repeat("m", 250)})
		ranking := admit.Ranking{At: on(0).Time}
		for place := range mostPlaces {
			ranking.Places = append(ranking.Places, admit.Place{Site: long("s", place), Place: int32(place + 1), Because: strings.Repeat("b", v1alpha1.MaxBecause)})
		}
		s.rankings[name] = ranking
		d.sites = append(d.sites, admit.Site{Name: site, Wave: name})
		sr := &v1alpha1.SiteRollout{}
		switch {
		case i < ended:
			sr.Status.Phases = done
		case i < ended+running:
			sr.Status.Phases = runs
		}
		s.existing[site] = sr
	}
	d.Rankings = s.rankings
	d.outlook = foresee(s, d)
	return s, d
}

// told returns for each wave of a forecast how many phases it shows: e for a wave that has ended, r for one that runs, n for one that has not begun.
func told(f *v1alpha1.Forecast) string {
	var waves []string
	for _, w := range f.Waves {
		kind := "r"
		switch {
		case w.End != nil:
			kind = "e"
		case w.Start == nil:
			kind = "n"
		}
		waves = append(waves, fmt.Sprintf("%s%d", kind, len(w.Phases)))
	}
	return strings.Join(waves, " ")
}

// manyRevisions are as many frozen plans as a status shows, with as many differences, which are as long as can be.
func manyRevisions() []v1alpha1.RevisionStatus {
	all := []v1alpha1.RevisionStatus{{Name: "now"}}
	for i := 1; i < mostRevisions; i++ {
		st := v1alpha1.RevisionStatus{Name: fmt.Sprint("plan-", i)}
		for range mostChanges {
			st.Changes = append(st.Changes, strings.Repeat("x", maxChange))
		}
		all = append(all, st)
	}
	return all
}

func TestDifferencesOfTheOldestPlansAreLeftOutFirst(t *testing.T) {
	st := v1alpha1.CRMRolloutStatus{Revisions: manyRevisions(), Mistakes: []string{strings.Repeat("m", 20<<10)}}
	fit(&st)
	if size(st) > maxStatus {
		t.Errorf("%d bytes", size(st))
	}
	var shown []int
	for _, r := range st.Revisions {
		shown = append(shown, len(r.Changes))
	}
	if diff := cmp.Diff([]int{0, 10, 10, 10, 10, 10, 10, 10, 1, 1}, shown); diff != "" {
		t.Errorf("differences of each plan (-want +got):\n%s", diff)
	}
}

func TestTheLargestStatusStaysSmall(t *testing.T) {
	for name, tc := range map[string]struct {
		waves, phases, ended, running int
		want                          string
	}{
		"a usual programme shows everything":                 {4, 7, 1, 1, "e7 r7 n7 n7"},
		"phases of waves that have ended are left out first": {8, 16, 4, 4, "e0 e0 e0 e16 r16 r16 r16 r16"},
		"then those of waves that have not begun":            {12, 16, 2, 2, "e0 e0 r16 r16 n16 n16 n16 n0 n0 n0 n0 n0"},
		"as many waves and phases as there can be":           {32, 16, 2, 2, "e0 e0 r16 r0" + strings.Repeat(" n0", 28)},
		"all of them run":                                    {32, 16, 0, 32, "r0" + strings.Repeat(" r0", 31)},
	} {
		t.Run(name, func(t *testing.T) {
			s, d := large(tc.waves, tc.phases, tc.ended, tc.running)
			st := v1alpha1.CRMRolloutStatus{Waves: waveStatuses(s, d, count(s, d), nil), Forecast: d.outlook.forecast}
			if name == "all of them run" { // and were told many plans
				st.Revisions = manyRevisions()
			}
			whole := size(st)
			fit(&st)
			if got := size(st); got > 64<<10 {
				t.Errorf("%d bytes, and %d bytes before", got, whole)
			}
			if diff := cmp.Diff(tc.want, told(st.Forecast)); diff != "" {
				t.Errorf("what is shown (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyADelayIsWorthAWrite(t *testing.T) {
	running := story("hq", "new")
	running.Status.State, running.Status.Phases[0].PassedAt = v1alpha1.SiteProving, nil
	r, c := programme(t, interceptor.Funcs{}, running)
	var rollout v1alpha1.CRMRollout
	get := func(o client.Object, name string) {
		t.Helper()
		if err := c.Get(t.Context(), types.NamespacedName{Namespace: "crm", Name: name}, o); err != nil {
			t.Fatal(err)
		}
	}
	var phase v1alpha1.RolloutPhase
	get(&phase, "migrate")
	phase.Spec.Expected = "1d"
	if err := c.Update(t.Context(), &phase); err != nil {
		t.Fatal(err)
	}
	get(&rollout, "r")
	rollout.Spec.Waves[0].PlannedStart, rollout.Spec.Waves[1].PlannedEnd = on(0), on(4)
	if err := c.Update(t.Context(), &rollout); err != nil {
		t.Fatal(err)
	}
	recorder := r.Events.(*events.FakeRecorder)
	for _, look := range []struct {
		what   string
		after  time.Duration
		writes bool
		event  string
		again  time.Duration
	}{
		{"the first look", 0, true, "", 25 * time.Hour},
		{"the phase takes as long as it was to", 24 * time.Hour, false, "", time.Hour},
		{"it takes longer, but less than an hour", 24*time.Hour + 30*time.Minute, false, "", 30 * time.Minute},
		{"it is late", 25 * time.Hour, true, "Warning WaveLate wave pilot is late: it is planned to end at 2026-03-03T08:00:00Z, and expected to at 2026-03-03T09:00:00Z", 72 * time.Hour},
		{"it is still late", 26 * time.Hour, false, "", 71 * time.Hour},
		{"the other wave is late with it", 73 * time.Hour, true, "Warning WaveLate wave rest is late: it is planned to end at 2026-03-06T08:00:00Z, and expected to at 2026-03-06T09:00:00Z", 0},
		{"for days", 200 * time.Hour, false, "", 0},
	} {
		get(&rollout, "r")
		before := rollout.ResourceVersion
		r.Clock.(*clocktesting.FakePassiveClock).SetTime(monday.Add(look.after))
		result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&rollout)})
		if err != nil {
			t.Fatal(err)
		}
		get(&rollout, "r")
		if wrote := rollout.ResourceVersion != before; wrote != look.writes {
			t.Errorf("%s: wrote %t, want %t", look.what, wrote, look.writes)
		}
		if result.RequeueAfter != look.again {
			t.Errorf("%s: looks again after %s, want %s", look.what, result.RequeueAfter, look.again)
		}
		if heard := warning(recorder); heard != look.event {
			t.Errorf("%s: %q, want %q", look.what, heard, look.event)
		}
	}
	if f := rollout.Status.Forecast; !f.Waves[0].Late || f.Late != "1h" || !f.PlannedCompletion.Equal(on(4)) {
		t.Errorf("forecast %+v", f)
	}
}

// warning returns the events about dates that were recorded since it was last asked.
func warning(recorder *events.FakeRecorder) string {
	var heard []string
	for len(recorder.Events) > 0 {
		if event := <-recorder.Events; strings.Contains(event, "Late") {
			heard = append(heard, event)
		}
	}
	return strings.Join(heard, "; ")
}

func TestADelayIsToldOnce(t *testing.T) {
	late := func(wave bool, phases ...bool) *v1alpha1.Forecast {
		dates := v1alpha1.Dates{PlannedEnd: on(1), ExpectedEnd: on(2)}
		w := v1alpha1.WaveForecast{Name: "pilot", Dates: dates}
		w.Late = wave
		for i, phase := range phases {
			p := v1alpha1.PhaseForecast{Name: fmt.Sprintf("p%d", i), Dates: dates}
			p.Late = phase
			w.Phases = append(w.Phases, p)
		}
		return &v1alpha1.Forecast{Waves: []v1alpha1.WaveForecast{w}}
	}
	const how = "it is planned to end at 2026-03-03T08:00:00Z, and expected to at 2026-03-04T08:00:00Z"
	for name, tc := range map[string]struct {
		before, after *v1alpha1.Forecast
		want          string
	}{
		"there is no forecast":                   {nil, nil, ""},
		"there is none any more":                 {late(true, true), nil, ""},
		"the first forecast":                     {nil, late(true, true, true), "Warning WaveLate wave pilot is late: " + how},
		"nothing new":                            {late(true, true, false), late(true, true, false), ""},
		"a phase is late, and the wave is not":   {late(false, false, false), late(false, false, true), "Warning PhaseLate phase p1 is late in wave pilot: " + how},
		"several phases":                         {late(false, false, false), late(false, true, true), "Warning PhaseLate phase p0 is late in wave pilot: " + how},
		"another phase of a wave that was late":  {late(true, true, false), late(true, true, true), "Warning PhaseLate phase p1 is late in wave pilot: " + how},
		"the wave is late with a phase that was": {late(false, true), late(true, true), "Warning WaveLate wave pilot is late: " + how},
		"it caught up":                           {late(true, true), late(false, true), ""},
		"late again":                             {late(false, true), late(true, true), "Warning WaveLate wave pilot is late: " + how},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Reconciler{Events: events.NewFakeRecorder(10)}
			r.tellOfDelays(&v1alpha1.CRMRollout{Status: v1alpha1.CRMRolloutStatus{Forecast: tc.before}}, &v1alpha1.CRMRollout{Status: v1alpha1.CRMRolloutStatus{Forecast: tc.after}})
			if got := warning(r.Events.(*events.FakeRecorder)); got != tc.want {
				t.Errorf("told %q, want %q", got, tc.want)
			}
		})
	}
}

func TestTheNextLookIsTheEarlierOfTwo(t *testing.T) {
	soon, later := on(1).Time, on(2).Time
	for name, tc := range map[string]struct {
		opens, late time.Time
		want        time.Duration
	}{
		"nothing to come":       {want: 0},
		"only a wave opens":     {opens: soon, want: 24 * time.Hour},
		"only a date passes":    {late: soon, want: 24 * time.Hour},
		"a wave opens first":    {opens: soon, late: later, want: 24 * time.Hour},
		"a date passes first":   {opens: later, late: soon, want: 24 * time.Hour},
		"it was to be over now": {late: monday, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := decision{Decision: admit.Decision{WakeAt: tc.opens}, outlook: outlook{lateAt: tc.late}}
			if got := d.again(monday).RequeueAfter; got != tc.want {
				t.Errorf("looks again after %s, want %s", got, tc.want)
			}
		})
	}
}
