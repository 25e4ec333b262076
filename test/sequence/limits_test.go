package sequence

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	planning "github.com/crmops/rollout-operator/internal/plan"
)

// noLimit is more sites than there are.
const noLimit = 1 << 30

// of returns how many of so many sites a limit allows, and the exact number for a percentage.
func of(limit *intstr.IntOrString, total int) float64 {
	switch {
	case limit == nil:
		return noLimit
	case limit.Type == intstr.Int:
		return float64(limit.IntVal)
	}
	percent, err := strconv.Atoi(strings.TrimSuffix(limit.StrVal, "%"))
	if err != nil {
		panic(err)
	}
	return float64(percent*total) / 100
}

// planned returns a wave of a rollout; an empty one when there is none of that name.
func planned(rollout *v1alpha1.CRMRollout, wave string) v1alpha1.Wave {
	for _, w := range rollout.Spec.Waves {
		if w.Name == wave {
			return w
		}
	}
	return v1alpha1.Wave{}
}

// in returns the sites of a wave, or of all waves.
func in(all []*v1alpha1.SiteRollout, wave string) []*v1alpha1.SiteRollout {
	return slices.DeleteFunc(slices.Clone(all), func(sr *v1alpha1.SiteRollout) bool {
		return sr.Spec.Wave == "" || (wave != "" && sr.Spec.Wave != wave)
	})
}

func number(all []*v1alpha1.SiteRollout, which func(*v1alpha1.SiteRollout) bool) int {
	n := 0
	for _, sr := range all {
		if which(sr) {
			n++
		}
	}
	return n
}

// read returns the SiteRollouts that the reconcile has read.
func (s step) read() []*v1alpha1.SiteRollout {
	var all []*v1alpha1.SiteRollout
	for _, sr := range s.turn.siteRollouts {
		all = append(all, sr)
	}
	return all
}

// withinLimits holds whoever admits to the limits that it has read: of the rollout, and of the wave. A percentage is one of the sites that are there, or of those that were when the reconcile
// looked; one site can always be in flight.
func withinLimits(s step) string {
	if s.admitted() == "" {
		return ""
	}
	wave := planned(s.turn.rollout, s.after.Spec.Wave)
	allowed := func(limit *intstr.IntOrString, wave string) int {
		known := len(s.members(wave)) // those too that are about to join
		return int(max(1, of(limit, max(known, len(in(s.siteRollouts, wave)), len(in(s.read(), wave))))))
	}
	if count, most := number(s.siteRollouts, s.flies), allowed(s.turn.rollout.Spec.MaxConcurrent, ""); count > most {
		return fmt.Sprintf("%d sites in flight, %d allowed", count, most)
	}
	members := s.members(wave.Name)
	counts := func(sr *v1alpha1.SiteRollout) bool { // a site that has begun and left the wave gives its place free, also before that is written
		return s.flies(sr) && (len(records(sr)) == 0 || slices.Contains(members, sr.Spec.Site))
	}
	if count, most := number(in(s.siteRollouts, wave.Name), counts), allowed(wave.MaxConcurrent, wave.Name); count > most {
		return fmt.Sprintf("%d sites of wave %s in flight, %d allowed", count, wave.Name, most)
	}
	return ""
}

// firstAdmitted reports whether the write admits the site to its first phase.
func (s step) firstAdmitted() bool { return s.admitted() != "" && len(records(s.after)) == 0 }

// withinFailures holds a site that begins to maxFailures, of the rollout and of its wave. What has failed or recovered since the reconcile looked does not matter to it.
func withinFailures(s step) string {
	if !s.firstAdmitted() {
		return ""
	}
	has := func(sr *v1alpha1.SiteRollout) bool {
		return sr.Status.State == v1alpha1.SiteRolledBack || slices.ContainsFunc(sr.Status.Phases, func(r v1alpha1.PhaseRecord) bool { return runs(r) && r.FailedAt != nil })
	}
	wave := planned(s.turn.rollout, s.after.Spec.Wave)
	for name, limit := range map[string]*intstr.IntOrString{"": s.turn.rollout.Spec.MaxFailures, wave.Name: wave.MaxFailures} {
		seen, there := in(s.read(), name), in(s.siteRollouts, name)
		known := len(s.members(name)) // those too that are about to join
		if failed := number(there, has); float64(failed) > of(limit, max(known, len(there))) && float64(number(seen, has)) > of(limit, max(known, len(seen))) {
			return fmt.Sprintf("%d sites are failed, %s allowed", failed, limit)
		}
	}
	return ""
}

// notPastWavesThrough holds every reconcile to the `through` of the wave that it has read.
func notPastWavesThrough(s step) string {
	if s.after == nil {
		return ""
	}
	through := planned(s.turn.rollout, s.after.Spec.Wave).Through
	if phase := s.begins(); phase != "" && through != "" && s.beyond(phase, s.going(), through) {
		return fmt.Sprintf("%s, through of the wave is %s", phase, through)
	}
	return ""
}

// afterBarrier looks at a site that is admitted to its first phase: of the sites that are known of in the wave that its wave comes after, enough must have passed, long enough ago.
func afterBarrier(s step) string {
	if !s.firstAdmitted() {
		return ""
	}
	barrier := s.barrier(s.after.Spec.Wave)
	if barrier.Wave == "" {
		return ""
	}
	members := s.members(barrier.Wave)
	var passed []time.Time
	for _, name := range members {
		for _, sr := range s.siteRollouts {
			if at, ok := s.passedThrough(sr, barrier.Phase); ok && sr.Spec.Site == name {
				passed = append(passed, at)
			}
		}
	}
	needed := float64(len(members))
	if barrier.AtLeast != nil {
		needed = of(barrier.AtLeast, len(members))
	}
	slices.SortFunc(passed, time.Time.Compare)
	for i := range passed {
		if early := float64(i + 1); early >= needed && !passed[i].Add(length(barrier.Soak)).After(s.now) {
			return ""
		}
	}
	return fmt.Sprintf("%d of the %d sites of wave %s have passed, %v needed", len(passed), len(members), barrier.Wave, needed)
}

// barrier returns what another wave must have done before a wave opens.
func (s step) barrier(wave string) v1alpha1.WaveBarrier {
	for i, w := range s.turn.rollout.Spec.Waves {
		switch {
		case w.Name != wave:
		case w.After != nil:
			return *w.After
		case i > 0:
			return v1alpha1.WaveBarrier{Wave: s.turn.rollout.Spec.Waves[i-1].Name}
		}
	}
	return v1alpha1.WaveBarrier{}
}

// passedThrough returns when a site had passed a phase and every one before it; all of them when none is named.
func (s step) passedThrough(sr *v1alpha1.SiteRollout, phase string) (latest time.Time, ok bool) {
	own := s.own(sr)
	for _, name := range s.phases() {
		passed := firstPassed(recordOf(sr, name))
		if passed == nil && len(records(sr)) > 0 && !slices.Contains(own, name) { // it will never do that
			continue
		}
		if passed == nil {
			return latest, false
		}
		if passed.After(latest) {
			latest = passed.Time
		}
		if name == phase {
			break
		}
	}
	return latest, true
}

// firstPassed returns when a phase was passed: what a regression reopened since was passed before that. It is nil when it was not.
func firstPassed(r *v1alpha1.PhaseRecord) *metav1.Time {
	switch {
	case r == nil:
		return nil
	case r.FirstPassedAt != nil:
		return r.FirstPassedAt
	}
	return r.PassedAt
}

// members returns the sites that the reconcile knows in a wave, or in all: of a wave that picks, those that it has picked.
func (s step) members(wave string) []string {
	var names []string
	for i := range s.turn.sites {
		site := &s.turn.sites[i]
		for _, w := range s.turn.rollout.Spec.Waves {
			selector, err := metav1.LabelSelectorAsSelector(w.Selector)
			if err != nil || !selector.Matches(planning.SiteLabels(site)) {
				continue
			}
			picked := slices.ContainsFunc(s.siteRollouts, func(sr *v1alpha1.SiteRollout) bool { return sr.Spec.Site == site.Name && sr.Spec.Wave == w.Name })
			if w.Pick != nil && !picked {
				continue
			}
			if wave == "" || w.Name == wave {
				names = append(names, site.Name)
			}
			break
		}
	}
	return names
}

// withinPick counts the sites of a wave that picks.
func withinPick(s step) string {
	for _, w := range s.turn.rollout.Spec.Waves {
		if picked := len(in(s.siteRollouts, w.Name)); w.Pick != nil && picked > int(*w.Pick) {
			return fmt.Sprintf("wave %s has %d sites and picks %d", w.Name, picked, *w.Pick)
		}
	}
	return ""
}

// rankingStays lets no place change or be given in a wave in which a site has begun by the ranking. The reconcile must have been able to see it.
func rankingStays(s step) string {
	if s.after == nil || s.after.Spec.Wave == "" {
		return ""
	}
	was, is := int32(0), int32(0)
	if s.before != nil && s.before.Spec.Wave == s.after.Spec.Wave && s.before.Spec.Rank != nil {
		was = *s.before.Spec.Rank
	}
	if s.after.Spec.Rank != nil {
		is = *s.after.Spec.Rank
	}
	begun := func(sr *v1alpha1.SiteRollout) bool { return sr.Spec.Rank != nil && len(sr.Status.Phases) > 0 }
	if was != is && number(in(s.read(), s.after.Spec.Wave), begun) > 0 && number(in(s.siteRollouts, s.after.Spec.Wave), begun) > 0 {
		return fmt.Sprintf("its place in wave %s was %d and is %d", s.after.Spec.Wave, was, is)
	}
	return ""
}

// rankedFirst looks for the ranking in the status of the rollout, as it is on the API server.
func rankedFirst(s step) string {
	if !s.firstAdmitted() || len(planned(s.turn.rollout, s.after.Spec.Wave).RankBy) == 0 {
		return ""
	}
	for _, w := range s.rollout.Status.Waves {
		if w.Name == s.after.Spec.Wave && w.RankedAt != nil {
			return ""
		}
	}
	return "wave " + s.after.Spec.Wave
}
