package admit

import (
	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// Plans are the plans that the sites of a rollout are on: the plan as the objects are now, and those that were frozen before.
type Plans struct {
	// Live is the plan as the objects are now.
	Live plan.Plan
	// Adopt says which sites take an edited plan.
	Adopt v1alpha1.AdoptPolicy
	// Frozen returns the phases of a revision, and false when there is no such revision.
	Frozen func(revision string) ([]plan.Phase, bool)

	known map[string]*plan.Plan
}

// NewPlans returns plans of which none was frozen.
func NewPlans(live plan.Plan) *Plans {
	return &Plans{Live: live, Frozen: func(string) ([]plan.Phase, bool) { return nil, false }}
}

// Revisions returns the names of the frozen plans that matter for a site: the one by which its attempt is judged, and the one by which it goes on while it is in a phase, has an admission to
// use, or keeps its plan to the end. For the thousands that have completed there is none to read.
func Revisions(sr *v1alpha1.SiteRollout, adopt v1alpha1.AdoptPolicy) []string {
	var names []string
	running := plan.Running(sr.Status.Phases)
	if running != nil && running.Revision != "" {
		names = append(names, running.Revision)
	}
	last := plan.RecordOf(sr.Status.Phases, sr.Spec.AdmittedThrough)
	unused := sr.Spec.AdmittedThrough != "" && (last == nil || last.Attempt < max(1, sr.Spec.AdmittedAttempt))
	if sr.Spec.Revision != "" && (running != nil || unused || adopt == v1alpha1.AdoptNewSites) {
		names = append(names, sr.Spec.Revision)
	}
	return names
}

// Of returns the plan of a revision, which is the live one with the phases that were frozen; nil when there is no such revision. Where nothing was frozen, it is the live plan.
func (ps *Plans) Of(revision string) *plan.Plan {
	if revision == "" {
		return &ps.Live
	}
	if known, seen := ps.known[revision]; seen {
		return known
	}
	var own *plan.Plan
	if phases, found := ps.Frozen(revision); found {
		on := ps.Live.On(phases)
		own = &on
	}
	if ps.known == nil {
		ps.known = map[string]*plan.Plan{}
	}
	ps.known[revision] = own
	return own
}

// Ahead returns the revision and the plan by which a site is to start its next phase or attempt, when current is the revision of the live plan. A site that keeps its plan to the end has its
// own, unless that has mistakes in the phase that comes next: nobody could mend these.
func (ps *Plans) Ahead(sr *v1alpha1.SiteRollout, current string) (string, *plan.Plan) {
	if own := ps.kept(sr); own != nil {
		return sr.Spec.Revision, own
	}
	return current, &ps.Live
}

func (ps *Plans) kept(sr *v1alpha1.SiteRollout) *plan.Plan {
	if ps.Adopt != v1alpha1.AdoptNewSites || !begun(sr) || sr.Spec.Revision == "" {
		return nil
	}
	own := ps.Of(sr.Spec.Revision)
	if own == nil {
		return nil
	}
	if next := own.Next(sr.Status.Phases); plan.Running(sr.Status.Phases) == nil && next < len(own.Phases) && len(own.Phases[next].StartMistakes()) > 0 {
		return nil
	}
	return own
}

// Bound returns the plan by which a site goes on as it was admitted: until somebody writes another revision into its spec, that is the one of its admission, also when the plan has been
// edited since. A site that is neither admitted nor in a phase goes on by the live plan, or by the plan that it keeps.
func (ps *Plans) Bound(sr *v1alpha1.SiteRollout) *plan.Plan {
	if own := ps.Of(sr.Spec.Revision); own != nil && (ps.kept(sr) != nil || SiteOf(ps.Live, own, nil, sr).InFlight()) {
		return own
	}
	return &ps.Live
}

// Told returns what admission needs to know of a site as it was told to go on. An admission by a plan that nobody has any more is none: what would begin by it could not be judged.
func (ps *Plans) Told(sr *v1alpha1.SiteRollout) Site {
	site := SiteOf(ps.Live, ps.Bound(sr), ps.Attempt(sr.Status), sr)
	site.Admitted = site.Admitted && ps.Of(sr.Spec.Revision) != nil
	return site
}

// Attempt returns the plan by which the attempt that runs is judged, which has no phases when its revision does not exist any more; nil when none runs.
func (ps *Plans) Attempt(status v1alpha1.SiteRolloutStatus) *plan.Plan {
	running := plan.Running(status.Phases)
	if running == nil {
		return nil
	}
	if own := ps.Of(running.Revision); own != nil {
		return own
	}
	return &plan.Plan{}
}

// Site returns what admission needs to know of a site, when current is the revision of the live plan.
func (ps *Plans) Site(sr *v1alpha1.SiteRollout, current string) Site {
	revision, ahead := ps.Ahead(sr, current)
	site := SiteOf(ps.Live, ahead, ps.Attempt(sr.Status), sr)
	site.Revision = revision
	site.Repins = revision != "" && revision != sr.Spec.Revision && ps.mayMove(site, sr)
	if site.Repins && !site.Admitted && !site.Running {
		site.Vacates = site.Wave // it may begin at this very moment what it was admitted to
	}
	return site
}

// mayMove reports whether a site is admitted to a phase, or is in one, by the plan ahead or by the one of its admission.
func (ps *Plans) mayMove(site Site, sr *v1alpha1.SiteRollout) bool {
	if site.InFlight() {
		return true
	}
	own := ps.Of(sr.Spec.Revision)
	return own != nil && SiteOf(ps.Live, own, nil, sr).InFlight()
}
