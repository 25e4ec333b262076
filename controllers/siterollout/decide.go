package siterollout

import (
	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/advance"
)

// maxSteps bounds the steps of one reconcile: join, start, pass, and the reason to wait again. What is left follows in the next one.
const maxSteps = 4

// decision is what happens to a site now: the steps that change something, and where the site stands after them.
type decision struct {
	status  v1alpha1.SiteRolloutStatus
	changes []advance.Step
	last    advance.Step
}

// decide takes steps until the site stays where it is. It asks the rules and does nothing itself.
func decide(s snapshot) decision {
	d := decision{status: s.object.Status}
	input := advance.Input{Plan: s.plan, SiteID: s.siteID, Evidence: s.evidence, Holds: s.holds, Now: s.now}
	for range maxSteps {
		input.Status = d.status
		input.Admitted, input.Block = s.admission(d.status)
		d.last = advance.Next(input)
		d.status = advance.Record(d.status, d.last, s.now)
		input.Holds = d.last.Holds
		if d.last.Change == nil {
			break
		}
		d.changes = append(d.changes, d.last)
	}
	return d
}
