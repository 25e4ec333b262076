package main

import (
	"fmt"
	"time"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

// holdShown is how long a hold is left to be looked at before its cause is removed.
const holdShown = 4 * time.Second

// Event is something that happens at a site, outside of the cluster.
type Event struct{ Site, Name string }

// eventClean is the event that removes the cause of the hold.
const eventClean = "clean"

// Step is a line of the protocol.
type Step struct {
	Line string
	// Turn marks a turn of the story, which is told even beside a table that shows where every site stands.
	Turn bool
}

// News is what one look at the objects brought.
type News struct {
	// Steps are what is new: waves that opened or completed, and transitions of sites.
	Steps []Step
	// Events are what happens outside because of them.
	Events []Event
	// Held is set once: when the troubled site is seen held for the first time.
	Held *crmv1.SiteRollout
	// Finished says that every site has completed.
	Finished bool
}

// Show follows the rollout, and decides what happens in the world outside: people of a site start to work differently
// when a phase begins there, and somebody cleans the data of the troubled site after it has been held.
type Show struct {
	plan     Plan
	troubled string
	begun    time.Time

	observed Observed
	heldAt   time.Time
	posted   map[Event]bool
	told     map[string]int64
	waves    map[string]crmv1.WaveState
}

// NewShow begins a show now.
func NewShow(plan Plan, troubled string, now time.Time) *Show {
	return &Show{
		plan: plan, troubled: troubled, begun: now,
		observed: Observed{FirstAdmitted: map[string]time.Time{}},
		posted:   map[Event]bool{},
		told:     map[string]int64{},
		waves:    map[string]crmv1.WaveState{},
	}
}

// Look takes one look at the objects, all read at the same time.
func (s *Show) Look(rollout crmv1.CRMRollout, stories []crmv1.SiteRollout, now time.Time) News {
	s.plan.Rollout = rollout
	news := News{Finished: len(stories) == len(s.plan.Sites) && rollout.Status.Sites.Completed == int32(len(s.plan.Sites))}
	s.lookAtWaves(rollout, now, &news)
	inFlight := 0
	for i := range stories {
		story := &stories[i]
		s.lookAtAdmission(story)
		if inPhase(story) {
			inFlight++
		}
		s.lookAtSteps(story, now, &news)
		s.lookAtPhases(story, &news)
		s.lookAtHold(story, now, &news)
		news.Finished = news.Finished && story.Status.State == crmv1.SiteCompleted
	}
	s.observed.MostInFlight = max(s.observed.MostInFlight, inFlight)
	return news
}

// Record is what the show is judged by, with the objects as they are in the end.
func (s *Show) Record(stories []crmv1.SiteRollout) Record {
	return Record{Plan: s.plan, Troubled: s.troubled, Stories: stories, Observed: s.observed}
}

func (s *Show) lookAtWaves(rollout crmv1.CRMRollout, now time.Time, news *News) {
	for _, wave := range rollout.Status.Waves {
		if before := s.waves[wave.Name]; before == wave.State {
			continue
		}
		s.waves[wave.Name] = wave.State
		line := fmt.Sprintf("%s  wave %s is %s", s.stamp(now), wave.Name, wave.State)
		if wave.Message != "" {
			line += ": " + wave.Message
		}
		news.Steps = append(news.Steps, Step{Line: line, Turn: true})
	}
}

func (s *Show) lookAtAdmission(story *crmv1.SiteRollout) {
	at := story.Spec.AdmittedAt
	if at == nil {
		return
	}
	if first, known := s.observed.FirstAdmitted[story.Spec.Site]; !known || at.Time.Before(first) {
		s.observed.FirstAdmitted[story.Spec.Site] = at.Time
	}
}

// lookAtSteps tells the transitions that have not been told. The object keeps them all, so none is lost between two looks.
func (s *Show) lookAtSteps(story *crmv1.SiteRollout, now time.Time, news *News) {
	site := story.Spec.Site
	for _, step := range story.Status.Transitions {
		if step.Sequence <= s.told[site] {
			continue
		}
		s.told[site] = step.Sequence
		line := fmt.Sprintf("%s  %-10s %-13s %9s → %-9s  %s", s.stamp(now), site, step.Phase, step.From, step.To, step.Reason)
		if step.Message != "" {
			line += ": " + step.Message
		}
		news.Steps = append(news.Steps, Step{Line: line, Turn: step.From == crmv1.SiteHeld || step.To == crmv1.SiteHeld})
	}
}

func (s *Show) lookAtPhases(story *crmv1.SiteRollout, news *News) {
	for _, done := range story.Status.Phases {
		event := Event{Site: story.Spec.Site, Name: done.Name}
		if !s.posted[event] {
			s.posted[event] = true
			news.Events = append(news.Events, event)
		}
	}
}

func (s *Show) lookAtHold(story *crmv1.SiteRollout, now time.Time, news *News) {
	if story.Spec.Site != s.troubled {
		return
	}
	if s.observed.Held == nil && story.Status.State == crmv1.SiteHeld {
		s.observed.Held, s.heldAt = story.DeepCopy(), now
		news.Held = s.observed.Held
	}
	clean := Event{Site: s.troubled, Name: eventClean}
	if s.observed.Held != nil && !s.posted[clean] && now.Sub(s.heldAt) >= holdShown {
		s.posted[clean] = true
		s.observed.Cleaned = now
		news.Events = append(news.Events, clean)
	}
}

// stamp is the time since the show began.
func (s *Show) stamp(now time.Time) string { return fmt.Sprintf("%5.1fs", now.Sub(s.begun).Seconds()) }

// inPhase says whether a site takes one of the places that maxConcurrent counts: it is admitted to a phase that it has not
// passed.
func inPhase(story *crmv1.SiteRollout) bool {
	if story.Spec.AdmittedThrough == "" {
		return false
	}
	done := phaseOf(story, story.Spec.AdmittedThrough)
	return done == nil || done.PassedAt == nil
}
