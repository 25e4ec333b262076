package packaging

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The manager knows every argument that an installation gives it. --version makes it end after it has read them.
func TestManagerKnowsItsArguments(t *testing.T) {
	for _, installation := range installations {
		t.Run(installation.name, func(t *testing.T) {
			arguments := installation.render(t).deployment(t).Spec.Template.Spec.Containers[0].Args
			if _, err := run(t, nil, nil, managerBinary(t), append(arguments, "--version")...); err != nil {
				t.Error(err)
			}
		})
	}
}

// What the schema of the chart's values refuses is what the manager refuses, before it looks for an API server.
func TestManagerRefusesArguments(t *testing.T) {
	for argument, says := range map[string]string{
		"--no-such-flag=1":                              "no-such-flag",
		"--log-level=loud":                              "loud",
		"--log-format=xml":                              "xml",
		"--leader-elect=si":                             "leader-elect",
		"--leader-election-lease-duration=1500ms":       "whole seconds",
		"--leader-election-renew-deadline=15s":          "two managers would write at a time",
		"--leader-election-retry-period=9s":             "1.2 times as long",
		"--allow-source-hosts=127.0.0.1,169.254.0.0/16": "always refused",
		"--allow-source-hosts=http://here":              "host name",
	} {
		_, err := run(t, nil, []string{"KUBECONFIG=/dev/null"}, managerBinary(t), argument)
		// The first line is the command line.
		if _, answer, _ := strings.Cut(fmt.Sprint(err), "\n"); err == nil || !strings.Contains(answer, says) {
			t.Errorf("%s: got %v, want a refusal that names it", argument, err)
		}
	}
}

// The image that the Dockerfile makes can run in the pods of both installations.
func TestImageRunsAsThePodDemands(t *testing.T) {
	output, err := run(t, nil, []string{"VERSION=v0.0.0-packaging"}, filepath.Join(repository, "hack/image.sh"), repository, "localhost/crm-rollout-operator:packaging")
	if err != nil {
		t.Fatal(err)
	}
	var image struct {
		User       string   `json:"user"`
		Entrypoint []string `json:"entrypoint"`
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &image); err != nil {
		t.Fatalf("%v in\n%s", err, output)
	}
	if image.User != "65532:65532" {
		t.Errorf("the image runs as %q, want a number that is not root's", image.User)
	}
	if diff := cmp.Diff([]string{"/manager"}, image.Entrypoint); diff != "" {
		t.Errorf("entry point (+), want (-):\n%s", diff)
	}
	pod := kustomize(t, "config/default").deployment(t).Spec.Template.Spec
	if user := *pod.SecurityContext.RunAsUser; user != 65532 {
		t.Errorf("the pod runs as %d, the image's files and home are made for 65532", user)
	}
	if command := pod.Containers[0].Command; len(command) > 0 {
		t.Errorf("the pod starts %q instead of the image's entry point", command)
	}
}
