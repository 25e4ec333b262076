package provider

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// SQLEngine is a family of databases that speak one protocol.
type SQLEngine string

// The engines of an SQL source.
const (
	// PostgreSQL is PostgreSQL 12 or newer, and what speaks its protocol.
	PostgreSQL SQLEngine = "PostgreSQL"
	// MySQL is MySQL 5.7.8 or newer and MariaDB 10.1 or newer.
	MySQL SQLEngine = "MySQL"
)

const (
	// defaultMaxRows is one row for each of more sites than an enterprise has.
	defaultMaxRows = 100_000
	// maxMaxRows keeps an answer within the memory of a small operator.
	maxMaxRows = 1_000_000
	// bytesPerRow is many times what a site and two numbers take, on the wire with its framing.
	bytesPerRow = 256
	// maxMessage bounds one message of PostgreSQL, which is one row at most, in bytes. A server that was not even logged in to can announce one of 2 GiB.
	maxMessage = 1 << 20
	// maxDatabaseName is the longest name that either engine allows, in bytes.
	maxDatabaseName = 64
)

// SQLConfig says where a database is and how to ask it. Printing it shows no credentials.
type SQLConfig struct {
	// Engine is the protocol that the server speaks.
	Engine SQLEngine
	// Address is the server's host:port.
	Address string
	// Database is the database to connect to.
	Database string
	// Username and Password are the login. The password may be empty for a login by client certificate.
	Username, Password string
	// InsecurePlaintext connects without TLS: passwords may be guessed from what is sent, and numbers be changed on their way. It excludes the TLS settings below.
	InsecurePlaintext bool
	// CA holds the PEM certificates to trust instead of the system's.
	CA []byte
	// Cert and Key are the PEM client certificate. They are set together.
	Cert, Key []byte
	// ServerName is the name that the server's certificate must carry, when it is not the host of Address.
	ServerName string
	// Timeout bounds one measurement, connecting included. The server is told to give up a little earlier. 0 means DefaultTimeout; at most 5 minutes.
	Timeout time.Duration
	// MaxRows is how many rows an answer may have; 256 bytes are allowed for each of them, and 1 MiB more. 0 means 100,000; at most 1,000,000.
	MaxRows int
	// Limits bound how much is asked; there are never more connections than measurements may run at once.
	Limits Limits
	// Guard decides which addresses may be dialled. nil is the strictest.
	Guard *Guard `json:"-"`
}

// String names the engine and the address alone.
func (c SQLConfig) String() string {
	if host, err := c.host(); err == nil {
		return fmt.Sprintf("%s at %s", c.engineName(), net.JoinHostPort(host, c.port()))
	}
	return c.engineName() + " at an invalid address"
}

// GoString does for %#v what String does for %v.
func (c SQLConfig) GoString() string { return c.String() }

// Fingerprint changes whenever any field but Guard does, credentials included, and shows none of them. It is meant for
// Registry.Set and stays in memory: a hash of a short password can be guessed.
func (c SQLConfig) Fingerprint() string {
	return fingerprint("sql", c, c.Username, c.Password)
}

func (c SQLConfig) engineName() string {
	if c.Engine == PostgreSQL || c.Engine == MySQL {
		return string(c.Engine)
	}
	return "database"
}

// normalised fills the defaults in and drops the line break that secrets made from files end with.
func (c SQLConfig) normalised() SQLConfig {
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxRows == 0 {
		c.MaxRows = defaultMaxRows
	}
	if c.Limits.Concurrent == 0 {
		c.Limits.Concurrent = defaultConcurrent
	}
	c.Username = strings.TrimRight(c.Username, "\r\n")
	c.Password = strings.TrimRight(c.Password, "\r\n")
	return c
}

// validate returns an *Error with reason InvalidConfiguration for the first field that is wrong. No message repeats the
// value of a field: people paste credentials into the wrong one.
func (c SQLConfig) validate() error {
	host, err := c.host()
	if err != nil {
		return err
	}
	if c.Engine != PostgreSQL && c.Engine != MySQL {
		return invalid("the engine must be PostgreSQL or MySQL")
	}
	if c.MaxRows < 0 || c.MaxRows > maxMaxRows {
		return invalid("the limit for rows must be between 1 and %d", maxMaxRows)
	}
	for _, problem := range []error{c.validateLogin(), validateTimeout(c.Timeout), c.Limits.validate(), c.validateTLS()} {
		if problem != nil {
			return problem
		}
	}
	return c.Guard.vet(host)
}

func (c SQLConfig) validateLogin() error {
	switch {
	case c.Database == "" || len(c.Database) > maxDatabaseName:
		return invalid("the database must be named, in at most %d bytes", maxDatabaseName)
	case c.Username == "":
		return invalid("the user name is empty")
	case c.Password == "" && len(c.Cert) == 0:
		return invalid("there is neither a password nor a client certificate")
	case strings.Contains(c.Database+c.Username+c.Password, "\x00"):
		return invalid("the database, the user name or the password contains a NUL character")
	}
	return nil
}

func (c SQLConfig) validateTLS() error {
	material := tlsMaterial{ca: c.CA, cert: c.Cert, key: c.Key, serverName: c.ServerName}
	if c.InsecurePlaintext && len(c.CA)+len(c.Cert)+len(c.Key)+len(c.ServerName) > 0 {
		return invalid("there are TLS settings and insecurePlaintext: choose one of the two")
	}
	return material.validate("https")
}

// host returns the host of the address, or an *Error. Lists of hosts and paths of sockets, which drivers know, are no addresses here.
func (c SQLConfig) host() (string, error) {
	host, port, err := net.SplitHostPort(c.Address)
	number, notNumber := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil, host == "", strings.ContainsAny(host, "/,@?#\\ \t\r\n"):
		return "", invalid("the address must be host:port, such as crm-db.example:5432")
	case notNumber != nil, number == 0:
		return "", invalid("the port of the address must be a number between 1 and 65535")
	}
	return host, nil
}

func (c SQLConfig) port() string {
	_, port, _ := net.SplitHostPort(c.Address)
	return port
}

// tls returns the settings for TLS, or nil for plain text. The certificate of the server is always verified.
func (c SQLConfig) tls() (*tls.Config, error) {
	if c.InsecurePlaintext {
		return nil, nil
	}
	host, err := c.host()
	if err != nil {
		return nil, err
	}
	settings := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if c.ServerName != "" {
		settings.ServerName = c.ServerName
	}
	if len(c.CA) > 0 {
		settings.RootCAs = x509.NewCertPool()
		settings.RootCAs.AppendCertsFromPEM(c.CA)
	}
	if len(c.Cert) > 0 {
		pair, err := tls.X509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, newError(InvalidConfiguration, err, "the client certificate and its key are not a usable PEM pair")
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	return settings, nil
}
