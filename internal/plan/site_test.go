package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

func berlin() *v1alpha1.RolloutSite {
	return &v1alpha1.RolloutSite{
		ObjectMeta: metav1.ObjectMeta{Name: "berlin", Labels: map[string]string{"tier": "a", v1alpha1.LabelRegion: "forged"}},
		Spec: v1alpha1.RolloutSiteSpec{SiteID: "B1", Region: "north", Subsidiary: "de", BusinessMode: v1alpha1.BusinessModeMembership,
			Attributes: map[string]v1alpha1.AttributeValue{"tenant": "t-7", "empty": ""}},
	}
}

func TestAQueryIsFilledWithFactsOfTheKPIAndTheSite(t *testing.T) {
	for name, tc := range map[string]struct {
		query string
		site  *v1alpha1.RolloutSite
		want  string
		err   string
	}{
		"the window":             {query: "rate(x[{{window}}])", want: "rate(x[30d])"},
		"every fact of the site": {query: "{{site}} {{ region }} {{subsidiary}} {{businessMode}} {{attributes.tenant}}", site: berlin(), want: "B1 north de Membership t-7"},
		"no slot":                {query: `x{a="b"}`, want: `x{a="b"}`},
		"a site without an ID is called by its name": {query: "{{site}}", site: &v1alpha1.RolloutSite{ObjectMeta: metav1.ObjectMeta{Name: "rome"}}, want: "rome"},
		"a fact without a site":                      {query: "{{site}}", err: "{{site}} needs a query for one site"},
		"a missing attribute":                        {query: "{{attributes.x}}", site: berlin(), err: "RolloutSite/berlin has nothing for {{attributes.x}}"},
		"an empty attribute":                         {query: "{{attributes.empty}}", site: berlin(), err: "RolloutSite/berlin has nothing for {{attributes.empty}}"},
		"the first error is told":                    {query: "{{attributes.x}}{{attributes.y}}", site: berlin(), err: "RolloutSite/berlin has nothing for {{attributes.x}}"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := plan.RenderQuery(&v1alpha1.KPI{Spec: v1alpha1.KPISpec{Query: tc.query, Window: "30d"}}, tc.site)
			if message := errorText(err); message != tc.err {
				t.Fatalf("error %q, want %q", message, tc.err)
			}
			if tc.err == "" && got != tc.want {
				t.Errorf("query %q, want %q", got, tc.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Facts are not escaped for URLs, so what has a meaning there is refused there, and nowhere else.
func TestAFactThatCouldChangeARequestIsRefused(t *testing.T) {
	const slot = "{{attributes.tenant}}"
	for _, tc := range []struct {
		query, refused, allowed string
	}{
		{"GET /tenants/" + slot + "/kpis?from=:start", "?&#%+/", "-_.~:@ =;,"},
		{"  POST\t/tenants/" + slot, "?&#%+/", "=;"},
		{"GET /kpis?a=1&tenant=" + slot, "?&#%+", "/-=;"},
		{"POST /kpis?tenant=" + slot + "\n{}", "?&#%+", "/"},
		{"opportunities?$apply=filter(tenant eq " + slot + ")", "?&#%+", "/"},
		{"accounts(7)/contacts?$apply=\nfilter(tenant eq " + slot + ")", "?&#%+", "/"},
		{"POST /kpis?a=b\n{\"tenant\": \"" + slot + "\"}", "", "?&#%+/"},
		{"GET /kpis\n---\nbody[\"" + slot + "\"]", "", "?&#%+/"},
		{"Count deals\n{\"tenant\": \"" + slot + "\"}", "", "?&#%+/"},
		{"SELECT a FROM b WHERE c = '" + slot + "'", "", "?&#%+/"},
		{`x{path="/a?b",tenant="` + slot + `"}`, "", "?&#%+/"},
	} {
		site := berlin()
		kpi := &v1alpha1.KPI{Spec: v1alpha1.KPISpec{Query: tc.query}}
		for _, r := range tc.refused + tc.allowed {
			site.Spec.Attributes["tenant"] = v1alpha1.AttributeValue("a" + string(r) + "b")
			_, err := plan.RenderQuery(kpi, site)
			if refused := strings.ContainsRune(tc.refused, r); refused != (err != nil) {
				t.Errorf("%q in %q: error %v, want one: %t", r, tc.query, err, refused)
			} else if refused && !strings.Contains(err.Error(), "which would change the request") {
				t.Errorf("%q in %q: the error says %q", r, tc.query, err)
			}
		}
	}
}

func TestAFactThatCouldChangeAQueryIsRefused(t *testing.T) {
	for _, text := range []string{`a"b`, "a'b", "a`b", `a\b`, "a{b", "a}b", "a\nb", "a\rb", `"} or vector(1) #`} {
		site := berlin()
		site.Spec.Attributes["tenant"] = v1alpha1.AttributeValue(text)
		kpi := &v1alpha1.KPI{Spec: v1alpha1.KPISpec{Query: `x{t="{{attributes.tenant}}"}`}}
		got, err := plan.RenderQuery(kpi, site)
		const want = "RolloutSite/berlin: the text for {{attributes.tenant}} contains a quote, backslash, brace or line break, which cannot stand in a query"
		if errorText(err) != want {
			t.Errorf("%q gives query %q and error %v", text, got, err)
		}
	}
}

func TestASiteIsCheckedAgainstTheOthers(t *testing.T) {
	site := func(name, id, zone string) *v1alpha1.RolloutSite {
		return &v1alpha1.RolloutSite{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RolloutSiteSpec{SiteID: id, TimeZone: zone}}
	}
	zone := func(z string) []string {
		return []string{`RolloutSite/a spec.timeZone: "` + z + `" is not an IANA time zone; write it like Europe/Berlin, or leave it out for UTC`}
	}
	for name, tc := range map[string]struct {
		site   *v1alpha1.RolloutSite
		others []*v1alpha1.RolloutSite
		want   []string
	}{
		"nothing set":           {site: site("a", "", "")},
		"a zone":                {site: site("a", "", "Europe/Berlin")},
		"the operator's zone":   {site: site("a", "", "Local"), want: zone("Local")},
		"an unknown zone":       {site: site("a", "", "Mars/Olympus"), want: zone("Mars/Olympus")},
		"a path":                {site: site("a", "", "../secret"), want: zone("../secret")},
		"itself is no conflict": {site: site("a", "x", ""), others: []*v1alpha1.RolloutSite{site("a", "x", ""), site("b", "y", "")}},
		"two with one ID": {site: site("a", "x", ""), others: []*v1alpha1.RolloutSite{site("b", "x", "")}, want: []string{
			`RolloutSite/a spec.siteID: RolloutSite/b is also called "x" by metric sources, so neither gets a value; give each site a siteID of its own`}},
		"an ID that is another's name": {site: site("a", "b", ""), others: []*v1alpha1.RolloutSite{site("b", "", "")}, want: []string{
			`RolloutSite/a spec.siteID: RolloutSite/b is also called "b" by metric sources, so neither gets a value; give each site a siteID of its own`}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, m := range plan.CheckSite(tc.site, tc.others) {
				got = append(got, m.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestASiteBelongsToTheFirstWaveThatSelectsIt(t *testing.T) {
	matching := func(key, value string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
	}
	for name, tc := range map[string]struct {
		selectors []*metav1.LabelSelector
		want      string
	}{
		"its own label":                        {[]*metav1.LabelSelector{matching("tier", "b"), matching("tier", "a")}, "1"},
		"the first of two":                     {[]*metav1.LabelSelector{matching("tier", "a"), {}}, "0"},
		"its region":                           {[]*metav1.LabelSelector{matching(v1alpha1.LabelRegion, "north")}, "0"},
		"a forged label does not hide a field": {[]*metav1.LabelSelector{matching(v1alpha1.LabelRegion, "forged"), {}}, "1"},
		"its subsidiary":                       {[]*metav1.LabelSelector{matching(v1alpha1.LabelSubsidiary, "de")}, "0"},
		"its business mode":                    {[]*metav1.LabelSelector{matching(v1alpha1.LabelBusinessMode, "Membership")}, "0"},
		"an empty selector picks everything":   {[]*metav1.LabelSelector{{}}, "0"},
		"no selector picks nothing":            {[]*metav1.LabelSelector{nil}, ""},
		"none":                                 {[]*metav1.LabelSelector{matching("tier", "b")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rollout, objects := everything()
			rollout.Spec.Waves = nil
			for i, s := range tc.selectors {
				rollout.Spec.Waves = append(rollout.Spec.Waves, v1alpha1.Wave{Name: string(rune('0' + i)), Selector: s})
			}
			if got := plan.Resolve(rollout, objects).WaveOf(berlin()); got != tc.want {
				t.Errorf("wave %q, want %q", got, tc.want)
			}
		})
	}
}

func TestSelectingASiteDoesNotChangeItsLabels(t *testing.T) {
	site := berlin()
	plan.SiteLabels(site)["tier"] = "z"
	if diff := cmp.Diff(berlin(), site); diff != "" {
		t.Errorf("the site has changed:\n%s", diff)
	}
}
