package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// good is a period of six intervals in which everything is as promised.
func good(name string, sites int) cost {
	c := cost{name: name, sites: sites, kpis: 3, interval: often, length: time.Minute, queries: 18, measured: 18, busiest: 3, queriesByKPI: map[string]int{},
		writes: map[request]float64{{verb: "PATCH", resource: "kpis"}: 18, {verb: "PATCH", resource: "siterollouts"}: 18}}
	for _, m := range fewMeasurements() {
		c.queriesByKPI[m.kpi] = 6
	}
	return c
}

func TestClaims(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*cost)
		broken []string
	}{
		"as promised":                                {func(*cost) {}, nil},
		"writes at the bound":                        {func(c *cost) { c.writes[request{verb: "POST", resource: "events"}] = 18 }, nil},
		"writes just above the bound":                {func(c *cost) { c.writes[request{verb: "POST", resource: "events"}] = 19 }, []string{"API writes"}},
		"one write per site and interval":            {func(c *cost) { c.writes[request{verb: "PATCH", resource: "siterollouts"}] = 1200 }, []string{"API writes"}},
		"leases follow the clock and do not count":   {func(c *cost) { c.leases = 1200 }, nil},
		"a slow machine measured less often":         {func(c *cost) { c.queries, c.measured = 15, 15 }, nil},
		"one query per site":                         {func(c *cost) { c.queries, c.busiest = 3600, 600 }, []string{"queries"}},
		"a KPI was asked twice for one moment":       {func(c *cost) { c.queries++ }, []string{"queries"}},
		"a KPI was measured more often than said":    {func(c *cost) { c.busiest = 4 }, []string{"queries"}},
		"a KPI was not measured":                     {func(c *cost) { c.queriesByKPI[fewMeasurements()[0].kpi] = 0 }, []string{"queries"}},
		"nothing was measured, which costs nothing":  {func(c *cost) { *c = cost{name: c.name, sites: c.sites} }, []string{"queries", "API writes"}},
		"a site moved, so it was no quiet time":      {func(c *cost) { c.moved = 1 }, []string{"nothing happened"}},
		"a reconcile failed, so it was no good time": {func(c *cost) { c.failures = 1 }, []string{"nothing happened"}},
	} {
		for position := range 2 {
			t.Run(name, func(t *testing.T) {
				costs := []cost{good("quiet", 200), good("quiet", 400)}
				test.change(&costs[position])
				var broken []string
				for _, claim := range judge(costs) {
					if !claim.holds {
						broken = append(broken, claim.what)
					}
				}
				if len(broken) != len(test.broken) {
					t.Fatalf("broken claims: %q, want %q", broken, test.broken)
				}
				for i, beginning := range test.broken {
					if !strings.HasPrefix(broken[i], beginning) {
						t.Errorf("broken claim: %q, want the one about %q", broken[i], beginning)
					}
				}
			})
		}
	}
}

func TestClaimsAreLinesWithAVerdict(t *testing.T) {
	many := good("quiet", 400)
	many.writes[request{verb: "POST", resource: "events"}] = 36
	var lines []string
	costs := []cost{good("quiet", 200), good("noisy", 200), many}
	for _, claim := range judge(costs) {
		lines = append(lines, claim.String())
	}
	lines = append(lines, growth(costs)...)
	want := []string{
		"ok      nothing happened meanwhile: transitions of sites: 0 (200 sites, quiet), 0 (200 sites, noisy), 0 (400 sites, quiet) (must be 0, and no reconcile may fail)",
		"ok      queries per interval: 3 of 3 KPIs (200 sites, quiet), 3 of 3 KPIs (200 sites, noisy), 3 of 3 KPIs (400 sites, quiet) (claim: one per KPI, however many sites)",
		"BROKEN  API writes per KPI and interval: 2.00 (200 sites, quiet), 2.00 (200 sites, noisy), 4.00 (400 sites, quiet) (claim: at most 3, however many sites)",
		"growth  quiet, 2.0 times the sites: queries per interval x1.00, writes per KPI and interval x2.00",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}
