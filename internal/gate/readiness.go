package gate

import (
	"slices"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Readiness returns the weight of the criteria that are met now, in percent of the weight of all that decide. It compares sites at one moment, so `for` is not asked:
// how long values are known depends on when the operator was started.
func Readiness(g Gate, f Facts) int32 {
	g.Criteria = slices.Clone(g.Criteria)
	for i := range g.Criteria {
		g.Criteria[i].For = 0
	}
	var met, total int64
	for _, c := range Judge(Question{Gate: g, Facts: f}).Criteria {
		if c.Criterion.Importance == v1alpha1.ImportanceAdvisory {
			continue
		}
		total += int64(c.Criterion.Weight)
		if c.Verdict == v1alpha1.VerdictPass {
			met += int64(c.Criterion.Weight)
		}
	}
	return int32(100 * met / max(total, 1))
}

// Sources returns every KPI that the gate depends on, those of references too, in the order of its criteria.
func (g Gate) Sources() []KPI {
	var sources []KPI
	for _, c := range g.Criteria {
		sources = append(sources, c.KPI)
		if reference := c.Reference(); reference != nil {
			sources = append(sources, *reference)
		}
	}
	return sources
}

// RemembersChanges reports whether a criterion compares with what was frozen when a site began a phase.
func (g Gate) RemembersChanges() bool {
	return slices.ContainsFunc(g.Criteria, func(c Criterion) bool {
		switch c.Comparison.(type) {
		case AgainstBaseline, AgainstControl:
			return true
		}
		return false
	})
}
