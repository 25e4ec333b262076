package packaging

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/config/admission"
)

const (
	group = "rollout.crmops.dev"
	// operated is the only kind whose objects the operator writes; the specs of all others belong to people.
	operated = "siterollouts"
)

var reading = []string{"get", "list", "watch"}

// excess says what a rule grants beyond what the operator may ever have.
func excess(rule rbacv1.PolicyRule) []string {
	var found []string
	for _, list := range [][]string{rule.APIGroups, rule.Resources, rule.Verbs} {
		if slices.ContainsFunc(list, func(item string) bool { return strings.Contains(item, "*") }) {
			found = append(found, "a wildcard")
		}
	}
	if len(rule.NonResourceURLs) > 0 {
		found = append(found, "paths outside of the API")
	}
	for _, verb := range rule.Verbs {
		if slices.Contains([]string{"escalate", "bind", "impersonate"}, verb) {
			found = append(found, verb)
		}
		for _, resource := range rule.Resources {
			if slices.Contains(rule.APIGroups, "") && resource == "secrets" && verb != "get" {
				found = append(found, verb+" secrets")
			}
			object, subresource, _ := strings.Cut(resource, "/")
			ofPeople := slices.Contains(rule.APIGroups, group) && object != operated && subresource != "status"
			// Some clusters ask for this permission of whoever names an owner that waits for it. There is no such thing to write to.
			ownership := subresource == "finalizers" && verb == "update"
			if ofPeople && !ownership && !slices.Contains(reading, verb) {
				found = append(found, verb+" "+resource)
			}
		}
	}
	return found
}

// The operator asks for nothing that it could misuse: no wildcard, secrets only by name, and no spec that people own.
func TestOperatorHasTheLeastPrivilege(t *testing.T) {
	r := kustomize(t, "config/default")
	roles := map[string][]rbacv1.PolicyRule{
		"manager":         r.rules(t, "ClusterRole", "crm-rollout-manager"),
		"leader election": r.rules(t, "Role", "crm-rollout-leader-election"),
		"metrics auth":    r.rules(t, "ClusterRole", "crm-rollout-metrics-auth"),
		"policy reader":   r.rules(t, "ClusterRole", "crm-rollout-policy-reader"),
	}
	// Nothing else is bound to it.
	if bound := len(r.ofKind("ClusterRoleBinding", "RoleBinding")); bound != len(roles) {
		t.Errorf("%d bindings, want one for each of the %d roles looked at here", bound, len(roles))
	}
	for name, rules := range roles {
		if len(rules) == 0 {
			t.Errorf("%s: no rules", name)
		}
		for _, rule := range rules {
			for _, grant := range excess(rule) {
				t.Errorf("%s may do too much: %s in %+v", name, grant, rule)
			}
		}
	}
}

// The check above finds what it is made for.
func TestExcessIsFound(t *testing.T) {
	tests := []struct {
		rule rbacv1.PolicyRule
		want []string
	}{
		{rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{"*"}, Verbs: []string{"get"}}, []string{"a wildcard"}},
		{rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"pods"}, Verbs: []string{"get"}}, []string{"a wildcard"}},
		{rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"*"}}, []string{"a wildcard"}},
		{rbacv1.PolicyRule{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}, []string{"paths outside of the API"}},
		{rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list"}}, []string{"list secrets"}},
		{rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{"crmrollouts", "siterollouts"}, Verbs: []string{"patch"}}, []string{"patch crmrollouts"}},
		{rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{"kpis/status"}, Verbs: []string{"patch"}}, nil},
		{rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{"crmrollouts/finalizers"}, Verbs: []string{"update"}}, nil},
		{rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{"kpis/scale"}, Verbs: []string{"patch"}}, []string{"patch kpis/scale"}},
		{rbacv1.PolicyRule{APIGroups: []string{"rbac.authorization.k8s.io"}, Resources: []string{"roles"}, Verbs: []string{"bind"}}, []string{"bind"}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, excess(test.rule)); diff != "" {
			t.Errorf("%+v: found (+), want (-):\n%s", test.rule, diff)
		}
	}
}

// A new kind is not forgotten in the roles for people.
func TestPeoplesRolesCoverEveryKind(t *testing.T) {
	r := kustomize(t, "config/default")
	kinds := r.plurals(t)
	owned := slices.DeleteFunc(slices.Clone(kinds), func(kind string) bool { return kind == operated })
	// Who could delete decisions could take back those of others.
	kept := slices.DeleteFunc(slices.Clone(owned), func(kind string) bool { return kind == "rolloutdecisions" })
	tests := []struct {
		role string
		verb string
		want []string
	}{
		{"crm-rollout-viewer", "get", kinds},
		{"crm-rollout-viewer", "list", kinds},
		{"crm-rollout-viewer", "watch", kinds},
		{"crm-rollout-viewer", "create", nil},
		{"crm-rollout-viewer", "patch", nil},
		{"crm-rollout-editor", "get", kinds},
		{"crm-rollout-editor", "list", kinds},
		{"crm-rollout-editor", "watch", kinds},
		{"crm-rollout-editor", "create", owned},
		{"crm-rollout-editor", "update", owned},
		{"crm-rollout-editor", "patch", owned},
		{"crm-rollout-editor", "delete", kept},
		{"crm-rollout-editor", "deletecollection", kept},
	}
	for _, test := range tests {
		var got []string
		for _, rule := range r.rules(t, "ClusterRole", test.role) {
			if slices.Equal(rule.APIGroups, []string{group}) && slices.Contains(rule.Verbs, test.verb) {
				got = append(got, rule.Resources...)
			}
		}
		slices.Sort(got)
		if slices.Contains(got, "*") {
			t.Errorf("%s may %s everything of the group, and so decide everything", test.role, test.verb)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s may %s (+), want (-):\n%s", test.role, test.verb, diff)
		}
	}
}

// needs is what the operator cannot work without in a namespace with rollouts.
func needs(kinds []string, namespace string) []access {
	all := []access{
		{"create", group, operated, "", namespace},
		{"patch", group, operated, "", namespace},
		{"get", "", "secrets", "", namespace},
		{"create", "events.k8s.io", "events", "", namespace},
		{"patch", "events.k8s.io", "events", "", namespace},
	}
	for _, kind := range kinds {
		all = append(all, access{"patch", group, kind, "status", namespace})
		for _, verb := range reading {
			all = append(all, access{verb, group, kind, "", namespace})
		}
	}
	return all
}

// policies are what the operator reads of the cluster's admission policies: the one that decisions rest on.
func policies(name string) []named {
	var all []named
	for _, resource := range []string{"validatingadmissionpolicies", "validatingadmissionpolicybindings"} {
		all = append(all, named{access{"get", "admissionregistration.k8s.io", resource, "", ""}, name})
	}
	return all
}

// questions are what the operator asks the API server about those who read its metrics. They belong to no namespace.
var questions = []access{
	{"create", "authentication.k8s.io", "tokenreviews", "", ""},
	{"create", "authorization.k8s.io", "subjectaccessreviews", "", ""},
}

// refused is what the operator may never do, wherever.
func refused(namespace string) []access {
	return []access{
		{"list", "", "secrets", "", namespace},
		{"watch", "", "secrets", "", namespace},
		{"update", "", "secrets", "", namespace},
		{"update", group, "crmrollouts", "", namespace},
		{"patch", group, "acceptancegates", "", namespace},
		{"delete", group, "rolloutsites", "", namespace},
		{"create", "", "pods", "", namespace},
		{"create", "rbac.authorization.k8s.io", "rolebindings", "", namespace},
		{"create", "", "serviceaccounts", "token", namespace},
		{"update", "apiextensions.k8s.io", "customresourcedefinitions", "", ""},
	}
}

// expect asks for each access until the server's authorizer has seen the roles, and then for each that must be refused.
func (s *server) expect(t *testing.T, user string, allowed, denied []access) {
	t.Helper()
	for _, a := range allowed {
		eventually(t, fmt.Sprintf("%s may %+v", user, a), func() bool { return s.may(t, user, a) })
	}
	for _, a := range denied {
		if s.may(t, user, a) {
			t.Errorf("%s may %+v", user, a)
		}
	}
}

// The API server's own authorizer grants what the operator needs, where it works, and nothing else.
func TestAuthorizerGrantsTheOperatorWhatItNeeds(t *testing.T) {
	s := startServer(t)
	kinds := kustomize(t, "config/crd").plurals(t)
	for _, namespace := range []string{"crm-one", "north", "south", "west"} {
		s.namespace(t, namespace)
	}
	lease := func(namespace string) access {
		return access{"update", "coordination.k8s.io", "leases", "", namespace}
	}
	// seen is what the operator may read of admission policies, however it is installed.
	seen := func(t *testing.T, user string) {
		t.Helper()
		for _, a := range policies(admission.Name) {
			eventually(t, fmt.Sprintf("%s may %+v", user, a), func() bool { return s.mayNamed(t, user, a) })
		}
		for _, a := range append(policies("another"), policies("")...) {
			if s.mayNamed(t, user, a) {
				t.Errorf("%s may %+v", user, a)
			}
		}
	}
	t.Run("in the whole cluster", func(t *testing.T) {
		s.mustKubectl(t, kustomize(t, "config/default").text, "apply", "-f", "-")
		user := "system:serviceaccount:" + systemNamespace + ":crm-rollout-operator"
		s.expect(t, user, slices.Concat(needs(kinds, "west"), questions, []access{lease(systemNamespace)}), append(refused("west"), lease("west")))
		seen(t, user)
	})
	t.Run("in some namespaces", func(t *testing.T) {
		r := helmTemplate(t, "--namespace=crm-one", "--set=watchNamespaces={north,south},crds.install=false,userRoles.create=false")
		s.mustKubectl(t, r.text, "apply", "-f", "-")
		user := "system:serviceaccount:crm-one:crm-rollout-operator"
		allowed := append(needs(kinds, "north"), needs(kinds, "south")...)
		denied := append(refused("north"), needs(kinds, "west")...)
		denied = append(denied, needs(kinds, "crm-one")...)
		s.expect(t, user, slices.Concat(allowed, questions, []access{lease("crm-one")}), append(denied, lease("north")))
		seen(t, user)
	})
}

// Who may edit a namespace may plan rollouts there, but cannot write a site's story; who may view it may read everything.
func TestPeoplesRolesAggregate(t *testing.T) {
	s := startServer(t)
	s.startControllerManager(t, "clusterrole-aggregation-controller")
	s.mustKubectl(t, helmTemplate(t, "--set=crds.install=false").withNamespace(systemNamespace), "apply", "-f", "-")
	s.namespace(t, "north")
	for user, role := range map[string]string{"vera": "view", "edda": "edit", "ada": "admin"} {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: user, Namespace: "north"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
		}
		if err := s.Create(t.Context(), binding); err != nil {
			t.Fatal(err)
		}
	}
	read := access{"list", group, operated, "", "north"}
	plan := access{"create", group, "crmrollouts", "", "north"}
	write := access{"patch", group, operated, "", "north"}
	judge := access{"patch", group, operated, "status", "north"}
	elsewhere := access{"create", group, "crmrollouts", "", systemNamespace}
	propose := access{"create", group, "rolloutdecisions", "", "north"}
	mayNot := []access{write, judge, elsewhere, {"delete", group, "rolloutdecisions", "", "north"}, {"patch", group, "rolloutdecisions", "status", "north"}}
	for _, verb := range []string{"approve", "reject", "waive"} {
		mayNot = append(mayNot, access{verb, group, "acceptancegates", "data-owner", "north"})
	}
	for _, verb := range []string{"retry", "rollback", "skip", "recapture"} {
		mayNot = append(mayNot, access{verb, group, operated, "", "north"})
	}
	s.expect(t, "vera", []access{read}, append(mayNot, plan, propose))
	s.expect(t, "edda", []access{read, plan, propose}, mayNot)
	s.expect(t, "ada", []access{read, plan, propose}, mayNot)
}

// withNamespace returns the text of the rendering after a namespace that it needs.
func (r rendering) withNamespace(name string) []byte {
	return append([]byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: "+name+"}\n---\n"), r.text...)
}
