package kpi

import (
	"context"
	"fmt"
	"testing"
	"time"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/provider"
)

func TestASourceThatDoesNotAnswerKeepsNoWorkersFromOthers(t *testing.T) {
	kpis := make([]client.Object, 0, turnsOfProvider+1)
	for i := range turnsOfProvider {
		kpis = append(kpis, number(fmt.Sprintf("slow-%d", i)))
	}
	w := newWorld(t, append(kpis, number("late"))...)
	begun, proceed := make(chan struct{}), make(chan struct{})
	w.source.answer = func(ctx context.Context, q provider.Query, window provider.Window) (provider.Answer, error) {
		begun <- struct{}{}
		<-proceed
		return one(ctx, q, window)
	}
	ended := make(chan error, turnsOfProvider)
	for i := range turnsOfProvider {
		go func() {
			_, err := w.run(context.Background(), fmt.Sprintf("slow-%d", i))
			ended <- err
		}()
		<-begun
	}

	w.mustRun(t, "late", busyRetry) // at once, while the others are measured
	w.pass(5*minute - time.Second)
	w.mustRun(t, "late", busyRetry)
	w.mustBe(t, "late", "")
	w.pass(time.Second)
	w.mustRun(t, "late", 5*minute)
	w.mustBe(t, "late", v1alpha1.ReasonSourceBusy)
	if got := w.evidence(t, "late", "rome"); got.Latest != gate.OutcomeFailed || got.Detail == "" {
		t.Errorf("the evidence is %+v, want a failure with its reason", got)
	}
	w.pass(5 * minute)
	w.mustRun(t, "late", busyRetry) // the wait begins anew

	close(proceed)
	for range turnsOfProvider {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	w.source.answer = one
	w.mustRun(t, "late", 5*minute)
	w.mustBe(t, "late", v1alpha1.ReasonMeasured)
}

// A source that declares how many queries it takes at a time is asked by as many KPIs, and by no more.
func TestKPIsUseTheLimitThatTheirProviderDeclares(t *testing.T) {
	for name, tc := range map[string]struct {
		limits *v1alpha1.SourceLimits
		want   int
	}{
		"no limits":             {nil, turnsOfProvider},
		"another limit":         {&v1alpha1.SourceLimits{PerMinute: ptr.To[int32](60)}, turnsOfProvider},
		"one query at a time":   {&v1alpha1.SourceLimits{Concurrent: ptr.To[int32](1)}, 1},
		"six at a time":         {&v1alpha1.SourceLimits{Concurrent: ptr.To[int32](6)}, 6},
		"more than a namespace": {&v1alpha1.SourceLimits{Concurrent: ptr.To[int32](32)}, turnsOfNamespace},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, number("adoption"))
			declared := &v1alpha1.MetricProvider{}
			if err := w.Client.Get(t.Context(), key("source"), declared); err != nil {
				t.Fatal(err)
			}
			declared.Spec.Limits = tc.limits
			if err := w.Client.Update(t.Context(), declared); err != nil {
				t.Fatal(err)
			}
			for range tc.want - 1 {
				w.turns.take(key("source"), concurrentMeasurements)
			}
			w.mustRun(t, "adoption", 5*minute)
			w.pass(5 * minute)
			w.turns.take(key("source"), concurrentMeasurements)
			w.mustRun(t, "adoption", busyRetry)
		})
	}
}

func TestPlacesAreSharedBetweenProvidersAndNamespaces(t *testing.T) {
	key := func(namespace, name string) client.ObjectKey {
		return client.ObjectKey{Namespace: namespace, Name: name}
	}
	var places turns
	take := func(want bool, provider client.ObjectKey) {
		t.Helper()
		if got := places.take(provider, turnsOfProvider); got != want {
			t.Fatalf("a place for %s: %t, want %t", provider, got, want)
		}
	}
	for range turnsOfProvider {
		take(true, key("a", "one"))
	}
	take(false, key("a", "one"))
	for range turnsOfNamespace - turnsOfProvider {
		take(true, key("a", "two"))
	}
	take(false, key("a", "three"))
	take(true, key("b", "one"))

	places.give(key("a", "one"))
	take(true, key("a", "three"))
	take(false, key("a", "one"))
	if turnsOfNamespace*2 > concurrentMeasurements {
		t.Errorf("two namespaces can take all %d workers", concurrentMeasurements)
	}
	for range turnsOfProvider - 1 {
		places.give(key("a", "one"))
	}
	for range turnsOfNamespace - turnsOfProvider {
		places.give(key("a", "two"))
	}
	places.give(key("a", "three"))
	places.give(key("b", "one"))
	if len(places.taken) > 0 {
		t.Errorf("all places are given back, and these are still counted: %v", places.taken)
	}
}
