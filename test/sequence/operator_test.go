package sequence

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/controllers/crmrollout"
	"github.com/crmops/rollout-operator/controllers/definition"
	measuring "github.com/crmops/rollout-operator/controllers/kpi"
	"github.com/crmops/rollout-operator/controllers/metricprovider"
	"github.com/crmops/rollout-operator/controllers/rolloutcalendar"
	"github.com/crmops/rollout-operator/controllers/rolloutdecision"
	"github.com/crmops/rollout-operator/controllers/siterollout"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/measure"
	planning "github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/provider"
	requests "github.com/crmops/rollout-operator/internal/request"
)

// The controllers of the operator.
const (
	ofProviders = "metricprovider"
	ofKPIs      = "kpi"
	ofPhases    = "rolloutphase"
	ofGates     = "acceptancegate"
	ofSites     = "rolloutsite"
	ofCalendars = "rolloutcalendar"
	ofRollouts  = "crmrollout"
	ofMoves     = "siterollout"
	ofDecisions = "rolloutdecision"
)

// request is a reconcile to run.
type request struct {
	controller string
	key        types.NamespacedName
}

func (r request) String() string { return r.controller + " " + r.key.Name }

// operator is one process: the real reconcilers with everything that they keep in memory. Another process begins with nothing.
type operator struct {
	cache       *cache
	reconcilers map[string]reconcile.Reconciler
	moves       *siterollout.Reconciler
	providers   *provider.Registry
	// measured are the KPIs whose new values the sites have not been told of.
	measured []types.NamespacedName
	// wanted are the KPIs that sites have asked for, to take their baselines from, and whose controller has not been told of that.
	wanted []types.NamespacedName
}

// surroundings are what a process finds around it.
type surroundings struct {
	client client.Client
	live   client.Reader
	clock  clock.PassiveClock
	events *recorder
	// recorded and captured are told of measurements, and of values to take baselines from.
	recorded, captured func(types.NamespacedName)
}

func start(c *cache, s surroundings) *operator {
	o := &operator{cache: c, providers: provider.NewRegistry()}
	store, captures, budget, answers := measure.NewStore(), measure.NewCaptures(), measure.NewRefreshBudget(), &requests.Answers{}
	store.Listen(func(k types.NamespacedName) {
		s.recorded(k)
		o.measured = append(o.measured, k)
	})
	captures.OnAsk(func(k types.NamespacedName) { o.wanted = append(o.wanted, k) })
	captures.OnTaken(func(k types.NamespacedName) {
		s.captured(k)
		o.measured = append(o.measured, k)
	})
	policy := &catalogue.DecisionPolicy{Live: s.live, Clock: s.clock}
	revisions := &catalogue.Revisions{Client: s.client, Live: s.live}
	o.moves = &siterollout.Reconciler{Client: s.client, Revisions: revisions, Policy: policy, Store: store, Captures: captures, Budget: budget, Answers: answers, Events: s.events, Clock: s.clock}
	checker := func(kind definition.Kind) reconcile.Reconciler {
		return &definition.Reconciler{Client: s.client, Clock: s.clock, Kind: kind}
	}
	o.reconcilers = map[string]reconcile.Reconciler{
		ofProviders: &metricprovider.Reconciler{Client: s.client, Secrets: s.live, Providers: o.providers, Clock: s.clock},
		ofKPIs:      &measuring.Reconciler{Client: s.client, Revisions: revisions, Providers: o.providers, Store: store, Captures: captures, Budget: budget, Events: s.events, Clock: s.clock},
		ofPhases:    checker(definition.Phases),
		ofGates:     checker(definition.Gates),
		ofSites:     checker(definition.Sites),
		ofCalendars: &rolloutcalendar.Reconciler{Client: s.client, Clock: s.clock},
		ofMoves:     o.moves,
		ofDecisions: &rolloutdecision.Reconciler{Client: s.client, Policy: policy, Clock: s.clock},
		ofRollouts:  &crmrollout.Reconciler{Client: s.client, Live: s.live, Revisions: revisions, Measurements: store, Budget: budget, Answers: answers, Events: s.events, Clock: s.clock},
	}
	return o
}

// recorder takes events down.
type recorder struct {
	said func(about client.Object, reason, note string)
}

// Eventf takes one event down.
func (r *recorder) Eventf(regarding, _ runtime.Object, _, reason, _, note string, args ...any) {
	r.said(regarding.(client.Object), reason, fmt.Sprintf(note, args...))
}

// watch is one line of a controller's SetupWithManager: which changes of a kind ask for which reconciles.
type watch struct {
	kind       string
	lets       func(change) bool
	controller string
	asks       func(*operator, client.Object) []types.NamespacedName
}

// watches repeat every SetupWithManager. AcceptanceGates are not watched for KPIs: a window that a gate comes to ask for is measured from the next interval on.
var watches = []watch{
	{"MetricProvider", respecified, ofProviders, itself},
	{"KPI", respecifiedOrAsked, ofKPIs, itself},
	{"AcceptanceGate", respecified, ofKPIs, every("KPI")},
	{"MetricProvider", usableOrRespecified, ofKPIs, kpisOfProvider},
	{"RolloutPhase", respecified, ofPhases, itself},
	{"AcceptanceGate", respecified, ofPhases, every("RolloutPhase")},
	{"KPI", respecified, ofPhases, every("RolloutPhase")},
	{"RolloutCalendar", respecified, ofPhases, every("RolloutPhase")},
	{"AcceptanceGate", respecified, ofGates, itself},
	{"KPI", respecified, ofGates, every("AcceptanceGate")},
	{"RolloutSite", respecified, ofSites, itself},
	{"RolloutSite", respecified, ofSites, calledTheSame},
	{"RolloutCalendar", respecified, ofCalendars, itself},
	{"RolloutSite", respecifiedOrLabelled, ofCalendars, onSitesZones},
	{"CRMRollout", respecifiedOrAsked, ofRollouts, itself},
	{"SiteRollout", movedOn, ofRollouts, owner},
	{"ControllerRevision", never, ofRollouts, owner},
	{"RolloutSite", respecifiedOrLabelled, ofRollouts, every("CRMRollout")},
	{"RolloutPhase", respecified, ofRollouts, every("CRMRollout")},
	{"AcceptanceGate", respecified, ofRollouts, every("CRMRollout")},
	{"KPI", always, ofRollouts, every("CRMRollout")},
	{"RolloutCalendar", respecified, ofRollouts, every("CRMRollout")},
	{"SiteRollout", always, ofMoves, itself},
	{"CRMRollout", wavesOrPlanChangedOrAsked, ofMoves, siteRollouts(catalogue.FieldRollout)},
	{"RolloutPhase", respecified, ofMoves, every("SiteRollout")},
	{"AcceptanceGate", respecified, ofMoves, every("SiteRollout")},
	{"KPI", respecified, ofMoves, every("SiteRollout")},
	{"ControllerRevision", never, ofMoves, sitesOfFrozen},
	{"ControllerRevision", never, ofKPIs, every("KPI")},
	{"RolloutDecision", always, ofDecisions, itself},
	{"SiteRollout", toldOfMore, ofDecisions, decisionsAbout},
	{"CRMRollout", respecified, ofDecisions, openDecisions},
	{"RolloutCalendar", respecified, ofMoves, every("SiteRollout")},
	{"RolloutSite", respecifiedOrLabelled, ofMoves, siteRollouts(catalogue.FieldSite)},
	{"RolloutDecision", func(change) bool { return false }, ofMoves, sitesDecidedAbout},
}

// asked returns the reconciles that a change asks for. Objects that come or go pass every predicate of the operator.
func (o *operator) asked(c change) []request {
	var requests []request
	kind := kindOf(c.object())
	for _, w := range watches {
		if w.kind != kind || (c.old != nil && c.now != nil && !w.lets(c)) {
			continue
		}
		// A change is mapped twice, as controller-runtime does: as the object was, and as it is.
		for _, about := range []client.Object{c.old, c.now} {
			if about == nil {
				continue
			}
			for _, key := range w.asks(o, about) {
				if r := (request{w.controller, key}); !slices.Contains(requests, r) {
					requests = append(requests, r)
				}
			}
		}
	}
	return requests
}

// told returns the reconciles that new values of a KPI ask for.
func (o *operator) told(measured types.NamespacedName) []request {
	about := &v1alpha1.KPI{ObjectMeta: metav1.ObjectMeta{Namespace: measured.Namespace, Name: measured.Name}}
	var requests []request
	for _, r := range o.moves.MeasuredWith(context.Background(), about) {
		requests = append(requests, request{ofMoves, r.NamespacedName})
	}
	slices.SortFunc(requests, func(a, b request) int { return cmp.Compare(a.String(), b.String()) }) // they come out of a map
	return requests
}

func always(change) bool { return true }

func never(change) bool { return false }

func respecified(c change) bool { return c.old.GetGeneration() != c.now.GetGeneration() }

func respecifiedOrLabelled(c change) bool {
	return respecified(c) || !reflect.DeepEqual(c.old.GetLabels(), c.now.GetLabels())
}

func respecifiedOrAsked(c change) bool {
	asked := func(o client.Object) string { return o.GetAnnotations()[v1alpha1.AnnotationRequestedAt] }
	return respecified(c) || (asked(c.now) != "" && asked(c.old) != asked(c.now))
}

func usableOrRespecified(c change) bool {
	ready := func(o client.Object) bool {
		return meta.IsStatusConditionTrue(o.(*v1alpha1.MetricProvider).Status.Conditions, v1alpha1.ConditionReady)
	}
	return respecified(c) || ready(c.old) != ready(c.now)
}

func wavesOrPlanChangedOrAsked(c change) bool {
	waves := func(o client.Object) map[string][3]string {
		states := map[string][3]string{}
		for _, w := range o.(*v1alpha1.CRMRollout).Status.Waves {
			states[w.Name] = [3]string{string(w.State), w.Message, stamp(w.RankedAt)}
		}
		return states
	}
	by := func(o client.Object) string { return o.(*v1alpha1.CRMRollout).Status.AbortedBy }
	return respecifiedOrAsked(c) || by(c.old) != by(c.now) || !reflect.DeepEqual(waves(c.old), waves(c.now))
}

// movedOn lets through what is more than numbers at a gate, or another reason to wait.
func movedOn(c change) bool {
	course := func(o client.Object) string {
		sr := clone(o).(*v1alpha1.SiteRollout)
		for i := range sr.Status.Phases {
			sr.Status.Phases[i].Baselines, sr.Status.Phases[i].Evidence = nil, nil
		}
		text, err := json.Marshal([]any{sr.UID, sr.Generation, sr.OwnerReferences, sr.Status.State, sr.Status.CurrentPhase, sr.Status.ObservedGeneration, sr.Status.Phases})
		must(err)
		return string(text)
	}
	return course(c.old) != course(c.now)
}

// toldOfMore lets through what is more than a measurement.
func toldOfMore(c change) bool {
	story := func(o client.Object) string {
		sr := o.(*v1alpha1.SiteRollout)
		text := fmt.Sprint(sr.Spec.Wave, sr.Status.State, sr.Status.CurrentPhase, sr.Status.Phases, len(sr.Status.Transitions))
		if g := sr.Status.Gate; g != nil {
			text += fmt.Sprint(g.Name, g.Role, g.Digest, g.FourEyes, g.Approvals)
		}
		return text
	}
	return story(c.old) != story(c.now)
}

func decisionsAbout(o *operator, about client.Object) []types.NamespacedName {
	sr := about.(*v1alpha1.SiteRollout)
	followed := map[string]bool{}
	for _, t := range sr.Status.Transitions {
		for _, by := range t.Deciders {
			followed[by.Decision] = true
		}
	}
	return o.known("RolloutDecision", func(object client.Object) bool {
		d := object.(*v1alpha1.RolloutDecision)
		concerned := d.Spec.Rollout == sr.Spec.Rollout && (d.Spec.Site == sr.Spec.Site || (d.Spec.Wave != "" && d.Spec.Wave == sr.Spec.Wave))
		return concerned && (!settled(d) || (followed[d.Name] && effect(d) != v1alpha1.ReasonApplied))
	})
}

func sitesDecidedAbout(o *operator, about client.Object) []types.NamespacedName {
	d := about.(*v1alpha1.RolloutDecision)
	return o.known("SiteRollout", func(s client.Object) bool {
		spec := s.(*v1alpha1.SiteRollout).Spec
		return spec.Rollout == d.Spec.Rollout && (spec.Site == d.Spec.Site || (d.Spec.Wave != "" && spec.Wave == d.Spec.Wave))
	})
}

func sitesOfFrozen(o *operator, about client.Object) []types.NamespacedName {
	return o.known("SiteRollout", func(s client.Object) bool {
		sr := s.(*v1alpha1.SiteRollout)
		judged := func(r v1alpha1.PhaseRecord) bool { return runs(r) && r.Revision == about.GetName() }
		return sr.Spec.Rollout == about.GetLabels()[v1alpha1.LabelRollout] && (sr.Spec.Revision == about.GetName() || slices.ContainsFunc(records(sr), judged))
	})
}

func openDecisions(o *operator, _ client.Object) []types.NamespacedName {
	return o.known("RolloutDecision", func(d client.Object) bool { return !settled(d.(*v1alpha1.RolloutDecision)) })
}

// effect is the reason of a decision's Effective condition.
func effect(d *v1alpha1.RolloutDecision) string {
	if found := meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ConditionEffective); found != nil {
		return found.Reason
	}
	return ""
}

func settled(d *v1alpha1.RolloutDecision) bool {
	return effect(d) == v1alpha1.ReasonApplied || meta.IsStatusConditionTrue(d.Status.Conditions, v1alpha1.ConditionStalled)
}

func itself(_ *operator, o client.Object) []types.NamespacedName {
	return []types.NamespacedName{client.ObjectKeyFromObject(o)}
}

func owner(_ *operator, o client.Object) []types.NamespacedName {
	ref := metav1.GetControllerOf(o)
	if ref == nil {
		return nil
	}
	return []types.NamespacedName{{Namespace: o.GetNamespace(), Name: ref.Name}}
}

func (o *operator) known(kind string, wanted func(client.Object) bool) []types.NamespacedName {
	var keys []types.NamespacedName
	for _, key := range sorted(o.cache.objects[kind]) {
		if wanted(o.cache.objects[kind][key]) {
			keys = append(keys, key)
		}
	}
	return keys
}

func every(kind string) func(*operator, client.Object) []types.NamespacedName {
	return func(o *operator, _ client.Object) []types.NamespacedName {
		return o.known(kind, func(client.Object) bool { return true })
	}
}

func kpisOfProvider(o *operator, changed client.Object) []types.NamespacedName {
	return o.known("KPI", func(k client.Object) bool { return k.(*v1alpha1.KPI).Spec.Provider.Name == changed.GetName() })
}

func onSitesZones(o *operator, _ client.Object) []types.NamespacedName {
	return o.known("RolloutCalendar", func(c client.Object) bool { return c.(*v1alpha1.RolloutCalendar).Spec.TimeZone == "" })
}

func calledTheSame(o *operator, about client.Object) []types.NamespacedName {
	return o.known("RolloutSite", func(s client.Object) bool {
		return planning.SiteID(s.(*v1alpha1.RolloutSite)) == planning.SiteID(about.(*v1alpha1.RolloutSite))
	})
}

func siteRollouts(field string) func(*operator, client.Object) []types.NamespacedName {
	return func(o *operator, about client.Object) []types.NamespacedName {
		return o.known("SiteRollout", func(s client.Object) bool {
			spec := s.(*v1alpha1.SiteRollout).Spec
			if field == catalogue.FieldSite {
				return spec.Site == about.GetName()
			}
			return spec.Rollout == about.GetName()
		})
	}
}
