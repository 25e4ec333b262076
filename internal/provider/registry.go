package provider

import (
	"context"
	"sync"
)

// Registry keeps one open provider per key, so that connections outlive a single measurement, and swaps it when its
// configuration changes. Keys are opaque; the operator uses namespace/name. It is safe for concurrent use. The zero
// value is not usable: call NewRegistry.
type Registry struct {
	// setting puts the changes of configuration in order. It is apart from mu so that opening a source holds up nobody
	// who measures.
	setting sync.Mutex

	mu      sync.Mutex
	entries map[string]*entry
	closed  bool

	open sync.WaitGroup
}

// entry is one provider with the configuration it was built from.
type entry struct {
	provider    Provider
	fingerprint string
	users       occupancy
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{entries: map[string]*entry{}}
}

// Set makes key answer from the configuration that fingerprint identifies. The open provider stays, with its
// connections, when it has the same fingerprint. Otherwise build opens a new one, which takes the key over at once; the
// old one is closed after its running measurements have ended.
//
// When build fails, Set returns its error and the key has no provider: numbers must not go on coming from a source that
// is no longer declared. build must not talk to the source, since other calls of Set wait for it.
func (r *Registry) Set(key, fingerprint string, build func() (Provider, error)) error {
	r.setting.Lock()
	defer r.setting.Unlock()

	kept, err := r.keeps(key, fingerprint)
	if kept || err != nil {
		return err
	}
	built, err := build()
	if err != nil {
		r.replace(key, nil)
		return err
	}
	r.open.Add(1)
	next := &entry{provider: built, fingerprint: fingerprint}
	next.users.release = func() {
		built.Close()
		r.open.Done()
	}
	r.replace(key, next)
	return nil
}

// Delete forgets key. Its provider is closed after its running measurements have ended.
func (r *Registry) Delete(key string) {
	r.setting.Lock()
	defer r.setting.Unlock()
	r.replace(key, nil)
}

// Get returns the provider of key, or false when key has none. What it returns follows the key: a measurement uses the
// provider that is current when it begins, so no caller meets a closed one because the configuration changed between
// Get and Measure. Once key is deleted, Measure returns an error with reason Closed. Close does nothing, since the
// registry owns the provider.
func (r *Registry) Get(key string) (Provider, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, found := r.entries[key]; !found {
		return nil, false
	}
	return &borrowed{registry: r, key: key}, true
}

// Close deletes every key and waits until the running measurements have ended and their providers are closed. The
// registry accepts nothing afterwards.
func (r *Registry) Close() {
	r.setting.Lock()
	defer r.setting.Unlock()

	r.mu.Lock()
	entries := r.entries
	r.entries = map[string]*entry{}
	r.closed = true
	r.mu.Unlock()

	for _, e := range entries {
		e.users.close()
	}
	r.open.Wait()
}

// keeps reports whether key already has a provider with this fingerprint.
func (r *Registry) keeps(key, fingerprint string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false, newError(Closed, nil, "the source %s cannot be opened: the operator is stopping", key)
	}
	current, found := r.entries[key]
	return found && current.fingerprint == fingerprint, nil
}

// replace puts next (nil for none) in the place of key's entry and retires that. Closing happens outside the lock,
// because it may take time.
func (r *Registry) replace(key string, next *entry) {
	r.mu.Lock()
	old := r.entries[key]
	if next == nil {
		delete(r.entries, key)
	} else {
		r.entries[key] = next
	}
	r.mu.Unlock()
	if old != nil {
		old.users.close()
	}
}

// enter returns key's entry with the caller counted as a user, or nil.
func (r *Registry) enter(key string) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[key]; e != nil && e.users.enter() {
		return e
	}
	return nil
}

// borrowed is a key seen as a provider.
type borrowed struct {
	registry *Registry
	key      string
}

// Measure asks the key's current provider.
func (b *borrowed) Measure(ctx context.Context, q Query, w Window) (Answer, error) {
	current := b.registry.enter(b.key)
	if current == nil {
		return Answer{}, b.gone()
	}
	defer current.users.leave()
	return current.provider.Measure(ctx, q, w)
}

func (b *borrowed) gone() error {
	return newError(Closed, nil, "the source %s is not configured any more", b.key)
}

// Close does nothing: the registry closes what it opened.
func (b *borrowed) Close() {}
