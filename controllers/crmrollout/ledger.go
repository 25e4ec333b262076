package crmrollout

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/admit"
)

// ledger remembers what was written and the cache may not show yet: SiteRollouts, and the rankings in the rollout's status. Without it two reconciles in quick succession
// could both give away the last free slot, or rank the sites of a wave twice.
type ledger struct {
	mu       sync.Mutex
	rollouts map[types.NamespacedName]*account
}

type account struct {
	uid     types.UID
	written map[string]*v1alpha1.SiteRollout
	// rankings by wave, as the status was last written, or read past the cache. They are replaced as a whole and never changed.
	rankings map[string]admit.Ranking
}

// opened reports whether a rollout has an account. One that was deleted and created again has another UID and is another rollout.
func (l *ledger) opened(rollout types.NamespacedName, uid types.UID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.rollouts[rollout]
	return found != nil && found.uid == uid
}

func (l *ledger) open(rollout types.NamespacedName, uid types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rollouts == nil {
		l.rollouts = map[types.NamespacedName]*account{}
	}
	l.rollouts[rollout] = &account{uid: uid, written: map[string]*v1alpha1.SiteRollout{}}
}

func (l *ledger) forget(rollout types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.rollouts, rollout)
}

// enter notes what the API server answered to a write.
func (l *ledger) enter(rollout types.NamespacedName, sr *v1alpha1.SiteRollout) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := l.rollouts[rollout]; found != nil {
		found.written[sr.Spec.Site] = sr
	}
}

// rank notes the rankings that stand in a rollout's status.
func (l *ledger) rank(rollout types.NamespacedName, waves []v1alpha1.WaveStatus) {
	rankings := map[string]admit.Ranking{}
	for _, w := range waves {
		if w.RankedAt == nil {
			continue
		}
		ranking := admit.Ranking{At: w.RankedAt.Time}
		for _, place := range w.Ranking {
			ranking.Places = append(ranking.Places, admit.Place{Site: place.Site, Place: place.Place, Because: place.Because})
		}
		rankings[w.Name] = ranking
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := l.rollouts[rollout]; found != nil {
		found.rankings = rankings
	}
}

// ranked returns the rankings of a rollout's waves that were written down.
func (l *ledger) ranked(rollout types.NamespacedName) map[string]admit.Ranking {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := l.rollouts[rollout]; found != nil {
		return found.rankings
	}
	return nil
}

func (l *ledger) strike(rollout types.NamespacedName, site string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := l.rollouts[rollout]; found != nil {
		delete(found.written, site)
	}
}

// pending returns what was written and does not show in the cache, and forgets what does. The generation grows with every change of a spec, and only this
// controller changes it, so a cached object of at least the written generation contains the write.
func (l *ledger) pending(rollout types.NamespacedName, cached map[string]*v1alpha1.SiteRollout) []*v1alpha1.SiteRollout {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.rollouts[rollout]
	if found == nil {
		return nil
	}
	var pending []*v1alpha1.SiteRollout
	for site, written := range found.written {
		shown := cached[site]
		if shown != nil && (shown.UID != written.UID || shown.Generation >= written.Generation) {
			delete(found.written, site)
			continue
		}
		pending = append(pending, written)
	}
	return pending
}
