package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Kubectl runs kubectl as the administrator and returns what it prints on its standard output. The error has what it
// prints on its standard error.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return c.kubectl(ctx, "", args)
}

// Apply hands manifests to `kubectl apply -f -` as the administrator.
func (c *Cluster) Apply(ctx context.Context, manifests string) error {
	_, err := c.kubectl(ctx, manifests, []string{"apply", "-f", "-"})
	return err
}

// KubectlPath returns the path of kubectl, for people who want to look around.
func (c *Cluster) KubectlPath() string { return c.kubectlPath }

func (c *Cluster) kubectl(ctx context.Context, input string, args []string) (string, error) {
	command := exec.CommandContext(ctx, c.kubectlPath, args...)
	// No cache in the user's home: it would describe a cluster that is gone.
	command.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig, "KUBECACHEDIR="+filepath.Join(c.options.Dir, "kubectl-cache"))
	command.Stdin = strings.NewReader(input)
	var output, complaint bytes.Buffer
	command.Stdout, command.Stderr = &output, &complaint
	if err := command.Run(); err != nil {
		return output.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return output.String(), nil
}
