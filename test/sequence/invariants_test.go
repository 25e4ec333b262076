package sequence

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// flies reports whether a site may start a phase or is in one.
func (s step) flies(sr *v1alpha1.SiteRollout) bool {
	return s.mayStart(sr) || isIn(sr)
}

// runs reports whether a site is in a phase: it began an attempt, and has neither passed nor left.
func runs(r v1alpha1.PhaseRecord) bool {
	return r.PassedAt == nil && r.RolledBackAt == nil && r.ReopenedAt == nil
}

// mayStart reports whether a site is admitted to the attempt that comes next.
func (s step) mayStart(sr *v1alpha1.SiteRollout) bool {
	return admittedTo(sr, s.next(sr))
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
	if phase := s.begins(); phase != "" && through != "" && s.beyond(phase, s.going(), through) {
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

// phase returns a phase as it was frozen in the plan that is looked at, or as the reconcile has read it, or else as it is or was; nil when it never existed.
func (s scene) phase(name string) *v1alpha1.RolloutPhase {
	if s.pinned != nil {
		return &v1alpha1.RolloutPhase{ObjectMeta: named(name), Spec: s.pinned.RolloutPhases[name]}
	}
	for i := range s.turn.phases {
		if s.turn.phases[i].Name == name {
			return &s.turn.phases[i]
		}
	}
	found, _ := s.newest("RolloutPhase", name).(*v1alpha1.RolloutPhase)
	return found
}

func soaked(s step) string {
	record := s.passed()
	if record == nil || record.Outcome == v1alpha1.PhaseSkipped { // also a gate that is waived passes only when the soak is over
		return ""
	}
	soak, err := s.by(record.Revision).phase(record.Name).Spec.Soak.Parse()
	if err != nil {
		return err.Error()
	}
	if ran := record.PassedAt.Sub(record.StartedAt.Time); ran < soak {
		return fmt.Sprintf("%s passed after %s", record.Name, ran)
	}
	return ""
}
