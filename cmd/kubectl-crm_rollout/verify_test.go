package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asPlugin in the environment makes this test the plugin itself, so that it is run as a process.
const asPlugin = "RUN_AS_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// plugin runs the plugin, without a cluster to ask.
func plugin(t *testing.T, input string, args ...string) (out, complaint string, code int) {
	t.Helper()
	command := exec.Command(os.Args[0], args...)
	command.Env = append(os.Environ(), asPlugin+"=1", "KUBECONFIG="+filepath.Join(t.TempDir(), "none"), "HOME="+t.TempDir())
	command.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), command.ProcessState.ExitCode()
}

const (
	lyon = "testdata/lyon.yaml"
	oslo = "testdata/oslo.yaml"

	lyonOK = "crm/halden-crm.lyon: OK 6 steps, head 88bbce148e88dab976a71f294ab8c6ffd7cb0cac6761f64de8bb2bcdbf985816\n"
	osloOK = "crm/halden-crm.oslo: OK 6 steps, head 3c9b3066576e8b2943800c85410a207c1716fa6de5046f35cbec2c51fbba7123: steps up to 4 were recorded before steps were chained; " +
		"the evidence of phase migrate cannot be verified, because the step that passed it is not chained\n"
)

func saved(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The copies in testdata were saved by an earlier build: what it hashed must verify for ever.
func TestSavedCopiesAreVerifiedWithoutACluster(t *testing.T) {
	list := "apiVersion: v1\nkind: List\nitems:\n"
	for _, path := range []string{lyon, oslo} {
		list += "- " + strings.ReplaceAll(strings.TrimSpace(saved(t, path)), "\n", "\n  ") + "\n"
	}
	other := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n---\n" + saved(t, lyon)
	for name, tc := range map[string]struct {
		input string
		args  []string
		out   string
	}{
		"a file":                       {args: []string{"-f", lyon}, out: lyonOK},
		"two files":                    {args: []string{"-f", oslo, "-f", lyon}, out: osloOK + lyonOK},
		"a folder":                     {args: []string{"-f", "testdata"}, out: lyonOK + osloOK},
		"standard input":               {input: saved(t, lyon), args: []string{"-f", "-"}, out: lyonOK},
		"a list":                       {input: list, args: []string{"-f", "-"}, out: lyonOK + osloOK},
		"what is no SiteRollout":       {input: other, args: []string{"-f", "-"}, out: lyonOK},
		"what it finds, as YAML":       {args: []string{"-f", lyon, "-o", "yaml"}, out: "- head: 88bbce148e88dab976a71f294ab8c6ffd7cb0cac6761f64de8bb2bcdbf985816\n  name: halden-crm.lyon\n  namespace: crm\n  ok: true\n  steps: 6\n"},
		"a site that has no story yet": {input: "apiVersion: rollout.crmops.dev/v1alpha1\nkind: SiteRollout\nmetadata:\n  name: r.bern\n", args: []string{"-f", "-"}, out: "r.bern: OK 0 steps\n"},
	} {
		t.Run(name, func(t *testing.T) {
			out, complaint, code := plugin(t, tc.input, append([]string{"verify"}, tc.args...)...)
			if diff := cmp.Diff(tc.out, out); diff != "" || code != 0 || complaint != "" {
				t.Errorf("exit code %d, complaint %q, (-want +got):\n%s", code, complaint, diff)
			}
		})
	}
}

func TestACopyThatWasTamperedWithIsToldAndEndsWithOne(t *testing.T) {
	for name, tc := range map[string]struct {
		was, is string
		out     string
	}{
		"a time": {`  - attempt: 1
    from: Proving
    hash: e414`, `  - attempt: 2
    from: Proving
    hash: e414`, "step 3: its hash is e414e28c134f, and must be "},
		"evidence":          {`value: "0.97"`, `value: "0.98"`, "the evidence of phase migrate is not what it was when step 4 passed it\n"},
		"who decided":       {"by: anna", "by: bert", "step 6: its hash is 88bbce148e88, and must be "},
		"the checkpoint":    {"hash: e9f9", "hash: e9f8", "step 2: its hash is 8009c00cdb57, and must be "},
		"the state":         {"state: Completed", "state: Held", "the site is Held, and the last step ended at Completed\n"},
		"a number":          {"sequence: 5", "sequence: five", "it cannot be read: "},
		"a field too many":  {"  state: Completed", "  state: Completed\n  mood: good", `it has fields that this version does not know, so its hashes cannot be made: unknown field "status.mood"; take the kubectl-crm_rollout of the operator's version`},
		"a hash is missing": {"    hash: 88bbce148e88dab976a71f294ab8c6ffd7cb0cac6761f64de8bb2bcdbf985816\n", "", "step 6: it has no hash, and the one before it has; "},
	} {
		t.Run(name, func(t *testing.T) {
			text := saved(t, lyon)
			if !strings.Contains(text, tc.was) {
				t.Fatalf("the copy has no %q", tc.was)
			}
			input := strings.Replace(text, tc.was, tc.is, 1) + "---\n" + saved(t, oslo)
			out, complaint, code := plugin(t, input, "verify", "-f", "-")
			line, rest, _ := strings.Cut(out, "\n")
			if code != 1 || complaint != "" || !strings.HasPrefix(line, "crm/halden-crm.lyon: FAULT ") || !strings.Contains(line+"\n", tc.out) || rest != osloOK {
				t.Errorf("exit code %d, complaint %q, output\n%s", code, complaint, out)
			}
		})
	}
}

func TestFaultsAreToldAsJSONToo(t *testing.T) {
	out, _, code := plugin(t, strings.Replace(saved(t, lyon), `value: "0.97"`, `value: "0.98"`, 1), "verify", "-f", "-", "-o", "json")
	const want = `[
  {
    "namespace": "crm",
    "name": "halden-crm.lyon",
    "ok": false,
    "steps": 6,
    "head": "88bbce148e88dab976a71f294ab8c6ffd7cb0cac6761f64de8bb2bcdbf985816",
    "faults": [
      "the evidence of phase migrate is not what it was when step 4 passed it"
    ]
  }
]
`
	if diff := cmp.Diff(want, out); diff != "" || code != 1 {
		t.Errorf("exit code %d, (-want +got):\n%s", code, diff)
	}
}

func TestACommandLineThatMeansNothingIsRefused(t *testing.T) {
	empty := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n"
	for name, tc := range map[string]struct {
		args      []string
		complaint string
	}{
		"nothing is named":          {[]string{"verify"}, "error: name SiteRollouts, or say --all, -l or -f\n"},
		"names and all":             {[]string{"verify", "r.hq", "--all"}, "error: name SiteRollouts, or say --all, -l or -f\n"},
		"a file and a name":         {[]string{"verify", "-f", lyon, "r.hq"}, "error: -f reads files and asks no cluster: leave out names, --all and -l\n"},
		"a name of every namespace": {[]string{"verify", "r.hq", "-A"}, "error: a name is one of a namespace: leave out --all-namespaces, or say --all\n"},
		"another form":              {[]string{"verify", "-f", lyon, "-o", "wide"}, "error: -o is json or yaml, not \"wide\"\n"},
		"nothing to verify":         {[]string{"verify", "-f", "-"}, "error: there is no SiteRollout to verify\n"},
		"another command":           {[]string{"verfy"}, "error: unknown command \"verfy\" for \"kubectl crm-rollout\"\n"},
	} {
		t.Run(name, func(t *testing.T) {
			out, complaint, code := plugin(t, empty, tc.args...)
			if !strings.HasPrefix(complaint, strings.TrimSuffix(tc.complaint, "\n")) || code != 1 || out != "" {
				t.Errorf("exit code %d, output %q, complaint %q, want %q", code, out, complaint, tc.complaint)
			}
		})
	}
}
