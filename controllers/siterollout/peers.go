package siterollout

import (
	"context"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/catalogue"
	"github.com/crmops/rollout-operator/internal/gate"
	"github.com/crmops/rollout-operator/internal/measure"
	"github.com/crmops/rollout-operator/internal/plan"
)

// peers are the sites in the control groups of a site.
type peers struct {
	ids map[string]string
	// begun are the phases that each site has begun in this rollout.
	begun map[string][]v1alpha1.PhaseRecord
}

// observePeers reads the sites that are in a control group of this one. There may be a thousand others, and each site is looked at after every measurement.
func (r *Reconciler) observePeers(ctx context.Context, s snapshot) (peers, error) {
	p := peers{ids: map[string]string{}, begun: map[string][]v1alpha1.PhaseRecord{}}
	for _, name := range controlsOf(s.object.Status) {
		var site v1alpha1.RolloutSite
		err := r.Client.Get(ctx, s.key(name), &site, client.UnsafeDisableDeepCopy)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return p, fmt.Errorf("read control site %s: %w", name, err)
		}
		p.ids[name] = plan.SiteID(&site)
		var stories v1alpha1.SiteRolloutList
		if err := r.Client.List(ctx, &stories, client.InNamespace(site.Namespace), client.MatchingFields{catalogue.FieldSite: name}, client.UnsafeDisableDeepCopy); err != nil {
			return p, fmt.Errorf("read the stories of control site %s: %w", name, err)
		}
		for i := range stories.Items {
			if story := &stories.Items[i]; story.Spec.Rollout == s.rollout.Name {
				p.begun[name] = append(p.begun[name], story.Status.Phases...)
			}
		}
	}
	return p, nil
}

// controlsOf returns the names of the sites in the control groups of a site, in their order.
func controlsOf(status v1alpha1.SiteRolloutStatus) []string {
	names := map[string]bool{}
	for _, record := range status.Phases {
		for _, baseline := range record.Baselines {
			for _, control := range baseline.Controls {
				names[control.Site] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// peer returns the values of another site, and whether it is there under the same siteID and has not begun a phase.
func (r *Reconciler) peer(s snapshot, phase, site, siteID string, kpi gate.KPI) ([]gate.Sample, bool) {
	if id, exists := s.peers.ids[site]; !exists || id != siteID || begun(s.peers.begun[site], phase) {
		return nil, false
	}
	return r.Store.Samples(s.key(kpi.Name), kpi.Revision, site, siteID), true
}

// begun reports whether a phase is among those that a site has begun.
func begun(records []v1alpha1.PhaseRecord, phase string) bool {
	return slices.ContainsFunc(records, func(r v1alpha1.PhaseRecord) bool { return r.Name == phase })
}

// candidates returns the names of the sites that can be in the site's control group. All sites are read for that, once in the life of a baseline.
func (r *Reconciler) candidates(ctx context.Context, s snapshot, phase string, c plan.Controls) ([]string, error) {
	if s.site == nil {
		return nil, nil
	}
	sites, err := catalogue.Sites(ctx, r.Client, s.object.Namespace)
	if err != nil {
		return nil, err
	}
	stories, err := catalogue.SiteRollouts(ctx, r.Client, client.ObjectKeyFromObject(s.rollout))
	if err != nil {
		return nil, err
	}
	changed, waves := map[string]bool{}, make(map[string]string, len(stories))
	for _, story := range stories {
		waves[story.Spec.Site] = story.Spec.Wave
		if story.Spec.AdmittedThrough == phase || begun(story.Status.Phases, phase) {
			changed[story.Spec.Site] = true
		}
	}
	wave := func(site *v1alpha1.RolloutSite) string {
		if known, joined := waves[site.Name]; joined {
			return known
		}
		return s.plan.WaveOf(site)
	}
	chosen := s.plan.Candidates(c, s.site, sites, wave, func(site string) bool { return changed[site] })
	names := make([]string, 0, len(chosen))
	for _, site := range chosen {
		names = append(names, site.Name)
	}
	return names, nil
}

// asks returns what has to be captured for a baseline.
func asks(b plan.Baseline) measure.Ask {
	ask := measure.Ask{Revision: b.KPI.Revision, Window: b.KPI.Window}
	if b.Controls != nil {
		ask.PreTrend = b.Controls.PreTrend
	}
	return ask
}

// ask asks for the values that baselines are to be taken from. What came in while the site was looked at is not asked for again: the site is looked at anew because of it.
func (r *Reconciler) ask(s snapshot, d decision) {
	for _, b := range d.last.Asks {
		key := s.key(b.KPI.Name)
		if latest, _ := r.Captures.Latest(key, asks(b)); latest.At.Equal(d.captured[b]) {
			r.Captures.Ask(key, asks(b))
		}
	}
}
