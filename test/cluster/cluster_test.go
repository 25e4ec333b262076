package cluster_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
)

// eventually waits for something that another process does. The limit is only there so that a broken test ends.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("it never happened: %s", what)
		}
		<-ticker.C
	}
}

func site(name string) *crmv1.RolloutSite {
	return &crmv1.RolloutSite{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: name}, Spec: crmv1.RolloutSiteSpec{Region: "emea"}}
}

// The parts of this test share one control plane, because a start costs seconds.
func TestCluster(t *testing.T) {
	c := cluster.ForTest(t, cluster.Options{ControllerManager: true})
	admin, err := c.Client()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CreateNamespace(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateNamespace(t.Context(), "demo"); err != nil {
		t.Errorf("a namespace that exists is fine, got: %v", err)
	}

	t.Run("the operator's kinds are served, with the rules of their schemas", func(t *testing.T) {
		if err := admin.Create(t.Context(), site("munich")); err != nil {
			t.Fatal(err)
		}
		wrong := site("wrong")
		wrong.Spec.BusinessMode = "Barter"
		if err := admin.Create(t.Context(), wrong); !apierrors.IsInvalid(err) {
			t.Errorf("an unknown business mode must be refused as invalid, got: %v", err)
		}
	})
	t.Run("kubectl works, and says what went wrong", func(t *testing.T) {
		const manifest = `{"apiVersion": "rollout.crmops.dev/v1alpha1", "kind": "RolloutSite", "metadata": {"name": "lyon", "namespace": "demo"}, "spec": {"region": "emea"}}`
		if err := c.Apply(t.Context(), manifest); err != nil {
			t.Fatal(err)
		}
		region, err := c.Kubectl(t.Context(), "-n", "demo", "get", "rsite", "lyon", "-o", "jsonpath={.spec.region}")
		if err != nil || region != "emea" {
			t.Errorf("region of the applied site: %q, %v", region, err)
		}
		if _, err := c.Kubectl(t.Context(), "-n", "demo", "get", "rsite", "nowhere"); err == nil || !strings.Contains(err.Error(), `"nowhere" not found`) {
			t.Errorf("the error must hold what kubectl says, got: %v", err)
		}
	})
	t.Run("a user that was added has no rights of its own", func(t *testing.T) {
		kubeconfig, err := c.AddUser("visitor")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Kubectl(t.Context(), "--kubeconfig="+kubeconfig, "-n", "demo", "get", "rsite"); err == nil || !strings.Contains(err.Error(), `User "visitor" cannot list`) {
			t.Errorf("want a refusal that names the user, got: %v", err)
		}
	})
	t.Run("the controller manager empties a namespace that is deleted", func(t *testing.T) {
		if err := c.CreateNamespace(t.Context(), "gone"); err != nil {
			t.Fatal(err)
		}
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "gone"}}
		if err := admin.Delete(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
		eventually(t, "namespace gone is gone", func() bool {
			return apierrors.IsNotFound(admin.Get(t.Context(), client.ObjectKeyFromObject(namespace), &corev1.Namespace{}))
		})
	})
	t.Run("a manager runs, is killed, runs again, is paused and is stopped", func(t *testing.T) { managerLife(t, c) })
	t.Run("a manager that ends at once is an error with the end of its log", func(t *testing.T) {
		_, err := c.StartManager(t.Context(), managerThat("fail"))
		if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "no such flag") {
			t.Errorf("want the exit status and the last words, got: %v", err)
		}
	})
	t.Run("stopping the cluster stops its managers, the API server and etcd, and leaves nothing running", func(t *testing.T) {
		manager, err := c.StartManager(t.Context(), managerThat("serve"))
		if err != nil {
			t.Fatal(err)
		}
		address, err := url.Parse(c.Config().Host)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Stop(); err != nil {
			t.Fatal(err)
		}
		if alive(manager.PID()) {
			t.Error("the manager still runs")
		}
		if connection, err := net.Dial("tcp", address.Host); err == nil {
			t.Errorf("something still listens on the API server's port: %v", connection.Close())
		}
		if err := c.Stop(); err != nil {
			t.Errorf("to stop it twice is fine, got: %v", err)
		}
		if _, err := c.StartManager(t.Context(), managerThat("serve")); err == nil || !strings.Contains(err.Error(), "has been stopped") {
			t.Errorf("a stopped cluster takes no manager, got: %v", err)
		}
	})
}

func managerLife(t *testing.T, c *cluster.Cluster) {
	first, err := c.StartManager(t.Context(), managerThat("serve"))
	if err != nil {
		t.Fatal(err)
	}
	first.Kill()
	if alive(first.PID()) {
		t.Error("the killed manager still runs")
	}
	if log := first.LogTail(); strings.Contains(log, "terminated in order") {
		t.Errorf("a killed manager has no last words, got: %s", log)
	}
	second, err := c.StartManager(t.Context(), managerThat("serve"))
	if err != nil {
		t.Fatal(err)
	}
	if first.PID() == second.PID() {
		t.Error("the second manager is the first")
	}
	second.Pause()
	eventually(t, "the manager is paused", func() bool { return state(t, second.PID()) == "T" })
	second.Resume()
	eventually(t, "the manager goes on", func() bool { return state(t, second.PID()) != "T" })
	second.Pause()
	if err := second.Stop(); err != nil {
		t.Errorf("a paused manager must end in order as well: %v", err)
	}
	<-second.Exited()
	got := strings.Split(strings.TrimSpace(second.LogTail()), "\n")
	want := []string{"KUBECONFIG=" + c.Kubeconfig(), "KUBECONFIG=" + c.Kubeconfig(), "terminated in order"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the log of both runs (-want +got):\n%s", diff)
	}
}

func TestStartSaysWhatIsMissing(t *testing.T) {
	assets := t.TempDir()
	for _, program := range []string{"etcd", "kubectl"} {
		if err := os.WriteFile(filepath.Join(assets, program), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name    string
		env     string
		options cluster.Options
		want    []string
	}{
		{"no directory of programs", "", cluster.Options{Dir: t.TempDir()}, []string{"KUBEBUILDER_ASSETS is not set", "make controlplane"}},
		{"a program is not there", assets, cluster.Options{Dir: t.TempDir()}, []string{"find kube-apiserver", "make controlplane"}},
		{"nowhere to write", assets, cluster.Options{}, []string{"name no directory"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("KUBEBUILDER_ASSETS", test.env)
			_, err := cluster.Start(t.Context(), test.options)
			if err == nil {
				t.Fatal("it started")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %q in: %v", want, err)
				}
			}
		})
	}
	t.Run("a cancelled start starts nothing", func(t *testing.T) {
		directory := t.TempDir()
		if _, err := cluster.Start(cancelled, cluster.Options{Dir: directory}); err == nil || !strings.Contains(err.Error(), "context canceled") {
			t.Errorf("want the context's error, got: %v", err)
		}
		if _, err := os.Stat(filepath.Join(directory, "etcd.log")); err == nil {
			t.Error("etcd was started")
		}
	})
}

func TestStartManagerSaysWhatIsMissing(t *testing.T) {
	t.Setenv("MANAGER", "")
	for name, options := range map[string]cluster.ManagerOptions{
		"not set":   {},
		"not there": {Binary: filepath.Join(t.TempDir(), "manager")},
	} {
		if _, err := (&cluster.Cluster{}).StartManager(t.Context(), options); err == nil || !strings.Contains(err.Error(), "make build") {
			t.Errorf("%s: want the command that builds it, got: %v", name, err)
		}
	}
}

// alive says whether a process with this number exists. A signal that is nothing but a question is sent to it.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// state is the letter by which the system says what a process does: T is paused.
func state(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ") // the name before it may hold anything
	return after[:1]
}
