package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"
)

// rangePath is the endpoint for range queries, below the address.
const rangePath = "/api/v1/query_range"

// ofTheRange finds the parts of PromQL that mean something else in a range query than in an instant query.
var ofTheRange = regexp.MustCompile(`@|\b(?:start|end|step|range)\s*\(`)

// errNotEqual is why a range query is not made, or its answer not used.
var errNotEqual = errors.New("a range query cannot be relied on to equal instant queries")

// measureSpan evaluates the expression at the ends of all windows with one range query, which by the definition of PromQL
// is an instant query at each step. Where that does not hold, it says so with an error that isDoubt knows: for expressions that speak about
// the range, for servers that round the times or answer from a wider stretch, and for answers that leave open what an instant
// query would have returned (an unlabelled series may be a scalar; an empty answer may be one for rounded times).
func (p *prometheus) measureSpan(ctx context.Context, q Query, windows []Window) ([]Answer, error) {
	for _, w := range windows {
		if err := validate(q, w); err != nil {
			return nil, err
		}
	}
	step, even := spacing(windows)
	if !even || ofTheRange.MatchString(q.Expression) {
		return nil, p.notEqual()
	}
	got, err := p.ask(ctx, rangePath, p.rangeForm(q.Expression, windows, step))
	if err != nil {
		return nil, err
	}
	// VictoriaMetrics looks back as far as a step in a range query, and five minutes in an instant query.
	if got.header.Get("X-Server-Hostname") != "" {
		return nil, p.notEqual()
	}
	data, err := p.data(got)
	if err != nil {
		return nil, err
	}
	return p.readMatrix(data, q, windows)
}

func (p *prometheus) notEqual() error {
	return newError(InvalidResponse, errNotEqual, "%s cannot be asked for several moments at once with this query", p.host)
}

func (p *prometheus) rangeForm(expression string, windows []Window, step time.Duration) url.Values {
	form := p.form(expression, windows[0].End)
	form.Set("start", form.Get("time"))
	form.Del("time")
	form.Set("end", seconds(windows[len(windows)-1].End))
	// Fractions of a second are given in milliseconds: as decimals they would be rounded on the way through a float.
	form.Set("step", strconv.FormatInt(step.Milliseconds(), 10)+"ms")
	if step%time.Second == 0 {
		form.Set("step", strconv.FormatInt(int64(step/time.Second), 10))
	}
	return form
}

// line is one series of a matrix.
type line struct {
	Metric     labels          `json:"metric"`
	Values     json.RawMessage `json:"values"`
	Histograms json.RawMessage `json:"histograms"`
}

// readMatrix makes an answer of what all series say at one moment, for each moment.
func (p *prometheus) readMatrix(data json.RawMessage, q Query, windows []Window) ([]Answer, error) {
	var content result
	if err := json.Unmarshal(data, &content); err != nil || content.Type != "matrix" {
		return nil, p.unreadable(err)
	}
	m := matrix{source: p, query: q, last: windows[len(windows)-1], moments: make(map[int64]int, len(windows)), found: make([][]Sample, len(windows))}
	for i, w := range windows {
		m.moments[w.End.UnixMilli()] = i
	}
	err := eachElement(content.Result, m.read)
	if _, told := asError[*Error](err); told {
		return nil, err
	}
	if err != nil {
		return nil, p.unreadable(err)
	}
	if m.points == 0 {
		return nil, p.notEqual()
	}
	answers := make([]Answer, len(windows))
	for i, samples := range m.found {
		answers[i] = bySite(samples)
	}
	return answers, nil
}

// matrix is the answer to a range query while it is being read.
type matrix struct {
	source *prometheus
	query  Query
	last   Window
	// moments are the places in found of the ends of the windows, in milliseconds.
	moments map[int64]int
	found   [][]Sample
	points  int
}

// read takes one series.
func (m *matrix) read(element json.RawMessage) error {
	var l line
	if err := json.Unmarshal(element, &l); err != nil {
		return err
	}
	site, err := l.Metric.site(m.query)
	if err != nil {
		return err
	}
	if site == "" || hasElements(l.Histograms) {
		return m.source.notEqual()
	}
	return m.spread(site, l)
}

// spread gives each moment what the series says then. A moment that was not asked for, or one that comes twice, makes the answer unusable.
func (m *matrix) spread(site string, l line) error {
	seen := map[int]bool{}
	err := eachElement(l.Values, func(value json.RawMessage) error {
		sample, err := readPoint(value, m.last)
		if err != nil {
			return err
		}
		i, asked := m.moments[sample.Time.UnixMilli()]
		if !asked || seen[i] {
			return errors.New("a value is for a moment that was not asked for, or comes twice")
		}
		if m.points++; m.points > m.source.points {
			return m.source.tooManyPoints()
		}
		seen[i] = true
		sample.Site = site
		m.found[i] = append(m.found[i], sample)
		return nil
	})
	if err == nil && len(seen) == 0 {
		return errors.New("a series has no values")
	}
	return err
}

// ask makes one query, with the other method where the server takes no POST.
func (p *prometheus) ask(caller context.Context, path string, form url.Values) (reply, error) {
	ctx, cancel := context.WithTimeout(caller, p.timeout)
	defer cancel()
	got, err := p.send(ctx, http.MethodPost, path, form)
	if err == nil && wantsGet(got.status) {
		got, err = p.send(ctx, http.MethodGet, path, form)
	}
	if err != nil {
		return reply{}, p.transportError(caller, err)
	}
	return got, nil
}

// seconds writes a moment in whole milliseconds, which is what Prometheus keeps.
func seconds(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64)
}
