package siterollout

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
)

// Collector shows states and verdicts of all sites as Prometheus metrics. It reads the cache when it is scraped.
type Collector struct {
	// Reader is the cache.
	Reader client.Reader
}

var (
	siteLabels  = []string{"namespace", "rollout", "site"}
	stateDesc   = prometheus.NewDesc("crm_rollout_site_state", "1 for the state that a site is in.", append(siteLabels, "phase", "state", "reason"), nil)
	verdictDesc = prometheus.NewDesc("crm_rollout_gate_verdict", "Verdict of the gate that a site stands at: 1 Pass, 0 Wait, -1 Fail.", append(siteLabels, "phase", "gate", "role"), nil)
)

// verdictValues are the numbers that stand for verdicts.
var verdictValues = map[v1alpha1.Verdict]float64{v1alpha1.VerdictPass: 1, v1alpha1.VerdictWait: 0, v1alpha1.VerdictFail: -1}

// scrapeTimeout bounds the wait for a cache that is not filled yet.
const scrapeTimeout = 5 * time.Second

// Describe implements prometheus.Collector.
func (c Collector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- stateDesc
	descriptions <- verdictDesc
}

// Collect implements prometheus.Collector.
func (c Collector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	var list v1alpha1.SiteRolloutList
	if err := c.Reader.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		metrics <- prometheus.NewInvalidMetric(stateDesc, err)
		return
	}
	for i := range list.Items {
		sr := &list.Items[i]
		if sr.Status.State == "" {
			continue
		}
		who := []string{sr.Namespace, sr.Spec.Rollout, sr.Spec.Site, sr.Status.CurrentPhase}
		metrics <- prometheus.MustNewConstMetric(stateDesc, prometheus.GaugeValue, 1, append(who, string(sr.Status.State), sr.Status.Reason)...)
		if gate := sr.Status.Gate; gate != nil {
			metrics <- prometheus.MustNewConstMetric(verdictDesc, prometheus.GaugeValue, verdictValues[gate.Verdict], append(who, gate.Name, string(gate.Role))...)
		}
	}
}
