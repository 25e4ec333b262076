package kpis

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	apiyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// directory of the library.
const directory = "../../config/samples/kpis"

// library is what a kustomization renders, as far as the library uses Kustomize.
type library struct {
	plan.Objects
	providers map[string]*v1alpha1.MetricProvider
	// files that it was read from.
	files map[string]bool
}

// load reads a kustomization of the library: the resources, then the patches over them.
func load(t *testing.T, name string) *library {
	t.Helper()
	l := &library{
		Objects:   plan.Objects{Phases: map[string]*v1alpha1.RolloutPhase{}, Gates: map[string]*v1alpha1.AcceptanceGate{}, KPIs: map[string]*v1alpha1.KPI{}},
		providers: map[string]*v1alpha1.MetricProvider{}, files: map[string]bool{},
	}
	l.read(t, filepath.Join(directory, name))
	return l
}

func (l *library) read(t *testing.T, dir string) {
	t.Helper()
	var k struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Resources  []string
		Patches    []struct{ Path string }
	}
	file := filepath.Join(dir, "kustomization.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, &k); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	l.files[file] = true
	for _, resource := range k.Resources {
		path := filepath.Join(dir, resource)
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			l.read(t, path)
			continue
		}
		l.add(t, path, false)
	}
	for _, patch := range k.Patches {
		l.add(t, filepath.Join(dir, patch.Path), true)
	}
}

// add reads the objects of a file. A patch changes objects that are there; a resource is a new one.
func (l *library) add(t *testing.T, path string, patch bool) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l.files[path] = true
	documents := apiyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		var head struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal(document, &head); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if head.Kind == "" {
			continue // a comment above the first object
		}
		object, known := l.object(head.Kind, head.Metadata.Name)
		if object == nil || known != patch {
			t.Fatalf("%s: %s %s: is it there already: %t, is this a patch: %t", path, head.Kind, head.Metadata.Name, known, patch)
		}
		if err := yaml.UnmarshalStrict(document, object); err != nil {
			t.Fatalf("%s: %s: %v", path, head.Metadata.Name, err)
		}
	}
}

// object returns the object to read into, and whether it was there before; nil for kinds that the library has no place for.
func (l *library) object(kind, name string) (any, bool) {
	switch kind {
	case "KPI":
		return entry(l.KPIs, name)
	case "AcceptanceGate":
		return entry(l.Gates, name)
	case "RolloutPhase":
		return entry(l.Phases, name)
	case "MetricProvider":
		return entry(l.providers, name)
	}
	return nil, false
}

func entry[T any](objects map[string]*T, name string) (any, bool) {
	_, known := objects[name]
	if !known {
		objects[name] = new(T)
	}
	return objects[name], known
}

// manifests are all files of the library with objects in them.
func manifests(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if extension := filepath.Ext(path); err == nil && !entry.IsDir() && extension != ".sql" {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}
