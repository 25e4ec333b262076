package packaging

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const (
	// systemNamespace is where config/default installs to.
	systemNamespace = "crm-rollout-system"
	// kubernetesVersion is for renderings that meet no server.
	kubernetesVersion = "v1.36.3"
)

// rendering is everything that an installation consists of.
type rendering struct {
	text    []byte
	objects []*unstructured.Unstructured
}

// kustomize renders a directory of config/.
func kustomize(t *testing.T, directory string) rendering {
	t.Helper()
	text, err := run(t, nil, nil, filepath.Join(assets(t), "kubectl"), "kustomize", filepath.Join(repository, directory))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

// helmTemplate renders the chart as a release "crm-rollout-operator" in systemNamespace, unless the arguments say otherwise.
func helmTemplate(t *testing.T, arguments ...string) rendering {
	t.Helper()
	text, err := tryHelmTemplate(t, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

// tryHelmTemplate is helmTemplate for arguments that may be refused.
func tryHelmTemplate(t *testing.T, arguments ...string) ([]byte, error) {
	t.Helper()
	standard := []string{"template", "--name-template=crm-rollout-operator", chart, "--namespace=" + systemNamespace, "--kube-version=" + kubernetesVersion}
	return run(t, nil, nil, helmBinary(t), append(standard, arguments...)...)
}

func parse(t *testing.T, text []byte) rendering {
	t.Helper()
	r := rendering{text: text}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return r
		}
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict(document, &object.Object); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if len(object.Object) > 0 {
			r.objects = append(r.objects, object)
		}
	}
}

// ofKind returns the objects of some kinds, in the order of the rendering.
func (r rendering) ofKind(kinds ...string) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for _, object := range r.objects {
		if slices.Contains(kinds, object.GetKind()) {
			found = append(found, object)
		}
	}
	return found
}

// one returns the object of a kind with a name.
func (r rendering) one(t *testing.T, kind, name string) *unstructured.Unstructured {
	t.Helper()
	for _, object := range r.ofKind(kind) {
		if object.GetName() == name {
			return object
		}
	}
	t.Fatalf("no %s %s in the rendering", kind, name)
	return nil
}

// deployment returns the only Deployment.
func (r rendering) deployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	found := r.ofKind("Deployment")
	if len(found) != 1 {
		t.Fatalf("%d Deployments in the rendering, want 1", len(found))
	}
	return typed[appsv1.Deployment](t, found[0])
}

// rules returns the rules of the role of a kind with a name.
func (r rendering) rules(t *testing.T, kind, name string) []rbacv1.PolicyRule {
	t.Helper()
	// Roles and ClusterRoles have their rules at the same place.
	return typed[rbacv1.Role](t, r.one(t, kind, name)).Rules
}

// typed converts an object to its Go type and refuses fields that the type does not have.
func typed[T any](t *testing.T, object *unstructured.Unstructured) *T {
	t.Helper()
	into := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into, true); err != nil {
		t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
	return into
}

// plurals returns the resources that the CustomResourceDefinitions define, sorted.
func (r rendering) plurals(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, definition := range r.ofKind("CustomResourceDefinition") {
		name, _, err := unstructured.NestedString(definition.Object, "spec", "names", "plural")
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
