package sequence

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the transcripts of the fixed order to testdata")

// TestTranscripts plays every scenario in the fixed order and compares what happened with what is written down in testdata.
func TestTranscripts(t *testing.T) {
	for _, scenario := range scenarios() {
		t.Run(scenario.name, func(t *testing.T) {
			t.Parallel()
			s := newSim(scenario, newAPI(), nil)
			s.run()
			if len(s.judge.broken) > 0 {
				t.Fatalf("this must never happen:\n%s\n%s", strings.Join(s.judge.broken, "\n"), s.story.String())
			}
			if *update {
				if err := os.WriteFile(transcript(scenario), []byte(s.whole()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			compare(t, scenario, s)
		})
	}
}

// TestQuickServer plays every scenario with the quick stand-in for the fake client, which must make no difference.
func TestQuickServer(t *testing.T) {
	for _, scenario := range scenarios() {
		t.Run(scenario.name, func(t *testing.T) {
			t.Parallel()
			s := newSim(scenario, newQuickAPI(), nil)
			s.run()
			compare(t, scenario, s)
		})
	}
}

func transcript(s scenario) string { return filepath.Join("testdata", s.name+".golden") }

// whole is everything that a transcript shows: the story and where it ends.
func (s *sim) whole() string {
	return s.story.String() + "\nin the end\n" + strings.Join(s.ending(), "\n") + "\n"
}

func compare(t *testing.T, scenario scenario, s *sim) {
	t.Helper()
	want, err := os.ReadFile(transcript(scenario))
	if err != nil {
		t.Fatalf("read the transcript (write it with -update): %v", err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(s.whole(), "\n")); diff != "" {
		t.Errorf("the transcript differs (-written +now); if that is meant, write it with -update:\n%s", diff)
	}
}
