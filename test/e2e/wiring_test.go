package e2e

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
)

// One rollout from the first object to the last site, across a change of the manager and a promotion by `through`.
func TestRolloutIsCarriedThrough(t *testing.T) {
	t.Parallel()
	const namespace = "wiring"
	run := begin(t, namespace, "30s", "migrate")
	leader := manager(t, cluster.ManagerOptions{Name: "first", LeaderElectionNamespace: namespace}, namespace)
	eventually(t, "the first manager holds the lease", func() bool { return holder(t, namespace) != "" })
	first := holder(t, namespace)

	await(t, namespace, "all sites have come as far as through lets them", &v1alpha1.CRMRolloutList{}, func(r *v1alpha1.CRMRollout) bool {
		return r.Status.Sites.Waiting == 3 && slices.ContainsFunc(r.Status.Waves, func(w v1alpha1.WaveStatus) bool { return w.State == v1alpha1.WaveClosed }) &&
			passed(t, namespace, "migrate") == 1
	})
	standby := manager(t, cluster.ManagerOptions{Name: "second", LeaderElectionNamespace: namespace}, namespace)
	if now := holder(t, namespace); now != first {
		t.Errorf("a second manager took the lease from the first one, which still works: %s, then %s", first, now)
	}
	probes(t, leader)
	probes(t, standby)
	if err := leader.Stop(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	for line := range strings.Lines(leader.LogTail()) {
		// The library may call it an error that a leader which ends leads no longer, or that what it was doing just then was called off.
		if strings.Contains(line, `"level":"ERROR"`) && !strings.Contains(line, "leader election lost") && !strings.Contains(line, `"err":"context canceled"`) {
			t.Errorf("a manager that is asked to end has nothing to complain about: %s", line)
		}
	}
	eventually(t, "the second manager takes over", func() bool { now := holder(t, namespace); return now != "" && now != first })

	rollout := get(t, namespace, "group", &v1alpha1.CRMRollout{})
	promoted := rollout.DeepCopy()
	promoted.Spec.Through = "go-live"
	if err := api.Patch(t.Context(), promoted, client.MergeFrom(rollout)); err != nil {
		t.Fatal(err)
	}
	await(t, namespace, "paris is held", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		return sr.Spec.Site == "paris" && sr.Status.State == v1alpha1.SiteHeld
	})
	run.adoption.Set(time.Now(), 0.7, "paris")
	awaitCompleted(t, namespace, "group")

	t.Run("each site's story", func(t *testing.T) { wiringStories(t, namespace) })
	t.Run("events tell the transitions", func(t *testing.T) { wiringEvents(t, namespace) })
	t.Run("every object is current in the sense of kstatus", func(t *testing.T) {
		for _, kind := range kinds {
			found := list(t, namespace, kind)
			if len(found) == 0 {
				t.Errorf("there is no %s", kind)
			}
			for i := range found {
				assertCurrent(t, &found[i])
			}
		}
	})
	t.Run("metrics", func(t *testing.T) { wiringMetrics(t, standby) })
	t.Run("kubectl", func(t *testing.T) { kubectl(t, namespace) })
	if err := standby.Stop(); err != nil {
		t.Error(err)
	}
	t.Run("the record", func(t *testing.T) { wiringRecord(t, namespace) })
	if left := holder(t, namespace); left != "" {
		t.Errorf("the last manager has ended and the lease is still held by %s", left)
	}
}

// passed counts the sites that have passed a phase.
func passed(t *testing.T, namespace, phase string) int {
	count := 0
	for _, sr := range siteRollouts(t, namespace) {
		if slices.ContainsFunc(sr.Status.Phases, func(p v1alpha1.PhaseRecord) bool { return p.Name == phase && p.PassedAt != nil }) {
			count++
		}
	}
	return count
}

// holder is who holds the lease of the managers; empty when nobody does.
func holder(t *testing.T, namespace string) string {
	t.Helper()
	var lease coordinationv1.Lease
	err := api.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "crm-rollout-operator.crmops.dev"}, &lease)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// probes asks what a kubelet asks.
func probes(t *testing.T, m *cluster.Manager) {
	t.Helper()
	for _, path := range []string{"/healthz", "/readyz"} {
		if text := fetch(t, m.HealthURL()+path); text != "ok" {
			t.Errorf("%s answers %q", path, text)
		}
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if closed := response.Body.Close(); err != nil || closed != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v, %v", url, response.StatusCode, err, closed)
	}
	return string(text)
}

func wiringStories(t *testing.T, namespace string) {
	const (
		pending, waiting, proving = v1alpha1.SitePending, v1alpha1.SiteWaiting, v1alpha1.SiteProving
		held, completed           = v1alpha1.SiteHeld, v1alpha1.SiteCompleted
	)
	smooth := []step{
		{1, pending, waiting, "migrate", 0, v1alpha1.ReasonCreated},
		{2, waiting, proving, "migrate", 1, v1alpha1.ReasonPhaseStarted},
		{3, proving, waiting, "migrate", 1, v1alpha1.ReasonPhasePassed},
		{4, waiting, proving, "go-live", 1, v1alpha1.ReasonPhaseStarted},
		{5, proving, completed, "go-live", 1, v1alpha1.ReasonPhasePassed},
	}
	bumpy := append(slices.Clone(smooth[:4]),
		step{5, proving, held, "go-live", 1, v1alpha1.ReasonExitGateFailed},
		step{6, held, proving, "go-live", 1, v1alpha1.ReasonRecovered},
		step{7, proving, completed, "go-live", 1, v1alpha1.ReasonPhasePassed})
	phases := func(users v1alpha1.Decimal) []phase {
		return []phase{
			{"migrate", 1, true, map[string]v1alpha1.Decimal{"complete-records": "0.98"}},
			{"go-live", 1, true, map[string]v1alpha1.Decimal{"daily-users": users}},
		}
	}
	want := map[string]story{
		"berlin": {completed, "pilot", phases("0.8"), smooth},
		"paris":  {completed, "everybody", phases("0.7"), bumpy},
		"tokyo":  {completed, "everybody", phases("0.8"), smooth},
	}
	if diff := cmp.Diff(want, stories(t, namespace)); diff != "" {
		t.Errorf("stories (-want +got):\n%s", diff)
	}
}

func wiringEvents(t *testing.T, namespace string) {
	wanted := map[string]bool{
		"CRMRollout group Normal WaveOpen":               true,
		"CRMRollout group Normal WaveCompleted":          true,
		"CRMRollout group Normal AllPhasesPassed":        true,
		"KPI adoption Normal Measured":                   true,
		"SiteRollout group.paris Warning ExitGateFailed": true,
		"SiteRollout group.paris Normal Recovered":       true,
	}
	for site, told := range stories(t, namespace) {
		for _, s := range told.Steps {
			if s.To != v1alpha1.SiteHeld {
				wanted["SiteRollout group."+site+" Normal "+s.Reason] = true
			}
		}
	}
	// What an event of a site ends with: the number of the last step with that reason, and the beginning of its hash.
	noted := map[string]string{}
	for _, sr := range siteRollouts(t, namespace) {
		for _, s := range sr.Status.Transitions {
			noted[sr.Name+s.Reason] = fmt.Sprintf(" (step %d, hash %.12s)", s.Sequence, s.Hash)
		}
	}
	missing := func() []string {
		var list eventsv1.EventList
		if err := api.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		left := map[string]bool{}
		for what := range wanted {
			left[what] = true
		}
		for _, e := range list.Items {
			if e.Regarding.Kind == "Lease" {
				continue // the library tells of its leader election
			}
			if e.Note == "" || e.ReportingController != "crm-rollout-operator" {
				t.Errorf("an event without a sentence, or not from the operator: %+v", e)
			}
			if e.Regarding.Kind == "SiteRollout" && !strings.HasSuffix(e.Note, noted[e.Regarding.Name+e.Reason]) {
				continue // not the last step with this reason
			}
			delete(left, strings.Join([]string{e.Regarding.Kind, e.Regarding.Name, e.Type, e.Reason}, " "))
		}
		names := make([]string, 0, len(left))
		for what := range left {
			names = append(names, what)
		}
		return names
	}
	// Events are written in the background, after the status.
	eventually(t, "every transition has an event", func() bool { return len(missing()) == 0 })
}

func wiringMetrics(t *testing.T, m *cluster.Manager) {
	text := fetch(t, m.MetricsURL())
	for _, line := range []string{
		`crm_rollout_kpi_value{kpi="completeness",namespace="wiring",site="tokyo"} 0.98`,
		`crm_rollout_kpi_value{kpi="adoption",namespace="wiring",site="paris"} 0.7`,
		`crm_rollout_kpi_value{kpi="satisfaction",namespace="wiring",site="berlin"} 4.4`,
		`crm_rollout_kpi_measured_timestamp_seconds{kpi="adoption",namespace="wiring"} `,
		`crm_rollout_site_state{namespace="wiring",phase="",reason="AllPhasesPassed",rollout="group",site="berlin",state="Completed"} 1`,
		`controller_runtime_reconcile_total{controller="siterollout",result="success"} `,
		`controller_runtime_reconcile_total{controller="kpi",result="error"} 0`,
		`controller_runtime_reconcile_total{controller="crmrollout",result="error"} 0`,
		`controller_runtime_reconcile_total{controller="siterollout",result="error"} 0`,
		`process_resident_memory_bytes `,
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("there is no line that begins with %s", line)
		}
	}
}
