package kpis

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/crmops/rollout-operator/internal/provider"
)

// span is a window: what happened at from is outside, what happened at to is inside.
type span struct{ from, to time.Time }

// has is false for what did not happen.
func (s span) has(at time.Time) bool { return !at.IsZero() && at.After(s.from) && !at.After(s.to) }

// by is true for what had happened at a moment.
func by(moment, at time.Time) bool { return !at.IsZero() && !at.After(moment) }

// figure is a sum over a number of observations.
type figure struct {
	sum float64
	of  int64
}

// tally gathers the figures of all sites.
type tally map[string]figure

func (t tally) add(site string, value float64) {
	t[site] = figure{t[site].sum + value, t[site].of + 1}
}

func (t tally) count(site string, yes bool) {
	if yes {
		t.add(site, 1)
		return
	}
	t.add(site, 0)
}

// means are the answers in which each observation counts once.
func (t tally) means() answers {
	known := answers{}
	for site, f := range t {
		known[site] = answer{f.sum / float64(f.of), f.of}
	}
	return known
}

// answer is the value of one site and the observations behind it.
type answer struct {
	value   float64
	samples int64
}

// answers are those of all sites that have one.
type answers map[string]answer

// asAnswer is what a provider must say. Sources that do not tell the observations say 0.
func (a answers) asAnswer(tells bool, at time.Time) provider.Answer {
	var known provider.Answer
	for _, site := range slices.Sorted(maps.Keys(a)) {
		if site == nowhere {
			known.Unlabelled++
			continue
		}
		sample := provider.Sample{Site: site, Value: a[site].value, Time: at}
		if tells {
			sample.Samples = a[site].samples
		}
		known.Samples = append(known.Samples, sample)
	}
	return known
}

// truths are the known answers of every KPI, computed one fact after the other.
var truths = map[string]func(*company, span) answers{
	"record-completeness":        completeness,
	"duplicate-rate":             duplicates,
	"stale-records":              stale,
	"weekly-active-users":        activeUsers,
	"record-changes-per-user":    changesPerUser,
	"lead-response-time":         leadResponse,
	"opportunity-cycle-time":     cycleTime,
	"case-resolution-time":       resolutionTime,
	"customer-satisfaction":      satisfaction,
	"customer-churn":             churn,
	"first-contact-resolution":   firstContact,
	"revenue-per-representative": revenue,
	"pipeline-conversion":        conversion,
}

// ownWindow are the KPIs whose Prometheus metric looks back by itself, so that a gate cannot ask for another window.
var ownWindow = map[string]bool{"weekly-active-users": true}

func blank(text string) bool { return strings.TrimSpace(text) == "" }

func (c customer) complete() bool {
	return !blank(c.name) && !blank(c.email) && !blank(c.phone) && !blank(c.country)
}

func (c customer) stale(at time.Time) bool {
	touched := c.updated
	if touched.IsZero() {
		touched = c.created
	}
	return !touched.After(at.Add(-90 * day))
}

// identity tells customers apart; empty when nobody can.
func (c customer) identity() string { return strings.ToLower(strings.TrimSpace(c.email)) }

func (u *user) licensed(at time.Time) bool {
	return by(at, u.from) && (u.until.IsZero() || u.until.After(at))
}

func completeness(c *company, s span) answers {
	t := tally{}
	for _, r := range c.customers {
		if by(s.to, r.created) {
			t.count(r.site, r.complete())
		}
	}
	return t.means()
}

// duplicates compares every record with every other one.
func duplicates(c *company, s span) answers {
	t := tally{}
	for i, r := range c.customers {
		if !by(s.to, r.created) {
			continue
		}
		twin := false
		for j, o := range c.customers {
			twin = twin || j != i && o.site == r.site && o.identity() == r.identity() && by(s.to, o.created)
		}
		t.count(r.site, r.identity() != "" && twin)
	}
	return t.means()
}

func stale(c *company, s span) answers {
	t := tally{}
	for _, r := range c.customers {
		if by(s.to, r.created) {
			t.count(r.site, r.stale(s.to))
		}
	}
	return t.means()
}

// done counts what a user did in a window.
func (c *company) done(u *user, s span, kinds ...string) int {
	count := 0
	for _, a := range c.activities {
		if a.user == u && s.has(a.at) && slices.Contains(kinds, a.kind) {
			count++
		}
	}
	return count
}

func activeUsers(c *company, s span) answers {
	t := tally{}
	for _, u := range c.users {
		if u.licensed(s.to) {
			t.count(u.site, c.done(u, s, "login", "change") > 0)
		}
	}
	return t.means()
}

func changesPerUser(c *company, s span) answers {
	known := answers{}
	changes, people := map[string]float64{}, map[string]int64{}
	for _, u := range c.users {
		// NULL joins nothing, so what was changed nowhere was changed by nobody.
		if u.site != nowhere {
			changes[u.site] += float64(c.done(u, s, "change"))
		}
		if u.licensed(s.to) {
			people[u.site]++
		}
	}
	for site, licensed := range people {
		known[site] = answer{changes[site] / float64(licensed), licensed}
	}
	return known
}

func leadResponse(c *company, s span) answers {
	t := tally{}
	for _, l := range c.leads {
		if s.has(l.answered) {
			t.add(l.site, l.answered.Sub(l.created).Hours())
		}
	}
	return t.means()
}

func cycleTime(c *company, s span) answers {
	t := tally{}
	for _, o := range c.opportunities {
		if s.has(o.closed) {
			t.add(o.site, o.closed.Sub(o.created).Hours()/24)
		}
	}
	return t.means()
}

func resolutionTime(c *company, s span) answers {
	t := tally{}
	for _, r := range c.cases {
		if s.has(r.resolved) {
			t.add(r.site, r.resolved.Sub(r.opened).Hours())
		}
	}
	return t.means()
}

func satisfaction(c *company, s span) answers {
	t := tally{}
	for _, a := range c.answers {
		if s.has(a.answered) && a.score > 0 {
			t.add(a.site, float64(a.score))
		}
	}
	return t.means()
}

func churn(c *company, s span) answers {
	lost, atStart := map[string]float64{}, map[string]int64{}
	for _, r := range c.customers {
		if s.has(r.lost) {
			lost[r.site]++
		}
		if by(s.from, r.since) && !by(s.from, r.lost) {
			atStart[r.site]++
		}
	}
	known := answers{}
	for site, customers := range atStart {
		known[site] = answer{lost[site] / float64(customers), customers}
	}
	return known
}

func firstContact(c *company, s span) answers {
	t := tally{}
	for _, r := range c.cases {
		if s.has(r.resolved) {
			t.count(r.site, r.contacts == 1)
		}
	}
	return t.means()
}

func revenue(c *company, s span) answers {
	people, known := tally{}, answers{}
	for _, u := range c.users {
		if u.role == "sales" && u.licensed(s.to) {
			people.add(u.site, 1)
		}
	}
	for site, p := range people {
		cents, won := 0, int64(0)
		for _, o := range c.opportunities {
			// NULL joins nothing, so what was sold nowhere belongs to nobody.
			if o.site == site && site != nowhere && o.status == "won" && s.has(o.closed) && o.cents >= 0 {
				cents += o.cents
				won++
			}
		}
		known[site] = answer{float64(cents) / 100 / p.sum, won}
	}
	return known
}

func conversion(c *company, s span) answers {
	t := tally{}
	for _, o := range c.opportunities {
		if s.has(o.closed) {
			t.count(o.site, o.status == "won")
		}
	}
	return t.means()
}
