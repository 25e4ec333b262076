package catalogue_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/plan"
)

// library is where frozen plans are read from: a cache, and the API server behind it. It notes what is read.
type library struct {
	*catalogue.Revisions
	cache, server client.Client
	reads         []string
	// broken makes every read of the cache fail.
	broken error
}

func newLibrary(t *testing.T) *library {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, appsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	l := &library{}
	built := func(name string) client.Client {
		return fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
				l.reads = append(l.reads, name)
				if name == "cache" && l.broken != nil {
					return l.broken
				}
				return c.Get(ctx, key, o, options...)
			},
		}).Build()
	}
	l.cache, l.server = built("cache"), built("server")
	l.Revisions = &catalogue.Revisions{Client: l.cache, Live: l.server}
	return l
}

// crm is the rollout whose plans are read.
func crm() *v1alpha1.CRMRollout {
	return &v1alpha1.CRMRollout{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "crm", UID: "of-crm"}}
}

func holding(phases ...string) plan.Definitions { return plan.Definitions{Phases: phases} }

// kept is a frozen plan of crm with one phase, of a rollout with the given UID; of nobody when that is empty.
func kept(owner types.UID, change ...func(*appsv1.ControllerRevision)) *appsv1.ControllerRevision {
	yes := true
	r := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: holding("migrate").RevisionName("crm"), Labels: map[string]string{v1alpha1.LabelRollout: "crm"}},
		Data: runtime.RawExtension{Raw: holding("migrate").Encode()}, Revision: 1}
	if owner != "" {
		r.OwnerReferences = []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "CRMRollout", Name: "crm", UID: owner, Controller: &yes}}
	}
	for _, c := range change {
		c(r)
	}
	return r
}

func put(t *testing.T, c client.Client, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

// phases are those of a frozen plan, in one word; "none" when it does not exist.
func phases(f *catalogue.Frozen) string {
	if f == nil {
		return "none"
	}
	return strings.Join(f.Definitions.Phases, " ")
}

func TestAFrozenPlanIsReadFromTheCacheThenFromTheServerAndThenRemembered(t *testing.T) {
	name := kept("").Name
	for what, tc := range map[string]struct {
		cache, server *appsv1.ControllerRevision
		want          []string
		reads         []string
	}{
		"the cache shows it":                                   {kept("of-crm"), nil, []string{"migrate", "migrate", "migrate"}, []string{"cache"}},
		"the cache does not show it yet":                       {nil, kept("of-crm"), []string{"migrate", "migrate", "migrate"}, []string{"cache", "server"}},
		"the cache shows one from before":                      {kept("of-another"), kept("of-crm"), []string{"migrate", "migrate", "migrate"}, []string{"cache", "server"}},
		"there is none: it may come, so nobody remembers that": {nil, nil, []string{"none", "none", "none"}, []string{"cache", "server", "cache", "server", "cache", "server"}},
	} {
		t.Run(what, func(t *testing.T) {
			l := newLibrary(t)
			if tc.cache != nil {
				put(t, l.cache, tc.cache)
			}
			if tc.server != nil {
				put(t, l.server, tc.server)
			}
			var got []string
			for range 3 {
				frozen, err := l.Get(t.Context(), crm(), name)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, phases(frozen))
			}
			if diff := cmp.Diff(tc.want, got) + cmp.Diff(tc.reads, l.reads); diff != "" {
				t.Errorf("read three times, and where (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhoseAFrozenPlanIs(t *testing.T) {
	elsewhere := func(r *appsv1.ControllerRevision) { r.Namespace = "other" }
	otherKind := func(r *appsv1.ControllerRevision) {
		r.OwnerReferences[0].APIVersion, r.OwnerReferences[0].Kind = "apps/v1", "StatefulSet"
	}
	onlyNamed := func(r *appsv1.ControllerRevision) { r.OwnerReferences[0].Controller = nil }
	forged := func(r *appsv1.ControllerRevision) { r.Data.Raw = holding("golive").Encode() }
	for what, tc := range map[string]struct {
		revision *appsv1.ControllerRevision
		want     string // what the rollout reads
		in       []string
	}{
		"its own":                          {kept("of-crm"), "migrate", []string{"migrate"}},
		"that of another rollout":          {kept("of-another"), "none", []string{"migrate"}},
		"that of another kind":             {kept("of-another", otherKind), "none", nil},
		"one of another namespace":         {kept("of-crm", elsewhere), "none", nil},
		"one that it does not control":     {kept("of-crm", onlyNamed, forged), "none", nil},
		"one that was orphaned":            {kept(""), "migrate", nil},
		"one of nobody that holds another": {kept("", forged), "none", nil},
		"one of nobody that holds nothing": {kept("", func(r *appsv1.ControllerRevision) { r.Data.Raw = []byte(`{"phases": 1}`) }), "none", nil},
	} {
		for _, listed := range []bool{false, true} { // what the measuring side has listed before must not be taken for more than it is
			t.Run(what, func(t *testing.T) {
				l := newLibrary(t)
				put(t, l.cache, tc.revision.DeepCopy())
				if listed {
					all, err := l.In(t.Context(), "ns")
					if err != nil {
						t.Fatal(err)
					}
					var in []string
					for _, f := range all {
						in = append(in, phases(f))
					}
					if diff := cmp.Diff(tc.in, in); diff != "" {
						t.Errorf("measured on in the namespace (-want +got):\n%s", diff)
					}
				}
				frozen, err := l.Get(t.Context(), crm(), tc.revision.Name)
				if err != nil {
					t.Fatal(err)
				}
				if got := phases(frozen); got != tc.want {
					t.Errorf("the rollout reads %s, want %s", got, tc.want)
				}
				mine, err := l.Of(t.Context(), crm())
				if err != nil {
					t.Fatal(err)
				}
				if has := len(mine) == 1; has != (tc.want != "none") {
					t.Errorf("it is among those of the rollout: %t", has)
				}
			})
		}
	}
}

func TestARolloutDoesNotInheritWhatOneOfTheSameNameHasRemembered(t *testing.T) {
	l := newLibrary(t)
	former := kept("of-crm")
	put(t, l.cache, former)
	if frozen, err := l.Get(t.Context(), crm(), former.Name); err != nil || frozen == nil {
		t.Fatalf("%v, %v", frozen, err)
	}
	heir := crm()
	heir.UID = "of-heir"
	if frozen, err := l.Get(t.Context(), heir, former.Name); err != nil || frozen != nil {
		t.Errorf("it takes the plan of the one that is gone: %s, %v", phases(frozen), err)
	}
	if err := l.cache.Delete(t.Context(), former); err != nil {
		t.Fatal(err)
	}
	put(t, l.cache, kept("of-heir"))
	if frozen, err := l.Get(t.Context(), heir, former.Name); err != nil || phases(frozen) != "migrate" {
		t.Errorf("it does not take its own: %s, %v", phases(frozen), err)
	}
}

func TestWhatIsGoneIsForgotten(t *testing.T) {
	l := newLibrary(t)
	mine, other := kept("of-crm"), kept("of-crm", func(r *appsv1.ControllerRevision) { r.Namespace = "other" })
	put(t, l.cache, mine, other)
	otherCRM := crm()
	otherCRM.Namespace = "other"
	read := func(rollout *v1alpha1.CRMRollout) string {
		t.Helper()
		frozen, err := l.Get(t.Context(), rollout, mine.Name)
		if err != nil {
			t.Fatal(err)
		}
		return phases(frozen)
	}
	list := func() {
		t.Helper()
		if _, err := l.In(t.Context(), "ns"); err != nil {
			t.Fatal(err)
		}
	}
	list()
	got := []string{read(crm()), read(otherCRM)}
	for _, r := range []client.Object{mine, other} {
		if err := l.cache.Delete(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	got = append(got, read(crm())) // nobody has looked yet
	list()
	got = append(got, read(crm()), read(otherCRM)) // only in that namespace
	if diff := cmp.Diff([]string{"migrate", "migrate", "migrate", "none", "migrate"}, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	garbage := kept("of-crm", func(r *appsv1.ControllerRevision) { r.Data.Raw = []byte(`{"phases": 1}`) })
	down := errors.New("the API server does not answer")
	for what, tc := range map[string]struct {
		broken error
		want   string
	}{
		"it holds no plan": {nil, "ControllerRevision/" + garbage.Name + ": read a frozen plan: json: cannot unmarshal number into Go struct field Definitions.phases of type []string"},
		"nobody answers":   {down, "read frozen plan ns/" + garbage.Name + ": the API server does not answer"},
	} {
		t.Run(what, func(t *testing.T) {
			l := newLibrary(t)
			put(t, l.cache, garbage.DeepCopy())
			l.broken = tc.broken
			frozen, err := l.Get(t.Context(), crm(), garbage.Name)
			if err == nil || err.Error() != tc.want || frozen != nil {
				t.Errorf("%s, %v; want %s", phases(frozen), err, tc.want)
			}
			if all, err := l.In(t.Context(), "ns"); err != nil || len(all) > 0 {
				t.Errorf("one that nobody can read keeps the others from being measured: %v, %v", all, err)
			}
		})
	}
}
