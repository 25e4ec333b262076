package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	crmv1 "github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/test/cluster"
	"github.com/crmops/rollout-operator/test/fakeprom"
)

const (
	// lookInterval is how often it is looked whether everything has settled.
	lookInterval = time.Second
	// sitesPerLook is the number of sites that makes looks rarer by another lookInterval.
	sitesPerLook = 250
	// settlesWithin is when settling is given up: a minute is usual, and something is wrong after several.
	settlesWithin = 10 * time.Minute
	// giveEach is what is added to that for each site and phase.
	giveEach = 250 * time.Millisecond
	// settledRounds is how often every KPI is measured, after the last site has come to rest, before a period begins. By
	// then what the way here cost, events for example, is paid.
	settledRounds = 2
)

// stage is everything that runs for one number of sites.
type stage struct {
	dir       string
	programme programme

	cluster    *cluster.Cluster
	client     client.WithWatch
	scraper    *http.Client
	prometheus *fakeprom.Server
	manager    *cluster.Manager
}

// set starts everything and applies the programme. What was started must be ended with strike, also after an error.
func (s *stage) set(ctx context.Context) error {
	var err error
	if s.cluster, err = cluster.Start(ctx, cluster.Options{Dir: filepath.Join(s.dir, "cluster")}); err != nil {
		return err
	}
	if s.client, err = s.unthrottled(); err != nil {
		return err
	}
	if s.scraper, err = rest.HTTPClientFor(s.cluster.Config()); err != nil {
		return fmt.Errorf("make a client for metrics: %w", err)
	}
	if s.prometheus, err = fakeprom.Start(); err != nil {
		return err
	}
	s.answer(steady)
	if err := s.create(ctx); err != nil {
		return err
	}
	return s.startManager(ctx)
}

// unthrottled returns a client that makes requests as fast as they are answered.
func (s *stage) unthrottled() (client.WithWatch, error) {
	scheme, err := cluster.Scheme()
	if err != nil {
		return nil, err
	}
	config := s.cluster.Config()
	config.QPS = -1
	made, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return made, nil
}

// create applies the programme: the namespace first, then everything else, several objects at a time.
func (s *stage) create(ctx context.Context) error {
	var scripts []script
	for i, object := range s.programme.objects(s.prometheus.URL()) {
		one := script{func(ctx context.Context) error {
			if err := s.client.Create(ctx, object); err != nil {
				return fmt.Errorf("create %s: %w", object.GetName(), err)
			}
			return nil
		}}
		if i > 0 {
			scripts = append(scripts, one)
		} else if err := perform(ctx, []script{one}); err != nil {
			return err
		}
	}
	return perform(ctx, scripts)
}

// startManager runs the manager, and returns when it works: it is ready before it has the lease, and counts nothing until then.
func (s *stage) startManager(ctx context.Context) error {
	// It competes for its lease as it does in production: that is a part of what it writes.
	var err error
	if s.manager, err = s.cluster.StartManager(ctx, cluster.ManagerOptions{LeaderElectionNamespace: namespace}); err != nil {
		return err
	}
	within := s.programme.within()
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("the manager did not begin to work within %s", within))
	defer cancel()
	return s.until(ctx, func() (bool, error) {
		// It refuses while its caches are not filled, which takes a while with thousands of sites.
		metrics, err := scrape(ctx, http.DefaultClient, s.manager.MetricsURL())
		return err == nil && new(sample).readManager(metrics) == nil, nil
	})
}

// strike ends everything that was started.
func (s *stage) strike() error {
	var failures []error
	if s.cluster != nil {
		failures = append(failures, s.cluster.Stop())
	}
	if s.prometheus != nil {
		failures = append(failures, s.prometheus.Close())
	}
	return errors.Join(failures...)
}

// answer makes the source give these values from now on.
func (s *stage) answer(v values) {
	for _, m := range s.programme.measured {
		s.prometheus.Handle(m.query(), fakeprom.BySite(func(at time.Time) map[string]float64 { return s.programme.at(m, v, at) }))
		if m.before != 0 {
			s.prometheus.Handle(m.over(baselineWindow), fakeprom.BySite(func(at time.Time) map[string]float64 { return s.programme.before(m, at) }))
		}
	}
}

// settle waits until every site stands where it will stay, and until every KPI has been measured again after that.
func (s *stage) settle(ctx context.Context) error {
	within := s.programme.within()
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("the sites did not settle within %s", within))
	defer cancel()
	var unsettled error
	look := func() (bool, error) {
		stories, err := s.stories(ctx)
		if err != nil {
			return false, err
		}
		unsettled = restless(s.programme, stories)
		return unsettled == nil, nil
	}
	if err := s.until(ctx, look); err != nil {
		return errors.Join(err, unsettled)
	}
	before := map[string]int{}
	for _, m := range s.programme.measured {
		before[m.query()] = s.prometheus.Count(m.query())
	}
	return s.until(ctx, func() (bool, error) {
		for query, count := range before {
			if s.prometheus.Count(query) < count+settledRounds {
				return false, nil
			}
		}
		return true, nil
	})
}

// until looks again and again. It ends early when the manager ends.
func (s *stage) until(ctx context.Context, done func() (bool, error)) error {
	// Looking reads every site, which would itself be most of the work with a thousand of them.
	ticker := time.NewTicker(lookInterval * time.Duration(1+len(s.programme.sites)/sitesPerLook))
	defer ticker.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-s.manager.Exited():
			return errors.New("the manager ended")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

func (s *stage) stories(ctx context.Context) ([]crmv1.SiteRollout, error) {
	var list crmv1.SiteRolloutList
	if err := s.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("read the stories of the sites: %w", err)
	}
	return list.Items, nil
}

// restless tells of a site that is not where it will stay, or not judged yet by every KPI; nil when there is none.
func restless(p programme, stories []crmv1.SiteRollout) error {
	want := p.states()
	if len(stories) != len(want) {
		return fmt.Errorf("%d of %d sites have joined the rollout", len(stories), len(want))
	}
	for _, story := range stories {
		site, status := story.Spec.Site, story.Status
		if status.State != want[site] {
			return fmt.Errorf("%s is %s and should be %s: %s", site, status.State, want[site], status.Message)
		}
		if status.State == crmv1.SiteWaiting {
			continue // it stands at no gate
		}
		if status.Gate == nil || len(status.Gate.Criteria) != len(p.measured) {
			return fmt.Errorf("%s is not judged by %d criteria: %s", site, len(p.measured), status.Message)
		}
		for _, criterion := range status.Gate.Criteria {
			switch criterion.Reason {
			case crmv1.ReasonMet, crmv1.ReasonHolding, crmv1.ReasonNotMet, crmv1.ReasonKept:
			default:
				return fmt.Errorf("%s is not judged by a value of %s: %s", site, criterion.KPI, criterion.Message)
			}
		}
	}
	return nil
}

// steps counts the transitions that all sites have recorded.
func steps(stories []crmv1.SiteRollout) int64 {
	var count int64
	for _, story := range stories {
		if told := story.Status.Transitions; len(told) > 0 {
			count += told[len(told)-1].Sequence
		}
	}
	return count
}

// measure lets a period go by and returns what it cost. Nothing is asked of the API server in between.
func (s *stage) measure(ctx context.Context, length time.Duration) (cost, error) {
	before, err := s.sample(ctx)
	if err != nil {
		return cost{}, err
	}
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-s.manager.Exited():
		return cost{}, errors.New("the manager ended")
	case <-ctx.Done():
		return cost{}, context.Cause(ctx)
	case <-timer.C:
	}
	after, err := s.sample(ctx)
	if err != nil {
		return cost{}, err
	}
	measured := costOf(before, after, s.programme.interval)
	measured.sites = len(s.programme.sites)
	return measured, nil
}
