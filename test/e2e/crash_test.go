package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
)

// A manager that is killed loses nothing: whenever it happens, every site goes through the same steps as without, each recorded once.
func TestKilledManager(t *testing.T) {
	t.Parallel()
	// The longest gap that a hold survives is more than a restart takes on a machine that does other things as well.
	const staleAfter = "30s"
	rides := map[string]func(*testing.T, string){"undisturbed": undisturbed, "thrice": killedThrice, "always": killedAlways}
	results := map[string]map[string]story{}
	for name := range rides {
		results[name] = map[string]story{}
	}
	t.Run("runs", func(t *testing.T) {
		for name, ride := range rides {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				namespace := "killed-" + name
				run := begin(t, namespace, staleAfter, "go-live")
				mended := make(chan error, 1)
				go func() { mended <- mend(t.Context(), namespace, run) }()
				t.Cleanup(func() {
					if err := <-mended; err != nil {
						t.Error(err)
					}
				})
				ride(t, namespace)
				awaitCompleted(t, namespace, "group")
				for site, s := range stories(t, namespace) {
					results[name][site] = s
				}
				unbroken(t, namespace)
			})
		}
	})
	if t.Failed() {
		return
	}
	want := results["undisturbed"]
	if len(want) != 3 {
		t.Fatalf("the undisturbed run has %d sites, want 3", len(want))
	}
	for _, site := range []string{"berlin", "paris", "tokyo"} {
		t.Logf("%s: %s in wave %s\n%s", site, want[site].State, want[site].Wave, script(want[site]))
	}
	for _, name := range []string{"thrice", "always"} {
		if diff := cmp.Diff(want, results[name]); diff != "" {
			t.Errorf("the run that was killed (%s) differs from the undisturbed one (-undisturbed +killed):\n%s", name, diff)
		}
	}
}

// script writes a story for people.
func script(s story) string {
	text := ""
	for _, step := range s.Steps {
		text += fmt.Sprintf("  %d. %s -> %s %s/%d %s\n", step.Sequence, step.From, step.To, step.Phase, step.Attempt, step.Reason)
	}
	return text
}

// mend makes the adoption in Paris good once the site is held because it is not.
func mend(ctx context.Context, namespace string, run programmeRun) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		var paris v1alpha1.SiteRollout
		err := api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "group.paris"}, &paris)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("wait until paris is held: %w", err)
		}
		if paris.Status.State == v1alpha1.SiteHeld {
			run.adoption.Set(time.Now(), 0.7, "paris")
			return nil
		}
		<-ticker.C
	}
}

// unbroken checks what must be true of every story, and that cannot be seen by comparing.
func unbroken(t *testing.T, namespace string) {
	t.Helper()
	held := map[string]time.Duration{"complete-records": 8 * time.Second, "daily-users": 3 * time.Second}
	for site, sr := range siteRollouts(t, namespace) {
		for i, transition := range sr.Status.Transitions {
			if transition.Sequence != int64(i+1) {
				t.Errorf("%s: transition %d has number %d", site, i+1, transition.Sequence)
			}
		}
		for _, p := range sr.Status.Phases {
			for _, e := range p.Evidence {
				if p.PassedAt.Sub(e.MetSince.Time) < held[e.Criterion] || !e.MetSince.After(p.StartedAt.Time) {
					t.Errorf("%s: phase %s, from %s to %s, passed on %s that was met since %s only", site, p.Name, p.StartedAt, p.PassedAt, e.Criterion, e.MetSince)
				}
			}
		}
	}
}

func undisturbed(t *testing.T, namespace string) {
	manager(t, cluster.ManagerOptions{Name: namespace}, namespace)
	awaitCompleted(t, namespace, "group")
}

// crash kills a manager and runs the next one at once.
func crash(t *testing.T, running *cluster.Manager, namespace string) *cluster.Manager {
	t.Helper()
	running.Kill()
	return manager(t, cluster.ManagerOptions{Name: namespace}, namespace)
}

// killedThrice kills the manager right after the first admission, in the middle of a hold and right after a wave barrier.
func killedThrice(t *testing.T, namespace string) {
	running := manager(t, cluster.ManagerOptions{Name: namespace}, namespace)
	await(t, namespace, "the first site is admitted", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		return sr.Spec.AdmittedThrough != ""
	})
	running = crash(t, running, namespace)

	before := awaitHold(t, namespace, 3*time.Second)
	killedAt := time.Now()
	running = crash(t, running, namespace)
	after := awaitPassed(t, namespace)
	if since := after.Evidence[0].MetSince.Time; !since.Equal(before) {
		t.Errorf("the hold began at %s and the manager was killed at %s; the phase passed on a hold from %s", before, killedAt, since)
	}
	t.Logf("met since %s, killed at %s, passed at %s", before.Format(time.TimeOnly), killedAt.UTC().Format(time.TimeOnly), after.PassedAt.UTC().Format(time.TimeOnly))

	await(t, namespace, "the second wave opens", &v1alpha1.CRMRolloutList{}, func(r *v1alpha1.CRMRollout) bool {
		return slices.ContainsFunc(r.Status.Waves, func(w v1alpha1.WaveStatus) bool { return w.Name == "everybody" && w.State == v1alpha1.WaveOpen })
	})
	crash(t, running, namespace)
}

// awaitHold waits until the criterion of Berlin's first phase has been met for a while, and not for long enough. It returns since when.
func awaitHold(t *testing.T, namespace string, length time.Duration) time.Time {
	t.Helper()
	var since time.Time
	eventually(t, "berlin is in the middle of a hold", func() bool {
		gate := siteRollouts(t, namespace)["berlin"].Status.Gate
		if gate == nil || gate.Role != v1alpha1.GateRoleExit || gate.Criteria[0].MetSince == nil {
			return false
		}
		since = gate.Criteria[0].MetSince.UTC()
		return gate.Criteria[0].Reason == v1alpha1.ReasonHolding && time.Since(since) > length
	})
	return since
}

// awaitPassed waits until Berlin has passed its first phase, and returns the record of it.
func awaitPassed(t *testing.T, namespace string) v1alpha1.PhaseRecord {
	t.Helper()
	return await(t, namespace, "berlin passes migrate", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		return sr.Spec.Site == "berlin" && len(sr.Status.Phases) > 0 && sr.Status.Phases[0].PassedAt != nil
	}).Status.Phases[0]
}

// killedAlways kills the manager whenever a transition has been recorded.
func killedAlways(t *testing.T, namespace string) {
	running := manager(t, cluster.ManagerOptions{Name: namespace}, namespace)
	seen, kills := 0, 0
	for ; !finished(t, namespace); kills++ {
		eventually(t, "another transition is recorded", func() bool { return recorded(t, namespace) > seen })
		seen = recorded(t, namespace)
		running = crash(t, running, namespace)
	}
	t.Logf("killed %d times for %d transitions", kills, recorded(t, namespace))
}

// recorded counts the transitions of all sites.
func recorded(t *testing.T, namespace string) int {
	t.Helper()
	count := 0
	for _, sr := range siteRollouts(t, namespace) {
		count += len(sr.Status.Transitions)
	}
	return count
}

// finished reports whether every site has completed.
func finished(t *testing.T, namespace string) bool {
	t.Helper()
	completed := 0
	for _, sr := range siteRollouts(t, namespace) {
		if sr.Status.State == v1alpha1.SiteCompleted {
			completed++
		}
	}
	return completed == 3
}

// While nobody measured for longer than staleAfter, nobody knows whether the criterion was met: the hold begins anew.
func TestHoldDoesNotSurviveALongGap(t *testing.T) {
	t.Parallel()
	const (
		namespace  = "gap"
		staleAfter = 3 * time.Second
	)
	begin(t, namespace, "3s", "migrate")
	running := manager(t, cluster.ManagerOptions{Name: namespace}, namespace)
	before := awaitHold(t, namespace, 2*time.Second)
	running.Kill()
	killedAt := time.Now()
	eventually(t, "the last value is stale", func() bool { return time.Since(killedAt) > staleAfter+time.Second })
	startedAgain := time.Now().Truncate(time.Second)
	manager(t, cluster.ManagerOptions{Name: namespace}, namespace)
	passed := awaitPassed(t, namespace)
	if since := passed.Evidence[0].MetSince.Time; since.Before(startedAgain) {
		t.Errorf("the hold from before the gap (%s) must not count after it: passed on one from %s, the manager was started again at %s", before, since, startedAgain)
	}
	t.Logf("met since %s, killed at %s, started again at %s, met since %s, passed at %s", before.Format(time.TimeOnly), killedAt.UTC().Format(time.TimeOnly),
		startedAgain.UTC().Format(time.TimeOnly), passed.Evidence[0].MetSince.UTC().Format(time.TimeOnly), passed.PassedAt.UTC().Format(time.TimeOnly))
	unbroken(t, namespace)
}
