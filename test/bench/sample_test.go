package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const scraped = `# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",dry_run="",group="rollout.crmops.dev",resource="kpis",scope="resource",subresource="status",verb="PATCH",version="v1alpha1"} 12
apiserver_request_total{code="409",component="apiserver",dry_run="",group="rollout.crmops.dev",resource="kpis",scope="resource",subresource="status",verb="PATCH",version="v1alpha1"} 3
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1"} 1
# TYPE apiserver_request_body_size_bytes histogram
apiserver_request_body_size_bytes_bucket{group="rollout.crmops.dev",resource="kpis",verb="patch",le="+Inf"} 15
apiserver_request_body_size_bytes_sum{group="rollout.crmops.dev",resource="kpis",verb="patch"} 9000
apiserver_request_body_size_bytes_count{group="rollout.crmops.dev",resource="kpis",verb="patch"} 15
# TYPE rest_client_requests_total counter
rest_client_requests_total{code="200",host="127.0.0.1:1",method="GET"} 40
rest_client_requests_total{code="404",host="127.0.0.1:1",method="GET"} 2
# TYPE controller_runtime_reconcile_total counter
controller_runtime_reconcile_total{controller="kpi",result="requeue_after"} 30
controller_runtime_reconcile_total{controller="kpi",result="success"} 1
# TYPE controller_runtime_reconcile_errors_total counter
controller_runtime_reconcile_errors_total{controller="kpi"} 1
controller_runtime_reconcile_errors_total{controller="siterollout"} 2
# TYPE controller_runtime_reconcile_time_seconds histogram
controller_runtime_reconcile_time_seconds_bucket{controller="kpi",le="+Inf"} 31
controller_runtime_reconcile_time_seconds_sum{controller="kpi"} 1
controller_runtime_reconcile_time_seconds_count{controller="kpi"} 31
# TYPE go_goroutines gauge
go_goroutines 77
`

func TestMetricsAreCountedWhateverTheirOtherLabels(t *testing.T) {
	metrics, err := parseMetrics([]byte(scraped))
	if err != nil {
		t.Fatal(err)
	}
	var got sample
	got.readServer(metrics)
	if err := got.readManager(metrics); err != nil {
		t.Fatal(err)
	}
	want := sample{
		requests:   map[request]float64{{"PATCH", "rollout.crmops.dev", "kpis", "status"}: 15, {"LIST", "", "pods", ""}: 1},
		refused:    map[request]float64{{"PATCH", "rollout.crmops.dev", "kpis", "status"}: 3},
		bodies:     map[request]bodies{{"PATCH", "rollout.crmops.dev", "kpis", ""}: {15, 9000}},
		own:        map[string]float64{"GET": 42},
		spans:      map[string]span{"kpi": {31, 1}},
		reconciles: map[string]float64{"kpi": 31},
		failures:   3,
		goroutines: 77,
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(sample{}, request{}, process{}, span{}, bodies{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("sample (-want +got):\n%s", diff)
	}
}

func TestMetricsThatLackSomethingAreRefused(t *testing.T) {
	for _, missing := range []string{"rest_client_requests_total", "controller_runtime_reconcile_total", "go_goroutines"} {
		t.Run(missing, func(t *testing.T) {
			metrics, err := parseMetrics([]byte(strings.ReplaceAll(scraped, missing, "other_"+missing)))
			if err != nil {
				t.Fatal(err)
			}
			var got sample
			if err := got.readManager(metrics); err == nil {
				t.Error("a metric that is missing would count as zero, and zero is what is promised")
			}
		})
	}
	if _, err := parseMetrics([]byte("<html>")); err == nil {
		t.Error("what is no metrics must be an error")
	}
}

func TestWhatTheKernelSaysOfAProcess(t *testing.T) {
	const (
		stat   = "4711 (a (b) c) S 1 4711 4711 0 -1 4194560 1186 0 0 0 150 25 7 9 20 0 9 0 100 1 1"
		status = "Name:\tmanager\nVmPeak:\t 9000 kB\nVmHWM:\t   80 kB\nVmRSS:\t   64 kB\nThreads:\t9\n"
	)
	for name, test := range map[string]struct {
		stat, status string
		want         process
		refused      bool
	}{
		"user and system time, and memory": {stat: stat, status: status, want: process{cpu: 1750 * time.Millisecond, resident: 64 << 10, peak: 80 << 10}},
		"too few fields":                   {stat: "4711 (a) S 1 2 3", status: status, refused: true},
		"a time that is no number":         {stat: strings.Replace(stat, "150", "soon", 1), status: status, refused: true},
		"memory that is no number":         {stat: stat, status: strings.Replace(status, "64", "much", 1), refused: true},
		"no memory":                        {stat: stat, status: "Name:\tmanager\n", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseProcess(test.stat, test.status)
			if (err != nil) != test.refused {
				t.Fatalf("error: %v, want one: %t", err, test.refused)
			}
			if err == nil {
				if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(process{})); diff != "" {
					t.Errorf("process (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestThisProcessCanBeRead(t *testing.T) {
	used, err := readProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if used.resident <= 0 || used.peak < used.resident/2 {
		t.Errorf("a process has memory: %+v", used)
	}
}
