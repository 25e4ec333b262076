// Package measure keeps the latest measurements of every KPI in memory and tells who waits for them.
//
// Nothing here is written to the API server: what must survive a restart is in the status of KPIs and sites, and the few latest moments are measured again.
package measure

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/crmops/rollout-operator/internal/gate"
)

// keptSamples is how many values of a site are kept. A site is judged at every measurement, so more than a few are only needed when judging
// lags behind; a value that is dropped before it was judged ends a hold.
const keptSamples = 32

// Measurement is one question to a source, with what it answered.
type Measurement struct {
	// Time is the end of the window that was measured.
	Time time.Time
	// Values by site name; they may be NaN or infinite, and older than Time when the source answers from a cache.
	Values map[string]gate.Sample
	// Ambiguous holds the names of sites for which there was more than one value.
	Ambiguous map[string]bool
	// IDs are the texts by which the source named the sites, by site name. When a site's ID changes, its earlier values were another site's.
	IDs map[string]string
	// Failures are the source's errors for single sites, for people, by site name; empty when one query asks for all sites.
	Failures map[string]string
	// Failure is the source's error for all sites, for people; empty when the source answered.
	Failure string
}

// Taken is a measurement of one revision of a KPI. Each window over which gates ask for the KPI makes a revision.
type Taken struct {
	// Revision identifies what was measured.
	Revision string
	// Measurement of it.
	Measurement Measurement
}

// Store holds measurements by KPI. It is safe for concurrent use.
type Store struct {
	mu        sync.RWMutex
	kpis      map[types.NamespacedName]*revisions
	listeners []func(kpi types.NamespacedName)
}

// revisions is the recent past of one KPI.
type revisions struct {
	// own is the revision of the KPI over its own window.
	own    string
	series map[string]*series
}

// series is the recent past of one revision of a KPI.
type series struct {
	latest    Measurement
	answered  bool
	inherited gate.Measured
	sites     map[string]*history
}

// history is the recent past of one site under one ID.
type history struct {
	id      string
	samples []gate.Sample
	dropped time.Time
}

// NewStore returns an empty Store.
func NewStore() *Store {
	return &Store{kpis: map[types.NamespacedName]*revisions{}}
}

// Listen registers a function that is called after every change, with the KPI that changed. It must be called before the Store is used.
func (s *Store) Listen(f func(kpi types.NamespacedName)) {
	s.listeners = append(s.listeners, f)
}

// Record adds the measurements of all revisions of a KPI that count now, that over its own window first. Values of every other revision are forgotten,
// because they measured something else.
func (s *Store) Record(kpi types.NamespacedName, all ...Taken) {
	s.record(kpi, all)
	s.tell(kpi)
}

func (s *Store) record(kpi types.NamespacedName, all []Taken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := &revisions{series: make(map[string]*series, len(all))}
	for i, taken := range all {
		if i == 0 {
			kept.own = taken.Revision
		}
		entry, m := s.entry(kpi, taken.Revision), taken.Measurement
		if m.Time.Before(entry.latest.Time) {
			entry.sites = map[string]*history{} // the clock was set back: no order can be told between what is known and what comes
		}
		entry.latest = m
		entry.answered = entry.answered || m.Failure == ""
		entry.add(m, (*history).add)
		kept.series[taken.Revision] = entry
	}
	s.kpis[kpi] = kept
}

// Recall adds values of the past, oldest first, that were measured before this process started. They do not count as the latest measurement.
func (s *Store) Recall(kpi types.NamespacedName, revision string, past []Measurement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := s.entry(kpi, revision)
	for _, m := range past {
		entry.add(m, (*history).recall)
	}
}

// Inherit notes when a former process measured a revision of a KPI. It is to be called before this process measures for the first time,
// after which that moment cannot be read from the KPI's status any more; later calls change nothing.
func (s *Store) Inherit(kpi types.NamespacedName, revision string, measured gate.Measured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if entry := s.entry(kpi, revision); entry.latest.Time.IsZero() {
		entry.inherited = measured
	}
}

// Inherited returns when a former process measured a revision of a KPI, zero when none did.
func (s *Store) Inherited(kpi types.NamespacedName, revision string) gate.Measured {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if entry := s.find(kpi, revision); entry != nil {
		return entry.inherited
	}
	return gate.Measured{}
}

// find returns what is known of a revision of a KPI, nil when nothing is.
func (s *Store) find(kpi types.NamespacedName, revision string) *series {
	if known := s.kpis[kpi]; known != nil {
		return known.series[revision]
	}
	return nil
}

// entry returns what is known of a revision of a KPI, to be added to.
func (s *Store) entry(kpi types.NamespacedName, revision string) *series {
	if s.kpis[kpi] == nil {
		s.kpis[kpi] = &revisions{own: revision, series: map[string]*series{}}
	}
	entry := s.kpis[kpi].series[revision]
	if entry == nil {
		entry = &series{sites: map[string]*history{}}
		s.kpis[kpi].series[revision] = entry
	}
	return entry
}

func (e *series) add(m Measurement, to func(*history, gate.Sample)) {
	for site, sample := range m.Values {
		if gate.OutcomeOf(sample.Value) != gate.OutcomeValue {
			continue
		}
		h := e.sites[site]
		if h == nil || h.id != m.IDs[site] {
			h = &history{id: m.IDs[site]}
			e.sites[site] = h
		}
		to(h, sample)
	}
}

// add takes the source's latest word. A value of a moment that is known already replaces what was said of it before, and one of an earlier moment takes back what was said of
// later ones: a wrong reading that somebody deleted, for example. What is taken back counts as dropped, so that a run does not go on as if it had been looked at.
func (h *history) add(s gate.Sample) {
	kept := len(h.samples)
	for kept > 0 && !h.samples[kept-1].Time.Before(s.Time) {
		kept--
		if taken := h.samples[kept].Time; taken.After(s.Time) && taken.After(h.dropped) {
			h.dropped = taken
		}
	}
	if kept < len(h.samples) {
		h.samples = slices.Clone(h.samples[:kept]) // others may be reading what stands behind
	}
	h.samples = append(h.samples, s)
	if surplus := len(h.samples) - keptSamples; surplus > 0 {
		if gone := h.samples[surplus-1].Time; gone.After(h.dropped) {
			h.dropped = gone
		}
		h.samples = append([]gate.Sample(nil), h.samples[surplus:]...)
	}
}

// recall adds what was measured of the past again. What is known of that time already is what was judged by.
func (h *history) recall(s gate.Sample) {
	if known := len(h.samples); known == 0 || s.Time.After(h.samples[known-1].Time) {
		h.add(s)
	}
}

// Forget drops a KPI that was deleted. Who listens is told when something was known of it, and not again: a listener may be why it was looked at.
func (s *Store) Forget(kpi types.NamespacedName) {
	s.mu.Lock()
	_, known := s.kpis[kpi]
	delete(s.kpis, kpi)
	s.mu.Unlock()
	if known {
		s.tell(kpi)
	}
}

func (s *Store) tell(kpi types.NamespacedName) {
	for _, f := range s.listeners {
		f(kpi)
	}
}

// LastTried returns when this process last tried to measure a revision of a KPI, zero when it has not.
func (s *Store) LastTried(kpi types.NamespacedName, revision string) time.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if entry := s.find(kpi, revision); entry != nil {
		return entry.latest.Time
	}
	return time.Time{}
}

// Answered reports whether the source has answered this process for a revision of a KPI.
func (s *Store) Answered(kpi types.NamespacedName, revision string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	entry := s.find(kpi, revision)
	return entry != nil && entry.answered
}

// Evidence returns what is known about one site's value of a revision of a KPI. Values that were measured under another ID of the site do not count.
func (s *Store) Evidence(kpi types.NamespacedName, revision, site, siteID string) gate.Evidence {
	s.mu.RLock()
	defer s.mu.RUnlock()
	entry := s.find(kpi, revision)
	if entry == nil {
		return gate.Evidence{}
	}
	evidence := gate.Evidence{LatestAt: entry.latest.Time, Detail: entry.latest.Failure}
	if !entry.latest.Time.IsZero() { // otherwise there is only the past so far
		evidence.Latest = entry.latest.outcome(site)
		evidence.Detail = cmp.Or(evidence.Detail, entry.latest.Failures[site])
	}
	if h := entry.sites[site]; h != nil && h.id == siteID {
		evidence.Samples, evidence.DroppedThrough = append([]gate.Sample(nil), h.samples...), h.dropped
	}
	return evidence
}

// Knew reports whether the source's latest answer for a revision of a KPI was asked for when a site was known under its ID. Without that, a missing value says nothing.
func (s *Store) Knew(kpi types.NamespacedName, revision, site, siteID string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	entry := s.find(kpi, revision)
	if entry == nil || entry.latest.Failure != "" {
		return false
	}
	id, known := entry.latest.IDs[site]
	return known && id == siteID
}

// Samples returns the values of a site, oldest first, that were measured under one of its IDs. They must not be changed.
func (s *Store) Samples(kpi types.NamespacedName, revision, site, siteID string) []gate.Sample {
	s.mu.RLock()
	defer s.mu.RUnlock()
	entry := s.find(kpi, revision)
	if entry == nil {
		return nil
	}
	if h := entry.sites[site]; h != nil && h.id == siteID {
		return h.samples[:len(h.samples):len(h.samples)]
	}
	return nil
}

func (m Measurement) outcome(site string) gate.Outcome {
	if m.Failure != "" || m.Failures[site] != "" {
		return gate.OutcomeFailed
	}
	if m.Ambiguous[site] {
		return gate.OutcomeAmbiguous
	}
	sample, ok := m.Values[site]
	if !ok {
		return gate.OutcomeMissing
	}
	return gate.OutcomeOf(sample.Value)
}

// Latest calls f for the latest measurement of every KPI over its own window that did not fail. The measurement must not be changed.
func (s *Store) Latest(f func(kpi types.NamespacedName, m Measurement)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for kpi, known := range s.kpis {
		if entry := known.series[known.own]; entry != nil && entry.latest.Failure == "" {
			f(kpi, entry.latest)
		}
	}
}
