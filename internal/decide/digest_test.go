package decide_test

import (
	"regexp"
	"testing"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/decide"
)

func TestADigestChangesWithWhatAnApproverSees(t *testing.T) {
	judged := func() (decide.Stand, *v1alpha1.GateReport) {
		return decide.Stand{Rollout: "crm", Site: "lyon", Phase: "migrate", Attempt: 1, Revision: "crm-1"},
			&v1alpha1.GateReport{Name: "clean", Role: v1alpha1.GateRoleExit, SiteID: "0042", Verdict: v1alpha1.VerdictPass, Generation: 3,
				Criteria: []v1alpha1.CriterionReport{
					{Name: "records", KPI: "duplicates", KPIRevision: "k1", Verdict: v1alpha1.VerdictPass, Figures: v1alpha1.Figures{Value: "0.01", Threshold: "at most 0.02"}},
					{Name: "users", KPI: "logins", KPIRevision: "k2", Verdict: v1alpha1.VerdictWait, Reason: v1alpha1.ReasonHolding},
				}}
	}
	first := decide.Digest(judged())
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(first) {
		t.Fatalf("the digest is %q", first)
	}
	const same, found, asked = "nothing", "what was found", "what is asked for"
	for name, test := range map[string]struct {
		change func(*decide.Stand, *v1alpha1.GateReport)
		want   string
	}{
		"a value is measured": {func(_ *decide.Stand, g *v1alpha1.GateReport) {
			g.Criteria[0].Value, g.Criteria[0].Message = "0.015", "another"
		}, same},
		"a reason changes":      {func(_ *decide.Stand, g *v1alpha1.GateReport) { g.Criteria[1].Reason = v1alpha1.ReasonStale }, same},
		"a description changes": {func(_ *decide.Stand, g *v1alpha1.GateReport) { g.Generation = 4 }, same},
		"an approval is given": {func(_ *decide.Stand, g *v1alpha1.GateReport) {
			g.Approvals = []v1alpha1.ApprovalReport{{Role: "owner"}}
		}, same},
		"the gate waits for one": {func(_ *decide.Stand, g *v1alpha1.GateReport) { g.Verdict = v1alpha1.VerdictWait }, same},
		"a verdict changes":      {func(_ *decide.Stand, g *v1alpha1.GateReport) { g.Criteria[1].Verdict = v1alpha1.VerdictPass }, found},
		"a setback comes":        {func(_ *decide.Stand, g *v1alpha1.GateReport) { g.Setbacks++ }, found},
		"a threshold changes":    {func(_ *decide.Stand, g *v1alpha1.GateReport) { g.Criteria[0].Threshold = "at most 0.05" }, asked},
		"the KPI is another":     {func(_ *decide.Stand, g *v1alpha1.GateReport) { g.Criteria[0].KPIRevision = "k3" }, asked},
		"a name changes":         {func(_ *decide.Stand, g *v1alpha1.GateReport) { g.Criteria[0].Name = "rows" }, asked},
		"an importance changes":  {func(_ *decide.Stand, g *v1alpha1.GateReport) { g.Criteria[0].Importance = v1alpha1.ImportanceAdvisory }, asked},
		"a group changes":        {func(_ *decide.Stand, g *v1alpha1.GateReport) { g.Criteria[0].AnyOf = "either" }, asked},
		"the siteID is another":  {func(_ *decide.Stand, g *v1alpha1.GateReport) { g.SiteID = "0043" }, asked},
		"the gate is another":    {func(_ *decide.Stand, g *v1alpha1.GateReport) { g.Name = "cleaner" }, asked},
		"it is the entry gate":   {func(_ *decide.Stand, g *v1alpha1.GateReport) { g.Role = v1alpha1.GateRoleEntry }, asked},
		"the attempt is another": {func(s *decide.Stand, _ *v1alpha1.GateReport) { s.Attempt = 2 }, asked},
		"the plan is another":    {func(s *decide.Stand, _ *v1alpha1.GateReport) { s.Revision = "crm-2" }, asked},
		"the phase is another":   {func(s *decide.Stand, _ *v1alpha1.GateReport) { s.Phase = "golive" }, asked},
		"the site is another":    {func(s *decide.Stand, _ *v1alpha1.GateReport) { s.Site = "nice" }, asked},
		"the rollout is another": {func(s *decide.Stand, _ *v1alpha1.GateReport) { s.Rollout = "erp" }, asked},
	} {
		t.Run(name, func(t *testing.T) {
			at, g := judged()
			test.change(&at, g)
			got := same
			switch now := decide.Digest(at, g); {
			case now[:32] != first[:32]:
				got = asked
			case now != first:
				got = found
			}
			if got != test.want {
				t.Errorf("changed: %s, want %s", got, test.want)
			}
		})
	}
}
