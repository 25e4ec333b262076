package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // envtest says how it goes; what matters comes back as an error
	os.Exit(m.Run())
}

// server is a real API server with etcd, for one test.
type server struct {
	client.Client
	// kubeconfig is the path of the administrator's kubeconfig.
	kubeconfig string
}

// startServer starts a server that ends with the test.
func startServer(t *testing.T) *server {
	t.Helper()
	environment := &envtest.Environment{BinaryAssetsDirectory: assets(t)}
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("start the API server: %v", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stop the API server: %v", err)
		}
	})
	s := &server{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	if err := os.WriteFile(s.kubeconfig, environment.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	if s.Client, err = client.New(config, client.Options{Scheme: clientscheme.Scheme}); err != nil {
		t.Fatal(err)
	}
	return s
}

// kubectl runs kubectl as the administrator.
func (s *server) kubectl(t *testing.T, input []byte, arguments ...string) ([]byte, error) {
	t.Helper()
	return run(t, input, []string{"KUBECONFIG=" + s.kubeconfig}, filepath.Join(assets(t), "kubectl"), arguments...)
}

// mustKubectl runs kubectl and expects it to succeed.
func (s *server) mustKubectl(t *testing.T, input []byte, arguments ...string) []byte {
	t.Helper()
	output, err := s.kubectl(t, input, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// helm runs helm as the administrator.
func (s *server) helm(t *testing.T, arguments ...string) ([]byte, error) {
	t.Helper()
	return run(t, nil, []string{"KUBECONFIG=" + s.kubeconfig}, helmBinary(t), arguments...)
}

// mustHelm runs helm and expects it to succeed.
func (s *server) mustHelm(t *testing.T, arguments ...string) {
	t.Helper()
	if _, err := s.helm(t, arguments...); err != nil {
		t.Fatal(err)
	}
}

// namespace creates a namespace that accepts only pods of the restricted Pod Security Standard.
func (s *server) namespace(t *testing.T, name string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	if err := s.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
}

// startControllerManager runs one controller of the real kube-controller-manager until the test ends.
func (s *server) startControllerManager(t *testing.T, controller string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "controller-manager.log"))
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(filepath.Join(assets(t), "kube-controller-manager"), "--kubeconfig="+s.kubeconfig,
		"--controllers="+controller, "--leader-elect=false", "--secure-port=0")
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatalf("start the controller manager: %v", err)
	}
	t.Cleanup(func() {
		if err := command.Process.Kill(); err != nil {
			t.Errorf("stop the controller manager: %v", err)
		}
		_ = command.Wait() // says that it was killed
		if content, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("controller manager:\n%s", content)
		}
	})
}

// access is one thing that somebody may or may not do.
type access struct {
	verb, group, resource, subresource, namespace string
}

// may asks the API server whether a user may do something.
func (s *server) may(t *testing.T, user string, a access) bool {
	t.Helper()
	return s.mayNamed(t, user, named{a, ""})
}

// named is an access to one object, or with an empty name to all of them.
type named struct {
	access
	name string
}

// mayNamed asks the API server whether a user may do something to an object.
func (s *server) mayNamed(t *testing.T, user string, a named) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: a.verb, Group: a.group, Resource: a.resource, Subresource: a.subresource, Namespace: a.namespace, Name: a.name,
		},
	}}
	if err := s.Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}
