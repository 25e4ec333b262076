package gate_test

import (
	"slices"
	"time"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

// The numbers of generated histories. A good value of the site is far on the good side of every threshold and a bad one far on the other, whatever it is compared with.
const (
	goodValue, badValue   = 90.0, 70.0
	goodOther, badOther   = 90.0, 60.0 // of the reference KPI
	valueBefore           = 75.0       // the baseline
	leastValue            = 80.0
	leastGrowth           = 0.1 // from the baseline, or beside the control group
	tolerance             = 0.1 // to the reference
	enoughSamples, fewest = 20, 10
)

// raw is one value as a source gave it, with the ID that the site had then.
type raw struct {
	value   float64
	samples int64
	time    time.Time
	id      string
}

// ledger is everything that was ever measured, by KPI revision, site and ID in the order of time, and what the latest measurement of a KPI said of the site.
type ledger struct {
	values map[string][]raw
	latest map[string]gate.Outcome
}

func (l *ledger) add(kpi gate.KPI, site string, r raw) {
	key := kpi.Revision + "/" + site + "/" + r.id
	at, known := slices.BinarySearchFunc(l.values[key], r, func(a, b raw) int { return a.time.Compare(b.time) })
	if !known {
		l.values[key] = slices.Insert(l.values[key], at, r)
	}
}

// oracle is the slow way to say what a site has earned: it looks at what was measured and remembers nothing.
type oracle struct {
	ledger    *ledger
	ids       map[string]string
	begun     map[string]time.Time
	baseline  *v1alpha1.Baseline
	notBefore time.Time
	now       time.Time
	// forgetful lets a run begin anywhere, as it does when what came before was forgotten: exceptions of that time do not count.
	forgetful bool
}

// of returns the values of a site under an ID whose windows lie in the attempt.
func (o oracle) of(kpi gate.KPI, site, id string, from time.Time) []raw {
	var all []raw
	for _, r := range o.ledger.values[kpi.Revision+"/"+site+"/"+id] {
		start := r.time.Add(-kpi.Window)
		if (o.notBefore.IsZero() || start.After(o.notBefore)) && !start.Before(from) {
			all = append(all, r)
		}
	}
	return all
}

// newest returns the last of values that are not after a time.
func newest(all []raw, at time.Time) (raw, bool) {
	found, ok := raw{}, false
	for _, r := range all {
		if !r.time.After(at) {
			found, ok = r, true
		}
	}
	return found, ok
}

func verdictOf(good bool) gate.Finding {
	if good {
		return gate.Met
	}
	return gate.Missed
}

// findings are the values of a criterion that can be compared, and what each of them comes to.
func (o oracle) findings(c gate.Criterion) (counted []raw, found []gate.Finding) {
	usable := o.baseline != nil && o.baseline.SiteID == o.ids["berlin"]
	var from time.Time
	var find func(r raw) (finding gate.Finding, comparable bool)
	switch against := c.Comparison.(type) {
	case gate.AgainstNothing:
		find = func(r raw) (gate.Finding, bool) { return verdictOf(r.value >= leastValue), true }
	case gate.AgainstBaseline:
		if usable = usable && o.baseline.KPIRevision == against.Revision; !usable {
			return nil, nil
		}
		from = o.baseline.WindowEnd.Time
		find = func(r raw) (gate.Finding, bool) { return verdictOf(r.value >= valueBefore*(1+leastGrowth)), true }
	case gate.AgainstControl:
		if usable = usable && o.baseline.KPIRevision == against.Revision; !usable {
			return nil, nil
		}
		from = o.baseline.WindowEnd.Time
		find = func(r raw) (gate.Finding, bool) {
			if o.controlsAt(c, r.time) < against.MinSites {
				return gate.Unclear, true
			}
			return verdictOf(r.value >= valueBefore*(1+leastGrowth)), true
		}
	case gate.AgainstReference:
		find = func(r raw) (gate.Finding, bool) { return o.pair(c, against, r) }
	}
	for _, r := range o.of(c.KPI, "berlin", o.ids["berlin"], from) {
		finding, comparable := find(r)
		if r.samples < c.MinSamples {
			finding = gate.Unclear
		}
		if comparable {
			counted, found = append(counted, r), append(found, finding)
		}
	}
	return counted, found
}

// controlsAt counts the control sites that could be compared with at a time: those that had not begun the phase then, with a value under the ID of the baseline.
func (o oracle) controlsAt(c gate.Criterion, at time.Time) int {
	count := 0
	for _, control := range o.baseline.Controls {
		value, ok := newest(o.of(c.KPI, control.Site, control.Site, o.baseline.WindowEnd.Time), at)
		begun, has := o.begun[control.Site]
		if ok && (!has || begun.After(at)) && at.Sub(value.time) <= c.KPI.StaleAfter && value.samples >= c.MinSamples {
			count++
		}
	}
	return count
}

func (o oracle) pair(c gate.Criterion, against gate.AgainstReference, r raw) (finding gate.Finding, comparable bool) {
	references := o.of(against.KPI, "berlin", o.ids["berlin"], time.Time{})
	partner, ok := newest(references, r.time)
	if !ok || references[len(references)-1].time.Before(r.time) || r.time.Sub(partner.time) > against.KPI.StaleAfter {
		return gate.Unclear, false
	}
	if partner.samples < c.MinSamples {
		return gate.Unclear, true
	}
	return verdictOf(r.value >= partner.value*(1-tolerance) && r.value <= partner.value*(1+tolerance)), true
}

// known reports whether the latest measurement of a KPI gave a value that is fresh.
func (o oracle) known(kpi gate.KPI, all []raw) bool {
	return o.ledger.latest[kpi.Name] == gate.OutcomeValue && len(all) > 0 && o.now.Sub(all[len(all)-1].time) <= kpi.StaleAfter
}

// earned is the verdict that a criterion has earned.
func (o oracle) earned(c gate.Criterion) v1alpha1.Verdict {
	values, found := o.findings(c)
	if !o.known(c.KPI, values) {
		return wait
	}
	allowed := 0
	if against, ok := c.Comparison.(gate.AgainstReference); ok {
		if allowed = int(against.MaxExceptions); !o.known(against.KPI, o.of(against.KPI, "berlin", o.ids["berlin"], time.Time{})) {
			return wait
		}
	}
	last := len(values) - 1
	guard := c.Importance == v1alpha1.ImportanceGuardrail
	kind := verdictOf(!guard)
	began := o.runs(values, found, kind, allowed, c.KPI.StaleAfter)
	lasted := began >= 0 && values[last].time.Sub(values[began].time) >= c.For
	for from := range values {
		if later := from + o.runs(values[from:], found[from:], kind, allowed, c.KPI.StaleAfter); o.forgetful && later >= from {
			began, lasted = later, lasted || values[last].time.Sub(values[later].time) >= c.For
		}
	}
	switch {
	case found[last] == gate.Unclear:
		return wait
	case guard && found[last] == gate.Met:
		return pass
	case guard && lasted:
		return fail
	case guard:
		return wait
	case found[last] == gate.Missed && began < 0:
		return fail
	case found[last] == gate.Met && lasted:
		return pass
	}
	return wait
}

// runs returns the index at which the run that reaches to the last value began, or -1 when there is none.
func (o oracle) runs(values []raw, found []gate.Finding, kind gate.Finding, allowed int, gap time.Duration) int {
	began, exceptions := -1, 0
	for i := range values {
		if i > 0 && values[i].time.Sub(values[i-1].time) > gap {
			began = -1
		}
		switch {
		case found[i] == kind && began < 0:
			began, exceptions = i, 0
		case found[i] == kind:
		case found[i] == gate.Missed && began >= 0 && exceptions < allowed:
			exceptions++
		default:
			began = -1
		}
	}
	return began
}

// all is what every criterion of a gate has earned, by name, with its exceptions or as if each of them had ended the run.
func (o oracle) all(g gate.Gate, strictly bool) map[string]v1alpha1.Verdict {
	earned := make(map[string]v1alpha1.Verdict, len(g.Criteria))
	for _, c := range g.Criteria {
		if against, ok := c.Comparison.(gate.AgainstReference); ok && strictly {
			against.MaxExceptions = 0
			c.Comparison = against
		}
		earned[c.Name] = o.earned(c)
	}
	return earned
}

// whole is the verdict that a gate has earned when its criteria have. A score is decided by trying every way in which what waits could end.
func whole(g gate.Gate, earned map[string]v1alpha1.Verdict) v1alpha1.Verdict {
	verdict, groups := v1alpha1.VerdictPass, map[string][]v1alpha1.Verdict{}
	var weighted []gate.Criterion
	decides := false
	for _, c := range g.Criteria {
		switch {
		case c.Importance == v1alpha1.ImportanceAdvisory:
			continue
		case c.Importance == v1alpha1.ImportanceWeighted:
			weighted = append(weighted, c)
		case c.AnyOf != "":
			groups[c.AnyOf] = append(groups[c.AnyOf], earned[c.Name])
		default:
			verdict = worst(verdict, earned[c.Name])
		}
		decides = true
	}
	for _, group := range groups {
		verdict = worst(verdict, best(group))
	}
	if g.Score != nil {
		verdict = worst(verdict, scored(*g.Score, weighted, earned))
	}
	if !decides {
		return wait
	}
	return verdict
}

func worst(a, b v1alpha1.Verdict) v1alpha1.Verdict {
	rank := []v1alpha1.Verdict{fail, wait, pass}
	return rank[min(slices.Index(rank, a), slices.Index(rank, b))]
}

func best(all []v1alpha1.Verdict) v1alpha1.Verdict {
	switch {
	case slices.Contains(all, pass):
		return pass
	case slices.Contains(all, wait):
		return wait
	}
	return fail
}

func scored(marks gate.Score, criteria []gate.Criterion, earned map[string]v1alpha1.Verdict) v1alpha1.Verdict {
	always, never := true, true
	for way := range 1 << len(criteria) {
		reached, total, possible := 0, 0, true
		for i, c := range criteria {
			passes := way>>i&1 == 1
			possible = possible && (earned[c.Name] == wait || passes == (earned[c.Name] == pass))
			total += int(c.Weight)
			if passes {
				reached += int(c.Weight)
			}
		}
		if possible {
			always, never = always && 100*reached >= int(marks.Pass)*total, never && 100*reached < int(marks.Warn)*total
		}
	}
	switch {
	case always:
		return pass
	case never:
		return fail
	}
	return wait
}
