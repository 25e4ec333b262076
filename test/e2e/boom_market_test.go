package e2e

import (
	"math"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/crmops/rollout-operator/test/promserver"
)

const (
	// treated is the site that gets the CRM.
	treated = "lyon"
	// revenue is what the CRM systems of all sites report.
	revenue = "crm_revenue_per_rep"
	// currentQuery and baselineQuery are what the operator makes of the KPI's query over the KPI's own window and over that of the baseline.
	currentQuery  = "avg by (site) (avg_over_time(" + revenue + "[2s]))"
	baselineQuery = "avg by (site) (avg_over_time(" + revenue + "[3s]))"
	// history is more than a baseline looks back: its window and the pre-trend.
	history = "7s"
)

var (
	// controls are the sites of the treated site's region, which stay as they are.
	controls = []string{"bern", "bonn", "brno", "gent", "graz", "kiel", "linz", "lodz", "nice", "oslo", "porto", "turin"}
	// others are in another region, with a market of its own. Nothing that happens there may be taken for a control.
	others = []string{"osaka", "seoul"}
)

// market is the world: the revenue per salesperson at every site, as one Prometheus scrapes it.
type market struct {
	server *promserver.Server

	mutex sync.Mutex
	// factor is what everything has done to the revenue of a site: the market, and the CRM.
	factor map[string]float64
}

// openMarket runs a market that is flat but for its noise, and the Prometheus that watches it, until the test ends. It returns when Prometheus has seen
// enough of it to look back at.
func openMarket(t *testing.T) *market {
	t.Helper()
	m := &market{factor: map[string]float64{}}
	m.move(1, 1)
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(m); err != nil {
		t.Fatal(err)
	}
	exporter := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(exporter.Close)
	server, err := promserver.Start(t.Context(), promserver.Options{
		Dir:            t.TempDir(),
		ScrapeInterval: 500 * time.Millisecond,
		Targets:        []string{strings.TrimPrefix(exporter.URL, "http://")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	m.server = server
	eventually(t, "Prometheus has seen every site for "+history, func() bool {
		return len(m.values(t, revenue+" offset "+history, time.Now())) == len(controls)+len(others)+1
	})
	return m
}

// move lets the market of all sites of the region move by a factor, and the CRM move the treated site by another one. What was before is forgotten. The other region
// loses half of its revenue whenever anything moves.
func (m *market) move(all, effect float64) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, site := range controls {
		m.factor[site] = all
	}
	m.factor[treated] = all * effect
	for _, site := range others {
		m.factor[site] = 1
		if all*effect != 1 {
			m.factor[site] = 0.5
		}
	}
}

// disturb lets something happen at some sites only.
func (m *market) disturb(by float64, sites ...string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, site := range sites {
		m.factor[site] *= by
	}
}

// Describe declares nothing, and Collect is checked the more.
func (m *market) Describe(chan<- *prometheus.Desc) {}

// Collect reports all sites as of the same moment.
func (m *market) Collect(into chan<- prometheus.Metric) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	seconds := float64(time.Now().UnixMilli()) / 1000
	described := prometheus.NewDesc(revenue, "Revenue per salesperson and month, in EUR.", []string{"site"}, nil)
	for site, factor := range m.factor {
		into <- prometheus.MustNewConstMetric(described, prometheus.GaugeValue, size(site)*factor*(1+noise(site, seconds)), site)
	}
}

// size is the revenue of a site in a flat market. The largest one sells ten times as much as the smallest.
func size(site string) float64 {
	for i, name := range append([]string{treated}, append(others, controls...)...) {
		if name == site {
			return 20_000 * math.Pow(10, float64(i*4%15)/14)
		}
	}
	return 20_000
}

// noise moves a site by less than one percent of its revenue.
//
// It must be one whose statistics do not depend on the moment at which a test looks, or the test would fail once in twenty times by honest bad luck, as every 95 %
// interval does. So the control sites swing like the spokes of a wheel: each is ahead of the one before by the same angle. Between any two moments their swings add up to
// zero, and the sum of their squares depends only on the time in between. Two swings of different lengths are never both at rest. The treated site swings little.
func noise(site string, seconds float64) float64 {
	swing := func(amplitude, period, angle float64) float64 {
		return amplitude * math.Sin(2*math.Pi*seconds/period+angle)
	}
	for i, name := range controls {
		if angle := 2 * math.Pi * float64(i) / float64(len(controls)); name == site {
			return swing(0.005, 7, angle) + swing(0.0025, 11, 2*angle)
		}
	}
	return swing(0.001, 7, 0)
}

// values asks Prometheus.
func (m *market) values(t *testing.T, expression string, at time.Time) map[string]float64 {
	t.Helper()
	values, err := m.server.Values(t.Context(), expression, at, "site")
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// awaitMoved waits until Prometheus shows that every site has moved from one moment by its factor, within the noise. Without that a test would prove nothing.
func (m *market) awaitMoved(t *testing.T, since time.Time) {
	t.Helper()
	before := m.values(t, baselineQuery, since)
	eventually(t, "Prometheus shows that the market has moved", func() bool {
		now := m.values(t, currentQuery, time.Now())
		m.mutex.Lock()
		defer m.mutex.Unlock()
		for site, factor := range m.factor {
			if moved := now[site] / before[site] / factor; math.IsNaN(moved) || math.Abs(moved-1) > 0.02 {
				return false
			}
		}
		return len(now) == len(m.factor)
	})
}

// effectOf is the difference in differences of logarithms, calculated from what Prometheus says about two moments, as a ratio: 1.08 is 8 % more than the control sites.
func (m *market) effectOf(t *testing.T, before, after time.Time, group []string) float64 {
	t.Helper()
	then, now := m.values(t, baselineQuery, before), m.values(t, currentQuery, after)
	logarithm := math.Log(now[treated] / then[treated])
	for _, site := range group {
		logarithm -= math.Log(now[site]/then[site]) / float64(len(group))
	}
	return math.Exp(logarithm)
}
