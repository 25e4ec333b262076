package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJudge(t *testing.T) {
	violation := plant{rule: "no floats", file: "api/a.go", finder: "kubeapilinter", says: "nofloats"}
	within := plant{rule: "60 lines", file: "internal/gate/a.go"}
	hit := finding{linter: "kubeapilinter", file: "api/a.go", line: 3, text: "nofloats: field Ratio"}

	tests := map[string]struct {
		plant plant
		found []finding
		wrong bool
	}{
		"found where and by whom it should be":          {violation, []finding{hit}, false},
		"not found at all":                              {violation, nil, true},
		"found in another file":                         {violation, []finding{{"kubeapilinter", "api/b.go", 3, "nofloats"}}, true},
		"found by another linter":                       {violation, []finding{{"revive", "api/a.go", 3, "nofloats"}}, true},
		"found for another reason":                      {violation, []finding{{"kubeapilinter", "api/a.go", 3, "nomaps"}}, true},
		"within the rule and nothing found":             {within, []finding{hit}, false},
		"within the rule and still something was found": {within, []finding{{"funlen", "internal/gate/a.go", 3, "too long"}}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			results := judge([]plant{tt.plant}, tt.found)
			if len(results) != 1 {
				t.Fatalf("got %d results for one plant", len(results))
			}
			if got := results[0].wrong != ""; got != tt.wrong {
				t.Errorf("wrong: got %v (%q), want %v", got, results[0].wrong, tt.wrong)
			}
		})
	}
}

func TestPlantedSizesLieAtTheLimit(t *testing.T) {
	lines := func(source string) int { return len(splitLines(source)) }
	got := map[string]int{
		"file within": lines(longFile(maxFileLines)),
		"file beyond": lines(longFile(maxFileLines + 1)),
		// Of a planted file with one function, five lines before and after are not the function's.
		"function within": lines(longFunction("f", maxFunctionLines)) - 5,
	}
	want := map[string]int{"file within": 400, "file beyond": 401, "function within": 60}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestParseWords(t *testing.T) {
	got := parseWords("docs/a.md:7:left to do (unfinished)\nnoise\n")
	want := []finding{{linter: "words", file: "docs/a.md", line: 7, text: "left to do (unfinished)"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(finding{})); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
