package provider

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/cel-go/common/types"
	"golang.org/x/oauth2"
)

// webSource asks a server that answers with JSON.
type webSource struct {
	endpoint
	protocol
	client  *http.Client
	address *url.URL
	// login sets the credentials that do not change, and the declared headers.
	login   func(*http.Request)
	secrets []string
	tokens  *tokens
	pager   *pager
	// rows is the extraction for queries that bring none; nil when none is declared.
	rows      *expression
	aggregate Aggregate
	// limit bounds all pages of one measurement together, in bytes.
	limit int64
}

// NewHTTP opens a source that answers with JSON. It does not connect: a server that is down shows when it is asked. It returns an *Error with reason
// InvalidConfiguration or AddressRefused when cfg is wrong.
func NewHTTP(cfg HTTPConfig) (Provider, error) {
	cfg = cfg.normalised()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	source, err := newWebSource(cfg)
	if err != nil {
		return nil, err
	}
	if source.client, err = newHTTPClient(cfg.transport(), cfg.Guard, cfg.MaxResponseBytes); err != nil {
		return nil, err
	}
	if source.tokens, err = newTokens(cfg); err != nil {
		return nil, err
	}
	return limit(source, source.host, cfg.Limits), nil
}

// newWebSource makes everything of a source but its connections.
func newWebSource(cfg HTTPConfig) (*webSource, error) {
	address, err := webAddress(cfg.Address)
	if err != nil {
		return nil, err
	}
	s := &webSource{address: address, secrets: cfg.secrets(), limit: cfg.MaxResponseBytes, aggregate: cfg.Aggregate, login: cfg.login}
	s.endpoint = endpoint{host: hostPort(address), timeout: cfg.Timeout, redactor: newRedactor(s.secrets...)}
	if s.protocol, err = protocolOf(cfg); err != nil {
		return nil, err
	}
	if err := s.keepsHeaders(cfg); err != nil {
		return nil, err
	}
	if !cfg.Aggregate.known() {
		return nil, invalid("the aggregate is not known: use None, Count, Sum or Mean")
	}
	if s.pager, err = newPager(s.pages); err != nil {
		return nil, err
	}
	if s.extract != "" {
		s.rows, err = compileRows(s.extract)
	}
	return s, err
}

// compileRows compiles an expression that finds rows.
func compileRows(text string) (*expression, error) {
	return compile("the extraction", text, types.ListKind, types.MapKind, types.DoubleKind, types.IntKind, types.UintKind)
}

// login sets the headers that every request has.
func (c HTTPConfig) login(request *http.Request) {
	for _, header := range append(append([]Header(nil), c.Headers...), c.SecretHeaders...) {
		request.Header.Set(header.Name, header.Value)
	}
	if c.BearerToken != "" {
		request.Header.Set("Authorization", "Bearer "+c.BearerToken)
	}
	if c.Username != "" {
		request.SetBasicAuth(c.Username, c.Password)
	}
}

// inquiry is one measurement: what it asks and how the answer is read.
type inquiry struct {
	question
	rowReader
	rows      *expression
	aggregate Aggregate
	variables map[string]string
}

// prepare takes a query apart and makes its first request. It sends nothing.
func (s *webSource) prepare(q Query, w Window) (inquiry, error) {
	parsed, err := parseStatement(q.Expression)
	if err != nil {
		return inquiry{}, err
	}
	moments := newSlots(w, s.resolution, s.moment)
	if err := moments.check(parsed.all, w); err != nil {
		return inquiry{}, err
	}
	asked, err := s.compose(s.version, parsed, moments, q.SiteLabel)
	if err != nil {
		return inquiry{}, err
	}
	i := inquiry{question: asked, rows: s.rows, aggregate: s.aggregate}
	for _, own := range []Aggregate{asked.aggregate, parsed.aggregate} {
		if own != "" {
			i.aggregate = own
		}
	}
	if parsed.extract != "" {
		if i.rows, err = compileRows(parsed.extract); err != nil {
			return inquiry{}, err
		}
	}
	if i.rows == nil {
		return inquiry{}, invalid("nothing says where the rows are in the answer: set extract in the provider, or write an expression below --- in the query")
	}
	label := q.SiteLabel
	if label == "" {
		label = "site"
	}
	i.rowReader = rowReader{label: label, site: q.Site, counts: i.aggregate == AggregateCount}
	i.variables = map[string]string{labelVariable: label, fieldVariable: asked.field, countVariable: asked.counted}
	return i, nil
}

// Measure reads all pages of the answer, or none: an answer of which a part is missing is an error.
func (s *webSource) Measure(ctx context.Context, q Query, w Window) (Answer, error) {
	if err := validate(q, w); err != nil {
		return Answer{}, err
	}
	asked, err := s.prepare(q, w)
	if err != nil {
		return Answer{}, err
	}
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	x := &exchange{webSource: s, endpoint: s.endpoint, caller: ctx, left: s.limit}
	rows, err := x.pages(limited, asked)
	if err != nil {
		return Answer{}, x.explained(limited, err)
	}
	return settle(rows, asked.aggregate, w), nil
}

// Close drops the idle connections. No measurement runs when it is called.
func (s *webSource) Close() {
	s.client.CloseIdleConnections()
	s.tokens.close()
}

// exchange is the talk of one measurement with the server.
type exchange struct {
	*webSource
	// endpoint knows, other than that of the source, the token of this measurement.
	endpoint
	caller context.Context
	// left is how many bytes the pages that follow may have.
	left int64
}

// pages reads the rows of all pages.
func (x *exchange) pages(ctx context.Context, asked inquiry) ([]siteRow, error) {
	at, err := url.Parse(strings.TrimSuffix(x.address.String(), "/") + asked.target)
	if err != nil {
		return nil, newError(InvalidConfiguration, err, "the query does not make a URL")
	}
	var rows []siteRow
	for here := x.pager.first(at, asked.body); ; {
		page, err := x.fetch(ctx, asked.method, here)
		if err != nil {
			return nil, err
		}
		found, err := asked.read(ctx, page)
		if err != nil {
			return nil, err
		}
		rows = append(rows, found...)
		next, more, err := x.pager.next(ctx, here, page, len(found))
		if err != nil {
			return nil, err
		}
		if x.complete != nil {
			if err := x.complete(page, len(rows), !more); err != nil {
				return nil, err
			}
		}
		if !more {
			return rows, nil
		}
		here = next
	}
}

// read extracts the rows of one page.
func (i inquiry) read(ctx context.Context, page any) ([]siteRow, error) {
	result, err := i.rows.evaluate(ctx, page, i.variables)
	if err != nil {
		return nil, err
	}
	rows, err := i.rowReader.read(result)
	if err != nil {
		return nil, newError(InvalidResponse, err, "%s does not fit the answer: %s", i.rows.what, err)
	}
	return rows, nil
}

// fetch reads one page.
func (x *exchange) fetch(ctx context.Context, method string, here place) (any, error) {
	got, err := x.send(ctx, method, here)
	if err != nil {
		return nil, err
	}
	x.left -= int64(len(got.body))
	if x.left < 0 {
		return nil, &tooLargeError{limit: x.webSource.limit}
	}
	return x.understand(got)
}

// send makes a request, and a second one with a new token when the server refuses the first one's: tokens can be withdrawn before they expire.
func (x *exchange) send(ctx context.Context, method string, here place) (reply, error) {
	var refused *oauth2.Token
	for {
		token, err := x.tokens.token(ctx, x.caller, refused)
		if err != nil {
			return reply{}, err
		}
		got, err := x.once(ctx, method, here, token)
		if err != nil || got.status != http.StatusUnauthorized || token == nil || refused != nil {
			return got, err
		}
		refused = token
	}
}

func (x *exchange) once(ctx context.Context, method string, here place, token *oauth2.Token) (reply, error) {
	var content io.Reader = http.NoBody
	if here.body != nil {
		content = bytes.NewReader(here.body)
	}
	request, err := http.NewRequestWithContext(ctx, method, here.at.String(), content)
	if err != nil {
		return reply{}, err
	}
	request.Header.Set("Accept", "application/json")
	if here.body != nil {
		request.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	// An empty idempotency key is not sent, but tells net/http that it may repeat a POST when an idle connection turns out to be dead.
	request.Header["Idempotency-Key"] = nil
	for _, header := range x.headers {
		request.Header.Set(header.Name, header.Value)
	}
	x.login(request)
	if token != nil {
		token.SetAuthHeader(request)
		x.endpoint.redactor = newRedactor(append([]string{token.AccessToken}, x.secrets...)...)
	}
	response, err := x.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	body, err := io.ReadAll(response.Body)
	if closing := response.Body.Close(); err == nil {
		err = closing
	}
	return reply{status: response.StatusCode, header: response.Header, body: body}, err
}

// explained makes an *Error of every error.
func (x *exchange) explained(ctx context.Context, err error) error {
	if _, done := asError[*Error](err); done {
		return err
	}
	if stray, is := asError[*strayLinkError](err); is {
		return newError(RedirectRefused, nil, "the next page is at %s, which was not declared: if that is the right server, make it the address", x.redactor.clean(stray.host))
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return x.transportError(x.caller, err)
}
