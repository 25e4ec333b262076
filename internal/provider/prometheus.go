package provider

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	"github.com/prometheus/common/model"
)

// prometheus asks the instant query API of a Prometheus server.
//
// It uses the API client for the transport and reads the answers itself (answer.go): the client library's own decoder
// takes a row without a value for zero, and zero is a good number for many KPIs.
type prometheus struct {
	endpoint
	client api.Client
	http   *http.Client
	tenant string
	// points is how many numbers one answer may have.
	points int
}

// queryPath is the endpoint for instant queries, below the address.
const queryPath = "/api/v1/query"

// NewPrometheus opens a Prometheus source. It does not connect: a server that is down shows when it is asked. It returns
// an *Error with reason InvalidConfiguration when cfg is wrong.
func NewPrometheus(cfg PrometheusConfig) (Provider, error) {
	cfg = cfg.normalised()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	httpClient, err := newHTTPClient(cfg.http(), cfg.Guard, cfg.MaxResponseBytes)
	if err != nil {
		return nil, err
	}
	client, err := api.NewClient(api.Config{Address: cfg.Address, Client: httpClient})
	if err != nil {
		return nil, newError(InvalidConfiguration, err, "the address is not usable")
	}
	address, err := webAddress(cfg.Address)
	if err != nil {
		return nil, err
	}
	source := &prometheus{
		endpoint: endpoint{
			host:     hostPort(address),
			timeout:  cfg.Timeout,
			redactor: newRedactor(cfg.BearerToken, cfg.Password, basicCredentials(cfg.Username, cfg.Password)),
		},
		client: client,
		http:   httpClient,
		tenant: cfg.Tenant,
		points: maxPoints,
	}
	return limit(source, source.host, cfg.Limits), nil
}

// Measure evaluates the expression at the end of the window.
func (p *prometheus) Measure(ctx context.Context, q Query, w Window) (Answer, error) {
	if err := validate(q, w); err != nil {
		return Answer{}, err
	}
	got, err := p.ask(ctx, queryPath, p.form(q.Expression, w.End))
	if err != nil {
		return Answer{}, err
	}
	return p.read(got, q, w)
}

// Close drops the idle connections. No measurement runs when it is called.
func (p *prometheus) Close() { p.http.CloseIdleConnections() }

// form asks for the value at end. The server gets a little less
// time than the client, because its own report on a slow query says more than a broken connection.
func (p *prometheus) form(expression string, end time.Time) url.Values {
	return url.Values{
		"query":   {expression},
		"time":    {seconds(end)},
		"timeout": {model.Duration(p.timeout * 9 / 10).String()}, // the server knows 4s500ms, and does not know 4.5s
	}
}

// send makes one request. The query goes into the body of a POST, where it has no length limit and stays out of access
// logs; into the URL only for servers that know no other way.
func (p *prometheus) send(ctx context.Context, method, path string, form url.Values) (reply, error) {
	target := p.client.URL(path, nil)
	encoded := form.Encode()
	content := strings.NewReader("")
	if method == http.MethodPost {
		content = strings.NewReader(encoded)
	} else {
		target.RawQuery = encoded
	}
	request, err := http.NewRequestWithContext(ctx, method, target.String(), content)
	if err != nil {
		return reply{}, err
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		// An empty idempotency key is not sent, but tells net/http that it may repeat the POST when an idle connection
		// turns out to be dead.
		request.Header["Idempotency-Key"] = nil
	}
	if p.tenant != "" {
		request.Header.Set("X-Scope-OrgID", p.tenant)
	}
	response, body, err := p.client.Do(ctx, request)
	if err != nil {
		return reply{}, err
	}
	// The client has read the body to its end and closed it; closing it here as well is free.
	return reply{status: response.StatusCode, header: response.Header, body: body}, response.Body.Close()
}

// wantsGet recognises servers, and proxies in front of them, that take no POST.
func wantsGet(status int) bool {
	return status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented
}
