package sequence

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

const namespace = "crm"

// scenario is what people declare, what they do later, and what the source says meanwhile.
type scenario struct {
	name    string
	objects []client.Object
	// numbers by KPI and site; the site "" stands for the others.
	numbers map[string]map[string][]point
	// samples behind the numbers, in the same way.
	samples map[string]map[string][]point
	// down is when the source answers nothing.
	down []span
	// script is what people do, in the order of time.
	script []event
	// reactions are what happens once, as soon as something was written.
	reactions []reaction
	length    time.Duration
	// hours of the calendars.
	hours hours
}

// reaction is something that happens right after a change, or right after values of a KPI were captured.
type reaction struct {
	to        func(change) bool
	toCapture string
	what      string
	do        func(*sim)
	// atOnce is true for what happens before whoever wrote has its answer.
	atOnce bool
}

// event is something that people do.
type event struct {
	at   time.Duration
	what string
	do   func(*sim)
}

// programme returns the plan that every scenario varies:
//
//	prepare   soaks 20m, then training must be at least 0.9 (a value speaks about the 10m before it)
//	migrate   soaks 10m, then duplicates must have been at most 0.02 for 30m
//	golive    soaks 15m
//
// Both KPIs are measured every 5m and go stale after 20m. The wave pilot has the site hq, the wave region the sites berlin and lyon. All numbers are good.
func programme(name string, changes ...func(*scenario)) scenario {
	s := scenario{
		name: name,
		objects: []client.Object{
			&v1alpha1.MetricProvider{ObjectMeta: named("warehouse"), Spec: v1alpha1.MetricProviderSpec{Prometheus: &v1alpha1.PrometheusProvider{Address: "https://warehouse.example"}}},
			kpi("training", "10m"), kpi("duplicates", ""),
			gate("trained", v1alpha1.Criterion{Name: "staff", KPI: "training", AtLeast: threshold("0.9")}),
			gate("clean", v1alpha1.Criterion{Name: "records", KPI: "duplicates", AtMost: threshold("0.02"), For: "30m"}),
			phase("prepare", "20m", "trained"), phase("migrate", "10m", "clean"), phase("golive", "15m", ""),
			site("hq", "pilot"), site("berlin", "region"), site("lyon", "region"),
			&v1alpha1.CRMRollout{ObjectMeta: named("crm"), Spec: v1alpha1.CRMRolloutSpec{
				Phases: []v1alpha1.LocalReference{{Name: "prepare"}, {Name: "migrate"}, {Name: "golive"}},
				Waves:  []v1alpha1.Wave{wave("pilot", "pilot"), wave("region", "region")},
			}},
		},
		numbers: map[string]map[string][]point{"training": {"": {{0, 0.95}}}, "duplicates": {"": {{0, 0.01}}}},
		length:  4 * time.Hour,
	}
	for _, change := range changes {
		change(&s)
	}
	return s
}

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }

// sites is a limit in a number of sites.
func sites(n int) *intstr.IntOrString {
	limit := intstr.FromInt(n)
	return &limit
}

func threshold(t v1alpha1.Threshold) *v1alpha1.Threshold { return &t }

func kpi(name string, window v1alpha1.Duration) *v1alpha1.KPI {
	direction := v1alpha1.DirectionHigherIsBetter
	if name == "duplicates" {
		direction = v1alpha1.DirectionLowerIsBetter
	}
	return &v1alpha1.KPI{ObjectMeta: named(name), Spec: v1alpha1.KPISpec{
		Direction: direction, Provider: v1alpha1.LocalReference{Name: "warehouse"}, Query: name,
		Interval: "5m", Window: window, StaleAfter: "20m",
	}}
}

func gate(name string, criteria ...v1alpha1.Criterion) *v1alpha1.AcceptanceGate {
	return &v1alpha1.AcceptanceGate{ObjectMeta: named(name), Spec: v1alpha1.AcceptanceGateSpec{Criteria: criteria}}
}

func phase(name string, soak v1alpha1.Duration, exit string) *v1alpha1.RolloutPhase {
	p := &v1alpha1.RolloutPhase{ObjectMeta: named(name), Spec: v1alpha1.RolloutPhaseSpec{Soak: soak}}
	if exit != "" {
		p.Spec.ExitGate = &v1alpha1.LocalReference{Name: exit}
	}
	return p
}

func site(name, wave string) *v1alpha1.RolloutSite {
	s := &v1alpha1.RolloutSite{ObjectMeta: named(name)}
	s.Labels = map[string]string{"wave": wave}
	return s
}

func wave(name, label string) v1alpha1.Wave {
	return v1alpha1.Wave{Name: name, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"wave": label}}}
}

// with changes an object that is declared at first.
func with[T client.Object](name string, change func(T)) func(*scenario) {
	return func(s *scenario) {
		for _, o := range s.objects {
			if found, ok := o.(T); ok && found.GetName() == name {
				change(found)
			}
		}
	}
}

func plan(change func(*v1alpha1.CRMRolloutSpec)) func(*scenario) {
	return with("crm", func(r *v1alpha1.CRMRollout) { change(&r.Spec) })
}

func declared(objects ...client.Object) func(*scenario) {
	return func(s *scenario) { s.objects = append(s.objects, objects...) }
}

// without leaves an object out at first.
func without[T client.Object](name string) func(*scenario) {
	return func(s *scenario) {
		var kept []client.Object
		for _, o := range s.objects {
			if _, ok := o.(T); !ok || o.GetName() != name {
				kept = append(kept, o)
			}
		}
		s.objects = kept
	}
}

func numbers(kpi, site string, points ...point) func(*scenario) {
	return func(s *scenario) {
		if s.numbers[kpi] == nil {
			s.numbers[kpi] = map[string][]point{}
		}
		s.numbers[kpi][site] = points
	}
}

func down(from, until time.Duration) func(*scenario) {
	return func(s *scenario) { s.down = append(s.down, span{from, until}) }
}

func lasting(length time.Duration) func(*scenario) {
	return func(s *scenario) { s.length = length }
}

func at(when time.Duration, what string, do func(*sim)) func(*scenario) {
	return func(s *scenario) { s.script = append(s.script, event{when, what, do}) }
}

func assoon(to func(change) bool, what string, do func(*sim)) func(*scenario) {
	return func(s *scenario) { s.reactions = append(s.reactions, reaction{to: to, what: what, do: do}) }
}

// whenWritten has something happen when something was written, before the answer.
func whenWritten(to func(change) bool, what string, do func(*sim)) func(*scenario) {
	return func(s *scenario) {
		s.reactions = append(s.reactions, reaction{to: to, what: what, do: do, atOnce: true})
	}
}

// assoonCaptured has something happen as soon as values of a KPI are there to take baselines from.
func assoonCaptured(kpi, what string, do func(*sim)) func(*scenario) {
	return func(s *scenario) {
		s.reactions = append(s.reactions, reaction{toCapture: kpi, what: what, do: do})
	}
}

// admission is the change that admits a site to a phase.
func admission(site, phase string) func(change) bool {
	return func(c change) bool {
		sr, ok := c.now.(*v1alpha1.SiteRollout)
		return ok && sr.Spec.Site == site && sr.Spec.AdmittedThrough == phase
	}
}

// measurement is the change that tells of the first measurement of a KPI from a moment on.
func measurement(kpi string, since time.Duration) func(change) bool {
	return func(c change) bool {
		k, ok := c.now.(*v1alpha1.KPI)
		return ok && k.Name == kpi && k.Status.LastMeasured != nil && k.Status.LastMeasured.Sub(began) >= since
	}
}

// restarted drops all that the operator has in memory.
func restarted(when time.Duration) func(*scenario) {
	return at(when, "the operator stops", func(s *sim) { s.restart("restarted") })
}

// edit is a person's change of an object.
func edit[T client.Object](name string, change func(T)) func(*sim) {
	return func(s *sim) {
		var zero T
		o := clone(s.api.latest[kindOf(zero)][types.NamespacedName{Namespace: namespace, Name: name}]).(T)
		change(o)
		must(s.api.Update(context.Background(), o))
	}
}

func replan(change func(*v1alpha1.CRMRolloutSpec)) func(*sim) {
	return edit("crm", func(r *v1alpha1.CRMRollout) { change(&r.Spec) })
}

func create(o client.Object) func(*sim) {
	return func(s *sim) { must(s.api.Create(context.Background(), clone(o))) }
}

func remove(o client.Object) func(*sim) {
	return func(s *sim) { must(s.api.Delete(context.Background(), clone(o))) }
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
