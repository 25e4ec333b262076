package main

import (
	"slices"
	"time"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

// cost is what a period cost.
type cost struct {
	name        string
	sites, kpis int
	interval    time.Duration
	length      time.Duration

	// queries is the number of all queries, and queriesByKPI those of each KPI.
	queries      int
	queriesByKPI map[string]int
	// measured is how often KPIs were measured: each KPI once for every moment that it was asked about.
	measured int
	// busiest is the greatest number of queries about moments within one interval.
	busiest int

	// writes to objects of the operator's kinds and to events, by kind of request.
	writes map[request]float64
	// refused are those of them that the API server did not take, because the object had changed meanwhile for example.
	refused map[request]float64
	// leases are the writes to leases. They follow the clock and no object: the manager's own, and the API server's.
	leases float64
	// own are the requests that the manager says it made, by HTTP method.
	own map[string]float64

	// bodies are the sizes of what the API server was sent.
	bodies map[request]bodies

	reconciles map[string]float64
	spans      map[string]span
	failures   float64
	// moved is the number of transitions that sites recorded.
	moved int64

	cpu            time.Duration
	resident, peak int64
	goroutines     float64
}

// costOf returns what happened between two samples of KPIs that are measured once per interval.
func costOf(before, after sample, interval time.Duration) cost {
	c := cost{
		kpis:         len(after.asked),
		interval:     interval,
		length:       after.at.Sub(before.at),
		queries:      after.total - before.total,
		queriesByKPI: map[string]int{},
		writes:       map[request]float64{},
		refused:      difference(before.refused, after.refused),
		own:          difference(before.own, after.own),
		reconciles:   difference(before.reconciles, after.reconciles),
		failures:     after.failures - before.failures,
		moved:        after.steps - before.steps,
		cpu:          after.process.cpu - before.process.cpu,
		resident:     after.process.resident,
		peak:         after.process.peak,
		goroutines:   after.goroutines,
		spans:        map[string]span{},
		bodies:       map[request]bodies{},
	}
	for controller, took := range after.spans {
		old := before.spans[controller]
		c.spans[controller] = span{took.count - old.count, took.seconds - old.seconds}
	}
	for kind, sent := range after.bodies {
		old := before.bodies[kind]
		c.bodies[kind] = bodies{sent.count - old.count, sent.bytes - old.bytes}
	}
	var moments []time.Time
	for kpi, asked := range after.asked {
		during := asked[len(before.asked[kpi]):]
		c.queriesByKPI[kpi] = len(during)
		c.measured += distinct(during)
		moments = append(moments, during...)
	}
	c.busiest = busiest(moments, interval)
	for kind, count := range difference(before.requests, after.requests) {
		switch {
		case !kind.writes():
		case kind.resource == "leases":
			c.leases += count
		case kind.group == crmv1.GroupVersion.Group || kind.resource == "events":
			c.writes[kind] = count
		}
	}
	return c
}

// taken is how many writes of a kind the API server took.
func (c cost) taken(kind request) float64 { return c.writes[kind] - c.refused[kind] }

// writes reports whether a request changes something.
func (r request) writes() bool {
	switch r.verb {
	case "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION":
		return true
	}
	return false
}

// difference returns by how much counters have grown. Those that have not are left out.
func difference[K comparable](before, after map[K]float64) map[K]float64 {
	grown := map[K]float64{}
	for key, value := range after {
		if by := value - before[key]; by != 0 {
			grown[key] = by
		}
	}
	return grown
}

func sum[K comparable](counts map[K]float64) float64 {
	var total float64
	for _, count := range counts {
		total += count
	}
	return total
}

// distinct counts moments that differ.
func distinct(moments []time.Time) int {
	different := map[int64]bool{}
	for _, moment := range moments {
		different[moment.UnixMilli()] = true
	}
	return len(different)
}

// busiest returns the greatest number of moments within one length of time, its end excluded. A KPI that is measured once
// per interval adds 1 however late a busy machine measures it, because the moments stand in the queries themselves.
func busiest(moments []time.Time, length time.Duration) int {
	sorted := slices.SortedFunc(slices.Values(moments), time.Time.Compare)
	most, first := 0, 0
	for last, moment := range sorted {
		for !moment.Before(sorted[first].Add(length)) {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// perMeasurement is how many writes there were for each time that a KPI was measured. Leases are left out.
func (c cost) perMeasurement() float64 { return ratio(sum(c.writes), float64(c.measured)) }

// perSite is how many writes there were for each site. Leases are left out.
func (c cost) perSite() float64 { return ratio(sum(c.writes), float64(c.sites)) }

// intervals is how many intervals the period lasted.
func (c cost) intervals() float64 { return ratio(c.length.Seconds(), c.interval.Seconds()) }

// perInterval is how many queries there were in an interval, on average. It differs from the number of KPIs by what the
// ends of the period cut off.
func (c cost) perInterval() float64 { return ratio(float64(c.queries), c.intervals()) }

// cores is how much of one core the manager used, from 0.
func (c cost) cores() float64 { return ratio(c.cpu.Seconds(), c.length.Seconds()) }

// perJudgement is the CPU time for each site that was judged after a measurement: all other work is in it too.
func (c cost) perJudgement() time.Duration {
	return time.Duration(ratio(float64(c.cpu), float64(c.measured*c.sites)))
}

// ratio is 0 when there is nothing to divide by.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
