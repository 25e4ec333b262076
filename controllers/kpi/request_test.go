package kpi

import (
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/provider"
)

// ask has somebody ask for a measurement of the KPI adoption now.
func (w *world) ask(t *testing.T, value string) {
	t.Helper()
	asked := w.read(t, "adoption")
	asked.Annotations = map[string]string{v1alpha1.AnnotationRequestedAt: value}
	if err := w.Client.Update(t.Context(), asked); err != nil {
		t.Fatal(err)
	}
}

// mustHaveHandled checks which request the status says was handled last.
func (w *world) mustHaveHandled(t *testing.T, want string) {
	t.Helper()
	if got := w.read(t, "adoption").Status.LastHandledReconcileAt; got != want {
		t.Errorf("at %s: request %q is handled, want %q", w.clock.Now().Sub(began), got, want)
	}
}

// restart drops what the process knows.
func (w *world) restart() {
	old := w.Reconciler
	w.Reconciler = &Reconciler{Client: old.Client, Revisions: old.Revisions, Providers: old.Providers, Store: measure.NewStore(), Captures: measure.NewCaptures(), Budget: measure.NewRefreshBudget(), Events: w, Clock: w.clock}
}

func TestWhoAsksHasTheKPIMeasuredOnce(t *testing.T) {
	w := newWorld(t, number("adoption"))
	w.mustRun(t, "adoption", 5*minute)
	w.pass(minute)
	w.mustHaveHandled(t, "")
	w.ask(t, "one")
	for range 3 {
		w.mustRun(t, "adoption", 5*minute)
		w.mustHaveAsked(t, 2)
		w.mustHaveHandled(t, "one")
	}
	if got := w.read(t, "adoption").Status; !got.LastMeasured.Time.Equal(began.Add(minute)) || !got.MeasuredSince.Time.Equal(began) {
		t.Errorf("last measured at %s, since %s; want a measurement now, in the row that began at first", got.LastMeasured, got.MeasuredSince)
	}
	w.pass(minute)
	w.ask(t, "two")
	w.mustRun(t, "adoption", 5*minute)
	w.mustHaveAsked(t, 3)
	w.mustHaveHandled(t, "two")
}

func TestRequestsInQuickSuccessionAreAnsweredTogether(t *testing.T) {
	w := newWorld(t, number("adoption"))
	w.mustRun(t, "adoption", 5*minute)
	for _, value := range []string{"one", "two", "three", "four"} {
		w.pass(200 * time.Millisecond)
		w.ask(t, value)
		w.mustRun(t, "adoption", time.Second-w.clock.Now().Sub(began))
		w.mustHaveAsked(t, 1)
		w.mustHaveHandled(t, "")
	}
	w.pass(200 * time.Millisecond)
	w.mustRun(t, "adoption", 5*minute)
	w.mustHaveAsked(t, 2)
	w.mustHaveHandled(t, "four")
}

func TestARequestIsHandledAlsoWhenNothingCanBeMeasured(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil  func(*testing.T, *world)
		reason string
		asked  int
	}{
		"the KPI has a mistake": {func(t *testing.T, w *world) { w.edit(t, func(k *v1alpha1.KPI) { k.Spec.Interval = "never" }) }, v1alpha1.ReasonInvalidSpec, 0},
		"the source is silent":  {func(_ *testing.T, w *world) { w.source.answer = silence }, string(provider.Timeout), 2},
		"there is no provider": {func(t *testing.T, w *world) {
			if err := w.Client.Delete(t.Context(), &v1alpha1.MetricProvider{ObjectMeta: named("source")}); err != nil {
				t.Fatal(err)
			}
		}, v1alpha1.ReasonReferenceNotFound, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, number("adoption"))
			tc.spoil(t, w)
			for _, request := range []string{"", "one"} {
				w.pass(minute)
				if request != "" {
					w.ask(t, request)
				}
				if _, err := w.run(t.Context(), "adoption"); err != nil {
					t.Fatal(err)
				}
				w.mustBe(t, "adoption", tc.reason)
				w.mustHaveHandled(t, request)
			}
			w.mustHaveAsked(t, tc.asked)
		})
	}
}

func TestARequestWhoseAnswerWasNotWrittenIsNotMeasuredForAgain(t *testing.T) {
	w := newWorld(t, number("adoption"))
	w.mustRun(t, "adoption", 5*minute)
	w.pass(minute)
	w.ask(t, "one")
	w.refuse = errRefused
	for range 3 {
		if _, err := w.run(t.Context(), "adoption"); err == nil {
			t.Fatal("the write was refused and nobody says so")
		}
		w.mustHaveHandled(t, "")
	}
	w.refuse = nil
	w.mustRun(t, "adoption", 5*minute)
	w.mustHaveHandled(t, "one")
	w.mustHaveAsked(t, 2)
}

func TestARequestWaitsForATurn(t *testing.T) {
	w := newWorld(t, number("adoption"))
	w.mustRun(t, "adoption", 5*minute)
	w.pass(minute)
	w.ask(t, "one")
	source := client.ObjectKey{Namespace: namespace, Name: "source"}
	for range turnsOfProvider {
		w.turns.take(source, turnsOfProvider)
	}
	w.mustRun(t, "adoption", busyRetry)
	w.mustHaveHandled(t, "")
	w.turns.give(source)
	w.mustRun(t, "adoption", 5*minute)
	w.mustHaveHandled(t, "one")
	w.mustHaveAsked(t, 2)
}

func TestARestartTellsAnOldRequestFromANewOne(t *testing.T) {
	for name, tc := range map[string]struct {
		meanwhile func(*testing.T, *world)
		want      string
	}{
		"the same one":              {func(*testing.T, *world) {}, "one"},
		"another one":               {func(t *testing.T, w *world) { w.ask(t, "two") }, "two"},
		"it was taken back":         {func(t *testing.T, w *world) { w.edit(t, func(k *v1alpha1.KPI) { k.Annotations = nil }) }, "one"},
		"one that is much too long": {func(t *testing.T, w *world) { w.ask(t, strings.Repeat("a", 1000)) }, strings.Repeat("a", 125) + "..."},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, number("adoption"))
			w.ask(t, "one")
			w.mustRun(t, "adoption", 5*minute)
			w.mustHaveHandled(t, "one")
			tc.meanwhile(t, w)
			w.restart()
			w.pass(minute)
			for range 2 { // it measures when it starts, whether somebody asks or not
				w.mustRun(t, "adoption", 5*minute)
			}
			asked := w.hear()
			w.pass(2 * time.Second)
			w.mustRun(t, "adoption", 5*minute-2*time.Second)
			if again := asked(); len(again) > 0 {
				t.Errorf("measured again: %v", again)
			}
			w.mustHaveHandled(t, tc.want)
		})
	}
}
