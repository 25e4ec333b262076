package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ConnectOptions say which cluster to use, and from where.
type ConnectOptions struct {
	// Kubeconfig is the file whose current context is the cluster and the user.
	Kubeconfig string
	// Kubectl is the path of kubectl. Empty means the one in the directory KUBEBUILDER_ASSETS, else the one on PATH.
	Kubectl string
	// Dir is the directory for kubeconfig files and logs. It is made when it does not exist, and left behind by Stop.
	Dir string
}

// Connect returns a cluster that somebody else runs, and changes nothing in it. Its Stop ends the managers that were
// started here, and never the cluster. AddUser does not work on it. The error says what is missing, or that the API server
// does not answer.
//
// Nothing falls back to another cluster: there is no default for the kubeconfig.
func Connect(ctx context.Context, options ConnectOptions) (*Cluster, error) {
	c, err := connect(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster of kubeconfig %q: %w", options.Kubeconfig, err)
	}
	return c, nil
}

func connect(ctx context.Context, options ConnectOptions) (*Cluster, error) {
	if options.Dir == "" {
		return nil, errors.New("options name no directory")
	}
	kubectl, err := findKubectl(options.Kubectl)
	if err != nil {
		return nil, err
	}
	// Programs are started from other directories than ours.
	directory, err := filepath.Abs(options.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the directory %s: %w", options.Dir, err)
	}
	content, err := currentContext(options.Kubeconfig)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.NewDefaultClientConfig(*content, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the current context: %w", err)
	}
	if err := answers(ctx, config); err != nil {
		return nil, fmt.Errorf("ask the API server at %s: %w", config.Host, err)
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory: %w", err)
	}
	c := &Cluster{options: Options{Dir: directory}, kubectlPath: kubectl, config: config, context: content.CurrentContext}
	c.kubeconfig = filepath.Join(directory, "current-context.kubeconfig")
	if err := clientcmd.WriteToFile(*content, c.kubeconfig); err != nil {
		return nil, fmt.Errorf("copy the kubeconfig: %w", err)
	}
	return c, nil
}

// currentContext returns what the file says about its current context. It is worked with as a copy: when somebody chooses
// another context in the file, nothing may go to that cluster in the middle of the work.
func currentContext(path string) (*clientcmdapi.Config, error) {
	content, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	if err := clientcmdapi.MinifyConfig(content); err != nil {
		return nil, fmt.Errorf("read the current context: %w", err)
	}
	if err := clientcmd.ResolveLocalPaths(content); err != nil {
		return nil, fmt.Errorf("find the files that the kubeconfig names: %w", err)
	}
	return content, nil
}

func findKubectl(path string) (string, error) {
	if path == "" {
		path = "kubectl"
		if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" {
			path = filepath.Join(assets, "kubectl")
		}
	}
	found, err := exec.LookPath(path)
	if err != nil {
		return "", fmt.Errorf("find kubectl: %w: put it on PATH, or set KUBEBUILDER_ASSETS to its directory", err)
	}
	if found, err = filepath.Abs(found); err != nil {
		return "", fmt.Errorf("find kubectl: %w", err)
	}
	return found, nil
}

// answers asks the API server for its version, which everybody may know.
func answers(ctx context.Context, config *rest.Config) error {
	asking, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stopWithin)
	defer cancel()
	return asking.RESTClient().Get().AbsPath("/version").Do(ctx).Error()
}
