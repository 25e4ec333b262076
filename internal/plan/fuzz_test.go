package plan_test

import (
	"strings"
	"testing"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

// FuzzRenderQuery fills arbitrary queries with arbitrary facts of a site: a fact that could end a string never stands in a query,
// and what is not a slot stays as it was.
func FuzzRenderQuery(f *testing.F) {
	for _, query := range []string{"", "x", `sum(x{site="{{site}}"})`, "rate(x[{{window}}])", "{{ window }} {{attributes.tenant}}", "{{attributes.}}", "{{{{site}}}}", "{{site}", "{{si{{site}}te}}", "{{}}",
		"SELECT {{subsidiary}} WHERE t >= :start", "{{region}}{{businessMode}}", "{{\n site \t}}", "{{site}}}}"} {
		f.Add(query, "t-7", "B1", "30d")
	}
	f.Add("{{attributes.tenant}}", `"} or vector(1) #`, "a'b", "1h")
	f.Add("{{site}}", "{{window}}", "{{window}}", "")
	f.Fuzz(func(t *testing.T, query, tenant, id, window string) {
		site := berlin()
		site.Spec.SiteID = id
		site.Spec.Attributes["tenant"] = v1alpha1.AttributeValue(tenant)
		kpi := &v1alpha1.KPI{ObjectMeta: named("usage"), Spec: v1alpha1.KPISpec{Query: query, Window: v1alpha1.Duration(window), Scope: v1alpha1.QueryScopePerSite}}
		_, mistakes := plan.ResolveKPI(kpi)
		got, err := plan.RenderQuery(kpi, site)
		if !strings.Contains(query, "{{") && (err != nil || got != query) {
			t.Fatalf("%q without a slot becomes %q, %v", query, got, err)
		}
		if len(mistakes) > 0 || err != nil {
			return
		}
		for _, unsafe := range []string{"\"", "'", "`", `\`, "{", "}", "\n", "\r"} {
			if strings.Count(got, unsafe) > strings.Count(query, unsafe) {
				t.Fatalf("%q with the facts %q and %q becomes %q, which has one more %q", query, tenant, id, got, unsafe)
			}
		}
		if again, _ := plan.RenderQuery(kpi, site); again != got {
			t.Fatalf("%q becomes %q and then %q", query, got, again)
		}
	})
}
