package packaging

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const site = `apiVersion: rollout.crmops.dev/v1alpha1
kind: RolloutSite
metadata: {name: hamburg, namespace: north}
spec: {}
`

// What docs/install.md says of install, upgrade and uninstall, with a real release.
func TestReleaseLifecycle(t *testing.T) {
	s := startServer(t)
	s.namespace(t, "north")
	definition := "crd/rolloutsites.rollout.crmops.dev"

	old := t.TempDir()
	if err := os.CopyFS(old, os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(old, "files/crds/rollout.crmops.dev_rolloutsites.yaml")
	current := files(t, chart)["files/crds/rollout.crmops.dev_rolloutsites.yaml"]
	if err := os.WriteFile(path, []byte(strings.Replace(current, "shortNames:\n    - rsite", "shortNames:\n    - oldsite", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	shortName := func() string {
		return string(s.mustKubectl(t, nil, "get", definition, "-o=jsonpath={.spec.names.shortNames[0]}"))
	}

	s.mustHelm(t, "install", "crm", old, "--namespace="+systemNamespace, "--create-namespace")
	if got := shortName(); got != "oldsite" {
		t.Fatalf("installed short name %q, want that of the old chart", got)
	}
	s.mustKubectl(t, nil, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
	s.mustKubectl(t, []byte(site), "apply", "-f", "-")

	s.mustHelm(t, "upgrade", "crm", chart, "--namespace="+systemNamespace)
	if got := shortName(); got != "rsite" {
		t.Errorf("short name %q after the upgrade, want that of the new chart", got)
	}

	second := []string{"install", "crm-two", chart, "--namespace=second", "--create-namespace", "--set=watchNamespaces={north}"}
	if _, err := s.helm(t, second...); err == nil || !strings.Contains(err.Error(), "cannot be imported") {
		t.Errorf("a second release with definitions: got %v, want a refusal", err)
	}
	s.mustHelm(t, append(second, "--set=crds.install=false,userRoles.create=false,admissionPolicy.create=false")...)
	s.mustHelm(t, "uninstall", "crm-two", "--namespace=second")

	// A definition that is being deleted still answers for a moment, so it is asked whether it is.
	deleted := func() string {
		return string(s.mustKubectl(t, nil, "get", "crd", "-o=jsonpath={.items[*].metadata.deletionTimestamp}"))
	}
	uid := func() string {
		return string(s.mustKubectl(t, nil, "get", "-n=north", "rolloutsite/hamburg", "-o=jsonpath={.metadata.uid}"))
	}
	before := uid()
	s.mustHelm(t, "uninstall", "crm", "--namespace="+systemNamespace)
	if at := deleted(); at != "" {
		t.Errorf("uninstalling deletes definitions, and with them every rollout (%s)", at)
	}
	left := string(s.mustKubectl(t, nil, "get", "deployments,services,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings",
		"-A", "-l=app.kubernetes.io/part-of=crm-rollout-operator", "-o=name"))
	if left != "" {
		t.Errorf("uninstalling left:\n%s", left)
	}

	s.mustHelm(t, "install", "crm", chart, "--namespace="+systemNamespace)
	if after := uid(); after != before {
		t.Errorf("site %s after the next install, want %s, the one from before", after, before)
	}

	s.mustHelm(t, "upgrade", "crm", chart, "--namespace="+systemNamespace, "--set=crds.keep=false")
	s.mustHelm(t, "uninstall", "crm", "--namespace="+systemNamespace)
	eventually(t, "without crds.keep the definitions go with the release", func() bool {
		return len(s.mustKubectl(t, nil, "get", "crd", "-o=name")) == 0
	})
}

// What a person deletes to uninstall the operator and keep the rollouts, as docs/install.md says.
var uninstallKeepingRollouts = []string{
	"delete", "deployments,services,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings",
	"--all-namespaces", "--selector=app.kubernetes.io/part-of=crm-rollout-operator",
}

// Who installed with Kustomize can go on with Helm: the definitions change hands and the rollouts stay.
func TestReleaseTakesOverFromKustomize(t *testing.T) {
	s := startServer(t)
	s.namespace(t, "north")
	s.mustKubectl(t, kustomize(t, "config/default").text, "apply", "--server-side", "-f", "-")
	s.mustKubectl(t, nil, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
	s.mustKubectl(t, []byte(site), "apply", "-f", "-")

	s.mustKubectl(t, nil, uninstallKeepingRollouts...)
	s.mustHelm(t, "install", "crm-rollout-operator", chart, "--namespace="+systemNamespace, "--take-ownership")

	s.mustKubectl(t, nil, "get", "-n=north", "rolloutsite/hamburg")
	left := string(s.mustKubectl(t, nil, "get", "deployments,services,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings",
		"-A", "-l=app.kubernetes.io/part-of=crm-rollout-operator,app.kubernetes.io/managed-by!=Helm", "-o=name"))
	if left != "" {
		t.Errorf("of the Kustomize installation is left:\n%s", left)
	}
}
