package provider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// authority signs certificates for one test.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{certificate, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issue returns the PEM of a certificate for 127.0.0.1 and metrics.example, and of its key.
func (a authority) issue(t *testing.T, notAfter time.Time) (certificate, key []byte) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test"},
		NotBefore: notAfter.Add(-24 * time.Hour), NotAfter: notAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"metrics.example"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	private := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &private.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	privateDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: privateDER})
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// serveTLS starts an HTTPS server that answers with one sample. With clients set it demands certificates signed by it.
func serveTLS(t *testing.T, certificate, key []byte, clients *authority) *httptest.Server {
	t.Helper()
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(vector(series("a", "1")))
	// TLS 1.2, since in 1.3 a client learns only after the handshake, in a race with its request, that its certificate
	// is missing.
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: tls.VersionTLS12}
	if clients != nil {
		server.TLS.ClientAuth, server.TLS.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		server.TLS.ClientCAs.AddCert(clients.certificate)
	}
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	cert, key := ours.issue(t, time.Now().Add(time.Hour))
	oldCert, oldKey := ours.issue(t, time.Now().Add(-time.Minute))
	strangerCert, strangerKey := theirs.issue(t, time.Now().Add(time.Hour))
	plain := serveTLS(t, cert, key, nil).URL
	mutual := serveTLS(t, cert, key, &ours).URL
	expired := serveTLS(t, oldCert, oldKey, nil).URL
	unencrypted := strings.Replace(serve(t, vector()).URL, "http://", "https://", 1)

	tests := []struct {
		name    string
		cfg     PrometheusConfig
		message string // "" means that the measurement succeeds
	}{
		{"the right CA", PrometheusConfig{Address: plain, CA: ours.pem}, ""},
		{"the system's CAs", PrometheusConfig{Address: plain}, "an authority that is not trusted: set the CA"},
		{"another CA", PrometheusConfig{Address: plain, CA: theirs.pem}, "an authority that is not trusted: set the CA"},
		{"another name that the certificate carries", PrometheusConfig{Address: plain, CA: ours.pem, ServerName: "metrics.example"}, ""},
		{"a name that it does not carry", PrometheusConfig{Address: plain, CA: ours.pem, ServerName: "other.example"}, "is for another name"},
		{"an expired certificate", PrometheusConfig{Address: expired, CA: ours.pem}, "is expired or not valid yet"},
		{"a client certificate", PrometheusConfig{Address: mutual, CA: ours.pem, Cert: cert, Key: key}, ""},
		{"no client certificate", PrometheusConfig{Address: mutual, CA: ours.pem}, "does it ask for a client certificate?"},
		{"a stranger's client certificate", PrometheusConfig{Address: mutual, CA: ours.pem, Cert: strangerCert, Key: strangerKey}, "does it ask for a client certificate?"},
		{"a server without TLS", PrometheusConfig{Address: unencrypted}, "does not speak TLS: begin the address with http://"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answer, err := open(t, test.cfg).Measure(t.Context(), allSites, at)
			if test.message != "" {
				wantError(t, err, TLSFailed, test.message)
				return
			}
			if err != nil || len(answer.Samples) != 1 {
				t.Errorf("got %v and error %v, want one sample", answer, err)
			}
		})
	}
}

func TestCredentialsReachTheSource(t *testing.T) {
	guarded := func(allowed func(*http.Request) bool) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			if !allowed(r) {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			vector(series("a", "1"))(w, r)
		}).URL
	}
	basic := guarded(func(r *http.Request) bool {
		user, password, ok := r.BasicAuth()
		return ok && user == "ann" && password == secretPassword
	})
	bearer := guarded(func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+secretToken })

	tests := []struct {
		name    string
		cfg     PrometheusConfig
		allowed bool
	}{
		{"basic", PrometheusConfig{Address: basic, Username: "ann", Password: secretPassword}, true},
		{"wrong password", PrometheusConfig{Address: basic, Username: "ann", Password: "hush"}, false},
		{"no credentials", PrometheusConfig{Address: basic}, false},
		{"bearer", PrometheusConfig{Address: bearer, BearerToken: secretToken}, true},
		{"bearer from a file that ends with a line break", PrometheusConfig{Address: bearer, BearerToken: secretToken + "\n"}, true},
		{"wrong token", PrometheusConfig{Address: bearer, BearerToken: "hush"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := open(t, test.cfg).Measure(t.Context(), allSites, at)
			if !test.allowed {
				wantError(t, err, Unauthorized, "refused the credentials (401)")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
