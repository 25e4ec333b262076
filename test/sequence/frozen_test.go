package sequence

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// frozenPlan is what the judge reads in a ControllerRevision.
type frozenPlan struct {
	Phases          []string                                          `json:"phases"`
	RolloutPhases   map[string]v1alpha1.RolloutPhaseSpec              `json:"rolloutPhases"`
	AcceptanceGates map[string]specified[v1alpha1.AcceptanceGateSpec] `json:"acceptanceGates"`
	KPIs            map[string]specified[v1alpha1.KPISpec]            `json:"kpis"`
}

type specified[T any] struct {
	Spec T `json:"spec"`
}

// planOf returns a frozen plan, also when it was deleted since; nil for no revision.
func (s scene) planOf(revision string) *frozenPlan {
	if revision == "" {
		return nil
	}
	found, ok := s.newest("ControllerRevision", revision).(*appsv1.ControllerRevision)
	if !ok {
		panic(fmt.Sprintf("there never was a revision %s", revision))
	}
	if s.api.frozen[revision] == nil {
		p := &frozenPlan{}
		must(json.Unmarshal(found.Data.Raw, p))
		s.api.frozen[revision] = p
	}
	return s.api.frozen[revision]
}

// by is the step with the definitions of a revision, or with those that the reconcile has read when there is none.
func (s step) by(revision string) step {
	s.pinned = s.planOf(revision)
	return s
}

// listed are the names of the phases of a revision, or of the rollout that the reconcile has read when there is none.
func (s step) listed(revision string) []string {
	if p := s.planOf(revision); p != nil {
		return p.Phases
	}
	return s.phases()
}

// own are the names of the phases by which a site goes on: those of the plan that it was told, while it is admitted by that or keeps it to the end, or else those of now.
func (s step) own(sr *v1alpha1.SiteRollout) []string {
	told := s.listed(sr.Spec.Revision)
	if s.keeps(sr) || isIn(sr) || admittedTo(sr, firstLeft(told, sr)) {
		return told
	}
	return s.phases()
}

// keeps reports whether a site keeps its plan to the end. It does not when that has a mistake in the phase that comes next, which nobody could mend.
func (s step) keeps(sr *v1alpha1.SiteRollout) bool {
	if s.turn.rollout.Spec.Adopt != v1alpha1.AdoptNewSites || len(records(sr)) == 0 {
		return false
	}
	p := s.planOf(sr.Spec.Revision)
	return p == nil || isIn(sr) || !p.flawed(firstLeft(p.Phases, sr))
}

// flawed reports whether a phase of a frozen plan cannot be started. It knows the mistakes that random rollouts make: an object that was missing, a deadline that ends before the soak, a baseline that
// no phase takes by then, or more than one, and an entry gate with guardrails.
func (p *frozenPlan) flawed(phase string) bool {
	at := slices.Index(p.Phases, phase)
	if at < 0 {
		return false
	}
	spec, found := p.RolloutPhases[phase]
	if !found || (spec.Deadline != "" && length(spec.Deadline) <= length(spec.Soak)) {
		return true
	}
	taken := map[string]int{}
	for i, name := range p.Phases[:at+1] {
		if i == at && spec.EntryGate != nil && (p.unjudgeable(spec.EntryGate.Name, taken) || len(p.AcceptanceGates[spec.EntryGate.Name].Spec.Guardrails) > 0) {
			return true
		}
		for _, b := range p.RolloutPhases[name].Baselines {
			taken[b.KPI]++
		}
	}
	for _, b := range spec.Baselines {
		if _, there := p.KPIs[b.KPI]; !there {
			return true
		}
	}
	return spec.ExitGate != nil && p.unjudgeable(spec.ExitGate.Name, taken)
}

// unjudgeable reports whether a gate, or something that it asks for, is missing.
func (p *frozenPlan) unjudgeable(gate string, taken map[string]int) bool {
	asked, found := p.AcceptanceGates[gate]
	return !found || slices.ContainsFunc(slices.Concat(asked.Spec.Criteria, asked.Spec.Guardrails), func(c v1alpha1.Criterion) bool {
		_, there := p.KPIs[c.KPI]
		return !there || (c.Against != nil && c.Against.Baseline != nil && taken[c.KPI] != 1)
	})
}

// isIn reports whether a site is in a phase.
func isIn(sr *v1alpha1.SiteRollout) bool { return slices.ContainsFunc(records(sr), runs) }

// firstLeft returns the first phase of a list that a site has not passed, or "".
func firstLeft(phases []string, sr *v1alpha1.SiteRollout) string {
	for _, phase := range phases {
		if r := recordOf(sr, phase); r == nil || r.PassedAt == nil {
			return phase
		}
	}
	return ""
}

// admittedTo reports whether a site is admitted to its next attempt at a phase.
func admittedTo(sr *v1alpha1.SiteRollout, phase string) bool {
	attempt := int32(1)
	if r := recordOf(sr, phase); r != nil {
		if attempt = r.Attempt + 1; r.ReopenedAt != nil && (sr.Spec.AdmittedAt == nil || sr.Spec.AdmittedAt.Before(r.ReopenedAt)) {
			return false
		}
	}
	return phase != "" && sr.Spec.AdmittedThrough == phase && max(1, sr.Spec.AdmittedAttempt) == attempt
}

// beyond reports whether a phase, of a list of phases, comes after another one of the rollout. One that the rollout does not have any more stands in front of what comes after it in its list.
func (s step) beyond(phase string, list []string, through string) bool {
	place := len(s.phases()) - 1
	for _, name := range list[max(0, slices.Index(list, phase)):] {
		if at := s.indexOf(name); at >= 0 {
			place = at
			break
		}
	}
	return place > s.indexOf(through)
}

// going is the list of phases by which the write starts a phase, or admits a site to one.
func (s step) going() []string {
	if s.started() != "" {
		all := records(s.after)
		return s.listed(all[len(all)-1].Revision)
	}
	return s.listed(s.after.Spec.Revision)
}

// judgedByItsPlan holds every attempt to the plan that the site was told when it began: that of an attempt never changes. A plan by which a site is admitted is there.
func judgedByItsPlan(s step) string {
	if s.after == nil {
		return ""
	}
	was := records(s.before)
	for i, r := range records(s.after) {
		switch {
		case i >= len(was) || was[i].Attempt != r.Attempt:
			lost := i < len(was) && r.Revision == was[i].Revision && !slices.Contains(s.listed(s.before.Spec.Revision), r.Name)
			if s.before != nil && r.Attempt > 0 && r.Revision != s.before.Spec.Revision && !lost {
				return fmt.Sprintf("attempt %d at %s is judged by %q, and the site was told %q", r.Attempt, r.Name, r.Revision, s.before.Spec.Revision)
			}
		case was[i].Revision != r.Revision:
			return fmt.Sprintf("attempt %d at %s was judged by %q and is by %q", r.Attempt, r.Name, was[i].Revision, r.Revision)
		}
	}
	if s.admitted() != "" && (s.after.Spec.Revision == "" || !s.there(s.after.Spec.Revision)) {
		return fmt.Sprintf("admitted by %q, which is not there", s.after.Spec.Revision)
	}
	return ""
}

// there reports whether a frozen plan exists. People do not delete any.
func (s step) there(revision string) bool {
	return revision == "" || slices.ContainsFunc(all[*appsv1.ControllerRevision](s.api), func(r *appsv1.ControllerRevision) bool { return r.Name == revision })
}

// pruned holds the operator to what it may delete of frozen plans: none that a site is judged by, or is admitted by.
func (j *judge) pruned(at scene, c change) {
	revision, ok := c.object().(*appsv1.ControllerRevision)
	switch {
	case !ok || at.turn == nil:
		return
	case c.old != nil && c.now != nil && !sameData(c.old.(*appsv1.ControllerRevision), revision):
		j.broken = append(j.broken, revision.Name+": a frozen plan changes")
	case c.now != nil:
		return
	}
	for _, sr := range at.siteRollouts {
		s := step{scene: at, before: sr, after: sr}
		if sr.Spec.Revision == revision.Name && (isIn(sr) || admittedTo(sr, firstLeft(s.planOf(revision.Name).Phases, sr))) {
			j.broken = append(j.broken, fmt.Sprintf("%s is deleted, by which %s goes on", revision.Name, sr.Spec.Site))
		}
		for _, r := range records(sr) {
			if runs(r) && r.Revision == revision.Name {
				j.broken = append(j.broken, fmt.Sprintf("%s is deleted, by which %s is judged", revision.Name, sr.Spec.Site))
			}
		}
	}
}

// sameData reports whether two frozen plans say the same, in whatever order.
func sameData(a, b *appsv1.ControllerRevision) bool {
	var one, other any
	must(json.Unmarshal(a.Data.Raw, &one))
	must(json.Unmarshal(b.Data.Raw, &other))
	return reflect.DeepEqual(one, other)
}

func spoiltPlans() []spoiling {
	const byPlan = "an attempt is judged by the plan that it began with"
	return []spoiling{
		{byPlan, "the plan of an attempt changes", func(s *step) { s.after.Status.Phases[2].Revision = "crm-now" }},
		{byPlan, "an attempt begins by another plan than the site was told", func(s *step) {
			s.before.Status.Phases, s.after.Status.Phases[2].PassedAt = s.before.Status.Phases[:2], nil
			s.after.Status.Phases[2].Revision = "crm-now"
		}},
		{byPlan, "a site is admitted by a plan that is gone", func(s *step) {
			must(s.api.Delete(context.Background(), frozenAs("crm-now", s.rollout)))
			s.admitsBerlin()
		}},
		{byPlan, "a site is admitted by no plan", func(s *step) {
			s.admitsBerlin()
			s.after.Spec.Revision = ""
		}},
	}
}

// TestAPlanThatIsNeededAndGoesIsFound sees that the judge tells when the operator deletes or changes a frozen plan that it must keep.
func TestAPlanThatIsNeededAndGoesIsFound(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(s *step, revision *appsv1.ControllerRevision) change
		want   []string
	}{
		"nobody needs it":       {func(_ *step, r *appsv1.ControllerRevision) change { return change{old: r} }, nil},
		"it gets another place": {func(_ *step, r *appsv1.ControllerRevision) change { return change{old: r, now: clone(r)} }, nil},
		"it is changed": {func(_ *step, r *appsv1.ControllerRevision) change {
			changed := clone(r)
			changed.Data.Raw = []byte(`{"phases":["golive"]}`)
			return change{old: r, now: changed}
		}, []string{"crm-now: a frozen plan changes"}},
		"a site is judged by it": {func(s *step, r *appsv1.ControllerRevision) change {
			s.after.Status.Phases[2].Revision, s.after.Status.Phases[2].PassedAt = r.Name, nil
			return change{old: r}
		}, []string{"crm-now is deleted, by which hq is judged"}},
		"a site is admitted by it": {func(s *step, r *appsv1.ControllerRevision) change {
			s.after.Spec.Revision, s.after.Status.Phases = r.Name, s.after.Status.Phases[:2]
			return change{old: r}
		}, []string{"crm-now is deleted, by which hq goes on"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, j := innocent(), judge{}
			j.pruned(s.scene, tc.change(s, frozenAs("crm-now", s.rollout)))
			if diff := cmp.Diff(tc.want, j.broken); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
