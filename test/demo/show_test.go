package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

func newShow() *Show { return NewShow(goodRecord().Plan, "lyon", start) }

func TestShowPostsThePhaseOfASiteOnce(t *testing.T) {
	show := newShow()
	var events []Event
	for n := range 3 {
		events = append(events, show.Look(show.plan.Rollout, goodRecord().Stories[1:], second(n)).Events...)
	}
	want := []Event{{"munich", "migrate"}, {"munich", "live"}, {"osaka", "migrate"}, {"osaka", "live"}}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestShowCleansOnlyAfterTheHoldWasShown(t *testing.T) {
	show := newShow()
	proving := *heldStory()
	proving.Status.State = crmv1.SiteProving
	cleaned := func(story crmv1.SiteRollout, at int) (news News, clean bool) {
		news = show.Look(show.plan.Rollout, []crmv1.SiteRollout{story}, second(at))
		for _, event := range news.Events {
			clean = clean || event == Event{"lyon", "clean"}
		}
		return news, clean
	}
	if news, clean := cleaned(proving, 0); clean || news.Held != nil {
		t.Error("nothing is held yet")
	}
	if news, clean := cleaned(*heldStory(), 10); clean || news.Held == nil {
		t.Error("the hold must be told, and left to be looked at")
	}
	if news, clean := cleaned(*heldStory(), 13); clean || news.Held != nil {
		t.Error("the hold is told once, and the data is cleaned later")
	}
	if _, clean := cleaned(*heldStory(), 14); !clean {
		t.Error("now it must be cleaned")
	}
	if _, clean := cleaned(*heldStory(), 15); clean {
		t.Error("it is cleaned once")
	}
	record := show.Record(nil)
	if !record.Observed.Cleaned.Equal(second(14)) || record.Observed.Held == nil {
		t.Errorf("the record: %+v", record.Observed)
	}
}

func TestShowHoldsNothingAgainstAnotherSite(t *testing.T) {
	show := newShow()
	other := *heldStory()
	other.Spec.Site = "osaka"
	if news := show.Look(show.plan.Rollout, []crmv1.SiteRollout{other}, second(10)); news.Held != nil {
		t.Error("the story of another site was told")
	}
}

func TestShowObservesAdmissionsAndSitesInFlight(t *testing.T) {
	show := newShow()
	waiting, admitted := goodStory("osaka", "pilot", 30, 10), goodStory("munich", "group", 50, 10)
	waiting.Spec.AdmittedThrough, waiting.Spec.AdmittedAt = "", nil
	admitted.Spec.AdmittedThrough, admitted.Spec.AdmittedAt, admitted.Status.Phases = "migrate", stamp(3), nil
	show.Look(show.plan.Rollout, []crmv1.SiteRollout{*heldStory(), admitted, waiting}, second(5))
	later := admitted
	later.Spec.AdmittedAt = stamp(40)
	show.Look(show.plan.Rollout, []crmv1.SiteRollout{later}, second(41))
	got := show.Record(nil).Observed
	if got.MostInFlight != 2 {
		t.Errorf("in flight: %d, want lyon, which is held, and munich, which waits at an entry gate", got.MostInFlight)
	}
	if first := got.FirstAdmitted["munich"]; !first.Equal(second(3)) || len(got.FirstAdmitted) != 2 {
		t.Errorf("first admissions: %v", got.FirstAdmitted)
	}
}

func TestShowTellsEveryStepOnce(t *testing.T) {
	show := newShow()
	rollout := show.plan.Rollout
	rollout.Status.Waves = []crmv1.WaveStatus{{Name: "group", State: crmv1.WaveClosed, Message: "waits for wave pilot"}}
	story := goodStory("osaka", "pilot", 30, 10)
	story.Status.Transitions[1].Reason, story.Status.Transitions[1].Message = "AllPhasesPassed", "nothing is left to do"
	var steps []Step
	for n := range 2 {
		steps = append(steps, show.Look(rollout, []crmv1.SiteRollout{story}, second(n)).Steps...)
	}
	want := []Step{
		{Line: "  0.0s  wave group is Closed: waits for wave pilot", Turn: true},
		{Line: "  0.0s  osaka      migrate         Waiting → Proving    "},
		{Line: "  0.0s  osaka      live            Proving → Completed  AllPhasesPassed: nothing is left to do"},
	}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestShowTellsAHoldAndItsEndAsTurnsOfTheStory(t *testing.T) {
	var turns []bool
	for _, step := range newShow().Look(goodRecord().Plan.Rollout, goodRecord().Stories[:1], second(40)).Steps {
		turns = append(turns, step.Turn)
	}
	if diff := cmp.Diff([]bool{false, true, true, false}, turns); diff != "" {
		t.Errorf("the steps of lyon: started, held, recovered, completed (-want +got):\n%s", diff)
	}
}

func TestShowFinishesWhenTheObjectsSaySo(t *testing.T) {
	record := goodRecord()
	show := newShow()
	if !show.Look(record.Plan.Rollout, record.Stories, second(80)).Finished {
		t.Error("everything is completed")
	}
	if show.Look(record.Plan.Rollout, record.Stories[1:], second(80)).Finished {
		t.Error("a site has no story")
	}
	behind := record.Plan.Rollout
	behind.Status.Sites.Completed = 2
	if show.Look(behind, record.Stories, second(80)).Finished {
		t.Error("the rollout has not counted the last site")
	}
	record.Stories[0].Status.State = crmv1.SiteProving
	if show.Look(record.Plan.Rollout, record.Stories, second(80)).Finished {
		t.Error("a site has not completed")
	}
}

func TestTable(t *testing.T) {
	show := newShow()
	show.plan.Rollout.Name = "crm"
	show.plan.Sites["lyon"] = crmv1.RolloutSite{Spec: crmv1.RolloutSiteSpec{Region: "emea"}}
	got := show.table([]crmv1.SiteRollout{goodStory("munich", "group", 50, 10), *heldStory()}, second(12), styles{})
	want := []string{
		"",
		"crm   12.0s   no wave left   0 waiting  0 moving  0 held  3 completed   at most 1 at a time",
		"",
		" SITE        REGION  WAVE    PHASES  PHASE          STATE       REASON",
		" lyon        emea    pilot   !○      migrate        Held        ExitGateFailed",
		"           └ completeness 0.88 is below 0.95",
		" munich              group   ●●                     Completed",
		"",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestStory(t *testing.T) {
	show := newShow()
	show.plan.Sites["lyon"] = crmv1.RolloutSite{Spec: crmv1.RolloutSiteSpec{Region: "emea", DisplayName: "Halden France, Lyon", BusinessMode: "Membership"}}
	show.plan.KPIs["completeness"] = crmv1.KPI{Spec: crmv1.KPISpec{Category: "DataQuality", Unit: "ratio"}}
	want := `
  Name:       crm.lyon
  Site:       Halden France, Lyon (region emea, Membership, wave pilot)
  Phase:      migrate, attempt 1, started 09:00:00
  State:      Held, ExitGateFailed
  Message:    completeness 0.88 is below 0.95
  Gate:       data (exit), Fail
    complete              Fail, NotMet
      KPI:        completeness (DataQuality)
      Value:      0.88 ratio
      Threshold:  at least 0.95
      Sampled:    09:00:10
  Next look:  09:00:11
`
	if diff := cmp.Diff(strings.Split(want, "\n"), show.story(heldStory())); diff != "" {
		t.Errorf("story (-want +got):\n%s", diff)
	}
}

func TestTimeline(t *testing.T) {
	want := []string{
		"What happened, from 09:00:00 to 09:01:10 (UTC): 1 migrate, 2 live, ! held, · waiting",
		"",
		" lyon        pilot   1111111111!!!!!!!!112222222222",
		" osaka       pilot   ······························11111111112222222222",
		" munich      group   ··················································11111111112222222222",
	}
	if diff := cmp.Diff(want, timeline(goodRecord())); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"No site has started."}, timeline(Record{})); diff != "" {
		t.Errorf("timeline of nothing (-want +got):\n%s", diff)
	}
}

func TestCut(t *testing.T) {
	tests := []struct {
		line  string
		width int
		want  string
	}{
		{"short", 10, "short"},
		{"exactly", 7, "exactly"},
		{"too long", 3, "too"},
		{"●●○ signs", 3, "●●○"},
		{"\x1b[31mred\x1b[0m", 3, "\x1b[31mred\x1b[0m"},
		{"\x1b[31mred and more\x1b[0m", 3, "\x1b[31mred"},
		{"no limit", 0, "no limit"},
	}
	for _, test := range tests {
		if got := cut(test.line, test.width); got != test.want {
			t.Errorf("%q cut to %d: %q, want %q", test.line, test.width, got, test.want)
		}
	}
}

func TestScreen(t *testing.T) {
	var out bytes.Buffer
	live := &Screen{out: &out, live: true, width: func() int { return 4 }}
	live.Draw([]string{"one", "too long"})
	live.Draw([]string{"two"})
	live.Say("said")
	live.Draw([]string{"three"})
	live.Keep()
	live.Say("end")
	// A table is replaced by the next one; what is said takes its place; what is kept stays.
	want := "one\ntoo \n" + "\x1b[2A\x1b[J" + "two\n" + "\x1b[1A\x1b[J" + "said\n" + "thre\n" + "end\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("live (-want +got):\n%s", diff)
	}
	out.Reset()
	file := &Screen{out: &out}
	file.Draw([]string{"table"})
	file.Say("said")
	if diff := cmp.Diff("said\n", out.String()); diff != "" {
		t.Errorf("in a file (-want +got):\n%s", diff)
	}
}

func TestShellQuotesWhatAShellWouldChange(t *testing.T) {
	got := shell([]string{"patch", "-p", `{"a": 1}`})
	if want := `patch -p '{"a": 1}'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
