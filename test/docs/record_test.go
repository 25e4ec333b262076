package docs

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/record"
)

// TestTheStepInTheDocumentHasTheHashBesideIt hashes the step that docs/record.md shows.
func TestTheStepInTheDocumentHasTheHashBesideIt(t *testing.T) {
	text, err := os.ReadFile(root + "/docs/record.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, `    {"from":`) {
			continue
		}
		var step v1alpha1.Transition
		if err := json.Unmarshal([]byte(line), &step); err != nil {
			t.Fatal(err)
		}
		if got, want := record.Hash("", step), strings.TrimSpace(lines[i+1]); got != want {
			t.Errorf("its hash is %s, the document says %s", got, want)
		}
		return
	}
	t.Error("the document shows no step")
}
