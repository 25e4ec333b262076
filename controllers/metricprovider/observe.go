package metricprovider

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// snapshot is everything that opening a source depends on.
type snapshot struct {
	key     string
	object  *v1alpha1.MetricProvider
	source  source
	field   string
	secrets int
	problem problem
	// failure is the API server's, when it could not say what is in a secret. It may pass, so it is tried again soon.
	failure error
}

// problem is why a source cannot be opened; empty when it can.
type problem struct{ reason, message string }

func (r *Reconciler) observe(ctx context.Context, req ctrl.Request) (snapshot, error) {
	s := snapshot{key: req.String()}
	var object v1alpha1.MetricProvider
	if err := r.Client.Get(ctx, req.NamespacedName, &object); err != nil {
		return s, client.IgnoreNotFound(err)
	}
	s.object = &object
	if s.source, s.field, s.problem = r.sourceOf(&object); s.source == nil {
		return s, nil
	}
	r.readSecrets(ctx, &s)
	return s, nil
}

// readSecrets fills in the credentials. What is missing or cannot be read becomes the snapshot's problem.
func (r *Reconciler) readSecrets(ctx context.Context, s *snapshot) {
	for _, wanted := range s.source.credentials() {
		if wanted.from == nil {
			continue
		}
		s.secrets++
		var secret corev1.Secret
		key := client.ObjectKey{Namespace: s.object.Namespace, Name: wanted.from.Name}
		err := r.Secrets.Get(ctx, key, &secret)
		value, found := secret.Data[wanted.from.Key]
		switch {
		case apierrors.IsNotFound(err):
			s.problem = problem{v1alpha1.ReasonSecretNotFound, fmt.Sprintf("%s: Secret %q does not exist in this namespace; create it", wanted.field, wanted.from.Name)}
		case err != nil:
			s.unreadable(wanted, err)
			return
		case !found || len(value) == 0:
			s.problem = problem{v1alpha1.ReasonSecretNotFound, fmt.Sprintf("%s: Secret %q has nothing under key %q; add it", wanted.field, wanted.from.Name, wanted.from.Key)}
		default:
			wanted.into(value)
		}
	}
}

// unreadable notes that the API server did not give a secret away. A refusal is as lasting as a missing secret; everything else is the server's failure.
func (s *snapshot) unreadable(wanted credential, err error) {
	if apierrors.IsForbidden(err) {
		s.problem = problem{v1alpha1.ReasonSecretUnreadable,
			fmt.Sprintf("%s: Secret %q cannot be read; allow the operator to get it: %v", wanted.field, wanted.from.Name, err)}
		return
	}
	s.problem = problem{v1alpha1.ReasonSecretUnreadable,
		fmt.Sprintf("%s: Secret %q cannot be read now; it is tried again: %v", wanted.field, wanted.from.Name, err)}
	s.failure = fmt.Errorf("read secret %s/%s: %w", s.object.Namespace, wanted.from.Name, err)
}
