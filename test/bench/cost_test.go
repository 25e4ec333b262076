package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// after returns moments, in seconds after the start.
func after(seconds ...int) []time.Time {
	moments := make([]time.Time, 0, len(seconds))
	for _, s := range seconds {
		moments = append(moments, start.Add(time.Duration(s)*time.Second))
	}
	return moments
}

func TestBusiest(t *testing.T) {
	for name, test := range map[string]struct {
		moments []time.Time
		want    int
	}{
		"nothing was asked":                                  {nil, 0},
		"one KPI, once per interval":                         {after(0, 10, 20, 30), 1},
		"one KPI, sometimes late":                            {after(0, 13, 23, 41), 1},
		"one KPI, once too early":                            {after(0, 10, 19, 30), 2},
		"three KPIs, each once per interval":                 {after(0, 4, 7, 10, 14, 17), 3},
		"three KPIs, the last one late":                      {after(0, 4, 7, 10, 14, 19), 3},
		"one KPI, asked for each of four sites":              {after(0, 0, 0, 0, 10, 10, 10, 10), 4},
		"in another order":                                   {after(20, 0, 10, 19), 2},
		"the busiest interval lies in the middle":            {after(0, 50, 52, 54, 100), 3},
		"an interval ends just before the next one's moment": {after(0, 5, 10, 15), 2},
	} {
		t.Run(name, func(t *testing.T) {
			if got := busiest(test.moments, 10*time.Second); got != test.want {
				t.Errorf("busiest = %d, want %d", got, test.want)
			}
		})
	}
}

func TestCostIsWhatHappenedBetweenTwoSamples(t *testing.T) {
	before := sample{
		at:    start,
		asked: map[string][]time.Time{"a": after(0), "b": nil},
		total: 1,
		requests: map[request]float64{
			{"PATCH", "rollout.crmops.dev", "kpis", "status"}: 5,
			{"POST", "events.k8s.io", "events", ""}:           7,
			{"PUT", "coordination.k8s.io", "leases", ""}:      2,
		},
		own:        map[string]float64{"PATCH": 10},
		reconciles: map[string]float64{"kpi": 4, "crmrollout": 3},
		failures:   1,
		process:    process{cpu: 2 * time.Second, resident: 10, peak: 30},
		steps:      40,
	}
	later := sample{
		at:    start.Add(20 * time.Second),
		asked: map[string][]time.Time{"a": after(0, 10, 20), "b": after(12, 12)},
		total: 5,
		requests: map[request]float64{
			{"PATCH", "rollout.crmops.dev", "kpis", "status"}:  9,
			{"POST", "rollout.crmops.dev", "siterollouts", ""}: 1,
			{"LIST", "rollout.crmops.dev", "kpis", ""}:         100,
			{"WATCH", "rollout.crmops.dev", "kpis", ""}:        100,
			{"POST", "events.k8s.io", "events", ""}:            7,
			{"PATCH", "", "events", ""}:                        3,
			{"PUT", "coordination.k8s.io", "leases", ""}:       12,
			{"POST", "authorization.k8s.io", "reviews", ""}:    50,
		},
		own:        map[string]float64{"PATCH": 14, "PUT": 9},
		reconciles: map[string]float64{"kpi": 8, "crmrollout": 3},
		failures:   1,
		goroutines: 200,
		process:    process{cpu: 5 * time.Second, resident: 20, peak: 30},
		steps:      41,
	}
	want := cost{
		kpis: 2, interval: 10 * time.Second, length: 20 * time.Second,
		queries:      4,
		queriesByKPI: map[string]int{"a": 2, "b": 2},
		measured:     3,
		busiest:      3,
		writes: map[request]float64{
			{"PATCH", "rollout.crmops.dev", "kpis", "status"}:  4,
			{"POST", "rollout.crmops.dev", "siterollouts", ""}: 1,
			{"PATCH", "", "events", ""}:                        3,
		},
		leases:     10,
		own:        map[string]float64{"PATCH": 4, "PUT": 9},
		reconciles: map[string]float64{"kpi": 4},
		moved:      1,
		cpu:        3 * time.Second,
		resident:   20,
		peak:       30,
		goroutines: 200,
	}
	if diff := cmp.Diff(want, costOf(before, later, 10*time.Second), cmp.AllowUnexported(cost{}, request{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("cost (-want +got):\n%s", diff)
	}
}

func TestRatios(t *testing.T) {
	c := cost{
		sites: 200, interval: 10 * time.Second, length: 100 * time.Second, queries: 29, measured: 30, cpu: 3 * time.Second,
		writes: map[request]float64{{verb: "PATCH", resource: "kpis"}: 30, {verb: "PATCH", resource: "siterollouts"}: 15},
		leases: 1000,
	}
	type ratios struct {
		Intervals, PerInterval, PerMeasurement, PerSite, Cores float64
		PerJudgement                                           time.Duration
	}
	of := func(c cost) ratios {
		return ratios{c.intervals(), c.perInterval(), c.perMeasurement(), c.perSite(), c.cores(), c.perJudgement()}
	}
	if diff := cmp.Diff(ratios{10, 2.9, 1.5, 0.225, 0.03, 500 * time.Microsecond}, of(c)); diff != "" {
		t.Errorf("ratios (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(ratios{}, of(cost{})); diff != "" {
		t.Errorf("a period in which nothing was counted (-want +got):\n%s", diff)
	}
}
