package postgres

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAServerRunsUntilItIsStoppedAndAgain(t *testing.T) {
	server, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Remove()
	execute(t, server, "CREATE TABLE kept (n int)")

	server.Stop()
	server.Stop()
	if connection, err := server.Connect(t.Context()); err == nil {
		_ = connection.Close(t.Context())
		t.Error("the server still answers after it was stopped")
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	execute(t, server, "INSERT INTO kept VALUES (1)")
	if log, err := server.Log(); err != nil || !strings.Contains(log, "INSERT INTO kept") {
		t.Errorf("the log has no trace of the statement (error %v)", err)
	}
	server.Remove()
	if _, err := os.Stat(server.dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there (error %v)", err)
	}
}

func TestServerEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server, err := Start(ctx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Remove()
	cancel()
	server.Stop()
	if connection, err := server.Connect(t.Context()); err == nil {
		_ = connection.Close(t.Context())
		t.Error("the server still answers after its context ended")
	}
}

func TestStartReportsWhyAServerDidNotStart(t *testing.T) {
	_, err := Start(t.Context(), Options{Settings: []string{"no_such_setting=1"}})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("got error %v, want one with the server's own complaint about the setting", err)
	}
}

func TestFind(t *testing.T) {
	t.Setenv("POSTGRESQL_BIN", t.TempDir())
	if found, err := Find(); err == nil || !strings.Contains(err.Error(), "Debian package postgresql") {
		t.Errorf("found %q with error %v where there is nothing; want an error that says what to install", found, err)
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "initdb"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("POSTGRESQL_BIN", bin)
	if found, err := Find(); err != nil || found != bin {
		t.Errorf("found %q with error %v, want %q", found, err, bin)
	}
	if newer, older := version("/usr/lib/postgresql/15/bin"), version("/usr/lib/postgresql/9/bin"); newer <= older {
		t.Errorf("version 15 (%d) is not newer than 9 (%d)", newer, older)
	}
}

func execute(t *testing.T, server *Server, statement string) {
	t.Helper()
	connection, err := server.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(t.Context()) }()
	if _, err := connection.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
