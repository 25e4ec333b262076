package provider

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// unconfigured says to pgx, for everything that it would else take from PG* variables and files in the home directory, that there is none.
// What matters is set in the fields afterwards.
const unconfigured = "host=unset.invalid port=1 user=unset dbname=unset password=unset passfile='' sslmode=disable sslcert='' sslkey='' sslrootcert='' sslpassword='' " +
	"sslcertmode=allow sslsni=1 sslnegotiation=postgres target_session_attrs=any connect_timeout=0 min_protocol_version='' max_protocol_version='' " +
	"channel_binding=prefer require_auth='' application_name=unset timezone=UTC options='' servicefile=''"

// openPostgres makes what opens connections to PostgreSQL.
func openPostgres(cfg SQLConfig) (driver.Connector, error) {
	settings, err := postgresSettings(cfg)
	if err != nil {
		return nil, err
	}
	return stdlib.GetConnector(*settings, stdlib.OptionResetSession(forgetSession)), nil
}

// postgresSettings configures pgx. Its statements are sent without being prepared on the server, so that a pooler in between does not matter.
func postgresSettings(cfg SQLConfig) (*pgx.ConnConfig, error) {
	// A service replaces the address, and cannot be overruled.
	if _, set := os.LookupEnv("PGSERVICE"); set {
		return nil, invalid("the operator runs with the environment variable PGSERVICE, which says where databases are: remove it there")
	}
	settings, err := pgx.ParseConfig(unconfigured)
	if err != nil {
		return nil, newError(InvalidConfiguration, nil, "the environment of the operator keeps it from opening a PostgreSQL source: remove its PG* variables")
	}
	host, err := cfg.host()
	if err != nil {
		return nil, err
	}
	// host has checked the port.
	port, _ := strconv.ParseUint(cfg.port(), 10, 16)
	if settings.TLSConfig, err = cfg.tls(); err != nil {
		return nil, err
	}
	settings.Host, settings.Port, settings.Fallbacks = host, uint16(port), nil
	settings.Database, settings.User, settings.Password = cfg.Database, cfg.Username, cfg.Password
	// Without TLS whoever answers could ask for the password itself; with a certificate for login there is none to ask for.
	if cfg.InsecurePlaintext {
		settings.RequireAuth = "scram-sha-256,md5"
	}
	settings.ConnectTimeout = 0
	// Memory is taken for the length that a message announces, before anything of it was read.
	settings.MaxProtocolMessageBodyLen = maxMessage
	settings.DialFunc = dialThrough(cfg.Guard)
	// The guard resolves names.
	settings.LookupFunc = func(_ context.Context, name string) ([]string, error) { return []string{name}, nil }
	settings.RuntimeParams = map[string]string{
		"application_name": userAgent, "client_encoding": "UTF8", "TimeZone": "UTC", "standard_conforming_strings": "on",
	}
	settings.DefaultQueryExecMode = pgx.QueryExecModeExec
	settings.StatementCacheCapacity, settings.DescriptionCacheCapacity = 0, 0
	return settings, nil
}

// forgetSession drops what the last query may have left behind, such as advisory locks.
func forgetSession(ctx context.Context, connection *pgx.Conn) error {
	if _, err := connection.Exec(ctx, "DISCARD ALL"); err != nil {
		return driver.ErrBadConn
	}
	return nil
}

// beginPostgres implements sqlEngine.begin.
func beginPostgres(ctx context.Context, connection *sql.Conn, limit time.Duration) (*sql.Tx, error) {
	tx, err := connection.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("SET LOCAL statement_timeout = %d", limit.Milliseconds())); err != nil {
		// The first failure is the one to tell.
		_ = tx.Rollback()
		return nil, err
	}
	return tx, nil
}
