package provider

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSQLConfigurationsThatAreWrong(t *testing.T) {
	cert, key := newAuthority(t).issue(t, time.Now().Add(time.Hour))
	right := SQLConfig{Engine: PostgreSQL, Address: "crm-db.example:5432", Database: "crm", Username: "kpi", Password: "hush"}
	if source, err := NewSQL(right); err != nil {
		t.Fatalf("the configuration that the others are made from is refused: %v", err)
	} else {
		source.Close()
	}
	tests := []struct {
		name    string
		change  func(*SQLConfig)
		reason  Reason
		message string
	}{
		{"no engine", func(c *SQLConfig) { c.Engine = "" }, InvalidConfiguration, "the engine must be PostgreSQL or MySQL"},
		{"another engine", func(c *SQLConfig) { c.Engine = "Oracle" }, InvalidConfiguration, "the engine must be PostgreSQL or MySQL"},
		{"no address", func(c *SQLConfig) { c.Address = "" }, InvalidConfiguration, "must be host:port"},
		{"no port", func(c *SQLConfig) { c.Address = "crm-db.example" }, InvalidConfiguration, "must be host:port"},
		{"no host", func(c *SQLConfig) { c.Address = ":5432" }, InvalidConfiguration, "must be host:port"},
		{"a URL", func(c *SQLConfig) { c.Address = "postgres://ann:hush@db:5432" }, InvalidConfiguration, "must be host:port"},
		{"credentials", func(c *SQLConfig) { c.Address = "hush@db:5432" }, InvalidConfiguration, "must be host:port"},
		{"several hosts", func(c *SQLConfig) { c.Address = "a,b:5432" }, InvalidConfiguration, "must be host:port"},
		{"a socket", func(c *SQLConfig) { c.Address = "/var/run/postgresql:5432" }, InvalidConfiguration, "must be host:port"},
		{"a named port", func(c *SQLConfig) { c.Address = "db:postgresql" }, InvalidConfiguration, "a number between 1 and 65535"},
		{"port 0", func(c *SQLConfig) { c.Address = "db:0" }, InvalidConfiguration, "a number between 1 and 65535"},
		{"port 65536", func(c *SQLConfig) { c.Address = "db:65536" }, InvalidConfiguration, "a number between 1 and 65535"},
		{"this machine", func(c *SQLConfig) { c.Address = "127.0.0.1:5432" }, AddressRefused, "this machine"},
		{"a metadata service", func(c *SQLConfig) { c.Address = "169.254.169.254:5432" }, AddressRefused, "is not connected to"},
		{"no database", func(c *SQLConfig) { c.Database = "" }, InvalidConfiguration, "the database must be named"},
		{"a long database", func(c *SQLConfig) { c.Database = strings.Repeat("a", 65) }, InvalidConfiguration, "at most 64 bytes"},
		{"no user", func(c *SQLConfig) { c.Username = "\n" }, InvalidConfiguration, "the user name is empty"},
		{"nothing to log in with", func(c *SQLConfig) { c.Password = "" }, InvalidConfiguration, "neither a password nor a client certificate"},
		{"NUL", func(c *SQLConfig) { c.Password = "hu\x00sh" }, InvalidConfiguration, "a NUL character"},
		{"a negative timeout", func(c *SQLConfig) { c.Timeout = -1 }, InvalidConfiguration, "the timeout is negative"},
		{"a long timeout", func(c *SQLConfig) { c.Timeout = 5*time.Minute + 1 }, InvalidConfiguration, "the timeout is longer than 5m"},
		{"negative rows", func(c *SQLConfig) { c.MaxRows = -1 }, InvalidConfiguration, "the limit for rows"},
		{"too many rows", func(c *SQLConfig) { c.MaxRows = 1_000_001 }, InvalidConfiguration, "between 1 and 1000000"},
		{"a negative limit", func(c *SQLConfig) { c.Limits.Concurrent = -1 }, InvalidConfiguration, "a limit is negative"},
		{"a certificate alone", func(c *SQLConfig) { c.Cert = cert }, InvalidConfiguration, "a client certificate needs a key"},
		{"a key alone", func(c *SQLConfig) { c.Key = key }, InvalidConfiguration, "a key needs a client certificate"},
		{"a broken CA", func(c *SQLConfig) { c.CA = []byte("hush") }, InvalidConfiguration, "the CA contains no PEM certificate"},
		{"TLS and none", func(c *SQLConfig) { c.InsecurePlaintext, c.ServerName = true, "db" }, InvalidConfiguration, "TLS settings and insecurePlaintext"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := right
			test.change(&cfg)
			source, err := NewSQL(cfg)
			wantError(t, err, test.reason, test.message)
			if source != nil {
				t.Error("an error came with a source")
			}
		})
	}
}

func TestPrintingAnSQLConfigurationShowsNoCredentials(t *testing.T) {
	cfg := SQLConfig{Engine: MySQL, Address: "crm-db.example:3306", Database: "crm", Username: "hush", Password: "hush", Key: []byte("hush")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, cfg); got != "MySQL at crm-db.example:3306" {
			t.Errorf("%s prints %q, want the engine, host and port alone", verb, got)
		}
	}
	cfg.Engine, cfg.Address = "hush", "hush@db:1"
	if got := cfg.String(); got != "database at an invalid address" {
		t.Errorf("got %q for an invalid address", got)
	}
}

// Every field is set to something else by reflection, so that a new field cannot be forgotten.
func TestTheFingerprintOfAnSQLSourceCoversEveryFieldButTheGuard(t *testing.T) {
	seen := map[string]string{SQLConfig{}.Fingerprint(): "nothing"}
	shape := reflect.TypeFor[SQLConfig]()
	for i := range shape.NumField() {
		var cfg SQLConfig
		field := reflect.ValueOf(&cfg).Elem().Field(i)
		switch field.Kind() {
		case reflect.String:
			field.SetString("a")
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Int, reflect.Int64:
			field.SetInt(1)
		case reflect.Slice:
			field.SetBytes([]byte("a"))
		case reflect.Struct:
			cfg.Limits.PerMinute = 1
		case reflect.Pointer:
			cfg.Guard = loopback
			if cfg.Fingerprint() != (SQLConfig{}).Fingerprint() {
				t.Error("the fingerprint covers the guard")
			}
			continue
		default:
			t.Fatalf("field %s is of a kind that this test does not know", shape.Field(i).Name)
		}
		got := cfg.Fingerprint()
		if other, taken := seen[got]; taken {
			t.Errorf("%s and %s have the same fingerprint", shape.Field(i).Name, other)
		}
		seen[got] = shape.Field(i).Name
	}
}

// pgx takes the settings of libpq from the environment and from files in the home directory. None of them may change where a query goes, who asks, or whether
// the connection is encrypted.
func TestTheEnvironmentDoesNotChangeASource(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	for name, value := range map[string]string{
		"PGHOST": "elsewhere", "PGPORT": "1", "PGDATABASE": "other", "PGUSER": "mallory", "PGPASSWORD": "hush", "PGPASSFILE": home + "/none", "PGAPPNAME": "other",
		"PGCONNECT_TIMEOUT": "never", "PGSSLMODE": "nonsense", "PGSSLKEY": home + "/none", "PGSSLCERT": home + "/none", "PGSSLROOTCERT": home + "/none",
		"PGSSLPASSWORD": "hush", "PGSSLSNI": "0", "PGSSLNEGOTIATION": "nonsense", "PGSSLCERTMODE": "nonsense", "PGTARGETSESSIONATTRS": "nonsense",
		"PGSERVICEFILE": home + "/none", "PGTZ": "Mars", "PGOPTIONS": "-c default_transaction_read_only=off", "PGMINPROTOCOLVERSION": "9", "PGMAXPROTOCOLVERSION": "9",
		"PGCHANNELBINDING": "nonsense", "PGREQUIREAUTH": "nonsense",
	} {
		t.Setenv(name, value)
	}
	cfg := SQLConfig{Engine: PostgreSQL, Address: "crm-db.example:5432", Database: "crm", Username: "kpi", Password: "hush"}
	settings, err := postgresSettings(cfg)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(settings.Host, settings.Port, settings.Database, settings.User, settings.Password, len(settings.Fallbacks), settings.TLSConfig.ServerName,
		settings.TLSConfig.InsecureSkipVerify, settings.ConnectTimeout, settings.SSLNegotiation, settings.ChannelBinding, settings.RequireAuth,
		settings.MinProtocolVersion, settings.ValidateConnect == nil, settings.RuntimeParams)
	want := "crm-db.example 5432 crm kpi hush 0 crm-db.example false 0s postgres prefer  3.0 true " +
		"map[TimeZone:UTC application_name:crm-rollout-operator client_encoding:UTF8 standard_conforming_strings:on]\n"
	if got != want {
		t.Errorf("with PG* variables the settings are\n%swant\n%s", got, want)
	}
	t.Setenv("PGSERVICE", "elsewhere")
	_, err = NewSQL(cfg)
	wantError(t, err, InvalidConfiguration, "the environment variable PGSERVICE")
}
