package kpi

import (
	"cmp"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// memory is what this process knows of KPIs from one reconcile to the next. It is safe for concurrent use, and empty as its zero value.
type memory struct {
	mu   sync.Mutex
	kpis map[types.NamespacedName]*remembered
}

// remembered is what this process knows of one KPI.
type remembered struct {
	// last is what the latest try brought; told is true once the status says so.
	last outcome
	told bool
	// handled is the request that was last handled; empty when this process has handled none.
	handled string
	// openingSince and busySince are when the KPI began to wait for its provider, and for a turn; zero when it does not.
	openingSince, busySince time.Time
}

// of changes what is known of a KPI, and returns it.
func (m *memory) of(kpi types.NamespacedName, change func(*remembered)) remembered {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.kpis[kpi]
	if known == nil {
		if m.kpis == nil {
			m.kpis = map[types.NamespacedName]*remembered{}
		}
		known = &remembered{}
		m.kpis[kpi] = known
	}
	change(known)
	return *known
}

// keep notes what a try brought, and the request that it answers. Both are still to be told.
func (m *memory) keep(kpi types.NamespacedName, last outcome, request string) {
	m.of(kpi, func(r *remembered) {
		*r = remembered{last: last, handled: cmp.Or(request, r.handled), openingSince: r.openingSince}
	})
}

// handled returns the request that was last handled, which the status may not say yet; empty when this process has handled none.
func (m *memory) handled(kpi types.NamespacedName) string {
	return m.of(kpi, func(*remembered) {}).handled
}

// told notes that the status says what the latest try brought.
func (m *memory) told(kpi types.NamespacedName) {
	m.of(kpi, func(r *remembered) { r.told = true })
}

// last returns what the latest try brought, and whether the status says so.
func (m *memory) last(kpi types.NamespacedName) (outcome, bool) {
	known := m.of(kpi, func(*remembered) {})
	return known.last, known.told
}

// opening returns for how long a KPI has been waiting for its provider to be opened.
func (m *memory) opening(kpi types.NamespacedName, now time.Time) time.Duration {
	known := m.of(kpi, func(r *remembered) { r.openingSince = begun(r.openingSince, now) })
	return now.Sub(known.openingSince)
}

// opened notes that a KPI does not wait for its provider to be opened.
func (m *memory) opened(kpi types.NamespacedName) {
	m.of(kpi, func(r *remembered) { r.openingSince = time.Time{} })
}

// busy returns for how long a KPI has been waiting for a turn.
func (m *memory) busy(kpi types.NamespacedName, now time.Time) time.Duration {
	known := m.of(kpi, func(r *remembered) { r.busySince = begun(r.busySince, now) })
	return now.Sub(known.busySince)
}

// served notes that a KPI does not wait for a turn.
func (m *memory) served(kpi types.NamespacedName) {
	m.of(kpi, func(r *remembered) { r.busySince = time.Time{} })
}

// forget drops a KPI that was deleted.
func (m *memory) forget(kpi types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.kpis, kpi)
}

// begun returns when a wait began, which is now when there was none, or when the clock was set back.
func begun(since, now time.Time) time.Time {
	if since.IsZero() || since.After(now) {
		return now
	}
	return since
}
