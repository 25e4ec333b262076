package request_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/request"
)

func with(annotations map[string]string) *v1alpha1.KPI {
	return &v1alpha1.KPI{ObjectMeta: metav1.ObjectMeta{Annotations: annotations}}
}

func asking(value string) *v1alpha1.KPI {
	return with(map[string]string{v1alpha1.AnnotationRequestedAt: value})
}

func TestARequestIsTheValueOfItsAnnotation(t *testing.T) {
	for name, tc := range map[string]struct {
		object *v1alpha1.KPI
		want   string
	}{
		"none":                           {with(nil), ""},
		"another annotation":             {with(map[string]string{"team": "crm"}), ""},
		"a time":                         {asking("2026-03-02T08:00:00Z"), "2026-03-02T08:00:00Z"},
		"any text":                       {asking("build 17"), "build 17"},
		"as long as a status may repeat": {asking(strings.Repeat("a", 128)), strings.Repeat("a", 128)},
		"longer":                         {asking(strings.Repeat("a", 129)), strings.Repeat("a", 125) + "..."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := request.Of(tc.object); got != tc.want {
				t.Errorf("request %q, want %q", got, tc.want)
			}
		})
	}
}

func TestOnlyAnotherRequestIsLetThrough(t *testing.T) {
	for name, tc := range map[string]struct {
		was, is *v1alpha1.KPI
		want    bool
	}{
		"nothing changes":                {asking("1"), asking("1"), false},
		"the first request":              {with(nil), asking("1"), true},
		"another request":                {asking("1"), asking("2"), true},
		"a request is taken back":        {asking("1"), with(nil), false},
		"another annotation":             {asking("1"), with(map[string]string{v1alpha1.AnnotationRequestedAt: "1", "team": "crm"}), false},
		"a difference behind the cut":    {asking(strings.Repeat("a", 200) + "1"), asking(strings.Repeat("a", 200) + "2"), false},
		"a difference in front of a cut": {asking("1" + strings.Repeat("a", 200)), asking("2" + strings.Repeat("a", 200)), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := request.Changed().Update(event.UpdateEvent{ObjectOld: tc.was, ObjectNew: tc.is}); got != tc.want {
				t.Errorf("let through: %t, want %t", got, tc.want)
			}
		})
	}
}

func TestAnAnswerIsForTheLatestRequest(t *testing.T) {
	hq, berlin := types.NamespacedName{Namespace: "crm", Name: "r.hq"}, types.NamespacedName{Namespace: "crm", Name: "r.berlin"}
	var answers request.Answers
	answers.Give(hq, "") // nobody asked
	if answers.Given(hq, "one") {
		t.Error("a site is said to have been looked at that was not")
	}
	answers.Give(hq, "one")
	if !answers.Given(hq, "one") || answers.Given(hq, "two") || answers.Given(berlin, "one") {
		t.Error("hq was looked at for request one, and nothing else")
	}
	answers.Give(hq, "two")
	if answers.Given(hq, "one") || !answers.Given(hq, "two") {
		t.Error("hq was looked at for request two last")
	}
	answers.Give(hq, "")
	if answers.Given(hq, "two") {
		t.Error("hq is gone, or its rollout asks for nothing, and it is still remembered")
	}
}
