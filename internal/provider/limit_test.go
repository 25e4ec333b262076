package provider

import (
	"context"
	"testing"
	"time"
)

// crowd starts measurements until the source is full and one more waits. It returns where they report their errors.
func crowd(ctx context.Context, t *testing.T, source *scripted, limited Provider, slots int) (waiting <-chan error) {
	t.Helper()
	for range slots {
		go func() { _, _ = limited.Measure(context.Background(), allSites, at) }()
		await(t, "a measurement to begin", source.begun)
	}
	result := make(chan error, 1)
	go func() {
		_, err := limited.Measure(ctx, allSites, at)
		result <- err
	}()
	return result
}

func TestMeasurementsOfOneSourceAreLimited(t *testing.T) {
	source := newScripted("busy")
	limited := limit(source, "busy:9090", Limits{Concurrent: 3})
	waiting := crowd(t.Context(), t, source, limited, 3)
	for range 20 {
		go func() { _, _ = limited.Measure(context.Background(), allSites, at) }()
	}
	select {
	case err := <-waiting:
		t.Errorf("the fourth measurement did not wait (error %v)", err)
	default:
	}
	close(source.proceed)
	if err := await(t, "the waiting measurement", waiting); err != nil {
		t.Error(err)
	}
	for range 21 {
		await(t, "every measurement to get its turn", source.begun)
	}
	if got := source.most.Load(); got > 3 {
		t.Errorf("%d measurements ran at once, want at most 3", got)
	}
	limited.Close()
	await(t, "the source to be closed", source.closed)
	limited.Close()
}

func TestWaitingForASlotEndsWithTheCaller(t *testing.T) {
	source := newScripted("busy")
	defer close(source.proceed)
	limited := limit(source, "busy:9090", Limits{Concurrent: 2})

	canceled, cancel := context.WithCancel(t.Context())
	waiting := crowd(canceled, t, source, limited, 2)
	cancel()
	wantError(t, await(t, "the canceled measurement", waiting), Canceled, "while it waited for busy:9090")

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := limited.Measure(ctx, allSites, at)
	wantError(t, err, Timeout, "2 measurements are already running against busy:9090")
}

func TestCloseDisturbsNoRunningMeasurement(t *testing.T) {
	source := newScripted("busy")
	limited := limit(source, "busy:9090", Limits{Concurrent: 1})
	running := make(chan error, 1)
	go func() {
		_, err := limited.Measure(t.Context(), allSites, at)
		running <- err
	}()
	await(t, "the measurement to begin", source.begun)
	waiting := make(chan error, 1)
	go func() {
		_, err := limited.Measure(t.Context(), allSites, at)
		waiting <- err
	}()
	eventually(t, "both measurements are inside", func() bool { return inside(limited) == 2 })

	limited.Close()
	limited.Close()
	wantError(t, await(t, "the waiting measurement", waiting), Closed, "the provider for busy:9090 is closed")
	if source.isClosed() {
		t.Error("the source was closed under a running measurement")
	}
	close(source.proceed)
	if err := await(t, "the running measurement", running); err != nil {
		t.Errorf("the running measurement failed: %v", err)
	}
	await(t, "the source to be closed", source.closed)
}

// inside returns how many measurements run or wait.
func inside(limited Provider) int {
	users := &limited.(*limitedSource).users
	users.mu.Lock()
	defer users.mu.Unlock()
	return users.inside
}
