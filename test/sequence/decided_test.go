package sequence

import (
	"fmt"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// decidesAt has a person decide about hq, at the phase and the attempt at which it is then.
func decidesAt(when time.Duration, by, role string, action v1alpha1.DecisionAction, more ...func(*ruling)) func(*scenario) {
	r := ruling{name: strings.ToLower(strings.TrimSuffix(fmt.Sprintf("%s-%s-%s", by, action, role), "-")), by: by, role: role, action: action, kpi: "cycle"}
	for _, change := range more {
		change(&r)
	}
	return at(when, fmt.Sprintf("%s decides: %s", by, action), func(s *sim) {
		r.make(s, s.api.latest["SiteRollout"][client.ObjectKey{Namespace: namespace, Name: "crm.hq"}].(*v1alpha1.SiteRollout))
	})
}

// signedBy asks besides for the approvals of an owner and of a sponsor, who must not be the same person.
func signedBy(accepted v1alpha1.AcceptanceGateSpec) v1alpha1.AcceptanceGateSpec {
	accepted.Approvals, accepted.FourEyes = []v1alpha1.Approval{{Role: "owner"}, {Role: "sponsor"}}, true
	return accepted
}

// again makes a decision another one of the same kind.
func again(r *ruling) { r.name += "-again" }

// ofPeople are about what people decide.
func ofPeople() []scenario {
	return append(ofRulings(),
		programme("skipped-before-it-began", decidesAt(10*minute, "anna", "", v1alpha1.DecisionSkip), at(15*minute, "migrate is to be skipped by all of the region", func(s *sim) {
			berlin := s.api.latest["SiteRollout"][client.ObjectKey{Namespace: namespace, Name: "crm.berlin"}].(*v1alpha1.SiteRollout)
			ruling{name: "bert-skip-of-region", by: "bert", action: v1alpha1.DecisionSkip, elsewhere: "migrate", wave: true}.make(s, berlin)
		})),
		trial("decided-while-there-is-no-policy", asks(shorter()), long("hq"), at(31*minute, "the admission policy is deleted", remove(admissionPolicy()[0])), decidesAt(35*minute, "anna", "owner", v1alpha1.DecisionWaive),
			at(38*minute, "it is back", func(s *sim) {
				back := admissionPolicy()[0]
				back.SetCreationTimestamp(named("").CreationTimestamp)
				create(back)(s)
			}), decidesAt(45*minute, "anna", "owner", v1alpha1.DecisionWaive, again)),
		programme("rolled-back-by-a-person", bad("hq", 0, 4*hour), decidesAt(75*minute, "anna", "", v1alpha1.DecisionRollBack), decidesAt(95*minute, "bert", "", v1alpha1.DecisionSkip)),
	)
}

// ofRulings are about decisions at a small plan. They are made at moments of measurements: another process that took over then measures the same.
func ofRulings() []scenario {
	expiring := func(r *ruling) { r.expires = 5 * minute }
	approve, waive, reject, retry := v1alpha1.DecisionApprove, v1alpha1.DecisionWaive, v1alpha1.DecisionReject, v1alpha1.DecisionRetry
	return []scenario{
		trial("approved-by-two-people", signedBy(asks(shorter())), decidesAt(30*minute, "anna", "owner", approve), decidesAt(35*minute, "anna", "sponsor", approve), decidesAt(40*minute, "bert", "sponsor", approve)),
		trial("an-approval-expires", signedBy(asks(shorter())), decidesAt(30*minute, "anna", "owner", approve, expiring), decidesAt(40*minute, "bert", "sponsor", approve), decidesAt(45*minute, "anna", "owner", approve, again)),
		trial("an-approval-is-void-when-the-gate-fails", signedBy(asks(shorter())), numbers("cycle", "hq", point{longAgo, 48}, point{12 * minute, 42}, point{32 * minute, 48}, point{42 * minute, 42}), lasting(80*minute),
			decidesAt(30*minute, "anna", "owner", approve), decidesAt(50*minute, "bert", "sponsor", approve), decidesAt(55*minute, "anna", "owner", approve, again)),
		trial("waived", asks(shorter()), long("hq"), decidesAt(35*minute, "anna", "owner", waive)),
		trial("waived-before-the-soak-is-over", asks(shorter()), long("hq"), decidesAt(5*minute, "anna", "owner", waive)),
		trial("rejected-and-retried", asks(shorter()), decidesAt(10*minute, "anna", "owner", reject), decidesAt(30*minute, "anna", "", retry)),
		trial("retried-after-a-rollback-with-its-baseline-taken-anew", asks(shorter()), numbers("cycle", "hq", point{longAgo, 48}, point{43 * minute, 40}, point{62 * minute, 35}), failing(v1alpha1.FailureRollBack), lasting(100*minute),
			decidesAt(50*minute, "anna", "", v1alpha1.DecisionRecapture), decidesAt(50*minute, "anna", "", retry), func(s *scenario) {
				s.numbers["cycle[30m]"] = map[string][]point{"": {{longAgo, 48}}, "hq": {{longAgo, 48}, {43 * minute, 40}}}
			}),
	}
}
