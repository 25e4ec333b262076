package sequence

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// hours say by simple arithmetic when the calendars of a scenario are open for a site, so long after the simulation began. They are what the author of the scenario means by its
// windows, and owe nothing to the rules that compute those.
type hours map[string]func(site string, at time.Duration) bool

// from returns hours that are the same for every site: open in so many stretches.
func from(open ...span) func(string, time.Duration) bool {
	return func(_ string, at time.Duration) bool {
		for _, s := range open {
			if at >= s.from && at < s.until {
				return true
			}
		}
		return false
	}
}

// notFrom returns hours that are closed in so many stretches.
func notFrom(closed ...span) func(string, time.Duration) bool {
	open := from(closed...)
	return func(site string, at time.Duration) bool { return !open(site, at) }
}

// closedCalendar is an invariant: whoever admits a site to a phase, or starts it, does so while each calendar is open that the rollout, the site's wave or the phase name.
func closedCalendar(s step) string {
	phase := s.begins()
	if phase == "" {
		return ""
	}
	at := s.now.Sub(began)
	for _, name := range s.named(s.after.Spec.Wave, phase) {
		if c := s.turn.calendars[name]; c != nil && c.Spec.Description != "" {
			name += " " + c.Spec.Description // the author means something else by each version of it
		}
		if open := s.hours[name]; open == nil || !open(s.after.Spec.Site, at) {
			return fmt.Sprintf("%s begins %s after the simulation, when calendar %s is closed", phase, at, name)
		}
	}
	return ""
}

// named returns the names of the calendars that count for a phase of a wave in the rollout that the reconcile has read.
func (s step) named(wave, phase string) []string {
	refs := s.turn.rollout.Spec.Calendars
	for _, w := range s.turn.rollout.Spec.Waves {
		if w.Name == wave {
			refs = append(refs[:len(refs):len(refs)], w.Calendars...)
		}
	}
	var names []string
	for _, ref := range append(refs[:len(refs):len(refs)], s.phase(phase).Spec.Calendars...) {
		names = append(names, ref.Name)
	}
	return names
}

// refs name objects.
func refs(names ...string) []v1alpha1.LocalReference {
	var all []v1alpha1.LocalReference
	for _, name := range names {
		all = append(all, v1alpha1.LocalReference{Name: name})
	}
	return all
}

// timetable declares a calendar, and what its author means by it.
func timetable(name string, spec v1alpha1.RolloutCalendarSpec, open func(site string, at time.Duration) bool) func(*scenario) {
	return func(s *scenario) {
		s.objects = append(s.objects, &v1alpha1.RolloutCalendar{ObjectMeta: named(name), Spec: spec})
		intended(name, open)(s)
	}
}

// intended says what the author of a scenario means by a calendar.
func intended(name string, open func(site string, at time.Duration) bool) func(*scenario) {
	return func(s *scenario) {
		if s.hours == nil {
			s.hours = hours{}
		}
		s.hours[name] = open
	}
}

// allowed is a window on 2 March 2026, the day on which simulations begin, or every day from then on.
func allowed(name, start string, duration v1alpha1.Duration, rule string) v1alpha1.CalendarWindow {
	return v1alpha1.CalendarWindow{Name: name, Start: v1alpha1.LocalTime("2026-03-02T" + start), Duration: duration, Recurrence: rule}
}

// inUTC are windows on the clock of the simulation.
func inUTC(allow, deny []v1alpha1.CalendarWindow) v1alpha1.RolloutCalendarSpec {
	return v1alpha1.RolloutCalendarSpec{TimeZone: "UTC", Allow: allow, Deny: deny}
}

func windows(all ...v1alpha1.CalendarWindow) []v1alpha1.CalendarWindow { return all }

// ofHours are about when sites may start a phase. The simulation begins at 08:00.
func ofHours() []scenario {
	keeps := func(names ...string) func(*v1alpha1.CRMRolloutSpec) {
		return func(p *v1alpha1.CRMRolloutSpec) { p.Calendars = refs(names...) }
	}
	visits := inUTC(windows(allowed("visit", "09:00", "1h", "FREQ=DAILY;BYHOUR=9,12")), nil)
	shifts := inUTC(windows(allowed("early", "08:00", "70m", ""), allowed("late", "10:30", "4h", "")), nil)
	ready := []func(*scenario){
		with("golive", func(p *v1alpha1.RolloutPhase) { p.Spec.EntryGate = &v1alpha1.LocalReference{Name: "ready"} }),
		declared(kpi("uptime", ""), gate("ready", v1alpha1.Criterion{Name: "systems", KPI: "uptime", AtLeast: threshold("0.99"), For: "10m"})),
		func(s *scenario) {
			s.numbers["uptime"] = map[string][]point{"": {{0, 0.999}}, "hq": {{0, 0.9}, {83 * minute, 0.999}}}
		},
	}
	all := append([]func(*scenario){plan(keeps("shifts")), timetable("shifts", shifts, from(span{0, 70 * minute}, span{150 * minute, 390 * minute})), lasting(6 * hour)}, ready...)
	return []scenario{
		programme("opens-in-a-wait", plan(keeps("visits")), timetable("visits", visits, from(span{hour, 2 * hour}, span{4 * hour, 5 * hour})),
			plan(func(p *v1alpha1.CRMRolloutSpec) { p.MaxConcurrent = sites(2) }), lasting(6*hour)),
		programme("closes-between-admission-and-start", all...),
		frozen(keeps),
		onEachClock(keeps),
		programme("a-calendar-that-is-missing-at-first", plan(keeps("late")), intended("late", from(span{2 * hour, 9 * hour})), lasting(6*hour),
			at(30*minute, "the calendar is declared, with a window that cannot be", create(&v1alpha1.RolloutCalendar{ObjectMeta: named("late"), Spec: inUTC(windows(allowed("day", "10:00", "7h", "FREQ=HOURLY")), nil)})),
			at(50*minute, "it is mended", edit("late", func(c *v1alpha1.RolloutCalendar) { c.Spec.Allow[0].Recurrence = "" }))),
		whenClocksChange(),
	}
}

// frozen has a freeze at each level: go-live is frozen for a quarter of an hour before anybody comes there until ten, the second wave until eleven, and the rollout from twelve on, by
// a commit that names the calendar, until another one takes it out.
func frozen(keeps func(...string) func(*v1alpha1.CRMRolloutSpec)) scenario {
	freeze := func(start string, duration v1alpha1.Duration) v1alpha1.RolloutCalendarSpec {
		return inUTC(nil, windows(allowed("freeze", start, duration, "")))
	}
	return programme("freezes-at-each-level", lasting(8*hour),
		with("golive", func(p *v1alpha1.RolloutPhase) { p.Spec.Calendars = refs("audit") }),
		plan(func(p *v1alpha1.CRMRolloutSpec) { p.Waves[1].Calendars = refs("inventory") }),
		timetable("audit", freeze("08:45", "75m"), notFrom(span{45 * minute, 2 * hour})),
		timetable("inventory", freeze("08:00", "3h"), notFrom(span{0, 3 * hour})),
		timetable("incident", freeze("08:00", "1w"), notFrom(span{0, 7 * 24 * hour})),
		at(3*hour+10*minute, "the rollout is frozen", replan(keeps("incident"))),
		at(5*hour, "the freeze is taken out", replan(keeps())))
}

// onEachClock has three sites that start at ten on their own clocks: hq in UTC, berlin an hour earlier, and lyon, which is in Helsinki, two. There, it is a holiday until noon.
func onEachClock(keeps func(...string) func(*v1alpha1.CRMRolloutSpec)) scenario {
	ahead := map[string]time.Duration{"berlin": hour, "lyon": 2 * hour}
	morning := v1alpha1.RolloutCalendarSpec{Allow: windows(allowed("morning", "10:00", "4h", ""))}
	holiday := v1alpha1.RolloutCalendarSpec{Sites: &metav1.LabelSelector{MatchLabels: map[string]string{"country": "finland"}}, Deny: windows(allowed("holiday", "00:00", "12h", ""))}
	place := func(name, zone, country string) func(*scenario) {
		return with(name, func(s *v1alpha1.RolloutSite) {
			s.Spec.TimeZone, s.Labels["country"], s.Labels["wave"] = zone, country, "pilot"
		})
	}
	return programme("on-the-clock-of-each-site", plan(keeps("morning", "holiday")), lasting(5*hour), place("berlin", "Europe/Berlin", "germany"), place("lyon", "Europe/Helsinki", "finland"),
		timetable("morning", morning, func(site string, at time.Duration) bool {
			local := 8*hour + at + ahead[site]
			return local >= 10*hour && local < 14*hour
		}),
		timetable("holiday", holiday, func(site string, at time.Duration) bool { return site != "lyon" || 8*hour+at+ahead[site] >= 12*hour }))
}

// whenClocksChange has nothing to measure, so that six days pass quickly. New York sets its clocks forward in the night to 8 March 2026, from 02:00 to 03:00. The window begins at
// 02:30 there, for an hour: at 07:30 in UTC until the 7th, at 07:30 also on the 8th, when it is read as 03:30, and at 06:30 from the 9th on.
func whenClocksChange() scenario {
	night := v1alpha1.RolloutCalendarSpec{Allow: windows(allowed("night", "02:30", "1h", "FREQ=DAILY"))}
	s := scenario{name: "a-night-in-which-clocks-change", length: 9 * 24 * hour}
	s.objects = append(s.objects, phase("prepare", "5d12h", ""), phase("migrate", "12h", ""), phase("golive", "1h", ""), site("hq", "pilot"),
		&v1alpha1.CRMRollout{ObjectMeta: named("crm"), Spec: v1alpha1.CRMRolloutSpec{Phases: refs("prepare", "migrate", "golive"), Calendars: refs("nights"), Waves: []v1alpha1.Wave{wave("pilot", "pilot")}}})
	with("hq", func(s *v1alpha1.RolloutSite) { s.Spec.TimeZone = "America/New_York" })(&s)
	timetable("nights", night, func(_ string, at time.Duration) bool {
		opens := 7*hour + 30*minute
		if at >= 6*24*hour+12*hour {
			opens -= hour
		}
		today := (8*hour + at) % (24 * hour)
		return today >= opens && today < opens+hour
	})(&s)
	return s
}
