package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

const (
	// soon is the interval of the KPI that decides the gates of a course: as short as it may be, so that the writes are what takes time.
	soon = time.Second
	// coursePhases is the number of phases that sites go through.
	coursePhases = 7
	// maxOfFloor is how many times as long as its writes alone a course may take.
	maxOfFloor = 2
)

// newCourse is a rollout in which every site goes through all phases at once: each gate passes at the first measurement after the phase began.
func newCourse(sites, phases int) programme {
	p := programme{sites: called("site", sites), interval: soon, phases: called("phase", phases), passes: true, together: true}
	p.measured = []measured{{kpi: "data-completeness", direction: crmv1.DirectionHigherIsBetter, proving: 0.97, criterion: crmv1.Criterion{AtLeast: threshold("0.95")}}}
	return p
}

// moves is what it cost that many sites went through several phases, and what the same writes cost alone.
type moves struct {
	sites, phases int
	cost          cost
	floor         floor
}

// measureMoves lets every site of a course go through it, and makes the same writes to the same API server afterwards.
func measureMoves(ctx context.Context, p programme) (moves, error) {
	all := moves{sites: len(p.sites), phases: len(p.phases)}
	err := onStage(ctx, p, func(ctx context.Context, s *stage) error {
		say("%d sites: joining the rollout", all.sites)
		if err := s.join(ctx); err != nil {
			return err
		}
		say("%d sites: going through %d phases", all.sites, all.phases)
		before, err := s.sample(ctx)
		if err != nil {
			return err
		}
		released := time.Now()
		if err := s.release(ctx); err != nil {
			return err
		}
		if err := s.completed(ctx); err != nil {
			return err
		}
		took := time.Since(released)
		after, err := s.sample(ctx)
		if err != nil {
			return err
		}
		all.cost = costOf(before, after, p.interval)
		all.cost.sites, all.cost.length = all.sites, took
		if err := s.manager.Stop(); err != nil {
			return err
		}
		all.floor, err = s.measureFloor(ctx, all.cost)
		return err
	})
	return all, err
}

// completed waits until the rollout says that every site has passed every phase. It watches one object, because asking for all sites again and again would be work for the API server.
func (s *stage) completed(ctx context.Context) error {
	return s.rolloutIs(ctx, "completed", func(r *crmv1.CRMRollout) bool {
		return int(r.Status.Sites.Completed) == len(s.programme.sites)
	})
}

// rolloutIs waits until the rollout is as wanted.
func (s *stage) rolloutIs(ctx context.Context, what string, wanted func(*crmv1.CRMRollout) bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.programme.within(), fmt.Errorf("the rollout was not %s within %s", what, s.programme.within()))
	defer cancel()
	var list crmv1.CRMRolloutList
	watch, err := s.client.Watch(ctx, &list, client.InNamespace(namespace))
	if err != nil {
		return fmt.Errorf("watch the rollout: %w", err)
	}
	defer watch.Stop()
	var last *crmv1.CRMRollout
	for {
		select {
		case <-s.manager.Exited():
			return errors.New("the manager ended")
		case event, open := <-watch.ResultChan():
			if ctx.Err() != nil {
				return errors.Join(context.Cause(ctx), fmt.Errorf("it stands at %+v", last.Status.Sites))
			}
			rollout, ok := event.Object.(*crmv1.CRMRollout)
			if !open || !ok {
				return fmt.Errorf("watch the rollout: it ended with %v", event.Object)
			}
			if last = rollout; wanted(rollout) {
				return nil
			}
		}
	}
}

// ofFloor is how many times as long as its writes alone the course took.
func (m moves) ofFloor() float64 { return ratio(m.cost.length.Seconds(), m.floor.took.Seconds()) }

// steps is how many phases all sites together went through.
func (m moves) steps() float64 { return float64(m.sites * m.phases) }

// claims compares what was counted and timed with what is promised.
func (m moves) claims() []claim {
	admissions := m.cost.taken(request{"PATCH", crmv1.GroupVersion.Group, "siterollouts", ""})
	return []claim{
		{
			what:  fmt.Sprintf("every site went through every phase: %.0f of %.0f admissions, %d failed reconciles", admissions, m.steps(), int(m.cost.failures)),
			holds: m.steps() > 0 && admissions == m.steps() && m.cost.failures == 0,
		}, {
			what:  fmt.Sprintf("the floor is the same writes: %.0f of %.0f, sizes x%.2f", sum(m.floor.writes), sum(m.cost.writes), m.floor.sizes()),
			holds: m.floor.same(m.cost),
		}, {
			what: fmt.Sprintf("%d sites through %d phases: %s, the same %.0f writes alone %s: x%.2f (claim: at most x%d)", m.sites, m.phases,
				m.cost.length.Round(100*time.Millisecond), sum(m.cost.writes), m.floor.took.Round(100*time.Millisecond), m.ofFloor(), maxOfFloor),
			holds: m.floor.took > 0 && m.ofFloor() <= maxOfFloor,
		},
	}
}

// movesTable shows the course beside its writes alone.
func movesTable(m moves) string {
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, "\n%d sites through %d phases, all at once; the same writes alone, %d at a time\n", m.sites, m.phases, m.floor.writers) // a strings.Builder never fails
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', tabwriter.AlignRight)
	line := func(cells ...string) { _, _ = fmt.Fprintln(table, strings.Join(cells, "\t")+"\t") }
	line("", "operator", "writes alone")
	line("wall time", m.cost.length.Round(100*time.Millisecond).String(), m.floor.took.Round(100*time.Millisecond).String())
	line("API writes", whole(sum(m.cost.writes)), whole(sum(m.floor.writes)))
	for _, kind := range sortedBy(keys(m.cost.writes, m.floor.writes), request.String) {
		line("of them "+kind.String(), whole(m.cost.writes[kind]), whole(m.floor.writes[kind]))
	}
	line("refused as out of date", whole(sum(m.cost.refused)), whole(sum(m.floor.refused)))
	line("API writes per site and phase", fmt.Sprintf("%.2f", ratio(sum(m.cost.writes), m.steps())), "")
	line("API writes per second", whole(ratio(sum(m.cost.writes), m.cost.length.Seconds())), whole(ratio(sum(m.floor.writes), m.floor.took.Seconds())))
	line("bytes per PATCH of a site", whole(m.cost.bodies[sitePatches].mean()), whole(m.floor.bodies[sitePatches].mean()))
	line("reconciles", whole(sum(m.cost.reconciles)), "")
	for _, controller := range sortedKeys(m.cost.reconciles) {
		line("of "+controller, whole(m.cost.reconciles[controller]), "")
	}
	line("mean reconcile of the rollout", m.cost.spans["crmrollout"].mean().Round(time.Millisecond).String(), "")
	line("CPU of the manager", fmt.Sprintf("%.1fs", m.cost.cpu.Seconds()), "")
	line("CPU per site and phase", time.Duration(ratio(float64(m.cost.cpu), m.steps())).Round(10*time.Microsecond).String(), "")
	line("RSS, peak", mebibytes(m.cost.peak), "")
	_ = table.Flush()
	return text.String()
}

func keys[K comparable](maps ...map[K]float64) map[K]bool {
	all := map[K]bool{}
	for _, m := range maps {
		for key := range m {
			all[key] = true
		}
	}
	return all
}
