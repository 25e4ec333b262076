package provider

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// statement is a KPI's query for a source that answers with JSON, taken apart:
//
//	GET /api/metrics?from=:start&to=:end      what to ask; for presets in the CRM's own language
//
//	{"any": "JSON"}                           the body of the request, after POST
//	--- Sum                                   how the rows of a site become one value, and after it
//	body.items                                where the rows are, in place of the provider's own expression
type statement struct {
	// ask are the lines before the body, on one line.
	ask string
	// body is what follows the first line, without the space around it.
	body string
	// all is what comes before the separator, on one line.
	all string
	// aggregate is what the separator says; "" when it says nothing.
	aggregate Aggregate
	// extract is the expression after the separator; "" when there is none.
	extract string
}

// separator stands between what is asked and how the answer is read.
var separator = regexp.MustCompile(`^---[ \t]*([A-Za-z]*)[ \t]*$`)

// parseStatement takes a query apart.
func parseStatement(text string) (statement, error) {
	var s statement
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, line := range lines {
		match := separator.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		s.aggregate = Aggregate(match[1])
		if s.aggregate != "" && !s.aggregate.known() {
			return s, invalid("the query has %q after ---: write None, Count, Sum or Mean, or nothing", match[1])
		}
		s.extract = strings.TrimSpace(strings.Join(lines[i+1:], "\n"))
		lines = lines[:i]
		break
	}
	asked := strings.TrimSpace(strings.Join(lines, "\n"))
	if asked == "" {
		return s, invalid("the query asks nothing: it must begin with what to ask, above ---")
	}
	s.ask, s.body, _ = strings.Cut(asked, "\n")
	s.ask, s.body = strings.TrimSpace(s.ask), strings.TrimSpace(s.body)
	s.all = strings.Join(strings.FieldsFunc(asked, func(r rune) bool { return r == '\n' }), " ")
	return s, nil
}

// request is one HTTP request below the address of the source.
type request struct {
	method string
	// target is path and query, escaped.
	target string
	// body is JSON; nil for none.
	body []byte
}

// slots are the words of a query that stand for its window, and what they stand for.
type slots map[string]string

// newSlots renders a window. form is how the source writes a moment, in which finer parts than resolution have no place.
func newSlots(w Window, resolution time.Duration, form func(time.Time) string) slots {
	start, end := rounded(w, resolution)
	first, last := rounded(w, time.Second)
	// The last day that is over when the window ends, midnight included.
	lastDay := last.Truncate(day).Add(-day)
	filled := slots{":end": form(end), ":endDate": lastDay.Format(time.DateOnly), ":endUnix": jsonText(last.Unix())}
	// Of a range that is empty, a server would count nothing at all, and its zero be taken for a measurement.
	if start.Before(end) {
		filled[":start"] = form(start)
	}
	if first.Before(last) {
		filled[":startUnix"] = jsonText(first.Unix())
	}
	if first.Truncate(day).Before(lastDay) {
		filled[":startDate"] = first.Format(time.DateOnly)
	}
	return filled
}

const day = 24 * time.Hour

// check finds the words in a query that have nothing to stand for in this window.
func (s slots) check(text string, w Window) error {
	for _, word := range []string{":start", ":startUnix", ":startDate"} {
		if _, filled := s[word]; filled || (slots{word: ""}).fill(text, asIs) == text {
			continue
		}
		if w.Start.Before(w.End) {
			return invalid("the query uses %s and no whole day or second lies in the window: make spec.window of the KPI longer (two days are enough for :startDate)", word)
		}
		return errNoWindow(word)
	}
	return nil
}

// rounded rounds the ends of a window towards its inside, in UTC, so that no number speaks of a time outside it.
func rounded(w Window, resolution time.Duration) (start, end time.Time) {
	start, end = w.Start.UTC(), w.End.UTC().Truncate(resolution)
	if cut := start.Truncate(resolution); cut.Before(start) {
		start = cut.Add(resolution)
	}
	if start.After(end) {
		start = end
	}
	return start, end
}

// jsonText writes a value that always marshals: a number, a string.
func jsonText(value any) string {
	text, _ := json.Marshal(value)
	return string(text)
}

// fill puts the window in where a slot stands as a whole word, as in SQL: not in "10:start" and not in "::start".
func (s slots) fill(text string, escape func(string) string) string {
	var filled strings.Builder
	for i := 0; i < len(text); {
		end := i + 1
		if text[i] == ':' && (i == 0 || !wordByte(text[i-1]) && text[i-1] != ':') {
			for end < len(text) && wordByte(text[end]) {
				end++
			}
			if moment, found := s[text[i:end]]; found {
				filled.WriteString(escape(moment))
				i = end
				continue
			}
		}
		filled.WriteString(text[i:end])
		i = end
	}
	return filled.String()
}

func wordByte(b byte) bool {
	return b == '_' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// asIs is for places in which no character of a moment means anything.
func asIs(text string) string { return text }

// requestLine is the first line of a query for a source without preset.
var requestLine = regexp.MustCompile(`^(GET|POST)[ \t]+(/.*)$`)

// composePlain makes the request that a query describes itself. Other methods than GET and POST are refused: they change things.
func composePlain(_ string, s statement, moments slots, _ string) (question, error) {
	match := requestLine.FindStringSubmatch(s.ask)
	if match == nil {
		return question{}, invalid("the query must begin with a line like GET /api/metrics?from=:start&to=:end, or POST and a path")
	}
	asked := request{method: match[1]}
	var err error
	if asked.target, err = target(match[2], moments); err != nil {
		return question{}, err
	}
	switch {
	case s.body == "":
	case asked.method == "GET":
		return question{}, invalid("the query has a body after GET: use POST, or put --- above the extraction")
	default:
		asked.body = []byte(moments.fill(s.body, asIs))
		if !json.Valid(asked.body) {
			return question{}, invalid("the body of the query is not JSON")
		}
	}
	return question{request: asked}, nil
}

// target fills and escapes path and query. What is escaped already stays; what a URL cannot have is escaped, so that spaces may be written as they are.
func target(text string, moments slots) (string, error) {
	path, query, hasQuery := strings.Cut(text, "?")
	path = loose(moments.fill(path, url.PathEscape), "/")
	plain, err := url.PathUnescape(path)
	if err != nil {
		return "", invalid("the path of the query is not escaped correctly")
	}
	for _, segment := range strings.FieldsFunc(plain, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == ".." {
			return "", invalid("the path of the query contains ..: write the whole path below the address")
		}
	}
	if hasQuery {
		path += "?" + loose(moments.fill(query, url.QueryEscape), "/?")
	}
	return path, nil
}

// loose escapes what cannot stand in a URL, and leaves alone what is escaped already or has a meaning in it. also are further characters that may stay.
func loose(text, also string) string {
	const upper = "0123456789ABCDEF"
	var escaped strings.Builder
	for i := 0; i < len(text); i++ {
		b := text[i]
		if wordByte(b) || strings.IndexByte("-.~!$&'()*+,;=:@", b) >= 0 || strings.IndexByte(also, b) >= 0 || b == '%' && hexPair(text[i+1:]) {
			escaped.WriteByte(b)
			continue
		}
		escaped.WriteByte('%')
		escaped.WriteByte(upper[b>>4])
		escaped.WriteByte(upper[b&15])
	}
	return escaped.String()
}

func hexPair(text string) bool {
	isHex := func(b byte) bool { return '0' <= b && b <= '9' || 'a' <= b && b <= 'f' || 'A' <= b && b <= 'F' }
	return len(text) >= 2 && isHex(text[0]) && isHex(text[1])
}
