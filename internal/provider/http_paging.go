package provider

import (
	"context"
	"encoding/json"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// defaultMaxPages is enough for a search that may show 10,000 records, 100 on a page.
const defaultMaxPages = 100

// Pagination says how to get at the next page of an answer. At most one of NextLink, Cursor and Page is set; none means that the first page is all.
type Pagination struct {
	// NextLink is the expression that finds the URL of the next page, absolute or relative, at the same host. Null or "" ends the answer.
	NextLink string
	// Cursor is the expression that finds the mark of the next page. Null or "" ends the answer.
	Cursor string
	// CursorParameter is the query parameter in which the mark is sent; CursorField the field of the request's body. One of them is set with Cursor.
	CursorParameter, CursorField string
	// PageParameter is the query parameter in which the number of the page is sent.
	PageParameter string
	// FirstPage is the number of the first page.
	FirstPage int64
	// More is the expression that says whether a numbered page is followed by another. "" means that the first page without rows is the last one.
	More string
	// MaxPages is how many pages an answer may have. 0 means 100.
	MaxPages int
}

// pager is a Pagination with its expressions compiled.
type pager struct {
	Pagination
	link, cursor, more *expression
}

func newPager(declared Pagination) (*pager, error) {
	styles := 0
	for _, style := range []string{declared.NextLink, declared.Cursor, declared.PageParameter} {
		if style != "" {
			styles++
		}
	}
	switch {
	case styles > 1:
		return nil, invalid("there is more than one way to the next page: choose one of next link, cursor and page number")
	case declared.MaxPages < 0:
		return nil, invalid("the number of pages is negative: leave it out for %d", defaultMaxPages)
	case declared.Cursor != "" && (declared.CursorParameter == "") == (declared.CursorField == ""):
		return nil, invalid("a cursor is sent either in a query parameter or in a field of the body: set one of them")
	}
	p := &pager{Pagination: declared}
	if p.MaxPages == 0 {
		p.MaxPages = defaultMaxPages
	}
	var err error
	compileIf := func(what, text string, kinds ...types.Kind) (compiled *expression) {
		if text != "" && err == nil {
			compiled, err = compile(what, text, kinds...)
		}
		return compiled
	}
	p.link = compileIf("the next link", declared.NextLink, types.StringKind, types.NullTypeKind)
	p.cursor = compileIf("the cursor", declared.Cursor, types.StringKind, types.DoubleKind, types.NullTypeKind)
	p.more = compileIf("the condition for more pages", declared.More, types.BoolKind)
	return p, err
}

// place is where a measurement stands in an answer of several pages.
type place struct {
	// number counts the pages that were asked for, from 1.
	number int
	// at is the URL of the page.
	at *url.URL
	// body is that of the request; nil for none.
	body []byte
	// seen are the links and cursors that were followed.
	seen map[string]bool
}

// first prepares the request for the first page.
func (p *pager) first(at *url.URL, body []byte) place {
	start := place{number: 1, at: at, body: body, seen: map[string]bool{}}
	if p.PageParameter != "" {
		start.at = withParameter(at, p.PageParameter, strconv.FormatInt(p.FirstPage, 10))
	}
	return start
}

// next turns to the page after this one, of which rows were read. It reports whether there is one.
func (p *pager) next(ctx context.Context, from place, page any, rows int) (place, bool, error) {
	following := from
	following.number++
	var more bool
	var err error
	switch {
	case p.link != nil:
		more, err = p.follow(ctx, &following, page)
	case p.cursor != nil:
		more, err = p.advance(ctx, &following, page)
	case p.PageParameter != "":
		more, err = p.turn(ctx, &following, page, rows)
	}
	if err == nil && more && following.number > p.MaxPages {
		err = newError(ResponseTooLarge, nil, "the answer has more than %d pages, so it is not used: aggregate in the source, ask for larger pages, or raise maxPages", p.MaxPages)
	}
	return following, more, err
}

// strayLinkError says that the next page is at another server. The host is the server's own text: it can repeat a credential.
type strayLinkError struct{ host string }

// Error leaves the host out.
func (e *strayLinkError) Error() string { return "the next page is at another server" }

// follow takes the link to the next page, which must stay at this server: it is asked with the same credentials.
func (p *pager) follow(ctx context.Context, to *place, page any) (bool, error) {
	link, err := p.mark(ctx, p.link, to, page)
	if link == "" || err != nil {
		return false, err
	}
	target, err := url.Parse(link)
	if err != nil {
		return false, newError(InvalidResponse, err, "the link to the next page is not a URL")
	}
	here := to.at
	target = here.ResolveReference(target)
	if !sameServer(target, here) || target.User != nil {
		return false, &strayLinkError{host: hostPort(target)}
	}
	target.Fragment = ""
	to.at = target
	return true, nil
}

// advance sends the mark of the next page along.
func (p *pager) advance(ctx context.Context, to *place, page any) (bool, error) {
	mark, err := p.mark(ctx, p.cursor, to, page)
	if mark == "" || err != nil {
		return false, err
	}
	if p.CursorParameter != "" {
		to.at = withParameter(to.at, p.CursorParameter, mark)
		return true, nil
	}
	fields := map[string]json.RawMessage{}
	if len(to.body) > 0 && json.Unmarshal(to.body, &fields) != nil {
		return false, invalid("the body of the query is not a JSON object, so it has no place for the cursor")
	}
	fields[p.CursorField] = json.RawMessage(jsonText(mark))
	to.body = []byte(jsonText(fields))
	return true, nil
}

// turn counts the page number up.
func (p *pager) turn(ctx context.Context, to *place, page any, rows int) (bool, error) {
	more := rows > 0
	if p.more != nil {
		said, err := p.more.evaluate(ctx, page, nil)
		if err != nil {
			return false, err
		}
		decided, isBool := said.(types.Bool)
		if !isBool {
			return false, newError(InvalidResponse, nil, "%s gives neither true nor false", p.more.what)
		}
		more = bool(decided)
	}
	to.at = withParameter(to.at, p.PageParameter, strconv.FormatInt(p.FirstPage+int64(to.number-1), 10))
	return more, nil
}

// mark evaluates what leads to the next page; "" when there is none. One that was followed already would lead round in a circle.
func (p *pager) mark(ctx context.Context, e *expression, to *place, page any) (string, error) {
	result, err := e.evaluate(ctx, page, nil)
	if err != nil {
		return "", err
	}
	mark, ok := markText(result)
	switch {
	case !ok:
		return "", newError(InvalidResponse, nil, "%s gives neither a text nor null", e.what)
	case mark == "":
	case to.seen[mark]:
		return "", newError(InvalidResponse, nil, "%s leads to a page that was read already", e.what)
	default:
		to.seen[mark] = true
	}
	return mark, nil
}

// markText writes a mark as it is sent: a text, or a whole number without a point.
func markText(result ref.Val) (string, bool) {
	switch mark := result.(type) {
	case nil:
		return "", true
	case types.String:
		return string(mark), true
	case types.Double:
		number := float64(mark)
		return strconv.FormatFloat(number, 'f', -1, 64), number == math.Trunc(number) && math.Abs(number) < 1<<53
	}
	return "", false
}

// withParameter sets one query parameter and leaves the others as they were written.
func withParameter(at *url.URL, name, value string) *url.URL {
	changed := *at
	var kept []byte
	for _, pair := range splitQuery(at.RawQuery) {
		if key, err := url.QueryUnescape(pair.key); err == nil && key == name {
			continue
		}
		kept = append(append(kept, pair.text...), '&')
	}
	changed.RawQuery = string(kept) + url.QueryEscape(name) + "=" + url.QueryEscape(value)
	return &changed
}

// pair is one parameter of a query as it was written.
type pair struct{ key, text string }

func splitQuery(raw string) []pair {
	var pairs []pair
	for _, text := range strings.Split(raw, "&") {
		if text == "" {
			continue
		}
		key, _, _ := strings.Cut(text, "=")
		pairs = append(pairs, pair{key, text})
	}
	return pairs
}
