package plan_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
)

func TestWhatIsPlannedIsResolved(t *testing.T) {
	rollout, objects := everything()
	start := metav1.NewTime(time.Date(2026, 3, 2, 9, 0, 0, 0, time.FixedZone("", 3600)))
	end := metav1.NewTime(start.AddDate(0, 1, 0))
	rollout.Spec.Waves[0].PlannedStart, rollout.Spec.Waves[0].PlannedEnd = &start, &end
	objects.Phases["golive"].Spec.Expected = "4w"
	p := plan.Resolve(rollout, objects)
	if got, want := p.Phases[p.IndexOf("golive")].Expected, 28*24*time.Hour; got != want {
		t.Errorf("golive is expected to take %s, want %s", got, want)
	}
	if got, want := p.Waves[0].PlannedStart, time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC); got != want {
		t.Errorf("the wave is planned for %s, want %s", got, want)
	}
	if got, want := p.Waves[0].PlannedEnd, time.Date(2026, 4, 2, 8, 0, 0, 0, time.UTC); got != want {
		t.Errorf("the wave is planned to end at %s, want %s", got, want)
	}
	rollout.Spec.Waves[0].PlannedEnd = nil
	rollout.Spec.Waves[0].PlannedStart, objects.Phases["golive"].Spec.Expected = nil, ""
	if p = plan.Resolve(rollout, objects); !p.Waves[0].PlannedStart.IsZero() || !p.Waves[0].PlannedEnd.IsZero() || p.Phases[p.IndexOf("golive")].Expected != 0 {
		t.Errorf("something is planned: %+v", p)
	}
}

func TestTheFirstStartAndTheFirstPassAreRemembered(t *testing.T) {
	at := func(minute int) *metav1.Time {
		moment := metav1.NewTime(time.Date(2026, 3, 2, 8, minute, 0, 0, time.UTC))
		return &moment
	}
	for name, tc := range map[string]struct {
		record        v1alpha1.PhaseRecord
		start, passed *metav1.Time
	}{
		"it runs":         {v1alpha1.PhaseRecord{StartedAt: *at(1)}, at(1), nil},
		"it is passed":    {v1alpha1.PhaseRecord{StartedAt: *at(1), PassedAt: at(2)}, at(1), at(2)},
		"another attempt": {v1alpha1.PhaseRecord{StartedAt: *at(3), FirstStartedAt: at(1), PassedAt: at(4)}, at(1), at(4)},
		"it is reopened":  {v1alpha1.PhaseRecord{StartedAt: *at(3), FirstStartedAt: at(1), FirstPassedAt: at(2)}, at(1), at(2)},
		"passed again":    {v1alpha1.PhaseRecord{StartedAt: *at(3), FirstStartedAt: at(1), FirstPassedAt: at(2), PassedAt: at(4)}, at(1), at(2)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := plan.FirstStartedAt(tc.record); !got.Equal(tc.start.Time) {
				t.Errorf("began at %s, want %s", got, tc.start)
			}
			if got := plan.FirstPassedAt(tc.record); got.IsZero() != (tc.passed == nil) || (tc.passed != nil && !got.Equal(tc.passed.Time)) {
				t.Errorf("passed at %s, want %s", got, tc.passed)
			}
		})
	}
}
