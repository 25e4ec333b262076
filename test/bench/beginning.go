package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
)

// begin waits until every site has joined the rollout, and lets all of them begin.
func (s *stage) begin(ctx context.Context) error {
	if err := s.join(ctx); err != nil {
		return err
	}
	return s.release(ctx)
}

// join waits until every site has joined the rollout, and waits to begin, and until every site's object has been looked at: that is written down, and is no part of what follows.
func (s *stage) join(ctx context.Context) error {
	within := s.programme.within()
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("the sites did not join within %s", within))
	defer cancel()
	return s.until(ctx, func() (bool, error) {
		stories, err := s.stories(ctx)
		if err != nil {
			return false, err
		}
		unready := func(story crmv1.SiteRollout) bool { return story.Status.State != crmv1.SiteWaiting }
		if len(stories) != len(s.programme.states()) || slices.ContainsFunc(stories, unready) {
			return false, nil
		}
		var sites crmv1.RolloutSiteList
		if err := s.client.List(ctx, &sites, client.InNamespace(namespace)); err != nil {
			return false, fmt.Errorf("read the sites: %w", err)
		}
		unseen := func(site crmv1.RolloutSite) bool { return site.Status.ObservedGeneration != site.Generation }
		return !slices.ContainsFunc(sites.Items, unseen), nil
	})
}

// release lets the sites begin.
func (s *stage) release(ctx context.Context) error {
	if err := s.client.Patch(ctx, s.programme.rollout(), release()); err != nil {
		return fmt.Errorf("let the rollout begin: %w", err)
	}
	return nil
}

// release is the change by which a rollout that was suspended begins.
func release() client.Patch {
	return client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"suspend":null,"suspendReason":null}}`))
}

// beginning is what it took that many sites began a phase with baselines.
type beginning struct {
	sites    int
	interval time.Duration
	// took is the time from the first site's beginning to the last one's.
	took time.Duration
	// controls is the smallest number of control sites that a site got.
	controls int
	takes    []take
}

// take is how often a KPI was asked about for baselines.
type take struct {
	kpi string
	// controlled is true when the baseline has a control group, which is asked about at an earlier time too.
	controlled bool
	// now and earlier are the moments that were asked about.
	now, earlier []time.Time
}

// began tells how the sites began. It is to be called once they have.
func (s *stage) began(ctx context.Context) (beginning, error) {
	stories, err := s.stories(ctx)
	if err != nil {
		return beginning{}, err
	}
	all := beginning{sites: len(s.programme.sites), interval: s.programme.interval, controls: controlSites}
	var first, last time.Time
	for _, story := range stories {
		for _, record := range story.Status.Phases {
			if at := record.StartedAt.Time; first.IsZero() || at.Before(first) {
				first = at
			}
			if at := record.StartedAt.Time; at.After(last) {
				last = at
			}
			all.controls = min(all.controls, fewestControls(record))
		}
	}
	if first.IsZero() {
		return all, errors.New("no site has begun")
	}
	all.took = last.Sub(first)
	window, err := baselineWindow.Parse()
	if err != nil {
		return all, fmt.Errorf("read the window of baselines: %w", err)
	}
	for _, m := range s.programme.measured {
		if m.before != 0 {
			all.takes = append(all.takes, takeOf(m, s.prometheus.Asked(m.over(baselineWindow)), first.Add(-window/2)))
		}
	}
	return all, nil
}

// fewestControls is the size of the smallest control group that a site keeps of a phase.
func fewestControls(record crmv1.PhaseRecord) int {
	fewest := controlSites
	for _, baseline := range record.Baselines {
		if baseline.PreTrend != "" {
			fewest = min(fewest, len(baseline.Controls))
		}
	}
	return fewest
}

// takeOf tells apart what was asked about the time when sites began, and about the time before that.
func takeOf(m measured, moments []time.Time, between time.Time) take {
	t := take{kpi: m.kpi, controlled: m.controlled}
	for _, moment := range moments {
		if moment.Before(between) {
			t.earlier = append(t.earlier, moment)
		} else {
			t.now = append(t.now, moment)
		}
	}
	return t
}

// asPromised reports whether the KPI was asked about once per interval, and as often about an earlier time when there is a control group.
func (t take) asPromised(interval time.Duration) bool {
	earlier := 0
	if t.controlled {
		earlier = len(t.now)
	}
	return busiest(t.now, interval) == 1 && len(t.earlier) == earlier && distinct(t.earlier) == earlier
}

// claim says what beginning cost the source.
func (b beginning) claim() claim {
	c := claim{holds: len(b.takes) > 0}
	var asked []string
	for _, t := range b.takes {
		c.holds = c.holds && t.asPromised(b.interval)
		words := fmt.Sprintf("%s %d", t.kpi, len(t.now))
		if t.controlled {
			words += fmt.Sprintf(" and %d about before (%d control sites or more for each site)", len(t.earlier), b.controls)
		}
		asked = append(asked, words)
	}
	c.what = fmt.Sprintf("queries for baselines when %d sites began within %s: %s (claim: per interval of %s one, with a control group two, however many sites)",
		b.sites, b.took, strings.Join(asked, ", "), b.interval)
	return c
}
