package provider

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crmops/rollout-operator/test/mariadb"
	"github.com/crmops/rollout-operator/test/postgres"
)

// mustNotWrite runs statements past the binder, which lets none of them through: it is the server that has to refuse them.
func mustNotWrite(t *testing.T, d *database, refusal string, statements []string) {
	t.Helper()
	source := openSQL(t, d.cfg)
	execute(t, d.admin, "DELETE FROM visits")
	execute(t, d.admin, "INSERT INTO visits (site, n) VALUES ('lyon', 7)")
	for _, statement := range statements {
		t.Run(statement, func(t *testing.T) {
			_, err := source.ask(t.Context(), bound{text: statement}, allSites)
			if err == nil {
				t.Fatal("the server ran it")
			}
			wantError(t, source.explained(t.Context(), err), QueryRejected, refusal)
		})
	}
	if got := count(t, d.admin, "SELECT sum(n) FROM visits"); got != 7 {
		t.Errorf("the table was changed: its sum is %d, want 7", got)
	}
	if got := count(t, d.admin, "SELECT count(*) FROM information_schema.tables WHERE table_name IN ('visits', 'made')"); got != 1 {
		t.Errorf("tables were made or removed: there are %d of them, want 1", got)
	}
}

func postgresReadsOnly(t *testing.T, d *database) {
	mustNotWrite(t, d, "read-only transaction", []string{
		"INSERT INTO visits (site, n) VALUES ('oslo', 1)", "UPDATE visits SET n = 8", "DELETE FROM visits", "TRUNCATE visits",
		"CREATE TABLE made (n int)", "SELECT site, n AS value INTO made FROM visits", "DROP TABLE visits", "ALTER TABLE visits ADD made int", "GRANT SELECT ON visits TO test",
		"WITH made AS (INSERT INTO visits (site, n) VALUES ('oslo', 1) RETURNING 1) SELECT 'lyon' AS site, 1 AS value FROM made",
		"SELECT 'lyon' AS site, writes() AS value", "SELECT 'lyon' AS site, nextval('numbers') AS value",
		"SELECT site, n AS value FROM visits FOR UPDATE",
	})
	mustNotWrite(t, d, "must be set before any query", []string{
		"SELECT 'lyon' AS site, set_config('transaction_read_only', 'off', true) AS value",
		"SELECT 'lyon' AS site, set_config('transaction_read_only', 'off', false) AS value",
	})
	mustNotWrite(t, d, "cannot insert multiple commands", []string{"SELECT 1; DELETE FROM visits", "COMMIT; DELETE FROM visits"})
}

func mariadbReadsOnly(t *testing.T, d *database) {
	mustNotWrite(t, d, "READ ONLY transaction", []string{
		"INSERT INTO visits (site, n) VALUES ('oslo', 1)", "UPDATE visits SET n = 8", "DELETE FROM visits", "TRUNCATE visits", "REPLACE INTO visits (n) VALUES (1)",
		"CREATE TABLE made (n int)", "CREATE TABLE made SELECT 1 AS n", "DROP TABLE visits", "ALTER TABLE visits ADD made int",
		"SELECT 'lyon' AS site, writes() AS value",
	})
	mustNotWrite(t, d, "error in your SQL syntax", []string{"SELECT 1; DELETE FROM visits", "COMMIT; DELETE FROM visits"})
}

// What a query changes in its session is gone when the next one gets the connection.
func postgresSessions(t *testing.T, d *database) {
	cfg := d.cfg
	cfg.Limits.Concurrent = 1
	source := openSQL(t, cfg)
	for _, change := range []string{"pg_advisory_lock(42)", "set_config('TimeZone', 'Asia/Kathmandu', false)", "set_config('statement_timeout', '1', false)"} {
		if _, err := ask(t, source, "SELECT 'lyon' AS site, 1 AS value, count(*) AS samples FROM "+change); err != nil {
			t.Fatal(err)
		}
		got, err := ask(t, source, `SELECT 'lyon' AS site, CASE WHEN current_setting('TimeZone') = 'UTC' THEN 0 ELSE 1 END
			+ (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') AS value`)
		if err != nil || len(got.Samples) != 1 || got.Samples[0].Value != 0 {
			t.Errorf("after %s: got %v and error %v, want a session as at first", change, got, err)
		}
	}
	eventually(t, "one connection is left, which was enough", func() bool { return count(t, d.admin, d.theirs) == 1 })
}

func realTLS(t *testing.T, d *database, c credentials) {
	tests := []struct {
		name    string
		change  func(*SQLConfig)
		reason  Reason // "" means that the measurement succeeds
		message string
	}{
		{"the right CA", func(*SQLConfig) {}, "", ""},
		{"the system's CAs", func(c *SQLConfig) { c.CA = nil }, TLSFailed, "an authority that is not trusted: set the CA"},
		{"another CA", func(s *SQLConfig) { s.CA = c.theirs.pem }, TLSFailed, "an authority that is not trusted: set the CA"},
		{"another name that the certificate carries", func(s *SQLConfig) { s.ServerName = "metrics.example" }, "", ""},
		{"a name that it does not carry", func(s *SQLConfig) { s.ServerName = "other.example" }, TLSFailed, "is for another name"},
		{"a client certificate", func(s *SQLConfig) { s.Username, s.Password, s.Cert, s.Key = "test", "", c.client, c.own }, "", ""},
		{"no client certificate", func(s *SQLConfig) { s.Username = "test" }, Unauthorized, "refused the login"},
		{"no TLS", func(s *SQLConfig) { s.CA, s.InsecurePlaintext = nil, true }, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := d.cfg
			test.change(&cfg)
			answer, err := ask(t, openSQL(t, cfg), "SELECT 'lyon' AS site, 1 AS value")
			if test.reason != "" {
				wantError(t, err, test.reason, test.message)
			} else if err != nil || len(answer.Samples) != 1 {
				t.Errorf("got %v and error %v, want one sample", answer, err)
			}
		})
	}
}

// A server that does not speak TLS gets no credentials, unless that is asked for.
func TestServersWithoutTLS(t *testing.T) {
	t.Parallel()
	plainPostgres, err := postgres.Start(t.Context(), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plainPostgres.Remove)
	plainMariaDB, err := mariadb.Start(t.Context(), mariadb.Options{Settings: []string{"skip-ssl"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plainMariaDB.Remove)
	for _, cfg := range []SQLConfig{
		{Engine: PostgreSQL, Address: plainPostgres.Address(), Database: "postgres", Username: postgres.User, Password: postgres.Password},
		{Engine: MySQL, Address: plainMariaDB.Address(), Database: "crm", Username: mariadb.User, Password: mariadb.Password},
	} {
		t.Run(string(cfg.Engine), func(t *testing.T) {
			_, err := ask(t, openSQL(t, cfg), "SELECT 'lyon' AS site, 1 AS value")
			wantError(t, err, TLSFailed, "does not offer TLS: switch it on there; insecurePlaintext does without")
			cfg.InsecurePlaintext = true
			if _, err := ask(t, openSQL(t, cfg), "SELECT 'lyon' AS site, 1 AS value"); err != nil {
				t.Errorf("without TLS, as declared: %v", err)
			}
		})
	}
}

func realLogins(t *testing.T, d *database) {
	for _, test := range []struct {
		name    string
		change  func(*SQLConfig)
		reason  Reason
		message string
	}{
		{"a wrong password", func(c *SQLConfig) { c.Password = "hush" }, Unauthorized, "refused the login ("},
		{"a password from a file that ends with a line break", func(c *SQLConfig) { c.Password += "\n" }, "", ""},
		{"an unknown user", func(c *SQLConfig) { c.Username = "hush-user" }, Unauthorized, "refused the login ("},
		{"an unknown database", func(c *SQLConfig) { c.Database = "nowhere" }, map[SQLEngine]Reason{PostgreSQL: SourceError, MySQL: Unauthorized}[d.engine], ""},
		{"a closed port", func(c *SQLConfig) { c.Address = closedPort(t) }, Unreachable, "refused the connection"},
		{"an address that is refused", func(c *SQLConfig) { c.Address = "localhost.localdomain.invalid:1" }, Unreachable, "is not known"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := d.cfg
			test.change(&cfg)
			_, err := ask(t, openSQL(t, cfg), "SELECT 'lyon' AS site, 1 AS value")
			if test.reason != "" {
				wantError(t, err, test.reason, test.message)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("too many connections", func(t *testing.T) {
		limit, unlimit := "ALTER ROLE kpi CONNECTION LIMIT 1", "ALTER ROLE kpi CONNECTION LIMIT -1"
		if d.engine == MySQL {
			limit, unlimit = "ALTER USER kpi WITH MAX_USER_CONNECTIONS 1", "ALTER USER kpi WITH MAX_USER_CONNECTIONS 0"
		}
		eventually(t, "the connections of other tests are gone", func() bool { return count(t, d.admin, d.theirs) == 0 })
		execute(t, d.admin, limit)
		defer execute(t, d.admin, unlimit)
		first := openSQL(t, d.cfg)
		if _, err := ask(t, first, "SELECT 'lyon' AS site, 1 AS value"); err != nil {
			t.Fatal(err)
		}
		_, err := ask(t, openSQL(t, d.cfg), "SELECT 'lyon' AS site, 1 AS value")
		wantError(t, err, RateLimited, "has too many connections (")
	})
	t.Run("an address that the guard refuses", func(t *testing.T) {
		source := openSQL(t, d.cfg)
		cfg := d.cfg
		cfg.Guard = mustGuard(GuardConfig{Allow: []string{"db.example"}, Resolver: resolving("127.0.0.1")})
		cfg.Address = "other.example:5432"
		refused, err := newSQLSource(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer refused.Close()
		_, err = ask(t, refused, "SELECT 'lyon' AS site, 1 AS value")
		wantError(t, err, AddressRefused, "other.example:5432 is not connected to: its address 127.0.0.1 is this machine")
		if _, err := ask(t, source, "SELECT 'lyon' AS site, 1 AS value"); err != nil {
			t.Errorf("a source that is allowed: %v", err)
		}
	})
}

// Answers are read up to the limits. What goes on behind them is not read: the connection ends, and with it the query.
func realCaps(t *testing.T, d *database) {
	source := openSQL(t, d.cfg)
	got, err := ask(t, source, d.rows+"100000")
	if err != nil || len(got.Samples) != 100_000 {
		t.Errorf("got %d samples and error %v, want all 100,000 rows", len(got.Samples), err)
	}
	few := d.cfg
	few.MaxRows = 10
	capped := openSQL(t, few)
	if _, err := ask(t, capped, d.rows+"10"); err != nil {
		t.Errorf("as many rows as are allowed: %v", err)
	}
	for _, query := range []string{d.rows + "11", d.rows + "200000", d.endless} {
		_, err = ask(t, capped, query)
		wantError(t, err, ResponseTooLarge, "answered with more than 10 rows: group by site in the query, or raise maxRows")
	}
	_, err = ask(t, capped, d.wide)
	tooWide := map[SQLEngine]string{PostgreSQL: "announced a message of more than 1048576 bytes", MySQL: "answered with more than 1051136 bytes"}
	wantError(t, err, ResponseTooLarge, tooWide[d.engine])
	eventually(t, "no query runs any more", func() bool { return count(t, d.admin, d.busy) == 0 })
	if _, err := ask(t, capped, d.rows+"1"); err != nil {
		t.Errorf("the next measurement failed: %v", err)
	}
}

func realTimeouts(t *testing.T, d *database) {
	cfg := d.cfg
	cfg.Timeout = 5 * time.Second
	source := openSQL(t, cfg)
	_, err := ask(t, source, d.sleeping("600"))
	wantError(t, err, Timeout, "stopped the query (")
	// The server itself ended the query, which it shows a moment after it has answered: the connection is as good as before.
	eventually(t, "no query runs any more", func() bool { return count(t, d.admin, d.busy) == 0 })
	if all := count(t, d.admin, d.theirs); all != 1 {
		t.Errorf("there are %d connections, want the 1 that there was", all)
	}
	t.Run("a caller in a hurry", func(t *testing.T) {
		patient := openSQL(t, d.cfg)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_, err := patient.Measure(ctx, Query{Expression: d.sleeping("600"), SiteLabel: "site"}, at)
		wantError(t, err, Timeout, "")
		eventually(t, "the query has ended on the server", func() bool { return count(t, d.admin, d.busy) == 0 })
	})
	t.Run("a caller who gives up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() {
			_, err := source.Measure(ctx, Query{Expression: d.sleeping("600"), SiteLabel: "site"}, at)
			result <- err
		}()
		eventually(t, "the query runs", func() bool { return count(t, d.admin, d.asleep) == 1 })
		cancel()
		wantError(t, await(t, "the measurement", result), Canceled, "was canceled")
		eventually(t, "the query has ended on the server", func() bool { return count(t, d.admin, d.busy) == 0 })
	})
	t.Run("a connection that is ended by the administrator", func(t *testing.T) {
		patient := openSQL(t, d.cfg)
		result := make(chan error, 1)
		go func() {
			_, err := patient.Measure(t.Context(), Query{Expression: d.sleeping("600"), SiteLabel: "site"}, at)
			result <- err
		}()
		eventually(t, "the query runs", func() bool { return count(t, d.admin, d.asleep) == 1 })
		end := "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'kpi'"
		if d.engine == MySQL {
			end = fmt.Sprintf("KILL %d", count(t, d.admin, strings.Replace(d.asleep, "count(*)", "id", 1)))
		}
		execute(t, d.admin, end)
		wantError(t, await(t, "the measurement", result), Unreachable, "the connection")
		if _, err := ask(t, patient, d.rows+"1"); err != nil {
			t.Errorf("the next measurement failed: %v", err)
		}
	})
}

// There are never more connections than measurements may run, they are used again, and none is left after Close.
func realConnections(t *testing.T, d *database) {
	eventually(t, "the connections of other tests are gone", func() bool { return count(t, d.admin, d.theirs) == 0 })
	cfg := d.cfg
	cfg.Guard, cfg.Limits.Concurrent = loopback, 3
	source, err := NewSQL(cfg)
	if err != nil {
		t.Fatal(err)
	}
	failures := make(chan error, 12)
	var running sync.WaitGroup
	for range cap(failures) {
		running.Go(func() {
			_, err := source.Measure(context.Background(), Query{Expression: d.sleeping("0.1"), SiteLabel: "site"}, at)
			failures <- err
		})
	}
	most := 0
	for done := 0; done < cap(failures); {
		most = max(most, count(t, d.admin, d.theirs))
		select {
		case err := <-failures:
			if done++; err != nil {
				t.Error(err)
			}
		default:
		}
	}
	running.Wait()
	if most < 1 || most > 3 {
		t.Errorf("there were %d connections at once, want 1 to 3", most)
	}
	source.Close()
	eventually(t, "no connection is left", func() bool { return count(t, d.admin, d.theirs) == 0 })
	_, err = source.Measure(t.Context(), allSites, at)
	wantError(t, err, Closed, "is closed")
}

func realRestart(t *testing.T, d *database) {
	source := openSQL(t, d.cfg)
	if _, err := ask(t, source, d.rows+"1"); err != nil {
		t.Fatal(err)
	}
	d.stop(t)
	_, err := ask(t, source, d.rows+"1")
	wantError(t, err, Unreachable, "refused the connection: is the source running")
	d.restart(t)
	if _, err := ask(t, source, d.rows+"1"); err != nil {
		t.Errorf("after the server was started again: %v", err)
	}
	// The connection of before the restart is in the pool and dead.
	d.stop(t)
	d.restart(t)
	if _, err := ask(t, source, d.rows+"1"); err != nil {
		t.Errorf("after a restart that nobody noticed: %v", err)
	}
}

// resolving finds one address for every name.
type resolving string

// LookupNetIP implements Resolver.
func (r resolving) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr(string(r))}, nil
}
