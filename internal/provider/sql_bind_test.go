package provider

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The borders of the tests' window as they are sent: in UTC and whole microseconds.
var (
	boundStart = at.Start.UTC().Truncate(time.Microsecond)
	boundEnd   = at.End.UTC().Truncate(time.Microsecond)
)

// In the tables below § stands for the mark of an argument in a bound text. What :start and :end are elsewhere is no parameter.
func TestParametersOfPostgreSQL(t *testing.T) {
	start, end := []any{boundStart}, []any{boundEnd}
	tests := []struct {
		name, query, want string
		args              []any
	}{
		{"none", "SELECT site, value FROM kpi", "SELECT site, value FROM kpi", nil},
		{"both", "SELECT 1 WHERE ts > :start AND ts <= :end", "SELECT 1 WHERE ts > §1 AND ts <= §2", []any{boundStart, boundEnd}},
		{"in order of their appearance", "SELECT :end, :start", "SELECT §1, §2", []any{boundEnd, boundStart}},
		{"the end alone is the first", "SELECT :end", "SELECT §1", end},
		{"one argument at several places", "SELECT :start, :end, :start, :end", "SELECT §1, §2, §1, §2", []any{boundStart, boundEnd}},
		{"in any case", "select :Start", "select §1", start},
		{"before a cast", "SELECT :start::date", "SELECT §1::date", start},
		{"close to words", "SELECT 1 WHERE a>:start AND:end>b", "SELECT 1 WHERE a>§1 AND §2>b", []any{boundStart, boundEnd}},
		{"at the end of the text", "SELECT(:end)", "SELECT(§1)", end},
		{"casts", "SELECT '1'::start, x::end", "SELECT '1'::start, x::end", nil},
		{"longer names", "SELECT :started, :end_, :startä, :end1", "SELECT :started, :end_, :startä, :end1", nil},
		{"other names", "SELECT a[1:n], :site", "SELECT a[1:n], :site", nil},
		{"strings", "SELECT ':start', 'it''s :end', ''':end'", "SELECT ':start', 'it''s :end', ''':end'", nil},
		{"a backslash is nothing in a string", `SELECT 'a\', :start`, `SELECT 'a\', §1`, start},
		{"strings with escapes", `SELECT E'\' :start', e'\\', :end`, `SELECT E'\' :start', e'\\', §1`, end},
		{"strings with escapes go on behind a line break", "SELECT E'a' -- b\n '\\' :start', :end", "SELECT E'a' -- b\n '\\' :start', §1", end},
		{"other strings go on without them", "SELECT 'a'\n'\\', :start", "SELECT 'a'\n'\\', §1", start},
		{"a name that ends in e begins no string with escapes", `SELECT date'\', :start`, `SELECT date'\', §1`, start},
		{"names", `SELECT ":start", "a"":end"`, `SELECT ":start", "a"":end"`, nil},
		{"strings in dollars", "SELECT $$ :start $$, $a$ $$ :end $b$ $a$, :end", "SELECT $$ :start $$, $a$ $$ :end $b$ $a$, §1", end},
		{"a dollar in a name begins no string", "SELECT a$b$, :start, c$b$", "SELECT a$b$, §1, c$b$", start},
		{"comments to the end of the line", "SELECT 1 -- :start '\n, :end", "SELECT 1 -- :start '\n, §1", end},
		{"comments nest", "SELECT /* /* :start */ ' :end */ :end", "SELECT /* /* :start */ ' :end */ §1", end},
		{"a semicolon at the end", "SELECT :end ; -- done\n", "SELECT §1 ; -- done\n", end},
		{"a semicolon in a string", "SELECT ';', $$;$$ /*;*/", "SELECT ';', $$;$$ /*;*/", nil},
		{"in brackets", " ( SELECT 1) UNION (SELECT 2)", " ( SELECT 1) UNION (SELECT 2)", nil},
		{"behind a comment", "/* KPI */ -- one\nWITH a AS (SELECT 1) SELECT * FROM a", "/* KPI */ -- one\nWITH a AS (SELECT 1) SELECT * FROM a", nil},
		{"operators with ?", "SELECT a ? 'b', a ?| b", "SELECT a ? 'b', a ?| b", nil},
		{"a string without end", "SELECT 'abc :start", "SELECT 'abc :start", nil},
		{"a comment without end", "SELECT /* :start", "SELECT /* :start", nil},
		{"dollars without end", "SELECT $a$ :start", "SELECT $a$ :start", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := postgresDialect.bind(test.query, at)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.NewReplacer("§1", "CAST($1 AS timestamptz)", "§2", "CAST($2 AS timestamptz)").Replace(test.want)
			if got.text != want {
				t.Errorf("sent\n%s\nwant\n%s", got.text, want)
			}
			if diff := cmp.Diff(test.args, got.args); diff != "" {
				t.Errorf("arguments (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParametersOfMySQL(t *testing.T) {
	start, end := []any{boundStart}, []any{boundEnd}
	tests := []struct {
		name, query, want string
		args              []any
	}{
		{"both", "SELECT 1 WHERE ts > :start AND ts <= :end", "SELECT 1 WHERE ts > § AND ts <= §", []any{boundStart, boundEnd}},
		{"one argument for each place", "SELECT :end, :start, :end", "SELECT §, §, §", []any{boundEnd, boundStart, boundEnd}},
		{"close to words", "SELECT 1 AND:end", "SELECT 1 AND §", end},
		{"strings", `SELECT ':start', "it's :end", 'it''s :end', """:end"`, `SELECT ':start', "it's :end", 'it''s :end', """:end"`, nil},
		{"strings with escapes", `SELECT 'a\' :start', "b\" :start", '\\', :end`, `SELECT 'a\' :start', "b\" :start", '\\', §`, end},
		{"names", "SELECT `:start`, `a``:end`, `b\\`, :end", "SELECT `:start`, `a``:end`, `b\\`, §", end},
		{"comments to the end of the line", "SELECT 1 -- :start '\n# :start \"\n, :end", "SELECT 1 -- :start '\n# :start \"\n, §", end},
		{"two minus signs are no comment", "SELECT 1 --:start", "SELECT 1 --§", start},
		{"comments do not nest", "SELECT /* /* :start */ :end", "SELECT /* /* :start */ §", end},
		{"assignments and variables of the server", "SELECT @@global.time_zone", "SELECT @@global.time_zone", nil},
		{"dollars mean nothing", "SELECT a$b, :start", "SELECT a$b, §", start},
		{"into in quotes", "SELECT `into`, 'INTO'", "SELECT `into`, 'INTO'", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := mysqlDialect.bind(test.query, at)
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.ReplaceAll(test.want, "§", "CAST(? AS DATETIME(6))"); got.text != want {
				t.Errorf("sent\n%s\nwant\n%s", got.text, want)
			}
			if diff := cmp.Diff(test.args, got.args); diff != "" {
				t.Errorf("arguments (-want +got):\n%s", diff)
			}
		})
	}
}

func TestQueriesThatAreNotSent(t *testing.T) {
	instantly := Window{Start: instant, End: instant}
	tests := []struct {
		dialect *dialect
		query   string
		window  Window
		message string
	}{
		{&postgresDialect, "-- nothing", at, "the query is empty"},
		{&postgresDialect, "SELECT 1; DROP TABLE sites", at, "more than one statement"},
		{&postgresDialect, "SELECT 1;;", at, ""},
		{&postgresDialect, "SELECT 1; :end", at, "more than one statement"},
		{&postgresDialect, "SELECT $1", at, "contains an argument mark like $1"},
		{&postgresDialect, "SELECT \x00", at, "contains a NUL character"},
		{&postgresDialect, "SELECT :start", instantly, "the KPI has no window"},
		{&postgresDialect, "SELECT :end", instantly, ""},
		{&postgresDialect, "INSERT INTO a VALUES (1)", at, "begins with SELECT or WITH"},
		{&postgresDialect, "(DELETE FROM a)", at, "begins with SELECT or WITH"},
		{&postgresDialect, "COMMIT", at, "begins with SELECT or WITH"},
		{&postgresDialect, "SET TRANSACTION READ WRITE", at, "begins with SELECT or WITH"},
		{&postgresDialect, "COPY (SELECT 1) TO PROGRAM 'id'", at, "begins with SELECT or WITH"},
		{&postgresDialect, "'SELECT'", at, "begins with SELECT or WITH"},
		{&postgresDialect, `"select" 1`, at, "begins with SELECT or WITH"},
		{&postgresDialect, ":end", at, "begins with SELECT or WITH"},
		{&postgresDialect, "; SELECT 1", at, "begins with SELECT or WITH"},
		{&postgresDialect, "selects", at, "begins with SELECT or WITH"},
		{&mysqlDialect, "SELECT 1; SELECT 2", at, "more than one statement"},
		{&mysqlDialect, "SELECT ?", at, "contains a ?"},
		{&mysqlDialect, "SELECT @n := @n + 1", at, "a user variable"},
		{&mysqlDialect, "SELECT 1 /*! INTO OUTFILE 'a' */", at, "a comment that the server executes"},
		{&mysqlDialect, "SELECT 1 /*M!100000 + 1 */", at, "a comment that the server executes"},
		{&mysqlDialect, "SELECT 1 INTO OUTFILE '/tmp/a'", at, "must not use INTO: a measurement only reads"},
		{&mysqlDialect, "SELECT 1 into dumpfile '/tmp/a'", at, "must not use INTO: a measurement only reads"},
		{&mysqlDialect, "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE a", at, "begins with SELECT or WITH"},
		{&mysqlDialect, "CALL change_everything()", at, "begins with SELECT or WITH"},
	}
	for _, test := range tests {
		t.Run(test.query, func(t *testing.T) {
			_, err := test.dialect.bind(test.query, test.window)
			if test.message != "" {
				wantError(t, err, InvalidConfiguration, test.message)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// FuzzBind binds arbitrary texts in both dialects: the text that is sent is the query, byte for byte, but for its parameters.
func FuzzBind(f *testing.F) {
	for _, query := range []string{
		"SELECT site, count(*) AS value FROM t WHERE ts > :start AND ts <= :end GROUP BY site;",
		"WITH a AS (SELECT ':end' AS \":start\", x::end) SELECT a[1:2] /* /* :end */ */ FROM a -- :start\n WHERE :END>b;",
		"SELECT E'\\' :start' -- c\n 'b\\'', $$ :start $$, $a$ $$ $a$, a$b$ :start a$b$, U&'\\' :end",
		"SELECT `:start`, \"a\\\" :end\", 'it''s', @@x # :end\n, AND:end --:start\n /*! :start */ /*M! */ /*+ :end */ ? $1 @a",
		"VALUES (:start, :end), (:start::date, :end)", "(TABLE t); -- ;", "SELECT 'open :start", "SELECT \x00 \xff\xfe:end\xc3",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, dialect := range []*dialect{&postgresDialect, &mysqlDialect} {
			got, err := dialect.bind(query, at)
			if err != nil {
				wantError(t, err, InvalidConfiguration, "the query")
				continue
			}
			assertBound(t, dialect, query, got)
		}
	})
}

// assertBound walks through a query and what is sent for it side by side. They differ in parameters only, which begin with a
// colon in the one and, at the same place, with the mark of an argument in the other.
func assertBound(t *testing.T, d *dialect, query string, got bound) {
	t.Helper()
	in, out := query, got.text
	var used []any
	for in != "" {
		if out != "" && in[0] == out[0] {
			in, out = in[1:], out[1:]
			continue
		}
		name := ":start"
		value := any(boundStart)
		if len(in) < len(name) || !strings.EqualFold(in[:len(name)], name) {
			name, value = ":end", boundEnd
		}
		if len(in) < len(name) || !strings.EqualFold(in[:len(name)], name) {
			t.Fatalf("%q was sent as %q: at %q something else was changed than a parameter", query, got.text, in)
		}
		in = in[len(name):]
		if d.numbered {
			out = assertNumbered(t, out, value, got.args)
			continue
		}
		used = append(used, value)
		out = assertMark(t, out, d.mark(1))
	}
	if out != "" {
		t.Errorf("%q was sent with %q at its end", query, out)
	}
	if !d.numbered && !cmp.Equal(used, got.args) {
		t.Errorf("%q was sent with the arguments %v, want %v", query, got.args, used)
	}
}

func assertNumbered(t *testing.T, out string, value any, args []any) string {
	t.Helper()
	for i, arg := range args {
		if arg == value {
			return assertMark(t, out, postgresDialect.mark(i+1))
		}
	}
	t.Fatalf("no argument for %v among %v", value, args)
	return ""
}

func assertMark(t *testing.T, out, mark string) string {
	t.Helper()
	rest, found := strings.CutPrefix(strings.TrimPrefix(out, " "), mark)
	if !found {
		t.Fatalf("%q does not begin with the mark %q", out, mark)
	}
	return rest
}
