package main

import (
	"fmt"
	"strings"
)

// maxWrites is the greatest number of writes per KPI and interval: the KPI's own status, one status with newer numbers that
// the measurement pays for, and room for what was saved up before the period began.
const maxWrites = 3

// claim is something that the operator promises, with what was counted.
type claim struct {
	what  string
	holds bool
}

// String is one line with the verdict.
func (c claim) String() string {
	if c.holds {
		return "ok      " + c.what
	}
	return "BROKEN  " + c.what
}

// judge compares what was counted with what is promised. No time is compared with anything.
func judge(costs []cost) []claim {
	still, asked, bounded := claim{holds: true}, claim{holds: true}, claim{holds: true}
	var moved, queries, repeated, writes []string
	for _, c := range costs {
		name := c.title()
		moved = append(moved, fmt.Sprintf("%d (%s)", c.moved, name))
		still.holds = still.holds && c.moved == 0 && c.failures == 0
		queries = append(queries, fmt.Sprintf("%d of %d KPIs (%s)", c.busiest, c.kpis, name))
		asked.holds = asked.holds && c.busiest == c.kpis && c.queries == c.measured && c.everyKPI()
		if c.queries != c.measured {
			repeated = append(repeated, fmt.Sprintf("; %s: %d queries for %d measurements", name, c.queries, c.measured))
		}
		writes = append(writes, fmt.Sprintf("%.2f (%s)", c.perMeasurement(), name))
		bounded.holds = bounded.holds && c.measured > 0 && sum(c.writes) <= float64(maxWrites*c.measured)
	}
	still.what = fmt.Sprintf("nothing happened meanwhile: transitions of sites: %s (must be 0, and no reconcile may fail)", strings.Join(moved, ", "))
	asked.what = fmt.Sprintf("queries per interval: %s (claim: one per KPI, however many sites)%s", strings.Join(queries, ", "), strings.Join(repeated, ""))
	bounded.what = fmt.Sprintf("API writes per KPI and interval: %s (claim: at most %d, however many sites)", strings.Join(writes, ", "), maxWrites)
	return []claim{still, asked, bounded}
}

// everyKPI reports whether each KPI was measured at all: what is not done costs nothing.
func (c cost) everyKPI() bool {
	for _, count := range c.queriesByKPI {
		if count == 0 {
			return false
		}
	}
	return c.kpis > 0 && len(c.queriesByKPI) == c.kpis
}

// growth compares periods of the same name at different numbers of sites, in one line each. It judges nothing: that costs
// do not grow with the number of sites follows from the bounds, which are the same for every number.
func growth(costs []cost) []string {
	var lines []string
	first := map[string]cost{}
	for _, c := range costs {
		less, ok := first[c.name]
		if !ok {
			first[c.name] = c
			continue
		}
		lines = append(lines, fmt.Sprintf("growth  %s, %.1f times the sites: queries per interval x%.2f, writes per KPI and interval x%.2f", c.name,
			ratio(float64(c.sites), float64(less.sites)), ratio(float64(c.busiest), float64(less.busiest)), ratio(c.perMeasurement(), less.perMeasurement())))
	}
	return lines
}
