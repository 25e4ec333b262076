package promserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Values asks the server for an instant vector at a moment, and returns its values by one label. It is written without the operator's own client of Prometheus, so that
// a test can hold against that client what the server really has. Two series with the same label are an error.
func (s *Server) Values(ctx context.Context, expression string, at time.Time, label string) (map[string]float64, error) {
	query := url.Values{"query": {expression}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/query?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", expression, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", expression, err)
	}
	var answer vector
	if err := errors.Join(json.NewDecoder(response.Body).Decode(&answer), response.Body.Close()); err != nil {
		return nil, fmt.Errorf("ask for %s: %w", expression, err)
	}
	values, err := answer.by(label)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", expression, err)
	}
	return values, nil
}

// vector is an answer of the query API.
type vector struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Data   struct {
		ResultType string `json:"resultType"`
		Result     []struct {
			Metric map[string]string `json:"metric"`
			// Value is the time in seconds, and the value as text.
			Value [2]any `json:"value"`
		} `json:"result"`
	} `json:"data"`
}

func (v vector) by(label string) (map[string]float64, error) {
	if v.Status != "success" || v.Data.ResultType != "vector" {
		return nil, fmt.Errorf("the answer is %s, a %s: %s", v.Status, v.Data.ResultType, v.Error)
	}
	values := make(map[string]float64, len(v.Data.Result))
	for _, series := range v.Data.Result {
		name := series.Metric[label]
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("two series have %s %q", label, name)
		}
		text, _ := series.Value[1].(string)
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("read the value of %q: %w", name, err)
		}
		values[name] = value
	}
	return values, nil
}
