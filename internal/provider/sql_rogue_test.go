package provider

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"encoding/pem"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// rogue is a server that demands what it must not get, and keeps everything that it is sent.
type rogue struct {
	address string
	mu      sync.Mutex
	got     bytes.Buffer
}

// serveRogue runs a conversation for every connection. It ends with the test.
func serveRogue(t *testing.T, converse func(r *rogue, connection net.Conn)) *rogue {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	r := &rogue{address: listener.Addr().String()}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = connection.Close() }()
				converse(r, connection)
			}()
		}
	}()
	return r
}

// read takes what the client sends next. It reports false when the client is gone.
func (r *rogue) read(connection net.Conn) bool {
	chunk := make([]byte, 4096)
	n, err := connection.Read(chunk)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got.Write(chunk[:n])
	return err == nil
}

func (r *rogue) mustNotHave(t *testing.T, secrets ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.got.Len() == 0 {
		t.Error("the server was sent nothing at all: this test has shown nothing")
	}
	for _, secret := range secrets {
		if bytes.Contains(r.got.Bytes(), []byte(secret)) {
			t.Errorf("the server was sent %q", secret)
		}
	}
}

// packet is a packet of MySQL's protocol.
func packet(sequence byte, payload string) []byte {
	return append([]byte{byte(len(payload)), byte(len(payload) >> 8), 0, sequence}, payload...)
}

// greeting is the first packet of a MySQL server that offers everything but TLS and compression.
func greeting() []byte { return greetingWith("mysql_native_password") }

// greetingWith names the way of logging in.
func greetingWith(plugin string) []byte {
	return packet(0, "\x0a8.0.0\x00\x01\x00\x00\x00abcdefgh\x00\xdf\xf7\x2d\x02\x00\x28\x00\x15"+string(make([]byte, 10))+"abcdefghijkl\x00"+plugin+"\x00")
}

const okay = "\x00\x00\x00\x02\x00\x00\x00"

func TestNoPasswordIsSentInPlainText(t *testing.T) {
	servers := map[SQLEngine]func(r *rogue, connection net.Conn){
		PostgreSQL: func(r *rogue, connection net.Conn) {
			if r.read(connection) {
				// AuthenticationCleartextPassword
				_, _ = connection.Write([]byte("R\x00\x00\x00\x08\x00\x00\x00\x03"))
				r.read(connection)
			}
		},
		MySQL: func(r *rogue, connection net.Conn) {
			_, _ = connection.Write(greeting())
			if r.read(connection) {
				_, _ = connection.Write(packet(2, "\xfemysql_clear_password\x00"))
				r.read(connection)
			}
		},
	}
	for engine, converse := range servers {
		t.Run(string(engine), func(t *testing.T) {
			server := serveRogue(t, converse)
			source := openSQL(t, SQLConfig{Engine: engine, Address: server.address, Database: "crm", Username: "kpi", Password: secretPassword, InsecurePlaintext: true})
			_, err := ask(t, source, "SELECT 'lyon' AS site, 1 AS value")
			wantError(t, err, Unauthorized, "asks for a way of logging in that is not used without TLS")
			server.mustNotHave(t, secretPassword)
		})
	}
}

// publicKey is the key of a server, as it sends it to be told the password.
func publicKey(t *testing.T, private crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return "\x01" + string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// Two ways of logging in encrypt the password with a key that the server sends, which is anybody's key without TLS.
func TestNoPasswordIsSentToTheKeyOfAStranger(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key := publicKey(t, private)
	for plugin, says := range map[string][]string{
		"sha256_password": {key},
		// The server does not know the password's hash yet, and is asked for its key.
		"caching_sha2_password": {"\x01\x04", key},
	} {
		t.Run(plugin, func(t *testing.T) {
			var told atomic.Bool
			server := serveRogue(t, func(r *rogue, connection net.Conn) {
				_, _ = connection.Write(greetingWith(plugin))
				for i, said := range says {
					if r.read(connection) {
						_, _ = connection.Write(packet(byte(2+2*i), said))
					}
				}
				if r.read(connection) {
					told.Store(true)
				}
			})
			source := openSQL(t, SQLConfig{Engine: MySQL, Address: server.address, Database: "crm", Username: "kpi", Password: secretPassword, InsecurePlaintext: true})
			_, err := ask(t, source, "SELECT 'lyon' AS site, 1 AS value")
			wantError(t, err, Unauthorized, "asks for a way of logging in that is not used without TLS")
			server.mustNotHave(t, secretPassword)
			if told.Load() {
				t.Error("the server was sent the password, encrypted with its own key")
			}
		})
	}
}

// The MySQL driver does not survive keys of another kind than the one that it expects.
func TestAKeyOfAnotherKind(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	server := serveRogue(t, func(r *rogue, connection net.Conn) {
		_, _ = connection.Write(greetingWith("sha256_password"))
		if r.read(connection) {
			_, _ = connection.Write(packet(2, publicKey(t, private)))
			r.read(connection)
		}
	})
	source := openSQL(t, SQLConfig{Engine: MySQL, Address: server.address, Database: "crm", Username: "kpi", Password: secretPassword, InsecurePlaintext: true})
	_, err = ask(t, source, "SELECT 'lyon' AS site, 1 AS value")
	wantError(t, err, InvalidResponse, "what the server sent during the login makes no sense")
}

// A message's announced length costs a server nothing, and must not cost the operator its memory before anybody logged in.
func TestNoMemoryIsTakenForAnAnnouncement(t *testing.T) {
	for name, says := range map[string]string{"as much as can be": "R\x7f\xff\xff\xff", "just too much": "S\x00\x10\x00\x05"} {
		t.Run(name, func(t *testing.T) {
			server := serveRogue(t, func(r *rogue, connection net.Conn) {
				if r.read(connection) {
					_, _ = io.WriteString(connection, says)
					r.read(connection)
				}
			})
			source := openSQL(t, SQLConfig{Engine: PostgreSQL, Address: server.address, Database: "crm", Username: "kpi", Password: secretPassword, InsecurePlaintext: true, MaxRows: 1_000_000})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := ask(t, source, "SELECT 'lyon' AS site, 1 AS value")
			runtime.ReadMemStats(&after)
			wantError(t, err, ResponseTooLarge, "announced a message of more than 1048576 bytes: return one short row per site")
			if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
				t.Errorf("%d bytes were allocated", took)
			}
		})
	}
}

func TestSamplesThatAreUnsigned(t *testing.T) {
	for field, want := range map[uint64]int64{0: 0, 7: 7, math.MaxInt64: math.MaxInt64} {
		if got, err := observations(field, &sql.ColumnType{}); got != want || err != nil {
			t.Errorf("%d is read as %d with error %v", field, got, err)
		}
	}
	if got, err := observations(uint64(math.MaxInt64+1), &sql.ColumnType{}); err == nil {
		t.Errorf("a number beyond all counts is read as %d", got)
	}
}

// A MySQL server can answer any query by asking for a file of the client.
func TestNoFileIsSentToTheServer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("the operator's own "+secretToken), 0o600); err != nil {
		t.Fatal(err)
	}
	server := serveRogue(t, func(r *rogue, connection net.Conn) {
		_, _ = connection.Write(greeting())
		for next := packet(2, okay); r.read(connection); next = packet(1, "\xfb"+file) {
			_, _ = connection.Write(next)
		}
	})
	source := openSQL(t, SQLConfig{Engine: MySQL, Address: server.address, Database: "crm", Username: "kpi", Password: secretPassword, InsecurePlaintext: true})
	for _, query := range []string{"SELECT 'lyon' AS site, 1 AS value", "SELECT 'lyon' AS site, 1 AS value WHERE :end IS NOT NULL"} {
		if answer, err := ask(t, source, query); err == nil {
			t.Errorf("got %v, want an error", answer)
		}
	}
	server.mustNotHave(t, secretToken)
}

// Whatever a server sends, a measurement ends with an error that says nothing of it.
func TestServersThatSpeakSomethingElse(t *testing.T) {
	answers := map[string]string{
		"HTTP":     "HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\nhush",
		"nothing":  "",
		"zeros":    string(make([]byte, 64)),
		"noise":    "\xff\xff\xff\xff\xff\xff\xff\xffhush hush hush",
		"greeting": string(greeting()) + "hush",
	}
	for name, answer := range answers {
		for _, engine := range []SQLEngine{PostgreSQL, MySQL} {
			for _, plaintext := range []bool{false, true} {
				server := serveRogue(t, func(r *rogue, connection net.Conn) {
					if engine == PostgreSQL {
						r.read(connection)
					}
					_, _ = io.WriteString(connection, answer)
				})
				source := openSQL(t, SQLConfig{Engine: engine, Address: server.address, Database: "crm", Username: "kpi", Password: secretPassword, InsecurePlaintext: plaintext})
				got, err := ask(t, source, "SELECT 'lyon' AS site, 1 AS value")
				if err == nil {
					t.Errorf("%s from a server taken for %s: got %v, want an error", name, engine, got)
					continue
				}
				wantError(t, err, ReasonOf(err), "")
			}
		}
	}
}
