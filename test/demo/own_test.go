package main

import (
	"bytes"
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/crmops/rollout-operator/test/cluster"
)

// numbers is where nobody answers: these tests look at what is made and removed, and no site moves.
const numbers = "http://127.0.0.1:1"

// A control plane plays the user's own cluster. What holds in it before the demonstration must hold after it.
func TestOwnCluster(t *testing.T) {
	ctrllog.SetLogger(logr.Discard())
	theirs := cluster.ForTest(t, cluster.Options{WithoutCRDs: true, ControllerManager: true})
	before := inventory(t, theirs)

	t.Run("a cluster with a namespace of that name is refused and left alone", func(t *testing.T) {
		refused(t, theirs, "namespace crm-demo exists", `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "crm-demo"}}`)
	})
	t.Run("a cluster with any kind of the operator's group is refused and left alone", func(t *testing.T) {
		refused(t, theirs, "kinds of rollout.crmops.dev (trials.rollout.crmops.dev)", `{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "trials.rollout.crmops.dev"},
			"spec": {"group": "rollout.crmops.dev", "scope": "Namespaced", "names": {"plural": "trials", "kind": "Trial"}, "versions": [
				{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}}`)
	})
	t.Run("what appeared since the first look is refused and left alone too", func(t *testing.T) {
		stage, _ := visit(t, theirs, false)
		if err := theirs.CreateNamespace(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
		held := inventory(t, theirs)
		if err := stage.applyProgramme(t.Context(), numbers); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("want a refusal, got: %v", err)
		}
		strike(t, stage)
		same(t, theirs, held)
		kubectl(t, theirs, "delete", "namespace", namespace)
	})
	t.Run("the programme is removed to the last object", func(t *testing.T) {
		stage, output := visit(t, theirs, false)
		if err := stage.applyProgramme(t.Context(), numbers); err != nil {
			t.Fatal(err)
		}
		made := difference(before, inventory(t, theirs))
		if crds := strings.Count(strings.Join(made, "\n"), "customresourcedefinition"); crds != 10 || len(made) != 11 || !slices.Contains(made, "namespace/"+namespace) {
			t.Errorf("want 10 kinds and the namespace and nothing else, got %q", made)
		}
		strike(t, stage)
		same(t, theirs, before)
		said, _, _ := strings.Cut(output.String(), "$ kubectl apply")
		if host := strings.TrimSuffix(theirs.Config().Host, "/"); !strings.Contains(said, host) {
			t.Errorf("want %s named before the first change:\n%s", host, output)
		}
	})
	t.Run("an interrupt in the middle leaves nothing behind", func(t *testing.T) {
		stage, _ := visit(t, theirs, false)
		stage.guest.kinds = true
		kubectl(t, theirs, "apply", "-f", stage.fromRoot([]string{"config/crd/bases/rollout.crmops.dev_kpis.yaml"})[0])
		interrupted, interrupt := context.WithCancel(t.Context())
		interrupt()
		if err := stage.kubectl(interrupted, []string{"apply", "-k", "config/crd"}); err == nil {
			t.Error("an interrupted command succeeded")
		}
		strike(t, stage)
		same(t, theirs, before)
	})
	t.Run("what is kept is removed by the commands that are told", func(t *testing.T) {
		stage, output := visit(t, theirs, true)
		if err := stage.applyProgramme(t.Context(), numbers); err != nil {
			t.Fatal(err)
		}
		made := inventory(t, theirs)
		strike(t, stage)
		same(t, theirs, made)
		_, told, _ := strings.Cut(output.String(), "To remove it:")
		if result, err := exec.CommandContext(t.Context(), "sh", "-euc", told).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", told, err, result)
		}
		same(t, theirs, before)
	})
}

// visit connects a stage to the cluster, as CLUSTER= does.
func visit(t *testing.T, theirs *cluster.Cluster, keep bool) (*Stage, *bytes.Buffer) {
	t.Helper()
	stage, output := newStage(t, theirs, keep)
	if err := stage.startCluster(t.Context()); err != nil {
		t.Fatal(err)
	}
	return stage, output
}

func newStage(t *testing.T, theirs *cluster.Cluster, keep bool) (*Stage, *bytes.Buffer) {
	t.Helper()
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	screen := &Screen{out: &output, width: func() int { return 0 }}
	return &Stage{root: root, dir: t.TempDir(), screen: screen, guest: Guest{Kubeconfig: theirs.Kubeconfig(), Keep: keep}}, &output
}

// refused puts something into the cluster, expects the demonstration to keep away, and takes it out again.
func refused(t *testing.T, theirs *cluster.Cluster, why, manifest string) {
	t.Helper()
	if err := theirs.Apply(t.Context(), manifest); err != nil {
		t.Fatal(err)
	}
	held := inventory(t, theirs)
	stage, _ := newStage(t, theirs, false)
	err := stage.Set(t.Context())
	if err == nil || !strings.Contains(err.Error(), "nothing was changed") || !strings.Contains(err.Error(), why) {
		t.Errorf("want a refusal with %q, got: %v", why, err)
	}
	strike(t, stage)
	same(t, theirs, held)
	kubectl(t, theirs, "delete", "namespace", namespace, "--ignore-not-found")
	kubectl(t, theirs, "delete", "crd", "--all")
}

func strike(t *testing.T, stage *Stage) {
	t.Helper()
	if err := stage.Strike(); err != nil {
		t.Error(err)
	}
}

func same(t *testing.T, theirs *cluster.Cluster, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, inventory(t, theirs)); diff != "" {
		t.Errorf("the cluster (-want +got):\n%s", diff)
	}
}

// inventory lists what the demonstration might leave behind. The namespaces of Kubernetes appear some time after the start.
func inventory(t *testing.T, theirs *cluster.Cluster) []string {
	t.Helper()
	output := kubectl(t, theirs, "get", "crd,namespace,clusterrole,clusterrolebinding", "-o", "name")
	names := strings.Fields(output)
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "namespace/kube-") })
	slices.Sort(names)
	return names
}

func difference(before, after []string) []string {
	return slices.DeleteFunc(after, func(name string) bool { return slices.Contains(before, name) })
}

func kubectl(t *testing.T, theirs *cluster.Cluster, args ...string) string {
	t.Helper()
	output, err := theirs.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}
