package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
)

// The market lifts every site by 15 %, and the CRM does nothing. Whoever compares with the past is content; whoever compares with the sites that did not get the CRM is not.
func TestMarketBoomIsNotTakenForAnEffect(t *testing.T) {
	t.Parallel()
	const past, beside = "boom-baseline", "boom-control"
	m := openMarket(t)
	ask(t, m, past, withBaseline)
	ask(t, m, beside, withControls)
	manager(t, cluster.ManagerOptions{Name: "boom"}, past, beside)
	frozen := map[string]v1alpha1.Baseline{past: begun(t, past, treated), beside: begun(t, beside, treated)}
	for _, taken := range frozen {
		assertBaseline(t, m, taken, controls)
	}

	m.move(1.15, 1)
	m.awaitMoved(t, frozen[past].WindowEnd.Time)
	moved := time.Now()

	e := assertPassed(t, awaitSite(t, past, treated, "passes", everPassed), frozen[past])
	near(t, "1 + the change", 1+percent(t, e.Change), 1.15, 0.02)
	near(t, "1 + the change", 1+percent(t, e.Change), decimal(t, e.Value)/decimal(t, e.ComparedWith), 1e-5)
	near(t, "what it was compared with", decimal(t, e.ComparedWith), decimal(t, frozen[past].Value), 1e-9)
	if e.Low != "" || e.High != "" || e.Controls != 0 || e.Threshold != "at least 5% from the baseline of phase go-live" {
		t.Errorf("the evidence of a comparison with the past is %+v", e)
	}

	sr := awaitHeld(t, beside, moved)
	c := assertHeld(t, sr, frozen[beside])
	near(t, "the value", decimal(t, c.Value), 1.15*decimal(t, frozen[beside].Value), 0.02)
	assertInterval(t, m, frozen[beside], c.Figures, c.SampleTime.Time, controls, 1)
	if percent(t, c.High) >= 0.05 {
		t.Errorf("up to %s is no failure of at least 5%%", c.High)
	}
	for _, words := range []string{"revenue-per-rep is ", " EUR, an effect of ", " beside 12 control sites, must be at least 5% (measured "} {
		if !strings.Contains(c.Message, words) {
			t.Errorf("%q does not say %q", c.Message, words)
		}
	}
	if c.Threshold != "at least 5% more than the control group of phase go-live, with 95% confidence" {
		t.Errorf("the threshold reads %q", c.Threshold)
	}
	show(t, past, treated, "Phases", "Reason")
	show(t, beside, treated, "Gate", "Next Look")
}

// The market falls by 10 % while the CRM brings 8 %. Whoever compares with the past sees a loss; whoever compares with the sites that did not get the CRM sees the effect.
func TestEffectInAFallingMarketIsFound(t *testing.T) {
	t.Parallel()
	const past, beside = "fall-baseline", "fall-control"
	m := openMarket(t)
	ask(t, m, past, withBaseline)
	ask(t, m, beside, withControls)
	manager(t, cluster.ManagerOptions{Name: "fall"}, past, beside)
	frozen := map[string]v1alpha1.Baseline{past: begun(t, past, treated), beside: begun(t, beside, treated)}
	for _, taken := range frozen {
		assertBaseline(t, m, taken, controls)
	}

	m.move(0.9, 1.08)
	m.awaitMoved(t, frozen[past].WindowEnd.Time)
	moved := time.Now()

	e := assertPassed(t, awaitSite(t, beside, treated, "passes", everPassed), frozen[beside])
	assertInterval(t, m, frozen[beside], e.Figures, e.SampleTime.Time, controls, 1.08)
	if percent(t, e.Low) < 0.05 {
		t.Errorf("from %s is no pass of at least 5%%", e.Low)
	}
	without := decimal(t, e.Value) / (1 + percent(t, e.Change))
	near(t, "what it was compared with", decimal(t, e.ComparedWith), without, 1e-5)

	c := assertHeld(t, awaitHeld(t, past, moved), frozen[past])
	near(t, "1 + the change", 1+percent(t, c.Change), 0.9*1.08, 0.02)
	near(t, "what it was compared with", decimal(t, c.ComparedWith), decimal(t, frozen[past].Value), 1e-9)
	if !strings.Contains(c.Message, " from its baseline of ") || !strings.Contains(c.Message, ", must be at least 5% (measured ") {
		t.Errorf("the message is %q", c.Message)
	}
	show(t, past, treated, "Gate", "Next Look")
	show(t, beside, treated, "Phases", "Reason")
}

// Control sites that get the CRM too are none any more. They leave with their old values and their new ones, so that their luck does not count.
func TestSitesThatLeaveTheControlGroupDoNotBendTheEffect(t *testing.T) {
	t.Parallel()
	const namespace = "fall-leavers"
	m := openMarket(t)
	ask(t, m, namespace, withControls)
	manager(t, cluster.ManagerOptions{Name: "leavers"}, namespace)
	frozen := begun(t, namespace, treated)
	assertBaseline(t, m, frozen, controls)

	// Every fourth: the spokes that are left still add up to zero.
	leavers := []string{controls[0], controls[4], controls[8]}
	for _, site := range leavers {
		relabel(t, namespace, site, "stage", "pilot")
		taken := begun(t, namespace, site)
		if slices.ContainsFunc(taken.Controls, func(c v1alpha1.ControlValue) bool { return c.Site == treated }) {
			t.Errorf("%s is compared with %s, which has begun the phase", site, treated)
		}
	}
	m.move(0.9, 1.08)
	m.disturb(1.5, leavers...)
	m.awaitMoved(t, frozen.WindowEnd.Time)

	sr := awaitSite(t, namespace, treated, "passes", everPassed)
	e := assertPassed(t, sr, frozen)
	stayed := slices.DeleteFunc(slices.Clone(controls), func(site string) bool { return slices.Contains(leavers, site) })
	assertInterval(t, m, frozen, e.Figures, e.SampleTime.Time, stayed, 1.08)
	if bent := m.effectOf(t, frozen.WindowEnd.Time, e.SampleTime.Time, controls); bent > 1 {
		t.Errorf("with the sites that left, the effect would be %v; they were to bend it", bent)
	}
	show(t, namespace, treated, "Phases", "Reason")
}

// assertInterval expects the effect that Prometheus' own numbers give, with an interval that contains the true one.
func assertInterval(t *testing.T, m *market, taken v1alpha1.Baseline, f v1alpha1.Figures, at time.Time, group []string, truth float64) {
	t.Helper()
	change, low, high := 1+percent(t, f.Change), 1+percent(t, f.Low), 1+percent(t, f.High)
	near(t, "1 + the effect", change, m.effectOf(t, taken.WindowEnd.Time, at, group), 0.003)
	if !(low < truth && truth < high && low < change && change < high) {
		t.Errorf("the interval from %v to %v around %v does not contain %v", low, high, change, truth)
	}
	if high-low > 0.06 {
		t.Errorf("the interval from %v to %v is too wide for this little noise", low, high)
	}
	if int(f.Controls) != len(group) {
		t.Errorf("compared with %d control sites, want %d", f.Controls, len(group))
	}
}
