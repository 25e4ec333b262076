package sequence

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/record"
)

func on(minutes int) metav1.Time { return metav1.NewTime(began.Add(time.Duration(minutes) * minute)) }

func passedOn(minutes int) *metav1.Time {
	t := on(minutes)
	return &t
}

// innocent is a step with nothing wrong: hq has passed prepare and migrate, and golive passes now.
func innocent() *step {
	a := newQuickAPI()
	for _, o := range programme("").objects {
		must(a.Create(context.Background(), clone(o)))
	}
	rollout := all[*v1alpha1.CRMRollout](a)[0]
	must(a.Create(context.Background(), frozenAs("crm-now", rollout)))
	before := &v1alpha1.SiteRollout{ObjectMeta: named("crm.hq"), Spec: v1alpha1.SiteRolloutSpec{Rollout: "crm", Site: "hq", Wave: "pilot", AdmittedThrough: "golive"}}
	st := &before.Status
	st.State, st.CurrentPhase = v1alpha1.SiteProving, "golive"
	st.Phases = []v1alpha1.PhaseRecord{
		{Name: "prepare", Attempt: 1, StartedAt: on(0), PassedAt: passedOn(20)},
		{Name: "migrate", Attempt: 1, StartedAt: on(20), PassedAt: passedOn(55)},
		{Name: "golive", Attempt: 1, StartedAt: on(55)},
	}
	from := v1alpha1.SitePending
	tell := func(to v1alpha1.SiteState, reason string) {
		st.Transitions = append(st.Transitions, v1alpha1.Transition{Sequence: int64(len(st.Transitions) + 1), From: from, To: to, Reason: reason})
		from = to
	}
	tell(v1alpha1.SiteWaiting, v1alpha1.ReasonCreated)
	for range 2 {
		tell(v1alpha1.SiteProving, v1alpha1.ReasonPhaseStarted)
		tell(v1alpha1.SiteWaiting, v1alpha1.ReasonPhasePassed)
	}
	tell(v1alpha1.SiteProving, v1alpha1.ReasonPhaseStarted)
	after := before.DeepCopy()
	st = &after.Status
	st.Phases[2].PassedAt, st.State, st.CurrentPhase = passedOn(70), v1alpha1.SiteCompleted, ""
	tell(v1alpha1.SiteCompleted, v1alpha1.ReasonPhasePassed)
	berlin := &v1alpha1.SiteRollout{ObjectMeta: named("crm.berlin"), Spec: v1alpha1.SiteRolloutSpec{Rollout: "crm", Site: "berlin", Wave: "region"}}
	s := &step{before: before, after: after, scene: scene{
		turn: &turn{request: request{ofMoves, types.NamespacedName{}}, rollout: clone(rollout), sites: []v1alpha1.RolloutSite{*site("hq", "pilot"), *site("berlin", "region")}},
		now:  on(70).Time, api: a, rollout: rollout, siteRollouts: []*v1alpha1.SiteRollout{after, berlin},
	}}
	s.chain()
	return s
}

// frozenAs is a frozen plan with the phases of a rollout and nothing else.
func frozenAs(name string, rollout *v1alpha1.CRMRollout) *appsv1.ControllerRevision {
	p := frozenPlan{}
	for _, ref := range rollout.Spec.Phases {
		p.Phases = append(p.Phases, ref.Name)
	}
	text, err := json.Marshal(p)
	must(err)
	return &appsv1.ControllerRevision{ObjectMeta: named(name), Data: runtime.RawExtension{Raw: text}, Revision: 1}
}

// admitsBerlin turns the step into the admission of berlin to its first phase.
func (s *step) admitsBerlin() {
	s.before = s.siteRollouts[1]
	s.after = s.before.DeepCopy()
	s.after.Spec.AdmittedThrough, s.after.Spec.Revision = "prepare", "crm-now"
	s.siteRollouts[1] = s.after
	s.turn.request.controller = ofRollouts
}

// migrates turns the step into one in which migrate passes, on a log of one good value every 5m since the phase began.
func (s *step) migrates() {
	for _, sr := range []*v1alpha1.SiteRollout{s.before, s.after} {
		sr.Status.Phases = sr.Status.Phases[:2]
	}
	s.before.Status.Phases[1].PassedAt = nil
	s.before.Status.Transitions = s.before.Status.Transitions[:4]
	s.after.Status.Transitions = s.after.Status.Transitions[:5]
	s.after.Status.State, s.after.Status.CurrentPhase = v1alpha1.SiteWaiting, "golive"
	s.after.Status.Phases[1].Evidence = []v1alpha1.Evidence{{Criterion: "records", KPI: "duplicates", SampleTime: on(55), MetSince: passedOn(25)}}
	s.chain()
	s.now = on(55).Time
	for m := 0; m <= 55; m += 5 {
		s.log = append(s.log, reading{kpi: "duplicates", query: "duplicates", at: on(m).Time, values: map[string]float64{"hq": 0.01}})
	}
}

// spoilings break an innocent step, each in one way. The first are innocent as well.
var spoilings = []spoiling{
	{"", "nothing is wrong", func(*step) {}},
	{"", "a wave begins after the one before it", (*step).admitsBerlin},
	{"", "a gate passes on proof", (*step).migrates},
	{"phases are started in the order of the plan", "a phase is skipped", func(s *step) {
		s.before.Status.Phases = s.before.Status.Phases[:1]
		s.after.Status.Phases[1].Name = "golive"
		s.after.Status.Phases = s.after.Status.Phases[:2]
	}},
	{"a phase starts after the one before it has passed", "it has not passed", func(s *step) {
		s.before.Status.Phases, s.after.Status.Phases[1].PassedAt = s.before.Status.Phases[:2], nil
	}},
	{"a phase starts after the one before it has passed", "it passed later", func(s *step) {
		s.before.Status.Phases, s.after.Status.Phases[1].PassedAt = s.before.Status.Phases[:2], passedOn(56)
	}},
	{"what is recorded never changes", "a passed record changes", func(s *step) { s.after.Status.Phases[0].PassedAt = passedOn(19) }},
	{"what is recorded never changes", "a first start changes", func(s *step) {
		first, other := on(50), on(51)
		s.before.Status.Phases[2].FirstStartedAt, s.after.Status.Phases[2].FirstStartedAt = &first, &other
	}},
	{"what is recorded never changes", "a start changes", func(s *step) { s.after.Status.Phases[2].StartedAt = on(56) }},
	{"what is recorded never changes", "a record is lost", func(s *step) { s.after.Status.Phases = s.after.Status.Phases[:2] }},
	{"transitions are told once, in order and for good", "one changes", func(s *step) { s.after.Status.Transitions[1].Message = "another" }},
	{"transitions are told once, in order and for good", "one is lost", func(s *step) { s.after.Status.Transitions = s.after.Status.Transitions[:6] }},
	{"transitions are told once, in order and for good", "one is told twice", func(s *step) {
		s.after.Status.Transitions = append(s.after.Status.Transitions, s.after.Status.Transitions[6])
	}},
	{"transitions are told once, in order and for good", "one is lost behind a checkpoint that does not stand for it", func(s *step) {
		record.Fold(&s.after.Status, 2)
		s.after.Status.Transitions = s.after.Status.Transitions[1:]
	}},
	{"transitions are told once, in order and for good", "a checkpoint stands for another", func(s *step) {
		record.Fold(&s.after.Status, 2)
		s.after.Status.Checkpoint.Hash = "another"
	}},
	{"transitions are told once, in order and for good", "a checkpoint is gone", func(s *step) {
		record.Fold(&s.before.Status, 2)
		s.after.Status.Transitions = s.after.Status.Transitions[2:]
	}},
	{"transitions are told once, in order and for good", "a checkpoint changes", func(s *step) {
		record.Fold(&s.before.Status, 2)
		record.Fold(&s.after.Status, 2)
		s.after.Status.Checkpoint.Time = on(1)
	}},
	{"", "the oldest are folded", func(s *step) { record.Fold(&s.after.Status, 3) }},
	{"the record of every site verifies", "a step has no hash", func(s *step) { s.after.Status.Transitions[6].Hash = "" }},
	{"the record of every site verifies", "a step is hashed without the one before it", func(s *step) {
		last := &s.after.Status.Transitions[6]
		last.Hash = record.Hash("", *last)
	}},
	{"the record of every site verifies", "the evidence is another", then((*step).migrates, func(s *step) { s.after.Status.Phases[1].Evidence[0].Value = "0.011" })},
	{"the record of every site verifies", "a step goes back in time", func(s *step) {
		last := &s.after.Status.Transitions[6]
		last.Time, s.after.Status.Phases[2].PassedAt = on(54), passedOn(54)
		last.Hash = record.Hash(s.after.Status.Transitions[5].Hash, *last)
	}},
	{"the state agrees with the records", "completed with a phase that runs", func(s *step) { s.after.Status.Phases[2].PassedAt = nil }},
	{"a site starts only the phase that it is admitted to", "it is admitted to less", func(s *step) {
		s.before.Spec.AdmittedThrough, s.before.Status.Phases = "migrate", s.before.Status.Phases[:2]
	}},
	{"maxConcurrent", "hq is in flight as well", func(s *step) {
		s.turn.rollout.Spec.MaxConcurrent = sites(1)
		s.admitsBerlin()
		s.siteRollouts[0] = s.siteRollouts[0].DeepCopy()
		s.siteRollouts[0].Status.Phases[2].PassedAt = nil
	}},
	{"no site begins before its wave", "hq has not completed", func(s *step) {
		s.admitsBerlin()
		s.siteRollouts[0].Status.Phases[2].PassedAt = nil
	}},
	{"no site begins before its wave", "a site of the pilot has no SiteRollout yet", func(s *step) {
		s.admitsBerlin()
		s.turn.sites = append(s.turn.sites, *site("kiel", "pilot"))
	}},
	{"no site begins before its wave", "the pilot has no site", func(s *step) {
		s.admitsBerlin()
		s.siteRollouts, s.turn.sites = s.siteRollouts[1:], nil
	}},
	{"nothing past through", "golive is started", func(s *step) {
		s.before.Status.Phases, s.turn.rollout.Spec.Through = s.before.Status.Phases[:2], "migrate"
	}},
	{"nothing past through", "golive is admitted", func(s *step) { s.before.Spec.AdmittedThrough, s.turn.rollout.Spec.Through = "migrate", "migrate" }},
	{"nothing while suspended", "a site is admitted", func(s *step) {
		s.admitsBerlin()
		s.turn.rollout.Spec.Suspend = true
	}},
	{"nothing while suspended", "a phase starts", func(s *step) {
		s.before.Status.Phases, s.turn.rollout.Spec.Suspend = s.before.Status.Phases[:2], true
	}},
	{"", "a wave begins while its calendars are open", func(s *step) {
		s.admitsBerlin()
		s.turn.rollout.Spec.Calendars, s.turn.rollout.Spec.Waves[1].Calendars = refs("office"), refs("region")
		s.hours = hours{"office": from(span{hour, 2 * hour}), "region": notFrom(span{0, hour})}
	}},
	{"nothing while a calendar is closed", "the rollout's", func(s *step) {
		s.admitsBerlin()
		s.turn.rollout.Spec.Calendars, s.hours = refs("office"), hours{"office": notFrom(span{hour, 2 * hour})}
	}},
	{"nothing while a calendar is closed", "the wave's", func(s *step) {
		s.admitsBerlin()
		s.turn.rollout.Spec.Waves[1].Calendars, s.hours = refs("region"), hours{"region": from(span{2 * hour, 3 * hour})}
	}},
	{"nothing while a calendar is closed", "the phase's, when it starts", func(s *step) {
		s.before.Status.Phases = s.before.Status.Phases[:2]
		s.phase("golive").Spec.Calendars, s.hours = refs("audit"), hours{"audit": from(span{0, hour})}
	}},
	{"nothing while a calendar is closed", "that of the site alone", func(s *step) {
		s.admitsBerlin()
		s.turn.rollout.Spec.Calendars, s.hours = refs("holidays"), hours{"holidays": func(site string, _ time.Duration) bool { return site != "berlin" }}
	}},
	{"nothing while a calendar is closed", "nobody knows when it is open", func(s *step) {
		s.admitsBerlin()
		s.turn.rollout.Spec.Calendars = refs("unknown")
	}},
	{"nothing while the plan is invalid", "a phase does not exist", func(s *step) {
		s.admitsBerlin()
		s.turn.rollout.Spec.Phases = append(s.turn.rollout.Spec.Phases, v1alpha1.LocalReference{Name: "optimise"})
	}},
	{"a phase soaks", "it passes too early", func(s *step) { s.after.Status.Phases[2].PassedAt = passedOn(69) }},
	{"a gate passes on proof only", "nothing was measured", func(s *step) { s.migrates(); s.log = nil }},
	{"a gate passes on proof only", "the last measurement failed", func(s *step) {
		s.migrates()
		s.log = append(s.log, reading{kpi: "duplicates", query: "duplicates", failed: true})
	}},
	{"a gate passes on proof only", "the last value is no number", func(s *step) { s.migrates(); s.log[11].values["hq"] = notANumber }},
	{"a gate passes on proof only", "the site has no value", func(s *step) { s.migrates(); delete(s.log[11].values, "hq") }},
	{"a gate passes on proof only", "the last value is bad", func(s *step) { s.migrates(); s.log[11].values["hq"] = 0.03 }},
	{"a gate passes on proof only", "a value in the hold was bad", func(s *step) { s.migrates(); s.log[7].values["hq"] = 0.03 }},
	{"a gate passes on proof only", "the hold has a long gap", func(s *step) { s.migrates(); s.log = slices.Delete(s.log, 7, 11) }},
	{"a gate passes on proof only", "the last value is stale", func(s *step) { s.migrates(); s.now = on(76).Time }},
	{"a gate passes on proof only", "the hold is short", func(s *step) { s.migrates(); s.log = s.log[:11]; s.now = on(54).Time }},
	{"a gate passes on proof only", "the hold began before the attempt", func(s *step) {
		s.migrates()
		s.before.Status.Phases[1].StartedAt, s.after.Status.Phases[1].StartedAt = on(25), on(25)
	}},
	{"a site that has begun stays", "it is deleted", func(s *step) { s.after = nil }},
}

// TestInvariantsCanFail spoils an innocent step in one way after the other, and sees that the judge tells.
func TestInvariantsCanFail(t *testing.T) {
	told := map[string]bool{}
	for _, tc := range slices.Concat(spoilings, spoiltTrials(), spoiltWaves(), spoiltPlans(), spoiltDecisions()) {
		told[tc.broken] = true
		t.Run(tc.broken+"/"+tc.how, func(t *testing.T) {
			s := innocent()
			tc.spoil(s)
			var found []string
			for name, check := range invariants {
				if check(*s) != "" {
					found = append(found, name)
				}
			}
			if tc.broken == "" && len(found) > 0 {
				t.Errorf("the judge complains about an innocent step: %q", found)
			}
			if tc.broken != "" && !slices.Contains(found, tc.broken) {
				t.Errorf("the judge found %q, want %q among them", found, tc.broken)
			}
		})
	}
	for name := range invariants {
		if !told[name] {
			t.Errorf("no test breaks %q", name)
		}
	}
}

// TestInvariantsAreListed sees that docs/proofs.md says of each invariant which line it proves, and names no other.
func TestInvariantsAreListed(t *testing.T) {
	page, err := os.ReadFile("../../docs/proofs.md")
	if err != nil {
		t.Fatal(err)
	}
	table, _, _ := strings.Cut(string(page), "\n## ")
	listed := map[string]bool{}
	for _, line := range strings.Split(table, "\n") {
		columns := strings.Split(line, "|")
		if len(columns) != 5 {
			continue
		}
		for i, quoted := range strings.Split(columns[2], "`") {
			if i%2 == 1 {
				listed[quoted] = true
			}
		}
	}
	for name := range invariants {
		if !listed[name] {
			t.Errorf("docs/proofs.md does not say which line is proved by `%s`", name)
		}
		delete(listed, name)
	}
	for name := range listed {
		t.Errorf("docs/proofs.md names `%s`, which is no invariant", name)
	}
}

// TestSpoiltCache sees that an object of the cache which somebody changed is found.
func TestSpoiltCache(t *testing.T) {
	s := newSim(programme(""), newQuickAPI(), nil)
	if found := s.op.cache.spoilt(); found != "" {
		t.Fatalf("a fresh cache is said to be spoilt: %s", found)
	}
	must(s.op.cache.List(context.Background(), &v1alpha1.CRMRolloutList{}, client.UnsafeDisableDeepCopy))
	for _, o := range s.op.cache.objects["CRMRollout"] {
		o.(*v1alpha1.CRMRollout).Spec.Suspend = true
	}
	if diff := cmp.Diff("CRMRollout crm/crm was changed in the cache", s.op.cache.spoilt()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNoPatchWithoutLock sees that the API server of the random orders refuses a patch that could overwrite somebody else's.
func TestNoPatchWithoutLock(t *testing.T) {
	a := newQuickAPI()
	original := site("hq", "pilot")
	must(a.Create(context.Background(), original))
	changed := clone(original)
	changed.Labels["wave"] = "region"
	if err := a.Patch(context.Background(), changed, client.MergeFrom(original)); err == nil {
		t.Error("a patch without a resourceVersion was accepted")
	}
}
