package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/crmops/rollout-operator/internal/fence"
)

// leaseName is the name of the lease that managers compete for.
const leaseName = "crm-rollout-operator.crmops.dev"

// ownNamespace is the file that tells a Pod its namespace.
const ownNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// lease is what the command line says about the lease.
type lease struct {
	elect     bool
	namespace string
	// duration, renew and retry are those of client-go's leader election.
	duration, renew, retry time.Duration
}

func (l *lease) declare(flags *pflag.FlagSet) {
	flags.BoolVar(&l.elect, "leader-elect", true, "let only one of several managers work at a time")
	flags.StringVar(&l.namespace, "leader-election-namespace", "", "namespace of the lease (default: the one that the manager runs in)")
	flags.DurationVar(&l.duration, "leader-election-lease-duration", 15*time.Second, "how long the others wait after the last renewal of the lease before they take it; whole seconds")
	flags.DurationVar(&l.renew, "leader-election-renew-deadline", 10*time.Second, "how long the leader writes without having renewed the lease, and tries to, before it gives up")
	flags.DurationVar(&l.retry, "leader-election-retry-period", 2*time.Second, "how often the leader renews the lease, and the others look at it")
}

// validate says what client-go would only say when the manager runs already.
func (l *lease) validate() error {
	switch {
	case l.duration < time.Second || l.duration%time.Second != 0:
		return fmt.Errorf("--leader-election-lease-duration: %s must be whole seconds, at least 1s: the lease counts in seconds", l.duration)
	case l.renew >= l.duration:
		return fmt.Errorf("--leader-election-renew-deadline: %s must be shorter than --leader-election-lease-duration %s: two managers would write at a time", l.renew, l.duration)
	case l.retry <= 0 || float64(l.renew) <= leaderelection.JitterFactor*float64(l.retry):
		return fmt.Errorf("--leader-election-retry-period: %s must be positive, and --leader-election-renew-deadline %s more than %.1f times as long", l.retry, l.renew, leaderelection.JitterFactor)
	}
	return nil
}

// guard makes the manager write only while it surely has the lease: it adds the lock to the options, and returns the way to the API server that the controllers get.
// The lease itself goes by the way that was given.
func (l *lease) guard(config *rest.Config, scheme *runtime.Scheme, options *ctrl.Options) (*rest.Config, error) {
	if !l.elect {
		return config, nil
	}
	lock, err := l.lock(config, scheme)
	if err != nil {
		return nil, err
	}
	writes := fence.New(l.renew, clock.RealClock{})
	options.LeaderElection = true
	options.LeaderElectionID = leaseName
	options.LeaderElectionConfig = config
	options.LeaderElectionResourceLockInterface = writes.Watch(lock)
	options.LeaderElectionReleaseOnCancel = true // main returns, and the process ends, as soon as the manager stops
	options.LeaseDuration, options.RenewDeadline, options.RetryPeriod = &l.duration, &l.renew, &l.retry
	fenced := rest.CopyConfig(config)
	fenced.Wrap(writes.Transport)
	return fenced, nil
}

func (l *lease) lock(config *rest.Config, scheme *runtime.Scheme) (resourcelock.Interface, error) {
	namespace, err := l.where()
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name the holder of the lease: %w", err)
	}
	identity := host + "_" + string(uuid.NewUUID())
	patient := rest.AddUserAgent(rest.CopyConfig(config), "leader-election")
	// One answer that does not come must not cost the lease.
	patient.Timeout = max(time.Second, l.renew/2)
	clients, err := kubernetes.NewForConfig(patient)
	if err != nil {
		return nil, fmt.Errorf("make a client for the lease: %w", err)
	}
	events := record.NewBroadcaster()
	events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: clients.CoreV1().Events("")})
	return resourcelock.New(resourcelock.LeasesResourceLock, namespace, leaseName, clients.CoreV1(), clients.CoordinationV1(), resourcelock.ResourceLockConfig{
		Identity:      identity,
		EventRecorder: events.NewRecorder(scheme, corev1.EventSource{Component: identity}),
	})
}

// where returns the namespace of the lease.
func (l *lease) where() (string, error) {
	if l.namespace != "" {
		return l.namespace, nil
	}
	namespace, err := os.ReadFile(ownNamespace)
	if errors.Is(err, os.ErrNotExist) {
		return "", errors.New("--leader-election-namespace: name the namespace of the lease, because the manager does not run in a cluster")
	}
	if err != nil {
		return "", fmt.Errorf("find the namespace of the lease: %w", err)
	}
	return strings.TrimSpace(string(namespace)), nil
}
