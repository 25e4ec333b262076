// Package gitops runs a real GitOps engine, Flux's kustomize-controller, on the samples in a git repository, against a real API server and the real manager. It shows
// that a commit promotes a rollout, that the engine's own checks see what is well and what is not, and that nobody but the engine writes what it applies.
package gitops

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/crmops/rollout-operator/test/cluster"
)

var (
	// control is the control plane that all tests share.
	control *cluster.Cluster
	// api is the administrator's client of it.
	api client.WithWatch
	// repositoryRoot is the root of this project.
	repositoryRoot string
	// flux is the directory of hack/flux.sh: the engine, and the definitions of its kinds.
	flux string
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // what matters comes back as an error
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if flux, err = engineDirectory(); err != nil {
		return 1, err
	}
	if repositoryRoot, err = cluster.Root(); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "gitops-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	definitions := []string{filepath.Join(repositoryRoot, "config", "crd", "bases"), filepath.Join(flux, "crds")}
	if control, err = cluster.Start(context.Background(), cluster.Options{Dir: dir, CRDs: definitions}); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, control.Stop()) }()
	if api, err = control.Client(); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// engineDirectory finds the engine. Without it there is nothing to test, which is a failure.
func engineDirectory() (string, error) {
	const remedy = "run `make flux` and set FLUX to the directory that it prints, or run the tests with `make test`"
	directory := os.Getenv("FLUX")
	if directory == "" {
		return "", errors.New("FLUX is not set: " + remedy)
	}
	for _, name := range []string{"kustomize-controller", "crds"} {
		if _, err := os.Stat(filepath.Join(directory, name)); err != nil {
			return "", fmt.Errorf("find the GitOps engine: %w: %s", err, remedy)
		}
	}
	return directory, nil
}

// patience is far more than anything here takes. It is there so that a broken test ends.
const patience = 3 * time.Minute

// eventually looks again and again until something has happened. The look says what is missing.
func eventually(t *testing.T, what string, look func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := look()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it never happened: %s: %v", what, err)
		}
		<-ticker.C
	}
}
