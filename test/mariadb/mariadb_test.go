package mariadb

import (
	"os"
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
	if err := server.answers(t.Context()); err == nil {
		t.Error("the server still answers after it was stopped")
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	execute(t, server, "INSERT INTO kept VALUES (1)")
	server.Remove()
	if _, err := os.Stat(server.dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there (error %v)", err)
	}
}

func TestServersKeepTheirTemporaryFilesApart(t *testing.T) {
	server, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Remove()
	db, err := server.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var dir string
	if err := db.QueryRowContext(t.Context(), "SELECT @@tmpdir").Scan(&dir); err != nil || dir != server.dir {
		t.Errorf("temporary files are in %q (error %v), want them in %q", dir, err, server.dir)
	}
}

func TestStartReportsWhyAServerDidNotStart(t *testing.T) {
	_, err := Start(t.Context(), Options{Settings: []string{"no-such-setting=1"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-setting") {
		t.Errorf("got error %v, want one with the server's own complaint about the setting", err)
	}
}

func TestFind(t *testing.T) {
	t.Setenv("MARIADBD", t.TempDir()+"/none")
	if found, err := Find(); err == nil || !strings.Contains(err.Error(), "MARIADBD names") {
		t.Errorf("found %q with error %v, want an error about the variable", found, err)
	}
	t.Setenv("MARIADBD", "/bin/sh")
	if found, err := Find(); err != nil || found != "/bin/sh" {
		t.Errorf("found %q with error %v, want what the variable names", found, err)
	}
}

func execute(t *testing.T, server *Server, statement string) {
	t.Helper()
	db, err := server.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
