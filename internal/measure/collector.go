package measure

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// Collector shows the latest value of every KPI and site as Prometheus metrics. It reads the Store when it is scraped, so nothing has to be cleaned up
// when a KPI or a site goes away.
type Collector struct {
	// Store to show.
	Store *Store
}

var (
	valueDesc = prometheus.NewDesc("crm_rollout_kpi_value", "Latest measured value of a KPI at a site, in the KPI's unit.", []string{"namespace", "kpi", "site"}, nil)
	timeDesc  = prometheus.NewDesc("crm_rollout_kpi_measured_timestamp_seconds", "End of the window of a KPI's latest successful measurement.", []string{"namespace", "kpi"}, nil)
)

// Describe implements prometheus.Collector.
func (c Collector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- valueDesc
	descriptions <- timeDesc
}

// Collect implements prometheus.Collector.
func (c Collector) Collect(metrics chan<- prometheus.Metric) {
	// What is sent is gathered first: a slow scrape must not keep measurements from being stored.
	var found []prometheus.Metric
	c.Store.Latest(func(kpi types.NamespacedName, m Measurement) {
		found = append(found, prometheus.MustNewConstMetric(timeDesc, prometheus.GaugeValue, float64(m.Time.Unix()), kpi.Namespace, kpi.Name))
		for site, sample := range m.Values {
			if !m.Ambiguous[site] {
				found = append(found, prometheus.MustNewConstMetric(valueDesc, prometheus.GaugeValue, sample.Value, kpi.Namespace, kpi.Name, site))
			}
		}
	})
	for _, metric := range found {
		metrics <- metric
	}
}
