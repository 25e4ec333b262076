package catalogue

import (
	"context"
	"fmt"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/config/admission"
	"github.com/crmops/rollout-operator/internal/decide"
)

// PolicyAgain is how soon to look again for an admission policy that is missing.
const PolicyAgain = 30 * time.Second

// policyFresh is how long what was read of the policy is believed where nothing new rests on it.
const policyFresh = 10 * time.Second

// DecisionPolicy reads the admission policy that decisions rest on, past the cache. It belongs to no namespace, and an operator that may not read it still works: decisions
// then do not count, and say why.
type DecisionPolicy struct {
	// Live reads from the API server.
	Live client.Reader
	// Clock tells how old what was read is.
	Clock clock.PassiveClock

	mu    sync.Mutex
	known decide.Policy
	at    time.Time
}

// Known returns what is known of the policy, and reads it when that is old.
func (p *DecisionPolicy) Known(ctx context.Context) (decide.Policy, error) {
	p.mu.Lock()
	known, at := p.known, p.at
	p.mu.Unlock()
	if age := p.Clock.Since(at); at.IsZero() || age < 0 || age > policyFresh {
		return p.Now(ctx)
	}
	return known, nil
}

// Now reads the policy. Whoever lets a decision count must have seen the decision before that: one that somebody makes while there is no policy must not count because
// there was one a moment ago.
func (p *DecisionPolicy) Now(ctx context.Context) (decide.Policy, error) {
	read, err := p.read(ctx)
	if apierrors.IsForbidden(err) {
		read, err = decide.Unreadable(err.Error()), nil
	}
	if err != nil {
		return decide.Policy{}, fmt.Errorf("read the admission policy of decisions: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known, p.at = read, p.Clock.Now()
	return read, nil
}

func (p *DecisionPolicy) read(ctx context.Context) (decide.Policy, error) {
	wanted, bound, err := admission.Wanted()
	if err != nil {
		return decide.Policy{}, err
	}
	policy, err := found(ctx, p.Live, wanted.Name, &admissionv1.ValidatingAdmissionPolicy{})
	if err != nil {
		return decide.Policy{}, err
	}
	binding, err := found(ctx, p.Live, bound.Name, &admissionv1.ValidatingAdmissionPolicyBinding{})
	if err != nil {
		return decide.Policy{}, err
	}
	return decide.PolicyOf(policy, wanted, binding, bound), nil
}

// found reads an object of the cluster into another one of its type; nil when it does not exist.
func found[T client.Object](ctx context.Context, r client.Reader, name string, into T) (T, error) {
	var none T
	err := r.Get(ctx, client.ObjectKey{Name: name}, into)
	if apierrors.IsNotFound(err) {
		return none, nil
	}
	return into, err
}
