package status_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/plan"
	"github.com/crmops/rollout-operator/internal/status"
)

var monday = metav1.NewTime(time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC))

func TestAConditionFollowsKstatus(t *testing.T) {
	mistakes := []plan.Mistake{{Reason: v1alpha1.ReasonInvalidSpec, Object: "KPI/a", Field: "spec.b", Problem: "wrong", Remedy: "mend it"}}
	for name, tc := range map[string]struct {
		write func(status.Conditions)
		want  []string
	}{
		"ready":          {func(c status.Conditions) { c.Ready("Valid", "fine") }, []string{"Ready True Valid fine"}},
		"not ready":      {func(c status.Conditions) { c.NotReady("Down", "gone") }, []string{"Ready False Down gone"}},
		"stalled":        {func(c status.Conditions) { c.Stalled("Bad", "mend") }, []string{"Ready False Bad mend", "Stalled True Bad mend"}},
		"valid":          {func(c status.Conditions) { c.Judge(nil, "fine") }, []string{"Ready True Valid fine"}},
		"with a mistake": {func(c status.Conditions) { c.Judge(mistakes, "fine") }, []string{"Ready False InvalidSpec KPI/a spec.b: wrong; mend it", "Stalled True InvalidSpec KPI/a spec.b: wrong; mend it"}},
		"known": {func(c status.Conditions) {
			c.Set("Held", status.Bool(true), "r", "")
			c.Set("Completed", status.Bool(false), "r", "")
		}, []string{"Held True r ", "Completed False r "}},
	} {
		t.Run(name, func(t *testing.T) {
			var list []metav1.Condition
			tc.write(status.Conditions{List: &list, Generation: 7, Now: monday})
			var got []string
			for _, c := range list {
				got = append(got, strings.Join([]string{c.Type, string(c.Status), c.Reason, c.Message}, " "))
				if c.ObservedGeneration != 7 || c.LastTransitionTime != monday {
					t.Errorf("%s is of generation %d since %v", c.Type, c.ObservedGeneration, c.LastTransitionTime)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStalledGoesAwayWhenTheObjectIsMendedOrFailsInAnotherWay(t *testing.T) {
	for name, mend := range map[string]func(status.Conditions){
		"ready":     func(c status.Conditions) { c.Ready("Valid", "") },
		"not ready": func(c status.Conditions) { c.NotReady("Down", "") },
	} {
		t.Run(name, func(t *testing.T) {
			var list []metav1.Condition
			c := status.Conditions{List: &list, Now: monday}
			c.Stalled("Bad", "mend")
			mend(c)
			if meta.FindStatusCondition(list, v1alpha1.ConditionStalled) != nil {
				t.Errorf("still stalled: %+v", list)
			}
		})
	}
}

func TestATransitionTimeMovesOnlyWithTheStatus(t *testing.T) {
	var list []metav1.Condition
	later := metav1.NewTime(monday.Add(time.Hour))
	status.Conditions{List: &list, Now: monday}.Ready("Valid", "one")
	status.Conditions{List: &list, Generation: 2, Now: later}.Ready("Other", "two")
	if c := list[0]; c.LastTransitionTime != monday || c.Reason != "Other" || c.Message != "two" || c.ObservedGeneration != 2 {
		t.Errorf("still ready, but %+v", c)
	}
	status.Conditions{List: &list, Now: later}.NotReady("Down", strings.Repeat("x", 10000))
	if c := list[0]; c.LastTransitionTime != later || len(c.Message) != 4096 {
		t.Errorf("not ready any more since %v, with %d bytes of message", c.LastTransitionTime, len(c.Message))
	}
}

// writer stands in for a client of which only the status is written.
type writer struct {
	client.Client
	patches []string
	err     error
}

func (w *writer) Status() client.SubResourceWriter { return statusWriter{writer: w} }

type statusWriter struct {
	client.SubResourceWriter
	writer *writer
}

func (s statusWriter) Patch(_ context.Context, o client.Object, p client.Patch, _ ...client.SubResourcePatchOption) error {
	w := s.writer
	data, err := p.Data(o)
	w.patches = append(w.patches, string(data))
	return errors.Join(err, w.err)
}

func TestAStatusIsPatchedOnceAndOnlyWhenItDiffers(t *testing.T) {
	original := &v1alpha1.KPI{ObjectMeta: metav1.ObjectMeta{Name: "usage", ResourceVersion: "41"}}
	w := &writer{}
	if wrote, err := status.Patch(t.Context(), w, original, original.DeepCopy()); wrote || err != nil || len(w.patches) > 0 {
		t.Errorf("nothing differs: wrote %t, error %v, %v", wrote, err, w.patches)
	}
	changed := original.DeepCopy()
	changed.Status.ObservedGeneration = 3
	wrote, err := status.Patch(t.Context(), w, original, changed)
	if !wrote || err != nil || len(w.patches) != 1 {
		t.Fatalf("wrote %t, error %v, %v", wrote, err, w.patches)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(w.patches[0]), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"metadata": map[string]any{"resourceVersion": "41"}, "status": map[string]any{"observedGeneration": 3.0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("patch without the lock or with more than the change (-want +got):\n%s", diff)
	}
	w.err = errors.New("refused")
	if _, err := status.Patch(t.Context(), w, original, changed); !errors.Is(err, w.err) {
		t.Errorf("error %v", err)
	}
}

func TestEverydayConflictsAreNoErrors(t *testing.T) {
	resource := schema.GroupResource{Resource: "kpis"}
	result, other := reconcile.Result{RequeueAfter: time.Hour}, errors.New("other")
	for name, tc := range map[string]struct {
		err  error
		want reconcile.Result
		fail error
	}{
		"nothing":  {nil, result, nil},
		"conflict": {apierrors.NewConflict(resource, "a", nil), reconcile.Result{RequeueAfter: 500 * time.Millisecond}, nil},
		"gone":     {apierrors.NewNotFound(resource, "a"), reconcile.Result{}, nil},
		"other":    {other, result, other},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := status.Settle(result, tc.err)
			if got != tc.want || !errors.Is(err, tc.fail) {
				t.Errorf("%+v, %v; want %+v, %v", got, err, tc.want, tc.fail)
			}
		})
	}
}
