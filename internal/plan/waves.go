package plan

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

func (p *Plan) resolveWaves(object string, rollout *v1alpha1.CRMRollout, objects Objects) {
	known := map[string]bool{}
	for i, source := range rollout.Spec.Waves {
		field := fmt.Sprintf("spec.waves[name=%s]", source.Name)
		if known[source.Name] {
			p.Mistakes = append(p.Mistakes, invalid(object, field, "the name stands twice", "give each wave a name of its own"))
		}
		known[source.Name] = true
		wave := Wave{Name: source.Name, Selector: labels.Nothing(), Through: len(p.Phases) - 1}
		if selector, err := metav1.LabelSelectorAsSelector(source.Selector); err != nil {
			p.Mistakes = append(p.Mistakes, invalid(object, field+".selector", err.Error(), "correct the selector"))
		} else {
			wave.Selector = selector
		}
		switch {
		case source.After != nil:
			wave.After = p.resolveBarrier(object, field+".after", *source.After)
		case i > 0:
			wave.After = &Barrier{Wave: rollout.Spec.Waves[i-1].Name, Phase: len(p.Phases) - 1}
		}
		wave.MaxConcurrent = p.resolveLimit(object, field+".maxConcurrent", source.MaxConcurrent, 1)
		wave.MaxFailures = p.resolveLimit(object, field+".maxFailures", source.MaxFailures, 0)
		if source.Through != "" {
			wave.Through = p.resolvePhaseName(object, field+".through", source.Through)
		}
		wave.resolveRanking(object, field, source, objects)
		if source.PlannedStart != nil {
			wave.PlannedStart = source.PlannedStart.UTC()
		}
		if source.PlannedEnd != nil {
			wave.PlannedEnd = source.PlannedEnd.UTC()
		}
		p.Waves = append(p.Waves, wave)
	}
	p.checkOrder(object, known)
}

func (p *Plan) resolveBarrier(object, field string, source v1alpha1.WaveBarrier) *Barrier {
	barrier := Barrier{Wave: source.Wave, Phase: len(p.Phases) - 1, AtLeast: p.resolveLimit(object, field+".atLeast", source.AtLeast, 1)}
	if source.Phase != "" {
		barrier.Phase = p.resolvePhaseName(object, field+".phase", source.Phase)
	}
	soak, err := source.Soak.Parse()
	if err != nil {
		p.Mistakes = append(p.Mistakes, invalid(object, field+".soak", err.Error(), remedyDuration))
	}
	barrier.Soak = soak
	return &barrier
}

// resolvePhaseName returns the position of a phase that a field names, and that of the last phase when there is none of that name.
func (p *Plan) resolvePhaseName(object, field, phase string) int {
	if index := p.IndexOf(phase); index >= 0 {
		return index
	}
	p.Mistakes = append(p.Mistakes, invalid(object, field, fmt.Sprintf("%q is not one of spec.phases", phase), "name one of them or leave the field out"))
	return len(p.Phases) - 1
}

// checkOrder finds barriers that name no wave, and waves that wait for each other. Each wave waits for at most one other,
// so following the barriers from a wave either ends or comes back to a wave that was met on the way.
func (p *Plan) checkOrder(object string, known map[string]bool) {
	after := map[string]string{}
	for _, w := range p.Waves {
		if w.After == nil {
			continue
		}
		after[w.Name] = w.After.Wave
		if !known[w.After.Wave] {
			p.Mistakes = append(p.Mistakes, invalid(object, fmt.Sprintf("spec.waves[name=%s].after.wave", w.Name),
				fmt.Sprintf("%q is not one of spec.waves", w.After.Wave), "name one of them"))
		}
	}
	reported := map[string]bool{}
	for _, w := range p.Waves {
		var path []string
		for name := w.Name; name != ""; name = after[name] {
			start := slices.Index(path, name)
			if start < 0 {
				path = append(path, name)
				continue
			}
			cycle := path[start:]
			if !reported[slices.Min(cycle)] {
				reported[slices.Min(cycle)] = true
				p.Mistakes = append(p.Mistakes, invalid(object, "spec.waves",
					fmt.Sprintf("these waves wait for each other: %s", strings.Join(append(slices.Clone(cycle), cycle[0]), " after ")), "remove one of their barriers"))
			}
			break
		}
	}
}

// SiteLabels returns the labels by which a wave can select a site: its own, and those that stand for fields of its spec.
func SiteLabels(site *v1alpha1.RolloutSite) labels.Set {
	set := labels.Set{}
	for k, v := range site.Labels {
		set[k] = v
	}
	for _, label := range []string{v1alpha1.LabelRegion, v1alpha1.LabelSubsidiary, v1alpha1.LabelBusinessMode} {
		if text := fieldLabel(site, label); text != "" {
			set[label] = text
		}
	}
	return set
}

// fieldLabel returns the field that a label stands for; "" when it stands for none, or the field is not set.
func fieldLabel(site *v1alpha1.RolloutSite, label string) string {
	switch label {
	case v1alpha1.LabelRegion:
		return string(site.Spec.Region)
	case v1alpha1.LabelSubsidiary:
		return string(site.Spec.Subsidiary)
	case v1alpha1.LabelBusinessMode:
		return string(site.Spec.BusinessMode)
	}
	return ""
}

// selectable shows the SiteLabels of a site without making them: with ten thousand sites and 32 waves, that is what a rollout's look at its sites would be spent on.
type selectable struct{ site *v1alpha1.RolloutSite }

// Lookup returns the value of a label, and whether the site has it.
func (s selectable) Lookup(label string) (string, bool) {
	if text := fieldLabel(s.site, label); text != "" {
		return text, true
	}
	text, found := s.site.Labels[label]
	return text, found
}

// Has reports whether the site has a label.
func (s selectable) Has(label string) bool {
	_, found := s.Lookup(label)
	return found
}

// Get returns the value of a label, "" when the site does not have it.
func (s selectable) Get(label string) string {
	text, _ := s.Lookup(label)
	return text
}

// Selects reports whether the wave selects a site. Which of several waves it belongs to is another question.
func (w Wave) Selects(site *v1alpha1.RolloutSite) bool { return w.Selector.Matches(selectable{site}) }

// Wave returns a wave by its name; nil when the plan has none of that name.
func (p Plan) Wave(name string) *Wave {
	for i := range p.Waves {
		if p.Waves[i].Name == name {
			return &p.Waves[i]
		}
	}
	return nil
}

// WaveOf returns the name of the first wave that selects a site, or "" when none does. A wave that picks may yet leave the site to another one.
func (p Plan) WaveOf(site *v1alpha1.RolloutSite) string {
	for _, w := range p.Waves {
		if w.Selects(site) {
			return w.Name
		}
	}
	return ""
}
