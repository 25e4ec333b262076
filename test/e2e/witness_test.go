package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// witness sees every write to the SiteRollouts of one rollout, in the order in which the API server took them, and checks after each what must always be true.
type witness struct {
	// phases of the rollout, in order.
	phases []string
	// limit is its maxConcurrent.
	limit int
	// first is the wave that must complete before any other begins, firstSites the number of its sites.
	first      string
	firstSites int

	ended chan struct{}

	mu sync.Mutex
	// sites are the SiteRollouts as they are now, by site.
	sites    map[string]*v1alpha1.SiteRollout
	writes   int
	problems []string
	most     int
}

// follow takes in what a watch tells until its context ends.
func (w *witness) follow(ctx context.Context, events watch.Interface) {
	defer close(w.ended)
	defer events.Stop()
	for event := range events.ResultChan() {
		sr, ok := event.Object.(*v1alpha1.SiteRollout)
		w.mu.Lock()
		switch {
		case !ok || event.Type == watch.Deleted:
			w.complain("%s %v", event.Type, event.Object)
		default:
			w.see(sr)
		}
		w.mu.Unlock()
	}
	if ctx.Err() == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.complain("the watch ended")
	}
}

func (w *witness) complain(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf("write %d: ", w.writes)+fmt.Sprintf(format, args...))
}

func (w *witness) see(sr *v1alpha1.SiteRollout) {
	w.writes++
	site := sr.Spec.Site
	old := w.sites[site]
	if old == nil {
		old = &v1alpha1.SiteRollout{}
	}
	w.sites[site] = sr
	told := len(old.Status.Transitions)
	if told > len(sr.Status.Transitions) || !equality.Semantic.DeepEqual(old.Status.Transitions, sr.Status.Transitions[:told]) {
		w.complain("%s: what had been recorded changed", site)
	}
	for i, transition := range sr.Status.Transitions {
		if transition.Sequence != int64(i+1) {
			w.complain("%s: transition %d has number %d", site, i+1, transition.Sequence)
		}
	}
	if sr.Spec.AdmittedThrough != old.Spec.AdmittedThrough || !sr.Spec.AdmittedAt.Equal(old.Spec.AdmittedAt) {
		w.admitted(old, sr)
	}
}

// admitted checks an admission: it is for the phase after the last one that was passed, comes once, leaves the limit, and waits for the first wave.
func (w *witness) admitted(old, sr *v1alpha1.SiteRollout) {
	passed := passedPhases(old)
	if passed == len(w.phases) || sr.Spec.AdmittedThrough != w.phases[passed] {
		w.complain("%s was admitted to %q after it had passed %d phases", sr.Spec.Site, sr.Spec.AdmittedThrough, passed)
	}
	if sr.Spec.AdmittedThrough == old.Spec.AdmittedThrough {
		w.complain("%s was admitted to %q twice", sr.Spec.Site, sr.Spec.AdmittedThrough)
	}
	flying, done := 0, 0
	for _, other := range w.sites {
		if other.Spec.AdmittedThrough != "" && slices.Index(w.phases, other.Spec.AdmittedThrough) >= passedPhases(other) {
			flying++
		}
		if other.Spec.Wave == w.first && passedPhases(other) == len(w.phases) {
			done++
		}
	}
	w.most = max(w.most, flying)
	if flying > w.limit {
		w.complain("the admission of %s to %s makes %d sites in flight, and %d are allowed", sr.Spec.Site, sr.Spec.AdmittedThrough, flying, w.limit)
	}
	if sr.Spec.Wave != w.first && done < w.firstSites {
		w.complain("%s of wave %s was admitted when %d of %d sites of wave %s had completed", sr.Spec.Site, sr.Spec.Wave, done, w.firstSites, w.first)
	}
}

// passedPhases counts the phases that a site has passed.
func passedPhases(sr *v1alpha1.SiteRollout) int {
	passed := 0
	for _, p := range sr.Status.Phases {
		if p.PassedAt != nil {
			passed++
		}
	}
	return passed
}

// await waits for some more writes and returns their number so far. What is to be done meanwhile is done again and again.
func (w *witness) await(t *testing.T, more int, meanwhile func(*testing.T)) int {
	t.Helper()
	count := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.writes
	}
	want := count() + more
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for count() < want {
		select {
		case <-deadline.C:
			t.Fatalf("there were %d writes and only %d more instead of %d; has the rollout completed before the test has? Sites: %v", want-more, count()-want+more, more, w.reasons())
		case <-ticker.C:
			meanwhile(t)
		}
	}
	return count()
}

// reasons counts the sites by state and reason.
func (w *witness) reasons() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	counts := map[string]int{}
	for _, sr := range w.sites {
		counts[fmt.Sprintf("%s %s %s", sr.Status.State, sr.Status.CurrentPhase, sr.Status.Reason)]++
	}
	return counts
}

// end tells of what was seen.
func (w *witness) end(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	t.Logf("%d writes; at most %d sites were in flight", w.writes, w.most)
	for i, problem := range w.problems {
		if i == 10 {
			t.Errorf("and %d more", len(w.problems)-i)
			break
		}
		t.Error(problem)
	}
}
