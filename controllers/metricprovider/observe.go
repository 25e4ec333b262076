package metricprovider

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/provider"
)

// snapshot is everything that opening a source depends on.
type snapshot struct {
	key     string
	object  *v1alpha1.MetricProvider
	config  provider.PrometheusConfig
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
	source := object.Spec.Prometheus
	if source == nil {
		s.problem = problem{v1alpha1.ReasonInvalidSpec, "spec: no source is set; set spec.prometheus"}
		return s, nil
	}
	timeout, err := source.Timeout.Parse()
	if err != nil {
		s.problem = problem{v1alpha1.ReasonInvalidSpec, "spec.prometheus.timeout: " + err.Error()}
		return s, nil
	}
	s.config = provider.PrometheusConfig{Address: source.Address, Timeout: timeout}
	if source.MaxResponseBytes != nil {
		s.config.MaxResponseBytes = *source.MaxResponseBytes
	}
	if source.TLS != nil {
		s.config.ServerName = source.TLS.ServerName
	}
	r.readSecrets(ctx, &s)
	return s, nil
}

// readSecrets fills in the credentials. What is missing or cannot be read becomes the snapshot's problem.
func (r *Reconciler) readSecrets(ctx context.Context, s *snapshot) {
	for _, wanted := range credentials(s.object.Spec.Prometheus, &s.config) {
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

// credential is one entry of a secret, and where its value goes.
type credential struct {
	field string
	from  *v1alpha1.SecretKey
	into  func(value []byte)
}

func credentials(source *v1alpha1.PrometheusProvider, config *provider.PrometheusConfig) []credential {
	text := func(target *string) func([]byte) { return func(v []byte) { *target = string(v) } }
	bytes := func(target *[]byte) func([]byte) { return func(v []byte) { *target = v } }
	all := []credential{{"spec.prometheus.bearerToken", source.BearerToken, text(&config.BearerToken)}}
	if basic := source.BasicAuth; basic != nil {
		all = append(all,
			credential{"spec.prometheus.basicAuth.username", &basic.Username, text(&config.Username)},
			credential{"spec.prometheus.basicAuth.password", &basic.Password, text(&config.Password)})
	}
	if tls := source.TLS; tls != nil {
		all = append(all,
			credential{"spec.prometheus.tls.ca", tls.CA, bytes(&config.CA)},
			credential{"spec.prometheus.tls.certificate", tls.Certificate, bytes(&config.Cert)},
			credential{"spec.prometheus.tls.privateKey", tls.PrivateKey, bytes(&config.Key)})
	}
	return all
}
