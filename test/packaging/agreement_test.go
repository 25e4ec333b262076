package packaging

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/crmops/rollout-operator/config/admission"
)

// The rules of every role are the same whichever way the operator is installed.
func TestChartAndKustomizeGiveTheSamePermissions(t *testing.T) {
	fromKustomize := kustomize(t, "config/default")
	fromChart := helmTemplate(t)
	fromChartForNamespaces := helmTemplate(t, "--set=watchNamespaces={north}")
	tests := []struct {
		role            string
		kustomize       [2]string // kind and name
		chart           [2]string
		chartNamespaces [2]string
	}{
		{"operator", [2]string{"ClusterRole", "crm-rollout-manager"}, [2]string{"ClusterRole", "crm-rollout-operator-manager"}, [2]string{"Role", "crm-rollout-operator-manager"}},
		{"leader election", [2]string{"Role", "crm-rollout-leader-election"}, [2]string{"Role", "crm-rollout-operator-leader-election"}, [2]string{"Role", "crm-rollout-operator-leader-election"}},
		{"questions about readers of metrics", [2]string{"ClusterRole", "crm-rollout-metrics-auth"}, [2]string{"ClusterRole", "crm-rollout-operator-metrics-auth"}, [2]string{"ClusterRole", "crm-rollout-operator-metrics-auth"}},
		{"readers of metrics", [2]string{"ClusterRole", "crm-rollout-metrics-reader"}, [2]string{"ClusterRole", "crm-rollout-operator-metrics-reader"}, [2]string{"ClusterRole", "crm-rollout-operator-metrics-reader"}},
		{"looking for the admission policy", [2]string{"ClusterRole", "crm-rollout-policy-reader"}, [2]string{"ClusterRole", "crm-rollout-operator-policy-reader"}, [2]string{"ClusterRole", "crm-rollout-operator-policy-reader"}},
		{"viewer", [2]string{"ClusterRole", "crm-rollout-viewer"}, [2]string{"ClusterRole", "crm-rollout-viewer"}, [2]string{"ClusterRole", "crm-rollout-viewer"}},
		{"editor", [2]string{"ClusterRole", "crm-rollout-editor"}, [2]string{"ClusterRole", "crm-rollout-editor"}, [2]string{"ClusterRole", "crm-rollout-editor"}},
	}
	for _, test := range tests {
		t.Run(test.role, func(t *testing.T) {
			want := fromKustomize.rules(t, test.kustomize[0], test.kustomize[1])
			if diff := cmp.Diff(want, fromChart.rules(t, test.chart[0], test.chart[1])); diff != "" {
				t.Errorf("chart (+) and Kustomize (-) differ:\n%s", diff)
			}
			if diff := cmp.Diff(want, fromChartForNamespaces.rules(t, test.chartNamespaces[0], test.chartNamespaces[1])); diff != "" {
				t.Errorf("chart for namespaces (+) and Kustomize (-) differ:\n%s", diff)
			}
		})
	}
	roles := func(r rendering) int { return len(r.ofKind("Role", "ClusterRole")) }
	if want := len(tests); roles(fromKustomize) != want || roles(fromChart) != want || roles(fromChartForNamespaces) != want {
		t.Errorf("roles: Kustomize %d, chart %d, chart for one namespace %d; want the %d compared above",
			roles(fromKustomize), roles(fromChart), roles(fromChartForNamespaces), want)
	}
}

// People find the same labels on their roles, so that these aggregate in the same way.
func TestChartAndKustomizeAggregateTheSameRoles(t *testing.T) {
	for _, name := range []string{"crm-rollout-viewer", "crm-rollout-editor"} {
		aggregation := func(r rendering) map[string]string {
			labels := map[string]string{}
			for label, value := range r.one(t, "ClusterRole", name).GetLabels() {
				if strings.HasPrefix(label, "rbac.authorization.k8s.io/") {
					labels[label] = value
				}
			}
			return labels
		}
		if diff := cmp.Diff(aggregation(kustomize(t, "config/default")), aggregation(helmTemplate(t))); diff != "" {
			t.Errorf("%s: chart (+) and Kustomize (-) differ:\n%s", name, diff)
		}
	}
}

// Who may decide is asked in the same words, under the same name, and the operator knows these words.
func TestChartAndKustomizeInstallTheAdmissionPolicyThatTheOperatorWants(t *testing.T) {
	wanted, bound, err := admission.Wanted()
	if err != nil {
		t.Fatal(err)
	}
	for how, r := range map[string]rendering{"Kustomize": kustomize(t, "config/default"), "the chart": helmTemplate(t), "the chart for namespaces": helmTemplate(t, "--set=watchNamespaces={north}")} {
		for _, want := range []client.Object{wanted, bound} {
			kind := want.GetObjectKind().GroupVersionKind().Kind
			content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(want)
			if err != nil {
				t.Fatal(err)
			}
			got := r.one(t, kind, admission.Name)
			if diff := cmp.Diff(content["spec"], got.Object["spec"]); diff != "" {
				t.Errorf("%s of %s (+) and the one that is built in (-) differ:\n%s", kind, how, diff)
			}
			if got.GetNamespace() != "" {
				t.Errorf("%s of %s is put into namespace %s, and belongs to none", kind, how, got.GetNamespace())
			}
		}
	}
	without := helmTemplate(t, "--set=admissionPolicy.create=false")
	if left := without.ofKind("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"); len(left) > 0 {
		t.Errorf("admissionPolicy.create=false leaves %d objects", len(left))
	}
}

// The pod is the same, apart from the labels by which each installation selects it.
func TestChartAndKustomizeRunTheSamePod(t *testing.T) {
	want := kustomize(t, "config/default").deployment(t)
	got := helmTemplate(t).deployment(t)
	if diff := cmp.Diff(want.Spec.Template.Spec, got.Spec.Template.Spec); diff != "" {
		t.Errorf("chart (+) and Kustomize (-) differ:\n%s", diff)
	}
	if *want.Spec.Replicas != *got.Spec.Replicas {
		t.Errorf("replicas: chart %d, Kustomize %d", *got.Spec.Replicas, *want.Spec.Replicas)
	}
}

// The chart reads its definitions through a template; nothing in them may change on that way.
func TestChartAndKustomizeDefineTheSameKinds(t *testing.T) {
	want := kustomize(t, "config/crd")
	got := helmTemplate(t)
	if diff := cmp.Diff(want.plurals(t), got.plurals(t)); diff != "" {
		t.Fatalf("definitions of the chart (+) and of Kustomize (-) differ:\n%s", diff)
	}
	for _, definition := range want.objects {
		inChart := got.one(t, "CustomResourceDefinition", definition.GetName())
		if diff := cmp.Diff(definition.Object["spec"], inChart.Object["spec"]); diff != "" {
			t.Errorf("%s: chart (+) and Kustomize (-) differ:\n%s", definition.GetName(), diff)
		}
		generator := "controller-gen.kubebuilder.io/version"
		if inChart.GetAnnotations()[generator] != definition.GetAnnotations()[generator] {
			t.Errorf("%s: the chart's copy has lost the annotation %s", definition.GetName(), generator)
		}
	}
}

// A new kind is installed by both: nothing in config/crd/bases is forgotten in the list that Kustomize reads.
func TestKustomizeInstallsEveryGeneratedDefinition(t *testing.T) {
	bases := files(t, repository+"/config/crd/bases")
	if installed := len(kustomize(t, "config/crd").objects); installed != len(bases) {
		t.Errorf("config/crd installs %d of the %d definitions in config/crd/bases", installed, len(bases))
	}
}

// What hack/chart.sh makes is what the chart holds. If this fails, run `make generate`.
func TestGeneratedPartsOfTheChartAreFresh(t *testing.T) {
	fresh := t.TempDir()
	if err := os.CopyFS(fresh, os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, nil, nil, filepath.Join(repository, "hack/chart.sh"), fresh); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(files(t, fresh), files(t, chart)); diff != "" {
		t.Errorf("the chart (+) is not what `make generate` makes (-):\n%s", diff)
	}
}

// hack/chart.sh replaces what is stale, instead of adding to it.
func TestChartScriptReplacesStaleParts(t *testing.T) {
	stale := t.TempDir()
	if err := os.CopyFS(stale, os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	gone := filepath.Join(stale, "files/crds/gone.yaml")
	for path, content := range map[string]string{
		gone: "kind: CustomResourceDefinition\n",
		filepath.Join(stale, "files/rbac/role.yaml"): "rules: []\n",
		filepath.Join(stale, "README.md"):            "# chart\n<!-- values -->\nold\n<!-- /values -->\nend\n",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := run(t, nil, nil, filepath.Join(repository, "hack/chart.sh"), stale); err != nil {
		t.Fatal(err)
	}
	made, want := files(t, stale), files(t, chart)
	if _, there := made["files/crds/gone.yaml"]; there {
		t.Error("a definition that is gone is still in the chart")
	}
	if diff := cmp.Diff(want["files/rbac/role.yaml"], made["files/rbac/role.yaml"]); diff != "" {
		t.Errorf("the role was not replaced:\n%s", diff)
	}
	readme := made["README.md"]
	if !strings.HasPrefix(readme, "# chart\n<!-- values -->\n| value |") || !strings.HasSuffix(readme, "|\n<!-- /values -->\nend\n") || strings.Contains(readme, "old") {
		t.Errorf("the table was not replaced in:\n%s", readme)
	}
}

// Chart and Kustomize install the same version: the one that the chart calls its appVersion.
func TestImageIsThatOfTheChartsVersion(t *testing.T) {
	var meta struct {
		Name       string `json:"name"`
		AppVersion string `json:"appVersion"`
	}
	if err := yaml.Unmarshal([]byte(files(t, chart)["Chart.yaml"]), &meta); err != nil {
		t.Fatal(err)
	}
	image := kustomize(t, "config/default").deployment(t).Spec.Template.Spec.Containers[0].Image
	if want := meta.Name + ":" + meta.AppVersion; image != want {
		t.Errorf("config/default runs %s, want %s", image, want)
	}
}
