package kpis

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// published are the metrics of one site at one moment: what there is, and totals of what there has been until then.
func (c *company) published(site string, at time.Time) map[string]float64 {
	metrics := map[string]float64{}
	for _, add := range []func(string, time.Time, map[string]float64){c.publishRecords, c.publishPeople, c.publishSales, c.publishService} {
		add(site, at, metrics)
	}
	return metrics
}

// one is 1 for true.
func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func (c *company) publishRecords(site string, at time.Time, metrics map[string]float64) {
	copies := map[string]float64{}
	for _, name := range []string{"crm_customer_records", "crm_customer_records_complete", "crm_customer_records_stale", "crm_customers", "crm_customers_lost_total"} {
		metrics[name] = 0
	}
	for _, r := range c.customers {
		if r.site != site {
			continue
		}
		metrics["crm_customers"] += one(by(at, r.since) && !by(at, r.lost))
		metrics["crm_customers_lost_total"] += one(by(at, r.lost))
		if !by(at, r.created) {
			continue
		}
		metrics["crm_customer_records"]++
		metrics["crm_customer_records_complete"] += one(r.complete())
		metrics["crm_customer_records_stale"] += one(r.stale(at))
		copies[r.identity()]++
	}
	metrics["crm_customer_records_duplicate"] = 0
	for identity, records := range copies {
		if identity != "" && records > 1 {
			metrics["crm_customer_records_duplicate"] += records
		}
	}
}

func (c *company) publishPeople(site string, at time.Time, metrics map[string]float64) {
	for _, name := range []string{"crm_users_licensed", "crm_users_active_weekly", "crm_sales_representatives", "crm_record_changes_total"} {
		metrics[name] = 0
	}
	for _, u := range c.users {
		if u.site != site {
			continue
		}
		metrics["crm_record_changes_total"] += float64(c.done(u, span{to: at}, "change"))
		if !u.licensed(at) {
			continue
		}
		metrics["crm_users_licensed"]++
		metrics["crm_sales_representatives"] += one(u.role == "sales")
		metrics["crm_users_active_weekly"] += one(c.done(u, span{at.Add(-week), at}, "login", "change") > 0)
	}
}

func (c *company) publishSales(site string, at time.Time, metrics map[string]float64) {
	for _, name := range []string{"crm_lead_response_hours_sum", "crm_lead_response_hours_count", "crm_opportunity_cycle_days_sum", "crm_opportunity_cycle_days_count",
		"crm_opportunities_won_total", "crm_opportunities_won_amount_total"} {
		metrics[name] = 0
	}
	for _, l := range c.leads {
		if l.site == site && by(at, l.answered) {
			metrics["crm_lead_response_hours_sum"] += l.answered.Sub(l.created).Hours()
			metrics["crm_lead_response_hours_count"]++
		}
	}
	for _, o := range c.opportunities {
		if o.site != site || !by(at, o.closed) {
			continue
		}
		metrics["crm_opportunity_cycle_days_sum"] += o.closed.Sub(o.created).Hours() / 24
		metrics["crm_opportunity_cycle_days_count"]++
		if o.status == "won" {
			metrics["crm_opportunities_won_total"]++
			metrics["crm_opportunities_won_amount_total"] += float64(max(o.cents, 0)) / 100
		}
	}
}

func (c *company) publishService(site string, at time.Time, metrics map[string]float64) {
	for _, name := range []string{"crm_case_resolution_hours_sum", "crm_case_resolution_hours_count", "crm_cases_resolved_at_first_contact_total",
		"crm_survey_score_sum", "crm_survey_score_count"} {
		metrics[name] = 0
	}
	for _, r := range c.cases {
		if r.site == site && by(at, r.resolved) {
			metrics["crm_case_resolution_hours_sum"] += r.resolved.Sub(r.opened).Hours()
			metrics["crm_case_resolution_hours_count"]++
			metrics["crm_cases_resolved_at_first_contact_total"] += one(r.contacts == 1)
		}
	}
	for _, a := range c.answers {
		if a.site == site && by(at, a.answered) && a.score > 0 {
			metrics["crm_survey_score_sum"] += float64(a.score)
			metrics["crm_survey_score_count"]++
		}
	}
}

// decoys are added to the metrics at moments around those that a query is about, so that a look at the wrong moment shows.
var decoys = map[time.Duration]float64{-time.Minute: 500, 0: 0, time.Second: 1000}

// exposition is what a Prometheus would have scraped: all metrics at the borders of all windows, and other numbers shortly before and after.
func (c *company) exposition() string {
	series := map[string]*strings.Builder{}
	moments := []time.Time{end}
	for _, length := range lengths {
		moments = append([]time.Time{end.Add(-length)}, moments...)
	}
	for i, moment := range moments {
		for _, site := range sites {
			metrics := c.published(site, moment)
			for _, shift := range []time.Duration{-time.Minute, 0, time.Second} {
				for name, value := range metrics {
					if series[name] == nil {
						series[name] = &strings.Builder{}
					}
					at := float64(moment.Add(shift).UnixMilli()) / 1000
					number := strconv.FormatFloat(value+decoys[shift]*float64(i+1), 'g', -1, 64)
					fmt.Fprintf(series[name], "%s{site=%q} %s %s\n", name, site, number, strconv.FormatFloat(at, 'f', 3, 64))
				}
			}
		}
	}
	var text strings.Builder
	for _, lines := range series {
		text.WriteString(lines.String())
	}
	return text.String() + "# EOF\n"
}
