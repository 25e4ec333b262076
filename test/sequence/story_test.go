package sequence

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// story is the transcript of a simulation: what people did, what happened to sites, and what the operator said about rollouts and KPIs.
type story struct{ lines []string }

// String returns the whole transcript.
func (s *story) String() string { return strings.Join(s.lines, "\n") + "\n" }

func (s *story) tell(at time.Time, who, wave, phase, what string) {
	for _, column := range []*string{&wave, &phase} {
		if *column == "" {
			*column = "-"
		}
	}
	s.lines = append(s.lines, fmt.Sprintf("%s  %-10s %-7s %-8s %s", at.Format("15:04:05"), who, wave, phase, what))
}

func (s *story) people(at time.Time, what string) {
	s.lines = append(s.lines, fmt.Sprintf("%s  ** %s", at.Format("15:04:05"), what))
}

// event tells what the operator said. Events of sites only repeat their transitions.
func (s *story) event(at time.Time, about client.Object, reason, note string) {
	if _, ok := about.(*v1alpha1.SiteRollout); !ok {
		s.tell(at, about.GetName(), "", "", reason+": "+note)
	}
}

// change tells what happened to a site.
func (s *story) change(at time.Time, c change) {
	sr, ok := c.object().(*v1alpha1.SiteRollout)
	if !ok {
		s.answer(at, c)
		return
	}
	tell := func(phase, what string) { s.tell(at, sr.Spec.Site, sr.Spec.Wave, phase, what) }
	if c.now == nil {
		tell("", "leaves the rollout")
		return
	}
	before := &v1alpha1.SiteRollout{}
	if c.old != nil {
		before = c.old.(*v1alpha1.SiteRollout)
	}
	switch {
	case c.old == nil:
		tell("", "joins the rollout")
	case before.Spec.Wave != sr.Spec.Wave:
		tell("", fmt.Sprintf("moves from wave %q to wave %q", before.Spec.Wave, sr.Spec.Wave))
	}
	if was, is := before.Spec.Rank, sr.Spec.Rank; is != nil && (was == nil || *was != *is) {
		tell("", fmt.Sprintf("is ranked %d", *is))
	}
	switch {
	case before.Spec.AdmittedAttempt != sr.Spec.AdmittedAttempt && sr.Spec.AdmittedAttempt > 1:
		tell(sr.Spec.AdmittedThrough, fmt.Sprintf("is admitted to attempt %d", sr.Spec.AdmittedAttempt))
	case before.Spec.AdmittedThrough != sr.Spec.AdmittedThrough:
		tell(sr.Spec.AdmittedThrough, "is admitted")
	}
	seen := int64(0)
	if n := len(before.Status.Transitions); n > 0 {
		seen = before.Status.Transitions[n-1].Sequence
	}
	for _, t := range sr.Status.Transitions {
		if t.Sequence > seen {
			tell(t.Phase, fmt.Sprintf("%s -> %s  %s: %s", t.From, t.To, t.Reason, t.Message))
		}
	}
	if standing(before.Status) != standing(sr.Status) && !repeats(sr.Status) {
		tell(sr.Status.CurrentPhase, fmt.Sprintf("%s  %s: %s", sr.Status.State, sr.Status.Reason, sr.Status.Message))
	}
}

// answer tells that a request was answered, and what became of a decision.
func (s *story) answer(at time.Time, c change) {
	if d, ok := c.now.(*v1alpha1.RolloutDecision); ok && c.old != nil && effect(d) != effect(c.old.(*v1alpha1.RolloutDecision)) {
		s.tell(at, d.Name, "", "", effect(d)+": "+meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ConditionEffective).Message)
	}
	handled := func(o client.Object) string {
		switch about := o.(type) {
		case *v1alpha1.KPI:
			return about.Status.LastHandledReconcileAt
		case *v1alpha1.CRMRollout:
			return about.Status.LastHandledReconcileAt
		}
		return ""
	}
	if c.old != nil && c.now != nil && handled(c.old) != handled(c.now) {
		s.tell(at, c.now.GetName(), "", "", "request "+handled(c.now)+" is handled")
	}
}

// standing is where a site stands, without numbers: state, reason, and what is known of each criterion.
func standing(s v1alpha1.SiteRolloutStatus) string {
	text := string(s.State) + s.Reason
	if s.Gate != nil {
		for _, c := range s.Gate.Criteria {
			text += c.Name + c.Reason + stamp(c.MetSince)
		}
	}
	return text
}

// repeats reports whether where a site stands says no more than its last transition.
func repeats(s v1alpha1.SiteRolloutStatus) bool {
	n := len(s.Transitions)
	return n > 0 && s.Transitions[n-1].Reason == s.Reason && s.Transitions[n-1].Message == s.Message
}

func stamp(t *metav1.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
