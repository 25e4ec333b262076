package kpi

import (
	"cmp"
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/provider"
	"github.com/crmops/rollout-operator/internal/request"
)

const (
	// openingRetry is how soon to look again for a provider that is just being opened, which takes milliseconds.
	openingRetry = 200 * time.Millisecond
	// openingLimit is how long a provider may be about to be opened before that is told as a failure.
	openingLimit = 10 * time.Second
)

// snapshot is everything that measuring depends on.
type snapshot struct {
	object   *v1alpha1.KPI
	kpi      gate.KPI
	mistakes []plan.Mistake
	// views are the KPI over its own window, and over the others that gates ask for; then as it was in plans that were frozen, where it measured something else.
	views []view
	// asked is what sites want to take their baselines from.
	asked  []measure.Ask
	sites  []*v1alpha1.RolloutSite
	source provider.Provider
	// timeout is that of one query.
	timeout time.Duration
	// places is how many KPIs may ask the source at a time.
	places  int
	problem problem
	// opening is true when the provider is valid and will be open in a moment.
	opening bool
	due     time.Time
	// request is what somebody asks by an annotation: to measure now. Empty when nobody does.
	request string
	now     time.Time
}

// problem is why there is no measurement, or why it is not whole; empty when it is.
type problem struct{ reason, message string }

// measuredBefore reports whether the status tells of measurements of this revision of the KPI.
func (s snapshot) measuredBefore() bool {
	recorded := s.object.Status
	return recorded.LastMeasured != nil && recorded.MeasuredSince != nil && recorded.Revision == s.kpi.Revision
}

func (s snapshot) isDue() bool { return !s.now.Before(s.due) }

func (r *Reconciler) observe(ctx context.Context, req ctrl.Request) (snapshot, error) {
	s := snapshot{now: r.Clock.Now()}
	var object v1alpha1.KPI
	if err := r.Client.Get(ctx, req.NamespacedName, &object); err != nil {
		return s, client.IgnoreNotFound(err)
	}
	s.object, s.asked, s.request = &object, r.Captures.Asked(req.NamespacedName), request.Of(&object)
	s.kpi, s.mistakes = plan.ResolveKPI(&object)
	if err := r.observeViews(ctx, &s); err != nil || len(s.views) == 0 {
		return s, err
	}
	if err := r.observeSource(ctx, &s); err != nil {
		return s, err
	}
	if err := r.observeFormer(ctx, &s); err != nil {
		return s, err
	}
	last, _ := r.memory.last(req.NamespacedName)
	lastTried := r.Store.LastTried(req.NamespacedName, s.views[0].kpi.Revision)
	for _, v := range s.views {
		if r.Store.LastTried(req.NamespacedName, v.kpi.Revision).IsZero() {
			lastTried = time.Time{} // a gate asks for another window than before
		}
	}
	s.schedule(lastTried, last)
	var err error
	s.hurry(lastTried, r.memory.handled(req.NamespacedName))
	s.sites, err = catalogue.Sites(ctx, r.Client, req.Namespace)
	return s, err
}

// observeViews finds out what is to be measured: everything by which a site is judged, or can be. A site that is in a phase is judged by its frozen plan, also when the KPI was edited since, and
// be it into one that cannot be measured at all.
func (r *Reconciler) observeViews(ctx context.Context, s *snapshot) error {
	gates, err := catalogue.Gates(ctx, r.Client, s.object.Namespace)
	if err != nil {
		return err
	}
	frozen, err := r.Revisions.In(ctx, s.object.Namespace)
	if err != nil {
		return err
	}
	var wanted []*v1alpha1.KPI
	if len(s.mistakes) == 0 {
		wanted = plan.Windows(s.object, gates)
	}
	own := len(wanted)
	for _, f := range frozen {
		wanted = append(wanted, f.Definitions.Measures(s.object.Namespace, s.object.Name)...)
	}
	seen := map[string]bool{}
	for i, over := range wanted {
		resolved, mistakes := plan.ResolveKPI(over) // mistakes of the KPI itself were found before
		if len(mistakes) > 0 {
			continue
		}
		if len(seen) == 0 {
			s.kpi.Interval = resolved.Interval
		}
		s.kpi.Interval = min(s.kpi.Interval, resolved.Interval) // what is measured more seldom than it was would be stale for those who are judged by it
		if !seen[resolved.Revision] {
			seen[resolved.Revision] = true
			s.views = append(s.views, view{object: over, kpi: resolved, former: i >= own})
		}
	}
	return nil
}

// observeFormer looks for the sources of what was frozen: the KPI may have asked another one then.
func (r *Reconciler) observeFormer(ctx context.Context, s *snapshot) error {
	for i := range s.views {
		name := s.views[i].object.Spec.Provider.Name
		if name == s.object.Spec.Provider.Name {
			continue
		}
		key := client.ObjectKey{Namespace: s.object.Namespace, Name: name}
		var declared v1alpha1.MetricProvider
		err := r.Client.Get(ctx, key, &declared)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("read provider %s: %w", key, err)
		}
		from := origin{timeout: timeoutOf(declared)}
		source, open := r.Providers.Get(key.String())
		switch {
		case err != nil:
			from.problem = problem{v1alpha1.ReasonReferenceNotFound, fmt.Sprintf("MetricProvider %q does not exist any more", name)}
		case !open:
			from.problem = problem{v1alpha1.ReasonProviderNotReady, fmt.Sprintf("MetricProvider %q cannot be used; look at its conditions", name)}
		default:
			from.source = source
		}
		s.views[i].elsewhere = &from
	}
	return nil
}

// askedBy returns the snapshot with the source that a view asks.
func (s snapshot) askedBy(v view) snapshot {
	if v.elsewhere != nil {
		s.source, s.timeout, s.problem = v.elsewhere.source, v.elsewhere.timeout, v.elsewhere.problem
	}
	return s
}

// schedule says when the KPI is due: one interval after the last try, and at once when it was never tried, when its provider has become usable, when its
// mistakes were mended, or when the clock was set back to before the last try.
func (s *snapshot) schedule(lastTried time.Time, last outcome) {
	if lastTried.IsZero() || lastTried.After(s.now) || (s.source != nil && last.withoutSource()) || (last.mistaken && len(s.mistakes) == 0) {
		s.due = s.now
		return
	}
	s.due = lastTried.Add(s.kpi.Interval)
}

// hurry makes a KPI due for which somebody asks anew. Windows end at whole seconds, so those who ask within one second are answered together.
func (s *snapshot) hurry(lastTried time.Time, handled string) {
	if s.request == "" || s.request == cmp.Or(handled, s.object.Status.LastHandledReconcileAt) {
		return
	}
	if next := lastTried.Add(time.Second); next.Before(s.due) {
		s.due = next
	}
}

// withoutSource reports whether there was no source to ask.
func (o outcome) withoutSource() bool {
	return !o.besides && (o.problem.reason == v1alpha1.ReasonProviderNotReady || o.problem.reason == v1alpha1.ReasonReferenceNotFound)
}

// asks returns the key of the provider that the KPI names.
func (s snapshot) asks() client.ObjectKey {
	return client.ObjectKey{Namespace: s.object.Namespace, Name: s.object.Spec.Provider.Name}
}

func (r *Reconciler) observeSource(ctx context.Context, s *snapshot) error {
	key, kpi := s.asks(), client.ObjectKeyFromObject(s.object)
	var declared v1alpha1.MetricProvider
	err := r.Client.Get(ctx, key, &declared)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("read provider %s: %w", key, err)
	}
	ready := meta.FindStatusCondition(declared.Status.Conditions, v1alpha1.ConditionReady)
	source, open := r.Providers.Get(key.String())
	switch {
	case err != nil:
		s.problem = problem{v1alpha1.ReasonReferenceNotFound,
			fmt.Sprintf("spec.provider.name: MetricProvider %q does not exist in this namespace; create it or correct the name", key.Name)}
	case open:
		s.source, s.timeout, s.places = source, timeoutOf(declared), turnsOf(declared)
	case ready == nil || ready.Status == metav1.ConditionTrue || ready.ObservedGeneration != declared.Generation:
		if s.opening = r.memory.opening(kpi, s.now) < openingLimit; !s.opening {
			s.problem = problem{v1alpha1.ReasonProviderNotReady, fmt.Sprintf(
				"MetricProvider %q has not been opened within %s and does not say why; look at its conditions and at the operator's log", key.Name, openingLimit)}
		}
		return nil
	default:
		s.problem = problem{v1alpha1.ReasonProviderNotReady, fmt.Sprintf("MetricProvider %q cannot be used: %s", key.Name, ready.Message)}
	}
	r.memory.opened(kpi)
	return nil
}

// timeoutOf returns the time that a provider gives one query. What cannot be read is the provider's own problem.
func timeoutOf(declared v1alpha1.MetricProvider) time.Duration {
	var written v1alpha1.Duration
	switch spec := declared.Spec; {
	case spec.Prometheus != nil:
		written = spec.Prometheus.Timeout
	case spec.SQL != nil:
		written = spec.SQL.Timeout
	case spec.HTTP != nil:
		written = spec.HTTP.Timeout
	}
	if timeout, err := written.Parse(); err == nil && timeout > 0 {
		return timeout
	}
	return provider.DefaultTimeout
}
