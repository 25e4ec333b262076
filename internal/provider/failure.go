package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// transportError explains a request that brought no complete answer. It uses words of its own throughout: net/http's
// errors repeat URLs, and of broken answers the bytes.
func (p *prometheus) transportError(caller context.Context, err error) error {
	if err := p.refusedHere(err); err != nil {
		return err
	}
	if err := p.tlsError(err); err != nil {
		return err
	}
	if name, ok := asError[*net.DNSError](err); ok && name.IsNotFound {
		return newError(Unreachable, err, "the host name of %s is not known: is the address right?", p.host)
	}
	if errors.Is(caller.Err(), context.Canceled) {
		return newError(Canceled, err, "the measurement at %s was canceled", p.host)
	}
	if timeout, ok := asError[net.Error](err); errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout() {
		return newError(Timeout, err, "%s gave no complete answer in time (limit %s): make the query cheaper or raise the timeout",
			p.host, p.timeout)
	}
	return p.brokenError(err)
}

// refusedHere explains what this side's own rules stopped.
func (p *prometheus) refusedHere(err error) error {
	if large, ok := asError[*tooLargeError](err); ok {
		return newError(ResponseTooLarge, err,
			"%s answered with more than %d bytes: aggregate by site in the query, or raise the limit", p.host, large.limit)
	}
	if redirect, ok := asError[*redirectError](err); ok {
		return newError(RedirectRefused, err, "%s %s", p.host, p.redactor.clean(redirect.message))
	}
	return nil
}

// tlsError explains a failed handshake, and returns nil for everything else.
func (p *prometheus) tlsError(err error) error {
	if _, ok := asError[x509.UnknownAuthorityError](err); ok {
		return newError(TLSFailed, err, "the certificate of %s is signed by an authority that is not trusted: set the CA", p.host)
	}
	if _, ok := asError[x509.HostnameError](err); ok {
		return newError(TLSFailed, err, "the certificate of %s is for another name: set the server name to one that it carries", p.host)
	}
	if bad, ok := asError[x509.CertificateInvalidError](err); ok && bad.Reason == x509.Expired {
		return newError(TLSFailed, err, "the certificate of %s is expired or not valid yet: renew it, or check the clocks", p.host)
	}
	if _, ok := asError[*tls.CertificateVerificationError](err); ok {
		return newError(TLSFailed, err, "the certificate of %s cannot be verified", p.host)
	}
	if _, ok := asError[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return newError(TLSFailed, err, "%s does not speak TLS: begin the address with http://, or check the port", p.host)
	}
	// crypto/tls marks an alert from the other side in this way only.
	if remote, ok := asError[*net.OpError](err); ok && remote.Op == "remote error" {
		return newError(TLSFailed, err, "%s refused the TLS connection: does it ask for a client certificate?", p.host)
	}
	return nil
}

// brokenError explains connections that were not made or did not last.
func (p *prometheus) brokenError(err error) error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return newError(Unreachable, err, "%s refused the connection: is the source running, and is the port right?", p.host)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return newError(Unreachable, err, "%s closed the connection before its answer was complete", p.host)
	// net/http has no types for these two.
	case strings.Contains(err.Error(), "malformed HTTP"):
		return newError(InvalidResponse, err, "%s does not speak HTTP: is the port right?", p.host)
	case strings.Contains(err.Error(), "response headers exceeded"):
		return newError(ResponseTooLarge, err, "%s answered with too large headers: is it a Prometheus API?", p.host)
	}
	if cause, ok := asError[syscall.Errno](err); ok {
		return newError(Unreachable, err, "%s cannot be reached (%s): check the address and the network policies", p.host, cause)
	}
	return newError(Unreachable, err, "%s cannot be reached: check the address and the network policies", p.host)
}

// basicCredentials is what basic authentication sends, which a server can echo as well as the password.
func basicCredentials(cfg PrometheusConfig) string {
	if cfg.Username == "" {
		return ""
	}
	return base64.StdEncoding.EncodeToString([]byte(cfg.Username + ":" + cfg.Password))
}
