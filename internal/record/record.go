// Package record keeps the story of a site: it chains the steps by hash, folds the oldest into a checkpoint, and verifies what somebody else kept.
//
// The package cannot do I/O and has no clock. docs/record.md says exactly what is hashed, for whoever verifies without this code.
package record

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Append adds a step to a story: it gives the step its number, and chains it to the one before.
func Append(status *v1alpha1.SiteRolloutStatus, step v1alpha1.Transition) {
	sequence, previous := end(*status)
	step.Sequence = sequence + 1
	step.Hash = Hash(previous, step)
	status.Transitions = append(status.Transitions, step)
}

// end returns the number and the hash of the last step of a story; the hash is empty when there is no step, or when it was recorded before steps were chained.
func end(status v1alpha1.SiteRolloutStatus) (sequence int64, hash string) {
	if count := len(status.Transitions); count > 0 {
		last := status.Transitions[count-1]
		return last.Sequence, last.Hash
	}
	if status.Checkpoint != nil {
		return status.Checkpoint.Sequence, status.Checkpoint.Hash
	}
	return 0, ""
}

// Fold drops the oldest so many steps and lets a checkpoint stand for them.
func Fold(status *v1alpha1.SiteRolloutStatus, steps int) {
	if steps <= 0 {
		return
	}
	last := status.Transitions[steps-1]
	status.Checkpoint = &v1alpha1.Checkpoint{Sequence: last.Sequence, Hash: last.Hash, Time: last.Time}
	status.Transitions = slices.Clone(status.Transitions[steps:])
}

// Hash returns the hash of a step that follows one with the given hash, which is empty for the first step of a chain. The hash that the step has is left out.
func Hash(previous string, step v1alpha1.Transition) string {
	step.Hash = ""
	return sum(append([]byte(previous+"\n"), canonical(step)...))
}

// Digest returns the digest of the evidence that passed a phase, empty when there is none.
func Digest(evidence []v1alpha1.Evidence) string {
	if len(evidence) == 0 {
		return ""
	}
	return sum(canonical(evidence))
}

func sum(text []byte) string {
	hash := sha256.Sum256(text)
	return hex.EncodeToString(hash[:])
}

// shortHash is how many digits of a hash are told where people read.
const shortHash = 12

// Short returns the beginning of a hash, as it stands in events and in the log.
func Short(hash string) string {
	return hash[:min(len(hash), shortHash)]
}
