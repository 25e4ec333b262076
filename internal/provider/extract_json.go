package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	// maxDepth is how deep objects and lists may lie in each other. Answers of APIs have less than ten levels; every level costs stack.
	maxDepth = 64
	// maxValues is how many values one page may have: about 26,000 rows with ten fields, five times the largest page of any CRM. It bounds the memory that a page
	// takes once it is read, which can be fifty times what it takes on the wire.
	maxValues = 500_000
	// valuesOfObject is what an object counts for besides its values: it takes that much memory.
	valuesOfObject = 8
)

var (
	errTooDeep      = errors.New("objects and lists lie in each other more than 64 deep")
	errTooManyParts = errors.New("there are more than 500000 values (an object counts for 9)")
	errTwice        = errors.New("an object has a name twice")
)

// decodeJSON reads one JSON value, all of data. It refuses what encoding/json lets pass: an object that has a name twice, of which one value would get
// lost, and values without bounds. All numbers become float64, as in CEL's own view of JSON, so
// that whole numbers from 2^53 on may be others than the server sent: exactText and exactInt know that.
func decodeJSON(data []byte) (any, error) {
	d := &decoder{tokens: json.NewDecoder(bytes.NewReader(data))}
	value, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := d.tokens.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	return value, nil
}

type decoder struct {
	tokens *json.Decoder
	values int
}

func (d *decoder) value(depth int) (any, error) {
	token, err := d.tokens.Token()
	if err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	opening, nested := token.(json.Delim)
	d.values++
	if opening == '{' {
		d.values += valuesOfObject
	}
	if d.values > maxValues {
		return nil, errTooManyParts
	}
	switch {
	case !nested:
		return token, nil
	case depth == maxDepth:
		return nil, errTooDeep
	case opening == '{':
		return d.object(depth + 1)
	}
	return d.list(depth + 1)
}

func (d *decoder) object(depth int) (any, error) {
	object := map[string]any{}
	for d.tokens.More() {
		token, err := d.tokens.Token()
		if err != nil {
			return nil, fmt.Errorf("read JSON: %w", err)
		}
		name, isName := token.(string)
		if _, twice := object[name]; twice || !isName {
			return nil, errTwice
		}
		if object[name], err = d.value(depth); err != nil {
			return nil, err
		}
	}
	return object, d.end()
}

func (d *decoder) list(depth int) (any, error) {
	list := []any{}
	for d.tokens.More() {
		value, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	return list, d.end()
}

// end reads the bracket that closes an object or a list.
func (d *decoder) end() error {
	if _, err := d.tokens.Token(); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	return nil
}
