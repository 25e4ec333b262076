package measure_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
)

var week = measure.Ask{Revision: "r1", Window: 7 * 24 * time.Hour, PreTrend: 28 * 24 * time.Hour}

func TestWhatManySitesAskForIsMeasuredOnceAndServesThemAll(t *testing.T) {
	captures := measure.NewCaptures()
	asked, taken := 0, 0
	captures.OnAsk(func(kpi types.NamespacedName) {
		if asked++; kpi != usage {
			t.Errorf("asked for %v", kpi)
		}
	})
	captures.OnTaken(func(kpi types.NamespacedName) {
		taken++
		if _, found := captures.Latest(kpi, week); !found {
			t.Error("told before it is there")
		}
	})
	if _, found := captures.Latest(usage, week); found || len(captures.Asked(usage)) != 0 {
		t.Error("something is there that nobody asked for")
	}
	for range 100 {
		captures.Ask(usage, week)
	}
	if diff := cmp.Diff([]measure.Ask{week}, captures.Asked(usage)); diff != "" || asked != 1 {
		t.Errorf("told %d times, asked (-want +got):\n%s", asked, diff)
	}
	want := gate.Capture{At: at(0), Current: gate.CrossSection{Values: map[string]gate.Sample{"berlin": {Value: 48}}}}
	captures.Put(usage, week, want)
	got, found := captures.Latest(usage, week)
	if diff := cmp.Diff(want, got); diff != "" || !found || taken != 1 || len(captures.Asked(usage)) != 0 {
		t.Errorf("found %t, told %d times, still asked %v, captured (-want +got):\n%s", found, taken, captures.Asked(usage), diff)
	}
	if captures.Ask(usage, week); asked != 2 {
		t.Error("what has been taken cannot be asked for again")
	}
	if _, found := captures.Latest(usage, week); !found {
		t.Error("asking again loses what is there")
	}
}

func TestAnotherWindowRevisionOrKPIIsAnotherQuestion(t *testing.T) {
	captures := measure.NewCaptures()
	other := week
	other.Window = time.Hour
	captures.Ask(usage, week)
	captures.Ask(usage, other)
	captures.Put(usage, week, gate.Capture{At: at(0)})
	if diff := cmp.Diff([]measure.Ask{other}, captures.Asked(usage)); diff != "" {
		t.Errorf("still asked (-want +got):\n%s", diff)
	}
	if _, found := captures.Latest(usage, other); found {
		t.Error("an answer for one window serves another")
	}
	edited := week
	edited.Revision = "r2"
	if _, found := captures.Latest(usage, edited); found {
		t.Error("an answer for one revision serves another")
	}
	if _, found := captures.Latest(types.NamespacedName{Namespace: "other", Name: "usage"}, week); found {
		t.Error("an answer for one namespace serves another")
	}
	captures.Forget(usage)
	if _, found := captures.Latest(usage, week); found || len(captures.Asked(usage)) != 0 {
		t.Error("a KPI that was deleted is remembered")
	}
}

func TestOldCapturesAreForgotten(t *testing.T) {
	captures := measure.NewCaptures()
	edited := week
	edited.Revision = "r2"
	captures.Put(usage, week, gate.Capture{At: at(0)})
	captures.Put(usage, edited, gate.Capture{At: at(60)})
	if _, found := captures.Latest(usage, week); !found {
		t.Error("what is an hour old is forgotten")
	}
	captures.Put(usage, edited, gate.Capture{At: at(61)})
	if _, found := captures.Latest(usage, week); found {
		t.Error("what is more than an hour old is kept")
	}
}

func TestACrossSectionHasOneFiniteValueForEachSite(t *testing.T) {
	m := measure.Measurement{
		Values: map[string]gate.Sample{"berlin": {Value: 1}, "nan": {Value: math.NaN()}, "infinite": {Value: math.Inf(1)}, "twin": {Value: 2}, "late": {Value: 3}, "huge": {Value: 1e31}},
		IDs:    map[string]string{"berlin": "DE-1"}, Ambiguous: map[string]bool{"twin": true}, Failures: map[string]string{"late": "timed out"},
	}
	want := gate.CrossSection{Values: map[string]gate.Sample{"berlin": {Value: 1}}, IDs: map[string]string{"berlin": "DE-1"}}
	if diff := cmp.Diff(want, m.CrossSection()); diff != "" {
		t.Errorf("cross-section (-want +got):\n%s", diff)
	}
	m.Failure = "down"
	if diff := cmp.Diff(map[string]gate.Sample{}, m.CrossSection().Values, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("of a failed measurement (-want +got):\n%s", diff)
	}
}

func TestEveryWindowOfAKPIHasAPastOfItsOwn(t *testing.T) {
	store := measure.NewStore()
	heard := 0
	store.Listen(func(types.NamespacedName) { heard++ })
	store.Record(usage, taken("own", value(0, 1)), taken("week", value(0, 7)))
	store.Record(usage, taken("own", value(5, 2)), taken("week", measure.Measurement{Time: at(5), Failure: "too slow"}))
	if heard != 2 {
		t.Errorf("heard %d times of two rounds", heard)
	}
	own, week := store.Evidence(usage, "own", "berlin", ""), store.Evidence(usage, "week", "berlin", "")
	if len(own.Samples) != 2 || own.Latest != gate.OutcomeValue {
		t.Errorf("over its own window %+v", own)
	}
	if len(week.Samples) != 1 || week.Latest != gate.OutcomeFailed || week.Detail != "too slow" {
		t.Errorf("over a week %+v", week)
	}
	var shown []float64
	store.Latest(func(_ types.NamespacedName, m measure.Measurement) { shown = append(shown, m.Values["berlin"].Value) })
	if diff := cmp.Diff([]float64{2}, shown); diff != "" {
		t.Errorf("metrics show another window than the KPI's own (-want +got):\n%s", diff)
	}
	store.Record(usage, taken("own", value(10, 3)))
	if got := store.Evidence(usage, "week", "berlin", ""); !cmp.Equal(got, gate.Evidence{}) {
		t.Errorf("a window that nobody asks for any more is kept: %+v", got)
	}
	if got := store.Evidence(usage, "own", "berlin", ""); len(got.Samples) != 3 {
		t.Errorf("the KPI's own window has forgotten: %+v", got)
	}
	if got := store.Samples(usage, "own", "berlin", ""); len(got) != 3 {
		t.Errorf("as a peer it has %v", got)
	}
	if got := store.Samples(usage, "own", "berlin", "DE-9"); got != nil {
		t.Errorf("as a peer under another ID it has %v", got)
	}
	if store.Samples(usage, "none", "berlin", "") != nil || store.Samples(usage, "own", "rome", "") != nil {
		t.Error("a site that was not measured has values")
	}
}

func TestAWindowThatIsAskedForLaterIsInheritedFromTheFormerProcess(t *testing.T) {
	store := measure.NewStore()
	before := gate.Measured{Since: at(-60), Last: at(-5)}
	for _, revision := range []string{"own", "week"} {
		store.Inherit(usage, revision, before)
		store.Recall(usage, revision, []measure.Measurement{value(-5, 1)})
	}
	store.Record(usage, taken("own", value(0, 1)), taken("week", value(0, 7)))
	for _, revision := range []string{"own", "week"} {
		if got := store.Inherited(usage, revision); got != before || len(store.Samples(usage, revision, "berlin", "")) != 2 {
			t.Errorf("%s inherits %v and has %v", revision, got, store.Samples(usage, revision, "berlin", ""))
		}
	}
}
