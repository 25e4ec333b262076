package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

const (
	// seldom is the interval of the KPI where many sites are looked at: longer than a benchmark, so that nothing is measured in it but at the start.
	seldom = time.Hour
	// stillFor is how long the API server must not have been written to before a manager counts as settled.
	stillFor = 15 * time.Second
	// maxShare is the share of a core that completed sites may cost.
	maxShare = 0.01
)

// newWave is a rollout whose sites are all admitted at once, in one wave, and then prove their phase forever.
func newWave(sites int) programme {
	p := newCourse(sites, 1)
	p.passes, p.interval = false, seldom
	p.measured[0].criterion.For = hold
	return p
}

// wave is what it took to admit many sites at once.
type wave struct {
	sites int
	// joining is what it cost that all sites joined the rollout, admitting that all of them began.
	joining, admitting cost
}

// measureWave lets all sites of a programme join, and then admits all of them.
func measureWave(ctx context.Context, p programme) (wave, error) {
	w := wave{sites: len(p.sites)}
	err := onStage(ctx, p, func(ctx context.Context, s *stage) error {
		say("%d sites: joining the rollout", w.sites)
		var err error
		w.joining, err = s.during(ctx, "joined the rollout", func(ctx context.Context) error { return nil }, func(r *crmv1.CRMRollout) bool {
			return int(r.Status.Sites.Waiting) == w.sites
		})
		if err != nil {
			return err
		}
		say("%d sites: admitting all of them", w.sites)
		w.admitting, err = s.during(ctx, "in its phase at every site", s.release, func(r *crmv1.CRMRollout) bool {
			return int(r.Status.Sites.Moving) == w.sites
		})
		return err
	})
	return w, err
}

// during does something, waits until the rollout is as wanted, and tells what that cost.
func (s *stage) during(ctx context.Context, what string, do func(context.Context) error, wanted func(*crmv1.CRMRollout) bool) (cost, error) {
	before, err := s.sample(ctx)
	if err != nil {
		return cost{}, err
	}
	began := time.Now()
	if err := do(ctx); err != nil {
		return cost{}, err
	}
	if err := s.rolloutIs(ctx, what, wanted); err != nil {
		return cost{}, err
	}
	took := time.Since(began)
	after, err := s.sample(ctx)
	if err != nil {
		return cost{}, err
	}
	c := costOf(before, after, s.programme.interval)
	c.sites, c.length = len(s.programme.sites), took
	return c, nil
}

func (w wave) claims() []claim {
	admitted := w.admitting.taken(request{"PATCH", crmv1.GroupVersion.Group, "siterollouts", ""})
	return []claim{{
		what:  fmt.Sprintf("%d sites in one wave: %.0f admissions, %.0f failed reconciles (must be one each, and none)", w.sites, admitted, w.admitting.failures),
		holds: int(admitted) == w.sites && w.admitting.failures == 0,
	}}
}

// waveTable shows how many sites joined, and were admitted.
func waveTable(w wave) string {
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, "\n%d sites in one wave\n", w.sites) // a strings.Builder never fails
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', tabwriter.AlignRight)
	line := func(name string, cell func(cost) string) {
		_, _ = fmt.Fprintln(table, strings.Join([]string{name, cell(w.joining), cell(w.admitting)}, "\t")+"\t")
	}
	_, _ = fmt.Fprintln(table, "\tjoining\tall admitted\t")
	line("wall time", func(c cost) string { return c.length.Round(100 * time.Millisecond).String() })
	line("API writes", func(c cost) string { return whole(sum(c.writes)) })
	line("of them refused as out of date", func(c cost) string { return whole(sum(c.refused)) })
	line("API writes per site", func(c cost) string { return fmt.Sprintf("%.2f", c.perSite()) })
	line("API writes per second", func(c cost) string { return whole(ratio(sum(c.writes), c.length.Seconds())) })
	line("reconciles of the rollout", func(c cost) string { return whole(c.spans["crmrollout"].count) })
	line("time of one, mean", func(c cost) string { return c.spans["crmrollout"].mean().Round(time.Millisecond).String() })
	line("time of all of them", func(c cost) string { return fmt.Sprintf("%.1fs", c.spans["crmrollout"].seconds) })
	line("reconciles of sites", func(c cost) string { return whole(c.spans["siterollout"].count) })
	line("time of one, mean", func(c cost) string { return c.spans["siterollout"].mean().Round(time.Microsecond).String() })
	line("CPU of the manager", func(c cost) string { return fmt.Sprintf("%.1fs", c.cpu.Seconds()) })
	line("CPU per site", func(c cost) string {
		return time.Duration(ratio(float64(c.cpu), float64(c.sites))).Round(10 * time.Microsecond).String()
	})
	line("RSS", func(c cost) string { return mebibytes(c.resident) })
	line("RSS, peak since the start", func(c cost) string { return mebibytes(c.peak) })
	_ = table.Flush()
	return text.String()
}

// measureCompleted makes a rollout with many completed sites and looks at the manager while it has nothing to do. One site goes through its phases; the others get its story.
func measureCompleted(ctx context.Context, sites int, quiet time.Duration) (cost, error) {
	p := newCourse(1, coursePhases)
	p.together = false
	var measured cost
	err := onStage(ctx, p, func(ctx context.Context, s *stage) error {
		if err := s.completed(ctx); err != nil {
			return err
		}
		if err := s.manager.Stop(); err != nil {
			return err
		}
		say("%d sites: writing their stories", sites)
		if err := s.multiply(ctx, sites); err != nil {
			return err
		}
		say("%d sites: starting the manager again", sites)
		if err := s.startManager(ctx); err != nil {
			return err
		}
		if err := s.completed(ctx); err != nil {
			return err
		}
		if err := s.rest(ctx); err != nil {
			return err
		}
		say("%d sites: measuring %s", sites, quiet)
		var err error
		measured, err = s.measure(ctx, quiet)
		return err
	})
	return measured, err
}

// multiply gives more sites the story of the only one.
func (s *stage) multiply(ctx context.Context, sites int) error {
	stories, err := s.stories(ctx)
	if err != nil {
		return err
	}
	original := stories[0]
	rare := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"interval":"%ds","staleAfter":"%ds"}}`, seldom/time.Second, 2*seldom/time.Second))
	if err := s.client.Patch(ctx, &crmv1.KPI{ObjectMeta: meta(s.programme.measured[0].kpi)}, rare); err != nil {
		return fmt.Errorf("measure seldom: %w", err)
	}
	s.programme.interval = seldom
	s.programme.sites = called("site", sites)
	var scripts []script
	for _, name := range s.programme.sites[1:] {
		scripts = append(scripts, script{
			func(ctx context.Context) error { return s.client.Create(ctx, s.programme.site(name, only)) },
			func(ctx context.Context) error { return s.tellAgain(ctx, original, name) },
		})
	}
	return perform(ctx, scripts)
}

// tellAgain writes the story of one site for another.
func (s *stage) tellAgain(ctx context.Context, original crmv1.SiteRollout, name string) error {
	copied := &crmv1.SiteRollout{ObjectMeta: meta("bench." + name), Spec: *original.Spec.DeepCopy()}
	copied.Labels = map[string]string{}
	for key, value := range original.Labels {
		copied.Labels[key] = value
	}
	copied.Labels[crmv1.LabelSite], copied.Spec.Site, copied.OwnerReferences = name, name, original.OwnerReferences
	if err := s.client.Create(ctx, copied); err != nil {
		return err
	}
	told := *original.Status.DeepCopy()
	told.ObservedGeneration = copied.Generation // else the manager would write every one of them when it starts
	for i := range told.Conditions {
		told.Conditions[i].ObservedGeneration = copied.Generation
	}
	return s.patch(ctx, copied, map[string]any{"status": told}, true)
}

// rest waits until nothing has been written for a while.
func (s *stage) rest(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.programme.within(), fmt.Errorf("the manager went on writing for %s", s.programme.within()))
	defer cancel()
	last, err := s.serverSample(ctx)
	if err != nil {
		return err
	}
	return s.until(ctx, func() (bool, error) {
		now, err := s.serverSample(ctx)
		if err != nil {
			return false, err
		}
		if sum(costOf(last, now, s.programme.interval).writes) > 0 {
			last = now
		}
		return now.at.Sub(last.at) >= stillFor, nil
	})
}

// completedClaims compares what completed sites cost with what is promised.
func completedClaims(c cost) []claim {
	return []claim{
		{
			what:  fmt.Sprintf("%d completed sites for %s: %.0f API writes, leases apart, %d transitions (must be none)", c.sites, c.length.Round(time.Second), sum(c.writes), c.moved),
			holds: c.sites > 0 && sum(c.writes) == 0 && c.moved == 0 && c.failures == 0,
		}, {
			what:  fmt.Sprintf("%d completed sites: %.2f%% of a core (claim: less than %.0f%%)", c.sites, 100*c.cores(), 100*maxShare),
			holds: c.length > 0 && c.cores() < maxShare,
		},
	}
}

// completedTable shows what completed sites cost.
func completedTable(c cost) string {
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, "\n%d completed sites\n", c.sites) // a strings.Builder never fails
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', tabwriter.AlignRight)
	line := func(name, cell string) { _, _ = fmt.Fprintln(table, name+"\t"+cell+"\t") }
	line("period", c.length.Round(time.Second).String())
	line("API writes, leases apart", whole(sum(c.writes)))
	line("reconciles", whole(sum(c.reconciles)))
	line("CPU", fmt.Sprintf("%.2fs", c.cpu.Seconds()))
	line("CPU, share of one core", fmt.Sprintf("%.2f%%", 100*c.cores()))
	line("RSS", mebibytes(c.resident))
	line("RSS, peak since the start", mebibytes(c.peak))
	line("goroutines", whole(c.goroutines))
	_ = table.Flush()
	return text.String()
}
