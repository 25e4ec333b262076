package provider

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"
)

// ReadingsConfig says which readings a source answers from.
type ReadingsConfig struct {
	// Name of the source, as messages call it.
	Name string
	// List returns the readings of a KPI, in any order; those that do not count may be among them. It is called for every measurement.
	List func(ctx context.Context, kpi string) ([]Reading, error)
	// AcceptWithin is the longest time from an observation to its reading. 0 means DefaultAcceptWithin.
	AcceptWithin time.Duration
	// Limits of the source.
	Limits Limits
}

// String names the source.
func (c ReadingsConfig) String() string { return "readings of " + c.Name }

// GoString does for %#v what String does for %v.
func (c ReadingsConfig) GoString() string { return c.String() }

// Fingerprint changes whenever the name or the time limit does. There are no credentials.
func (c ReadingsConfig) Fingerprint() string {
	// Marshalling a string and a number cannot fail.
	fields, _ := json.Marshal([]any{"readings", c.Name, c.AcceptWithin})
	sum := sha256.Sum256(fields)
	return hex.EncodeToString(sum[:])
}

// readings answers from values that people and jobs entered.
type readings struct{ config ReadingsConfig }

// NewReadings opens a source of readings. It returns an *Error with reason InvalidConfiguration when cfg is wrong.
func NewReadings(cfg ReadingsConfig) (Provider, error) {
	switch {
	case cfg.List == nil:
		return nil, invalid("there is no way to list the readings of %s", cfg.Name)
	case cfg.AcceptWithin < 0:
		return nil, invalid("acceptWithin is negative: leave it out for the default of 30d")
	}
	if err := cfg.Limits.validate(); err != nil {
		return nil, err
	}
	return limit(&readings{config: cfg}, cfg.String(), cfg.Limits), nil
}

// Measure answers from the readings that had been entered when the window ended.
func (s *readings) Measure(ctx context.Context, q Query, w Window) (Answer, error) {
	if err := validate(q, w); err != nil {
		return Answer{}, err
	}
	asked, err := readingsQuery(q, w)
	if err != nil {
		return Answer{}, err
	}
	listed, err := s.config.List(ctx, q.Name)
	if err != nil {
		return Answer{}, s.listError(err, q.Name)
	}
	bySite := map[string][]Reading{}
	for _, r := range listed {
		if r.KPI == q.Name && (q.Site == "" || q.Site == r.Site) && r.CountsIn(w, s.config.AcceptWithin) {
			bySite[r.Site] = append(bySite[r.Site], r)
		}
	}
	return asked.answer(bySite, w), nil
}

// Close has nothing to release.
func (s *readings) Close() {}

// answer makes the answer of the readings that count, by site.
func (q ReadingsQuery) answer(bySite map[string][]Reading, w Window) Answer {
	var answer Answer
	for site, readings := range bySite {
		sample, agreed := q.one(readings, w)
		switch {
		case site == "":
			answer.Unlabelled = len(readings)
		case agreed:
			answer.Samples = append(answer.Samples, sample)
		default:
			answer.Ambiguous = append(answer.Ambiguous, site)
		}
	}
	sort.Slice(answer.Samples, func(i, j int) bool { return answer.Samples[i].Site < answer.Samples[j].Site })
	sort.Strings(answer.Ambiguous)
	return answer
}

// readingsQuery reads the one word that a query of readings is.
func readingsQuery(q Query, w Window) (ReadingsQuery, error) {
	asked := ReadingsQuery(strings.TrimSpace(q.Expression))
	switch {
	case q.Name == "":
		return "", invalid("the query does not tell which KPI it is for")
	case asked != ReadingsLatest && asked != ReadingsMean:
		return "", invalid("the query of a KPI whose numbers are readings is one word: write %s for the newest reading, or %s for the mean of the window; it is %s",
			ReadingsLatest, ReadingsMean, quoted(string(asked)))
	case asked == ReadingsMean && w.Start.Equal(w.End):
		return "", invalid("%s needs a window to take the mean of: set spec.window of the KPI, or ask for %s", ReadingsMean, ReadingsLatest)
	}
	return asked, nil
}

// maxQuoted is how much of a wrong query is told, in characters.
const maxQuoted = 60

func quoted(text string) string {
	if runes := []rune(text); len(runes) > maxQuoted {
		text = string(runes[:maxQuoted-1]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

// listError explains why the readings could not be listed.
func (s *readings) listError(err error, kpi string) error {
	switch {
	case errors.Is(err, context.Canceled):
		return newError(Canceled, err, "the measurement at the %s was canceled", s.config)
	case errors.Is(err, context.DeadlineExceeded):
		return newError(Timeout, err, "the %s could not be read in time", s.config)
	}
	return newError(SourceError, err, "the readings of KPI %q cannot be read: %v", kpi, err)
}
