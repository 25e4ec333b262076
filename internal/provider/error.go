package provider

import (
	"errors"
	"fmt"
	"net/url"
	"sort"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Reason says in one CamelCase word why a measurement failed. Reasons go into Kubernetes conditions and metric labels:
// they are part of the API and do not change.
type Reason string

// The reasons of an Error.
const (
	// Unreachable: no connection, an unknown host name, or the connection broke before the answer was complete.
	Unreachable Reason = "Unreachable"
	// Timeout: no complete answer in time, or the source itself gave up on the query.
	Timeout Reason = "Timeout"
	// Canceled: the caller gave up.
	Canceled Reason = "Canceled"
	// Unauthorized: the source refused the credentials (401) or what they may do (403).
	Unauthorized Reason = "Unauthorized"
	// QueryRejected: the source understood the request and refused the query itself.
	QueryRejected Reason = "QueryRejected"
	// SourceError: the source, or a proxy in front of it, failed.
	SourceError Reason = "SourceError"
	// RateLimited: the source asks for fewer requests (429).
	RateLimited Reason = "RateLimited"
	// InvalidResponse: the answer is not what the source's protocol promises, or not of a kind that a KPI can use.
	InvalidResponse Reason = "InvalidResponse"
	// PartialAnswer: the source answered and warned that parts are missing, for example because a store was down.
	PartialAnswer Reason = "PartialAnswer"
	// ResponseTooLarge: the answer is larger than the configured limit; the rest was not read.
	ResponseTooLarge Reason = "ResponseTooLarge"
	// TLSFailed: no trusted encrypted connection could be made.
	TLSFailed Reason = "TLSFailed"
	// RedirectRefused: the source sent the request somewhere that credentials or the query must not go.
	RedirectRefused Reason = "RedirectRefused"
	// AddressRefused: the source's address is one that the operator does not connect to; nothing was sent.
	AddressRefused Reason = "AddressRefused"
	// BackingOff: the source failed several times in a row and is left alone for a while; nothing was sent.
	BackingOff Reason = "BackingOff"
	// InvalidConfiguration: the provider or the query is declared wrongly; nothing was sent.
	InvalidConfiguration Reason = "InvalidConfiguration"
	// Closed: the provider was closed or is no longer configured.
	Closed Reason = "Closed"
)

// Error is the only kind of error that providers return.
type Error struct {
	// Reason is for machines.
	Reason Reason
	// Message is for people: what happened and what to do about it. One line of at most 300 characters, without
	// credentials, and without anything from a response body but the source's own error text.
	Message string
	// RetryAfter is how long the source asks to be left alone; 0 when it does not say.
	RetryAfter time.Duration
	// Err is the cause, where there is one. It is for errors.Is and errors.As, not for display.
	Err error
}

// Error returns the message for people.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ReasonOf returns the reason of the *Error in err's chain, or "" when there is none.
func ReasonOf(err error) Reason {
	var failure *Error
	if errors.As(err, &failure) {
		return failure.Reason
	}
	return ""
}

// newError makes the sentence safe to show. Callers with credentials redact foreign text before they pass it in.
func newError(reason Reason, cause error, format string, args ...any) error {
	return &Error{Reason: reason, Message: oneLine(fmt.Sprintf(format, args...)), Err: withoutURL(cause)}
}

// withoutURL drops the *url.Error that net/http wraps around causes, since it prints the whole URL: after a redirect or
// with a GET request that includes a query string.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// maxSentence is the longest text for people, in characters.
const maxSentence = 300

// oneLine returns text on one line, without control and formatting characters, of at most maxSentence characters.
func oneLine(text string) string {
	text = flatten(text)
	if utf8.RuneCountInString(text) <= maxSentence {
		return text
	}
	return strings.TrimSpace(string([]rune(text)[:maxSentence-1])) + "…"
}

// flatten turns runs of space and of invisible characters into single spaces. Formatting characters (Cf) go too: they
// can reverse or hide text on a terminal.
func flatten(text string) string {
	text = strings.ToValidUTF8(text, " ")
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
	}), " ")
}

// redactor removes credentials from text that others wrote.
type redactor struct{ secrets []string }

// newRedactor knows the secrets also in the spellings in which a server may echo them.
func newRedactor(secrets ...string) redactor {
	var spellings []string
	for _, secret := range secrets {
		if secret != "" {
			spellings = append(spellings, secret, flatten(secret), url.QueryEscape(secret), url.PathEscape(secret))
		}
	}
	// Longest first: a secret that contains another one must not leave its remainder behind.
	sort.Slice(spellings, func(i, j int) bool { return len(spellings[i]) > len(spellings[j]) })
	return redactor{secrets: spellings}
}

// clean returns text on one bounded line without the secrets. It redacts before the cut, which could halve a secret,
// and on both sides of flattening, which could join the halves of one.
func (r redactor) clean(text string) string {
	return oneLine(r.redact(flatten(r.redact(text))))
}

func (r redactor) redact(text string) string {
	for _, secret := range r.secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[redacted]")
		}
	}
	return text
}
