package main

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/crmops/rollout-operator/test/cluster"
	"github.com/crmops/rollout-operator/test/crmsim"
)

// The samples are read by the same kubectl, and checked by the same API server, as anybody's would be. The parts share one
// control plane, because a start costs seconds.
func TestSamples(t *testing.T) {
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	c := cluster.ForTest(t, cluster.Options{})
	if err := c.CreateNamespace(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(root, "config", "samples")
	demo, readings := filepath.Join(base, "demo"), filepath.Join(base, "readings")
	kpis := filepath.Join(base, "kpis")
	library := []string{filepath.Join(base, "calendars"), kpis, filepath.Join(kpis, "prometheus"), filepath.Join(kpis, "sql"), filepath.Join(kpis, "sql-mysql")}
	for _, overlay := range append(library, base, demo, readings) {
		t.Run("the API server accepts "+filepath.Base(overlay)+" to the last field", func(t *testing.T) {
			if _, err := c.Kubectl(t.Context(), "apply", "-k", overlay, "--dry-run=server", "--validate=strict"); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("the API server accepts a reading", func(t *testing.T) {
		if _, err := c.Kubectl(t.Context(), "create", "-f", filepath.Join(readings, "survey.yaml"), "--dry-run=server", "--validate=strict"); err != nil {
			t.Error(err)
		}
	})
	programme, compressed := render(t, c, base), render(t, c, demo)
	t.Run("the demonstration compresses time and changes nothing else", func(t *testing.T) { onlyTime(t, programme, compressed) })
	t.Run("the programme is one of weeks", func(t *testing.T) {
		if soak := value(programme, "RolloutPhase/parallel-run", "spec.soak"); soak != "4w" {
			t.Errorf("parallel-run soaks for %v", soak)
		}
	})
	t.Run("the scenario knows every site, every phase and every metric of the programme", func(t *testing.T) { scenarioFits(t, programme) })
}

// fields are all leaves of the rendered objects, by kind/name and path.
type fields map[string]map[string]any

func value(of fields, object, path string) any { return of[object][path] }

// names are the objects of a kind, in order.
func (f fields) names(kind string) []string {
	var names []string
	for object := range f {
		if name, is := strings.CutPrefix(object, kind+"/"); is {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

func render(t *testing.T, c *cluster.Cluster, directory string) fields {
	t.Helper()
	text, err := c.Kubectl(t.Context(), "kustomize", directory)
	if err != nil {
		t.Fatal(err)
	}
	objects := fields{}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(text)), 4096)
	for {
		object := unstructured.Unstructured{}
		if err := decoder.Decode(&object.Object); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatal(err)
		}
		leaves := map[string]any{}
		flatten(object.Object, "", leaves)
		objects[object.GetKind()+"/"+object.GetName()] = leaves
	}
}

func flatten(node any, path string, into map[string]any) {
	switch typed := node.(type) {
	case map[string]any:
		for key, child := range typed {
			flatten(child, strings.TrimPrefix(path+"."+key, "."), into)
		}
	case []any:
		for _, child := range typed {
			flatten(child, path+"[]"+nameOf(child), into)
		}
	default:
		into[path] = node
	}
}

// nameOf tells the elements of a list apart: by their name, or by themselves.
func nameOf(element any) string {
	if object, is := element.(map[string]any); is {
		name, _ := object["name"].(string)
		return name
	}
	text, _ := element.(string)
	return text
}

// times are the fields that say how long something takes.
var times = regexp.MustCompile(`^spec\.(soak|interval|window|staleAfter|criteria\[\][a-z-]+\.for)$`)

func onlyTime(t *testing.T, programme, compressed fields) {
	if diff := cmp.Diff(sortedNames(programme), sortedNames(compressed)); diff != "" {
		t.Fatalf("other objects (-programme +demo):\n%s", diff)
	}
	for object, want := range programme {
		got := compressed[object]
		if diff := cmp.Diff(sortedNames(want), sortedNames(got)); diff != "" {
			t.Errorf("%s has other fields (-programme +demo):\n%s", object, diff)
		}
		for path, before := range want {
			after := got[path]
			isTime := times.MatchString(path)
			if seconds, _ := after.(string); isTime && !regexp.MustCompile(`^[0-9]+s$`).MatchString(seconds) {
				t.Errorf("%s %s is still %v", object, path, after)
			}
			if !isTime && before != after {
				t.Errorf("%s %s is %v, in the programme %v", object, path, after, before)
			}
		}
	}
}

func scenarioFits(t *testing.T, programme fields) {
	scenario, err := crmsim.DefaultScenario()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(programme.names("RolloutSite"), sortedNames(scenario.Sites)); diff != "" {
		t.Errorf("sites (-programme +scenario):\n%s", diff)
	}
	events, asked := map[string]bool{}, map[string]bool{}
	for _, curve := range scenario.Metrics {
		for event := range curve.After {
			events[event] = true
		}
	}
	if diff := cmp.Diff(programme.names("RolloutPhase"), sortedNames(events)); diff != "" {
		t.Errorf("phases and events (-programme +scenario):\n%s", diff)
	}
	for _, name := range programme.names("KPI") {
		query, _ := value(programme, "KPI/"+name, "spec.query").(string)
		for _, metric := range regexp.MustCompile(`crm_[a-z_]+`).FindAllString(query, -1) {
			asked[metric] = true
		}
	}
	if diff := cmp.Diff(sortedNames(scenario.Metrics), sortedNames(asked)); diff != "" {
		t.Errorf("metrics (-scenario +programme):\n%s", diff)
	}
	if _, fits := scenario.Sites[troubled]; !fits {
		t.Errorf("the troubled site %s is not in the scenario", troubled)
	}
}
