package sequence

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// judge knows what must never happen, and looks at every write for it.
type judge struct {
	broken []string
	// judged counts the writes.
	judged int
}

// scene is what the judge sees: the truth of the API server and of the source, and what the reconcile that writes has read.
type scene struct {
	turn *turn
	now  time.Time
	// drift is how far two clocks may differ.
	drift time.Duration
	log   []reading
	api   *api
	// rollout as it is on the API server; nil when there is none.
	rollout *v1alpha1.CRMRollout
	// siteRollouts as they are on the API server, after the write.
	siteRollouts []*v1alpha1.SiteRollout
	// hours of the calendars of the scenario.
	hours hours
	// pinned is the frozen plan that is looked at; nil for the objects that the reconcile has read.
	pinned *frozenPlan
}

// step is a write to a SiteRollout by the operator.
type step struct {
	scene
	// before is nil when the object was created, after is nil when it was deleted.
	before, after *v1alpha1.SiteRollout
}

// invariants return what is broken, or nothing.
var invariants = map[string]func(step) string{
	"phases are started in the order of the plan":         inOrder,
	"a phase starts after the one before it has passed":   passedBeforeNext,
	"what is recorded never changes":                      recordsStay,
	"transitions are told once, in order and for good":    storyStays,
	"the state agrees with the records":                   stateAgrees,
	"a site starts only the phase that it is admitted to": startsAdmitted,
	"maxConcurrent":                               withinLimits,
	"no site begins before its wave":              afterBarrier,
	"no site begins beyond maxFailures":           withinFailures,
	"nothing past a wave's through":               notPastWavesThrough,
	"no wave picks more than it may":              withinPick,
	"a ranking stays once a site has begun by it": rankingStays,
	"no site begins before its wave is ranked":    rankedFirst,
	"nothing past through":                        notPastThrough,
	"nothing while suspended":                     notSuspended,
	"nothing while a calendar is closed":          closedCalendar,
	"nothing while the plan is invalid":           validPlan,
	"a phase soaks":                               soaked,
	"a gate passes on proof only":                 provedGates,
	"a site that has begun stays":                 begunStays,

	"an attempt is judged by the plan that it began with": judgedByItsPlan,

	"no phase starts while a failure aborts the rollout":              notAborted,
	"a site that is rolled back begins only by a decision":            staysOut,
	"an attempt anew after a way out needs an admission of its own":   admittedAnew,
	"a site regresses, and recovers, on proof only":                   regressesOnProof,
	"the record of every site verifies":                               chained,
	"a frozen baseline never changes":                                 frozenStays,
	"a phase starts with all its baselines":                           baselined,
	"attempts are counted one by one, and follow failures":            attemptsCount,
	"a passed attempt has not failed, and its evidence is its own":    ownEvidence,
	"no gate passes on a guardrail that is broken or unknown":         guardsKept,
	"an attempt fails on proof only":                                  failsOnProof,
	"another attempt begins when all guardrails are known to be kept": retriesWhenKept,

	"what only a person can decide was decided":                              decidedSo,
	"a decision counts for the site, the attempt and the time that it names": rightlyRead,
	"a decision has its effect once":                                         onlyOnce,
	"a gate that asks for approvals passes with all of them":                 approved,
	"an approval that does not count never will":                             approvalsStay,
}

// change judges one change. People may do what they like.
func (j *judge) change(at scene, c change) {
	sr, ok := c.object().(*v1alpha1.SiteRollout)
	if !ok || at.turn == nil {
		return
	}
	j.judged++
	s := step{scene: at}
	if c.old != nil {
		s.before = c.old.(*v1alpha1.SiteRollout)
	}
	if c.now != nil {
		s.after = sr
	}
	for name, check := range invariants {
		if problem := check(s); problem != "" {
			j.broken = append(j.broken, fmt.Sprintf("%s %s: %s: %s (%s)", at.now.Format("15:04:05"), sr.Spec.Site, name, problem, at.turn.request))
		}
	}
	slices.Sort(j.broken)
}

// records returns the phases of a SiteRollout that may not exist.
func records(sr *v1alpha1.SiteRollout) []v1alpha1.PhaseRecord {
	if sr == nil {
		return nil
	}
	return sr.Status.Phases
}

// phases are the names of the phases of the plan that the reconcile has read.
func (s step) phases() []string {
	var names []string
	for _, p := range s.turn.rollout.Spec.Phases {
		names = append(names, p.Name)
	}
	return names
}

func (s step) indexOf(phase string) int { return slices.Index(s.phases(), phase) }

// started returns the phase that the write starts, or "". One that is skipped before the site has begun it is recorded without an attempt, and is not started.
func (s step) started() string {
	if now := records(s.after); len(now) > len(records(s.before)) && now[len(now)-1].Attempt > 0 {
		return now[len(now)-1].Name
	}
	return ""
}

// passed returns the record of the phase that the write passes, or nil.
func (s step) passed() *v1alpha1.PhaseRecord {
	now, was := records(s.after), records(s.before)
	for i := range now {
		if now[i].PassedAt != nil && (i >= len(was) || was[i].PassedAt == nil) {
			return &now[i]
		}
	}
	return nil
}

// admitted returns the phase that the write admits the site to, or "".
func (s step) admitted() string {
	switch {
	case s.after == nil, s.before != nil && s.before.Spec.AdmittedThrough == s.after.Spec.AdmittedThrough && s.before.Spec.AdmittedAttempt == s.after.Spec.AdmittedAttempt:
		return ""
	}
	return s.after.Spec.AdmittedThrough
}

// inOrder holds a phase that starts to the plan that the reconcile has read: it must be the first that the site has not passed.
func inOrder(s step) string {
	started := s.started()
	if started == "" {
		return ""
	}
	all := records(s.after)
	without := &v1alpha1.SiteRollout{Status: v1alpha1.SiteRolloutStatus{Phases: all[:len(all)-1]}}
	if next := firstLeft(s.listed(all[len(all)-1].Revision), without); next != started || isIn(without) {
		return fmt.Sprintf("%s begins, %s comes next", started, next)
	}
	return ""
}

// next returns the phase that a site is in, or else the first one that it has not passed of those by which it goes on, or "".
func (s step) next(sr *v1alpha1.SiteRollout) string {
	for _, r := range records(sr) {
		if runs(r) {
			return r.Name
		}
	}
	return firstLeft(s.own(sr), sr)
}

// recordOf returns what is recorded of a phase, or nil.
func recordOf(sr *v1alpha1.SiteRollout, phase string) *v1alpha1.PhaseRecord {
	all := records(sr)
	if i := slices.IndexFunc(all, func(r v1alpha1.PhaseRecord) bool { return r.Name == phase }); i >= 0 {
		return &all[i]
	}
	return nil
}

// passedBeforeNext looks at a phase that starts: the site must have passed each one that comes before it in the plan by then, and be in no other. Clocks may differ.
func passedBeforeNext(s step) string {
	phase := s.started()
	if phase == "" {
		return ""
	}
	started := recordOf(s.after, phase)
	begun, list := started.StartedAt, s.listed(started.Revision)
	for i, earlier := range list {
		r := recordOf(s.after, earlier)
		switch {
		case earlier == phase, i > slices.Index(list, phase) && (r == nil || !runs(*r)): // it may have been rolled back out of a later one
		case r == nil || r.PassedAt == nil || r.PassedAt.Sub(begun.Time) > s.drift:
			return fmt.Sprintf("%s started at %s, %s has not been passed by then", phase, stamp(&begun), earlier)
		}
	}
	return ""
}

func recordsStay(s step) string {
	if s.after == nil {
		return ""
	}
	now := records(s.after)
	for i, r := range records(s.before) {
		switch {
		case i >= len(now):
			return r.Name + " is lost"
		case r.PassedAt != nil && now[i].ReopenedAt != nil && equality.Semantic.DeepEqual(reopened(r, now[i].ReopenedAt), now[i]) && s.reopens(r.Name):
		case r.PassedAt != nil && !equality.Semantic.DeepEqual(r, now[i]):
			return r.Name + " had passed"
		case r.Name != now[i].Name || (r.Attempt == now[i].Attempt && !r.StartedAt.Equal(&now[i].StartedAt)):
			return r.Name + " had started"
		case r.FirstStartedAt != nil && !r.FirstStartedAt.Equal(now[i].FirstStartedAt):
			return r.Name + " had started for the first time"
		}
	}
	return ""
}

// reopened is what becomes of a record when a regression reopens its phase.
func reopened(r v1alpha1.PhaseRecord, at *metav1.Time) v1alpha1.PhaseRecord {
	if r.FirstPassedAt == nil {
		r.FirstPassedAt = r.PassedAt
	}
	r.PassedAt, r.Outcome, r.Evidence, r.ReopenedAt = nil, "", nil, at
	r.FailedAt, r.Failure = nil, ""
	return r
}

// reopens reports whether the write tells that a regression reopens a phase.
func (s step) reopens(phase string) bool {
	return slices.ContainsFunc(s.told(), func(t v1alpha1.Transition) bool {
		return t.Reason == v1alpha1.ReasonPhaseReopened && t.From == v1alpha1.SiteRegressed && t.Phase == phase
	})
}

// told returns the transitions that the write adds.
func (s step) told() []v1alpha1.Transition {
	seen := int64(0)
	if s.before != nil {
		for _, t := range s.before.Status.Transitions {
			seen = t.Sequence
		}
	}
	var added []v1alpha1.Transition
	for _, t := range s.after.Status.Transitions {
		if t.Sequence > seen {
			added = append(added, t)
		}
	}
	return added
}

func storyStays(s step) string {
	if s.after == nil {
		return ""
	}
	now := s.after.Status.Transitions
	if problem := s.kept(); problem != "" {
		return problem
	}
	starts, passes, again, before := 0, 0, 0, map[string]bool{}
	from, folded := v1alpha1.SitePending, int64(0)
	if checkpoint := s.after.Status.Checkpoint; checkpoint != nil && len(now) > 0 {
		from, folded = now[0].From, checkpoint.Sequence
	}
	for i, t := range now {
		if t.Sequence != folded+int64(i+1) || t.From != from {
			return fmt.Sprintf("transition %d comes from %s", t.Sequence, t.From)
		}
		from = t.To
		switch t.Reason {
		case v1alpha1.ReasonPhaseStarted:
			starts++
		case v1alpha1.ReasonPhasePassed, v1alpha1.ReasonPhaseWaived, v1alpha1.ReasonPhaseSkipped:
			passes++
			if t.Attempt == 0 {
				before[t.Phase] = true // the site had not begun it, maybe not when it skipped what was reopened either
			}
		case v1alpha1.ReasonPhaseReopened:
			if t.From == v1alpha1.SiteRegressed {
				passes--
			}
		case v1alpha1.ReasonAttemptStarted:
			again++
		}
	}
	if folded > 0 {
		return "" // not every start and pass is kept
	}
	attempts, passed := 0, 0
	for _, r := range records(s.after) {
		attempts += int(r.Attempt)
		if r.PassedAt != nil {
			passed++
		}
	}
	if count := len(records(s.after)); starts+len(before) != count || passes != passed || starts+again != attempts {
		return fmt.Sprintf("%d starts, %d more attempts and %d passes are told of %d phases, %d of them passed, with %d attempts", starts, again, passes, count, passed, attempts)
	}
	return ""
}

func stateAgrees(s step) string {
	if s.after == nil || s.turn.request.controller != ofMoves {
		return ""
	}
	st, next := s.after.Status, s.next(s.after)
	if st.Reason == v1alpha1.ReasonPlanInvalid { // it stays where it is until somebody mends the plan
		return ""
	}
	known := recordOf(s.after, next)
	shown := st.State == v1alpha1.SiteProving || st.State == v1alpha1.SiteHeld
	completed := st.State == v1alpha1.SiteCompleted || st.State == v1alpha1.SiteRegressed
	if (known != nil && runs(*known)) != shown || completed != (next == "" && st.State != v1alpha1.SiteWaiting) || (st.State == v1alpha1.SiteRolledBack && (known == nil || known.RolledBackAt == nil)) {
		return fmt.Sprintf("%s with %d phases", st.State, len(st.Phases))
	}
	return ""
}

func startsAdmitted(s step) string {
	if phase := s.started(); phase != "" && (s.before == nil || s.before.Spec.AdmittedThrough != phase) {
		return phase + " was started"
	}
	return ""
}

func begunStays(s step) string {
	if s.after == nil && len(records(s.before)) > 0 {
		return "its SiteRollout was deleted"
	}
	return ""
}
