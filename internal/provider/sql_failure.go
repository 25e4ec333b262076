package provider

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// serverError is what a database itself says about a failure.
type serverError struct {
	// code is SQLSTATE or MySQL's number.
	code string
	// reason is what kind of failure it is.
	reason Reason
	// text is the server's own text. It is set only where it speaks about the query: about values it could repeat them.
	text string
}

// Error names the code alone.
func (e *serverError) Error() string { return "the database reported " + e.code }

// connectError marks a failure to get a connection.
type connectError struct{ err error }

func (e *connectError) Error() string { return "connect: " + e.err.Error() }
func (e *connectError) Unwrap() error { return e.err }

// explained turns any failure of a measurement into an *Error. It uses words of its own: drivers repeat user names, addresses and values.
func (s *sqlSource) explained(caller context.Context, err error) error {
	if large := s.tooLarge(err); large != nil {
		return large
	}
	if done, ok := asError[*Error](err); ok {
		return done
	}
	if said, ok := s.engine.said(err); ok && caller.Err() == nil {
		_, connecting := asError[*connectError](err)
		return s.reported(said, connecting)
	}
	if errors.Is(err, mysql.ErrNoTLS) || strings.Contains(err.Error(), "server refused TLS connection") {
		return newError(TLSFailed, nil, "%s does not offer TLS: switch it on there; insecurePlaintext does without", s.host)
	}
	if strings.Contains(err.Error(), "auth") && isRefusedLogin(err) {
		return newError(Unauthorized, nil, "%s asks for a way of logging in that is not used without TLS, or not known here", s.host)
	}
	if errors.Is(err, sql.ErrConnDone) || errors.Is(err, mysql.ErrInvalidConn) && s.transportCause(err) == nil {
		return newError(Unreachable, nil, "%s closed the connection before its answer was complete", s.host)
	}
	return s.transportError(caller, s.transportCause(err))
}

// tooLarge recognises answers that passed a limit; it returns nil for other failures.
func (s *sqlSource) tooLarge(err error) error {
	if large, ok := asError[*tooLargeError](err); ok {
		return newError(ResponseTooLarge, large, "%s answered with more than %d bytes: return one short row per site, or raise maxRows", s.host, large.limit)
	}
	if large, ok := asError[*pgproto3.ExceededMaxBodyLenErr](err); ok {
		return newError(ResponseTooLarge, large, "%s announced a message of more than %d bytes: return one short row per site", s.host, large.MaxExpectedBodyLen)
	}
	return nil
}

// isRefusedLogin recognises the ways of logging in that this side refuses.
func isRefusedLogin(err error) bool {
	for _, refused := range []error{mysql.ErrCleartextPassword, mysql.ErrNativePassword, mysql.ErrOldPassword, mysql.ErrUnknownPlugin, errPasswordInPlain} {
		if errors.Is(err, refused) {
			return true
		}
	}
	return strings.Contains(err.Error(), "server requested") || strings.Contains(err.Error(), "require_auth")
}

// transportCause drops the drivers' own wrapping. pgx's error for a failed connection carries the whole configuration, with the password.
func (s *sqlSource) transportCause(err error) error {
	if failed, ok := asError[*pgconn.ConnectError](err); ok {
		return failed.Unwrap()
	}
	if failed, ok := asError[*connectError](err); ok {
		return failed.err
	}
	return err
}

// reported explains what the database said.
func (s *sqlSource) reported(said serverError, connecting bool) error {
	cause := error(&serverError{code: said.code})
	text := ""
	if said.text != "" {
		text = ": " + s.redactor.clean(said.text)
	}
	switch said.reason {
	case Unauthorized:
		if connecting {
			return newError(Unauthorized, cause, "%s refused the login (%s): check the Secret that the provider refers to, and that the user may connect to the database from here", s.host, said.code)
		}
		return newError(Unauthorized, cause, "%s does not let this user run the query (%s): grant it SELECT on what the query reads", s.host, said.code)
	case Timeout:
		return newError(Timeout, cause, "%s stopped the query (%s) within the limit of %s: make it cheaper, for example with an index, or raise the timeout", s.host, said.code, s.timeout)
	case RateLimited:
		return newError(RateLimited, cause, "%s has too many connections (%s): allow it more, or set limits.concurrent of the provider lower", s.host, said.code)
	case Unreachable:
		return newError(Unreachable, cause, "%s is starting, stopping or ended the connection (%s)", s.host, said.code)
	case TLSFailed:
		return newError(TLSFailed, cause, "%s lets this user in with TLS only (%s): leave insecurePlaintext out", s.host, said.code)
	case SourceError:
		return newError(SourceError, cause, "%s failed (%s)%s", s.host, said.code, text)
	}
	if connecting {
		return newError(SourceError, cause, "%s refused the connection (%s): check its log", s.host, said.code)
	}
	return newError(QueryRejected, cause, "the query was rejected (%s)%s", said.code, text)
}

// postgresSaid reads SQLSTATE.
func postgresSaid(err error) (serverError, bool) {
	reported, ok := asError[*pgconn.PgError](err)
	if !ok || len(reported.Code) != 5 {
		return serverError{}, false
	}
	said := serverError{code: "SQLSTATE " + reported.Code, reason: postgresReason(reported.Code)}
	// Classes of errors that are found before values are looked at; the last two are "division by zero" and the like, without values.
	class := reported.Code[:2]
	if slices.Contains([]string{"42", "25", "0A", "2F", "21", "3F"}, class) || reported.Code == "22012" || reported.Code == "3D000" {
		said.text = reported.Message
	} else if class == "22" || class == "P0" || class == "23" {
		said.text = "it failed on a value; the text of the error is left out, since it may repeat the value"
	}
	return said, true
}

func postgresReason(code string) Reason {
	switch code {
	case "42501", "28000", "28P01":
		return Unauthorized
	case "57014":
		return Timeout
	case "53300":
		return RateLimited
	case "3D000":
		return SourceError
	}
	switch code[:2] {
	case "57", "08":
		return Unreachable
	case "40", "53", "55", "58", "F0", "HV", "XX":
		return SourceError
	}
	return QueryRejected
}

// mysqlReasons are the numbers that do not mean that the query is wrong. Those below 3000 are the same in MariaDB.
var mysqlReasons = map[Reason][]uint16{
	Unauthorized: {1044, 1045, 1129, 1130, 1142, 1143, 1227, 1251, 1275, 1370, 1524, 1698, 1820, 1862, 3118, 4151},
	Timeout:      {1205, 1317, 1907, 1969, 3024},
	RateLimited:  {1040, 1203, 1226},
	Unreachable:  {1053, 1077, 1079, 1080, 1158, 1159, 1160, 1161, 1184, 1927, 3169, 4031},
	TLSFailed:    {3159, 1835},
	SourceError:  {1015, 1021, 1037, 1038, 1041, 1049, 1114, 1135, 1194, 1195, 1213},
}

// mysqlSaid reads MySQL's number, and SQLSTATE for whether its text can be shown.
func mysqlSaid(err error) (serverError, bool) {
	reported, ok := asError[*mysql.MySQLError](err)
	if !ok {
		return serverError{}, false
	}
	said := serverError{code: fmt.Sprintf("error %d", reported.Number), reason: QueryRejected}
	for reason, numbers := range mysqlReasons {
		if slices.Contains(numbers, reported.Number) {
			said.reason = reason
		}
	}
	// Class 42 is about syntax and names, 25 about what a read-only transaction refuses.
	state := string(reported.SQLState[:])
	if strings.HasPrefix(state, "42") || strings.HasPrefix(state, "25") || reported.Number == 1049 {
		said.text = reported.Message
	} else if said.reason == QueryRejected {
		said.text = "the text of the error is left out, since it may repeat a value"
	}
	return said, true
}
