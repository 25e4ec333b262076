package sequence

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// The people of a random rollout, and the roles in which they sign.
var (
	people = []string{"anna", "bert", "cleo"}
	roles  = []string{"sponsor", "owner"}
)

// signatures draws which approvals a gate asks for, and sometimes nothing else.
func (d *draws) signatures(about string, spec *v1alpha1.AcceptanceGateSpec) {
	if !d.often(25, about+" asks for approvals") {
		return
	}
	for _, role := range roles[:1+d.upTo(1, about+" roles")] {
		count := int32(1 + d.upTo(1, about+" people in role "+role))
		spec.Approvals = append(spec.Approvals, v1alpha1.Approval{Role: role, Count: &count})
	}
	spec.FourEyes = d.often(40, about+" wants four eyes")
	if d.often(25, about+" asks for approvals alone") {
		spec.Criteria, spec.Score = nil, nil
	}
	d.signed = true
}

// ruling is what a decision is to be. What depends on where a site stands is found out when it is made.
type ruling struct {
	name   string
	by     string
	role   string
	action v1alpha1.DecisionAction
	// apt is true for one of the actions that fit where the site stands, of which it is the one with the number.
	apt    bool
	number int
	// site that it is about; with trouble, the site with that place among those that need somebody most.
	site    string
	trouble int
	// wave is true when it is about all sites of the site's wave.
	wave bool
	// off is how far from the attempt of the site the one is that it names.
	off     int32
	kpi     string
	expires time.Duration
	// elsewhere is the phase that it names; empty for the one that the site is at.
	elsewhere string
	// recaptured is true when a Retry comes with a Recapture.
	recaptured bool
	// unseen is true for an approval of something that nobody was shown.
	unseen bool
}

// drawDecisions draws what people decide: each decision by itself, and rounds in which somebody signs whatever waits for a signature.
func (d *draws) drawDecisions() {
	rounds := 0
	if d.signed {
		rounds = d.upTo(7, "rounds of signatures")
	}
	for i := range rounds {
		about := fmt.Sprintf("round %d", i)
		d.round(d.when(about), about)
	}
	if !d.often(60, "people decide") {
		return
	}
	for i := range 1 + d.upTo(11, "decisions") {
		about := fmt.Sprintf("decision %d", i)
		d.decision(d.when(about), about)
	}
	if d.often(10, "the admission policy is gone for a while") {
		when := d.when("policy gone")
		gone := admissionPolicy()[d.upTo(1, "what of the policy is gone")]
		d.edit(when, "the admission policy is deleted", func(s *sim) {
			if s.api.latest[kindOf(gone)][client.ObjectKeyFromObject(gone)] != nil {
				remove(gone)(s)
			}
		})
		d.edit(d.later(when, "policy back"), "the admission policy is back", func(s *sim) {
			if s.api.latest[kindOf(gone)][client.ObjectKeyFromObject(gone)] == nil {
				back := clone(gone)
				back.SetCreationTimestamp(metav1.Time{})
				create(back)(s)
			}
		})
	}
}

// round has one person sign at every site that waits for it, in one role or in both.
func (d *draws) round(when time.Duration, about string) {
	by, both := one(d, about+" by", people...), d.upTo(2, about+" in both roles")
	in, expires := roles[both%2:both%2+1], one[time.Duration](d, about+" expires", 0, 0, 0, 2*minute)
	if both == 2 {
		in = roles
	}
	d.edit(when, fmt.Sprintf("%s signs in the roles %s", by, in), func(s *sim) {
		for _, sr := range all[*v1alpha1.SiteRollout](s.api) {
			for _, role := range in {
				if gate := sr.Status.Gate; gate != nil && gate.Digest != "" {
					ruling{name: fmt.Sprintf("%s-%s-%s-%s", when, by, role, sr.Spec.Site), by: by, role: role, action: v1alpha1.DecisionApprove, expires: expires}.make(s, sr)
				}
			}
		}
	})
}

// decision draws one decision, and whether it is deleted later, and then made again.
func (d *draws) decision(when time.Duration, about string) {
	r := ruling{name: one(d, about+" is called", about[len("decision "):], "a-name-that-comes-often"), by: one(d, about+" by", people...), role: one(d, about+" role", roles...),
		apt: !d.often(25, about+" fits nothing"), number: d.upTo(11, about+" number"),
		action: one(d, about+" action", v1alpha1.DecisionWaive, v1alpha1.DecisionApprove, v1alpha1.DecisionReject, v1alpha1.DecisionRetry, v1alpha1.DecisionRollBack, v1alpha1.DecisionSkip, v1alpha1.DecisionRecapture),
		site:   one(d, about+" site", d.sites...), trouble: d.upTo(3, about+" trouble") - 1, wave: d.often(20, about+" is about a wave"),
		off: one[int32](d, about+" attempt", 0, 0, 0, 0, 0, 0, 1, -1), kpi: one(d, about+" kpi", "cycle", "cycle", "training"),
		expires: one(d, about+" expires", 0, 0, 0, 20*time.Second, 15*minute), unseen: d.often(30, about+" names something unseen"), recaptured: d.often(50, about+" has the baseline taken anew")}
	if d.often(10, about+" is about a drawn phase") {
		r.elsewhere = one(d, about+" phase", d.phases...)
	}
	do := func(s *sim) {
		if sr := r.about(s); sr != nil {
			r.make(s, sr)
		}
	}
	d.edit(when, fmt.Sprintf("%s makes decision %s", r.by, r.name), do)
	if d.often(15, about+" is deleted") {
		when = when + time.Duration(d.upTo(20, about+" deleted after"))*minute
		d.edit(when, fmt.Sprintf("decision %s is deleted", r.name), func(s *sim) {
			if made := s.api.latest["RolloutDecision"][client.ObjectKey{Namespace: namespace, Name: r.name}]; made != nil {
				remove(made)(s)
			}
		})
		if d.often(50, about+" is made again") {
			d.edit(d.later(when, about+" made again"), fmt.Sprintf("%s makes decision %s again", r.by, r.name), do)
		}
	}
}

// about returns the site that a ruling is about; nil when it is not in the rollout.
func (r ruling) about(s *sim) *v1alpha1.SiteRollout {
	known := all[*v1alpha1.SiteRollout](s.api)
	if r.trouble >= 0 && len(known) > 0 {
		slices.SortStableFunc(known, func(a, b *v1alpha1.SiteRollout) int { return cmp.Compare(troubled(b), troubled(a)) })
		return known[r.trouble%len(known)]
	}
	for _, sr := range known {
		if sr.Spec.Site == r.site {
			return sr
		}
	}
	return nil
}

// troubled is how much a site needs somebody who decides.
func troubled(sr *v1alpha1.SiteRollout) int {
	switch record := recordOf(sr, sr.Status.CurrentPhase); {
	case sr.Status.State == v1alpha1.SiteRolledBack:
		return 5
	case record != nil && record.FailedAt != nil:
		return 4
	case sr.Status.State == v1alpha1.SiteHeld:
		return 3
	case sr.Status.Gate != nil && sr.Status.State == v1alpha1.SiteWaiting:
		return 2
	case sr.Status.State == v1alpha1.SiteProving:
		return 1
	}
	return 0
}

// fitting are the actions that can have an effect where a site stands.
func fitting(sr *v1alpha1.SiteRollout) []v1alpha1.DecisionAction {
	record := recordOf(sr, sr.Status.CurrentPhase)
	switch {
	case sr.Status.State == v1alpha1.SiteRolledBack:
		return []v1alpha1.DecisionAction{v1alpha1.DecisionRetry, v1alpha1.DecisionRetry, v1alpha1.DecisionRetry, v1alpha1.DecisionSkip}
	case record != nil && record.FailedAt != nil:
		return []v1alpha1.DecisionAction{v1alpha1.DecisionRetry, v1alpha1.DecisionRetry, v1alpha1.DecisionWaive, v1alpha1.DecisionRollBack, v1alpha1.DecisionRetry, v1alpha1.DecisionSkip}
	case record == nil:
		return []v1alpha1.DecisionAction{v1alpha1.DecisionWaive, v1alpha1.DecisionApprove, v1alpha1.DecisionSkip}
	}
	return []v1alpha1.DecisionAction{v1alpha1.DecisionReject, v1alpha1.DecisionWaive, v1alpha1.DecisionRollBack, v1alpha1.DecisionReject, v1alpha1.DecisionRecapture, v1alpha1.DecisionSkip, v1alpha1.DecisionApprove}
}

// make makes a decision about a site as it stands, unless the API server would refuse it.
func (r ruling) make(s *sim, sr *v1alpha1.SiteRollout) {
	if r.apt {
		actions := fitting(sr)
		r.action = actions[r.number%len(actions)]
	}
	if r.recaptured && r.action == v1alpha1.DecisionRetry {
		anew := r
		anew.name, anew.action, anew.apt, anew.recaptured = r.name+"-baseline", v1alpha1.DecisionRecapture, false, false
		anew.make(s, sr)
	}
	d := &v1alpha1.RolloutDecision{ObjectMeta: named(r.name)}
	if s.api.latest[kindOf(d)][client.ObjectKeyFromObject(d)] != nil {
		return
	}
	d.Spec = v1alpha1.RolloutDecisionSpec{Rollout: "crm", Site: sr.Spec.Site, Action: r.action, DecidedBy: r.by, Reason: "somebody had to decide",
		Phase: cmp.Or(r.elsewhere, sr.Status.CurrentPhase, "prepare")}
	if r.wave && sr.Spec.Wave != "" && r.action != v1alpha1.DecisionApprove {
		d.Spec.Site, d.Spec.Wave = "", sr.Spec.Wave
	}
	attempt := r.off
	if record := recordOf(sr, d.Spec.Phase); record != nil {
		attempt += record.Attempt
	}
	if r.expires > 0 {
		d.Spec.ExpiresAt = &metav1.Time{Time: s.clock.Now().Add(r.expires).Truncate(time.Second)}
	}
	d.Spec.Attempt = &attempt
	r.specify(sr, &d.Spec)
	if attempt < 0 || (attempt == 0 && !slices.Contains([]v1alpha1.DecisionAction{v1alpha1.DecisionApprove, v1alpha1.DecisionWaive, v1alpha1.DecisionSkip}, r.action)) {
		return
	}
	must(s.api.Create(context.Background(), d))
}

// specify says what an action needs besides.
func (r ruling) specify(sr *v1alpha1.SiteRollout, spec *v1alpha1.RolloutDecisionSpec) {
	gate := sr.Status.Gate
	if gate == nil {
		gate = &v1alpha1.GateReport{Name: gateNames[r.number%len(gateNames)]}
	}
	switch r.action {
	case v1alpha1.DecisionRecapture:
		spec.KPI = r.kpi
	case v1alpha1.DecisionApprove:
		spec.Gate, spec.Role, spec.GateDigest = gate.Name, r.role, gate.Digest
		if r.unseen || gate.Digest == "" {
			spec.GateDigest = "0123456789abcdef"
		}
	case v1alpha1.DecisionWaive, v1alpha1.DecisionReject:
		spec.Gate, spec.Role = gate.Name, r.role
	}
}
