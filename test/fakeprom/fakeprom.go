// Package fakeprom is a server on the loopback interface that speaks the instant query API of Prometheus and answers
// each query as it was told to, rightly or wrongly. It counts the queries.
//
// A real Prometheus can neither fail on demand nor answer for thousands of sites at once without being fed for minutes.
package fakeprom

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// queryPath is the endpoint for instant queries.
	queryPath = "/api/v1/query"
	// maxFormBytes is far more than any query needs.
	maxFormBytes = 1 << 20
)

// Answer answers one query. At is the moment that the query is about, which may lie in the past.
type Answer func(w http.ResponseWriter, r *http.Request, at time.Time)

// Server is a running source.
type Server struct {
	http   *http.Server
	url    string
	served chan error

	mutex   sync.Mutex
	answers map[string]Answer
	asked   map[string][]time.Time
}

// Start runs a server on a free port of 127.0.0.1. It knows no query yet. It ends with Close.
func Start() (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start a fake Prometheus: %w", err)
	}
	s := &Server{
		url:     "http://" + listener.Addr().String(),
		served:  make(chan error, 1),
		answers: map[string]Answer{},
		asked:   map[string][]time.Time{},
	}
	routes := http.NewServeMux()
	routes.HandleFunc(queryPath, s.query)
	s.http = &http.Server{Handler: routes, ReadHeaderTimeout: time.Minute}
	go func() { s.served <- s.http.Serve(listener) }()
	return s, nil
}

// URL returns the address of the server, without a slash at the end.
func (s *Server) URL() string { return s.url }

// Close ends the server and breaks off what it is answering. It may be called once.
func (s *Server) Close() error {
	closed := s.http.Close()
	if err := <-s.served; !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(fmt.Errorf("serve a fake Prometheus: %w", err), closed)
	}
	return closed
}

// Handle makes the server give an answer to a query from now on. The expression is compared as it is written.
func (s *Server) Handle(expression string, answer Answer) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.answers[expression] = answer
}

// Count returns how often a query was asked, also one that the server does not know.
func (s *Server) Count(expression string) int { return len(s.Asked(expression)) }

// Asked returns the moments that a query was asked about, in the order in which it was asked.
func (s *Server) Asked(expression string) []time.Time {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]time.Time(nil), s.asked[expression]...)
}

// Total returns how many queries were asked.
func (s *Server) Total() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	total := 0
	for _, moments := range s.asked {
		total += len(moments)
	}
	return total
}

func (s *Server) query(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	expression := r.FormValue("query")
	at, err := moment(r.FormValue("time"))
	if err != nil {
		Refuse(http.StatusBadRequest, "bad_data", `invalid parameter "time": `+err.Error())(w, r, at)
		return
	}
	s.answer(expression, at)(w, r, at)
}

// answer notes the question. A query that nobody scripted is refused in the words of Prometheus' parser.
func (s *Server) answer(expression string, at time.Time) Answer {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.asked[expression] = append(s.asked[expression], at)
	if answer := s.answers[expression]; answer != nil {
		return answer
	}
	return Refuse(http.StatusBadRequest, "bad_data", `invalid parameter "query": 1:1: parse error: unexpected `+strconv.Quote(expression))
}

// moment reads seconds since 1970, as the API takes them. Without any it is now.
func moment(text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("cannot parse %q to a valid timestamp", text)
	}
	return time.UnixMilli(int64(math.Round(seconds * 1000))), nil
}

// Hang gives no answer before whoever asks gives up.
func Hang(_ http.ResponseWriter, r *http.Request, _ time.Time) { <-r.Context().Done() }

// Late gives an answer after a while, unless whoever asks gives up before.
func Late(by time.Duration, answer Answer) Answer {
	return func(w http.ResponseWriter, r *http.Request, at time.Time) {
		ctx, cancel := context.WithTimeout(r.Context(), by)
		defer cancel()
		<-ctx.Done()
		if r.Context().Err() == nil {
			answer(w, r, at)
		}
	}
}
