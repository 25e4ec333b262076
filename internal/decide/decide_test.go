package decide_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/decide"
)

var monday = time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return monday.Add(time.Duration(minutes) * time.Minute) }

func stamp(minutes int) *metav1.Time {
	t := metav1.NewTime(at(minutes))
	return &t
}

const digest = "00000000000000000000000000000000ffffffffffffffffffffffffffffffff"

// site is lyon in attempt 2 of phase migrate, which began at minute 10, asked at minute 60. It stands at the exit gate clean, which needs nobody's approval.
func site(changes ...func(*decide.Site)) decide.Site {
	s := decide.Site{
		Rollout: "crm", Name: "lyon", Wave: "region", JoinedAt: at(0), Policy: decide.Policy{Since: at(-60)}, Now: at(60),
		Status: v1alpha1.SiteRolloutStatus{State: v1alpha1.SiteProving, CurrentPhase: "migrate", Phases: []v1alpha1.PhaseRecord{
			{Name: "prepare", Attempt: 1, StartedAt: *stamp(0), PassedAt: stamp(5)},
			{Name: "migrate", Attempt: 2, StartedAt: *stamp(10), Baselines: []v1alpha1.Baseline{{KPI: "cycle"}}},
		}},
		Gate: &v1alpha1.GateReport{Name: "clean", Role: v1alpha1.GateRoleExit, Verdict: v1alpha1.VerdictPass},
	}
	for _, change := range changes {
		change(&s)
	}
	return s
}

// failed makes the attempt fail at minute 30.
func failed(s *decide.Site) {
	s.Status.State, s.Status.Phases[1].FailedAt = v1alpha1.SiteHeld, stamp(30)
}

// rolledBack makes the attempt fail at minute 30, and be rolled back at minute 40.
func rolledBack(s *decide.Site) {
	failed(s)
	s.Status.State, s.Status.Phases[1].RolledBackAt, s.Gate = v1alpha1.SiteRolledBack, stamp(40), nil
}

// waiting brings the site in front of the phase for the first time, at entry gate ready.
func waiting(s *decide.Site) {
	s.Status.State, s.Status.Phases = v1alpha1.SiteWaiting, s.Status.Phases[:1]
	s.Gate = &v1alpha1.GateReport{Name: "ready", Role: v1alpha1.GateRoleEntry, Verdict: v1alpha1.VerdictWait}
}

// reopened lets the site pass at minute 20, and a regression reopen the phase at minute 40.
func reopened(s *decide.Site) {
	s.Status.State, s.Status.Phases[1].FirstPassedAt, s.Status.Phases[1].ReopenedAt = v1alpha1.SiteWaiting, stamp(20), stamp(40)
	s.Gate = &v1alpha1.GateReport{Name: "clean", Role: v1alpha1.GateRoleEntry}
}

func passed(s *decide.Site) {
	s.Status.Phases[1].PassedAt, s.Status.CurrentPhase, s.Status.State, s.Gate = stamp(50), "golive", v1alpha1.SiteWaiting, nil
}

// decision is ada's about lyon in attempt 2 of phase migrate, made at minute 45.
func decision(action v1alpha1.DecisionAction, changes ...func(*v1alpha1.RolloutDecision)) *v1alpha1.RolloutDecision {
	attempt := int32(2)
	d := &v1alpha1.RolloutDecision{Spec: v1alpha1.RolloutDecisionSpec{Rollout: "crm", Site: "lyon", Phase: "migrate", Attempt: &attempt, Action: action, DecidedBy: "ada", Reason: "because"}}
	d.Name, d.CreationTimestamp = "d", *stamp(45)
	switch action {
	case v1alpha1.DecisionWaive, v1alpha1.DecisionReject, v1alpha1.DecisionApprove:
		d.Spec.Gate, d.Spec.Role = "clean", "sponsor"
	case v1alpha1.DecisionRecapture:
		d.Spec.KPI = "cycle"
	}
	for _, change := range changes {
		change(d)
	}
	return d
}

func attempt(n int32) func(*v1alpha1.RolloutDecision) {
	return func(d *v1alpha1.RolloutDecision) { d.Spec.Attempt = &n }
}

func made(minutes int) func(*v1alpha1.RolloutDecision) {
	return func(d *v1alpha1.RolloutDecision) { d.CreationTimestamp = *stamp(minutes) }
}

func expires(minutes int) func(*v1alpha1.RolloutDecision) {
	return func(d *v1alpha1.RolloutDecision) { d.Spec.ExpiresAt = stamp(minutes) }
}

func ofGate(gate string) func(*v1alpha1.RolloutDecision) {
	return func(d *v1alpha1.RolloutDecision) { d.Spec.Gate = gate }
}

func inPhase(phase string) func(*v1alpha1.RolloutDecision) {
	return func(d *v1alpha1.RolloutDecision) { d.Spec.Phase = phase }
}

func ofWave(d *v1alpha1.RolloutDecision) { d.Spec.Site, d.Spec.Wave = "", "region" }

// told is a transition that rests on the decision.
func told(reason string, attempt int32, action v1alpha1.DecisionAction, role string) func(*decide.Site) {
	return func(s *decide.Site) {
		s.Status.Transitions = append(s.Status.Transitions, v1alpha1.Transition{Sequence: 7, Time: *stamp(50), Phase: "migrate", Attempt: attempt, Reason: reason,
			Deciders: []v1alpha1.Decider{{Decision: "d", By: "ada", Action: action, Role: role}}})
	}
}

const (
	approve   = v1alpha1.DecisionApprove
	reject    = v1alpha1.DecisionReject
	waive     = v1alpha1.DecisionWaive
	retry     = v1alpha1.DecisionRetry
	rollBack  = v1alpha1.DecisionRollBack
	skip      = v1alpha1.DecisionSkip
	recapture = v1alpha1.DecisionRecapture
)

func TestWhatBecomesOfADecision(t *testing.T) {
	missing := func(s *decide.Site) { s.Policy = decide.Policy{Problem: "there is none"} }
	for name, test := range map[string]struct {
		site    []func(*decide.Site)
		about   *v1alpha1.RolloutDecision
		reason  string
		counts  bool
		final   bool
		message string
	}{
		"a skip in a phase that runs":      {about: decision(skip), reason: "Counted", counts: true, message: "site lyon goes on without phase migrate"},
		"a skip in front of the phase":     {site: sites(waiting), about: decision(skip, attempt(0)), reason: "Counted", counts: true},
		"a skip of a failed attempt":       {site: sites(failed), about: decision(skip), reason: "Counted", counts: true},
		"a skip of what was rolled back":   {site: sites(rolledBack), about: decision(skip), reason: "Counted", counts: true},
		"a skip of the wrong attempt":      {about: decision(skip, attempt(0)), reason: "OtherAttempt", final: true, message: "it is at attempt 2 of phase migrate"},
		"an attempt that is over":          {about: decision(rollBack, attempt(1)), reason: "OtherAttempt", final: true, message: "site lyon has gone on"},
		"an attempt that has not begun":    {about: decision(rollBack, attempt(3)), reason: "Pending", message: "attempt 3 has not begun"},
		"an attempt before the first":      {site: sites(waiting), about: decision(rollBack, attempt(1)), reason: "Pending", message: "attempt 1 has not begun"},
		"a phase that has passed":          {site: sites(passed), about: decision(rollBack), reason: "OtherAttempt", final: true, message: "phase migrate was over at 2026-03-02T08:50:00Z"},
		"a later attempt of a passed one":  {site: sites(passed), about: decision(rollBack, attempt(3)), reason: "Pending", message: "site lyon is at phase golive"},
		"a phase that has not come":        {about: decision(skip, inPhase("golive"), attempt(0)), reason: "Pending", message: "site lyon is at phase migrate, not at phase golive"},
		"a site that has passed all":       {site: sites(func(s *decide.Site) { s.Status.CurrentPhase = "" }), about: decision(skip, inPhase("golive"), attempt(0)), reason: "Pending", message: "site lyon is not at phase golive"},
		"a roll-back":                      {about: decision(rollBack), reason: "Counted", counts: true},
		"a roll-back of a failed attempt":  {site: sites(failed), about: decision(rollBack), reason: "Counted", counts: true},
		"a roll-back twice":                {site: sites(rolledBack), about: decision(rollBack), reason: "NotNeeded", message: "attempt 2 of site lyon at phase migrate was rolled back at 2026-03-02T08:40:00Z"},
		"a roll-back before the phase":     {site: sites(waiting), about: decision(rollBack, attempt(0)), reason: "NotNeeded", message: "no attempt"},
		"a retry of what runs":             {about: decision(retry), reason: "NotNeeded", message: "has not failed"},
		"a retry of a failed attempt":      {site: sites(failed), about: decision(retry), reason: "Counted", counts: true},
		"a retry in the same second":       {site: sites(failed), about: decision(retry, made(30)), reason: "Counted", counts: true},
		"a retry from before the failure":  {site: sites(failed), about: decision(retry, made(29)), reason: "NotNeeded", final: true, message: "it was made at 2026-03-02T08:29:00Z, and attempt 2 of site lyon at phase migrate failed at 2026-03-02T08:30:00Z after that"},
		"a retry after a roll-back":        {site: sites(rolledBack), about: decision(retry), reason: "Counted", counts: true},
		"a retry before the roll-back":     {site: sites(rolledBack), about: decision(retry, made(35)), reason: "NotNeeded", final: true},
		"a retry while the site waits":     {site: sites(rolledBack, func(s *decide.Site) { s.Status.State = v1alpha1.SiteWaiting }), about: decision(retry), reason: "NotNeeded", message: "waits to begin phase migrate again already"},
		"a retry before the phase":         {site: sites(waiting), about: decision(retry, attempt(0)), reason: "NotNeeded", message: "no attempt"},
		"a waiver of an exit gate":         {about: decision(waive), reason: "Counted", counts: true, message: "when the soak is over"},
		"a waiver of an entry gate":        {site: sites(waiting), about: decision(waive, attempt(0), ofGate("ready")), reason: "Counted", counts: true},
		"a waiver of another gate":         {about: decision(waive, ofGate("ready")), reason: "NotNeeded", message: "site lyon stands at gate clean of phase migrate, and the decision is about gate ready"},
		"a waiver where no gate is":        {site: sites(func(s *decide.Site) { s.Gate = nil }), about: decision(waive), reason: "Pending", message: "stands at no gate"},
		"a waiver of a failed attempt":     {site: sites(failed), about: decision(waive), reason: "Counted", counts: true},
		"a waiver from before the failure": {site: sites(failed), about: decision(waive, made(20)), reason: "NotNeeded", final: true, message: "make another one if you still mean it"},
		"a waiver after a roll-back":       {site: sites(failed, func(s *decide.Site) { s.Status.Phases[1].RolledBackAt = stamp(40) }), about: decision(waive), reason: "NotNeeded", message: "a Retry lets it begin again"},
		"a waiver in front of a retry": {site: sites(rolledBack, func(s *decide.Site) {
			s.Gate = &v1alpha1.GateReport{Name: "clean", Role: v1alpha1.GateRoleEntry}
		}), about: decision(waive), reason: "Counted", counts: true},
		"a skip of a reopened phase":                 {site: sites(reopened), about: decision(skip), reason: "Counted", counts: true},
		"a skip from before it was reopened":         {site: sites(reopened), about: decision(skip, made(39)), reason: "OtherAttempt", final: true, message: "phase migrate was over, and was reopened at 2026-03-02T08:40:00Z"},
		"a waiver in front of a reopened phase":      {site: sites(reopened), about: decision(waive), reason: "Counted", counts: true},
		"a retry of a reopened phase":                {site: sites(reopened), about: decision(retry), reason: "NotNeeded", message: "waits to begin phase migrate again already"},
		"a roll-back of a reopened phase":            {site: sites(reopened), about: decision(rollBack), reason: "NotNeeded", message: "was over before the phase was reopened"},
		"a rejection of a reopened phase":            {site: sites(reopened), about: decision(reject), reason: "NotNeeded"},
		"a recapture for a reopened phase":           {site: sites(reopened), about: decision(recapture), reason: "Counted", counts: true},
		"a rejection":                                {about: decision(reject), reason: "Counted", counts: true},
		"a rejection of another gate":                {about: decision(reject, ofGate("other")), reason: "NotNeeded"},
		"a rejection of a failed attempt":            {site: sites(failed), about: decision(reject), reason: "NotNeeded", message: "failed at"},
		"a rejection of what was rolled back":        {site: sites(failed, func(s *decide.Site) { s.Status.Phases[1].RolledBackAt = stamp(40) }), about: decision(reject), reason: "NotNeeded", message: "rolled back"},
		"a rejection in front of the phase":          {site: sites(waiting), about: decision(reject, attempt(0), ofGate("ready")), reason: "NotNeeded", message: "no attempt"},
		"a recapture":                                {about: decision(recapture), reason: "Counted", counts: true, message: "takes its baseline of KPI cycle anew"},
		"a recapture of nothing":                     {about: decision(recapture, func(d *v1alpha1.RolloutDecision) { d.Spec.KPI = "other" }), reason: "NotNeeded", message: "has no baseline of KPI other"},
		"a recapture before the phase":               {site: sites(waiting), about: decision(recapture, attempt(0)), reason: "NotNeeded"},
		"one that has not expired":                   {about: decision(skip, expires(61)), reason: "Counted", counts: true},
		"one that expires now":                       {about: decision(skip, expires(60)), reason: "Expired", final: true, message: "it expired at 2026-03-02T09:00:00Z, before it had an effect"},
		"one that expired before its time":           {about: decision(skip, attempt(3), expires(50)), reason: "Expired", final: true},
		"one that expired after its time":            {about: decision(skip, attempt(1), expires(50)), reason: "OtherAttempt", final: true},
		"no policy":                                  {site: sites(missing), about: decision(skip), reason: "PolicyMissing", message: "there is none"},
		"no policy, before its time":                 {site: sites(missing), about: decision(skip, attempt(3)), reason: "PolicyMissing"},
		"no policy, after its time":                  {site: sites(missing), about: decision(skip, attempt(1)), reason: "OtherAttempt", final: true},
		"one from before the policy":                 {site: sites(func(s *decide.Site) { s.Policy.Since = at(45) }), about: decision(skip), reason: "PolicyMissing", final: true, message: "it was made before the admission policy worked, at 2026-03-02T08:45:10Z"},
		"a wave":                                     {about: decision(skip, ofWave), reason: "Counted", counts: true},
		"a wave that the site came into later":       {site: sites(func(s *decide.Site) { s.JoinedAt = at(46) }), about: decision(skip, ofWave), reason: "NotNeeded", final: true, message: "site lyon joined the rollout at 2026-03-02T08:46:00Z"},
		"a site that joined later":                   {site: sites(func(s *decide.Site) { s.JoinedAt = at(46) }), about: decision(skip), reason: "Counted", counts: true},
		"one that was followed":                      {site: sites(passed, told("PhaseSkipped", 2, skip, "")), about: decision(skip), reason: "Applied", final: true, message: "transition 7 of site lyon, at 2026-03-02T08:50:00Z, rests on it: PhaseSkipped"},
		"one that was followed and expired":          {site: sites(passed, told("PhaseSkipped", 2, skip, "")), about: decision(skip, expires(55)), reason: "Applied", final: true},
		"a retry that was followed":                  {site: sites(told("AttemptStarted", 2, retry, "")), about: decision(retry, attempt(1)), reason: "Applied", final: true},
		"an entry that was waived":                   {site: sites(told("PhaseStarted", 1, waive, "sponsor")), about: decision(waive, attempt(0)), reason: "Applied", final: true},
		"another one of the name of one":             {site: sites(told("AttemptStarted", 2, retry, "")), about: decision(retry, attempt(2)), reason: "NotNeeded"},
		"another person's of the name of one":        {site: sites(passed, told("PhaseSkipped", 2, skip, "")), about: decision(skip, func(d *v1alpha1.RolloutDecision) { d.Spec.DecidedBy = "eve" }), reason: "OtherAttempt", final: true},
		"an action that this operator does not know": {about: decision("Promote"), reason: "NotNeeded", message: "does not know the action Promote"},
	} {
		t.Run(name, func(t *testing.T) {
			got := site(test.site...).Fate(test.about)
			status := map[string]metav1.ConditionStatus{"Counted": "True", "Applied": "True", "Pending": "Unknown", "PolicyMissing": "Unknown"}[test.reason]
			if status == "" || (test.reason == "PolicyMissing" && test.final) {
				status = metav1.ConditionFalse
			}
			want := decide.Fate{Status: status, Reason: test.reason, Message: got.Message, Counts: test.counts, Final: test.final}
			if diff := cmp.Diff(want, got, cmp.Exporter(unexported)); diff != "" || !strings.Contains(got.Message, test.message) {
				t.Errorf("the message must contain %q (-want +got):\n%s", test.message, diff)
			}
			if acts := site(test.site...).First([]*v1alpha1.RolloutDecision{test.about}, test.about.Spec.Action) != nil; acts != test.counts {
				t.Errorf("the rules let it have an effect: %t, and its status says: %t", acts, test.counts)
			}
		})
	}
}

func sites(changes ...func(*decide.Site)) []func(*decide.Site) { return changes }

func TestTheFirstDecisionThatCountsHasItsEffect(t *testing.T) {
	named := func(name string) func(*v1alpha1.RolloutDecision) {
		return func(d *v1alpha1.RolloutDecision) { d.Name = name }
	}
	elsewhere := func(d *v1alpha1.RolloutDecision) { d.Spec.Site = "nice" }
	other := func(d *v1alpha1.RolloutDecision) { d.Spec.Rollout = "erp" }
	all := []*v1alpha1.RolloutDecision{
		decision(skip, named("late"), made(47)), decision(rollBack, named("b"), made(46)), decision(skip, named("a"), made(46)),
		decision(skip, named("expired"), made(45), expires(50)), decision(skip, named("nice"), elsewhere, made(44)), decision(skip, named("erp"), other, made(44)),
		decision(skip, named("wave"), ofWave, func(d *v1alpha1.RolloutDecision) { d.Spec.Wave = "pilot" }, made(44)),
	}
	decide.Order(all)
	for name, test := range map[string]struct {
		actions []v1alpha1.DecisionAction
		want    string
	}{
		"by time, then by name":            {[]v1alpha1.DecisionAction{skip, rollBack}, "a"},
		"of one action":                    {[]v1alpha1.DecisionAction{rollBack}, "b"},
		"of an action that nobody decided": {[]v1alpha1.DecisionAction{retry}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if first := site().First(all, test.actions...); first != nil {
				got = first.Name
			}
			if got != test.want {
				t.Errorf("the first is %q, want %q", got, test.want)
			}
		})
	}
}

func TestBaselinesAreRecapturedOncePerKPI(t *testing.T) {
	first, second, other := decision(recapture, made(44)), decision(recapture), decision(recapture, func(d *v1alpha1.RolloutDecision) { d.Spec.KPI = "other" })
	got := site().Recaptured([]*v1alpha1.RolloutDecision{decision(skip, made(43)), first, second, other})
	if len(got) != 1 || got["cycle"] != first {
		t.Errorf("recaptured %v", got)
	}
}

func TestTheFatesAtAWaveInOne(t *testing.T) {
	pending, counted := decide.Fate{Status: "Unknown", Reason: "Pending", Message: "not there"}, decide.Fate{Status: "True", Reason: "Counted", Message: "it counts", Counts: true}
	applied := decide.Fate{Status: "True", Reason: "Applied", Message: "it did", Final: true}
	over := decide.Fate{Status: "False", Reason: "OtherAttempt", Message: "gone on", Final: true}
	for name, test := range map[string]struct {
		fates []decide.Fate
		want  decide.Fate
	}{
		"no sites":           {nil, decide.Fate{Status: "Unknown", Reason: "Pending", Message: "wave region has no sites"}},
		"none is there":      {[]decide.Fate{pending, pending}, decide.Fate{Status: "Unknown", Reason: "Pending", Message: "of 2 sites of wave region: Pending at 2; not there"}},
		"some had it":        {[]decide.Fate{pending, applied, over}, decide.Fate{Status: "True", Reason: "Counted", Message: "of 3 sites of wave region: Applied at 1, Pending at 1, OtherAttempt at 1"}},
		"it counts for some": {[]decide.Fate{over, counted}, decide.Fate{Status: "True", Reason: "Counted", Message: "of 2 sites of wave region: Counted at 1, OtherAttempt at 1"}},
		"all had it":         {[]decide.Fate{applied, applied}, decide.Fate{Status: "True", Reason: "Applied", Message: "of 2 sites of wave region: Applied at 2", Final: true}},
		"all have gone on":   {[]decide.Fate{over, over}, decide.Fate{Status: "False", Reason: "OtherAttempt", Message: "of 2 sites of wave region: OtherAttempt at 2; gone on", Final: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, decide.Together("region", test.fates), cmp.Exporter(unexported)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
