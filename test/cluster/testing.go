package cluster

import "testing"

// ForTest runs a control plane for a test, or for a benchmark, and ends it with it. Dir is a temporary directory unless it
// is given. Whatever goes wrong fails the test.
func ForTest(t testing.TB, options Options) *Cluster {
	t.Helper()
	if options.Dir == "" {
		options.Dir = t.TempDir()
	}
	started, err := Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := started.Stop(); err != nil {
			t.Error(err)
		}
	})
	return started
}
