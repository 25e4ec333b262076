package siterollout

import (
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crmops/rollout-operator/internal/advance"
)

// memory is what the controller remembers between reconciles: how far holds have been proved, which changes at every measurement and would cost a write per
// site and interval, and which sites a measurement concerns. A restart loses it; advance.Resume rebuilds the holds from status.
type memory struct {
	mu    sync.Mutex
	sites map[types.NamespacedName]remembered
}

// remembered is what is known of one site. A site that was deleted and created again has another UID and is another site.
type remembered struct {
	uid   types.UID
	holds *advance.Holds
	kpis  map[string]bool
	// since is when the site began to wait for the first measurement of its KPIs; zero when it does not.
	since time.Time
}

// holds returns the holds of a site, or nil when this process has not judged it.
func (m *memory) holds(site types.NamespacedName, uid types.UID) *advance.Holds {
	m.mu.Lock()
	defer m.mu.Unlock()
	if found := m.sites[site]; found.uid == uid {
		return found.holds
	}
	return nil
}

// keep remembers a step. It reports whether the site waits for other KPIs than before.
func (m *memory) keep(site types.NamespacedName, uid types.UID, step advance.Step) bool {
	return m.put(site, remembered{uid: uid, holds: &step.Holds, kpis: step.Awaits})
}

// await remembers which KPIs a site waits for. It reports false when it has waited for long enough.
func (m *memory) await(site types.NamespacedName, s snapshot) bool {
	since := m.waitingSince(site, s.object.UID)
	if since.IsZero() {
		since = s.now
	}
	m.put(site, remembered{uid: s.object.UID, kpis: s.awaiting, since: since})
	return s.now.Sub(since) < awaitAtMost
}

func (m *memory) waitingSince(site types.NamespacedName, uid types.UID) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if found := m.sites[site]; found.uid == uid {
		return found.since
	}
	return time.Time{}
}

func (m *memory) put(site types.NamespacedName, r remembered) (otherKPIs bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sites == nil {
		m.sites = map[types.NamespacedName]remembered{}
	}
	otherKPIs = !maps.Equal(m.sites[site].kpis, r.kpis)
	m.sites[site] = r
	return otherKPIs
}

func (m *memory) forget(site types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sites, site)
}

// interestedIn returns the sites whose verdict depends on a KPI.
func (m *memory) interestedIn(kpi types.NamespacedName) []reconcile.Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	var requests []reconcile.Request
	for site, r := range m.sites {
		if site.Namespace == kpi.Namespace && r.kpis[kpi.Name] {
			requests = append(requests, reconcile.Request{NamespacedName: site})
		}
	}
	return requests
}
