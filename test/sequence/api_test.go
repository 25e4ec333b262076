package sequence

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
)

// kinds are the kinds that the operator watches, in the order in which they are delivered when the order is fixed.
var kinds = []client.Object{
	&v1alpha1.MetricProvider{}, &v1alpha1.KPI{}, &v1alpha1.AcceptanceGate{}, &v1alpha1.RolloutPhase{}, &v1alpha1.RolloutCalendar{},
	&v1alpha1.RolloutSite{}, &v1alpha1.CRMRollout{}, &v1alpha1.SiteRollout{}, &v1alpha1.RolloutDecision{},
	&appsv1.ControllerRevision{}, &admissionv1.ValidatingAdmissionPolicy{}, &admissionv1.ValidatingAdmissionPolicyBinding{},
}

func kindOf(o any) string { return reflect.TypeOf(o).Elem().Name() }

func clone[T client.Object](o T) T { return o.DeepCopyObject().(T) }

// change is one write to the API server, the way a watch tells of it.
type change struct {
	// old is nil when the object was created.
	old client.Object
	// now is nil when the object was deleted.
	now client.Object
	// at is when.
	at time.Time
}

func (c change) object() client.Object {
	if c.now != nil {
		return c.now
	}
	return c.old
}

// api is the API server: the fake client of controller-runtime with what that leaves out (UIDs, generations, a story of all changes).
type api struct {
	client.WithWatch
	// streams are all changes by kind, in order.
	streams map[string][]change
	// latest objects by kind and key.
	latest map[string]map[types.NamespacedName]client.Object
	// wrote is told of every change.
	wrote func(context.Context, change)
	// fault may make a write fail: before it is carried out, or after, when only the answer is lost.
	fault func(ctx context.Context, before bool) error
	uids  int
	// frozen are the plans that the judge has read, by revision.
	frozen map[string]*frozenPlan
	// conflicts counts the writes that came too late.
	conflicts int
	clock     func() time.Time
}

func newAPI() *api {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	tracker := clienttesting.NewObjectTracker(scheme, clientgoscheme.Codecs.UniversalDecoder())
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjectTracker(tracker).WithStatusSubresource(kinds...)
	for _, index := range catalogue.Indexes() {
		builder = builder.WithIndex(index.Object, index.Field, index.Extract)
	}
	a := &api{WithWatch: builder.Build(), streams: map[string][]change{}, latest: map[string]map[types.NamespacedName]client.Object{}, frozen: map[string]*frozenPlan{}}
	a.clock = func() time.Time { return began }
	a.wrote = func(context.Context, change) {}
	a.fault = func(context.Context, bool) error { return nil }
	for _, kind := range kinds {
		a.latest[kindOf(kind)] = map[types.NamespacedName]client.Object{}
	}
	return a
}

func newQuickAPI() *api {
	a := newAPI()
	a.WithWatch = newQuick(a.WithWatch)
	return a
}

// Create creates an object with a UID of its own, now unless it says otherwise.
func (a *api) Create(ctx context.Context, o client.Object, options ...client.CreateOption) error {
	return a.write(ctx, o, func() error {
		a.uids++
		o.SetUID(types.UID(fmt.Sprintf("uid-%d", a.uids)))
		o.SetGeneration(1)
		if stamped := o.GetCreationTimestamp(); stamped.IsZero() {
			o.SetCreationTimestamp(metav1.NewTime(a.clock().Truncate(time.Second)))
		}
		return a.WithWatch.Create(ctx, o, options...)
	})
}

// Update replaces an object.
func (a *api) Update(ctx context.Context, o client.Object, options ...client.UpdateOption) error {
	return a.write(ctx, o, func() error { return a.WithWatch.Update(ctx, o, options...) })
}

// Patch changes an object.
func (a *api) Patch(ctx context.Context, o client.Object, patch client.Patch, options ...client.PatchOption) error {
	return a.write(ctx, o, func() error { return a.WithWatch.Patch(ctx, o, patch, options...) })
}

// Delete deletes an object; both preconditions are kept.
func (a *api) Delete(ctx context.Context, o client.Object, options ...client.DeleteOption) error {
	return a.write(ctx, o, func() error {
		applied := (&client.DeleteOptions{}).ApplyOptions(options)
		latest := a.latest[kindOf(o)][client.ObjectKeyFromObject(o)]
		if wanted := applied.Preconditions; wanted != nil && wanted.UID != nil && latest != nil && *wanted.UID != latest.GetUID() {
			return apierrors.NewConflict(resource(o), o.GetName(), fmt.Errorf("another UID"))
		}
		return a.WithWatch.Delete(ctx, o, options...)
	})
}

// Status writes the status alone.
func (a *api) Status() client.SubResourceWriter {
	return statusWriter{SubResourceWriter: a.WithWatch.Status(), api: a}
}

type statusWriter struct {
	client.SubResourceWriter
	api *api
}

// Patch changes the status of an object.
func (w statusWriter) Patch(ctx context.Context, o client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
	return w.api.write(ctx, o, func() error { return w.SubResourceWriter.Patch(ctx, o, patch, options...) })
}

// write carries a write out and notes what has changed. A change of the spec makes another generation.
func (a *api) write(ctx context.Context, o client.Object, carryOut func() error) error {
	if err := a.fault(ctx, true); err != nil {
		return err
	}
	if err := carryOut(); err != nil {
		if apierrors.IsConflict(err) {
			a.conflicts++
		}
		return err
	}
	known := a.latest[kindOf(o)]
	key := client.ObjectKeyFromObject(o)
	old := known[key]
	now := reflect.New(reflect.TypeOf(o).Elem()).Interface().(client.Object)
	err := a.WithWatch.Get(ctx, key, now)
	switch {
	case apierrors.IsNotFound(err):
		delete(known, key)
		a.note(ctx, change{old: old})
		return a.fault(ctx, false)
	case err != nil:
		return err
	}
	if old != nil && !equality.Semantic.DeepEqual(specOf(old), specOf(now)) {
		now.SetGeneration(old.GetGeneration() + 1)
		if err := a.WithWatch.Update(ctx, now); err != nil {
			return err
		}
	}
	reflect.ValueOf(o).Elem().Set(reflect.ValueOf(clone(now)).Elem())
	known[key] = now
	a.note(ctx, change{old: old, now: now})
	return a.fault(ctx, false)
}

func (a *api) note(ctx context.Context, c change) {
	kind := kindOf(c.object())
	c.at = a.clock()
	a.streams[kind] = append(a.streams[kind], c)
	a.wrote(ctx, c)
}

// specOf is the part of an object whose changes make another generation.
func specOf(o client.Object) any {
	if revision, ok := o.(*appsv1.ControllerRevision); ok {
		return revision.Revision
	}
	return reflect.ValueOf(o).Elem().FieldByName("Spec").Interface()
}

// all returns the latest objects of a kind in the order of their names.
func all[T client.Object](a *api) []T {
	var zero T
	known := a.latest[kindOf(zero)]
	objects := make([]T, 0, len(known))
	for _, key := range sorted(known) {
		objects = append(objects, known[key].(T))
	}
	return objects
}

// sorted returns the keys of objects in the order of their names.
func sorted(objects map[types.NamespacedName]client.Object) []types.NamespacedName {
	return slices.SortedFunc(maps.Keys(objects), func(a, b types.NamespacedName) int { return cmp.Compare(a.String(), b.String()) })
}
