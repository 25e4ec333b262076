package main

import (
	"fmt"
	"strings"
	"time"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

// barWidth is the greatest number of characters that a site's bar takes.
const barWidth = 80

// timeline draws every site's way: which phase it was in when, and when it was held.
func timeline(record Record) []string {
	begin, end := span(record.Stories)
	if begin.IsZero() {
		return []string{"No site has started."}
	}
	step := end.Sub(begin)/barWidth + 1
	if step < time.Second {
		step = time.Second
	}
	var legend []string
	for i, reference := range record.Plan.Rollout.Spec.Phases {
		legend = append(legend, fmt.Sprintf("%d %s", i+1, reference.Name))
	}
	lines := []string{fmt.Sprintf("What happened, from %s to %s (UTC): %s, ! held, · waiting", clock(begin), clock(end), strings.Join(legend, ", ")), ""}
	for _, wave := range append(waveNames(record.Plan.Rollout), "") {
		for i := range record.Stories {
			story := &record.Stories[i]
			if story.Spec.Wave == wave {
				lines = append(lines, fmt.Sprintf(" %s%s%s", pad(story.Spec.Site, 10), pad(wave, 6), record.bar(story, begin, end, step)))
			}
		}
	}
	return lines
}

// span is the time from the first phase that started to the last one that was passed.
func span(stories []crmv1.SiteRollout) (begin, end time.Time) {
	for _, story := range stories {
		for _, done := range story.Status.Phases {
			if begin.IsZero() || done.StartedAt.Time.Before(begin) {
				begin = done.StartedAt.Time
			}
			if done.PassedAt != nil && done.PassedAt.After(end) {
				end = done.PassedAt.Time
			}
		}
	}
	return begin, end
}

// bar is a site's way, a character for each step of time.
func (r Record) bar(story *crmv1.SiteRollout, begin, end time.Time, step time.Duration) string {
	var bar strings.Builder
	for moment := begin; moment.Before(end); moment = moment.Add(step) {
		bar.WriteString(r.sign(story, moment))
	}
	return strings.TrimRight(bar.String(), " ")
}

func (r Record) sign(story *crmv1.SiteRollout, moment time.Time) string {
	passed := 0
	for i, reference := range r.Plan.Rollout.Spec.Phases {
		done := phaseOf(story, reference.Name)
		switch {
		case done == nil || done.StartedAt.After(moment):
			continue
		case done.PassedAt != nil && !done.PassedAt.After(moment):
			passed++
			continue
		case heldAt(story, moment):
			return "!"
		}
		return fmt.Sprint(i + 1)
	}
	if passed == len(r.Plan.Rollout.Spec.Phases) {
		return " "
	}
	return "·"
}

// heldAt says whether a site was held at a moment, by its transitions.
func heldAt(story *crmv1.SiteRollout, moment time.Time) bool {
	held := false
	for _, step := range story.Status.Transitions {
		if step.Time.After(moment) {
			break
		}
		held = step.To == crmv1.SiteHeld
	}
	return held
}

// verdict lists every promise, with what speaks against it. The error says that one was broken.
func verdict(results []Result, style styles) ([]string, error) {
	var lines []string
	broken := 0
	for _, result := range results {
		if len(result.Breaches) == 0 {
			lines = append(lines, fmt.Sprintf(" %s✓%s %s", style.green, style.plain, result.Promise))
			continue
		}
		broken++
		lines = append(lines, fmt.Sprintf(" %s✗%s %s", style.red, style.plain, result.Promise))
		for _, breach := range result.Breaches {
			lines = append(lines, "     "+breach)
		}
	}
	if broken > 0 {
		return lines, fmt.Errorf("%d of %d promises were broken", broken, len(results))
	}
	return lines, nil
}
