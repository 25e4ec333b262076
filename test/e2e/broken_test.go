package e2e

import (
	"math"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/fakeprom"
)

// broken is a set of objects that the API server takes and that cannot work, or a source that does not answer as it should.
type broken struct {
	// input says for people what is wrong.
	input string
	// manifests of the objects; the parts that are right are in ground.
	manifests string
	// kind and name of the object whose condition tells.
	kind, name string
	// condition type with its status and reason.
	condition, status, reason string
	// stalled is true when nothing changes until a person mends an object.
	stalled bool
	// piece of the message.
	piece string
	// query of the source and what it answers, where that is what is wrong.
	query  string
	answer fakeprom.Answer
	// meanwhile is what happens after the objects were made.
	meanwhile func(t *testing.T, namespace string)
}

// ground is what the broken objects stand on, and a rollout beside them that must not mind. $SOURCE answers, nobody listens at $NOWHERE.
const ground = `
{kind: MetricProvider, metadata: {name: source}, spec: {prometheus: {address: "$SOURCE", timeout: 5s}}}
---
{kind: MetricProvider, metadata: {name: hasty}, spec: {prometheus: {address: "$SOURCE", timeout: 1s}}}
---
{kind: KPI, metadata: {name: good}, spec: {provider: {name: source}, query: good, unit: ratio, direction: HigherIsBetter, interval: 1s, staleAfter: 30s}}
---
{kind: AcceptanceGate, metadata: {name: good}, spec: {criteria: [{name: good, kpi: good, atLeast: "0.5", for: 3s}]}}
---
{kind: RolloutPhase, metadata: {name: good}, spec: {entryGate: {name: good}, soak: 1s, exitGate: {name: good}}}
---
{kind: RolloutPhase, metadata: {name: short}, spec: {soak: 3s}}
---
{kind: RolloutSite, metadata: {name: well, labels: {in: healthy}}, spec: {region: emea}}
---
{kind: RolloutSite, metadata: {name: fine, labels: {in: healthy}}, spec: {region: apac}}
---
{kind: CRMRollout, metadata: {name: healthy}, spec: {phases: [{name: short}, {name: good}], waves: [
  {name: first, selector: {matchLabels: {in: healthy, rollout.crmops.dev/region: emea}}}, {name: second, selector: {matchLabels: {in: healthy}}}]}}
`

const (
	ready       = v1alpha1.ConditionReady
	progressing = v1alpha1.ConditionProgressing
)

// brokenObjects are wrong in themselves or in what they refer to.
func brokenObjects() []broken {
	rollout := func(name, rest string) string {
		return `{kind: CRMRollout, metadata: {name: ` + name + `}, spec: {` + rest + `}}`
	}
	nobody := `waves: [{name: pilot, selector: {matchLabels: {in: nothing}}}]`
	kpi := func(name, query, rest string) string {
		return `{kind: KPI, metadata: {name: ` + name + `}, spec: {provider: {name: source}, direction: HigherIsBetter, query: '` + query + `'` + rest + `}}`
	}
	invalid, missing := v1alpha1.ReasonInvalidSpec, v1alpha1.ReasonReferenceNotFound
	stalled := func(input, manifests, kind, name, reason, piece string) broken {
		return broken{input: input, manifests: manifests, kind: kind, name: name, condition: ready, status: "False", reason: reason, stalled: true, piece: piece}
	}
	// What is missing may be on its way, so it stalls nothing.
	absent := func(input, manifests, kind, name, reason, piece string) broken {
		row := stalled(input, manifests, kind, name, reason, piece)
		row.stalled = false
		return row
	}
	return []broken{
		absent("a phase that does not exist", rollout("no-phase", `phases: [{name: prepere}], `+nobody), "CRMRollout", "no-phase", v1alpha1.ReasonPlanInvalid, `RolloutPhase "prepere" does not exist`),
		absent("a gate that does not exist", `{kind: RolloutPhase, metadata: {name: no-gate}, spec: {exitGate: {name: used-dayly}}}`, "RolloutPhase", "no-gate", missing, `AcceptanceGate "used-dayly" does not exist`),
		absent("a rollout with a phase whose gate does not exist", rollout("no-gate", `phases: [{name: no-gate}], `+nobody), "CRMRollout", "no-gate", v1alpha1.ReasonPlanInvalid, `AcceptanceGate "used-dayly" does not exist`),
		absent("a criterion about a KPI that does not exist", `{kind: AcceptanceGate, metadata: {name: no-kpi}, spec: {criteria: [{name: records, kpi: compleetness, atLeast: "0.9"}]}}`, "AcceptanceGate", "no-kpi", missing, `KPI "compleetness" does not exist`),
		absent("a goal shown by a KPI that does not exist", rollout("no-goal", `phases: [{name: good}], goals: [{name: growth, successFactors: [{name: leads, kpis: [laeds]}]}], `+nobody), "CRMRollout", "no-goal", v1alpha1.ReasonPlanInvalid, `KPI "laeds" does not exist`),
		stalled("waves that wait for each other", rollout("circle", `phases: [{name: good}], waves: [{name: a, selector: {matchLabels: {in: nothing}}, after: {wave: b}}, {name: b, selector: {matchLabels: {in: nothing}}}]`), "CRMRollout", "circle", v1alpha1.ReasonPlanInvalid, "a after b after a"),
		stalled("a selector that cannot be evaluated", rollout("selector", `phases: [{name: good}], waves: [{name: a, selector: {matchExpressions: [{key: in, operator: In}]}}]`), "CRMRollout", "selector", v1alpha1.ReasonPlanInvalid, "correct the selector"),
		{input: "waves that select no site", manifests: rollout("empty", `phases: [{name: good}], `+nobody), kind: "CRMRollout", name: "empty", condition: progressing, status: "False", reason: v1alpha1.ReasonNoSites, piece: "no wave selects a site"},
		stalled("values that are stale before the next one", kpi("stale", "good", ", interval: 10m, staleAfter: 5m"), "KPI", "stale", invalid, "shorter than spec.interval"),
		stalled("a gate with a KPI that is invalid", `{kind: AcceptanceGate, metadata: {name: stale-kpi}, spec: {criteria: [{name: s, kpi: stale, atLeast: "0.9"}]}}`, "AcceptanceGate", "stale-kpi", invalid, "KPI/stale spec.staleAfter"),
		stalled("a threshold on the wrong side of its KPI", `{kind: AcceptanceGate, metadata: {name: inverted}, spec: {criteria: [{name: good, kpi: good, atMost: "0.9"}]}}`, "AcceptanceGate", "inverted", invalid, "accepts sites for being bad"),
		stalled("a slot in a query that means nothing", kpi("slot", "rate(x[{{windwo}}])", ""), "KPI", "slot", invalid, "{{windwo}}, which means nothing"),
		stalled("a query over a window that is not set", kpi("window", "rate(x[{{window}}])", ""), "KPI", "window", invalid, "set spec.window"),
		stalled("a query for one site that is asked for all", kpi("scope", `x{site="{{site}}"}`, ""), "KPI", "scope", invalid, "spec.scope to PerSite"),
		stalled("a time zone that does not exist", `{kind: RolloutSite, metadata: {name: atlantis}, spec: {timeZone: Europe/Atlantis}}`, "RolloutSite", "atlantis", invalid, "is not an IANA time zone"),
		stalled("two sites that metric sources call the same", `{kind: RolloutSite, metadata: {name: one}, spec: {siteID: DE-1}}
---
{kind: RolloutSite, metadata: {name: other}, spec: {siteID: DE-1}}`, "RolloutSite", "other", invalid, "RolloutSite/one is also called"),
		{input: "a provider that does not exist", manifests: `{kind: KPI, metadata: {name: no-provider}, spec: {provider: {name: warehuose}, direction: HigherIsBetter, query: good}}`,
			kind: "KPI", name: "no-provider", condition: ready, status: "False", reason: missing, piece: `MetricProvider "warehuose" does not exist`},
	}
}

// brokenProviders cannot be opened.
func brokenProviders() []broken {
	provider := func(name, rest string) string {
		return `{kind: MetricProvider, metadata: {name: ` + name + `}, spec: {prometheus: {` + rest + `}}}`
	}
	// The secret comes first: one that comes later is found within a minute, because secrets are not watched.
	secret := func(name, key, value string) string {
		return "{apiVersion: v1, kind: Secret, metadata: {name: " + name + "}, stringData: {" + key + ": " + value + "}}\n---\n"
	}
	return []broken{
		{input: "a secret that does not exist", manifests: provider("no-secret", `address: "$SOURCE", bearerToken: {name: tokn, key: token}`),
			kind: "MetricProvider", name: "no-secret", condition: ready, status: "False", reason: v1alpha1.ReasonSecretNotFound, piece: `Secret "tokn" does not exist`},
		{input: "a secret without the key", manifests: secret("token", "token", "abc") + provider("no-key", `address: "$SOURCE", bearerToken: {name: token, key: tokn}`),
			kind: "MetricProvider", name: "no-key", condition: ready, status: "False", reason: v1alpha1.ReasonSecretNotFound, piece: `nothing under key "tokn"`},
		{input: "a CA that is no certificate", manifests: secret("ca", "ca", "certificate") + provider("bad-ca", `address: "https://prometheus.example", tls: {ca: {name: ca, key: ca}}`),
			kind: "MetricProvider", name: "bad-ca", condition: ready, status: "False", reason: v1alpha1.ReasonInvalidSpec, stalled: true, piece: "no PEM certificate"},
		{input: "a token with a line break in it", manifests: secret("lines", "token", `"a\nb"`) + provider("bad-token", `address: "$SOURCE", bearerToken: {name: lines, key: token}`),
			kind: "MetricProvider", name: "bad-token", condition: ready, status: "False", reason: v1alpha1.ReasonInvalidSpec, stalled: true, piece: "line breaks"},
		{input: "a timeout longer than anybody wants to wait", manifests: provider("patient", `address: "$SOURCE", timeout: 1w`),
			kind: "MetricProvider", name: "patient", condition: ready, status: "False", reason: v1alpha1.ReasonInvalidSpec, stalled: true, piece: "timeout"},
		{input: "a KPI whose provider cannot be used", manifests: `{kind: KPI, metadata: {name: no-secret}, spec: {provider: {name: no-secret}, direction: HigherIsBetter, query: good, interval: 2s}}`,
			kind: "KPI", name: "no-secret", condition: ready, status: "False", reason: v1alpha1.ReasonProviderNotReady, piece: `Secret "tokn" does not exist`},
	}
}

// brokenSources answer wrongly. Each row makes a KPI that asks them.
func brokenSources() []broken {
	far := func(w http.ResponseWriter, r *http.Request, _ time.Time) {
		http.Redirect(w, r, "https://elsewhere.example/", http.StatusTemporaryRedirect)
	}
	rows := []broken{
		{input: "a query that the source cannot parse", name: "malformed", reason: "QueryRejected", piece: "parse error"},
		{input: "a source that nobody runs", name: "unreachable", reason: "Unreachable", piece: "refused the connection"},
		{input: "a source without TLS at an https address", name: "no-tls", reason: "TLSFailed", piece: "does not speak TLS"},
		{input: "a source that answers with a web page", name: "page", reason: "InvalidResponse", piece: "text/html", answer: fakeprom.Body(http.StatusOK, "text/html", "<html>Log in</html>")},
		{input: "a source that wants credentials", name: "unauthorized", reason: "Unauthorized", piece: "401", answer: fakeprom.Body(http.StatusUnauthorized, "text/plain", "who are you")},
		{input: "a source that forbids the query", name: "forbidden", reason: "Unauthorized", piece: "403", answer: fakeprom.Body(http.StatusForbidden, "text/plain", "no")},
		{input: "a source that is asked too often", name: "limited", reason: "RateLimited", piece: "429", answer: fakeprom.Body(http.StatusTooManyRequests, "text/plain", "slow down")},
		{input: "a source that fails", name: "failing", reason: "SourceError", piece: "500", answer: fakeprom.Body(http.StatusInternalServerError, "text/plain", "oops")},
		{input: "a source that gives up on the query", name: "gives-up", reason: "Timeout", piece: "gave up", answer: fakeprom.Refuse(http.StatusServiceUnavailable, "timeout", "query timed out in expression evaluation")},
		{input: "a source that does not answer", name: "silent", reason: "Timeout", piece: "no complete answer in time", answer: fakeprom.Hang},
		{input: "a source that sends the query elsewhere", name: "redirect", reason: "RedirectRefused", piece: "elsewhere.example", answer: far},
		{input: "an answer of 1 GB", name: "flood", reason: "ResponseTooLarge", piece: "16777216 bytes", answer: fakeprom.Flood(1 << 30)},
		{input: "an answer that is one number for all", name: "scalar", reason: "InvalidResponse", piece: "returned a scalar", answer: fakeprom.Scalar(1)},
		{input: "an answer without any value", name: "nothing", reason: v1alpha1.ReasonNoData, piece: "no value for any of the", answer: fakeprom.Fixed()},
		{input: "an answer about other sites", name: "strangers", reason: v1alpha1.ReasonNoData, piece: "(2 values name no site here)", answer: fakeprom.Fixed(fakeprom.Site("oslo", 1), fakeprom.Site("rome", 1))},
		{input: "an answer without the site label", name: "unlabelled", reason: v1alpha1.ReasonAmbiguousAnswer, piece: `carries no label "site"`, answer: fakeprom.Fixed(fakeprom.Sample{Value: 1}, fakeprom.Site("well", 1))},
		{input: "two values for one site", name: "twice", reason: v1alpha1.ReasonAmbiguousAnswer, piece: "more than one value", answer: fakeprom.Fixed(fakeprom.Site("well", 1), fakeprom.Site("well", 2), fakeprom.Site("fine", 1))},
		{input: "two values where one site is asked for", name: "each", reason: v1alpha1.ReasonAmbiguousAnswer, piece: "sum, avg or max", answer: fakeprom.Fixed(fakeprom.Sample{Value: 1}, fakeprom.Sample{Value: 2})},
		{input: "a query about an attribute that no site has", name: "attribute", reason: v1alpha1.ReasonInvalidSpec, piece: "has nothing for {{attributes.tenant}}"},
	}
	for i := range rows {
		row := &rows[i]
		provider, rest := "source", ""
		row.query = row.name
		switch row.name {
		case "malformed":
			row.query = "sum("
		case "unreachable":
			provider, row.manifests = "nowhere", `{kind: MetricProvider, metadata: {name: nowhere}, spec: {prometheus: {address: "http://$NOWHERE"}}}`+"\n---\n"
		case "no-tls":
			provider, row.manifests = "no-tls", `{kind: MetricProvider, metadata: {name: no-tls}, spec: {prometheus: {address: "$TLS"}}}`+"\n---\n"
		case "silent":
			provider = "hasty"
		case "each":
			rest = ", scope: PerSite"
		case "attribute":
			row.query, rest = "x{tenant=\"{{attributes.tenant}}\"}", ", scope: PerSite"
		}
		row.kind, row.condition, row.status = "KPI", ready, "False"
		row.manifests += `{kind: KPI, metadata: {name: ` + row.name + `}, spec: {provider: {name: ` + provider + `}, direction: HigherIsBetter, interval: 2s, query: '` + row.query + `'` + rest + `}}`
	}
	return rows
}

// brokenNumbers leave a site where it is: no number is no reason to pass. Each row makes a site that wants to leave a phase, or to enter one.
func brokenNumbers() []broken {
	waiting, proving := v1alpha1.ReasonEntryGateWaiting, v1alpha1.ReasonExitGateWaiting
	rows := []broken{
		{input: "a value that is not a number", name: "nan", reason: proving, piece: "was not a finite number", answer: fakeprom.Fixed(fakeprom.Site("nan", math.NaN()), fakeprom.Site("well", 1))},
		{input: "an infinite value, at least 0.5", name: "infinite", reason: proving, piece: "was not a finite number", answer: fakeprom.Fixed(fakeprom.Site("infinite", math.Inf(1)), fakeprom.Site("well", 1))},
		{input: "a value of 301 digits, at least 0.5", name: "astronomic", reason: proving, piece: "was not a finite number", answer: fakeprom.Fixed(fakeprom.Site("astronomic", 1e300), fakeprom.Site("well", 1))},
		{input: "a site without a value", name: "lonely", reason: proving, piece: "had no value for this site", answer: fakeprom.Fixed(fakeprom.Site("well", 1))},
		{input: "a site with two values, both good", name: "double", reason: proving, piece: "had more than one value for this site", answer: fakeprom.Fixed(fakeprom.Site("double", 1), fakeprom.Site("double", 0.9))},
		{input: "a gate whose source fails", name: "unproved", reason: proving, piece: "could not be measured", answer: fakeprom.Refuse(http.StatusUnprocessableEntity, "execution", "found duplicate series for the match group")},
		{input: "an entry gate without a value", name: "outside", reason: waiting, piece: "had no value for this site", answer: fakeprom.Fixed(fakeprom.Site("well", 1))},
	}
	for i := range rows {
		row := &rows[i]
		gate, status := "exitGate", "True"
		if row.reason == waiting {
			gate, status = "entryGate", "False"
		}
		row.manifests = `{kind: KPI, metadata: {name: ` + row.name + `}, spec: {provider: {name: source}, direction: HigherIsBetter, interval: 2s, query: ` + row.name + `}}
---
{kind: AcceptanceGate, metadata: {name: ` + row.name + `}, spec: {criteria: [{name: numbers, kpi: ` + row.name + `, atLeast: "0.5"}]}}
---
{kind: RolloutPhase, metadata: {name: ` + row.name + `}, spec: {` + gate + `: {name: ` + row.name + `}}}` + alone(row.name, row.name, "good")
		row.query = row.name
		row.kind, row.name, row.condition, row.status = "SiteRollout", row.name+"."+row.name, progressing, status
	}
	return append(rows,
		broken{input: "a site in front of a phase whose gate does not exist", manifests: `{kind: RolloutPhase, metadata: {name: stuck}, spec: {entryGate: {name: nowhere}}}` + alone("stuck", "stuck", "good"),
			kind: "SiteRollout", name: "stuck.stuck", condition: ready, status: "False", reason: v1alpha1.ReasonPlanInvalid, piece: `AcceptanceGate "nowhere" does not exist`},
		broken{input: "a site that is deleted in the middle of its rollout", manifests: `{kind: RolloutPhase, metadata: {name: gone}, spec: {soak: 20s}}` + alone("gone", "gone", "good"), kind: "SiteRollout", name: "gone.gone",
			condition: progressing, status: "False", reason: v1alpha1.ReasonSiteNotFound, piece: `RolloutSite "gone" does not exist any more`, meanwhile: leave})
}

// alone makes a site and a rollout for it, of the same name.
func alone(name string, phases ...string) string {
	list := ""
	for _, phase := range phases {
		list += "{name: " + phase + "}, "
	}
	return `
---
{kind: RolloutSite, metadata: {name: ` + name + `, labels: {in: ` + name + `}}, spec: {region: emea}}
---
{kind: CRMRollout, metadata: {name: ` + name + `}, spec: {phases: [` + list + `], waves: [{name: only, selector: {matchLabels: {in: ` + name + `}}}]}}`
}

// leave deletes the site once its first phase has begun.
func leave(t *testing.T, namespace string) {
	await(t, namespace, "the site that will be deleted has begun its first phase", &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		return sr.Spec.Site == "gone" && len(sr.Status.Phases) > 0
	})
	if err := api.Delete(t.Context(), &v1alpha1.RolloutSite{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "gone"}}); err != nil {
		t.Fatal(err)
	}
}
