package kpi

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/plan"
)

// capture measures what sites asked for to take their baselines from: once for all of them.
func (r *Reconciler) capture(ctx context.Context, s snapshot) error {
	key := client.ObjectKeyFromObject(s.object)
	for _, asked := range s.asked {
		captured := r.captureAt(ctx, s, asked)
		if err := ctx.Err(); err != nil {
			return err
		}
		r.Captures.Put(key, asked, captured)
	}
	return nil
}

// refuse answers that nothing can be measured.
func (r *Reconciler) refuse(key types.NamespacedName, s snapshot) {
	for _, asked := range s.asked {
		now := r.second()
		r.Captures.Put(key, asked, gate.Capture{At: now, TakenAt: now, Failed: true})
	}
}

// second returns the time, in whole seconds.
func (r *Reconciler) second() time.Time { return r.Clock.Now().UTC().Truncate(time.Second) }

// captureAt measures the window that ends now, and the earlier one where that is asked for. Values are refused as a whole when the source failed for some of the sites: what is
// frozen of a bad moment would stay bad for ever.
func (r *Reconciler) captureAt(ctx context.Context, s snapshot, asked measure.Ask) gate.Capture {
	captured := gate.Capture{At: r.second()}
	over, found := s.viewFor(asked)
	from := s.askedBy(over)
	if captured.Failed = !found || from.source == nil; !captured.Failed {
		now := measureAt(ctx, from, over, captured.At)
		captured.Failed, captured.Current = now.silent(), now.measurement.CrossSection()
	}
	if asked.PreTrend > 0 && !captured.Failed {
		before := measureAt(ctx, from, over, captured.At.Add(-asked.PreTrend))
		captured.Failed, captured.Earlier = before.silent(), before.measurement.CrossSection()
	}
	captured.TakenAt = r.second()
	return captured
}

// silent reports whether the source did not answer, as a whole or for a site that it was asked for.
func (o outcome) silent() bool {
	return o.measurement.Failure != "" || o.unanswered
}

// viewFor returns the KPI over the window that is asked for, as it is or as it was in a plan that was frozen; false when it was never what is asked for.
func (s snapshot) viewFor(asked measure.Ask) (view, bool) {
	for _, v := range s.views {
		over := plan.Over(v.object, v1alpha1.FormatDuration(asked.Window))
		if resolved, mistakes := plan.ResolveKPI(over); len(mistakes) == 0 && resolved.Revision == asked.Revision {
			return view{object: over, kpi: resolved, former: v.former, elsewhere: v.elsewhere}, true
		}
	}
	return view{}, false
}
