// Package sequence plays whole rollouts with the real reconcilers in a simulation without goroutines and without real time: once in a fixed order, which gives
// a transcript to read, and many times in random orders, which must end the same way. What must never happen is checked at every write.
package sequence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	policies "github.com/crmops/rollout-operator/config/admission"
	"github.com/crmops/rollout-operator/internal/provider"
)

// began is when every simulation begins.
var began = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// mostBusy is far more steps than any rollout here takes in one second; hundreds are seen.
const mostBusy = 10_000

// sim is one simulation.
type sim struct {
	scenario scenario
	// chance picks what happens next; nil for the fixed order.
	chance *rand.Rand
	clock  *testclock.FakePassiveClock
	api    *api
	source *source
	op     *operator
	queue  []request
	timers map[request]time.Time
	tries  map[request]int
	script []event
	// reactions that have not happened, and those that are due.
	reactions, due []reaction
	chaos          chaos
	// mortality of the first process; nil when it lives for good.
	mortality *mortality
	// running are the reconciles that have begun and not ended, the outermost first.
	running []request
	story   story
	judge   judge
	// drift is how far the clock of the process is ahead of the right time.
	drift time.Duration
	// watch is told of every change; nil for nobody.
	watch func(change)
	// steps, reconciles and writes of the operator are counted.
	steps, reconciles, writes int
	// busy counts the steps since the second began, and latest is the reconcile that began last.
	second time.Time
	busy   int
	latest request
}

// now is the time by the clock of the process.
func (s *sim) now() time.Time { return s.clock.Now().Add(s.drift) }

// processClock is the clock of the process.
type processClock struct{ sim *sim }

// Now returns the time by the clock of the process.
func (c processClock) Now() time.Time { return c.sim.now() }

// Since returns how long ago something was by that clock.
func (c processClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

func newSim(s scenario, a *api, chance *rand.Rand) *sim {
	sim := &sim{scenario: s, chance: chance, clock: testclock.NewFakePassiveClock(began), api: a, script: s.script, reactions: slices.Clone(s.reactions)}
	sim.source = &source{clock: processClock{sim}, numbers: s.numbers, samples: s.samples, down: s.down, sites: func() []string {
		names := []string{}
		for _, site := range all[*v1alpha1.RolloutSite](sim.api) {
			names = append(names, site.Name)
		}
		return names
	}}
	sim.api.clock, sim.api.wrote = sim.clock.Now, sim.wrote
	sim.api.fault = sim.fault
	for _, o := range append(admissionPolicy(), s.objects...) {
		if err := sim.api.Create(context.Background(), clone(o)); err != nil {
			panic(err)
		}
	}
	sim.boot(func(string) int { return 0 })
	return sim
}

// admissionPolicy is what decisions rest on. It has been there for long.
func admissionPolicy() []client.Object {
	policy, binding, err := policies.Wanted()
	must(err)
	objects := []client.Object{policy.DeepCopy(), binding.DeepCopy()}
	for _, o := range objects {
		o.SetCreationTimestamp(metav1.NewTime(began.Add(-24 * time.Hour)))
	}
	return objects
}

// boot starts a process of the operator. Its cache may lack the last changes.
func (s *sim) boot(lag func(kind string) int) {
	s.queue, s.timers, s.tries, s.running = nil, map[request]time.Time{}, map[request]int{}, nil
	s.chaos.disarm()
	c := fill(s.api, lag, s.chance)
	reads := cachedClient{Client: s.api, cache: c, called: s.interleave, read: func(ctx context.Context, o any) { turnOf(ctx).read(o) }}
	s.op = start(c, surroundings{client: reads, live: s.api, clock: processClock{s}, events: &recorder{s.said},
		recorded: func(types.NamespacedName) { s.source.settle(false) }, captured: s.captured})
	for _, kind := range kinds {
		for _, key := range sorted(c.objects[kindOf(kind)]) {
			s.enqueue(s.op.asked(change{now: c.objects[kindOf(kind)][key]})...)
		}
	}
}

// run plays the scenario to its end, or until something happens that must not.
func (s *sim) run() {
	for len(s.judge.broken) == 0 && s.step() {
		s.steps++
		s.mustGetOn()
	}
}

// mustGetOn notes when the operator keeps itself busy: reconciles follow each other without end, and no time passes.
func (s *sim) mustGetOn() {
	if now := s.clock.Now().Truncate(time.Second); !now.Equal(s.second) {
		s.second, s.busy = now, 0
	}
	if s.busy++; s.busy > mostBusy {
		s.judge.broken = append(s.judge.broken, fmt.Sprintf("reconciles have no end at %s; the latest was %s", s.clock.Now().Format(time.TimeOnly), s.latest))
	}
}

// step does one thing. It returns false at the end.
func (s *sim) step() bool {
	s.react()
	s.disturb()
	actions := s.actions()
	if len(actions) == 0 {
		return s.wait()
	}
	pick := 0
	if s.chance != nil {
		pick = s.chance.IntN(len(actions))
	}
	s.guarded(actions[pick])
	s.bury()
	return true
}

func (s *sim) react() {
	due := s.due
	s.due = nil
	for _, r := range due {
		s.story.people(s.clock.Now(), r.what)
		r.do(s)
	}
}

// ending is where every site stands in the end, without times.
func (s *sim) ending() []string {
	var lines []string
	for _, sr := range all[*v1alpha1.SiteRollout](s.api) {
		line := fmt.Sprintf("%s: wave %q, admitted through %q, %s, phase %q, %s:", sr.Spec.Site, sr.Spec.Wave, sr.Spec.AdmittedThrough, sr.Status.State, sr.Status.CurrentPhase, sr.Status.Reason)
		for _, r := range sr.Status.Phases {
			line += fmt.Sprintf(" %s (attempt %d, passed %t)", r.Name, r.Attempt, r.PassedAt != nil)
		}
		lines = append(lines, line)
	}
	return append(lines, delays(s.api)...)
}

// actions are what can happen now: changes that reach the cache, values that reach the sites, and reconciles. In the fixed order the first is chosen.
func (s *sim) actions() []func() {
	var actions []func()
	for _, o := range kinds {
		if kind := kindOf(o); s.op.cache.behind(kind) > 0 && !s.chaos.frozen(kind, s.clock.Now()) {
			actions = append(actions, func() { s.enqueue(s.op.asked(s.op.cache.deliver(kind))...) })
		}
	}
	if len(s.op.measured) > 0 {
		actions = append(actions, func() {
			next := s.op.measured[0]
			s.op.measured = s.op.measured[1:]
			s.enqueue(s.op.told(next)...)
		})
	}
	if len(s.op.wanted) > 0 {
		actions = append(actions, func() {
			next := s.op.wanted[0]
			s.op.wanted = s.op.wanted[1:]
			s.enqueue(request{ofKPIs, next})
		})
	}
	for _, r := range s.queue {
		if s.mayRun(r) {
			actions = append(actions, func() { s.reconcile(r) })
		}
	}
	return actions
}

// mayRun reports whether a reconcile may begin while others run: never twice for one object, and one at a time in the controllers with one worker.
func (s *sim) mayRun(r request) bool {
	several := r.controller == ofMoves || r.controller == ofKPIs
	return !slices.ContainsFunc(s.running, func(busy request) bool {
		return busy == r || (busy.controller == r.controller && !several)
	})
}

func (s *sim) enqueue(requests ...request) {
	for _, r := range requests {
		if !slices.Contains(s.queue, r) {
			s.queue = append(s.queue, r)
		}
	}
}

// reconcile runs one reconcile, and does with its result what controller-runtime does.
func (s *sim) reconcile(r request) {
	s.queue = slices.DeleteFunc(s.queue, func(queued request) bool { return queued == r })
	s.running, s.latest = append(s.running, r), r
	if r.controller == ofProviders {
		s.stand(r.key)
	}
	ctx := context.WithValue(context.Background(), turnKey{}, &turn{request: r})
	result, err := s.op.reconcilers[r.controller].Reconcile(ctx, reconcile.Request{NamespacedName: r.key})
	s.running = s.running[:len(s.running)-1]
	if spoilt := s.spoilt(); spoilt != "" {
		s.judge.broken = append(s.judge.broken, fmt.Sprintf("%s (%s)", spoilt, r))
	}
	switch {
	case err != nil:
		if !errors.Is(err, errInjected) {
			s.judge.broken = append(s.judge.broken, fmt.Sprintf("%s failed: %v", r, err))
		}
		s.tries[r]++
		s.after(r, 5*time.Millisecond<<min(s.tries[r], 10))
	case result.RequeueAfter > 0:
		delete(s.tries, r)
		s.after(r, result.RequeueAfter)
	default:
		delete(s.tries, r)
	}
}

// spoilt looks now and then for objects that were changed although they belong to the cache.
func (s *sim) spoilt() string {
	const often = 4
	s.reconciles++
	if s.reconciles%often != 0 {
		return ""
	}
	found := s.op.cache.spoilt()
	if len(s.running) == 0 {
		clear(s.op.cache.lent) // whoever was lent something has given it back
	}
	return found
}

func (s *sim) after(r request, d time.Duration) {
	at := s.clock.Now().Add(d)
	if known, ok := s.timers[r]; !ok || at.Before(known) {
		s.timers[r] = at
	}
}

// stand puts the scripted source in the place of the server that a MetricProvider declares.
func (s *sim) stand(key types.NamespacedName) {
	var declared v1alpha1.MetricProvider
	if err := s.op.cache.Get(context.Background(), key, &declared); err != nil || declared.Spec.Prometheus == nil {
		return
	}
	config := provider.PrometheusConfig{Address: declared.Spec.Prometheus.Address}
	if err := s.op.providers.Set(key.String(), config.Fingerprint(), func() (provider.Provider, error) { return s.source, nil }); err != nil {
		panic(err)
	}
}

// wait moves the clock to the next moment at which something is due. It returns false at the end of the scenario.
func (s *sim) wait() bool {
	next := began.Add(s.scenario.length)
	for at := range maps.Values(s.timers) {
		next = earlier(next, at)
	}
	if len(s.script) > 0 {
		next = earlier(next, began.Add(s.script[0].at))
	}
	next = earlier(next, s.chaos.thaw(s.clock.Now(), next))
	if !next.Before(began.Add(s.scenario.length)) {
		return false
	}
	s.moveClock(next)
	return true
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// moveClock lets time pass: people do what they do then, and timers go off in the order of their times.
func (s *sim) moveClock(to time.Time) {
	s.clock.SetTime(to)
	for len(s.script) > 0 && !began.Add(s.script[0].at).After(to) {
		next := s.script[0]
		s.script = s.script[1:] // what people do may let time pass as well
		s.story.people(s.clock.Now(), next.what)
		next.do(s)
	}
	due := slices.SortedFunc(maps.Keys(s.timers), func(a, b request) int {
		return cmp.Or(s.timers[a].Compare(s.timers[b]), cmp.Compare(a.String(), b.String()))
	})
	for _, r := range due {
		if !s.timers[r].After(to) {
			delete(s.timers, r)
			s.enqueue(r)
		}
	}
}

func (s *sim) said(about client.Object, reason, note string) {
	s.story.event(s.clock.Now(), about, reason, note)
}

// wrote writes a change into the story and has it judged.
func (s *sim) wrote(ctx context.Context, c change) {
	s.story.change(s.clock.Now(), c)
	if turnOf(ctx) != nil {
		s.writes++
	}
	if s.watch != nil {
		s.watch(c)
	}
	s.reactions = slices.DeleteFunc(s.reactions, func(r reaction) bool {
		switch {
		case r.to == nil || !r.to(c):
			return false
		case r.atOnce:
			s.story.people(s.clock.Now(), r.what)
			r.do(s)
		default:
			s.due = append(s.due, r)
		}
		return true
	})
	switch kindOf(c.object()) {
	case "SiteRollout":
		s.judge.change(s.scene(turnOf(ctx)), c)
	case "ControllerRevision":
		s.judge.pruned(s.scene(turnOf(ctx)), c)
	case "RolloutDecision":
		s.judge.decided(s.scene(turnOf(ctx)), c)
	}
}

// captured notes which of the source's answers are there to take baselines from, and has happen what was to happen then.
func (s *sim) captured(kpi types.NamespacedName) {
	s.source.settle(true)
	s.reactions = slices.DeleteFunc(s.reactions, func(r reaction) bool {
		if r.toCapture == kpi.Name {
			s.due = append(s.due, r)
			return true
		}
		return false
	})
}

// scene is the whole state of the simulation for the judge.
func (s *sim) scene(t *turn) scene {
	at := scene{turn: t, now: s.now(), drift: 2 * s.chaos.drift, log: s.source.log, api: s.api, siteRollouts: all[*v1alpha1.SiteRollout](s.api), hours: s.scenario.hours}
	if rollouts := all[*v1alpha1.CRMRollout](s.api); len(rollouts) > 0 {
		at.rollout = rollouts[0]
	}
	return at
}
