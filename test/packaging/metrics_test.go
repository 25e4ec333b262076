package packaging

import (
	"crypto/tls"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/crmops/rollout-operator/test/cluster"
)

// The metrics hold the numbers of all sites. Both installations serve them only to those who are bound to the role for it, and the operator has the rights
// that it needs to find that out, also where it has none in the rest of the cluster.
func TestMetricsAreServedToThoseWhoMayReadThem(t *testing.T) {
	c := cluster.ForTest(t, cluster.Options{Assets: assets(t), WithoutCRDs: true})
	administrator, err := c.Client()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Client: administrator, kubeconfig: c.Kubeconfig()}
	s.mustKubectl(t, nil, "apply", "-f", repository+"/config/crd/bases")
	s.mustKubectl(t, nil, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
	s.namespace(t, "north")
	s.namespace(t, "crm-north")
	tests := []struct {
		name, namespace, reader string
		installed               rendering
	}{
		{"in the whole cluster", systemNamespace, "crm-rollout-metrics-reader", kustomize(t, "config/default")},
		{"in some namespaces", "crm-north", "crm-rollout-operator-metrics-reader",
			helmTemplate(t, "--namespace=crm-north", "--set=watchNamespaces={north},crds.install=false,userRoles.create=false")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s.mustKubectl(t, test.installed.text, "apply", "-f", "-")
			for _, account := range []string{"prometheus", "stranger"} {
				s.mustKubectl(t, nil, "create", "serviceaccount", account, "--namespace="+test.namespace)
			}
			s.mustKubectl(t, nil, "create", "clusterrolebinding", "prometheus-"+test.namespace, "--clusterrole="+test.reader, "--serviceaccount="+test.namespace+":prometheus")
			url := s.startInstalled(t, c, test.installed, test.namespace)
			token := func(account string) string {
				return string(s.mustKubectl(t, nil, "create", "token", account, "--namespace="+test.namespace))
			}
			// The operator remembers a refusal for a while, so it is not asked before the API server's authorizer has seen the binding.
			eventually(t, "prometheus may read metrics", func() bool { return s.mayRead(t, "system:serviceaccount:"+test.namespace+":prometheus") })
			eventually(t, "metrics are served", func() bool { _, err := scrape(t, url, ""); return err == nil })

			for _, who := range []struct {
				name, token string
				status      int
				says        string
			}{
				{"nobody", "", http.StatusUnauthorized, "Unauthorized"},
				{"somebody without the role", token("stranger"), http.StatusForbidden, "Authorization denied"},
				{"somebody with the role", token("prometheus"), http.StatusOK, "# TYPE go_goroutines gauge"},
			} {
				got, err := scrape(t, url, who.token)
				if err != nil {
					t.Errorf("%s: %v", who.name, err)
				} else if got.status != who.status || !strings.Contains(got.text, who.says) {
					t.Errorf("%s: status %d, want %d with %q in:\n%.500s", who.name, got.status, who.status, who.says, got.text)
				} else if got.status != http.StatusOK && strings.Contains(got.text, "# TYPE") {
					t.Errorf("%s: gets metrics with status %d", who.name, got.status)
				}
			}
			// Without TLS the connection may end before the answer is read.
			if got, err := scrape(t, strings.Replace(url, "https:", "http:", 1), token("prometheus")); err == nil && got.status != http.StatusBadRequest {
				t.Errorf("without TLS: status %d", got.status)
			}
		})
	}
}

// startInstalled runs the manager as the installation would, under the operator's own identity, and returns where it serves metrics.
func (s *server) startInstalled(t *testing.T, c *cluster.Cluster, installed rendering, namespace string) string {
	t.Helper()
	pod := installed.deployment(t).Spec.Template.Spec
	user := "system:serviceaccount:" + namespace + ":" + pod.ServiceAccountName
	kubeconfig, err := c.AddUser(user)
	if err != nil {
		t.Fatal(err)
	}
	for _, question := range questions {
		eventually(t, "the operator may ask about readers", func() bool { return s.may(t, user, question) })
	}
	// Where it listens and elects is another matter outside of a pod.
	arguments := slices.DeleteFunc(slices.Clone(pod.Containers[0].Args), func(argument string) bool {
		return strings.Contains(argument, "bind-address") || strings.HasPrefix(argument, "--leader-elect")
	})
	manager, err := c.StartManager(t.Context(), cluster.ManagerOptions{
		Binary: managerBinary(t), Name: "manager-" + namespace, Kubeconfig: kubeconfig, LeaderElectionNamespace: namespace, Args: arguments,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := manager.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the manager says:\n%s", manager.LogTail())
		}
	})
	return strings.Replace(manager.MetricsURL(), "http:", "https:", 1)
}

// mayRead asks the API server whether a user may read the path of metrics.
func (s *server) mayRead(t *testing.T, user string) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user, NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: "/metrics", Verb: "get"},
	}}
	if err := s.Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

type answer struct {
	status int
	text   string
}

// scrape asks for metrics, with a token unless it is empty, and verifies no certificate, as the ServiceMonitor of the chart says.
func scrape(t *testing.T, url, token string) (answer, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return answer{}, err
	}
	text, err := io.ReadAll(response.Body)
	if closing := response.Body.Close(); err == nil {
		err = closing
	}
	return answer{response.StatusCode, string(text)}, err
}
