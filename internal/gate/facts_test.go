package gate_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/gate"
)

const (
	pass, fail, wait = v1alpha1.VerdictPass, v1alpha1.VerdictFail, v1alpha1.VerdictWait
)

// leadTime is a KPI in hours that is better when lower, measured every 5 minutes and stale after 15.
var leadTime = gate.KPI{Name: "lead-time", Revision: "r1", Unit: "h", Interval: 5 * time.Minute, StaleAfter: 15 * time.Minute}

// peer is another site: under which ID it is measured, what it has, and whether it has begun the phase.
type peer struct {
	id      string
	samples []gate.Sample
	begun   bool
}

// world is what is known about the site berlin, which sources call DE-1, and about its peers.
type world struct {
	evidence  map[string]gate.Evidence
	baselines map[string]*v1alpha1.Baseline
	peers     map[string]peer
	notBefore time.Time
	now       time.Time
}

func (w world) facts() gate.Facts {
	return gate.Facts{
		Evidence: func(kpi gate.KPI) gate.Evidence { return w.evidence[kpi.Name] },
		Baseline: func(phase, kpi string) *v1alpha1.Baseline { return w.baselines[phase+"/"+kpi] },
		Peer: func(_, site, siteID string, _ gate.KPI) ([]gate.Sample, bool) {
			p := w.peers[site]
			return p.samples, p.id == siteID && !p.begun
		},
		SiteID:    "DE-1",
		NotBefore: w.notBefore,
		Now:       w.now,
	}
}

// judge asks about one gate of these criteria that has not been judged before.
func (w world) judge(criteria ...gate.Criterion) gate.Judgement {
	return gate.Judge(gate.Question{Gate: gate.Gate{Name: "g", Criteria: criteria}, Facts: w.facts()})
}

// taken is the baseline of lead-time that phase prepare took on monday.
func taken(value v1alpha1.Decimal) *v1alpha1.Baseline {
	return &v1alpha1.Baseline{KPI: "lead-time", KPIRevision: "b1", Source: "warehouse", SiteID: "DE-1", WindowEnd: metav1.NewTime(monday), Value: value}
}

// says is what a criterion comes to.
type says struct {
	verdict         v1alpha1.Verdict
	reason, message string
}

func check(t *testing.T, want says, got gate.CriterionJudgement) {
	t.Helper()
	if diff := cmp.Diff(want, says{got.Verdict, got.Reason, got.Message}, cmp.AllowUnexported(says{})); diff != "" {
		t.Errorf("criterion (-want +got):\n%s", diff)
	}
}

// samples are values measured every 5 minutes, the first of them at a minute.
func samples(first int, values ...float64) []gate.Sample {
	var all []gate.Sample
	for i, v := range values {
		all = append(all, gate.Sample{Value: v, Time: at(first + 5*i)})
	}
	return all
}

// latest is the evidence of such values, the last of them just measured.
func latest(all []gate.Sample) gate.Evidence {
	return gate.Evidence{Samples: all, Latest: gate.OutcomeValue, LatestAt: all[len(all)-1].Time}
}

func atMost(t testing.TB, d v1alpha1.Threshold) gate.Threshold {
	t.Helper()
	return threshold(t, v1alpha1.Criterion{AtMost: &d, Against: &v1alpha1.Against{}})
}

func atLeastChange(t testing.TB, d v1alpha1.Threshold) gate.Threshold {
	t.Helper()
	return threshold(t, v1alpha1.Criterion{AtLeast: &d, Against: &v1alpha1.Against{}})
}

func betweenChanges(t testing.TB, low, high v1alpha1.Threshold) gate.Threshold {
	t.Helper()
	return threshold(t, v1alpha1.Criterion{Between: &v1alpha1.Range{Min: low, Max: high}, Against: &v1alpha1.Against{}})
}
