package sequence

import (
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// joinedBy puts another site of the region into the step: one that has begun its first phase.
func (s *step) joinedBy(name string) *v1alpha1.SiteRollout {
	sr := &v1alpha1.SiteRollout{ObjectMeta: named("crm." + name), Spec: v1alpha1.SiteRolloutSpec{Rollout: "crm", Site: name, Wave: "region", AdmittedThrough: "prepare", Revision: "crm-now"}}
	sr.Status.State, sr.Status.Phases = v1alpha1.SiteProving, []v1alpha1.PhaseRecord{{Name: "prepare", Attempt: 1, StartedAt: on(60)}}
	s.turn.sites = append(s.turn.sites, *site(name, "region"))
	s.siteRollouts = append(s.siteRollouts, sr)
	return sr
}

// sees lets the reconcile have read what is there.
func (s *step) sees() {
	for _, sr := range s.siteRollouts {
		s.turn.reads(sr)
	}
}

// amid admits berlin while nice is in its first phase, under changed rules.
func amid(change func(rollout *v1alpha1.CRMRolloutSpec, region *v1alpha1.Wave, nice *v1alpha1.SiteRollout)) func(*step) {
	return func(s *step) {
		s.admitsBerlin()
		nice := s.joinedBy("nice")
		spec := &s.turn.rollout.Spec
		change(spec, &spec.Waves[1], nice)
		s.sees()
	}
}

// barred admits berlin behind a barrier of the pilot: hq passed golive at 70m, and kiel is in it.
func barred(barrier v1alpha1.WaveBarrier) func(*step) {
	return func(s *step) {
		s.admitsBerlin()
		barrier.Wave = "pilot"
		s.turn.rollout.Spec.Waves[1].After = &barrier
		kiel := s.joinedBy("kiel")
		kiel.Spec.Wave = "pilot"
		kiel.Status.Phases = append(s.siteRollouts[0].DeepCopy().Status.Phases[:2], v1alpha1.PhaseRecord{Name: "golive", Attempt: 1, StartedAt: on(60)})
		s.turn.sites[len(s.turn.sites)-1] = *site("kiel", "pilot")
	}
}

// reranks changes the place of berlin while nice has begun by the ranking.
func reranks(was, is int32) func(*step) {
	return func(s *step) {
		one := int32(1)
		nice := s.joinedBy("nice")
		nice.Spec.Rank = &one
		s.before = s.siteRollouts[1]
		s.after = s.before.DeepCopy()
		s.after.Spec.Rank = &is
		if was != 0 {
			s.before = s.before.DeepCopy()
			s.before.Spec.Rank = &was
		}
		s.siteRollouts[1] = s.after
		s.turn.request.controller = ofRollouts
		s.sees()
	}
}

// spoiltWaves are about barriers, limits and rankings.
func spoiltWaves() []spoiling {
	type rules = func(*v1alpha1.CRMRolloutSpec, *v1alpha1.Wave, *v1alpha1.SiteRollout)
	limit := func(l *intstr.IntOrString) rules {
		return func(r *v1alpha1.CRMRolloutSpec, _ *v1alpha1.Wave, _ *v1alpha1.SiteRollout) { r.MaxConcurrent = l }
	}
	ofWave := func(l *intstr.IntOrString) rules {
		return func(_ *v1alpha1.CRMRolloutSpec, w *v1alpha1.Wave, _ *v1alpha1.SiteRollout) { w.MaxConcurrent = l }
	}
	failing := func(most, mostOfWave *intstr.IntOrString) rules {
		return func(r *v1alpha1.CRMRolloutSpec, w *v1alpha1.Wave, nice *v1alpha1.SiteRollout) {
			r.MaxFailures, w.MaxFailures, nice.Status.Phases[0].FailedAt = most, mostOfWave, passedOn(65)
		}
	}
	picking := func(pick int32) rules {
		return func(_ *v1alpha1.CRMRolloutSpec, w *v1alpha1.Wave, _ *v1alpha1.SiteRollout) { w.Pick = &pick }
	}
	ranking := func(ranked bool) func(*step) {
		return func(s *step) {
			s.admitsBerlin()
			s.turn.rollout.Spec.Waves[1].RankBy = []v1alpha1.RankKey{{By: v1alpha1.RankByUsers}}
			s.rollout.Status.Waves = []v1alpha1.WaveStatus{{Name: "region"}}
			if ranked {
				s.rollout.Status.Waves[0].RankedAt = passedOn(70)
			}
		}
	}
	const byWave, byLimit, byBudget, byPick, byPlace = "no site begins before its wave", "maxConcurrent", "no site begins beyond maxFailures", "no wave picks more than it may", "a ranking stays once a site has begun by it"
	return []spoiling{
		{"", "two of two are in flight", amid(limit(sites(2)))},
		{"", "two of three are in flight", amid(limit(percent("67%")))},
		{byLimit, "two of three are in flight, one allowed", amid(limit(percent("66%")))},
		{"", "two of the wave are in flight", amid(ofWave(percent("100%")))},
		{byLimit, "two of the wave are in flight, one allowed", amid(ofWave(percent("99%")))},
		{byLimit, "so are two, by number", amid(ofWave(sites(1)))},
		{"", "one is failed, as is allowed", amid(failing(sites(1), percent("50%")))},
		{byBudget, "one is failed, none allowed", amid(failing(sites(0), nil))},
		{byBudget, "a third is failed, less allowed", amid(failing(percent("33%"), nil))},
		{byBudget, "half of the wave is failed", amid(failing(nil, percent("49%")))},
		{byBudget, "one is rolled back", amid(func(r *v1alpha1.CRMRolloutSpec, _ *v1alpha1.Wave, nice *v1alpha1.SiteRollout) {
			r.MaxFailures, nice.Status.State = sites(0), v1alpha1.SiteRolledBack
		})},
		{"", "one of two has passed, as is needed", barred(v1alpha1.WaveBarrier{AtLeast: sites(1)})},
		{"", "half has passed, as is needed", barred(v1alpha1.WaveBarrier{AtLeast: percent("50%")})},
		{"", "both have passed the phase", barred(v1alpha1.WaveBarrier{Phase: "migrate", Soak: "15m"})},
		{byWave, "they did so a moment ago", barred(v1alpha1.WaveBarrier{Phase: "migrate", Soak: "16m"})},
		{byWave, "both are needed", barred(v1alpha1.WaveBarrier{AtLeast: sites(2)})},
		{byWave, "more than half is needed", barred(v1alpha1.WaveBarrier{AtLeast: percent("51%")})},
		{byWave, "one has not passed the phase", barred(v1alpha1.WaveBarrier{Phase: "golive"})},
		{"nothing past a wave's through", "golive is started", func(s *step) {
			s.before.Status.Phases, s.turn.rollout.Spec.Waves[0].Through = s.before.Status.Phases[:2], "migrate"
		}},
		{"nothing past a wave's through", "golive is admitted", func(s *step) {
			s.before.Spec.AdmittedThrough, s.turn.rollout.Spec.Waves[0].Through = "migrate", "migrate"
		}},
		{"", "two are picked", amid(picking(2))},
		{byPick, "one too many is picked", amid(picking(1))},
		{"", "a place stays", reranks(2, 2)},
		{byPlace, "a place changes", reranks(3, 2)},
		{byPlace, "a place is given late", reranks(0, 2)},
		{"", "the wave is ranked", ranking(true)},
		{"no site begins before its wave is ranked", "it is not", ranking(false)},
	}
}
