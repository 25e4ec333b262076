package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCommandLine(t *testing.T) {
	for name, test := range map[string]struct {
		args    []string
		quiet   string
		want    options
		refused string
	}{
		"nothing said":                      {want: options{sites: 200, gated: 1000, moving: 1000, many: 10000, quiet: 5 * time.Minute, rest: time.Minute}},
		"QUIET":                             {quiet: "90s", want: options{sites: 200, gated: 1000, moving: 1000, many: 10000, quiet: 90 * time.Second, rest: time.Minute}},
		"flags win over QUIET":              {args: []string{"-quiet=2m", "-rest=45s", "-sites=50"}, quiet: "90s", want: options{sites: 50, gated: 1000, moving: 1000, many: 10000, quiet: 2 * time.Minute, rest: 45 * time.Second}},
		"QUIET is no duration":              {quiet: "long", refused: "QUIET"},
		"too short to say anything":         {args: []string{"-quiet=29s"}, refused: "at least 30s"},
		"the other periods too short":       {args: []string{"-rest=1s"}, refused: "at least 30s"},
		"one site cannot be in both states": {args: []string{"-sites=1"}, refused: "at least 2"},
		"one part":                          {args: []string{"-part=verdicts", "-gated=20"}, want: options{part: partVerdicts, sites: 200, gated: 20, moving: 1000, many: 10000, quiet: 5 * time.Minute, rest: time.Minute}},
		"a part that does not exist":        {args: []string{"-part=all"}, refused: "-part"},
		"nobody to move":                    {args: []string{"-moving=0"}, refused: "-moving"},
		"nobody in a wave":                  {args: []string{"-many=0"}, refused: "-many"},
		"another part":                      {args: []string{"-part=completed", "-many=9"}, want: options{part: partCompleted, sites: 200, gated: 1000, moving: 1000, many: 9, quiet: 5 * time.Minute, rest: time.Minute}},
		"nobody to judge":                   {args: []string{"-gated=0"}, refused: "-gated"},
		"a word that nobody asked for":      {args: []string{"quickly"}, refused: "quickly"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse(test.args, test.quiet)
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("want an error that says %q, got: %v", test.refused, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(options{})); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTableHasOneColumnPerPeriod(t *testing.T) {
	quiet, noisy := good("quiet", 200), good("noisy", 200)
	quiet.resident, quiet.cpu, quiet.reconciles = 64<<20, 6*time.Second, map[string]float64{"kpi": 18}
	noisy.writes[request{verb: "POST", resource: "events"}] = 2
	lines := map[string][]string{}
	for _, line := range strings.Split(table([]cost{quiet, noisy}), "\n") {
		for _, name := range []string{"queries per interval, most", "  PATCH kpis", "  POST events", "  of kpi", "CPU, share of one core", "RSS "} {
			if cells, ok := strings.CutPrefix(strings.TrimPrefix(line, "   "), name); ok {
				lines[strings.TrimSpace(name)] = strings.Fields(cells)
			}
		}
	}
	want := map[string][]string{
		"queries per interval, most": {"3", "3"},
		"PATCH kpis":                 {"18", "18"},
		"POST events":                {"0", "2"},
		"of kpi":                     {"18", "0"},
		"CPU, share of one core":     {"10.0%", "0.0%"},
		"RSS":                        {"64", "MiB", "0", "MiB"},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("lines of the table (-want +got):\n%s\nin:\n%s", diff, table([]cost{quiet, noisy}))
	}
}
