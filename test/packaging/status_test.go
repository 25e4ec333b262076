package packaging

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Tools that ask whether an object is ready take one for ready whose status says nothing. So what nobody has looked at says so, without a difference for
// those who apply the object again.
func TestObjectsSayThatNobodyHasLookedAtThem(t *testing.T) {
	s := startServer(t)
	s.mustKubectl(t, nil, "apply", "-f", repository+"/config/crd/bases")
	s.mustKubectl(t, nil, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
	reading, err := os.ReadFile(repository + "/config/samples/readings/survey.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// A reading is created under a name that the API server makes up; who applies has to give one.
	reading = regexp.MustCompile(`generateName: (.*)-`).ReplaceAll(reading, []byte("name: $1"))
	decision, err := os.ReadFile(repository + "/config/samples/decisions/retry.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.Join([][]byte{kustomize(t, "config/samples").text, kustomize(t, "config/samples/calendars").text, reading, decision}, []byte("\n---\n"))
	for manager, options := range map[string][]string{"client-side": nil, "server-side": {"--server-side"}} {
		t.Run("applied "+manager, func(t *testing.T) {
			r := parse(t, bytes.ReplaceAll(text, []byte("crm-demo"), []byte("crm-"+manager)))
			written := slices.DeleteFunc(slices.Clone(r.objects), func(o *unstructured.Unstructured) bool { return o.GetKind() == "Namespace" })
			if diff := cmp.Diff(slices.DeleteFunc(definedKinds(t), func(kind string) bool { return kind == "SiteRollout" }), kindsOf(written)); diff != "" {
				t.Fatalf("kinds that people write (-defined +in the samples):\n%s", diff)
			}
			apply := func() { s.mustKubectl(t, r.text, append([]string{"apply", "-f", "-"}, options...)...) }
			apply()
			s.expectObserved(t, written, -1)
			s.expectNoDifference(t, r, options)

			for _, object := range written {
				look := client.RawPatch(types.MergePatchType, []byte(`{"status":{"observedGeneration":1}}`))
				if err := s.Status().Patch(t.Context(), object.DeepCopy(), look); err != nil {
					t.Fatal(err)
				}
			}
			s.expectNoDifference(t, r, options)
			apply()
			s.expectObserved(t, written, 1)
		})
	}
}

func (s *server) expectObserved(t *testing.T, objects []*unstructured.Unstructured, want int64) {
	t.Helper()
	for _, object := range objects {
		stored := &unstructured.Unstructured{}
		stored.SetGroupVersionKind(object.GroupVersionKind())
		if err := s.Get(t.Context(), client.ObjectKeyFromObject(object), stored); err != nil {
			t.Fatal(err)
		}
		if got, found, err := unstructured.NestedInt64(stored.Object, "status", "observedGeneration"); err != nil || !found || got != want {
			t.Errorf("%s %s: observedGeneration is %d (there: %t, %v), want %d", object.GetKind(), object.GetName(), got, found, err, want)
		}
	}
}

// expectNoDifference asks kubectl what applying the same again would change.
func (s *server) expectNoDifference(t *testing.T, r rendering, options []string) {
	t.Helper()
	if output, err := s.kubectl(t, r.text, append([]string{"diff", "-f", "-"}, options...)...); err != nil {
		t.Errorf("applying the same again would change something: %v\n%s", err, output)
	}
}

// The API server fills in nothing else: what is stored of a spec is what was applied.
func TestDefinitionsHaveNoOtherDefault(t *testing.T) {
	for _, definition := range kustomize(t, "config/crd").objects {
		var want []string
		if kind := kindOf(t, definition); kind != "SiteRollout" {
			want = []string{".spec.versions[0].schema.openAPIV3Schema.properties.status.default = map[observedGeneration:-1]"}
		}
		if diff := cmp.Diff(want, defaults("", definition.Object)); diff != "" {
			t.Errorf("%s has defaults (+), want (-):\n%s", definition.GetName(), diff)
		}
	}
}

// defaults returns the defaults in a schema with their paths.
func defaults(path string, node any) []string {
	var found []string
	switch typed := node.(type) {
	case map[string]any:
		for key, child := range typed {
			if key == "default" {
				found = append(found, fmt.Sprintf("%s.default = %v", path, child))
				continue
			}
			found = append(found, defaults(path+"."+key, child)...)
		}
	case []any:
		for i, child := range typed {
			found = append(found, defaults(fmt.Sprintf("%s[%d]", path, i), child)...)
		}
	}
	return found
}

// definedKinds returns the kinds that the CustomResourceDefinitions define, sorted.
func definedKinds(t *testing.T) []string {
	t.Helper()
	var kinds []string
	for _, definition := range kustomize(t, "config/crd").objects {
		kinds = append(kinds, kindOf(t, definition))
	}
	slices.Sort(kinds)
	return kinds
}

func kindOf(t *testing.T, definition *unstructured.Unstructured) string {
	t.Helper()
	kind, _, err := unstructured.NestedString(definition.Object, "spec", "names", "kind")
	if err != nil {
		t.Fatal(err)
	}
	return kind
}

// kindsOf returns the kinds of objects, sorted, each once.
func kindsOf(objects []*unstructured.Unstructured) []string {
	var kinds []string
	for _, object := range objects {
		kinds = append(kinds, object.GetKind())
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}
