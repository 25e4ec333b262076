package decide

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Stand identifies the attempt whose gate is approved.
type Stand struct {
	// Rollout is the name of the CRMRollout.
	Rollout string
	// Site is the name of the RolloutSite.
	Site string
	// Phase that the gate belongs to.
	Phase string
	// Attempt at the phase; 0 in front of the first one.
	Attempt int32
	// Revision of the plan that the gate is judged by.
	Revision string
}

// half is the length of each half of a digest: 16 bytes in hexadecimal.
const half = 32

// Digest identifies what an approver sees. Its first half stands for what the gate asks for, of whom and when; the second for what was found. Neither holds a measured
// value: an approval must not be out of date a minute after it was given.
func Digest(at Stand, gate *v1alpha1.GateReport) string {
	asks := []any{at, gate.Name, gate.Role, gate.SiteID}
	found := []any{gate.Setbacks}
	for _, c := range gate.Criteria {
		asks = append(asks, []any{c.Name, c.Importance, c.AnyOf, c.KPIRevision, c.Threshold})
		found = append(found, []any{c.Name, c.Verdict})
	}
	return sum(asks) + sum(found)
}

// asked returns the half of a digest that stands for what the gate asks for.
func asked(digest string) string { return digest[:min(half, len(digest))] }

func sum(parts []any) string {
	text, _ := json.Marshal(parts) // texts and whole numbers always marshal
	hash := sha256.Sum256(text)
	return hex.EncodeToString(hash[:half/2])
}
