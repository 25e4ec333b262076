package provider

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promconfig "github.com/prometheus/common/config"
)

// prometheus asks the instant query API of a Prometheus server.
//
// It uses the API client for the transport and reads the answers itself (answer.go): the client library's own decoder
// takes a row without a value for zero, and zero is a good number for many KPIs.
type prometheus struct {
	client   api.Client
	http     *http.Client
	host     string
	timeout  time.Duration
	redactor redactor
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
	// The first name is that of the round tripper's own connection metrics; it must not vary by provider.
	transport, err := promconfig.NewRoundTripperFromConfig(cfg.http(), "measure",
		promconfig.WithIdleConnTimeout(idleConnTimeout), promconfig.WithUserAgent(userAgent))
	if err != nil {
		return nil, newError(InvalidConfiguration, err, "the connection settings are not usable")
	}
	httpClient := &http.Client{
		Transport:     &cappedTransport{next: transport, limit: cfg.MaxResponseBytes},
		CheckRedirect: stayHere,
	}
	client, err := api.NewClient(api.Config{Address: cfg.Address, Client: httpClient})
	if err != nil {
		return nil, newError(InvalidConfiguration, err, "the address is not usable")
	}
	endpoint, err := cfg.endpoint()
	if err != nil {
		return nil, err
	}
	source := &prometheus{
		client:   client,
		http:     httpClient,
		host:     hostPort(endpoint),
		timeout:  cfg.Timeout,
		redactor: newRedactor(cfg.BearerToken, cfg.Password, basicCredentials(cfg)),
	}
	return limit(source, source.host, maxRunning), nil
}

// Measure evaluates the expression at the end of the window.
func (p *prometheus) Measure(ctx context.Context, q Query, w Window) (Answer, error) {
	if err := validate(q, w); err != nil {
		return Answer{}, err
	}
	limited, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()

	form := p.form(q.Expression, w.End)
	got, err := p.send(limited, http.MethodPost, form)
	if err == nil && wantsGet(got.status) {
		got, err = p.send(limited, http.MethodGet, form)
	}
	if err != nil {
		return Answer{}, p.transportError(ctx, err)
	}
	return p.read(got, q, w)
}

// Close drops the idle connections. No measurement runs when it is called.
func (p *prometheus) Close() { p.http.CloseIdleConnections() }

// form asks for the value at end, in whole milliseconds, which is what Prometheus keeps. The server gets a little less
// time than the client, because its own report on a slow query says more than a broken connection.
func (p *prometheus) form(expression string, end time.Time) url.Values {
	return url.Values{
		"query":   {expression},
		"time":    {strconv.FormatFloat(float64(end.UnixMilli())/1000, 'f', 3, 64)},
		"timeout": {(p.timeout * 9 / 10).Round(time.Millisecond).String()},
	}
}

// send makes one request. The query goes into the body of a POST, where it has no length limit and stays out of access
// logs; into the URL only for servers that know no other way.
func (p *prometheus) send(ctx context.Context, method string, form url.Values) (reply, error) {
	target := p.client.URL(queryPath, nil)
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
