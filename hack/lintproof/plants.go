package main

import (
	"fmt"
	"strings"
)

// plant is one file that breaks one rule of the house, or just does not.
type plant struct {
	// rule says what the house asks.
	rule string
	// file is where the violation is planted, from the root of the tree.
	file string
	// source is the content of the file.
	source string
	// finder is the linter that has to find it. Empty: nothing may be found in the file, because it is just within the rule.
	finder string
	// says is a part of the message that is expected.
	says string
}

const module = "github.com/crmops/rollout-operator"

// The limits of the house, in the configuration as well; stated here again, so that a change there alone is found.
const (
	maxFunctionLines = 60
	maxFileLines     = 400
	maxComplexity    = 12
)

var purePackages = []string{"admit", "advance", "calendar", "decide", "effect", "forecast", "gate", "plan", "record"}

// plants is every rule that guards the architecture or the size of things, with a violation of it.
func plants() []plant {
	var all []plant
	for _, group := range [][]plant{purityPlants(), boundaryPlants(), sizePlants(), apiPlants(), codePlants(), wordPlants()} {
		all = append(all, group...)
	}
	return all
}

// purityPlants break "rules cannot do I/O and take the time as an argument", in each pure package.
func purityPlants() []plant {
	var all []plant
	for _, name := range purePackages {
		directory := "internal/" + name
		all = append(all,
			plant{name + " does no network", directory + "/planted_net.go",
				importing(name, "net/http"), "depguard", "'net/http'"},
			plant{name + " has no Kubernetes client", directory + "/planted_client.go",
				importing(name, "sigs.k8s.io/controller-runtime/pkg/client"), "depguard", "controller-runtime"},
			plant{name + " takes the time as an argument", directory + "/planted_clock.go",
				plantedFile(name, `import "time"`, "var plantedNow = time.Now\n\nvar _ = plantedNow"), "forbidigo", "the clock is an argument"},
		)
	}
	return append(all,
		plant{"gate reads no files", "internal/gate/planted_os.go", importing("gate", "os"), "depguard", "'os'"},
		plant{"gate has no database", "internal/gate/planted_sql.go", importing("gate", "database/sql"), "depguard", "database/sql"},
		plant{"gate has no client-go", "internal/gate/planted_clientgo.go", importing("gate", "k8s.io/client-go/rest"), "depguard", "client-go"},
		plant{"gate does not log", "internal/gate/planted_log.go", importing("gate", "log/slog"), "depguard", "'log/slog'"},
		plant{"calendar knows only the api", "internal/calendar/planted_gate.go", importing("calendar", module+"/internal/gate"), "depguard", "calendar knows only the api"},
		plant{"effect knows no api", "internal/effect/planted_api.go", importing("effect", module+"/api/v1alpha1"), "depguard", "knows nothing of rollouts"},
		plant{"a pure package may use time as a value", "internal/gate/planted_duration.go",
			plantedFile("gate", `import "time"`, "var _ = time.Hour"), "", ""},
	)
}

// boundaryPlants break the order of packages. They lie in packages of their own, so that none closes a cycle.
func boundaryPlants() []plant {
	return []plant{
		{"a planted controller to import", "controllers/planted/planted.go", plantedFile("planted", "", ""), "", ""},
		{"controllers do not import each other", "controllers/plantedtwo/planted.go",
			importing("plantedtwo", module+"/controllers/planted"), "depguard", "controllers meet only in objects"},
		{"rules do not import controllers", "internal/plan/planted/planted.go",
			importing("planted", module+"/controllers/planted"), "depguard", "/controllers/planted' is not allowed"},
		{"a planted reader to import", "internal/measure/planted/planted.go", plantedFile("planted", "", ""), "", ""},
		{"rules do not measure", "internal/advance/planted/planted.go",
			importing("planted", module+"/internal/measure/planted"), "depguard", "numbers come in as arguments"},
		{"internal packages do not import controllers", "internal/plantedthree/planted.go",
			importing("plantedthree", module+"/controllers/planted"), "depguard", "never the other way round"},
		{"a provider has no Kubernetes client", "internal/provider/planted/planted.go",
			importing("planted", "sigs.k8s.io/controller-runtime/pkg/client"), "depguard", "never asks Kubernetes"},
		{"the api imports none of us", "api/v1alpha1/planted_import.go",
			importing("v1alpha1", module+"/internal/version"), "depguard", "knows none of them"},
		{"the api brings no client", "api/v1alpha1/planted_client.go",
			importing("v1alpha1", "sigs.k8s.io/controller-runtime/pkg/scheme"), "depguard", "must not get a client"},
		{"no package called util", "internal/util/planted.go", plantedFile("util", "", ""), "revive", "package"},
		{"no package called helpers", "internal/helpers/planted.go", plantedFile("helpers", "", ""), "revive", "package"},
		{"no package called common", "internal/common/planted.go", plantedFile("common", "", ""), "revive", "package"},
		{"no package called misc", "internal/misc/planted.go", plantedFile("misc", "", ""), "revive", "package"},
		{"no package called base", "internal/base/planted.go", plantedFile("base", "", ""), "revive", "package"},
		{"no package called shared", "internal/shared/planted.go", plantedFile("shared", "", ""), "revive", "package"},
	}
}

// sizePlants lie just within and just beyond each limit.
func sizePlants() []plant {
	return []plant{
		{"a function of 60 lines", "internal/gate/planted_long_ok.go", longFunction("plantedLongOK", maxFunctionLines), "", ""},
		{"a function over 60 lines", "internal/gate/planted_long.go", longFunction("plantedLong", maxFunctionLines+1), "funlen", "plantedLong"},
		{"a complexity of 12", "internal/gate/planted_complex_ok.go", complexFunction("plantedComplexOK", maxComplexity), "", ""},
		{"a complexity over 12", "internal/gate/planted_complex.go", complexFunction("plantedComplex", maxComplexity+1), "gocyclo", "plantedComplex"},
		{"a file of 400 lines", "internal/gate/planted_file_ok.go", longFile(maxFileLines), "", ""},
		{"a file over 400 lines", "internal/gate/planted_file.go", longFile(maxFileLines + 1), "revive", "file-length-limit"},
	}
}

// apiPlants break the conventions of the API.
func apiPlants() []plant {
	field := func(name, text string) string {
		return plantedFile("v1alpha1", "", fmt.Sprintf("// %s is planted.\ntype %s struct {\n%s\n}", name, name, text))
	}
	return []plant{
		{"a field within the conventions", "api/v1alpha1/planted_ok.go",
			field("PlantedOK", "\t// ratio is planted.\n\t//\n\t// +optional\n\t// +kubebuilder:validation:MaxLength=8\n\tRatio string `json:\"ratio,omitempty\"`"), "", ""},
		{"no floats in the api", "api/v1alpha1/planted_float.go",
			field("PlantedFloat", "\t// ratio is planted.\n\t//\n\t// +optional\n\tRatio float64 `json:\"ratio,omitempty\"`"), "kubeapilinter", "nofloats"},
		{"a field is marked optional or required", "api/v1alpha1/planted_marker.go",
			field("PlantedMarker", "\t// ratio is planted.\n\t//\n\t// +kubebuilder:validation:MaxLength=8\n\tRatio string `json:\"ratio,omitempty\"`"), "kubeapilinter", "optionalorrequired"},
		{"a field's comment begins with its name", "api/v1alpha1/planted_comment.go",
			field("PlantedComment", "\t// Planted here.\n\t//\n\t// +optional\n\t// +kubebuilder:validation:MaxLength=8\n\tRatio string `json:\"ratio,omitempty\"`"), "kubeapilinter", "commentstart"},
		{"a string of a spec is bounded", "api/v1alpha1/planted_length.go",
			field("PlantedSpec", "\t// ratio is planted.\n\t//\n\t// +optional\n\tRatio string `json:\"ratio,omitempty\"`"), "kubeapilinter", "maxlength"},
		{"a string of a status is bounded", "api/v1alpha1/planted_status.go",
			field("PlantedLengthStatus", "\t// ratio is planted.\n\t//\n\t// +optional\n\tRatio string `json:\"ratio,omitempty\"`"), "kubeapilinter", "maxlength"},
		{"a list says how it merges", "api/v1alpha1/planted_list.go",
			field("PlantedList", "\t// ratios are planted.\n\t//\n\t// +optional\n\t// +kubebuilder:validation:MaxItems=8\n\tRatios []int32 `json:\"ratios,omitempty\"`"), "kubeapilinter", "ssatags"},
		{"no status.phase", "api/v1alpha1/planted_phase.go",
			field("PlantedStatus", "\t// phase is planted.\n\t//\n\t// +optional\n\t// +kubebuilder:validation:MaxLength=8\n\tPhase string `json:\"phase,omitempty\"`"), "kubeapilinter", "nophase"},
		{"no defaults that an apply would show", "api/v1alpha1/planted_default.go",
			field("PlantedDefault", "\t// ratio is planted.\n\t//\n\t// +optional\n\t// +kubebuilder:default=\"1\"\n\t// +kubebuilder:validation:MaxLength=8\n\tRatio string `json:\"ratio,omitempty\"`"), "kubeapilinter", "kubebuilder:default"},
		{"no other default in a status", "api/v1alpha1/planted_default_status.go",
			field("PlantedOtherDefault", "\t// status is planted.\n\t//\n\t// +optional\n\t// +kubebuilder:default={\"observedGeneration\":0}\n\tStatus RolloutSiteStatus `json:\"status,omitzero\"`"), "kubeapilinter", "kubebuilder:default"},
		{"that default only in a status", "api/v1alpha1/planted_default_spec.go",
			field("PlantedSpecDefault", "\t// spec is planted.\n\t//\n\t// +optional\n\t// +kubebuilder:default={\"observedGeneration\":-1}\n\tSpec RolloutSiteStatus `json:\"spec,omitzero\"`"), "kubeapilinter", "kubebuilder:default"},
		{"a status that has not been looked at", "api/v1alpha1/planted_default_ok.go",
			field("PlantedStatusDefault", "\t// status is planted.\n\t//\n\t// +optional\n\t// +kubebuilder:default={\"observedGeneration\":-1}\n\tStatus RolloutSiteStatus `json:\"status,omitzero\"`"), "", ""},
		{"an exported thing has a comment", "api/v1alpha1/planted_silent.go",
			plantedFile("v1alpha1", "", "type PlantedSilent struct{}"), "revive", "PlantedSilent"},
	}
}

// codePlants break rules about calls.
func codePlants() []plant {
	test := "import (\n\t\"testing\"\n\t\"time\"\n)"
	return []plant{
		{"tests do not sleep", "internal/gate/planted_sleep_test.go",
			plantedFile("gate", test, "func TestPlantedSleep(t *testing.T) {\n\tt.Helper()\n\ttime.Sleep(time.Nanosecond)\n}"), "forbidigo", "wait for the condition"},
		{"tests do not skip", "internal/gate/planted_skip_test.go",
			plantedFile("gate", "import \"testing\"", "func TestPlantedSkip(t *testing.T) {\n\tt.Skip()\n}"), "forbidigo", "a missing tool is a failure"},
		{"internal packages do not panic", "internal/plantedfour/planted.go",
			plantedFile("plantedfour", "", "func planted() {\n\tpanic(\"planted\")\n}\n\nvar _ = planted"), "forbidigo", "return an error"},
		{"controllers do not print", "controllers/plantedfive/planted.go",
			plantedFile("plantedfive", `import "fmt"`, "func planted() {\n\tfmt.Println(\"planted\")\n}\n\nvar _ = planted"), "forbidigo", "say it in a result"},
		{"errors are not dropped", "controllers/plantedsix/planted.go",
			plantedFile("plantedsix", `import "os"`, "func planted() {\n\tos.Chdir(\"/\")\n}\n\nvar _ = planted"), "errcheck", "os.Chdir"},
		{"errors are compared through their chain", "controllers/plantedseven/planted.go",
			plantedFile("plantedseven", `import "io"`, "func planted(err error) bool {\n\treturn err == io.EOF\n}\n\nvar _ = planted"), "errorlint", "wrapped errors"},
	}
}

// wordPlants hold words that hack/words.sh refuses. They are split here, because this file is checked too.
func wordPlants() []plant {
	return []plant{
		{"lint is not silenced", "controllers/plantedeight/planted.go",
			plantedFile("plantedeight", `import "os"`, "func planted() {\n\tos.Chdir(\"/\") //no"+"lint:errcheck // planted\n}\n\nvar _ = planted"), "words", "lint silenced"},
		{"nothing is left to do", "docs/planted.md", "TO" + "DO: planted\n", "words", "unfinished"},
	}
}

// plantedFile is a small Go file with a comment for its package.
func plantedFile(name, imports, body string) string {
	parts := []string{fmt.Sprintf("// Package %s is planted.\npackage %s", name, name)}
	for _, part := range []string{imports, body} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "\n\n") + "\n"
}

func importing(name, path string) string {
	return plantedFile(name, fmt.Sprintf("import _ %q // planted", path), "")
}

// longFunction has the given number of lines, from "func" to "}".
func longFunction(name string, lines int) string {
	body := strings.Repeat("\t_ = 1\n", lines-2)
	return plantedFile("gate", "", "func "+name+"() {\n"+body+"}\n\nvar _ = "+name)
}

// complexFunction has the given cyclomatic complexity: one, and one for each condition.
func complexFunction(name string, complexity int) string {
	body := strings.Repeat("\tif n > 0 {\n\t\tn--\n\t}\n", complexity-1)
	return plantedFile("gate", "", "func "+name+"(n int) int {\n"+body+"\treturn n\n}\n\nvar _ = "+name)
}

func longFile(lines int) string {
	start := plantedFile("gate", "", "var (")
	return start + strings.Repeat("\t_ = 1\n", lines-strings.Count(start, "\n")-1) + ")\n"
}
