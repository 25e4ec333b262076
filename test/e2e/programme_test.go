package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/crmops/rollout-operator/test/fakeprom"
)

// programme is a small rollout: three sites in two waves, two phases. The times are those of days and weeks, made short. $SOURCE is the address of
// the metrics, $STALE is how long a hold survives without a value, $THROUGH is the last phase.
const programme = `
kind: MetricProvider
metadata: {name: warehouse}
spec: {prometheus: {address: "$SOURCE", timeout: 5s}}
---
kind: KPI
metadata: {name: completeness}
spec: {provider: {name: warehouse}, query: crm_completeness, unit: ratio, direction: HigherIsBetter, category: DataQuality, interval: 1s, staleAfter: $STALE}
---
kind: KPI
metadata: {name: adoption}
spec: {provider: {name: warehouse}, query: crm_adoption, unit: ratio, direction: HigherIsBetter, category: Adoption, interval: 1s, staleAfter: $STALE}
---
kind: MetricProvider
metadata: {name: surveys}
spec: {readings: {acceptWithin: 9999w}}
---
kind: KPI
metadata: {name: satisfaction}
spec: {provider: {name: surveys}, query: latest, unit: points, direction: HigherIsBetter, category: Customer, interval: 1s}
---
kind: KPIReading
metadata: {name: berlin-january}
spec: {kpi: satisfaction, site: berlin, value: "4.4", observedAt: "2026-01-31T18:00:00Z", samples: 120, source: Customer survey of January}
---
kind: AcceptanceGate
metadata: {name: complete}
spec: {criteria: [{name: complete-records, kpi: completeness, atLeast: "0.95"}]}
---
kind: AcceptanceGate
metadata: {name: stays-complete}
spec: {criteria: [{name: complete-records, kpi: completeness, atLeast: "0.95", for: 8s}]}
---
kind: AcceptanceGate
metadata: {name: used}
spec: {criteria: [{name: daily-users, kpi: adoption, atLeast: "0.6", for: 3s}]}
---
kind: RolloutPhase
metadata: {name: migrate}
spec: {exitGate: {name: stays-complete}}
---
kind: RolloutPhase
metadata: {name: go-live}
spec: {entryGate: {name: complete}, soak: 2s, exitGate: {name: used}}
---
kind: RolloutSite
metadata: {name: berlin}
spec: {region: emea, businessMode: Membership, timeZone: Europe/Berlin, users: 120}
---
kind: RolloutSite
metadata: {name: paris}
spec: {region: emea, businessMode: ComplexSales, timeZone: Europe/Paris, users: 80}
---
kind: RolloutSite
metadata: {name: tokyo}
spec: {region: apac, businessMode: ComplexSales, timeZone: Asia/Tokyo, users: 300}
---
kind: CRMRollout
metadata: {name: group}
spec:
  goals: [{name: know-customers, successFactors: [{name: one-record, kpis: [completeness]}, {name: in-use, kpis: [adoption]}]}]
  phases: [{name: migrate}, {name: go-live}]
  waves:
  - {name: pilot, selector: {matchLabels: {rollout.crmops.dev/business-mode: Membership}}}
  - {name: everybody, selector: {}}
  through: $THROUGH
`

// run is a programme with the numbers that it is judged by.
type programmeRun struct {
	source                 *fakeprom.Server
	completeness, adoption *fakeprom.Series
}

// begin makes a namespace with the programme in it. Its numbers are good from the start, but for the adoption in Paris.
func begin(t *testing.T, namespace, staleAfter, through string) programmeRun {
	t.Helper()
	run := programmeRun{source: source(t), completeness: &fakeprom.Series{}, adoption: &fakeprom.Series{}}
	past := time.Now().Add(-time.Hour)
	run.completeness.Set(past, 0.98, "berlin", "paris", "tokyo")
	run.adoption.Set(past, 0.8, "berlin", "tokyo")
	run.adoption.Set(past, 0.3, "paris")
	run.source.Handle("crm_completeness", fakeprom.BySite(run.completeness.At))
	run.source.Handle("crm_adoption", fakeprom.BySite(run.adoption.At))
	create(t, namespace, strings.NewReplacer("$SOURCE", run.source.URL(), "$STALE", staleAfter, "$THROUGH", through).Replace(programme))
	return run
}
