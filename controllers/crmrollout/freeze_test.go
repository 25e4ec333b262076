package crmrollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/plan"
)

// pinned is a programme whose phase has an exit gate, that can be edited.
type pinned struct {
	*Reconciler
	client.Client
	t *testing.T
	// names of the frozen plans, in the order in which they were first seen.
	names []string
}

func newPinned(t *testing.T, funcs interceptor.Funcs, more ...client.Object) *pinned {
	t.Helper()
	accepted := &v1alpha1.AcceptanceGate{ObjectMeta: named("accepted"), Spec: v1alpha1.AcceptanceGateSpec{Criteria: []v1alpha1.Criterion{{Name: "used", KPI: "usage"}}}}
	usage := &v1alpha1.KPI{ObjectMeta: named("usage"), Spec: v1alpha1.KPISpec{Query: "usage", Direction: v1alpha1.DirectionHigherIsBetter, Provider: v1alpha1.LocalReference{Name: "source"}}}
	r, c := programme(t, funcs, append(more, accepted, usage)...)
	p := &pinned{Reconciler: r, Client: c, t: t}
	p.edit("0.9")
	var migrate v1alpha1.RolloutPhase
	p.get("migrate", &migrate)
	migrate.Spec.ExitGate = &v1alpha1.LocalReference{Name: "accepted"}
	p.must(c.Update(t.Context(), &migrate))
	return p
}

func (p *pinned) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pinned) get(name string, o client.Object) {
	p.t.Helper()
	p.must(p.Client.Get(p.t.Context(), types.NamespacedName{Namespace: "crm", Name: name}, o))
}

// edit makes the gate ask for another usage.
func (p *pinned) edit(atLeast v1alpha1.Threshold) {
	p.t.Helper()
	var accepted v1alpha1.AcceptanceGate
	p.get("accepted", &accepted)
	accepted.Spec.Criteria[0].AtLeast = &atLeast
	p.must(p.Client.Update(p.t.Context(), &accepted))
}

func (p *pinned) look() {
	p.t.Helper()
	p.must(look(p.t, p.Reconciler))
}

// frozen returns the frozen plans that there are, by their numbers.
func (p *pinned) frozen() []appsv1.ControllerRevision {
	p.t.Helper()
	var list appsv1.ControllerRevisionList
	p.must(p.Client.List(p.t.Context(), &list))
	slices.SortFunc(list.Items, func(a, b appsv1.ControllerRevision) int { return int(a.Revision - b.Revision) })
	for _, one := range list.Items {
		p.called(one.Name)
	}
	return list.Items
}

// called gives frozen plans short names: A is the first that was seen.
func (p *pinned) called(name string) string {
	if name == "" {
		return ""
	}
	at := slices.Index(p.names, name)
	if at < 0 {
		at, p.names = len(p.names), append(p.names, name)
	}
	return string(rune('A' + at))
}

// short is a text in which frozen plans have their short names.
func (p *pinned) short(text string) string {
	for i, name := range p.names {
		text = strings.ReplaceAll(text, name, string(rune('A'+i)))
	}
	return text
}

// album is the frozen plans with their numbers: "A1 B2".
func (p *pinned) album() string {
	p.t.Helper()
	var all []string
	for _, one := range p.frozen() {
		all = append(all, fmt.Sprintf("%s%d", p.called(one.Name), one.Revision))
	}
	return strings.Join(all, " ")
}

// told are the events about frozen plans since the last call.
func (p *pinned) told() []string {
	var all []string
	for {
		select {
		case event := <-p.Events.(*events.FakeRecorder).Events:
			if strings.Contains(event, "PlanFrozen") {
				all = append(all, p.short(event))
			}
		default:
			return all
		}
	}
}

// begins lets a site begin its phase by the plan that it was told.
func (p *pinned) begins(site string) {
	p.t.Helper()
	sr := siteRollout(p.t, p.Client, site)
	sr.Status.State, sr.Status.CurrentPhase = v1alpha1.SiteProving, "migrate"
	sr.Status.Phases = []v1alpha1.PhaseRecord{{Name: "migrate", Attempt: 1, StartedAt: metav1.NewTime(monday), Revision: sr.Spec.Revision}}
	p.must(p.Client.Status().Update(p.t.Context(), sr))
}

func (p *pinned) passes(site string) {
	p.t.Helper()
	sr := siteRollout(p.t, p.Client, site)
	now := metav1.NewTime(monday)
	sr.Status.State, sr.Status.CurrentPhase, sr.Status.Phases[0].PassedAt = v1alpha1.SiteCompleted, "", &now
	p.must(p.Client.Status().Update(p.t.Context(), sr))
}

// on are the plans that a site was told to go on by, and is judged by.
func (p *pinned) on(site string) string {
	p.t.Helper()
	sr := siteRollout(p.t, p.Client, site)
	on := fmt.Sprintf("goes on by %s", p.called(sr.Spec.Revision))
	if running := plan.Running(sr.Status.Phases); running != nil {
		on += ", judged by " + p.called(running.Revision)
	}
	return on
}

func TestThePlanIsFrozenOnceBeforeTheFirstSiteIsAdmitted(t *testing.T) {
	p := newPinned(t, interceptor.Funcs{})
	for range 3 {
		p.look()
	}
	all := p.frozen()
	if len(all) != 1 {
		t.Fatalf("%d frozen plans", len(all))
	}
	one := all[0]
	owner := metav1.GetControllerOf(&one)
	if owner == nil || owner.UID != "new" || owner.Kind != "CRMRollout" || one.Labels[v1alpha1.LabelRollout] != "r" || one.Revision != 1 || !strings.HasPrefix(one.Name, "r-") {
		t.Errorf("frozen as %+v", one)
	}
	held, err := plan.Decode(one.Data.Raw)
	if err != nil || held.RevisionName("r") != one.Name || *held.AcceptanceGates["accepted"].Spec.Criteria[0].AtLeast != "0.9" {
		t.Errorf("it holds %+v, %v", held, err)
	}
	if got := siteRollout(t, p.Client, "hq").Spec; got.Revision != one.Name || got.AdmittedThrough != "migrate" {
		t.Errorf("hq is told %+v", got)
	}
	if got := siteRollout(t, p.Client, "berlin").Spec; got.Revision != "" {
		t.Errorf("berlin, whose wave is closed, is told %+v", got)
	}
	if diff := cmp.Diff([]string{"Normal PlanFrozen the plan is frozen as A"}, p.told()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestThePlanIsFrozenAnewWhenItIsEdited(t *testing.T) {
	p := newPinned(t, interceptor.Funcs{})
	p.look()
	p.album() // A is the first
	p.begins("hq")
	type state struct{ Album, Site, Current string }
	for _, step := range []struct {
		what  string
		do    func()
		want  state
		event []string
	}{
		{"as it began", func() {}, state{"A1", "goes on by A, judged by A", "A"}, []string{"Normal PlanFrozen the plan is frozen as A"}},
		{"the gate is edited", func() { p.edit("0.97") }, state{"A1 B2", "goes on by B, judged by A", "B"},
			[]string{"Normal PlanFrozen the plan is frozen as B; before, it was A: AcceptanceGate/accepted spec.criteria[name=used].atLeast: 0.9 is 0.97 now"}},
		{"nothing happens", func() {}, state{"A1 B2", "goes on by B, judged by A", "B"}, nil},
		{"it is edited back: no object is new, and the site is told", func() { p.edit("0.9") }, state{"B2 A3", "goes on by A, judged by A", "A"},
			[]string{"Normal PlanFrozen the plan is frozen as A; before, it was B: AcceptanceGate/accepted spec.criteria[name=used].atLeast: 0.97 is 0.9 now"}},
		{"what nobody needs is deleted when nothing is left to tell", func() {}, state{"A3", "goes on by A, judged by A", "A"}, nil},
		{"it is edited once more: no number is given twice", func() { p.edit("0.8") }, state{"A3 C4", "goes on by C, judged by A", "C"},
			[]string{"Normal PlanFrozen the plan is frozen as C; before, it was A: AcceptanceGate/accepted spec.criteria[name=used].atLeast: 0.9 is 0.8 now"}},
		{"the site is past it: berlin is admitted, and nothing is deleted in that moment", func() { p.passes("hq") }, state{"A3 C4", "goes on by C", "C"}, nil},
		{"the next time it is", func() {}, state{"C4", "goes on by C", "C"}, nil},
	} {
		step.do()
		p.look()
		album := p.album()
		got := state{album, p.on("hq"), p.called(rolloutNow(t, p.Client).Status.CurrentRevision)}
		if diff := cmp.Diff(step.want, got) + cmp.Diff(step.event, p.told()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.what, diff)
		}
	}
	if got := p.on("berlin"); got != "goes on by C" {
		t.Errorf("berlin %s", got)
	}
}

func TestAFrozenPlanIsDeletedOnlyWhenNobodyIsToldAnything(t *testing.T) {
	var told, deleted int
	count := func(o client.Object) {
		if _, site := o.(*v1alpha1.SiteRollout); site {
			told++
		}
	}
	p := newPinned(t, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
			count(o)
			return c.Create(ctx, o, options...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, options ...client.PatchOption) error {
			count(o)
			return c.Patch(ctx, o, patch, options...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.DeleteOption) error {
			deleted++
			return c.Delete(ctx, o, options...)
		},
	})
	var got [][2]int
	for range 2 {
		p.look()
	}
	p.edit("0.97") // hq is admitted, and has not begun
	for range 3 {
		told, deleted = 0, 0
		p.look()
		got = append(got, [2]int{told, deleted})
	}
	if diff := cmp.Diff([][2]int{{1, 0}, {0, 1}, {0, 0}}, got); diff != "" {
		t.Errorf("sites that are told and plans that are deleted, each time (-want +got):\n%s", diff)
	}
}

func TestNobodyIsAdmittedByAPlanThatCannotBeFrozen(t *testing.T) {
	refusal := apierrors.NewForbidden(appsv1.Resource("controllerrevisions"), "r-1", nil)
	refuse := true
	p := newPinned(t, interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
		if _, plan := o.(*appsv1.ControllerRevision); plan && refuse {
			return refusal
		}
		return c.Create(ctx, o, options...)
	}})
	if err := look(t, p.Reconciler); !apierrors.IsForbidden(err) {
		t.Errorf("error %v, want the refusal, so that it is tried again", err)
	}
	var sites v1alpha1.SiteRolloutList
	p.must(p.Client.List(t.Context(), &sites))
	if len(sites.Items) > 0 {
		t.Errorf("sites %+v", sites.Items)
	}
	status := rolloutNow(t, p.Client).Status
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionFalse || ready.Reason != v1alpha1.ReasonWriteFailed || !strings.Contains(ready.Message, "freeze the plan as r-") {
		t.Errorf("ready %+v, want False with WriteFailed", ready)
	}
	if status.CurrentRevision != "" || len(status.Revisions) > 0 {
		t.Errorf("the status tells of plan %q and %+v, which do not exist", status.CurrentRevision, status.Revisions)
	}
	refuse = false
	p.look()
	if got := siteRollout(t, p.Client, "hq").Spec; got.AdmittedThrough != "migrate" || got.Revision != p.frozen()[0].Name {
		t.Errorf("when it is let, hq is told %+v", got)
	}
}

func TestAPlanWithMistakesIsFrozenOnlyWhenASiteGoesOnByIt(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*v1alpha1.CRMRollout)
		want  string
	}{
		"its only phase has a mistake": {func(r *v1alpha1.CRMRollout) { r.Spec.Phases[0].Name = "broken" }, ""},
		"a later phase has one": {func(r *v1alpha1.CRMRollout) {
			r.Spec.Phases = append(r.Spec.Phases, v1alpha1.LocalReference{Name: "broken"})
		}, "A1"},
		"the rollout itself has one": {func(r *v1alpha1.CRMRollout) { r.Spec.Through = "nowhere" }, ""},
		"it is suspended":            {func(r *v1alpha1.CRMRollout) { r.Spec.Suspend = true }, "A1"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := &v1alpha1.RolloutPhase{ObjectMeta: named("broken"), Spec: v1alpha1.RolloutPhaseSpec{ExitGate: &v1alpha1.LocalReference{Name: "missing"}}}
			p := newPinned(t, interceptor.Funcs{}, broken)
			rollout := rolloutNow(t, p.Client)
			tc.spoil(rollout)
			p.must(p.Client.Update(t.Context(), rollout))
			p.look()
			p.look()
			if got := p.album(); got != tc.want {
				t.Errorf("frozen: %q, want %q", got, tc.want)
			}
		})
	}
}

func TestAFrozenPlanThatAPersonDeletesIsMadeAgain(t *testing.T) {
	p := newPinned(t, interceptor.Funcs{})
	p.look()
	p.album()
	p.begins("hq")
	p.edit("0.97")
	p.look()
	p.album()
	remove := func(name string) {
		for _, one := range p.frozen() {
			if p.called(one.Name) == name {
				p.must(p.Client.Delete(t.Context(), &one))
			}
		}
		p.look()
	}
	remove("B")
	if got := p.album(); got != "A1 B2" {
		t.Errorf("the current one is deleted, and then there are %q", got)
	}
	remove("A")
	if got := p.album(); got != "B2" {
		t.Errorf("one that is not current cannot be made again, and there are %q", got)
	}
	if got := p.on("hq"); got != "goes on by B, judged by A" {
		t.Errorf("hq %s", got)
	}
}

func TestACacheThatLagsFreezesNoPlanTwice(t *testing.T) {
	p := newPinned(t, interceptor.Funcs{})
	hiding := interceptor.NewClient(p.Client.(client.WithWatch), interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		if _, plans := list.(*appsv1.ControllerRevisionList); plans {
			return nil
		}
		return c.List(ctx, list, options...)
	}})
	p.Revisions = &catalogue.Revisions{Client: hiding, Live: p.Client}
	for range 3 {
		p.look()
	}
	if got := p.album(); got != "A1" {
		t.Errorf("frozen: %s", got)
	}
	if diff := cmp.Diff([]string{"Normal PlanFrozen the plan is frozen as A"}, p.told()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if got := rolloutNow(t, p.Client).Status.CurrentRevision; p.called(got) != "A" {
		t.Errorf("the status tells of plan %q", got)
	}
}

// hand gives the frozen plans and the stories to a rollout with another UID, or to nobody.
func (p *pinned) hand(owner types.UID) {
	p.t.Helper()
	owners := func(o client.Object) {
		o.SetOwnerReferences(nil)
		if owner != "" {
			o.SetOwnerReferences(story("hq", owner).OwnerReferences)
		}
		p.must(p.Client.Update(p.t.Context(), o))
	}
	for _, one := range p.frozen() {
		owners(&one)
	}
	var sites v1alpha1.SiteRolloutList
	p.must(p.Client.List(p.t.Context(), &sites))
	for i := range sites.Items {
		owners(&sites.Items[i])
	}
}

func TestOrphanedPlansAreAdoptedWithTheStories(t *testing.T) {
	p := newPinned(t, interceptor.Funcs{})
	p.look()
	p.album()
	p.begins("hq")
	p.edit("0.97")
	p.look()
	p.told()
	p.hand("") // kubectl delete crmrollout r --cascade=orphan, and then it is applied again
	p.ledger.forget(types.NamespacedName{Namespace: "crm", Name: "r"})
	p.Revisions = &catalogue.Revisions{Client: p.Client, Live: p.Client}
	p.look()
	for _, one := range p.frozen() {
		if owner := metav1.GetControllerOf(&one); owner == nil || owner.UID != "new" {
			t.Errorf("plan %s has the owners %+v", p.called(one.Name), one.OwnerReferences)
		}
	}
	if got := []string{p.album(), p.on("hq")}; !slices.Equal(got, []string{"A1 B2", "goes on by B, judged by A"}) || len(p.told()) > 0 {
		t.Errorf("there are plans %s, and hq %s", got[0], got[1])
	}
}

func TestAPlanOfAFormerRolloutOfTheSameNameIsWaitedFor(t *testing.T) {
	p := newPinned(t, interceptor.Funcs{})
	p.look()
	p.hand("old")
	for i := range 2 { // the garbage collector deletes first the stories, and then the plan
		p.ledger.forget(types.NamespacedName{Namespace: "crm", Name: "r"})
		p.look()
		if i == 0 {
			p.must(p.Client.DeleteAllOf(t.Context(), &v1alpha1.SiteRollout{}, client.InNamespace("crm")))
		}
	}
	var sites v1alpha1.SiteRolloutList
	p.must(p.Client.List(t.Context(), &sites))
	if owner := metav1.GetControllerOf(&p.frozen()[0]); len(sites.Items) > 0 || owner.UID != "old" {
		t.Errorf("sites %+v were told of a plan of %s", sites.Items, owner.UID)
	}
	p.must(p.Client.DeleteAllOf(t.Context(), &appsv1.ControllerRevision{}, client.InNamespace("crm")))
	p.look()
	if owner := metav1.GetControllerOf(&p.frozen()[0]); owner.UID != "new" || siteRollout(t, p.Client, "hq").Spec.Revision != p.frozen()[0].Name {
		t.Errorf("the plan belongs to %s", owner.UID)
	}
}

func TestTheStatusTellsWhoIsOnWhichPlan(t *testing.T) {
	var more []client.Object
	for i := range 6 {
		more = append(more, &v1alpha1.RolloutSite{ObjectMeta: named(fmt.Sprintf("site-%d", i))})
	}
	p := newPinned(t, interceptor.Funcs{}, more...)
	p.look()
	p.album()
	p.begins("hq")
	p.edit("0.97")
	p.look()
	p.album()
	var got []v1alpha1.RevisionStatus
	for _, one := range rolloutNow(t, p.Client).Status.Revisions {
		one.Name = p.called(one.Name)
		got = append(got, one)
	}
	want := []v1alpha1.RevisionStatus{
		{Name: "B", Revision: 2, Sites: 7, SiteNames: []string{"berlin", "site-0", "site-1", "site-2", "site-3"}},
		{Name: "A", Revision: 1, Sites: 1, SiteNames: []string{"hq"}, Changes: []string{"AcceptanceGate/accepted spec.criteria[name=used].atLeast: 0.9 is 0.97 now"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("revisions (-want +got):\n%s", diff)
	}
	p.passes("hq")
	for range 3 { // the others are admitted, the plan is deleted, and its end is seen
		p.look()
	}
	if left := rolloutNow(t, p.Client).Status.Revisions; len(left) != 1 || left[0].Sites != 7 {
		t.Errorf("when hq has completed: %+v", left)
	}
}

func TestMoreChangesThanAStatusHasRoomForAreCounted(t *testing.T) {
	lines := func(n int) []string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("change %d", i))
		}
		return all
	}
	for name, tc := range map[string]struct {
		changes, want []string
	}{
		"none":                    {nil, nil},
		"as many as there is for": {lines(10), lines(10)},
		"one more":                {lines(11), append(lines(9), "and 2 more")},
		"a long one":              {[]string{strings.Repeat("x", 600)}, []string{strings.Repeat("x", 509) + "..."}},
	} {
		t.Run(name, func(t *testing.T) {
			given := slices.Clone(tc.changes)
			if diff := cmp.Diff(tc.want, fewer(given)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// plan changes the rollout.
func (p *pinned) plan(change func(*v1alpha1.CRMRollout)) {
	p.t.Helper()
	rollout := rolloutNow(p.t, p.Client)
	change(rollout)
	p.must(p.Client.Update(p.t.Context(), rollout))
}

func TestAPlanIsKeptForASiteThatWillGoOnByIt(t *testing.T) {
	for adopt, want := range map[v1alpha1.AdoptPolicy]string{v1alpha1.AdoptNewSites: "A1 B2", v1alpha1.AdoptNextPhase: "B2", "": "B2"} {
		t.Run("adopt "+string(adopt), func(t *testing.T) {
			p := newPinned(t, interceptor.Funcs{}, &v1alpha1.RolloutPhase{ObjectMeta: named("golive")})
			p.plan(func(r *v1alpha1.CRMRollout) {
				r.Spec.Adopt, r.Spec.Through, r.Spec.Phases = adopt, "migrate", []v1alpha1.LocalReference{{Name: "migrate"}, {Name: "golive"}}
			})
			p.look()
			p.album()
			p.begins("hq")
			p.passes("hq") // and now it waits in front of the other phase
			p.edit("0.97")
			for range 3 {
				p.look()
			}
			if got := p.album(); got != want {
				t.Errorf("there are plans %q, want %q", got, want)
			}
		})
	}
}

func TestASiteWhosePhaseDoesNotComeNextAnyMoreIsAdmittedToWhatDoes(t *testing.T) {
	const there = `hq is admitted to "train", and goes on by B`
	for name, tc := range map[string]struct {
		limit *intstr.IntOrString
		want  []string
	}{
		"in one write, which fails if it has begun at that very moment": {nil, []string{there, there}},
		"in two, when there is no place but its own":                    {ptr.To(intstr.FromInt32(1)), []string{`hq is admitted to "", and goes on by B`, there}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPinned(t, interceptor.Funcs{}, &v1alpha1.RolloutPhase{ObjectMeta: named("train")})
			p.plan(func(r *v1alpha1.CRMRollout) { r.Spec.MaxConcurrent = tc.limit })
			p.look()
			p.album()
			p.plan(func(r *v1alpha1.CRMRollout) {
				r.Spec.Phases = []v1alpha1.LocalReference{{Name: "train"}, {Name: "migrate"}}
			})
			var got []string
			for range 2 {
				p.look()
				p.album()
				got = append(got, fmt.Sprintf("hq is admitted to %q, and %s", siteRollout(t, p.Client, "hq").Spec.AdmittedThrough, p.on("hq")))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
