package sequence

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
)

// cache is what the operator reads: per kind, the API server as it was some changes ago. It never goes back.
type cache struct {
	api *api
	// seen is the number of changes of each kind that have been delivered.
	seen    map[string]int
	objects map[string]map[types.NamespacedName]client.Object
	// pristine are the same objects, where nobody can change them.
	pristine map[string]map[types.NamespacedName]client.Object
	// lent are the objects that somebody was given without a copy since they were last looked at, by kind.
	lent map[string]map[types.NamespacedName]bool
	// order shuffles lists, as a real cache does; nil for the order of names.
	order *rand.Rand
}

// recent is how long ago a change was at most that a lagging API server does not know of.
const recent = 3 * time.Second

// fill lists everything, the way a cache starts. A lagging API server may leave the last changes of a kind out, if they are recent.
func fill(a *api, lag func(kind string) int, order *rand.Rand) *cache {
	c := &cache{api: a, seen: map[string]int{}, lent: map[string]map[types.NamespacedName]bool{}, order: order}
	c.objects, c.pristine = map[string]map[types.NamespacedName]client.Object{}, map[string]map[types.NamespacedName]client.Object{}
	for _, o := range kinds {
		kind := kindOf(o)
		c.objects[kind], c.pristine[kind] = map[types.NamespacedName]client.Object{}, map[types.NamespacedName]client.Object{}
		left := lag(kind)
		for c.behind(kind) > left || (c.behind(kind) > 0 && a.clock().Sub(a.streams[kind][c.seen[kind]].at) > recent) {
			c.deliver(kind)
		}
	}
	return c
}

func (c *cache) behind(kind string) int { return len(c.api.streams[kind]) - c.seen[kind] }

// deliver takes the next change of a kind in.
func (c *cache) deliver(kind string) change {
	next := c.api.streams[kind][c.seen[kind]]
	c.seen[kind]++
	key := client.ObjectKeyFromObject(next.object())
	if next.now == nil {
		delete(c.objects[kind], key)
	} else {
		c.objects[kind][key], c.pristine[kind][key] = clone(next.now), next.now
	}
	return next
}

// spoilt names an object that somebody has changed although it belongs to the cache. It looks at those that were lent.
func (c *cache) spoilt() string {
	for kind, keys := range c.lent {
		for key := range keys {
			if o := c.objects[kind][key]; o != nil && !reflect.DeepEqual(o, c.pristine[kind][key]) {
				return fmt.Sprintf("%s %s was changed in the cache", kind, key)
			}
		}
	}
	return ""
}

// lend notes that an object is given away without a copy.
func (c *cache) lend(kind string, key types.NamespacedName) {
	if c.lent == nil {
		return // the server of the random orders stores its objects in a cache, too
	}
	if c.lent[kind] == nil {
		c.lent[kind] = map[types.NamespacedName]bool{}
	}
	c.lent[kind][key] = true
}

// Get reads a copy of one object.
func (c *cache) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	found := c.objects[kindOf(into)][key]
	if found == nil {
		return apierrors.NewNotFound(v1alpha1.GroupVersion.WithResource(strings.ToLower(kindOf(into))).GroupResource(), key.Name)
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(clone(found)).Elem())
	return nil
}

// List reads the objects of a kind, not copied when that was asked for.
func (c *cache) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	applied := (&client.ListOptions{}).ApplyOptions(options)
	kind := strings.TrimSuffix(kindOf(into), "List")
	known := c.objects[kind]
	keys := sorted(known)
	if c.order != nil {
		c.order.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	}
	found := make([]runtime.Object, 0, len(keys))
	for _, key := range keys {
		o := known[key]
		chosen, err := selected(kind, o, applied)
		if err != nil {
			return err
		}
		if !chosen {
			continue
		}
		if applied.UnsafeDisableDeepCopy == nil || !*applied.UnsafeDisableDeepCopy {
			o = clone(o)
		} else {
			c.lend(kind, key)
		}
		found = append(found, o)
	}
	return meta.SetList(into, found)
}

func selected(kind string, o client.Object, options *client.ListOptions) (bool, error) {
	if options.Namespace != "" && o.GetNamespace() != options.Namespace {
		return false, nil
	}
	if options.LabelSelector != nil && !options.LabelSelector.Matches(labels.Set(o.GetLabels())) {
		return false, nil
	}
	if options.FieldSelector == nil {
		return true, nil
	}
	for _, wanted := range options.FieldSelector.Requirements() {
		if holds, err := indexed(kind, o, wanted); !holds || err != nil {
			return false, err
		}
	}
	return true, nil
}

func indexed(kind string, o client.Object, wanted fields.Requirement) (bool, error) {
	for _, index := range catalogue.Indexes() {
		if kindOf(index.Object) == kind && index.Field == wanted.Field {
			return slices.Contains(index.Extract(o), wanted.Value), nil
		}
	}
	return false, fmt.Errorf("no index %s of %s", wanted.Field, kind)
}

// cachedClient reads from the cache and writes to the API server.
type cachedClient struct {
	client.Client
	cache *cache
	// called is told before every call.
	called func(context.Context)
	// read is told what was read: an object or a list.
	read func(context.Context, any)
}

// Get reads from the cache.
func (c cachedClient) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	c.called(ctx)
	err := c.cache.Get(ctx, key, into, options...)
	if err == nil {
		c.read(ctx, into)
	}
	return err
}

// List reads from the cache.
func (c cachedClient) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	c.called(ctx)
	err := c.cache.List(ctx, into, options...)
	if err == nil {
		c.read(ctx, into)
	}
	return err
}
