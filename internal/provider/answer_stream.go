package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// JSON makes it cheap to send what is dear to hold: an array of empty objects takes a hundred times its size as Go values. So arrays are read one element
// after the other, up to the first that is wrong, and of each only what is needed is kept.
const (
	// maxPoints is how many numbers one answer may have: more sites than an enterprise has, at every moment of a replay.
	maxPoints = 1_000_000
	// maxPointBytes is more than a time and a number take, with room for odd spacing.
	maxPointBytes = 1024
	// maxLabelBytes is many times what the labels of one series take.
	maxLabelBytes = 1 << 20
)

// eachElement calls use with one element of a JSON array after the other, until it fails. The array is part of a document that is known to be JSON, and the
// elements are parts of it, not copies. null is an array without elements.
func eachElement(array json.RawMessage, use func(element json.RawMessage) error) error {
	rest := bytes.TrimSpace(array)
	if string(rest) == "null" {
		return nil
	}
	if len(rest) < 2 || rest[0] != '[' || rest[len(rest)-1] != ']' {
		return errors.New("it is not an array")
	}
	rest = bytes.TrimSpace(rest[1 : len(rest)-1])
	for len(rest) > 0 {
		end := elementEnd(rest)
		if err := use(json.RawMessage(bytes.TrimSpace(rest[:end]))); err != nil {
			return err
		}
		rest = rest[min(end+1, len(rest)):]
	}
	return nil
}

// elementEnd returns where the first of several elements ends: at the comma after it, or at the end.
func elementEnd(elements []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(elements); i++ {
		c := elements[i]
		switch {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[', c == '{':
			depth++
		case c == ']', c == '}':
			depth--
		case c == ',' && depth == 0:
			return i
		}
	}
	return len(elements)
}

// hasElements reports whether a JSON array has any.
func hasElements(data json.RawMessage) bool {
	return len(data) > 0 && eachElement(data, func(json.RawMessage) error { return errors.New("found") }) != nil
}

// remark begins a warning that is advice about the query, not about the answer. Newer servers send these as "infos".
const remark = "PromQL info:"

// warnings is the first warning that speaks about the answer itself, of those that came with it; "" when there is none.
type warnings string

// maxWarnings is more than any server has to say about one answer.
const maxWarnings = 10_000

// UnmarshalJSON reads an array of texts.
func (w *warnings) UnmarshalJSON(data []byte) error {
	*w = ""
	count := 0
	return eachElement(data, func(element json.RawMessage) error {
		var text string
		if err := json.Unmarshal(element, &text); err != nil {
			return err
		}
		if *w == "" && !strings.HasPrefix(text, remark) {
			*w = warnings(text)
		}
		if count++; count > maxWarnings {
			return errors.New("there are too many warnings")
		}
		return nil
	})
}

// labels are those of a series, unread.
type labels json.RawMessage

// UnmarshalJSON keeps the text.
func (l *labels) UnmarshalJSON(data []byte) error {
	if len(data) > maxLabelBytes {
		return errors.New("a series has too many labels")
	}
	*l = append((*l)[:0], data...)
	return nil
}

// site returns the site of a series: the only one that was asked for, or what its label says.
func (l labels) site(q Query) (string, error) {
	var all map[string]string
	if len(l) > 0 {
		if err := json.Unmarshal(l, &all); err != nil {
			return "", err
		}
	}
	if q.Site != "" {
		return q.Site, nil
	}
	return all[q.SiteLabel], nil
}

// tooManyPoints explains an answer that would take too much memory.
func (p *prometheus) tooManyPoints() error {
	return newError(ResponseTooLarge, nil, "%s answered with more than %d numbers: aggregate by site in the query", p.host, p.points)
}
