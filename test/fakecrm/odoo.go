package fakecrm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// Odoo is the External JSON-2 API: POST /json/2/MODEL/formatted_read_group. Domains of simple conditions are run, and groups are made.
type Odoo struct {
	Door
	// Records are those of the one model that it knows. A value of [id, name] is a relation.
	Records []Record
	// Database is the one that the header X-Odoo-Database must name; "" for any.
	Database string
}

type readGroup struct {
	Domain     [][3]any `json:"domain"`
	GroupBy    []string `json:"groupby"`
	Aggregates []string `json:"aggregates"`
}

var odooPath = regexp.MustCompile(`^/json/2/[a-z.]+/formatted_read_group$`)

// ServeHTTP implements http.Handler.
func (s *Odoo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var wanted readGroup
	switch {
	case s.turnedAway(w):
	case !s.known(r):
		odooError(w, http.StatusUnauthorized, "werkzeug.exceptions.Unauthorized", "Invalid apikey")
	case s.Database != "" && r.Header.Get("X-Odoo-Database") != s.Database:
		odooError(w, http.StatusNotFound, "werkzeug.exceptions.NotFound", "no database")
	case !odooPath.MatchString(r.URL.Path) || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		odooError(w, http.StatusNotFound, "werkzeug.exceptions.NotFound", "the requested URL was not found on the server")
	case json.NewDecoder(r.Body).Decode(&wanted) != nil:
		odooError(w, http.StatusUnprocessableEntity, "builtins.TypeError", "the domain is not a list of conditions")
	default:
		asked, _ := json.Marshal(wanted.Domain)
		s.note(string(asked))
		answer(w, http.StatusOK, s.groups(wanted))
	}
}

// groups makes one group for each value of the first groupby field, in the order of the records; one of all without.
func (s *Odoo) groups(wanted readGroup) []Record {
	var order []string
	members, values := map[string][]Record{}, map[string]any{}
	for _, record := range s.Records {
		if !wanted.matches(record) {
			continue
		}
		var value any = false
		if len(wanted.GroupBy) > 0 && record[wanted.GroupBy[0]] != nil {
			value = record[wanted.GroupBy[0]]
		}
		key := fmt.Sprint(value)
		if members[key] == nil {
			order = append(order, key)
		}
		members[key], values[key] = append(members[key], record), value
	}
	groups := []Record{}
	for _, key := range order {
		group := Record{"__extra_domain": []any{}}
		if len(wanted.GroupBy) > 0 {
			group[wanted.GroupBy[0]] = values[key]
		}
		for _, aggregate := range wanted.Aggregates {
			group[aggregate] = aggregated(members[key], aggregate)
		}
		groups = append(groups, group)
	}
	return groups
}

func aggregated(records []Record, aggregate string) any {
	if aggregate == "__count" {
		return len(records)
	}
	field, function, _ := strings.Cut(aggregate, ":")
	sum, count := 0.0, 0
	for _, record := range records {
		if number, ok := record[field].(float64); ok {
			sum += number
			count++
		}
	}
	switch {
	case function == "count":
		return count
	case count == 0:
		return false
	case function == "avg":
		return sum / float64(count)
	}
	return sum
}

func (q readGroup) matches(record Record) bool {
	for _, condition := range q.Domain {
		field, _ := condition[0].(string)
		left, right := fmt.Sprint(record[field]), fmt.Sprint(condition[2])
		if ok := map[any]bool{"=": left == right, ">": left > right, "<=": left <= right}[condition[1]]; !ok {
			return false
		}
	}
	return true
}

func odooError(w http.ResponseWriter, status int, name, message string) {
	answer(w, status, map[string]any{"name": name, "message": message, "arguments": []any{message, status}, "context": map[string]any{}, "debug": "Traceback (most recent call last): hush"})
}
