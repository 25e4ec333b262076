package crmsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Sim is the CRM of every site.
type Sim struct {
	scenario Scenario
	now      func() time.Time

	mutex  sync.Mutex
	events map[string][]posted
}

// posted is an event of a site.
type posted struct {
	event string
	time  time.Time
}

// New makes a CRM in which nothing has happened yet. now is its clock.
func New(scenario Scenario, now func() time.Time) *Sim {
	return &Sim{scenario: scenario, now: now, events: map[string][]posted{}}
}

// Post tells that something happens at a site now. The metrics that the scenario moves by it start their curves; posted
// again, they start again. A site or an event that the scenario does not know is an error.
func (s *Sim) Post(site, event string) error {
	if _, known := s.scenario.Sites[site]; !known {
		return fmt.Errorf("the scenario has no site %q", site)
	}
	if !s.scenario.knows(site, event) {
		return fmt.Errorf("the scenario has no event %q for site %q", event, site)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.events[site] = append(s.events[site], posted{event: event, time: s.now()})
	return nil
}

// Value is what is reported about a site at this moment. False: nothing.
func (s *Sim) Value(site, metric string) (float64, bool) {
	curve := s.scenario.curve(site, metric)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	history := s.events[site]
	for i := len(history) - 1; i >= 0; i-- {
		if points, moves := curve.After[history[i].event]; moves {
			return at(points, s.now().Sub(history[i].time).Seconds()), true
		}
	}
	if curve.Before == nil {
		return 0, false
	}
	return *curve.Before, true
}

// Describe declares nothing: which metrics are reported changes with what happens.
func (s *Sim) Describe(chan<- *prometheus.Desc) {}

// Collect reports every metric of every site.
func (s *Sim) Collect(into chan<- prometheus.Metric) {
	for _, name := range s.scenario.metricNames() {
		description := prometheus.NewDesc(name, s.scenario.Metrics[name].Help, []string{"site"}, nil)
		for _, site := range s.scenario.siteNames() {
			if value, reported := s.Value(site, name); reported {
				into <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value, site)
			}
		}
	}
}

// Handler serves GET /metrics, and POST /events?site=NAME&event=NAME.
func (s *Sim) Handler() (http.Handler, error) {
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(s); err != nil {
		return nil, fmt.Errorf("register the metrics of the CRM: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("POST /events", func(response http.ResponseWriter, request *http.Request) {
		query := request.URL.Query()
		if err := s.Post(query.Get("site"), query.Get("event")); err != nil {
			http.Error(response, err.Error(), http.StatusBadRequest)
			return
		}
		response.WriteHeader(http.StatusNoContent)
	})
	return mux, nil
}

// Server is a CRM that can be asked over HTTP.
type Server struct {
	address string
	server  *http.Server
	served  chan error
}

// Serve answers on a loopback address, host and port; port 0 takes a free one. It ends with Stop.
func Serve(sim *Sim, address string) (*Server, error) {
	handler, err := sim.Handler()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serve the CRM: %w", err)
	}
	s := &Server{
		address: listener.Addr().String(),
		server:  &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second},
		served:  make(chan error, 1),
	}
	go func() { s.served <- s.server.Serve(listener) }()
	return s, nil
}

// Address is host and port.
func (s *Server) Address() string { return s.address }

// URL is where it is asked, without a slash at the end.
func (s *Server) URL() string { return "http://" + s.address }

// Stop ends it, and waits until it has ended. Call it once.
func (s *Server) Stop() error {
	closed := s.server.Close()
	if err := <-s.served; !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(closed, fmt.Errorf("serve the CRM: %w", err))
	}
	return closed
}

// PostEvent tells a CRM that is served at a URL that something happens at a site.
func PostEvent(ctx context.Context, server, site, event string) error {
	query := url.Values{"site": {site}, "event": {event}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/events?"+query.Encode(), nil)
	if err != nil {
		return fmt.Errorf("post event %s of %s: %w", event, site, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("post event %s of %s: %w", event, site, err)
	}
	said, err := io.ReadAll(io.LimitReader(response.Body, 1000))
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return fmt.Errorf("post event %s of %s: %w", event, site, err)
	}
	if response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("post event %s of %s: the CRM answered %s: %s", event, site, response.Status, strings.TrimSpace(string(said)))
	}
	return nil
}
