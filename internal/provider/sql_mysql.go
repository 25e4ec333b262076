package provider

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"
)

// openMySQL configures the driver. It sends no files of the client, whatever the server demands, and the password itself
// over TLS only. What the driver would send encrypted with a key of the server, which nobody verified, stops at the wire.
func openMySQL(cfg SQLConfig) (driver.Connector, error) {
	settings := mysql.NewConfig()
	var err error
	if settings.TLS, err = cfg.tls(); err != nil {
		return nil, err
	}
	settings.Net, settings.Addr = "tcp", cfg.Address
	settings.DBName, settings.User, settings.Passwd = cfg.Database, cfg.Username, cfg.Password
	settings.Loc, settings.ParseTime = time.UTC, true
	settings.AllowCleartextPasswords = settings.TLS != nil
	settings.ConnectionAttributes = "program_name:" + userAgent
	settings.DialFunc = dialThrough(cfg.Guard)
	settings.Logger = &mysql.NopLogger{}
	// Each connection's complaints go to its own wire.
	toWire := func(ctx context.Context, own *mysql.Config) error {
		if w, ok := ctx.Value(wireKey{}).(*wire); ok {
			own.Logger = w
		}
		return nil
	}
	if err := settings.Apply(mysql.BeforeConnect(toWire)); err != nil {
		return nil, newError(InvalidConfiguration, nil, "the connection settings are not usable")
	}
	connector, err := mysql.NewConnector(settings)
	if err != nil {
		return nil, newError(InvalidConfiguration, nil, "the connection settings are not usable")
	}
	return connector, nil
}

// sessionOfMySQL makes the session the same on every server. MySQL and MariaDB have different names and units for the timeout: each executes only the
// comment that is meant for it. The mode is a fixed one because it decides how a text is read ("…" is a string, a backslash escapes), and because
// ONLY_FULL_GROUP_BY refuses queries that would pick a value from any row of a group.
const sessionOfMySQL = "SET /*!50708 SESSION max_execution_time = %d, */ /*M!100101 SESSION max_statement_time = %.3f, */ SESSION time_zone = '+00:00', " +
	"SESSION sql_mode = 'ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"

// beginMySQL implements sqlEngine.begin.
func beginMySQL(ctx context.Context, connection *sql.Conn, limit time.Duration) (*sql.Tx, error) {
	if _, err := connection.ExecContext(ctx, fmt.Sprintf(sessionOfMySQL, limit.Milliseconds(), limit.Seconds())); err != nil {
		return nil, err
	}
	// Statements like CREATE TABLE end a transaction and begin another one, which has to be read-only too.
	if _, err := connection.ExecContext(ctx, "SET SESSION TRANSACTION READ ONLY"); err != nil {
		return nil, err
	}
	return connection.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
}
