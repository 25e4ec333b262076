package e2e

import (
	"testing"
	"time"

	"github.com/crmops/rollout-operator/test/cluster"
)

const neighbour = `
{kind: RolloutPhase, metadata: {name: migrate}, spec: {description: Move}}
---
{kind: RolloutSite, metadata: {name: lyon}, spec: {region: emea}}
---
{kind: CRMRollout, metadata: {name: crm}, spec: {phases: [{name: migrate}], waves: [{name: all, selector: {}}]}}
`

// A rollout with thousands of sites writes for minutes, on a slow API server for longer. Other rollouts of the same manager go on meanwhile.
func TestARolloutThatWritesForLongKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	const slow, other = "neighbours-slow", "neighbours-other"
	w := lay(t, "neighbours")
	writes, release := w.stick(t, slow)
	create(t, slow, neighbour)
	manager(t, cluster.ManagerOptions{Name: "neighbours", Kubeconfig: w.kubeconfig}, slow, other)
	select {
	case <-writes:
	case <-time.After(patience):
		t.Fatal("the rollout writes nothing")
	}
	create(t, other, neighbour)
	awaitCompleted(t, other, "crm")
	if found := siteRollouts(t, slow); len(found) != 0 {
		t.Errorf("the slow rollout was not in the middle of its first write: %v", found)
	}
	release()
	awaitCompleted(t, slow, "crm")
}
