package sequence

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// drawEdits draws what people do while a random rollout runs.
func (d *draws) drawEdits() {
	kinds := []func(when time.Duration){
		d.editSuspension, d.editThrough, d.editLimit, d.editGate, d.editKPI, d.editPhase, d.editPhases, d.breakPlan,
		d.pausePhase, d.joinSite, d.leaveSite, d.moveSite, d.renameSite, d.replaceDefinition, d.stopOperator,
		d.editCalendar, d.editAdopt, d.editFailures, d.editWave, d.editSustain,
	}
	for range d.upTo(9, "edits") {
		one(d, "edit", kinds...)(d.when("edit"))
	}
	d.drawDecisions()
	slices.SortStableFunc(d.s.script, func(a, b event) int { return cmp.Compare(a.at, b.at) })
}

// later draws a moment after another.
func (d *draws) later(when time.Duration, what string) time.Duration {
	return when + time.Duration(1+d.upTo(60, what))*minute
}

func (d *draws) editSuspension(when time.Duration) {
	d.edit(when, "the rollout is suspended", replan(func(p *v1alpha1.CRMRolloutSpec) { p.Suspend, p.SuspendReason = true, "audit" }))
	d.edit(d.later(when, "resumed"), "the rollout is resumed", resume)
}

func (d *draws) editThrough(when time.Duration) {
	through := one(d, "through", append([]string{""}, d.phases...)...)
	d.edit(when, fmt.Sprintf("through is set to %q", through), replan(func(p *v1alpha1.CRMRolloutSpec) {
		p.Through = "" // the API server refuses one that is no phase of the plan
		if slices.Contains(p.Phases, v1alpha1.LocalReference{Name: through}) {
			p.Through = through
		}
	}))
}

func (d *draws) editLimit(when time.Duration) {
	limit := d.limit("another maxConcurrent")
	d.edit(when, fmt.Sprintf("maxConcurrent becomes %v", limit), replan(func(p *v1alpha1.CRMRolloutSpec) { p.MaxConcurrent = limit }))
}

func (d *draws) editGate(when time.Duration) {
	name := one(d, "edited gate", gateNames...)
	stricter := d.often(50, "stricter")
	holds := one(d, "another for", v1alpha1.Duration(""), "5m", "20m")
	d.edit(when, fmt.Sprintf("gate %s is edited, stricter: %t, for %q", name, stricter, holds), there(name, func(g *v1alpha1.AcceptanceGate) {
		if len(g.Spec.Criteria) == 0 {
			return // it asks for approvals alone
		}
		g.Spec.Criteria[0].For = holds
		limits := map[string][2]v1alpha1.Threshold{"clean": {"0.02", "0.005"}, "accepted": {"-10%", "-40%"}}
		asked := limits[name][0]
		if stricter {
			asked = limits[name][1]
		}
		if asked != "" {
			g.Spec.Criteria[0].AtMost = &asked
		}
	}))
}

func (d *draws) editKPI(when time.Duration) {
	d.edit(when, "KPI cycle comes to measure something else", there("cycle", func(k *v1alpha1.KPI) { k.Spec.Query = "cycles[{{window}}]" }))
}

func (d *draws) editPhase(when time.Duration) {
	name := one(d, "edited phase", d.phases...)
	soak := one(d, "another soak", v1alpha1.Duration(""), "5m", "30m")
	d.edit(when, fmt.Sprintf("phase %s soaks %q", name, soak), there(name, func(p *v1alpha1.RolloutPhase) { p.Spec.Soak = soak }))
}

// editPhases adds a phase in front, behind or in between, and may take it out again.
func (d *draws) editPhases(when time.Duration) {
	const added = "optimise"
	place := d.upTo(len(d.phases), "place of another phase")
	d.edit(when, fmt.Sprintf("the plan gains phase %s at place %d", added, place), replan(func(p *v1alpha1.CRMRolloutSpec) {
		if !slices.Contains(p.Phases, v1alpha1.LocalReference{Name: added}) {
			p.Phases = slices.Insert(p.Phases, min(place, len(p.Phases)), v1alpha1.LocalReference{Name: added})
		}
	}))
	if !d.often(50, "a phase is taken out") {
		return
	}
	taken := one(d, "phase that is taken out", append([]string{added}, d.phases...)...)
	d.edit(d.later(when, "taken out"), fmt.Sprintf("phase %s is taken out of the plan", taken), replan(func(p *v1alpha1.CRMRolloutSpec) {
		kept := slices.DeleteFunc(slices.Clone(p.Phases), func(r v1alpha1.LocalReference) bool { return r.Name == taken })
		if len(kept) == 0 {
			return
		}
		p.Phases = kept
		tidy(p)
	}))
}

// pausePhase takes a phase out of the plan, and puts it back in its place.
func (d *draws) pausePhase(when time.Duration) {
	name := v1alpha1.LocalReference{Name: one(d, "paused phase", d.phases...)}
	place := -1
	d.edit(when, fmt.Sprintf("phase %s is taken out of the plan for a while", name.Name), replan(func(p *v1alpha1.CRMRolloutSpec) {
		if len(p.Phases) == 1 || p.Through == name.Name {
			return
		}
		if place = slices.Index(p.Phases, name); place >= 0 {
			p.Phases = slices.Delete(slices.Clone(p.Phases), place, place+1)
			tidy(p)
		}
	}))
	d.edit(when+time.Duration(1+d.upTo(20, "paused for"))*minute, fmt.Sprintf("phase %s is back in the plan", name.Name), replan(func(p *v1alpha1.CRMRolloutSpec) {
		if place >= 0 && !slices.Contains(p.Phases, name) {
			p.Phases = slices.Insert(p.Phases, min(place, len(p.Phases)), name)
		}
	}))
}

func (d *draws) breakPlan(when time.Duration) {
	unknown := v1alpha1.LocalReference{Name: "unknown"}
	d.edit(when, "the plan names a phase that does not exist", replan(func(p *v1alpha1.CRMRolloutSpec) {
		if !slices.Contains(p.Phases, unknown) {
			p.Phases = append(p.Phases, unknown)
		}
	}))
	d.edit(d.later(when, "mended"), "the plan is mended", replan(func(p *v1alpha1.CRMRolloutSpec) {
		if p.Phases = slices.DeleteFunc(p.Phases, func(r v1alpha1.LocalReference) bool { return r == unknown }); len(p.Phases) == 0 {
			p.Phases = refs(d.phases...) // the API server refuses a plan without phases
		}
		tidy(p)
	}))
}

func (d *draws) joinSite(when time.Duration) {
	name, label := one(d, "joining site", d.spare...), one(d, "wave of it", d.waves...)
	d.edit(when, fmt.Sprintf("site %s is declared for wave %s", name, label), func(s *sim) {
		if s.api.latest["RolloutSite"][client.ObjectKey{Namespace: namespace, Name: name}] == nil {
			create(site(name, label))(s)
		}
	})
}

// leaveSite deletes a site, and may declare it again.
func (d *draws) leaveSite(when time.Duration) {
	name := one(d, "leaving site", d.sites...)
	var left client.Object
	d.edit(when, fmt.Sprintf("site %s is removed", name), func(s *sim) {
		if left = s.api.latest["RolloutSite"][client.ObjectKey{Namespace: namespace, Name: name}]; left != nil {
			remove(left)(s)
		}
	})
	if d.often(50, "it comes back") {
		d.edit(d.later(when, "back"), fmt.Sprintf("site %s comes back", name), func(s *sim) {
			if left != nil && s.api.latest["RolloutSite"][client.ObjectKeyFromObject(left)] == nil {
				again := site(name, left.GetLabels()["wave"])
				create(again)(s)
			}
		})
	}
}

func (d *draws) moveSite(when time.Duration) {
	name, label := one(d, "moving site", d.sites...), one(d, "its other wave", append(slices.Clone(d.waves), "none")...)
	d.edit(when, fmt.Sprintf("site %s moves to wave %s", name, label), there(name, func(s *v1alpha1.RolloutSite) { s.Labels["wave"] = label }))
}

// renameSite gives a site another name in the source, which knows nothing of it, and may take that back.
func (d *draws) renameSite(when time.Duration) {
	name := one(d, "renamed site", d.sites...)
	d.edit(when, fmt.Sprintf("site %s gets another siteID", name), there(name, func(s *v1alpha1.RolloutSite) { s.Spec.SiteID = "another-" + name }))
	if d.often(70, "named as before") {
		d.edit(d.later(when, "named as before"), fmt.Sprintf("site %s gets its siteID back", name), there(name, func(s *v1alpha1.RolloutSite) { s.Spec.SiteID = "" }))
	}
}

// replaceDefinition deletes a gate or a KPI, and declares the same again.
func (d *draws) replaceDefinition(when time.Duration) {
	kind := one(d, "kind of what is deleted", "AcceptanceGate", "KPI")
	name := one(d, "deleted gate", gateNames...)
	if kind == "KPI" {
		name = one(d, "deleted KPI", "training", "duplicates", "complaints", "cycle")
	}
	key := client.ObjectKey{Namespace: namespace, Name: name}
	var deleted client.Object
	d.edit(when, fmt.Sprintf("%s %s is deleted", kind, name), func(s *sim) {
		if deleted = s.api.latest[kind][key]; deleted != nil {
			remove(deleted)(s)
		}
	})
	d.edit(d.later(when, "declared again"), fmt.Sprintf("%s %s is declared again", kind, name), func(s *sim) {
		if deleted == nil || s.api.latest[kind][key] != nil {
			return
		}
		switch o := clone(deleted).(type) {
		case *v1alpha1.AcceptanceGate:
			create(&v1alpha1.AcceptanceGate{ObjectMeta: named(name), Spec: o.Spec})(s)
		case *v1alpha1.KPI:
			create(&v1alpha1.KPI{ObjectMeta: named(name), Spec: o.Spec})(s)
		}
	})
}

// stopOperator lets nobody work for a while.
func (d *draws) stopOperator(when time.Duration) {
	pause := time.Duration(d.upTo(30, "minutes of rest")) * minute
	d.edit(when, fmt.Sprintf("the operator is down for %s", pause), func(s *sim) {
		s.moveClock(s.clock.Now().Add(pause))
		s.restart("restarted")
	})
}
