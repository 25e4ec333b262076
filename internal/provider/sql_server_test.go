package provider

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/crmops/rollout-operator/test/mariadb"
	"github.com/crmops/rollout-operator/test/postgres"
)

// database is a real server as the tests below use it. User kpi may read and write everything, so that it is the transaction that keeps it from writing.
type database struct {
	engine SQLEngine
	// cfg is for user kpi, over TLS.
	cfg SQLConfig
	// admin is allowed everything.
	admin *sql.DB
	// theirs counts the connections of user kpi, busy those of them that run a query, and asleep those that are in the middle of one that sleeps.
	theirs, busy, asleep string
	// sleeping is a query that takes seconds; endless has more rows than anybody can read; wide has one row of megabytes.
	sleeping      func(seconds string) string
	endless, wide string
	// rows is the beginning of a query for as many rows as are appended to it.
	rows          string
	stop, restart func(t *testing.T)
}

// credentials are the server's certificate and a client's, both signed by the authority that is ours.
type credentials struct {
	ours, theirs authority
	cert, key    []byte
	client, own  []byte
}

func newCredentials(t *testing.T) credentials {
	t.Helper()
	c := credentials{ours: newAuthority(t), theirs: newAuthority(t)}
	c.cert, c.key = c.ours.issue(t, time.Now().Add(time.Hour))
	c.client, c.own = c.ours.issue(t, time.Now().Add(time.Hour))
	return c
}

func TestARealPostgreSQL(t *testing.T) {
	t.Parallel()
	c := newCredentials(t)
	server, err := postgres.Start(t.Context(), postgres.Options{
		Cert: c.cert, Key: c.key, ClientCA: c.ours.pem, Settings: []string{"timezone=Asia/Kathmandu"},
		HBA: []string{"hostssl all test 127.0.0.1/32 cert", "hostnossl all test 127.0.0.1/32 reject"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Remove)
	admin, err := sql.Open("pgx", fmt.Sprintf("postgres://%s:%s@%s/postgres?sslmode=require", postgres.User, postgres.Password, server.Address()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	for _, statement := range []string{
		"CREATE ROLE kpi LOGIN PASSWORD '" + secretPassword + "'", "CREATE ROLE test LOGIN", "CREATE SEQUENCE numbers",
		"CREATE TABLE visits (site text, at timestamptz, local timestamp, n int)", "CREATE TABLE kinds (site char(10), single real, yes boolean)",
		"INSERT INTO kinds VALUES ('lyon', 0.1, true)", "CREATE TABLE closed (site text, value int)",
		"CREATE FUNCTION writes() RETURNS int LANGUAGE sql AS $$ INSERT INTO visits VALUES ('f') RETURNING 1 $$",
		"GRANT ALL ON visits, kinds TO kpi", "GRANT ALL ON SEQUENCE numbers TO kpi", "GRANT ALL ON SCHEMA public TO kpi",
	} {
		execute(t, admin, statement)
	}
	d := &database{
		engine: PostgreSQL, admin: admin,
		cfg:      SQLConfig{Engine: PostgreSQL, Address: server.Address(), Database: "postgres", Username: "kpi", Password: secretPassword, CA: c.ours.pem},
		theirs:   "SELECT count(*) FROM pg_stat_activity WHERE usename = 'kpi'",
		busy:     "SELECT count(*) FROM pg_stat_activity WHERE usename = 'kpi' AND state = 'active'",
		asleep:   "SELECT count(*) FROM pg_stat_activity WHERE usename = 'kpi' AND wait_event = 'PgSleep'",
		sleeping: func(seconds string) string { return "SELECT 'a' AS site, 1 AS value FROM pg_sleep(" + seconds + ")" },
		endless:  "SELECT n AS site, n AS value FROM (SELECT generate_series(1, 1000000000000) AS n) AS t",
		wide:     "SELECT 'a' AS site, repeat('1', 40000000) AS value",
		rows:     "SELECT n AS site, n AS value FROM generate_series(1, 200000) AS n LIMIT ",
		stop:     func(*testing.T) { server.Stop() },
		restart: func(t *testing.T) {
			if err := server.Restart(context.Background()); err != nil {
				t.Fatal(err)
			}
		},
	}
	t.Run("values", func(t *testing.T) { realValues(t, d); postgresValues(t, d) })
	t.Run("rejections", func(t *testing.T) { sqlRejections(t, d); postgresRejections(t, d) })
	t.Run("windows", func(t *testing.T) { realWindows(t, d, "at", "local") })
	t.Run("read only", func(t *testing.T) { postgresReadsOnly(t, d) })
	t.Run("sessions", func(t *testing.T) { postgresSessions(t, d) })
	t.Run("TLS", func(t *testing.T) { realTLS(t, d, c) })
	d.runAll(t)
}

func TestARealMariaDB(t *testing.T) {
	t.Parallel()
	c := newCredentials(t)
	server, err := mariadb.Start(t.Context(), mariadb.Options{Cert: c.cert, Key: c.key, ClientCA: c.ours.pem})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Remove)
	admin, err := server.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	for _, statement := range []string{
		"CREATE USER kpi IDENTIFIED BY '" + secretPassword + "'", "CREATE USER test IDENTIFIED BY '' REQUIRE X509", "CREATE SEQUENCE numbers",
		"CREATE TABLE visits (site varchar(60), at timestamp(6) NULL, local datetime(6), n int)", "CREATE TABLE kinds (site char(10), single float, yes boolean)",
		"INSERT INTO kinds VALUES ('lyon', 0.1, true)", "CREATE DATABASE secret", "CREATE TABLE secret.closed (site text, value int)",
		"CREATE FUNCTION writes() RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO visits VALUES ('f', NULL, NULL, 1); RETURN 1; END",
		"GRANT ALL ON crm.* TO kpi", "GRANT SELECT ON crm.* TO test", "GRANT FILE ON *.* TO kpi",
	} {
		execute(t, admin, statement)
	}
	d := &database{
		engine: MySQL, admin: admin,
		cfg:      SQLConfig{Engine: MySQL, Address: server.Address(), Database: "crm", Username: "kpi", Password: secretPassword, CA: c.ours.pem},
		theirs:   "SELECT count(*) FROM information_schema.processlist WHERE user = 'kpi'",
		busy:     "SELECT count(*) FROM information_schema.processlist WHERE user = 'kpi' AND command IN ('Query', 'Execute', 'Killed')",
		asleep:   "SELECT count(*) FROM information_schema.processlist WHERE user = 'kpi' AND command IN ('Query', 'Execute') AND state = 'User sleep'",
		sleeping: func(seconds string) string { return "SELECT 'a' AS site, SLEEP(" + seconds + ") AS value" },
		endless:  "SELECT seq AS site, seq AS value FROM seq_1_to_1000000000000",
		wide:     "SELECT 'a' AS site, repeat('1', 10000000) AS value",
		rows:     "SELECT seq AS site, seq AS value FROM seq_1_to_200000 LIMIT ",
		stop:     func(*testing.T) { server.Stop() },
		restart: func(t *testing.T) {
			if err := server.Restart(context.Background()); err != nil {
				t.Fatal(err)
			}
		},
	}
	t.Run("values", func(t *testing.T) { realValues(t, d); mariadbValues(t, d) })
	t.Run("rejections", func(t *testing.T) { sqlRejections(t, d); mariadbRejections(t, d) })
	t.Run("windows", func(t *testing.T) { realWindows(t, d, "at", "local") })
	t.Run("read only", func(t *testing.T) { mariadbReadsOnly(t, d) })
	t.Run("TLS", func(t *testing.T) { realTLS(t, d, c) })
	d.runAll(t)
}

// runAll runs what is the same for both. The last test stops the server.
func (d *database) runAll(t *testing.T) {
	t.Run("logins", func(t *testing.T) { realLogins(t, d) })
	t.Run("many rows", func(t *testing.T) { realCaps(t, d) })
	t.Run("timeouts", func(t *testing.T) { realTimeouts(t, d) })
	t.Run("connections", func(t *testing.T) { realConnections(t, d) })
	t.Run("a server that stops", func(t *testing.T) { realRestart(t, d) })
}

// openSQL opens a source on this machine, without limits and back-off, that is closed with the test.
func openSQL(t *testing.T, cfg SQLConfig) *sqlSource {
	t.Helper()
	cfg.Guard = loopback
	source, err := newSQLSource(cfg)
	if err != nil {
		t.Fatalf("open %v: %v", cfg, err)
	}
	t.Cleanup(source.Close)
	return source
}

// ask measures in the window of the tests, for all sites.
func ask(t *testing.T, source Provider, query string) (Answer, error) {
	t.Helper()
	answer, err := source.Measure(t.Context(), Query{Expression: query, SiteLabel: "site"}, at)
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if printed := fmt.Sprintf("%v %+v %#v", cause, cause, cause); strings.Contains(printed, "hush") || strings.Contains(printed, "pa55") {
			t.Errorf("an error shows a credential or a value: %s", printed)
		}
	}
	return answer, err
}

func execute(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func count(t *testing.T, db *sql.DB, query string) int {
	t.Helper()
	var n int
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// valueTest is a query and the answer to it; the samples are all for the end of the window.
type valueTest struct {
	name, query string
	want        Answer
}

func one(site string, value float64) Answer {
	return Answer{Samples: []Sample{{Site: site, Value: value}}}
}

func checkValues(t *testing.T, d *database, tests []valueTest) {
	t.Helper()
	source := openSQL(t, d.cfg)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ask(t, source, test.query)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got.Samples {
				if !got.Samples[i].Time.Equal(at.End) {
					t.Errorf("the sample %v is not for the end of the window", got.Samples[i])
				}
				got.Samples[i].Time = time.Time{}
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func realValues(t *testing.T, d *database) {
	checkValues(t, d, []valueTest{
		{"integers", "SELECT 'oslo' AS site, 2 AS value UNION ALL SELECT 'lyon', -1",
			Answer{Samples: []Sample{{Site: "lyon", Value: -1}, {Site: "oslo", Value: 2}}}},
		{"decimals", "SELECT 'lyon' AS site, CAST('0.12345678901234567890' AS DECIMAL(30,20)) AS value", one("lyon", 0.12345678901234567890)},
		{"the nearest to a large integer", "SELECT 'lyon' AS site, 9007199254740993 AS value", one("lyon", 9007199254740992)},
		{"single precision as it is printed", "SELECT site, single AS value FROM kinds", one("lyon", 0.1)},
		{"text that is a number", "SELECT 'lyon' AS site, '-42.5e1' AS value", one("lyon", -425)},
		{"sites that are numbers", "SELECT 17 AS site, 1 AS value", one("17", 1)},
		{"fixed-length names without their filling", "SELECT site, 1 AS value FROM kinds", one("lyon", 1)},
		{"names of columns in any case", "SELECT 'lyon' AS SITE, 1 AS Value", one("lyon", 1)},
		{"NULL is no value, and not zero", "SELECT 'lyon' AS site, NULL AS value UNION ALL SELECT 'oslo', 0", one("oslo", 0)},
		{"NULL and a value for one site", "SELECT 'lyon' AS site, NULL AS value UNION ALL SELECT 'lyon', 5 UNION ALL SELECT 'oslo', 0",
			Answer{Samples: []Sample{{Site: "oslo", Value: 0}}, Ambiguous: []string{"lyon"}}},
		{"rows without a site", "SELECT NULL AS site, 1 AS value UNION ALL SELECT '', 2 UNION ALL SELECT 'lyon', 3",
			Answer{Samples: []Sample{{Site: "lyon", Value: 3}}, Unlabelled: 2}},
		{"two values for one site", "SELECT 'lyon' AS site, 1 AS value UNION ALL SELECT 'lyon', 1 UNION ALL SELECT 'oslo', 2",
			Answer{Samples: []Sample{{Site: "oslo", Value: 2}}, Ambiguous: []string{"lyon"}}},
		{"counts of samples", "SELECT 'lyon' AS site, avg(n) AS value, count(n) AS samples FROM (SELECT 1 AS n UNION ALL SELECT 4) AS t",
			Answer{Samples: []Sample{{Site: "lyon", Value: 2.5, Samples: 2}}}},
		{"sums of counts are decimals", "SELECT 'lyon' AS site, 1 AS value, sum(CAST(n AS DECIMAL(9,2))) AS samples FROM (SELECT 1 AS n UNION ALL SELECT 4) AS t",
			Answer{Samples: []Sample{{Site: "lyon", Value: 1, Samples: 5}}}},
		{"NULL samples are unknown", "SELECT 'lyon' AS site, 1 AS value, NULL AS samples", one("lyon", 1)},
		{"no rows", "SELECT site, n AS value FROM visits WHERE 1 = 0", Answer{}},
		{"a semicolon and a comment at the end", "SELECT 'lyon' AS site, 1 AS value; ", one("lyon", 1)},
		{"parameters in all places", "SELECT 'lyon' AS site, CASE WHEN :start < :end AND :end > :start AND ':start' = ':start' THEN 1 ELSE 0 END AS value", one("lyon", 1)},
	})
	source := openSQL(t, d.cfg)
	for query, want := range map[string]Answer{
		"SELECT 5 AS value":                     {Samples: []Sample{{Site: "rome", Value: 5, Time: at.End}}},
		"SELECT 5 AS value, 3 AS samples":       {Samples: []Sample{{Site: "rome", Value: 5, Time: at.End, Samples: 3}}},
		"SELECT 5 AS value UNION ALL SELECT 6":  {Ambiguous: []string{"rome"}},
		"SELECT n AS value FROM visits LIMIT 0": {},
	} {
		got, err := source.Measure(t.Context(), Query{Expression: query, Site: "rome"}, at)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%s for one site: error %v, answer (-want +got):\n%s", query, err, diff)
		}
	}
}

func postgresValues(t *testing.T, d *database) {
	checkValues(t, d, []valueTest{
		{"NaN and infinities", "SELECT s AS site, v AS value FROM (VALUES ('a', 'NaN'::float8), ('b', 'Infinity'), ('c', '-Infinity')) AS t(s, v)",
			Answer{Samples: []Sample{{Site: "a", Value: math.NaN()}, {Site: "b", Value: math.Inf(1)}, {Site: "c", Value: math.Inf(-1)}}}},
		{"NaN and infinities of numeric", "SELECT s AS site, v AS value FROM (VALUES ('a', 'NaN'::numeric), ('b', 'Infinity'), ('c', '-Infinity')) AS t(s, v)",
			Answer{Samples: []Sample{{Site: "a", Value: math.NaN()}, {Site: "b", Value: math.Inf(1)}, {Site: "c", Value: math.Inf(-1)}}}},
		{"a WITH query", "WITH t(site, value) AS (VALUES ('lyon', 1)) SELECT * FROM t", one("lyon", 1)},
		{"types of parameters", "SELECT 'lyon' AS site, extract(epoch FROM date_trunc('hour', :end) - :start - interval '1 minute') AS value", one("lyon", 5*3600-(4*3600+6*60+7.89)-60)},
		{"strings as the server reads them", `SELECT E'\'' || $a$:start$a$ || 'a\' || E'b' -- ' c
			'\'' || ';' AS site, 1 AS value`, one(`':starta\b';`, 1)},
		{"comments as the server reads them", "SELECT 'lyon' AS site /* /* ' */ :start ; */, 1 -- :end ' ;\n AS value", one("lyon", 1)},
	})
}

func mariadbValues(t *testing.T, d *database) {
	checkValues(t, d, []valueTest{
		{"unsigned integers", "SELECT 'lyon' AS site, CAST(18446744073709551615 AS UNSIGNED) AS value", one("lyon", 18446744073709551615)},
		{"something divided by nothing is no value", "SELECT 'lyon' AS site, 1 / 0 AS value", Answer{}},
		{"floating point numbers", "SELECT 'lyon' AS site, 1e-3 AS value WHERE :end IS NOT NULL", one("lyon", 0.001)},
		{"booleans are numbers", "SELECT site, yes AS value FROM kinds", one("lyon", 1)},
		{"types of parameters", "SELECT 'lyon' AS site, TIMESTAMPDIFF(MICROSECOND, :start - INTERVAL 1 MINUTE, :end) / 1e6 AS value", one("lyon", 3660)},
		{"strings as the server reads them", `SELECT CONCAT('\'', ":start", "a""", 'b'';', '\\') AS site, 1 AS value`, one(`':starta"b';\`, 1)},
		{"comments as the server reads them", "SELECT 'lyon' AS site /* /* ' :start ; */, 1 -- :end ' ;\n # ' ;\n AS value", one("lyon", 1)},
		{"a comment behind the semicolon", "SELECT 'lyon' AS site, 1 AS value; -- done", one("lyon", 1)},
	})
}

// rejection is a query that brings no answer.
type rejection struct {
	name, query string
	reason      Reason
	message     string
}

func checkRejections(t *testing.T, d *database, tests []rejection) {
	t.Helper()
	source := openSQL(t, d.cfg)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ask(t, source, test.query)
			wantError(t, err, test.reason, test.message)
		})
	}
}

func sqlRejections(t *testing.T, d *database) {
	checkRejections(t, d, []rejection{
		{"text", "SELECT 'lyon' AS site, 'hush' AS value", InvalidResponse, `row 1: column "value" (`},
		{"a number in words", "SELECT 'lyon' AS site, '1 ' AS value", InvalidResponse, "holds text that is no number"},
		{"a time", "SELECT 'lyon' AS site, :end AS value", InvalidResponse, `column "value" is of type `},
		{"a time as a site", "SELECT :end AS site, 1 AS value", InvalidResponse, "it must be text or a whole number"},
		{"a long site", "SELECT repeat('x', 513) AS site, 1 AS value", InvalidResponse, "longer than 512 bytes"},
		{"no site", "SELECT 1 AS value", InvalidResponse, `must return the columns "site" and "value"`},
		{"no value", "SELECT 'lyon' AS site", InvalidResponse, `must return the columns "site" and "value"`},
		{"another column", "SELECT 'lyon' AS site, 1 AS value, 2 AS extra", InvalidResponse, `returned the column "extra"`},
		{"a column twice", "SELECT 'lyon' AS site, 1 AS value, 2 AS VALUE", InvalidResponse, `twice`},
		{"negative samples", "SELECT 'lyon' AS site, 1 AS value, -1 AS samples", InvalidResponse, "whole numbers that are not negative"},
		{"fractions of samples", "SELECT 'lyon' AS site, 1 AS value, 1.5 AS samples", InvalidResponse, "whole numbers that are not negative"},
		{"words for samples", "SELECT 'lyon' AS site, 1 AS value, 'hush' AS samples", InvalidResponse, "whole numbers that are not negative"},
		{"malformed", "SELECT site FORM visits WHERE (", QueryRejected, "the query was rejected ("},
		{"an unknown column", "SELECT nothing AS site, 1 AS value FROM visits", QueryRejected, "nothing"},
		{"an unknown table", "SELECT site, value FROM nowhere", QueryRejected, "nowhere"},
		{"an unknown parameter", "SELECT 'lyon' AS site, 1 AS value WHERE 1 = :stop", QueryRejected, ":"},
	})
}

func postgresRejections(t *testing.T, d *database) {
	checkRejections(t, d, []rejection{
		{"malformed", "SELECT 'lyon' AS site 1 AS value", QueryRejected, `the query was rejected (SQLSTATE 42601): syntax error at or near "1"`},
		{"a boolean", "SELECT site, yes AS value FROM kinds", InvalidResponse, `column "value" is of type BOOL: it must be a number`},
		{"a fraction as a site", "SELECT 0.5::float8 AS site, 1 AS value", InvalidResponse, `column "site" is of type FLOAT8: it must be text or a whole number`},
		{"a number that is too large", "SELECT 'lyon' AS site, 1e400 AS value", InvalidResponse, "or one that is too large"},
		{"an interval", "SELECT 'lyon' AS site, :end - :start AS value", InvalidResponse, "holds text that is no number"},
		{"a value that cannot be converted", "SELECT 'lyon' AS site, CAST('hush' || n AS int) AS value FROM (SELECT 1 AS n) AS t", QueryRejected, "SQLSTATE 22P02): it failed on a value"},
		{"something divided by nothing", "SELECT 'lyon' AS site, 1 / 0 AS value", QueryRejected, "SQLSTATE 22012): division by zero"},
		{"a table of others", "SELECT site, value FROM closed", Unauthorized, "does not let this user run the query (SQLSTATE 42501): grant it SELECT"},
		{"an operator of the server", "SELECT 'lyon' AS site, 1 AS value FROM pg_read_file('/etc/passwd')", Unauthorized, "SQLSTATE 42501"},
		{"several rows in place of one", "SELECT 'lyon' AS site, (SELECT n FROM generate_series(1, 2) AS n) AS value", QueryRejected, "SQLSTATE 21000): more than one row"},
	})
}

func mariadbRejections(t *testing.T, d *database) {
	checkRejections(t, d, []rejection{
		{"malformed", "SELECT 'lyon' AS site 1 AS value", QueryRejected, "the query was rejected (error 1064): You have an error in your SQL syntax"},
		{"a value from any row of a group", "SELECT site, n AS value FROM visits GROUP BY site", QueryRejected, "(error 1055)"},
		{"bits", "SELECT 'lyon' AS site, b'1' AS value", InvalidResponse, "holds text that is no number"},
		{"a time of day", "SELECT 'lyon' AS site, TIMEDIFF(:end, :start) AS value", InvalidResponse, "holds text that is no number"},
		{"a number that is too large", "SELECT 'lyon' AS site, 9223372036854775807 + 1 AS value", QueryRejected, "(error 1690): the text of the error is left out"},
		{"a table of others", "SELECT site, value FROM secret.closed", Unauthorized, "does not let this user run the query (error 1142): grant it SELECT"},
		{"several rows in place of one", "SELECT 'lyon' AS site, (SELECT 1 UNION ALL SELECT 2) AS value", QueryRejected, "(error 1242)"},
	})
}

// Rows lie before, at and after both borders of the window, and in columns with and without a time zone. The server is in another zone.
func realWindows(t *testing.T, d *database, columns ...string) {
	execute(t, d.admin, "DELETE FROM visits")
	for site, moment := range map[string]time.Time{
		"a-before": boundStart.Add(-time.Microsecond), "b-start": boundStart, "c-first": boundStart.Add(time.Microsecond),
		"d-end": boundEnd, "e-after": boundEnd.Add(time.Microsecond),
	} {
		text := moment.Format("'2006-01-02 15:04:05.000000'")
		insert := "INSERT INTO visits (site, at, local, n) VALUES ('" + site + "', " + text + "::timestamp AT TIME ZONE 'UTC', " + text + ", 1)"
		if d.engine == MySQL {
			insert = "INSERT INTO visits (site, at, local, n) VALUES ('" + site + "', CONVERT_TZ(" + text + ", '+00:00', @@session.time_zone), " + text + ", 1)"
		}
		execute(t, d.admin, insert)
	}
	source := openSQL(t, d.cfg)
	for _, column := range columns {
		got, err := ask(t, source, "SELECT site, count(*) AS value, count(*) AS samples FROM visits WHERE "+column+" > :start AND "+column+" <= :end GROUP BY site")
		want := Answer{Samples: []Sample{{Site: "c-first", Value: 1, Samples: 1, Time: at.End}, {Site: "d-end", Value: 1, Samples: 1, Time: at.End}}}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("by the column %s: error %v, answer (-want +got):\n%s", column, err, diff)
		}
	}
}
