package provider

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// understand returns the JSON of a reply, or why there is none.
func (x *exchange) understand(got reply) (any, error) {
	body, broken := decodeJSON(got.body)
	if x.refusal != nil && broken == nil {
		if no := x.refusal(got.status, body); no != nil {
			return nil, withRetryAfter(x.refused(no), got.header)
		}
	}
	if got.status/100 != 2 {
		return nil, withRetryAfter(x.failed(got.status), got.header)
	}
	if broken != nil {
		return nil, x.unreadable(got, broken)
	}
	return body, nil
}

// refused passes on what the server itself says. Its sentence is shown only where it is about the query.
func (x *exchange) refused(no *refusal) error {
	code := x.redactor.clean(no.code)
	switch no.reason {
	case QueryRejected:
		return newError(QueryRejected, nil, "the query was rejected (%s): %s", code, x.redactor.clean(no.said))
	case Unauthorized:
		return newError(Unauthorized, nil, "%s refused the credentials or what they may do (%s): check the secret and the permissions", x.host, code)
	case RateLimited:
		return newError(RateLimited, nil, "%s asks for fewer requests (%s): measure less often", x.host, code)
	case Timeout:
		return newError(Timeout, nil, "%s gave up on the query (%s): make it cheaper", x.host, code)
	}
	return newError(no.reason, nil, "%s failed (%s)", x.host, code)
}

// failed explains a status that is not a success.
func (x *exchange) failed(status int) error {
	text := strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
	switch {
	case status == http.StatusUnauthorized:
		return newError(Unauthorized, nil, "%s refused the credentials (401): check the secret that the provider refers to", x.host)
	case status == http.StatusForbidden:
		return newError(Unauthorized, nil, "%s does not allow these credentials to query (403): grant them read access", x.host)
	case status == http.StatusTooManyRequests:
		return newError(RateLimited, nil, "%s asks for fewer requests (429): measure less often", x.host)
	case status == http.StatusNotFound:
		return newError(QueryRejected, nil, "%s does not know the path of the query (404): check the address and the path", x.host)
	case status >= 500:
		return newError(SourceError, nil, "%s failed with status %s", x.host, text)
	case status >= 400:
		return newError(QueryRejected, nil, "%s refused the query with status %s", x.host, text)
	}
	return newError(InvalidResponse, nil, "%s answered with status %s: is the address right?", x.host, text)
}

// unreadable explains a successful answer that cannot be used. The cause can repeat pieces of the body and stays out of the message.
func (x *exchange) unreadable(got reply, cause error) error {
	host := x.host
	kind, _, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	switch {
	case errors.Is(cause, errTooManyParts), errors.Is(cause, errTooDeep):
		return newError(ResponseTooLarge, cause, "%s gave an answer that is too large to be read: %s", host, cause)
	case len(got.body) == 0:
		return newError(InvalidResponse, cause, "%s answered without a body: is the path of the query right?", host)
	case got.header.Get("Content-Encoding") != "":
		return newError(InvalidResponse, cause, "%s answered in a compressed form that was not asked for: is a proxy changing its answers?", host)
	case err == nil && strings.HasSuffix(kind, "html"):
		return newError(InvalidResponse, cause, "%s answered with a web page, not with JSON: does it want a login, or is the address wrong?", host)
	case err == nil && kind != "application/json" && !strings.HasSuffix(kind, "+json"):
		return newError(InvalidResponse, cause, "%s answered with %s, not with JSON: is the path of the query right?", host, x.redactor.clean(kind))
	case errors.Is(cause, errTwice):
		return newError(InvalidResponse, cause, "%s answered with a JSON object that has a name twice, so nobody knows which value counts", host)
	}
	return newError(InvalidResponse, cause, "%s answered with incomplete or malformed JSON: is something on the way cutting it off?", host)
}

// withRetryAfter notes how long a server wants to be left alone. A date is compared with the server's own, so that its clock does not matter.
func withRetryAfter(err error, header http.Header) error {
	failure, ok := asError[*Error](err)
	wanted := header.Get("Retry-After")
	if !ok || wanted == "" || failure.Reason != RateLimited && failure.Reason != SourceError {
		return err
	}
	if seconds, err := strconv.ParseInt(strings.TrimSpace(wanted), 10, 32); err == nil {
		failure.RetryAfter = max(0, time.Duration(seconds)*time.Second)
		return failure
	}
	until, notDate := http.ParseTime(wanted)
	now, noClock := http.ParseTime(header.Get("Date"))
	if notDate == nil && noClock == nil {
		failure.RetryAfter = max(0, until.Sub(now))
	}
	return failure
}
