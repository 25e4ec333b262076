package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

// meets judges a value as the gate would.
func meets(t *testing.T, c crmv1.Criterion, value float64) bool {
	t.Helper()
	bound, below := c.AtLeast, c.AtMost
	if bound == nil {
		bound = below
	}
	limit, _, err := bound.Float()
	if err != nil {
		t.Fatal(err)
	}
	if below != nil {
		return value <= limit
	}
	return value >= limit
}

func TestValuesNeverChangeAVerdict(t *testing.T) {
	p := newProgramme(4)
	for _, kind := range []values{steady, wiggling} {
		for round := range 2 * wiggleSteps {
			moment := start.Add(time.Duration(round) * p.interval)
			broken := map[string][]string{}
			for _, m := range fewMeasurements() {
				for site, value := range p.at(m, kind, moment) {
					if !meets(t, m.criterion, value) {
						broken[site] = append(broken[site], m.kpi)
					}
				}
			}
			want := map[string][]string{"site-0000": {"duplicate-rate"}, "site-0002": {"duplicate-rate"}}
			if diff := cmp.Diff(want, broken); diff != "" {
				t.Fatalf("%s, round %d: criteria that are not met, by site (-want +got):\n%s", kind, round, diff)
			}
		}
	}
}

func TestValuesStayOrDifferAtEverySite(t *testing.T) {
	p := newProgramme(3)
	for _, m := range fewMeasurements() {
		for round := range wiggleSteps {
			now, next := start.Add(time.Duration(round)*p.interval), start.Add(time.Duration(round+1)*p.interval)
			for _, site := range p.sites {
				if p.at(m, steady, now)[site] != p.at(m, steady, next)[site] {
					t.Errorf("%s of %s: steady values must stay", m.kpi, site)
				}
				if p.at(m, wiggling, now)[site] == p.at(m, wiggling, next)[site] {
					t.Errorf("%s of %s: wiggling values must differ from one measurement to the next", m.kpi, site)
				}
			}
		}
	}
}

func TestNoSiteCanPass(t *testing.T) {
	needed, err := hold.Parse()
	if err != nil {
		t.Fatal(err)
	}
	if needed < 24*time.Hour {
		t.Errorf("a hold of %s could end during a benchmark", needed)
	}
	if !slices.ContainsFunc(fewMeasurements(), func(m measured) bool { return m.criterion.For == hold }) {
		t.Error("a site that meets every threshold would pass at once: no criterion asks for a hold")
	}
}

// story is a site as it is told when it is settled, or nearly.
func story(site string, state crmv1.SiteState, reasons ...string) crmv1.SiteRollout {
	told := crmv1.SiteRollout{Spec: crmv1.SiteRolloutSpec{Site: site}, Status: crmv1.SiteRolloutStatus{State: state}}
	if len(reasons) > 0 {
		told.Status.Gate = &crmv1.GateReport{}
	}
	for _, reason := range reasons {
		told.Status.Gate.Criteria = append(told.Status.Gate.Criteria, crmv1.CriterionReport{KPI: "kpi", Reason: reason, Message: reason})
	}
	return told
}

func TestRestless(t *testing.T) {
	held := story("site-0000", crmv1.SiteHeld, crmv1.ReasonMet, crmv1.ReasonNotMet, crmv1.ReasonHolding)
	proving := story("site-0001", crmv1.SiteProving, crmv1.ReasonMet, crmv1.ReasonHolding, crmv1.ReasonHolding)
	for name, test := range map[string]struct {
		stories []crmv1.SiteRollout
		why     string
	}{
		"settled":           {[]crmv1.SiteRollout{held, proving}, ""},
		"a site is missing": {[]crmv1.SiteRollout{held}, "1 of 2 sites"},
		"a site does not stand where it will stay": {[]crmv1.SiteRollout{story("site-0000", crmv1.SiteProving, crmv1.ReasonMet, crmv1.ReasonMet, crmv1.ReasonMet), proving}, "should be Held"},
		"a site stands at no gate":                 {[]crmv1.SiteRollout{held, story("site-0001", crmv1.SiteProving)}, "3 criteria"},
		"a KPI has no value yet":                   {[]crmv1.SiteRollout{held, story("site-0001", crmv1.SiteProving, crmv1.ReasonMet, crmv1.ReasonHolding, crmv1.ReasonSampleMissing)}, "SampleMissing"},
	} {
		t.Run(name, func(t *testing.T) {
			err := restless(newProgramme(2), test.stories)
			if test.why == "" && err != nil {
				t.Errorf("it is settled, got: %v", err)
			}
			if test.why != "" && (err == nil || !strings.Contains(err.Error(), test.why)) {
				t.Errorf("want an error that says %q, got: %v", test.why, err)
			}
		})
	}
}

func TestStepsCountAlsoTransitionsThatAreNotKept(t *testing.T) {
	long, fresh := story("a", crmv1.SiteHeld), story("b", crmv1.SiteProving)
	long.Status.Transitions = []crmv1.Transition{{Sequence: 70}, {Sequence: 71}}
	if got := steps([]crmv1.SiteRollout{long, fresh}); got != 71 {
		t.Errorf("steps = %d, want 71", got)
	}
}
