// Package mariadb runs a real MariaDB server on the loopback interface, for tests.
package mariadb

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/crmops/rollout-operator/test/daemon"
)

const (
	// User may do everything.
	User = "admin"
	// Password is User's.
	Password = "super-hush"
	// probeWithin bounds one look whether the server answers.
	probeWithin = 5 * time.Second
)

// Options say what to run.
type Options struct {
	// Binary is the path of mariadbd. Empty means what Find finds.
	Binary string
	// Cert and Key are the server's certificate and its key in PEM. Without them it speaks no TLS.
	Cert, Key []byte
	// ClientCA signs the client certificates that the server trusts, in PEM.
	ClientCA []byte
	// Settings are further settings, as name=value.
	Settings []string
}

// Server is a MariaDB server with its own data.
type Server struct {
	options Options
	owner   daemon.Owner
	dir     string
	port    int
	process *daemon.Process
}

// Find returns the path of mariadbd: the value of the environment variable MARIADBD, else Debian's, else the one on the
// PATH. It fails when there is none; a test must then fail too, not pass without having looked.
func Find() (string, error) {
	if named := os.Getenv("MARIADBD"); named != "" {
		if _, err := exec.LookPath(named); err != nil {
			return "", fmt.Errorf("find the MariaDB server that MARIADBD names: %w", err)
		}
		return named, nil
	}
	for _, name := range []string{"/usr/sbin/mariadbd", "mariadbd"} {
		if found, err := exec.LookPath(name); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("find a MariaDB server: %w; install the Debian package mariadb-server, or set MARIADBD to the path of mariadbd", exec.ErrNotFound)
}

// Start makes an empty server and runs it until ctx is done. Callers call Remove in the end.
func Start(ctx context.Context, options Options) (*Server, error) {
	if options.Binary == "" {
		found, err := Find()
		if err != nil {
			return nil, err
		}
		options.Binary = found
	}
	owner, err := daemon.NewOwner("mysql", "nobody")
	if err != nil {
		return nil, err
	}
	dir, err := owner.Directory("mariadb-")
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
	install, err := exec.LookPath("mariadb-install-db")
	if err != nil {
		return fmt.Errorf("find mariadb-install-db: %w; install the Debian package mariadb-server", err)
	}
	if err := s.owner.Run(ctx, s.dir, install, "--no-defaults", "--datadir="+s.path("data"), "--skip-test-db", "--skip-name-resolve",
		"--auth-root-authentication-method=normal", "--innodb-flush-log-at-trx-commit=0"); err != nil {
		return err
	}
	first := fmt.Sprintf("CREATE USER IF NOT EXISTS '%s'@'%%' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO '%s'@'%%' WITH GRANT OPTION;\nCREATE DATABASE IF NOT EXISTS crm;\n",
		User, Password, User)
	files := map[string][]byte{"first.sql": []byte(first), "server.crt": s.options.Cert, "server.key": s.options.Key, "clients.crt": s.options.ClientCA}
	for name, content := range files {
		if len(content) == 0 {
			continue
		}
		if err := s.owner.Write(s.path(name), content); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

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
		"datadir=" + s.path("data"), "port=" + strconv.Itoa(s.port), "bind-address=127.0.0.1", "socket=" + s.path("socket"), "pid-file=" + s.path("pid"),
		"init-file=" + s.path("first.sql"), "skip-name-resolve", "innodb-flush-log-at-trx-commit=0", "innodb-buffer-pool-size=16M", "max-connections=30",
		"default-time-zone=+05:45", "innodb-fast-shutdown=2",
	}, s.options.Settings...)
	if len(s.options.Cert) > 0 {
		settings = append(settings, "ssl-cert="+s.path("server.crt"), "ssl-key="+s.path("server.key"))
	}
	if len(s.options.ClientCA) > 0 {
		settings = append(settings, "ssl-ca="+s.path("clients.crt"))
	}
	args := []string{"--no-defaults"}
	for _, setting := range settings {
		args = append(args, "--"+setting)
	}
	process, err := s.owner.Start(ctx, s.dir, syscall.SIGTERM, s.options.Binary, args...)
	if err != nil {
		return err
	}
	s.process = process
	return process.Await(ctx, s.answers)
}

func (s *Server) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	db, err := s.Open()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return db.PingContext(ctx)
}

// Address returns host:port of the server.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Open opens the database crm as User.
func (s *Server) Open() (*sql.DB, error) {
	settings := mysql.NewConfig()
	settings.Net, settings.Addr, settings.DBName = "tcp", s.Address(), "crm"
	settings.User, settings.Passwd, settings.MultiStatements = User, Password, true
	settings.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(settings)
	if err != nil {
		return nil, fmt.Errorf("open the MariaDB server: %w", err)
	}
	return sql.OpenDB(connector), nil
}

// Stop ends the server and its connections. Its data stays.
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
