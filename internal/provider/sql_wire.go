package provider

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// wire is a connection to a database, below TLS. The drivers bound neither how much they read nor, in one case, tell why a connection broke, so it
// does both: it fails after a number of bytes, and keeps the last failure that it saw or was told of.
type wire struct {
	net.Conn
	limit int64
	left  atomic.Int64

	mu    sync.Mutex
	cause error
	// login counts what was written since the login began, where passwords must stay here; negative where nothing is counted.
	login atomic.Int64
	// forget is called once, when the connection is closed.
	forget func()
}

// wireKey finds, in the context of a driver that connects, the wire to connect.
type wireKey struct{}

// dialThrough dials the addresses that guard allows, for the wire in the context.
func dialThrough(guard *Guard) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := guard.DialContext(ctx, network, address)
		w, ok := ctx.Value(wireKey{}).(*wire)
		if err != nil || !ok {
			return connection, err
		}
		w.Conn = connection
		return w, nil
	}
}

// refill begins a measurement.
func (w *wire) refill() {
	w.left.Store(w.limit)
	w.note(nil)
}

// Read implements net.Conn.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if w.left.Add(-int64(n)) < 0 {
		err = &tooLargeError{limit: w.limit}
	}
	if err != nil {
		w.note(err)
	}
	return n, err
}

// errPasswordInPlain says that the server tried to get at the password by a key that it sent itself, which nothing vouches for without TLS.
var errPasswordInPlain = errors.New("the server's way of authentication takes the password itself")

// maxLoginAnswer is the size of the longest answer to a challenge, with room to spare, in bytes. A password that is encrypted with a key of the server takes at least
// 128: so it is told apart whatever the server calls its way of logging in.
const maxLoginAnswer = 100

// Write implements net.Conn.
func (w *wire) Write(p []byte) (int, error) {
	// The first packet is the one that asks for the login.
	if counted := w.login.Load(); counted >= 0 {
		w.login.Add(1)
		if counted > 0 && len(p) > maxLoginAnswer {
			w.note(errPasswordInPlain)
			return 0, errPasswordInPlain
		}
	}
	return w.Conn.Write(p)
}

// Print implements the logger of the MySQL driver, which tells it why a connection is given up, and its caller only that it is.
func (w *wire) Print(said ...any) {
	for _, value := range said {
		if err, ok := value.(error); ok {
			w.note(err)
		}
	}
}

// note keeps a failure, but a limit that was passed stays, and so does a login that was refused: what follows is the consequence.
func (w *wire) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, large := asError[*tooLargeError](w.cause)
	if err == nil || !large && !errors.Is(w.cause, errPasswordInPlain) {
		w.cause = err
	}
}

// explain adds what the wire knows to a driver's error.
func (w *wire) explain(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil || w.cause == nil {
		return err
	}
	return errors.Join(err, w.cause)
}

// Close implements net.Conn.
func (w *wire) Close() error {
	w.mu.Lock()
	forget := w.forget
	w.forget = nil
	w.mu.Unlock()
	if forget != nil {
		forget()
	}
	if w.Conn == nil {
		return nil
	}
	return w.Conn.Close()
}

// SyscallConn lets the MySQL driver look whether an idle connection is still alive.
func (w *wire) SyscallConn() (syscall.RawConn, error) {
	raw, ok := w.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.New("the connection has no descriptor")
	}
	return raw.SyscallConn()
}

// wires opens connections for database/sql, and knows the wire below each of them.
type wires struct {
	driver.Connector
	timeout time.Duration
	limit   int64
	// keepPassword makes logins fail that would send the password itself.
	keepPassword bool

	mu   sync.Mutex
	open map[any]*wire
}

// Connect implements driver.Connector.
func (c *wires) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	w := &wire{limit: c.limit}
	w.refill()
	w.login.Store(-1)
	if c.keepPassword {
		w.login.Store(0)
	}
	connection, err := c.connect(context.WithValue(ctx, wireKey{}, w))
	w.login.Store(-1)
	if err != nil {
		// The drivers close what they opened; closing it again is free.
		_ = w.Close()
		return nil, w.explain(err)
	}
	c.mu.Lock()
	c.open[connection] = w
	c.mu.Unlock()
	w.mu.Lock()
	w.forget = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.open, connection)
	}
	w.mu.Unlock()
	return connection, nil
}

// connect keeps a driver that stumbles over what a server sends from taking the operator with it.
func (c *wires) connect(ctx context.Context) (connection driver.Conn, err error) {
	defer func() {
		if recover() != nil {
			connection, err = nil, newError(InvalidResponse, nil, "what the server sent during the login makes no sense: is the address right?")
		}
	}()
	return c.Connector.Connect(ctx)
}

// of returns the wire below a driver's connection.
func (c *wires) of(connection any) *wire {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.open[connection]; w != nil {
		return w
	}
	return &wire{}
}
