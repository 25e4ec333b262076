package decide_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/decide"
)

// unexported lets cmp look at all fields.
func unexported(reflect.Type) bool { return true }

// signing makes the gate one that needs approvals of one owner and two sponsors.
func signing(s *decide.Site) { s.Gate.Digest = digest }

var needs = []decide.Role{{Name: "owner", Count: 1}, {Name: "sponsor", Count: 2}}

// by is an approval by a person in a role, under a name made of both.
func by(person, role string, changes ...func(*v1alpha1.RolloutDecision)) *v1alpha1.RolloutDecision {
	return decision(approve, append([]func(*v1alpha1.RolloutDecision){func(d *v1alpha1.RolloutDecision) {
		d.Name, d.Spec.DecidedBy, d.Spec.Role, d.Spec.GateDigest = person+"-"+role, person, role, digest
	}}, changes...)...)
}

func sees(digest string) func(*v1alpha1.RolloutDecision) {
	return func(d *v1alpha1.RolloutDecision) { d.Spec.GateDigest = digest }
}

// look has the approvals looked at and keeps what was found, as a site does.
func look(s *decide.Site, decisions ...*v1alpha1.RolloutDecision) decide.Approvals {
	decide.Order(decisions)
	answer := s.Approvals(needs, decisions)
	gate := *s.Gate
	gate.Approvals = answer.Reports
	s.Gate = &gate
	return answer
}

func missing(a decide.Approvals) string {
	var parts []string
	for _, m := range a.Missing {
		parts = append(parts, fmt.Sprintf("%d %s", m.Count, m.Name))
	}
	return strings.Join(parts, ", ")
}

func deciders(a decide.Approvals) string {
	var names []string
	for _, d := range a.Deciders {
		names = append(names, d.Decision)
	}
	return strings.Join(names, ", ")
}

func TestWhoseApprovalsCount(t *testing.T) {
	fourEyes := func(s *decide.Site) { s.Gate.FourEyes = true }
	failing := func(s *decide.Site) { s.Gate.Verdict, s.Failing = v1alpha1.VerdictFail, "records are bad" }
	waitingFor := func(s *decide.Site) { s.Gate.Verdict = v1alpha1.VerdictWait }
	all := []*v1alpha1.RolloutDecision{by("ada", "owner"), by("bea", "sponsor"), by("cem", "sponsor", made(46))}
	for name, test := range map[string]struct {
		site         []func(*decide.Site)
		decisions    []*v1alpha1.RolloutDecision
		missing, who string
		told         map[string]string // the reason of each decision's fate
		says         string            // a part of one of the messages
	}{
		"nobody":                  {missing: "1 owner, 2 sponsor"},
		"everybody":               {decisions: all, who: "ada-owner, bea-sponsor, cem-sponsor", told: map[string]string{"ada-owner": "Counted", "bea-sponsor": "Counted"}},
		"while criteria wait":     {site: sites(waitingFor), decisions: all, who: "ada-owner, bea-sponsor, cem-sponsor"},
		"one of two sponsors":     {decisions: all[:2], missing: "1 sponsor", who: "ada-owner, bea-sponsor"},
		"the same sponsor twice":  {decisions: append(all[:2:2], by("bea", "sponsor", func(d *v1alpha1.RolloutDecision) { d.Name = "again" }, made(46))), missing: "1 sponsor", who: "ada-owner, bea-sponsor", told: map[string]string{"again": "CountedAlready"}, says: "bea has approved in role sponsor already, by decision bea-sponsor"},
		"a third sponsor":         {decisions: append(all[1:3:3], by("dan", "sponsor", made(47))), missing: "1 owner", who: "bea-sponsor, cem-sponsor", told: map[string]string{"dan-sponsor": "NotNeeded"}, says: "2 of 2 people have approved in role sponsor already"},
		"one person in two roles": {decisions: []*v1alpha1.RolloutDecision{by("ada", "owner"), by("ada", "sponsor")}, missing: "1 sponsor", who: "ada-owner, ada-sponsor"},
		"one person in two roles with four eyes": {site: sites(fourEyes), decisions: []*v1alpha1.RolloutDecision{by("ada", "owner"), by("ada", "sponsor")}, missing: "2 sponsor", who: "ada-owner",
			told: map[string]string{"ada-sponsor": "CountedAlready"}, says: "gate clean lets a person count in one role only"},
		"a role that nobody needs":  {decisions: []*v1alpha1.RolloutDecision{by("ada", "janitor")}, missing: "1 owner, 2 sponsor", told: map[string]string{"ada-janitor": "NotNeeded"}, says: "it asks for owner, sponsor"},
		"another gate":              {decisions: []*v1alpha1.RolloutDecision{by("ada", "owner", ofGate("other"))}, missing: "1 owner, 2 sponsor", told: map[string]string{"ada-owner": "NotNeeded"}},
		"other evidence":            {decisions: []*v1alpha1.RolloutDecision{by("ada", "owner", sees("0123"))}, missing: "1 owner, 2 sponsor", told: map[string]string{"ada-owner": "OtherEvidence"}, says: "approve what stands there with its digest"},
		"an attempt that is over":   {decisions: []*v1alpha1.RolloutDecision{by("ada", "owner", attempt(1))}, missing: "1 owner, 2 sponsor", told: map[string]string{"ada-owner": "OtherAttempt"}},
		"a later attempt":           {decisions: []*v1alpha1.RolloutDecision{by("ada", "owner", attempt(3))}, missing: "1 owner, 2 sponsor", told: map[string]string{"ada-owner": "Pending"}},
		"another site":              {decisions: []*v1alpha1.RolloutDecision{by("ada", "owner", func(d *v1alpha1.RolloutDecision) { d.Spec.Site = "nice" })}, missing: "1 owner, 2 sponsor"},
		"one that expired":          {decisions: []*v1alpha1.RolloutDecision{by("ada", "owner", expires(60))}, missing: "1 owner, 2 sponsor", told: map[string]string{"ada-owner": "Expired"}},
		"no policy":                 {site: sites(func(s *decide.Site) { s.Policy.Problem = "there is none" }), decisions: all, missing: "1 owner, 2 sponsor", told: map[string]string{"ada-owner": "PolicyMissing"}},
		"before the policy":         {site: sites(func(s *decide.Site) { s.Policy.Since = at(50) }), decisions: all, missing: "1 owner, 2 sponsor", told: map[string]string{"ada-owner": "PolicyMissing"}},
		"on failing evidence":       {site: sites(failing), decisions: all, missing: "1 owner, 2 sponsor", told: map[string]string{"ada-owner": "Void"}, says: "gate clean was failing when it came"},
		"of an attempt that failed": {site: sites(failed), decisions: all, missing: "1 owner, 2 sponsor", told: map[string]string{"ada-owner": "NotNeeded"}, says: "so there is nothing to approve"},
		"nothing that approves":     {decisions: []*v1alpha1.RolloutDecision{decision(waive), decision(reject)}, missing: "1 owner, 2 sponsor"},
	} {
		t.Run(name, func(t *testing.T) {
			s := site(append([]func(*decide.Site){signing}, test.site...)...)
			decisions := slices.Clone(test.decisions)
			answer := look(&s, decisions...)
			if missing(answer) != test.missing || deciders(answer) != test.who {
				t.Errorf("missing %q, deciders %q, want %q and %q", missing(answer), deciders(answer), test.missing, test.who)
			}
			messages := ""
			for _, d := range decisions {
				fate := s.Fate(d)
				messages += fate.Message + "\n"
				if want := test.told[d.Name]; want != "" && fate.Reason != want {
					t.Errorf("%s is %s (%s), want %s", d.Name, fate.Reason, fate.Message, want)
				}
			}
			if !strings.Contains(messages, test.says) {
				t.Errorf("no message has %q:\n%s", test.says, messages)
			}
			if again := s.Approvals(needs, decisions); !cmp.Equal(answer, again) {
				t.Errorf("a second look writes something else (-first +second):\n%s", cmp.Diff(answer, again))
			}
		})
	}
}

// What was found of an approval when it was first looked at stays, whatever the gate says later.
func TestAnApprovalThatEndedToCountNeverCountsAgain(t *testing.T) {
	other := "00000000000000000000000000000000eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
	elsewhere := "11111111111111111111111111111111ffffffffffffffffffffffffffffffff"
	for name, test := range map[string]struct {
		decision *v1alpha1.RolloutDecision
		// meanwhile is what happens after the first look, and before the second.
		meanwhile func(*decide.Site)
		gone      bool
		reason    string
		says      string
	}{
		"nothing happens":     {decision: by("ada", "owner"), meanwhile: func(*decide.Site) {}},
		"criteria wait again": {decision: by("ada", "owner"), meanwhile: func(s *decide.Site) { s.Gate.Digest, s.Gate.Verdict = other, v1alpha1.VerdictWait }},
		"a criterion fails": {decision: by("ada", "owner"), meanwhile: func(s *decide.Site) {
			s.Gate.Digest, s.Gate.Verdict, s.Failing = other, v1alpha1.VerdictFail, "records are bad"
		}, reason: "Void", says: "failing evidence came after it: records are bad"},
		"the gate asks for something": {decision: by("ada", "owner"), meanwhile: func(s *decide.Site) { s.Gate.Digest = elsewhere }, reason: "Void", says: "asks for something else"},
		"the decision is deleted":     {decision: by("ada", "owner"), meanwhile: func(*decide.Site) {}, gone: true, reason: "Void", says: "deleted"},
		"it expires":                  {decision: by("ada", "owner", expires(61)), meanwhile: func(s *decide.Site) { s.Now = at(61) }, reason: "Expired", says: "it expired at 2026-03-02T09:01:00Z"},
		"it came with other evidence": {decision: by("ada", "owner", sees(other)), meanwhile: func(s *decide.Site) { s.Gate.Digest = other }, reason: "OtherEvidence", says: "another digest"},
	} {
		t.Run(name, func(t *testing.T) {
			s := site(signing)
			look(&s, test.decision)
			test.meanwhile(&s)
			if test.gone {
				look(&s)
			} else {
				look(&s, test.decision)
			}
			s.Gate.Digest, s.Gate.Verdict, s.Failing = digest, v1alpha1.VerdictPass, ""
			answer := look(&s, test.decision)
			given := answer.Reports[0].Given
			if len(given) != 1 || given[0].Reason != test.reason || !strings.Contains(given[0].Message, test.says) {
				t.Fatalf("given %+v, want one with reason %q and %q", given, test.reason, test.says)
			}
			if counted := deciders(answer) != ""; counted != (test.reason == "") {
				t.Errorf("it counts: %t", counted)
			}
			if fate := s.Fate(test.decision); test.reason != "" && fate.Reason != test.reason {
				t.Errorf("its status says %s: %s", fate.Reason, fate.Message)
			}
		})
	}
}

func TestADecisionMadeAgainUnderTheSameNameIsAnother(t *testing.T) {
	s := site(signing)
	look(&s, by("ada", "owner", sees("0123")))
	if got := deciders(look(&s, by("ada", "owner"))); got != "ada-owner" {
		t.Errorf("deciders %q", got)
	}
	if given := s.Gate.Approvals[0].Given; len(given) != 1 || given[0].Digest != digest {
		t.Errorf("given %+v", given)
	}
}

func TestAnApprovalWaitsToBeLookedAt(t *testing.T) {
	s := site(signing)
	look(&s)
	for name, d := range map[string]*v1alpha1.RolloutDecision{"the right digest": by("ada", "owner"), "another digest": by("ada", "owner", sees("0123"))} {
		if fate := s.Fate(d); fate.Reason != v1alpha1.ReasonPending || !strings.Contains(fate.Message, "has not been looked at since") {
			t.Errorf("%s: %+v", name, fate)
		}
	}
	s.Gate.Digest = ""
	if fate := s.Fate(by("ada", "owner")); fate.Reason != v1alpha1.ReasonPending || !strings.Contains(fate.Message, "cannot be judged now") {
		t.Errorf("at a gate that cannot be judged: %+v", fate)
	}
}

// However many approvals come that do not count, the status stays small, is not written again and again, and one that counts finds room.
func TestApprovalsThatDoNotCountFindAnEnd(t *testing.T) {
	s := site(signing)
	var decisions []*v1alpha1.RolloutDecision
	for i := range 30 {
		decisions = append(decisions, by(fmt.Sprintf("eve%d", i), "owner", sees(fmt.Sprintf("%04d", i))))
	}
	look(&s, decisions...)
	first := s.Gate.Approvals
	look(&s, decisions...)
	if diff := cmp.Diff(first, s.Gate.Approvals); diff != "" || len(first[0].Given) != 8 {
		t.Errorf("%d are kept (-first look +second):\n%s", len(first[0].Given), diff)
	}
	if fate := s.Fate(decisions[29]); fate.Reason != v1alpha1.ReasonOtherEvidence {
		t.Errorf("one that is not kept: %+v", fate)
	}
	for round := range 3 {
		s.Gate.Digest = fmt.Sprintf("%s%032d", digest[:32], round)
		for i := range 8 {
			d := by(fmt.Sprintf("p%d-%d", round, i), "owner", sees(s.Gate.Digest))
			decisions = append(decisions, d)
		}
		needs8 := []decide.Role{{Name: "owner", Count: 8}}
		decide.Order(decisions)
		answer := s.Approvals(needs8, decisions)
		if len(answer.Missing) > 0 || len(answer.Reports[0].Given) > 16 {
			t.Fatalf("round %d: missing %q, %d kept", round, missing(answer), len(answer.Reports[0].Given))
		}
		s.Gate.Approvals, s.Gate.Verdict = answer.Reports, v1alpha1.VerdictFail
		s.Gate.Approvals = s.Approvals(needs8, decisions).Reports
		s.Gate.Verdict = v1alpha1.VerdictPass
	}
}

func TestTheFirstToExpireIsTold(t *testing.T) {
	s := site(signing)
	answer := look(&s, by("ada", "owner", expires(90)), by("bea", "sponsor", expires(70)), by("cem", "sponsor"))
	if !answer.Expires.Equal(at(70)) {
		t.Errorf("expires at %s", answer.Expires)
	}
}
