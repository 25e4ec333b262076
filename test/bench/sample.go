package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// sample is what can be counted and read at one moment.
type sample struct {
	at time.Time
	// asked are the moments that each KPI's query was asked about so far, and total is the number of all queries.
	asked map[string][]time.Time
	total int
	// requests are those that the API server has answered, by kind, whoever made them.
	requests map[request]float64
	// refused are those of the writes that were answered with an error.
	refused map[request]float64
	// own are the requests that the manager says it has made, by HTTP method.
	own map[string]float64
	// reconciles by controller, and how many of them failed.
	reconciles map[string]float64
	failures   float64
	goroutines float64
	// spans are the times that reconciles took, by controller.
	spans map[string]span
	// bodies are the sizes of what the API server was sent, by verb and resource.
	bodies  map[request]bodies
	process process
	// steps is the number of transitions that sites have recorded.
	steps int64
}

// request is a kind of request to the API server.
type request struct{ verb, group, resource, subresource string }

// String names the request as Kubernetes does: PATCH siterollouts/status.
func (r request) String() string {
	if r.subresource == "" {
		return r.verb + " " + r.resource
	}
	return r.verb + " " + r.resource + "/" + r.subresource
}

// sample looks at everything. What it asks of the API server are reads, which do not count.
func (s *stage) sample(ctx context.Context) (sample, error) {
	stories, err := s.stories(ctx)
	if err != nil {
		return sample{}, err
	}
	taken, err := s.serverSample(ctx)
	if err != nil {
		return sample{}, err
	}
	manager, err := scrape(ctx, http.DefaultClient, s.manager.MetricsURL())
	if err != nil {
		return sample{}, err
	}
	used, err := readProcess(s.manager.PID())
	if err != nil {
		return sample{}, err
	}
	taken.asked, taken.process, taken.steps = map[string][]time.Time{}, used, steps(stories)
	for _, m := range s.programme.measured {
		taken.asked[m.kpi] = s.prometheus.Asked(m.query())
	}
	taken.total = s.prometheus.Total()
	return taken, taken.readManager(manager)
}

// span is how long some things took.
type span struct{ count, seconds float64 }

func (s span) mean() time.Duration {
	return time.Duration(ratio(s.seconds, s.count) * float64(time.Second))
}

// bodies are how long some requests were.
type bodies struct{ count, bytes float64 }

func (b bodies) mean() float64 { return ratio(b.bytes, b.count) }

// serverSample looks at the API server alone.
func (s *stage) serverSample(ctx context.Context) (sample, error) {
	server, err := scrape(ctx, s.scraper, strings.TrimSuffix(s.cluster.Config().Host, "/")+"/metrics")
	taken := sample{at: time.Now()}
	taken.readServer(server)
	return taken, err
}

func (s *sample) readServer(metrics []metric) {
	s.requests, s.refused, s.bodies = map[request]float64{}, map[request]float64{}, map[request]bodies{}
	for _, m := range metrics {
		kind := request{strings.ToUpper(m.labels["verb"]), m.labels["group"], m.labels["resource"], m.labels["subresource"]}
		sent := s.bodies[kind]
		switch m.name {
		case "apiserver_request_total":
			s.requests[kind] += m.value
			if kind.writes() && m.labels["code"] >= "400" {
				s.refused[kind] += m.value
			}
		case "apiserver_request_body_size_bytes_sum":
			sent.bytes += m.value
			s.bodies[kind] = sent
		case "apiserver_request_body_size_bytes_count":
			sent.count += m.value
			s.bodies[kind] = sent
		}
	}
}

func (s *sample) readManager(metrics []metric) error {
	s.own, s.reconciles, s.spans = map[string]float64{}, map[string]float64{}, map[string]span{}
	for _, m := range metrics {
		took := s.spans[m.labels["controller"]]
		switch m.name {
		case "controller_runtime_reconcile_time_seconds_sum":
			took.seconds += m.value
			s.spans[m.labels["controller"]] = took
		case "controller_runtime_reconcile_time_seconds_count":
			took.count += m.value
			s.spans[m.labels["controller"]] = took
		case "rest_client_requests_total":
			s.own[m.labels["method"]] += m.value
		case "controller_runtime_reconcile_total":
			s.reconciles[m.labels["controller"]] += m.value
		case "controller_runtime_reconcile_errors_total":
			s.failures += m.value
		case "go_goroutines":
			s.goroutines = m.value
		}
	}
	if len(s.own) == 0 || len(s.reconciles) == 0 || s.goroutines == 0 {
		return errors.New("the manager's metrics lack its requests, its reconciles or its goroutines")
	}
	return nil
}

// metric is one series of a scrape.
type metric struct {
	name   string
	labels map[string]string
	value  float64
}

func scrape(ctx context.Context, client *http.Client, url string) ([]metric, error) {
	asked, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("scrape %s: %w", url, err)
	}
	response, err := client.Do(asked)
	if err != nil {
		return nil, fmt.Errorf("scrape %s: %w", url, err)
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, fmt.Errorf("scrape %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("scrape %s: %s", url, response.Status)
	}
	metrics, err := parseMetrics(body)
	if err != nil {
		return nil, fmt.Errorf("scrape %s: %w", url, err)
	}
	return metrics, nil
}

// parseMetrics reads the counters and gauges of a scrape, and of its histograms the sums and counts. Summaries are left out.
func parseMetrics(text []byte) ([]metric, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	var metrics []metric
	for name, family := range families {
		for _, series := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range series.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			histogram := series.GetHistogram()
			switch {
			case histogram != nil:
				metrics = append(metrics, metric{name + "_sum", labels, histogram.GetSampleSum()}, metric{name + "_count", labels, float64(histogram.GetSampleCount())})
			case series.GetCounter() != nil || series.GetGauge() != nil:
				metrics = append(metrics, metric{name, labels, series.GetCounter().GetValue() + series.GetGauge().GetValue()})
			}
		}
	}
	return metrics, nil
}

// process is what the kernel says of a process.
type process struct {
	// cpu is the time that it ran, in its own code and in the kernel.
	cpu time.Duration
	// resident and peak are the memory that it has now, and the most that it ever had, in bytes.
	resident, peak int64
}

// ticksPerSecond is the unit of times in /proc, the same on every Linux that Go supports.
const ticksPerSecond = 100

func readProcess(pid int) (process, error) {
	directory := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(directory, "stat"))
	if err != nil {
		return process{}, fmt.Errorf("read what the manager uses: %w", err)
	}
	status, err := os.ReadFile(filepath.Join(directory, "status"))
	if err != nil {
		return process{}, fmt.Errorf("read what the manager uses: %w", err)
	}
	return parseProcess(string(stat), string(status))
}

// parseProcess reads /proc/PID/stat and /proc/PID/status.
func parseProcess(stat, status string) (process, error) {
	// The name, in brackets, may hold spaces and brackets; utime and stime are the 12th and 13th field after it.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return process{}, fmt.Errorf("read /proc/PID/stat: %d fields are too few", len(fields))
	}
	var used process
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return process{}, fmt.Errorf("read /proc/PID/stat: %w", err)
		}
		used.cpu += time.Duration(ticks) * time.Second / ticksPerSecond
	}
	for _, line := range strings.Split(status, "\n") {
		name, text, _ := strings.Cut(line, ":")
		if name != "VmRSS" && name != "VmHWM" {
			continue
		}
		kibibytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
		if err != nil {
			return process{}, fmt.Errorf("read /proc/PID/status: %w", err)
		}
		if name == "VmRSS" {
			used.resident = kibibytes << 10
		} else {
			used.peak = kibibytes << 10
		}
	}
	if used.resident == 0 || used.peak == 0 {
		return process{}, errors.New("read /proc/PID/status: it tells no VmRSS or no VmHWM")
	}
	return used, nil
}
