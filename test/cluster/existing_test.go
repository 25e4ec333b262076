package cluster_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/crmops/rollout-operator/test/cluster"
)

// A control plane plays the cluster that somebody else runs.
func TestConnect(t *testing.T) {
	theirs := cluster.ForTest(t, cluster.Options{WithoutCRDs: true})
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	content := kubeconfigOf(t, theirs.Kubeconfig())
	content.Contexts["elsewhere"] = &clientcmdapi.Context{Cluster: "elsewhere"}
	content.Clusters["elsewhere"] = &clientcmdapi.Cluster{Server: "https://" + freeAddress(t)}
	write(t, content, kubeconfig)

	c, err := cluster.Connect(t.Context(), cluster.ConnectOptions{Kubeconfig: kubeconfig, Kubectl: theirs.KubectlPath(), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	if c.Config().Host != strings.TrimSuffix(theirs.Config().Host, "/") || c.Context() != content.CurrentContext {
		t.Errorf("connected to %s by context %s, want %s by %s", c.Config().Host, c.Context(), theirs.Config().Host, content.CurrentContext)
	}

	t.Run("another current context in the file changes nothing", func(t *testing.T) {
		content.CurrentContext = "elsewhere"
		write(t, content, kubeconfig)
		if err := c.CreateNamespace(t.Context(), "by-client"); err != nil {
			t.Error(err)
		}
		names, err := c.Kubectl(t.Context(), "get", "namespace", "by-client", "-o", "name")
		if err != nil || strings.TrimSpace(names) != "namespace/by-client" {
			t.Errorf("kubectl finds %q, %v", names, err)
		}
	})
	t.Run("nobody can be added to it", func(t *testing.T) {
		if _, err := c.AddUser("visitor"); err == nil || !strings.Contains(err.Error(), "add user visitor") {
			t.Errorf("want a refusal, got: %v", err)
		}
	})
	t.Run("stopping it ends the managers, removes the copy of the credentials and lets the cluster be", func(t *testing.T) {
		manager, err := c.StartManager(t.Context(), managerThat("serve"))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Stop(); err != nil {
			t.Fatal(err)
		}
		if alive(manager.PID()) {
			t.Error("the manager still runs")
		}
		if log := manager.LogTail(); !strings.Contains(log, "KUBECONFIG="+c.Kubeconfig()) {
			t.Errorf("the manager did not run under the user's kubeconfig: %s", log)
		}
		if _, err := os.Stat(c.Kubeconfig()); !os.IsNotExist(err) {
			t.Errorf("the copy of the kubeconfig is still there: %v", err)
		}
		if _, err := theirs.Kubectl(t.Context(), "get", "namespace", "by-client"); err != nil {
			t.Errorf("the cluster does not answer any more: %v", err)
		}
	})
}

func TestConnectSaysWhatIsMissing(t *testing.T) {
	silent := clientcmdapi.NewConfig()
	silent.Clusters["silent"] = &clientcmdapi.Cluster{Server: "https://" + freeAddress(t)}
	silent.Contexts["silent"] = &clientcmdapi.Context{Cluster: "silent"}
	undecided := filepath.Join(t.TempDir(), "undecided")
	write(t, silent, undecided)
	silent.CurrentContext = "silent"
	decided := filepath.Join(t.TempDir(), "decided")
	write(t, silent, decided)

	missing, kubectl := filepath.Join(t.TempDir(), "missing"), os.Args[0]
	for _, test := range []struct {
		name    string
		options cluster.ConnectOptions
		want    string
	}{
		{"no kubeconfig is named", cluster.ConnectOptions{Kubectl: kubectl, Dir: t.TempDir()}, "read the kubeconfig"},
		{"there is no such kubeconfig", cluster.ConnectOptions{Kubeconfig: missing, Kubectl: kubectl, Dir: t.TempDir()}, "read the kubeconfig"},
		{"it has no current context", cluster.ConnectOptions{Kubeconfig: undecided, Kubectl: kubectl, Dir: t.TempDir()}, "read the current context"},
		{"nobody answers", cluster.ConnectOptions{Kubeconfig: decided, Kubectl: kubectl, Dir: t.TempDir()}, "ask the API server at https://127.0.0.1:"},
		{"there is no kubectl", cluster.ConnectOptions{Kubeconfig: decided, Dir: t.TempDir()}, "set KUBEBUILDER_ASSETS to its directory"},
		{"nowhere to write", cluster.ConnectOptions{Kubeconfig: decided, Kubectl: kubectl}, "name no directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("KUBEBUILDER_ASSETS", missing)
			_, err := cluster.Connect(t.Context(), test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q in: %v", test.want, err)
			}
		})
	}
}

func kubeconfigOf(t *testing.T, path string) *clientcmdapi.Config {
	t.Helper()
	content, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(t *testing.T, content *clientcmdapi.Config, path string) {
	t.Helper()
	if err := clientcmd.WriteToFile(*content, path); err != nil {
		t.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := cluster.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}
