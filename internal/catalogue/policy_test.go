package catalogue_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/crmops/rollout-operator/config/admission"
	"github.com/crmops/rollout-operator/internal/catalogue"
)

func TestThePolicyIsReadAnewWhenSomethingRestsOnIt(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	reads, failure := 0, error(nil)
	c := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			if reads++; failure != nil {
				return failure
			}
			return c.Get(ctx, key, o, options...)
		},
	}).Build()
	clock := clocktesting.NewFakePassiveClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	p := &catalogue.DecisionPolicy{Live: c, Clock: clock}
	known := func(want string) {
		t.Helper()
		got, err := p.Known(t.Context())
		if err != nil || !strings.Contains(got.Problem, want) || (want == "" && got.Problem != "") {
			t.Fatalf("problem %q, error %v, want %q", got.Problem, err, want)
		}
	}
	known("does not exist")
	policy, binding, err := admission.Wanted()
	if err != nil {
		t.Fatal(err)
	}
	created := metav1.NewTime(clock.Now())
	for _, o := range []client.Object{policy.DeepCopy(), binding.DeepCopy()} {
		o.SetCreationTimestamp(created)
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	known("does not exist") // for a while
	if got, err := p.Now(t.Context()); err != nil || got.Problem != "" || !got.Since.Equal(created.Time) {
		t.Fatalf("read now: %+v, %v", got, err)
	}
	before := reads
	known("")
	if reads != before {
		t.Error("it was read again within the second")
	}
	if err := c.Delete(t.Context(), binding.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	clock.SetTime(clock.Now().Add(11 * time.Second))
	known("Binding \"crm-rollout-decisions\" does not exist")
	failure = apierrors.NewForbidden(schema.GroupResource{Resource: "validatingadmissionpolicies"}, admission.Name, errors.New("no"))
	clock.SetTime(clock.Now().Add(11 * time.Second))
	known("the operator may not see whether there is an admission policy")
	failure = errors.New("the API server did not answer")
	clock.SetTime(clock.Now().Add(11 * time.Second))
	if _, err := p.Known(t.Context()); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
}
