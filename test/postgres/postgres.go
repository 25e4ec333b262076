// Package postgres runs a real PostgreSQL server on the loopback interface, for tests.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/crmops/rollout-operator/test/daemon"
)

const (
	// User is the superuser of every server.
	User = "postgres"
	// Password is the superuser's.
	Password = "super-hush"
	// probeWithin bounds one look whether the server answers.
	probeWithin = 5 * time.Second
)

// Options say what to run.
type Options struct {
	// Bin is the directory of the programs. Empty means what Find finds.
	Bin string
	// Cert and Key are the server's certificate and its key in PEM. Without them it speaks no TLS.
	Cert, Key []byte
	// ClientCA signs the client certificates that the server trusts, in PEM.
	ClientCA []byte
	// HBA are lines of pg_hba.conf that come before the ones that let everybody in with a password.
	HBA []string
	// Settings are further settings, as name=value.
	Settings []string
}

// Server is a PostgreSQL server with its own data.
type Server struct {
	options Options
	owner   daemon.Owner
	dir     string
	port    int
	process *daemon.Process
}

// Find returns the directory of the server's programs: the value of the environment variable POSTGRESQL_BIN, else the
// newest of Debian's. It fails when there is none; a test must then fail too, not pass without having looked.
func Find() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", fmt.Errorf("find a PostgreSQL server: %w", err)
	}
	if named := os.Getenv("POSTGRESQL_BIN"); named != "" {
		found = []string{named}
	}
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	for _, bin := range found {
		if _, err := os.Stat(filepath.Join(bin, "initdb")); err == nil {
			return bin, nil
		}
	}
	return "", errors.New("find a PostgreSQL server: there is none; install the Debian package postgresql, or set POSTGRESQL_BIN to the directory of initdb")
}

// version reads the number in /usr/lib/postgresql/15/bin; 0 in other paths.
func version(bin string) int {
	number, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	if err != nil {
		return 0
	}
	return number
}

// Start makes an empty cluster and runs it until ctx is done. Callers call Remove in the end.
func Start(ctx context.Context, options Options) (*Server, error) {
	if options.Bin == "" {
		found, err := Find()
		if err != nil {
			return nil, err
		}
		options.Bin = found
	}
	owner, err := daemon.NewOwner("postgres", "nobody")
	if err != nil {
		return nil, err
	}
	dir, err := owner.Directory("postgres-")
	if err != nil {
		return nil, err
	}
	server := &Server{options: options, owner: owner, dir: dir}
	if err := server.initialise(ctx); err != nil {
		server.Remove()
		return nil, err
	}
	if err := server.Restart(ctx); err != nil {
		server.Remove()
		return nil, err
	}
	return server, nil
}

func (s *Server) initialise(ctx context.Context) error {
	secret := filepath.Join(s.dir, "password")
	if err := s.owner.Write(secret, []byte(Password)); err != nil {
		return err
	}
	err := s.owner.Run(ctx, s.dir, filepath.Join(s.options.Bin, "initdb"), "-D", s.data(""), "-U", User, "--pwfile="+secret,
		"-A", "scram-sha-256", "-E", "UTF8", "--no-sync", "--no-instructions")
	if err != nil {
		return err
	}
	rules := ""
	for _, line := range append(slices.Clone(s.options.HBA), "host all all 127.0.0.1/32 scram-sha-256") {
		rules += line + "\n"
	}
	files := map[string][]byte{"pg_hba.conf": []byte(rules), "server.crt": s.options.Cert, "server.key": s.options.Key, "clients.crt": s.options.ClientCA}
	for name, content := range files {
		if len(content) == 0 {
			continue
		}
		if err := s.owner.Write(s.data(name), content); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) data(name string) string { return filepath.Join(s.dir, "data", name) }

// Restart runs the server, after a Stop on the port and with the data that it had.
func (s *Server) Restart(ctx context.Context) error {
	if s.port == 0 {
		port, err := daemon.FreePort()
		if err != nil {
			return err
		}
		s.port = port
	}
	settings := append([]string{
		"port=" + strconv.Itoa(s.port), "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "synchronous_commit=off",
		"full_page_writes=off", "shared_buffers=16MB", "max_connections=30", "log_statement=all", "log_connections=on",
	}, s.options.Settings...)
	if len(s.options.Cert) > 0 {
		settings = append(settings, "ssl=on", "ssl_cert_file=server.crt", "ssl_key_file=server.key")
	}
	if len(s.options.ClientCA) > 0 {
		settings = append(settings, "ssl_ca_file=clients.crt")
	}
	args := []string{"-D", s.data("")}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	process, err := s.owner.Start(ctx, s.dir, syscall.SIGINT, filepath.Join(s.options.Bin, "postgres"), args...)
	if err != nil {
		return err
	}
	s.process = process
	return process.Await(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, probeWithin)
		defer cancel()
		connection, err := s.Connect(ctx)
		if err != nil {
			return err
		}
		return connection.Close(ctx)
	})
}

// Address returns host:port of the server.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Connect opens a connection of the superuser to the database postgres.
func (s *Server) Connect(ctx context.Context) (*pgx.Conn, error) {
	return pgx.Connect(ctx, fmt.Sprintf("postgres://%s:%s@%s/postgres?sslmode=prefer", User, Password, s.Address()))
}

// Log returns what the server has logged: every connection and every statement.
func (s *Server) Log() (string, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, "server.log"))
	if err != nil {
		return "", fmt.Errorf("read the log of the PostgreSQL server: %w", err)
	}
	return string(text), nil
}

// Stop ends the server and its connections at once. Its data stays.
func (s *Server) Stop() {
	if s.process != nil {
		s.process.Stop()
	}
}

// Remove ends the server and removes its data.
func (s *Server) Remove() {
	s.Stop()
	// What cannot be removed stays in the directory for temporary files.
	_ = os.RemoveAll(s.dir)
}
