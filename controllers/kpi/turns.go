package kpi

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// A measurement takes as long as its source does, up to some minutes. So that a source that does not answer keeps nobody waiting but those who ask it,
// it gets a few of the workers only, and so does the namespace that declares it. Who finds no place gives its worker back at once.
const (
	// concurrentMeasurements is how many KPIs are measured at a time.
	concurrentMeasurements = 32
	// turnsOfProvider is how many of them may ask one provider that does not say how many queries it takes at a time: as many as it runs then.
	turnsOfProvider = 4
	// turnsOfNamespace is how many of them may be of one namespace.
	turnsOfNamespace = 8
	// busyRetry is how soon a KPI that found no place tries again.
	busyRetry = time.Second
)

// turns counts the measurements that run. It is safe for concurrent use, and empty as its zero value.
type turns struct {
	mu    sync.Mutex
	taken map[string]int
}

// turnsOf returns how many KPIs may ask a provider at a time: as many as the queries that it declares to run then. The turns of its namespace bound them too.
func turnsOf(declared v1alpha1.MetricProvider) int {
	if limits := declared.Spec.Limits; limits != nil && limits.Concurrent != nil {
		return int(*limits.Concurrent)
	}
	return turnsOfProvider
}

// take takes one of the provider's places and one of its namespace, or none. Who got them must give them back.
func (t *turns) take(provider client.ObjectKey, places int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken[provider.String()] >= places || t.taken[provider.Namespace] >= turnsOfNamespace {
		return false
	}
	if t.taken == nil {
		t.taken = map[string]int{}
	}
	t.taken[provider.String()]++
	t.taken[provider.Namespace]++
	return true
}

func (t *turns) give(provider client.ObjectKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, place := range []string{provider.String(), provider.Namespace} {
		if t.taken[place]--; t.taken[place] == 0 {
			delete(t.taken, place)
		}
	}
}

// actInTurn acts when there is a place, or nothing to ask. It returns false when the KPI has to wait for a place. One that has waited for a whole interval
// has missed a measurement, and that is told as a failure.
func (r *Reconciler) actInTurn(ctx context.Context, s snapshot) (done outcome, acted bool, err error) {
	switch asked := s.asks(); {
	case s.source == nil:
	case r.turns.take(asked, s.places):
		defer r.turns.give(asked)
	case r.memory.busy(client.ObjectKeyFromObject(s.object), s.now) < s.kpi.Interval:
		return outcome{}, false, nil
	default:
		s.source, s.problem = nil, problem{v1alpha1.ReasonSourceBusy, fmt.Sprintf(
			"for %s there was no moment to ask MetricProvider %q, because other KPIs of it or of this namespace were being measured: its answers are slow, or too many KPIs are due at once",
			s.kpi.Interval, asked.Name)}
	}
	done, err = r.act(ctx, s)
	return done, true, err
}
