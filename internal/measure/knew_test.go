package measure_test

import (
	"testing"

	"github.com/crmops/rollout-operator/internal/measure"
)

func TestASourceSpeaksAboutTheSitesThatWereKnownWhenItWasAsked(t *testing.T) {
	store := measure.NewStore()
	knew := func(site, id string) bool { return store.Knew(usage, "r1", site, id) }
	if knew("berlin", "BER") {
		t.Error("nothing has been measured")
	}
	store.Record(usage, taken("r1", measure.Measurement{Time: at(0), IDs: map[string]string{"berlin": "BER"}}))
	if !knew("berlin", "BER") || knew("berlin", "B") || knew("kiel", "kiel") || store.Knew(usage, "r2", "berlin", "BER") {
		t.Error("berlin was asked for as BER, by this revision, and no other site was")
	}
	store.Record(usage, taken("r1", measure.Measurement{Time: at(1), Failure: "down"}))
	if knew("berlin", "BER") {
		t.Error("the latest question was not answered")
	}
}
