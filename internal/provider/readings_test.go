package provider

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// entered is a reading that was entered a second after it was observed, some time before noon.
func entered(site string, value float64, before time.Duration, samples int64) Reading {
	observed := noon.Add(-before)
	return Reading{KPI: "satisfaction", Site: site, Value: value, ObservedAt: observed, EnteredAt: observed.Add(time.Second), Samples: samples}
}

// listed is a source of readings.
func listed(t *testing.T, all ...Reading) Provider {
	t.Helper()
	return opened(t, ReadingsConfig{Name: "north/surveys", List: func(context.Context, string) ([]Reading, error) { return all, nil }})
}

func opened(t *testing.T, cfg ReadingsConfig) Provider {
	t.Helper()
	source, err := NewReadings(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	return source
}

var (
	asLatest = Query{Expression: "latest", SiteLabel: "site", Name: "satisfaction"}
	asMean   = Query{Expression: " mean\n", SiteLabel: "site", Name: "satisfaction"}
	theHour  = Window{Start: noon.Add(-time.Hour), End: noon}
	atNoon   = Window{Start: noon, End: noon}
)

func TestReadings(t *testing.T) {
	long := 1000 * time.Hour
	late := entered("lyon", 1, 20*time.Minute, 0)
	late.ObservedAt = late.ObservedAt.Add(-31 * 24 * time.Hour)
	future := entered("lyon", 1, 20*time.Minute, 0)
	future.EnteredAt = future.EnteredAt.Add(-2 * time.Minute)
	other := entered("lyon", 1, 10*time.Minute, 0)
	other.KPI = "training"
	for _, c := range []struct {
		name     string
		readings []Reading
		query    Query
		window   Window
		want     Answer
	}{
		{"none", nil, asLatest, atNoon, Answer{}},
		{"the newest of each site, dated with its own time", []Reading{entered("lyon", 3, long, 0), entered("lyon", 4, time.Hour, 12), entered("osaka", 5, long, 0)}, asLatest, atNoon,
			Answer{Samples: []Sample{{Site: "lyon", Value: 4, Time: noon.Add(-time.Hour), Samples: 12}, {Site: "osaka", Value: 5, Time: noon.Add(-long)}}}},
		{"the newest in the window, dated with its end", []Reading{entered("lyon", 3, 50*time.Minute, 0), entered("lyon", 4, 10*time.Minute, 12), entered("osaka", 5, long, 0)}, asLatest, theHour,
			Answer{Samples: []Sample{{Site: "lyon", Value: 4, Time: noon, Samples: 12}}}},
		{"late, future and foreign readings are not there", []Reading{late, future, other, entered("lyon", 4, 50*time.Minute, 0)}, asLatest, theHour,
			Answer{Samples: []Sample{{Site: "lyon", Value: 4, Time: noon}}}},
		{"two values for the newest moment", []Reading{entered("lyon", 3, time.Minute, 0), entered("lyon", 4, time.Minute, 0), entered("osaka", 5, long, 0)}, asLatest, atNoon,
			Answer{Samples: []Sample{{Site: "osaka", Value: 5, Time: noon.Add(-long)}}, Ambiguous: []string{"lyon"}}},
		{"two values for an older moment do not matter", []Reading{entered("lyon", 3, time.Hour, 0), entered("lyon", 4, time.Hour, 0), entered("lyon", 5, time.Minute, 0)}, asLatest, atNoon,
			Answer{Samples: []Sample{{Site: "lyon", Value: 5, Time: noon.Add(-time.Minute)}}}},
		{"one value twice is one, with the fewest samples", []Reading{entered("lyon", 4, time.Minute, 30), entered("lyon", 4, time.Minute, 20)}, asLatest, atNoon,
			Answer{Samples: []Sample{{Site: "lyon", Value: 4, Time: noon.Add(-time.Minute), Samples: 20}}}},
		{"one value twice, of which one does not tell its samples", []Reading{entered("lyon", 4, time.Minute, 30), entered("lyon", 4, time.Minute, 0)}, asLatest, atNoon,
			Answer{Samples: []Sample{{Site: "lyon", Value: 4, Time: noon.Add(-time.Minute)}}}},
		{"mean by samples", []Reading{entered("lyon", 3, 50*time.Minute, 10), entered("lyon", 5, 10*time.Minute, 30)}, asMean, theHour,
			Answer{Samples: []Sample{{Site: "lyon", Value: 4.5, Time: noon, Samples: 40}}}},
		{"plain mean where one does not tell its samples", []Reading{entered("lyon", 3, 50*time.Minute, 10), entered("lyon", 5, 10*time.Minute, 0)}, asMean, theHour,
			Answer{Samples: []Sample{{Site: "lyon", Value: 4, Time: noon}}}},
		{"in a mean, readings of one moment are several", []Reading{entered("lyon", 5, time.Minute, 0), entered("lyon", 5, time.Minute, 0), entered("lyon", 2, time.Minute, 0)}, asMean, theHour,
			Answer{Samples: []Sample{{Site: "lyon", Value: 4, Time: noon}}}},
		{"mean of the decimals, not of their binary neighbours", []Reading{entered("lyon", 0.1, 3*time.Minute, 0), entered("lyon", 0.2, 2*time.Minute, 0)}, asMean, theHour,
			Answer{Samples: []Sample{{Site: "lyon", Value: 0.15, Time: noon}}}},
		{"mean of a large number, its opposite and a small one", []Reading{entered("lyon", 1e30, 3*time.Minute, 0), entered("lyon", -1e30, 2*time.Minute, 0), entered("lyon", 3, time.Minute, 0)}, asMean, theHour,
			Answer{Samples: []Sample{{Site: "lyon", Value: 1, Time: noon}}}},
		{"more samples than a number can hold", []Reading{entered("lyon", 1, 3*time.Minute, math.MaxInt64), entered("lyon", 1, 2*time.Minute, math.MaxInt64)}, asMean, theHour,
			Answer{Samples: []Sample{{Site: "lyon", Value: 1, Time: noon, Samples: math.MaxInt64}}}},
		{"mean with something that is no number", []Reading{entered("lyon", math.NaN(), 3*time.Minute, 4), entered("lyon", 1, 2*time.Minute, 4)}, asMean, theHour,
			Answer{Samples: []Sample{{Site: "lyon", Value: math.NaN(), Time: noon}}}},
		{"for one site", []Reading{entered("lyon", 3, time.Hour, 0), entered("osaka", 5, time.Hour, 0)}, Query{Expression: "latest", Site: "osaka", Name: "satisfaction"}, atNoon,
			Answer{Samples: []Sample{{Site: "osaka", Value: 5, Time: noon.Add(-time.Hour)}}}},
		{"for one site that has none", []Reading{entered("lyon", 3, time.Hour, 0)}, Query{Expression: "latest", Site: "osaka", Name: "satisfaction"}, atNoon, Answer{}},
		{"without a site", []Reading{entered("", 3, time.Hour, 0), entered("", 4, time.Hour, 0)}, asLatest, atNoon, Answer{Unlabelled: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := listed(t, c.readings...).Measure(t.Context(), c.query, c.window)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAWrongQueryOfReadingsSaysWhatToWrite(t *testing.T) {
	query := func(expression string) Query {
		return Query{Expression: expression, SiteLabel: "site", Name: "satisfaction"}
	}
	for _, c := range []struct {
		name   string
		query  Query
		window Window
		want   string
	}{
		{"another language", query("avg by (site) (crm_satisfaction)"), theHour, `write latest for the newest reading, or mean for the mean of the window; it is "avg by`},
		{"other letters", query("Latest"), theHour, `it is "Latest"`},
		{"much text", query(strings.Repeat("x", 4096)), theHour, `xxx…"`},
		{"nothing", query("  "), theHour, "the query is empty"},
		{"mean of an instant", query("mean"), atNoon, "mean needs a window to take the mean of: set spec.window of the KPI, or ask for latest"},
		{"no KPI", Query{Expression: "latest", SiteLabel: "site"}, atNoon, "does not tell which KPI"},
		{"no site", Query{Expression: "latest", Name: "satisfaction"}, atNoon, "needs either a site label"},
	} {
		_, err := listed(t).Measure(t.Context(), c.query, c.window)
		if ReasonOf(err) != InvalidConfiguration || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q %v, want %q", c.name, ReasonOf(err), err, c.want)
		}
	}
}

func TestReadingsThatCannotBeListedAreAnErrorAndNoEmptyAnswer(t *testing.T) {
	for want, cause := range map[Reason]error{
		SourceError: errors.New("the cache is not there"),
		Canceled:    fmt.Errorf("list: %w", context.Canceled),
		Timeout:     fmt.Errorf("list: %w", context.DeadlineExceeded),
	} {
		source := opened(t, ReadingsConfig{Name: "north/surveys", List: func(context.Context, string) ([]Reading, error) {
			return []Reading{entered("lyon", 4, time.Minute, 0)}, cause
		}})
		answer, err := source.Measure(t.Context(), asLatest, atNoon)
		if ReasonOf(err) != want || !errors.Is(err, cause) || len(answer.Samples) > 0 {
			t.Errorf("%v: %q %v %+v, want %s", cause, ReasonOf(err), err, answer, want)
		}
	}
}

func TestReadingsAreListedForTheKPIThatAsks(t *testing.T) {
	var asked []string
	source := opened(t, ReadingsConfig{Name: "north/surveys", List: func(_ context.Context, kpi string) ([]Reading, error) {
		asked = append(asked, kpi)
		return nil, nil
	}})
	if _, err := source.Measure(t.Context(), asLatest, atNoon); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"satisfaction"}, asked); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
}

func TestReadingsConfig(t *testing.T) {
	list := func(context.Context, string) ([]Reading, error) { return nil, nil }
	config := ReadingsConfig{Name: "north/surveys", List: list, AcceptWithin: time.Hour}
	for name, wrong := range map[string]ReadingsConfig{
		"no list":          {Name: "north/surveys"},
		"a negative time":  {Name: "north/surveys", List: list, AcceptWithin: -time.Hour},
		"a negative limit": {Name: "north/surveys", List: list, Limits: Limits{PerMinute: -1}},
	} {
		if _, err := NewReadings(wrong); ReasonOf(err) != InvalidConfiguration {
			t.Errorf("%s: %v", name, err)
		}
	}
	same, later, elsewhere := config, config, config
	same.List = func(context.Context, string) ([]Reading, error) { return nil, errors.New("other") }
	later.AcceptWithin, elsewhere.Name = 2*time.Hour, "south/surveys"
	if config.Fingerprint() != same.Fingerprint() {
		t.Error("the fingerprint depends on more than name and acceptWithin, so that a source would be opened again and again")
	}
	if config.Fingerprint() == later.Fingerprint() || config.Fingerprint() == elsewhere.Fingerprint() {
		t.Error("two different sources have one fingerprint")
	}
	if text := fmt.Sprintf("%v %+v %#v", config, config, config); text != strings.TrimSpace(strings.Repeat("readings of north/surveys ", 3)) {
		t.Errorf("printed as %q", text)
	}
}

// generated draws readings around noon: some late, some future, some at the same moment, some entered after noon.
func generated() *rapid.Generator[[]Reading] {
	one := rapid.Custom(func(t *rapid.T) Reading {
		observed := noon.Add(-time.Duration(rapid.IntRange(-5, 120).Draw(t, "observed")) * time.Minute)
		return Reading{
			KPI:        "satisfaction",
			Site:       rapid.SampledFrom([]string{"lyon", "osaka", "munich"}).Draw(t, "site"),
			Value:      float64(rapid.IntRange(-1000, 1000).Draw(t, "value")) / 100,
			ObservedAt: observed,
			EnteredAt:  observed.Add(time.Duration(rapid.IntRange(-120, 7200).Draw(t, "delay")) * time.Second),
			Samples:    int64(rapid.IntRange(0, 50).Draw(t, "samples")),
		}
	})
	return rapid.SliceOfN(one, 0, 40)
}

func asked(t *rapid.T) (Query, Window) {
	if rapid.Bool().Draw(t, "mean") {
		return asMean, theHour
	}
	return asLatest, rapid.SampledFrom([]Window{theHour, atNoon}).Draw(t, "window")
}

func answer(t *rapid.T, all []Reading, q Query, w Window) Answer {
	source, err := NewReadings(ReadingsConfig{Name: "any", AcceptWithin: time.Hour, List: func(context.Context, string) ([]Reading, error) { return all, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	got, err := source.Measure(context.Background(), q, w)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTheOrderOfReadingsHasNoInfluence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := generated().Draw(t, "readings")
		query, window := asked(t)
		want := answer(t, all, query, window)
		order := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		order.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if diff := cmp.Diff(want, answer(t, all, query, window)); diff != "" {
			t.Errorf("in another order (-want +got):\n%s", diff)
		}
	})
}

// What was decided by a window stays true: whatever is entered after it ended changes nothing when it is measured again.
func TestWhatAWindowSaidDoesNotChangeAfterwards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := generated().Draw(t, "readings")
		query, window := asked(t)
		var then []Reading
		for _, r := range all {
			if r.EnteredAt.Before(window.End) {
				then = append(then, r)
			}
		}
		if diff := cmp.Diff(answer(t, then, query, window), answer(t, all, query, window)); diff != "" {
			t.Errorf("measured again (-then +now):\n%s", diff)
		}
	})
}

func TestAMeanLiesBetweenItsReadings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := generated().Draw(t, "readings")
		lowest, highest := map[string]float64{}, map[string]float64{}
		for _, r := range all {
			if !r.CountsIn(theHour, time.Hour) {
				continue
			}
			if _, known := lowest[r.Site]; !known {
				lowest[r.Site], highest[r.Site] = r.Value, r.Value
			}
			lowest[r.Site], highest[r.Site] = min(lowest[r.Site], r.Value), max(highest[r.Site], r.Value)
		}
		got := answer(t, all, asMean, theHour)
		if len(got.Samples) != len(lowest) {
			t.Fatalf("%d sites have a mean, want %d", len(got.Samples), len(lowest))
		}
		for _, s := range got.Samples {
			if s.Value < lowest[s.Site] || s.Value > highest[s.Site] {
				t.Errorf("%s has the mean %v, its readings lie between %v and %v", s.Site, s.Value, lowest[s.Site], highest[s.Site])
			}
		}
	})
}

// BenchmarkReadings measures the mean of 10,000 readings at 500 sites, which is more than a namespace should keep.
func BenchmarkReadings(b *testing.B) {
	all := make([]Reading, 10_000)
	for i := range all {
		all[i] = entered(fmt.Sprintf("site-%d", i%500), float64(i%50)/10, time.Duration(i%3000)*time.Second, int64(1+i%40))
	}
	source, err := NewReadings(ReadingsConfig{Name: "any", List: func(context.Context, string) ([]Reading, error) { return all, nil }})
	if err != nil {
		b.Fatal(err)
	}
	defer source.Close()
	for b.Loop() {
		if _, err := source.Measure(b.Context(), asMean, theHour); err != nil {
			b.Fatal(err)
		}
	}
}
