package sequence

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// most is the greatest number of sites of a random rollout.
const most = 50

// draws makes a random rollout: what people declare, what they do while it runs, what the source says meanwhile, and what goes wrong. Every choice is a draw, so that rapid can
// take choices back until only those are left that a failure needs: what is drawn from false, or from 0, is the least.
type draws struct {
	t *rapid.T
	s *scenario
	// waves and phases of the plan at first, and the sites that are there at first.
	waves, phases, sites []string
	// spare are sites that may join.
	spare []string
	// signed is true when a gate asks for approvals.
	signed bool
	// timed is true when there are calendars; versions counts the edits of them.
	timed    bool
	versions int
}

// even draws a number from 0 to 1023; each is as likely as the others, which is not so with rapid's integers.
var even = rapid.Custom(func(t *rapid.T) int {
	n := 0
	for range 10 {
		n *= 2
		if rapid.Bool().Draw(t, "bit") {
			n++
		}
	}
	return n
})

func (d *draws) part(what string) int { return even.Draw(d.t, what) }

// often draws whether something is so, with a probability in percent. The least is that it is not.
func (d *draws) often(percent int, what string) bool { return d.part(what) >= 1024-percent*1024/100 }

// upTo draws a number from 0 to the given one.
func (d *draws) upTo(greatest int, what string) int { return d.part(what) * (greatest + 1) / 1024 }

// one draws one of some values. The least is the first.
func one[T any](d *draws, what string, values ...T) T {
	return values[d.upTo(len(values)-1, what)]
}

// when draws a moment of the rollout in whole minutes, or a little beside one.
func (d *draws) when(what string) time.Duration {
	return time.Duration(d.upTo(int(d.s.length/minute)-1, what))*minute + one(d, what+" seconds", 0, 7*time.Second, 31*time.Second)
}

// rollout draws everything.
func (d *draws) rollout() scenario {
	s := scenario{name: "random", length: one(d, "length", 100*minute, 2*hour, 150*minute, 4*hour), numbers: map[string]map[string][]point{}}
	d.s = &s
	s.objects = append(s.objects, &v1alpha1.MetricProvider{ObjectMeta: named("warehouse"),
		Spec: v1alpha1.MetricProviderSpec{Prometheus: &v1alpha1.PrometheusProvider{Address: "https://warehouse.example"}}})
	s.objects = append(s.objects, windowed("cycle", v1alpha1.DirectionLowerIsBetter), complaints(), kpi("training", "10m"), kpi("duplicates", ""))
	for _, name := range gateNames {
		s.objects = append(s.objects, d.gate(name))
	}
	d.drawPhases()
	d.drawWaves()
	d.drawSites()
	d.drawNumbers()
	for i := range d.upTo(2, "times that the source is down") {
		from := d.when(fmt.Sprintf("down %d", i))
		down(from, from+time.Duration(5+d.upTo(40, "minutes down"))*minute)(&s)
	}
	d.drawEdits()
	return s
}

// gateNames are the gates of every random rollout.
var gateNames = []string{"clean", "trained", "accepted"}

// gate draws what a gate asks for.
func (d *draws) gate(name string) *v1alpha1.AcceptanceGate {
	about := "gate " + name
	few := v1alpha1.Criterion{Name: "few", KPI: "complaints", AtMost: threshold("5")}
	criteria := map[string]v1alpha1.Criterion{
		"clean":    {Name: "records", KPI: "duplicates", AtMost: threshold("0.02"), For: one(d, about+" for", v1alpha1.Duration(""), "10m", "30m")},
		"trained":  {Name: "staff", KPI: "training", AtLeast: threshold("0.9")},
		"accepted": shorter(),
	}
	spec := v1alpha1.AcceptanceGateSpec{Criteria: []v1alpha1.Criterion{criteria[name]}}
	switch first := &spec.Criteria[0]; d.upTo(5, about+" parts") {
	case 1:
		first.Importance, few.Importance, spec.Score = v1alpha1.ImportanceWeighted, v1alpha1.ImportanceWeighted, &v1alpha1.Score{Pass: 60}
		spec.Criteria = append(spec.Criteria, few)
	case 2:
		first.AnyOf, few.AnyOf = "proof", "proof"
		spec.Criteria = append(spec.Criteria, few)
	case 3:
		few.Importance = v1alpha1.ImportanceAdvisory
		spec.Criteria = append(spec.Criteria, few)
	}
	if d.often(30, about+" has a guardrail") {
		spec.Guardrails = []v1alpha1.Criterion{{Name: "quiet", KPI: "complaints", AtMost: threshold("5"), For: one(d, about+" guardrail for", v1alpha1.Duration(""), "10m")}}
	}
	d.signatures(about, &spec)
	return &v1alpha1.AcceptanceGate{ObjectMeta: named(name), Spec: spec}
}

// phaseNames are the phases that a plan takes its own from. The last one is in no plan at first.
var phaseNames = []string{"prepare", "migrate", "golive", "stabilise", "optimise"}

func (d *draws) drawPhases() {
	d.phases = phaseNames[:1+d.upTo(len(phaseNames)-2, "phases")]
	for i, name := range phaseNames {
		about := "phase " + name
		p := phase(name, one(d, about+" soak", v1alpha1.Duration("10m"), "", "5m", "20m", "25m"), "")
		if d.often(75, about+" has an exit gate") {
			p.Spec.ExitGate = &v1alpha1.LocalReference{Name: one(d, about+" exit gate", gateNames...)}
		}
		if d.often(25, about+" has an entry gate") {
			p.Spec.EntryGate = &v1alpha1.LocalReference{Name: one(d, about+" entry gate", "clean", "trained")}
		}
		if i == 0 || d.often(20, about+" takes a baseline") {
			p.Spec.Baselines = []v1alpha1.BaselineSpec{{KPI: "cycle"}}
		}
		d.failures(about, &p.Spec)
		d.s.objects = append(d.s.objects, p)
	}
}

func (d *draws) drawWaves() {
	spec := v1alpha1.CRMRolloutSpec{}
	for _, name := range d.phases {
		spec.Phases = append(spec.Phases, v1alpha1.LocalReference{Name: name})
	}
	d.waves = []string{"first", "second", "third", "fourth"}[:1+d.upTo(3, "waves")]
	for i, name := range d.waves {
		w := wave(name, name)
		d.describeWave(i, &w)
		spec.Waves = append(spec.Waves, w)
	}
	spec.MaxConcurrent, spec.MaxFailures = d.limit("maxConcurrent"), d.share(35, "maxFailures", 0)
	if d.often(40, "only new sites adopt edits") {
		spec.Adopt = v1alpha1.AdoptNewSites
	}
	d.sustain(&spec)
	d.drawCalendars(&spec)
	if d.often(25, "through is set") {
		spec.Through = one(d, "through", d.phases...)
	}
	if d.often(10, "suspended at first") {
		spec.Suspend, spec.SuspendReason = true, "audit"
		d.edit(d.when("resumed"), "the rollout is resumed", resume)
	}
	d.s.objects = append(d.s.objects, &v1alpha1.CRMRollout{ObjectMeta: named("crm"), Spec: spec})
}

func (d *draws) limit(what string) *intstr.IntOrString {
	if d.often(50, what+" is set") {
		return sites(1 + d.upTo(9, what))
	}
	return nil
}

func (d *draws) drawSites() {
	count := 1 + d.upTo(4, "sites")
	switch {
	case d.often(8, "a large rollout"):
		count += d.upTo(most-5, "many more sites")
	case d.often(35, "a rollout of some size"):
		count += d.upTo(12, "more sites")
	}
	labels := append(slices.Clone(d.waves), "none")
	for i := range count {
		name := fmt.Sprintf("s%02d", i+1)
		label := labels[min(i, len(d.waves)-1)]
		if i >= len(d.waves) {
			label = one(d, "wave of "+name, labels...)
		}
		d.sites = append(d.sites, name)
		declared := site(name, label)
		if users := int32(d.upTo(20, "users of "+name)); users > 0 {
			declared.Spec.Users = &users
		}
		d.s.objects = append(d.s.objects, declared)
	}
	d.spare = []string{"a00", "k00", "z00"} // they come first, in the middle and last by their names
}

// drawNumbers makes all numbers good, and then those of some sites bad, missing or no numbers for a while.
func (d *draws) drawNumbers() {
	good := map[string]float64{"training": 0.95, "duplicates": 0.01, "complaints": 2}
	bad := map[string]float64{"training": 0.5, "duplicates": 0.05, "complaints": 9}
	falling := []point{{longAgo, 48}}
	for i := 1; i < int(d.s.length/(20*minute)); i++ {
		falling = append(falling, point{time.Duration(i)*20*minute - 3*minute, falling[i-1].value * 0.85})
	}
	numbers("cycle", "", falling...)(d.s)
	numbers("cycles", "", point{longAgo, 30})(d.s)
	for _, kpi := range []string{"training", "duplicates", "complaints"} {
		numbers(kpi, "", point{longAgo, good[kpi]})(d.s)
		for _, site := range append(slices.Clone(d.sites[:min(len(d.sites), 12)]), d.spare...) {
			about := kpi + " of " + site
			if !d.often(20, about+" changes") {
				continue
			}
			points := []point{{longAgo, one(d, about+" at first", good[kpi], bad[kpi], notANumber, missing)}}
			for i := range 1 + d.upTo(3, about+" changes") {
				from := points[i].from
				if i == 0 {
					from = 0
				}
				value := one(d, about, good[kpi], bad[kpi], notANumber, missing)
				points = append(points, point{from + time.Duration(1+d.upTo(45, about+" lasts"))*minute, value})
			}
			if d.often(85, about+" ends well") {
				points = append(points, point{points[len(points)-1].from + time.Duration(1+d.upTo(40, about+" ends"))*minute, good[kpi]})
			}
			if kpi == "complaints" && d.often(50, about+" comes back") { // behind the last phase, perhaps
				late := points[len(points)-1].from + time.Duration(1+d.upTo(90, about+" comes back after"))*minute
				points = append(points, point{late, bad[kpi]}, point{late + time.Duration(11+d.upTo(30, about+" is back for"))*minute, good[kpi]})
			}
			numbers(kpi, site, points...)(d.s)
		}
	}
}

// edit adds something that people do. It must cope with whatever has been done before.
func (d *draws) edit(when time.Duration, what string, do func(*sim)) {
	at(when, what, do)(d.s)
}

func resume(s *sim) {
	replan(func(p *v1alpha1.CRMRolloutSpec) { p.Suspend, p.SuspendReason = false, "" })(s)
}

// there changes an object where it exists.
func there[T client.Object](name string, change func(T)) func(*sim) {
	return func(s *sim) {
		var zero T
		if s.api.latest[kindOf(zero)][client.ObjectKey{Namespace: namespace, Name: name}] != nil {
			edit(name, change)(s)
		}
	}
}
