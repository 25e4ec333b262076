package kpis

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/provider"
)

// variant is the library for one kind of source.
type variant struct {
	// name of the directory.
	name string
	open func(*testing.T, *company) provider.Provider
	// tells is true for sources that tell how many observations are behind a value.
	tells bool
}

var variants = []variant{
	{"prometheus", prometheus, false},
	{"sql", postgreSQL, true},
	{"sql-mysql", mariaDB, true},
}

// exact leaves room for what addition in another order does to the last digits.
var exact = cmp.Options{cmpopts.EquateApprox(1e-12, 1e-9), cmpopts.EquateEmpty()}

// Every KPI of the library, from every kind of source, over every window that it can be asked for, gives what is known to be true.
func TestKnownAnswers(t *testing.T) {
	c := generate()
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			l, source := load(t, v.name), v.open(t, c)
			for name, kpi := range l.KPIs {
				for _, over := range v.windows(kpi) {
					t.Run(name+"/"+string(over.Spec.Window), func(t *testing.T) { v.check(t, source, c, over) })
				}
			}
		})
	}
}

// windows are the KPI as it is declared, and over the other windows that a gate may ask for.
func (v variant) windows(kpi *v1alpha1.KPI) []*v1alpha1.KPI {
	all := []*v1alpha1.KPI{kpi}
	if kpi.Spec.Window == "" || !v.tells && ownWindow[kpi.Name] {
		return all
	}
	for _, length := range lengths {
		if over := plan.Over(kpi, v1alpha1.FormatDuration(length)); over != kpi {
			all = append(all, over)
		}
	}
	return all
}

func (v variant) check(t *testing.T, source provider.Provider, c *company, kpi *v1alpha1.KPI) {
	resolved, mistakes := plan.ResolveKPI(kpi)
	if len(mistakes) > 0 {
		t.Fatalf("mistakes: %v", mistakes)
	}
	truth := truths[kpi.Name]
	if truth == nil {
		t.Fatal("nobody says what the right answer is: add it to truths")
	}
	query, err := plan.RenderQuery(kpi, nil)
	if err != nil {
		t.Fatal(err)
	}
	window := provider.Window{Start: end.Add(-resolved.Window), End: end}
	got, err := source.Measure(t.Context(), provider.Query{Expression: query, SiteLabel: "site", Name: kpi.Name}, window)
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	want := truth(c, span{window.Start, window.End}).asAnswer(v.tells, end)
	if diff := cmp.Diff(want, got, exact); diff != "" {
		t.Errorf("answer (-known +measured):\n%s\n%s", diff, query)
	}
}

// The answers are known of every KPI of every variant, and the variants differ in nothing but where they ask.
func TestVariantsHaveTheSameKPIs(t *testing.T) {
	want := slices.Sorted(maps.Keys(truths))
	first := load(t, variants[0].name)
	for _, v := range variants {
		l := load(t, v.name)
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(l.KPIs))); diff != "" {
			t.Fatalf("%s: KPIs (-with a known answer +in the library):\n%s", v.name, diff)
		}
		for name, kpi := range l.KPIs {
			where := cmpopts.IgnoreFields(v1alpha1.KPISpec{}, "Query", "Provider")
			if diff := cmp.Diff(first.KPIs[name].Spec, kpi.Spec, where); diff != "" {
				t.Errorf("%s (-%s +%s):\n%s", name, variants[0].name, v.name, diff)
			}
			if kpi.Spec.Description == "" || kpi.Spec.Category == "" || kpi.Spec.Unit == "" || kpi.Spec.Interval == "" || kpi.Spec.StaleAfter == "" {
				t.Errorf("%s of %s leaves something to guess: %+v", name, v.name, kpi.Spec)
			}
			if l.providers[kpi.Spec.Provider.Name] == nil {
				t.Errorf("%s of %s asks the provider %q, which is not in the library", name, v.name, kpi.Spec.Provider.Name)
			}
		}
	}
}

// A file that no kustomization reads is a sample that nobody tries.
func TestEveryFileIsRead(t *testing.T) {
	read := load(t, "").files
	for _, v := range variants {
		maps.Copy(read, load(t, v.name).files)
	}
	if diff := cmp.Diff(manifests(t), slices.Sorted(maps.Keys(read))); diff != "" {
		t.Errorf("files (-in the library +read by a kustomization):\n%s", diff)
	}
}

// Facts lie on both borders of every window, else the tests above could not tell whether a border is outside or inside.
func TestBordersDecide(t *testing.T) {
	c := generate()
	for name, kpi := range load(t, "sql").KPIs {
		truth := truths[name]
		for _, over := range (variant{tells: true}).windows(kpi) {
			length, err := over.Spec.Window.Parse()
			if err != nil {
				t.Fatal(err)
			}
			right := truth(c, span{end.Add(-length), end})
			if cmp.Equal(right, truth(c, span{end.Add(-length), end.Add(-time.Microsecond)}), cmp.AllowUnexported(answer{})) {
				t.Errorf("%s over %s: nothing lies on the end of the window", name, over.Spec.Window)
			}
			if length > 0 && cmp.Equal(right, truth(c, span{end.Add(-length - time.Microsecond), end}), cmp.AllowUnexported(answer{})) {
				t.Errorf("%s over %s: nothing lies on the start of the window", name, over.Spec.Window)
			}
			if _, known := right[empty]; known || len(right) < len(busy)-2 {
				t.Errorf("%s over %s: answers for %v", name, over.Spec.Window, slices.Sorted(maps.Keys(right)))
			}
		}
	}
}

// The gates hold with every variant: nothing that they name is missing, and every baseline is declared.
func TestGatesHaveNoMistakes(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			l, gates := load(t, v.name), load(t, "")
			maps.Copy(l.Gates, gates.Gates)
			maps.Copy(l.Phases, gates.Phases)
			for _, g := range l.Gates {
				if _, mistakes := plan.ResolveGate(g, l.KPIs); len(mistakes) > 0 {
					t.Errorf("%s: %v", g.Name, mistakes)
				}
			}
			rollout := &v1alpha1.CRMRollout{Spec: v1alpha1.CRMRolloutSpec{Waves: []v1alpha1.Wave{{Name: "all"}}}}
			for _, phase := range []string{"clean-the-records", "work-in-the-crm"} {
				rollout.Spec.Phases = append(rollout.Spec.Phases, v1alpha1.LocalReference{Name: phase})
			}
			resolved := plan.Resolve(rollout, l.Objects)
			if mistakes := resolved.AllMistakes(); len(mistakes) > 0 {
				t.Errorf("%v", mistakes)
			}
			longest := time.Duration(0)
			for _, criterion := range resolved.Phases[1].Exit.Criteria {
				longest = max(longest, criterion.KPI.Window+criterion.For)
			}
			if soak := resolved.Phases[1].Soak; soak < longest {
				t.Errorf("the phase soaks for %s, and its gate needs %s to see it", soak, longest)
			}
		})
	}
}

// Whoever writes an exporter or a view works by the page, so it must name everything that the queries read.
func TestThePageNamesWhatIsRead(t *testing.T) {
	text, err := os.ReadFile("../../docs/kpi-library.md")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := os.ReadFile(filepath.Join(directory, "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	wanted := slices.Sorted(maps.Keys(truths))
	for _, kpi := range load(t, "prometheus").KPIs {
		wanted = append(wanted, regexp.MustCompile(`crm_[a-z_]+`).FindAllString(kpi.Spec.Query, -1)...)
	}
	for _, table := range regexp.MustCompile(`CREATE TABLE ([a-z_]+)`).FindAllStringSubmatch(string(schema), -1) {
		wanted = append(wanted, table[1])
	}
	for _, word := range wanted {
		if !strings.Contains(page, "`"+word+"`") {
			t.Errorf("docs/kpi-library.md does not name %s", word)
		}
	}
}
