// Package cluster runs a real Kubernetes control plane on the loopback interface, and the manager as a process of its
// own beside it, for tests and for demonstrations.
//
// There are no nodes: nothing schedules or runs a Pod. Everything that the operator touches is real. Connect uses a cluster
// that is there already instead.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

const (
	// startWithin is how long each program may take to be ready: far more than the seconds it takes on an idle machine.
	startWithin = 90 * time.Second
	// stopWithin is how long each program may take to end after it was asked to, before it is killed.
	stopWithin = 20 * time.Second
	// pollInterval is how often it is looked whether something is ready.
	pollInterval = 50 * time.Millisecond
)

// Options say what to run.
type Options struct {
	// Assets is the directory that holds etcd, kube-apiserver, kubectl and, with ControllerManager,
	// kube-controller-manager. Empty means the value of the environment variable KUBEBUILDER_ASSETS.
	Assets string
	// Dir is the directory for data, certificates, kubeconfig files and logs. It is made when it does not exist, and left
	// behind by Stop.
	Dir string
	// CRDs are files and directories of CustomResourceDefinitions to install. Empty means config/crd/bases of the module
	// in which the program was started.
	CRDs []string
	// WithoutCRDs leaves the installation of CustomResourceDefinitions to the caller.
	WithoutCRDs bool
	// ControllerManager also runs kube-controller-manager, which deletes what an owner leaves behind and empties deleted
	// namespaces.
	ControllerManager bool
}

// Cluster is a running control plane.
type Cluster struct {
	options Options
	// env is what Start started. A cluster of Connect has none.
	env         *envtest.Environment
	config      *rest.Config
	context     string
	kubeconfig  string
	kubectlPath string
	logs        []*os.File
	controller  *process

	mutex    sync.Mutex
	managers []*Manager
	stopped  bool
}

// Start runs a control plane and returns when its API is served and the CustomResourceDefinitions are established.
// The error says which program is missing and how to build it, or how a program's log ends. ctx bounds the start only;
// the cluster ends with Stop.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	options, err := options.complete()
	if err != nil {
		return nil, fmt.Errorf("start the control plane: %w", err)
	}
	c := &Cluster{options: options, kubeconfig: filepath.Join(options.Dir, "admin.kubeconfig")}
	c.kubectlPath = c.program("kubectl")
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the control plane: %w", err), c.Stop())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.configure(); err != nil {
		return err
	}
	if _, err := c.env.Start(); err != nil && c.env.Config == nil {
		return fmt.Errorf("%w; the log of kube-apiserver ends with:\n%s", err, tail(c.logPath("kube-apiserver")))
	} else if err != nil {
		// The programs run and have answered: what is wrong stands in the error, not in their logs.
		return err
	}
	c.config = c.env.Config
	if err := os.WriteFile(c.kubeconfig, c.env.KubeConfig, 0o600); err != nil {
		return fmt.Errorf("write the kubeconfig: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.options.ControllerManager {
		return c.startControllerManager(ctx)
	}
	return nil
}

// configure prepares etcd and kube-apiserver below the cluster's own directory, so that removing it leaves nothing behind.
func (c *Cluster) configure() error {
	never := false
	env := &envtest.Environment{
		// Whatever the environment says: a test must never run against somebody's real cluster.
		UseExistingCluster:       &never,
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: startWithin,
		ControlPlaneStopTimeout:  stopWithin,
	}
	if !c.options.WithoutCRDs {
		env.CRDDirectoryPaths = c.options.CRDs
	}
	etcd := &envtest.Etcd{Path: c.program("etcd"), DataDir: filepath.Join(c.options.Dir, "etcd")}
	server := &envtest.APIServer{Path: c.program("kube-apiserver"), CertDir: filepath.Join(c.options.Dir, "certificates")}
	env.ControlPlane.Etcd, env.ControlPlane.APIServer = etcd, server
	env.ControlPlane.KubectlPath = c.kubectlPath
	for _, directory := range []string{etcd.DataDir, server.CertDir} {
		if err := os.MkdirAll(directory, 0o700); err != nil {
			return fmt.Errorf("make a directory of the control plane: %w", err)
		}
	}
	for name, attach := range map[string]func(*os.File){
		"etcd":           func(log *os.File) { etcd.Out, etcd.Err = log, log },
		"kube-apiserver": func(log *os.File) { server.Out, server.Err = log, log },
	} {
		log, err := os.Create(c.logPath(name))
		if err != nil {
			return fmt.Errorf("create the log of %s: %w", name, err)
		}
		c.logs = append(c.logs, log)
		attach(log)
	}
	c.env = env
	return nil
}

// startControllerManager runs kube-controller-manager, and waits for the first thing that it does in every namespace.
func (c *Cluster) startControllerManager(ctx context.Context) error {
	certificates := c.env.ControlPlane.APIServer.CertDir
	started, err := startProcess(processOptions{
		name: "kube-controller-manager",
		path: c.program("kube-controller-manager"),
		args: []string{
			"--kubeconfig=" + c.kubeconfig,
			"--leader-elect=false",
			"--secure-port=0",
			// One identity for all its controllers spares the seconds in which it makes a service account for each.
			"--use-service-account-credentials=false",
			"--service-account-private-key-file=" + filepath.Join(certificates, "sa-signer.key"),
		},
		log: c.logPath("kube-controller-manager"),
	})
	if err != nil {
		return err
	}
	c.controller = started
	reader, err := c.Client()
	if err != nil {
		return err
	}
	return started.await(ctx, func(ctx context.Context) bool {
		account := &corev1.ServiceAccount{}
		err := reader.Get(ctx, client.ObjectKey{Namespace: "default", Name: "default"}, account)
		return err == nil
	})
}

// Stop ends everything that was started, in the order managers, kube-controller-manager, kube-apiserver, etcd, and waits
// until it has ended. Of a cluster that was connected to it ends the managers only, and removes the copy of the kubeconfig.
// It may be called more than once.
func (c *Cluster) Stop() error {
	c.mutex.Lock()
	if c.stopped {
		c.mutex.Unlock()
		return nil
	}
	c.stopped = true
	managers := c.managers
	c.mutex.Unlock()

	var failures []error
	for _, manager := range managers {
		failures = append(failures, manager.Stop())
	}
	if c.controller != nil {
		failures = append(failures, c.controller.stop())
	}
	if c.env != nil {
		failures = append(failures, c.env.Stop())
	} else if c.config != nil {
		// It may hold somebody's credentials, and the directory may be kept.
		failures = append(failures, os.Remove(c.kubeconfig))
	}
	for _, log := range c.logs {
		failures = append(failures, log.Close())
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("stop the control plane: %w", err)
	}
	return nil
}

// Config returns the administrator's way to the API server. The caller may change what it gets.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.config) }

// Context returns the name of the context in the kubeconfig that the cluster was connected to by, and nothing for a control
// plane that was started here.
func (c *Cluster) Context() string { return c.context }

// Kubeconfig returns the path of the administrator's kubeconfig file: of a cluster that was connected to, a copy of its
// current context, until Stop.
func (c *Cluster) Kubeconfig() string { return c.kubeconfig }

// Dir returns the directory with the kubeconfig files and the logs.
func (c *Cluster) Dir() string { return c.options.Dir }

// Scheme returns a scheme with the kinds of Kubernetes and of this operator.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, crmv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register kinds: %w", err)
		}
	}
	return scheme, nil
}

// Client returns the administrator's client, without a cache, that knows the kinds of Kubernetes and of this operator.
// It can watch.
func (c *Cluster) Client() (client.WithWatch, error) {
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	made, err := client.NewWithWatch(c.Config(), client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("make a client of the control plane: %w", err)
	}
	return made, nil
}

// CreateNamespace makes a namespace. One that exists is fine.
func (c *Cluster) CreateNamespace(ctx context.Context, name string) error {
	writer, err := c.Client()
	if err != nil {
		return err
	}
	namespace := &corev1.Namespace{}
	namespace.Name = name
	if err := writer.Create(ctx, namespace); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	return nil
}

// AddUser makes a user with a client certificate, and returns the path of a kubeconfig file. Beyond what groups may do,
// the user has no rights until they are bound by RBAC. Only a control plane that was started here has the authority to sign.
func (c *Cluster) AddUser(name string, groups ...string) (string, error) {
	if c.env == nil {
		return "", fmt.Errorf("add user %s: nobody but its owner can sign certificates for this cluster", name)
	}
	user, err := c.env.AddUser(envtest.User{Name: name, Groups: groups}, c.Config())
	if err != nil {
		return "", fmt.Errorf("add user %s: %w", name, err)
	}
	content, err := user.KubeConfig()
	if err != nil {
		return "", fmt.Errorf("add user %s: %w", name, err)
	}
	// A colon, as in the name of a service account, would make two paths of it in KUBECONFIG.
	path := filepath.Join(c.options.Dir, strings.ReplaceAll(name, ":", "-")+".kubeconfig")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return "", fmt.Errorf("add user %s: %w", name, err)
	}
	return path, nil
}

func (c *Cluster) program(name string) string { return filepath.Join(c.options.Assets, name) }

func (c *Cluster) logPath(name string) string { return filepath.Join(c.options.Dir, name+".log") }
