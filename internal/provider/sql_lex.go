package provider

import "strings"

// lexemeKind says what the binder has to do with a piece of a query.
type lexemeKind int

const (
	// lexOther is an operator, a number or punctuation.
	lexOther lexemeKind = iota
	// lexSpace is white space or a comment: it means nothing.
	lexSpace
	// lexQuoted is a string or a quoted name: nothing in it is a parameter.
	lexQuoted
	// lexWord is a keyword or a name without quotes.
	lexWord
	// lexParameter is :start or :end.
	lexParameter
	// lexSemicolon ends the statement.
	lexSemicolon
	// lexRefused is something that a query must not contain.
	lexRefused
)

// dialect is how one engine writes strings, names and comments, as far as one must know to find the parameters of a query
// among them. The lexer splits any text into lexemes without gaps. What it takes for a lexeme in a text that is no SQL
// does not matter: the database refuses such a text.
type dialect struct {
	// backslashes is true when a backslash escapes the next character in every string.
	backslashes bool
	// refused explains a lexeme of kind lexRefused.
	refused string
	// own recognises, at a position, what only this engine has. It returns the position where it began when there is nothing.
	own func(text string, at int) (lexemeKind, int)
	// mark is how the engine wants the n-th argument, counted from 1, in the text, with its type.
	mark func(n int) string
	// numbered is true when one argument can be used at several places.
	numbered bool
	// forbidden are keywords, in upper case, with the reason why a query must not use them.
	forbidden map[string]string
}

// lex returns the kind of the lexeme that begins at a position, and where it ends.
func (d *dialect) lex(text string, at int) (lexemeKind, int) {
	if kind, end := d.own(text, at); end > at {
		return kind, end
	}
	switch c := text[at]; {
	case isSpace(c):
		return lexSpace, at + 1
	case c == ';':
		return lexSemicolon, at + 1
	case c == '\'':
		return lexQuoted, quoteEnd(text, at, d.backslashes)
	case c == ':':
		return colon(text, at)
	case startsWord(c):
		return lexWord, wordEnd(text, at, true)
	case isDigit(c):
		return lexOther, wordEnd(text, at, false)
	}
	return lexOther, at + 1
}

// colon tells parameters from casts (::) and assignments (:=). Other names after a colon are left to the database: in
// PostgreSQL the upper bound of a slice may be one.
func colon(text string, at int) (lexemeKind, int) {
	rest := text[at+1:]
	if strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, "=") {
		return lexOther, at + 2
	}
	end := wordEnd(text, at+1, true)
	if name := text[at+1 : end]; strings.EqualFold(name, "start") || strings.EqualFold(name, "end") {
		return lexParameter, end
	}
	return lexOther, at + 1
}

// postgresOwn recognises names in double quotes, strings with escapes (E'...'), strings in dollars ($tag$...$tag$) and comments, which nest.
func postgresOwn(text string, at int) (lexemeKind, int) {
	rest := text[at:]
	switch {
	case rest[0] == '"':
		return lexQuoted, quoteEnd(text, at, false)
	case strings.HasPrefix(rest, "--"):
		return lexSpace, lineEnd(text, at)
	case strings.HasPrefix(rest, "/*"):
		return lexSpace, nestedCommentEnd(text, at)
	case (rest[0] == 'e' || rest[0] == 'E') && strings.HasPrefix(rest[1:], "'"):
		return lexQuoted, escapeString(text, at+1)
	case rest[0] != '$':
		return lexOther, at
	case len(rest) > 1 && isDigit(rest[1]):
		return lexRefused, at + 2
	}
	return dollarString(text, at)
}

// mysqlOwn recognises strings in double quotes, names in backticks, and comments, which do not nest. Comments that the server executes, argument marks
// and user variables, which would carry values from one measurement to the next, are refused.
func mysqlOwn(text string, at int) (lexemeKind, int) {
	rest := text[at:]
	switch {
	case rest[0] == '"':
		return lexQuoted, quoteEnd(text, at, true)
	case rest[0] == '`':
		return lexQuoted, quoteEnd(text, at, false)
	case rest[0] == '#', isDashComment(rest):
		return lexSpace, lineEnd(text, at)
	case strings.HasPrefix(rest, "/*!"), strings.HasPrefix(rest, "/*M!"), rest[0] == '?':
		return lexRefused, at + 1
	case strings.HasPrefix(rest, "/*"):
		return lexSpace, commentEnd(text, at)
	case strings.HasPrefix(rest, "@@"):
		return lexOther, at + 2
	case rest[0] == '@':
		return lexRefused, at + 1
	}
	return lexOther, at
}

// isDashComment is true for two dashes that are followed by a space, a control character or nothing; else they are two minus signs.
func isDashComment(rest string) bool {
	return strings.HasPrefix(rest, "--") && (len(rest) == 2 || rest[2] <= ' ' || rest[2] == 0x7f)
}

// quoteEnd returns where a string or name ends that begins at a position. Its quote is written twice to stand for itself.
func quoteEnd(text string, at int, backslashes bool) int {
	quote := text[at]
	for i := at + 1; i < len(text); i++ {
		switch {
		case backslashes && text[i] == '\\':
			i++
		case text[i] != quote:
		case i+1 < len(text) && text[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return len(text)
}

// escapeString returns where a string with escapes ends. It goes on behind a line break: the pieces are one string, and the escapes hold for all of them.
func escapeString(text string, at int) int {
	for {
		at = quoteEnd(text, at, true)
		next := continued(text, at)
		if next == at {
			return at
		}
		at = next
	}
}

// continued returns where the next piece of a string begins, when only space and comments with a line break among them lie between; else at.
func continued(text string, at int) int {
	broken := false
	for i := at; i < len(text); {
		switch {
		case text[i] == '\'' && broken:
			return i
		case isSpace(text[i]):
			broken = broken || text[i] == '\n' || text[i] == '\r'
			i++
		case strings.HasPrefix(text[i:], "--"):
			i = lineEnd(text, i)
		default:
			return at
		}
	}
	return at
}

// dollarString returns the end of a string like $$...$$ or $tag$...$tag$, or nothing when the dollar begins none.
func dollarString(text string, at int) (lexemeKind, int) {
	end := at + 1
	if end < len(text) && startsWord(text[end]) {
		end = wordEnd(text, end, false)
	}
	if end >= len(text) || text[end] != '$' {
		return lexOther, at
	}
	tag := text[at : end+1]
	body := text[end+1:]
	if i := strings.Index(body, tag); i >= 0 {
		return lexQuoted, end + 1 + i + len(tag)
	}
	return lexQuoted, len(text)
}

func lineEnd(text string, at int) int {
	if i := strings.IndexAny(text[at:], "\r\n"); i >= 0 {
		return at + i
	}
	return len(text)
}

func commentEnd(text string, at int) int {
	if i := strings.Index(text[at+2:], "*/"); i >= 0 {
		return at + 2 + i + 2
	}
	return len(text)
}

func nestedCommentEnd(text string, at int) int {
	depth := 0
	for i := at; i < len(text); {
		switch {
		case strings.HasPrefix(text[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(text[i:], "*/"):
			depth--
			i += 2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return len(text)
}

// wordEnd returns where the letters, digits, underscores and, where allowed, dollars end that begin at a position.
func wordEnd(text string, at int, dollars bool) int {
	for at < len(text) && (startsWord(text[at]) || isDigit(text[at]) || dollars && text[at] == '$') {
		at++
	}
	return at
}

// startsWord is true for letters and underscores. Every byte of a character outside ASCII counts as a letter, as it does for the databases.
func startsWord(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
