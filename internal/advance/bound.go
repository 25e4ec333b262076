package advance

import (
	"encoding/json"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/record"
)

const (
	// maxStatus is how large a status may become, in bytes of JSON: 64 KiB less what conditions take, which are not this package's business.
	maxStatus = 64<<10 - 8<<10
	// keptTransitions is how many transitions are kept in any case: what the site did last.
	keptTransitions = 1
	// checkpointLength is about how long a checkpoint is, which comes when the first transition goes.
	checkpointLength = 160
	// shortMessage is the length to which the messages of criteria are cut when nothing else helps. They come anew with every judgement.
	shortMessage = 80
)

// bound keeps a status small. The oldest transitions go first, and a checkpoint stands for them; then the ends of the messages of criteria. What passed a phase and what was frozen stays: a plan that would
// freeze too much is refused (see package plan).
func bound(status *v1alpha1.SiteRolloutStatus) {
	surplus := size(status) - maxStatus
	if surplus <= 0 {
		return
	}
	if status.Checkpoint == nil {
		surplus += checkpointLength
	}
	drop := 0
	for ; surplus > 0 && len(status.Transitions)-drop > keptTransitions; drop++ {
		surplus -= size(status.Transitions[drop])
	}
	record.Fold(status, drop)
	if surplus <= 0 || status.Gate == nil {
		return
	}
	for i := range status.Gate.Criteria {
		status.Gate.Criteria[i].Message = v1alpha1.Clip(status.Gate.Criteria[i].Message, shortMessage)
	}
}

// size returns the length of something in JSON, and with a comma.
func size(v any) int {
	text, _ := json.Marshal(v) // types of the API always marshal
	return len(text) + 1
}
