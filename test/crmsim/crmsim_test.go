package crmsim_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/crmops/rollout-operator/test/crmsim"
)

const small = `
metrics:
  crm_quality:
    help: How good the data is.
    after:
      migrate: [{second: 1, value: 0.5}, {second: 3, value: 0.9}, {second: 5, value: 0.7}]
  crm_hours:
    help: How long it takes.
    before: 30
    after:
      live: [{second: 0, value: 10}]
sites:
  lyon:
    crm_quality:
      after:
        clean: [{second: 0, value: 0.88}, {second: 2, value: 0.98}]
    crm_hours: {before: 40}
  osaka: {}
`

// clock is a clock that a test moves.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

func newSim(t *testing.T) (*crmsim.Sim, *clock) {
	t.Helper()
	scenario, err := crmsim.Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{now: time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)}
	return crmsim.New(scenario, c.read), c
}

func TestValue(t *testing.T) {
	type step struct {
		event string
		after time.Duration
	}
	tests := []struct {
		name         string
		site, metric string
		steps        []step
		want         float64
		absent       bool
	}{
		{name: "before any event, the value before", site: "osaka", metric: "crm_hours", want: 30},
		{name: "a site's own value before", site: "lyon", metric: "crm_hours", want: 40},
		{name: "without a value before, nothing is reported", site: "osaka", metric: "crm_quality", absent: true},
		{name: "an event that does not move the metric changes nothing", site: "osaka", metric: "crm_quality", steps: []step{{"live", time.Hour}}, absent: true},
		{name: "until the first point, its value", site: "osaka", metric: "crm_quality", steps: []step{{"migrate", 0}}, want: 0.5},
		{name: "between points, the line between them", site: "osaka", metric: "crm_quality", steps: []step{{"migrate", 1500 * time.Millisecond}}, want: 0.6},
		{name: "at a point, its value", site: "osaka", metric: "crm_quality", steps: []step{{"migrate", 3 * time.Second}}, want: 0.9},
		{name: "lines may go down", site: "osaka", metric: "crm_quality", steps: []step{{"migrate", 4 * time.Second}}, want: 0.8},
		{name: "after the last point, its value for ever", site: "osaka", metric: "crm_quality", steps: []step{{"migrate", time.Hour}}, want: 0.7},
		{name: "the latest event counts", site: "lyon", metric: "crm_quality", steps: []step{{"migrate", time.Hour}, {"clean", time.Second}}, want: 0.93},
		{name: "an event posted again starts again", site: "osaka", metric: "crm_quality", steps: []step{{"migrate", time.Hour}, {"migrate", 2 * time.Second}}, want: 0.7},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sim, clock := newSim(t)
			for _, step := range test.steps {
				if err := sim.Post(test.site, step.event); err != nil {
					t.Fatal(err)
				}
				clock.now = clock.now.Add(step.after)
			}
			got, reported := sim.Value(test.site, test.metric)
			if reported == test.absent {
				t.Fatalf("reported: %t", reported)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnEventOfOneSiteMovesNoOtherSite(t *testing.T) {
	sim, _ := newSim(t)
	if err := sim.Post("lyon", "migrate"); err != nil {
		t.Fatal(err)
	}
	if value, reported := sim.Value("osaka", "crm_quality"); reported {
		t.Errorf("osaka reports %v", value)
	}
}

func TestOverHTTP(t *testing.T) {
	sim, _ := newSim(t)
	server, err := crmsim.Serve(sim, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := crmsim.PostEvent(t.Context(), server.URL(), "lyon", "migrate"); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []struct{ site, event, want string }{
		{"paris", "migrate", `no site "paris"`},
		{"osaka", "clean", `no event "clean" for site "osaka"`},
	} {
		if err := crmsim.PostEvent(t.Context(), server.URL(), wrong.site, wrong.event); err == nil || !strings.Contains(err.Error(), wrong.want) {
			t.Errorf("event %s of %s: want a refusal with %q, got: %v", wrong.event, wrong.site, wrong.want, err)
		}
	}
	response, err := http.Get(server.URL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	const want = `# HELP crm_hours How long it takes.
# TYPE crm_hours gauge
crm_hours{site="lyon"} 40
crm_hours{site="osaka"} 30
# HELP crm_quality How good the data is.
# TYPE crm_quality gauge
crm_quality{site="lyon"} 0.5
`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("/metrics (-want +got):\n%s", diff)
	}
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
	if err := crmsim.PostEvent(t.Context(), server.URL(), "lyon", "migrate"); err == nil {
		t.Error("a server that was stopped still answers")
	}
}

func TestHandlerTakesEventsByPostOnly(t *testing.T) {
	sim, _ := newSim(t)
	handler, err := sim.Handler()
	if err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/events?site=lyon&event=migrate", nil))
	if recorder.Code != http.StatusMethodNotAllowed {
		t.Errorf("status %d", recorder.Code)
	}
	if _, reported := sim.Value("lyon", "crm_quality"); reported {
		t.Error("a GET moved a metric")
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"an empty scenario", "metrics: {}", "needs metrics and sites"},
		{"a misspelt field", "metrics: {a: {beforr: 1}}\nsites: {x: {}}", `unknown field "beforr"`},
		{"a site's metric that does not exist", "metrics: {a: {before: 1}}\nsites: {x: {b: {before: 2}}}", "site x, metric b: there is no such metric"},
		{"an event without points", "metrics: {a: {after: {e: []}}}\nsites: {x: {}}", "metric a, event e: it has no points"},
		{"points out of order", "metrics: {a: {before: 1}}\nsites: {x: {a: {after: {e: [{second: 2, value: 1}, {second: 2, value: 2}]}}}}", "site x, metric a, event e: point 2 is not later"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := crmsim.Parse([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q, got: %v", test.want, err)
			}
		})
	}
}

// What the demonstration promises rests on these facts of the built-in scenario.
func TestDefaultScenario(t *testing.T) {
	scenario, err := crmsim.DefaultScenario()
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{now: time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)}
	sim := crmsim.New(scenario, c.read)
	const completeness = "crm_customer_record_completeness_ratio"
	for site := range scenario.Sites {
		if err := sim.Post(site, "migrate"); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			value, _ := sim.Value(site, completeness)
			if good := value >= 0.95; good == (site == "lyon") {
				t.Fatalf("completeness of %s after migration: %v", site, value)
			}
			c.now = c.now.Add(time.Second)
		}
	}
	if err := sim.Post("lyon", "clean"); err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(2 * time.Second)
	if value, _ := sim.Value("lyon", completeness); value < 0.95 {
		t.Errorf("completeness of lyon after the clean-up: %v", value)
	}
}
