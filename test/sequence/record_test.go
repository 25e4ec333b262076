package sequence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/record"
)

// kept returns which transition was changed, or lost without a checkpoint that stands for it.
func (s step) kept() string {
	if s.before == nil {
		return ""
	}
	was, is := s.before.Status, s.after.Status
	folded := int64(0)
	if is.Checkpoint != nil {
		folded = is.Checkpoint.Sequence
	}
	if was.Checkpoint != nil && (folded < was.Checkpoint.Sequence || (folded == was.Checkpoint.Sequence && *was.Checkpoint != *is.Checkpoint)) {
		return "the checkpoint was changed"
	}
	now := map[int64]v1alpha1.Transition{}
	for _, t := range is.Transitions {
		now[t.Sequence] = t
	}
	for _, t := range was.Transitions {
		stays, found := now[t.Sequence]
		switch {
		case found && !equality.Semantic.DeepEqual(t, stays), !found && t.Sequence > folded:
			return fmt.Sprintf("transition %d was changed or lost", t.Sequence)
		case t.Sequence == folded && (is.Checkpoint.Hash != t.Hash || !is.Checkpoint.Time.Equal(&t.Time)):
			return fmt.Sprintf("the checkpoint does not stand for transition %d", t.Sequence)
		}
	}
	return ""
}

// chained makes the hashes of a record anew, on its own, and then lets it be verified as people would.
func chained(s step) string {
	if s.after == nil {
		return ""
	}
	previous := ""
	if checkpoint := s.after.Status.Checkpoint; checkpoint != nil {
		previous = checkpoint.Hash
	}
	for _, t := range s.after.Status.Transitions {
		if hash := hashed(previous, t); hash != t.Hash {
			return fmt.Sprintf("transition %d has hash %q, not %s", t.Sequence, t.Hash, hash)
		}
		previous = t.Hash
	}
	return strings.Join(record.Verify(s.after.Status).Faults, "; ")
}

// hashed returns the hash of a transition. No message of a simulation has a character that JSON writes in two ways.
func hashed(previous string, t v1alpha1.Transition) string {
	t.Hash = ""
	text, err := json.Marshal(t)
	must(err)
	var fields map[string]any
	must(json.Unmarshal(text, &fields))
	var sorted bytes.Buffer
	encoder := json.NewEncoder(&sorted)
	encoder.SetEscapeHTML(false)
	must(encoder.Encode(fields))
	sum := sha256.Sum256([]byte(previous + "\n" + strings.TrimSuffix(sorted.String(), "\n")))
	return hex.EncodeToString(sum[:])
}

// chain makes both sides of a doctored step ones whose record verifies: what passed a phase is told with the time, attempt and evidence of its record, and all is chained.
func (s *step) chain() {
	for _, sr := range []*v1alpha1.SiteRollout{s.before, s.after} {
		status := &sr.Status
		steps, passes := status.Transitions, 0
		status.Transitions, status.Checkpoint = nil, nil
		for i, t := range steps {
			passed := t.Reason == v1alpha1.ReasonPhasePassed || t.Reason == v1alpha1.ReasonPhaseWaived || t.Reason == v1alpha1.ReasonPhaseSkipped
			if passed && passes < len(status.Phases) && status.Phases[passes].PassedAt != nil {
				phase := status.Phases[passes]
				t.Phase, t.Attempt, t.Time, t.EvidenceDigest = phase.Name, phase.Attempt, *phase.PassedAt, record.Digest(phase.Evidence)
				passes++
			}
			if i > 0 && t.Time.Before(&status.Transitions[i-1].Time) {
				t.Time = status.Transitions[i-1].Time
			}
			record.Append(status, t)
		}
	}
}
