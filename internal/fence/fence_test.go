package fence_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/crmops/rollout-operator/internal/fence"
)

const lasts = 10 * time.Second

// lock is a lock of "me" that answers as it is told.
type lock struct {
	resourcelock.Interface
	failure error
	// during is what happens while the API server works on a write.
	during func()
}

func (l *lock) Identity() string { return "me" }

func (l *lock) Update(context.Context, resourcelock.LeaderElectionRecord) error {
	l.during()
	return l.failure
}

func (l *lock) Create(context.Context, resourcelock.LeaderElectionRecord) error {
	l.during()
	return l.failure
}

func TestTheFenceIsOpenWhileTheLeaseIsSurelyHeld(t *testing.T) {
	held, released := resourcelock.LeaderElectionRecord{HolderIdentity: "me"}, resourcelock.LeaderElectionRecord{}
	type world struct {
		clock *clocktesting.FakePassiveClock
		lock  *lock
		watch resourcelock.Interface
		fence *fence.Fence
	}
	pass := func(w world, d time.Duration) { w.clock.SetTime(w.clock.Now().Add(d)) }
	for name, tc := range map[string]struct {
		happens func(w world) error
		open    bool
	}{
		"before the lease is taken":   {func(world) error { return nil }, false},
		"the lease is made":           {func(w world) error { return w.watch.Create(t.Context(), held) }, true},
		"the lease is taken":          {func(w world) error { return w.watch.Update(t.Context(), held) }, true},
		"just before its time is out": {func(w world) error { defer pass(w, lasts-1); return w.watch.Update(t.Context(), held) }, true},
		"when its time is out":        {func(w world) error { defer pass(w, lasts); return w.watch.Update(t.Context(), held) }, false},
		"it was renewed in time": {func(w world) error {
			defer pass(w, lasts-1)
			first := w.watch.Update(t.Context(), held)
			pass(w, lasts-1)
			return errors.Join(first, w.watch.Update(t.Context(), held))
		}, true},
		"a renewal failed, and the time of the one before is out": {func(w world) error {
			first := w.watch.Update(t.Context(), held)
			pass(w, lasts)
			w.lock.failure = errors.New("gone")
			if w.watch.Update(t.Context(), held) == nil {
				t.Error("the failure of a renewal is hidden")
			}
			return first
		}, false},
		"time counts from when the renewal was sent": {func(w world) error {
			w.lock.during = func() { pass(w, lasts) }
			return w.watch.Update(t.Context(), held)
		}, false},
		"while it is being released": {func(w world) error {
			first := w.watch.Update(t.Context(), held)
			w.lock.during = func() {
				if w.fence.Open() {
					t.Error("writes are let through while the lease is being released")
				}
			}
			return errors.Join(first, w.watch.Update(t.Context(), released))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{clock: clocktesting.NewFakePassiveClock(time.Now()), lock: &lock{during: func() {}}}
			w.fence = fence.New(lasts, w.clock)
			w.watch = w.fence.Watch(w.lock)
			if err := tc.happens(w); err != nil {
				t.Fatal(err)
			}
			if got := w.fence.Open(); got != tc.open {
				t.Errorf("open: %t, want %t", got, tc.open)
			}
		})
	}
}

func TestOnlyWritesAreKeptBack(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	clock := clocktesting.NewFakePassiveClock(time.Now())
	f := fence.New(lasts, clock)
	c := &http.Client{Transport: f.Transport(http.DefaultTransport)}
	try := func(method, path string) error {
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := c.Do(request)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, response.Body)
		return errors.Join(err, response.Body.Close())
	}
	const sites = "/apis/rollout.crmops.dev/v1alpha1/namespaces/crm/siterollouts"
	writes := []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	for _, method := range writes {
		if err := try(method, sites); !errors.Is(err, fence.ErrLeaseNotHeld) {
			t.Errorf("%s with a closed fence: %v", method, err)
		}
	}
	for _, question := range [][2]string{
		{http.MethodGet, sites},
		{http.MethodPost, "/apis/authentication.k8s.io/v1/tokenreviews"},
		{http.MethodPost, "/apis/authorization.k8s.io/v1/subjectaccessreviews"},
	} {
		if err := try(question[0], question[1]); err != nil {
			t.Errorf("%s %s with a closed fence: %v", question[0], question[1], err)
		}
	}
	if err := f.Watch(&lock{during: func() {}}).Update(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: "me"}); err != nil {
		t.Fatal(err)
	}
	for _, method := range writes {
		if err := try(method, sites); err != nil {
			t.Errorf("%s with an open fence: %v", method, err)
		}
	}
}

func TestAWriteThatWaitsForAConnectionIsKeptBackWhenItsTimeIsOut(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			var carriedOut []string
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if content, err := io.ReadAll(r.Body); err == nil {
					carriedOut = append(carriedOut, r.Proto+" "+string(content))
				}
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			clock := clocktesting.NewFakePassiveClock(time.Now())
			f := fence.New(lasts, clock)
			send := func(content string, waits time.Duration) error {
				if err := f.Watch(&lock{during: func() {}}).Update(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: "me"}); err != nil {
					t.Fatal(err)
				}
				wire := server.Client().Transport.(*http.Transport).Clone()
				defer wire.CloseIdleConnections()
				dial := wire.DialContext
				wire.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					clock.SetTime(clock.Now().Add(waits))
					return dial(ctx, network, address)
				}
				response, err := (&http.Client{Transport: f.Transport(wire)}).Post(server.URL, "application/json", strings.NewReader(content))
				if err != nil {
					return err
				}
				return response.Body.Close()
			}
			if err := send("in time", lasts-1); err != nil {
				t.Error(err)
			}
			if err := send("too late", lasts); !errors.Is(err, fence.ErrLeaseNotHeld) {
				t.Errorf("too late: %v", err)
			}
			server.Close() // waits for what it has been sent
			if diff := cmp.Diff([]string{name + " in time"}, carriedOut); diff != "" {
				t.Errorf("carried out (-want +got):\n%s", diff)
			}
		})
	}
}
