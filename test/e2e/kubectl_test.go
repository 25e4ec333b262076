package e2e

import (
	"strings"
	"testing"
)

// kubectl asks what a person asks, and expects words of an answer.
func kubectl(t *testing.T, namespace string) {
	for _, look := range []struct {
		args  []string
		words []string
	}{
		{
			args: []string{"get", "crm"},
			words: []string{"crmrollout.rollout.crmops.dev/group", "AllPhasesPassed", "siterollout.rollout.crmops.dev/group.paris", "Completed",
				"kpi.rollout.crmops.dev/adoption", "ratio", "acceptancegate.rollout.crmops.dev/used",
				"rolloutphase.rollout.crmops.dev/go-live", "rolloutsite.rollout.crmops.dev/tokyo", "apac", "metricprovider.rollout.crmops.dev/warehouse", "prometheus at 127.0.0.1"},
		},
		{
			args:  []string{"get", "crmr,sroll", "-o", "wide"},
			words: []string{"THROUGH", "go-live", "MESSAGE", "the site has passed every phase"},
		},
		{
			args: []string{"describe", "siterollout", "group.paris"},
			words: []string{"Admitted Through:", "go-live", "Evidence:", "at least 0.6", "0.7", "Met Since:", "Transitions:", "ExitGateFailed",
				"adoption is 0.3 ratio, must be at least 0.6", "Recovered", "AllPhasesPassed", "Events:", "phase go-live passed exit gate used"},
		},
		{
			args:  []string{"explain", "crmrollout.spec.waves"},
			words: []string{"waves are the groups of sites, in order", "selector", "after", "-required-", "An empty selector picks every site"},
		},
		{
			args:  []string{"explain", "acceptancegate.spec.criteria.for"},
			words: []string{"how long the criterion must have been met without a break"},
		},
		{
			args:  []string{"wait", "--for=condition=Completed", "crmr/group", "--timeout=30s"},
			words: []string{"condition met"},
		},
	} {
		t.Run(strings.Join(look.args, " "), func(t *testing.T) {
			text, err := control.Kubectl(t.Context(), append([]string{"-n", namespace}, look.args...)...)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("$ kubectl %s\n%s", strings.Join(look.args, " "), text)
			for _, word := range look.words {
				if !strings.Contains(text, word) {
					t.Errorf("it does not say %q", word)
				}
			}
		})
	}
}
