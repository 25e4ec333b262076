package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// canonical returns the one text of a value that hashes are made of: its JSON in the form of RFC 8785. Fields that are unset are left out, the others stand in the order of their names,
// and nothing stands between them. So a later version, which has more fields, hashes what it finds unset as this one does, and the order in which a file has its fields is no matter.
//
// What is recorded has no fractions, since decimals are strings, so the numbers are integers as Go writes them.
func canonical(v any) []byte {
	text, _ := json.Marshal(v) // types of the API always marshal
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	_ = decoder.Decode(&tree) // it is JSON: it was just made
	return write(nil, tree)
}

func write(to []byte, v any) []byte {
	switch v := v.(type) {
	case map[string]any:
		to = append(to, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				to = append(to, ',')
			}
			to = append(writeString(to, name), ':')
			to = write(to, v[name])
		}
		return append(to, '}')
	case []any:
		to = append(to, '[')
		for i, element := range v {
			if i > 0 {
				to = append(to, ',')
			}
			to = write(to, element)
		}
		return append(to, ']')
	case string:
		return writeString(to, v)
	case nil:
		return append(to, "null"...)
	}
	return fmt.Append(to, v) // true, false, or a number as it was written
}

// escapes are the characters that have an escape of two characters.
var escapes = map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}

// writeString escapes what JSON does not allow in a string, and nothing else.
func writeString(to []byte, text string) []byte {
	to = append(to, '"')
	for _, r := range text {
		escape, escaped := escapes[r]
		switch {
		case escaped:
			to = append(to, escape...)
		case r < ' ':
			to = fmt.Appendf(to, `\u%04x`, r)
		default:
			to = utf8.AppendRune(to, r)
		}
	}
	return append(to, '"')
}
