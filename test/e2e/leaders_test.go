package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
	"github.com/crmops/rollout-operator/test/fakeprom"
)

const (
	// takeovers is how often the leader is paused.
	takeovers = 6
	// momentsWithin is the greatest number of writes after which the leader is paused, and resumed.
	momentsWithin = 40
	leadersSites  = 160
	leadersPilots = 8
	leadersLimit  = 6
)

// leadersProgramme has a phase without a gate on either side of one with a gate, so that slots are given away all the time and are always scarce.
const leadersProgramme = `
kind: MetricProvider
metadata: {name: warehouse}
spec: {prometheus: {address: "$SOURCE", timeout: 5s}}
---
kind: KPI
metadata: {name: completeness}
spec: {provider: {name: warehouse}, query: crm_completeness, unit: ratio, direction: HigherIsBetter, category: DataQuality, interval: 1s, staleAfter: 1m}
---
kind: AcceptanceGate
metadata: {name: complete}
spec: {criteria: [{name: complete-records, kpi: completeness, atLeast: "0.95"}]}
---
kind: RolloutPhase
metadata: {name: assess}
spec: {description: Look}
---
kind: RolloutPhase
metadata: {name: migrate}
spec: {exitGate: {name: complete}}
---
kind: RolloutPhase
metadata: {name: go-live}
spec: {description: Go}
---
kind: CRMRollout
metadata: {name: group}
spec:
  phases: [{name: assess}, {name: migrate}, {name: go-live}]
  waves:
  - {name: pilot, selector: {matchLabels: {wave: pilot}}}
  - {name: rest, selector: {}}
  maxConcurrent: $LIMIT
`

// A leader that is paused in the middle of its work and goes on after another has taken over writes nothing: it decided by what it saw before. Otherwise it would
// give away slots that the other one has given away already, though none of the objects that it writes has changed.
func TestPausedLeader(t *testing.T) {
	t.Parallel()
	const namespace = "leaders"
	names := beginLeaders(t, namespace)
	seen := watchLeaders(t, namespace)
	both := newLeaders(t, namespace)
	for round := 0; round < takeovers; {
		old, holder := both.leading(t)
		before := seen.await(t, 1+rand.IntN(momentsWithin), both.tend)
		decided := round%2 == 0
		if decided && !both.decides(t, old) {
			continue
		}
		old.manager.Pause()
		next := both.awaitHolder(t, holder)
		during := seen.await(t, 1+rand.IntN(momentsWithin), both.tend)
		old.wire.mustBeSilent()
		old.manager.Resume()
		eventually(t, "the old leader ends", old.ended)
		if said := old.manager.LogTail(); !strings.Contains(said, "leader election lost") {
			t.Errorf("the old leader ended for another reason:\n%s", said)
		}
		if err := old.wire.lateWrites(); err != nil {
			t.Errorf("the old leader went on writing: %v", err)
		}
		round++
		t.Logf("round %d: paused %s after %d writes, with an admission on its way: %t; %s took over; resumed the first one after %d writes", round, holder, before, decided, next, during)
	}
	awaitCompleted(t, namespace, "group")
	seen.end(t)
	assertSameStories(t, namespace, names)
}

// beginLeaders makes the programme and returns the names of its sites.
func beginLeaders(t *testing.T, namespace string) []string {
	t.Helper()
	s := source(t)
	var manifests strings.Builder
	manifests.WriteString(strings.NewReplacer("$SOURCE", s.URL(), "$LIMIT", fmt.Sprint(leadersLimit)).Replace(leadersProgramme))
	var names []string
	for i := range leadersSites {
		name, wave := fmt.Sprintf("site-%03d", i), "rest"
		if i < leadersPilots {
			wave = "pilot"
		}
		names = append(names, name)
		_, _ = fmt.Fprintf(&manifests, "---\nkind: RolloutSite\nmetadata: {name: %s, labels: {wave: %s}}\nspec: {region: emea}\n", name, wave) // a strings.Builder never fails
	}
	values := &fakeprom.Series{}
	values.Set(time.Now().Add(-time.Hour), 0.98, names...)
	s.Handle("crm_completeness", fakeprom.BySite(values.At))
	create(t, namespace, manifests.String())
	return names
}

// leaders are two managers that compete for a lease.
type leaders struct {
	namespace string
	started   int
	running   [2]*leader
}

// leader is one of them, with what lies between it and the API server.
type leader struct {
	manager *cluster.Manager
	wire    *wire
}

func newLeaders(t *testing.T, namespace string) *leaders {
	t.Helper()
	l := &leaders{namespace: namespace}
	for i := range l.running {
		l.running[i] = l.run(t)
	}
	return l
}

// run starts a manager. Its times are those of production, made short.
func (l *leaders) run(t *testing.T) *leader {
	t.Helper()
	l.started++
	name := fmt.Sprintf("%s-%d", l.namespace, l.started)
	w := lay(t, name)
	return &leader{wire: w, manager: manager(t, cluster.ManagerOptions{
		Name: name, Kubeconfig: w.kubeconfig, LeaderElectionNamespace: l.namespace,
		Args: []string{"--leader-election-lease-duration=4s", "--leader-election-renew-deadline=3s", "--leader-election-retry-period=500ms"},
	}, l.namespace)}
}

// tend replaces managers that have ended by themselves, because the machine was too busy to renew the lease, as a cluster does.
func (l *leaders) tend(t *testing.T) {
	t.Helper()
	for i, one := range l.running {
		if one.ended() {
			l.running[i] = l.run(t)
		}
	}
}

// leading waits until one of the managers leads, and returns it with the name that the lease has for it.
func (l *leaders) leading(t *testing.T) (found *leader, holder string) {
	t.Helper()
	eventually(t, "a manager leads", func() bool {
		l.tend(t)
		for _, one := range l.running {
			if one.leads(t) {
				found, holder = one, l.holder(t)
				return one.leads(t)
			}
		}
		return false
	})
	return found, holder
}

// awaitHolder waits until the lease has another holder.
func (l *leaders) awaitHolder(t *testing.T, old string) (holder string) {
	t.Helper()
	eventually(t, "another manager takes the lease", func() bool {
		l.tend(t)
		holder = l.holder(t)
		return holder != "" && holder != old
	})
	return holder
}

// holder is who has the lease now.
func (l *leaders) holder(t *testing.T) string {
	t.Helper()
	if holder := get(t, l.namespace, "crm-rollout-operator.crmops.dev", &coordinationv1.Lease{}).Spec.HolderIdentity; holder != nil {
		return *holder
	}
	return ""
}

// decides waits until a leader has decided to admit a site, and is about to write it. It reports false when the leader ends instead.
func (l *leaders) decides(t *testing.T, one *leader) bool {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-one.wire.putOff():
		return true
	case <-one.manager.Exited():
		return false
	case <-timeout.C:
		t.Fatal("the leader admits nobody any more; has the rollout completed before the test has?")
		return false
	}
}

func (l *leader) ended() bool {
	select {
	case <-l.manager.Exited():
		return true
	default:
		return false
	}
}

// leads asks a manager whether it has the lease.
func (l *leader) leads(t *testing.T) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.manager.MetricsURL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false // it is ending
	}
	text, err := io.ReadAll(response.Body)
	if closed := response.Body.Close(); err != nil || closed != nil {
		return false
	}
	return strings.Contains(string(text), `leader_election_master_status{name="crm-rollout-operator.crmops.dev"} 1`)
}

// watchLeaders watches every write to the SiteRollouts of a namespace from now on.
func watchLeaders(t *testing.T, namespace string) *witness {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	watch, err := api.Watch(ctx, &v1alpha1.SiteRolloutList{}, client.InNamespace(namespace))
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{phases: []string{"assess", "migrate", "go-live"}, limit: leadersLimit, first: "pilot", firstSites: leadersPilots, sites: map[string]*v1alpha1.SiteRollout{}, ended: make(chan struct{})}
	t.Cleanup(func() {
		cancel()
		<-w.ended
	})
	go w.follow(ctx, watch)
	return w
}

// assertSameStories checks that every site went through the same steps, each once.
func assertSameStories(t *testing.T, namespace string, names []string) {
	t.Helper()
	told := stories(t, namespace)
	if len(told) != len(names) {
		t.Errorf("%d sites have a story, want %d", len(told), len(names))
	}
	const waiting, proving, completed = v1alpha1.SiteWaiting, v1alpha1.SiteProving, v1alpha1.SiteCompleted
	want := []step{
		{1, v1alpha1.SitePending, waiting, "assess", 0, v1alpha1.ReasonCreated},
		{2, waiting, proving, "assess", 1, v1alpha1.ReasonPhaseStarted},
		{3, proving, waiting, "assess", 1, v1alpha1.ReasonPhasePassed},
		{4, waiting, proving, "migrate", 1, v1alpha1.ReasonPhaseStarted},
		{5, proving, waiting, "migrate", 1, v1alpha1.ReasonPhasePassed},
		{6, waiting, proving, "go-live", 1, v1alpha1.ReasonPhaseStarted},
		{7, proving, completed, "go-live", 1, v1alpha1.ReasonPhasePassed},
	}
	for _, name := range names {
		if diff := cmp.Diff(want, told[name].Steps); diff != "" {
			t.Fatalf("%s went through other steps (-want +got):\n%s", name, diff)
		}
	}
}
