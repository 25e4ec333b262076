package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"mime"
	"net/http"
	"sort"
	"strconv"
	"time"
)

// reply is a complete HTTP answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// envelope is what the Prometheus API wraps around every answer.
type envelope struct {
	Status    string          `json:"status"`
	Data      json.RawMessage `json:"data"`
	ErrorType string          `json:"errorType"`
	Error     string          `json:"error"`
	Warnings  warnings        `json:"warnings"`
	IsPartial bool            `json:"isPartial"` // VictoriaMetrics says so here
}

// result is the data of an instant query.
type result struct {
	Type   string          `json:"resultType"`
	Result json.RawMessage `json:"result"`
}

// row is one series of an instant vector.
type row struct {
	Metric    labels          `json:"metric"`
	Value     json.RawMessage `json:"value"`
	Histogram json.RawMessage `json:"histogram"`
}

// doubt returns the first warning that speaks about the answer itself, or "".
func (e envelope) doubt() string {
	if e.Warnings == "" && e.IsPartial {
		return "the answer is marked as partial"
	}
	return string(e.Warnings)
}

// read turns a reply into an Answer or an *Error.
func (p *prometheus) read(got reply, q Query, w Window) (Answer, error) {
	data, err := p.data(got)
	if err != nil {
		return Answer{}, err
	}
	return p.readData(data, q, w)
}

// data returns what the envelope of a complete and undoubted success holds, or an *Error.
func (p *prometheus) data(got reply) (json.RawMessage, error) {
	var wrapped envelope
	broken := json.Unmarshal(got.body, &wrapped)
	if got.status/100 != 2 {
		return nil, p.statusError(got.status, got.header, wrapped)
	}
	if broken != nil {
		return nil, p.notJSON(got, broken)
	}
	if wrapped.Status == "error" {
		return nil, p.reportedError(wrapped)
	}
	if wrapped.Status != "success" {
		return nil, newError(InvalidResponse, nil, "%s answered with JSON that is not from a Prometheus API: is the path of the address right?", p.host)
	}
	if doubt := wrapped.doubt(); doubt != "" {
		return nil, newError(PartialAnswer, nil, "%s warns that its answer may be incomplete or wrong, so it is not used: %s", p.host, p.redactor.clean(doubt))
	}
	return wrapped.Data, nil
}

func (p *prometheus) readData(data json.RawMessage, q Query, w Window) (Answer, error) {
	var content result
	if err := json.Unmarshal(data, &content); err != nil {
		return Answer{}, p.unreadable(err)
	}
	switch {
	case content.Type == "scalar" && q.Site != "":
		sample, err := readPoint(content.Result, w)
		if err != nil {
			return Answer{}, p.unreadable(err)
		}
		sample.Site = q.Site
		return Answer{Samples: []Sample{sample}}, nil
	case content.Type == "scalar", content.Type == "matrix", content.Type == "string":
		return Answer{}, wrongType(content.Type, q)
	case content.Type != "vector":
		return Answer{}, p.unreadable(errors.New("unknown result type"))
	}
	return p.readVector(content.Result, q, w)
}

// wrongType explains results of which no number per site can be made.
func wrongType(got string, q Query) error {
	if q.Site != "" {
		return newError(InvalidResponse, nil,
			"the query must return one number: a scalar, or an instant vector with one series; it returned a %s", got)
	}
	return newError(InvalidResponse, nil, "the query must return an instant vector with one series per site; it returned a %s", got)
}

func (p *prometheus) readVector(data json.RawMessage, q Query, w Window) (Answer, error) {
	var samples []Sample
	err := eachElement(data, func(element json.RawMessage) error {
		if len(samples) == p.points {
			return p.tooManyPoints()
		}
		sample, err := readRow(element, q, w)
		samples = append(samples, sample)
		return err
	})
	if _, told := asError[*Error](err); told {
		return Answer{}, err
	}
	if err != nil {
		return Answer{}, p.unreadable(err)
	}
	return bySite(samples), nil
}

// readRow reads one series of an instant vector.
func readRow(element json.RawMessage, q Query, w Window) (Sample, error) {
	var r row
	if err := json.Unmarshal(element, &r); err != nil {
		return Sample{}, err
	}
	if len(r.Histogram) > 0 {
		return Sample{}, newError(InvalidResponse, nil,
			"the query returned a histogram and no number: use histogram_quantile, histogram_avg or histogram_count in it")
	}
	sample, err := readPoint(r.Value, w)
	if err != nil {
		return Sample{}, err
	}
	sample.Site, err = r.Metric.site(q)
	return sample, err
}

// bySite makes an answer of samples in any order: those without a site are counted, those that contradict each other
// are named. Two equal values for one site are a contradiction too, since their series differ in something.
func bySite(samples []Sample) Answer {
	var answer Answer
	sort.SliceStable(samples, func(i, j int) bool { return samples[i].Site < samples[j].Site })
	for start := 0; start < len(samples); {
		site, end := samples[start].Site, start+1
		for end < len(samples) && samples[end].Site == site {
			end++
		}
		switch {
		case site == "":
			answer.Unlabelled = end - start
		case end-start > 1:
			answer.Ambiguous = append(answer.Ambiguous, site)
		default:
			answer.Samples = append(answer.Samples, samples[start])
		}
		start = end
	}
	return answer
}

// readPoint reads [seconds, "value"]. It insists on both: anything that is missing would otherwise become a zero.
func readPoint(data json.RawMessage, w Window) (Sample, error) {
	var pair []json.RawMessage
	if len(data) > maxPointBytes {
		return Sample{}, errors.New("a value is longer than a time and a number")
	}
	if err := json.Unmarshal(data, &pair); err != nil || len(pair) != 2 {
		return Sample{}, errors.New("a value is not a pair of time and number")
	}
	var seconds float64
	if err := json.Unmarshal(pair[0], &seconds); err != nil {
		return Sample{}, fmt.Errorf("read the time of a value: %w", err)
	}
	if seconds <= 0 || seconds > float64(w.End.Unix()+1) {
		return Sample{}, errors.New("a value is from outside the time that was asked for")
	}
	var text string
	if err := json.Unmarshal(pair[1], &text); err != nil {
		return Sample{}, fmt.Errorf("read the number of a value: %w", err)
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return Sample{}, fmt.Errorf("parse the number of a value: %w", err)
	}
	return Sample{Value: number, Time: time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()}, nil
}

// unreadable hides the cause from the message, because it can repeat pieces of the body.
func (p *prometheus) unreadable(cause error) error {
	return newError(InvalidResponse, cause, "%s answered with data that is not the result of an instant query", p.host)
}

// notJSON explains a successful answer that is none.
func (p *prometheus) notJSON(got reply, cause error) error {
	kind, _, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	switch {
	case len(got.body) == 0:
		return newError(InvalidResponse, cause, "%s answered without a body: is the address the Prometheus API?", p.host)
	case got.header.Get("Content-Encoding") != "":
		return newError(InvalidResponse, cause, "%s answered in a compressed form that was not asked for: is a proxy changing its answers?", p.host)
	case err == nil && kind != "application/json":
		return newError(InvalidResponse, cause, "%s answered with %s, not with JSON: is the address the Prometheus API?",
			p.host, p.redactor.clean(kind))
	}
	return newError(InvalidResponse, cause, "%s answered with incomplete or malformed JSON: is something between here and Prometheus cutting it off?", p.host)
}

// statusError explains every answer whose status is not a success.
func (p *prometheus) statusError(status int, header http.Header, wrapped envelope) error {
	fromPrometheus := wrapped.Status == "error" && wrapped.ErrorType != ""
	switch {
	case status == http.StatusUnauthorized:
		return newError(Unauthorized, nil, "%s refused the credentials (401): check the secret that the provider refers to", p.host)
	case status == http.StatusForbidden:
		return newError(Unauthorized, nil, "%s does not allow these credentials to query (403): grant them read access", p.host)
	case status == http.StatusTooManyRequests:
		return p.tooManyRequests(header)
	case fromPrometheus:
		return p.reportedError(wrapped)
	case status >= 500:
		return newError(SourceError, nil, "%s failed with status %d %s", p.host, status, http.StatusText(status))
	}
	return newError(InvalidResponse, nil, "%s answered with status %d %s: is the address the Prometheus API?",
		p.host, status, http.StatusText(status))
}

// reportedError passes on what Prometheus itself says about a failure.
func (p *prometheus) reportedError(wrapped envelope) error {
	said := p.redactor.clean(wrapped.Error)
	switch wrapped.ErrorType {
	case "bad_data", "execution":
		return newError(QueryRejected, nil, "the query was rejected: %s", said)
	case "timeout":
		return newError(Timeout, nil, "%s gave up on the query: %s", p.host, said)
	}
	return newError(SourceError, nil, "%s failed: %s", p.host, said)
}
