package siterollout

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

func TestASiteAwaitsTheFirstMeasurementsForAMinuteAtMost(t *testing.T) {
	var m memory
	site := types.NamespacedName{Namespace: "crm", Name: "r.hq"}
	start := time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)
	awaits := func(uid types.UID, after time.Duration) bool {
		return m.await(site, snapshot{object: &v1alpha1.SiteRollout{ObjectMeta: metav1.ObjectMeta{UID: uid}},
			awaiting: map[string]bool{"usage": true}, now: start.Add(after)})
	}
	for _, step := range []struct {
		uid   types.UID
		after time.Duration
		want  bool
	}{
		{"a", 0, true}, {"a", 59 * time.Second, true}, {"a", time.Minute, false},
		{"b", time.Minute, true}, // created anew, it begins to wait now
	} {
		if got := awaits(step.uid, step.after); got != step.want {
			t.Errorf("%s after %s awaits: %t, want %t", step.uid, step.after, got, step.want)
		}
	}
	if got := m.interestedIn(types.NamespacedName{Namespace: "crm", Name: "usage"}); len(got) != 1 || got[0].NamespacedName != site {
		t.Errorf("the measurement that it awaits wakes %v", got)
	}
	if got := m.interestedIn(types.NamespacedName{Namespace: "other", Name: "usage"}); len(got) != 0 {
		t.Errorf("a measurement in another namespace wakes %v", got)
	}
}
