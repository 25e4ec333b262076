package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
)

// example is a fenced block of YAML on a page.
var example = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// Whatever a page shows can be applied as it stands.
func TestTheAPIServerAcceptsTheExamplesOfAllPages(t *testing.T) {
	t.Parallel()
	const namespace = "pages"
	create(t, namespace, "")
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, page := range pages(t, root) {
		for _, manifests := range examples(t, filepath.Join(root, page)) {
			for _, object := range objects(t, namespace, manifests) {
				count++
				if err := client.WithFieldValidation(api, "Strict").Create(t.Context(), object, client.DryRunAll); err != nil {
					t.Errorf("%s: %v in:\n%s", page, err, manifests)
				}
			}
		}
	}
	if count < 20 {
		t.Errorf("only %d examples were found", count)
	}
}

// The page about baselines is one programme that the operator finds nothing wrong with.
func TestTheProgrammeOfThePageAboutBaselinesIsValid(t *testing.T) {
	t.Parallel()
	const namespace = "page-baselines"
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	create(t, namespace, strings.Join(examples(t, filepath.Join(root, "docs", "baselines.md")), "\n---\n"))
	manager(t, cluster.ManagerOptions{Name: namespace}, namespace)
	valid := func(kind string, least int) {
		eventually(t, "every "+kind+" is valid", func() bool {
			all := list(t, namespace, kind)
			for i := range all {
				if !meta.IsStatusConditionTrue(conditionsOf(t, &all[i]), v1alpha1.ConditionReady) {
					return false
				}
			}
			return len(all) >= least
		})
	}
	valid("AcceptanceGate", 3)
	valid("RolloutPhase", 3)
	valid("MetricProvider", 2)
	valid("CRMRollout", 1)
}

// pages are the documents of the repository, as paths below its root.
func pages(t *testing.T, root string) []string {
	t.Helper()
	found := []string{"README.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		below, err := filepath.Rel(root, path)
		found = append(found, below)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func examples(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, match := range example.FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
}
