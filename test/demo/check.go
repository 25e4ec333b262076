package main

import (
	"fmt"
	"sort"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

// Result is one promise, and everything that speaks against it.
type Result struct {
	Promise  string
	Breaches []string
}

// promises are what the scenario promises. Each is judged from the objects, not from what the program printed.
var promises = []struct {
	text  string
	check func(Record) []string
}{
	{"every site went through every phase and completed", checkCompleted},
	{"no phase was skipped, and each ran for at least its soak", checkPhases},
	{"no site of a later wave was admitted before the wave ahead of it had passed everything", checkWaves},
	{"never more sites in a phase at a time than maxConcurrent", checkConcurrency},
	{"the troubled site was held, and its status said why: KPI, value, threshold, sample time, next look", checkHold},
	{"the troubled site went on after the cause was removed, and not before", checkRecovery},
	{"every accepted phase has evidence for each criterion, from within the attempt, that meets the gate", checkEvidence},
	{"every site's transitions are numbered without a gap, and each begins where the one before it ended", checkTransitions},
}

// Verify judges the record.
func Verify(record Record) []Result {
	results := make([]Result, 0, len(promises))
	for _, promise := range promises {
		results = append(results, Result{Promise: promise.text, Breaches: promise.check(record)})
	}
	return results
}

func checkCompleted(r Record) []string {
	var breaches []string
	for _, site := range sortedNames(r.Plan.Sites) {
		story := r.story(site)
		switch {
		case story == nil:
			breaches = append(breaches, fmt.Sprintf("%s has no SiteRollout", site))
		case story.Status.State != crmv1.SiteCompleted:
			breaches = append(breaches, fmt.Sprintf("%s is %s, not Completed", site, orNothing(string(story.Status.State))))
		case !meta.IsStatusConditionTrue(story.Status.Conditions, crmv1.ConditionCompleted):
			breaches = append(breaches, fmt.Sprintf("%s is Completed, but its condition Completed is not True", site))
		}
	}
	counts := r.Plan.Rollout.Status.Sites
	if want := int32(len(r.Plan.Sites)); counts.Completed != want || counts.Total != want {
		breaches = append(breaches, fmt.Sprintf("the rollout counts %d of %d sites as completed, want all %d", counts.Completed, counts.Total, want))
	}
	if !meta.IsStatusConditionTrue(r.Plan.Rollout.Status.Conditions, crmv1.ConditionCompleted) {
		breaches = append(breaches, "the rollout's condition Completed is not True")
	}
	return breaches
}

func checkPhases(r Record) []string {
	var breaches []string
	for _, story := range r.Stories {
		site, done := story.Spec.Site, story.Status.Phases
		if len(done) != len(r.Plan.Rollout.Spec.Phases) {
			breaches = append(breaches, fmt.Sprintf("%s has been through %d phases of %d", site, len(done), len(r.Plan.Rollout.Spec.Phases)))
			continue
		}
		before := time.Time{}
		for i, reference := range r.Plan.Rollout.Spec.Phases {
			breach := r.checkPhase(done[i], reference.Name, before)
			if breach != "" {
				breaches = append(breaches, site+": "+breach)
				break
			}
			before = done[i].PassedAt.Time
		}
	}
	return breaches
}

// checkPhase judges one phase of a site. before is when the one ahead of it was passed.
func (r Record) checkPhase(done crmv1.PhaseRecord, want string, before time.Time) string {
	if done.Name != want {
		return fmt.Sprintf("phase %s came where %s should have", done.Name, want)
	}
	if done.PassedAt == nil {
		return fmt.Sprintf("phase %s was not passed", want)
	}
	if done.StartedAt.Time.Before(before) {
		return fmt.Sprintf("phase %s began at %s, before the phase ahead of it was passed at %s", want, clock(done.StartedAt.Time), clock(before))
	}
	soak, err := r.Plan.Phases[want].Spec.Soak.Parse()
	if err != nil {
		return fmt.Sprintf("phase %s: %v", want, err)
	}
	if ran := done.PassedAt.Sub(done.StartedAt.Time); ran < soak {
		return fmt.Sprintf("phase %s was passed after %s, and its soak is %s", want, ran, soak)
	}
	return ""
}

func checkWaves(r Record) []string {
	var breaches []string
	opened, ahead := time.Time{}, ""
	for _, wave := range r.Plan.Rollout.Spec.Waves {
		completed, members := opened, 0
		for _, story := range r.Stories {
			if story.Spec.Wave != wave.Name {
				continue
			}
			members++
			for what, moment := range r.beginnings(story) {
				if moment.Before(opened) {
					breaches = append(breaches, fmt.Sprintf("%s of wave %s was %s at %s, and wave %s completed at %s", story.Spec.Site, wave.Name, what, clock(moment), ahead, clock(opened)))
				}
			}
			for _, done := range story.Status.Phases {
				if done.PassedAt != nil && done.PassedAt.After(completed) {
					completed = done.PassedAt.Time
				}
			}
		}
		if members == 0 {
			breaches = append(breaches, fmt.Sprintf("wave %s has no sites, so its order shows nothing", wave.Name))
		}
		opened, ahead = completed, wave.Name
	}
	sort.Strings(breaches)
	return breaches
}

// beginnings are the moments that tell when a site was let go, by what happened then.
func (r Record) beginnings(story crmv1.SiteRollout) map[string]time.Time {
	moments := map[string]time.Time{}
	if seen, known := r.Observed.FirstAdmitted[story.Spec.Site]; known {
		moments["admitted"] = seen
	}
	if story.Spec.AdmittedAt != nil {
		moments["admitted last"] = story.Spec.AdmittedAt.Time
	}
	for _, done := range story.Status.Phases {
		moments["in phase "+done.Name] = done.StartedAt.Time
	}
	return moments
}

func checkConcurrency(r Record) []string {
	if r.Plan.Rollout.Spec.MaxConcurrent == nil {
		return []string{"the rollout has no maxConcurrent, so nothing was shown"}
	}
	limit := r.Plan.Rollout.Spec.MaxConcurrent.IntValue()
	var breaches []string
	if r.Observed.MostInFlight > limit {
		breaches = append(breaches, fmt.Sprintf("%d sites were seen in flight at a time, and the limit is %d", r.Observed.MostInFlight, limit))
	}
	for _, story := range r.Stories {
		for _, done := range story.Status.Phases {
			if running := r.runningAt(done.StartedAt.Time); running > limit {
				breaches = append(breaches, fmt.Sprintf("%d sites were in a phase at %s, when %s began %s, and the limit is %d", running, clock(done.StartedAt.Time), story.Spec.Site, done.Name, limit))
			}
		}
	}
	return breaches
}

// runningAt counts the sites that were in a phase by their recorded times: from the start of a phase until it is passed,
// that moment not included, so that a slot may be taken in the second in which it became free.
func (r Record) runningAt(moment time.Time) int {
	running := 0
	for _, story := range r.Stories {
		for _, done := range story.Status.Phases {
			if !done.StartedAt.After(moment) && (done.PassedAt == nil || done.PassedAt.After(moment)) {
				running++
				break
			}
		}
	}
	return running
}

func checkTransitions(r Record) []string {
	var breaches []string
	for _, story := range r.Stories {
		steps := story.Status.Transitions
		if len(steps) == 0 {
			breaches = append(breaches, fmt.Sprintf("%s has no transitions", story.Spec.Site))
		}
		for i := 1; i < len(steps); i++ {
			before, step := steps[i-1], steps[i]
			switch {
			case step.Sequence != before.Sequence+1:
				breaches = append(breaches, fmt.Sprintf("%s: transition %d follows transition %d", story.Spec.Site, step.Sequence, before.Sequence))
			case step.From != before.To:
				breaches = append(breaches, fmt.Sprintf("%s: transition %d begins at %s, and the one before it ended at %s", story.Spec.Site, step.Sequence, step.From, before.To))
			case step.Time.Time.Before(before.Time.Time):
				breaches = append(breaches, fmt.Sprintf("%s: transition %d is older than the one before it", story.Spec.Site, step.Sequence))
			}
		}
	}
	return breaches
}

// clock writes a moment as people read it.
func clock(moment time.Time) string { return moment.UTC().Format("15:04:05") }

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

func sortedNames[V any](of map[string]V) []string {
	names := make([]string, 0, len(of))
	for name := range of {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
