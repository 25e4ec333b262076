package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
	"golang.org/x/sync/errgroup"
)

const (
	// floorNamespace is where the writes are made that stand for those of the operator.
	floorNamespace = "crm-floor"
	// writers is how many writes are on their way at a time: as many as the operator's, 8 of sites and 8 of the rollout.
	writers = 16
)

// sitePatches are the writes that a course consists of, as the API server measures their sizes.
var sitePatches = request{verb: "PATCH", group: crmv1.GroupVersion.Group, resource: "siterollouts"}

// floor is what some writes cost when nothing else is done.
type floor struct {
	writers int
	took    time.Duration
	writes  map[request]float64
	refused map[request]float64
	bodies  map[request]bodies
	// model are the sizes of the writes that these stand for.
	model map[request]bodies
}

// sizes compares the mean size of a patch with that of the writes that it stands for.
func (f floor) sizes() float64 {
	return ratio(f.bodies[sitePatches].mean(), f.model[sitePatches].mean())
}

// same reports whether the writes are as many as those that they stand for, of each kind, and about as long.
func (f floor) same(c cost) bool {
	for kind := range keys(f.writes, c.writes) {
		if f.writes[kind] != c.writes[kind] {
			return false
		}
	}
	return len(f.writes) > 0 && f.sizes() > 0.8 && f.sizes() < 1.25
}

// measureFloor makes the writes of a course once more, on copies of its objects. The manager has ended.
func (s *stage) measureFloor(ctx context.Context, c cost) (floor, error) {
	f := floor{writers: writers, model: c.bodies}
	course, err := s.prepareFloor(ctx, c)
	if err != nil {
		return f, err
	}
	say("%d sites: the same %.0f writes alone, %d at a time", len(s.programme.sites), sum(c.writes), writers)
	before, err := s.serverSample(ctx)
	if err != nil {
		return f, err
	}
	if err := perform(ctx, course); err != nil {
		return f, fmt.Errorf("make the writes of the course alone: %w", err)
	}
	after, err := s.serverSample(ctx)
	if err != nil {
		return f, err
	}
	alone := costOf(before, after, s.programme.interval)
	f.took, f.writes, f.refused, f.bodies = alone.length, alone.writes, alone.refused, alone.bodies
	return f, nil
}

// script is a series of writes that follow each other.
type script []func(ctx context.Context) error

// perform carries out scripts, several at a time.
func perform(ctx context.Context, scripts []script) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for _, one := range scripts {
		group.Go(func() error {
			for _, write := range one {
				if err := write(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// prepareFloor copies the objects of the course as they were before it, and makes one script for each site. What belongs to no site is spread over them.
func (s *stage) prepareFloor(ctx context.Context, c cost) ([]script, error) {
	stories, err := s.stories(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.cluster.CreateNamespace(ctx, floorNamespace); err != nil {
		return nil, err
	}
	others, err := s.otherWrites(ctx, c)
	if err != nil {
		return nil, err
	}
	group := func(resource, subresource string) float64 {
		return c.writes[request{"PATCH", crmv1.GroupVersion.Group, resource, subresource}]
	}
	specs, statuses := share(group("siterollouts", ""), len(stories)), share(group("siterollouts", "status"), len(stories))
	elsewhere := share(float64(len(others)), len(stories))
	scripts := make([]script, len(stories))
	for i := range stories {
		site := copyOf(&stories[i])
		if err := s.client.Create(ctx, site); err != nil {
			return nil, fmt.Errorf("copy the story of a site: %w", err)
		}
		scripts[i] = interleave(s.admissions(site, stories[i].Spec, specs[i]), s.reports(site, stories[i].Status, statuses[i]), others[:elsewhere[i]])
		others = others[elsewhere[i]:]
	}
	return scripts, nil
}

// copyOf is a SiteRollout before anything happened to it, in the namespace of the floor.
func copyOf(sr *crmv1.SiteRollout) *crmv1.SiteRollout {
	copied := &crmv1.SiteRollout{ObjectMeta: metav1.ObjectMeta{Namespace: floorNamespace, Name: sr.Name, Labels: sr.Labels, OwnerReferences: sr.OwnerReferences}, Spec: sr.Spec}
	copied.Spec.AdmittedThrough, copied.Spec.AdmittedAt = "", nil
	return copied
}

// share divides a number of writes among sites.
func share(count float64, sites int) []int {
	shares := make([]int, sites)
	for i := range int(count) {
		shares[i%sites]++
	}
	return shares
}

// interleave mixes series of writes evenly, so that each keeps its order.
func interleave(series ...script) script {
	total, next := 0, make([]int, len(series))
	for _, one := range series {
		total += len(one)
	}
	mixed := make(script, 0, total)
	for len(mixed) < total {
		// The series that is furthest behind comes next.
		least := -1
		for i, one := range series {
			if next[i] < len(one) && (least < 0 || next[i]*len(series[least]) < next[least]*len(one)) {
				least = i
			}
		}
		mixed = append(mixed, series[least][next[least]])
		next[least]++
	}
	return mixed
}

// admissions are patches of a spec, each with the version of the object as the operator's have it.
func (s *stage) admissions(site *crmv1.SiteRollout, spec crmv1.SiteRolloutSpec, count int) script {
	var all script
	for i := range count {
		all = append(all, func(ctx context.Context) error {
			admitted := map[string]any{"admittedThrough": s.programme.phases[i%len(s.programme.phases)], "admittedAt": spec.AdmittedAt}
			return s.patch(ctx, site, map[string]any{"spec": admitted}, false)
		})
	}
	return all
}

// reports are patches of a status as it was after each of some steps of the story.
func (s *stage) reports(site *crmv1.SiteRollout, status crmv1.SiteRolloutStatus, count int) script {
	var all script
	for i := range count {
		part := upTo(status, stepsBy(i, count, len(status.Transitions)))
		part.Message = fmt.Sprintf("%s (%d)", part.Message, i)
		all = append(all, func(ctx context.Context) error { return s.patch(ctx, site, map[string]any{"status": part}, true) })
	}
	return all
}

// stepsBy is how many steps of a story stand in the patch with an index, out of so many. The first step, that the site joined, was written before the course; so the first patch has two,
// the last one has all.
func stepsBy(index, patches, steps int) int {
	const joined = 1
	return joined + int(math.Ceil(float64((index+1)*(steps-joined))/float64(patches)))
}

// upTo is the status of a site after the first of its steps.
func upTo(status crmv1.SiteRolloutStatus, steps int) crmv1.SiteRolloutStatus {
	part := *status.DeepCopy()
	part.Transitions = part.Transitions[:steps]
	begun := map[string]bool{}
	for _, transition := range part.Transitions {
		if transition.Attempt > 0 {
			begun[transition.Phase] = true
		}
	}
	part.Phases = part.Phases[:min(len(begun), len(part.Phases))]
	return part
}

// patch sends a merge patch with the version of the object, and keeps the version that comes back.
func (s *stage) patch(ctx context.Context, object client.Object, change map[string]any, status bool) error {
	change["metadata"] = map[string]any{"resourceVersion": object.GetResourceVersion()}
	body, err := json.Marshal(change)
	if err != nil {
		return err
	}
	patch := client.RawPatch(types.MergePatchType, body)
	if status {
		return s.client.Status().Patch(ctx, object, patch)
	}
	return s.client.Patch(ctx, object, patch)
}

// otherWrites are the writes of a course that are not to stories: statuses of the rollout and of KPIs, and events.
func (s *stage) otherWrites(ctx context.Context, c cost) (script, error) {
	var all script
	var unknown error
	for kind, count := range c.writes {
		var made script
		var err error
		switch kind {
		case request{"PATCH", crmv1.GroupVersion.Group, "siterollouts", ""}, request{"PATCH", crmv1.GroupVersion.Group, "siterollouts", "status"}:
			continue
		case request{"PATCH", crmv1.GroupVersion.Group, "crmrollouts", "status"}:
			made, err = s.refreshes(ctx, s.programme.rollout(), int(count))
		case request{"PATCH", crmv1.GroupVersion.Group, "kpis", "status"}:
			made, err = s.refreshes(ctx, &crmv1.KPI{ObjectMeta: meta(s.programme.measured[0].kpi)}, int(count))
		case request{"POST", "events.k8s.io", "events", ""}:
			made, err = s.tellings(ctx, int(count))
		case request{"PATCH", crmv1.GroupVersion.Group, "crmrollouts", ""}:
			made = s.promotions(int(count))
		default:
			err = fmt.Errorf("the floor has no write like %.0f times %s", count, kind)
		}
		all, unknown = append(all, made...), errors.Join(unknown, err)
	}
	return all, unknown
}

// copied makes a copy of an object, without its status.
func (s *stage) copied(ctx context.Context, object client.Object) (status any, err error) {
	if err := s.client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return nil, fmt.Errorf("copy %s: %w", object.GetName(), err)
	}
	switch o := object.(type) {
	case *crmv1.CRMRollout:
		status = o.Status.DeepCopy()
	case *crmv1.KPI:
		status = o.Status.DeepCopy()
	}
	object.SetNamespace(floorNamespace)
	object.SetResourceVersion("")
	object.SetUID("")
	object.SetManagedFields(nil)
	if err := s.client.Create(ctx, object); err != nil {
		return nil, fmt.Errorf("copy %s: %w", object.GetName(), err)
	}
	return status, nil
}

// refreshes write a status that differs from the one before.
func (s *stage) refreshes(ctx context.Context, object client.Object, count int) (script, error) {
	status, err := s.copied(ctx, object)
	if err != nil {
		return nil, err
	}
	var all script
	for i := range count {
		all = append(all, func(ctx context.Context) error {
			body, err := json.Marshal(map[string]any{"status": status, "metadata": map[string]any{}})
			if err != nil {
				return err
			}
			var changed map[string]any
			if err := json.Unmarshal(body, &changed); err != nil {
				return err
			}
			changed["status"].(map[string]any)["observedGeneration"] = i + 1
			if body, err = json.Marshal(changed); err != nil {
				return err
			}
			return s.client.Status().Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, body))
		})
	}
	return all, nil
}

// promotions stand for what let the rollout begin.
func (s *stage) promotions(count int) script {
	var all script
	for range count {
		all = append(all, func(ctx context.Context) error {
			one := s.programme.rollout()
			one.Namespace = floorNamespace
			return s.client.Patch(ctx, one, release())
		})
	}
	return all
}

// tellings post events like those of the course.
func (s *stage) tellings(ctx context.Context, count int) (script, error) {
	var told eventsv1.EventList
	if err := s.client.List(ctx, &told, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("read the events of the course: %w", err)
	}
	if len(told.Items) == 0 {
		return nil, errors.New("the course left no events to copy")
	}
	var all script
	for i := range count {
		event := told.Items[i%len(told.Items)].DeepCopy()
		event.ObjectMeta = metav1.ObjectMeta{Namespace: floorNamespace, Name: fmt.Sprintf("%s.%d", event.Regarding.Name, i)}
		event.Regarding.Namespace = floorNamespace
		event.DeprecatedSource, event.DeprecatedFirstTimestamp, event.DeprecatedLastTimestamp, event.DeprecatedCount, event.Series = corev1.EventSource{}, metav1.Time{}, metav1.Time{}, 0, nil
		all = append(all, func(ctx context.Context) error { return s.client.Create(ctx, event) })
	}
	return all, nil
}
