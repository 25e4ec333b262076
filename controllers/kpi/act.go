package kpi

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/provider"
)

// defaultSiteLabel is the label that names the site when the KPI does not say.
const defaultSiteLabel = "site"

// concurrentSites is how many sites a KPI with scope PerSite asks for at a time.
const concurrentSites = 4

// outcome is what measuring brought.
type outcome struct {
	measurement measure.Measurement
	unknown     int
	problem     problem
}

// next returns the time until the KPI is due again, zero when only a change of an object can help.
func (o outcome) next(s snapshot) time.Duration {
	if len(s.mistakes) > 0 {
		return 0
	}
	return max(o.measurement.Time.Add(s.kpi.Interval).Sub(s.now), time.Millisecond)
}

// act measures and stores what came out. The error is that of a stopping operator: it says nothing about the source.
func (r *Reconciler) act(ctx context.Context, s snapshot) (outcome, error) {
	key := client.ObjectKeyFromObject(s.object)
	if len(s.mistakes) > 0 {
		r.Store.Forget(key)
		return outcome{problem: problem{s.mistakes[0].Reason, plan.Sentences(s.mistakes)}}, nil
	}
	at := s.now.UTC().Truncate(time.Second)
	done := outcome{measurement: measure.Measurement{Time: at, Failure: s.problem.message}, problem: s.problem}
	if recorded := s.object.Status; s.measuredBefore() {
		r.Store.Inherit(key, s.object.Generation, gate.Measured{Since: recorded.MeasuredSince.Time, Last: recorded.LastMeasured.Time})
	}
	if s.source != nil {
		past := r.past(ctx, s, at)
		if done = measureAt(ctx, s, at); done.measurement.Failure == "" {
			r.Store.Recall(key, s.object.Generation, past)
		}
	}
	if err := ctx.Err(); err != nil {
		return outcome{}, err
	}
	r.Budget.Pay(key)
	r.Store.Record(key, s.object.Generation, done.measurement)
	return done, nil
}

// past measures the moments again that may not have been judged before the operator was restarted. It is tried until the source answers for the first time.
func (r *Reconciler) past(ctx context.Context, s snapshot, at time.Time) []measure.Measurement {
	if !s.measuredBefore() || s.answered {
		return nil
	}
	var past []measure.Measurement
	for _, moment := range measure.Again(s.object.Status.LastMeasured.Time, s.kpi.Interval, s.kpi.StaleAfter, at) {
		again := measureAt(ctx, s, moment)
		if again.measurement.Failure != "" {
			return nil
		}
		past = append(past, again.measurement)
	}
	return past
}

func measureAt(ctx context.Context, s snapshot, at time.Time) outcome {
	window := provider.Window{Start: at.Add(-s.kpi.Window), End: at}
	if s.object.Spec.Scope == v1alpha1.QueryScopePerSite {
		return measureEach(ctx, s, window)
	}
	query, err := plan.RenderQuery(s.object, nil)
	if err != nil {
		return failed(at, err)
	}
	label := s.object.Spec.SiteLabel
	if label == "" {
		label = defaultSiteLabel
	}
	answer, err := s.source.Measure(ctx, provider.Query{Expression: query, SiteLabel: label}, window)
	if err != nil {
		return failed(at, err)
	}
	done := outcome{}
	done.measurement, done.unknown = measure.Collect(answer, s.sites, at)
	done.problem = doubts(answer, label)
	return done
}

// measureEach asks for one site after the other. A site whose query fails has no value; the others keep theirs.
func measureEach(ctx context.Context, s snapshot, window provider.Window) outcome {
	answers := make([]provider.Answer, len(s.sites))
	failures := make([]error, len(s.sites))
	var group errgroup.Group
	group.SetLimit(concurrentSites)
	for i, site := range s.sites {
		group.Go(func() error {
			query, err := plan.RenderQuery(s.object, site)
			if err == nil {
				answers[i], err = s.source.Measure(ctx, provider.Query{Expression: query, Site: plan.SiteID(site)}, window)
			}
			failures[i] = err
			return nil
		})
	}
	_ = group.Wait() // failures hold what went wrong
	var all provider.Answer
	var first error
	broken := 0
	for i := range s.sites {
		if failures[i] != nil {
			if broken++; first == nil {
				first = fmt.Errorf("site %s: %w", s.sites[i].Name, failures[i])
			}
			continue
		}
		all.Samples = append(all.Samples, answers[i].Samples...)
		all.Ambiguous = append(all.Ambiguous, answers[i].Ambiguous...)
	}
	if broken > 0 && broken == len(s.sites) {
		return failed(window.End, first)
	}
	done := outcome{problem: doubts(all, "")}
	done.measurement, done.unknown = measure.Collect(all, s.sites, window.End)
	if broken > 0 {
		done.problem = problem{reasonOf(first), fmt.Sprintf("%d of %d sites could not be asked for; %v", broken, len(s.sites), first)}
	}
	return done
}

// doubts tells what in an answer had to be left out. The label is empty when each site was asked for by itself.
func doubts(answer provider.Answer, label string) problem {
	switch {
	case len(answer.Ambiguous) > 0:
		remedy := "for example by aggregating with by (" + label + ")"
		if label == "" {
			remedy = "for example with sum, avg or max around it"
		}
		return problem{v1alpha1.ReasonAmbiguousAnswer, fmt.Sprintf("the source gave more than one value for %d sites, %q among them; these sites have no value until the query gives one each, %s",
			len(answer.Ambiguous), answer.Ambiguous[0], remedy)}
	case answer.Unlabelled > 0:
		return problem{v1alpha1.ReasonAmbiguousAnswer, fmt.Sprintf("%d values carry no label %q and belong to no site; keep the label in the query, for example by aggregating with by (%s), or set spec.siteLabel", answer.Unlabelled, label, label)}
	}
	return problem{}
}

func failed(at time.Time, err error) outcome {
	message := v1alpha1.Clip(err.Error(), maxFailure)
	return outcome{measurement: measure.Measurement{Time: at, Failure: message}, problem: problem{reasonOf(err), message}}
}

// maxFailure keeps the source's error short enough to be told in the message of a criterion.
const maxFailure = 320

func reasonOf(err error) string {
	if reason := provider.ReasonOf(err); reason != "" {
		return string(reason)
	}
	return v1alpha1.ReasonInvalidSpec
}
