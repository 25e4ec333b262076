package sequence

import (
	"flag"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

var everyCrash = flag.Bool("every-crash", false, "crash after every write of every scenario; otherwise after every write of some that have all kinds of writes")

// mortality ends a process when it has made so many writes.
type mortality struct {
	// after is the number of writes that are carried out.
	after int
	// lost is true when the process does not hear of the last of them.
	lost bool
	// wrote counts the writes that have been carried out.
	wrote int
	// dead is true from then on: no write of the process is carried out any more, and each fails.
	dead bool
}

// fault fails the writes of a process that is dead.
func (m *mortality) fault(before bool) error {
	switch {
	case m == nil:
		return nil
	case before && m.wrote == m.after:
		m.dead = true
	case !before:
		m.wrote++
		m.dead = m.lost && m.wrote == m.after
	}
	if m.dead {
		return errInjected
	}
	return nil
}

// bury starts another process in the place of one that is dead. It lives for good.
func (s *sim) bury() {
	if s.mortality != nil && s.mortality.dead {
		s.mortality = nil
		s.restart("died")
	}
}

// brief is a programme that is over soon, so that many crashes can be played: soaks of 5m, a value of training speaks about 5m, and records must be clean for 10m.
func brief(name string, changes ...func(*scenario)) scenario {
	shorten := func(s *scenario) {
		for _, phase := range []string{"prepare", "migrate", "golive"} {
			with(phase, func(p *v1alpha1.RolloutPhase) { p.Spec.Soak = "5m" })(s)
		}
		with("training", func(k *v1alpha1.KPI) { k.Spec.Window = "5m" })(s)
		with("clean", func(g *v1alpha1.AcceptanceGate) { g.Spec.Criteria[0].For = "10m" })(s)
		s.length = 80 * minute
	}
	return programme(name, append([]func(*scenario){shorten}, changes...)...)
}

// crashed are the scenarios that are played with a crash after every write. Together they have every kind of write that the operator makes.
func crashed() []scenario {
	if *everyCrash {
		return scenarios()
	}
	guarded := quiet()
	guarded.Criteria[0].Importance, guarded.Score = v1alpha1.ImportanceWeighted, &v1alpha1.Score{Pass: 100}
	all := []scenario{
		brief("two waves, a site is held and recovers", bad("hq", 0, 25*minute), lasting(100*minute)),
		brief("sites leave, move and come, the plan breaks and gains a phase", lasting(70*minute),
			at(5*minute, "a site that has not begun is removed", remove(site("berlin", "region"))),
			at(10*minute, "a site moves to the wave that runs", edit("lyon", func(s *v1alpha1.RolloutSite) { s.Labels["wave"] = "pilot" })),
			at(15*minute, "a site joins", create(site("kiel", "region"))),
			at(20*minute, "the plan names a phase that does not exist", replan(func(p *v1alpha1.CRMRolloutSpec) {
				p.Phases = append(p.Phases, v1alpha1.LocalReference{Name: "optimise"})
			})),
			at(35*minute, "the phase is declared", create(phase("optimise", "5m", "")))),
		brief("one at a time", plan(func(p *v1alpha1.CRMRolloutSpec) { p.MaxConcurrent, p.Waves = sites(1), p.Waves[1:] })),
		trial("a baseline, a guardrail breaks", guarded, noisy(5*minute, 20*minute), lasting(60*minute)),
		market("a control group", 6, 0.9, 1.08),
	}
	return append(all, ofRulings()...)
}

// TestCrashAfterEveryWrite plays scenarios in the fixed order and lets the operator die after each of its writes: once so that all later writes fail, and once so that the answer to the
// last write is lost as well. Another process takes over, with an empty memory and a fresh cache. Where everything stands in the end, and the whole record, must be
// as if nothing had happened.
func TestCrashAfterEveryWrite(t *testing.T) {
	var scenarios, crashes atomic.Int64
	t.Cleanup(func() { t.Logf("%d scenarios, %d crashes", scenarios.Load(), crashes.Load()) })
	for _, scenario := range crashed() {
		t.Run(scenario.name, func(t *testing.T) {
			t.Parallel()
			undisturbed := newSim(scenario, newQuickAPI(), nil)
			undisturbed.run()
			want := undisturbed.record()
			for n := range undisturbed.writes {
				for _, lost := range []bool{false, true} {
					s := newSim(scenario, newQuickAPI(), nil)
					s.mortality = &mortality{after: n, lost: lost}
					s.run()
					if s.mortality != nil && n < undisturbed.writes-1 {
						t.Fatalf("the operator did not die after %d of its %d writes", n, undisturbed.writes)
					}
					problems := strings.Join(s.judge.broken, "\n")
					if diff := cmp.Diff(want, s.record()); diff != "" {
						problems += fmt.Sprintf("the end or the record differ (-undisturbed +crashed):\n%s", diff)
					}
					if problems != "" {
						t.Fatalf("after %d of %d writes, the answer to the last one lost: %t: %s\n%s", n, undisturbed.writes, lost, problems, s.story.String())
					}
					crashes.Add(1)
				}
			}
			scenarios.Add(1)
		})
	}
}

// TestCrashesAreSeen plays a crash that does leave something behind, because the next process comes a minute later, and sees that the records differ.
func TestCrashesAreSeen(t *testing.T) {
	scenario := trial("", quiet(), noisy(5*minute, 20*minute), lasting(60*minute))
	undisturbed, crashed := newSim(scenario, newQuickAPI(), nil), newSim(scenario, newQuickAPI(), nil)
	undisturbed.run()
	crashed.mortality = &mortality{after: undisturbed.writes / 2}
	for crashed.mortality != nil && crashed.step() {
	}
	crashed.moveClock(crashed.clock.Now().Add(minute))
	crashed.run()
	if cmp.Diff(undisturbed.record(), crashed.record()) == "" {
		t.Error("the records are the same")
	}
}

// record is where everything stands in the end, and the whole story of every site. What is left out are numbers that are refreshed from time to time.
func (s *sim) record() map[string]any {
	told := map[string]any{}
	for _, sr := range all[*v1alpha1.SiteRollout](s.api) {
		status := sr.Status.DeepCopy()
		if status.Gate != nil {
			status.Message, status.NextLook = "", nil
			for i := range status.Gate.Criteria {
				c := &status.Gate.Criteria[i]
				c.Figures, c.SampleTime, c.Message = v1alpha1.Figures{}, nil, ""
			}
		}
		status.Conditions = conditionsWithoutTimes(status.Conditions, status.Gate == nil)
		told["site "+sr.Spec.Site] = []any{sr.Labels, sr.OwnerReferences, sr.Spec, status}
	}
	for _, r := range all[*v1alpha1.CRMRollout](s.api) {
		status := r.Status.DeepCopy()
		status.Conditions = conditionsWithoutTimes(status.Conditions, true)
		told["rollout "+r.Name] = status
	}
	for _, k := range all[*v1alpha1.KPI](s.api) {
		status := k.Status.DeepCopy()
		status.Conditions = conditionsWithoutTimes(status.Conditions, true)
		told["kpi "+k.Name] = status
	}
	return told
}

func conditionsWithoutTimes(conditions []metav1.Condition, messages bool) []metav1.Condition {
	for i := range conditions {
		conditions[i].LastTransitionTime = metav1.Time{}
		if !messages {
			conditions[i].Message = ""
		}
	}
	return conditions
}
