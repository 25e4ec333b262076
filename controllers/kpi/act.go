package kpi

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/provider"
)

// defaultSiteLabel is the label that names the site when the KPI does not say.
const defaultSiteLabel = "site"

// outcome is what measuring brought.
type outcome struct {
	measurement measure.Measurement
	unknown     int
	problem     problem
	// unanswered is true when the source failed for a site, not because the site cannot be asked for.
	unanswered bool
	// besides is true when the problem is that of another view than the KPI's own.
	besides bool
	// mistaken is true when the KPI could not be measured as it is, but only as it was when plans were frozen.
	mistaken bool
}

// next returns the time until the KPI is due again, zero when only a change of an object can help. Measurements begin one interval after another, however
// long they take; now is the time after measuring.
func (o outcome) next(s snapshot, now time.Time) time.Duration {
	if len(s.views) == 0 {
		return 0
	}
	if o.mistaken {
		return s.kpi.Interval
	}
	return min(max(o.measurement.Time.Add(s.kpi.Interval).Sub(now), time.Millisecond), s.kpi.Interval)
}

// act measures and stores what came out, and captures what baselines are to be taken from. The error is that of a stopping operator: it says nothing about the source.
func (r *Reconciler) act(ctx context.Context, s snapshot) (outcome, error) {
	key := client.ObjectKeyFromObject(s.object)
	if len(s.views) == 0 {
		r.Store.Forget(key)
		r.refuse(key, s)
		return outcome{mistaken: true}, nil
	}
	done, _ := r.memory.last(key)
	if s.isDue() {
		var err error
		if done, err = r.measure(ctx, s); err != nil {
			return outcome{}, err
		}
	}
	return done, r.capture(ctx, s)
}

// measure measures the KPI over every window that is asked for. The outcome is that over its own window, with the first problem of the others.
func (r *Reconciler) measure(ctx context.Context, s snapshot) (outcome, error) {
	key := client.ObjectKeyFromObject(s.object)
	at := s.now.UTC().Truncate(time.Second)
	var all []measure.Taken
	var own outcome
	for i, v := range s.views {
		if recorded := s.object.Status; s.measuredBefore() {
			r.Store.Inherit(key, v.kpi.Revision, gate.Measured{Since: recorded.MeasuredSince.Time, Last: recorded.LastMeasured.Time})
		}
		from := s.askedBy(v)
		done := outcome{measurement: measure.Measurement{Time: at, Failure: from.problem.message}, problem: from.problem}
		if from.source != nil {
			past := r.past(ctx, from, v, at)
			if done = measureAt(ctx, from, v, at); done.measurement.Failure == "" {
				r.Store.Recall(key, v.kpi.Revision, past)
			}
		}
		all = append(all, measure.Taken{Revision: v.kpi.Revision, Measurement: done.measurement})
		switch {
		case len(s.mistakes) > 0: // they are told, and nothing else
			own.mistaken = true
		case i == 0:
			own = done
		case own.problem.reason == "" && done.problem.reason != "":
			own.problem, own.besides = problem{done.problem.reason, v.belongs() + ": " + done.problem.message}, true
		}
	}
	if err := ctx.Err(); err != nil {
		return outcome{}, err
	}
	r.Budget.Pay(key)
	r.Store.Record(key, all...)
	return own, nil
}

// past measures the moments again that may not have been judged before the operator was restarted. It is tried until the source answers for the first time.
func (r *Reconciler) past(ctx context.Context, s snapshot, v view, at time.Time) []measure.Measurement {
	if !s.measuredBefore() || r.Store.Answered(client.ObjectKeyFromObject(s.object), v.kpi.Revision) {
		return nil
	}
	moments := measure.Again(s.object.Status.LastMeasured.Time, s.kpi.Interval, s.kpi.StaleAfter, at)
	if v.object.Spec.Scope == v1alpha1.QueryScopePerSite {
		return eachAgain(ctx, s, v, moments[max(0, len(moments)-pastOfSites):])
	}
	query, err := v.query()
	if err != nil {
		return nil
	}
	windows := make([]provider.Window, 0, len(moments))
	for _, moment := range moments {
		windows = append(windows, v.window(moment))
	}
	answers, err := provider.Replay(ctx, s.source, query, windows)
	if err != nil {
		return nil
	}
	past := make([]measure.Measurement, 0, len(answers))
	for i, answer := range answers {
		again, _ := measure.Collect(answer, s.sites, moments[i])
		past = append(past, again)
	}
	return past
}

// view is a KPI over one window.
type view struct {
	// object is the KPI as if it had declared the window.
	object *v1alpha1.KPI
	kpi    gate.KPI
	// former is true when the KPI was so when a plan was frozen, and is otherwise now.
	former bool
	// elsewhere is the source that is asked; nil for that of the KPI.
	elsewhere *origin
}

// origin is a source that a KPI asked when a plan was frozen.
type origin struct {
	source  provider.Provider
	timeout time.Duration
	problem problem
}

// belongs says who asks for a view that is not the KPI's own.
func (v view) belongs() string {
	if v.former {
		return "as it was in a plan that sites are judged by"
	}
	return fmt.Sprintf("over the window %s that a gate asks for", v.object.Spec.Window)
}

func (v view) window(end time.Time) provider.Window {
	return provider.Window{Start: end.Add(-v.kpi.Window), End: end}
}

// query returns the one query for all sites.
func (v view) query() (provider.Query, error) {
	expression, err := plan.RenderQuery(v.object, nil)
	label := v.object.Spec.SiteLabel
	if label == "" {
		label = defaultSiteLabel
	}
	return provider.Query{Name: v.object.Name, Expression: expression, SiteLabel: label}, err
}

func measureAt(ctx context.Context, s snapshot, v view, at time.Time) outcome {
	if v.object.Spec.Scope == v1alpha1.QueryScopePerSite {
		return measureEach(ctx, s, v, v.window(at))
	}
	query, err := v.query()
	if err != nil {
		return failed(at, err)
	}
	answer, err := s.source.Measure(ctx, query, v.window(at))
	if err != nil {
		return failed(at, err)
	}
	done := outcome{}
	done.measurement, done.unknown = measure.Collect(answer, s.sites, at)
	done.problem = doubts(answer, query.SiteLabel)
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
		about := fmt.Sprintf("%d sites, %q among them; these sites have no value until the query gives one each", len(answer.Ambiguous), answer.Ambiguous[0])
		if len(answer.Ambiguous) == 1 {
			about = fmt.Sprintf("site %q; it has no value until the query gives one", answer.Ambiguous[0])
		}
		return problem{v1alpha1.ReasonAmbiguousAnswer, fmt.Sprintf("the source gave more than one value for %s, %s", about, remedy)}
	case answer.Unlabelled > 0:
		return problem{v1alpha1.ReasonAmbiguousAnswer, fmt.Sprintf("%s no label %q and %s to no site; keep the label in the query, for example by aggregating with by (%s), or set spec.siteLabel",
			counted(answer.Unlabelled, "value carries", "values carry"), label, either(answer.Unlabelled, "belongs", "belong"), label)}
	}
	return problem{}
}

// counted returns a number with the word for it.
func counted(n int, one, several string) string {
	return fmt.Sprintf("%d %s", n, either(n, one, several))
}

func either(n int, one, several string) string {
	if n == 1 {
		return one
	}
	return several
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
