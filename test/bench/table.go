package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// title names a period: "200 sites, quiet".
func (c cost) title() string { return fmt.Sprintf("%d sites, %s", c.sites, c.name) }

// row is one line of the table.
type row struct {
	name string
	cell func(c cost) string
}

// table shows costs side by side, one column each.
func table(costs []cost) string {
	shown := rows(costs)
	widest := 0
	for _, r := range shown {
		widest = max(widest, len(r.name))
	}
	var text strings.Builder
	writer := tabwriter.NewWriter(&text, 0, 0, 3, ' ', tabwriter.AlignRight)
	for _, r := range shown {
		// Numbers stand to the right of their column, names to the left.
		cells := []string{fmt.Sprintf("%-*s", widest, r.name)}
		for _, c := range costs {
			cells = append(cells, r.cell(c))
		}
		// A strings.Builder never fails.
		_, _ = fmt.Fprintln(writer, strings.Join(cells, "\t")+"\t")
	}
	_ = writer.Flush()
	return text.String()
}

func rows(costs []cost) []row {
	all := []row{
		{"", cost.title},
		{"period", func(c cost) string { return c.length.Round(time.Second).String() }},
		{"KPIs, a criterion for each", func(c cost) string { return fmt.Sprint(c.kpis) }},
		{"interval of a KPI", func(c cost) string { return c.interval.String() }},
		{"intervals", func(c cost) string { return fmt.Sprintf("%.1f", c.intervals()) }},
		{"queries", func(c cost) string { return fmt.Sprint(c.queries) }},
	}
	all = append(all,
		row{"queries per interval, mean", func(c cost) string { return fmt.Sprintf("%.2f", c.perInterval()) }},
		row{"queries per interval, most", func(c cost) string { return fmt.Sprint(c.busiest) }},
		row{"the same, if asked per site", func(c cost) string { return fmt.Sprint(c.kpis * c.sites) }},
		row{"API writes", func(c cost) string { return fmt.Sprint(sum(c.writes)) }},
	)
	for _, kind := range kinds(costs) {
		all = append(all, row{"  " + kind.String(), func(c cost) string { return fmt.Sprint(c.writes[kind]) }})
	}
	all = append(all,
		row{"API writes per KPI and interval", func(c cost) string { return fmt.Sprintf("%.2f", c.perMeasurement()) }},
		row{"API writes per site", func(c cost) string { return fmt.Sprintf("%.2f", c.perSite()) }},
		row{"writes to leases (by the clock)", func(c cost) string { return fmt.Sprint(c.leases) }},
	)
	for _, method := range names(costs, func(c cost) map[string]float64 { return c.own }) {
		all = append(all, row{"requests that the manager counts, " + method, func(c cost) string { return fmt.Sprint(c.own[method]) }})
	}
	all = append(all,
		row{"reconciles", func(c cost) string { return fmt.Sprint(sum(c.reconciles)) }},
	)
	for _, controller := range names(costs, func(c cost) map[string]float64 { return c.reconciles }) {
		all = append(all, row{"  of " + controller, func(c cost) string { return fmt.Sprint(c.reconciles[controller]) }})
	}
	return append(all,
		row{"CPU", func(c cost) string { return fmt.Sprintf("%.2fs", c.cpu.Seconds()) }},
		row{"CPU, share of one core", func(c cost) string { return fmt.Sprintf("%.1f%%", 100*c.cores()) }},
		row{"CPU per site and measurement", func(c cost) string { return c.perJudgement().Round(time.Microsecond).String() }},
		row{"RSS", func(c cost) string { return mebibytes(c.resident) }},
		row{"RSS, peak since the start", func(c cost) string { return mebibytes(c.peak) }},
		row{"goroutines", func(c cost) string { return fmt.Sprint(c.goroutines) }},
	)
}

func mebibytes(bytes int64) string { return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20)) }

// kinds are the writes of any period, in order.
func kinds(costs []cost) []request {
	seen := map[request]bool{}
	for _, c := range costs {
		for kind := range c.writes {
			seen[kind] = true
		}
	}
	return sortedBy(seen, request.String)
}

// names are what was counted under some name in any period, in order.
func names(costs []cost, counts func(cost) map[string]float64) []string {
	seen := map[string]bool{}
	for _, c := range costs {
		for name := range counts(c) {
			seen[name] = true
		}
	}
	return sortedBy(seen, func(name string) string { return name })
}

func sortedBy[K comparable](set map[K]bool, name func(K) string) []K {
	var keys []K
	for key := range set {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b K) int { return strings.Compare(name(a), name(b)) })
	return keys
}
