package docs

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// front is the page that readers begin with.
const front = "README.md"

func TestLinksLeadSomewhere(t *testing.T) {
	for _, problem := range brokenLinks(root, pages(t, root)) {
		t.Error(problem)
	}
}

func TestEveryPageCanBeReached(t *testing.T) {
	for _, lost := range unreachable(pages(t, root)) {
		t.Errorf("%s cannot be reached by links from %s", lost, front)
	}
}

func TestMakeTargetsExist(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	all := pages(t, root)
	if len(makeTargets(all[front])) == 0 {
		t.Errorf("%s names no make target; it names two at least", front)
	}
	for _, problem := range unknownTargets(string(makefile), all) {
		t.Error(problem)
	}
}

// What is planted here is found, so that silence above means something.
func TestFaultsAreFound(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"README.md": "# Front\n\n[good](docs/a.md#one--two) [anchor](docs/a.md#three) [page](docs/none.md) [dir](docs) [web](https://example.com/x)\n" +
			"`[no](link)` ![image](docs/none.svg) [self](#front) [out](../elsewhere.md)\n\nMake each run `make test`, `make tset` or\n\n    KEEP=1 make demmo X=1\n",
		"docs/a.md":    "# A\n\n## One & two\n\n```\n## Three\n[no](link.md)\n```\n",
		"docs/lost.md": "# Lost\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all := pages(t, dir)
	want := []string{
		"README.md: docs/a.md#three: docs/a.md has no such heading",
		"README.md: docs/none.md: there is no such file",
		"README.md: docs/none.svg: there is no such file",
		"README.md: ../elsewhere.md: leads out of the repository",
	}
	if diff := cmp.Diff(want, brokenLinks(dir, all)); diff != "" {
		t.Errorf("broken links (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"docs/lost.md"}, unreachable(all)); diff != "" {
		t.Errorf("pages that cannot be reached (-want +got):\n%s", diff)
	}
	wantTargets := []string{"README.md: the Makefile has no target tset", "README.md: the Makefile has no target demmo"}
	if diff := cmp.Diff(wantTargets, unknownTargets("test: build ## Test.\nbuild:\n", all)); diff != "" {
		t.Errorf("unknown targets (-want +got):\n%s", diff)
	}
}

func names(all map[string]page) []string {
	sorted := make([]string, 0, len(all))
	for name := range all {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	return sorted
}

// inside tells whether a link stays on this machine, and takes it apart: the path from the root and the anchor.
func (p page) inside(target string) (file, anchor string, local bool) {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return "", "", false
	}
	file, anchor, _ = strings.Cut(target, "#")
	if file == "" {
		return p.path, anchor, true
	}
	return path.Join(path.Dir(p.path), file), anchor, true
}

func brokenLinks(dir string, all map[string]page) []string {
	var problems []string
	for _, name := range names(all) {
		for _, target := range all[name].links {
			file, anchor, local := all[name].inside(target)
			if !local {
				continue
			}
			to, isPage := all[file]
			switch _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(file))); {
			case file == ".." || strings.HasPrefix(file, "../"):
				problems = append(problems, fmt.Sprintf("%s: %s: leads out of the repository", name, target))
			case err != nil:
				problems = append(problems, fmt.Sprintf("%s: %s: there is no such file", name, target))
			case anchor != "" && (!isPage || !to.anchors[anchor]):
				problems = append(problems, fmt.Sprintf("%s: %s: %s has no such heading", name, target, file))
			}
		}
	}
	return problems
}

// unreachable returns the pages below docs that no chain of links from the front page leads to.
func unreachable(all map[string]page) []string {
	seen := map[string]bool{front: true}
	for queue := []string{front}; len(queue) > 0; queue = queue[1:] {
		from := all[queue[0]]
		for _, target := range from.links {
			if file, _, local := from.inside(target); local && !seen[file] {
				seen[file] = true
				queue = append(queue, file)
			}
		}
	}
	var lost []string
	for _, name := range names(all) {
		if strings.HasPrefix(name, "docs/") && !seen[name] {
			lost = append(lost, name)
		}
	}
	return lost
}

var (
	makeCall   = regexp.MustCompile(`(?:^|[\s;&|]|&& )make ([a-z][a-z-]*)`)
	makeTarget = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
)

// makeTargets returns the targets that the code on a page calls.
func makeTargets(p page) []string {
	var called []string
	for _, line := range p.code {
		for _, match := range makeCall.FindAllStringSubmatch(line, -1) {
			called = append(called, match[1])
		}
	}
	return called
}

func unknownTargets(makefile string, all map[string]page) []string {
	known := map[string]bool{}
	for _, match := range makeTarget.FindAllStringSubmatch(makefile, -1) {
		known[match[1]] = true
	}
	var problems []string
	for _, name := range names(all) {
		for _, target := range makeTargets(all[name]) {
			if !known[target] {
				problems = append(problems, fmt.Sprintf("%s: the Makefile has no target %s", name, target))
			}
		}
	}
	return problems
}
