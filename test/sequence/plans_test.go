package sequence

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// failures draws what a phase says about attempts that fail.
func (d *draws) failures(about string, spec *v1alpha1.RolloutPhaseSpec) {
	if d.often(25, about+" has a deadline") {
		spec.Deadline = one(d, about+" deadline", v1alpha1.Duration("40m"), "26m", "1h")
	}
	spec.OnFailure = one(d, about+" on failure", v1alpha1.FailurePolicy(""), v1alpha1.FailureHold, v1alpha1.FailureRollBack, v1alpha1.FailureAbort)
	if d.often(25, about+" has few attempts") {
		attempts := int32(1 + d.upTo(2, about+" attempts"))
		spec.MaxAttempts = &attempts
	}
}

// share draws a number of sites, or a percentage of them; nil for neither.
func (d *draws) share(percent int, what string, least int) *intstr.IntOrString {
	if !d.often(percent, what+" is set") {
		return nil
	}
	if d.often(40, what+" is a percentage") {
		limit := intstr.FromString(one(d, what+" percentage", "50%", "20%", "34%", "100%"))
		return &limit
	}
	return sites(least + d.upTo(3, what))
}

// describeWave draws what a wave has besides its sites.
func (d *draws) describeWave(i int, w *v1alpha1.Wave) {
	about := "wave " + w.Name
	if i > 0 && d.often(35, about+" has a barrier") {
		w.After = &v1alpha1.WaveBarrier{Wave: one(d, about+" after", d.waves[:i]...), AtLeast: d.share(60, about+" barrier", 1), Soak: one(d, about+" barrier soak", v1alpha1.Duration(""), "", "7m", "25m")}
		if d.often(50, about+" barrier has a phase") {
			w.After.Phase = one(d, about+" barrier phase", d.phases...)
		}
	}
	w.MaxConcurrent, w.MaxFailures = d.share(20, about+" maxConcurrent", 1), d.share(25, about+" maxFailures", 0)
	if d.often(12, about+" has a through") {
		w.Through = one(d, about+" through", d.phases...)
	}
	if !d.often(20, about+" ranks its sites") {
		return
	}
	w.RankBy = []v1alpha1.RankKey{one(d, about+" ranks by", v1alpha1.RankKey{By: v1alpha1.RankByUsers}, v1alpha1.RankKey{By: v1alpha1.RankByKPI, Name: "training"}, v1alpha1.RankKey{By: v1alpha1.RankByGate, Name: "clean"})}
	if d.often(60, about+" picks") {
		pick := int32(1 + d.upTo(2, about+" pick"))
		w.Pick = &pick
		if d.often(60, about+" picks of all sites") {
			w.Selector.MatchLabels = nil
		}
	}
}

// sustain draws what sites must keep up behind their last phase.
func (d *draws) sustain(spec *v1alpha1.CRMRolloutSpec) {
	if !d.often(40, "something is to be sustained") {
		return
	}
	few := v1alpha1.Criterion{Name: "few", KPI: "complaints", AtMost: threshold("5"), For: one(d, "sustained for", v1alpha1.Duration(""), "10m")}
	kept := asks(few)
	if d.often(50, "it is a guardrail") {
		kept = v1alpha1.AcceptanceGateSpec{Guardrails: []v1alpha1.Criterion{few}}
	}
	d.s.objects = append(d.s.objects, &v1alpha1.AcceptanceGate{ObjectMeta: named("kept"), Spec: kept})
	spec.Sustain = &v1alpha1.Sustain{Gate: v1alpha1.LocalReference{Name: "kept"}, OnRegression: one(d, "on regression", v1alpha1.RegressionReopen, v1alpha1.RegressionReport)}
	if spec.Sustain.OnRegression == v1alpha1.RegressionReopen && d.often(50, "reopens a phase by name") {
		spec.Sustain.Reopens = one(d, "reopens", d.phases...)
	}
}

// tidy takes out what names a phase that is not in the plan any more: the API server would refuse that.
func tidy(p *v1alpha1.CRMRolloutSpec) {
	for _, name := range append([]*string{&p.Through}, phaseFields(p)...) {
		if !slices.Contains(p.Phases, v1alpha1.LocalReference{Name: *name}) {
			*name = ""
		}
	}
}

// phaseFields are the fields of waves, and of what is sustained, that name a phase.
func phaseFields(p *v1alpha1.CRMRolloutSpec) []*string {
	var names []*string
	for i := range p.Waves {
		names = append(names, &p.Waves[i].Through)
		if p.Waves[i].After != nil {
			names = append(names, &p.Waves[i].After.Phase)
		}
	}
	if p.Sustain != nil {
		names = append(names, &p.Sustain.Reopens)
	}
	return names
}

// calendarNames are those of every random rollout that has calendars: of the rollout, of waves and of phases.
var calendarNames = []string{"office", "region", "audit"}

// drawCalendars declares calendars, and draws who keeps to them.
func (d *draws) drawCalendars(spec *v1alpha1.CRMRolloutSpec) {
	if !d.often(35, "there are calendars") {
		return
	}
	for _, name := range calendarNames {
		d.s.objects = append(d.s.objects, d.calendar(name, name))
	}
	if d.often(50, "the rollout has a calendar") {
		spec.Calendars = refs("office")
	}
	for i := range spec.Waves {
		if d.often(30, "wave "+spec.Waves[i].Name+" has a calendar") {
			spec.Waves[i].Calendars = refs(one(d, "calendar of wave "+spec.Waves[i].Name, "region", "office"))
		}
	}
	for _, name := range d.phases {
		if d.often(20, "phase "+name+" has a calendar") {
			with(name, func(p *v1alpha1.RolloutPhase) { p.Spec.Calendars = refs("audit") })(d.s)
		}
	}
	d.timed = true
}

// calendar draws one with a few windows. Its description says which version of it that is, and the judge knows of each when it is open.
func (d *draws) calendar(name, version string) *v1alpha1.RolloutCalendar {
	var all []v1alpha1.CalendarWindow
	var spans []span
	for i := range 1 + d.upTo(2, version+" windows") {
		about := fmt.Sprintf("%s window %d", version, i)
		start := time.Duration(d.upTo(int(d.s.length/(5*minute)), about)) * 5 * minute
		lasts := time.Duration(1+d.upTo(11, about+" lasts")) * 5 * minute
		spans = append(spans, span{start, start + lasts})
		all = append(all, v1alpha1.CalendarWindow{Name: fmt.Sprintf("w%d", i), Start: v1alpha1.LocalTime(began.Add(start).Format("2006-01-02T15:04")), Duration: v1alpha1.FormatDuration(lasts)})
	}
	c := &v1alpha1.RolloutCalendar{ObjectMeta: named(name), Spec: inUTC(nil, all)}
	open := notFrom(spans...)
	if d.often(40, version+" allows") {
		c.Spec, open = inUTC(all, nil), from(spans...)
	}
	c.Spec.Description = version
	intended(name+" "+version, open)(d.s)
	return c
}

func (d *draws) editCalendar(when time.Duration) {
	name, what := one(d, "edited calendar", calendarNames...), d.upTo(3, "edit of a calendar")
	if !d.timed {
		return
	}
	d.versions++
	other := d.calendar(name, fmt.Sprintf("%s, version %d", name, d.versions))
	key := client.ObjectKeyFromObject(other)
	switch what {
	case 1:
		d.edit(when, fmt.Sprintf("calendar %s is deleted", name), func(s *sim) {
			if there := s.api.latest["RolloutCalendar"][key]; there != nil {
				remove(there)(s)
			}
		})
		when = d.later(when, "calendar is back")
	case 2:
		d.edit(when, fmt.Sprintf("the rollout keeps to calendar %s", name), replan(func(p *v1alpha1.CRMRolloutSpec) { p.Calendars = refs(name) }))
		when = d.later(when, "no calendar")
		d.edit(when, "the rollout keeps to no calendar", replan(func(p *v1alpha1.CRMRolloutSpec) { p.Calendars = nil }))
	}
	d.edit(when, fmt.Sprintf("calendar %s has other windows", name), func(s *sim) {
		if s.api.latest["RolloutCalendar"][key] == nil {
			create(other)(s)
			return
		}
		edit(name, func(c *v1alpha1.RolloutCalendar) { c.Spec = *other.Spec.DeepCopy() })(s)
	})
}

func (d *draws) editAdopt(when time.Duration) {
	adopt := one(d, "another adopt", v1alpha1.AdoptNewSites, v1alpha1.AdoptNextPhase)
	d.edit(when, fmt.Sprintf("edits are adopted by %s", adopt), replan(func(p *v1alpha1.CRMRolloutSpec) { p.Adopt = adopt }))
}

func (d *draws) editFailures(when time.Duration) {
	name := one(d, "phase with other failures", d.phases...)
	spec := v1alpha1.RolloutPhaseSpec{}
	d.failures("edited "+name, &spec)
	d.edit(when, fmt.Sprintf("phase %s fails otherwise: deadline %q, %s", name, spec.Deadline, spec.OnFailure), there(name, func(p *v1alpha1.RolloutPhase) {
		p.Spec.Deadline, p.Spec.OnFailure, p.Spec.MaxAttempts = spec.Deadline, spec.OnFailure, spec.MaxAttempts
	}))
}

func (d *draws) editWave(when time.Duration) {
	i := d.upTo(len(d.waves)-1, "edited wave")
	other := wave(d.waves[i], d.waves[i])
	d.describeWave(i, &other)
	d.edit(when, fmt.Sprintf("wave %s has other limits", other.Name), replan(func(p *v1alpha1.CRMRolloutSpec) {
		w := &p.Waves[i]
		w.After, w.MaxConcurrent, w.MaxFailures, w.Through = other.After, other.MaxConcurrent, other.MaxFailures, other.Through
		tidy(p)
	}))
}

func (d *draws) editSustain(when time.Duration) {
	d.edit(when, "nothing is to be sustained any more", replan(func(p *v1alpha1.CRMRolloutSpec) { p.Sustain = nil }))
}
