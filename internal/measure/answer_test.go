package measure_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/provider"
)

// sites are given as "name" or "name=siteID".
func sites(names ...string) []*v1alpha1.RolloutSite {
	var all []*v1alpha1.RolloutSite
	for _, n := range names {
		name, id, _ := strings.Cut(n, "=")
		all = append(all, &v1alpha1.RolloutSite{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RolloutSiteSpec{SiteID: id}})
	}
	return all
}

func TestAnAnswerAboutSiteIDsBecomesAMeasurementOfSites(t *testing.T) {
	answer := provider.Answer{
		Samples: []provider.Sample{
			{Site: "B1", Value: 1, Time: at(0).Add(700 * time.Millisecond)}, {Site: "rome", Value: 2, Time: at(-1)},
			{Site: "shared", Value: 3, Time: at(0)}, {Site: "berlin", Value: 4, Time: at(0)}, {Site: "nobody", Value: 5, Time: at(0)},
		},
		Ambiguous: []string{"oslo", "stranger"},
	}
	got, unknown := measure.Collect(answer, sites("berlin=B1", "rome", "twin1=shared", "twin2=shared", "oslo", "silent"), at(0))
	want := measure.Measurement{
		Time:      at(0),
		Values:    map[string]gate.Sample{"berlin": {Value: 1, Time: at(0)}, "rome": {Value: 2, Time: at(-1)}},
		IDs:       map[string]string{"berlin": "B1", "oslo": "oslo", "rome": "rome", "silent": "silent", "twin1": "shared", "twin2": "shared"},
		Ambiguous: map[string]bool{"twin1": true, "twin2": true, "oslo": true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("measurement (-want +got):\n%s", diff)
	}
	if unknown != 2 {
		t.Errorf("%d values name no site, want 2: a site with a siteID is not called by its name", unknown)
	}
}

func TestASummaryCountsEverySiteOnce(t *testing.T) {
	of := func(values ...float64) measure.Measurement {
		m := measure.Measurement{Values: map[string]gate.Sample{}, Ambiguous: map[string]bool{"twin": true}}
		for i, v := range values {
			m.Values[fmt.Sprintf("s%02d", i)] = gate.Sample{Value: v}
		}
		return m
	}
	many := []string{}
	for i := range 12 {
		many = append(many, fmt.Sprintf("s%02d", 11-i))
	}
	for name, tc := range map[string]struct {
		measurement measure.Measurement
		sites       []string
		unknown     int
		want        v1alpha1.KPISummary
	}{
		"an odd number has its middle": {of(9, 1, 5), []string{"s00", "s01", "s02"}, 0, v1alpha1.KPISummary{Sites: 3, Min: "1", Median: "5", Max: "9"}},
		"an even number has the mean of its middle": {of(9, 1, 5, 6), []string{"s00", "s01", "s02", "s03"}, 0,
			v1alpha1.KPISummary{Sites: 4, Min: "1", Median: "5.5", Max: "9"}},
		"one value is everything": {of(-2), []string{"s00"}, 0, v1alpha1.KPISummary{Sites: 1, Min: "-2", Median: "-2", Max: "-2"}},
		"NaN, several values and none are missing": {of(math.NaN(), 4), []string{"twin", "s01", "s00", "lost"}, 7,
			v1alpha1.KPISummary{Sites: 1, Missing: 3, MissingSites: []string{"lost", "s00", "twin"}, Unknown: 7, Min: "4", Median: "4", Max: "4"}},
		"no site at all":               {of(), nil, 0, v1alpha1.KPISummary{}},
		"a value of no site is no one": {of(1), nil, 1, v1alpha1.KPISummary{Unknown: 1}},
		"ten of the missing are named": {of(), many, 0, v1alpha1.KPISummary{Missing: 12,
			MissingSites: []string{"s00", "s01", "s02", "s03", "s04", "s05", "s06", "s07", "s08", "s09"}}},
		"a source cannot overflow a count": {of(), nil, math.MaxInt, v1alpha1.KPISummary{Unknown: 1 << 30}},
	} {
		t.Run(name, func(t *testing.T) {
			got := measure.Summarise(tc.measurement, sites(tc.sites...), tc.unknown)
			if len(got.MissingSites) == 0 {
				got.MissingSites = nil
			}
			if diff := cmp.Diff(tc.want, *got); diff != "" {
				t.Errorf("summary (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMetricsShowTheLatestValuesOnly(t *testing.T) {
	store := measure.NewStore()
	store.Record(usage, taken("r1", value(-5, 1)))
	now := value(0, 90.5)
	now.Values["rome"] = gate.Sample{Value: 80}
	now.Values["twin"] = gate.Sample{Value: 70}
	now.Ambiguous = map[string]bool{"twin": true}
	store.Record(usage, taken("r1", now))
	broken := types.NamespacedName{Namespace: "crm", Name: "broken"}
	store.Record(broken, taken("r1", value(-5, 3)))
	store.Record(broken, taken("r1", measure.Measurement{Time: at(0), Failure: "down"}))
	deleted := types.NamespacedName{Namespace: "crm", Name: "deleted"}
	store.Record(deleted, taken("r1", value(0, 3)))
	store.Forget(deleted)
	want := fmt.Sprintf(`# HELP crm_rollout_kpi_measured_timestamp_seconds End of the window of a KPI's latest successful measurement.
# TYPE crm_rollout_kpi_measured_timestamp_seconds gauge
crm_rollout_kpi_measured_timestamp_seconds{kpi="usage",namespace="crm"} %d
# HELP crm_rollout_kpi_value Latest measured value of a KPI at a site, in the KPI's unit.
# TYPE crm_rollout_kpi_value gauge
crm_rollout_kpi_value{kpi="usage",namespace="crm",site="berlin"} 90.5
crm_rollout_kpi_value{kpi="usage",namespace="crm",site="rome"} 80
`, monday.Unix())
	collector := measure.Collector{Store: store}
	if err := testutil.CollectAndCompare(collector, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.CollectAndLint(collector); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
}
