// Package fence keeps a manager that has lost its lease without noticing from writing.
//
// A process that was paused, or a machine that slept, goes on where it stopped: in the middle of a reconcile, with what it saw before another manager took over.
// That an object has not changed meanwhile proves nothing about the other objects that a decision rests on, a free slot for example, so optimistic locks are not enough.
package fence

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
)

// ErrLeaseNotHeld is the failure of a write that was kept back.
var ErrLeaseNotHeld = errors.New("nothing is written: this manager has not renewed its lease in time, so another one may be at work; it ends by itself, or goes on when it has the lease again")

// Fence lets writes through while the lease was renewed a short time ago.
type Fence struct {
	lasts time.Duration
	clock clock.PassiveClock

	mu sync.Mutex
	// renewed is when the last successful renewal was sent; zero when the lease is not held.
	renewed time.Time
}

// New makes a fence that stays open for some time after each renewal. That time must be shorter than the lease lasts: the difference is what a write may take.
func New(lasts time.Duration, c clock.PassiveClock) *Fence { return &Fence{lasts: lasts, clock: c} }

// Open reports whether another manager cannot have the lease.
func (f *Fence) Open() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.renewed.IsZero() {
		return false
	}
	now := f.clock.Now()
	// The monotonic clock stands still while a machine sleeps, the wall clock may be set back. The later of the two is right.
	return max(now.Sub(f.renewed), now.Round(0).Sub(f.renewed.Round(0))) < f.lasts
}

func (f *Fence) set(renewed time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.renewed = renewed
}

// Watch returns a lock that tells the fence of each renewal.
func (f *Fence) Watch(lock resourcelock.Interface) resourcelock.Interface {
	return watched{Interface: lock, fence: f}
}

// watched is a lock under the eyes of a fence.
type watched struct {
	resourcelock.Interface
	fence *Fence
}

// Create takes the lease for the first time.
func (w watched) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return w.write(record, func() error { return w.Interface.Create(ctx, record) })
}

// Update takes, renews or releases the lease.
func (w watched) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return w.write(record, func() error { return w.Interface.Update(ctx, record) })
}

// write counts from before the renewal was sent: others count from when they see it, which is later.
func (w watched) write(record resourcelock.LeaderElectionRecord, send func() error) error {
	sent := w.fence.clock.Now()
	if record.HolderIdentity != w.Identity() {
		w.fence.set(time.Time{})
	}
	err := send()
	if err == nil && record.HolderIdentity == w.Identity() {
		w.fence.set(sent)
	}
	return err
}

// Transport returns a transport that refuses to send writes while the fence is closed. It is asked when a client has done with waiting for its turn, and again when there is a connection
// and the write's body is sent: to get one may take long, and a process may be paused meanwhile. A write without a body, which no client of the API server makes, is asked for once.
func (f *Fence) Transport(next http.RoundTripper) http.RoundTripper {
	return transport{next: next, fence: f}
}

type transport struct {
	next  http.RoundTripper
	fence *Fence
}

// RoundTrip sends a request, or refuses it.
func (t transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if !writes(request) {
		return t.next.RoundTrip(request)
	}
	if t.fence.Open() {
		return t.next.RoundTrip(t.fence.guard(request))
	}
	var failure error
	if request.Body != nil {
		failure = request.Body.Close()
	}
	return nil, errors.Join(ErrLeaseNotHeld, failure)
}

// guard returns a request that cannot be sent whole while the fence is closed. An API server does nothing with a part of one.
func (f *Fence) guard(request *http.Request) *http.Request {
	if request.Body == nil || request.Body == http.NoBody {
		return request
	}
	guarded := request.WithContext(request.Context()) // a transport must not change what it is given
	guarded.Body = body{request.Body, f}
	if again := request.GetBody; again != nil {
		guarded.GetBody = func() (io.ReadCloser, error) {
			whole, err := again()
			if err != nil {
				return nil, err
			}
			return body{whole, f}, nil
		}
	}
	return guarded
}

// body is that of a write.
type body struct {
	io.ReadCloser
	fence *Fence
}

// Read fails while the fence is closed, and the request with it.
func (b body) Read(p []byte) (int, error) {
	if !b.fence.Open() {
		return 0, ErrLeaseNotHeld
	}
	return b.ReadCloser.Read(p)
}

// writes reports whether a request changes something on an API server. A review is a question, though it is sent like a write.
func writes(request *http.Request) bool {
	switch request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return !strings.Contains(request.URL.Path, "/apis/authentication.k8s.io/") && !strings.Contains(request.URL.Path, "/apis/authorization.k8s.io/")
}
