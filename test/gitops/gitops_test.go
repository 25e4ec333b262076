package gitops

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// The steps of one programme that is run by commits, from the first one to a mistake and back.
func TestCommitsRunAProgramme(t *testing.T) {
	var told numbers
	source := told.serve(t)
	git := newRepositoryOf(t, source.URL())
	startManager(t)
	engine := startEngine(t)
	follow(t, "./fleet")

	git.write(t, "fleet/rollout.yaml", through("prepare"))
	first := git.commit(t, "Begin with the pilot sites")
	awaitSynced(t, first)
	t.Run("the engine finds everything ready though sites are held and the rollout is far from its end", func(t *testing.T) {
		awaitPilots(t, "are held at the gate of the first phase", func(sr v1alpha1.SiteRollout) bool { return sr.Status.State == v1alpha1.SiteHeld })
		if condition := rolloutCondition(t, v1alpha1.ConditionCompleted); condition == nil || condition.Status != metav1.ConditionFalse {
			t.Fatalf("completed: %+v", condition)
		}
		syncAgain(t)
		assertHealth(t, "Healthy")
	})
	t.Run("a second sync changes nothing, and nobody else writes what it applied", func(t *testing.T) { secondSync(t, engine, first) })
	t.Run("the numbers move the sites as far as the commit lets them", func(t *testing.T) {
		told.clean.Store(true)
		awaitPilots(t, "have passed the first phase", func(sr v1alpha1.SiteRollout) bool { return passed(sr) == "prepare" })
		// As docs/gitops.md has it, for a pipeline.
		if _, err := control.Kubectl(t.Context(), append([]string{"-n", namespace}, pipelineWait(t)...)...); err != nil {
			t.Error(err)
		}
	})
	t.Run("a commit that raises through makes them advance", func(t *testing.T) {
		git.write(t, "fleet/rollout.yaml", through("migrate"))
		awaitSynced(t, git.commit(t, "Migrate the pilot sites"))
		awaitPilots(t, "have passed the second phase", func(sr v1alpha1.SiteRollout) bool { return passed(sr) == "prepare migrate" })
	})
	t.Run("a commit that the API server refuses changes nothing", func(t *testing.T) {
		git.write(t, "fleet/rollout.yaml", through("migration"))
		says := awaitFailed(t, git.commit(t, "Name a phase that is not there"), "ReconciliationFailed")
		if !strings.Contains(says, "through must be the name of one of spec.phases") {
			t.Errorf("the engine does not say what is wrong: %s", says)
		}
		assertHealth(t, "Healthy")
	})
	t.Run("a commit with a mistake that only the operator can see fails the engine's checks at once", func(t *testing.T) {
		git.write(t, "fleet/rollout.yaml", through("migrate"))
		git.write(t, "fleet/kustomization.yaml", strings.ReplaceAll(fleet+mistake, "$SOURCE", source.URL()))
		says := awaitFailed(t, git.commit(t, "Accept sites that do not use it"), "HealthCheckFailed")
		if !strings.Contains(says, "AcceptanceGate/"+namespace+"/used-beside-the-old-way status: 'Failed'") {
			t.Errorf("the engine does not say what has failed: %s", says)
		}
		eventually(t, "the rollout is stalled", func() error {
			if stalled := rolloutCondition(t, v1alpha1.ConditionStalled); stalled == nil || stalled.Status != metav1.ConditionTrue {
				return fmt.Errorf("stalled: %+v", stalled)
			}
			return nil
		})
		assertHealth(t, "Degraded")
	})
	t.Run("a commit that takes it back, and lowers through, mends it and moves no site back", func(t *testing.T) {
		git.write(t, "fleet/rollout.yaml", through("prepare"))
		git.write(t, "fleet/kustomization.yaml", strings.ReplaceAll(fleet, "$SOURCE", source.URL()))
		awaitSynced(t, git.commit(t, "Go back to the first phase"))
		for _, name := range pilots() {
			if sr := site(t, name); passed(sr) != "prepare migrate" || sr.Status.Reason != v1alpha1.ReasonThroughReached {
				t.Errorf("%s has passed %q and is %s because of %s", name, passed(sr), sr.Status.State, sr.Status.Reason)
			}
		}
		assertHealth(t, "Healthy")
	})
}

// newRepositoryOf makes a repository with the samples, for a cluster that has its numbers from some address.
func newRepositoryOf(t *testing.T, address string) *repository {
	t.Helper()
	git := newRepository(t)
	git.copy(t, "config/samples/programme")
	git.copy(t, "config/samples/demo")
	git.write(t, "fleet/kustomization.yaml", strings.ReplaceAll(fleet, "$SOURCE", address))
	return git
}

// secondSync applies the same commit again and checks that it is a no-op, for the engine and for the API server.
func secondSync(t *testing.T, e *engine, revision string) {
	t.Helper()
	before := applied(t)
	asked := time.Now()
	syncAgain(t)
	actions := e.applied(t, revision, asked)
	if want := len(before) + 1; len(actions) != want { // the namespace is one of them
		t.Errorf("the engine tells of %d objects, and applied %d", len(actions), want)
	}
	for object, action := range actions {
		if action != "unchanged" {
			t.Errorf("the second sync of %s: %s", object, action)
		}
	}
	generations := map[string][2]int64{}
	for name, object := range applied(t) {
		if was := before[name]; was == nil || was.GetGeneration() != object.GetGeneration() {
			generations[name] = [2]int64{was.GetGeneration(), object.GetGeneration()}
		}
		assertOwned(t, name, object)
	}
	if diff := cmp.Diff(map[string][2]int64{}, generations); diff != "" {
		t.Errorf("generations before and after (+):\n%s", diff)
	}
}

// assertOwned checks that nobody but the engine has written anything but a status.
func assertOwned(t *testing.T, name string, object *unstructured.Unstructured) {
	t.Helper()
	owners := 0
	for _, entry := range object.GetManagedFields() {
		if entry.Subresource == "status" {
			continue
		}
		owners++
		if entry.Manager != "kustomize-controller" || entry.Operation != metav1.ManagedFieldsOperationApply {
			t.Errorf("%s: %s has written, by %s: %s", name, entry.Manager, entry.Operation, entry.FieldsV1.GetRawString())
		}
	}
	if owners == 0 {
		t.Errorf("%s belongs to nobody", name)
	}
}

// applied reads every object of the operator's kinds that the engine keeps, by its name in the engine's inventory.
func applied(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	found := map[string]*unstructured.Unstructured{}
	for _, entry := range syncStatus(t).Inventory.Entries {
		part := strings.Split(entry.ID, "_") // namespace, name, group and kind
		object := &unstructured.Unstructured{}
		if part[2] != v1alpha1.GroupVersion.Group {
			continue
		}
		object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(part[3]))
		if err := api.Get(t.Context(), client.ObjectKey{Namespace: part[0], Name: part[1]}, object); err != nil {
			t.Fatal(err)
		}
		found[entry.ID] = object
	}
	if len(found) < 20 {
		t.Fatalf("the engine keeps only %d objects", len(found))
	}
	return found
}

func rolloutCondition(t *testing.T, kind string) *metav1.Condition {
	t.Helper()
	var object v1alpha1.CRMRollout
	if err := api.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: rollout}, &object); err != nil {
		t.Fatal(err)
	}
	return meta.FindStatusCondition(object.Status.Conditions, kind)
}

// pipelineWait is the command of docs/gitops.md by which a pipeline waits, from the word after kubectl on, as a shell would hand it over.
func pipelineWait(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(repositoryRoot, "docs", "gitops.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(content), "\n") {
		if command, found := strings.CutPrefix(line, "    kubectl -n "+namespace+" wait "); found {
			return append([]string{"wait"}, strings.Fields(command)...)
		}
	}
	t.Fatal("docs/gitops.md has no command by which a pipeline waits")
	return nil
}
