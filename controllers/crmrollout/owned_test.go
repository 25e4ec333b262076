package crmrollout

import (
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// other gives a field another value than the one that it has.
func other(t *testing.T, field reflect.Value) {
	t.Helper()
	switch value := field.Interface().(type) {
	case metav1.Time:
		field.Set(reflect.ValueOf(metav1.NewTime(value.Add(time.Hour))))
		return
	case *metav1.Time:
		at := metav1.NewTime(monday.Add(time.Hour))
		field.Set(reflect.ValueOf(&at))
		return
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(field.String() + "other")
	case reflect.Int32, reflect.Int64:
		field.SetInt(field.Int() + 1)
	case reflect.Pointer:
		field.Set(reflect.New(field.Type().Elem()))
	case reflect.Slice:
		field.Set(reflect.Append(field, reflect.New(field.Type().Elem()).Elem()))
	default:
		t.Fatalf("what is another value of a %s?", field.Type())
	}
}

// Each field of the status and of its records is here, so that who adds one has to say whether rollouts read it.
func TestOnlyWhatARolloutReadsOfASiteMakesItLook(t *testing.T) {
	pick := func(what string) func(*v1alpha1.SiteRollout) reflect.Value {
		if what == "status" {
			return func(sr *v1alpha1.SiteRollout) reflect.Value { return reflect.ValueOf(&sr.Status).Elem() }
		}
		return func(sr *v1alpha1.SiteRollout) reflect.Value { return reflect.ValueOf(&sr.Status.Phases[0]).Elem() }
	}
	for what, reads := range map[string]map[string]bool{
		"status": {
			"ObservedGeneration": true, "State": true, "CurrentPhase": true, "Phases": true,
			"Reason": false, "Message": false, "NextLook": false, "Gate": false, "Checkpoint": false, "Transitions": false, "Conditions": false,
		},
		"record": {
			"Name": true, "Attempt": true, "StartedAt": true, "FirstStartedAt": true, "Revision": true, "PassedAt": true, "Outcome": true, "FailedAt": true, "Failure": true, "RolledBackAt": true,
			"ReopenedAt": true, "FirstPassedAt": true,
			"Baselines": false, "Evidence": false,
		},
	} {
		of := pick(what)
		fields := of(story("hq", "new")).Type()
		if got := fields.NumField(); got != len(reads) {
			t.Errorf("the %s has %d fields, and there are %d here", what, got, len(reads))
		}
		for i := range fields.NumField() {
			name := fields.Field(i).Name
			t.Run(what+"/"+name, func(t *testing.T) {
				want, known := reads[name]
				if !known {
					t.Fatalf("say here whether rollouts read %s, and in matters", name)
				}
				was, is := story("hq", "new"), story("hq", "new")
				other(t, of(is).Field(i))
				if got := matters().Update(event.UpdateEvent{ObjectOld: was, ObjectNew: is}); got != want {
					t.Errorf("let through: %t, want %t", got, want)
				}
			})
		}
	}
}

func TestWhatChangesAroundAStoryMakesARolloutLook(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.SiteRollout)
		want   bool
	}{
		"nothing":             {func(*v1alpha1.SiteRollout) {}, false},
		"its spec":            {func(sr *v1alpha1.SiteRollout) { sr.Generation++ }, true},
		"another of its name": {func(sr *v1alpha1.SiteRollout) { sr.UID = "another" }, true},
		"it is orphaned":      {func(sr *v1alpha1.SiteRollout) { sr.OwnerReferences = nil }, true},
		"another owner":       {func(sr *v1alpha1.SiteRollout) { sr.OwnerReferences[0].UID = "old" }, true},
		"its labels":          {func(sr *v1alpha1.SiteRollout) { sr.Labels["team"] = "crm" }, false},
		"its annotations":     {func(sr *v1alpha1.SiteRollout) { sr.Annotations = map[string]string{"team": "crm"} }, false},
		"its version":         {func(sr *v1alpha1.SiteRollout) { sr.ResourceVersion = "42" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			was, is := story("hq", "new"), story("hq", "new")
			tc.change(is)
			if got := matters().Update(event.UpdateEvent{ObjectOld: was, ObjectNew: is}); got != tc.want {
				t.Errorf("let through: %t, want %t", got, tc.want)
			}
		})
	}
	one := story("hq", "new")
	if !matters().Create(event.CreateEvent{Object: one}) || !matters().Delete(event.DeleteEvent{Object: one}) {
		t.Error("a SiteRollout that comes or goes does not make its rollout look")
	}
}
