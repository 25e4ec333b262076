package kpi

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/provider"
)

func TestASiteWhoseQueryFailsIsToldSoAndTheOthersKeepTheirValues(t *testing.T) {
	w := newWorld(t, number("adoption", perSite), site("oslo"))
	w.source.answer = func(ctx context.Context, q provider.Query, window provider.Window) (provider.Answer, error) {
		if q.Site == "oslo" {
			return provider.Answer{}, &provider.Error{Reason: provider.QueryRejected, Message: "the query was rejected: no such tenant"}
		}
		return one(ctx, q, window)
	}
	w.mustRun(t, "adoption", 5*minute)
	reason, message := w.ready(t, "adoption")
	if want := "1 of 3 sites could not be asked for; site oslo: the query was rejected: no such tenant"; reason != string(provider.QueryRejected) || message != want {
		t.Errorf("Ready is %s: %s, want %s: %s", reason, message, provider.QueryRejected, want)
	}
	failed := w.evidence(t, "adoption", "oslo")
	if failed.Latest != gate.OutcomeFailed || failed.Detail != "the query was rejected: no such tenant" {
		t.Errorf("oslo: %+v, want the failure of its own query", failed)
	}
	if good := w.evidence(t, "adoption", "rome"); good.Latest != gate.OutcomeValue || len(good.Samples) != 1 {
		t.Errorf("rome: %+v, want its value", good)
	}
	if got := w.read(t, "adoption").Status.Summary; got.Sites != 2 || !slices.Equal(got.MissingSites, []string{"oslo"}) {
		t.Errorf("the summary is %+v, want two sites with a value and oslo without", got)
	}
}

func TestASourceThatIsSilentIsNotAskedForEverySite(t *testing.T) {
	var objects []client.Object
	for _, name := range names(40) {
		objects = append(objects, site(name))
	}
	w := newWorld(t, append(objects, number("adoption", perSite))...)
	w.source.answer = silence
	w.mustRun(t, "adoption", 5*minute)
	w.mustBe(t, "adoption", string(provider.Timeout))
	if got := len(w.source.questions()); got < silentSites || got > silentSites+concurrentSites {
		t.Errorf("a silent source was asked %d times, want %d and what was under way", got, silentSites)
	}
}

// asking returns a tour that asks for one site after the other, and what it got for each: "." for an answer, "x" for none, "-" when it did not ask.
func asking(t *testing.T, script string) string {
	t.Helper()
	at := 0
	src := &scripted{answer: func(ctx context.Context, q provider.Query, w provider.Window) (provider.Answer, error) {
		switch script[at] {
		case 'x':
			return silence(ctx, q, w)
		case 'r':
			return provider.Answer{}, &provider.Error{Reason: provider.QueryRejected, Message: "rejected"}
		}
		return one(ctx, q, w)
	}}
	object := number("adoption", perSite)
	tested := &tour{snapshot: snapshot{object: object, source: src}, view: view{object: object}}
	var got strings.Builder
	for ; at < len(script); at++ {
		before := len(src.asked)
		_, err := tested.ask(t.Context(), site(names(len(script))[at]))
		switch {
		case len(src.asked) == before:
			got.WriteString("-")
		case err != nil:
			got.WriteByte(script[at])
		default:
			got.WriteString(".")
		}
	}
	return got.String()
}

func TestOnlySitesInARowWithoutAnAnswerEndTheTour(t *testing.T) {
	for script, want := range map[string]string{
		"......": "......",
		"xx.xx.": "xx.xx.",
		"xxrxx.": "xxrxx.",
		"rrrrrr": "rrrrrr",
		"xxx...": "xxx---",
		".xxxx.": ".xxx--",
	} {
		if got := asking(t, script); got != want {
			t.Errorf("sites that answer %s are asked %s, want %s", script, got, want)
		}
	}
}

func TestATourEndsBeforeTheNextOneIsDue(t *testing.T) {
	for interval, want := range map[v1alpha1.Duration]time.Duration{"5m": 5 * minute, "10s": provider.DefaultTimeout} {
		w := newWorld(t, number("adoption", perSite, func(k *v1alpha1.KPI) { k.Spec.Interval = interval }))
		var left []time.Duration
		w.source.answer = func(ctx context.Context, q provider.Query, window provider.Window) (provider.Answer, error) {
			deadline, ok := ctx.Deadline()
			if ok {
				w.source.mu.Lock()
				left = append(left, time.Until(deadline))
				w.source.mu.Unlock()
			}
			return one(ctx, q, window)
		}
		if _, err := w.run(t.Context(), "adoption"); err != nil {
			t.Fatal(err)
		}
		if len(left) != 2 {
			t.Fatalf("interval %s: %d of 2 queries have a deadline", interval, len(left))
		}
		if got := max(left[0], left[1]); got > want {
			t.Errorf("interval %s: a query has %s, want at most %s", interval, got, want)
		}
	}
}

func TestSitesForWhichThereIsNoTimeAreToldSo(t *testing.T) {
	over, cancel := context.WithDeadline(t.Context(), began.AddDate(-20, 0, 0))
	defer cancel()
	object := number("adoption", perSite)
	src := &scripted{answer: one}
	resolved, _ := plan.ResolveKPI(object)
	asked := snapshot{object: object, kpi: resolved, source: src, sites: []*v1alpha1.RolloutSite{site("rome")}, timeout: minute}
	got := measureEach(over, asked, view{object: object, kpi: resolved}, provider.Window{End: began})
	if want := "site rome: not asked for, because asking for the sites before it took longer than 5m0s"; got.measurement.Failure != want {
		t.Errorf("failure is %q, want %q", got.measurement.Failure, want)
	}
	if len(src.asked) > 0 {
		t.Errorf("the source was asked %v", src.asked)
	}
}

func TestAfterARestartFewPastMomentsAreMeasuredAgainForEachSite(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*v1alpha1.KPI)
		want   []time.Duration
	}{
		"for each site":         {perSite, []time.Duration{-7, -2, 0}},
		"for all sites at once": {func(*v1alpha1.KPI) {}, []time.Duration{-47, -42, -37, -32, -27, -22, -17, -12, -7, -2, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			object := number("adoption", test.change)
			resolved, mistakes := plan.ResolveKPI(object)
			if len(mistakes) > 0 {
				t.Fatal(plan.Sentences(mistakes))
			}
			last := metav1.NewTime(began.Add(-2 * minute))
			since := metav1.NewTime(began.Add(-time.Hour))
			object.Status = v1alpha1.KPIStatus{ObservedGeneration: 1, Revision: resolved.Revision, LastMeasured: &last, MeasuredSince: &since}
			w := newWorld(t, object)
			w.mustRun(t, "adoption", 5*minute)
			var moments []time.Duration
			for _, q := range w.source.questions() {
				if moment := q.end.Sub(began) / minute; !slices.Contains(moments, moment) {
					moments = append(moments, moment)
				}
			}
			if diff := cmp.Diff(test.want, moments); diff != "" {
				t.Errorf("measured moments, in minutes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAStoppingOperatorBlamesNoSource(t *testing.T) {
	w := newWorld(t, number("adoption", perSite))
	ctx, cancel := context.WithCancel(t.Context())
	w.source.answer = func(context.Context, provider.Query, provider.Window) (provider.Answer, error) {
		cancel()
		return provider.Answer{}, &provider.Error{Reason: provider.Canceled, Message: "canceled"}
	}
	if _, err := w.run(ctx, "adoption"); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want that of the stop", err)
	}
	w.mustBe(t, "adoption", "")
}
