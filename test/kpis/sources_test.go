package kpis

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/crmops/rollout-operator/internal/provider"
	"github.com/crmops/rollout-operator/test/mariadb"
	"github.com/crmops/rollout-operator/test/postgres"
	"github.com/crmops/rollout-operator/test/promserver"
)

// loopback lets the sources of the tests run on this machine.
func loopback(t *testing.T) *provider.Guard {
	t.Helper()
	guard, err := provider.NewGuard(provider.GuardConfig{Allow: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	return guard
}

// opened is a source that is closed with the test.
func opened(t *testing.T, source provider.Provider, err error) provider.Provider {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	return source
}

// prometheus is a server with the history of a company.
func prometheus(t *testing.T, c *company) provider.Provider {
	t.Helper()
	dir := t.TempDir()
	history := filepath.Join(dir, "history.txt")
	if err := os.WriteFile(history, []byte(c.exposition()), 0o600); err != nil {
		t.Fatal(err)
	}
	binary, err := promserver.Find()
	if err != nil {
		t.Fatal(err)
	}
	// Nobody can scrape the past; promtool, which comes with every Prometheus, writes it where the server looks.
	promtool := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(binary), "promtool"),
		"tsdb", "create-blocks-from", "openmetrics", "--quiet", history, filepath.Join(dir, "data"))
	if output, err := promtool.CombinedOutput(); err != nil {
		t.Fatalf("write the history of Prometheus: %v\n%s", err, output)
	}
	server, err := promserver.Start(t.Context(), promserver.Options{Binary: binary, Dir: dir, ExtraArgs: []string{"--storage.tsdb.retention.time=100y"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	source, err := provider.NewPrometheus(provider.PrometheusConfig{Address: server.URL(), Guard: loopback(t)})
	return opened(t, source, err)
}

// statements are the tables of the library with the facts of a company.
func statements(t *testing.T, c *company) string {
	t.Helper()
	schema, err := os.ReadFile(filepath.Join(directory, "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	return string(schema) + "\n" + c.tables()
}

func postgreSQL(t *testing.T, c *company) provider.Provider {
	t.Helper()
	server, err := postgres.Start(t.Context(), postgres.Options{Settings: []string{"timezone=Asia/Kathmandu"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Remove)
	connection, err := server.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(t.Context())) }()
	if _, err := connection.Exec(t.Context(), statements(t, c)); err != nil {
		t.Fatal(err)
	}
	source, err := provider.NewSQL(provider.SQLConfig{
		Engine: provider.PostgreSQL, Address: server.Address(), Database: "postgres", Username: postgres.User, Password: postgres.Password,
		InsecurePlaintext: true, Guard: loopback(t),
	})
	return opened(t, source, err)
}

func mariaDB(t *testing.T, c *company) provider.Provider {
	t.Helper()
	server, err := mariadb.Start(t.Context(), mariadb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Remove)
	db, err := server.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	// The server is in another time zone; the facts are in UTC.
	if _, err := db.ExecContext(t.Context(), "SET time_zone = '+00:00';\n"+statements(t, c)); err != nil {
		t.Fatal(err)
	}
	source, err := provider.NewSQL(provider.SQLConfig{
		Engine: provider.MySQL, Address: server.Address(), Database: "crm", Username: mariadb.User, Password: mariadb.Password,
		InsecurePlaintext: true, Guard: loopback(t),
	})
	return opened(t, source, err)
}
