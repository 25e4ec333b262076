package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// verify runs kubectl crm-rollout verify.
func verify(t *testing.T, args ...string) (output string, ok bool) {
	t.Helper()
	output, err := control.Kubectl(t.Context(), append([]string{"crm-rollout", "verify"}, args...)...)
	if err != nil && !strings.Contains(err.Error(), "exit status 1") {
		t.Fatal(err)
	}
	if err != nil && output == "" {
		t.Fatal(err)
	}
	return output, err == nil
}

// wiringRecord verifies what the operator recorded, and sees that an administrator who changes it afterwards is found. No manager runs.
func wiringRecord(t *testing.T, namespace string) {
	if os.Getenv("PLUGIN") == "" {
		t.Fatal("PLUGIN is not set: run `make build` and set PLUGIN to the path of bin/kubectl-crm_rollout")
	}
	output, ok := verify(t, "-n", namespace, "--all")
	for _, site := range []string{"berlin: OK 5 steps, head ", "paris: OK 7 steps, head ", "tokyo: OK 5 steps, head "} {
		if !strings.Contains(output, namespace+"/group."+site) {
			t.Errorf("it does not say %q", site)
		}
	}
	if !ok || strings.Count(output, "\n") != 3 {
		t.Errorf("no record was changed, and it says:\n%s", output)
	}
	for how, tc := range map[string]struct {
		change func(*v1alpha1.SiteRolloutStatus)
		fault  string
	}{
		"a time is changed": {func(s *v1alpha1.SiteRolloutStatus) {
			s.Transitions[6].Time.Time = s.Transitions[6].Time.AddDate(0, 0, 1)
		}, "step 7: its hash is "},
		"evidence is changed": {func(s *v1alpha1.SiteRolloutStatus) { s.Phases[1].Evidence[0].Value = "0.99" },
			"the evidence of phase go-live is not what it was when step 7 passed it"},
		"a step is removed": {func(s *v1alpha1.SiteRolloutStatus) { s.Transitions = slices.Delete(s.Transitions, 4, 6) },
			"step 7: it follows step 4, so a step is missing or out of order"},
		"steps change places": {func(s *v1alpha1.SiteRolloutStatus) {
			s.Transitions[4], s.Transitions[5] = s.Transitions[5], s.Transitions[4]
		}, "step 6: it follows step 4, so a step is missing or out of order"},
	} {
		t.Run(how, func(t *testing.T) {
			honest := get(t, namespace, "group.paris", &v1alpha1.SiteRollout{})
			tampered := honest.DeepCopy()
			tc.change(&tampered.Status)
			if err := api.Status().Update(t.Context(), tampered); err != nil {
				t.Fatal(err)
			}
			output, ok := verify(t, "-n", namespace, "-l", v1alpha1.LabelRollout+"=group")
			if ok || !strings.Contains(output, "group.paris: FAULT") || !strings.Contains(output, tc.fault) || strings.Count(output, ": OK ") != 2 {
				t.Errorf("it does not find that, but says:\n%s", output)
			}
			tampered.Status = honest.Status
			if err := api.Status().Update(t.Context(), tampered); err != nil {
				t.Fatal(err)
			}
			if output, ok := verify(t, "-n", namespace, "group.paris"); !ok {
				t.Errorf("all is as it was, and it says:\n%s", output)
			}
		})
	}
}
