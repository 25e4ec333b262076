package crmrollout

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/request"
	"github.com/crmops/rollout-operator/internal/status"
)

// maxMistakes repeats the MaxItems marker of status.mistakes.
const maxMistakes = 10

// report writes down how far the rollout is, and what kept the decision from being carried out.
func (r *Reconciler) report(ctx context.Context, s snapshot, d decision, failure error) error {
	changed := s.rollout.DeepCopy()
	st := &changed.Status
	st.ObservedGeneration = changed.Generation
	if asked := request.Of(changed); asked != "" && s.answered {
		st.LastHandledReconcileAt = asked
	}
	counted := count(s, d)
	st.AbortedBy = d.AbortedBy
	st.Sites, st.Waves, st.CurrentWave = counted.all, waveStatuses(s, d, counted, failure), currentWave(d)
	st.Goals = goals(s)
	st.CurrentRevision, st.Revisions = r.revisionStatuses(s, d)
	mistakes := s.plan.AllMistakes()
	st.Mistakes = nil
	for i, m := range mistakes {
		if i < maxMistakes {
			st.Mistakes = append(st.Mistakes, v1alpha1.Clip(m.String(), v1alpha1.MaxMistake))
		}
	}
	conditions(s, d, counted, changed, readiness(mistakes, failure))
	st.Forecast = d.outlook.forecast
	fit(st)
	if equality.Semantic.DeepEqual(withoutNumbers(s.rollout.Status), withoutNumbers(*st)) && !r.worthRefreshing(s.rollout, changed) {
		return nil
	}
	wrote, err := status.Patch(ctx, r.Client, s.rollout, changed)
	if err == nil && wrote {
		r.ledger.rank(client.ObjectKeyFromObject(changed), st.Waves)
		r.tell(s.rollout, changed)
	}
	return err
}

// worthRefreshing reports whether medians or expected dates have changed and the write is paid for.
func (r *Reconciler) worthRefreshing(before, after *v1alpha1.CRMRollout) bool {
	return !equality.Semantic.DeepEqual(before.Status, after.Status) && r.Budget.Spend(after.Namespace, measure.ForRollouts)
}

func withoutNumbers(s v1alpha1.CRMRolloutStatus) v1alpha1.CRMRolloutStatus {
	bare := *s.DeepCopy()
	for _, goal := range bare.Goals {
		for _, factor := range goal.SuccessFactors {
			for i := range factor.KPIs {
				factor.KPIs[i].Median = ""
			}
		}
	}
	withoutExpectations(bare.Forecast)
	return bare
}

// goals shows where the KPIs of each goal stand.
func goals(s snapshot) []v1alpha1.GoalProgress {
	var all []v1alpha1.GoalProgress
	for _, goal := range s.rollout.Spec.Goals {
		progress := v1alpha1.GoalProgress{Name: goal.Name}
		for _, factor := range goal.SuccessFactors {
			shown := v1alpha1.SuccessFactorProgress{Name: factor.Name}
			for _, name := range factor.KPIs {
				shown.KPIs = append(shown.KPIs, kpiProgress(name, s.objects))
			}
			progress.SuccessFactors = append(progress.SuccessFactors, shown)
		}
		all = append(all, progress)
	}
	return all
}

func kpiProgress(name string, objects plan.Objects) v1alpha1.KPIProgress {
	progress := v1alpha1.KPIProgress{Name: name}
	kpi := objects.KPIs[name]
	if kpi == nil {
		return progress
	}
	progress.Unit = kpi.Spec.Unit
	progress.Measured = meta.IsStatusConditionTrue(kpi.Status.Conditions, v1alpha1.ConditionReady)
	if kpi.Status.Summary != nil {
		progress.Median = kpi.Status.Summary.Median
	}
	return progress
}

// alarming are the reasons of Progressing at which somebody should look.
var alarming = map[string]bool{
	v1alpha1.ReasonSitesHeld: true, v1alpha1.ReasonTooManyFailures: true, v1alpha1.ReasonAborted: true, v1alpha1.ReasonRegressed: true,
}

// tell emits events for what a person would want to be told: the plan breaks or is mended, a wave opens or completes, the rollout stops, goes on or completes.
func (r *Reconciler) tell(before, after *v1alpha1.CRMRollout) {
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionProgressing} {
		was := meta.FindStatusCondition(before.Status.Conditions, kind)
		is := meta.FindStatusCondition(after.Status.Conditions, kind)
		if was != nil && was.Reason == is.Reason {
			continue
		}
		level := corev1.EventTypeNormal
		if alarming[is.Reason] || (kind == v1alpha1.ConditionReady && is.Status != metav1.ConditionTrue) {
			level = corev1.EventTypeWarning
		}
		r.Events.Eventf(after, nil, level, is.Reason, "Admit", "%s", status.Note(is.Message))
	}
	r.tellOfWaves(before, after)
	r.tellOfDelays(before, after)
}

func (r *Reconciler) tellOfWaves(before, after *v1alpha1.CRMRollout) {
	known := map[string]v1alpha1.WaveStatus{}
	for _, w := range before.Status.Waves {
		known[w.Name] = w
	}
	for _, w := range after.Status.Waves {
		if w.State != known[w.Name].State && w.State != v1alpha1.WaveClosed {
			r.Events.Eventf(after, nil, corev1.EventTypeNormal, "Wave"+string(w.State), "Admit", "wave %s is %s", w.Name, w.State)
		}
		if w.RankedAt != nil && known[w.Name].RankedAt == nil {
			r.Events.Eventf(after, nil, corev1.EventTypeNormal, "WaveRanked", "Admit", "%s", status.Note(rankedMessage(w)))
		}
	}
}
