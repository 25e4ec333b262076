package fakecrm

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Salesforce is the query resource of the REST API: /services/data/vXX.X/query. It does not run SOQL: it holds the rows that the query is to give.
type Salesforce struct {
	Door
	// Rows are the records of the answer.
	Rows []Record
	// PageSize is how many of them are on a page; the real one has 2,000.
	PageSize int
	// Announced replaces totalSize when it is not 0.
	Announced int
}

var salesforcePath = regexp.MustCompile(`^/services/data/v[0-9]+\.0/query(?:/(01g[A-Za-z0-9]+)-([0-9]+))?/?$`)

// ServeHTTP implements http.Handler.
func (s *Salesforce) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := salesforcePath.FindStringSubmatch(r.URL.Path)
	switch {
	case s.turnedAway(w):
	case !s.known(r):
		salesforceError(w, http.StatusUnauthorized, "INVALID_SESSION_ID", "Session expired or invalid")
	case path == nil || r.Method != http.MethodGet:
		salesforceError(w, http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
	case path[1] == "":
		s.query(w, r)
	default:
		from, _ := strconv.Atoi(path[2])
		s.page(w, r, from)
	}
}

func (s *Salesforce) query(w http.ResponseWriter, r *http.Request) {
	soql := r.URL.Query().Get("q")
	s.note(soql)
	if !strings.HasPrefix(strings.ToUpper(soql), "SELECT ") || !strings.Contains(strings.ToUpper(soql), " FROM ") {
		salesforceError(w, http.StatusBadRequest, "MALFORMED_QUERY", "unexpected token: "+soql)
		return
	}
	s.page(w, r, 0)
}

func (s *Salesforce) page(w http.ResponseWriter, r *http.Request, from int) {
	size, total := s.PageSize, len(s.Rows)
	if size == 0 {
		size = 2000
	}
	to := min(from+size, total)
	records := make([]Record, 0, size)
	for _, row := range s.Rows[min(from, total):to] {
		record := Record{"attributes": Record{"type": "AggregateResult"}}
		for name, value := range row {
			record[name] = value
		}
		records = append(records, record)
	}
	body := map[string]any{"totalSize": total, "done": to == total, "records": records}
	if s.Announced != 0 {
		body["totalSize"] = s.Announced
	}
	if to < total {
		version := strings.Split(r.URL.Path, "/")[3]
		body["nextRecordsUrl"] = fmt.Sprintf("/services/data/%s/query/01gRO0000016PIAYA2-%d", version, to)
	}
	answer(w, http.StatusOK, body)
}

func salesforceError(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, []map[string]string{{"message": message, "errorCode": code}})
}
