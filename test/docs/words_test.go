package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

const operations = "docs/operations.md"

// Whoever meets a reason finds out what to do about it.
func TestEveryReasonIsExplained(t *testing.T) {
	explained := cells(t, operations)
	for file, prefixes := range map[string][]string{
		"api/v1alpha1/conditions.go": {"Reason", "Condition"},
		"internal/provider/error.go": {""},
	} {
		words := constants(t, file, prefixes)
		if len(words) < 10 {
			t.Errorf("%s: found only %q; are the constants somewhere else now?", file, words)
		}
		for _, word := range words {
			if !explained[word] {
				t.Errorf("%s: %q has no row in %s", file, word, operations)
			}
		}
	}
}

func TestFlagsAreThoseOfTheManager(t *testing.T) {
	declared := regexp.MustCompile(`flags\.\w+Var\(&[\w.]+, "([a-z-]+)"`)
	var flags []string
	for _, match := range declared.FindAllStringSubmatch(source(t, "cmd/manager"), -1) {
		flags = append(flags, "--"+match[1])
	}
	documented := rows(t, operations, regexp.MustCompile("(?m)^\\| `(--[a-z-]+)` \\|"))
	compare(t, "flags", flags, documented)
}

func TestMetricsAreThoseOfTheCollectors(t *testing.T) {
	declared := regexp.MustCompile(`NewDesc\("(crm_rollout_[a-z_]+)"`)
	var metrics []string
	for _, dir := range []string{"internal", "controllers"} {
		for _, match := range declared.FindAllStringSubmatch(source(t, dir), -1) {
			metrics = append(metrics, match[1])
		}
	}
	documented := rows(t, operations, regexp.MustCompile("(?m)^\\| `(crm_rollout_[a-z_]+)` \\|"))
	compare(t, "metrics", metrics, documented)
}

// An example that has a field too much, or one misspelt, would be refused by a careful kubectl.
func TestExamplesAreWellFormed(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	all := pages(t, root)
	count := 0
	for _, name := range names(all) {
		for i, example := range all[name].examples {
			count++
			if err := wellFormed(scheme, example); err != nil {
				t.Errorf("%s, example %d: %v", name, i+1, err)
			}
		}
	}
	if count == 0 {
		t.Error("no page has an example in YAML")
	}
	misspelt := "apiVersion: rollout.crmops.dev/v1alpha1\nkind: KPI\nspec: {qery: up}\n"
	if err := wellFormed(scheme, misspelt); err == nil {
		t.Error("a misspelt field was not found")
	}
}

func wellFormed(scheme *runtime.Scheme, example string) error {
	var head struct{ APIVersion, Kind string }
	if err := yaml.Unmarshal([]byte(example), &head); err != nil {
		return err
	}
	object, err := scheme.New(schema.FromAPIVersionAndKind(head.APIVersion, head.Kind))
	if err != nil {
		return err
	}
	return yaml.UnmarshalStrict([]byte(example), object)
}

// cells returns what stands in code spans in the tables of a page: these are the words that it explains.
func cells(t *testing.T, name string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for line := range strings.Lines(read(t, name)) {
		if first, _, isRow := strings.Cut(strings.TrimPrefix(line, "|"), " |"); isRow && strings.HasPrefix(line, "|") {
			for _, match := range span.FindAllStringSubmatch(first, -1) {
				found[match[1]] = true
			}
		}
	}
	return found
}

func rows(t *testing.T, name string, row *regexp.Regexp) []string {
	t.Helper()
	var found []string
	for _, match := range row.FindAllStringSubmatch(read(t, name), -1) {
		found = append(found, match[1])
	}
	return found
}

// compare expects the same words on both sides, and at least one.
func compare(t *testing.T, what string, declared, documented []string) {
	t.Helper()
	slices.Sort(declared)
	slices.Sort(documented)
	if len(declared) == 0 {
		t.Errorf("no %s found in the code", what)
	}
	if diff := cmp.Diff(declared, documented); diff != "" {
		t.Errorf("%s (-declared +documented):\n%s", what, diff)
	}
}

// constants returns the texts of a file's exported constants whose names have one of the prefixes.
func constants(t *testing.T, name string, prefixes []string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !spec.Names[0].IsExported() {
			return true
		}
		text, ok := spec.Values[0].(*ast.BasicLit)
		hasPrefix := func(prefix string) bool { return strings.HasPrefix(spec.Names[0].Name, prefix) }
		if !ok || text.Kind != token.STRING || !slices.ContainsFunc(prefixes, hasPrefix) {
			return true
		}
		word, err := strconv.Unquote(text.Value)
		if err != nil {
			t.Fatal(fmt.Errorf("%s: %w", name, err))
		}
		words = append(words, word)
		return true
	})
	return words
}

// source returns all Go files below a directory, but the tests, in one text.
func source(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
