package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	policies "github.com/crmops/rollout-operator/config/admission"
	"github.com/crmops/rollout-operator/test/cluster"
	"github.com/crmops/rollout-operator/test/fakeprom"
)

const (
	decisionsPage = "docs/decisions-table.md"
	decisionsIn   = "deciding"
)

// office is the programme that everybody decides about. Each case has a site of its own, whose numbers are good unless it says otherwise.
const office = `
{kind: MetricProvider, metadata: {name: source}, spec: {prometheus: {address: "$SOURCE"}}}
---
{kind: KPI, metadata: {name: records}, spec: {provider: {name: source}, query: records, direction: HigherIsBetter, interval: 1s, staleAfter: 10s}}
---
kind: AcceptanceGate
metadata: {name: signed}
spec:
  criteria: [{name: complete, kpi: records, atLeast: "0.9"}]
  approvals: [{role: data-owner}, {role: sponsor}]
---
kind: AcceptanceGate
metadata: {name: four-eyes}
spec:
  criteria: [{name: complete, kpi: records, atLeast: "0.9"}]
  approvals: [{role: data-owner}, {role: sponsor}]
  fourEyes: true
---
kind: AcceptanceGate
metadata: {name: board}
spec: {approvals: [{role: sponsor}]}
---
{kind: RolloutPhase, metadata: {name: migrate}, spec: {exitGate: {name: signed}, baselines: [{kpi: records}]}}
---
{kind: RolloutPhase, metadata: {name: golive}, spec: {soak: 4w}}
---
{kind: RolloutPhase, metadata: {name: strict}, spec: {exitGate: {name: four-eyes}}}
---
{kind: RolloutPhase, metadata: {name: opening}, spec: {entryGate: {name: board}, soak: 4w}}
---
kind: CRMRollout
metadata: {name: crm}
spec:
  phases: [{name: migrate}, {name: golive}]
  waves:
  - {name: first, selector: {matchLabels: {wave: first}}}
  - {name: club, selector: {matchLabels: {wave: club}}, after: {wave: first, phase: migrate, atLeast: 1}}
---
kind: CRMRollout
metadata: {name: strict}
spec: {phases: [{name: strict}, {name: golive}], waves: [{name: all, selector: {matchLabels: {plan: strict}}}]}
---
kind: CRMRollout
metadata: {name: board}
spec: {phases: [{name: opening}], waves: [{name: all, selector: {matchLabels: {plan: board}}}]}
`

// grant binds a person to verbs on resources in the namespace, of one object only when it is named, and waits until the API server knows.
func grant(t *testing.T, role, person string, resources, verbs []string, name string) {
	t.Helper()
	rule := rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: resources, Verbs: verbs}
	if name != "" {
		rule.ResourceNames = []string{name}
	}
	named := metav1.ObjectMeta{Namespace: decisionsIn, Name: role}
	subject := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: person}
	for _, object := range []client.Object{
		&rbacv1.Role{ObjectMeta: named, Rules: []rbacv1.PolicyRule{rule}},
		&rbacv1.RoleBinding{ObjectMeta: named, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role}, Subjects: []rbacv1.Subject{subject}},
	} {
		if err := api.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	resource, subresource, _ := strings.Cut(resources[0], "/")
	eventually(t, person+" may "+verbs[0]+" "+resources[0], func() bool {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: person, ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: decisionsIn, Group: v1alpha1.GroupVersion.Group, Resource: resource, Subresource: subresource, Verb: verbs[0], Name: name}}}
		return api.Create(t.Context(), review) == nil && review.Status.Allowed
	})
}

// as returns a client of a person, by a certificate.
func as(t *testing.T, person string, groups ...string) client.Client {
	t.Helper()
	kubeconfig, err := control.AddUser(person, groups...)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, config)
}

// account returns a client of a service account, by a token, as a pipeline in the cluster has one.
func account(t *testing.T, name string) client.Client {
	t.Helper()
	object := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: decisionsIn, Name: name}}
	if err := api.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	request := &authenticationv1.TokenRequest{}
	if err := api.SubResource("token").Create(t.Context(), object, request); err != nil {
		t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(control.Config())
	config.BearerToken = request.Status.Token
	return newClient(t, config)
}

func newClient(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	scheme, err := cluster.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	made, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// installPolicy installs the admission policy as it is delivered.
func installPolicy(ctx context.Context, c client.Client) error {
	policy, binding, err := policies.Wanted()
	if err != nil {
		return err
	}
	if err := c.Create(ctx, policy.DeepCopy()); err != nil {
		return err
	}
	return c.Create(ctx, binding.DeepCopy())
}

// desk is where the cases happen.
type desk struct {
	t       *testing.T
	people  map[string]client.Client
	records *fakeprom.Series
	count   int
	// lines of the two tables.
	refused, taken []string
}

// names of people, and of a pipeline.
const (
	ada      = "ada"  // data owner
	bea      = "bea"  // sponsor
	cem      = "cem"  // project lead
	dan      = "dan"  // data owner and sponsor
	eve      = "eve"  // may create decisions, and nothing else
	gil      = "gil"  // sponsor at another gate
	luc      = "luc"  // lead of one site
	admin    = "root" // cluster-admin
	pipeline = "system:serviceaccount:" + decisionsIn + ":pipeline"
	robot    = "system:serviceaccount:" + decisionsIn + ":robot"
)

// site declares a site, and waits until it has come as far as it comes by itself.
func (d *desk) site(labels string) string {
	d.t.Helper()
	d.count++
	name := fmt.Sprintf("s%d", d.count)
	d.records.Set(time.Now().Add(-time.Hour), 1, name)
	create(d.t, decisionsIn, fmt.Sprintf(`{kind: RolloutSite, metadata: {name: %s, labels: {%s}}, spec: {}}`, name, labels))
	return name
}

// waiting declares a site that waits for its approvals in phase migrate.
func (d *desk) waiting() string {
	d.t.Helper()
	name := d.site("wave: first")
	d.reaches("crm."+name, v1alpha1.ReasonWaitingForApproval)
	return name
}

// reaches waits until a site says a reason.
func (d *desk) reaches(story, reason string) *v1alpha1.SiteRollout {
	d.t.Helper()
	return await(d.t, decisionsIn, story+" is "+reason, &v1alpha1.SiteRolloutList{}, func(sr *v1alpha1.SiteRollout) bool {
		return sr.Name == story && sr.Status.Reason == reason
	})
}

// digest is what a site's status shows; empty when it stands at no gate.
func (d *desk) digest(story string) string {
	if gate := get(d.t, decisionsIn, story, &v1alpha1.SiteRollout{}).Status.Gate; gate != nil {
		return gate.Digest
	}
	return ""
}

// decision is what a person writes about a site in attempt 1 of phase migrate of rollout crm.
func decision(by, site string, action v1alpha1.DecisionAction, changes ...func(*v1alpha1.RolloutDecisionSpec)) *v1alpha1.RolloutDecision {
	attempt := int32(1)
	object := &v1alpha1.RolloutDecision{ObjectMeta: metav1.ObjectMeta{Namespace: decisionsIn, GenerateName: "d-"}}
	object.Spec = v1alpha1.RolloutDecisionSpec{Rollout: "crm", Site: site, Phase: "migrate", Attempt: &attempt, Action: action, Reason: "a case of the test", DecidedBy: by}
	if slices.Contains([]v1alpha1.DecisionAction{v1alpha1.DecisionApprove, v1alpha1.DecisionReject, v1alpha1.DecisionWaive}, action) {
		object.Spec.Gate, object.Spec.Role = "signed", "sponsor"
	}
	for _, change := range changes {
		change(&object.Spec)
	}
	return object
}

type spec = v1alpha1.RolloutDecisionSpec

func inRole(role string) func(*spec)   { return func(s *spec) { s.Role = role } }
func ofGate(gate string) func(*spec)   { return func(s *spec) { s.Gate = gate } }
func sees(digest string) func(*spec)   { return func(s *spec) { s.GateDigest = digest } }
func inAttempt(n int32) func(*spec)    { return func(s *spec) { s.Attempt = &n } }
func inPhase(phase string) func(*spec) { return func(s *spec) { s.Phase = phase } }
func ofWave(wave string) func(*spec)   { return func(s *spec) { s.Site, s.Wave = "", wave } }
func inRollout(rollout, phase string) func(*spec) {
	return func(s *spec) { s.Rollout, s.Phase = rollout, phase }
}
func expires(in time.Duration) func(*spec) {
	at := metav1.NewTime(time.Now().Add(in).Truncate(time.Second))
	return func(s *spec) { s.ExpiresAt = &at }
}

// approval of what a site shows now.
func (d *desk) approval(by, site, role string, changes ...func(*spec)) *v1alpha1.RolloutDecision {
	d.t.Helper()
	return decision(by, site, v1alpha1.DecisionApprove, append([]func(*spec){inRole(role), sees(d.digest("crm." + site))}, changes...)...)
}

// refuse expects that a person's write is refused with certain words.
func (d *desk) refuse(what string, err error, words ...string) {
	d.t.Helper()
	if err == nil {
		d.t.Errorf("%s: it was not refused", what)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			d.t.Errorf("%s: the answer does not say %q: %v", what, w, err)
		}
	}
	d.refused = append(d.refused, fmt.Sprintf("| %s | %s |", what, told(err.Error())))
}

// make has a person create a decision.
func (d *desk) make(by string, object *v1alpha1.RolloutDecision) error {
	return d.people[by].Create(d.t.Context(), object)
}

// take expects that a decision is taken, and waits until it says what became of it.
func (d *desk) take(what, by string, object *v1alpha1.RolloutDecision, status metav1.ConditionStatus, reason, words string) *v1alpha1.RolloutDecision {
	d.t.Helper()
	if err := d.make(by, object); err != nil {
		d.t.Errorf("%s: %v", what, err)
		return object
	}
	return d.becomes(what, object, status, reason, words)
}

// becomes waits until a decision says what became of it, and writes that into the table.
func (d *desk) becomes(what string, object *v1alpha1.RolloutDecision, status metav1.ConditionStatus, reason, words string) *v1alpha1.RolloutDecision {
	d.t.Helper()
	var found *metav1.Condition
	last := await(d.t, decisionsIn, what+" is "+reason, &v1alpha1.RolloutDecisionList{}, func(seen *v1alpha1.RolloutDecision) bool {
		if seen.Name != object.Name {
			return false
		}
		found = meta.FindStatusCondition(seen.Status.Conditions, v1alpha1.ConditionEffective)
		return found != nil && found.Reason == reason && strings.Contains(found.Message, words)
	})
	if found.Status != status {
		d.t.Errorf("%s: Effective is %s, want %s", what, found.Status, status)
	}
	ready := meta.FindStatusCondition(last.Status.Conditions, v1alpha1.ConditionReady)
	d.taken = append(d.taken, fmt.Sprintf("| %s | %s | %s | %s | %s |", what, found.Status, found.Reason, ready.Status, told(found.Message)))
	return last
}

// changingDecisions is what differs from run to run in what is said about decisions.
var changingDecisions = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`[0-9a-f]{64}`), "DIGEST"},
	{regexp.MustCompile(`\bd-[a-z0-9]{5}\b`), "d-1"},
	{regexp.MustCompile(`\bs\d+\b`), "lyon"},
	{regexp.MustCompile(`transition \d+`), "transition 4"},
}

func told(text string) string {
	for _, c := range changingDecisions {
		text = c.what.ReplaceAllString(text, c.with)
	}
	return cell(text)
}

// Whoever may decide something does, and whoever may not is told what is missing.
func TestDecisions(t *testing.T) {
	t.Parallel()
	fake := source(t)
	d := &desk{t: t, records: &fakeprom.Series{}}
	fake.Handle("records", fakeprom.BySite(d.records.At))
	create(t, decisionsIn, strings.NewReplacer("$SOURCE", fake.URL()).Replace(office))
	d.people = map[string]client.Client{admin: as(t, admin, "system:masters"), pipeline: account(t, "pipeline"), robot: account(t, "robot")}
	for _, person := range []string{ada, bea, cem, dan, eve, gil, luc} {
		d.people[person] = as(t, person)
	}
	for person := range d.people {
		name := "maker-" + person[strings.LastIndex(person, ":")+1:]
		grant(t, name, person, []string{"rolloutdecisions", "siterollouts"}, []string{"create", "get", "list", "watch", "update", "patch"}, "")
	}
	grant(t, "owner-ada", ada, []string{"acceptancegates/data-owner"}, []string{"approve", "reject"}, "")
	grant(t, "owner-dan", dan, []string{"acceptancegates/data-owner"}, []string{"approve"}, "")
	grant(t, "owner-pipeline", pipeline, []string{"acceptancegates/data-owner"}, []string{"approve"}, "signed")
	grant(t, "sponsor-bea", bea, []string{"acceptancegates/sponsor"}, []string{"approve", "reject", "waive"}, "")
	grant(t, "sponsor-dan", dan, []string{"acceptancegates/sponsor"}, []string{"approve"}, "")
	grant(t, "sponsor-gil", gil, []string{"acceptancegates/sponsor"}, []string{"approve"}, "board")
	grant(t, "lead-cem", cem, []string{"siterollouts"}, []string{"retry", "rollback", "skip", "recapture"}, "")
	manager(t, cluster.ManagerOptions{Name: decisionsIn}, decisionsIn)
	var policy admissionv1.ValidatingAdmissionPolicyBinding
	if err := api.Get(t.Context(), client.ObjectKey{Name: policies.Name}, &policy); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the policy has been there for long enough", func() bool { return time.Since(policy.CreationTimestamp.Time) > 12*time.Second })

	refusedAtTheDoor(d)
	approvals(d)
	interventions(d)
	strangers(d)
	withoutPolicy(d)
	if !t.Failed() {
		comparePage(t, decisionsPage, d.table())
	}
}

// refusedAtTheDoor are decisions that the API server does not store.
func refusedAtTheDoor(d *desk) {
	site := d.waiting()
	owner, sponsor := "data-owner", "sponsor"
	d.refuse("the wrong person approves", d.make(eve, d.approval(eve, site, owner)), "you may not approve gate \"signed\" in role data-owner", "acceptancegates/data-owner")
	d.refuse("the right person approves in another role", d.make(ada, d.approval(ada, site, sponsor)), "in role sponsor")
	d.refuse("the right role, but by its RBAC rule at another gate only", d.make(gil, d.approval(gil, site, sponsor)), "resource name signed")
	d.refuse("under another's name", d.make(ada, d.approval(bea, site, sponsor)), `spec.decidedBy is "bea", and the API server knows you as "ada"`)
	d.refuse("under another's name, by a cluster-admin", d.make(admin, d.approval(ada, site, owner)), `the API server knows you as "root"`)
	d.refuse("a pipeline without the verb", d.make(robot, d.approval(robot, site, owner)), "you may not approve")
	d.refuse("a pipeline under a person's name", d.make(pipeline, d.approval(ada, site, owner)), "knows you as \"system:serviceaccount:deciding:pipeline\"")
	d.refuse("a waiver without the verb", d.make(ada, decision(ada, site, v1alpha1.DecisionWaive, inRole(owner))), "you may not waive gate")
	d.refuse("a rejection without the verb", d.make(dan, decision(dan, site, v1alpha1.DecisionReject)), "you may not reject gate")
	for _, action := range []v1alpha1.DecisionAction{v1alpha1.DecisionRetry, v1alpha1.DecisionRollBack, v1alpha1.DecisionSkip, v1alpha1.DecisionRecapture} {
		object := decision(ada, site, action)
		if action == v1alpha1.DecisionRecapture {
			object.Spec.KPI = "records"
		}
		d.refuse(fmt.Sprintf("%s without the verb", action), d.make(ada, object), "siterollouts, resource name crm."+site)
	}
	grant(d.t, "lead-luc", luc, []string{"siterollouts"}, []string{"skip"}, "crm."+site)
	d.refuse("about a whole wave, with the verb on one site only", d.make(luc, decision(luc, "", v1alpha1.DecisionSkip, ofWave("first"))), `the sites of wave "first"`, "without resource names")
	d.refuse("about another site, with the verb on one site only", d.make(luc, decision(luc, "elsewhere", v1alpha1.DecisionSkip)), "resource name crm.elsewhere")
	d.refuse("without a reason", d.make(ada, d.approval(ada, site, owner, func(s *spec) { s.Reason = "" })), "spec.reason")
	d.refuse("about a site and a wave", d.make(cem, decision(cem, site, v1alpha1.DecisionSkip, func(s *spec) { s.Wave = "first" })), "name either a site or a wave")
	d.refuse("an approval of a whole wave", d.make(ada, d.approval(ada, site, owner, ofWave("first"))), "an approval names one site")
	d.refuse("an approval without a digest", d.make(ada, d.approval(ada, site, owner, sees(""))), "gateDigest")
	d.refuse("an approval without a role", d.make(ada, d.approval(ada, site, owner, inRole(""))), "they need gate and role")
	d.refuse("a waiver with a digest", d.make(bea, decision(bea, site, v1alpha1.DecisionWaive, sees("00"))), "only an approval has a gateDigest")
	d.refuse("a recapture that names no KPI", d.make(cem, decision(cem, site, v1alpha1.DecisionRecapture)), "Recapture needs the kpi")
	d.refuse("a retry before the first attempt", d.make(cem, decision(cem, site, v1alpha1.DecisionRetry, inAttempt(0))), "attempt 0 is before the first attempt")

	made := d.take("the right person approves; another role is missing", ada, d.approval(ada, site, owner), "True", v1alpha1.ReasonCounted, "it counts for gate signed")
	edited := made.DeepCopy()
	edited.Spec.Role = sponsor
	d.refuse("edited afterwards", d.people[ada].Update(d.t.Context(), edited), "a decision never changes; make another one")
	forged := made.DeepCopy()
	forged.Status.Conditions[0].Message = "forged"
	d.refuse("its status, written by its author", d.people[ada].Status().Update(d.t.Context(), forged), "cannot update resource \"rolloutdecisions/status\"")
	d.refuse("deleted by its author", d.people[ada].Delete(d.t.Context(), made), "cannot delete resource \"rolloutdecisions\"")
	d.t.Run("a status that somebody forged is put right", func(t *testing.T) {
		forged.Status.Conditions = nil
		if err := api.Status().Update(t.Context(), forged); err != nil {
			t.Fatal(err)
		}
		await(t, decisionsIn, "the status is told again", &v1alpha1.RolloutDecisionList{}, func(seen *v1alpha1.RolloutDecision) bool {
			return seen.Name == made.Name && len(seen.Status.Conditions) > 0
		})
	})
}

// approvals are decisions that are stored, and the gate says which of them count.
func approvals(d *desk) {
	const owner, sponsor = "data-owner", "sponsor"
	both := d.waiting()
	first := d.approval(ada, both, owner)
	d.take("the first of two roles", ada, first, "True", v1alpha1.ReasonCounted, "it counts for gate signed since")
	d.take("the same person a second time in the same role", ada, d.approval(ada, both, owner), "False", v1alpha1.ReasonCountedAlready, "ada has approved in role data-owner already")
	d.take("another person in a role that has enough", dan, d.approval(dan, both, owner), "False", v1alpha1.ReasonNotNeeded, "1 of 1 people have approved in role data-owner already")
	d.take("the second of two roles; the gate passes", bea, d.approval(bea, both, sponsor), "True", v1alpha1.ReasonApplied, "PhasePassed")
	d.becomes("the first of two roles, when the gate has passed", first, "True", v1alpha1.ReasonApplied, "PhasePassed")

	machine := d.waiting()
	d.take("a pipeline with the verb", pipeline, d.approval(pipeline, machine, owner), "True", v1alpha1.ReasonCounted, "it counts")
	alone := d.waiting()
	d.take("one person in two roles, without fourEyes: the first", dan, d.approval(dan, alone, owner), "True", v1alpha1.ReasonCounted, "it counts")
	d.take("one person in two roles, without fourEyes: the second", dan, d.approval(dan, alone, sponsor), "True", v1alpha1.ReasonApplied, "PhasePassed")
	strict := d.site("plan: strict")
	d.reaches("strict."+strict, v1alpha1.ReasonWaitingForApproval)
	inStrict := func(by, role string) *v1alpha1.RolloutDecision {
		return decision(by, strict, v1alpha1.DecisionApprove, inRollout("strict", "strict"), ofGate("four-eyes"), inRole(role), sees(d.digest("strict."+strict)))
	}
	d.take("one person in two roles, with fourEyes: the first", dan, inStrict(dan, owner), "True", v1alpha1.ReasonCounted, "it counts")
	d.take("one person in two roles, with fourEyes: the second", dan, inStrict(dan, sponsor), "False", v1alpha1.ReasonCountedAlready, "lets a person count in one role only")

	other := d.waiting()
	d.take("a wrong digest", ada, d.approval(ada, other, owner, sees(strings.Repeat("0", 64))), "False", v1alpha1.ReasonOtherEvidence, "it names another digest")
	d.take("a role that the gate does not ask for, by a cluster-admin", admin, d.approval(admin, other, "auditor"), "False", v1alpha1.ReasonNotNeeded, "it asks for data-owner, sponsor")
	d.take("a gate at which the site does not stand, by a cluster-admin", admin, d.approval(admin, other, sponsor, ofGate("board")), "False", v1alpha1.ReasonNotNeeded, "stands at gate signed")
	d.take("a cluster-admin under the own name", admin, d.approval(admin, other, owner), "True", v1alpha1.ReasonCounted, "it counts")
	d.take("one that had expired when it was made", bea, d.approval(bea, other, sponsor, expires(-time.Hour)), "False", v1alpha1.ReasonExpired, "it expired at")
	short := d.waiting()
	object := d.approval(ada, short, owner, expires(4*time.Second))
	if err := d.make(ada, object); err != nil {
		d.t.Fatal(err)
	}
	d.becomes("one that expires before the rest is there", object, "False", v1alpha1.ReasonExpired, "it expired at")

	worse := d.waiting()
	counted := d.approval(ada, worse, owner)
	d.take("before its numbers become bad", ada, counted, "True", v1alpha1.ReasonCounted, "it counts")
	seen := d.digest("crm." + worse)
	d.records.Set(time.Now(), 0.5, worse)
	d.becomes("when its numbers have become bad", counted, "False", v1alpha1.ReasonVoid, "failing evidence came after it")
	d.take("while its numbers are bad", dan, d.approval(dan, worse, owner), "False", v1alpha1.ReasonVoid, "gate signed was failing when it came")
	d.records.Set(time.Now(), 1, worse)
	d.reaches("crm."+worse, v1alpha1.ReasonWaitingForApproval)
	d.take("of what was seen before the numbers were bad", ada, d.approval(ada, worse, owner, sees(seen)), "False", v1alpha1.ReasonOtherEvidence, "another digest")
	d.take("of what is seen now", ada, d.approval(ada, worse, owner), "True", v1alpha1.ReasonCounted, "it counts")

	board := d.site("plan: board")
	d.reaches("board."+board, v1alpha1.ReasonWaitingForApproval)
	d.take("at an entry gate that asks for nothing else", bea, decision(bea, board, v1alpha1.DecisionApprove, inRollout("board", "opening"), ofGate("board"), inAttempt(0), sees(d.digest("board."+board))),
		"True", v1alpha1.ReasonApplied, "PhaseStarted")
}

// interventions are decisions that move a site.
func interventions(d *desk) {
	waived := d.waiting()
	d.take("a waiver with the verb", bea, decision(bea, waived, v1alpha1.DecisionWaive), "True", v1alpha1.ReasonApplied, "PhaseWaived")

	tried := d.waiting()
	old := d.digest("crm." + tried)
	early := d.take("a retry of an attempt that has not failed", cem, decision(cem, tried, v1alpha1.DecisionRetry), "False", v1alpha1.ReasonNotNeeded, "has not failed")
	eventually(d.t, "the next second", func() bool { return time.Since(early.CreationTimestamp.Time) > 1100*time.Millisecond })
	d.take("a rejection with the verb", bea, decision(bea, tried, v1alpha1.DecisionReject), "True", v1alpha1.ReasonApplied, "Rejected")
	d.becomes("the retry from before the failure", early, "False", v1alpha1.ReasonNotNeeded, "make another one if you still mean it")
	d.take("an approval of an attempt that has failed", ada, d.approval(ada, tried, "data-owner", sees(old)), "False", v1alpha1.ReasonNotNeeded, "so there is nothing to approve")
	d.take("a baseline is to be recaptured", cem, decision(cem, tried, v1alpha1.DecisionRecapture, func(s *spec) { s.KPI = "records" }), "True", v1alpha1.ReasonCounted, "takes its baseline of KPI records anew")
	d.take("a baseline that was never taken", cem, decision(cem, tried, v1alpha1.DecisionRecapture, func(s *spec) { s.KPI = "other" }), "False", v1alpha1.ReasonNotNeeded, "has no baseline of KPI other")
	d.take("a retry with the verb", cem, decision(cem, tried, v1alpha1.DecisionRetry), "True", v1alpha1.ReasonApplied, "AttemptStarted")
	d.reaches("crm."+tried, v1alpha1.ReasonWaitingForApproval)
	d.take("an attempt that is over", ada, d.approval(ada, tried, "data-owner", inAttempt(1)), "False", v1alpha1.ReasonOtherAttempt, "it is at attempt 2")
	d.take("the digest of an older attempt", ada, d.approval(ada, tried, "data-owner", inAttempt(2), sees(old)), "False", v1alpha1.ReasonOtherEvidence, "another digest")
	d.take("an attempt that has not begun", ada, d.approval(ada, tried, "data-owner", inAttempt(3)), "Unknown", v1alpha1.ReasonPending, "attempt 3 has not begun")
	d.take("a roll-back with the verb", cem, decision(cem, tried, v1alpha1.DecisionRollBack, inAttempt(2)), "True", v1alpha1.ReasonApplied, "RolledBack")
	d.take("a roll-back of what was rolled back", cem, decision(cem, tried, v1alpha1.DecisionRollBack, inAttempt(2)), "False", v1alpha1.ReasonNotNeeded, "was rolled back at")
	d.take("a retry of what was rolled back", cem, decision(cem, tried, v1alpha1.DecisionRetry, inAttempt(2)), "True", v1alpha1.ReasonApplied, "Retried")

	skipped := d.waiting()
	d.take("a skip with the verb", cem, decision(cem, skipped, v1alpha1.DecisionSkip), "True", v1alpha1.ReasonApplied, "PhaseSkipped")
	d.take("after the phase was over", bea, decision(bea, skipped, v1alpha1.DecisionReject), "False", v1alpha1.ReasonOtherAttempt, "has gone on")

	members := []string{d.site("wave: club"), d.site("wave: club")}
	for _, name := range members {
		d.reaches("crm."+name, v1alpha1.ReasonWaitingForApproval)
	}
	d.take("about a wave", cem, decision(cem, "", v1alpha1.DecisionSkip, ofWave("club")), "True", v1alpha1.ReasonApplied, "of 2 sites of wave club: Applied at 2")
}

// strangers are decisions about what does not exist.
func strangers(d *desk) {
	site := d.waiting()
	d.take("an unknown site", cem, decision(cem, "atlantis", v1alpha1.DecisionSkip), "Unknown", v1alpha1.ReasonPending, "site atlantis is not in rollout crm")
	d.take("an unknown phase", cem, decision(cem, site, v1alpha1.DecisionSkip, inPhase("retire")), "Unknown", v1alpha1.ReasonPending, "not at phase retire")
	d.take("an unknown wave", cem, decision(cem, "", v1alpha1.DecisionSkip, ofWave("nobody")), "Unknown", v1alpha1.ReasonPending, "wave nobody has no sites")
	d.take("an unknown rollout", cem, decision(cem, site, v1alpha1.DecisionSkip, inRollout("erp", "migrate")), "Unknown", v1alpha1.ReasonPending, "not in rollout erp")
	d.take("a phase that comes later", cem, decision(cem, site, v1alpha1.DecisionSkip, inPhase("golive"), inAttempt(0)), "Unknown", v1alpha1.ReasonPending, "not at phase golive")
}

// withoutPolicy takes the policy away. Nothing that is decided meanwhile counts, not even when it is back.
func withoutPolicy(d *desk) {
	site, t := d.waiting(), d.t
	_, binding, err := policies.Wanted()
	if err != nil {
		t.Fatal(err)
	}
	warning := binding.DeepCopy()
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(warning), warning); err != nil {
		t.Fatal(err)
	}
	forged := func() *v1alpha1.RolloutDecision { return d.approval(ada, site, "data-owner") } // made by eve, below
	warning.Spec.ValidationActions = []admissionv1.ValidationAction{admissionv1.Warn}
	if err := api.Update(t.Context(), warning); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the API server lets eve decide for ada", func() bool { return d.people[eve].Create(t.Context(), forged(), client.DryRunAll) == nil })
	d.take("the policy only warns, and somebody decides under another's name", eve, forged(), "Unknown", v1alpha1.ReasonPolicyMissing, "spec.validationActions lacks Deny")
	if err := api.Delete(t.Context(), warning); err != nil {
		t.Fatal(err)
	}
	made := forged()
	d.take("the binding is gone, and somebody decides under another's name", eve, made, "Unknown", v1alpha1.ReasonPolicyMissing, `ValidatingAdmissionPolicyBinding "crm-rollout-decisions" does not exist`)
	if err := api.Create(t.Context(), binding.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	d.becomes("what was decided meanwhile, when it is back", made, "False", v1alpha1.ReasonPolicyMissing, "so nobody checked who made it")
	if sr := d.reaches("crm."+site, v1alpha1.ReasonWaitingForApproval); len(sr.Status.Gate.Approvals[0].Given) > 0 {
		t.Errorf("the gate has taken %+v", sr.Status.Gate.Approvals)
	}
}

func (d *desk) table() string {
	return `# What becomes of decisions

Written by the tests, from a real API server with the admission policy, real users and a running manager:
` + "`make test TESTS='./test/e2e -run TestDecisions -args -update'`" + ` writes it anew. [Decisions](decisions.md) explains it.

In all of it, ada may approve and reject in role data-owner, bea may approve, reject and waive in role sponsor, dan may approve in both, cem may retry, roll back,
skip and recapture everywhere, gil may approve as a sponsor at another gate, luc may skip at one site, eve may create decisions and nothing else, and root is a
cluster-admin. The pipeline is a service account that may approve in role data-owner at this gate, the robot one that may not. Gate signed asks for one approval
in each of the two roles.

## Refused by the API server

| what | answer |
|---|---|
` + strings.Join(d.refused, "\n") + `

## Taken, and what the decision says

| what | Effective | reason | Ready | message |
|---|---|---|---|---|
` + strings.Join(d.taken, "\n") + "\n"
}

// comparePage compares what was found with a page of the repository, or writes the page.
func comparePage(t *testing.T, page, text string) {
	t.Helper()
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, page)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(text, "\n")); diff != "" {
		t.Errorf("%s tells something else; run the test with -update if the change is meant (-page +now):\n%s", page, diff)
	}
}
