package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
	"github.com/crmops/rollout-operator/internal/plan"
)

const calendars = "docs/calendars.md"

// timed reads the examples of the page, and resolves them as the operator does.
func timed(t *testing.T) plan.Plan {
	t.Helper()
	objects := plan.Objects{Phases: map[string]*v1alpha1.RolloutPhase{"prepare": {}}, Calendars: map[string]*v1alpha1.RolloutCalendar{}}
	var rollout v1alpha1.CRMRollout
	for _, example := range pages(t, root)[calendars].examples {
		var head struct{ Kind string }
		if err := yaml.Unmarshal([]byte(example), &head); err != nil {
			t.Fatal(err)
		}
		phase, calendar := &v1alpha1.RolloutPhase{}, &v1alpha1.RolloutCalendar{}
		into := map[string]any{"RolloutPhase": phase, "RolloutCalendar": calendar, "CRMRollout": &rollout}
		if err := yaml.UnmarshalStrict([]byte(example), into[head.Kind]); err != nil {
			t.Fatal(err)
		}
		objects.Phases[phase.Name], objects.Calendars[calendar.Name] = phase, calendar
	}
	resolved := plan.Resolve(&rollout, objects)
	for _, mistake := range resolved.AllMistakes() {
		t.Errorf("the examples hold a mistake: %+v", mistake)
	}
	return resolved
}

// documents reads YAML files with several documents.
func documents(t *testing.T, directory string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, directory, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", directory, err)
	}
	var all []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.Split(string(text), "\n---\n")...)
	}
	return all
}

// The answers that the page shows are those that sites of the sample programme would get.
func TestTheAnswersOfCalendarsAreTrue(t *testing.T) {
	resolved, sites := timed(t), map[string]*v1alpha1.RolloutSite{}
	for _, document := range documents(t, "config/samples/programme") {
		site := &v1alpha1.RolloutSite{}
		if err := yaml.Unmarshal([]byte(document), site); err == nil && site.Kind == "RolloutSite" {
			sites[site.Name] = site
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `(20[^`]*)` \\| `([a-z]+)` \\| `([a-z-]+)` \\| (.*) \\|$").FindAllStringSubmatch(read(t, calendars), -1)
	if len(rows) != 9 {
		t.Errorf("%d answers are checked, want 9", len(rows))
	}
	for _, row := range rows {
		now, err := time.Parse(time.RFC3339, row[1])
		if err != nil {
			t.Fatal(err)
		}
		if sites[row[2]] == nil {
			t.Fatalf("the sample programme has no site %s", row[2])
		}
		want := strings.TrimPrefix(row[4], "it may start")
		if got := admit.HoursAt(resolved, now).Closed(sites[row[2]], "group", row[3]).Message; got != want {
			t.Errorf("%s, %s, %s: %q\nthe page says %q", row[1], row[2], row[3], got, want)
		}
	}
}

// The examples of the page are the samples, without their comments.
func TestTheCalendarsOfThePageAreTheSamples(t *testing.T) {
	samples := map[string]v1alpha1.RolloutCalendar{}
	for _, document := range documents(t, "config/samples/calendars") {
		var sample v1alpha1.RolloutCalendar
		if err := yaml.Unmarshal([]byte(document), &sample); err == nil && sample.Kind == "RolloutCalendar" {
			samples[sample.Name] = sample
			if _, mistakes := plan.ResolveCalendar(&sample); len(mistakes) > 0 {
				t.Errorf("sample %s: %v", sample.Name, mistakes)
			}
		}
	}
	shown := 0
	for _, example := range pages(t, root)[calendars].examples {
		var calendar v1alpha1.RolloutCalendar
		if err := yaml.Unmarshal([]byte(example), &calendar); err != nil || calendar.Kind != "RolloutCalendar" {
			continue
		}
		shown++
		if diff := cmp.Diff(samples[calendar.Name], calendar); diff != "" {
			t.Errorf("%s (-sample +page):\n%s", calendar.Name, diff)
		}
	}
	if shown < 4 {
		t.Errorf("only %d calendars were compared", shown)
	}
}
