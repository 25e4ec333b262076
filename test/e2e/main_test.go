// Package e2e runs the manager as a process of its own against a real API server, and watches it from outside.
//
// All tests share one control plane. Each has namespaces of its own, and managers that look after these only.
package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
	"github.com/crmops/rollout-operator/test/fakeprom"
)

var (
	update = flag.Bool("update", false, "write the pages of the docs that tests make anew instead of comparing with them")
	// control is the control plane that all tests share.
	control *cluster.Cluster
	// api is the administrator's client of it.
	api client.WithWatch
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // what matters comes back as an error
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if plugin := os.Getenv("PLUGIN"); plugin != "" { // kubectl finds its plugins in PATH
		if err := os.Setenv("PATH", filepath.Dir(plugin)+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
			return 1, err
		}
	}
	dir, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	control, err = cluster.Start(context.Background(), cluster.Options{Dir: dir})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, control.Stop()) }()
	if api, err = control.Client(); err != nil {
		return 1, err
	}
	if err := installPolicy(context.Background(), api); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// manager runs a manager for some namespaces until the test ends. If it has not been ended before, it shows the end of its log when the test fails.
func manager(t *testing.T, options cluster.ManagerOptions, namespaces ...string) *cluster.Manager {
	t.Helper()
	for _, namespace := range namespaces {
		options.Args = append(options.Args, "--namespace="+namespace)
	}
	started, err := control.StartManager(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-started.Exited():
			return
		default:
		}
		if err := started.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s ends with:\n%s", filepath.Base(started.LogPath()), started.LogTail())
		}
	})
	return started
}

// source runs a fake Prometheus until the test ends.
func source(t *testing.T) *fakeprom.Server {
	t.Helper()
	server, err := fakeprom.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// objects reads manifests. Each belongs to the namespace, and to this operator's group when it names none.
func objects(t *testing.T, namespace, manifests string) []*unstructured.Unstructured {
	t.Helper()
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096)
	var all []*unstructured.Unstructured
	for {
		content := map[string]any{}
		err := decoder.Decode(&content)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v in:\n%s", err, manifests)
		}
		if len(content) == 0 {
			continue
		}
		object := &unstructured.Unstructured{Object: content}
		if object.GetAPIVersion() == "" {
			object.SetAPIVersion(v1alpha1.GroupVersion.String())
		}
		object.SetNamespace(namespace)
		all = append(all, object)
	}
}

// create makes the namespace and, in it, what the manifests say.
func create(t *testing.T, namespace, manifests string) {
	t.Helper()
	if err := control.CreateNamespace(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	for _, object := range objects(t, namespace, manifests) {
		if err := client.WithFieldValidation(api, "Strict").Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// patience is far more than anything here takes. It is there so that a broken test ends.
const patience = 3 * time.Minute

// eventually looks again and again until something has happened.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("it never happened: %s", what)
		}
		<-ticker.C
	}
}

// await watches the objects of a kind in a namespace until one of them, present or changed, is as wanted, and returns it at that moment.
func await[T client.Object](t *testing.T, namespace, what string, kind client.ObjectList, wanted func(T) bool) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last T
	watch, err := api.Watch(ctx, kind, client.InNamespace(namespace))
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	for event := range watch.ResultChan() {
		object, ok := event.Object.(T)
		if !ok {
			t.Fatalf("watch %T: %v", kind, event.Object)
		}
		if last = object; wanted(object) {
			return object
		}
	}
	t.Fatalf("it never happened in namespace %s: %s; the last thing that was seen: %+v", namespace, what, last)
	return last
}

// get reads one object of the operator.
func get[T client.Object](t *testing.T, namespace, name string, into T) T {
	t.Helper()
	if err := api.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, into); err != nil {
		t.Fatal(err)
	}
	return into
}
