package packaging

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// installation is one way to install the operator.
type installation struct {
	name string
	// arguments of helm template; nil is the Kustomize installation.
	arguments []string
	// has and lacks are kinds of objects.
	has, lacks []string
	// says and hides are texts of the rendering.
	says, hides []string
}

var installations = []installation{
	{
		name: "kustomize",
		has:  []string{"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount", "Service", "Deployment"},
	},
	{
		name:      "chart with its own values",
		arguments: []string{},
		has:       []string{"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount", "Service", "Deployment"},
		lacks:     []string{"Namespace", "PodDisruptionBudget", "ServiceMonitor", "Secret"},
		says:      []string{"helm.sh/resource-policy: keep", "--leader-elect=true", "--metrics-secure=true"},
		hides:     []string{"--namespace=", "type: Recreate"},
	},
	{
		name:      "some namespaces only",
		arguments: []string{"--set=watchNamespaces={north,south}"},
		has:       []string{"Role", "RoleBinding", "ClusterRoleBinding"},
		says:      []string{"--namespace=north", "--namespace=south", "namespace: north", "namespace: south", "name: crm-rollout-operator-metrics-auth"},
	},
	{
		name:      "some namespaces only, and nothing in the cluster",
		arguments: []string{"--set=watchNamespaces={north,south},userRoles.create=false,admissionPolicy.create=false,admissionPolicy.read=false,metrics.secure=false"},
		has:       []string{"Role", "RoleBinding", "Service"},
		lacks:     []string{"ClusterRole", "ClusterRoleBinding"},
		says:      []string{"--metrics-secure=false"},
	},
	{
		name:      "definitions installed by somebody else",
		arguments: []string{"--set=crds.install=false"},
		has:       []string{"Deployment"},
		lacks:     []string{"CustomResourceDefinition"},
	},
	{
		name:      "definitions that go with the release",
		arguments: []string{"--set=crds.keep=false"},
		has:       []string{"CustomResourceDefinition"},
		hides:     []string{"helm.sh/resource-policy"},
	},
	{
		name:      "three replicas that are never all away",
		arguments: []string{"--set=replicas=3,podDisruptionBudget.enabled=true"},
		has:       []string{"PodDisruptionBudget"},
		says:      []string{"replicas: 3", "maxUnavailable: 1"},
		hides:     []string{"minAvailable"},
	},
	{
		name:      "a number of pods that stay",
		arguments: []string{"--set=podDisruptionBudget.enabled=true,podDisruptionBudget.minAvailable=50%"},
		has:       []string{"PodDisruptionBudget"},
		says:      []string{"minAvailable: 50%"},
		hides:     []string{"maxUnavailable"},
	},
	{
		name:      "scraped by the Prometheus operator",
		arguments: []string{"--set=metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.interval=30s,metrics.serviceMonitor.labels.team=crm"},
		has:       []string{"ServiceMonitor", "Service"},
		says:      []string{"interval: 30s", "team: crm", "scheme: https", "bearerTokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token", "insecureSkipVerify: true"},
	},
	{
		name:      "scraped without TLS",
		arguments: []string{"--set=metrics.serviceMonitor.enabled=true,metrics.secure=false"},
		has:       []string{"ServiceMonitor", "Service"},
		says:      []string{"--metrics-secure=false"},
		hides:     []string{"scheme: https", "bearerTokenFile", "tokenreviews", "nonResourceURLs"},
	},
	{
		name:      "metrics at another port",
		arguments: []string{"--set=metrics.port=9402"},
		says:      []string{"--metrics-bind-address=:9402", "containerPort: 9402", "port: 9402"},
		hides:     []string{"8080"},
	},
	{
		name:      "no metrics",
		arguments: []string{"--set=metrics.enabled=false"},
		lacks:     []string{"Service"},
		says:      []string{"--metrics-bind-address=0"},
		hides:     []string{"name: metrics", "8080", "tokenreviews", "nonResourceURLs"},
	},
	{
		name:      "one replica without an election",
		arguments: []string{"--set=leaderElection.enabled=false"},
		lacks:     []string{"Role", "RoleBinding"},
		says:      []string{"--leader-elect=false", "type: Recreate"},
		hides:     []string{"leases"},
	},
	{
		name:      "a service account of somebody else",
		arguments: []string{"--set=serviceAccount.create=false,serviceAccount.name=crm"},
		lacks:     []string{"ServiceAccount"},
		says:      []string{"serviceAccountName: crm"},
	},
	{
		name:      "no roles for people",
		arguments: []string{"--set=userRoles.create=false"},
		has:       []string{"ClusterRole"},
		hides:     []string{"aggregate-to-"},
	},
	{
		name:      "an image by tag",
		arguments: []string{"--set=image.repository=registry.example/crm,image.tag=v7,image.pullPolicy=Always,imagePullSecrets[0].name=pull"},
		says:      []string{"registry.example/crm:v7", "imagePullPolicy: Always", "- name: pull"},
	},
	{
		name:      "an image by digest",
		arguments: []string{"--set=image.tag=v7,image.digest=sha256:" + strings.Repeat("a", 64)},
		says:      []string{"crm-rollout-operator@sha256:" + strings.Repeat("a", 64)},
		hides:     []string{":v7"},
	},
	{
		name:      "debug log, further arguments",
		arguments: []string{"--set=logging.level=debug,logging.format=text", "--set=extraArgs={--leader-election-namespace=elsewhere}"},
		says:      []string{"--log-level=debug", "--log-format=text", "--leader-election-namespace=elsewhere"},
	},
	{
		name:      "sources that are this machine or the API server",
		arguments: []string{"--set=sources.allowHosts={127.0.0.0/8,metrics.example,fd00:1::1}"},
		says:      []string{`"--allow-source-hosts=127.0.0.0/8,metrics.example,fd00:1::1"`},
	},
	{
		name: "a choice of nodes",
		arguments: []string{"--set=nodeSelector.disk=ssd,podLabels.team=crm,podAnnotations.note=yes,priorityClassName=system-cluster-critical,serviceAccount.annotations.note=yes",
			"--set=tolerations[0].key=crm,tolerations[0].operator=Exists",
			"--set=affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].key=metadata.name,affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].operator=In,affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].values[0]=n1",
			"--set=topologySpreadConstraints[0].maxSkew=1,topologySpreadConstraints[0].topologyKey=zone,topologySpreadConstraints[0].whenUnsatisfiable=ScheduleAnyway,topologySpreadConstraints[0].labelSelector.matchLabels.team=crm"},
		says: []string{"disk: ssd", "team: crm", "priorityClassName: system-cluster-critical", "topologyKey: zone", "key: metadata.name"},
	},
	{
		name:      "the longest name that Helm allows for a release",
		arguments: []string{"--name-template=" + strings.Repeat("r", 53)},
		says:      []string{strings.Repeat("r", 47) + "-leader-election"},
	},
	{
		name:      "a name of its own",
		arguments: []string{"--set=fullnameOverride=rollouts,nameOverride=rollouts"},
		says:      []string{"name: rollouts-manager", "app.kubernetes.io/name: rollouts"},
	},
}

func (i installation) render(t *testing.T) rendering {
	t.Helper()
	if i.arguments == nil {
		return kustomize(t, "config/default")
	}
	return helmTemplate(t, i.arguments...)
}

// The API server takes every object of every installation without a warning, and the pod is one of the restricted standard.
func TestInstallationsAreAccepted(t *testing.T) {
	s := startServer(t)
	s.mustKubectl(t, nil, "apply", "-f", repository+"/config/crd/bases", "-f", "testdata/servicemonitor-crd.yaml")
	s.mustKubectl(t, nil, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
	for _, namespace := range []string{systemNamespace, "north", "south"} {
		s.namespace(t, namespace)
	}
	accepted := map[string]bool{}
	for _, installation := range installations {
		t.Run(installation.name, func(t *testing.T) {
			r := installation.render(t)
			s.dryRun(t, r, accepted)
			if err := s.dryRunPod(t, r, nil); err != nil {
				t.Errorf("the pod is refused: %v", err)
			}
			installation.check(t, r)
		})
	}
	t.Run("the standard is enforced", func(t *testing.T) {
		err := s.dryRunPod(t, kustomize(t, "config/default"), func(pod *corev1.Pod) { pod.Spec.SecurityContext.SeccompProfile = nil })
		if err == nil || !strings.Contains(err.Error(), "violates PodSecurity \"restricted") {
			t.Errorf("a pod without a seccomp profile: got %v, want a refusal", err)
		}
	})
	t.Run("validation is strict", func(t *testing.T) {
		_, err := s.kubectl(t, []byte("apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {prots: []}\n"), "apply", "--dry-run=server", "--validate=strict", "-f", "-")
		if err == nil || !strings.Contains(err.Error(), "unknown field \"spec.prots\"") {
			t.Errorf("an unknown field: got %v, want a refusal", err)
		}
	})
}

// dryRun sends the objects that were not accepted before, which saves sending every definition twenty times.
func (s *server) dryRun(t *testing.T, r rendering, accepted map[string]bool) {
	t.Helper()
	var text []byte
	sent := 0
	for _, object := range r.objects {
		document, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		if !accepted[string(document)] {
			accepted[string(document)] = true
			text = append(append(text, "---\n"...), document...)
			sent++
		}
	}
	if sent == 0 {
		return
	}
	output := s.mustKubectl(t, text, "apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-")
	if said := strings.Count(string(output), "(server dry run)"); said != sent {
		t.Errorf("%d objects accepted of %d:\n%s", said, sent, output)
	}
}

// dryRunPod asks the API server whether it would admit a pod of the rendering's Deployment.
func (s *server) dryRunPod(t *testing.T, r rendering, change func(*corev1.Pod)) error {
	t.Helper()
	template := r.deployment(t).Spec.Template
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "pod", Namespace: systemNamespace, Labels: template.Labels, Annotations: template.Annotations},
		Spec:       template.Spec,
	}
	if change != nil {
		change(pod)
	}
	return s.Create(t.Context(), pod, client.DryRunAll)
}

func (i installation) check(t *testing.T, r rendering) {
	t.Helper()
	for _, kind := range i.has {
		if len(r.ofKind(kind)) == 0 {
			t.Errorf("no %s", kind)
		}
	}
	for _, kind := range i.lacks {
		if found := r.ofKind(kind); len(found) > 0 {
			t.Errorf("%s %s should not be there", kind, found[0].GetName())
		}
	}
	text := string(r.text)
	for _, expected := range i.says {
		if !strings.Contains(text, expected) {
			t.Errorf("%q is missing", expected)
		}
	}
	for _, unexpected := range i.hides {
		if strings.Contains(text, unexpected) {
			t.Errorf("%q should not be there", unexpected)
		}
	}
}
