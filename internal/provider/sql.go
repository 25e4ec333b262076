package provider

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"
)

// sqlSource asks a database. Each measurement is one statement in a read-only transaction that is rolled back.
type sqlSource struct {
	endpoint
	engine  *sqlEngine
	db      *sql.DB
	wires   *wires
	maxRows int
}

// sqlEngine is what differs between databases.
type sqlEngine struct {
	dialect *dialect
	// open makes what opens connections. It does not connect.
	open func(cfg SQLConfig) (driver.Connector, error)
	// begin starts a read-only transaction in UTC whose statements the server stops after limit.
	begin func(ctx context.Context, connection *sql.Conn, limit time.Duration) (*sql.Tx, error)
	// said returns what the server itself says about a failure.
	said func(err error) (serverError, bool)
}

var sqlEngines = map[SQLEngine]*sqlEngine{
	PostgreSQL: {dialect: &postgresDialect, open: openPostgres, begin: beginPostgres, said: postgresSaid},
	MySQL:      {dialect: &mysqlDialect, open: openMySQL, begin: beginMySQL, said: mysqlSaid},
}

// maxConnectionAge replaces connections now and then, so that a database that moved is found at its new address.
const maxConnectionAge = 30 * time.Minute

// NewSQL opens an SQL source. It does not connect: a server that is down shows when it is asked. It returns
// an *Error with reason InvalidConfiguration or AddressRefused when cfg is wrong.
func NewSQL(cfg SQLConfig) (Provider, error) {
	source, err := newSQLSource(cfg)
	if err != nil {
		return nil, err
	}
	return limit(source, source.host, cfg.Limits), nil
}

func newSQLSource(cfg SQLConfig) (*sqlSource, error) {
	cfg = cfg.normalised()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	engine := sqlEngines[cfg.Engine]
	connector, err := engine.open(cfg)
	if err != nil {
		return nil, err
	}
	through := &wires{
		Connector: connector, timeout: cfg.Timeout,
		limit: int64(cfg.MaxRows)*bytesPerRow + 1<<20, open: map[any]*wire{},
		// pgx is told by its own settings.
		keepPassword: cfg.Engine == MySQL && cfg.InsecurePlaintext,
	}
	db := sql.OpenDB(through)
	db.SetMaxOpenConns(cfg.Limits.Concurrent)
	db.SetMaxIdleConns(cfg.Limits.Concurrent)
	db.SetConnMaxIdleTime(idleConnTimeout)
	db.SetConnMaxLifetime(maxConnectionAge)
	return &sqlSource{
		endpoint: endpoint{host: cfg.Address, timeout: cfg.Timeout,
			redactor: newRedactor(cfg.Password, `"`+cfg.Username+`"`, `'`+cfg.Username+`'`)},
		engine: engine, db: db, wires: through, maxRows: cfg.MaxRows,
	}, nil
}

// Measure runs the expression with the borders of the window as its parameters.
func (s *sqlSource) Measure(ctx context.Context, q Query, w Window) (Answer, error) {
	if err := validate(q, w); err != nil {
		return Answer{}, err
	}
	statement, err := s.engine.dialect.bind(q.Expression, w)
	if err != nil {
		return Answer{}, err
	}
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	rows, err := s.ask(limited, statement, q)
	// A connection of the pool that turned out to be dead before anything was sent over it is no failure of the source.
	if errors.Is(err, driver.ErrBadConn) {
		rows, err = s.ask(limited, statement, q)
	}
	if err != nil {
		return Answer{}, s.explained(ctx, err)
	}
	return settle(rows, AggregateNone, w), nil
}

// Close closes the connections. No measurement runs when it is called.
func (s *sqlSource) Close() { _ = s.db.Close() }

// ask runs a statement on one connection and reads its rows.
func (s *sqlSource) ask(ctx context.Context, statement bound, q Query) ([]siteRow, error) {
	// What is left of an answer that is too large is not read: the connection goes, and with it the query.
	ctx, abandon := context.WithCancel(ctx)
	defer abandon()
	connection, err := s.db.Conn(ctx)
	if err != nil {
		return nil, &connectError{err}
	}
	below := &wire{}
	defer func() { _ = connection.Close() }()
	// The function given to Raw cannot fail, and says nothing about the connection.
	_ = connection.Raw(func(open any) error { below = s.wires.of(open); return nil })
	below.refill()

	tx, err := s.engine.begin(ctx, connection, serverLimit(ctx, s.timeout))
	if err != nil {
		return nil, below.explain(err)
	}
	// Nothing was written, so that it does not matter whether this succeeds; it brings the connection back into order, or ends it.
	defer func() { _ = tx.Rollback() }()
	rows, err := tx.QueryContext(ctx, statement.text, statement.args...)
	if err != nil {
		return nil, below.explain(err)
	}
	defer func() { _ = rows.Close() }()
	read, err := s.read(rows, q)
	if err != nil {
		abandon()
	}
	return read, below.explain(err)
}

// serverLimit is a little less than the time that is left, since the server's own report on a slow query says more than a broken connection, and ends it.
func serverLimit(ctx context.Context, timeout time.Duration) time.Duration {
	left := timeout
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(deadline))
	}
	return max(left-max(left/10, min(left/4, time.Second)), time.Millisecond)
}
