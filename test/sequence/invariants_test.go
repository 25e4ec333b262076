package sequence

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	planning "github.com/crmops/rollout-operator/internal/plan"
)

// complete reports whether a site has passed every phase of the plan.
func (s step) complete(sr *v1alpha1.SiteRollout) bool { return s.next(sr) == "" }

// inFlight counts the sites that may start a phase or are in one.
func (s step) inFlight() int {
	count := 0
	for _, sr := range s.siteRollouts {
		running := slices.ContainsFunc(sr.Status.Phases, func(r v1alpha1.PhaseRecord) bool { return r.PassedAt == nil })
		next := s.next(sr)
		if running || (next != "" && sr.Spec.AdmittedThrough == next) {
			count++
		}
	}
	return count
}

// withinLimit holds whoever admits to the limit that it has read, and everybody to the highest that ever was.
func withinLimit(s step) string {
	limit := func(r *v1alpha1.CRMRollout) int {
		if r == nil || r.Spec.MaxConcurrent == nil {
			return 1 << 30
		}
		return r.Spec.MaxConcurrent.IntValue()
	}
	highest := limit(s.rollout)
	for _, c := range s.api.streams["CRMRollout"] {
		highest = max(highest, limit(c.now.(*v1alpha1.CRMRollout)))
	}
	if s.admitted() != "" {
		highest = limit(s.turn.rollout)
	}
	if count := s.inFlight(); count > highest {
		return fmt.Sprintf("%d sites in flight, %d allowed", count, highest)
	}
	return ""
}

// afterBarrier looks at a site that is admitted to its first phase: each site that is known of in the wave
// that its wave comes after must have passed every phase.
func afterBarrier(s step) string {
	if s.admitted() == "" || len(records(s.after)) > 0 {
		return ""
	}
	after := barrier(s.turn.rollout, s.after.Spec.Wave)
	if after == "" {
		return ""
	}
	complete := map[string]bool{}
	for _, sr := range s.siteRollouts {
		complete[sr.Spec.Site] = s.complete(sr)
	}
	members := 0
	for i := range s.turn.sites {
		if s.firstWave(i) != after {
			continue
		}
		members++
		if name := s.turn.sites[i].Name; !complete[name] {
			return fmt.Sprintf("%s of wave %s has not completed", name, after)
		}
	}
	if members == 0 {
		return fmt.Sprintf("wave %s has no sites", after)
	}
	return ""
}

// barrier returns the wave that another comes after, or "".
func barrier(rollout *v1alpha1.CRMRollout, wave string) string {
	for i, w := range rollout.Spec.Waves {
		switch {
		case w.Name != wave:
		case w.After != nil:
			return w.After.Wave
		case i > 0:
			return rollout.Spec.Waves[i-1].Name
		}
	}
	return ""
}

// firstWave returns the first wave that selects a site.
func (s step) firstWave(site int) string {
	for _, w := range s.turn.rollout.Spec.Waves {
		if selector, err := metav1.LabelSelectorAsSelector(w.Selector); err == nil && selector.Matches(planning.SiteLabels(&s.turn.sites[site])) {
			return w.Name
		}
	}
	return ""
}

// begins returns the phase that the write admits the site to or starts, or "".
func (s step) begins() string {
	if phase := s.admitted(); phase != "" {
		return phase
	}
	return s.started()
}

// notPastThrough holds every reconcile to the `through` that it has read.
func notPastThrough(s step) string {
	through := s.turn.rollout.Spec.Through
	if phase := s.begins(); phase != "" && through != "" && s.indexOf(phase) > s.indexOf(through) {
		return fmt.Sprintf("%s, through is %s", phase, through)
	}
	return ""
}

func notSuspended(s step) string {
	if phase := s.begins(); phase != "" && s.turn.rollout.Spec.Suspend {
		return phase
	}
	return ""
}

// validPlan knows two mistakes: a phase that does not exist, and waves that wait for one that does not exist.
func validPlan(s step) string {
	if s.before != nil && s.after != nil && s.begins() == "" {
		return ""
	}
	waves := map[string]bool{}
	for _, w := range s.turn.rollout.Spec.Waves {
		waves[w.Name] = true
	}
	for _, w := range s.turn.rollout.Spec.Waves {
		if w.After != nil && !waves[w.After.Wave] {
			return fmt.Sprintf("wave %s comes after %s, which does not exist", w.Name, w.After.Wave)
		}
	}
	for _, phase := range s.turn.rollout.Spec.Phases {
		if s.newest("RolloutPhase", phase.Name) == nil {
			return fmt.Sprintf("phase %s never existed", phase.Name)
		}
	}
	return ""
}

// newest returns the latest version of an object, also when it does not exist any more.
func (s scene) newest(kind, name string) any {
	key := types.NamespacedName{Namespace: namespace, Name: name}
	if o := s.api.latest[kind][key]; o != nil {
		return o
	}
	stream := s.api.streams[kind]
	for i := len(stream) - 1; i >= 0; i-- {
		if o := stream[i].object(); o.GetName() == name {
			return o
		}
	}
	return nil
}

// phase returns a phase of the plan; nil when it never existed.
func (s scene) phase(name string) *v1alpha1.RolloutPhase {
	found, _ := s.newest("RolloutPhase", name).(*v1alpha1.RolloutPhase)
	return found
}

func soaked(s step) string {
	record := s.passed()
	if record == nil {
		return ""
	}
	soak, err := s.phase(record.Name).Spec.Soak.Parse()
	if err != nil {
		return err.Error()
	}
	if ran := record.PassedAt.Sub(record.StartedAt.Time); ran < soak {
		return fmt.Sprintf("%s passed after %s", record.Name, ran)
	}
	return ""
}
