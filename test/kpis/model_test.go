// Package kpis runs every KPI of the library in config/samples/kpis against real servers with data whose answers are known.
package kpis

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// The facts that the tables and the metrics are made of. An empty text and a zero time are NULL, and so is a site without a name.
type (
	customer struct {
		site, name, email, phone, country string
		created, updated, since, lost     time.Time
	}
	user struct {
		id          int
		site, role  string
		from, until time.Time
	}
	activity struct {
		user *user
		kind string
		at   time.Time
	}
	lead struct {
		site              string
		created, answered time.Time
	}
	opportunity struct {
		site, status    string
		cents           int // -1 is NULL
		created, closed time.Time
	}
	serviceCase struct {
		site             string
		contacts         int // 0 is NULL
		opened, resolved time.Time
	}
	surveyAnswer struct {
		site     string
		score    int // 0 is NULL
		answered time.Time
	}
)

// company is everything that happened at all sites.
type company struct {
	customers     []customer
	users         []*user
	activities    []activity
	leads         []lead
	opportunities []opportunity
	cases         []serviceCase
	answers       []surveyAnswer
}

// end is the end of all windows. Its second has a fraction that Prometheus, with its milliseconds, can tell too.
var end = time.Date(2026, time.March, 2, 6, 30, 15, 250_000_000, time.UTC)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// lengths are the windows that KPIs and gates ask for.
var lengths = []time.Duration{week, 2 * week, 4 * week, 13 * week}

// The sites that something is known of. A branch that no RolloutSite stands for, and rows without a site, are in the sources as well.
const (
	closedBranch = "closed-branch"
	nowhere      = ""
	// idle has people and no customers; nothing at all is known of empty.
	idle  = "sydney"
	empty = "osaka"
)

// busy are the sites with facts of all kinds, by how many of each.
var busy = map[string]int{"lyon": 140, "munich": 90, "warsaw": 33, "sao-paulo": 8, closedBranch: 12, nowhere: 9}

// sites are all that an exporter publishes numbers for.
var sites = []string{"lyon", "munich", "warsaw", "sao-paulo", closedBranch, nowhere, idle, empty}

// generator makes facts at random, the same ones each time.
type generator struct {
	*rand.Rand
	company *company
}

func generate() *company {
	g := generator{Rand: rand.New(rand.NewPCG(20260302, 8)), company: &company{}}
	for _, site := range sites {
		for i := range busy[site] {
			g.customer(site, i)
			g.lead(site)
			g.opportunity(site)
			g.serviceCase(site)
			g.company.answers = append(g.company.answers, surveyAnswer{site: site, score: g.IntN(6), answered: g.moment()})
		}
		for range busy[site] / 4 {
			g.user(site)
		}
	}
	for range 3 {
		g.veteran(idle)
	}
	// People who were there once, at the very start of a window.
	for _, length := range lengths {
		g.company.activities = append(g.company.activities, activity{user: g.veteran("lyon"), kind: "login", at: end.Add(-length)})
	}
	return g.company
}

// moment is any of 26 weeks, and often one at the very border of a window: at its start, which is outside, right after it, at its end, which is inside, or right after that.
func (g generator) moment() time.Time {
	border := end
	if g.IntN(2) == 0 {
		border = end.Add(-lengths[g.IntN(len(lengths))])
	}
	switch g.IntN(6) {
	case 0:
		return border
	case 1:
		return border.Add(time.Microsecond)
	}
	return end.Add(2 * day).Add(-time.Duration(g.Int64N(int64(26*week/time.Microsecond))) * time.Microsecond)
}

// before is a moment up to three weeks earlier, to the microsecond.
func (g generator) before(at time.Time) time.Time {
	return at.Add(-time.Duration(g.Int64N(int64(3*week/time.Microsecond))) * time.Microsecond)
}

// perhaps is the moment, or none.
func (g generator) perhaps(at time.Time) time.Time {
	if g.IntN(4) == 0 {
		return time.Time{}
	}
	return at
}

// filled is the text, or now and then nothing, or spaces, which are nothing as well.
func (g generator) filled(text string) string {
	switch g.IntN(12) {
	case 0:
		return ""
	case 1:
		return "   "
	}
	return text
}

func (g generator) customer(site string, i int) {
	// Some addresses come twice or three times, in other words; the same address at another site is another customer.
	address := []string{"buyer%d@example.com", "Buyer%d@Example.com", " buyer%d@example.com "}[g.IntN(3)]
	c := customer{
		site: site, name: g.filled("Buyer"), email: g.filled(fmt.Sprintf(address, g.IntN(i+1))), phone: g.filled("+33 1"), country: g.filled("FR"),
		created: g.moment(), since: g.perhaps(g.moment()),
	}
	if c.updated = g.perhaps(g.moment()); g.IntN(5) == 0 {
		c.updated = end.Add(-90 * day).Add(time.Duration(g.IntN(2)) * time.Microsecond)
	}
	if g.IntN(3) == 0 && !c.since.IsZero() {
		if lost := g.moment(); lost.After(c.since) {
			c.lost = lost
		}
	}
	g.company.customers = append(g.company.customers, c)
}

func (g generator) user(site string) {
	u := &user{id: len(g.company.users) + 1, site: site, role: []string{"sales", "service", ""}[g.IntN(3)], from: g.moment()}
	if g.IntN(4) == 0 {
		u.until = g.moment()
	}
	g.company.users = append(g.company.users, u)
	for range g.IntN(12) {
		kind := []string{"login", "change", "change"}[g.IntN(3)]
		g.company.activities = append(g.company.activities, activity{user: u, kind: kind, at: g.moment()})
	}
}

// veteran is a user who has done nothing yet.
func (g generator) veteran(site string) *user {
	u := &user{id: len(g.company.users) + 1, site: site, role: "sales", from: end.Add(-40 * week)}
	g.company.users = append(g.company.users, u)
	return u
}

func (g generator) lead(site string) {
	l := lead{site: site, answered: g.perhaps(g.moment())}
	if l.created = g.before(l.answered); l.answered.IsZero() {
		l.created = g.moment()
	}
	g.company.leads = append(g.company.leads, l)
}

func (g generator) opportunity(site string) {
	o := opportunity{site: site, status: []string{"won", "lost"}[g.IntN(2)], cents: g.IntN(9_000_000), closed: g.perhaps(g.moment())}
	if o.created = g.before(o.closed); o.closed.IsZero() {
		o.status, o.created = "open", g.moment()
	}
	if g.IntN(7) == 0 {
		o.cents = -1
	}
	g.company.opportunities = append(g.company.opportunities, o)
}

func (g generator) serviceCase(site string) {
	c := serviceCase{site: site, contacts: g.IntN(4), resolved: g.perhaps(g.moment())}
	if c.opened = g.before(c.resolved); c.resolved.IsZero() {
		c.opened = g.moment()
	}
	g.company.cases = append(g.company.cases, c)
}
