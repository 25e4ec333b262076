package provider

import (
	"strconv"
	"strings"
	"time"
)

// bound is a query as it is sent.
type bound struct {
	text string
	// args are the values of the argument marks, in their order.
	args []any
}

// postgresDialect numbers its arguments. They are cast, so that :start - interval '1 day' and date_trunc('day', :end) need no types in the query.
var postgresDialect = dialect{
	own:      postgresOwn,
	refused:  "an argument mark like $1: write :start and :end for the borders of the window",
	mark:     func(n int) string { return "CAST($" + strconv.Itoa(n) + " AS timestamptz)" },
	numbered: true,
}

// mysqlDialect is the one of MySQL and MariaDB in the sql_mode that every measurement sets.
var mysqlDialect = dialect{
	backslashes: true,
	own:         mysqlOwn,
	refused:     "a ?, a user variable (@name) or a comment that the server executes (/*! */): write :start and :end for the borders of the window, and do without the others",
	mark:        func(int) string { return "CAST(? AS DATETIME(6))" },
	forbidden:   map[string]string{"INTO": "a measurement only reads"},
}

// asking are the words that a query can begin with. Statements that begin with another one end the read-only transaction, change the session or start
// programs on the server (COMMIT, SET, COPY), which a transaction does not keep them from.
var asking = map[string]bool{"SELECT": true, "WITH": true, "VALUES": true, "TABLE": true}

// bind makes the text and the arguments that an expression stands for: each :start and :end outside of strings, names in quotes and comments becomes an
// argument mark for that border of the window; every other byte stays. The window is (start, end], in UTC and whole microseconds, which is what
// the databases keep: a query says ts > :start AND ts <= :end. It returns an *Error with reason InvalidConfiguration for a text that is
// not one statement that asks.
func (d *dialect) bind(expression string, w Window) (bound, error) {
	if strings.Contains(expression, "\x00") {
		return bound{}, invalid("the query contains a NUL character")
	}
	b := binder{dialect: d, window: w, places: map[string]int{}}
	for at := 0; at < len(expression); {
		kind, end := d.lex(expression, at)
		if err := b.take(kind, expression[at:end]); err != nil {
			return bound{}, err
		}
		at = end
	}
	if !b.begun {
		return bound{}, invalid("the query is empty: write a SELECT statement")
	}
	return bound{text: b.text.String(), args: b.args}, nil
}

// binder writes a query out anew, lexeme by lexeme.
type binder struct {
	dialect *dialect
	window  Window
	text    strings.Builder
	args    []any
	// places are the numbers of the arguments by name.
	places map[string]int
	// begun and ended say whether the first word and a semicolon were seen.
	begun, ended bool
	// last is the last byte written.
	last byte
}

func (b *binder) take(kind lexemeKind, piece string) error {
	if kind != lexSpace && kind != lexSemicolon && b.ended {
		return invalid("the query has more than one statement: keep what stands before the first semicolon")
	}
	if err := b.check(kind, piece); err != nil {
		return err
	}
	switch kind {
	case lexParameter:
		return b.parameter(strings.ToLower(piece[1:]))
	case lexSemicolon:
		b.ended = true
	case lexRefused:
		return invalid("the query contains %s", b.dialect.refused)
	}
	b.write(piece)
	return nil
}

// check finds words that a query cannot begin with or must not use.
func (b *binder) check(kind lexemeKind, piece string) error {
	word := strings.ToUpper(piece)
	if !b.begun && kind != lexSpace && piece != "(" {
		if kind != lexWord || !asking[word] {
			return invalid("the query must be one statement that begins with SELECT or WITH")
		}
		b.begun = true
	}
	if why := b.dialect.forbidden[word]; why != "" && kind == lexWord {
		return invalid("the query must not use %s: %s", word, why)
	}
	return nil
}

func (b *binder) parameter(name string) error {
	value := b.window.End
	if name == "start" {
		value = b.window.Start
		if !value.Before(b.window.End) {
			return errNoWindow(":start")
		}
	}
	n, known := b.places[name]
	if !known || !b.dialect.numbered {
		b.args = append(b.args, value.UTC().Truncate(time.Microsecond))
		n = len(b.args)
		b.places[name] = n
	}
	// AND:start is two lexemes; ANDCAST would be one.
	if startsWord(b.last) || isDigit(b.last) || b.last == '$' {
		b.write(" ")
	}
	b.write(b.dialect.mark(n))
	return nil
}

// errNoWindow is for a query that asks from a moment on, for a KPI that has none.
func errNoWindow(word string) error {
	return invalid("the query uses %s and the KPI has no window: set spec.window of the KPI, or use :end alone", word)
}

func (b *binder) write(piece string) {
	b.text.WriteString(piece)
	b.last = piece[len(piece)-1]
}
