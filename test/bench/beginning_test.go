package main

import (
	"strings"
	"testing"
	"time"
)

func TestBaselinesCostOneQueryPerIntervalAndASecondOneForControls(t *testing.T) {
	for name, test := range map[string]struct {
		controlled bool
		moments    []time.Time
		want       bool
	}{
		"one query":                             {false, after(0), true},
		"one query, with controls":              {true, after(0, -3600), true},
		"the next interval":                     {true, after(0, -3600, 21, -3579), true},
		"nobody asked":                          {false, nil, false},
		"nobody asked about before":             {true, after(0), false},
		"one query per site":                    {false, after(0, 0, 0), false},
		"again within the interval":             {false, after(0, 9), false},
		"asked about before without controls":   {false, after(0, -3600), false},
		"asked about the same time before more": {true, after(0, 21, -3600, -3600), false},
	} {
		t.Run(name, func(t *testing.T) {
			b := beginning{sites: 1000, interval: rarely, takes: []take{takeOf(measured{kpi: "lead-time", controlled: test.controlled}, test.moments, start.Add(-time.Minute))}}
			if claim := b.claim(); claim.holds != test.want {
				t.Errorf("holds: %t, want %t: %s", claim.holds, test.want, claim)
			}
		})
	}
}

func TestTheClaimAboutBaselinesSaysWhatWasAsked(t *testing.T) {
	b := beginning{sites: 1000, interval: rarely, took: 7 * time.Second, controls: 30, takes: []take{
		{kpi: "lead-time", now: after(0)}, {kpi: "conversion-rate", controlled: true, now: after(0), earlier: after(-3600)}}}
	const want = "ok      queries for baselines when 1000 sites began within 7s: lead-time 1, conversion-rate 1 and 1 about before (30 control sites or more for each site)"
	if got := b.claim().String(); !strings.HasPrefix(got, want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if (beginning{}).claim().holds {
		t.Error("a beginning without baselines shows nothing")
	}
}
