package packaging

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestChartPassesLint(t *testing.T) {
	for _, arguments := range [][]string{
		{},
		{"--set=watchNamespaces={north,south}"},
		{"--set=metrics.serviceMonitor.enabled=true,podDisruptionBudget.enabled=true,crds.install=false"},
	} {
		if _, err := run(t, nil, nil, helmBinary(t), append([]string{"lint", "--strict", "--kube-version=" + kubernetesVersion, chart}, arguments...)...); err != nil {
			t.Error(err)
		}
	}
}

// A value that the chart does not know, or that cannot work, is refused before anything is installed, and the refusal names it.
func TestChartRefusesValues(t *testing.T) {
	tests := []struct {
		name, argument, says string
	}{
		{"an unknown value", "--set=replicaCount=2", "'replicaCount'"},
		{"an unknown value in a group", "--set=image.repo=crm", "'repo'"},
		{"an unknown value deep inside", "--set=metrics.serviceMonitor.intervall=30s", "'intervall'"},
		{"no image", "--set=image.repository=", "/image/repository"},
		{"a digest that is none", "--set=image.digest=sha256:abc", "/image/digest"},
		{"a pull policy that does not exist", "--set=image.pullPolicy=Sometimes", "/image/pullPolicy"},
		{"a negative number of replicas", "--set=replicas=-1", "/replicas"},
		{"a number as text", "--set-string=replicas=2", "/replicas"},
		{"a level that the manager does not know", "--set=logging.level=warn", "/logging/level"},
		{"a format that the manager does not know", "--set=logging.format=xml", "/logging/format"},
		{"the port of the probes for metrics", "--set=metrics.port=8081", "/metrics/port"},
		{"a port that only root may open", "--set=metrics.port=80", "/metrics/port"},
		{"metrics for nearly everybody", "--set-string=metrics.secure=mostly", "/metrics/secure"},
		{"a namespace that cannot be", "--set=watchNamespaces={North}", "/watchNamespaces/0"},
		{"a namespace twice", "--set=watchNamespaces={north,north}", "/watchNamespaces"},
		{"a source by its URL", "--set=sources.allowHosts={http://prometheus.example?}", "/sources/allowHosts/0"},
		{"an argument that is none", "--set=extraArgs={verbose}", "/extraArgs/0"},
		{"two leaders", "--set=replicas=2,leaderElection.enabled=false", "leaderElection.enabled"},
		{"nothing to scrape", "--set=metrics.enabled=false,metrics.serviceMonitor.enabled=true", "metrics.enabled"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			output, err := tryHelmTemplate(t, test.argument)
			if err == nil {
				t.Fatalf("%s was accepted:\n%s", test.argument, output)
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("the refusal does not say %q: %v", test.says, err)
			}
		})
	}
}

// A chart that uses this one as a part may have global values.
func TestChartAllowsGlobalValues(t *testing.T) {
	helmTemplate(t, "--set=global.region=north")
}

// The chart asks for a Kubernetes that has what the operator needs.
func TestChartRefusesAnOldKubernetes(t *testing.T) {
	_, err := tryHelmTemplate(t, "--kube-version=v1.29.9")
	if err == nil || !strings.Contains(err.Error(), "chart requires kubeVersion") {
		t.Errorf("got %v, want a refusal", err)
	}
}

// Every value has a meaning in the README, its own or that of the group it belongs to.
func TestReadmeExplainsEveryValue(t *testing.T) {
	contents := files(t, chart)
	var values map[string]any
	if err := yaml.Unmarshal([]byte(contents["values.yaml"]), &values); err != nil {
		t.Fatal(err)
	}
	for _, path := range leaves("", values) {
		explained := false
		for group := path; group != "" && !explained; group = parent(group) {
			explained = strings.Contains(contents["README.md"], "| `"+group+"` |")
		}
		if !explained {
			t.Errorf("%s has no comment \"# -- …\" in values.yaml, or `make generate` was not run", path)
		}
	}
}

// leaves returns the paths of the values that are no groups.
func leaves(prefix string, values map[string]any) []string {
	var paths []string
	for name, value := range values {
		path := strings.TrimPrefix(prefix+"."+name, ".")
		if group, is := value.(map[string]any); is && len(group) > 0 {
			paths = append(paths, leaves(path, group)...)
		} else {
			paths = append(paths, path)
		}
	}
	return paths
}

// parent returns the path of the group that a value belongs to; empty when it belongs to none.
func parent(path string) string {
	if dot := strings.LastIndexByte(path, '.'); dot >= 0 {
		return path[:dot]
	}
	return ""
}
