package provider

import (
	"testing"
	"time"
)

// What a query asks for never lies outside its window, whatever the source can tell apart.
func TestTheWindowInAQuery(t *testing.T) {
	const query = ":start|:end|:startDate|:endDate|:startUnix|:endUnix|x:start|::start|:starts|:start"
	day := func(hour, second, nanosecond int) time.Time {
		return time.Date(2026, time.March, 4, hour, 0, second, nanosecond, time.FixedZone("", 3*3600))
	}
	const rest, none = "|x:start|::start|:starts|", "|:startDate|"
	for name, test := range map[string]struct {
		w          Window
		resolution time.Duration
		form       func(time.Time) string
		want       string
	}{
		"whole seconds": {Window{day(1, 0, 0), day(5, 0, 0)}, time.Second, rfc3339,
			"2026-03-03T22:00:00Z|2026-03-04T02:00:00Z" + none + "2026-03-03|1772575200|1772589600" + rest + "2026-03-03T22:00:00Z"},
		"parts of seconds": {Window{day(4, 0, 1), day(5, 0, 999_999_999)}, time.Second, rfc3339,
			"2026-03-04T01:00:01Z|2026-03-04T02:00:00Z" + none + "2026-03-03|1772586001|1772589600" + rest + "2026-03-04T01:00:01Z"},
		"milliseconds": {Window{day(4, 0, 1), day(5, 0, 999_999_999)}, time.Millisecond, hubSpot().moment,
			"1772586000001|1772589600999" + none + "2026-03-03|1772586001|1772589600" + rest + "1772586000001"},
		"less than a second": {Window{day(5, 7, 200_000_000), day(5, 7, 900_000_000)}, time.Millisecond, hubSpot().moment,
			"1772589607200|1772589607900" + none + "2026-03-03|:startUnix|1772589607" + rest + "1772589607200"},
		"an instant": {Window{day(5, 7, 5), day(5, 7, 5)}, time.Second, odoo().moment,
			":start|2026-03-04 02:00:07" + none + "2026-03-03|:startUnix|1772589607" + rest + ":start"},
		"days": {Window{day(5, 0, 0), day(53, 0, 0)}, time.Second, rfc3339,
			"2026-03-04T02:00:00Z|2026-03-06T02:00:00Z|2026-03-04|2026-03-05|1772589600|1772762400" + rest + "2026-03-04T02:00:00Z"},
		"until midnight": {Window{day(3, 0, 0), day(75, 0, 0)}, time.Second, rfc3339,
			"2026-03-04T00:00:00Z|2026-03-07T00:00:00Z|2026-03-04|2026-03-06|1772582400|1772841600" + rest + "2026-03-04T00:00:00Z"},
	} {
		if got := newSlots(test.w, test.resolution, test.form).fill(query, asIs); got != test.want {
			t.Errorf("%s: got\n%s, want\n%s", name, got, test.want)
		}
	}
}

// Of an empty range a server would say zero, which nobody measured.
func TestAQueryFromAMomentOnNeedsAWindow(t *testing.T) {
	instant := Window{Start: at.End, End: at.End}
	within := Window{Start: at.End.Add(-time.Millisecond), End: at.End}
	preset := func(p Preset) HTTPConfig { return HTTPConfig{Preset: p} }
	plain := HTTPConfig{Extract: "body"}
	for _, test := range []struct {
		cfg     HTTPConfig
		query   string
		w       Window
		message string
	}{
		{plain, "GET /x?from=:start&to=:end", instant, "the query uses :start and the KPI has no window: set spec.window of the KPI, or use :end alone"},
		{plain, "GET /x?from=:startUnix", instant, "the query uses :startUnix and the KPI has no window"},
		{plain, "POST /x\n{\"from\": \":startDate\"}", instant, "the query uses :startDate and the KPI has no window"},
		{plain, "GET /x?from=:start", within, "the query uses :start and no whole day or second lies in the window"},
		{plain, "GET /x?from=:startDate&to=:endDate", at, "the query uses :startDate and no whole day or second lies in the window: make spec.window of the KPI longer"},
		{preset(Salesforce), "SELECT a FROM b WHERE c > :start", instant, "the KPI has no window"},
		{preset(Dynamics365), "a?$filter=b gt :start", instant, "the KPI has no window"},
		{preset(HubSpot), "Count deals\n{\"a\": \":start\"}", instant, "the KPI has no window"},
		{preset(Odoo), "Count a.b\n[[\"a\", \">\", \":start\"]]", instant, "the KPI has no window"},
		{plain, "GET /x?to=:end&a=10:start&b=::start", instant, ""},
		{preset(HubSpot), "Count deals\n{\"a\": \":start\"}", Window{Start: at.End.Add(-time.Second / 2), End: at.End}, ""},
	} {
		test.cfg.Address = "http://127.0.0.1:1"
		source, err := newWebSource(test.cfg)
		if err != nil {
			t.Fatal(err)
		}
		_, err = source.prepare(Query{Expression: test.query, SiteLabel: "site"}, test.w)
		if test.message != "" {
			wantError(t, err, InvalidConfiguration, test.message)
		} else if err != nil {
			t.Errorf("%q is refused: %v", test.query, err)
		}
	}
}
