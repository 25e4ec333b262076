package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

func TestVerdictsOfAFullGateAreAboutValues(t *testing.T) {
	const sites = 12
	v, err := measureVerdicts(newFullProgramme(sites))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{crmv1.ReasonHolding: 5 * sites, crmv1.ReasonMet: 4 * sites, crmv1.ReasonKept: sites}
	if diff := cmp.Diff(want, v.reasons); diff != "" {
		t.Errorf("reasons of the verdicts (-want +got):\n%s", diff)
	}
	for _, claim := range judgeVerdicts(v) {
		if !claim.holds {
			t.Error(claim)
		}
	}
	criteria := 0
	for _, kind := range v.kinds {
		criteria += kind.criteria
		if asked := rounds * sites * kind.criteria; kind.criteria == 0 || kind.newer.verdicts != asked || kind.same.verdicts != asked {
			t.Errorf("%s: %d criteria, %d and %d verdicts, want %d", kind.name, kind.criteria, kind.newer.verdicts, kind.same.verdicts, asked)
		}
		if kind.report == 0 || kind.evidence == 0 || kind.newer.bytes == 0 || kind.newer.allocs == 0 {
			t.Errorf("%s: nothing was written or allocated: %+v", kind.name, kind)
		}
	}
	if criteria != len(fullMeasurements()) {
		t.Errorf("the kinds have %d criteria, the gate has %d", criteria, len(fullMeasurements()))
	}
}

func TestVerdictsWithoutAValueAreNoVerdicts(t *testing.T) {
	good := verdicts{reasons: map[string]int{crmv1.ReasonMet: 10}, largest: 9000, steps: work{criteria: 10}}
	for name, test := range map[string]struct {
		change func(*verdicts)
		broken string
	}{
		"as promised":          {func(*verdicts) {}, ""},
		"nothing was judged":   {func(v *verdicts) { v.reasons = nil }, "verdicts were about values"},
		"a value was missing":  {func(v *verdicts) { v.reasons = map[string]int{crmv1.ReasonMet: 9, crmv1.ReasonSampleMissing: 1} }, "verdicts were about values"},
		"a status is too long": {func(v *verdicts) { v.largest = 64 << 10 }, "status of a site"},
	} {
		t.Run(name, func(t *testing.T) {
			v := good
			test.change(&v)
			for _, claim := range judgeVerdicts(v) {
				if wrong := test.broken != "" && strings.HasPrefix(claim.what, test.broken); claim.holds == wrong {
					t.Errorf("holds: %t: %s", claim.holds, claim)
				}
			}
		})
	}
}

func TestVerdictTablesShowRates(t *testing.T) {
	plain := work{name: byValue, criteria: 4, newer: spent{verdicts: 1000, cpu: 10 * time.Millisecond, bytes: 500_000, allocs: 20_000}, same: spent{verdicts: 1000, cpu: 5 * time.Millisecond}, report: 412, evidence: 188}
	slow := work{name: byControl, criteria: 1, newer: spent{verdicts: 1000, cpu: 80 * time.Millisecond}, same: spent{verdicts: 1000, cpu: 10 * time.Millisecond}, report: 566, evidence: 356}
	got := verdictTables(verdicts{sites: 1000, steps: plain, judging: plain, kinds: []work{plain, slow}})
	for _, want := range []string{"1000 sites x 4 criteria", "100000", "10µs", "500", "20", "x8.0", "x2.0", "566", "356"} {
		if !strings.Contains(got, want) {
			t.Errorf("the tables lack %q:\n%s", want, got)
		}
	}
}

func BenchmarkVerdicts(b *testing.B) {
	c, err := newCourt(newFullProgramme(100))
	if err != nil {
		b.Fatal(err)
	}
	c.everyone(c.step)
	for _, kind := range append(kindsOfCriteria(), "all") {
		g := c.gate()
		if kind != "all" {
			g = c.ofKind(kind)
		}
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				c.judge(c.cases[i%len(c.cases)], g)
			}
		})
	}
	b.Run("look", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			c.step(c.cases[i%len(c.cases)])
		}
	})
}
