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
	"strconv"
	"strings"
	"syscall"
	"time"
)

// endpoint is a server as messages speak of it. Sources that talk to one embed it.
type endpoint struct {
	// host is the host and the port.
	host string
	// timeout is how long one measurement may take.
	timeout time.Duration
	// redactor knows the credentials that the server could repeat.
	redactor redactor
}

// transportError explains a request that brought no complete answer. It uses words of its own throughout: net/http's
// errors repeat URLs, and of broken answers the bytes.
func (e *endpoint) transportError(caller context.Context, err error) error {
	if err := e.refusedHere(err); err != nil {
		return err
	}
	if err := e.tlsError(err); err != nil {
		return err
	}
	if name, ok := asError[*net.DNSError](err); ok && name.IsNotFound {
		return newError(Unreachable, err, "the host name of %s is not known: is the address right?", e.host)
	}
	if errors.Is(caller.Err(), context.Canceled) {
		return newError(Canceled, err, "the measurement at %s was canceled", e.host)
	}
	if timeout, ok := asError[net.Error](err); errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout() {
		return newError(Timeout, err, "%s gave no complete answer in time (limit %s): make the query cheaper or raise the timeout",
			e.host, e.timeout)
	}
	return e.brokenError(err)
}

// refusedHere explains what this side's own rules stopped.
func (e *endpoint) refusedHere(err error) error {
	if large, ok := asError[*tooLargeError](err); ok {
		return newError(ResponseTooLarge, err,
			"%s answered with more than %d bytes: aggregate by site in the query, or raise the limit", e.host, large.limit)
	}
	if redirect, ok := asError[*redirectError](err); ok {
		return newError(RedirectRefused, err, "%s %s", e.host, e.redactor.clean(redirect.message))
	}
	if refused, ok := asError[*addressError](err); ok {
		return refused.explained(e.host)
	}
	return nil
}

// tlsError explains a failed handshake, and returns nil for everything else.
func (e *endpoint) tlsError(err error) error {
	if _, ok := asError[x509.UnknownAuthorityError](err); ok {
		return newError(TLSFailed, err, "the certificate of %s is signed by an authority that is not trusted: set the CA", e.host)
	}
	if _, ok := asError[x509.HostnameError](err); ok {
		return newError(TLSFailed, err, "the certificate of %s is for another name: set the server name to one that it carries", e.host)
	}
	if bad, ok := asError[x509.CertificateInvalidError](err); ok && bad.Reason == x509.Expired {
		return newError(TLSFailed, err, "the certificate of %s is expired or not valid yet: renew it, or check the clocks", e.host)
	}
	if _, ok := asError[*tls.CertificateVerificationError](err); ok {
		return newError(TLSFailed, err, "the certificate of %s cannot be verified", e.host)
	}
	if _, ok := asError[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return newError(TLSFailed, err, "%s does not speak TLS: begin the address with http://, or check the port", e.host)
	}
	// crypto/tls marks an alert from the other side in this way only.
	if remote, ok := asError[*net.OpError](err); ok && remote.Op == "remote error" {
		return newError(TLSFailed, err, "%s refused the TLS connection: does it ask for a client certificate?", e.host)
	}
	return nil
}

// brokenError explains connections that were not made or did not last.
func (e *endpoint) brokenError(err error) error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return newError(Unreachable, err, "%s refused the connection: is the source running, and is the port right?", e.host)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return newError(Unreachable, err, "%s closed the connection before its answer was complete", e.host)
	// net/http has no types for these two.
	case strings.Contains(err.Error(), "malformed HTTP"):
		return newError(InvalidResponse, err, "%s does not speak HTTP: is the port right?", e.host)
	case strings.Contains(err.Error(), "response headers exceeded"):
		return newError(ResponseTooLarge, err, "%s answered with too large headers: is the port right?", e.host)
	}
	if cause, ok := asError[syscall.Errno](err); ok {
		return newError(Unreachable, err, "%s cannot be reached (%s): check the address and the network policies", e.host, cause)
	}
	return newError(Unreachable, err, "%s cannot be reached: check the address and the network policies", e.host)
}

// tooManyRequests explains the status 429, with the time after which the source wants to be asked again.
func (e *endpoint) tooManyRequests(header http.Header) error {
	return &Error{
		Reason:     RateLimited,
		Message:    oneLine(e.host + " asks for fewer requests (429): measure less often, or set limits.perMinute"),
		RetryAfter: retryAfter(header.Get("Retry-After"), time.Now()),
	}
}

// retryAfter reads the header of that name: seconds or a date. 0 when it says neither.
func retryAfter(said string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(strings.TrimSpace(said), 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(said); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}

// basicCredentials is what basic authentication sends, which a server can echo as well as the password.
func basicCredentials(username, password string) string {
	if username == "" {
		return ""
	}
	return base64.StdEncoding.EncodeToString([]byte(username + ":" + password))
}
