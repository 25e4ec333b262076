package fakecrm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
)

// HubSpot is the CRM search API: POST /crm/v3/objects/OBJECT/search. Its filters are run.
type HubSpot struct {
	Door
	// Records are those of the one object that it knows.
	Records []Record
	// Known are the names of the properties that exist.
	Known []string
	// PageSize bounds a page below its own limit of 200.
	PageSize int
}

type search struct {
	FilterGroups []struct {
		Filters []struct {
			PropertyName string `json:"propertyName"`
			Operator     string `json:"operator"`
			Value        string `json:"value"`
		} `json:"filters"`
	} `json:"filterGroups"`
	Properties []string `json:"properties"`
	Limit      int      `json:"limit"`
	After      string   `json:"after"`
}

var hubSpotPath = regexp.MustCompile(`^/crm/v3/objects/[a-z0-9_-]+/search$`)

// ServeHTTP implements http.Handler.
func (s *HubSpot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var wanted search
	switch {
	case s.turnedAway(w):
	case !s.known(r):
		hubSpotError(w, http.StatusUnauthorized, "INVALID_AUTHENTICATION", "Authentication credentials not found")
	case !hubSpotPath.MatchString(r.URL.Path) || r.Method != http.MethodPost:
		hubSpotError(w, http.StatusNotFound, "OBJECT_NOT_FOUND", "resource not found")
	case json.NewDecoder(r.Body).Decode(&wanted) != nil:
		hubSpotError(w, http.StatusBadRequest, "VALIDATION_ERROR", "Invalid input JSON")
	case wanted.Limit > 200:
		hubSpotError(w, http.StatusBadRequest, "VALIDATION_ERROR", "limit must be at most 200")
	default:
		s.page(w, wanted)
	}
}

func (s *HubSpot) page(w http.ResponseWriter, wanted search) {
	asked, _ := json.Marshal(wanted)
	s.note(string(asked))
	var found []Record
	for _, record := range s.Records {
		if wanted.matches(record) {
			found = append(found, record)
		}
	}
	from, _ := strconv.Atoi(wanted.After)
	size := wanted.Limit
	if s.PageSize != 0 {
		size = min(size, s.PageSize)
	}
	to := min(from+size, len(found))
	if from+size > 10_000 {
		hubSpotError(w, http.StatusBadRequest, "VALIDATION_ERROR", "paging beyond 10000 results is not possible")
		return
	}
	results := []Record{}
	for i, record := range found[min(from, len(found)):to] {
		results = append(results, Record{"id": strconv.Itoa(from + i), "archived": false, "properties": s.properties(record, wanted.Properties)})
	}
	body := map[string]any{"total": len(found), "results": results}
	if to < len(found) {
		body["paging"] = map[string]any{"next": map[string]string{"after": strconv.Itoa(to)}}
	}
	answer(w, http.StatusOK, body)
}

// properties are the wanted ones that exist; null where the record has none.
func (s *HubSpot) properties(record Record, wanted []string) Record {
	shown := Record{"hs_object_id": "1"}
	for _, known := range s.Known {
		for _, name := range wanted {
			if name == known {
				shown[name] = record[name]
			}
		}
	}
	return shown
}

// matches reports whether all filters of any group let the record through. No groups let all through.
func (q search) matches(record Record) bool {
	for _, group := range q.FilterGroups {
		all := true
		for _, filter := range group.Filters {
			have := fmt.Sprint(record[filter.PropertyName])
			left, _ := strconv.ParseInt(have, 10, 64)
			right, notNumber := strconv.ParseInt(filter.Value, 10, 64)
			switch filter.Operator {
			case "EQ":
				all = all && have == filter.Value
			case "GT":
				all = all && notNumber == nil && left > right
			case "LTE":
				all = all && notNumber == nil && left <= right
			default:
				all = false
			}
		}
		if all {
			return true
		}
	}
	return len(q.FilterGroups) == 0
}

func hubSpotError(w http.ResponseWriter, status int, category, message string) {
	answer(w, status, map[string]string{"status": "error", "message": message, "correlationId": "aeb5f871-7f07-4993-9211-075dc63e7cbf", "category": category})
}
