package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

// table is the rollout at a moment, a line per site, and the reason of every hold.
func (s *Show) table(stories []crmv1.SiteRollout, now time.Time, style styles) []string {
	counts, wave := s.plan.Rollout.Status.Sites, "wave "+s.plan.Rollout.Status.CurrentWave
	if s.plan.Rollout.Status.CurrentWave == "" {
		wave = "no wave left"
	}
	lines := []string{
		"",
		fmt.Sprintf("%s%s%s  %s   %s   %d waiting  %d moving  %d held  %d completed   at most %d at a time", style.bold, s.plan.Rollout.Name, style.plain,
			s.stamp(now), wave, counts.Waiting, counts.Moving, counts.Held, counts.Completed, s.limit()),
		"",
		style.faint + row("SITE", "REGION", "WAVE", "PHASES", "PHASE", "STATE", "REASON") + style.plain,
	}
	for _, wave := range append(waveNames(s.plan.Rollout), "") {
		for i := range stories {
			if story := &stories[i]; story.Spec.Wave == wave {
				lines = append(lines, s.siteLines(story, style)...)
			}
		}
	}
	return append(lines, "")
}

func (s *Show) siteLines(story *crmv1.SiteRollout, style styles) []string {
	status := story.Status
	colour := map[crmv1.SiteState]string{crmv1.SiteHeld: style.red, crmv1.SiteCompleted: style.green, crmv1.SiteProving: style.yellow}[status.State]
	line := row(story.Spec.Site, string(s.plan.Sites[story.Spec.Site].Spec.Region), story.Spec.Wave, s.progress(story), status.CurrentPhase, string(status.State), status.Reason)
	lines := []string{colour + line + style.plain}
	if status.State == crmv1.SiteHeld {
		lines = append(lines, style.red+"           └ "+status.Message+style.plain)
	}
	return lines
}

// progress shows each phase of a site as one sign: passed, running, held, ahead.
func (s *Show) progress(story *crmv1.SiteRollout) string {
	var signs strings.Builder
	for _, reference := range s.plan.Rollout.Spec.Phases {
		done := phaseOf(story, reference.Name)
		switch {
		case done == nil:
			signs.WriteString("○")
		case done.PassedAt != nil:
			signs.WriteString("●")
		case story.Status.State == crmv1.SiteHeld:
			signs.WriteString("!")
		default:
			signs.WriteString("◐")
		}
	}
	return signs.String()
}

func (s *Show) limit() int32 {
	if limit := s.plan.Rollout.Spec.MaxConcurrent; limit != nil {
		return int32(limit.IntValue())
	}
	return int32(len(s.plan.Sites))
}

func waveNames(rollout crmv1.CRMRollout) []string {
	var names []string
	for _, wave := range rollout.Spec.Waves {
		names = append(names, wave.Name)
	}
	return names
}

func row(site, region, wave, phases, phase, state, reason string) string {
	return " " + strings.TrimRight(pad(site, 10)+pad(region, 6)+pad(wave, 6)+pad(phases, 6)+pad(phase, 13)+pad(state, 10)+reason, " ")
}

// pad fills a text up to a width in characters, and puts a gap behind it.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text))+2)
}

// story tells of a held site what `kubectl describe` would, and nothing that is not in its object.
func (s *Show) story(held *crmv1.SiteRollout) []string {
	site, status := s.plan.Sites[held.Spec.Site].Spec, held.Status
	lines := []string{
		"",
		fmt.Sprintf("  Name:       %s", held.Name),
		fmt.Sprintf("  Site:       %s (region %s, %s, wave %s)", orNothing(site.DisplayName), site.Region, site.BusinessMode, held.Spec.Wave),
	}
	if attempt := phaseOf(held, status.CurrentPhase); attempt != nil {
		lines = append(lines, fmt.Sprintf("  Phase:      %s, attempt %d, started %s", status.CurrentPhase, attempt.Attempt, clock(attempt.StartedAt.Time)))
	}
	lines = append(lines, fmt.Sprintf("  State:      %s, %s", status.State, status.Reason), "  Message:    "+status.Message)
	if status.Gate != nil {
		lines = append(lines, s.gateLines(status.Gate)...)
	}
	if status.NextLook != nil {
		lines = append(lines, "  Next look:  "+clock(status.NextLook.Time))
	}
	return append(lines, "")
}

func (s *Show) gateLines(gate *crmv1.GateReport) []string {
	lines := []string{fmt.Sprintf("  Gate:       %s (%s), %s", gate.Name, strings.ToLower(string(gate.Role)), gate.Verdict)}
	for _, criterion := range gate.Criteria {
		sampled := "never"
		if criterion.SampleTime != nil {
			sampled = clock(criterion.SampleTime.Time)
		}
		lines = append(lines,
			fmt.Sprintf("    %s  %s, %s", pad(criterion.Name, 18), criterion.Verdict, criterion.Reason),
			fmt.Sprintf("      KPI:        %s (%s)", criterion.KPI, s.plan.KPIs[criterion.KPI].Spec.Category),
			fmt.Sprintf("      Value:      %s %s", orNothing(string(criterion.Value)), s.plan.KPIs[criterion.KPI].Spec.Unit),
			fmt.Sprintf("      Threshold:  %s", criterion.Threshold),
			fmt.Sprintf("      Sampled:    %s", sampled))
	}
	return lines
}
