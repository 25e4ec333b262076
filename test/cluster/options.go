package cluster

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// modulePath is the first line of the go.mod at the root of the repository.
const modulePath = "module github.com/crmops/rollout-operator"

// remedy is what every complaint about a missing program ends with.
const remedy = "run `make controlplane` and set KUBEBUILDER_ASSETS to the directory that it prints, or run the tests with `make test`"

// complete fills in what was left out, and makes sure that every program is there before the first one is started.
func (o Options) complete() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("options name no directory")
	}
	if o.Assets == "" {
		o.Assets = os.Getenv("KUBEBUILDER_ASSETS")
	}
	if o.Assets == "" {
		return o, errors.New("KUBEBUILDER_ASSETS is not set: " + remedy)
	}
	programs := []string{"etcd", "kube-apiserver", "kubectl"}
	if o.ControllerManager {
		programs = append(programs, "kube-controller-manager")
	}
	for _, program := range programs {
		if _, err := exec.LookPath(filepath.Join(o.Assets, program)); err != nil {
			return o, fmt.Errorf("find %s: %w: %s", program, err, remedy)
		}
	}
	if len(o.CRDs) == 0 && !o.WithoutCRDs {
		root, err := Root()
		if err != nil {
			return o, err
		}
		o.CRDs = []string{filepath.Join(root, "config", "crd", "bases")}
	}
	// Programs are started from other directories than ours.
	directory, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, fmt.Errorf("find the directory %s: %w", o.Dir, err)
	}
	o.Dir = directory
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return o, fmt.Errorf("make the directory of the control plane: %w", err)
	}
	return o, nil
}

// Root returns the root of the repository: the nearest directory, from the working directory upwards, with its go.mod.
func Root() (string, error) {
	directory, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the root of the repository: %w", err)
	}
	for {
		if isRoot(directory) {
			return directory, nil
		}
		parent := filepath.Dir(directory)
		if parent == directory {
			return "", errors.New("find the root of the repository: run it inside the repository")
		}
		directory = parent
	}
}

func isRoot(directory string) bool {
	content, err := os.ReadFile(filepath.Join(directory, "go.mod"))
	if err != nil {
		return false
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	return lines.Scan() && lines.Text() == modulePath
}
