package fakeprom

import (
	"encoding/json"
	"net/http"
	"sort"
	"strconv"
	"time"
)

// Sample is one series of an answer.
type Sample struct {
	// Labels of the series.
	Labels map[string]string
	// Value may be NaN or infinite.
	Value float64
}

// Vector answers with an instant vector.
func Vector(samples func(at time.Time) []Sample) Answer {
	return func(w http.ResponseWriter, _ *http.Request, at time.Time) {
		rows := []map[string]any{}
		for _, s := range samples(at) {
			labels := s.Labels
			if labels == nil {
				labels = map[string]string{}
			}
			rows = append(rows, map[string]any{"metric": labels, "value": point(at, s.Value)})
		}
		succeed(w, "vector", rows)
	}
}

// Fixed answers with an instant vector that is always the same.
func Fixed(samples ...Sample) Answer {
	return Vector(func(time.Time) []Sample { return samples })
}

// BySite answers with one value for each site, in the label "site".
func BySite(values func(at time.Time) map[string]float64) Answer {
	return Vector(func(at time.Time) []Sample {
		found := values(at)
		samples := make([]Sample, 0, len(found))
		for site, value := range found {
			samples = append(samples, Site(site, value))
		}
		sort.Slice(samples, func(i, j int) bool { return samples[i].Labels["site"] < samples[j].Labels["site"] })
		return samples
	})
}

// Site is the value of one site.
func Site(name string, value float64) Sample {
	return Sample{Labels: map[string]string{"site": name}, Value: value}
}

// Scalar answers with a number that has no labels and is no vector.
func Scalar(value float64) Answer {
	return func(w http.ResponseWriter, _ *http.Request, at time.Time) { succeed(w, "scalar", point(at, value)) }
}

// Refuse answers with an error of the API: its status code, its type ("bad_data", "execution", "timeout", "internal") and its text.
func Refuse(status int, kind, text string) Answer {
	return func(w http.ResponseWriter, _ *http.Request, _ time.Time) {
		reply(w, status, map[string]any{"status": "error", "errorType": kind, "error": text})
	}
}

// Body answers with any text, as something that is not Prometheus would.
func Body(status int, contentType, text string) Answer {
	return func(w http.ResponseWriter, _ *http.Request, _ time.Time) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text)) // who asked may have gone
	}
}

// Flood answers with a vector that does not end before size bytes, unless whoever asks hangs up. Its length is not announced.
func Flood(size int) Answer {
	row := []byte(`{"metric":{"site":"flood"},"value":[1,"1"]},`)
	return func(w http.ResponseWriter, _ *http.Request, _ time.Time) {
		w.Header().Set("Content-Type", "application/json")
		sent, err := w.Write([]byte(`{"status":"success","data":{"resultType":"vector","result":[`))
		for err == nil && sent < size {
			var n int
			n, err = w.Write(row)
			sent += n
		}
	}
}

func succeed(w http.ResponseWriter, kind string, result any) {
	reply(w, http.StatusOK, map[string]any{"status": "success", "data": map[string]any{"resultType": kind, "result": result}})
}

func reply(w http.ResponseWriter, status int, content any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(content) // who asked may have gone
}

// point is how the API writes a value: seconds, and the number as text.
func point(at time.Time, value float64) [2]any {
	return [2]any{float64(at.UnixMilli()) / 1000, strconv.FormatFloat(value, 'f', -1, 64)}
}
