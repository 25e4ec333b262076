package metricprovider_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/controllers/metricprovider"
	"github.com/crmops/rollout-operator/internal/provider"
)

var (
	key          = client.ObjectKey{Namespace: "crm", Name: "source"}
	errForbidden = apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "token", errors.New("no rule allows it"))
	errDown      = errors.New("the API server does not answer")
)

// world is a Reconciler with a provider that takes its token from a Secret.
type world struct {
	*metricprovider.Reconciler
	// refuse is the answer to reading secrets; nil gives them out.
	refuse error
}

func newWorld(t *testing.T) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	declared := &v1alpha1.MetricProvider{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Generation: 1},
		Spec: v1alpha1.MetricProviderSpec{Prometheus: &v1alpha1.PrometheusProvider{
			Address: "https://prometheus.example", BearerToken: &v1alpha1.SecretKey{Name: "token", Key: "token"}}},
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: "token"}, Data: map[string][]byte{"token": []byte("abc")}}
	w := &world{}
	built := fake.NewClientBuilder().WithScheme(scheme).WithObjects(declared, secret).WithStatusSubresource(declared).
		WithInterceptorFuncs(interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, k client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if _, isSecret := o.(*corev1.Secret); isSecret && w.refuse != nil {
				return w.refuse
			}
			return c.Get(ctx, k, o, opts...)
		}}).Build()
	registry := provider.NewRegistry()
	t.Cleanup(registry.Close)
	w.Reconciler = &metricprovider.Reconciler{Client: built, Secrets: built, Providers: registry,
		Clock: clocktesting.NewFakePassiveClock(time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC))}
	return w
}

func (w *world) run(t *testing.T) (time.Duration, error) {
	t.Helper()
	result, err := w.Reconcile(t.Context(), ctrl.Request{NamespacedName: key})
	return result.RequeueAfter, err
}

// respecify changes the declaration.
func (w *world) respecify(t *testing.T, change func(*v1alpha1.PrometheusProvider)) {
	t.Helper()
	var declared v1alpha1.MetricProvider
	if err := w.Client.Get(t.Context(), key, &declared); err != nil {
		t.Fatal(err)
	}
	declared.Generation++
	change(declared.Spec.Prometheus)
	if err := w.Client.Update(t.Context(), &declared); err != nil {
		t.Fatal(err)
	}
}

func (w *world) mustBe(t *testing.T, reason, piece string, open bool) {
	t.Helper()
	var declared v1alpha1.MetricProvider
	if err := w.Client.Get(t.Context(), key, &declared); err != nil {
		t.Fatal(err)
	}
	ready := meta.FindStatusCondition(declared.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Reason != reason || !strings.Contains(ready.Message, piece) || ready.ObservedGeneration != declared.Generation {
		t.Errorf("Ready is %+v, want reason %s and a message with %q, of generation %d", ready, reason, piece, declared.Generation)
	}
	if _, got := w.Providers.Get(key.String()); got != open {
		t.Errorf("the source is open: %t, want %t", got, open)
	}
}

func TestASecretThatCannotBeReadIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		refuse error
		piece  string
		// fails is true when the reconcile fails, to be tried again soon; otherwise the secret is read again like any other.
		fails bool
	}{
		"forbidden":          {errForbidden, `spec.prometheus.bearerToken: Secret "token" cannot be read; allow the operator to get it: secrets "token" is forbidden`, false},
		"the server is down": {errDown, `spec.prometheus.bearerToken: Secret "token" cannot be read now; it is tried again: the API server does not answer`, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.refuse = test.refuse
			for range 2 {
				next, err := w.run(t)
				if (err != nil) != test.fails || (test.fails && !errors.Is(err, test.refuse)) || (!test.fails && next != time.Minute) {
					t.Errorf("next look after %s, error %v; want a failure: %t", next, err, test.fails)
				}
				w.mustBe(t, v1alpha1.ReasonSecretUnreadable, test.piece, false)
			}
			w.refuse = nil
			if _, err := w.run(t); err != nil {
				t.Fatal(err)
			}
			w.mustBe(t, v1alpha1.ReasonValid, "queries go to prometheus at prometheus.example:443", true)
		})
	}
}

func TestASourceStaysOpenWhileOnlyItsSecretsCannotBeRead(t *testing.T) {
	w := newWorld(t)
	if _, err := w.run(t); err != nil {
		t.Fatal(err)
	}
	w.mustBe(t, v1alpha1.ReasonValid, "", true)
	w.refuse = errForbidden
	for range 2 {
		if _, err := w.run(t); err != nil {
			t.Fatal(err)
		}
		w.mustBe(t, v1alpha1.ReasonSecretUnreadable, "", true)
	}
	w.respecify(t, func(p *v1alpha1.PrometheusProvider) { p.Address = "https://another.example" })
	for range 2 {
		if _, err := w.run(t); err != nil {
			t.Fatal(err)
		}
		w.mustBe(t, v1alpha1.ReasonSecretUnreadable, "", false) // what was open is not what is declared now
	}
}

func TestATimeoutThatWouldHoldUpOthersIsRefused(t *testing.T) {
	w := newWorld(t)
	for timeout, reason := range map[v1alpha1.Duration]string{"5m": v1alpha1.ReasonValid, "1d": v1alpha1.ReasonInvalidSpec} {
		w.respecify(t, func(p *v1alpha1.PrometheusProvider) { p.Timeout = timeout })
		if _, err := w.run(t); err != nil {
			t.Fatal(err)
		}
		piece := map[bool]string{true: "", false: "spec.prometheus: the timeout is longer than 5m"}[reason == v1alpha1.ReasonValid]
		w.mustBe(t, reason, piece, reason == v1alpha1.ReasonValid)
	}
}
