package crmrollout

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/status"
)

// counts are the sites of a rollout by wave, and the names of those that are held.
type counts struct {
	all    v1alpha1.SiteCounts
	byWave map[string]*v1alpha1.SiteCounts
	held   []string
	// failed are those among them whose attempt has failed.
	failed []string
	// regressed are sites that have passed every phase and do not meet the gate of sustain.
	regressed []string
	// starting is the number of sites that were admitted and have not seen it yet. Without them a rollout would say at every border between two phases that
	// all sites wait, and a moment later that they move.
	starting int
	// left are sites that began and that no wave selects any more. They belong to no wave's count and keep no wave from completing.
	left []string
}

func count(s snapshot, d decision) counts {
	c := counts{byWave: map[string]*v1alpha1.SiteCounts{}, starting: len(d.Admissions)}
	for i := range d.sites {
		site, state := &d.sites[i], v1alpha1.SitePending
		if sr := s.existing[site.Name]; sr != nil {
			state = sr.Status.State
			if site.Admitted && !site.Running && sr.Status.ObservedGeneration != sr.Generation {
				c.starting++
			}
		}
		if site.Wave == "" {
			if site.Begun {
				c.left = append(c.left, site.Name)
			}
			continue
		}
		if c.byWave[site.Wave] == nil {
			c.byWave[site.Wave] = &v1alpha1.SiteCounts{}
		}
		for _, sum := range []*v1alpha1.SiteCounts{&c.all, c.byWave[site.Wave]} {
			add(sum, state, site.Failed)
		}
		c.name(site.Name, state, site.Failed)
	}
	for _, names := range [][]string{c.held, c.failed, c.regressed, c.left} {
		slices.Sort(names)
	}
	return c
}

// name notes the name of a site that a person has to look at.
func (c *counts) name(site string, state v1alpha1.SiteState, failed bool) {
	switch state {
	case v1alpha1.SiteHeld, v1alpha1.SiteRolledBack:
		c.held = append(c.held, site)
	case v1alpha1.SiteRegressed:
		c.regressed = append(c.regressed, site)
	}
	if failed {
		c.failed = append(c.failed, site)
	}
}

func add(c *v1alpha1.SiteCounts, state v1alpha1.SiteState, failed bool) {
	c.Total++
	if failed {
		c.Failed++
	}
	switch state {
	case v1alpha1.SiteProving:
		c.Moving++
	case v1alpha1.SiteHeld, v1alpha1.SiteRolledBack:
		c.Held++
	case v1alpha1.SiteCompleted:
		c.Completed++
	case v1alpha1.SiteRegressed:
		c.Completed++
		c.Regressed++
	default:
		c.Waiting++
	}
}

func currentWave(d decision) string {
	for _, w := range d.Waves {
		if w.State != v1alpha1.WaveCompleted {
			return w.Name
		}
	}
	return ""
}

// readiness says whether the plan is valid and can be carried out.
func readiness(mistakes []plan.Mistake, failure error) func(status.Conditions) {
	return func(c status.Conditions) {
		switch {
		case len(mistakes) > 0:
			c.Mistaken(mistakes, v1alpha1.ReasonPlanInvalid, plan.Sentences(mistakes))
		case failure != nil:
			c.NotReady(v1alpha1.ReasonWriteFailed, fmt.Sprintf("a write that the plan needs failed, so some sites are left behind: %v", failure))
		default:
			c.Ready(v1alpha1.ReasonValid, "the plan is valid")
		}
	}
}

func conditions(s snapshot, d decision, counted counts, changed *v1alpha1.CRMRollout, ready func(status.Conditions)) {
	c := status.Conditions{List: &changed.Status.Conditions, Generation: changed.Generation, Now: metav1.NewTime(s.now)}
	ready(c)
	moving, reason, message := progress(s, d, counted)
	if s.plan.Suspended && reason != v1alpha1.ReasonSuspended {
		message += "; the rollout is suspended, so no site starts a phase"
	}
	if len(counted.regressed) > 0 {
		message += "; regressed: " + some(counted.regressed)
	}
	if len(counted.left) > 0 {
		message += fmt.Sprintf("; in no wave any more, though they began: %s", some(counted.left))
	}
	c.Set(v1alpha1.ConditionProgressing, status.Bool(moving), reason, message)
	c.Set(v1alpha1.ConditionCompleted, status.Bool(reason == v1alpha1.ReasonAllPhasesPassed || reason == v1alpha1.ReasonRegressed), reason, message)
}

// progress says in one reason what a rollout does or waits for, the most telling one first.
func progress(s snapshot, d decision, c counts) (moving bool, reason, message string) {
	sites := c.all
	switch failures := d.Blocked[v1alpha1.ReasonTooManyFailures]; {
	case len(s.plan.Mistakes) > 0:
		return sites.Moving > 0, v1alpha1.ReasonPlanInvalid, "no site starts a phase until the plan is mended"
	case sites.Total == 0 && d.Unpicked == 0:
		return false, v1alpha1.ReasonNoSites, "no wave selects a site; check spec.waves against the labels of the sites"
	case d.AbortedBy != "":
		return sites.Moving > 0, v1alpha1.ReasonAborted, fmt.Sprintf("%d of %d sites completed; %s", sites.Completed, sites.Total, admit.Aborted(d.AbortedBy).Message)
	case failures.Reason != "":
		return sites.Moving > 0, failures.Reason, fmt.Sprintf("%d of %d sites completed; failed: %s; %s", sites.Completed, sites.Total, some(c.failed), failures.Message)
	case sites.Held > 0:
		return sites.Moving > 0, v1alpha1.ReasonSitesHeld, heldMessage(c)
	case int(sites.Moving)+c.starting > 0:
		return true, v1alpha1.ReasonSitesMoving, fmt.Sprintf("%d of %d sites completed; in a phase or about to start one: %d", sites.Completed, sites.Total, int(sites.Moving)+c.starting)
	}
	return standstill(s, d, c)
}

// standstill says what a rollout waits for in which no site moves or is held.
func standstill(s snapshot, d decision, c counts) (moving bool, reason, message string) {
	sites, wave := c.all, currentWave(d)
	far := fmt.Sprintf("%d of %d sites completed", sites.Completed, sites.Total)
	closed, past, ranking := d.Blocked[v1alpha1.ReasonWaitingForCalendar], d.Blocked[v1alpha1.ReasonThroughReached], rankingMessage(d)
	switch {
	case wave == "" && sites.Completed == sites.Total:
		reason = v1alpha1.ReasonAllPhasesPassed
		if sites.Regressed > 0 {
			reason = v1alpha1.ReasonRegressed
		}
		return false, reason, fmt.Sprintf("all %d sites have passed every phase", sites.Total)
	case s.plan.Suspended:
		block := admit.MayStart(s.plan, 0)
		return false, block.Reason, block.Message
	case d.InFlight == 0 && closed.Reason != "":
		return false, closed.Reason, far + "; " + closed.Message
	case d.InFlight == 0 && ranking != "":
		return false, v1alpha1.ReasonWaitingForRanking, ranking
	case d.InFlight == 0 && past.Reason != "":
		return false, past.Reason, past.Message
	}
	message = far + "; no site is in a phase"
	if wave != "" { // every wave has completed while sites wait to begin a phase that a regression reopened
		message += "; the current wave is " + wave
	}
	return d.InFlight > 0, v1alpha1.ReasonSitesWaiting, message
}

// heldMessage names the first held sites: they are what a person has to look at.
func heldMessage(c counts) string {
	return fmt.Sprintf("%d of %d sites completed; held at a gate: %s; their SiteRollouts say why", c.all.Completed, c.all.Total, some(c.held))
}

// some names the first of several sites and counts the others.
func some(names []string) string {
	const told = 5
	if len(names) <= told {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:told], ", "), len(names)-told)
}
