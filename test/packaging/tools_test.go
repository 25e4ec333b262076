// Package packaging tests what is installed into a cluster, the Kustomize directories and the Helm chart, against a real API
// server and with the real kubectl and helm.
package packaging

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	repository = "../.."
	chart      = repository + "/charts/crm-rollout-operator"
	// within is far more than anything here takes; it keeps a test that waits in vain from waiting for ever.
	within = 60 * time.Second
)

// assets returns the directory with etcd, kube-apiserver, kube-controller-manager and kubectl.
func assets(t *testing.T) string {
	t.Helper()
	if directory := os.Getenv("KUBEBUILDER_ASSETS"); directory != "" {
		return directory
	}
	return newest(t, "bin/controlplane/v*/kubectl", "make controlplane", filepath.Dir)
}

// helmBinary returns the path of helm.
func helmBinary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("HELM"); path != "" {
		return path
	}
	return newest(t, "bin/tools/helm-*", "make tools", func(path string) string { return path })
}

// managerBinary returns the path of the manager.
func managerBinary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("MANAGER"); path != "" {
		return path
	}
	return newest(t, "bin/manager", "make build", func(path string) string { return path })
}

// newest returns the newest of the files that match a pattern below the repository, as an absolute path.
func newest(t *testing.T, pattern, target string, use func(string) string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(repository, pattern))
	if err != nil {
		t.Fatal(err)
	}
	var found string
	var at time.Time
	for _, path := range paths {
		info, err := os.Stat(path)
		if err == nil && info.ModTime().After(at) {
			found, at = path, info.ModTime()
		}
	}
	if found == "" {
		t.Fatalf("nothing matches %s: run `%s`, or all tests with `make test`", pattern, target)
	}
	absolute, err := filepath.Abs(use(found))
	if err != nil {
		t.Fatal(err)
	}
	return absolute
}

// run executes a program and returns what it wrote to its standard output; the error holds what it wrote to the other one.
func run(t *testing.T, input []byte, environment []string, program string, arguments ...string) ([]byte, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), program, arguments...)
	command.Env = append(os.Environ(), environment...)
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(input), &stdout, &stderr
	if err := command.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(program), strings.Join(arguments, " "), err, stdout.String(), stderr.String())
	}
	return stdout.Bytes(), nil
}

// files returns the content of every file below a directory, by its path there.
func files(t *testing.T, directory string) map[string]string {
	t.Helper()
	contents := map[string]string{}
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(directory, path)
		contents[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return contents
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}
