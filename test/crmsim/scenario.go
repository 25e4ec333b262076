// Package crmsim stands for the world outside: it reports the business metrics that a CRM would report about each site,
// and lets them follow a written scenario. It knows neither Kubernetes nor the operator.
//
// Nothing in it is random, and nothing happens at a time of the day: curves start with events that somebody posts.
package crmsim

import (
	_ "embed"
	"errors"
	"fmt"
	"sort"

	"sigs.k8s.io/yaml"
)

//go:embed scenario.yaml
var defaultScenario []byte

// Point is a value at a moment after an event.
type Point struct {
	// Second after the event.
	Second float64 `json:"second"`
	// Value of the metric, in its unit.
	Value float64 `json:"value"`
}

// Curve says how one metric moves.
type Curve struct {
	// Help is what /metrics says about the metric. Sites do not change it.
	Help string `json:"help,omitempty"`
	// Before is the value until the first event. Nil: the metric is not reported until then.
	Before *float64 `json:"before,omitempty"`
	// After are the straight lines that the metric follows from an event on, by the name of the event.
	After map[string][]Point `json:"after,omitempty"`
}

// Scenario says what is reported about every site, and what is different at some.
type Scenario struct {
	// Metrics are the curves by the name of the metric.
	Metrics map[string]Curve `json:"metrics"`
	// Sites are all sites by name, with what is different from Metrics.
	Sites map[string]map[string]Curve `json:"sites"`
}

// DefaultScenario is the one that the demonstration shows.
func DefaultScenario() (Scenario, error) { return Parse(defaultScenario) }

// Parse reads a scenario written as YAML. The error names what cannot work.
func Parse(text []byte) (Scenario, error) {
	var read Scenario
	if err := yaml.UnmarshalStrict(text, &read); err != nil {
		return Scenario{}, fmt.Errorf("read the scenario: %w", err)
	}
	if err := read.validate(); err != nil {
		return Scenario{}, fmt.Errorf("read the scenario: %w", err)
	}
	return read, nil
}

func (s Scenario) validate() error {
	if len(s.Metrics) == 0 || len(s.Sites) == 0 {
		return errors.New("it needs metrics and sites")
	}
	var failures []error
	for name, curve := range s.Metrics {
		failures = append(failures, curve.validate("metric "+name))
	}
	for site, curves := range s.Sites {
		for name, curve := range curves {
			where := "site " + site + ", metric " + name
			if _, known := s.Metrics[name]; !known {
				failures = append(failures, fmt.Errorf("%s: there is no such metric", where))
			}
			failures = append(failures, curve.validate(where))
		}
	}
	return errors.Join(failures...)
}

func (c Curve) validate(where string) error {
	for event, points := range c.After {
		if len(points) == 0 {
			return fmt.Errorf("%s, event %s: it has no points", where, event)
		}
		for i := 1; i < len(points); i++ {
			if points[i].Second <= points[i-1].Second {
				return fmt.Errorf("%s, event %s: point %d is not later than the one before it", where, event, i+1)
			}
		}
	}
	return nil
}

// curve is how one metric moves at one site: the site's own words first, then those for all sites.
func (s Scenario) curve(site, metric string) Curve {
	general, own := s.Metrics[metric], s.Sites[site][metric]
	merged := Curve{Help: general.Help, Before: general.Before, After: map[string][]Point{}}
	if own.Before != nil {
		merged.Before = own.Before
	}
	for _, after := range []map[string][]Point{general.After, own.After} {
		for event, points := range after {
			merged.After[event] = points
		}
	}
	return merged
}

// knows says whether an event moves anything at a site.
func (s Scenario) knows(site, event string) bool {
	for metric := range s.Metrics {
		if _, moves := s.curve(site, metric).After[event]; moves {
			return true
		}
	}
	return false
}

// siteNames are all sites, in order.
func (s Scenario) siteNames() []string { return sortedKeys(s.Sites) }

// metricNames are all metrics, in order.
func (s Scenario) metricNames() []string { return sortedKeys(s.Metrics) }

func sortedKeys[V any](of map[string]V) []string {
	keys := make([]string, 0, len(of))
	for key := range of {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// at is the value of straight lines through the points, some seconds after the event. Outside the points it is that of
// the nearest one.
func at(points []Point, second float64) float64 {
	if second <= points[0].Second {
		return points[0].Value
	}
	for i := 1; i < len(points); i++ {
		left, right := points[i-1], points[i]
		if second < right.Second {
			return left.Value + (right.Value-left.Value)*(second-left.Second)/(right.Second-left.Second)
		}
	}
	return points[len(points)-1].Value
}
