package crmrollout

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
)

const (
	manySites = 10_000
	manyWaves = 10
)

var phaseNames = []string{"assess", "prepare", "migrate", "parallel-run", "go-live", "stabilise", "optimise"}

// crowd is a rollout of seven phases and ten waves, each after the one before it, with ten thousand sites: the sites of the first waves have completed, those of the middle one are on their
// way, and the others wait. Phases have calendars when it says so.
func crowd(tb testing.TB, calendars bool) snapshot {
	tb.Helper()
	s := snapshot{now: monday, existing: map[string]*v1alpha1.SiteRollout{}, rankings: map[string]admit.Ranking{},
		measured: admit.Measured{Evidence: func(gate.KPI, string, string) gate.Evidence { return gate.Evidence{} }, Knew: func(gate.KPI, string, string) bool { return false }}}
	objects := plan.Objects{Phases: map[string]*v1alpha1.RolloutPhase{}, Calendars: map[string]*v1alpha1.RolloutCalendar{}}
	limit := intstr.FromInt32(2000)
	s.rollout = &v1alpha1.CRMRollout{ObjectMeta: named("r"), Spec: v1alpha1.CRMRolloutSpec{MaxConcurrent: &limit}}
	s.rollout.UID = "new"
	for _, name := range phaseNames {
		objects.Phases[name] = &v1alpha1.RolloutPhase{ObjectMeta: named(name)}
		s.rollout.Spec.Phases = append(s.rollout.Spec.Phases, v1alpha1.LocalReference{Name: name})
	}
	if calendars {
		objects.Calendars["hours"] = &v1alpha1.RolloutCalendar{ObjectMeta: named("hours"), Spec: v1alpha1.RolloutCalendarSpec{
			Allow: []v1alpha1.CalendarWindow{{Name: "days", Start: "2026-01-05T08:00", Duration: "9h", Recurrence: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"}},
			Deny:  []v1alpha1.CalendarWindow{{Name: "closing", Start: "2026-01-28", Duration: "4d", Recurrence: "FREQ=MONTHLY"}},
		}}
		s.rollout.Spec.Calendars = []v1alpha1.LocalReference{{Name: "hours"}}
	}
	for w := range manyWaves {
		s.rollout.Spec.Waves = append(s.rollout.Spec.Waves, v1alpha1.Wave{Name: fmt.Sprintf("w%d", w), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"wave": fmt.Sprintf("w%d", w)}}})
	}
	for i := range manySites {
		wave := i * manyWaves / manySites
		site := &v1alpha1.RolloutSite{ObjectMeta: named(fmt.Sprintf("site-%05d", i))}
		site.Labels = map[string]string{"wave": fmt.Sprintf("w%d", wave)}
		site.Spec.TimeZone = []string{"Europe/Berlin", "Asia/Tokyo", "America/New_York"}[i%3]
		s.sites = append(s.sites, site)
		s.existing[site.Name] = onItsWay(site.Name, wave, i)
	}
	s.plan = plan.Resolve(s.rollout, objects)
	s.plans = admit.NewPlans(s.plan)
	if len(s.plan.AllMistakes()) > 0 {
		tb.Fatal(s.plan.AllMistakes())
	}
	return s
}

// onItsWay is the story of a site that has passed as many phases as its wave lets it.
func onItsWay(site string, wave, i int) *v1alpha1.SiteRollout {
	sr := story(site, types.UID("new"))
	sr.Spec.Wave, sr.Spec.AdmittedThrough = fmt.Sprintf("w%d", wave), ""
	sr.Status = v1alpha1.SiteRolloutStatus{State: v1alpha1.SiteWaiting, CurrentPhase: phaseNames[0]}
	passed := 0
	switch {
	case wave < manyWaves/2:
		passed = len(phaseNames)
	case wave == manyWaves/2:
		passed = i % len(phaseNames)
	}
	at := metav1.NewTime(monday.Add(-1))
	for p, name := range phaseNames {
		if p < passed {
			sr.Status.Phases = append(sr.Status.Phases, v1alpha1.PhaseRecord{Name: name, Attempt: 1, StartedAt: at, PassedAt: &at})
		}
	}
	if passed == len(phaseNames) {
		sr.Status.State, sr.Status.CurrentPhase = v1alpha1.SiteCompleted, ""
	}
	return sr
}

// BenchmarkTenThousandSites is what one look at a rollout costs, without reading and writing.
func BenchmarkTenThousandSites(b *testing.B) {
	for name, calendars := range map[string]bool{"without calendars": false, "with calendars": true} {
		s := crowd(b, calendars)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d := decide(s)
				counted := count(s, d)
				waveStatuses(s, d, counted, nil)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/manySites, "ns/site")
			b.ReportMetric(manySites, "sites/op")
		})
	}
}
