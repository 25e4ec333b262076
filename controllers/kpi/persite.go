package kpi

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/provider"
)

const (
	// concurrentSites is how many sites a KPI with scope PerSite asks for at a time.
	concurrentSites = 4
	// silentSites is how many sites in a row may bring no answer before the others are not asked for.
	silentSites = 3
	// pastOfSites is how many past moments are measured again with scope PerSite, where a moment costs a query per site.
	pastOfSites = 2
)

// tour asks a source for one site after the other.
type tour struct {
	snapshot
	view     view
	window   provider.Window
	limit    time.Duration
	answers  []provider.Answer
	failures []error
	// silent is the number of sites since the source last answered.
	silent atomic.Int32
}

// measureEach asks for each site by itself. A site whose query fails has no value; the others keep theirs. A source that answers no more is not asked for
// every site, and the whole tour ends before it would hold up the next one.
func measureEach(ctx context.Context, s snapshot, v view, window provider.Window) outcome {
	t := &tour{snapshot: s, view: v, window: window, limit: max(s.kpi.Interval, s.timeout),
		answers: make([]provider.Answer, len(s.sites)), failures: make([]error, len(s.sites))}
	limited, cancel := context.WithTimeout(ctx, t.limit)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(concurrentSites)
	for i := range s.sites {
		group.Go(func() error {
			t.answers[i], t.failures[i] = t.ask(limited, s.sites[i])
			return nil
		})
	}
	_ = group.Wait() // failures hold what went wrong
	return t.outcome()
}

// eachAgain measures past moments again.
func eachAgain(ctx context.Context, s snapshot, v view, moments []time.Time) []measure.Measurement {
	var past []measure.Measurement
	for _, moment := range moments {
		again := measureEach(ctx, s, v, v.window(moment))
		if again.measurement.Failure != "" {
			return nil
		}
		past = append(past, again.measurement)
	}
	return past
}

func (t *tour) ask(ctx context.Context, site *v1alpha1.RolloutSite) (provider.Answer, error) {
	query, err := plan.RenderQuery(t.view.object, site)
	switch {
	case err != nil:
		return provider.Answer{}, err
	case t.silent.Load() >= silentSites:
		return provider.Answer{}, &provider.Error{Reason: provider.Timeout,
			Message: fmt.Sprintf("not asked for, because the source gave no answer for %d sites in a row", silentSites)}
	case ctx.Err() != nil:
		return provider.Answer{}, &provider.Error{Reason: provider.Timeout, Err: ctx.Err(),
			Message: fmt.Sprintf("not asked for, because asking for the sites before it took longer than %s", t.limit)}
	}
	answer, err := t.source.Measure(ctx, provider.Query{Name: t.object.Name, Expression: query, Site: plan.SiteID(site)}, t.window)
	switch provider.ReasonOf(err) {
	case provider.Timeout, provider.Unreachable, provider.BackingOff, provider.AddressRefused:
		t.silent.Add(1)
	default:
		t.silent.Store(0)
	}
	return answer, err
}

// outcome puts the answers together.
func (t *tour) outcome() outcome {
	var all provider.Answer
	var first error
	var unanswered bool
	failures := map[string]string{}
	for i, site := range t.sites {
		if err := t.failures[i]; err != nil {
			unanswered = unanswered || provider.ReasonOf(err) != ""
			failures[site.Name] = v1alpha1.Clip(err.Error(), maxFailure)
			if first == nil {
				first = fmt.Errorf("site %s: %w", site.Name, err)
			}
			continue
		}
		all.Samples = append(all.Samples, t.answers[i].Samples...)
		all.Ambiguous = append(all.Ambiguous, t.answers[i].Ambiguous...)
	}
	if first != nil && len(failures) == len(t.sites) {
		return failed(t.window.End, first)
	}
	done := outcome{problem: doubts(all, "")}
	done.measurement, done.unknown = measure.Collect(all, t.sites, t.window.End)
	if first != nil {
		done.measurement.Failures, done.unanswered = failures, unanswered
		done.problem = problem{reasonOf(first), fmt.Sprintf("%d of %d sites could not be asked for; %v", len(failures), len(t.sites), first)}
	}
	return done
}
