package provider

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// scripted is a source that tells when a measurement begins and ends it when it is told to.
type scripted struct {
	name    string
	begun   chan struct{}
	proceed chan struct{}
	closed  chan struct{}
	running atomic.Int32
	most    atomic.Int32
}

func newScripted(name string) *scripted {
	return &scripted{name: name, begun: make(chan struct{}, 100), proceed: make(chan struct{}), closed: make(chan struct{})}
}

// prompt is a source that answers at once.
func prompt(name string) *scripted {
	source := newScripted(name)
	close(source.proceed)
	return source
}

func (s *scripted) Measure(context.Context, Query, Window) (Answer, error) {
	select {
	case <-s.closed:
		return Answer{}, newError(Closed, nil, "measured after it was closed")
	default:
	}
	s.most.Store(max(s.most.Load(), s.running.Add(1)))
	defer s.running.Add(-1)
	s.begun <- struct{}{}
	<-s.proceed
	return Answer{Samples: []Sample{{Site: s.name}}}, nil
}

// Close panics when it is called twice or under a running measurement: callers promise neither happens.
func (s *scripted) Close() {
	if s.running.Load() > 0 {
		panic("closed under a running measurement")
	}
	close(s.closed)
}

func (s *scripted) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

func building(source Provider) func() (Provider, error) {
	return func() (Provider, error) { return source, nil }
}

// answering returns the name of the source that answers for the key now.
func answering(t *testing.T, source Provider) string {
	t.Helper()
	answer, err := source.Measure(t.Context(), allSites, at)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Samples[0].Site
}

func TestTheRegistryKeepsWhatHasNotChanged(t *testing.T) {
	registry := NewRegistry()
	defer registry.Close()
	first := prompt("first")
	for range 3 {
		if err := registry.Set("ns/a", "1", building(first)); err != nil {
			t.Fatal(err)
		}
		first = first.orFail(t)
	}
	if _, found := registry.Get("ns/b"); found {
		t.Error("a key that was never set has a provider")
	}
	source, found := registry.Get("ns/a")
	if !found || answering(t, source) != "first" {
		t.Error("the key lost its provider")
	}
	source.Close()
	if first.isClosed() || answering(t, source) != "first" {
		t.Error("a borrower closed what the registry owns")
	}
}

// orFail returns s, or fails the test when it was closed.
func (s *scripted) orFail(t *testing.T) *scripted {
	t.Helper()
	if s.isClosed() {
		t.Fatal("an unchanged provider was closed")
	}
	return s
}

func TestAChangedConfigurationTakesOverAtOnce(t *testing.T) {
	registry := NewRegistry()
	defer registry.Close()
	old, next := newScripted("old"), prompt("next")
	must(t, registry.Set("ns/a", "1", building(old)))
	borrowed, _ := registry.Get("ns/a")

	result := make(chan Answer, 1)
	go func() {
		answer, _ := borrowed.Measure(t.Context(), allSites, at)
		result <- answer
	}()
	await(t, "the measurement to begin", old.begun)

	must(t, registry.Set("ns/a", "2", building(next)))
	if old.isClosed() {
		t.Error("the old provider was closed under a running measurement")
	}
	if got := answering(t, borrowed); got != "next" {
		t.Errorf("%s answers after the change, want next", got)
	}
	close(old.proceed)
	if got := await(t, "the running measurement", result); len(got.Samples) != 1 || got.Samples[0].Site != "old" {
		t.Errorf("the running measurement got %v, want the answer of old", got)
	}
	await(t, "the old provider to be closed", old.closed)
}

func TestADeletedKeyIsClosed(t *testing.T) {
	registry := NewRegistry()
	defer registry.Close()
	gone, stays := prompt("gone"), prompt("stays")
	must(t, registry.Set("ns/gone", "1", building(gone)))
	must(t, registry.Set("ns/stays", "1", building(stays)))
	borrowed, _ := registry.Get("ns/gone")

	registry.Delete("ns/gone")
	registry.Delete("ns/gone")
	if _, found := registry.Get("ns/gone"); found || !gone.isClosed() || stays.isClosed() {
		t.Error("deleting a key must close its provider and no other")
	}
	_, err := borrowed.Measure(t.Context(), allSites, at)
	wantError(t, err, Closed, "ns/gone is not configured any more")
}

func TestAFailedBuildLeavesNoProvider(t *testing.T) {
	registry := NewRegistry()
	defer registry.Close()
	old, broken := prompt("old"), errors.New("broken")
	must(t, registry.Set("ns/a", "1", building(old)))
	if err := registry.Set("ns/a", "2", func() (Provider, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("got error %v, want that of the build", err)
	}
	if _, found := registry.Get("ns/a"); found || !old.isClosed() {
		t.Error("a source that is no longer declared still answers")
	}
	must(t, registry.Set("ns/a", "1", building(prompt("again"))))
	if source, found := registry.Get("ns/a"); !found || answering(t, source) != "again" {
		t.Error("the key did not recover")
	}
}

func TestAClosedRegistryHasClosedEverything(t *testing.T) {
	registry := NewRegistry()
	busy, idle := newScripted("busy"), prompt("idle")
	must(t, registry.Set("ns/busy", "1", building(busy)))
	must(t, registry.Set("ns/idle", "1", building(idle)))
	source, _ := registry.Get("ns/busy")
	go func() { _, _ = source.Measure(context.Background(), allSites, at) }()
	await(t, "the measurement to begin", busy.begun)

	closed := make(chan struct{})
	go func() {
		registry.Close()
		close(closed)
	}()
	await(t, "the idle provider to be closed", idle.closed)
	select {
	case <-closed:
		t.Error("Close returned while a measurement was running")
	default:
	}
	close(busy.proceed)
	await(t, "the registry to be closed", closed)
	if !busy.isClosed() {
		t.Error("the busy provider is still open")
	}
	registry.Close()
	err := registry.Set("ns/a", "1", func() (Provider, error) { panic("built for a closed registry") })
	wantError(t, err, Closed, "the operator is stopping")
}

// With the race detector, and with sources that panic when the registry breaks a promise.
func TestTheRegistryUnderConcurrentUse(t *testing.T) {
	registry := NewRegistry()
	var built []*scripted
	var mu sync.Mutex
	var users sync.WaitGroup
	for user := range 8 {
		users.Go(func() {
			for round := range 200 {
				key := fmt.Sprint("ns/", round%3)
				switch (user + round) % 4 {
				case 0:
					_ = registry.Set(key, fmt.Sprint(round%5), func() (Provider, error) {
						source := prompt(key)
						source.begun = make(chan struct{}, 8*200)
						mu.Lock()
						defer mu.Unlock()
						built = append(built, source)
						return source, nil
					})
				case 1:
					if round%7 == 0 {
						registry.Delete(key)
					}
				default:
					source, found := registry.Get(key)
					if !found {
						continue
					}
					answer, err := source.Measure(t.Context(), allSites, at)
					if err == nil && answer.Samples[0].Site != key || err != nil && err.Error() == "measured after it was closed" {
						t.Errorf("%s: got %v, %v", key, answer, err)
					}
				}
			}
		})
	}
	users.Wait()
	registry.Close()
	for _, source := range built {
		if !source.isClosed() {
			t.Fatal("a provider was left open")
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
