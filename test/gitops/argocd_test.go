package gitops

import (
	"os"
	"path/filepath"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// health is what Argo CD says of an object.
type health struct{ status, message string }

// healthScript is the script that config/argocd gives to Argo CD for every kind of the operator.
func healthScript(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(repositoryRoot, "config", "argocd", "argocd-cm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var configured struct {
		Data map[string]string `json:"data"`
	}
	if err := yaml.Unmarshal(content, &configured); err != nil {
		t.Fatal(err)
	}
	var customizations map[string]map[string]string
	if err := yaml.Unmarshal([]byte(configured.Data["resource.customizations"]), &customizations); err != nil {
		t.Fatal(err)
	}
	script := customizations[v1alpha1.GroupVersion.Group+"/*"]["health.lua"]
	if script == "" {
		t.Fatalf("config/argocd/argocd-cm.yaml has no health.lua for %s/*", v1alpha1.GroupVersion.Group)
	}
	return script
}

// assess runs the script on an object in the interpreter that Argo CD has, and with no more libraries than it gives to scripts.
func assess(t *testing.T, script string, object map[string]any) health {
	t.Helper()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	state.Push(state.NewFunction(lua.OpenBase))
	state.Call(0, 0)
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		t.Fatal(err)
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script returned %v", state.Get(-1))
	}
	return health{answer.RawGetString("status").String(), answer.RawGetString("message").String()}
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, entry := range v {
			table.RawSetString(key, toLua(state, entry))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, entry := range v {
			table.Append(toLua(state, entry))
		}
		return table
	case string:
		return lua.LString(v)
	case bool:
		return lua.LBool(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	}
	return lua.LNil
}

// assertHealth checks what Argo CD would say of everything that is applied, which is the worst that it says of an object.
func assertHealth(t *testing.T, want string) {
	t.Helper()
	order := map[string]int{"Healthy": 0, "Progressing": 1, "Degraded": 2}
	script, worst, because := healthScript(t), "Healthy", ""
	for name, object := range applied(t) {
		if said := assess(t, script, object.Object); order[said.status] > order[worst] {
			worst, because = said.status, name+": "+said.message
		}
	}
	if worst != want {
		t.Errorf("Argo CD would say %s because of %q, want %s", worst, because, want)
	}
}

func TestArgoCDSeesWhatKstatusSees(t *testing.T) {
	script := healthScript(t)
	for name, tc := range map[string]struct {
		object string
		want   health
	}{
		"nobody has looked":         {`{metadata: {generation: 1}}`, health{"Progressing", "the operator has not looked at it yet"}},
		"as the definition says it": {`{metadata: {generation: 1}, status: {observedGeneration: -1}}`, health{"Progressing", "the operator has not looked at it yet"}},
		"looked at before a change": {`{metadata: {generation: 2}, status: {observedGeneration: 1, conditions: [{type: Ready, status: "True", message: valid}]}}`,
			health{"Progressing", "the operator has not looked at it yet"}},
		"valid": {`{metadata: {generation: 2}, status: {observedGeneration: 2, conditions: [{type: Progressing, status: "False"}, {type: Ready, status: "True", message: valid}]}}`,
			health{"Healthy", "valid"}},
		"something is missing that may come": {`{metadata: {generation: 1}, status: {observedGeneration: 1, conditions: [{type: Ready, status: "False", message: no such gate}]}}`,
			health{"Progressing", "no such gate"}},
		"a mistake": {`{metadata: {generation: 1}, status: {observedGeneration: 1, conditions: [{type: Ready, status: "False", message: wrong}, {type: Stalled, status: "True", message: wrong}]}}`,
			health{"Degraded", "wrong"}},
		"no conditions": {`{metadata: {generation: 1}, status: {observedGeneration: 1}}`, health{"Progressing", "the operator has not looked at it yet"}},
	} {
		t.Run(name, func(t *testing.T) {
			object := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(tc.object), &object.Object); err != nil {
				t.Fatal(err)
			}
			if got := assess(t, script, object.Object); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}
