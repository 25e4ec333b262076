package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
	"github.com/crmops/rollout-operator/test/fakeprom"
)

// page is where people read what the tests have found.
const page = "docs/bad-inputs.md"

// Whatever is wrong gets a message that says what and where, and nothing else stops working.
func TestBadInputs(t *testing.T) {
	t.Parallel()
	const namespace, neighbour = "bad", "neighbour"
	fake := source(t)
	always := &fakeprom.Series{}
	always.Set(metav1.Now().Add(-patience), 0.9, "well", "fine")
	fake.Handle("good", fakeprom.BySite(always.At))
	words := strings.NewReplacer("$SOURCE", fake.URL(), "$TLS", strings.Replace(fake.URL(), "http:", "https:", 1), "$NOWHERE", nowhere(t))
	for _, ns := range []string{namespace, neighbour} {
		create(t, ns, words.Replace(ground))
	}
	running := manager(t, cluster.ManagerOptions{Name: namespace}, namespace, neighbour)

	wrong := slices.Concat(refusals, refusedGates, refusedSources, refusedCalendars)
	refused := make([]string, 0, len(wrong))
	for _, r := range wrong {
		t.Run(r.input, func(t *testing.T) { refused = append(refused, refuse(t, namespace, r)) })
	}

	rows := slices.Concat(brokenObjects(), brokenGates(), brokenPlans(), brokenProviders(), brokenAddresses(), brokenReadings(), brokenSources(), brokenNumbers(), brokenComparisons(), brokenCalendars())
	for _, row := range rows {
		if row.answer != nil {
			fake.Handle(row.query, row.answer)
		}
		create(t, namespace, words.Replace(row.manifests))
	}
	for _, row := range rows {
		if row.meanwhile != nil {
			row.meanwhile(t, namespace)
		}
	}
	told := make([]string, 0, len(rows))
	for _, row := range rows {
		t.Run(row.input, func(t *testing.T) { told = append(told, tell(t, namespace, row)) })
	}

	t.Run("rollouts beside it complete", func(t *testing.T) {
		for _, ns := range []string{namespace, neighbour} {
			awaitCompleted(t, ns, "healthy")
		}
		for _, kind := range kinds {
			for _, object := range list(t, neighbour, kind) {
				assertCurrent(t, &object)
			}
		}
	})
	t.Run("no site passed a phase that it could not be judged in", func(t *testing.T) { nobodyPassed(t, namespace) })
	t.Run("what is mended works, without a restart", func(t *testing.T) { mended(t, namespace, fake, words) })
	t.Run("the manager works on", func(t *testing.T) { worksOn(t, running) })
	if t.Failed() {
		return
	}
	text := table(refused, told)
	t.Log("\n" + text)
	comparePage(t, page, text)
}

// nowhere is an address at which nobody listens.
func nowhere(t *testing.T) string {
	t.Helper()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	return closed.Listener.Addr().String()
}

// refuse hands an object to the API server, and returns the line of the table that its refusal makes.
func refuse(t *testing.T, namespace string, r refusal) string {
	t.Helper()
	object := objects(t, namespace, r.manifest)[0]
	err := client.WithFieldValidation(api, metav1.FieldValidationStrict).Create(t.Context(), object)
	if !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
		t.Fatalf("want a refusal as invalid, got: %v", err)
	}
	for _, piece := range r.wants {
		if !strings.Contains(err.Error(), piece) {
			t.Errorf("the answer does not say %q: %v", piece, err)
		}
	}
	return fmt.Sprintf("| %s | %s | %s |", cell(r.input), object.GetKind(), cell(err.Error()))
}

// tell waits until an object says what is wrong, and returns the line of the table.
func tell(t *testing.T, namespace string, row broken) string {
	t.Helper()
	var found *metav1.Condition
	var all []metav1.Condition
	defer func() {
		if t.Failed() {
			t.Logf("%s/%s says %+v", row.kind, row.name, all)
		}
	}()
	last := await(t, namespace, row.input, listOf(row.kind), func(object *unstructured.Unstructured) bool {
		if object.GetName() != row.name {
			return false
		}
		all = conditionsOf(t, object)
		found = meta.FindStatusCondition(all, row.condition)
		return found != nil && found.Reason == row.reason && strings.Contains(found.Message, row.piece) && found.ObservedGeneration == object.GetGeneration()
	})
	if string(found.Status) != row.status {
		t.Errorf("%s is %s, want %s", row.condition, found.Status, row.status)
	}
	if stalled := meta.IsStatusConditionTrue(all, v1alpha1.ConditionStalled); stalled != row.stalled {
		t.Errorf("Stalled is %t, want %t: %+v", stalled, row.stalled, all)
	}
	if found.ObservedGeneration != last.GetGeneration() {
		t.Errorf("the condition speaks about generation %d, the object has %d", found.ObservedGeneration, last.GetGeneration())
	}
	who := "waits"
	if row.stalled {
		who = "stalled"
	}
	return fmt.Sprintf("| %s | %s/%s | %s=%s | %s | %s | %s |", cell(row.input), row.kind, row.name, row.condition, row.status, row.reason, who, cell(found.Message))
}

func listOf(kind string) client.ObjectList {
	empty := &unstructured.UnstructuredList{}
	empty.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind + "List"))
	return empty
}

// nobodyPassed looks at the phases whose exit gates have no number to judge by: all but those that have none.
func nobodyPassed(t *testing.T, namespace string) {
	passable := []string{"good", "short", "gone", "redefined-before"}
	for site, sr := range siteRollouts(t, namespace) {
		for _, p := range sr.Status.Phases {
			if p.PassedAt != nil && !slices.Contains(passable, p.Name) {
				t.Errorf("%s passed phase %s", site, p.Name)
			}
		}
	}
}

// mended puts right what was wrong at four places: a source, a reference to a provider, one to a KPI, and one to a gate that a site waited for.
func mended(t *testing.T, namespace string, fake *fakeprom.Server, words *strings.Replacer) {
	fake.Handle("nan", fakeprom.Fixed(fakeprom.Site("nan", 1)))
	fake.Handle("failing", fakeprom.Fixed(fakeprom.Site("stuck", 1)))
	create(t, namespace, words.Replace(`
{kind: MetricProvider, metadata: {name: warehuose}, spec: {prometheus: {address: "$SOURCE"}}}
---
{kind: KPI, metadata: {name: compleetness}, spec: {provider: {name: source}, query: good, direction: HigherIsBetter, interval: 1s}}
---
{kind: AcceptanceGate, metadata: {name: nowhere}, spec: {criteria: [{name: good, kpi: failing, between: {min: "0", max: "10"}}]}}
`))
	for _, now := range []broken{
		{kind: "KPI", name: "failing", condition: ready, reason: v1alpha1.ReasonMeasured},
		{kind: "KPI", name: "no-provider", condition: ready, reason: v1alpha1.ReasonMeasured},
		{kind: "AcceptanceGate", name: "no-kpi", condition: ready, reason: v1alpha1.ReasonValid},
		{kind: "RolloutPhase", name: "stuck", condition: ready, reason: v1alpha1.ReasonValid},
		{kind: "SiteRollout", name: "nan.nan", condition: ready, reason: v1alpha1.ReasonValid},
		{kind: "SiteRollout", name: "stuck.stuck", condition: ready, reason: v1alpha1.ReasonValid},
	} {
		now.status = "True"
		t.Run(now.kind+"/"+now.name, func(t *testing.T) { tell(t, namespace, now) })
	}
	await(t, namespace, "the site whose value is a number now passes", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		return sr.Spec.Site == "nan" && len(sr.Status.Phases) > 0 && sr.Status.Phases[0].PassedAt != nil
	})
	await(t, namespace, "the site in front of a phase whose gate did not exist starts it", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		return sr.Spec.Site == "stuck" && len(sr.Status.Phases) > 0
	})
}

// worksOn checks that the manager is still the same process, in good health, and that it has not kept the answer of 1 GB in memory.
func worksOn(t *testing.T, m *cluster.Manager) {
	select {
	case <-m.Exited():
		t.Fatal("the manager has ended")
	default:
	}
	probes(t, m)
	content, err := os.ReadFile(m.LogPath())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		if strings.Contains(line, "panic") || strings.Contains(line, "Reconciler error") {
			t.Errorf("a wrong object is an answer and no error of the manager: %s", line)
		}
	}
	if strings.Count(string(content), `"msg":"Starting"`) != 1 {
		t.Error("the manager has not started exactly once")
	}
	memory := regexp.MustCompile(`(?m)^process_resident_memory_bytes (.*)$`).FindStringSubmatch(fetch(t, m.MetricsURL()))
	if memory == nil {
		t.Fatal("the manager does not tell its memory")
	}
	var bytes float64
	if _, err := fmt.Sscan(memory[1], &bytes); err != nil || bytes > 512<<20 {
		t.Errorf("the manager needs %s bytes of memory (%v)", memory[1], err)
	}
	t.Logf("the manager needs %.0f MB of memory", bytes/1e6)
}

// changing is what differs from run to run, and what stands for it.
var changing = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "prometheus.example:9090"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "2026-03-02T12:00:00Z"},
	{regexp.MustCompile(`any of the \d+ sites`), "any of the 12 sites"},
	{regexp.MustCompile(`value for \d\d sites`), "value for 12 sites"},
	{regexp.MustCompile(`a{60,}`), "aaa…"},
}

// cell makes a text fit for a cell of a table.
func cell(text string) string {
	for _, c := range changing {
		text = c.what.ReplaceAllString(text, c.with)
	}
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(text)
}

func table(refused, told []string) string {
	return `# What wrong input gets for an answer

Written by the tests, from a real API server and a running manager: ` + "`make test TESTS='./test/e2e -run TestBadInputs -args -update'`" + ` writes it anew.
While all of this was in one cluster, rollouts beside it, in the same namespace and in another one, completed.

## Refused by the API server

Nothing is stored; ` + "`kubectl apply`" + ` and GitOps tools show the answer.

| what is wrong | kind | answer |
|---|---|---|
` + strings.Join(refused, "\n") + `

## Taken, and told in a condition

References between objects are checked by the operator and not at the door, because GitOps applies objects in any order. "Stalled" means that nothing
changes until a person changes an object; what "waits" goes on by itself when the cause is gone.

| what is wrong | object | condition | reason | then | message |
|---|---|---|---|---|---|
` + strings.Join(told, "\n") + "\n"
}
