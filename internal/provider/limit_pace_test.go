package provider

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// Within any minute no more queries are sent than allowed, however many are due; and not many fewer.
func TestQueriesAreSpreadOverTheMinute(t *testing.T) {
	for _, perMinute := range []int{1, 2, 5, 6, 7, 12, 60, 600, 6000} {
		clock := newByHand()
		p := newPace(perMinute, clock.timing())
		var sent []time.Time
		for range 4 * perMinute {
			delay, allowed := p.reserve(context.Background())
			if !allowed {
				t.Fatalf("%d: a query without a deadline was refused", perMinute)
			}
			sent = append(sent, clock.read().Add(delay))
		}
		for i := range sent[:len(sent)-perMinute] {
			// Places are reckoned in floating point, so a microsecond is no violation.
			if got := sent[i+perMinute].Sub(sent[i]); got < time.Minute-time.Microsecond {
				t.Fatalf("%d a minute: %d queries within %s", perMinute, perMinute+1, got)
			}
		}
		if took, want := sent[len(sent)-1].Sub(sent[0]), 5*time.Minute; took > want {
			t.Errorf("%d a minute: %d queries took %s, want at most %s", perMinute, len(sent), took, want)
		}
	}
}

func TestAQueryWaitsForItsTurn(t *testing.T) {
	source, clock := prompt("paced"), newByHand()
	limited := limitBy(source, "paced:1", Limits{PerMinute: 6}, clock.timing())
	if _, err := limited.Measure(t.Context(), allSites, at); err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() {
		_, err := limited.Measure(context.Background(), allSites, at)
		second <- err
	}()
	if got := await(t, "the second query to wait", clock.set); got != 10*time.Second {
		t.Errorf("the second query waits %s, want 10s", got)
	}
	clock.advance(10 * time.Second)
	if err := await(t, "the second query", second); err != nil {
		t.Error(err)
	}
	limited.Close()
}

func TestAQueryWhoseTurnComesTooLateFailsAtOnce(t *testing.T) {
	source, clock := prompt("paced"), newByHand()
	limited := limitBy(source, "paced:1", Limits{PerMinute: 1}, clock.timing())
	if _, err := limited.Measure(t.Context(), allSites, at); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for range 5 { // none of them takes the place of a later one
		_, err := limited.Measure(ctx, allSites, at)
		wantError(t, err, RateLimited, "paced:1 gets at most 1 queries in a minute, and the next one is free in 1m0s")
	}
	clock.advance(time.Minute)
	if _, err := limited.Measure(ctx, allSites, at); err != nil {
		t.Errorf("a minute later: %v", err)
	}
	limited.Close()
}

func TestWaitingForATurnEndsWithTheCallerAndTheSource(t *testing.T) {
	clock := newByHand()
	limited := limitBy(prompt("paced"), "paced:1", Limits{PerMinute: 1}, clock.timing())
	if _, err := limited.Measure(t.Context(), allSites, at); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waiting := func(ctx context.Context) <-chan error {
		result := make(chan error, 1)
		go func() {
			_, err := limited.Measure(ctx, allSites, at)
			result <- err
		}()
		await(t, "the query to wait", clock.set)
		return result
	}
	first := waiting(ctx)
	cancel()
	wantError(t, await(t, "the canceled query", first), Canceled, "while it waited for paced:1")
	second := waiting(context.Background())
	limited.Close()
	wantError(t, await(t, "the query of a closed source", second), Closed, "closed")
}

// After a restart the KPIs measure up to eleven past moments again, one after the other.
func TestMeasuringAgainFitsIntoTheDefaults(t *testing.T) {
	source := prompt("again")
	limited := limitBy(source, "again:1", Limits{}, newByHand().timing())
	windows := make([]Window, 11)
	for i := range windows {
		windows[i] = Window{End: instant.Add(time.Duration(i) * time.Minute)}
	}
	answers, err := Replay(t.Context(), limited, allSites, windows)
	if err != nil || len(answers) != 11 {
		t.Errorf("got %d answers and error %v, want 11", len(answers), err)
	}
	limited.Close()
}

func TestLimitsThatAreWrong(t *testing.T) {
	for _, limits := range []Limits{{Concurrent: -1}, {PerMinute: -1}} {
		_, err := NewPrometheus(PrometheusConfig{Address: "http://prometheus", Limits: limits})
		wantError(t, err, InvalidConfiguration, "a limit is negative")
	}
	if got := fmt.Sprint(cap(limitBy(prompt("x"), "x", Limits{}, wallTime).slots)); got != "4" {
		t.Errorf("%s measurements run at once by default, want 4", got)
	}
}
