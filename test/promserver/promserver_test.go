package promserver

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStartAnswersQueriesUntilItIsStopped(t *testing.T) {
	server, err := Start(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()

	response, err := http.Get(server.URL() + "/api/v1/query?query=1")
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("a query got status %d (%v), want 200", response.StatusCode, err)
	}

	server.Stop()
	server.Stop()
	assertGone(t, server)
}

func TestServerEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server, err := Start(ctx, Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-server.exited
	assertGone(t, server)
}

func TestStartReportsWhyAServerDidNotStart(t *testing.T) {
	dir := t.TempDir()
	_, err := Start(t.Context(), Options{Dir: dir, ExtraArgs: []string{"--no-such-flag"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-flag") {
		t.Errorf("got error %v, want one with the server's own complaint about the flag", err)
	}
}

func TestFind(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "prometheus")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	tests := []struct {
		name, variable, path string
		want, wantErr        string
	}{
		{name: "the variable wins", variable: binary, path: empty, want: binary},
		{name: "a wrong variable is not passed over", variable: empty + "/none", path: filepath.Dir(binary), wantErr: "PROMETHEUS names"},
		{name: "else the path", path: filepath.Dir(binary), want: binary},
		{name: "nothing is an error that says what to do", path: empty, wantErr: "make test"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("PROMETHEUS", test.variable)
			t.Setenv("PATH", test.path)
			got, err := Find()
			if got != test.want {
				t.Errorf("found %q, want %q", got, test.want)
			}
			if (err != nil) != (test.wantErr != "") || err != nil && !strings.Contains(err.Error(), test.wantErr) {
				t.Errorf("got error %v, want one that contains %q", err, test.wantErr)
			}
		})
	}
}

func assertGone(t *testing.T, server *Server) {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(server.URL(), "http://"))
	if err == nil {
		_ = connection.Close()
		t.Error("the port still answers after the server ended")
	}
}
