package fakecrm

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
)

// Dynamics is a table of the Dataverse Web API: /api/data/v9.2/TABLE. It does not run $apply: it holds the rows that the query is to give.
type Dynamics struct {
	Door
	// Rows are the entities of the answer.
	Rows []Record
	// PageSize is how many of them are on a page; the real one has 5,000.
	PageSize int
	// LinkHost replaces the host in the links to further pages; "" is this server.
	LinkHost string
}

var dynamicsPath = regexp.MustCompile(`^/api/data/v9\.[0-2]/([a-z_]+)$`)

// ServeHTTP implements http.Handler.
func (s *Dynamics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, query := dynamicsPath.FindStringSubmatch(r.URL.Path), r.URL.Query()
	apply, fetch := query.Get("$apply"), query.Get("fetchXml")
	switch {
	case s.turnedAway(w):
	case !s.known(r):
		w.WriteHeader(http.StatusUnauthorized)
	case r.Header.Get("OData-Version") != "4.0" || r.Header.Get("OData-MaxVersion") != "4.0":
		dynamicsError(w, http.StatusBadRequest, "0x80060888", "the headers OData-Version and OData-MaxVersion are missing")
	case path == nil || r.Method != http.MethodGet:
		dynamicsError(w, http.StatusNotFound, "0x8006088a", "Resource not found for the segment")
	case apply == "" && fetch == "":
		dynamicsError(w, http.StatusBadRequest, "0x80060888", "Syntax error at position 0 in '"+r.URL.RawQuery+"'.")
	default:
		s.note(apply + fetch)
		s.page(w, r, path[1], fetch != "")
	}
}

func (s *Dynamics) page(w http.ResponseWriter, r *http.Request, table string, fetch bool) {
	size, total := s.PageSize, len(s.Rows)
	if size == 0 {
		size = 5000
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken"))
	to := min(from+size, total)
	root := "http://" + r.Host
	if s.LinkHost != "" {
		root = s.LinkHost
	}
	rows := s.Rows[min(from, total):to]
	if rows == nil {
		rows = []Record{}
	}
	body := map[string]any{"@odata.context": root + "/api/data/v9.2/$metadata#" + table, "value": rows}
	switch {
	case fetch:
		body["@Microsoft.Dynamics.CRM.morerecords"] = to < total
	case to < total:
		query := r.URL.Query()
		query.Set("$skiptoken", strconv.Itoa(to))
		body["@odata.nextLink"] = fmt.Sprintf("%s%s?%s", root, r.URL.Path, query.Encode())
	}
	answer(w, http.StatusOK, body)
}

func dynamicsError(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]any{"error": map[string]string{"code": code, "message": message}})
}
