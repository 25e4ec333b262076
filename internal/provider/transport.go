package provider

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// tooLargeError says that a body is larger than it may be.
type tooLargeError struct{ limit int64 }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("the response is larger than %d bytes", e.limit)
}

// cappedTransport refuses bodies of more than limit bytes: at once when their length is announced, else when the limit
// is passed, so that never more than that is read. It counts what the reader gets, whatever encoding lies below.
type cappedTransport struct {
	next  http.RoundTripper
	limit int64
}

// RoundTrip implements http.RoundTripper.
func (t *cappedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if response.ContentLength > t.limit {
		_ = response.Body.Close()
		return nil, &tooLargeError{limit: t.limit}
	}
	response.Body = &cappedBody{body: response.Body, left: t.limit, limit: t.limit}
	return response, nil
}

// CloseIdleConnections lets http.Client reach the pool below.
func (t *cappedTransport) CloseIdleConnections() {
	if pool, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		pool.CloseIdleConnections()
	}
}

// cappedBody fails on the first byte after the limit.
type cappedBody struct {
	body        io.ReadCloser
	left, limit int64
}

// Read implements io.Reader. It asks for one byte more than is allowed, to tell a body that ends at the limit from one
// that goes on.
func (b *cappedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	if int64(n) > b.left {
		n = int(b.left)
		b.left = 0
		return n, &tooLargeError{limit: b.limit}
	}
	b.left -= int64(n)
	return n, err
}

// Close implements io.Closer. It ends the transfer: the rest of the body is not read.
func (b *cappedBody) Close() error { return b.body.Close() }

// redirectError says why a redirect was not followed.
type redirectError struct{ message string }

func (e *redirectError) Error() string { return e.message }

// maxRedirects is generous for what one server can need to normalise a path.
const maxRedirects = 5

// stayHere allows redirects within one scheme, host and port that keep the method. A redirect elsewhere would carry the
// query, and in Prometheus' round tripper the credentials, to a server that nobody declared. One that turns POST into
// GET (301, 302, 303) loses the form and with it the query.
func stayHere(next *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case !sameServer(next.URL, first.URL):
		return &redirectError{fmt.Sprintf("redirects to %s://%s, which was not declared: if that is the right server, make it the address",
			next.URL.Scheme, hostPort(next.URL))}
	case len(via) > maxRedirects:
		return &redirectError{fmt.Sprintf("redirected more than %d times: is the path of the address right?", maxRedirects)}
	case next.Method != first.Method:
		return &redirectError{"answers with a redirect that drops the query: is the path of the address right?"}
	}
	return nil
}

// sameServer compares scheme, host and port. Case makes no difference in them.
func sameServer(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(hostPort(a), hostPort(b))
}

// asError is errors.As for a type that the caller names.
func asError[T error](err error) (T, bool) {
	var target T
	found := errors.As(err, &target)
	return target, found
}
