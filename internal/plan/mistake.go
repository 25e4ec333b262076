package plan

import (
	"fmt"
	"strings"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Mistake is something in an object that keeps a plan from working.
type Mistake struct {
	// Reason is a reason of the Ready condition: ReferenceNotFound or InvalidSpec.
	Reason string
	// Object that holds the mistake, as kind/name.
	Object string
	// Field in that object, as a path.
	Field string
	// Problem says what is wrong.
	Problem string
	// Remedy says what to do.
	Remedy string
}

// String puts the mistake into one sentence.
func (m Mistake) String() string {
	return fmt.Sprintf("%s %s: %s; %s", m.Object, m.Field, m.Problem, m.Remedy)
}

// Sentences joins mistakes for a condition's message. More than three are counted, not told: a person mends one at a time.
func Sentences(mistakes []Mistake) string {
	const told = 3
	var b strings.Builder
	for i, m := range mistakes {
		if i == told {
			fmt.Fprintf(&b, " (and %d more)", len(mistakes)-told)
			break
		}
		if i > 0 {
			b.WriteString(". ")
		}
		b.WriteString(m.String())
	}
	return b.String()
}

// Lost says that nobody has the plan any more by which an attempt is judged.
func Lost(attempt v1alpha1.PhaseRecord) Mistake {
	if attempt.Revision == "" {
		return Mistake{Reason: v1alpha1.ReasonReferenceNotFound, Object: "RolloutPhase/" + attempt.Name, Field: "metadata.name",
			Problem: "the attempt at it began before plans were frozen, and the rollout does not have the phase any more", Remedy: "put it back into spec.phases, or decide about the attempt: Skip or RollBack"}
	}
	return Mistake{Reason: v1alpha1.ReasonReferenceNotFound, Object: "ControllerRevision/" + attempt.Revision, Field: "metadata.name",
		Problem: fmt.Sprintf("it does not exist any more, and the attempt at phase %s is judged by it", attempt.Name), Remedy: "restore it from a backup, or decide about the attempt: Skip or RollBack"}
}

func notFound(object, field, kind, name string) Mistake {
	return Mistake{
		Reason:  v1alpha1.ReasonReferenceNotFound,
		Object:  object,
		Field:   field,
		Problem: fmt.Sprintf("%s %q does not exist in this namespace", kind, name),
		Remedy:  "create it or correct the name",
	}
}

func invalid(object, field, problem, remedy string) Mistake {
	return Mistake{Reason: v1alpha1.ReasonInvalidSpec, Object: object, Field: field, Problem: problem, Remedy: remedy}
}
