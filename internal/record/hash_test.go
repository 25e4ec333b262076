package record_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crmops/rollout-operator/api/v1alpha1"
	"github.com/crmops/rollout-operator/internal/record"
)

var monday = time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)

func at(minutes int) metav1.Time {
	return metav1.NewTime(monday.Add(time.Duration(minutes) * time.Minute))
}

func on(minutes int) *metav1.Time {
	t := at(minutes)
	return &t
}

// sha256Of hashes a text that was written by hand, as docs/record.md tells others to do.
func sha256Of(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// zero is the hash of a step of which these tests know nothing else.
const zero = "0000000000000000000000000000000000000000000000000000000000000000"

func TestAStepIsHashedAsItIsDocumented(t *testing.T) {
	for name, tc := range map[string]struct {
		previous string
		step     v1alpha1.Transition
		text     string
	}{
		"the first step of a site": {
			step: v1alpha1.Transition{Sequence: 1, Time: at(0), From: v1alpha1.SitePending, To: v1alpha1.SiteWaiting, Phase: "migrate", Reason: v1alpha1.ReasonCreated, Message: "the site joined the rollout"},
			text: "\n" + `{"from":"Pending","message":"the site joined the rollout","phase":"migrate","reason":"Created","sequence":1,"time":"2026-03-02T08:00:00Z","to":"Waiting"}`},
		"a step with every field": {
			previous: zero,
			step: v1alpha1.Transition{Sequence: 12, Time: at(30), From: v1alpha1.SiteProving, To: v1alpha1.SiteCompleted, Phase: "migrate", Attempt: 2, Revision: "crm-5d8f", Reason: v1alpha1.ReasonPhaseWaived,
				Message: "m", EvidenceDigest: zero, Hash: "whatever it was",
				Deciders: []v1alpha1.Decider{{Decision: "waive-1", By: "anna", Action: v1alpha1.DecisionWaive, Role: "sponsor"}, {Decision: "waive-2", By: "bo", Action: v1alpha1.DecisionWaive}}},
			text: zero + "\n" + `{"attempt":2,"deciders":[{"action":"Waive","by":"anna","decision":"waive-1","role":"sponsor"},{"action":"Waive","by":"bo","decision":"waive-2"}],` +
				`"evidenceDigest":"` + zero + `","from":"Proving","message":"m","phase":"migrate","reason":"PhaseWaived","revision":"crm-5d8f","sequence":12,"time":"2026-03-02T08:30:00Z","to":"Completed"}`},
		"a message with characters that JSON escapes, and with some that it only may": {
			step: v1alpha1.Transition{Sequence: 1, Time: at(0), From: v1alpha1.SitePending, To: v1alpha1.SiteWaiting, Reason: "r", Message: "a \"b\" \\ <c> & \u2028 é \b\f\n\r\t\x01\x1f\x7f"},
			text: "\n" + `{"from":"Pending","message":"a \"b\" \\ <c> & ` + "\u2028" + ` é \b\f\n\r\t\u0001\u001f` + "\x7f" + `","reason":"r","sequence":1,"time":"2026-03-02T08:00:00Z","to":"Waiting"}`},
		"a time of another zone, with a fraction that the API server does not keep": {
			step: v1alpha1.Transition{Sequence: 1, Time: metav1.NewTime(monday.Add(300 * time.Millisecond).In(time.FixedZone("CET", 3600))), From: "a", To: "b", Reason: "r"},
			text: "\n" + `{"from":"a","reason":"r","sequence":1,"time":"2026-03-02T08:00:00Z","to":"b"}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got, want := record.Hash(tc.previous, tc.step), sha256Of(tc.text); got != want {
				t.Errorf("hash %s, want %s", got, want)
			}
		})
	}
}

func TestEvidenceIsDigestedAsItIsDocumented(t *testing.T) {
	evidence := []v1alpha1.Evidence{
		{Criterion: "used", KPI: "usage", Figures: v1alpha1.Figures{Value: "0.97", Samples: 120, Threshold: "at least 0.95", Margin: "0.02", Window: "1w"}, SampleTime: at(60), MetSince: on(0), Exceptions: 1},
		{Criterion: "quiet", KPI: "complaints", Figures: v1alpha1.Figures{Value: "3"}, SampleTime: at(60)},
	}
	const text = `[{"criterion":"used","exceptions":1,"kpi":"usage","margin":"0.02","metSince":"2026-03-02T08:00:00Z","sampleTime":"2026-03-02T09:00:00Z","samples":120,"threshold":"at least 0.95","value":"0.97","window":"1w"},` +
		`{"criterion":"quiet","kpi":"complaints","sampleTime":"2026-03-02T09:00:00Z","value":"3"}]`
	if got, want := record.Digest(evidence), sha256Of(text); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	if got := record.Digest(nil); got != "" {
		t.Errorf("the digest of no evidence is %q", got)
	}
}

func TestAShortHashIsItsBeginning(t *testing.T) {
	if got := record.Short("0123456789abcdef"); got != "0123456789ab" {
		t.Errorf("short hash %s", got)
	}
	if got := record.Short(""); got != "" {
		t.Errorf("short hash of a step without one: %s", got)
	}
}
