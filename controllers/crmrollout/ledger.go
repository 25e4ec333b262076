package crmrollout

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// ledger remembers the SiteRollouts that were written and that the cache may not show yet. Without it two reconciles in quick succession could both give away the last free slot.
type ledger struct {
	mu       sync.Mutex
	rollouts map[types.NamespacedName]*account
}

type account struct {
	uid     types.UID
	written map[string]*v1alpha1.SiteRollout
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
